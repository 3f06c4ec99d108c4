"""A `Frame` as CSV, JSON lines or Parquet."""

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import brief
from netwright.files.atomic import write_atomically
from netwright.tables import sql
from netwright.tables.column import spelling
from netwright.tables.formats import caseless, format_of, tabbed
from netwright.tables.frame import Frame


def to_csv_text(frame: Frame, delimiter: str = ",") -> Iterator[str]:
    """The table as text, header first, some thousand rows at a time; a missing value is an empty field."""
    # csv.writer leaves a lone carriage return unquoted, and so unreadable.
    odd = re.compile(rf'[{re.escape(delimiter)}"\r\n]|^#|^\s|\s$' + ("|^$" if len(frame.columns) == 1 else ""))

    def cell(value: Any) -> str:
        text = spelling(value)
        return '"' + text.replace('"', '""') + '"' if odd.search(text) else text

    yield delimiter.join(map(cell, frame.names)) + "\n"
    for start in range(0, frame.n_rows, 4096):
        parts = [values[start : start + 4096] for values in frame.columns.values()]
        # tolist() is faster to go through, but of dates it would make datetimes or integers.
        columns = [map(cell, part if part.dtype.kind == "M" else part.tolist()) for part in parts]
        yield "".join(delimiter.join(row) + "\n" for row in zip(*columns, strict=True))


def write_table(path: str | os.PathLike[str], frame: Frame) -> None:
    """The frame as CSV, TSV, JSON lines (each also .gz) or Parquet, by the ending; it appears whole or not at all.

    ValueError for an unknown ending, and where names differ in case only, for which there is CSV; OSError when it can't
    be written.
    """
    if not isinstance(frame, Frame):
        raise ValueError(f"frame must be a Frame, as read_table gives, got {brief(frame)}")
    place = Path(os.path.realpath(arguments.path("path", path)))  # a link's own ending says nothing
    form, packed = format_of(place, (".gz",))
    if form != "csv":
        known = {caseless(name): name for name in frame.names}
        for name in frame.names:
            if not name:
                raise ValueError(f"{path}: a column has no name; give it one, or write CSV")
            if (other := known[caseless(name)]) != name:
                raise ValueError(
                    f"{path}: the columns {name!r} and {other!r} differ in case only; rename one, or write CSV"
                )

    def write(partial: Path) -> None:
        if form == "csv":
            text = to_csv_text(frame, "\t" if tabbed(place) else ",")
            with gzip.open(partial, "wb") if packed else partial.open("wb") as file:
                file.writelines(piece.encode() for piece in text)
        else:
            _write_typed(partial, frame, f"format {form}" + (", compression gzip" if packed else ""))

    write_atomically(path, write)


def _write_typed(path: Path, frame: Frame, options: str) -> None:
    """Parquet and JSON lines, which DuckDB writes from the arrays."""
    data, chosen, options = {}, [], f"{options}, use_tmp_file false"  # it is one already
    for i, (name, values) in enumerate(frame.columns.items()):
        kind = frame.kind(name)
        # Truth values go as numbers, since DuckDB tells the type of an object array by a few of its values.
        data[f"c{i}"] = values.astype(np.float64) if kind == "truth" else values
        number = f"nullif(c{i}, 'nan'::double)"
        cast = {"text": f"c{i}::varchar", "date": f"c{i}", "number": number, "truth": f"{number}::boolean"}[kind]
        chosen.append(f"{cast} as {sql.name(name)}")
    try:
        with sql.Database() as database:
            database.run(f"copy (select {', '.join(chosen)} from data) to {sql.text(str(path))} ({options})", data)
    except sql.Refused as error:
        if found := re.search(r'"errno":"(\d+)"', str(error)):  # no room, say
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from None
        raise ValueError(f"the table cannot be written: {error}") from None
