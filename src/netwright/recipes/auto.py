"""solver="auto": learn without being told how.

Inputs, and targets of a regression, are standardised; afterwards that is folded into the first and the last layer, so
that the network takes and gives raw numbers. How strongly weights are held down is chosen on rows held out, as ridge
regression chooses its penalty, and then all rows are learnt. Who descends is the first row of `STRATEGIES` that suits.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from netwright.core.arguments import Array, Rng, columns, generator, weights
from netwright.core.dropout import Dropout
from netwright.core.losses import Loss
from netwright.core.optimizers import LBFGS
from netwright.core.registry import Registry
from netwright.core.samples import Samples, batch_size_for
from netwright.network import Network
from netwright.recipes.folds import Chosen, Fold, holding_out
from netwright.recipes.scaling import Scaling, fold
from netwright.tables.split import set_aside, stratified
from netwright.training.history import Callback, History

CLASSES = ("probability", "distribution")
FEWEST = 20, 10  # different rows, below which none can be spared: of classes, which may be a puzzle; of numbers
FOLDS = 5
HELD_OUT = 500  # rows held out in all, which are enough to compare decays by
MANY = 20_000  # rows, from which one training with a tenth of them held out replaces the choice of a decay
DECAYS = tuple(10 ** (-k / 2) for k in range(8, -1, -1))  # ½·decay·ΣW² beside the mean loss of a standardised problem
MIDDLE = 0.01  # the decay to begin with
EVIDENCE = 2.0  # nats by which a classifier's rows held out must be predicted better than by the classes' shares
FITS = 0.01  # of what knowing nothing costs: another start could hardly be better
HARD = 0.8  # of the same: if classes are not predicted better than that, trials are repeated `LONGER` times as long
LONGER = 5
LEARNT = 0.003  # of the same: a classifier needs no lower cost


class Solution(NamedTuple):
    """The trained network, its training, and what was chosen and why, in words."""

    network: Network
    history: History  # costs are of the standardised problem
    what: str


def merged(samples: Samples) -> Samples:
    """Equal samples as one, with the sum of their weights: copies and weights become the same problem."""
    weight = np.ones(len(samples)) if samples.weight is None else samples.weight
    both = np.vstack([samples.X, samples.Y])
    _, first, which = np.unique(both.T, axis=0, return_index=True, return_inverse=True)
    total = np.bincount(which.reshape(-1), weight)
    order = np.flatnonzero(total)  # sorted: the same problem in whatever order its rows came
    samples, total = samples.take(first[order]), total[order]
    return replace(samples, weight=None if (total == total[0]).all() else total / total.max())


def is_truth_table(X: Array) -> bool:
    """Whether inputs of two values each stand there in every combination: rows of it cannot be guessed."""
    low, high = X.min(axis=1, keepdims=True), X.max(axis=1, keepdims=True)
    if (np.where(low < X, high, low) != X).any():
        return False
    varied = X[(low < high)[:, 0]]
    return len(varied) < 30 and np.unique(varied, axis=1).shape[1] == 2 ** len(varied)


def folds_of(samples: Samples, loss: Loss, rng: np.random.Generator) -> list[Fold]:
    """As many of five folds, with alike targets, as make `HELD_OUT` rows."""
    key = samples.Y.argmax(axis=0) if loss.targets == "distribution" else samples.Y[0]
    fold = stratified(key, FOLDS, rng, shuffled=False)
    used = min(FOLDS, max(1, round(HELD_OUT * FOLDS / len(samples))))
    return [holding_out(samples, fold, i) for i in range(used)]


# ── who descends ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Strategy:
    """`options(rows, trial)` are `Network.train`'s; trial is 0, or in a comparison of decays 1 (short) or `LONGER`."""

    words: str
    suits: Callable[[Network, int], bool]  # the network, and how many rows
    options: Callable[[int, int], dict[str, Any]]
    starts: Callable[[Network, int], int]  # at most so many first weights


def _few_rows(network: Network, rows: int) -> bool:
    dropout = any(isinstance(layer, Dropout) and layer.rate for layer in network.layers)
    return rows <= 5000 and not dropout and not network.loss.kinks


def _lbfgs(rows: int, trial: int) -> dict[str, Any]:
    return {"optimizer": LBFGS(restart=None), "epochs": 100 * trial or 2000}


def _lbfgs_starts(network: Network, rows: int) -> int:
    """Three where that is cheap, more for small networks, which get stuck more often."""
    size = network.theta.size
    return int(max(1, min(10, max(3, 1000 / size), 2e6 / (rows * size))))


def _adam(rows: int, trial: int) -> dict[str, Any]:
    batch = batch_size_for(rows, 40)
    steps, rate = (500 * trial, 0.02) if trial else (4000, 0.01)
    epochs = max(10, math.ceil(steps * batch / rows))
    return {"batch_size": batch, "learning_rate": rate, "schedule": "one_cycle", "epochs": epochs}


# The first that suits. A Levenberg–Marquardt for few parameters and squared errors would stand before the others.
STRATEGIES: Registry[Strategy] = Registry(
    "strategy",
    {
        "lbfgs": Strategy(
            "L-BFGS over all rows",
            suits=_few_rows,
            options=_lbfgs,
            starts=_lbfgs_starts,
        ),
        "adam": Strategy(
            "Adam, one cycle of rates",
            suits=lambda network, rows: True,
            options=_adam,
            starts=lambda network, rows: 1,
        ),
    },
)


def find_strategy(network: Network, rows: int) -> Strategy:
    """The first that suits."""
    return next(strategy for strategy in STRATEGIES.values() if strategy.suits(network, rows))


# ── the rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def solve(
    make: Callable[[int], Network],
    X: Array,
    Y: Array,
    weight: Array | None = None,
    *,
    validation: Sequence[Any] | None = None,
    seed: Rng = 0,
    max_epochs: int | None = None,
    max_seconds: float | None = None,
    engine: Any = "auto",
    n_threads: int | None = None,
    callbacks: Iterable[Callback] = (),
) -> Solution:
    """A trained network that takes X, (inputs, samples), and gives what Y, (outputs, samples), says; both raw.

    make: a seed -> a network with fresh weights, for the standardised problem; its l2 is the least decay.
    weight: (samples,), not negative; weight k counts as k copies of the sample, 0 as none.
    validation: (X, Y) or (X, Y, weight), raw: chooses decay, start and epoch in the place of rows held out of X.
    seed: decides the first weights, the rows held out and the shuffles; the same seed gives the same bits.
    max_epochs, max_seconds: limits to what the rule would take.
    callbacks: functions (network, history) as in `Network.train`, of the last trainings and not of the trials; the
        network they see is of the standardised problem.

    ValueError names an argument that is wrong; FloatingPointError says that the cost did not stay finite.
    """
    rng = generator(seed)
    seeds = [int(number) for number in rng.integers(2**31, size=12)]
    network = make(seeds[0])
    raw = _check(network, X, Y, weight, "")
    if len(raw) <= MANY:
        raw = merged(raw)
    scaling = Scaling.fit(raw.X, raw.Y, raw.weight, network.loss if network.linked else None)
    samples, held_out = scaled(raw, scaling), None
    if validation is not None:
        X, Y, *rest = validation
        held_out = scaled(_check(network, X, Y, rest[0] if rest else None, "validation: "), scaling)
    own, loss, strategy = network.l2, scaling.loss(network.loss), find_strategy(network, len(samples))
    base = constant_cost(loss, samples, held_out or samples)
    task = Task(
        make=make,
        loss=loss,
        strategy=strategy,
        base=base if loss.targets in CLASSES else 0.0,
        max_epochs=max_epochs,
        ends=math.inf if max_seconds is None else time.perf_counter() + max_seconds,
        executed={"engine": engine, "n_threads": n_threads},
        callbacks=[callbacks] if callable(callbacks) else list(callbacks),
    )

    decay = own
    if held_out is None and (len(samples) < FEWEST[loss.targets not in CLASSES] or is_truth_table(samples.X)):
        why = "no row to spare: all are learnt by heart"
    elif held_out is None and len(samples) > MANY:
        rows, spared = set_aside(len(samples), min(len(samples) // 10, 5000), rng)
        held_out, samples = samples.take(spared), samples.take(rows)
        why = f"the epoch with the lowest cost on {len(spared):,} rows held out"
    else:
        folds = folds_of(samples, loss, rng) if held_out is None else [Fold(Chosen(samples), Chosen(held_out))]
        decay, why, hard = choose_decay(task, own, folds, seeds[-1])
        if task.base and hard:  # it may take longer before anything shows
            decay, why, _ = choose_decay(task, own, folds[:1], seeds[-1], LONGER)

    best: tuple[float, Network, History] | None = None
    starts, most = 0, strategy.starts(network, len(samples))
    while best is None or (starts < most and best[0] > FITS * base and not task.is_over(best[2])):
        network, history = task.train(seeds[starts], decay, samples, held_out)
        cost = min(history.validation_cost or history.cost[-1:], default=math.inf)
        starts += 1
        if best is None or cost < best[0]:
            best = cost, network, history
    _, network, history = best
    network.loss, network.l2 = make(seeds[0]).loss, own
    idle = (raw.X[:, :1] == raw.X).all(axis=1) & (scaling.x_mean[:, 0] != 0)  # W·m of a constant m could be anything
    network.dense[0].W = np.where(idle, 0, network.dense[0].W)
    fold(network, scaling)
    size = f"{len(samples):,} rows × {network.theta.size:,} parameters"
    again = f", the best of {starts} starts" if starts > 1 else ""
    return Solution(network, history, f"{strategy.words}{again}: {size}; weight decay {decay:.2g} ({why})")


@dataclass(frozen=True)
class Task:
    """What all trainings of one problem have in common."""

    make: Callable[[int], Network]
    loss: Loss
    strategy: Strategy
    base: float  # of classes: what knowing nothing costs; of numbers: 0, since any cost can be worth lowering
    max_epochs: int | None
    ends: float  # when the time is up
    executed: dict[str, Any]  # engine and n_threads
    callbacks: list[Callback]

    def train(
        self, seed: int, decay: float, samples: Samples, held_out: Samples | None = None, trial: int = 0
    ) -> tuple[Network, History]:
        """A network of that seed and decay that has learnt; a trial only serves to compare decays."""
        network = self.make(seed)
        network.loss, network.l2 = self.loss, decay
        network.start_at_mean(samples.Y, samples.weight)
        options = self.strategy.options(len(samples), trial)
        if self.max_epochs is not None:
            options["epochs"] = min(options["epochs"], self.max_epochs)
        if self.ends < math.inf:
            left = self.ends - time.perf_counter()
            options["max_seconds"] = max(left / 20 if trial else left, 1e-3)
        callbacks = [] if trial else self.callbacks
        if "schedule" not in options:  # which is to run to its end
            ending = stalled(20, 1e-3, 0.0) if trial == 1 else stalled(50, 1e-5 if self.base else 1e-4, self.base)
            callbacks = [*callbacks, ending]
        history = network.train(
            samples.X,
            samples.Y,
            weight=samples.weight,
            validation=None if held_out is None else held_out.arrays,
            scores=(),
            rng=seed,
            callbacks=callbacks,
            **options,
            **self.executed,
        )
        if trial and history.stopped.startswith("interrupted"):
            raise KeyboardInterrupt
        return network, history

    def is_over(self, history: History) -> bool:
        """Whether somebody has stopped that training, or the time is up."""
        return history.stopped.startswith(("stopped", "interrupted")) or time.perf_counter() > self.ends


def stalled(iterations: int, share: float, base: float) -> Callback:
    """Ends a training when so many iterations have lowered the cost by less than a share of it (or of a base)."""

    def callback(network: Network, history: History) -> None:
        costs = history.cost
        if costs[-1] < LEARNT * base:
            history.stopped = f"converged after {len(costs)} epochs (all is learnt)"
        elif len(costs) > iterations and costs[-1 - iterations] - costs[-1] < share * (base or abs(costs[-1])):
            history.stopped = f"converged after {len(costs)} epochs (the cost falls no more)"

    return callback


def constant_cost(loss: Loss, samples: Samples, held_out: Samples) -> float:
    """The cost on `held_out` of answering every row with the mean target of `samples`."""
    mean = np.average(samples.Y, axis=1, weights=samples.weight, keepdims=True)
    return loss.mean(mean, held_out.Y, held_out.weight)


def choose_decay(task: Task, own: float, folds: list[Fold], seed: int, trial: int = 1) -> tuple[float, str, bool]:
    """The decay, at least one's own, with the lowest cost on the rows held out of each fold.

    Also how it was found, and whether they are `HARD` to predict.
    """
    pairs = [(fold.samples.copy(), fold.held_out.copy()) for fold in folds if fold.held_out is not None]
    ladder = [own, *(decay for decay in DECAYS if decay > own)]
    shares = [float(len(each) if each.weight is None else each.weight.sum()) for _, each in pairs]

    def mean(costs: Iterable[float]) -> float:
        return float(np.average(list(costs), weights=shares))

    @cache
    def cost(rung: int) -> float:
        costs = []
        for samples, held_out in pairs:
            try:
                network, _ = task.train(seed, ladder[rung], samples, trial=trial)
                costs.append(network.cost(*held_out.arrays))
            except FloatingPointError:
                costs.append(math.inf)
        found = mean(costs)
        return found if found == found else math.inf

    here = min(range(len(ladder)), key=lambda rung: abs(math.log(max(ladder[rung], 1e-9) / MIDDLE)))
    for step in (2, 1):  # by decades, then by their halves
        there = None
        while there != here:
            here = here if there is None else there
            there = min(max(here - step, 0), here, min(here + step, len(ladder) - 1), key=cost)
    rows = sum(len(held_out) for _, held_out in pairs)
    without = mean(constant_cost(task.loss, *pair) for pair in pairs)
    hard = cost(here) > HARD * without
    if task.base and (without - cost(here)) * rows < EVIDENCE < without * rows:  # and there was something to predict
        return own, f"learnt by heart: no decay predicted {rows} rows held out better than the classes' shares", hard
    decay = ladder[here]
    if 1 < here < len(ladder) - 1:  # the lowest point of a parabola through its neighbours
        left, right = cost(here - 1) - cost(here), cost(here + 1) - cost(here)
        if 0 < left + right < math.inf:
            decay *= math.sqrt(10) ** ((left - right) / (left + right) / 2)
    return decay, f"cost {cost(here):.3g} on {rows} rows held out, {without:.3g} knowing nothing", hard


def _check(network: Network, X: Any, Y: Any, weight: Any, where: str) -> Samples:
    """The samples in float64, those of weight 0 left out; ValueError says what does not fit."""
    try:
        network.check(X, Y, weight)
        X = columns("X", X, network.inputs, np.float64)
        Y = columns("Y", np.atleast_2d(Y), network.outputs, np.float64)
        samples = Samples(X, Y, weights(weight, X.shape[1], np.float64))
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None
    return samples.without_zeros()


def scaled(samples: Samples, scaling: Scaling) -> Samples:
    """X and Y standardised."""
    return Samples(*scaling(samples.X, samples.Y), samples.weight)
