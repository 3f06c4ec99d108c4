"""The networks of the mixture: how one descends, and how it is trained once the scouts have said for how long."""

import math
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.optimizers import AdamW
from netwright.core.schedules import warmup_and_cosine
from netwright.engines import ENGINES, Job
from netwright.network import Network
from netwright.recipes.folds import Fold
from netwright.recipes.problem import DROPOUT, HIDDEN, Problem
from netwright.training.solvers.descent import Best, steps_of

RATE, DECAY, BETA2 = 3e-3, 0.1, 0.99
LOOKS = 20  # a training is looked at so often
NETWORK = 2  # its stream of random numbers; 0, 1 and 3 are the scouts'


class Trained(NamedTuple):
    """A network, the cost of each of its epochs, and that of the rows held out after some of them."""

    network: Network
    costs: list[float]
    looks: dict[int, float]


@dataclass
class Descent:
    """AdamW on a fold's samples, some epochs at a time; `best` is the state that was best when looked at."""

    problem: Problem
    network: Network
    fold: Fold

    def __post_init__(self) -> None:
        samples = self.fold.samples
        n = len(samples)
        self.batch_size = min(n, 256, max(16, 2 ** round(math.log2(n / 12))))
        self.steps = math.ceil(n / self.batch_size)  # an epoch
        self.most = min(1000, max(LOOKS, round(1500 * (n / 1000) ** 0.4 / self.steps)))  # epochs
        self.optimizer = AdamW(RATE, beta2=BETA2, weight_decay=DECAY)
        job = Job(self.network, self.optimizer, n, self.batch_size, n_threads=1)
        self.engine = ENGINES.find(self.problem.engine)(job)
        weight = samples.normalised().weight
        self.samples = replace(samples, weight=None if weight is None else weight.astype(np.float32))
        self.done, self.best = 0, Best(self.network.theta.copy())

    def run(self, factors: Array) -> list[float]:
        """An epoch for each row of factors, (epochs, steps), of the rate; returns the cost of each."""
        steps = steps_of(len(self.samples), self.batch_size, RATE * factors, self.network.rng)
        self.done += len(steps)
        costs: list[float] = self.engine.run_epochs(self.network, self.optimizer, self.samples, steps).tolist()
        return costs

    def look(self) -> float:
        """The cost of the rows held out, or else of those learned from; infinite if it is no number.

        The parameters are kept if that is the lowest so far; with no rows held out, always unless it is infinite.
        """
        seen = self.fold.held_out or self.fold.samples
        with np.errstate(all="ignore"):
            cost = self.network.evaluate(*seen.arrays)[0]
        cost = cost if math.isfinite(cost) else math.inf
        if cost < self.best.cost or (self.fold.held_out is None and cost < math.inf):
            self.best = Best(self.network.theta.copy(), cost, self.done)
        return cost


def train(problem: Problem, fold: Fold, place: int, ends: float, input_scale: Array, epochs: int) -> Trained:
    """A network that takes the inputs as they are, trained with them times `input_scale`, (inputs, 1).

    The scale is folded into W in the end. Where time is short, the rate falls with the time that is left.
    """
    network = problem.network(fold.samples, HIDDEN, place, NETWORK, dropout=DROPOUT)
    descent, begun = Descent(problem, network, fold.scaled(input_scale)), time.perf_counter()
    costs, looks, spent = list[float](), dict[int, float](), 0.0
    epochs = min(epochs, descent.most)
    stops = np.unique(np.linspace(0, epochs, LOOKS + 1).round().astype(int)).tolist()
    for start, stop in pairwise(stops):
        done = np.linspace(start, stop, (stop - start) * descent.steps, endpoint=False) / epochs
        costs += descent.run(warmup_and_cosine(np.maximum(done, spent)).reshape(stop - start, -1))
        looks[stop] = cost = descent.look()
        spent = (time.perf_counter() - begun) / max(ends - begun, 1e-9)  # 0 without a limit
        if cost == math.inf or spent >= 1 or problem.stop.is_set():
            break
    network.theta = descent.best.theta
    network.layers[0].W = network.layers[0].W * input_scale.T  # W·(scale·x) = (W·scale)·x
    return Trained(network, costs, looks if fold.held_out else {})
