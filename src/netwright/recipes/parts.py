"""Rows as networks learn them, dealt into parts, and what networks foretell of parts that they have not seen."""

import math
from dataclasses import dataclass

import numpy as np

from netwright.core.arguments import Array
from netwright.network import Network


@dataclass(frozen=True)
class Rows:
    """X (inputs, samples) and Y (outputs, samples) of float32, weight (samples,) or None."""

    X: Array
    Y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return int(self.X.shape[1])

    def take(self, places: Array) -> "Rows":
        weight = None if self.weight is None else self.weight[places]
        return Rows(np.ascontiguousarray(self.X.T[places]).T, self.Y[:, places], weight)

    def heard(self, loud: Array) -> "Rows":
        """With the inputs as loud as that, (inputs, 1)."""
        return Rows(self.X * loud, self.Y, self.weight)

    @classmethod
    def of(cls, inputs: Array, targets: Array, weight: Array | None) -> "Rows":
        """In float32; weights that are all alike are none."""
        alike = weight is None or (weight == weight[0]).all()
        return cls(inputs.astype(np.float32), targets.astype(np.float32), None if alike else weight)

    @classmethod
    def together(cls, several: list["Rows"]) -> "Rows":
        """One after the other."""
        weights = [rows.weight for rows in several if rows.weight is not None]
        X, Y = (np.hstack([getattr(rows, name) for rows in several]) for name in "XY")
        return cls(X, Y, np.concatenate(weights) if weights else None)


@dataclass(frozen=True)
class Part:
    """Rows that a network learns from, and those that it is watched on, if there are any."""

    rows: Rows
    watch: Rows | None = None

    def heard(self, loud: Array) -> "Part":
        return Part(self.rows.heard(loud), None if self.watch is None else self.watch.heard(loud))


def deal(rows: Rows, parts: int, rng: np.random.Generator) -> list[Part]:
    """The parts: neighbours in the target (rows of one class) are spread over all of them."""
    n = len(rows)
    parts = max(2, min(parts, n))
    key = rows.Y.argmax(axis=0) if len(rows.Y) > 1 else rows.Y[0]
    order = rng.permutation(n)
    order = order[np.argsort(key[order], kind="stable")]
    part = np.empty(n, int)
    part[order] = np.concatenate([rng.permutation(parts) for _ in range(math.ceil(n / parts))])[:n]
    return [Part(rows.take(np.flatnonzero(part != i)), rows.take(np.flatnonzero(part == i))) for i in range(parts)]


def watched(parts: list[Part]) -> Rows:
    """All rows that networks are watched on: those of every part, or the same for all."""
    rows = [part.watch for part in parts if part.watch is not None]
    return rows[0] if rows[0] is rows[-1] else Rows.together(rows)


def foretold(parts: list[Part], networks: list[Network]) -> Array:
    """What the parts' networks say to the rows `watched`, (outputs, samples), each to those that it did not see."""
    rows = [part.watch for part in parts if part.watch is not None]
    said = [net.predict(seen.X).astype(np.float64) for net, seen in zip(networks, rows, strict=True)]
    return np.asarray(np.mean(said, axis=0) if rows[0] is rows[-1] else np.hstack(said))
