"""What goes into an estimator: X, y and weights, as scikit-learn checks them, with the column's name where it helps."""

import math
from collections import Counter
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from netwright.core.arguments import Array, brief, unmasked
from netwright.tables.columns import collected

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def check_X_y(estimator: Any, X: Any, y: Any, reset: bool) -> tuple[Array, Any]:
    """X as a dense float array and y as an array; ValueError in scikit-learn's words, and the column's name.

    Plain arrays of finite numbers, which is what nearly all of that looks for, are known by a glance.
    """
    if is_plain(X) and is_plain_target(estimator, y, len(X)) and (reset or has_width(estimator, X)):
        estimator.n_features_in_ = X.shape[1]
        estimator.__dict__.pop("feature_names_in_", None)
        return X, y
    X, y = _in_order(X), estimator._targets_in(y)
    gaps = np.isnan(y) if isinstance(y, np.ndarray) and y.dtype.kind == "f" else False
    if np.any(gaps):  # which are allowed, but scikit-learn knows of none
        y = np.where(gaps, 0, y)
    try:
        X, y = validate_data(
            estimator,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=not isinstance(estimator, ClassifierMixin),
            dtype=(np.float64, np.float32),
            reset=reset,
        )
    except (ValueError, TypeError) as error:
        raise _with_column(error, X) from None
    if np.any(gaps):
        y = np.where(gaps, np.nan, y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return X if isinstance(X, np.ndarray) else X.toarray(), y


def check_X(estimator: Any, X: Any) -> Array:
    """X as a dense float array; a plain one of the right width is known by a glance, as in `check_X_y`."""
    if "_members" not in vars(estimator):
        check_is_fitted(estimator)
    if is_plain(X) and has_width(estimator, X):
        return X
    X = _in_order(X)
    try:
        checked = validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
    except (ValueError, TypeError) as error:
        raise _with_column(error, X) from None
    return checked if isinstance(checked, np.ndarray) else checked.toarray()


def in_dtype(X: Array, dtype: Any) -> Array:
    """X in the dtype that the network computes in; ValueError for a number beyond it, with its column and row."""
    if X.dtype == dtype:
        return X
    with np.errstate(over="ignore"):
        there = X.astype(dtype)
    if not np.isfinite(there).all():
        row, column = np.argwhere(~np.isfinite(there))[0]
        raise ValueError(
            f"Input X contains a value too large for dtype('{there.dtype}'), in which the network computes: "
            f"{X[row, column]:g} in column {column}, row {row} (counted from 0)."
        )
    return there


def is_plain(X: Any) -> bool:
    """Whether X is an array (samples, features) of finite floats, with at least one of each."""
    plain = type(X) is np.ndarray and X.dtype in FLOATS and X.ndim == 2 and X.size
    return bool(plain and np.isfinite(X).all())


def is_plain_target(estimator: Any, y: Any, samples: int) -> bool:
    """Whether y is an array (samples,) of whole numbers, of a classifier's truth values or a regressor's floats."""
    if type(y) is not np.ndarray or y.shape != (samples,):
        return False
    if isinstance(estimator, ClassifierMixin):
        return y.dtype.kind in "iub"
    return y.dtype.kind in "iu" or (y.dtype in FLOATS and bool(np.isfinite(y).all()))


def has_width(estimator: Any, X: Array) -> bool:
    """Whether X has the columns of the last fit, which had no names."""
    fitted = vars(estimator)
    return bool(X.shape[1] == fitted.get("n_features_in_")) and "feature_names_in_" not in fitted


def check_weight(weight: Any, X: Array, name: str = "sample_weight") -> Array | None:
    """(samples,) of weights, None if there are none; ValueError for a wrong shape, a negative one, or only zeros."""
    if weight is None:
        return None
    weight = weights_of(name, weight, X)
    if not weight.any():
        raise ValueError("Sample weights must contain at least one number above zero: every sample's weight is zero.")
    return weight


def weights_of(name: str, weight: Any, X: Array, **options: Any) -> Array:
    """(samples,) of weights, as scikit-learn checks them; ValueError in its words, or ours where the name lacks."""
    weight = unmasked(name, weight)
    try:
        if isinstance(weight, complex):
            raise TypeError
        found = np.asarray(_check_sample_weight(weight, X, ensure_non_negative=True, **options))
        if np.isfinite(found).all():  # of one number for all rows it is not looked at there
            return found
        raise TypeError
    except (TypeError, ValueError) as error:
        if "weight" in str(error):
            raise
        raise ValueError(f"{name} must be numbers, one for each row of X, got {brief(weight)}") from None


def _in_order(X: Any) -> Any:
    """X, of a lazy frame its rows; ValueError for what scikit-learn would not see: masked values, one name twice."""
    X = collected("X", X)
    table = any(hasattr(X, name) for name in ("__len__", "shape", "__array__", "__dataframe__"))
    if not table or getattr(X, "shape", None) == () or isinstance(X, str | bytes | Mapping | set | frozenset):
        raise ValueError(f"X must be a table of numbers, (samples, features), got {brief(X)}")
    names = Counter(getattr(X, "column_names", getattr(X, "columns", ())))  # Arrow's, or anybody else's
    for name, count in names.most_common(1):
        if count > 1:
            raise ValueError(f"X has {count} columns {name!r}; give every column a name of its own")
    return unmasked("X", X)


def _with_column(error: ValueError | TypeError, X: Any) -> ValueError | TypeError:
    """The error, and where the first value of X stands that is missing, infinite or a text, if it is about that."""
    about = ("NaN", "infinity", "NAType", "could not convert string")
    if not any(word in str(error) for word in about):
        return error
    try:
        values = np.asarray(X)
        if values.dtype.kind in "OU":
            good = np.array([_is_finite(value) for value in values.flat]).reshape(values.shape)
        else:
            good = np.isfinite(values)
        row, column = np.argwhere(~good)[0]
    except (ValueError, TypeError, IndexError):  # it is not X that the error is about, or X is no table
        return ValueError(f"X must be numbers: {error}") if "convert string" in str(error) else error
    names = list(getattr(X, "column_names", getattr(X, "columns", ())))
    name = f"column {names[column]!r}" if names else f"column {column}"
    said = "Input X contains NaN." if "NAType" in str(error) else error
    return ValueError(f"{said}\nThe first is in {name}, row {row} (counted from 0).")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value if isinstance(value, Real) else float(value))
    except (TypeError, ValueError, OverflowError):
        return False
