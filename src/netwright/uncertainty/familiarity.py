"""Whether a row is like those learned from: its distance from their middle, by how they spread and go together.

The distance is Mahalanobis', d² = (x - m)ᵀ (C + λI)⁻¹ (x - m), among the inputs that the networks take, with their mean
m and covariance C; λ, a tenth of the mean variance, keeps rare inputs from counting without end. Each row that made m
and C is measured without itself, for which the Sherman-Morrison formula needs no second look at the others; so the next
row, if it is like them, is as likely as any of them to be the farthest, and its p-value is conformal (Laxhammar and
Falkman 2010).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.files.schema import Shape, all_finite, not_negative, positive
from netwright.uncertainty.calibration import CALIBRATION, Calibration
from netwright.uncertainty.margins import shown

FLOOR = 0.1  # λ, of the mean variance
AXES = 256  # at most; along all others the variance counts as λ

FAMILIARITY: Shape = {"variances": [not_negative], "floor": positive, "calibration": CALIBRATION}


@dataclass(frozen=True)
class Familiarity:
    """The mean of the inputs, (inputs,), the axes along which they vary most, (inputs, k), float32, with the variance
    along each, (k,), and λ; and the distances of the rows that these come from."""

    centre: Array
    axes: Array
    variances: Array
    floor: float
    calibration: Calibration

    def distances(self, X: Array) -> Array:
        """d², (samples,), for X, (inputs, samples)."""
        return _distances(X - self.centre[:, np.newaxis], self.axes, self.variances, self.floor)

    def of(self, X: Array) -> Array:
        """(samples,) for X, (inputs, samples): p-values, spread evenly from 0 to 1 for rows like those learned from.

        A row unlike them has a small one; the smallest is 1 / (rows + 1).
        """
        return self.calibration.p_values(self.distances(X))

    def to_json(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """(what JSON can say of it, its tensors)."""
        said = {"variances": self.variances.tolist(), "floor": self.floor, "calibration": self.calibration.to_json()}
        return said, {"familiarity.centre": self.centre, "familiarity.axes": self.axes}

    @classmethod
    def from_json(cls, said: Mapping[str, Any], tensors: Mapping[str, Array], inputs: int) -> "Familiarity":
        """What `to_json` described, of the shape `FAMILIARITY`; ValueError where its parts do not fit together."""
        centre, axes = tensors["familiarity.centre"], tensors["familiarity.axes"]
        if centre.shape != (inputs,) or axes.shape != (inputs, len(said["variances"])):
            raise ValueError(f"its familiarity, of {centre.shape} and {axes.shape}, is not that of {inputs} inputs")
        all_finite(centre=centre, axes=axes)
        variances, calibration = np.array(said["variances"], float), Calibration.from_json(said["calibration"])
        return cls(centre, axes, variances, float(said["floor"]), calibration)


def checked_familiarity(known: Familiarity | None) -> Familiarity:
    """It as it is; ValueError where there is none."""
    if known is None:
        raise ValueError("nothing says which rows this model is familiar with: its file is from before that was told")
    return known


def learn_familiarity(X: Array, weight: Array | None = None) -> Familiarity | None:
    """Of rows that are learned from, X, (inputs, n); of many some stand for all. weight: (n,), each above 0, or None.

    None where they are all the same, or one.
    """
    places = shown(X.shape[1], len(X))
    X = X[:, places].astype(np.float64)
    weight = np.ones(len(places)) if weight is None else weight[places].astype(np.float64)
    total = weight.sum()
    centre = X @ weight / total
    Z = X - centre[:, np.newaxis]
    variances, axes = _principal(Z * np.sqrt(weight / total))
    if len(places) < 2 or not (floor := FLOOR * float(np.mean((Z**2) @ weight) / total)):
        return None
    axes, variances = axes[:, :AXES].astype(np.float32), variances[:AXES]
    h = _distances(Z, axes, variances, floor) / total
    rest = total - weight
    # Without itself the mean is z·w/rest farther, and C lacks w·total/rest of z·zᵀ (Sherman and Morrison 1950).
    alone = (total / rest) ** 2 * rest * h / np.maximum(1 - weight * total / rest * h, 1e-9)
    return Familiarity(centre, axes, variances, floor, Calibration.of(alone, weight))


def _principal(Z: Array) -> tuple[Array, Array]:
    """(the eigenvalues of Z·Zᵀ above 0, the largest first, its eigenvectors), by the smaller of Z·Zᵀ and Zᵀ·Z."""
    wide = len(Z) > Z.shape[1]
    values, vectors = np.linalg.eigh(Z.T @ Z if wide else Z @ Z.T)
    kept = np.flatnonzero(values > 1e-10 * max(values[-1], 0.0))[::-1]
    values, vectors = values[kept], vectors[:, kept]
    return values, Z @ vectors / np.sqrt(values) if wide else vectors


def _distances(Z: Array, axes: Array, variances: Array, floor: float) -> Array:
    """zᵀ (C + λI)⁻¹ z for the columns z of Z: 1/λ in every direction, less along the axes."""
    along = (axes.T @ Z) ** 2
    return np.maximum(((Z**2).sum(axis=0) - (variances / (variances + floor)) @ along) / floor, 0.0)
