"""How a CSV file is laid out, and which line of it is wrong: Python's own reader beside DuckDB's.

DuckDB is fast and, once told everything, strict; left to guess, it makes one column of a ragged file. So the layout is
read off the first thousand records here, and when the strict pass fails, the first line that does not fit is named.
"""

import csv
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

from netwright.tables.packed import open_text

DELIMITERS = ";\t|,"  # the comma last: where two fit alike it is a decimal mark
SAMPLE = 1000
NONE = "\x01"  # the delimiter of a file with one column
VALUE = re.compile(r"\s*[-+]?\d[-+.,:/\d\seETZ]*|\s*[-+]?[.,]\d+\s*")  # a number or a date, nothing to call a column by

Record = tuple[int, list[str]]  # line number, fields


@dataclass(frozen=True)
class CsvFile:
    """One delimited file and its layout. Below the `skip` lines at the top is the header, where there is one."""

    path: Path
    encoding: str
    delimiter: str = NONE
    skip: int = 0
    header: bool = True
    fields: tuple[str, ...] = ()  # of the first line

    @property
    def names(self) -> list[str]:
        """The columns' names: what the header says, where it says something, and every name once."""
        names: dict[str, None] = {}
        for j, field in enumerate(self.fields):
            plain = (field.strip() if self.header else "") or f"column{j}"
            tries = (f"{plain}_{number}" if number else plain for number in count())
            names[next(name for name in tries if name not in names)] = None
        return list(names)

    @property
    def notes(self) -> list[str]:
        """What was decided about the top of the file."""
        names = self.names
        notes = [f"the table begins on line {self.skip + 1}; what is above was skipped"] if self.skip else []
        if not self.header:
            return [*notes, f"there is no header line; the columns are named {names[0]}, … {names[-1]}"]
        pairs = zip((field.strip() for field in self.fields), names, strict=True)
        return notes + [f"the column headed {field!r} is called {name!r}" for field, name in pairs if field != name]

    def records(self) -> Iterator[Record]:
        """(line number, fields) of every line that is not blank; csv.Error for a quote that is not closed."""
        with open_text(self.path, self.encoding, errors="surrogateescape") as text:
            for _ in range(self.skip):
                text.readline()
            reader, line = csv.reader(text, delimiter=self.delimiter, strict=True), self.skip + 1
            for fields in reader:
                if fields:
                    yield line, fields
                line = self.skip + reader.line_num + 1

    def place(self, row: int) -> str:
        """'line 30' of the file for a row, counted from 0; 'row 29' where lines cannot be counted."""
        with suppress(csv.Error, OSError):
            for line, _ in islice(self.records(), row + self.header, None):
                return f"line {line}"
        return f"row {row + 1}"

    def fault(self) -> str | None:
        """A sentence on the first line that is wrong, None where Python finds none."""
        return self._undecodable() or self._ragged() or self._line_ends()

    def _undecodable(self) -> str | None:
        with open_text(self.path, self.encoding, errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                if re.search("[\udc80-\udcff]", line):
                    other = "utf-16" if line.startswith(("\udcff\udcfe", "\udcfe\udcff")) else "latin-1 or cp1252"
                    shown = line.encode(errors="surrogateescape").strip()[:40]
                    return f"line {number} is not UTF-8 text ({shown!r}); try --encoding {other}"
        return None

    def _ragged(self) -> str | None:
        top, line = 0, self.skip
        try:
            for line, fields in self.records():
                top = top or line
                if not _fits(fields, len(self.fields)):
                    return f"line {line} has {len(fields)} fields where line {top} has {len(self.fields)}"
        except csv.Error:
            return f"a quote that opens after line {line} is never closed, or is followed by text"
        return None

    def _line_ends(self) -> str | None:
        with open_text(self.path, self.encoding) as lines:
            if len({line.endswith("\r\n") for line in lines if line.endswith("\n")}) > 1:
                return "some lines end with CRLF, others with LF; make them alike"
        return None


def find_layout(path: Path, encoding: str, *, delimiter: str, header: bool | None, nulls: Collection[str]) -> CsvFile:
    """The file's delimiter, where its table begins and whether that has a header, where they are not given."""
    skip, above = _top(path, encoding)
    files = [CsvFile(path, encoding, mark, skip) for mark in ([delimiter] if delimiter else DELIMITERS)]
    samples = [_sample(file) for file in files]
    ranks = [_rank(records) for records in samples]
    best = ranks.index(max(ranks))
    file, records = files[best], samples[best]
    if not delimiter and max(ranks[best][1:]) == 1:
        file = replace(file, delimiter=NONE)
        records = _sample(file)
    rows = [fields for _, fields in records]
    file = replace(file, fields=tuple(rows[0]), header=_has_header(rows, nulls) if header is None else header)
    if header is None and not file.header and above.startswith("#"):  # "#id,name" right above the rows: their header
        over = replace(file, skip=skip - 1, header=True)
        (_, fields), *_ = _sample(over)
        if len(fields) == len(rows[0]) > 1:
            return replace(over, fields=tuple(fields))
    return file


def _top(path: Path, encoding: str) -> tuple[int, str]:
    """How many lines at the top are blank or begin with #, and the last of them. ValueError where that is all."""
    above = ""
    with open_text(path, encoding, errors="surrogateescape") as lines:
        for number, line in enumerate(lines):
            if line.strip() and not line.startswith("#"):
                return number, above
            above = line
    raise ValueError(f"{path}: the file has no table, only blank lines or lines that begin with #")


def _sample(file: CsvFile) -> list[Record]:
    """The first records, up to the one that cannot be read: the strict pass finds it again."""
    records: list[Record] = []
    with suppress(csv.Error):
        records.extend(islice(file.records(), SAMPLE))
    return records or [(file.skip + 1, [""])]


def _rank(records: list[Record]) -> tuple[bool, int, int]:
    """How well a delimiter splits the file: all lines alike, the first in how many fields, the others in at least …"""
    (_, first), *rest = records
    alike = len(first) > 1 and all(_fits(fields, len(first)) for _, fields in rest)
    return alike, len(first), min((len(fields) for _, fields in rest), default=1)


def _fits(fields: list[str], width: int) -> bool:
    """Whether a line has that many fields; DuckDB lets a delimiter at its end pass."""
    return len(fields) == width or (len(fields) == width + 1 and not fields[-1])


def _has_header(rows: list[list[str]], nulls: Collection[str]) -> bool:
    """Whether the first row names the columns: it holds no value, or a text above a column of values."""
    top, *below = rows
    if not any(VALUE.fullmatch(cell) for cell in top):
        return True
    for j, cell in enumerate(top):
        values = [row[j] for row in below if len(row) > j and row[j] not in nulls]
        if values and cell not in nulls and not VALUE.fullmatch(cell) and all(map(VALUE.fullmatch, values)):
            return True
    return False
