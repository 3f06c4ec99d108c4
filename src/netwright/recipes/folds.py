"""Rows dealt into folds, each held out once, and what networks predict for the rows that they have not seen."""

from dataclasses import dataclass, replace

import numpy as np

from netwright.core.arguments import Array
from netwright.core.samples import Samples
from netwright.network import Network
from netwright.tables.split import stratified


@dataclass(frozen=True)
class Fold:
    """Samples that a network learns from, and those held out to judge it by, if there are any."""

    samples: Samples
    held_out: Samples | None = None

    def scaled(self, input_scale: Array) -> "Fold":
        """With each input times its factor of `input_scale`, (inputs, 1)."""
        samples, held_out = self.samples, self.held_out
        return Fold(
            replace(samples, X=samples.X * input_scale),
            None if held_out is None else replace(held_out, X=held_out.X * input_scale),
        )


def in_float32(inputs: Array, targets: Array, weight: Array | None) -> Samples:
    """The samples in float32; weights that are all alike are none."""
    alike = weight is None or (weight == weight[0]).all()
    return Samples(inputs.astype(np.float32), targets.astype(np.float32), None if alike else weight)


def holding_out(samples: Samples, fold: Array, i: int) -> Fold:
    """The samples, with those of fold i held out."""
    return Fold(samples.take(np.flatnonzero(fold != i)), samples.take(np.flatnonzero(fold == i)))


def stratified_folds(samples: Samples, n_folds: int, rng: np.random.Generator) -> list[Fold]:
    """Each fold held out once; the classes, or low and high targets, have their share in all of them."""
    n_folds = max(2, min(n_folds, len(samples)))
    key = samples.Y.argmax(axis=0) if len(samples.Y) > 1 else samples.Y[0]
    fold = stratified(key, n_folds, rng, shuffled=True)
    return [holding_out(samples, fold, i) for i in range(n_folds)]


def held_out_rows(folds: list[Fold]) -> Samples:
    """All samples held out: those of every fold one after the other, or the one set that all folds share."""
    parts = [fold.held_out for fold in folds if fold.held_out is not None]
    if parts[0] is parts[-1]:
        return parts[0]
    weights = [part.weight for part in parts if part.weight is not None]
    X, Y = (np.hstack([getattr(part, name) for part in parts]) for name in "XY")
    return Samples(X, Y, np.concatenate(weights) if weights else None)


def out_of_fold(folds: list[Fold], networks: list[Network]) -> Array:
    """Predictions for `held_out_rows`, (outputs, samples), by the networks that did not learn from them."""
    parts = [fold.held_out for fold in folds if fold.held_out is not None]
    outputs = [net.predict(part.X).astype(np.float64) for net, part in zip(networks, parts, strict=True)]
    return np.asarray(np.mean(outputs, axis=0) if parts[0] is parts[-1] else np.hstack(outputs))
