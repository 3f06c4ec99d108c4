"""The lines of a text file, plain or gzip, and which of them is no text in its encoding."""

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


class Unreadable(ValueError):
    """What is wrong with a line: the first from which on the text makes no sense."""


def open_text(path: Path, encoding: str, *, newline: str = "", **options: Any) -> Any:
    """The file's text, with its line ends as they are."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return opener(path, "rt", encoding=encoding, newline=newline, **options)


def decoded(lines: Iterable[str], encoding: str) -> Iterator[str]:
    """The lines of a file that was opened with errors="surrogateescape"; Unreadable for the first that has an error."""
    name = encoding.removesuffix("-sig")
    for number, line in enumerate(lines, 1):
        if not line.isascii() and (odd := re.search("[\udc80-\udcff]", line)):
            shown = line[max(odd.start() - 20, 0) :].encode(name, "surrogateescape")[:40]
            if name != "utf-8":
                raise Unreadable(f"line {number} is not text in {name} ({shown!r}); try another --encoding")
            other = "utf-16" if line.startswith(("\udcff\udcfe", "\udcfe\udcff")) else "latin-1 or cp1252"
            raise Unreadable(f"line {number} is not UTF-8 text ({shown!r}); try --encoding {other}")
        yield line
