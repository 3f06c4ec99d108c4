"""Parquet as a `Frame`: its columns have their types already."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from netwright.tables import sql
from netwright.tables.convert import as_column
from netwright.tables.frame import Frame
from netwright.tables.packed import check_size
from netwright.tables.text import said_of, without

NUMBERS = {"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE"}
NUMBER, OTHER = 8, 64  # bytes of a cell in memory: a float64; a reference to a small Python object, and that


def read_parquet(path: Path, nulls: Mapping[str, Collection[str]]) -> Frame:
    """The file's columns, by their own names; `nulls`: texts that are missing values, by column, under "" for all."""
    with sql.Database() as database:
        columns = _columns(database, path)
        fetched = database.columns(f"select * from {_rows(path, len(columns))}")
    frame = Frame({}, path=str(path), place=lambda row: f"row {row + 1}")
    for i, name in enumerate(columns):
        values = fetched.pop(f"c{i}")
        column = as_column(name, values, place=frame.place, path=frame.path, notes=frame.notes)
        gone = said_of(name, nulls, ())
        frame.columns[name] = without(column, gone) if gone else column
    if not frame.n_rows:
        raise ValueError(f"{path} has no rows")
    return frame


def _rows(path: Path, n_columns: int) -> str:
    """SQL for the rows, with columns c0, c1, … by their place, since to DuckDB "A" is the same name as "a"."""
    aliases = ", ".join(f"c{i}" for i in range(n_columns))
    return f"read_parquet({sql.file(path)}, hive_partitioning=false) as t({aliases})"


def _columns(database: sql.Database, path: Path) -> list[str]:
    """The names as the file has them. ValueError for one that is there twice, and for a file that fills the memory."""
    schema = f"select name, num_children, type from parquet_schema({sql.file(path)})"
    columns = list(_top_level(iter(database.rows(schema))))
    if twice := [name for name, count in Counter(name for name, _ in columns).items() if count > 1]:
        raise ValueError(f"{path}: column {twice[0]!r} is there more than once; give every column a name of its own")
    n_rows = database.rows(f"select num_rows from parquet_file_metadata({sql.file(path)})")[0][0]
    size = n_rows * sum(NUMBER if kind in NUMBERS else OTHER for _, kind in columns)
    check_size(path, size, table=True)
    # A text may be in the file once, and in the table in every row.
    if texts := [f"sum(strlen(c{i}::varchar))" for i, (_, kind) in enumerate(columns) if kind == "BYTE_ARRAY"]:
        lengths = database.row(f"select {', '.join(texts)} from {_rows(path, len(columns))}")
        check_size(path, size + int(sum(length or 0 for length in lengths)), table=True)
    return [name for name, _ in columns]


def _top_level(schema: Iterator[Any]) -> Iterator[tuple[str, str | None]]:
    """(name, type) of the columns, of a schema that is written as a tree, the root first."""

    def skip(count: int) -> None:
        for _ in range(count):
            skip(next(schema)[1] or 0)

    _, count, _ = next(schema)
    for _ in range(count):
        name, children, kind = next(schema)
        skip(children or 0)
        yield name, kind
