"""Engines: how an epoch is executed. Each gives the plain engine's numbers, by other means."""

from collections.abc import Sequence
from typing import Protocol

from netwright.arguments import Array
from netwright.engines.plain import Plain
from netwright.network import Network
from netwright.optimizers import Optimizer
from netwright.table import Table


class Engine(Protocol):
    """What training needs of an engine. X (inputs, n), Y (outputs, n), weight (n,) or None: checked, of one dtype."""

    name: str

    def gradient(self, network: Network, X: Array, Y: Array, weight: Array | None = None) -> float:
        """The cost over all columns; leaves its derivative in `network.grad`."""
        ...

    def run_epoch(
        self,
        network: Network,
        optimizer: Optimizer,
        X: Array,
        Y: Array,
        weight: Array | None,
        order: Array | None,
        batch_size: int,
        rates: Sequence[float],
        clip_norm: float | None = None,
    ) -> float:
        """One update for each `batch_size` columns, taken in `order` (None: as they stand), with its rate of `rates`.

        `weight` has mean 1. A gradient longer than `clip_norm` is cut to that length. Returns the mean of the costs
        that the batches had before their updates.
        """
        ...


ENGINES: Table[type[Engine]] = Table("engine", {"plain": Plain})


def find_engine(engine: str | Engine) -> Engine:
    """The engine of that name ("auto": the one that pays), or the object given; ValueError for an unknown name."""
    if not isinstance(engine, str):
        return engine
    return ENGINES.find("plain" if engine == "auto" else engine)()
