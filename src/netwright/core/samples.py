"""Samples: X, Y and the weight of each, as they travel together from whoever has them to the engine."""

from dataclasses import dataclass

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
