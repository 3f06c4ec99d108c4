"""Text out of files that are packed, or in some other encoding."""

import gzip
import shutil
from pathlib import Path
from typing import Any

from netwright.tables import sql


def open_text(path: Path, encoding: str, **options: Any) -> Any:
    """The text of a plain or gzip file, with its line ends as they are."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return opener(path, "rt", encoding=encoding, newline="", **options)


def unpacked(database: sql.Database, path: Path, scratch: Path) -> Path:
    """A plain copy of a .zst file, line by line through DuckDB, as not every Python can unpack it."""
    copied = scratch / "unpacked"
    plain = "header {0}false, quote {0}'', escape {0}'', delim {0}'\x01'"
    lines = f"read_csv({sql.file(path)}, auto_detect=false, columns={{'line': 'VARCHAR'}}, {plain.format('=')})"
    database.run(f"copy (from {lines}) to {sql.text(str(copied))} (format csv, {plain.format('')})")
    return copied


def in_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """A copy in UTF-8: DuckDB knows few encodings, Python knows them all."""
    copied = scratch / "utf8"
    with open_text(path, encoding) as text, copied.open("w", encoding="utf-8", newline="") as copy:
        shutil.copyfileobj(text, copy)
    return copied
