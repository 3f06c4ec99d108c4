"""What predictions are surrounded by: an interval around a number, a set of classes.

Of numbers the score of a row is |y - a|, how far its prediction is off, or that divided by what is to be expected there
(`spread.py`). Of classes it is 1 - p, with the probability p of the row's class (LAC: Sadinle, Lei and Wasserman 2019),
and a set has all classes whose score is small enough, and always the most probable one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import Loss, both_classes
from netwright.files.schema import Shape
from netwright.uncertainty.calibration import CALIBRATION, Calibration, level_of
from netwright.uncertainty.spread import SPREAD, Spread, learn_spread

MOST, FEWEST, WORK = 5000, 500, 2_000_000  # rows that a spread is learnt from, at most and at least; and their numbers
UNKNOWN = (
    "nothing says how sure this model is: it had no rows to calibrate on that it had not learned from, or its file is "
    "from before there were intervals"
)


class Interval(NamedTuple):
    """Predicted numbers, and between what the truth is with the probability asked for."""

    value: Array
    low: Array
    high: Array


class LabelSet(NamedTuple):
    """Predicted classes, and for each row and class whether it is in the set that holds the truth with that
    probability."""

    label: Array
    set: Array


@dataclass(frozen=True)
class Margin:
    """Of one output: the scores of rows not learned from, and for numbers where predictions are how far off."""

    calibration: Calibration
    spread: Spread | None = None

    def half_width(self, X: Array, a: Array, level: float) -> Array:
        """How far the truth is from a, (samples,), at most with that probability, (samples,). X: (inputs, samples)."""
        bound = self.calibration.bound(level)
        return np.full(len(a), bound) if self.spread is None else bound * self.spread.of(X, a)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "calibration": self.calibration.to_json(),
            "spread": None if self.spread is None else self.spread.to_json(),
        }

    @classmethod
    def from_json(cls, said: Any, inputs: int) -> "Margin":
        """What `to_json` described, of the shape `MARGIN`; ValueError for a spread of other inputs."""
        spread = None if said["spread"] is None else Spread.from_json(said["spread"])
        if spread is not None and len(spread.w) != inputs + 2:
            raise ValueError(f"a margin's spread has {len(spread.w)} weights, for {inputs} inputs and the prediction")
        return cls(Calibration.from_json(said["calibration"]), spread)


MARGIN: Shape = {"calibration": CALIBRATION, "spread": (None, SPREAD)}


def margin_of_numbers(X: Array | None, a: Array, y: Array, weight: Array | None = None) -> Margin:
    """The margin of rows that were not learned from: their predictions a, (n,), and what is true, y, (n,).

    X: their inputs, (inputs, n), by which it may be wider here than there, or None. weight: (n,) or None.
    """
    a, off = np.asarray(a, np.float64), np.abs(np.asarray(y, np.float64) - a)
    learned = None if X is None else learn_spread(X, a, off, weight)
    if learned is None:
        return Margin(Calibration.of(off, weight))
    spread, expected = learned
    return Margin(Calibration.of(off / expected, weight), spread)


def margin_of_classes(P: Array, codes: Array, weight: Array | None = None) -> Margin:
    """The margin of rows that were not learned from: probabilities P, (n, classes), the true class of each, (n,)."""
    return Margin(Calibration.of(1 - P[np.arange(len(codes)), codes].astype(np.float64), weight))


def margins_of(loss: Loss, X: Array | None, A: Array, Y: Array, weight: Array | None = None) -> list[Margin]:
    """The margins of samples that were not learned from: their outputs A and targets Y, (outputs, samples).

    One for each output of numbers, where what is not known (NaN) tells nothing; or one for all classes. X: the inputs,
    (inputs, samples), by which they may be wider here than there, or None. weight: (samples,) or None.

    ValueError for outputs that are several targets of classes, and where no sample has a weight and a target.
    """
    if loss.targets in ("probability", "distribution"):
        if loss.blocks or (loss.targets == "probability" and len(A) > 1):
            raise ValueError("sets of classes are for one target of classes, and here are several")
        rows = _counting(weight, np.ones(A.shape[1], bool))
        P, codes = both_classes(A).T, both_classes(Y).argmax(axis=0)
        return [margin_of_classes(P[rows], codes[rows], None if weight is None else weight[rows])]
    margins = []
    for a, y in zip(A, Y, strict=True):
        rows = _counting(weight, ~np.isnan(y))
        rows = rows if X is None else rows[shown(len(rows), len(X))]
        own = None if weight is None else weight[rows]
        margins.append(margin_of_numbers(None if X is None else X[:, rows], a[rows], y[rows], own))
    return margins


def _counting(weight: Array | None, there: Array) -> Array:
    """The places of the samples that are there and have a weight; ValueError for none."""
    rows = np.flatnonzero(there if weight is None else there & (weight > 0))
    if not len(rows):
        raise ValueError("no sample to calibrate on has a weight and a target")
    return rows


def checked(margins: Sequence[Margin], interval: Any) -> float:
    """The probability `interval` as a float; ValueError where it is none, or there is nothing to tell for it from."""
    level = level_of(interval)
    if not margins:
        raise ValueError(UNKNOWN)
    for margin in margins:
        margin.calibration.bound(level)
    return level


def shown(n: int, inputs: int) -> Array:
    """The places of those of n rows that a margin with a spread is made of: enough, and no more than is quick."""
    most = int(np.clip(WORK // inputs, FEWEST, MOST))
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def half_widths(margins: Sequence[Margin], X: Array, A: Array, interval: Any) -> Array:
    """(outputs, samples), for outputs A: how far the truth is from each at most, with the probability `interval`.

    ValueError where that is no probability, too few rows calibrated the margins for it, or none did.
    """
    level = checked(margins, interval)
    return np.stack([margin.half_width(X, a, level) for margin, a in zip(margins, A, strict=True)])


def label_sets(margins: Sequence[Margin], P: Array, interval: Any) -> Array:
    """(n, classes), for probabilities P: whether each class is in the row's set. ValueErrors as for `half_widths`."""
    among = margins[0].calibration.bound(checked(margins, interval)) + 1e-12 >= 1 - P
    among[np.arange(len(P)), P.argmax(axis=1)] = True
    return np.asarray(among)
