"""The networks of the mixture: how one descends, and how it is trained once the scouts have said for how long."""

import math
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.optimizers import AdamW
from netwright.core.samples import batch_size_for
from netwright.core.schedules import warmup_and_cosine
from netwright.engines import ENGINES, Job, Steps
from netwright.network import Network
from netwright.recipes.folds import Fold
from netwright.recipes.problem import DROPOUT, HIDDEN, Problem
from netwright.training.solvers.descent import descend

RATE, DECAY, BETA2 = 3e-3, 0.1, 0.99
LOOKS = 20  # a training is looked at so often
NETWORK = 2  # its stream of random numbers; 0, 1 and 3 are the scouts'


class Trained(NamedTuple):
    """A network, the cost of each of its epochs, and that of the rows held out after some of them."""

    network: Network
    costs: list[float]
    looks: dict[int, float]


@dataclass
class Best:
    """The parameters with the lowest cost so far, that cost, and after how many epochs it was seen."""

    theta: Array
    cost: float = math.inf
    epoch: int = 0


@dataclass
class Descent:
    """AdamW on a fold's samples, some epochs at a time, as `descend` asks; `best` was best when looked at."""

    problem: Problem
    network: Network
    fold: Fold
    ends: float

    def __post_init__(self) -> None:
        samples = self.fold.samples
        n = len(samples)
        self.batch_size = min(n, batch_size_for(n, 12))
        self.steps = math.ceil(n / self.batch_size)  # an epoch
        self.most = min(1000, max(LOOKS, round(1500 * (n / 1000) ** 0.4 / self.steps)))  # epochs
        self.optimizer = AdamW(RATE, beta2=BETA2, weight_decay=DECAY)
        job = Job(self.network, self.optimizer, n, self.batch_size, n_threads=1)
        self.engine = ENGINES.find(self.problem.engine)(job)
        weight = samples.normalised().weight
        self.samples = replace(samples, weight=None if weight is None else weight.astype(np.float32))
        self.costs, self.best, self.stopped = list[float](), Best(self.network.theta.copy()), ""

    def run(self) -> None:
        """To the end: the network then has its best parameters."""
        descend(self, self.optimizer)
        self.network.theta = self.best.theta

    def next_steps(self) -> Steps:
        """An epoch for each row of the factors."""
        return Steps.drawn(len(self.samples), self.batch_size, RATE * self.next_factors(), self.network.rng, None)

    def next_factors(self) -> Array:
        """Of the rate, (epochs, steps), in the epochs before the next look."""
        raise NotImplementedError

    def note(self, steps: Steps, costs: Array) -> None:
        """Keep what each epoch cost."""
        self.costs += costs.tolist()

    def finish(self) -> None:
        """Look, and say if that was the last time."""
        raise NotImplementedError

    def look(self) -> float:
        """The cost of the rows held out, or else of those learned from; infinite if it is no number.

        The parameters are kept if that is the lowest so far; with no rows held out, always unless it is infinite.
        """
        seen = self.fold.held_out or self.fold.samples
        with np.errstate(all="ignore"):
            cost = self.network.evaluate(*seen.arrays)[0]
        cost = cost if math.isfinite(cost) else math.inf
        if cost < self.best.cost or (self.fold.held_out is None and cost < math.inf):
            self.best = Best(self.network.theta.copy(), cost, len(self.costs))
        return cost

    def state(self) -> None:
        """None: an error ends the whole mixture."""

    def roll_back(self, state: None) -> None:
        """Nowhere to go back to."""

    def retries(self, error: BaseException) -> bool:
        """Never."""
        return False


class Annealed(Descent):
    """At a rate that falls to nothing in so many epochs, or, where time is short, with the time that is left."""

    def __init__(self, problem: Problem, network: Network, fold: Fold, ends: float, epochs: int):
        super().__init__(problem, network, fold, ends)
        self.begun, self.spent = time.perf_counter(), 0.0
        self.epochs = min(epochs, self.most)
        self.stops = np.unique(np.linspace(0, self.epochs, LOOKS + 1).round().astype(int)).tolist()
        self.looks = dict[int, float]()

    def next_factors(self) -> Array:
        start, stop = self.stops[len(self.looks) : len(self.looks) + 2]
        done = np.linspace(start, stop, (stop - start) * self.steps, endpoint=False) / self.epochs
        return warmup_and_cosine(np.maximum(done, self.spent)).reshape(stop - start, -1)

    def finish(self) -> None:
        self.looks[len(self.costs)] = cost = self.look()
        self.spent = (time.perf_counter() - self.begun) / max(self.ends - self.begun, 1e-9)  # 0 without a limit
        if len(self.costs) == self.epochs:
            self.stopped = "all epochs done"
        elif cost == math.inf:
            self.stopped = "the cost is infinite"
        elif self.spent >= 1 or self.problem.stop.is_set():
            self.stopped = "time is up"


def train(problem: Problem, fold: Fold, place: int, ends: float, input_scale: Array, epochs: int) -> Trained:
    """A network that takes the inputs as they are, trained with them times `input_scale`, (inputs, 1).

    The scale is folded into W in the end.
    """
    network = problem.network(fold.samples, HIDDEN, place, NETWORK, dropout=DROPOUT)
    descent = Annealed(problem, network, fold.scaled(input_scale), ends, epochs)
    descent.run()
    network.layers[0].W = network.layers[0].W * input_scale.T  # W·(scale·x) = (W·scale)·x
    return Trained(network, descent.costs, descent.looks if fold.held_out else {})
