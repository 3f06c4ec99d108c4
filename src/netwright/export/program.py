"""What a trained model computes, from a row of a table to labels and numbers, with nothing said of any language.

A writer for a language needs no more than this. Everything is said by four things: the columns' features, which are
expressions of a number or a row of a small table for a text; the networks, W, b and an expression each layer; how their
outputs are mixed; and the targets that they speak for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from netwright.core.activations import Activation, Softmax
from netwright.core.arguments import Array
from netwright.core.dropout import Dropout
from netwright.core.layer import Layer
from netwright.export.expression import Expression, Untold, told, value
from netwright.tables.column import Column
from netwright.tables.encoders import DAY, Category, Date, Encoder, Levels, Scaled
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.text import NULLS
from netwright.tables.truth import WORDS, places_of, truths

Answers = tuple[Array, Array | None]  # as `Program.answers` says

X = "x"  # the variable of a column's features: its number, or of a date the microseconds since 1970
Z = "z"  # the variable of an activation


@dataclass(frozen=True)
class NumberColumn:
    """`features` are expressions of x, or constants; of a missing value they are the numbers `missing`.

    kind: "number", or "date", whose x is the microseconds since 1970-01-01.
    """

    name: str
    kind: str
    features: "tuple[Expression | float, ...]"
    missing: tuple[float, ...]
    middle: float  # of training's values, and about how far they are from it
    spread: float
    edges: tuple[float, ...] = ()  # where the features bend


@dataclass(frozen=True)
class TextColumn:
    """The features are the row of `rows`, (places, features), whose place `codes` has for the text.

    One that it does not have, without the spaces around it either, is in place `unseen`; no text at all in place
    `missing`. `was`: the column's kind in training, "text", "number", "truth" or "date"; a number 3.0 is spelled "3".
    """

    name: str
    was: str
    codes: dict[str, int]
    rows: Array
    unseen: int
    missing: int


@dataclass(frozen=True)
class Dense:
    """A = f(W·A1 + b). `f` is an expression of z for each number, or None for a softmax of each of `blocks` rows.

    activation: its name in netwright.
    """

    W: Array
    b: Array
    f: Expression | None
    activation: str
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Target:
    """What the outputs from `first` on say, so many of them: a number, mean + std · A, or the classes' probabilities.

    Of two classes one output is the probability of the second, which is predicted above one half; else there are as
    many outputs as classes, and the first with the highest is.
    """

    name: str
    first: int
    outputs: int
    classes: tuple[Any, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    @property
    def values(self) -> int:
        """How many numbers it gives."""
        return max(len(self.classes), 1)

    @property
    def binary(self) -> bool:
        """Whether one output speaks for two classes."""
        return len(self.classes) == 2 and self.outputs == 1

    @property
    def standardised(self) -> bool:
        """Whether it is a number in a unit of its own."""
        return not self.classes and (self.mean, self.std) != (0, 1)


@dataclass(frozen=True)
class Program:
    """`columns` make the inputs, one below the other; without columns they are the `inputs` numbers of x.

    The mixture is Σ share · network, then to the power of `exponent` and normalised, then cut to `limits`. All is
    computed in `dtype`. `answers`: the model's own, (values, labels), for a table of columns or for x, (rows, inputs):
    values (rows, numbers of all targets), labels (rows, targets with classes) as places in their classes, or None.
    """

    inputs: int
    networks: tuple[tuple[Dense, ...], ...]
    shares: tuple[float, ...]
    targets: tuple[Target, ...]
    dtype: str
    answers: Callable[[Any], tuple[Array, Array | None]] = field(repr=False)
    columns: tuple[NumberColumn | TextColumn, ...] = ()
    names: tuple[str, ...] = ()  # of the inputs, where there are no columns
    exponent: float = 1.0
    limits: tuple[float, float] | None = None
    title: str = ""

    @property
    def outputs(self) -> int:
        return len(self.networks[0][-1].b)

    @property
    def places(self) -> list[tuple[int, int]]:
        """(first, behind the last) of the inputs that each column makes."""
        ends = np.cumsum([0, *(len(features) for features in map(_missing_of, self.columns))]).tolist()
        return list(pairwise(ends))

    @property
    def labelled(self) -> list[Target]:
        """The targets with classes."""
        return [target for target in self.targets if target.classes]


def _missing_of(column: NumberColumn | TextColumn) -> Any:
    return column.missing if isinstance(column, NumberColumn) else column.rows[0]


# ── from a model's parts ─────────────────────────────────────────────────────────────────────────────────────────────


def networks_of(predictor: Any) -> dict[str, Any]:
    """A `Program`'s networks and how they are mixed: of a network, of a list of them (their mean), or of a mixture.

    Dropout leaves nothing to compute. ValueError for an activation that nobody can tell.
    """
    if isinstance(predictor, list):
        networks, said = predictor, dict[str, Any](shares=(1 / len(predictor),) * len(predictor))
    elif hasattr(predictor, "networks"):
        networks, said = predictor.networks, {"shares": tuple(predictor.shares), "exponent": predictor.exponent}
        said["limits"] = None if predictor.limits is None else tuple(predictor.limits)
    else:
        networks, said = [predictor], {"shares": (1.0,)}
    layers = [[layer for layer in network.layers if not isinstance(layer, Dropout)] for network in networks]
    return said | {"networks": tuple(tuple(map(_dense, each)) for each in layers), "dtype": networks[0].dtype.name}


def constant(A: Array, inputs: int) -> dict[str, Any]:
    """What `networks_of` gives, of a model that says A, (outputs,), whatever its inputs are."""
    layer = Dense(np.zeros((len(A), inputs), A.dtype), A, Expression(Z), "identity")
    return {"networks": ((layer,),), "shares": (1.0,), "dtype": A.dtype.name}


def _dense(layer: Layer) -> Dense:
    if not isinstance(layer, Layer):
        raise ValueError(f"a layer of the kind {type(layer).__name__} cannot be exported")
    f, W, b = layer.activation, layer.W.copy(), layer.b[:, 0].copy()
    if isinstance(f, Softmax):
        return Dense(W, b, None, f.name, f.blocks or (layer.neurons,))
    return Dense(W, b, expression_of(f), f.name)


def expression_of(activation: Activation) -> Expression:
    """A = f(z). ValueError when f does what no other language could be told."""
    try:
        return told(activation.f, Z)
    except Untold as error:
        raise ValueError(
            f"the activation {activation.name!r} cannot be exported, in any format: {error}; its f must be made of "
            f"arithmetic and of NumPy's exp, log, tanh, sqrt, maximum, where and the like"
        ) from None


def columns_of(encoder: TableEncoder) -> tuple[NumberColumn | TextColumn, ...]:
    """The columns that the encoder uses, in its order."""
    return tuple(map(_column_of, encoder.columns))


def unused(name: str) -> TextColumn:
    """A column that may hold anything: a program has to have one, to be given rows."""
    return TextColumn(name, "text", {}, np.zeros((2, 1)), 0, 1)


def _column_of(encoder: Encoder) -> NumberColumn | TextColumn:
    if isinstance(encoder, Category | Levels):
        return _texts(encoder)
    given = Expression(X)
    features = [*(_of_date(encoder, given) if isinstance(encoder, Date) else encoder.of(given))]
    gap = np.array([np.datetime64("NaT", "us") if isinstance(encoder, Date) else np.nan])
    missing = (*_filled(encoder, gap)[0].tolist(), *[1.0] * encoder.marked)
    unit, kind = (DAY, "date") if isinstance(encoder, Date) else (1, "number")
    middle, spread = (encoder.center, encoder.scale) if isinstance(encoder, Scaled) else (encoder.mean, encoder.std)
    edges = tuple(encoder.edges) if isinstance(encoder, Scaled) else ()
    features += [0.0] * encoder.marked
    return NumberColumn(encoder.name, kind, tuple(features), missing, middle * unit, spread * unit, edges)


def _filled(encoder: Encoder, values: Array) -> Array:
    """The encoder's own features of these values, (values, features)."""
    out = np.zeros((len(values), len(encoder.features)))
    encoder.fill(Column(values), out, "index {}".format)
    return out


def _of_date(encoder: Date, t: Expression) -> Iterator[Any]:
    """Of microseconds since 1970: what `Date.parts` finds by NumPy's calendar (H. Hinnant, days to a civil date)."""
    whole = np.floor(t / DAY)
    whole = np.where(t - whole * DAY < 0, whole - 1, whole)  # the quotient may round up to the next midnight
    rest = t - whole * DAY
    shifted = whole + 719468
    era = np.floor(shifted / 146097)
    day = shifted - era * 146097
    year = np.floor((day - np.floor(day / 1460) + np.floor(day / 36524) - np.floor(day / 146096)) / 365)
    of_year = day - (365 * year + np.floor(year / 4) - np.floor(year / 100))
    march = np.floor((5 * of_year + 2) / 153)  # months since March
    month = np.where(march < 10, march + 2, march - 10)
    week = whole - np.floor(whole / 7) * 7
    return encoder.of(t / DAY, month / 12, rest / DAY, week / 7)


def _texts(encoder: Category | Levels) -> TextColumn:
    levels: list[str] = encoder.levels
    known = places_of(levels, _other_spellings(levels))
    codes = dict(sorted((each, place) for each, place in known.items() if each is not None))
    unseen, missing = len(levels), len(levels) + 1
    strange = next(name for name in map("(new {})".format, range(len(levels) + 1)) if name not in codes)
    values = np.array([*levels, strange, None], dtype=object)
    # As `fill` sees them: what was a number or a truth value is spelled as such already.
    rows = _filled(encoder, values)
    if encoder.marked:
        rows = np.column_stack([rows, [0.0] * (len(levels) + 1) + [1.0]])
        if not (isinstance(encoder, Category) and encoder.other):
            codes |= {gap: missing for gap in NULLS if gap not in codes}
    return TextColumn(encoder.name, encoder.was, codes, rows, unseen, missing)


def _other_spellings(levels: list[str]) -> list[str]:
    """What may stand for a level beside itself: without its spaces; of truth, each word as people write it."""
    words = [spelled for word in WORDS for spelled in (word, word.upper(), word.title())] if truths(levels) else []
    return [*(level.strip() for level in levels), *words, *(["0", "1"] if words else [])]


def frame_of(columns: Sequence[NumberColumn | TextColumn], table: Mapping[str, Sequence[Any]]) -> Frame:
    """A table of `inputs_of`'s convention as the model's encoder takes it."""
    frame = dict[str, Array]()
    for column in columns:
        given = list(table[column.name])
        if isinstance(column, TextColumn):
            frame[column.name] = np.array([*given, None], dtype=object)[:-1]
        elif column.kind == "date":
            frame[column.name] = np.array([np.datetime64("NaT") if t is None else np.datetime64(int(t), "us")
                                             for t in given], "datetime64[us]")  # fmt: skip
        else:
            frame[column.name] = np.array([np.nan if x is None else x for x in given], np.float64)
    return Frame(frame)


# ── what it computes, by NumPy: the reference of the writers ─────────────────────────────────────────────────────────


def inputs_of(program: Program, table: Mapping[str, Sequence[Any]]) -> Array:
    """(inputs, rows): numbers are floats or None, dates microseconds or None, texts strings or None."""
    parts = []
    for column in program.columns:
        given = list(table[column.name])
        if isinstance(column, TextColumn):
            parts.append(column.rows[[_place(column, each) for each in given]].T)
            continue
        x = np.array([np.nan if each is None else each for each in given], np.float64)
        gone = np.isnan(x)
        for feature, missing in zip(column.features, column.missing, strict=True):
            parts.append(np.where(gone, missing, value(feature, **{X: np.where(gone, 0.0, x)}))[None])
    return np.vstack(parts)


def _place(column: TextColumn, given: str | None) -> int:
    if given is None:
        return column.missing
    return column.codes.get(given, column.codes.get(given.strip(), column.unseen))


def run(program: Program, given: Any) -> tuple[Array, Array | None]:
    """(values, labels) as `Program.answers`, from the description alone."""
    A1 = inputs_of(program, given) if program.columns else np.asarray(given, program.dtype).T
    A1 = A1.astype(program.dtype)
    A: Any = 0
    for share, layers in zip(program.shares, program.networks, strict=True):
        out = A1
        for layer in layers:
            out = layer.W @ out + layer.b[:, None]
            out = softmax(out, layer.blocks) if layer.f is None else value(layer.f, **{Z: out})
        A = A + share * out
    if program.exponent != 1:
        P = np.clip(A, 1e-12, 1)
        powers = P**program.exponent
        other = np.clip(1 - P, 1e-12, 1) ** program.exponent if len(P) == 1 else 0
        A = powers / (powers.sum(axis=0) + other)
    if program.limits is not None:
        A = np.clip(A, *program.limits)
    values, labels = [], []
    for target in program.targets:
        own = A[target.first : target.first + target.outputs]
        if not target.classes:
            values.append(target.mean + target.std * own)
            continue
        values.append(np.vstack([1 - own, own]) if target.binary else own)
        labels.append((own[0] > 0.5).astype(int) if target.binary else own.argmax(axis=0))
    return np.vstack(values).T, np.array(labels).T if labels else None


def softmax(A: Array, blocks: tuple[int, ...]) -> Array:
    """Of each block of rows, one below the other."""
    parts = []
    for part in np.split(A, np.cumsum(blocks)[:-1]):
        e = np.exp(part - part.max(axis=0))
        parts.append(e / e.sum(axis=0))
    return np.vstack(parts)
