"""A CSV file as a `Frame`, by DuckDB, which reads everything as text in the layout that it is told.

Its reader guesses types from a sample and then rounds, drops or merges what disagrees further down, silently. So a
first pass over all rows says which columns are plain numbers, a second fetches those as numbers, and the others are
looked at one by one.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from netwright.tables import sql
from netwright.tables.column import EXACT
from netwright.tables.convert import as_column
from netwright.tables.csv_layout import CsvFile
from netwright.tables.frame import Frame
from netwright.tables.text import TextColumns, grouped

WIDE = 50  # columns in a statement, whose planning takes as long as the square of them
FEW = 10**6  # cells of a wide table, up to which its texts are looked at sooner than statements are planned
SMALL = 10**8  # bytes of a wide file, up to which all its texts are held at once, rather than read again and again


def read_csv(database: sql.Database, texts: TextColumns, file: CsvFile, source: Path, nulls: Collection[str]) -> Frame:
    """The file as a Frame; `source` is the same in UTF-8. ValueError that names the line which does not fit."""
    try:
        return _read(database, texts, file, _csv_rows(file, source, nulls))
    except sql.Refused as error:
        raise ValueError(f"{texts.path}: {file.fault() or error}") from None


def _csv_rows(file: CsvFile, source: Path, nulls: Collection[str]) -> str:
    """SQL for all rows of the file, as texts c0, c1, …; `source` is the file in UTF-8."""
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.fields)))
    return (
        f"read_csv({sql.file(source)}, auto_detect=false, strict_mode=true, hive_partitioning=false, "
        f"columns={{{types}}}, delim={sql.text(file.delimiter)}, quote='\"', escape='\"', comment='', "
        f"header={file.header}, skip={file.skip}, nullstr=[{', '.join(map(sql.text, nulls))}])"
    )


def _read(database: sql.Database, texts: TextColumns, file: CsvFile, rows: str) -> Frame:
    """The file as a Frame; what is beyond doubt a number never becomes a Python text."""
    texts.place, texts.notes = file.place, file.notes
    numbers = {f"c{i}": _as_number(f"c{i}", texts.decimal, texts.thousands) for i in range(len(file.fields))}
    parts = [{c: numbers[c] for c in list(numbers)[start : start + WIDE]} for start in range(0, len(numbers), WIDE)]
    if len(parts) > 1 and file.path.stat().st_size < SMALL:
        database.run(f"create temp table wide as from {rows}")
        rows = "wide"
    n_rows = database.row(f"select count(*) from {rows}")[0]
    if not n_rows:
        raise ValueError(f"{texts.path} has a header and no rows")
    few = len(parts) > 1 and n_rows * len(numbers) < FEW
    sure = [False] * len(numbers)
    if not few:
        sure = [yes for part in parts for yes in _sure_numbers(database, part, texts, rows)]
    for i, name in enumerate(file.names):
        sure[i] = sure[i] and not texts.formats.keys() & {name, ""}  # 20240131 may be a date
    fetched: dict[str, Any] = {}
    for part in parts:
        chosen = ", ".join(f"{number if sure[int(c[1:])] else c} as {c}" for c, number in part.items())
        fetched |= database.columns(f"select {chosen} from {rows}")
    columns = {
        name: texts.decide(name, as_column(name, fetched.pop(c))) for name, c in zip(file.names, numbers, strict=True)
    }
    return Frame(columns, texts.notes, texts.path, file.place, texts.date_formats)


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
