"""Which inputs matter: what shuffling one costs (permutation importance).

It runs as in prediction, where dropout does nothing, and leaves no trace, so threads may share the network.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from netwright.core.arguments import Array, Rng, as_number, brief, function, generator, is_whole, whole
from netwright.core.layer import Layer
from netwright.core.links import LINKS
from netwright.core.network import FeedForward, check_network
from netwright.core.scores import SCORES, Score, is_error
from netwright.inspection.gradients import tiles_of

BLOCK, SIDE = 1 << 24, 64  # shuffles worked out side by side, on one Z of the first layer: in 128 MiB, at most so many


@dataclass(frozen=True, eq=False)
class Importances:
    """`importances` (inputs or groups, repeats), and their `mean` and `std` over the repeats."""

    importances: Array

    @property
    def mean(self) -> Array:
        return self.importances.mean(axis=1)

    @property
    def std(self) -> Array:
        return self.importances.std(axis=1)


def permutation_importance(
    network: FeedForward,
    X: Array,
    Y: Array,
    *,
    score: str | Score | None = None,
    weight: Array | None = None,
    groups: Sequence[Sequence[int]] | None = None,
    repeats: int = 5,
    rng: Rng = None,
) -> Importances:
    """How much worse the predictions get when one input's values are shuffled among the samples (Breiman 2001).

    X (inputs, samples), Y (outputs, samples), `weight` (samples,). Worse is by how much the mean loss rises; or, with
    `score`, a name in `SCORES` or a function (Y, A, weight), by how much that drops (`rmse` and `mae`: rises).
    `groups`: lists of inputs that are shuffled together, such as the columns of one category; by default each on its
    own. Each is shuffled `repeats` times, in orders drawn from `rng`. ValueError names what does not fit.

    Shuffling inputs j changes the first layer's Z by W[:, j]·ΔX[j] and nothing where ΔX is 0: only that product and the
    layers after it are computed, over tiles of samples.
    """
    X, Y, weight = check_network(network).check(X, Y, weight)
    rows = _groups(groups, network.inputs)
    shuffles = [group for group in rows for _ in range(whole("repeats", repeats, at_most=100_000))]
    rng, judge = generator(rng), _judge(network, Y, weight, score)
    layers, samples = network.dense, X.shape[1]
    first, tiles = layers[0], list(tiles_of(network, samples))
    intact = np.concatenate([_last_Z(layers, first.pre_activation(X[:, tile])) for tile in tiles], axis=1)
    best, scores = judge(intact), []
    side = min(SIDE, max(1, BLOCK // (samples * (network.outputs + 1))))
    for start in range(0, len(shuffles), side):
        block = [(group, rng.permutation(samples), intact.copy()) for group in shuffles[start : start + side]]
        for tile in tiles:
            Z1 = first.pre_activation(X[:, tile])
            for group, order, Z in block:
                change = X[group[:, None], order[tile]] - X[group, tile]
                moved: Any = np.flatnonzero(change.any(axis=0))
                if moved.size == change.shape[1]:
                    moved = slice(None)  # all of them: no need to pick
                shuffled = np.dot(first.W[:, group], change[:, moved])
                shuffled += Z1[:, moved]
                Z[:, tile][:, moved] = _last_Z(layers, shuffled)
        scores += [judge(Z) for _, _, Z in block]
    return Importances(best - np.reshape(scores, (len(rows), -1)))


def _last_Z(layers: list[Layer], Z: Array) -> Array:
    """The last layer's Z from the first one's."""
    for before, layer in pairwise(layers):
        Z = layer.pre_activation(before.activation.f(Z))
    return Z


def _judge(network: FeedForward, Y: Array, weight: Array | None, score: str | Score | None) -> Callable[[Array], float]:
    """A function of the last layer's Z: how good it is for Y, the more the better."""
    f, back = network.layers[-1].activation.f, LINKS[network.loss.link].back if not network.linked else None
    if score is None:

        def judge(Z: Array) -> float:
            values = network.loss.value(Z if back is None else back(f(Z))[0], Y)
            return -float(np.average(values.sum(axis=0), weights=weight))

        return judge
    judged = function("score", score, "score(Y, A, weight)") if callable(score) else SCORES.find(score)
    sign = -1 if isinstance(score, str) and is_error(score) else 1
    return lambda Z: sign * as_number("score", judged(Y, f(Z), weight))


def _groups(groups: Sequence[Sequence[int]] | None, inputs: int) -> list[Array]:
    """The rows of X in each group; ValueError names a group that is none."""
    if groups is None:
        return list(np.arange(inputs)[:, None])
    found: list[Array] = []
    for i, group in enumerate(groups if np.iterable(groups) else []):
        rows = list(group) if np.iterable(group) else []
        if not rows or not all(is_whole(j) and j in range(inputs) for j in rows):
            raise ValueError(f"groups[{i}] must be a list of inputs from 0 to {inputs - 1}, got {brief(group)}")
        if len(set(rows)) < len(rows):
            raise ValueError(f"groups[{i}] names an input twice: {brief(group)}")
        found.append(np.array(rows))
    if not found:
        raise ValueError(f"groups must be lists of inputs, such as [[0, 1, 2], [3]], got {brief(groups)}")
    return found
