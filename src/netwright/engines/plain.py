"""The plain engine: the layers' own NumPy methods, batch after batch. It is for reading, and the measure of the others.

What it adds is memory: batches are gathered into one array, and layers write over the last batch's Z and dA1.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from netwright.core.arguments import Array
from netwright.core.network import FeedForward
from netwright.core.optimizers import Optimizer
from netwright.core.samples import Samples
from netwright.engines.engine import Engine, Steps
from netwright.engines.threads import threads_that_pay


class Plain(Engine):
    """See `netwright.engines.Engine`."""

    name = "plain"

    def hold(self, network: FeedForward, samples: int) -> AbstractContextManager[None]:
        """Keeps BLAS to the threads that pay."""
        return threads_that_pay(network, samples)

    def gradient(self, network: FeedForward, samples: Samples) -> float:
        return network.backpropagate(samples.X, samples.Y, samples.weight)

    def run_epochs(self, network: FeedForward, optimizer: Optimizer, samples: Samples, steps: Steps) -> Array:
        orders = [None] * len(steps) if steps.orders is None else steps.orders
        n, costs = steps.samples_of(samples), []
        with reusing(network):
            for order, rates in zip(orders, steps.rates.tolist(), strict=True):
                cost = 0.0
                parts = batches(samples, order, steps.batch_size, steps.input_scale)
                for rate, (X, Y, weight) in zip(rates, parts, strict=True):
                    m = X.shape[1]
                    cost += network.backpropagate(X, Y, weight, total=m) * m
                    if steps.clip_norm is not None:
                        clip(network.grad, steps.clip_norm)
                    optimizer.step(network.theta, network.grad, rate)
                costs.append(cost / n)
        return np.array(costs)


def batches(
    samples: Samples, order: Array | None, size: int, scale: Array | None = None
) -> Iterator[tuple[Array, Array, Array | None]]:
    """(X, Y, weight) of `size` columns at a time, views where they stand in order, else gathered into one memory.

    scale: (inputs,), by which X is multiplied; None: as it is.
    """
    X, Y, weight, n = samples.X, samples.Y, samples.weight, len(samples) if order is None else len(order)
    if order is None:
        for low in range(0, n, size):
            part = slice(low, low + size)
            Xb = X[:, part] if scale is None else X[:, part] * scale[:, np.newaxis]
            yield Xb, Y[:, part], None if weight is None else weight[part]
        return
    given = [X.T, Y.T] if weight is None else [X.T, Y.T, weight]  # samples as rows: each lies in one piece
    memory = [np.empty((min(size, n), *values.shape[1:]), values.dtype) for values in given]
    for low in range(0, n, size):
        rows = order[low : low + size]
        # mode="clip" makes take write straight into `out`; all of the rows are there, so nothing is ever clipped
        for values, out in zip(given, memory, strict=True):
            np.take(values, rows, axis=0, out=out[: rows.size], mode="clip")
        Xb, Yb, *wb = (out[: rows.size] for out in memory)
        if scale is not None:
            Xb *= scale
        yield Xb.T, Yb.T, wb[0] if wb else None


def clip(grad: Array, norm: float) -> None:
    """Shorten grad to the given length when it is longer (Pascanu et al. 2013)."""
    length = float(np.sqrt(np.dot(grad, grad)))
    if length == np.inf:  # only its squares may be too large
        grad /= np.max(np.abs(grad))
        grad *= norm / float(np.sqrt(np.dot(grad, grad)))
    elif length > norm:
        grad *= norm / length


@contextmanager
def reusing(network: FeedForward) -> Iterator[None]:
    """Let the layers write over what they keep of a batch, but not over what a caller may hold from before or after."""
    for layer in network.layers:
        for name in ("Z", "dA1"):
            vars(layer).pop(name, None)
        layer.reuse = True
    try:
        yield
    finally:
        for layer in network.layers:
            layer.reuse = False
