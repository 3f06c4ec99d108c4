"""solver="auto": learn without being told how.

Inputs, and targets of a regression, are standardised; afterwards that is folded into the first and the last layer, so
that the network takes and gives raw numbers. How strongly weights are held down is chosen on rows held out, as ridge
regression chooses its penalty, and then all rows are learnt. Who descends is the first row of `STRATEGIES` that suits.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from netwright.arguments import Array, Rng, columns, generator, weights
from netwright.estimators.scaling import Scaling, fold
from netwright.history import History
from netwright.layers import Dropout
from netwright.loop import Callback
from netwright.losses import LINKS, Loss
from netwright.network import Network
from netwright.optimizers import LBFGS
from netwright.table import Table

FEWEST = 20  # different rows, below which none can be spared
FOLDS = 5
WATCHED = 500  # rows held out in all, which are enough to compare decays by
MANY = 20_000  # rows, from which one training with a tenth of them held out replaces the choice of a decay
DECAYS = tuple(10 ** (-k / 2) for k in range(8, -1, -1))  # ½·decay·ΣW² beside the mean loss of a standardised problem
MIDDLE = 0.01  # the decay to begin with
EVIDENCE = 2.0  # nats by which a classifier's rows held out must be foretold better than by the classes' shares
FITS = 0.05  # of what knowing nothing costs: another start could hardly be better
CLASSES = ("probability", "distribution")


class Solution(NamedTuple):
    """The trained network, its training, and what was chosen and why, in words."""

    network: Network
    history: History  # costs are of the standardised problem
    what: str


@dataclass(frozen=True)
class Rows:
    """X (inputs, samples), Y (outputs, samples), weight (samples,) or None: checked."""

    X: Array
    Y: Array
    weight: Array | None

    def __len__(self) -> int:
        return int(self.X.shape[1])

    def take(self, places: Array) -> "Rows":
        return Rows(self.X[:, places], self.Y[:, places], None if self.weight is None else self.weight[places])

    def scaled(self, scaling: Scaling) -> "Rows":
        return Rows(*scaling(self.X, self.Y), self.weight)

    def merged(self) -> "Rows":
        """Equal samples as one, with the sum of their weights: copies and weights become the same problem."""
        weight = np.ones(len(self)) if self.weight is None else self.weight
        _, first, which = np.unique(np.vstack([self.X, self.Y]).T, axis=0, return_index=True, return_inverse=True)
        total = np.bincount(which.reshape(-1), weight)
        order = np.argsort(first)  # as they came
        order = order[total[order] > 0]
        rows, total = self.take(first[order]), total[order]
        return Rows(rows.X, rows.Y, None if (total == total[0]).all() else total / total.max())

    def is_truth_table(self) -> bool:
        """Whether inputs of two values each stand there in every combination: rows of it cannot be guessed."""
        X = self.X
        low, high = X.min(axis=1, keepdims=True), X.max(axis=1, keepdims=True)
        if ((X > low) & (X < high)).any():
            return False
        varied = X[(low < high)[:, 0]]
        return len(varied) < 30 and np.unique(varied, axis=1).shape[1] == 2 ** len(varied)

    def folds(self, loss: Loss, rng: np.random.Generator) -> list[tuple["Rows", "Rows"]]:
        """(to learn from, to watch): as many of five parts as make `WATCHED` rows, with alike targets."""
        order = rng.permutation(len(self))
        key = self.Y.argmax(axis=0) if loss.targets == "distribution" else self.Y[0]
        order = order[np.argsort(key[order], kind="stable")]
        part = np.empty(len(self), int)
        part[order] = np.arange(len(self)) % FOLDS
        used = min(FOLDS, max(1, round(WATCHED * FOLDS / len(self))))
        return [(self.take(np.flatnonzero(part != i)), self.take(np.flatnonzero(part == i))) for i in range(used)]


# ── who descends ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Strategy:
    """`options(rows, trial)` are `Network.train`'s; a trial is for comparing decays, and shorter."""

    words: str
    suits: Callable[[Network, int], bool]  # the network, and how many rows
    options: Callable[[int, bool], dict[str, Any]]
    starts: Callable[[Network, int], int]  # at most so many first weights


def _few_rows(network: Network, rows: int) -> bool:
    dropout = any(isinstance(layer, Dropout) and layer.rate for layer in network.layers)
    return rows <= 5000 and not dropout and not network.loss.name.startswith(("absolute_error", "quantile"))


def _lbfgs(rows: int, trial: bool) -> dict[str, Any]:
    return {"optimizer": LBFGS(restart=None), "epochs": 100 if trial else 2000}


def _adam(rows: int, trial: bool) -> dict[str, Any]:
    batch = min(256, max(16, 2 ** round(math.log2(rows / 40))))
    steps, rate = (1000, 0.02) if trial else (4000, 0.01)
    epochs = max(10, math.ceil(steps * batch / rows))
    return {"batch_size": batch, "learning_rate": rate, "schedule": "one_cycle", "epochs": epochs}


# The first that suits. A Levenberg–Marquardt for few parameters and squared errors would stand before the others.
STRATEGIES: Table[Strategy] = Table(
    "strategy",
    {
        "lbfgs": Strategy(
            "L-BFGS over all rows",
            suits=_few_rows,
            options=_lbfgs,
            starts=lambda network, rows: int(min(10, max(1, 1.6e6 / (rows * network.theta.size)))),
        ),
        "adam": Strategy(
            "Adam, one cycle of rates",
            suits=lambda network, rows: True,
            options=_adam,
            starts=lambda network, rows: 1,
        ),
    },
)


# ── the rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def solve(
    make: Callable[[int], Network],
    X: Array,
    Y: Array,
    weight: Array | None = None,
    *,
    validation: Sequence[Array] | None = None,
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
    ends = math.inf if max_seconds is None else time.perf_counter() + max_seconds
    rng = generator(seed)
    seeds = [int(number) for number in rng.integers(2**31, size=12)]
    network = make(seeds[0])
    raw = _check(network, X, Y, weight, "")
    if len(raw) <= MANY:
        raw = raw.merged()
    scaling = Scaling.fit(raw.X, raw.Y, raw.weight, network.loss if network.linked else None)
    rows, held = raw.scaled(scaling), None
    if validation is not None:
        X, Y, *rest = validation
        held = _check(network, X, Y, rest[0] if rest else None, "validation: ").scaled(scaling)
    strategy = next(each for each in STRATEGIES.values() if each.suits(network, len(rows)))
    raw_loss, own = network.loss, network.l2
    loss = scaling.loss(raw_loss)

    # Adam's schedule is to run to its end; L-BFGS ends where it gets no further, sooner when decays are but compared.
    ending = [] if "schedule" in strategy.options(len(rows), True) else [stalled(50, 1e-4), stalled(20, 1e-3)]
    watchers = [*callbacks, *ending[:1]], ending[1:]

    def train(seed: int, decay: float, learn: Rows, watch: Rows | None, trial: bool) -> tuple[Network, History]:
        network = make(seed)
        network.loss, network.l2 = loss, decay
        if loss.link == "exp":  # else the first outputs are 1, however large the targets are
            network.layers[-1].b = np.log(np.average(learn.Y, axis=1, weights=learn.weight, keepdims=True) + 1e-9)
        options = strategy.options(len(learn), trial)
        if max_epochs is not None:
            options["epochs"] = min(options["epochs"], max_epochs)
        if ends < math.inf:
            left = ends - time.perf_counter()
            options["max_seconds"] = max(left / 8 if trial else left, 1e-3)
        history = network.train(
            learn.X,
            learn.Y,
            weight=learn.weight,
            validation=None if watch is None else (watch.X, watch.Y, watch.weight),
            scores=(),
            rng=seed,
            engine=engine,
            n_threads=n_threads,
            callbacks=watchers[trial],
            **options,
        )
        return network, history

    # How strongly the weights are to be held down.
    many = held is None and len(rows) > MANY
    if many:
        places = rng.permutation(len(rows))
        tenth = min(len(rows) // 10, 5000)
        held, rows = rows.take(places[:tenth]), rows.take(places[tenth:])
    few = held is None and (len(rows) < FEWEST or rows.is_truth_table())
    decay, why = own, "all rows learnt by heart, none to spare" if few else f"the best epoch on {len(held or ())} rows"
    if not few and not many:
        parts = rows.folds(loss, rng) if held is None else [(rows, held)]
        decay, why = _choose_decay(own, loss, parts, lambda decay, learn: train(seeds[-1], decay, learn, None, True)[0])

    # Learn, from several first weights where that is cheap.
    most = strategy.starts(network, len(rows))
    best, kept, done = math.inf, None, 0
    fits = FITS * nothing(loss, rows, held or rows)
    for done in range(1, most + 1):
        network, history = train(seeds[done - 1], decay, rows, held, False)
        cost = min(history.validation_cost or history.cost[-1:], default=math.inf)
        if kept is None or cost < best:
            best, kept = cost, (network, history)
        if best < fits or history.stopped.startswith(("stopped", "interrupted")) or time.perf_counter() > ends:
            break
    network, history = kept or (network, history)
    network.loss, network.l2 = raw_loss, own
    fold(network, scaling)
    size = f"{len(rows):,} different rows × {network.theta.size:,} parameters"
    again = f", the best of {done} starts" if done > 1 else ""
    return Solution(network, history, f"{strategy.words}{again}: {size}; weight decay {decay:.2g} ({why})")


def stalled(iterations: int, share: float) -> Callback:
    """A callback that ends a training when so many iterations have lowered the cost by less than this share of it."""

    def callback(network: Network, history: History) -> None:
        costs = history.cost
        if len(costs) > iterations and costs[-1 - iterations] - costs[-1] < share * abs(costs[-1]):
            history.stopped = f"converged after {len(costs)} epochs (the cost falls no more)"

    return callback


def nothing(loss: Loss, learn: Rows, watch: Rows) -> float:
    """The cost on `watch` of answering every row with the mean target of `learn`."""
    mean = np.average(learn.Y, axis=1, weights=learn.weight, keepdims=True)
    Z = LINKS[loss.link].back(mean)[0]
    return float(np.average(loss.value(Z + 0 * watch.Y, watch.Y).sum(axis=0), weights=watch.weight))


def _choose_decay(
    own: float, loss: Loss, parts: list[tuple[Rows, Rows]], trained: Callable[[float, Rows], Network]
) -> tuple[float, str]:
    """The decay with the lowest cost on the rows held out, and how it was found."""
    ladder = [own, *(decay for decay in DECAYS if decay > own)]
    shares = [float(len(watch) if watch.weight is None else watch.weight.sum()) for _, watch in parts]

    def mean(costs: Iterable[float]) -> float:
        return float(np.average(list(costs), weights=shares))

    @cache
    def cost(rung: int) -> float:
        costs = []
        for learn, watch in parts:
            try:
                costs.append(trained(ladder[rung], learn).cost(watch.X, watch.Y, watch.weight))
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
    held = sum(len(watch) for _, watch in parts)
    without = mean(nothing(loss, *part) for part in parts)
    if loss.targets in CLASSES and (without - cost(here)) * held < EVIDENCE:
        return own, f"learnt by heart: no decay foretold {held} rows held out better than the classes' shares"
    decay = ladder[here]
    if 1 < here < len(ladder) - 1:  # the lowest point of a parabola through its neighbours
        left, right = cost(here - 1) - cost(here), cost(here + 1) - cost(here)
        if 0 < left + right < math.inf:
            decay *= math.sqrt(10) ** ((left - right) / (left + right) / 2)
    return decay, f"cost {cost(here):.3g} on {held} rows held out, {without:.3g} knowing nothing"


def _check(network: Network, X: Any, Y: Any, weight: Any, where: str) -> Rows:
    """The rows in float64, those of weight 0 left out; ValueError says what does not fit."""
    try:
        network.check(X, Y, weight)
        X = columns("X", X, network.inputs, np.float64)
        Y = columns("Y", np.atleast_2d(Y), network.outputs, np.float64)
        rows = Rows(X, Y, weights(weight, X.shape[1], np.float64))
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None
    return rows if rows.weight is None else rows.take(np.flatnonzero(rows.weight))
