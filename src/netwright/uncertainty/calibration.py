"""Conformal prediction: the scores of rows that were not learned from say how large the next row's is at most.

Of n such rows and the next one, which comes from where they did, each is as likely as any other to have the largest
score, the second largest, and so on. So the ⌈(n + 1)·level⌉th smallest of the n bounds that of the next with a
probability of at least the level, whatever the model is and however the rows are distributed (Vovk, Gammerman and
Shafer 2005; Lei et al. 2018, equation 6).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief, number
from netwright.files.schema import Shape, both, finite, positive

MOST = 1000  # scores that are kept, half of them the largest, one by one: the ends are asked for most


@dataclass(frozen=True)
class Calibration:
    """Scores of rows that were not learned from, in their order, (k,), and the share of the rows, (k,), up to each.

    Of many rows some scores stand for all. rows: how many rows they come from; of weighted ones as many as tell as
    much, (Σ weight)² / Σ weight² (Kish 1965).
    """

    scores: Array
    shares: Array
    rows: float

    @classmethod
    def of(cls, scores: Array, weight: Array | None = None) -> "Calibration":
        """Of the scores of rows, (n,), the larger the worse. weight: (n,), each above 0, or None."""
        order = np.argsort(scores, kind="stable")
        scores = np.asarray(scores, np.float64)[order]
        weight = np.ones(len(scores)) if weight is None else np.asarray(weight, np.float64)[order]
        shares = weight.cumsum() / weight.sum()
        shares[-1:] = 1.0  # but for rounding
        n, ends = len(scores), MOST // 2
        some = np.linspace(0, n - ends - 1, ends).round().astype(int) if n > MOST else np.arange(n - ends)
        kept = np.concatenate([some, np.arange(max(0, n - ends), n)])
        return cls(scores[kept], shares[kept], float(weight.sum() ** 2 / (weight**2).sum()))

    def bound(self, level: float, name: str = "interval") -> float:
        """What the next row's score is at most, with that probability.

        ValueError, which calls the level `name`, where the rows are too few to say: n < level / (1 - level).
        """
        share = level * (1 + 1 / self.rows)  # ⌈(n + 1)·level⌉ of n
        if share > 1 + 1e-9:
            needed = math.ceil(round(level / (1 - level), 6))
            raise ValueError(
                f"{name}={level:g} needs at least {needed:,} rows to calibrate on that were not learned from, "
                f"and there are {self.rows:,.4g}"
            )
        place = int(np.searchsorted(self.shares, share - 1e-9))
        return float(self.scores[min(place, len(self.scores) - 1)])

    def p_values(self, scores: Array) -> Array:
        """(n,) for scores (n,): the share of all rows, the row itself among them, whose score is at least as large.

        Of rows like those calibrated on, they are spread evenly between 0 and 1, and none is below 1 / (rows + 1).
        """
        place = np.searchsorted(self.scores, np.asarray(scores), side="left")
        smaller = np.concatenate([[0.0], self.shares]).take(place)
        return np.asarray((self.rows * (1 - smaller) + 1) / (self.rows + 1))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; floats come back to the bit."""
        return {"scores": self.scores.tolist(), "shares": self.shares.tolist(), "rows": self.rows}

    @classmethod
    def from_json(cls, said: Any) -> "Calibration":
        """What `to_json` described, of the shape `CALIBRATION`."""
        return cls(np.array(said["scores"], float), np.array(said["shares"], float), float(said["rows"]))


def _fit(where: str, said: Any) -> None:
    scores, shares = said["scores"], said["shares"]
    if len(scores) != len(shares) or not scores:
        raise ValueError(f"{where} has {len(scores)} scores and {len(shares)} shares")
    if any(np.diff(scores) < 0) or any(np.diff(shares) < 0) or shares[0] <= 0 or shares[-1] != 1:
        raise ValueError(
            f"{where} has scores {brief(scores)} that do not rise with their shares {brief(shares)} up to 1"
        )


CALIBRATION: Shape = both({"scores": [finite], "shares": [finite], "rows": positive}, _fit)


def level_of(value: Any, name: str = "interval") -> float:
    """How sure a prediction is to be, as a float; ValueError unless it is a number between 0 and 1, both excluded."""
    return number(name, value, 0, 1, above=True)
