"""A table's columns as features: encoders that are fitted once and travel in the model file as plain JSON.

Every column gets one decision at training (a number, categories, a date, or left out and why), and that decision makes
the same features of any later table. In the arrays a column is a sample, as everywhere in the core.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import Array
from netwright.core.registry import did_you_mean
from netwright.files.schema import Shape, both, check, row
from netwright.tables.column import Column, spelling
from netwright.tables.encoders import (
    COLUMN,
    KINDS,
    Category,
    Date,
    Encoder,
    Levels,
    Number,
    Scaled,
    features_of,
    numbers_of,
    weights_of,
)
from netwright.tables.frame import Frame
from netwright.tables.text import NULLS

Unseen = dict[str, dict[str, int]]  # of a column the levels that training did not have, and the rows of each

MANY = 20  # below this, values being distinct, or few, says nothing
FEATURES = 256  # that the steps of all numbers may make together
STEPS = 8  # of one number at most
TOLD = ("number", "category", "drop", "keep")
NAMES_ROWS = ("it numbers the rows", "it names the rows")


@dataclass(frozen=True)
class Decisions:
    """What decides: how many levels are one-hot, which columns are told their kind, and what estimators want besides.

    With `targets`, (rows, outputs), numbers become `Scaled` with so many `steps`, and many levels `Levels`.
    """

    max_levels: int
    kinds: Mapping[str, str]
    targets: Array | None = None
    steps: int = 0

    def __call__(self, name: str, frame: Frame, weight: Array) -> Encoder | str:
        """What becomes of one column: its features, or why it is left out."""
        column, kind = frame[name], frame.kind(name)
        told = self.kinds.get(name)
        if told == "drop":
            return "as asked"
        gone = column.missing
        known = column.values[~gone]
        rows = float(weight[~gone].sum())  # copies of a row are no new values, and weight k is k copies
        distinct = len(set(known.tolist()))
        if not distinct:
            return "no row has a value"
        if distinct == 1 and not gone.any():
            return f"every row has the same value, {spelling(known[0])!r}"
        if told == "category":
            return self.category(name, column, weight, distinct)
        telling = distinct > MANY and told is None
        if kind == "number":
            numbers_of(name, column, frame.place)
            once = len(known) == distinct and rows < distinct + 0.5 and not gone.any()
            if telling and once and np.ptp(known) == distinct - 1 and np.all(known == np.floor(known)):
                return f"{NAMES_ROWS[0]}, from {spelling(known.min())} to {spelling(known.max())}"
            if self.targets is None:
                return Number.fit(name, column, weight)
            return Scaled.fit(name, column, weight, self.steps)
        if kind == "date":
            return Date.fit(name, column, weight, week=self.targets is not None)
        if kind == "text" and telling and distinct > 0.9 * rows:
            return f"{NAMES_ROWS[1]}: {distinct} different texts in {len(known)} rows"
        return self.category(name, column, weight, distinct)

    def category(self, name: str, column: Column, weight: Array, distinct: int) -> Encoder:
        if self.targets is None or distinct <= self.max_levels:
            return Category.fit(name, column, weight, self.max_levels)
        return Levels.fit(name, column, weight, self.max_levels, self.targets)


def unseen_notes(unseen: Unseen) -> list[str]:
    """A sentence for each column with levels that training did not have."""
    notes = []
    for name, levels in unseen.items():
        shown = ", ".join(map(repr, [*levels][:3])) + (f" and {len(levels) - 3} more" if len(levels) > 3 else "")
        rows = sum(levels.values())
        shown += f" (in {rows} row{'s' if rows > 1 else ''})"
        notes.append(f"column {name!r} has categories that training did not have: {shown}")
    return notes


def _with_gaps(column: Column, encoder: Encoder) -> Column:
    """The column, of a category with gaps; texts that spell one, and were no levels in training, are gaps."""
    if not isinstance(encoder, Category | Levels) or not encoder.marked or column.kind != "text":
        return column
    gaps = set(NULLS).intersection(column.values) - set(encoder.levels)
    if not gaps or (isinstance(encoder, Category) and encoder.other):
        return column
    return Column(np.array([None if value in gaps else value for value in column.values], dtype=object))


# ── all of them ──


@dataclass(frozen=True)
class TableEncoder:
    """A Frame as features. Fitted by `fit`, kept by `to_json` and `from_json`; `transform` changes nothing in it."""

    columns: list[Encoder]
    dropped: list[tuple[str, str]]  # (column, why)

    @classmethod
    def fit(
        cls,
        frame: Frame,
        *,
        categorical: Collection[str] = (),
        weight: Any = None,
        max_levels: int = 50,
        kinds: Mapping[str, str] | None = None,
        targets: Array | None = None,
    ) -> "TableEncoder":
        """One decision for each column of the frame, which holds no target any more.

        Columns in `categorical` are categories whatever they hold; `weight`, shape (n_rows,): k counts as k copies of
        the row, 0 as none. `kinds` decides for a column: "number", "category", "drop", or "keep" for one that would be
        left out since it numbers or names the rows. With `targets`, shape (n_rows, outputs), the features are those
        that the tabular estimators learn from: numbers softly cut and in steps, many levels by their targets.
        ValueError for an infinity and, without targets, where no column is of use.
        """
        kinds = {**dict.fromkeys(categorical, "category"), **(kinds or {})}
        for name, kind in kinds.items():
            frame.column(name)
            if kind not in TOLD:
                raise ValueError(f"column {name!r} cannot be made {kind!r}; choose one of {', '.join(TOLD)}")
        arguments.whole("max_levels", max_levels)
        weight = weights_of(frame.n_rows, weight)
        kept = weight > 0
        frame, weight, targets = frame.take(kept), weight[kept], None if targets is None else targets[kept]
        numbers = sum(frame.kind(name) == "number" for name in frame.names)
        decide = Decisions(max_levels, kinds, targets, min(STEPS, FEATURES // max(1, numbers)))
        made = {name: decide(name, frame, weight) for name in frame.names}
        dropped = [(name, why) for name, why in made.items() if isinstance(why, str)]
        columns = [encoder for encoder in made.values() if not isinstance(encoder, str)]
        if not columns and targets is None:
            reasons = "; ".join(f"{name!r}: {why}" for name, why in dropped) or "there is none"
            raise ValueError(f"no column can be learned from ({reasons})")
        return cls(columns, dropped)

    def training_features(
        self, frame: Frame, parts: Array, weight: Any, targets: Array, dtype: Any = np.float64
    ) -> Array:
        """`transform` of the rows that were fitted to, such that no row knows its own target.

        What a level's targets say to the rows of a part, (n_rows,) of numbers, is told by the rows of other parts.
        """
        X, weight, start = self.transform(frame, dtype=dtype).T, weights_of(frame.n_rows, weight), 0
        for encoder in self.columns:
            stop = start + len(encoder.features)
            if isinstance(encoder, Levels):
                column = frame[encoder.name]
                for part in np.unique(parts):
                    own = parts == part
                    others = encoder.means_of(column.take(~own), weight[~own], targets[~own])
                    block = np.zeros((own.sum(), stop - start))
                    replace(encoder, means=others.tolist()).fill(column.take(own), block, frame.place)
                    X[own, start:stop] = block
            start = stop + encoder.marked
        return X.T

    @property
    def feature_names(self) -> list[str]:
        return [feature for encoder in self.columns for feature in features_of(encoder)]

    @property
    def sources(self) -> Array:
        """The number of the column that each feature is made of, (n_features,)."""
        counts = [len(features_of(encoder)) for encoder in self.columns]
        return np.repeat(np.arange(len(counts)), counts)

    @property
    def is_step(self) -> Array:
        """Whether each feature is a step of a number, (n_features,)."""
        return np.array(
            [
                isinstance(encoder, Scaled) and 0 < place < len(encoder.features)
                for encoder in self.columns
                for place in range(len(features_of(encoder)))
            ]
        )

    @property
    def notes(self) -> list[str]:
        """One sentence for each column that is left out."""
        kept = " (with --keep-column {!r} it is learned from)"
        return [
            f"column {name!r} is left out: {why}" + (kept.format(name) if why.startswith(NAMES_ROWS) else "")
            for name, why in self.dropped
        ]

    def describe(self) -> list[tuple[str, str, str, list[str]]]:
        """(column, kind, what was done, features made) for every column of the training table."""
        used = [(encoder.name, encoder.kind, encoder.done, features_of(encoder)) for encoder in self.columns]
        return used + [(name, "left out", why, []) for name, why in self.dropped]

    def names(self, *kinds: str) -> list[str]:
        """The columns in use, of these kinds ('number', 'category', 'date' …) or of all."""
        return [encoder.name for encoder in self.columns if not kinds or encoder.kind in kinds]

    @property
    def categories(self) -> list[str]:
        """The columns in use whose values are levels, however many."""
        return self.names(Category.kind, Levels.kind)

    @property
    def numbers(self) -> list[str]:
        return self.names(Number.kind, Scaled.kind)

    def check(self, frame: Frame) -> list[str]:
        """Notes on columns that training did not have."""
        known = {*self.names(), *(name for name, _ in self.dropped)}
        return [f"column {name!r} is new, and not used" for name in frame.names if name not in known]

    def transform(self, frame: Frame, unseen: Unseen | None = None, dtype: Any = np.float64) -> Array:
        """The features, shape (n_features, n_rows), Fortran-ordered: a sample's features lie side by side.

        Columns are matched by name. Levels that training did not have are added to `unseen`. ValueError for missing
        columns, for texts or infinities among numbers, and for anything but dates among dates.
        """
        if absent := [name for name in self.names() if name not in frame.columns]:
            free = [name for name in frame.names if name not in self.names()]
            called = ("column " if len(absent) == 1 else "columns ") + ", ".join(map(repr, absent))
            known = f"{frame.path or 'the table'} has no {called}, which training had"
            raise ValueError(f"{known}; {did_you_mean(absent[0], free)}".rstrip("; "))
        out, start = np.zeros((frame.n_rows, len(self.feature_names)), dtype), 0
        for encoder in self.columns:
            column, stop = _with_gaps(frame[encoder.name], encoder), start + len(features_of(encoder))
            new = encoder.fill(column, out[:, start:stop], frame.place)
            if encoder.marked:
                out[:, stop - 1] = column.missing
            if unseen is not None and new:
                unseen[encoder.name] = new
            start = stop
        return out.T

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: floats come back to the bit."""
        columns = [{"kind": encoder.kind, **asdict(encoder)} for encoder in self.columns]
        return {"columns": columns, "dropped": [list(pair) for pair in self.dropped]}

    @classmethod
    def from_json(cls, data: Any) -> "TableEncoder":
        """The encoder that `to_json` described. ValueError for anything else."""
        check(ENCODER, data, "encoder")
        columns = [KINDS[each["kind"]](**{n: v for n, v in each.items() if n != "kind"}) for each in data["columns"]]
        return cls(columns, [(name, why) for name, why in data["dropped"]])


def _each_once(where: str, said: Any) -> None:
    names = [each["name"] for each in said["columns"]] + [name for name, _ in said["dropped"]]
    if len(set(names)) < len(names):
        raise ValueError(f"{where} has a column twice")


ENCODER: Shape = both({"columns": [COLUMN], "dropped": [row(str, str)]}, _each_once)
