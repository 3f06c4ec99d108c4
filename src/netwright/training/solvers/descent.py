"""Descent: epochs of updates along the gradient, by the engine, one at a time or many while nobody watches."""

import math
from dataclasses import dataclass

import numpy as np

from netwright.core.arguments import Array
from netwright.core.dropout import Dropout
from netwright.core.optimizers import Optimizer
from netwright.core.schedules import Constant, Plateau
from netwright.engines import Steps
from netwright.training.run import Training


@dataclass
class Best:
    """The parameters with the lowest cost so far, that cost, and after how many epochs it was seen."""

    theta: Array
    cost: float = math.inf
    epoch: int = 0


def steps_of(
    samples: int, batch_size: int, rates: Array, rng: np.random.Generator | None, clip_norm: float | None = None
) -> Steps:
    """An epoch for each row of rates, (epochs, steps), in an order that `rng` draws, or without it as they stand."""
    orders = None if rng is None else np.array([rng.permutation(samples) for _ in rates])
    return Steps(batch_size, rates, orders, clip_norm)


def descend(training: Training, optimizer: Optimizer) -> None:
    """Epochs of updates by the engine: one at a time, or many while nobody watches."""
    dropout = any(isinstance(layer, Dropout) for layer in training.network.layers)  # draws between the shuffles
    watched = training.validation is not None or training.callbacks or training.checkpoint is not None
    many = training.engine.ahead and not watched and not dropout
    updates = -(-len(training.samples) // training.batch_size)
    # an epoch, about, when compiled
    seconds = 2e-6 * updates + 6 * len(training.samples) * training.network.theta.size / 60e9
    ahead = max(1, int(0.02 / seconds)) if many else 1
    while not training.history.stopped:
        before, started = training.state(), training.seconds()
        ahead = min(ahead, training.epochs - before.epochs)
        if training.patience is not None:
            ahead = max(1, min(ahead, training.patience - training.waited))  # it cannot run out sooner
        try:
            with np.errstate(all="ignore"):  # what overflows makes the cost infinite, and that is told in full
                begun, steps = training.seconds(), _next(training, ahead)
                costs = training.engine.run_epochs(training.network, optimizer, training.samples, steps)
                _note(training, steps.rates, costs, begun)
        except BaseException as error:
            training.put_back(before)
            if ahead == 1 or not isinstance(error, FloatingPointError):
                raise
            ahead, many, training.history.stopped = 1, False, ""  # once more, one by one, up to the epoch that failed
            continue
        if many:  # about a tenth of a second, for which Ctrl-C and max_seconds can wait
            ahead = max(1, int(ahead * min(4.0, 0.1 / max(training.seconds() - started, 1e-4))))
        training.tell(training.callbacks)
        training.keep_up()


def _next(training: Training, epochs: int) -> Steps:
    """What the engine is to do in so many epochs."""
    done, samples = len(training.history), len(training.samples)
    if type(training.schedule) in (Constant, Plateau):
        rates = np.full((epochs, -(-samples // training.batch_size)), training.learning_rate * training.fallen)
    else:
        rates = np.array([training.rates(epoch) for epoch in range(done, done + epochs)])
    shuffles = training.shuffle and rates.shape[1] > 1
    return steps_of(samples, training.batch_size, rates, training.rng if shuffles else None, training.clip_norm)


def _note(training: Training, rates: Array, costs: Array, started: float) -> None:
    """Add the epochs that were done to the history."""
    done, epochs, history = len(training.history), len(costs), training.history
    training.check_finite(float(costs.sum()))
    took = (training.seconds() - started) / epochs
    history.cost += costs[:-1].tolist()
    history.learning_rate += rates[:-1, -1].tolist()
    history.seconds += (started + took * np.arange(1, epochs)).tolist()
    if training.patience is not None:
        for epoch in range(done + 1, done + epochs):
            training.watch(epoch)
    training.record(float(costs[-1]), float(rates[-1, -1]))
