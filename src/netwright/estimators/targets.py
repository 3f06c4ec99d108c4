"""y as scikit-learn's checks take it: one type of label, or numbers; what is missing, mixed or masked is said here."""

from contextlib import suppress
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.validation import assert_all_finite

from netwright.core.arguments import Array, brief, unmasked
from netwright.tables.columns import numpy_of

KINDS: dict[str, tuple[type[Any], ...]] = {  # of labels, in the order in which they are looked for
    "truth values": (bool, np.bool_),
    "whole numbers": (Integral,),
    "numbers": (Real, Decimal),
    "texts": (str,),
}
LEFT_OUT = "leave out the rows whose target is missing"


def labels_in(y: Any, name: str = "y") -> Any:
    """Labels, (rows,) or (rows, targets), as an array of one type; what scikit-learn refuses well is handed back.

    Python objects that are all truth values, numbers or texts become an array of these. ValueError names the row
    whose label is missing or no label at all, and two that are of different types.
    """
    array = _as_array(name, y)
    if array is None:
        return y
    _check_known(name, array)
    if array.dtype.kind not in "OS":
        return array
    columns = [_of_one_type(name, column) for column in (array.T if array.ndim == 2 else [array])]
    if len({"number" if column.dtype.kind in "iuf" else column.dtype.kind for column in columns}) > 1:
        shown = " and ".join(_shown(column[0]) for column in columns[:2])
        raise ValueError(f"{name}'s columns hold labels of different types, {shown}; make them all of one type")
    return np.stack(columns, axis=1) if array.ndim == 2 else columns[0]


def numbers_in(y: Any, name: str = "y", *, partial: bool = False) -> Any:
    """Numbers, (rows,) or (rows, outputs), as an array; what scikit-learn refuses well is handed back.

    ValueError names the row whose number is missing, or none. If `partial`, those that are missing become NaN.
    """
    if partial and isinstance(y, np.ma.MaskedArray):
        y = np.ma.filled(y.astype(np.float64), np.nan)
    array = _as_array(name, y)
    if array is None:
        return y
    if not partial:
        several = array.ndim == 2 and array.shape[1] > 1
        _check_known(name, array, f"{LEFT_OUT}, or take loss='masked_squared_error'" if several else LEFT_OUT)
    if array.dtype.kind not in "OUSM":
        return array
    if partial:
        array = np.array([np.nan if _is_missing(each) else each for each in array.flat], object).reshape(array.shape)
    if all(issubclass(each, Real) for each in set(map(type, array.flat))):
        with suppress(OverflowError):
            return array.astype(np.float64)
    numbers = np.empty(array.shape, np.float64)
    for place, value in np.ndenumerate(array):
        try:
            numbers[place] = "" if isinstance(value, date | np.datetime64) else value
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"{name} must be numbers, but row {place[0]} (counted from 0) has {_shown(value)}"
            ) from None
    return numbers


def _as_array(name: str, y: Any) -> Array | None:
    """y as an array of what it holds, (rows,) or (rows, targets); None for another shape, and for sparse matrices."""
    if y is None or sparse.issparse(y):
        return None
    y = unmasked(name, y)
    if hasattr(y, "to_numpy"):
        y = numpy_of(y)
    if isinstance(y, np.ndarray):
        return y if y.ndim in (1, 2) and y.size else None
    try:
        objects, array = np.array(y, dtype=object), np.asarray(y)
    except ValueError:  # rows of different lengths
        objects = array = np.fromiter(y, dtype=object)
    if objects.ndim == 0:
        right = "have a value for each row" if name == "y" else "be a list of labels"
        raise ValueError(f"{name} must {right}, got {brief(y)}")
    if objects.ndim > 2 or not objects.size:
        return None
    # What NumPy finds a common type for may be mixed: of 1 and "1" it makes "1" twice.
    types = set(map(type, objects.flat))
    return array if len(types) == 1 and (array.dtype.kind not in "US" or types <= {str, np.str_}) else objects


def _check_known(name: str, array: Array, hint: str = LEFT_OUT) -> None:
    """ValueError where a value is missing."""
    if array.dtype.kind in "biuU":
        return
    if array.dtype == object and not all(issubclass(each, str | Real) for each in set(map(type, array.flat))):
        gone = np.array([_is_missing(value) for value in array.flat], bool).reshape(array.shape)
    else:
        gone = np.not_equal(array, array).astype(bool)
    if gone.any():
        place = tuple(np.argwhere(gone)[0].tolist())
        column = f", column {place[1]}" if array.ndim == 2 and array.shape[1] > 1 else ""
        rows = int(gone.reshape(len(gone), -1).any(axis=1).sum())
        raise ValueError(
            f"Input {name} contains NaN: row {place[0]}{column} (counted from 0) has {_shown(array[place])}"
            f"{f', the first of {rows} such rows' if rows > 1 else ''}; {hint}"
        )


def _is_missing(value: Any) -> bool:
    if isinstance(value, Real | Decimal | np.datetime64):
        return bool(value != value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _of_one_type(name: str, values: Array) -> Array:
    """Python objects, (rows,), none of them missing, as an array of their type."""
    types = set(map(type, values))
    kinds = {each: next((k for k, known in KINDS.items() if issubclass(each, known)), "") for each in types}
    first = dict.fromkeys(kinds.values(), 0)  # of each kind the first row
    if len(first) > 1:
        rows = [kinds[each] for each in map(type, values)]
        first = dict(sorted(((kind, rows.index(kind)) for kind in first), key=lambda pair: pair[1]))
    if "" in first:
        odd = values[first[""]]
        right = "a label is a truth value, a number or a text"
        if isinstance(odd, list | tuple | set | np.ndarray):
            right += "; of rows with several labels, scikit-learn's MultiLabelBinarizer makes a column for each"
        raise ValueError(
            f"{name} holds {_shown(odd)} in row {first['']} (counted from 0), of type {type(odd).__name__}; {right}"
        )
    if first.keys() == {"whole numbers", "numbers"}:
        del first["whole numbers"]
    if len(first) > 1:
        shown = ", ".join(f"{_shown(values[row])} in row {row}" for row in list(first.values())[:2])
        mixed = " and ".join(list(first)[:2])
        raise ValueError(f"{name} mixes {mixed}: {shown} (counted from 0); make all its labels of one type")
    return _stored(name, values, next(iter(first)))


def _stored(name: str, values: Array, kind: str) -> Array:
    """Labels of one kind as an array of its own type."""
    if kind == "texts":
        return values if set(map(type, values)) == {str} else np.array([str.__str__(v) for v in values], object)
    if kind == "truth values":
        return values.astype(bool)
    if kind == "numbers":
        return values.astype(np.float64)
    with suppress(OverflowError):
        return values.astype(np.int64)
    whole = np.array([int(value) for value in values])
    if whole.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {brief(max(values, key=abs))}, beyond 64 bits; make texts of such labels")
    return whole


def _shown(value: Any) -> str:
    """A value as it stands in a sentence: NumPy's as Python's own."""
    return brief(value.item() if isinstance(value, np.generic) else value)


def one_column(y: Any, rows: int) -> Array:
    """y as (rows,); ValueError for another length, or a missing target."""
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None")
    y = column_or_1d(y, warn=True)
    if len(y) != rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: X has {rows}, y has {len(y)}")
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name="y")
    return y
