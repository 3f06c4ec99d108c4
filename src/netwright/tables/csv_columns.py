"""A CSV file as a `Frame`: a small or a wide one by Python alone, others by DuckDB in the layout that it is told.

DuckDB's reader guesses types from a sample and then rounds, drops or merges what disagrees further down, silently. So
it reads everything as text: a first pass over all rows says which columns are plain numbers, a second fetches those as
numbers, and the others are looked at one by one. Python's way decides alike; its time is in proportion to the cells,
where DuckDB's grows with the square of the columns.
"""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.tables import sql
from netwright.tables.column import EXACT
from netwright.tables.convert import as_column
from netwright.tables.csv_layout import CsvFile
from netwright.tables.frame import Frame
from netwright.tables.lines import Unreadable, open_text
from netwright.tables.numbers import grouped
from netwright.tables.text import TextColumns

SMALL = 10**6  # bytes of a file that Python reads sooner than DuckDB has begun
WIDE = 50  # columns of a file from which on it does so up to WIDE_SMALL, and in a statement, whose planning takes long
WIDE_SMALL = 2 * 10**7
WIDEST = 500  # columns of a file from which on it does so in any case
BLOCK = 10**6  # cells that it looks at together
HELD = 10**8  # bytes of a wide file, up to which all its texts are held at once, rather than read again and again
LINE = 2 * 10**6  # bytes of the longest line that DuckDB reads unless told
SPACE = 32 * 2**20  # bytes of DuckDB's buffer unless told
POWER = r"(?:[eE][-+]?\d+)?"
PLAIN = rf"-(?:\d+\.?\d*|\.\d+){POWER}|[1-9]\d*\.?\d*{POWER}|0(?:\.\d*{POWER})?"  # what _sure_numbers takes
ALL_PLAIN = re.compile(rf"(?:{PLAIN})(?:\n(?:{PLAIN}))*+", re.ASCII)


def read_csv(
    texts: TextColumns, file: CsvFile, source: Path, nulls: Collection[str], scratch: Path, *, spelled: bool = False
) -> Frame:
    """The file as a Frame; `source` is the same, unpacked. ValueError that names the line which does not fit.

    `spelled`: all columns are texts, as the file has them.
    """
    texts.place, texts.notes = file.place, file.notes
    # 20240131 may be a date.
    doubtful = [spelled or bool(texts.formats.keys() & {name, ""}) for name in file.names]
    found = _by_python(file, texts, source, nulls, doubtful) or _by_duckdb(
        file, texts, source, nulls, doubtful, scratch
    )
    own = [] if spelled else [j for j, name in enumerate(file.names) if name in texts.nulls]
    if own:  # -1 may be missing there, or NA not
        cells = zip(*([fields[j] for j in own] for _, fields in file.rows()), strict=True)
        for j, below in zip(own, cells, strict=True):
            found[j] = np.fromiter(below, dtype=object)
    columns = {}
    found.reverse()
    for name in file.names:
        values = found.pop()  # so that no column is held twice for long
        try:
            column = as_column(name, values)
            columns[name] = column if spelled else texts.decide(name, column, strip=texts.strip)
        except ValueError as error:
            if not file.looks_like_units(name, nulls):
                raise
            raise ValueError(f"{error}; a line of units below the header is skipped with --units-line") from None
    frame = texts.frame(columns, lambda name, row: file.cell(row, file.names.index(name)))
    return replace(frame, twice=frozenset(field for field, _ in file.renamed))


# ── by Python ──


def _by_python(
    file: CsvFile, texts: TextColumns, source: Path, nulls: Collection[str], doubtful: Sequence[bool]
) -> list[Array] | None:
    """The columns, as numbers where that is beyond doubt; None for a file that DuckDB reads sooner, or with a fault."""
    width, size = len(file.fields), source.stat().st_size
    most = WIDE_SMALL if width > WIDE else SMALL
    # With a thousands separator, SQL takes for numbers what may be categories too.
    if width == 1 or (size > most and width < WIDEST) or (texts.thousands and texts.categorical):
        return None
    missing, plain = dict.fromkeys(nulls), [not doubt for doubt in doubtful]
    parts: list[list[Array]] = [[] for _ in plain]
    try:
        for rows in _blocks(file, max(BLOCK // width, 1)):
            for j, below in enumerate(zip(*rows, strict=True)):
                cells = below if missing.keys().isdisjoint(below) else [missing.get(cell, cell) for cell in below]
                numbers = _plain_numbers(cells, texts.decimal) if plain[j] else None
                plain[j] = numbers is not None
                parts[j].append(np.fromiter(cells, dtype=object) if numbers is None else numbers)
        late = [j for j, part in enumerate(parts) if not plain[j] and any(each.dtype != object for each in part)]
        for j in late:
            parts[j] = []
        for rows in _blocks(file, max(BLOCK // width, 1)) if late else ():  # texts again, which began as numbers
            for j in late:
                parts[j].append(np.fromiter((missing.get(row[j], row[j]) for row in rows), dtype=object))
    except (Unreadable, UnicodeError):
        if width > WIDE and (fault := file.fault()):
            raise ValueError(f"{texts.path}: {fault}") from None
        return None
    return [np.concatenate(part) for part in parts] if all(parts) else None


def _blocks(file: CsvFile, most: int) -> Iterator[list[list[str]]]:
    """The fields of the rows, so many rows at a time. Unreadable where a line is wrong."""
    rows = (fields for _, fields in islice(file.records(strictly=True), file.header + bool(file.units), None))
    while block := list(islice(rows, most)):
        for fields in block:
            if len(fields) != len(file.fields):
                if not file.fits(fields):
                    raise Unreadable("a line of another number of fields")
                del fields[len(file.fields) :]
        yield block


def _plain_numbers(cells: Sequence[str | None], decimal: str) -> Array | None:
    """The cells as numbers, where `_sure_numbers` would find them all to be some."""
    given: Any = cells if None not in cells else [cell for cell in cells if cell is not None]
    if decimal != ".":
        marks = {ord("."): "x", ord(decimal): "."}
        given = [cell.translate(marks) for cell in given]
    joined = "\n".join(given)
    # No cell is more than one line.
    if given and (joined.count("\n") != len(given) - 1 or not ALL_PLAIN.fullmatch(joined)):
        return None
    values = np.fromiter(map(float, given), float, len(given))
    if np.any(np.abs(values) >= EXACT):
        return None
    if len(given) == len(cells):
        return values
    numbers = np.full(len(cells), np.nan)
    numbers[[cell is not None for cell in cells]] = values
    return numbers


# ── by DuckDB ──


def _by_duckdb(
    file: CsvFile, texts: TextColumns, source: Path, nulls: Collection[str], doubtful: Sequence[bool], scratch: Path
) -> list[Array]:
    """The columns, as numbers where that is beyond doubt; ValueError for the first line that is wrong."""
    long = ""
    while True:
        try:
            rows = _csv_rows(file, *_for_duckdb(file, source, scratch), nulls, long)
            with sql.Database() as database:
                return _fetched(database, file, texts, rows, doubtful)
        except (sql.Refused, UnicodeError) as error:
            if fault := file.fault():
                raise ValueError(f"{texts.path}: {fault}") from None
            if long or isinstance(error, UnicodeError) or (longest := file.longest()) < LINE:
                raise ValueError(f"{texts.path}: {error}") from None
            long = f", max_line_size={2 * longest}, buffer_size={max(2 * longest, SPACE)}"


def _for_duckdb(file: CsvFile, source: Path, scratch: Path) -> tuple[Path, bool]:
    """A file in UTF-8 of the rows, and whether the header is above them: DuckDB knows few encodings, and what is above
    a table it skips in its own way."""
    if file.encoding == "utf-8-sig" and not file.skip and not file.units:
        return source, file.header
    below = next(file.rows(), (0, []))[0] - 1
    if below < 0:
        raise ValueError(f"{file.path} has a header and no rows")
    copied = scratch / "rows"
    with open_text(source, file.encoding) as text, copied.open("w", encoding="utf-8", newline="") as copy:
        for _ in range(below):
            text.readline()
        shutil.copyfileobj(text, copy)
    return copied, False


def _csv_rows(file: CsvFile, plain: Path, header: bool, nulls: Collection[str], long: str) -> str:
    """SQL for all rows, as texts c0, c1, …"""
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.fields)))
    return (
        f"read_csv({sql.file(plain)}, auto_detect=false, strict_mode=true, hive_partitioning=false, "
        f"columns={{{types}}}, delim={sql.text(file.delimiter)}, quote='\"', escape='\"', comment='', "
        f"header={header}, nullstr=[{', '.join(map(sql.text, nulls))}]{long})"
    )


def _fetched(
    database: sql.Database, file: CsvFile, texts: TextColumns, rows: str, doubtful: Sequence[bool]
) -> list[Array]:
    """The columns of these rows; what is beyond doubt a number never becomes a Python text."""
    numbers = {f"c{i}": _as_number(f"c{i}", texts.decimal, texts.thousands) for i in range(len(file.fields))}
    parts = [{c: numbers[c] for c in list(numbers)[start : start + WIDE]} for start in range(0, len(numbers), WIDE)]
    if len(parts) > 1 and file.path.stat().st_size < HELD:
        database.run(f"create temp table wide as from {rows}")
        rows = "wide"
    if not database.row(f"select count(*) from {rows}")[0]:
        raise ValueError(f"{texts.path} has a header and no rows")
    fetched: dict[str, Array] = {}
    for part in parts:
        found = zip(part.items(), _sure_numbers(database, part, texts, rows), strict=True)
        chosen = [f"{number if sure and not doubtful[int(c[1:])] else c} as {c}" for (c, number), sure in found]
        fetched |= database.columns(f"select {', '.join(chosen)} from {rows}")
    return [fetched[c] for c in numbers]


def _as_number(c: str, decimal: str, thousands: str | None) -> str:
    """SQL for the text c as DOUBLE, NULL where it is no number."""
    if thousands:
        plain = f"replace({c}, {sql.text(thousands)}, '')"
        c = f"case when regexp_full_match({c}, {sql.text(grouped(decimal, thousands))}) then {plain} else {c} end"
    if decimal != ".":
        c = f"translate({c}, {sql.text('.' + decimal)}, 'x.')"
    return f"case when not contains({c}, '_') then try_cast({c} as double) end"  # to DuckDB, 1_000 is a number


def _sure_numbers(database: sql.Database, numbers: Mapping[str, str], texts: TextColumns, rows: str) -> Any:
    """For each column whether all are numbers, and none looks like 00123 or is an integer above 2^53."""
    zero = sql.text(f"0{texts.decimal}%")
    tests = [
        f"coalesce(count({c}) = count({number}) and not bool_or({c} < '1' and {c} not like {zero} and {c} <> '0' "
        f"and {c} not like '-%') and not max(abs({number})) >= {EXACT:.0f}, true)"
        for c, number in numbers.items()
    ]
    return database.row(f"select {', '.join(tests)} from {rows}")
