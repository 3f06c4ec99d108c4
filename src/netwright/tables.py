"""A table as arrays, and back: encoders that are fitted once and travel in the model file as plain JSON.

Every column gets one decision at training (a number, categories, a date, or left out and why), and that decision makes
the same features of any later table. In the arrays a column is a sample, as everywhere in the core.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netwright.reading import Frame, Place, as_column, kind_of, spelling
from netwright.table import did_you_mean

Array = NDArray[Any]
Unseen = dict[str, list[str]]

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
    if weight is None:
        return np.ones(n_rows)
    weight = np.asarray(weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(f"weight has shape {weight.shape}; one weight for each of the {n_rows} rows is needed")
    if not np.all(np.isfinite(weight) & (weight >= 0)) or (n_rows and not weight.any()):
        raise ValueError("weights are finite, not negative, and not all zero")
    return weight


def numbers_of(name: str, values: Array, place: Place) -> Array:
    """A column as float64, NaN where missing. ValueError for a text that is no number, a date, or an infinity."""
    kind = kind_of(values)
    if kind == "date":
        raise ValueError(f"column {name!r} holds dates; it held numbers in training")
    if kind != "number":
        numbers = np.full(len(values), np.nan)
        for row, value in enumerate(values):
            try:
                numbers[row] = np.nan if value is None else value
            except ValueError:
                raise ValueError(f"column {name!r}, {place(row)}: {value!r} is not a number") from None
        values = numbers
    for row in np.flatnonzero(np.isinf(values))[:1]:
        raise ValueError(f"column {name!r}, {place(int(row))}: the value is {values[row]}, not a finite number")
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
    """(x - mean) / std; a missing value becomes the mean and, where training had one, a mark in a second feature."""

    kind: ClassVar[str] = "number"
    name: str
    mean: float
    std: float
    marked: bool

    @classmethod
    def fit(cls, name: str, values: Array, weight: Array) -> "Number":
        known = ~np.isnan(values)
        mean, std = moments(values[known], weight[known])
        return cls(name, mean, std or 1.0, not known.all())

    @property
    def features(self) -> list[str]:
        return [self.name] + [f"{self.name} is missing"] * self.marked

    @property
    def done(self) -> str:
        return f"(x - {self.mean:.4g}) / {self.std:.4g}" + ", missing: the mean and a mark" * self.marked

    def fill(self, frame: Frame, out: Array, unseen: Unseen | None) -> None:
        """The features into out, shape (n_rows, n_features)."""
        values = numbers_of(self.name, frame.column(self.name), frame.place)
        missing = np.isnan(values)
        out[:, 0] = np.where(missing, 0, (values - self.mean) / self.std)
        if self.marked:
            out[:, 1] = missing


@dataclass(frozen=True)
class Category:
    """One-hot: a feature for each level, one for all others if training had too many, one for a missing value."""

    kind: ClassVar[str] = "category"
    name: str
    levels: list[str]
    other: bool
    marked: bool
    was: str

    @classmethod
    def fit(cls, name: str, values: Array, weight: Array, max_levels: int) -> "Category":
        was, counts, marked = kind_of(values), dict[str, float](), False
        for level, count in zip(levels_of(values, was), weight.tolist(), strict=True):
            if level is None:
                marked = True
            else:
                counts[level] = counts.get(level, 0) + count
        kept = sorted(counts, key=lambda level: (-counts[level], level))[:max_levels]
        return cls(name, sorted(kept), len(counts) > len(kept), marked, was)

    @property
    def features(self) -> list[str]:
        shown = [f"{self.name} = {level}" for level in self.levels + [OTHER] * self.other]
        return shown + [f"{self.name} is missing"] * self.marked

    @property
    def done(self) -> str:
        return f"one-hot, {len(self.levels)} levels" + ", others together" * self.other + ", missing" * self.marked

    def fill(self, frame: Frame, out: Array, unseen: Unseen | None) -> None:
        """The features into out; a level that training did not have becomes (other), or else zeros, and is told."""
        codes: dict[str | None, int] = {level: code for code, level in enumerate(self.levels)}
        unknown = len(self.levels) if self.other else -1
        codes[None] = len(self.levels) + self.other if self.marked else -1
        levels = levels_of(frame.column(self.name), self.was)
        code = np.array([codes.get(level, unknown) for level in levels], dtype=np.intp)
        out[:] = 0
        rows = np.flatnonzero(code >= 0)
        out[rows, code[rows]] = 1
        # What "(other)" takes up may be new or merely rare: the model does not keep the rare levels' names.
        if unseen is not None and not self.other:
            new = [level for level in dict.fromkeys(levels) if level is not None and level not in codes]
            unseen.update({self.name: new} if new else {})


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
        known = ~np.isnat(values)
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
        names = ["days"] + [f"{circle} {part}" for circle in circles for part in ("sin", "cos")]
        return [f"{self.name} {name}" for name in names] + [f"{self.name} is missing"] * self.marked

    @property
    def done(self) -> str:
        start = np.datetime64(int(self.mean), "D")
        return f"(days since {start}) / {self.std:.4g}" + ", month" * self.month + ", hour" * self.hour

    def fill(self, frame: Frame, out: Array, unseen: Unseen | None) -> None:
        """The features into out, shape (n_rows, n_features)."""
        values = frame.column(self.name)
        missing = np.array([v is None or v != v for v in values], dtype=bool)
        if values.dtype.kind != "M" and not missing.all():
            row = int(np.flatnonzero(~missing)[0])
            raise ValueError(f"column {self.name!r}, {frame.place(row)}: {spelling(values[row])!r} is not a date")
        out[:] = 0
        days, month, hour = self.parts(values[~missing].astype("datetime64[us]"))
        circles = [month] * self.month + [hour] * self.hour
        turns = [part(2 * np.pi * circle) for circle in circles for part in (np.sin, np.cos)]
        for j, feature in enumerate([(days - self.mean) / self.std, *turns]):
            out[~missing, j] = feature
        if self.marked:
            out[:, -1] = missing


Column = Number | Category | Date
KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Number, Category, Date)}


def _decide(name: str, frame: Frame, weight: Array, categorical: bool, max_levels: int) -> Column | str:
    """What becomes of one column: its features, or why it is left out."""
    values, kind = frame.columns[name], frame.kind(name)
    missing = np.array([v is None for v in values]) if values.dtype == object else np.isnan(values)
    known = values[~missing]
    rows = float(weight[~missing].sum())  # copies of a row are no new values, and weight k is k copies
    distinct = len(set(known.tolist()))
    if not distinct:
        return "no row has a value"
    if distinct == 1 and not missing.any():
        return f"every row has the same value, {spelling(known[0])!r}"
    if categorical:
        return Category.fit(name, values, weight, max_levels)
    telling = distinct > MANY
    if kind == "number":
        numbers_of(name, values, frame.place)
        once = len(known) == distinct and rows < distinct + 0.5 and not missing.any()
        if telling and once and np.ptp(known) == distinct - 1 and np.all(known == np.floor(known)):
            return f"it numbers the rows, from {spelling(known.min())} to {spelling(known.max())}"
        return Number.fit(name, values, weight)
    if kind == "date":
        return Date.fit(name, values, weight)
    if kind == "text" and telling and distinct > 0.9 * rows:
        return f"it names the rows: {distinct} different texts in {len(known)} rows"
    return Category.fit(name, values, weight, max_levels)


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
        if max_levels < 1:
            raise ValueError(f"max_levels is {max_levels}; a column of categories needs 1 or more")
        weight = weights_of(frame.n_rows, weight)
        if not weight.all():
            frame, weight = frame.take(weight > 0), weight[weight > 0]
        columns, dropped = list[Column](), list[tuple[str, str]]()
        for name in frame.names:
            made = _decide(name, frame, weight, name in categorical, max_levels)
            if isinstance(made, str):
                dropped.append((name, made))
            else:
                columns.append(made)
        if not columns:
            reasons = "; ".join(f"{name!r}: {why}" for name, why in dropped) or "there is none"
            raise ValueError(f"no column can be learned from ({reasons})")
        return cls(columns, dropped)

    @property
    def feature_names(self) -> list[str]:
        return [feature for column in self.columns for feature in column.features]

    @property
    def notes(self) -> list[str]:
        """One sentence for each column that is left out."""
        return [f"column {name!r} is left out: {why}" for name, why in self.dropped]

    def describe(self) -> list[tuple[str, str, str, list[str]]]:
        """(column, kind, what was done, features made) for every column of the training table."""
        used = [(column.name, column.kind, column.done, column.features) for column in self.columns]
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
            hint = "".join(did_you_mean(name, free) for name in absent[:1])
            called = ("column " if len(absent) == 1 else "columns ") + ", ".join(map(repr, absent))
            raise ValueError(f"{frame.path or 'the table'} has no {called}, which training had; {hint}".rstrip("; "))
        out = np.empty((frame.n_rows, len(self.feature_names)))
        start = 0
        for column in self.columns:
            stop = start + len(column.features)
            column.fill(frame, out[:, start:stop], unseen)
            start = stop
        return out.T

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: floats come back to the bit."""
        columns = [{"kind": column.kind, **asdict(column)} for column in self.columns]
        return {"columns": columns, "dropped": [list(pair) for pair in self.dropped]}

    @classmethod
    def from_dict(cls, data: Any) -> "TableEncoder":
        """The encoder that `to_dict` described. ValueError for anything else."""
        columns = []
        for each in _checked(data, "table encoder", {"columns": list, "dropped": list})["columns"]:
            kind = each.get("kind") if isinstance(each, Mapping) else None
            if not isinstance(kind, str) or kind not in KINDS:
                raise ValueError(f"table encoder: {kind!r} is no kind of column; known are {', '.join(KINDS)}")
            types = {"kind": str} | {field.name: field.type for field in fields(KINDS[kind])}
            given = _checked(each, f"table encoder, {kind} column", types)
            columns.append(KINDS[kind](**{key: value for key, value in given.items() if key != "kind"}))
        pairs = data["dropped"]
        if not all(isinstance(pair, list) and [type(text) for text in pair] == [str, str] for pair in pairs):
            raise ValueError("table encoder: 'dropped' is a list of pairs, column and reason")
        dropped = [(name, why) for name, why in pairs]
        names = [column.name for column in columns] + [name for name, _ in dropped]
        if not columns or len(set(names)) < len(names):
            raise ValueError("table encoder: it has no column, or one of them twice")
        return cls(columns, dropped)


def _checked(data: Any, what: str, types: Mapping[str, Any]) -> dict[str, Any]:
    """The dict, once it has exactly these keys, each of its type; a file may have been tampered with."""
    if not isinstance(data, Mapping) or set(data) != set(types):
        raise ValueError(f"{what}: a dict with the keys {', '.join(types)} is needed")
    for key, kind in types.items():
        value = data[key]
        if kind is float:
            right = type(value) in (int, float) and abs(value) <= float(np.finfo(float).max)
            right = right and (key != "std" or value > 0)
        elif kind == list[str]:
            right = isinstance(value, list) and all(isinstance(v, str) for v in value) and len(set(value)) == len(value)
        else:
            right = isinstance(value, kind)
        if not right:
            raise ValueError(f"{what}: {key!r} is {value!r}, which it cannot be")
    return dict(data)


# ── the target ──


def decide_task(values: Array) -> tuple[str, str]:
    """('classification' or 'regression', the reason as a sentence) for a target column without missing values."""
    kind = kind_of(values)
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
        """From a Frame's column or any sequence, shape (n,); `standardise=False` keeps a regression's values.

        ValueError for missing or infinite values, dates, a single class, a constant, and text to regress on.
        """
        values = as_column(name, values, place=place)
        weight = weights_of(len(values), weight)
        _refuse_missing(name, values, place)
        used, weight = values[weight > 0], weight[weight > 0]
        kind = kind_of(values)
        if kind == "date":
            raise ValueError(f"the target {name!r} is a date; take a number, or a class")
        reason = "as asked"
        if task is None:
            task, reason = decide_task(used)
        if task not in ("classification", "regression"):
            raise ValueError(f"unknown task {task!r}; choose classification or regression")
        if task == "regression" and kind != "number":
            raise ValueError(
                f"the target {name!r} is {kind}, {spelling(values[0])!r} on {place(0)}; regression needs numbers"
            )
        if kind == "number":
            numbers_of(name, values, place)
        classes = sorted(set(used.tolist()))
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
        values = as_column(self.name, values, place=place)
        _refuse_missing(self.name, values, place)
        was = {float: "number", bool: "truth", str: "text"}[type(self.classes[0])]
        known = {spelling(each): code for code, each in enumerate(self.classes)}
        levels = levels_of(values, was)
        for row, level in enumerate(levels):
            if level not in known:
                raise ValueError(f"{place(row)}: the target {self.name!r} is {level!r}; the classes are {list(known)}")
        return np.array([known[str(level)] for level in levels], dtype=np.intp)

    def encode(self, values: Any, place: Place = "index {}".format) -> Array:
        """Y: regression and two classes (1, n), more classes one-hot (k, n); float64."""
        if self.task == "classification":
            codes = self.codes(values, place)
            if len(self.classes) == 2:
                return codes[np.newaxis].astype(np.float64)
            Y = np.zeros((len(codes), len(self.classes)))
            Y[np.arange(len(codes)), codes] = 1
            return Y.T
        values = as_column(self.name, values, place=place)
        _refuse_missing(self.name, values, place)
        return ((numbers_of(self.name, values, place) - self.mean) / self.std)[np.newaxis]

    def decode(self, A: Array) -> Array:
        """Predictions, shape (n,), from the network's output (1, n) or (k, n): values, or the most probable classes."""
        if self.task == "regression":
            return np.asarray(self.mean + self.std * A[0])
        code = (A[0] > 0.5).astype(np.intp) if len(self.classes) == 2 and len(A) == 1 else A.argmax(axis=0)
        classes = np.array(self.classes, dtype=np.float64 if isinstance(self.classes[0], float) else object)
        return np.asarray(classes[code])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: floats come back to the bit, classes as what they are."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> "TargetEncoder":
        """The encoder that `to_dict` described. ValueError for anything else."""
        types = {field.name: list if field.name == "classes" else field.type for field in fields(cls)}
        given = _checked(data, "target encoder", types)
        classes, task = given["classes"], given["task"]
        kinds = {type(each) for each in classes}
        if task not in ("classification", "regression") or (task == "regression" and classes):
            raise ValueError(f"target encoder: {task!r} with classes {classes!r} is no task")
        right = kinds in ({str}, {bool}, {float}) and classes == sorted(set(classes)) and len(classes) > 1
        if task == "classification" and not (right and np.all(np.isfinite([*classes] if kinds == {float} else 0))):
            raise ValueError(f"target encoder: classes are {classes!r}; two or more, sorted, of one kind, are needed")
        return cls(**given)


def _refuse_missing(name: str, values: Array, place: Place) -> None:
    rows = [row for row, value in enumerate(values) if value is None or value != value]
    if rows:
        raise ValueError(
            f"the target {name!r} is missing in {len(rows)} of {len(values)} rows, first on {place(rows[0])}; drop them"
        )


def split_rows(
    n_rows: int, fraction: float, rng: np.random.Generator, classes: Array | None = None
) -> tuple[Array, Array]:
    """(training rows, validation rows), both sorted; `fraction` of the rows, at least one, validate.

    With class numbers, shape (n_rows,), every class has its share in both, and at least one row in training.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the validation fraction is {fraction}; it lies between 0 and 1")
    kinds = np.zeros(n_rows) if classes is None else np.asarray(classes)
    groups = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    sizes = np.array([len(rows) for rows in groups])
    spare = sizes - 1
    wanted = max(1, round(n_rows * fraction))
    if spare.sum() < wanted:
        raise ValueError(f"{n_rows} rows of {len(groups)} classes are too few to set {wanted} of them aside")
    share = sizes * (wanted / n_rows)
    taken = np.minimum(np.floor(share).astype(np.intp), spare)
    while taken.sum() < wanted:  # what rounding down left over goes to the largest remainders
        taken[np.argmax(np.where(taken < spare, share - taken, -np.inf))] += 1
    chosen = [rng.permutation(rows)[:count] for rows, count in zip(groups, taken, strict=True)]
    validation = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(n_rows), validation), validation
