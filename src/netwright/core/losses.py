"""Losses: how far the outputs are from the targets, and the derivative dZ.

A loss works on the output layer's pre-activation Z and owns the output link, A = link(Z), so that dZ is the plain
A - Y where the two belong together and nothing overflows however large Z is. Z, A, Y are (outputs, samples); `value`
and `dZ` are elementwise; a sample's loss is the sum over its outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, EXP_MAX, Softmax, by_blocks, differences, softplus, spelt
from netwright.core.arguments import Array, brief, number, numbers, whole
from netwright.core.links import LINKS, within
from netwright.core.registry import Registry

CLOSE = 1e-6  # a residual below which a kink's curvature grows no more
MANY = 1000  # outputs of a family's loss, whose code has been checked with fewer

# ── the article's pair ───────────────────────────────────────────────────────────────────────────────────────────────


def logloss(y: Any, a: Any) -> Array:
    """-(y·log a + (1 - y)·log(1 - a)) for outputs a of a sigmoid; finite at a = 0 and a = 1. Elementwise."""
    y, a = _pair(y, a)
    return -(y * np.log(a) + (1 - y) * np.log(1 - a))


def d_logloss(y: Any, a: Any) -> Array:
    """The derivative of logloss by a, (a - y) / (a·(1 - a)); finite at a = 0 and a = 1. Elementwise."""
    y, a = _pair(y, a)
    return (a - y) / (a * (1 - a))


def _pair(y: Any, a: Any) -> tuple[Array, Array]:
    """y and a, kept one rounding step away from 0 and 1; ValueError when they are no numbers, or not as many."""
    y, a = numbers("y", y), np.asarray(numbers("a", a))
    try:
        np.broadcast_shapes(np.shape(y), a.shape)
    except ValueError:
        raise ValueError(f"y and a must go together: y has shape {np.shape(y)}, a {a.shape}") from None
    return y, within(a if a.dtype.kind == "f" else a.astype(np.float64))


# ── what a row holds ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Loss:
    """value(Z, Y) is each output's loss, dZ(Z, A, Y) its derivative by Z, where A = link(Z).

    Your own works wherever a name does: `Loss("cubic", lambda Z, Y: abs(Z - Y)**3 / 3, lambda Z, A, Y: (Z - Y) *
    abs(Z - Y))`. When it is made, dZ is compared with a numeric derivative; ValueError says where they differ. `link`
    names the activation that turns Z into outputs; `targets` is what Y must be (a key of `TARGETS`); `scores` names
    what validation reports beside the cost (`scores.py`).

    `curvature(Z, A, Y)` is what Levenberg-Marquardt asks for beside dZ: h, d²value/dZ² of each output, at least 0, or
    where that jumps the curvature of a parabola that touches the loss at Z and lies nowhere below it. Where the link is
    a softmax, the second derivatives of a block are diag(h) - h·hᵀ. None: that solver refuses the loss.

    What else is known of a row: `formula`, the loss of an output {A} and its derivative by {A}, as a teacher writes
    them; `kinks`, whether dZ jumps, so that a solver cannot trust its curvature; `scales`, whether it only changes its
    unit with the target's, which may then be standardised; `delta`, a residual in the target's unit that it hangs on.
    """

    name: str
    value: Callable[[Any, Any], Any]
    dZ: Callable[[Any, Any, Any], Any]
    link: str = "identity"
    targets: str = "real"
    scores: tuple[str, ...] = ("r2",)
    formula: tuple[str, str] = ("", "")
    kinks: bool = False
    scales: bool = False
    delta: float | None = None
    curvature: Callable[[Any, Any, Any], Any] | None = None

    def __post_init__(self) -> None:
        check_loss(self)

    @property
    def softmax(self) -> bool:
        """Whether the link ties the outputs of a sample together."""
        return isinstance(ACTIVATIONS[self.link], Softmax)

    @property
    def blocks(self) -> tuple[int, ...]:
        """The rows of each class target, where the link is a softmax by blocks."""
        link = ACTIVATIONS[self.link]
        return link.blocks if isinstance(link, Softmax) else ()

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that the rows of Z have in turn, where `value` and `dZ` are `InTurn`."""
        return self.value.numbers if isinstance(self.value, InTurn) else ()

    def check_outputs(self, outputs: int) -> None:
        """ValueError when a network with so many outputs cannot have this loss."""
        try:
            ACTIVATIONS[self.link].check_neurons(outputs)
        except ValueError as error:
            raise ValueError(f"the loss {self.name!r}: {error}") from None
        if self.numbers and outputs % len(self.numbers):
            raise ValueError(
                f"the loss {self.name!r} has {len(self.numbers)} numbers, an output for each in turn: the outputs must "
                f"be a multiple of {len(self.numbers)}, got {outputs}"
            )

    def check_targets(self, Y: Array) -> None:
        """ValueError when Y, (outputs, samples), is not of the kind that this loss learns from."""
        right, fits = TARGETS[self.targets]
        ok = by_blocks(fits, self.blocks, Y)
        if not ok.all():
            row, column = np.argwhere(np.broadcast_to(~ok, Y.shape))[0]
            each = " in each block" if self.blocks else ""
            raise ValueError(f"{self.name} needs {right}{each}; Y[{row}, {column}] is {Y[row, column]:g}")

    def mean(self, A: Array, Y: Array, weight: Array | None = None) -> float:
        """The mean over the samples of what outputs A of the link, (outputs, samples) or (outputs, 1), lose."""
        Z = LINKS[self.link].back(A)[0]
        return float(np.average(self.value(Z + 0 * Y, Y).sum(axis=0), weights=weight))

    def smooth(self, Y: Array, smoothing: float) -> Array:
        """Targets moved towards even odds: Y·(1 - s) + s/classes (Szegedy et al. 2016, section 7)."""
        classes = LINKS[self.link].classes
        return by_blocks(lambda Y: (1 - smoothing) * Y + smoothing / classes(len(Y)), self.blocks, Y)


@dataclass(frozen=True)
class InTurn:
    """A loss's value or dZ that has a number for each row, in turn: the function gets it as its last argument."""

    function: Callable[..., Any]
    numbers: tuple[float, ...]

    def __call__(self, Z: Array, *others: Array) -> Array:
        one = len(self.numbers) == 1
        return self.function(Z, *others, self.numbers[0] if one else self.column(len(Z), Z.dtype))

    def column(self, rows: int, dtype: Any) -> Array:
        """The numbers of so many rows, (rows, 1)."""
        return np.resize(np.array(self.numbers, dtype), (rows, 1))


TARGETS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "real": ("finite numbers", np.isfinite),
    "probability": ("targets between 0 and 1", lambda Y: (Y >= 0) & (Y <= 1)),
    "distribution": (
        "a column of class probabilities for each sample, such as one-hot, that sum to 1",
        lambda Y: (Y >= 0) & (abs(np.ascontiguousarray(Y).sum(axis=0) - 1) < 1e-4),  # quicker with rows in one piece
    ),
    "count": ("targets of at least 0", lambda Y: Y >= 0),
    "partial": ("finite numbers, or NaN for what is not known", lambda Y: ~np.isinf(Y)),
}

# ── the rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _logloss(Z: Array, Y: Array) -> Array:
    return softplus(Z) - Y * Z


def _cross_entropy(Z: Array, Y: Array) -> Array:
    low = Z - np.max(Z, axis=0, keepdims=True)
    return Y * (np.log(np.sum(np.exp(low), axis=0, keepdims=True)) - low)


def _squared_error(Z: Array, Y: Array) -> Array:
    return 0.5 * np.square(Z - Y)


def _masked_squared_error(Z: Array, Y: Array) -> Array:
    return 0.5 * np.square(np.where(Y == Y, Z - Y, 0))


def _masked_difference(Z: Array, A: Array, Y: Array) -> Array:
    return np.where(Y == Y, A - Y, 0)


def _poisson(Z: Array, Y: Array) -> Array:
    z = np.minimum(Z, EXP_MAX)  # past it the loss goes on as a straight line
    return np.exp(z) * (1 + Z - z) - Y * Z + Y * np.log(np.where(Y > 0, Y, 1)) - Y


def _difference(Z: Array, A: Array, Y: Array) -> Array:
    return A - Y


def _known(Z: Array, A: Array, Y: Array) -> Array:
    return np.where(Y == Y, np.ones_like(Z), 0)


def _level(Z: Array, A: Array, Y: Array) -> Array:
    return A


def _odds(Z: Array, A: Array, Y: Array) -> Array:
    return A * (1 - A)


# Where a loss bends at a kink or not at all, the parabola that touches it at Z and -Z and lies above: dZ / (Z - Y) for
# what is symmetric (Huber 1981, section 7.8; de Leeuw & Lange 2009), for a quantile Hunter & Lange 2000, equation 5.


def _per_residual(Z: Array, A: Array, Y: Array) -> Array:
    return 1 / np.maximum(np.abs(Z - Y), CLOSE)


def _huber_curvature(Z: Array, A: Array, Y: Array, delta: Any) -> Array:
    return delta / np.maximum(np.abs(Z - Y), delta)


def _pinball_curvature(Z: Array, A: Array, Y: Array, level: Any) -> Array:
    return 0.5 / np.maximum(np.abs(Z - Y), CLOSE) + 0 * level


def _huber(Z: Array, Y: Array, delta: Any) -> Array:
    q = np.minimum(np.abs(Z - Y), delta)
    return q * (np.abs(Z - Y) - 0.5 * q)


def _d_huber(Z: Array, A: Array, Y: Array, delta: Any) -> Array:
    return np.minimum(np.maximum(Z - Y, -delta), delta)


def _pinball(Z: Array, Y: Array, level: Any) -> Array:
    return np.maximum(level * (Y - Z), (level - 1) * (Y - Z))


def _d_pinball(Z: Array, A: Array, Y: Array, level: Any) -> Array:
    side = np.sign(Z - Y)
    return 0.5 * side + (0.5 - level) * np.abs(side)


def cross_entropy(*blocks: int) -> Loss:
    """-Y·log A for outputs A of a softmax; for each of several class targets at once where `blocks` are given.

    Spelt "cross_entropy:3,2,4" as a name: the first three outputs are the classes of the first target. A sample's loss
    is the sum over the blocks.
    """
    return _cross_entropy_of(tuple(whole("a block of cross_entropy", block) for block in blocks))


@cache
def _cross_entropy_of(blocks: tuple[int, ...]) -> Loss:
    name, link, score = (spelt(each, blocks) for each in ("cross_entropy", "softmax", "accuracy"))
    value = partial(by_blocks, _cross_entropy, blocks)
    kept: Any = {"formula": ("-{Y}·log {A}", ""), "curvature": _level}
    return Loss(name, value, _difference, link, "distribution", (score,), **kept)


def huber(delta: float, /) -> Loss:
    """½r² for a residual |r| up to delta, delta·(|r| - ½delta) beyond (Huber 1964).

    Spelt "huber:1.5" as a name; in "huber" alone delta is 1.
    """
    return _huber_of(number("huber's delta", delta, 0, above=True))


@cache
def _huber_of(delta: float) -> Loss:
    name = "huber" if delta == 1 else f"huber:{delta!r}"
    value, dZ, curvature = (InTurn(each, (delta,)) for each in (_huber, _d_huber, _huber_curvature))
    return Loss(name, value, dZ, scales=True, delta=delta, curvature=curvature)


def quantile(level: float, /, *levels: float) -> Loss:
    """level·r for r = Y - Z above 0, (level - 1)·r below: its minimum is that quantile (Koenker & Bassett 1978).

    Spelt "quantile:0.9" as a name; a level is between 0 and 1, in "quantile" alone 0.5. "quantile:0.1,0.5,0.9" has
    outputs in groups of three, a level each; Y holds the target once for each of them.
    """
    return _quantile_of(tuple(number("the quantile's level", q, 0, 1, above=True) for q in (level, *levels)))


@cache
def _quantile_of(levels: tuple[float, ...]) -> Loss:
    name = "quantile" if levels == (0.5,) else spelt("quantile", levels)
    value, dZ, curvature = (InTurn(each, levels) for each in (_pinball, _d_pinball, _pinball_curvature))
    return Loss(name, value, dZ, curvature=curvature, kinks=True, scales=True)


def check_loss(loss: Loss) -> None:
    """ValueError unless the link exists and dZ is the derivative of the summed value by Z (kinks are left out)."""
    if not (isinstance(loss.name, str) and loss.name):
        raise ValueError(f"a loss's name must be a word, got {brief(loss.name)}")
    try:
        link = ACTIVATIONS.find(loss.link)
    except ValueError as error:
        raise ValueError(f"loss {loss.name!r}: link: {error}") from None
    if not isinstance(loss.targets, str) or loss.targets not in TARGETS:
        raise ValueError(f"loss {loss.name!r}: targets must be one of {', '.join(TARGETS)}, got {brief(loss.targets)}")
    rows = sum(loss.blocks) or max(3, len(loss.numbers))
    if rows > MANY:  # a name such as "cross_entropy:20000000" must not take gigabytes before it is refused
        return
    moving = min(rows, 20)  # more would take long, and show no more
    Z = np.linspace(-3.03, 3.01, 14 * rows).reshape(rows, 14)
    likely = {"real": np.cos(5 * Z), "count": np.round(4 + 4 * np.cos(5 * Z))}
    likely["partial"] = np.where(np.sin(9 * Z) > 0, likely["real"], np.nan)
    Y = likely.get(loss.targets, ACTIVATIONS[spelt("softmax", loss.blocks)].f(7 * Z))
    h = 1e-5
    try:
        with np.errstate(all="ignore"):
            here, dZ = np.asarray(loss.value(Z, Y)), np.asarray(loss.dZ(Z, link.f(Z), Y))
            bent = dZ if loss.curvature is None else np.asarray(loss.curvature(Z, link.f(Z), Y))
            sides = np.empty((2, moving, 14))
            for row in range(moving):  # one row of Z at a time: a sample's loss is the sum over its outputs
                for side, step in enumerate((-h, h)):
                    moved = Z.copy()
                    moved[row] += step
                    sides[side, row] = np.sum(loss.value(moved, Y) - here, axis=0)
    except Exception as error:
        raise ValueError(f"loss {loss.name!r} failed on Z and Y of shape {Z.shape}: {error}") from error
    if here.shape != Z.shape or dZ.shape != Z.shape:
        raise ValueError(
            f"loss {loss.name!r} must be elementwise: for Z of shape {Z.shape} value gave {here.shape}, dZ {dZ.shape}"
        )
    if loss.curvature is not None and not (bent.shape == Z.shape and np.all((bent >= 0) & np.isfinite(bent))):
        raise ValueError(f"loss {loss.name!r}: curvature must be a finite number of at least 0 for each number of Z")
    dZ = dZ[:moving]
    numeric, wrong = differences(dZ, -sides[0] / h, sides[1] / h)
    if wrong.size:
        i = tuple(wrong[0])
        raise ValueError(
            f"loss {loss.name!r}: dZ is not the derivative of value: at Z = {Z[i]:g}, Y = {Y[i]:g} dZ says "
            f"{dZ[i]:.6g}, a numeric derivative of value {numeric[i]:.6g}"
        )


FAMILIES: dict[str, Callable[..., Loss]] = {"cross_entropy": cross_entropy, "huber": huber, "quantile": quantile}
LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        row.name: row
        for row in (
            Loss(
                *("logloss", _logloss, _difference, "sigmoid", "probability", ("accuracy",)),
                curvature=_odds,
                formula=("-({Y}·log {A} + (1 - {Y})·log(1 - {A}))", "({A} - {Y}) / ({A}·(1 - {A}))"),
            ),
            cross_entropy(),
            Loss(
                *("squared_error", _squared_error, _difference),
                curvature=_known,
                formula=("½·({A} - {Y})²", "{A} - {Y}"),
                scales=True,
            ),
            Loss(  # of the targets that are known: one that is NaN adds nothing, and moves nothing
                *("masked_squared_error", _masked_squared_error, _masked_difference, "identity", "partial"),
                curvature=_known,
                formula=("½·({A} - {Y})²", "{A} - {Y}"),
                scales=True,
            ),
            Loss(
                *("absolute_error", lambda Z, Y: np.abs(Z - Y), lambda Z, A, Y: np.sign(Z - Y)),
                curvature=_per_residual,
                formula=("|{A} - {Y}|", "sign({A} - {Y})"),
                kinks=True,
                scales=True,
            ),
            huber(1.0),
            quantile(0.5),
            Loss(
                *("poisson", _poisson, _difference, "exp", "count"),  # half the Poisson deviance; 0 at A = Y
                curvature=_level,
                formula=("{A} - {Y}·log {A} + {Y}·log {Y} - {Y}", "({A} - {Y}) / {A}"),
            ),
        )
    },
    FAMILIES,
)


def find_loss(loss: str | Loss) -> Loss:
    """The table's row of that name, with its parameters in "huber:1.5" or "cross_entropy:3,2"; one's own as it is.

    ValueError for an unknown name, and when one's own has a row's name: a model file keeps only names.
    """
    return LOSSES.admit(loss) if isinstance(loss, Loss) else LOSSES.find(loss)


def both_classes(Y: Array) -> Array:
    """Targets or probabilities of two classes, a row each, (2, samples), where there is one of the second's."""
    return np.vstack([1 - Y, Y]) if len(Y) == 1 else Y


def natural_loss(classes: int = 0) -> str:
    """The name of the loss of maximum likelihood for a target of so many classes; 0: for one of numbers."""
    return "squared_error" if classes == 0 else "logloss" if classes <= 2 else "cross_entropy"


def is_known(loss: Loss) -> bool:
    """Whether the loss is found again by its name: a row of the table, or one of a family."""
    return LOSSES.knows(loss)
