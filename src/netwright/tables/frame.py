"""A table in memory: a `Frame` of NumPy columns, each all numbers, all texts, all truth values or all dates.

Whatever comes from files, lists, arrays or data frames becomes one of these here, or is refused in one sentence.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from uuid import UUID

import numpy as np

from netwright.core.arguments import Array
from netwright.core.registry import did_you_mean

Place = Callable[[int], str]  # row number → where a person finds it: "line 30", "row 30", "index 29"

EXACT = 2.0**53  # from here on a float64 no longer tells neighbouring integers apart
IDENTIFIERS = "column {!r} holds integers above 2^53, which a float64 would round: it is kept as text"


@dataclass(frozen=True, eq=False)
class Frame:
    """A table in memory: columns by name, all of one length, in the file's order.

    A column's dtype tells its kind: float64 with NaN for numbers, object of str and None for text, object of bool and
    None for truth values, datetime64[us] with NaT for dates. `notes` are sentences on what the reader decided.
    """

    columns: dict[str, Array]
    notes: list[str] = field(default_factory=list)
    path: str = ""
    place: Place = "index {}".format
    date_formats: dict[str, str] = field(default_factory=dict)  # how dates other than ISO were read, for the next file

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
        return kind_of(self.column(name))

    def take(self, rows: Array) -> "Frame":
        """The rows of these numbers, or where this mask is true, in that order; they keep their place in the file."""
        kept, place = np.arange(self.n_rows)[rows], self.place
        columns = {name: values[kept] for name, values in self.columns.items()}
        return replace(self, columns=columns, place=lambda row: place(int(kept[row])))

    def drop(self, names: Collection[str]) -> "Frame":
        """The frame without these columns. ValueError for an unknown name."""
        for name in names:
            self.column(name)
        return replace(self, columns={name: values for name, values in self.columns.items() if name not in names})

    @classmethod
    def from_arrays(cls, data: Any, *, categorical: Collection[str] = ()) -> "Frame":
        """From a 2-D array (rows, columns x0, x1, …), a mapping of sequences, or a pandas or polars data frame.

        Every kind of missing value is understood (None, NaN, NaT, pandas.NA). ValueError for a column that mixes kinds
        (unless it is named in `categorical`), for lists of different lengths and for nested values.
        """
        if isinstance(data, Mapping):
            pairs = [(str(name), values) for name, values in data.items()]
        elif hasattr(data, "columns"):
            pairs = [(str(name), data[name]) for name in data.columns]
        else:
            table = data if isinstance(data, np.ndarray) else np.array(data, dtype=object)
            if table.ndim != 2:
                raise ValueError(f"a table has two dimensions, rows and columns; this array has shape {table.shape}")
            pairs = [(f"x{j}", table[:, j]) for j in range(table.shape[1])]
        if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
            raise ValueError(f"column {twice[0]!r} is there more than once; give every column a name of its own")
        notes: list[str] = []
        columns = {name: as_column(name, values, categorical=categorical, notes=notes) for name, values in pairs}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns have different lengths: {lengths}")
        return cls(columns, notes)


def kind_of(values: Array) -> str:
    """'number', 'date', 'truth' or 'text': the kind of a Frame's column."""
    if values.dtype.kind in "fM":
        return "number" if values.dtype.kind == "f" else "date"
    return "truth" if isinstance(next((v for v in values if v is not None), None), bool) else "text"


def missing(values: Array) -> Array:
    """Where a Frame's column has no value: a mask, shape (n_rows,)."""
    return np.array([v is None for v in values], dtype=bool) if values.dtype == object else np.not_equal(values, values)


def spelling(value: Any) -> str:
    """One value as text: 3.0 is '3', True is 'true', midnight is its date alone; a missing value is ''."""
    if value is None or value != value:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and value.is_integer() and abs(float(value)) < EXACT:
        return str(int(value))
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]")).removesuffix(".000000").removesuffix("T00:00:00")
    return str(value)


def counted(count: int, kind: str) -> str:
    """'1 number', '3 truth values'."""
    return f"{count} {'truth value' if kind == 'truth' else kind}{'' if count == 1 else 's'}"


def mixed(path: str, name: str, most: str, value: object, place: str, more: Sequence[object] = ()) -> ValueError:
    """What to say of a column that a few values keep from being of one kind, that of `most`."""
    others = f" (and {', '.join(map(repr, more))})" if more else ""
    null = f"--null {value}" if re.fullmatch(r"[\w.-]+", str(value)) else f"--null '{value}'"
    return ValueError(
        f"{path + ': ' if path else ''}column {name!r}: {most}, then {value!r} on {place}{others}; mend the value, "
        f"name it as missing ({null}), or take the column as categories (--categorical {name})"
    )


# ── any sequence as a column ──


def as_column(
    name: str, values: Any, *, categorical: Collection[str] = (), place: Place = "index {}".format, path: str = "",
    notes: list[str] | None = None,
) -> Array:  # fmt: skip
    """Any sequence as a Frame's column, shape (n_rows,). ValueError, naming column and place, for mixed kinds."""
    plain = values.to_numpy() if hasattr(values, "to_numpy") else values
    kind = plain.dtype.kind if isinstance(plain, np.ndarray) and plain.ndim == 1 else ""
    if kind and kind in "biuU":
        plain = plain.astype(object)  # Python's own types, which the usual cases are told by
    if isinstance(plain, np.ma.MaskedArray):
        gone, plain = np.ma.getmaskarray(plain), plain.data.copy()
        plain[gone] = {"f": np.nan, "M": np.datetime64("NaT")}.get(kind)
    if kind and kind in "fM":
        return plain.astype(np.float64 if kind == "f" else "datetime64[us]", copy=False)
    given = np.fromiter(plain, dtype=object)
    types = set(map(type, given))
    if types <= {float, int, type(None)}:  # the two usual cases, as the general way is a slow one
        with suppress(OverflowError):
            numbers = given.astype(np.float64)
            if not np.any(np.abs(numbers) >= EXACT):
                return numbers
    elif types <= {str, type(None)}:
        return given
    kinds = {each: _kind_of_type(each) for each in types}
    # NaN and NaT differ from themselves; pandas.NA, which does not like to be compared, is missing by its type.
    found = [held if (held := kinds[type(v)]) not in ("number", "date") or v == v else None for v in given]
    counts = Counter(held for held in found if held)
    usual = counts.most_common(1)[0][0] if counts else "number"
    for row, held in enumerate(found if len(counts) > 1 or usual not in _STORED else ()):
        if held and held not in _STORED:
            where = f"{path + ': ' if path else ''}column {name!r}, {place(row)}"
            raise ValueError(f"{where}: a {held} in a cell; it holds a number, a text, true or false, or a date")
        if held and held != usual and name not in categorical:
            raise mixed(path, name, counted(counts[usual], usual), given[row], place(row))
    if len(counts) > 1:
        usual = "text"
    if usual == "number" and any(isinstance(v, Integral) and abs(int(v)) >= EXACT for v in given):
        usual = "text"
        if notes is not None:
            notes.append(IDENTIFIERS.format(name))
    convert, empty, dtype = _STORED[usual]
    return np.array([convert(v) if held else empty for v, held in zip(given, found, strict=True)], dtype=dtype)


def _kind_of_type(kind: type) -> str | None:
    """'number' and so on, None for a missing value, the type's own name for what no column holds."""
    if kind.__name__ in ("NoneType", "NAType", "NaTType"):  # by name, so that pandas need not be imported
        return None
    if issubclass(kind, np.timedelta64):  # which NumPy counts among the integers
        return "duration"
    known = {(bool, np.bool_): "truth", (Real, Decimal): "number", (str, UUID): "text", (date, np.datetime64): "date"}
    return next((name for types, name in known.items() if issubclass(kind, types)), kind.__name__)


def in_utc(value: datetime) -> datetime:
    """A time without its zone, as NumPy's have none: in UTC, where there was one."""
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _as_date(value: Any) -> np.datetime64:
    return np.datetime64(in_utc(value) if isinstance(value, datetime) else value, "us")


_STORED: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {  # a kind's way to store a value, a missing one, its dtype
    "number": (float, np.nan, np.float64),
    "text": (spelling, None, object),
    "truth": (bool, None, object),
    "date": (_as_date, np.datetime64("NaT", "us"), "datetime64[us]"),
}
