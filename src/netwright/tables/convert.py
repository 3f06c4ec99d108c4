"""Any sequence as a column of a table."""

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from uuid import UUID

import numpy as np

from netwright.core.arguments import Array
from netwright.tables.column import EXACT, IDENTIFIERS, Place, counted, in_utc, mixed, spelling


class OddCell(ValueError):
    """Something in a cell that no column holds."""


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
    kinds = {each: kind_of_type(each) for each in types}
    # NaN and NaT differ from themselves; pandas.NA, which does not like to be compared, is missing by its type.
    found = [held if (held := kinds[type(v)]) not in ("number", "date") or v == v else None for v in given]
    counts = Counter(held for held in found if held)
    usual = counts.most_common(1)[0][0] if counts else "number"
    for row, held in enumerate(found if len(counts) > 1 or usual not in _STORED else ()):
        if held and held not in _STORED:
            where = f"{path + ': ' if path else ''}column {name!r}, {place(row)}"
            raise OddCell(f"{where}: a {held} in a cell; it holds a number, a text, true or false, or a date")
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


def kind_of_type(kind: type) -> str | None:
    """'number' and so on, None for a missing value, the type's own name for what no column holds."""
    if kind.__name__ in ("NoneType", "NAType", "NaTType", "MaskedConstant"):  # by name: pandas need not be imported
        return None
    if kind.__name__ in ("Interval", "Period"):  # pandas' too, which have a spelling
        return "text"
    if issubclass(kind, np.timedelta64):  # which NumPy counts among the integers
        return "duration"
    known = {
        (bool, np.bool_): "truth",
        (Real, Decimal): "number",
        (str, UUID, time): "text",
        (date, np.datetime64): "date",
    }
    return next((name for types, name in known.items() if issubclass(kind, types)), kind.__name__)


def _as_date(value: Any) -> np.datetime64:
    return np.datetime64(in_utc(value) if isinstance(value, datetime) else value, "us")


_STORED: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {  # a kind's way to store a value, a missing one, its dtype
    "number": (float, np.nan, np.float64),
    "text": (spelling, None, object),
    "truth": (bool, None, object),
    "date": (_as_date, np.datetime64("NaT", "us"), "datetime64[us]"),
}
