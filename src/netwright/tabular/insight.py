"""What the rows held out tell of a model: which columns matter, where it errs most, how sure it is, what they hold."""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.recipes.mixture import Mixture
from netwright.tables.column import Column, spelling
from netwright.tables.frame import Frame
from netwright.tabular.model import TableModel
from netwright.tabular.predictions import surrounded
from netwright.uncertainty.margins import Interval

REPEATS = 5
ROWS, FEWEST, WORK = 2000, 200, 500_000  # rows that are shuffled: at most, at least, and predictions in all
WORST = 10
LEVELS, SHOWN = [each / 20 for each in range(1, 20)], 0.9  # of intervals, that are tried; and of which more is told
FEW = 10  # rows of other classes than the most frequent, from which a column that tells them may be told
COPY = 0.999  # of the target that a column alone tells, from which it nearly is the target


class Importance(NamedTuple):
    """By how much the score gets worse when a column's values are shuffled among the rows, and its spread."""

    name: str
    mean: float
    std: float


def importances(model: TableModel, frame: Frame, seed: int = 0) -> tuple[str, list[Importance]]:
    """(the score, an importance for each column that the model uses, the highest first) (Breiman 2001).

    The score is the log loss or the RMSE; each column is shuffled `REPEATS` times, in some of the rows where there are
    many.
    """
    score = "log_loss" if model.target.classes else "rmse"
    names, rng = model.encoder.names(), np.random.default_rng(seed)
    most = int(np.clip(WORK // (len(names) * REPEATS), FEWEST, ROWS))
    if frame.n_rows > most:
        frame = frame.take(np.sort(rng.choice(frame.n_rows, most, replace=False)))
    found = []
    X, sources = model.encoder.transform(frame), model.encoder.sources

    def scored(inputs: Array) -> float:
        return model.scores_with(model.network.predict(inputs), frame)[score]

    intact = scored(X)
    for place, name in enumerate(names):
        own, scores = sources == place, []
        for _ in range(REPEATS):
            shuffled = X.copy()
            shuffled[own] = X[own][:, rng.permutation(frame.n_rows)]
            scores.append(scored(shuffled))
        worse = np.array(scores) - intact
        found.append(Importance(name, float(worse.mean()), float(worse.std(ddof=1))))
    return score, sorted(found, key=lambda each: -each.mean)


class Doubt(NamedTuple):
    """A row that the model gets wrong: where it stands, what is true, what is predicted, how sure or how far off."""

    place: str
    true: str
    predicted: str
    off: float


def doubts(model: TableModel, frame: Frame, A: Array) -> list[Doubt]:
    """The mistakes that the model is most sure of, with that probability; of numbers the largest residuals.

    A: the model's outputs for the rows, (outputs, n_rows).
    """
    truth, predicted, told = frame[model.target.name], model.decode(A), partial(_told_of, model)
    if model.target.classes:
        P = model.probabilities(A)
        off, wrong = P.max(axis=1), P.argmax(axis=1) != model.target.codes(truth, frame.place)
    else:
        off = predicted - truth.values
        wrong = off != 0
    order = np.argsort(-np.abs(off), kind="stable")
    worst = order[wrong[order]][:WORST].tolist()
    return [Doubt(frame.place(row), told(truth.values[row]), told(predicted[row]), float(off[row])) for row in worst]


def _told_of(model: TableModel, value: Any) -> str:
    """A class, or a number with the decimals that its spread asks for."""
    if model.target.classes:
        return spelling(value)
    decimals = int(np.clip(3 - np.floor(np.log10(model.target.std)), 0, 12))
    return f"{value:.{decimals}f}"


class Coverage(NamedTuple):
    """How often the truth lay within, by the level asked for; the size of what it lay within at `SHOWN`: the median
    width of an interval, or the mean number of classes in a set."""

    levels: list[float]
    shares: list[float]
    size: float


def coverage(model: TableModel, frame: Frame) -> Coverage | None:
    """Of rows that neither taught nor calibrated the model; None where there are none, or too few to calibrate on."""
    if not isinstance(model.network, Mixture) or not model.network.margins:
        return None  # what is held out calibrates one network
    (X, _), truth = model.features_of(frame), frame[model.target.name]
    A = model.network.predict(X)
    levels, shares, size = list[float](), list[float](), math.nan
    for level in LEVELS:
        try:
            around = surrounded(model.target, model.network.margins, X, A, level)
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


class Card(NamedTuple):
    """What a column holds: the share that is missing, its values in a few words, and what to mind."""

    name: str
    missing: float
    values: str
    mind: str


def data_card(model: TableModel, frame: Frame) -> list[Card]:
    """The columns that the model uses, in the rows of the frame."""
    target = frame[model.target.name]
    return [_card(name, frame[name], target, bool(model.target.classes)) for name in model.encoder.names()]


def _card(name: str, column: Column, target: Column, classes: bool) -> Card:
    known = ~column.missing
    values, kind = column.values[known], column.kind
    if not len(values):
        return Card(name, 1.0, "", "no row held out has a value")
    if kind in ("number", "date"):
        low, middle, high = np.sort(values)[[0, len(values) // 2, -1]]
        shown = f"{kind}s from {_brief(low)} to {_brief(high)}, median {_brief(middle)}"
    else:
        levels, counts = np.unique(np.array([spelling(each) for each in values]), return_counts=True)
        most = levels[np.argsort(-counts, kind="stable")][:3].tolist()
        shown = f"{len(levels):,} levels: {', '.join(most)}" + ", …" * (len(levels) > 3)
    told = _told(column, target, classes, known)
    mind = f"tells the target nearly alone ({told:.1%}): is it known when one predicts?" if told >= COPY else ""
    return Card(name, float(1 - known.mean()), shown, mind)


def _brief(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else spelling(value)


def _told(column: Column, target: Column, classes: bool, known: Array) -> float:
    """How much of the target the column alone tells, 0 … 1: for numbers R² of a line; of levels, of the rows that the
    most frequent class has not, how many each level's own gains, or η²; where levels are few against the rows."""
    values, goal = column.values[known], target.values[known]
    if column.kind == "date" or len(values) < 20:
        return 0.0
    if column.kind == "number" and not classes:
        spread = values.std() * goal.std()
        return 0.0 if not spread else float(np.mean((values - values.mean()) * (goal - goal.mean())) / spread) ** 2
    _, level = np.unique(np.array([spelling(each) for each in values]), return_inverse=True)
    if 5 * (level.max() + 1) > len(level):
        return 0.0
    if classes:
        _, code = np.unique(np.array([spelling(each) for each in goal]), return_inverse=True)
        counts = np.zeros((level.max() + 1, code.max() + 1))
        np.add.at(counts, (level, code), 1)
        most, all_rows = counts.sum(axis=0).max(), len(level)
        if all_rows - most < FEW:  # of all other classes
            return 0.0
        return float((counts.max(axis=1).sum() - most) / (all_rows - most))
    rows = np.bincount(level)
    means = np.bincount(level, goal) / rows
    return float(means.var() and np.average((means - goal.mean()) ** 2, weights=rows) / (goal.var() or 1))
