"""Parquet as a `Frame`: its columns have their types already."""

from collections.abc import Collection
from pathlib import Path

from netwright.tables import sql
from netwright.tables.column import kind_of
from netwright.tables.convert import as_column
from netwright.tables.frame import Frame


def read_parquet(database: sql.Database, path: Path, nulls: Collection[str]) -> Frame:
    fetched = database.columns(f"select * from read_parquet({sql.file(path)}, hive_partitioning=false)")
    frame = Frame({}, path=str(path), place=lambda row: f"row {row + 1}")
    for name, values in fetched.items():
        column = as_column(name, values, place=frame.place, path=frame.path, notes=frame.notes)
        if nulls and kind_of(column) == "text":
            column[[value in nulls for value in column]] = None
        frame.columns[name] = column
    if not frame.n_rows:
        raise ValueError(f"{path} has no rows")
    return frame
