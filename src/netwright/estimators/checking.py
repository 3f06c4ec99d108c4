"""What goes into an estimator: X, y and weights, as scikit-learn checks them, with the column's name where it helps."""

import math
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from netwright.arguments import Array

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def check_X_y(estimator: Any, X: Any, y: Any, reset: bool) -> tuple[Array, Any]:
    """X as a dense float array and y as an array; ValueError in scikit-learn's words, and the column's name."""
    try:
        X, y = validate_data(
            estimator,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=is_regressor(estimator),
            dtype=(np.float64, np.float32),
            reset=reset,
        )
    except ValueError as error:
        raise _with_column(error, X) from None
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return X if isinstance(X, np.ndarray) else X.toarray(), y


def check_X(estimator: Any, X: Any) -> Array:
    """X as a dense float array. One that is so already, of the right width and without names, is only summed."""
    fitted = vars(estimator)
    if "_members" not in fitted:
        check_is_fitted(estimator)
    if (
        type(X) is np.ndarray
        and X.dtype in FLOATS
        and X.ndim == 2
        and X.shape[1] == fitted["n_features_in_"]
        and X.shape[0]
        and "feature_names_in_" not in fitted
    ):
        with np.errstate(all="ignore"):
            if math.isfinite(X.sum()):  # neither NaN nor infinity hides in a finite sum
                return X
    try:
        checked = validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
    except ValueError as error:
        raise _with_column(error, X) from None
    return checked if isinstance(checked, np.ndarray) else checked.toarray()


def check_weight(weight: Any, X: Array) -> Array | None:
    """(samples,) of weights, None if there are none; ValueError for a wrong shape, a negative one, or only zeros."""
    if weight is None:
        return None
    weight = _check_sample_weight(weight, X, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("Sample weights must contain at least one number above zero: every sample's weight is zero.")
    return weight


def _with_column(error: ValueError, X: Any) -> ValueError:
    """The error, and where the first missing or infinite value of X stands, if that is what it is about."""
    if "NaN" not in str(error) and "infinity" not in str(error):
        return error
    try:
        values = np.asarray(X, dtype=np.float64)
        row, column = np.argwhere(~np.isfinite(values))[0]
    except (ValueError, TypeError, IndexError):  # it is not X that the error is about
        return error
    names = list(getattr(X, "columns", []))
    name = f"column {names[column]!r}" if names else f"column {column}"
    return ValueError(f"{error}\nThe first is in {name}, row {row} (counted from 0).")
