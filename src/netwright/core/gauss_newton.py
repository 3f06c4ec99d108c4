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

BLOCK, LEAST = 1 << 18, 256  # numbers of J at a time, 2 MiB, and samples: they stay in a core's cache
ROWS, KEPT = 8192, 1 << 23  # samples at a time, and numbers that are kept of them, 64 MiB
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
        self.kept: list[tuple[Array, Array, Array]] = []  # each layer's A1, Z and A
        for layer in self.layers:
            self.kept.append((A, *self.forward(layer, A)))
            A = self.kept[-1][2]
        self.U: Array = self.kept[-1][1]
        self.slope: Array | None = None  # dU/dA, where the last activation is not the loss's link
        if not network.linked:
            self.U, self.slope = LINKS[loss.link].back(A)
            A = ACTIVATIONS[loss.link].f(self.U)
        Y = loss.smooth(Y, network.label_smoothing) if network.label_smoothing else Y
        self.share = np.full(self.m, 1 / total) if weight is None else weight / total
        self.A, self.Y = A, Y
        self.cost = float((loss.value(self.U, Y) * self.share).sum())

    def forward(self, layer: Layer, A1: Array) -> tuple[Array, Array]:
        """The layer's Z and A."""
        Z = layer.pre_activation(A1)
        return Z, layer.activation.f(Z)

    def chain(self, l: int, dA: Array) -> Array:
        """dZ of the layer l from its dA, which may be written over; and RA from RZ, since a softmax's is symmetric."""
        _, Z, A = self.kept[l]
        return self.layers[l].activation.dZ(dA, Z, A)

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
        at, R, last = 0, np.zeros((0, 0)), len(self.layers) - 1
        for l, layer in enumerate(self.layers):
            VW = direction[at : at + layer.W.size].reshape(layer.W.shape)
            RZ = VW @ self.kept[l][0] + direction[at + layer.W.size : at + layer.size, np.newaxis]
            if l > 0:
                RZ += layer.W @ R
            at += layer.size
            R = RZ if l == last and self.slope is None else self.chain(l, RZ)
        return R if self.slope is None else R * self.slope

    def pull(self, V: Array) -> Array:
        """Σ share·Jᵀ·V over the samples for V, (outputs, m): as theta."""
        pulled = np.empty(self.network.theta.size)
        for layer, A1, dZ, at in self._back(V * self.share):
            np.dot(dZ, A1.T, out=pulled[at : at + layer.W.size].reshape(layer.W.shape))
            np.sum(dZ, axis=1, out=pulled[at + layer.W.size : at + layer.size])
        return pulled

    def columns(self) -> Iterator[Array]:
        """√share·Jᵀ·S block by block, (n_params, outputs·samples of the block): a column for each of S and sample.

        A block is written over by the next.
        """
        n_params, outputs = self.network.theta.size, self.network.outputs
        rows = min(self.m, max(LEAST, BLOCK // (n_params * outputs)))
        back = [list(self._back(S * np.sqrt(self.share))) for S in roots(self.network.loss, self.h())]
        memory = np.empty(n_params * outputs * rows)
        for low in range(0, self.m, rows):
            count = min(rows, self.m - low)
            out = memory[: n_params * outputs * count].reshape(n_params, outputs * count)
            for k, layers in enumerate(back):
                part = out[:, k * count : (k + 1) * count]
                for layer, A1, dZ, at in layers:
                    dZ, A1 = dZ[:, low : low + count], A1[:, low : low + count]
                    dW = part[at : at + layer.W.size].reshape(layer.neurons, layer.inputs, count)
                    np.multiply(dZ[:, np.newaxis], A1, out=dW)
                    part[at + layer.W.size : at + layer.size] = dZ
            yield out

    def _back(self, V: Array) -> Iterator[tuple[Layer, Array, Array, int]]:
        """(layer, A1, dZ, its place in theta), the last layer first, where dU is V."""
        at, dZ = self.network.theta.size, V
        if self.slope is not None:
            dZ = self.chain(-1, V * self.slope)
        for l in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[l]
            at -= layer.size
            yield layer, self.kept[l][0], dZ, at
            if l > 0:
                dZ = self.chain(l - 1, layer.W.T @ dZ)


class Curvature:
    """What a solver of second order asks about a network and its samples, block by block; theta as it is at each call.

    Both are of float64. An engine may compute the same by other means, from a `linear` of its own. While one block has
    all the samples it is kept, since a step that lowers the cost is where the next one begins. `decay`, (n_params,), is
    a penalty of the solver's own, ½·Σ decay·theta², beside the network's.
    """

    linear: type[Linear] = Linear
    decay: Array | None = None

    def __init__(self, network: FeedForward, samples: Samples):
        self.network, self.samples = network, samples
        self.total = float(len(samples) if samples.weight is None else samples.weight.sum())
        numbers = network.outputs * sum(layer.neurons for layer in network.dense)  # of dZ, for all columns of S
        self.rows = min(len(samples), ROWS, max(LEAST, KEPT // numbers))
        self.last: tuple[Array, Linear] | None = None

    def parts(self) -> Iterator[tuple[Array, Array, Array | None]]:
        """X, Y and weight, `rows` samples at a time."""
        X, Y, weight = self.samples.arrays
        for low in range(0, len(self.samples), self.rows):
            part = slice(low, low + self.rows)
            yield X[:, part], Y[:, part], None if weight is None else weight[part]

    def around(self, part: tuple[Array, Array, Array | None], theta: Array) -> Linear:
        """The network around that theta, which it has from here on, for a part of the samples."""
        self.network.theta[...] = theta
        if self.last is not None and np.array_equal(self.last[0], theta):
            return self.last[1]
        linear = self.linear(self.network, *part, self.total)
        if self.rows == len(self.samples):
            self.last = theta.copy(), linear
        return linear

    def cost(self) -> float:
        """The mean loss and the penalties, as `FeedForward.gradient` has them."""
        cost = sum(self.around(part, self.network.theta).cost for part in self.parts())
        return cost + self.penalize()

    def gradient(self, G: Array | None = None) -> float:
        """The cost; leaves its gradient in the network's `grad`, and G, (n_params, n_params), where it is given."""
        network, cost, g = self.network, 0.0, np.zeros(self.network.theta.size)
        if G is not None:
            G[...] = np.diag(self.diagonal())
        for part in self.parts():
            linear = self.around(part, network.theta)
            for columns in linear.columns() if G is not None else ():
                G += np.dot(columns, columns.T)  # NumPy sees that it is symmetric, and does half of the work
            g += linear.pull(linear.dU())
            cost += linear.cost
        network.grad = g
        return cost + self.penalize()

    def times(self, v: Array) -> Array:
        """G·v for v, as theta, without G: forwards J·v, then back with H of that (Schraudolph 2002, section 4)."""
        product = self.diagonal() * v
        for part in self.parts():
            linear = self.around(part, self.network.theta)
            product += linear.pull(times(self.network.loss, linear.h(), linear.push(v)))
        return product

    def bend(self, v: Array, step: float) -> Array:
        """Σ share·Jᵀ·H·U″, as theta, where U″ is the second derivative of U along v, by a difference over `step`."""
        network, theta, bent = self.network, self.network.theta.copy(), np.zeros(v.size)
        for part in self.parts():
            linear = self.around(part, theta)
            network.theta[...] = theta + step * v
            moved = self.linear(network, *part, self.total).U
            network.theta[...] = theta
            second = 2 / step * ((moved - linear.U) / step - linear.push(v))
            bent += linear.pull(times(network.loss, linear.h(), second))
        return bent

    def penalize(self) -> float:
        """The penalties; adds their derivative to the network's `grad`."""
        cost, network = self.network.penalize(len(self.samples)), self.network
        if self.decay is not None:
            network.grad = network.grad + self.decay * network.theta
        return cost + self.decayed()

    def decayed(self) -> float:
        """What `decay` adds to the cost."""
        return 0.0 if self.decay is None else 0.5 * float(self.decay @ self.network.theta**2)

    def diagonal(self) -> Array:
        """What the penalties add to G's diagonal, as theta: l2 for each W, and l1 as a parabola above it."""
        diagonal, at = np.zeros(self.network.theta.size), 0
        if self.decay is not None:
            diagonal += self.decay
        l2, l1 = self.network.penalties(len(self.samples))
        if l2 or l1:
            for layer in self.network.dense:
                diagonal[at : at + layer.W.size] += (l2 + l1 / np.maximum(np.abs(layer.W), CLOSE)).reshape(-1)
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
