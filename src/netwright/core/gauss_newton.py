"""Gauss-Newton: the curvature of a cost from first derivatives alone.

The loss looks at U, (outputs, samples): the last Z, or what its link makes of the outputs backwards. With J, the
derivative of a sample's U by theta, and H, the loss's by U, twice, the cost bends like G = Σ w·Jᵀ·H·J / Σ w where
U bends little (Schraudolph 2002, section 3). H = S·Sᵀ, so that G = Σ (Jᵀ·S)·(Jᵀ·S)ᵀ: each column of S goes back through
the layers as any dZ does, and its dW and db, sample by sample, are a column of Jᵀ·S. For squared errors S is 1 and
G is Levenberg's and Marquardt's JᵀJ. Rows come in blocks, in float64; J is never there as a whole.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from netwright.core.activations import ACTIVATIONS, by_blocks
from netwright.core.arguments import Array
from netwright.core.layer import Layer
from netwright.core.links import LINKS
from netwright.core.losses import Loss
from netwright.core.network import FeedForward
from netwright.core.samples import Samples

BLOCK = 1 << 20  # numbers of J at a time, 8 MiB
LEAST, MOST = 64, 4096  # samples at a time
CLOSE = 1e-6  # a weight below which the curvature of its |W| grows no more


def times(loss: Loss, h: Array, V: Array) -> Array:
    """H·V for V, (outputs, samples), where h is the loss's `curvature`."""
    if not loss.softmax:
        return h * V
    return by_blocks(lambda h, V: h * (V - np.sum(h * V, axis=0, keepdims=True)), loss.blocks, h, V)


def roots(loss: Loss, h: Array) -> Iterator[Array]:
    """The columns of S, S·Sᵀ = H, each (outputs, samples): of diag(h) - h·hᵀ with Σ h = 1, diag(√h) - h·√hᵀ."""
    end = 0
    for size in (loss.blocks or (len(h),)) if loss.softmax else (1,) * len(h):
        start, end = end, end + size
        for k in range(start, end):
            S = np.zeros_like(h)
            S[k] = 1
            if loss.softmax:
                S[start:end] -= h[start:end]
            yield S * np.sqrt(h[k])


class Linear:
    """A network around its theta, for a block of samples: their share of the cost, and products with J and Jᵀ.

    X (inputs, m), Y (outputs, m), weight (m,) or None; `total` is Σ weight over all samples, which the means are over.
    """

    def __init__(self, network: FeedForward, X: Array, Y: Array, weight: Array | None, total: float):
        self.network, self.layers, loss = network, network.dense, network.loss
        self.m, A = X.shape[1], np.ascontiguousarray(X)
        for layer in self.layers:
            A = layer.feedforward(A)
        self.U: Array = self.layers[-1].Z
        self.slope: Array | None = None  # dU/dA, where the last activation is not the loss's link
        if not network.linked:
            self.U, self.slope = LINKS[loss.link].back(A)
            A = ACTIVATIONS[loss.link].f(self.U)
        Y = loss.smooth(Y, network.label_smoothing) if network.label_smoothing else Y
        self.share = np.full(self.m, 1 / total) if weight is None else weight / total
        self.A, self.Y = A, Y
        self.cost = float((loss.value(self.U, Y) * self.share).sum())

    def dU(self) -> Array:
        """The loss's derivative by U, (outputs, m)."""
        return self.network.loss.dZ(self.U, self.A, self.Y)

    def h(self) -> Array:
        """The loss's `curvature`, (outputs, m)."""
        curvature = self.network.loss.curvature
        assert curvature is not None
        return np.asarray(curvature(self.U, self.A, self.Y), np.float64)

    def push(self, direction: Array) -> Array:
        """J·v for v, as theta: how fast U changes along it, (outputs, m) (Pearlmutter 1994, section 3)."""
        at, R, first = 0, np.zeros((0, 0)), self.layers[0]
        for layer in self.layers:
            VW = direction[at : at + layer.W.size].reshape(layer.W.shape)
            RZ = VW @ layer.A1 + direction[at + layer.W.size : at + layer.size, np.newaxis]
            if layer is not first:
                RZ += layer.W @ R
            at += layer.size
            # dZ is symmetric: of a softmax, too, diag(A) - A·Aᵀ takes dA to dZ and RZ to RA
            R = RZ if layer is self.layers[-1] and self.slope is None else layer.activation.dZ(RZ, layer.Z, layer.A)
        return R if self.slope is None else R * self.slope

    def pull(self, V: Array) -> Array:
        """Σ share·Jᵀ·V over the samples for V, (outputs, m): as theta. It is left in `grad` as well."""
        for layer, dZ in self._back(V * (self.share * self.m)):  # a layer takes the mean over the m
            layer.gradient_from(dZ, back=False)
        return self.network.grad

    def columns(self, memory: Array) -> Array:
        """√share·Jᵀ·S, (n_params, outputs·m): a column for each column of S and sample. In `memory`, a vector."""
        shape = self.network.theta.size, self.network.outputs * self.m
        out = memory[: shape[0] * shape[1]].reshape(shape)
        for k, S in enumerate(roots(self.network.loss, self.h())):
            at, part = shape[0], out[:, k * self.m : (k + 1) * self.m]
            for layer, dZ in self._back(S * np.sqrt(self.share)):
                at -= layer.size
                dW = part[at : at + layer.W.size].reshape(layer.neurons, layer.inputs, self.m)
                np.multiply(dZ[:, np.newaxis], layer.A1, out=dW)
                part[at + layer.W.size : at + layer.size] = dZ
        return out

    def _back(self, V: Array) -> Iterator[tuple[Layer, Array]]:
        """Every layer's dZ, the last layer's first, where dU is V."""
        last = self.layers[-1]
        dZ = V if self.slope is None else last.activation.dZ(V * self.slope, last.Z, last.A)
        for layer, below in zip(self.layers[::-1], (*self.layers[-2::-1], None), strict=True):
            yield layer, dZ
            if below is not None:
                dZ = below.activation.dZ(layer.W.T @ dZ, below.Z, below.A)


class Curvature:
    """What a solver of second order asks about a network and its samples, block by block; theta as it is at each call.

    Both are of float64. An engine may compute the same by other means.
    """

    def __init__(self, network: FeedForward, samples: Samples):
        self.network, self.samples = network, samples
        self.total = float(len(samples) if samples.weight is None else samples.weight.sum())
        rows = max(LEAST, min(MOST, BLOCK // (network.theta.size * network.outputs)))
        self.rows = -(-len(samples) // -(-len(samples) // rows))  # all blocks about as large
        self.memory = np.empty(0)  # for a block of J

    def parts(self) -> Iterator[tuple[Array, Array, Array | None, float]]:
        """What `Linear` takes, `rows` samples at a time."""
        X, Y, weight = self.samples.arrays
        for low in range(0, len(self.samples), self.rows):
            part = slice(low, low + self.rows)
            yield X[:, part], Y[:, part], None if weight is None else weight[part], self.total

    def cost(self) -> float:
        """The mean loss and the penalties, as `FeedForward.gradient` has them."""
        cost = sum(Linear(self.network, *part).cost for part in self.parts())
        return cost + self.network.penalize(len(self.samples))

    def matrix(self, G: Array) -> float:
        """The cost; leaves G, (n_params, n_params), of it all in `G` and its gradient in the network's `grad`."""
        network = self.network
        if not self.memory.size:
            self.memory = np.empty(len(G) * network.outputs * self.rows)
        G[...], cost, g = 0, 0.0, np.zeros(len(G))
        for part in self.parts():
            linear = Linear(network, *part)
            columns = linear.columns(self.memory)
            G += np.dot(columns, columns.T)  # NumPy sees that it is symmetric, and does half of the work
            g += linear.pull(linear.dU())
            cost += linear.cost
        G.flat[:: len(G) + 1] += self.diagonal()
        network.grad = g
        return cost + network.penalize(len(self.samples))

    def gradient(self) -> float:
        """The cost; leaves its gradient in the network's `grad`."""
        cost, g = 0.0, np.zeros(self.network.theta.size)
        for part in self.parts():
            linear = Linear(self.network, *part)
            g += linear.pull(linear.dU())
            cost += linear.cost
        self.network.grad = g
        return cost + self.network.penalize(len(self.samples))

    def times(self, v: Array) -> Array:
        """G·v for v, as theta, without G: forwards J·v, then back with H of that (Schraudolph 2002, section 4)."""
        product = self.diagonal() * v
        for part in self.parts():
            linear = Linear(self.network, *part)
            product += linear.pull(times(self.network.loss, linear.h(), linear.push(v)))
        return product

    def bend(self, v: Array, step: float) -> Array:
        """Σ share·Jᵀ·H·U″, as theta, where U″ is the second derivative of U along v, by a difference over `step`."""
        network, theta, bent = self.network, self.network.theta.copy(), np.zeros(v.size)
        for part in self.parts():
            network.theta[...] = theta + step * v
            moved = Linear(network, *part).U
            network.theta[...] = theta
            linear = Linear(network, *part)
            second = 2 / step * ((moved - linear.U) / step - linear.push(v))
            bent += linear.pull(times(network.loss, linear.h(), second))
        return bent

    def diagonal(self) -> Array:
        """What the penalties add to G's diagonal, as theta: l2 for each W, and l1 as a parabola above it."""
        diagonal, at = np.zeros(self.network.theta.size), 0
        l2, l1 = self.network.penalties(len(self.samples))
        if l2 or l1:
            for layer in self.network.dense:
                diagonal[at : at + layer.W.size] = (l2 + l1 / np.maximum(np.abs(layer.W), CLOSE)).reshape(-1)
                at += layer.size
        return diagonal


def in_float64(network: FeedForward, samples: Samples) -> tuple[FeedForward, Samples]:
    """The same in float64: themselves, or a network of its own with their numbers."""
    if network.dtype == np.float64:
        return network, samples
    own = {layer.activation.name: layer.activation for layer in network.dense}
    with warnings.catch_warnings():  # what it had to say about its last activation was said when it was made
        warnings.simplefilter("ignore")
        twin = FeedForward.from_settings(network.settings() | {"dtype": "float64"}, network.theta, own, network.loss)
    weight = None if samples.weight is None else samples.weight.astype(np.float64)
    return twin, Samples(samples.X.astype(np.float64), samples.Y.astype(np.float64), weight)
