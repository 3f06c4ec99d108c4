"""The other kinds of layer: what a Network may hold beside the article's Layer.

A kind has `inputs` and `neurons` (None: as many as come), `size` numbers in theta, `live_in`, `settings`, a call for
prediction, and `feedforward` and `gradient` for training.
"""

from typing import Any

import numpy as np

from netwright.core.arguments import Array, Rng, generator, number
from netwright.core.layer import Layer
from netwright.core.registry import Registry


class Dropout:
    """In training each number is 0 with probability `rate`, else divided by 1 - rate; in prediction nothing happens.

    Srivastava et al. 2014, in the inverted form, so that the expected output is the input. In a Network the mask is
    drawn from the network's generator; alone, from `rng`.
    """

    kind = "dropout"
    inputs: int | None = None
    neurons: int | None = None
    size = 0

    def __init__(self, rate: float = 0.5, *, rng: Rng = None):
        self.rate = number("dropout's rate", rate, 0, 1)
        if self.rate == 1:
            raise ValueError("dropout's rate must be below 1, got 1: nothing would be left")
        self.rng = generator(rng)
        self.network: Any = None

    def __call__(self, A1: Array) -> Array:
        return A1

    def feedforward(self, A1: Array) -> Array:
        """A1 · mask; the mask is kept for the way back."""
        seed = self.rng.integers(0, 2**64, dtype=np.uint64)
        keep = noise(seed, A1.size).reshape(A1.shape) >= np.uint64(self.rate * 2**24)
        self.mask = np.multiply(keep, 1 / (1 - self.rate), dtype=A1.dtype)
        return A1 * self.mask

    def gradient(self, dA: Array, back: bool = True) -> Array:
        """dA1 = dA · mask; ValueError before any feedforward."""
        if not hasattr(self, "mask"):
            raise ValueError(f"{self!r} has no mask yet: call feedforward first")
        return dA * self.mask

    def live_in(self, theta: Array, grad: Array) -> None:
        pass

    def __getstate__(self) -> dict[str, Any]:
        return {"rate": self.rate, "rng": self.rng}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, network=None)

    def settings(self) -> dict[str, Any]:
        """What a model file keeps of the layer."""
        return {"kind": self.kind, "rate": self.rate}

    def __repr__(self) -> str:
        return f"Dropout({self.rate!r})"


def noise(seed: np.uint64, count: int) -> Array:
    """`count` whole numbers below 2²⁴, each from the seed and its own place alone (SplitMix64, Steele et al. 2014).

    So every engine finds the same mask, in whatever order and on however many threads it works.
    """
    z = seed + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) >> np.uint64(40)


KINDS: Registry[type[Any]] = Registry("layer kind", {kind.kind: kind for kind in (Layer, Dropout)})
