"""What an engine is, and what it is asked."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from netwright.core.arguments import Array
from netwright.core.gauss_newton import Curvature
from netwright.core.network import FeedForward
from netwright.core.optimizers import Optimizer
from netwright.core.samples import Samples


@dataclass(frozen=True)
class Steps:
    """Some epochs of updates: one for each `batch_size` samples, with its rate of `rates`, (epochs, steps).

    orders: (epochs, n), the numbers of the samples that an epoch takes, in that order; None: all, as they stand.
    A gradient longer than `clip_norm` is cut to that length, unless it is None. The last batch of an epoch is what is
    left. input_scale: (inputs,), of X's dtype, by which a batch's inputs are multiplied; None: they are not.
    """

    batch_size: int
    rates: Array
    orders: Array | None
    clip_norm: float | None
    input_scale: Array | None = None

    @classmethod
    def drawn(
        cls, rows: int | Array, batch_size: int, rates: Array, rng: np.random.Generator | None, clip_norm: float | None
    ) -> "Steps":
        """Steps over so many samples, or those of these numbers, in orders that `rng` draws, epoch by epoch; without it
        the samples stay as they are.
        """
        orders = None
        if rng is not None:
            orders = np.empty((len(rates), rows if isinstance(rows, int) else len(rows)), np.int64)
            for order in orders:
                order[:] = rng.permutation(rows)
        return cls(batch_size, rates, orders, clip_norm)

    def __len__(self) -> int:
        """Epochs."""
        return len(self.rates)

    def samples_of(self, samples: Samples) -> int:
        """How many of them an epoch takes."""
        return len(samples) if self.orders is None else int(self.orders.shape[1])


@runtime_checkable
class Engine(Protocol):
    """What training needs of an engine: a subclass says its name and does the first two; the others have defaults.

    name: as a checkpoint keeps it. ahead: whether it is given many epochs at once while nothing watches; Ctrl-C is
    heard between two calls.
    """

    name: str
    ahead: bool = False

    def gradient(self, network: FeedForward, samples: Samples) -> float:
        """The cost over all samples; leaves its derivative in `network.grad`."""
        ...

    def run_epochs(self, network: FeedForward, optimizer: Optimizer, samples: Samples, steps: Steps) -> Array:
        """The steps; returns for each epoch the mean of the costs that its batches had before their updates, (epochs,).

        `samples.weight` has mean 1.
        """
        ...

    def curvature(self, network: FeedForward, samples: Samples) -> Curvature:
        """What a solver of second order asks about these, of float64."""
        return Curvature(network, samples)

    @property
    def threads(self) -> int:
        """Those that take part in a step."""
        return 1

    def hold(self, network: FeedForward, samples: int) -> AbstractContextManager[None]:
        """The context in which to train with so many samples a batch."""
        return nullcontext()
