"""Looking inside: derivatives by the inputs, and what hidden layers say of them.

All of it runs as in prediction, where dropout does nothing, and leaves no trace, so threads may share the network.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief, columns, is_whole
from netwright.core.network import FeedForward, check_network

TILE = 1 << 17  # numbers in a tile's largest array: what one layer leaves is still in the cache when the next one comes


def input_gradient(network: FeedForward, X: Array, output: int | None = None) -> Array:
    """dA/dX, each sample's Jacobian, (outputs, inputs, samples); of one `output`, (inputs, samples).

    X is (inputs, samples). `output` counts from 0, or back from the last one, -1. ValueError for a wrong shape, or when
    there is no such output.
    """
    X = columns("X", X, check_network(network).inputs, network.dtype)
    wanted = list(range(network.outputs)) if output is None else [_place("output", output, network.outputs)]
    gradient = np.empty((len(wanted), *X.shape), network.dtype)
    for tile in tiles_of(network, X.shape[1], len(wanted)):
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
    A = columns("X", X, check_network(network).inputs, network.dtype)
    *hidden, _ = network.dense
    if not hidden:
        raise ValueError(f"layer {layer!r}: this network has no hidden layer, its inputs go straight to its outputs")
    for each in hidden[: _place("layer", layer, len(hidden)) + 1]:
        A = each(A)
    return A


def tiles_of(network: FeedForward, samples: int, copies: int = 1) -> Iterator[slice]:
    """Slices of the samples, for arrays with `copies` numbers for each sample and neuron."""
    widest = max(max(layer.inputs, layer.neurons) for layer in network.dense)
    size = max(1, TILE // (widest * copies))
    return (slice(start, start + size) for start in range(0, samples, size))


def _place(name: str, value: Any, size: int) -> int:
    """`value` as an index into `size` things, counted from the end when it is negative; ValueError otherwise."""
    if is_whole(value) and value in range(-size, size):
        return int(value) % size
    raise ValueError(f"{name} must be a whole number from {-size} to {size - 1}, got {brief(value)}")
