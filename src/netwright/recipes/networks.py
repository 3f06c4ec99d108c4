"""The networks of the mixture: how one descends, and how it is trained once the scouts have said for how long."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.optimizers import AdamW
from netwright.core.samples import batch_size_for
from netwright.core.schedules import warmup_and_cosine
from netwright.engines import ENGINES, Job, Steps
from netwright.network import Network
from netwright.recipes.checkpoint import Part, pack_network, unpack_network
from netwright.recipes.folds import Chosen, Fold
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
    """AdamW on a fold's samples, some epochs at a time, as `descend` asks; `best` was best when looked at.

    `name` is what a checkpoint knows it by. It goes on from where that has it.
    """

    problem: Problem
    name: str
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
        self.before, engine = self.problem.kept.under_way.get(self.name), self.problem.engine
        if self.before is not None and engine == "auto":
            engine = self.before.said["engine"]
        self.engine = ENGINES.find(engine)(job)
        weight, chosen = samples.all.weight, samples.weight
        if weight is not None and chosen is not None:  # of mean 1 for those learned from
            weight = (weight / chosen.mean()).astype(np.float32)
        self.samples = replace(samples.all, weight=weight)
        self.costs, self.best, self.stopped = list[float](), Best(self.network.theta.copy()), ""
        self.looks, self.begun = dict[int, float](), time.perf_counter()

    def run(self) -> None:
        """To the end: the network then has its best parameters."""
        if self.before is not None:
            with self.problem.kept.restoring(self.name):
                self.roll_back(self.before)
        descend(self, self.optimizer)
        self.network.theta = self.best.theta

    def next_steps(self) -> Steps:
        """An epoch for each row of the factors."""
        chosen = self.fold.samples
        rows = len(chosen) if chosen.rows is None else chosen.rows
        steps = Steps.drawn(rows, self.batch_size, RATE * self.next_factors(), self.network.rng, None)
        return steps if chosen.scale is None else replace(steps, input_scale=chosen.scale[:, 0])

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
        """The cost of the rows held out, or else the worst of those learned from; infinite if it is no number.

        The parameters are kept if that is the lowest so far; with no rows held out, always unless it is infinite.
        """
        held_out, network = self.fold.held_out, self.network
        with np.errstate(all="ignore"):
            if held_out is not None:
                cost = self.problem.judge.cost(network, held_out)
            else:
                cost = worst_of_blocks(network, self.fold.samples)
        self.looks[len(self.costs)] = cost = cost if math.isfinite(cost) else math.inf
        if cost < self.best.cost or (self.fold.held_out is None and cost < math.inf):
            self.best = Best(self.network.theta.copy(), cost, len(self.costs))
        return cost

    def state(self) -> Part | None:
        """Where it stands, which goes to the checkpoint; None without one: an error ends the whole mixture."""
        if self.problem.kept.path is None or not self.costs:
            return None
        vectors = {"theta": self.network.theta.copy(), "best": self.best.theta}
        vectors |= {name: slot.copy() for name, slot in self.optimizer.slots.items()}
        part = Part(
            vectors | pack_course(self.costs, self.looks),
            {
                "best": self.best.epoch,
                "steps": self.optimizer.t,
                "rng": self.network.rng.bit_generator.state,
                "engine": self.engine.name,
                "seconds": time.perf_counter() - self.begun,
            },
        )
        self.problem.kept.note(self.name, part)
        return part

    def roll_back(self, state: Part | None) -> None:
        """Stand there again; ValueError, or what a wrong key or type raises, when that cannot be."""
        if state is None:
            return
        arrays, said, theta = state.tensors, state.said, self.network.theta
        if said["engine"] != self.engine.name:
            raise ValueError(f"engine was {said['engine']} there and is {self.engine.name} now")
        self.network.theta = arrays["theta"]
        self.optimizer.t = said["steps"]
        self.optimizer.slots = {name: arrays[name].copy() for name in self.optimizer.names}
        if not self.optimizer.fits(theta) or (arrays["best"].shape, arrays["best"].dtype) != (theta.shape, theta.dtype):
            raise ValueError(f"each vector must have {theta.size} numbers of {theta.dtype}")
        self.network.rng.bit_generator.state = dict(said["rng"])
        self.costs, self.looks = unpack_course(arrays)
        last = max(self.looks)
        if last != len(self.costs) or said["steps"] != self.steps * len(self.costs):
            raise ValueError(f"{len(self.costs)} epochs, {said['steps']} steps, and a last look after {last}")
        epoch = said["best"]
        self.best = Best(arrays["best"], self.looks[epoch] if epoch else math.inf, epoch)
        self.begun = time.perf_counter() - said["seconds"]

    def retries(self, error: BaseException) -> bool:
        """Never."""
        return False


class Annealed(Descent):
    """At a rate that falls to nothing in so many epochs, or, where time is short, with the time that is left."""

    def __init__(self, problem: Problem, name: str, network: Network, fold: Fold, ends: float, epochs: int):
        super().__init__(problem, name, network, fold, ends)
        self.epochs = min(epochs, self.most)
        self.stops = np.unique(np.linspace(0, self.epochs, LOOKS + 1).round().astype(int)).tolist()
        self.spent = 0.0

    def next_factors(self) -> Array:
        start, stop = self.stops[len(self.looks) : len(self.looks) + 2]
        done = np.linspace(start, stop, (stop - start) * self.steps, endpoint=False) / self.epochs
        return warmup_and_cosine(np.maximum(done, self.spent)).reshape(stop - start, -1)

    def finish(self) -> None:
        cost = self.look()
        self.spent = self.share_of_time()
        if len(self.costs) == self.epochs:
            self.stopped = "all epochs done"
        elif cost == math.inf:
            self.stopped = "the cost is infinite"
        elif self.spent >= 1 or self.problem.stop.is_set():
            self.stopped = "time is up"

    def share_of_time(self) -> float:
        """How much of its time has passed; 0 without a limit."""
        return (time.perf_counter() - self.begun) / max(self.ends - self.begun, 1e-9)

    def roll_back(self, state: Part | None) -> None:
        super().roll_back(state)
        self.spent = self.share_of_time()
        if state is not None and self.stops[:-1][len(self.looks)] != len(self.costs):
            raise ValueError(f"{len(self.costs)} epochs after {len(self.looks)} looks")


def train(problem: Problem, fold: Fold, place: int, ends: float, input_scale: Array, epochs: int) -> Trained:
    """A network that takes the inputs as they are, trained with them times `input_scale`, (inputs, 1).

    The scale is folded into W in the end.
    """
    network, name = problem.network(fold.samples.all, HIDDEN, place, NETWORK, dropout=DROPOUT), f"network {place}"

    def trained() -> Trained:
        descent = Annealed(problem, name, network, fold.scaled(input_scale), ends, epochs)
        descent.run()
        network.layers[0].W = network.layers[0].W * input_scale.T  # W·(scale·x) = (W·scale)·x
        return Trained(network, descent.costs, descent.looks if fold.held_out else {})

    def pack(made: Trained) -> Part:
        return pack_network(network, **pack_course(made.costs, made.looks))

    def unpack(part: Part) -> Trained:
        return Trained(unpack_network(network, part), *unpack_course(part.tensors))

    return problem.once(name, trained, pack, unpack)


def pack_course(costs: list[float], looks: dict[int, float]) -> dict[str, Array]:
    """The cost of each epoch, and what was seen after some of them, as arrays."""
    numbers = {"costs": costs, "seen": [*looks], "looks": [*looks.values()]}
    return {name: np.array(values) for name, values in numbers.items()}


def unpack_course(tensors: Mapping[str, Array]) -> tuple[list[float], dict[int, float]]:
    """(costs, looks) as they were packed; LookupError or ValueError for arrays that are none."""
    costs, seen, looks = (tensors[name].tolist() for name in ("costs", "seen", "looks"))
    return costs, dict(zip(seen, looks, strict=True))


def worst_of_blocks(network: Network, samples: Chosen) -> float:
    """The highest cost of a block of samples: infinite, or no number, if one of them is."""
    Y = samples.Y
    return float(np.max([network.evaluate(samples.inputs(part), Y[:, part])[0] for part in samples.blocks()]))
