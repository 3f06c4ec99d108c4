"""Scores: how good outputs A are for targets Y, in the words people use. (outputs, samples) in, one number out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from netwright.core.activations import by_blocks
from netwright.core.arguments import Array, shaped, weights, whole
from netwright.core.registry import Registry

Score: TypeAlias = Callable[[Array, Array, Array | None], float]  # (Y, A, weight) -> number


@dataclass(frozen=True)
class NamedScore:
    """A row: a score, its `title` as people write it, its `meaning` in a few words; of an error less is better."""

    function: Score
    title: str
    meaning: str
    is_error: bool = False

    def __call__(self, Y: Array, A: Array, weight: Array | None = None) -> float:
        """The number for targets Y and outputs A, (outputs, samples); weight, (samples,), counts a sample as copies."""
        if not (type(Y) is type(A) is np.ndarray and Y.shape == A.shape and Y.ndim == 2):
            Y, A = shaped("Y", Y, None, np.float64, what="outputs"), shaped("A", A, None, np.float64, what="outputs")
            if Y.shape != A.shape:
                raise ValueError(f"Y and A must have one shape, got {Y.shape} and {A.shape}")
        if getattr(weight, "shape", None) != Y.shape[1:]:
            weight = weights(weight, Y.shape[1], np.float64)
        return self.function(Y, A, weight)


def accuracy(Y: Array, A: Array, weight: Array | None = None) -> float:
    """The share of samples whose class is right: the largest of several outputs, or one output on its side of ½.

    Several outputs that are not one-hot (multilabel) must all be on their side.
    """
    if Y.shape[0] > 1 and np.allclose(Y.sum(axis=0), 1):
        right = Y.argmax(axis=0) == A.argmax(axis=0)
    else:
        right = ((Y > 0.5) == (A > 0.5)).all(axis=0)
    return float(np.average(right, weights=weight))


def accuracy_of(*blocks: int) -> NamedScore:
    """The share of samples whose class is right in each block of so many outputs; spelt "accuracy:3,2,4"."""
    sizes = tuple(whole("a block of accuracy", block) for block in blocks)

    def accuracy_by_blocks(Y: Array, A: Array, weight: Array | None = None) -> float:
        right = by_blocks(lambda y, a: (y.argmax(axis=0) == a.argmax(axis=0))[np.newaxis], sizes, Y, A)
        return float(np.average(right.all(axis=0), weights=weight))

    return NamedScore(accuracy_by_blocks, "accuracy", "share of rows whose classes are all right")


def rmse(Y: Array, A: Array, weight: Array | None = None) -> float:
    """√ of the mean squared error."""
    return float(np.sqrt(_mean_error(Y, (Y - A) ** 2, weight)))


def mae(Y: Array, A: Array, weight: Array | None = None) -> float:
    """The mean absolute error."""
    return _mean_error(Y, np.abs(Y - A), weight)


def _mean_error(Y: Array, errors: Array, weight: Array | None) -> float:
    """The mean of all errors, (outputs, samples), but those of targets that are NaN; NaN where no target is known."""
    if not (gone := np.isnan(Y)).any():
        return float(np.average(np.mean(errors, axis=0), weights=weight))
    shares = ~gone * (1.0 if weight is None else weight)
    return float((np.where(gone, 0, errors) * shares).sum() / shares.sum()) if shares.any() else float("nan")


def r2(Y: Array, A: Array, weight: Array | None = None) -> float:
    """1 - squared error / that of the mean: 1 is perfect, 0 the mean's; outputs averaged; NaN for constant targets.

    A target that is NaN is left out, and then an output of which too few are known to say.
    """
    if (gone := np.isnan(Y)).any():  # each output by the samples in which its target is known
        known = enumerate(~row if weight is None else ~row & (weight > 0) for row in gone)
        each = [
            r2(Y[[k]][:, here], A[[k]][:, here], None if weight is None else weight[here])
            for k, here in known
            if here.any()
        ]
        told = [value for value in each if not np.isnan(value)]
        return float(np.mean(told)) if told else float("nan")
    error = np.average((Y - A) ** 2, axis=1, weights=weight)
    mean = np.average(Y, axis=1, weights=weight)[:, None]
    spread = np.average((Y - mean) ** 2, axis=1, weights=weight)
    if not spread.all() or (Y[:, :1] == Y).all(axis=1).any():  # equal targets may miss their mean by a rounding
        return float("nan")
    return float(np.mean(1 - error / spread))


SCORES: Registry[NamedScore] = Registry(
    "score",
    {
        "accuracy": NamedScore(accuracy, "accuracy", "share of rows whose class is right"),
        "rmse": NamedScore(rmse, "RMSE", "root of the mean squared error, in the target's units", is_error=True),
        "mae": NamedScore(mae, "MAE", "mean absolute error, in the target's units", is_error=True),
        "r2": NamedScore(r2, "R²", "share of the target's variance explained; 1 is perfect, 0 no better than the mean"),
    },
    {"accuracy": accuracy_of},
)


def is_error(name: str) -> bool:
    """Whether of the score of that name less is better; of one that is no row, more is."""
    return getattr(SCORES.get(name), "is_error", False)
