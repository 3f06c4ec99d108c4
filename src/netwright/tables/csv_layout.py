"""How a CSV file is laid out, and which line of it is wrong.

DuckDB is fast and, once told everything, strict; left to guess, it makes one column of a ragged file. So the layout is
read off the first thousand records here, and when the strict pass fails, the first line that does not fit is named.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, islice, takewhile
from pathlib import Path

from netwright.tables.csv_records import Record, records
from netwright.tables.lines import Unreadable, decoded, open_text

DELIMITERS = ";\t|,"  # the comma last: where two fit alike it is a decimal mark
SAMPLE = 1000
NONE = "\x01"  # the delimiter of a file with one column
VALUE = re.compile(r"\s*[-+]?\d[-+.,:/\d\seETZ]*|\s*[-+]?[.,]\d+\s*")  # a number or a date, nothing to call a column by
SAYS = re.compile(r'\s*"?sep=(\\t|[^"]?)"?[\s,;|]*', re.IGNORECASE)  # for Excel, what separates the fields
SKIP = "lines above the table are skipped with --skip-lines {}"


@dataclass(frozen=True)
class CsvFile:
    """One delimited file and its layout. Below the `skip` lines at the top is the header, where there is one.

    `units` are the number and the fields of the line of units below the header, where there is one.
    """

    path: Path
    encoding: str
    delimiter: str = NONE
    skip: int = 0
    header: bool = True
    fields: tuple[str, ...] = ()  # of the first line
    units: Record | None = None

    @cached_property
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
        if self.units:
            line, units = self.units
            notes.append(f"line {line} was skipped, as it holds the units: {_shown(units)}")
        return notes + [f"the column headed {field!r} is called {name!r}" for field, name in self.renamed]

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """(what the header says, the name) of the columns whose name could not be that."""
        pairs = zip((field.strip() for field in self.fields), self.names, strict=True)
        return [(field, name) for field, name in pairs if self.header and field != name]

    def records(self, *, strictly: bool = False) -> Iterator[Record]:
        """(line number, fields) of every record; Unreadable, with the line, where the text cannot be taken apart.

        Bytes that are no text in the encoding pass, unless it is to be read `strictly`.
        """
        with open_text(self.path, self.encoding, errors="surrogateescape") as text:
            lines = decoded(text, self.encoding) if strictly else text
            for _ in islice(lines, self.skip):
                pass
            # Of one column, a blank line is a missing value.
            yield from records(lines, self.delimiter, above=self.skip, blank=len(self.fields) == 1)

    def rows(self) -> Iterator[Record]:
        """The records below the header and the units."""
        return islice(self.records(), self.header + bool(self.units), None)

    def looks_like_units(self, name: str, nulls: Collection[str]) -> bool:
        """Whether the first row is all texts, and one above the values of the column `name`."""
        rows = [fields for _, fields in islice(self.rows(), SAMPLE)]
        if not rows or any(VALUE.fullmatch(cell) for cell in rows[0]):
            return False
        return self.names.index(name) in _texts_above_values(rows, nulls)

    def place(self, row: int) -> str:
        """'line 30' of the file for a row, counted from 0; 'row 29' where lines cannot be counted."""
        with suppress(Unreadable, OSError):
            for line, _ in islice(self.rows(), row, None):
                return f"line {line}"
        return f"row {row + 1}"

    def cell(self, row: int, column: int) -> str:
        """What is written there; '' where lines cannot be counted."""
        with suppress(Unreadable, OSError, IndexError):
            for _, fields in islice(self.rows(), row, None):
                return fields[column].strip()
        return ""

    def fits(self, fields: list[str]) -> bool:
        """Whether a record has as many fields as the first; DuckDB lets a delimiter at its end pass."""
        return len(fields) == len(self.fields) or (len(fields) == len(self.fields) + 1 and not fields[-1])

    def fault(self) -> str | None:
        """A sentence on the first line that is wrong, None where nothing is found."""
        top = above = 0
        try:
            for line, fields in self.records(strictly=True):
                top = top or line
                if not self.fits(fields):
                    said = f"line {line} has {len(fields)} fields where line {top} has {len(self.fields)}"
                    begins = _begins(_sample(self)) if above == top else None
                    return f"{said}; {SKIP.format(begins - 1)}" if begins else said
                above = line
        except Unreadable as error:
            return str(error)
        return None

    def longest(self) -> int:
        """The bytes of the longest record in UTF-8, or somewhat more."""
        quoted = 3  # a delimiter and two quotes
        sizes = (sum(len(f.encode(errors="replace")) + f.count('"') + quoted for f in fs) for _, fs in self.records())
        return max(sizes, default=0)


def find_layout(
    path: Path,
    encoding: str,
    *,
    delimiter: str,
    header: bool | None,
    nulls: Collection[str],
    usual: str = "",
    skip_lines: int = 0,
    units_line: bool = False,
) -> CsvFile:
    """The file's delimiter, where its table begins and whether that has a header, where they are not given.

    The delimiter is the one given, or the one that the file says, or the `usual` one for its name.
    """
    skip, above, said = _top(path, encoding, skip_lines)
    given = delimiter or said or usual
    files = [CsvFile(path, encoding, mark, skip) for mark in ([given] if given else DELIMITERS)]
    files = [file for file in files if len(_sample(file, 1)[0][1]) > 1] or files  # the others are no match
    samples = [_sample(file) for file in files]
    ranks = [_rank(records) for records in samples]
    best = ranks.index(max(ranks))
    file, found = files[best], samples[best]
    if not given and max(ranks[best][1:]) == 1:
        for sample in samples:
            _check_top(path, sample)
        file = replace(file, delimiter=NONE)
        found = _sample(file)
    units = found.pop(1) if units_line and len(found) > 1 else None
    rows = [fields for _, fields in found]
    file = replace(file, fields=tuple(rows[0]), header=_has_header(rows, nulls) if header is None else header)
    if header is None and not file.header and above.startswith("#"):  # "#id,name" right above the rows: their header
        over = replace(file, skip=skip - 1, header=True)
        (_, fields), *_ = _sample(over)
        if len(fields) == len(rows[0]) > 1:
            file, units = replace(over, fields=tuple(fields)), found[0] if units_line else None
    if units_line:
        _check_units(file, units, nulls)
    return replace(file, units=units)


def _top(path: Path, encoding: str, skip_lines: int) -> tuple[int, str, str]:
    """How many lines at the top are no part of the table, the last of them, and the delimiter that one may say.

    They are those to skip, and then blank lines, lines that begin with # and "sep=;". ValueError where that is all.
    """
    above, said, number = "", "", -1
    with open_text(path, encoding, errors="surrogateescape") as lines:
        for number, line in enumerate(lines):
            if number >= skip_lines:
                if not said and (found := SAYS.fullmatch(line[:50].rstrip("\r\n"))):
                    said = found[1].replace("\\t", "\t")
                elif line.count("\0") > len(line) // 3:
                    marked = line.startswith(("\udcff\udcfe", "\udcfe\udcff"))
                    other = "utf-16" if marked else "utf-16-be" if line.startswith("\0") else "utf-16-le"
                    raise ValueError(f"{path}: line {number + 1} holds NULs, as UTF-16 does; try --encoding {other}")
                elif line.strip() and not line.startswith("#"):
                    return number, above, said
            above = line
    if skip_lines and number < skip_lines:
        raise ValueError(f"{path}: the file has {number + 1} lines, and skip_lines={skip_lines} leaves none of them")
    raise ValueError(f"{path}: the file has no table, only blank lines or lines that begin with #")


def _sample(file: CsvFile, most: int = SAMPLE) -> list[Record]:
    """The first records, up to the one that cannot be read: the strict pass finds it again."""
    found: list[Record] = []
    with suppress(Unreadable):
        found.extend(islice(file.records(), most))
    return found or [(file.skip + 1, [""])]


def _rank(records: list[Record]) -> tuple[bool, int, int]:
    """How well a delimiter splits the file: all lines alike, the first in how many fields, the others in at least …"""
    (_, first), *rest = records
    width = len(first)
    alike = width > 1 and all(len(f) == width or (len(f) == width + 1 and not f[-1]) for _, f in rest)
    return alike, width, min((len(fields) for _, fields in rest), default=1)


def _begins(sample: list[Record]) -> int | None:
    """The line on which a table begins, if most records have as many fields as the last, and those above have not."""
    widths = [len(fields) for _, fields in sample]
    begins = len(widths) - len(list(takewhile(lambda width: width == widths[-1], reversed(widths))))
    return sample[begins][0] if 1 < widths[-1] != widths[0] and begins < len(widths) / 2 else None


def _check_top(path: Path, sample: list[Record]) -> None:
    """ValueError where a table of several columns begins further down, among what would be read as one column."""
    if line := _begins(sample):
        said = f"line {line} has {len(sample[-1][1])} fields where line {sample[0][0]} has {len(sample[0][1])}"
        raise ValueError(f"{path}: {said}; {SKIP.format(line - 1)}")


def _check_units(file: CsvFile, units: Record | None, nulls: Collection[str]) -> None:
    """ValueError where no line of units is below a header."""
    if not file.header:
        raise ValueError(f"{file.path}: units_line is the line below a header, and line {file.skip + 1} is none")
    line, fields = units or (0, [])
    odd = [field for field in fields if VALUE.fullmatch(field) and field.strip() != "1" and field not in nulls]
    if units is None or not file.fits(fields) or odd or not any(field.strip() for field in fields):
        seen = f"line {line} holds {odd[0]!r}" if odd else f"line {line or file.skip + 2} holds none"
        raise ValueError(f"{file.path}: units_line is a line of units below the header, and {seen}; leave it out")


def _has_header(rows: list[list[str]], nulls: Collection[str]) -> bool:
    """Whether the first row names the columns: it holds no value, or a text above a column of values."""
    return not any(VALUE.fullmatch(cell) for cell in rows[0]) or any(_texts_above_values(rows, nulls))


def _texts_above_values(rows: list[list[str]], nulls: Collection[str]) -> Iterator[int]:
    """The columns whose first row is a text, and all others values."""
    top, *below = rows
    for j, cell in enumerate(top):
        values = [row[j] for row in below if len(row) > j and row[j] not in nulls]
        if values and cell not in nulls and not VALUE.fullmatch(cell) and all(map(VALUE.fullmatch, values)):
            yield j


def _shown(fields: list[str]) -> str:
    """The first few of them."""
    return ", ".join(repr(field[:20]) for field in fields[:5]) + (", …" if len(fields) > 5 else "")
