"""Looking inside: derivatives by the inputs, hidden outputs, what a shuffled input costs, a step with all its numbers.

All of it runs as in prediction, where dropout does nothing, and leaves no trace, so threads may share the network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np

from netwright.core.arguments import Array, Rng, brief, columns, generator, number, numeric, whole
from netwright.core.layer import Layer
from netwright.core.losses import LINKS
from netwright.core.network import FeedForward
from netwright.core.scores import SCORES, Score, is_error
from netwright.inspection.board import write_step

TILE = 1 << 17  # numbers in a tile's largest array: what one layer leaves is still in the cache when the next one comes
BLOCK, SIDE = 1 << 24, 64  # shuffles worked out side by side, on one Z of the first layer: in 128 MiB, at most so many


def input_gradient(network: FeedForward, X: Array, output: int | None = None) -> Array:
    """dA/dX, each sample's Jacobian, (outputs, inputs, samples); of one `output`, (inputs, samples).

    X is (inputs, samples). ValueError for a wrong shape, or when there is no such output.
    """
    X = columns("X", X, network.inputs, network.dtype)
    wanted = list(range(network.outputs)) if output is None else [_place("output", output, network.outputs)]
    gradient = np.empty((len(wanted), *X.shape), network.dtype)
    for tile in _tiles(network, X.shape[1], len(wanted)):
        A, kept = X[:, tile], []
        for layer in network.dense:
            Z = layer.pre_activation(A)
            A = layer.activation.f(Z)
            kept.append((layer, Z[:, None], A[:, None]))
        dA = np.zeros((network.outputs, len(wanted), A.shape[1]), network.dtype)  # outputs, of which derivative, sample
        dA[wanted, range(len(wanted))] = 1
        for layer, Z, A in reversed(kept):
            dZ = np.asarray(layer.activation.dZ(dA, Z, A), network.dtype)
            dA = np.dot(layer.W.T, dZ.reshape(layer.neurons, -1)).reshape(layer.inputs, *dZ.shape[1:])
        gradient[:, :, tile] = dA.swapaxes(0, 1)
    return gradient if output is None else gradient[0]


def hidden_activations(network: FeedForward, X: Array, layer: int = -1) -> Array:
    """The outputs A of a hidden layer, (neurons, samples), for X, (inputs, samples).

    `layer` counts the dense hidden layers from 0, or back from the last one, -1; ValueError when there is no such one.
    """
    A = columns("X", X, network.inputs, network.dtype)
    *hidden, _ = network.dense
    if not hidden:
        raise ValueError(f"layer {layer!r}: this network has no hidden layer, its inputs go straight to its outputs")
    for each in hidden[: _place("layer", layer, len(hidden)) + 1]:
        A = each(A)
    return A


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
    X, Y, weight = network.check(X, Y, weight)
    rows = _groups(groups, network.inputs)
    shuffles = [group for group in rows for _ in range(whole("repeats", repeats))]
    rng, judge = generator(rng), _judge(network, Y, weight, score)
    layers, samples = network.dense, X.shape[1]
    first, tiles = layers[0], list(_tiles(network, samples))
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


def worked_step(
    network: FeedForward,
    x: Any,
    y: Any,
    *,
    learning_rate: float = 0.1,
    names: Sequence[str] | None = None,
    digits: int = 4,
) -> str:
    """One step of gradient descent on one sample, written out: every Z, A, dZ, dW, db and dA1, and the new W and b.

    x (inputs,), y (outputs,) or a number; `names` are the inputs'. Numbers have `digits` decimals, small and large ones
    as many significant digits. Of a layer with more than 6 neurons or inputs the first few are shown. Dropout hands
    everything on, as in prediction, and the network stays as it is. ValueError names what does not fit.

    >>> worked_step(Network([2, 3, 1], rng=0), [0, 1], 1).splitlines()[0]
    'One step of gradient descent on one sample: network 2-3-1, loss logloss'
    """
    X, Y = _sample("x", x, network.inputs, network.dtype), _sample("y", y, network.outputs, network.dtype)
    network.loss.check_targets(Y)
    rate, digits = number("learning_rate", learning_rate, 0, above=True), whole("digits", digits, 2)
    if names is not None and (isinstance(names, str) or not np.iterable(names) or len(names) != network.inputs):
        raise ValueError(f"names must be {network.inputs} words, one for each input, got {brief(names)}")
    return write_step(network, X, Y, rate, names, digits)


def _last_Z(layers: list[Layer], Z: Array) -> Array:
    """The last layer's Z from the first one's."""
    for before, layer in pairwise(layers):
        Z = layer.pre_activation(before.activation.f(Z))
    return Z


def _tiles(network: FeedForward, samples: int, copies: int = 1) -> Iterator[slice]:
    """Slices of the samples, for arrays with `copies` numbers for each sample and neuron."""
    widest = max(max(layer.inputs, layer.neurons) for layer in network.dense)
    size = max(1, TILE // (widest * copies))
    return (slice(start, start + size) for start in range(0, samples, size))


def _judge(network: FeedForward, Y: Array, weight: Array | None, score: str | Score | None) -> Callable[[Array], float]:
    """A function of the last layer's Z: how good it is for Y, the more the better."""
    f, back = network.layers[-1].activation.f, LINKS[network.loss.link].back if not network.linked else None
    if score is None:

        def judge(Z: Array) -> float:
            values = network.loss.value(Z if back is None else back(f(Z))[0], Y)
            return -float(np.average(values.sum(axis=0), weights=weight))

        return judge
    function = score if callable(score) else SCORES.find(score)
    sign = -1 if isinstance(score, str) and is_error(score) else 1
    return lambda Z: sign * float(function(Y, f(Z), weight))


def _groups(groups: Sequence[Sequence[int]] | None, inputs: int) -> list[Array]:
    """The rows of X in each group; ValueError names a group that is none."""
    if groups is None:
        return list(np.arange(inputs)[:, None])
    found: list[Array] = []
    for i, group in enumerate(groups if np.iterable(groups) else []):
        rows = list(group) if np.iterable(group) else []
        if not rows or not all(_whole(j) and j in range(inputs) for j in rows):
            raise ValueError(f"groups[{i}] must be a list of inputs from 0 to {inputs - 1}, got {brief(group)}")
        if len(set(rows)) < len(rows):
            raise ValueError(f"groups[{i}] names an input twice: {brief(group)}")
        found.append(np.array(rows))
    if not found:
        raise ValueError(f"groups must be lists of inputs, such as [[0, 1, 2], [3]], got {brief(groups)}")
    return found


def _place(name: str, value: Any, size: int) -> int:
    """`value` as an index into `size` things, counted from the end when it is negative; ValueError otherwise."""
    if _whole(value) and value in range(-size, size):
        return int(value) % size
    raise ValueError(f"{name} must be a whole number from {-size} to {size - 1}, got {value!r}")


def _sample(name: str, values: Any, rows: int, dtype: Any) -> Array:
    """One sample as a column; ValueError unless it has so many finite numbers."""
    array = numeric(name, values, dtype)
    if array.size != rows:
        raise ValueError(f"{name} must be one sample of {rows} numbers, got shape {array.shape}")
    return columns(name, array.reshape(-1, 1), rows, dtype)


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
