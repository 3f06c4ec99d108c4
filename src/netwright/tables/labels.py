"""Codes of classes as one-hot columns, and a network's outputs as the classes' probabilities."""

from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import both_classes


def one_hot(codes: Array, classes: int, dtype: Any) -> Array:
    """Y, shape (classes, n), of 0 and 1, from codes 0 … classes - 1, shape (n,)."""
    Y = np.zeros((codes.size, classes), dtype)
    Y[np.arange(codes.size), codes] = 1
    return Y.T


def class_targets(codes: Array, classes: int, dtype: Any) -> Array:
    """Y for codes 0 … classes - 1, shape (n,): one row, the second's probability, for two classes; one-hot for more."""
    return codes.reshape(1, -1).astype(dtype) if classes <= 2 else one_hot(codes, classes, dtype)


def probabilities(A: Array) -> Array:
    """The probability of each class, (n, classes), from outputs (classes, n), or (1, n) where there are two."""
    return np.ascontiguousarray(both_classes(A).T) if len(A) == 1 else A.T
