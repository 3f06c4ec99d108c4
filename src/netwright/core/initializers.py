"""Where weights start: W (neurons, inputs) drawn so that signals keep their size from layer to layer."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from netwright.core.arguments import Array
from netwright.core.registry import Registry

Initializer: TypeAlias = Callable[[Any, int, int], Array | tuple[Array, Array]]  # (rng, neurons, inputs) -> W, or W, b


def normal(rng: Any, neurons: int, inputs: int) -> Array:
    """Standard normal: the article's start, whatever the size of the layer."""
    return rng.standard_normal((neurons, inputs))


def given(rng: Any, neurons: int, inputs: int) -> Array:
    """0, and nothing drawn: whoever makes the network gives it its W."""
    return np.zeros((neurons, inputs))


def _scaled(variance: Callable[[int, int], float], uniform: bool) -> Initializer:
    """W with the given variance(neurons, inputs); uniform between ±√(3·variance), or normal."""

    def draw(rng: Any, neurons: int, inputs: int) -> Array:
        spread = np.sqrt(variance(neurons, inputs))
        if uniform:
            return rng.uniform(-np.sqrt(3) * spread, np.sqrt(3) * spread, (neurons, inputs))
        return spread * rng.standard_normal((neurons, inputs))

    return draw


def orthogonal(rng: Any, neurons: int, inputs: int) -> Array:
    """Rows (or columns, whichever are fewer) orthonormal: Q of a normal matrix (Saxe et al. 2014)."""
    wide = neurons < inputs
    Q, R = np.linalg.qr(rng.standard_normal((inputs, neurons) if wide else (neurons, inputs)))
    Q *= np.sign(np.diag(R))  # the sign makes Q uniform over the orthogonal matrices (Mezzadri 2007)
    return Q.T if wide else Q


def nguyen_widrow(rng: Any, neurons: int, inputs: int) -> tuple[Array, Array]:
    """W and b such that each neuron bends in a part of its own of the inputs' range, -1 to 1 (Nguyen & Widrow 1990).

    A neuron's weights have the length 0.7·neurons^(1/inputs), in a random direction; b is uniform up to that.
    """
    length = 0.7 * neurons ** (1 / inputs)
    W = rng.uniform(-1, 1, (neurons, inputs))
    W *= length / np.linalg.norm(W, axis=1, keepdims=True)
    return W, rng.uniform(-length, length, (neurons, 1))


def _glorot(neurons: int, inputs: int) -> float:  # Glorot & Bengio 2010, equation 16
    return 2 / (inputs + neurons)


def _he(neurons: int, inputs: int) -> float:  # He et al. 2015, equation 10
    return 2 / inputs


def _lecun(neurons: int, inputs: int) -> float:  # LeCun et al. 1998, section 4.6
    return 1 / inputs


INITIALIZERS: Registry[Initializer] = Registry(
    "initializer",
    {
        "normal": normal,
        "glorot_uniform": _scaled(_glorot, uniform=True),
        "glorot_normal": _scaled(_glorot, uniform=False),
        "he_uniform": _scaled(_he, uniform=True),
        "he_normal": _scaled(_he, uniform=False),
        "lecun_uniform": _scaled(_lecun, uniform=True),
        "lecun_normal": _scaled(_lecun, uniform=False),
        "orthogonal": orthogonal,
        "nguyen_widrow": nguyen_widrow,
        "given": given,
    },
)
