"""A table's columns as features: encoders that are fitted once and travel in the model file as plain JSON.

Every column gets one decision at training (a number, categories, a date, or left out and why), and that decision makes
the same features of any later table. In the arrays a column is a sample, as everywhere in the core.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar, get_origin

import numpy as np

from netwright import arguments
from netwright.arguments import Array
from netwright.frame import Frame, Place, kind_of, missing, spelling
from netwright.table import did_you_mean

Unseen = dict[str, list[str]]
Made = TypeVar("Made")

OTHER = "(other)"
MANY = 20  # below this, values being distinct, or few, says nothing
DAY = 86_400_000_000  # microseconds


def moments(values: Array, weight: Array) -> tuple[float, float]:
    """Weighted mean and standard deviation (of the population); weight k counts as k copies."""
    scale = float(np.abs(values).max(initial=0)) or 1.0  # at 1e300, and at 1e-300, squares would leave the floats
    mean = float(np.average(values / scale, weights=weight))
    off = values / scale - mean
    spread = float(np.abs(off).max(initial=0)) or 1.0
    return scale * mean, scale * spread * float(np.sqrt(np.average((off / spread) ** 2, weights=weight)))


def weights_of(n_rows: int, weight: Any) -> Array:
    """Weights as float64, shape (n_rows,); None is one for each row. ValueError for a negative or missing one."""
    checked = arguments.weights(weight, n_rows, np.float64)
    return np.ones(n_rows) if checked is None else checked


def numbers_of(name: str, values: Array, place: Place) -> Array:
    """A column as float64, NaN where missing. ValueError for a text that is no number, a date, or an infinity."""
    kind = kind_of(values)
    if kind == "date":
        raise ValueError(f"column {name!r} holds dates; it held numbers in training")
    if kind != "number":
        numbers = np.full(len(values), np.nan)
        for row in np.flatnonzero(~missing(values)).tolist():
            try:
                numbers[row] = values[row]
            except ValueError:
                raise ValueError(f"column {name!r}, {place(row)}: {values[row]!r} is not a number") from None
        values = numbers
    for row in np.flatnonzero(np.isinf(values))[:1].tolist():
        raise ValueError(f"column {name!r}, {place(row)}: the value is {values[row]}, not a finite number")
    return values


def levels_of(values: Array, was: str) -> list[str | None]:
    """A column's values as levels, None where missing, spelled as in training, where its kind `was` perhaps another."""

    def level(value: Any) -> str | None:
        if value is None or value != value:
            return None
        if was == "truth" and not isinstance(value, bool):
            return {"1": "true", "0": "false"}.get(spelling(value), spelling(value).lower())
        if was == "number" and isinstance(value, str):
            try:
                return spelling(float(value))
            except ValueError:
                return value
        return spelling(value)

    return [level(value) for value in (values if values.dtype.kind == "M" else values.tolist())]


# ── one decision a column ──


@dataclass(frozen=True)
class Number:
    """(x - mean) / std; a missing value becomes the mean."""

    kind: ClassVar[str] = "number"
    name: str
    mean: float
    std: float
    marked: bool

    @classmethod
    def fit(cls, name: str, values: Array, weight: Array) -> "Number":
        known = ~missing(values)
        mean, std = moments(values[known], weight[known])
        return cls(name, mean, std or 1.0, not known.all())

    @property
    def features(self) -> list[str]:
        return [self.name]

    @property
    def done(self) -> str:
        return f"(x - {self.mean:.4g}) / {self.std:.4g}" + ", missing: the mean and a mark" * self.marked

    def fill(self, values: Array, out: Array, place: Place) -> list[str]:
        """The features into out, zeros so far, shape (n_rows, n_features); returns levels new since training."""
        numbers = numbers_of(self.name, values, place)
        out[:, 0] = np.where(missing(numbers), 0, (numbers - self.mean) / self.std)
        return []


@dataclass(frozen=True)
class Category:
    """One-hot: a feature for each level, and one for all others if training had too many."""

    kind: ClassVar[str] = "category"
    name: str
    levels: list[str]
    other: bool
    was: str
    marked: bool

    @classmethod
    def fit(cls, name: str, values: Array, weight: Array, max_levels: int) -> "Category":
        was, counts = kind_of(values), dict[str | None, float]()
        for level, count in zip(levels_of(values, was), weight.tolist(), strict=True):
            counts[level] = counts.get(level, 0) + count
        marked = counts.pop(None, None) is not None
        levels = [level for level in counts if level is not None]
        kept = sorted(levels, key=lambda level: (-counts[level], level))[:max_levels]
        return cls(name, sorted(kept), len(levels) > len(kept), was, marked)

    @property
    def features(self) -> list[str]:
        return [f"{self.name} = {level}" for level in self.levels + [OTHER] * self.other]

    @property
    def done(self) -> str:
        return f"one-hot, {len(self.levels)} levels" + ", others together" * self.other + ", missing" * self.marked

    def fill(self, values: Array, out: Array, place: Place) -> list[str]:
        levels = levels_of(values, self.was)
        codes = {level: code for code, level in enumerate(self.levels)}
        unknown = len(codes) if self.other else -1
        code = np.array([-1 if level is None else codes.get(level, unknown) for level in levels], dtype=np.intp)
        rows = np.flatnonzero(code >= 0)
        out[rows, code[rows]] = 1
        # What "(other)" takes up may be new or merely rare: the model does not keep the rare levels' names.
        return [each for each in dict.fromkeys(levels) if each is not None and each not in codes and not self.other]


@dataclass(frozen=True)
class Date:
    """Standardised days since training's mean, the month and (where times of day vary) the hour on their circles."""

    kind: ClassVar[str] = "date"
    name: str
    mean: float
    std: float
    month: bool
    hour: bool
    marked: bool

    @classmethod
    def fit(cls, name: str, values: Array, weight: Array) -> "Date":
        known = ~missing(values)
        days, month, hour = cls.parts(values[known])
        mean, std = moments(days, weight[known])
        return cls(name, mean, std or 1.0, bool(np.ptp(month) > 0), bool(np.ptp(hour) > 0), not known.all())

    @staticmethod
    def parts(values: Array) -> tuple[Array, Array, Array]:
        """Days since 1970, and the parts of a turn that year and day have made."""
        time = values.astype("datetime64[us]").astype(np.int64)
        return time / DAY, values.astype("datetime64[M]").astype(np.int64) % 12 / 12, time % DAY / DAY

    @property
    def features(self) -> list[str]:
        circles = ["month"] * self.month + ["hour"] * self.hour
        return [f"{self.name} {part}" for part in ("days", *(f"{c} {f}" for c in circles for f in ("sin", "cos")))]

    @property
    def done(self) -> str:
        start = np.datetime64(int(self.mean), "D")
        return f"(days since {start}) / {self.std:.4g}" + ", month" * self.month + ", hour" * self.hour

    def fill(self, values: Array, out: Array, place: Place) -> list[str]:
        known = ~missing(values)
        for row in np.flatnonzero(known)[:1].tolist() if values.dtype.kind != "M" else []:
            raise ValueError(f"column {self.name!r}, {place(row)}: {spelling(values[row])!r} is not a date")
        days, month, hour = self.parts(values[known].astype("datetime64[us]"))
        circles = [month] * self.month + [hour] * self.hour
        turns = [part(2 * np.pi * circle) for circle in circles for part in (np.sin, np.cos)]
        for j, feature in enumerate([(days - self.mean) / self.std, *turns]):
            out[known, j] = feature
        return []


Column = Number | Category | Date
KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Number, Category, Date)}


def features_of(column: Column) -> list[str]:
    """The names of its features; where training had missing values, the last one marks them."""
    return column.features + [f"{column.name} is missing"] * column.marked


def _decide(name: str, frame: Frame, weight: Array, categorical: bool, max_levels: int) -> Column | str:
    """What becomes of one column: its features, or why it is left out."""
    values, kind = frame.columns[name], frame.kind(name)
    gone = missing(values)
    known = values[~gone]
    rows = float(weight[~gone].sum())  # copies of a row are no new values, and weight k is k copies
    distinct = len(set(known.tolist()))
    if not distinct:
        return "no row has a value"
    if distinct == 1 and not gone.any():
        return f"every row has the same value, {spelling(known[0])!r}"
    if categorical:
        return Category.fit(name, values, weight, max_levels)
    telling = distinct > MANY
    if kind == "number":
        numbers_of(name, values, frame.place)
        once = len(known) == distinct and rows < distinct + 0.5 and not gone.any()
        if telling and once and np.ptp(known) == distinct - 1 and np.all(known == np.floor(known)):
            return f"it numbers the rows, from {spelling(known.min())} to {spelling(known.max())}"
        return Number.fit(name, values, weight)
    if kind == "date":
        return Date.fit(name, values, weight)
    if kind == "text" and telling and distinct > 0.9 * rows:
        return f"it names the rows: {distinct} different texts in {len(known)} rows"
    return Category.fit(name, values, weight, max_levels)


# ── all of them ──


@dataclass(frozen=True)
class TableEncoder:
    """A Frame as features. Fitted by `fit`, kept by `to_dict` and `from_dict`; `transform` changes nothing in it."""

    columns: list[Column]
    dropped: list[tuple[str, str]]  # (column, why)

    @classmethod
    def fit(
        cls, frame: Frame, *, categorical: Collection[str] = (), weight: Any = None, max_levels: int = 50
    ) -> "TableEncoder":
        """One decision for each column of the frame, which holds no target any more.

        Columns in `categorical` are categories whatever they hold; `weight`, shape (n_rows,): k counts as k copies of
        the row, 0 as none. ValueError for an infinity, and where no column is of use.
        """
        for name in categorical:
            frame.column(name)
        arguments.whole("max_levels", max_levels)
        weight = weights_of(frame.n_rows, weight)
        frame, weight = frame.take(weight > 0), weight[weight > 0]
        made = {name: _decide(name, frame, weight, name in categorical, max_levels) for name in frame.names}
        dropped = [(name, why) for name, why in made.items() if isinstance(why, str)]
        columns = [column for column in made.values() if not isinstance(column, str)]
        if not columns:
            reasons = "; ".join(f"{name!r}: {why}" for name, why in dropped) or "there is none"
            raise ValueError(f"no column can be learned from ({reasons})")
        return cls(columns, dropped)

    @property
    def feature_names(self) -> list[str]:
        return [feature for column in self.columns for feature in features_of(column)]

    @property
    def notes(self) -> list[str]:
        """One sentence for each column that is left out."""
        return [f"column {name!r} is left out: {why}" for name, why in self.dropped]

    def describe(self) -> list[tuple[str, str, str, list[str]]]:
        """(column, kind, what was done, features made) for every column of the training table."""
        used = [(column.name, column.kind, column.done, features_of(column)) for column in self.columns]
        return used + [(name, "left out", why, []) for name, why in self.dropped]

    def names(self, kind: str | None = None) -> list[str]:
        """The columns in use, of one kind ('number', 'category', 'date') or of all."""
        return [column.name for column in self.columns if kind in (None, column.kind)]

    def check(self, frame: Frame) -> list[str]:
        """Notes on columns that training did not have."""
        known = {*self.names(), *(name for name, _ in self.dropped)}
        return [f"column {name!r} is new, and not used" for name in frame.names if name not in known]

    def transform(self, frame: Frame, unseen: Unseen | None = None) -> Array:
        """The features, shape (n_features, n_rows), float64, Fortran-ordered: a sample's features lie side by side.

        Columns are matched by name. Levels that training did not have are added to `unseen`. ValueError for missing
        columns, for texts or infinities among numbers, and for anything but dates among dates.
        """
        if absent := [name for name in self.names() if name not in frame.columns]:
            free = [name for name in frame.names if name not in self.names()]
            called = ("column " if len(absent) == 1 else "columns ") + ", ".join(map(repr, absent))
            known = f"{frame.path or 'the table'} has no {called}, which training had"
            raise ValueError(f"{known}; {did_you_mean(absent[0], free)}".rstrip("; "))
        out, start = np.zeros((frame.n_rows, len(self.feature_names))), 0
        for column in self.columns:
            values, stop = frame.column(column.name), start + len(features_of(column))
            new = column.fill(values, out[:, start:stop], frame.place)
            if column.marked:
                out[:, stop - 1] = missing(values)
            if unseen is not None and new:
                unseen[column.name] = new
            start = stop
        return out.T

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: floats come back to the bit."""
        columns = [{"kind": column.kind, **asdict(column)} for column in self.columns]
        return {"columns": columns, "dropped": [list(pair) for pair in self.dropped]}

    @classmethod
    def from_dict(cls, data: Any) -> "TableEncoder":
        """The encoder that `to_dict` described. ValueError, KeyError or TypeError for anything else."""
        columns = [restored(KINDS[each.pop("kind")], each) for each in map(dict, data["columns"])]
        return restored(cls, {**data, "columns": columns, "dropped": [(name, why) for name, why in data["dropped"]]})


def restored(cls: type[Made], data: Any) -> Made:
    """The dataclass of which `data` is the dict. ValueError or TypeError for a dict that it cannot have made."""
    made = cls(**data)
    for field in fields(cls):  # type: ignore[arg-type]
        kind: Any = get_origin(field.type) or field.type
        value: Any = getattr(made, field.name)
        if not isinstance(value, kind) or (field.name == "std" and not 0 < value < np.inf):
            raise ValueError(f"{field.name!r} of a {cls.__name__} is {value!r}, which it cannot be")
    return made
