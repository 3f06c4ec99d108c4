"""Samples: X, Y and the weight of each, as they travel together from whoever has them to the engine."""

import math
from dataclasses import dataclass, replace

import numpy as np

from netwright.core.arguments import Array


@dataclass(frozen=True)
class Samples:
    """X (inputs, n), Y (outputs, n), and weight (n,), or None where all count alike; checked, of one dtype."""

    X: Array
    Y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        """n, how many there are."""
        return int(self.X.shape[1])

    @property
    def arrays(self) -> tuple[Array, Array, Array | None]:
        """(X, Y, weight), as functions take them."""
        return self.X, self.Y, self.weight

    def take(self, places: Array) -> "Samples":
        """Those at `places`, (k,), in that order; each in one piece of memory."""
        return Samples(self.X[:, places], self.Y[:, places], None if self.weight is None else self.weight[places])

    def in_pieces(self) -> "Samples":
        """The same with each in one piece: gathered fast, and the same bits however the arrays were given."""
        if self.X.flags.f_contiguous and self.Y.flags.f_contiguous:
            return self
        return replace(self, X=np.ascontiguousarray(self.X.T).T, Y=np.ascontiguousarray(self.Y.T).T)

    def without_zeros(self) -> "Samples":
        """Those of a weight above 0: a weight of 0 is as if the sample were not there."""
        return self if self.weight is None or self.weight.all() else self.take(np.flatnonzero(self.weight))

    def normalised(self) -> "Samples":
        """With weights of mean 1: a sum over the samples, divided by their number, is then the weighted mean."""
        return self if self.weight is None else replace(self, weight=self.weight / self.weight.mean())


def batch_size_for(samples: int, updates: int) -> int:
    """The power of two from 16 to 256 by which an epoch is nearest to so many updates."""
    return min(256, max(16, 2 ** round(math.log2(max(samples, 1) / updates))))
