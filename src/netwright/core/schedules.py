"""Schedules: how the learning rate goes over the epochs, as a factor of `learning_rate`.

A schedule is a function (e, E) -> factor: e the epochs done so far, a fraction within an epoch, E the epochs planned.
Any such function of yours will do. All begin with `warmup` epochs of a straight line up to where they start.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from netwright.core.arguments import Array, function, number
from netwright.core.registry import Registry

Schedule: TypeAlias = Callable[[float, float], float]


@dataclass(frozen=True)
class Constant:
    """1, after the warm-up."""

    warmup: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number(f"{type(self).__name__}'s {name}", value, 0)

    def __call__(self, e: float, E: float) -> float:
        rest = max(E - self.warmup, 1e-9)
        if e < self.warmup:
            return (0.01 + 0.99 * e / self.warmup) * self.factor(0, rest)  # not from 0: the first step would be lost
        return self.factor(e - self.warmup, rest)

    def factor(self, e: float, E: float) -> float:
        return 1.0


@dataclass(frozen=True)
class InverseScaling(Constant):
    """1 / (1 + e)^power."""

    power: float = 0.5

    def factor(self, e: float, E: float) -> float:
        return float((1 + e) ** -self.power)


@dataclass(frozen=True)
class Step(Constant):
    """gamma^⌊e / every⌋: a cut every so many epochs."""

    every: float = 30.0
    gamma: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Step's every", self.every, 0, above=True)

    def factor(self, e: float, E: float) -> float:
        return float(self.gamma ** (e // self.every))


@dataclass(frozen=True)
class Exponential(Constant):
    """gamma^e."""

    gamma: float = 0.97

    def factor(self, e: float, E: float) -> float:
        return float(self.gamma**e)


@dataclass(frozen=True)
class Cosine(Constant):
    """final + (1 - final)·½(1 + cos(π·e/E)) (Loshchilov & Hutter 2017, without restarts)."""

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Cosine's final", self.final, 0, 1)

    def factor(self, e: float, E: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(e / E, 1))) / 2


@dataclass(frozen=True)
class OneCycle(Constant):
    """Up from 1/start to 1 over the first `peak` of the epochs, then down to 1/end, both by cosine (Smith 2018)."""

    peak: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        super().__post_init__()
        number("OneCycle's peak", self.peak, 0, 1, above=True)
        number("OneCycle's start", self.start, 1)
        number("OneCycle's end", self.end, 1)

    def factor(self, e: float, E: float) -> float:
        done = min(e / E, 1)
        if done < self.peak:
            low, part = 1 / self.start, done / self.peak
        else:
            low, part = 1 / self.end, (1 - done) / (1 - self.peak)
        return low + (1 - low) * (1 - math.cos(math.pi * part)) / 2


@dataclass(frozen=True)
class Plateau(Constant):
    """1, divided by `divide` whenever training's `patience` runs out, which ends it once the rate is `floor` or less.

    The one schedule that depends on how training goes; scikit-learn's "adaptive".
    """

    divide: float = 5.0
    floor: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Plateau's divide", self.divide, 1, above=True)


SCHEDULES: Registry[type[Constant]] = Registry(
    "schedule",
    {
        "constant": Constant,
        "inverse_scaling": InverseScaling,
        "step": Step,
        "exponential": Exponential,
        "cosine": Cosine,
        "one_cycle": OneCycle,
        "plateau": Plateau,
    },
)


def find_schedule(schedule: str | Schedule) -> Schedule:
    """The table's schedule of that name with its defaults, or the one given; ValueError for anything else."""
    if isinstance(schedule, Constant):
        return schedule
    if callable(schedule) and not isinstance(schedule, type):
        return function("schedule", schedule, "schedule(e, E)")
    return _usual(schedule) if isinstance(schedule, str) else SCHEDULES.find(schedule)()


@cache
def _usual(name: str) -> Schedule:
    """The one of that name with its defaults, which never change."""
    return SCHEDULES.find(name)()


def warmup_and_cosine(done: Array, warm: float = 0.05, flat: float = 0.15, least: float = 0.02) -> Array:
    """The factors when so much of the training is done, 0 to 1: up until `warm`, 1 until `flat`, half a cosine down.

    Never under `least`, but 0 at the end. The mixture of networks trains by it.
    """
    fall = (1 + np.cos(np.pi * np.clip((done - flat) / (1 - flat), 0, 1))) / 2
    return np.asarray(np.clip(done / warm, least, fall.clip(least)) * (fall > 0))


def spell(schedule: Any) -> str:
    """A schedule in words that are the same again in another process, for the checkpoint."""
    if isinstance(schedule, Constant):
        return repr(schedule)
    return getattr(schedule, "__qualname__", type(schedule).__name__)
