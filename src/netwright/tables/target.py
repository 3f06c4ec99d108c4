"""The column to predict: which task it sets, its values as the network's Y, and the network's output as predictions."""

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief
from netwright.files.schema import Shape, both, check, finite, object_of, one_of, positive
from netwright.tables.column import Column, Place, spelling
from netwright.tables.convert import as_column
from netwright.tables.encoders import levels_of, numbers_of, weights_of
from netwright.tables.features import MANY
from netwright.tables.frame import Frame
from netwright.tables.labels import class_targets
from netwright.tables.statistics import moments
from netwright.tables.truth import one_spelling, places_of

TASKS = ("classification", "regression")


def decide_task(column: Column) -> tuple[str, str]:
    """('classification' or 'regression', the reason as a sentence) for a target column without missing values."""
    values, kind = column.values, column.kind
    distinct = len(set(values.tolist()))
    if kind != "number":
        return "classification", f"the target is {'true or false' if kind == 'truth' else kind}"
    if not np.all(np.isfinite(values)) or np.any(values != np.floor(values)):
        return "regression", "the target has numbers with a fraction"
    if distinct <= MANY and len(values) >= 5 * distinct:
        return "classification", f"the target has only {distinct} different values, all whole numbers"
    return "regression", f"the target has {distinct} different whole numbers in {len(values)} rows"


@dataclass(frozen=True)
class TargetEncoder:
    """A target column as the network's Y, and the network's output A as predictions."""

    name: str
    task: str
    reason: str
    classes: list[Any]  # classification: sorted; texts, floats or bools
    mean: float  # regression: y = mean + std · a
    std: float

    @classmethod
    def fit(
        cls, values: Any, name: str, *, task: str | None = None, weight: Any = None, standardise: bool = True,
        place: Place = "index {}".format,
    ) -> "TargetEncoder":  # fmt: skip
        """From a `Column` or any sequence, shape (n,); `standardise=False` keeps a regression's values.

        ValueError for missing or infinite values, dates, a single class, a constant, and text to regress on.
        """
        column = _complete(name, values, place)
        weight = weights_of(len(column), weight)
        taken, kind, weight = column.take(weight > 0), column.kind, weight[weight > 0]
        used = taken.values
        if kind == "date":
            raise ValueError(f"the target {name!r} is a date; take a number, or a class")
        task, reason = decide_task(taken) if task is None else (task, "as asked")
        if task not in TASKS:
            raise ValueError(f"unknown task {task!r}; choose {' or '.join(TASKS)}")
        if kind == "number":
            numbers_of(name, column, place)
        elif task == "regression":
            raise ValueError(
                f"the target {name!r} is {kind}, {spelling(column.values[0])!r} on {place(0)}; regression needs numbers"
            )
        classes = _classes_of(taken)
        if task == "classification":
            if len(classes) < 2:
                raise ValueError(f"the target {name!r} has one class only, {spelling(used[0])!r}; two are needed")
            return cls(name, task, reason, classes, 0.0, 1.0)
        if len(classes) < 2:
            raise ValueError(f"the target {name!r} is constant: every row has {spelling(used[0])}")
        mean, std = moments(used, weight) if standardise else (0.0, 1.0)
        return cls(name, task, reason, [], mean, std)

    def codes(self, values: Any, place: Place = "index {}".format) -> Array:
        """Each row's class as its number in `classes`, shape (n,). ValueError for one that training did not have."""
        levels = levels_of(_complete(self.name, values, place).values, self._classes.kind)
        known = [spelling(each) for each in self.classes]
        places = places_of(known, levels)
        for row, level in enumerate(levels):
            if level not in places:
                raise ValueError(f"{place(row)}: the target {self.name!r} is {level!r}; the classes are {known}")
        return np.array([places[level] for level in levels], dtype=np.intp)

    def encode(self, values: Any, place: Place = "index {}".format) -> Array:
        """Y: regression and two classes (1, n), more classes one-hot (k, n); float64."""
        if self.task == "regression":
            numbers = numbers_of(self.name, _complete(self.name, values, place), place)
            return ((numbers - self.mean) / self.std)[np.newaxis]
        return class_targets(self.codes(values, place), len(self.classes), np.float64)

    def decode(self, A: Array) -> Array:
        """Predictions, shape (n,), from the network's output (1, n) or (k, n): values, or the most probable classes."""
        if self.task == "regression":
            return np.asarray(self.mean + self.std * A[0])
        code = (A[0] > 0.5).astype(np.intp) if len(self.classes) == 2 and len(A) == 1 else A.argmax(axis=0)
        return np.asarray(self._classes.values[code])

    @cached_property
    def _classes(self) -> Column:
        """The classes as a Frame's column."""
        return Column(as_column(self.name, self.classes))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: floats come back to the bit, classes as what they are."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> "TargetEncoder":
        """The encoder that `to_json` described. ValueError for anything else."""
        check(TARGET, data, "target")
        return cls(**data)


def _classes_fit(where: str, said: Any) -> None:
    classes = said["classes"]
    kinds = {"number" if type(each) in (int, float) else type(each).__name__ for each in classes}
    if (len(set(classes)) > 1) != (said["task"] == "classification") or len(kinds) > 1:
        raise ValueError(f"{where}: a {said['task']} with the classes {brief(classes)} cannot be")
    if len({spelling(each) for each in classes}) < len(classes):
        raise ValueError(f"{where}.classes must be different from each other, got {brief(classes)}")


TARGET: Shape = both(
    object_of(TargetEncoder, task=one_of(*TASKS), classes=[(str, bool, finite)], std=positive), _classes_fit
)


def with_target(frame: Frame, name: str, drop_missing: bool) -> tuple[Frame, list[str]]:
    """The rows whose target is there, and a sentence on those that are left out.

    ValueError where some are not there and `drop_missing` is false: what is spelled as a missing value may be a class.
    """
    gone = frame[name].missing
    if not (rows := np.flatnonzero(gone)).size:
        return frame, []
    first = int(rows[0])
    cell = frame.cell(name, first)
    where = f"{len(rows)} of {frame.n_rows} rows, first on {frame.place(first)}" + (f" ({cell!r})" if cell else "")
    if drop_missing and len(rows) < frame.n_rows:
        return frame.take(~gone), [f"the target {name!r} is missing in {where}; they are left out"]
    value = f", or say that {cell!r} is a value (--null {name}=)" if cell else ""
    raise ValueError(f"the target {name!r} is missing in {where}; leave those rows out (--drop-missing-target){value}")


def _classes_of(column: Column) -> list[Any]:
    """The classes, sorted; True, TRUE and true are one, spelled as most rows have it."""
    values = column.values.tolist()
    if column.kind == "text" and (same := one_spelling(Counter(values))):
        return sorted(set(same.values()))
    return sorted(set(values))


def _complete(name: str, values: Any, place: Place) -> Column:
    """The target as a Frame's column. ValueError where a value is missing."""
    column = values if isinstance(values, Column) else Column(as_column(name, values, place=place))
    if (rows := np.flatnonzero(column.missing)).size:
        gone = f"missing in {len(rows)} of {len(column)} rows, first on {place(int(rows[0]))}"
        raise ValueError(f"the target {name!r} is {gone}; leave those rows out")
    return column
