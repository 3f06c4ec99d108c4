"""Scouts: short trainings that find out how long to train, and how much each column moves the outputs."""

import math
from typing import NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.inspection.gradients import input_gradient
from netwright.network import Network
from netwright.recipes.checkpoint import Part
from netwright.recipes.folds import Chosen, Fold
from netwright.recipes.networks import Descent
from netwright.recipes.problem import DROPOUT, HIDDEN, Problem

FIRST, SECOND, SMOOTH = 0, 1, 3  # streams of random numbers: the three scouts'; 2 is the network's
CLEARLY = 0.95  # of the cost with steps, under which it must be without for the networks to do without
PATIENCE = 2.0  # a scout gives up after so many times its best epoch
LARGEST, SMALLEST = 5.0, 0.05  # input scale of a column, where an average one has 1
DOUBT = 2.0  # rows a column, by which input scales are trusted by half
SHOWN = 400  # rows, which are enough to see how much the columns matter


class Scouted(NamedTuple):
    """The best epoch at a steady rate, the cost then, and the input scale, (inputs, 1), that the network suggests."""

    epoch: int
    cost: float
    input_scale: Array


def explore(problem: Problem, fold: Fold, place: int, ends: float) -> list[Scouted]:
    """What scouts find out about a fold.

    The second has its inputs scaled by what the first found; if there are steps, a third does without them.
    """
    no_steps = np.where(problem.steps, 0, 1)[:, np.newaxis].astype(np.float32)
    first = scout(problem, fold, (place, FIRST), np.ones_like(no_steps), ends, 1 / 4)  # what matters is soon known
    second = scout(problem, fold, (place, SECOND), first.input_scale, ends, 1)
    if no_steps.all():
        return [second]
    smooth = scout(problem, fold, (place, SMOOTH), second.input_scale * no_steps, ends, 1 / 4)
    return [second, smooth._replace(input_scale=smooth.input_scale * no_steps)]


class Scout(Descent):
    """At a steady rate, for a share of the epochs at most, until it has long got no better."""

    def __init__(self, problem: Problem, name: str, network: Network, fold: Fold, ends: float, share: float):
        super().__init__(problem, name, network, fold, ends)
        self.last = math.ceil(share * self.most)
        self.stopped = "time is up" if problem.is_over(ends) else ""

    def next_factors(self) -> Array:
        done = len(self.costs)
        epochs = min(max(1, round(done / 4)), self.last - done)
        step = np.arange(done * self.steps, (done + epochs) * self.steps).reshape(epochs, -1)
        return np.minimum(1, (step + 1) / 20)

    def finish(self) -> None:
        cost, best, done = self.look(), self.best.epoch, len(self.costs)
        if cost == math.inf:
            self.stopped = "the cost is infinite"
        elif done >= max(PATIENCE * best, best + 0.04 * self.most):
            self.stopped = "it has long got no better"
        elif done >= self.last:
            self.stopped = "all epochs done"
        elif self.problem.is_over(self.ends):
            self.stopped = "time is up"


def scout(
    problem: Problem, fold: Fold, stream: tuple[int, int], input_scale: Array, ends: float, share: float
) -> Scouted:
    """What a network finds out with its inputs times `input_scale`, (inputs, 1)."""
    name = "scout {}.{}".format(*stream)

    def scouted() -> Scouted:
        network = problem.network(fold.samples.all, HIDDEN, *stream, dropout=DROPOUT)
        scaled = fold.scaled(input_scale)
        descent = Scout(problem, name, network, scaled, ends, share)
        descent.run()
        return Scouted(descent.best.epoch, descent.best.cost, input_scale_of(network, scaled.samples, problem.group))

    def unpack(part: Part) -> Scouted:
        epoch, cost, scale = (part.tensors[each] for each in Scouted._fields)
        if epoch.dtype != np.int64 or epoch < 0 or scale.dtype != np.float32:
            raise ValueError("no epoch and scale that a scout can have found")
        return Scouted(epoch.item(), cost.item(), scale.reshape(input_scale.shape))

    return problem.once(name, scouted, lambda made: Part({k: np.asarray(v) for k, v in made._asdict().items()}), unpack)


def pick_scouts(found: list[list[Scouted]]) -> list[Scouted]:
    """Of each fold the second scout, or the one without steps if for every fold it is clearly better."""
    second = [scouts[0] for scouts in found]
    smooth = [scouts[-1] for scouts in found]
    clearly = all(one.cost < CLEARLY * other.cost for one, other in zip(smooth, second, strict=True))
    return smooth if clearly else second


def input_scale_of(network: Network, samples: Chosen, group: Array) -> Array:
    """A factor for each input, (inputs, 1): how much its group moves the outputs, against an average one.

    The root mean square of ∂A/∂x times the spread of x: the diagonal of the average gradient outer product, by which
    recursive feature machines scale their inputs (Radhakrishnan et al. 2024).
    """
    shown = samples.inputs(slice(None, None, math.ceil(len(samples) / SHOWN)))
    gradient = input_gradient(network, shown).reshape(-1, *shown.shape)
    moved = (gradient**2).mean(axis=(0, 2)) * samples.variance()
    moved = (np.bincount(group, moved) / np.bincount(group))[group]
    trust = len(samples) / (len(samples) + DOUBT * (group.max() + 1))  # few rows cannot tell many columns apart
    scale = (moved / (moved.mean() or 1.0)) ** (trust / 2)
    return np.clip(scale, SMALLEST, LARGEST)[:, np.newaxis].astype(np.float32)
