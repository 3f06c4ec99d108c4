"""What the tests draw from: targets that fit a loss, and (Hypothesis) whole problems of any shape."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from netwright import ACTIVATIONS, LOSSES, OPTIMIZERS, Network
from netwright.core.losses import find_loss
from netwright.core.optimizers import Optimizer

LOSS_NAMES = [*LOSSES, "huber:1.5", "quantile:0.9"]
FIRST_ORDER = [name for name, row in OPTIMIZERS.items() if issubclass(row, Optimizer)]
XOR = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])


def targets(loss: str, outputs: int, samples: int, rng: np.random.Generator) -> Any:
    """Random Y, (outputs, samples), of the kind that the loss learns from."""
    kinds = {
        "real": lambda: rng.normal(size=(outputs, samples)),
        "partial": lambda: np.where(rng.random((outputs, samples)) < 0.3, np.nan, rng.normal(size=(outputs, samples))),
        "count": lambda: rng.poisson(2.0, (outputs, samples)).astype(float),
        "probability": lambda: rng.integers(0, 2, (outputs, samples)).astype(float),
        "distribution": lambda: np.eye(outputs)[:, rng.integers(0, outputs, samples)],
    }
    return kinds[find_loss(loss).targets]()


@dataclass
class Problem:
    network: Network
    X: Any
    Y: Any
    weight: Any

    def gradient(self, columns: Any = slice(None), weight: Any = None) -> tuple[float, Any]:
        """Cost and gradient over some columns."""
        cost = self.network.gradient(self.X[:, columns], self.Y[:, columns], weight)
        return cost, self.network.grad.copy()


@st.composite
def problems(draw: Any, min_samples: int = 1) -> Problem:
    """A network of any shape, activation, loss and penalty, and data for it."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    samples = draw(st.integers(min_samples, 7))
    loss = draw(st.sampled_from(LOSS_NAMES))
    activation = draw(st.sampled_from(sorted(ACTIVATIONS)))
    l2, l1 = draw(st.sampled_from([(0.0, 0.0), (0.1, 0.0), (0.1, 0.01)]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    network = Network(sizes, activation, loss=loss, l2=l2, l1=l1, rng=rng)
    X, Y = rng.normal(size=(sizes[0], samples)), targets(loss, sizes[-1], samples, rng)
    weight = np.array(draw(st.lists(st.integers(0, 3), min_size=samples, max_size=samples)), float)
    weight[draw(st.integers(0, samples - 1))] += 1  # not all of them 0
    return Problem(network, X, Y, weight)
