"""Whatever somebody calls a table as a Frame, and its column of weights."""

import math
import os
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.tables.columns import columns_of
from netwright.tables.encoders import numbers_of
from netwright.tables.frame import Frame
from netwright.tables.memory import frame_of
from netwright.tables.read import read_table
from netwright.tables.text import by_column


def as_frame(
    table: Any, *, target: str, categorical: Collection[str] = (), ignored: Collection[str] = (),
    needed: Collection[str] | None = None, **reading: Any,
) -> Frame:  # fmt: skip
    """The table as a Frame, whatever it is; `reading` are `read_table`'s options, for a path.

    The classes in `target` keep their type. Columns in `ignored` may hold anything, and so may those not in `needed`.
    """
    if isinstance(table, Frame):
        # A frame of its own, which looks at its columns anew: they may have changed since.
        return replace(table, columns=dict(table.columns), notes=[*table.notes])
    if isinstance(table, str | os.PathLike):
        return read_table(table, categorical={*categorical, *ignored}, needed=needed, **reading)
    columns, _ = columns_of(table)
    if needed is not None:
        ignored = columns.keys() - needed
    return frame_of(
        columns,
        categorical={*categorical, *ignored},
        exact=[target],
        ignored=ignored,
        date_formats=by_column(reading.get("date_format")),
        nulls=by_column(reading.get("nulls")),
    )


def weights_in(frame: Frame, name: str) -> Array:
    """A column of weights, (n_rows,); ValueError, with the place, for one that is no number, negative or missing."""
    weight = numbers_of(name, frame[name], frame.place)
    bad = np.flatnonzero(~(weight >= 0))
    if bad.size:
        seen = weight[bad[0]]
        what = "a value is missing" if math.isnan(seen) else f"the value is {seen:g}"
        raise ValueError(f"column {name!r}, {frame.place(int(bad[0]))}: {what}; a weight is a number of at least 0")
    if not weight.any():
        raise ValueError(f"column {name!r} is 0 in every row: with these weights nothing is left to learn from")
    return weight
