"""Standardising, and undoing it inside a trained network's own weights."""

from dataclasses import dataclass

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import Loss, huber
from netwright.network import Network


@dataclass(frozen=True)
class Scaling:
    """(X - x_mean) / x_spread and (Y - y_mean) / y_spread; all are columns, of float64."""

    x_mean: Array
    x_spread: Array
    y_mean: Array
    y_spread: Array

    @classmethod
    def fit(cls, X: Array, Y: Array, weight: Array | None = None, loss: Loss | None = None) -> "Scaling":
        """Means and standard deviations of X, (inputs, samples), and with a loss that lets them, Y, (outputs, samples).

        weight: (samples,); weight k counts as k copies, 0 as none. What is constant has the spread 1. For huber all
        outputs have one spread, since they have one delta.
        """
        y_mean, y_spread = np.zeros((len(Y), 1)), np.ones((len(Y), 1))
        if loss is not None and loss.scales:
            y_mean, y_spread = _mean_and_spread(Y, weight)
            if loss.delta is not None:
                y_spread = np.full_like(y_spread, np.sqrt(np.mean(y_spread**2)))
        return cls(*_mean_and_spread(X, weight), y_mean, y_spread)

    def __call__(self, X: Array, Y: Array) -> tuple[Array, Array]:
        """Both standardised."""
        return (X - self.x_mean) / self.x_spread, (Y - self.y_mean) / self.y_spread

    def inverse(self) -> "Scaling":
        """What takes standardised numbers back: x_spread·X + x_mean."""
        return Scaling(-self.x_mean / self.x_spread, 1 / self.x_spread, -self.y_mean / self.y_spread, 1 / self.y_spread)

    def loss(self, loss: Loss) -> Loss:
        """The same loss of the standardised targets, up to a factor: huber's delta is in the target's unit."""
        if loss.delta is None or (self.y_spread == 1).all():
            return loss
        return huber(loss.delta / float(self.y_spread[0, 0]))


def fold(network: Network, scaling: Scaling) -> None:
    """Make a network of standardised inputs and outputs one of raw ones: only the first and last W and b change.

    W·(x - m)/s + b = (W/s)·x + (b - (W/s)·m), and s·(W·a + b) + m = (s·W)·a + (s·b + m).
    """
    dense = network.dense
    first, last = dense[0], dense[-1]
    W = first.W / scaling.x_spread.T  # in float64, whatever the network's dtype
    first.W, first.b = W, first.b - W @ scaling.x_mean
    last.W, last.b = scaling.y_spread * last.W, scaling.y_spread * last.b + scaling.y_mean


def _mean_and_spread(values: Array, weight: Array | None) -> tuple[Array, Array]:
    """The mean and the standard deviation of each row, as columns; the spread of a constant is 1."""
    if weight is not None:
        values, weight = values[:, weight > 0], weight[weight > 0]
    largest = np.abs(values).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    parts = values / largest  # so that no square is too large
    mean = np.average(parts, axis=1, weights=weight)[:, None]
    spread = np.sqrt(np.average((parts - mean) ** 2, axis=1, weights=weight))[:, None]
    constant = (values == values[:, :1]).all(axis=1)[:, None]  # rounding may leave it a spread
    mean, spread = np.where(constant, values[:, :1], mean * largest), np.where(constant, 1.0, spread * largest)
    spread[spread == 0] = 1
    return mean, spread
