"""A table in memory: a `Frame` of NumPy columns, each all numbers, all texts, all truth values or all dates.

Whatever comes from files, lists, arrays or data frames becomes one of these here, or is refused in one sentence.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.registry import did_you_mean
from netwright.tables.column import Column, Place
from netwright.tables.columns import columns_of, plain_values
from netwright.tables.convert import as_column


@dataclass(frozen=True, eq=False)
class Frame:
    """A table in memory: columns by name, all of one length, in the file's order.

    A column's dtype tells its kind: float64 with NaN for numbers, object of str and None for text, object of bool and
    None for truth values, datetime64[us] with NaT for dates. `notes` are sentences on what the reader decided.
    What is known of a column is found once: one that is to change is replaced by another array.
    """

    columns: dict[str, Array]
    notes: list[str] = field(default_factory=list)
    path: str = ""
    place: Place = "index {}".format
    date_formats: dict[str, str] = field(default_factory=dict)  # how dates other than ISO were read, for the next file
    units: dict[str, str] = field(default_factory=dict)  # currencies or percent of numbers, for the next file
    cell: Callable[[str, int], str] = lambda name, row: ""  # what a file has there, column and row, where it can tell
    levels: set[str] = field(default_factory=set)  # the columns that were given as categories
    twice: frozenset[str] = frozenset()  # names that head other columns of the file too, which have others here
    _known: dict[str, Column] = field(default_factory=dict, init=False, repr=False)

    __iter__ = None  # by `__getitem__` alone, Python would look for the columns 0, 1, 2 …

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def column(self, name: str) -> Array:
        """The column of that name, shape (n_rows,). ValueError with the known names for an unknown one."""
        if name in self.columns:
            return self.columns[name]
        hint, known = did_you_mean(name, self.columns), ", ".join(map(repr, self.columns))
        raise ValueError(f"{self.path or 'the table'} has no column {name!r}; {hint}its columns are {known}")

    def kind(self, name: str) -> str:
        """'number', 'text', 'truth' or 'date'."""
        return self[name].kind

    def __getitem__(self, name: str) -> Column:
        """The column of that name, with its kind and what is missing in it. ValueError for an unknown one."""
        values, column = self.column(name), self._known.get(name)
        if column is None or column.values is not values:
            column = self._known[name] = Column(values)
        return column

    def take(self, rows: Array) -> "Frame":
        """The rows of these numbers, or where this mask is true, in that order; they keep their place in the file."""
        kept, place, cell = np.arange(self.n_rows)[rows], self.place, self.cell
        if np.array_equal(kept, np.arange(self.n_rows)):  # all: no copy
            return self._of({name: self[name] for name in self.columns}, place, cell)
        taken = {name: self[name].take(kept) for name in self.columns}
        return self._of(taken, lambda row: place(int(kept[row])), lambda name, row: cell(name, int(kept[row])))

    def drop(self, names: Collection[str]) -> "Frame":
        """The frame without these columns. ValueError for an unknown name."""
        for name in names:
            self.column(name)
        return self._of({name: self[name] for name in self.columns if name not in names}, self.place, self.cell)

    def _of(self, columns: dict[str, Column], place: Place, cell: Callable[[str, int], str]) -> "Frame":
        """A frame like this of these columns, of which nothing that is known is forgotten."""
        values = {name: column.values for name, column in columns.items()}
        frame = replace(self, columns=values, place=place, cell=cell)
        frame._known.update(columns)
        return frame

    @classmethod
    def from_arrays(cls, data: Any, *, categorical: Collection[str] = ()) -> "Frame":
        """The columns as they are of a 2-D array (rows, columns x0, x1, …), of a mapping of sequences, or of a table of
        pandas, polars or Arrow; `memory.frame_of` decides what texts are besides.

        Every kind of missing value is understood (None, NaN, NaT, pandas.NA, masked). ValueError for a column that
        mixes kinds (unless it is named in `categorical`), for lists of different lengths and for nested values.
        """
        table, _ = columns_of(data)
        notes: list[str] = []
        columns = {
            name: as_column(name, plain_values(name, values)[0], categorical=categorical, notes=notes)
            for name, values in table.items()
        }
        check_lengths(columns)
        return cls(columns, notes)


def check_lengths(columns: Mapping[str, Array]) -> None:
    """ValueError unless all have as many rows."""
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns have different lengths: {lengths}")
