"""What becomes of one column: its kinds, each fitted once and kept as plain JSON, and the features that it makes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import Array, number
from netwright.files.schema import Shape, both, check, finite, not_negative, object_of, one_of, positive, tagged
from netwright.tables.column import Column, Place, spelling
from netwright.tables.numbers import plain
from netwright.tables.statistics import moments, quantiles
from netwright.tables.truth import one_spelling, places_of

OTHER = "(other)"
DAY = 86_400_000_000  # microseconds
PRIOR = 10.0  # rows, as which the mean of all counts in the mean of a level


def weights_of(n_rows: int, weight: Any) -> Array:
    """Weights as float64, shape (n_rows,); None is one for each row. ValueError for a negative or missing one."""
    checked = arguments.weights(weight, n_rows, np.float64)
    return np.ones(n_rows) if checked is None else checked


def numbers_of(name: str, column: Column, place: Place) -> Array:
    """A column as float64, NaN where missing. ValueError for a text that is no number, a date, or an infinity."""
    values = column.values
    if column.kind == "date":
        raise ValueError(f"column {name!r} holds dates; it held numbers in training")
    if column.kind != "number":
        numbers = np.full(len(values), np.nan)
        for row in np.flatnonzero(~column.missing).tolist():
            value = values[row]
            if isinstance(value, str):
                value = plain(value, ".", None)
            if value is None:
                raise ValueError(f"column {name!r}, {place(row)}: {values[row]!r} is not a number")
            numbers[row] = value
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


def counted_levels(column: Column, weight: Array) -> tuple[dict[str, float], bool]:
    """(the rows of each level, the most frequent first; whether some row has none); weight k counts as k copies."""
    counts = dict[str | None, float]()
    for level, count in zip(levels_of(column.values, column.kind), weight.tolist(), strict=True):
        counts[level] = counts.get(level, 0) + count
    gone = counts.pop(None, None) is not None
    known = {level: count for level, count in counts.items() if level is not None}
    for level, usual in one_spelling(known).items():  # True, TRUE and true are one
        if level != usual:
            known[usual] += known.pop(level)
    levels = known.items()
    return dict(sorted(levels, key=lambda pair: (-pair[1], pair[0]))), gone


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
    def fit(cls, name: str, column: Column, weight: Array) -> "Number":
        known = ~column.missing
        mean, std = moments(column.values[known], weight[known])
        return cls(name, mean, std or 1.0, not known.all())

    @property
    def features(self) -> list[str]:
        return [self.name]

    @property
    def done(self) -> str:
        return f"(x - {self.mean:.4g}) / {self.std:.4g}" + ", missing: the mean and a mark" * self.marked

    def fill(self, column: Column, out: Array, place: Place) -> dict[str, int]:
        """The features into out, zeros so far, shape (n_rows, n_features); returns new levels with their rows."""
        numbers = numbers_of(self.name, column, place)
        for j, feature in enumerate(self.of(numbers)):
            out[:, j] = np.where(np.isnan(numbers), 0, feature)
        return {}

    def of(self, x: Any) -> Iterator[Any]:
        """The features of numbers x that are there; x may be a symbol."""
        yield (x - self.mean) / self.std


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
    def fit(cls, name: str, column: Column, weight: Array, max_levels: int) -> "Category":
        counts, marked = counted_levels(column, weight)
        return cls(name, sorted([*counts][:max_levels]), len(counts) > max_levels, column.kind, marked)

    @property
    def features(self) -> list[str]:
        return [f"{self.name} = {level}" for level in self.levels + [OTHER] * self.other]

    @property
    def done(self) -> str:
        return f"one-hot, {len(self.levels)} levels" + ", others together" * self.other + ", missing" * self.marked

    def fill(self, column: Column, out: Array, place: Place) -> dict[str, int]:
        levels = levels_of(column.values, self.was)
        codes = places_of(self.levels, levels)
        unknown = len(self.levels) if self.other else -1
        code = np.array([-1 if level is None else codes.get(level, unknown) for level in levels], dtype=np.intp)
        rows = np.flatnonzero(code >= 0)
        out[rows, code[rows]] = 1
        # What "(other)" takes up may be new or merely rare: the model does not keep the rare levels' names.
        return {} if self.other else Counter(each for each in levels if each is not None and each not in codes)


@dataclass(frozen=True)
class Date:
    """Standardised days since training's mean, and on circles, where they vary, month, hour and (if asked) week."""

    kind: ClassVar[str] = "date"
    name: str
    mean: float
    std: float
    month: bool
    hour: bool
    marked: bool
    week: bool = False

    @classmethod
    def fit(cls, name: str, column: Column, weight: Array, week: bool = False) -> "Date":
        known = ~column.missing
        days, month, hour = cls.parts(column.values[known])
        mean, std = moments(days, weight[known])
        turns = bool(np.ptp(month) > 0), bool(np.ptp(hour) > 0)
        return cls(name, mean, std or 1.0, *turns, not known.all(), week and bool(np.ptp(np.floor(days)) > 0))

    @staticmethod
    def parts(values: Array) -> tuple[Array, Array, Array]:
        """Days since 1970, and the parts of a turn that year and day have made."""
        time = values.astype("datetime64[us]").astype(np.int64)
        return time / DAY, values.astype("datetime64[M]").astype(np.int64) % 12 / 12, time % DAY / DAY

    @property
    def features(self) -> list[str]:
        circles = ["month"] * self.month + ["hour"] * self.hour + ["week"] * self.week
        return [f"{self.name} {part}" for part in ("days", *(f"{c} {f}" for c in circles for f in ("sin", "cos")))]

    @property
    def done(self) -> str:
        start = np.datetime64(int(self.mean), "D")
        circles = ", month" * self.month + ", hour" * self.hour + ", week" * self.week
        return f"(days since {start}) / {self.std:.4g}{circles}" + ", missing" * self.marked

    def fill(self, column: Column, out: Array, place: Place) -> dict[str, int]:
        values, known = column.values, ~column.missing
        for row in np.flatnonzero(known)[:1].tolist() if values.dtype.kind != "M" else []:
            raise ValueError(f"column {self.name!r}, {place(row)}: {spelling(values[row])!r} is not a date")
        days, month, hour = self.parts(values[known].astype("datetime64[us]"))
        for j, feature in enumerate(self.of(days, month, hour, np.floor(days) % 7 / 7)):
            out[known, j] = feature
        return {}

    def of(self, days: Any, month: Any, hour: Any, week: Any) -> Iterator[Any]:
        """The features of days since 1970 and the parts of a turn that year, day and week have made; or of symbols."""
        yield (days - self.mean) / self.std
        for circle in [month] * self.month + [hour] * self.hour + [week] * self.week:
            yield np.sin(2 * np.pi * circle)
            yield np.cos(2 * np.pi * circle)


# ── what estimators learn from besides: numbers in steps, categories of many levels ──


@dataclass(frozen=True)
class Scaled:
    """z / √(1 + (z/3)²) with z = (x - center) / scale, median and distance of the quartiles: outliers end at ±3
    (Holzmüller et al. 2024, section 3). Then piecewise linear steps, (x - e) / (e' - e) - ½ cut to -½ … ½, for each
    two neighbouring edges e, e', quantiles of training (Gorishniy et al. 2022, equation 1): so a layer bends wherever
    the data are, however long their tail. A value that makes up more than a step is an edge, and where most values are
    one, the scale is that of the others. A missing value is as the median."""

    kind: ClassVar[str] = "scaled number"
    name: str
    center: float
    scale: float
    edges: list[float]
    marked: bool

    @classmethod
    def fit(cls, name: str, column: Column, weight: Array, steps: int) -> "Scaled":
        known = ~column.missing
        values, weight = column.values[known], weight[known]
        distinct, which = np.unique(values, return_inverse=True)
        count = np.bincount(which, weight)
        low, center, high = quantiles(values, weight, [0.25, 0.5, 0.75]).tolist()
        scale = min(high - low, 1e308)
        if len(distinct) == 2:
            center, scale = float(distinct.mean()), float(distinct[1] / 2 - distinct[0] / 2)
        elif len(distinct) > 2 and scale == 0:  # mostly one value: how far the others are from it
            off = distinct != center
            scale = 2 * float(quantiles(np.abs(distinct[off] / 2 - center / 2), count[off], [0.5])[0])
        edges = distinct
        if len(distinct) > steps + 1 and steps > 1:
            often = count > count.sum() / steps  # an edge of its own; the others share what is left
            shares = np.linspace(0, 1, max(2, steps + 1 - int(often.sum())))
            edges = np.unique(np.concatenate([distinct[often], quantiles(distinct[~often], count[~often], shares)]))
        edges = edges if steps > 1 and len(edges) > 2 else edges[:0]
        return cls(name, center, scale or 1.0, edges.tolist(), not known.all())

    @property
    def features(self) -> list[str]:
        return [self.name, *(f"{self.name} from {low:.6g} to {high:.6g}" for low, high in pairwise(self.edges))]

    @property
    def done(self) -> str:
        steps = f", {len(self.edges) - 1} steps" if self.edges else ""
        missing = ", missing: the median and a mark" * self.marked
        return f"(x - {self.center:.4g}) / {self.scale:.4g}, softly cut at ±3{steps}{missing}"

    def fill(self, column: Column, out: Array, place: Place) -> dict[str, int]:
        numbers = numbers_of(self.name, column, place)
        for j, feature in enumerate(self.of(np.where(np.isnan(numbers), self.center, numbers))):
            out[:, j] = feature
        return {}

    def of(self, x: Any) -> Iterator[Any]:
        """The features of numbers x that are there; x may be a symbol."""
        z = np.clip(x / self.scale - self.center / self.scale, -1e9, 1e9)
        yield z / np.sqrt(1 + (z / 3) ** 2)
        for low, high in pairwise(self.edges):
            yield np.clip((x / 2 - low / 2) / (high / 2 - low / 2 or 1), 0, 1) - 0.5  # nothing overflows


@dataclass(frozen=True)
class Levels:
    """A category of many levels: one-hot for the most frequent, ln(1 + rows of the level), and for each output the mean
    of the target in the level, drawn to the mean of all as by `PRIOR` rows more (Micci-Barreca 2001). A level that
    training did not have is as one of no rows. Training rows have means that their own part was left out of."""

    kind: ClassVar[str] = "many levels"
    name: str
    levels: list[str]  # by frequency
    rows: list[float]
    means: list[list[float]]  # a row for each level, standardised
    shown: int
    was: str
    marked: bool

    @classmethod
    def fit(cls, name: str, column: Column, weight: Array, max_levels: int, targets: Array) -> "Levels":
        counts, marked = counted_levels(column, weight)
        new = cls(name, [*counts], [*counts.values()], [], max_levels, column.kind, marked)
        return replace(new, means=new.means_of(column, weight, targets).tolist())

    def means_of(self, column: Column, weight: Array, targets: Array) -> Array:
        """Each level's mean of the targets, (rows, outputs), smoothed, in standard deviations from the mean of all."""
        code, n = self.codes(levels_of(column.values, self.was)), len(self.levels)
        mean, std = np.array([moments(target, weight) for target in targets.T]).reshape(-1, 2).T
        known, z = code < n, (targets - mean) / np.where(std > 0, std, 1)
        rows = np.bincount(code[known], weight[known], n)
        sums = np.array([np.bincount(code[known], weight[known] * each[known], n) for each in z.T])
        return np.asarray((sums.reshape(-1, n) / (rows + PRIOR)).T)

    def codes(self, levels: list[str | None]) -> Array:
        """Each level's place, behind all for one that is not known, or missing."""
        places, new = places_of(self.levels, levels), len(self.levels)
        return np.array([new if level is None else places.get(level, new) for level in levels], np.intp)

    @property
    def features(self) -> list[str]:
        shown = [f"{self.name} = {level}" for level in self.levels[: self.shown]]
        return [*shown, f"{self.name} rows", *(f"{self.name} mean {j}" for j in range(len(self.means[0])))]

    @property
    def done(self) -> str:
        what = f"{len(self.levels)} levels: the most frequent {self.shown} one-hot, rows, and the target's means"
        return what + ", missing" * self.marked

    def fill(self, column: Column, out: Array, place: Place) -> dict[str, int]:
        levels = levels_of(column.values, self.was)
        code = self.codes(levels)
        rows = np.flatnonzero(code < self.shown)
        out[rows, code[rows]] = 1
        out[:, self.shown] = np.log1p([*self.rows, 0.0])[code] / 3  # which brings it among the other features' sizes
        means = np.array(self.means)
        means = np.vstack([means, np.zeros(means.shape[1])])  # of a level that is not known: that of all
        out[:, self.shown + 1 : self.shown + 1 + means.shape[1]] = 3 * means[code]
        new = len(self.levels)
        return Counter(each for each, c in zip(levels, code.tolist(), strict=True) if each is not None and c == new)


Encoder = Number | Category | Date | Scaled | Levels
KINDS: dict[str, type[Encoder]] = {kind.kind: kind for kind in (Number, Category, Date, Scaled, Levels)}


def features_of(encoder: Encoder) -> list[str]:
    """The names of its features; where training had missing values, the last one marks them."""
    return encoder.features + [f"{encoder.name} is missing"] * encoder.marked


# ── files ──

LEVELS_OF = one_of("number", "text", "truth", "date")  # what the column of a category was


def _differ(where: str, names: Sequence[Any]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{where} must be different from each other")


def _fits_levels(where: str, said: Any) -> None:
    levels, rows, means, shown = (said[name] for name in ("levels", "rows", "means", "shown"))
    if not len(levels) == len(rows) == len(means) >= max(1, shown) or len({len(each) for each in means}) != 1:
        raise ValueError(f"{where} must have rows and means for each of its levels, {shown} of them shown")


def _rise(where: str, edges: Any) -> None:
    check([finite], edges, where)
    if edges and (len(edges) < 2 or any(low >= high for low, high in pairwise(edges))):
        raise ValueError(f"{where} must be two or more numbers that rise")


_levels = both([str], _differ)
_days = partial(number, low=-1e8, high=1e8)
SHAPES: dict[str, Shape] = {
    "number": object_of(Number, std=positive),
    "category": object_of(Category, levels=_levels, was=LEVELS_OF),
    "date": object_of(Date, mean=_days, std=positive),
    "scaled number": object_of(Scaled, scale=positive, edges=_rise),
    "many levels": both(object_of(Levels, levels=_levels, rows=[not_negative], was=LEVELS_OF), _fits_levels),
}
COLUMN = tagged("kind", SHAPES, "kind of column")
