"""How sure a table's model is of its predictions: intervals around numbers, sets of classes."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.recipes.mixture import Mixture
from netwright.tables.frame import Frame
from netwright.uncertainty.margins import Interval, LabelSet, half_widths, label_sets

if TYPE_CHECKING:
    from netwright.tabular.model import TableModel

LEVELS, SHOWN = [each / 20 for each in range(1, 20)], 0.9  # that are tried; and of which more is told


def surrounded(model: "TableModel", X: Array, A: Array, interval: float) -> Interval | LabelSet:
    """The predictions with what is around them: for outputs A, (outputs, n_rows), of features X, (features, n_rows)."""
    margins, value = model.network.margins, model.decode(A)
    if model.target.classes:
        return LabelSet(value, label_sets(margins, model.probabilities(A), interval))
    off = half_widths(margins, X, A, interval)
    return Interval(value, model.decode(A - off), model.decode(A + off))


class Coverage(NamedTuple):
    """How often the truth lay within, by the level asked for; the size of what it lay within at `SHOWN`: the median
    width of an interval, or the mean number of classes in a set."""

    levels: list[float]
    shares: list[float]
    size: float


def coverage(model: "TableModel", frame: Frame) -> Coverage | None:
    """Of rows that neither taught nor calibrated the model; None where there are none, or too few to calibrate on."""
    if not isinstance(model.network, Mixture) or not model.network.margins:
        return None  # what is held out calibrates one network
    (X, _), truth = model.features_of(frame), frame[model.target.name]
    A = model.network.predict(X)
    levels, shares, size = list[float](), list[float](), math.nan
    for level in LEVELS:
        try:
            around = surrounded(model, X, A, level)
        except ValueError:  # too few rows for more
            break
        if isinstance(around, Interval):
            within = (around.low <= truth.values) & (truth.values <= around.high)
            typical = float(np.median(around.high - around.low))
        else:
            within = around.set[np.arange(frame.n_rows), model.target.codes(truth, frame.place)]
            typical = float(around.set.sum(axis=1).mean())
        levels.append(level)
        shares.append(float(within.mean()))
        size = typical if level <= SHOWN else size
    return Coverage(levels, shares, size) if levels and levels[-1] >= SHOWN else None
