"""Rows dealt into folds, each held out once, and what networks predict for the rows that they have not seen.

A fold is numbers of rows: a copy of its rows for each network would take the memory of the table many times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from mmap import mmap
from threading import Lock
from typing import NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.samples import Samples
from netwright.network import Network
from netwright.tables.split import stratified

BLOCK, SOME, FEW = 1024, 8, 8  # samples, inputs, neurons: as many of all as are copied at a time


@dataclass(frozen=True)
class Chosen:
    """The samples with the numbers `rows`, (k,), or all of them; with `scale`, (inputs, 1), their inputs times that."""

    all: Samples
    rows: Array | None = None
    scale: Array | None = None

    def __len__(self) -> int:
        return len(self.all) if self.rows is None else len(self.rows)

    @property
    def Y(self) -> Array:
        """Their targets, (outputs, k)."""
        return self.all.Y if self.rows is None else self.all.Y[:, self.rows]

    @property
    def weight(self) -> Array | None:
        """Their weights, (k,), if there are any."""
        weight = self.all.weight
        return weight if weight is None or self.rows is None else weight[self.rows]

    def copy(self) -> Samples:
        """As samples of their own; not scaled."""
        return self.all if self.rows is None else self.all.take(self.rows)

    def inputs(self, part: slice = slice(None)) -> Array:
        """The scaled inputs of all of them or some, (inputs, samples)."""
        X = self.all.X[:, part if self.rows is None else self.rows[part]]
        return X if self.scale is None else X * self.scale

    def inputs_in(self, memory: Array) -> Array:
        """`inputs` of all of them, in a memory of (samples, inputs)."""
        X = self.all.X.T
        if self.rows is not None:
            np.take(X, self.rows, axis=0, out=memory, mode="clip")
            X = memory
        return (X if self.scale is None else np.multiply(X, self.scale.T, out=memory)).T

    def blocks(self) -> Iterator[slice]:
        """All of them, `BLOCK` at a time."""
        return (slice(start, start + BLOCK) for start in range(0, len(self), BLOCK))

    def variance(self) -> Array:
        """Of each scaled input, (inputs,)."""
        X, variances = self.all.X, list[Array]()
        for start in range(0, len(X), SOME):
            some = slice(start, start + SOME)
            part = X[some] if self.rows is None else X[some, self.rows]
            if self.scale is not None:
                part = np.multiply(part, self.scale[some], out=None if self.rows is None else part)
            variances.append(part.var(axis=1))
        return np.concatenate(variances)


@dataclass(frozen=True)
class Fold:
    """Samples that a network learns from, and those held out to judge it by, if there are any."""

    samples: Chosen
    held_out: Chosen | None = None

    def scaled(self, input_scale: Array) -> "Fold":
        """With each input times its factor of `input_scale`, (inputs, 1)."""
        held_out = self.held_out
        return Fold(
            replace(self.samples, scale=input_scale),
            None if held_out is None else replace(held_out, scale=input_scale),
        )


class Judge:
    """What networks make of samples held out: one network at a time, in memory that all use, which is much."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.forget()

    def forget(self) -> None:
        """Let go of the memory."""
        self.memory = [np.empty(0, np.float32)] * 3

    def cost(self, network: Network, samples: Chosen) -> float:
        """The mean loss."""
        with self.lock:
            return network.evaluate_last(self._before_last(network, samples), samples.Y, samples.weight)[0]

    def outputs(self, network: Network, samples: Chosen) -> Array:
        """The predictions, (outputs, samples)."""
        with self.lock:
            return np.asarray(network.layers[-1](self._before_last(network, samples)))

    def _before_last(self, network: Network, samples: Chosen) -> Array:
        """What the last layer takes: whole products, as those of blocks would round otherwise."""
        n = len(samples)
        A = samples.inputs_in(self._room(0, n, network.inputs))
        for place, layer in enumerate(network.dense[:-1]):
            A = np.dot(layer.W, A, out=self._room(1 + place % 2, layer.neurons, n))
            A += layer.b
            for start in range(0, len(A), FEW):
                A[start : start + FEW] = layer.activation.f(A[start : start + FEW])
        return A

    def _room(self, place: int, rows: int, columns: int) -> Array:
        if self.memory[place].size < rows * columns:
            # A map of its own, since C's library keeps what a thread frees.
            self.memory[place] = np.frombuffer(mmap(-1, 4 * rows * columns), np.float32)
        return self.memory[place][: rows * columns].reshape(rows, columns)


class Truth(NamedTuple):
    """What there is to predict, (outputs, samples), and how much each counts, (samples,), or None."""

    Y: Array
    weight: Array | None


def in_float32(inputs: Array, targets: Array, weight: Array | None) -> Samples:
    """The samples in float32; weights that are all alike are none."""
    alike = weight is None or (weight == weight[0]).all()
    return Samples(inputs.astype(np.float32, copy=False), targets.astype(np.float32), None if alike else weight)


def holding_out(samples: Samples, fold: Array, i: int) -> Fold:
    """The samples, with those of fold i held out."""
    return Fold(Chosen(samples, np.flatnonzero(fold != i)), Chosen(samples, np.flatnonzero(fold == i)))


def stratified_folds(samples: Samples, n_folds: int, rng: np.random.Generator) -> list[Fold]:
    """Each fold held out once; the classes, or low and high targets, have their share in all of them."""
    n_folds = max(2, min(n_folds, len(samples)))
    key = samples.Y.argmax(axis=0) if len(samples.Y) > 1 else samples.Y[0]
    fold = stratified(key, n_folds, rng, shuffled=True)
    return [holding_out(samples, fold, i) for i in range(n_folds)]


def held_out_rows(folds: list[Fold]) -> Truth:
    """Of all samples held out: those of every fold one after the other, or the one set that all folds share."""
    parts = [fold.held_out for fold in folds if fold.held_out is not None]
    if parts[0] is parts[-1]:
        return Truth(parts[0].Y, parts[0].weight)
    weights = [part.weight for part in parts if part.weight is not None]
    return Truth(np.hstack([part.Y for part in parts]), np.concatenate(weights) if weights else None)


def held_out_inputs(folds: list[Fold], places: Array) -> Array:
    """The inputs, (inputs, k), of those at `places`, (k,), of `held_out_rows`."""
    parts = [fold.held_out for fold in folds if fold.held_out is not None]
    parts = parts[:1] if parts[0] is parts[-1] else parts
    rows = np.concatenate([np.arange(len(part)) if part.rows is None else part.rows for part in parts])
    return parts[0].all.X[:, rows[places]]


def out_of_fold(folds: list[Fold], networks: list[Network], judge: Judge) -> Array:
    """Predictions for `held_out_rows`, (outputs, samples), by the networks that did not learn from them."""
    parts = [fold.held_out for fold in folds if fold.held_out is not None]
    pairs = zip(networks, parts, strict=True)
    outputs = [judge.outputs(network, part).astype(np.float64) for network, part in pairs]
    judge.forget()
    return np.asarray(np.mean(outputs, axis=0) if parts[0] is parts[-1] else np.hstack(outputs))
