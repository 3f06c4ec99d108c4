"""Activations: A = f(Z), elementwise, each with its derivative dA/dZ right beside it.

Every f and df is written once, in NumPy operations that keep the dtype and that work on a number as on an array. `df`
gets Z and A both, so that it can use whichever is cheaper: 1 - A² for tanh.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief, function, number, whole
from netwright.core.registry import Registry

# ── the article's pairs ──────────────────────────────────────────────────────────────────────────────────────────────


def tanh(Z: Array) -> Array:
    """tanh(Z)."""
    return np.tanh(Z)


def d_tanh(Z: Array) -> Array:
    """1 - tanh²(Z)."""
    return 1 - np.square(np.tanh(Z))


def sigmoid(Z: Array) -> Array:
    """1 / (1 + exp(-Z)), written with exp(-|Z|) so that nothing overflows."""
    e = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1, e) / (1 + e)


def d_sigmoid(Z: Array) -> Array:
    """(1 - sigmoid(Z)) · sigmoid(Z)."""
    A = sigmoid(Z)
    return (1 - A) * A


# ── the table's kind of row ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Activation:
    """A = f(Z), elementwise; df(Z, A) is dA/dZ.

    Your own works wherever a name does: `Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2)`. When it is made,
    df is compared with a numeric derivative of f; ValueError says where they differ. `initializer` names the weights'
    start that suits it (see `initializers.py`); `slope` is df as a teacher writes it, if there is a short way.
    """

    name: str
    f: Callable[[Any], Any]
    df: Callable[[Any, Any], Any]
    initializer: str = "glorot_uniform"
    slope: str = ""

    def __post_init__(self) -> None:
        check_derivative(self)

    def dZ(self, dA: Array, Z: Array, A: Array) -> Array:
        """The chain rule, dZ = dA · dA/dZ; shapes as Z."""
        return np.multiply(self.df(Z, A), dA)

    def check_neurons(self, neurons: int) -> None:
        """ValueError when a layer of so many neurons cannot have this activation."""


@dataclass(frozen=True)
class Softmax(Activation):
    """A = exp(Z) / Σ exp(Z) over each column: the one activation whose outputs depend on each other.

    `blocks`: how many rows each sum goes over, one block below the other; () for one block of all rows.
    """

    blocks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        pass  # df is the Jacobian's diagonal only; the tests check dZ, which is what backpropagation uses

    def dZ(self, dA: Array, Z: Array, A: Array) -> Array:
        """dZ = A · (dA - Σ dA·A): the product with softmax's Jacobian, diag(A) - A·Aᵀ."""
        return by_blocks(lambda dA, A: A * (dA - np.sum(dA * A, axis=0, keepdims=True)), self.blocks, dA, A)

    def check_neurons(self, neurons: int) -> None:
        """ValueError unless the blocks add up to the neurons."""
        if self.blocks and sum(self.blocks) != neurons:
            sizes = " + ".join(map(str, self.blocks)) + " = " if len(self.blocks) > 1 else ""
            raise ValueError(f"{self.name} is for {sizes}{sum(self.blocks)} neurons, got {neurons}")


def by_blocks(function: Callable[..., Array], blocks: tuple[int, ...], *arrays: Array) -> Array:
    """`function` of each block of the arrays' rows, one below the other; () is one block of all rows."""
    if not blocks:
        return function(*arrays)
    ends = np.cumsum(blocks).tolist()
    if len(arrays[0]) != ends[-1]:
        raise ValueError(f"blocks of {', '.join(map(str, blocks))} rows need {ends[-1]}, got {len(arrays[0])}")
    parts = (slice(end - size, end) for size, end in zip(blocks, ends, strict=True))
    return np.concatenate([function(*(array[part] for array in arrays)) for part in parts])


def check_derivative(activation: Activation) -> None:
    """ValueError unless f is elementwise, finite, keeps float32, and df is its derivative (kinks are left out)."""
    name, f, df = activation.name, activation.f, activation.df
    if not (isinstance(name, str) and name):
        raise ValueError(f"an activation's name must be a word, got {brief(name)}")
    function(f"activation {name!r}: f", f, "f(Z)")
    function(f"activation {name!r}: df", df, "df(Z, A)")
    Z = np.linspace(-4.03, 4.01, 67)
    Z.setflags(write=False)  # backpropagation needs Z once more: f must not write over it
    h = 1e-5
    try:
        with np.errstate(all="ignore"):
            A, dA = np.asarray(f(Z)), np.asarray(df(Z, f(Z)))
            before, after = np.asarray(f(Z - h)), np.asarray(f(Z + h))
            low = np.asarray(f(Z.astype(np.float32)))
    except Exception as error:
        raise ValueError(f"activation {name!r} failed on an array of shape {Z.shape}: {error}") from error
    if A.shape != Z.shape or dA.shape not in ((), Z.shape):
        raise ValueError(
            f"activation {name!r} must be elementwise: for Z of shape {Z.shape}, f gave {A.shape}, df {dA.shape}"
        )
    if not (np.isfinite(A).all() and np.isfinite(dA).all()):
        i = np.flatnonzero(~(np.isfinite(A) & np.isfinite(dA)))[0]
        raise ValueError(f"activation {name!r} must be finite: at Z = {Z[i]:g} f is {A[i]}, df {dA.flat[i % dA.size]}")
    if low.dtype != np.float32:
        raise ValueError(f"activation {name!r} must keep the dtype: f made {low.dtype} of float32")
    numeric, wrong = differences(np.broadcast_to(dA, Z.shape), (A - before) / h, (after - A) / h)
    if wrong.size:
        i = wrong[0, 0]
        said = np.broadcast_to(dA, Z.shape)[i]
        raise ValueError(
            f"activation {name!r}: df is not the derivative of f: at Z = {Z[i]:g} df says {said:.6g}, "
            f"a numeric derivative of f {numeric[i]:.6g}"
        )


def differences(derivative: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """(a numeric derivative, the indices where `derivative` is another), from the slopes to the left and to the right.

    Where these differ is a kink, with no derivative to compare, unless they are not finite.
    """
    numeric = (left + right) / 2
    smooth = (np.abs(left - right) < 1e-2 * (1 + np.abs(left))) | ~np.isfinite(numeric)
    return numeric, np.argwhere(smooth & ~(np.abs(numeric - derivative) <= 1e-5 * (1 + np.abs(numeric))))


# ── the rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, equation 14
GELU_SLOPE, GELU_CUBE = 0.7978845608028654, 0.044715  # √(2/π); Hendrycks & Gimpel 2016, section 2
EXP_MAX = 80.0  # exp goes no further, so that exp(80) times a batch of samples still fits into float32


def _leaky_relu(Z: Array) -> Array:
    return np.maximum(Z, 0.01 * Z)


def _d_leaky_relu(Z: Array, A: Array) -> Array:
    return np.maximum(np.sign(Z), 0.01)


def _elu(Z: Array) -> Array:
    return np.maximum(Z, 0) + np.expm1(np.minimum(Z, 0))


def _d_elu(Z: Array, A: Array) -> Array:
    return np.minimum(A, 0) + 1


def _selu(Z: Array) -> Array:
    return SELU_SCALE * np.maximum(Z, 0) + SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(Z, 0))


def _d_selu(Z: Array, A: Array) -> Array:
    return np.where(Z > 0, SELU_SCALE, A + SELU_SCALE * SELU_ALPHA)


def _gelu(Z: Array) -> Array:
    return 0.5 * Z * (1 + np.tanh(GELU_SLOPE * (Z + GELU_CUBE * Z * Z * Z)))


def _d_gelu(Z: Array, A: Array) -> Array:
    t = np.tanh(GELU_SLOPE * (Z + GELU_CUBE * Z * Z * Z))
    return 0.5 * (1 + t) + 0.5 * Z * (1 - t * t) * GELU_SLOPE * (1 + 3 * GELU_CUBE * Z * Z)


def _silu(Z: Array) -> Array:
    return Z * sigmoid(Z)


def _d_silu(Z: Array, A: Array) -> Array:
    s = sigmoid(Z)
    return s * (1 + Z * (1 - s))


def softplus(Z: Array) -> Array:
    """log(1 + exp(Z)), written with exp(-|Z|) so that nothing overflows."""
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def _mish(Z: Array) -> Array:
    return Z * np.tanh(softplus(Z))


def _d_mish(Z: Array, A: Array) -> Array:
    t = np.tanh(softplus(Z))
    return t + Z * (1 - t * t) * sigmoid(Z)


def _squared_relu(Z: Array) -> Array:
    return np.square(np.maximum(Z, 0))


def _softmax(Z: Array) -> Array:
    e = np.exp(Z - np.max(Z, axis=0, keepdims=True))
    return e / np.sum(e, axis=0, keepdims=True)


def softmax(*blocks: int) -> Activation:
    """A softmax of each of so many rows, for several choices at once; of all rows without blocks. "softmax:3,2,4"."""
    return _softmax_of(tuple(whole("a block of softmax", block) for block in blocks))


@cache
def _softmax_of(blocks: tuple[int, ...]) -> Activation:
    name = spelt("softmax", blocks)
    return Softmax(name, lambda Z: by_blocks(_softmax, blocks, Z), lambda Z, A: A * (1 - A), blocks=blocks)


def between(low: float, high: float) -> Activation:
    """A = low + (high - low)·sigmoid(Z): outputs that stay inside a range. "sigmoid:0,10"."""
    low, high = number("sigmoid's low end", low), number("sigmoid's high end", high)
    if low >= high:
        raise ValueError(f"sigmoid's low end must be below its high end, got {low:g} and {high:g}")
    return _between(low, high)


@cache
def _between(low: float, high: float) -> Activation:
    width = high - low
    return Activation(
        spelt("sigmoid", (low, high)),
        lambda Z: low + width * sigmoid(Z),
        lambda Z, A: (A - low) * (high - A) / width,
    )


def spelt(name: str, numbers: tuple[float, ...]) -> str:
    """The name of one of a family: "softmax:3,2,4"; without numbers the table's own row's."""
    return f"{name}:{','.join(map(repr, numbers))}" if numbers else name


ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    {
        row.name: row
        for row in (
            Activation("identity", lambda Z: 1 * Z, lambda Z, A: 0 * Z + 1),
            Activation("tanh", tanh, lambda Z, A: 1 - A * A, slope="1 - A²"),
            Activation("sigmoid", sigmoid, lambda Z, A: (1 - A) * A, slope="A·(1 - A)"),
            Activation(
                "relu", lambda Z: np.maximum(Z, 0), lambda Z, A: np.sign(A), "he_normal", "1 where Z > 0, else 0"
            ),
            Activation("leaky_relu", _leaky_relu, _d_leaky_relu, "he_normal"),  # Maas et al. 2013, slope 0.01
            Activation("elu", _elu, _d_elu, "he_normal"),  # Clevert et al. 2016
            Activation("selu", _selu, _d_selu, "lecun_normal"),  # Klambauer et al. 2017
            Activation("gelu", _gelu, _d_gelu, "he_normal"),  # Hendrycks & Gimpel 2016, the tanh form
            Activation("silu", _silu, _d_silu, "he_normal"),  # Elfwing et al. 2017, "swish"
            Activation("mish", _mish, _d_mish, "he_normal"),  # Misra 2019
            Activation("softplus", softplus, lambda Z, A: sigmoid(Z), "he_normal"),  # Dugas et al. 2000
            Activation("softsign", lambda Z: Z / (1 + np.abs(Z)), lambda Z, A: 1 / np.square(1 + np.abs(Z))),
            Activation("hard_sigmoid", lambda Z: np.clip(Z / 6 + 0.5, 0, 1), lambda Z, A: np.sign((1 - A) * A) / 6),
            Activation("hard_tanh", lambda Z: np.clip(Z, -1, 1), lambda Z, A: np.sign(1 - A * A)),
            Activation("squared_relu", _squared_relu, lambda Z, A: 2 * np.maximum(Z, 0), "he_normal"),  # So et al. 2021
            # exp and softmax are output links (poisson, cross_entropy); as hidden activations they work, oddly.
            Activation("exp", lambda Z: np.exp(np.minimum(Z, EXP_MAX)), lambda Z, A: A * (Z < EXP_MAX)),
            softmax(),
        )
    },
    {"softmax": softmax, "sigmoid": between},
)


def find_activation(activation: str | Activation) -> Activation:
    """The table's row of that name ("softmax:3,2,4" has its blocks), or the user's own as it is.

    ValueError for an unknown name, and when one's own has a row's name: a model file keeps only names.
    """
    return ACTIVATIONS.admit(activation) if isinstance(activation, Activation) else ACTIVATIONS.find(activation)
