"""How the tabular estimators learn: features and targets in, a mixture of networks out. From top to bottom:

1. The rows are dealt into parts, alike in their targets. For each part a network learns from the other parts and is
   watched on this one, so that every row is foretold by a network that never saw it (`learn`).
2. Scouts go first. They say after how many epochs that network foretells its part best, and how much each column
   tells (`explore`). The scouts' epochs, times `LONGER`, are what all networks train for: few rows are seen often, many
   rows seldom, and what is mostly noise is left before it is learnt by heart.
3. The networks start anew, with the columns turned up or down by what they told the scouts (`loud_as`), and with a
   rate that falls to nothing. Each ends as it was when it foretold its part best (`train`).
4. As many networks again learn from all rows, for as many epochs.
5. Linear networks learn from the same parts; as far as they help to foretell the rows, they have a share in the
   mixture, most where rows are few (`linear`, `share_of`).
6. The same rows choose one exponent that sharpens or softens the probabilities (`temper`).
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise
from typing import Any

import numpy as np

from netwright.arguments import Array
from netwright.engines import ENGINES, Job
from netwright.estimators.parameters import cores
from netwright.explain import input_gradient
from netwright.network import Network
from netwright.optimizers import LBFGS, AdamW

PARTS = 4
REFITS = 4  # networks more, which learn from all rows
HIDDEN, ACTIVATION, DROPOUT = (128, 128), "relu", 0.1
RATE, DECAY, BETA2 = 3e-3, 0.1, 0.99
WARM, FLAT = 0.05, 0.15  # of the training: the rate rises, stays, and falls by half a cosine
SCOUTS = 2  # for each network, the second with the columns as loud as the first found them to tell
LONGER, FEWEST = 4.0, 12  # epochs, against the scouts' best; and at least
PATIENCE, LOOKS = 2.0, 20  # a scout gives up after so many times its best epoch; a training is looked at so often
LOUDEST, FAINTEST = 5.0, 0.05  # of a column, to which the loudness of an average one is 1
DOUBT = 2.0  # rows a column, by which loudness is trusted by half
SHOWN = 400  # rows, which are enough to see what the columns tell
PENALTIES = (0.1, 0.01, 0.001)  # ½·l2·ΣW² of the linear networks


@dataclass(frozen=True)
class Rows:
    """X (inputs, samples) and Y (outputs, samples) of float32, weight (samples,) or None."""

    X: Array
    Y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return int(self.X.shape[1])

    def take(self, places: Array) -> "Rows":
        weight = None if self.weight is None else self.weight[places]
        return Rows(np.ascontiguousarray(self.X.T[places]).T, self.Y[:, places], weight)

    def heard(self, loud: Array) -> "Rows":
        return Rows(self.X * loud, self.Y, self.weight)

    @classmethod
    def together(cls, several: list["Rows"]) -> "Rows":
        weights = [rows.weight for rows in several if rows.weight is not None]
        X, Y = (np.hstack([getattr(rows, name) for rows in several]) for name in "XY")
        return cls(X, Y, np.concatenate(weights) if weights else None)


@dataclass(frozen=True)
class Part:
    """Rows that a network learns from, and those that it is watched on, if there are any."""

    rows: Rows
    watch: Rows | None = None

    def heard(self, loud: Array) -> "Part":
        return Part(self.rows.heard(loud), None if self.watch is None else self.watch.heard(loud))


@dataclass(frozen=True)
class Problem:
    """What all networks of one fit have in common. `group` says for each input which others are as loud as it."""

    loss: str
    group: Array
    seed: int
    engine: Any = "fused"
    n_threads: int | None = None
    ends: float = math.inf  # of time.perf_counter()

    def network(self, rows: Rows, hidden: tuple[int, ...], *stream: int, **options: Any) -> Network:
        """A new one, whose first weights and shuffles come from that stream of random numbers."""
        sizes = [len(rows.X), *hidden, len(rows.Y)]
        rng = np.random.default_rng([self.seed, *stream])
        return Network(sizes, ACTIVATION, loss=self.loss, dtype=np.float32, rng=rng, **options)

    def cost(self, A: Array, Y: Array, weight: Array | None) -> float:
        """The mean loss of outputs A, (outputs, samples)."""
        if self.loss == "squared_error":
            each = ((A - Y) ** 2).sum(axis=0)
        else:
            P = np.clip(A, 1e-7, 1 - 1e-7)
            each = -np.where(Y > 0.5, np.log(P), np.log(1 - P) if len(Y) == 1 else 0).sum(axis=0)
        return float(np.average(each, weights=weight))


@dataclass
class Mixture:
    """Networks and their shares in the outputs; `exponent` sharpens probabilities (above 1) or softens them."""

    networks: list[Network]
    shares: list[float]
    exponent: float = 1.0

    def __post_init__(self) -> None:
        """Only networks with a share, in float64 from now on: a row's outputs then hardly depend on those beside it."""
        used = [(_in_float64(net), share) for net, share in zip(self.networks, self.shares, strict=True) if share]
        self.networks, self.shares = [net for net, _ in used], [share for _, share in used]

    def __call__(self, X: Array) -> Array:
        """The outputs, (outputs, samples), for X, (inputs, samples)."""
        A = np.asarray(sum(share * net.predict(X) for net, share in zip(self.networks, self.shares, strict=True)))
        return tempered(A, self.exponent) if self.exponent != 1 else A

    def __getstate__(self) -> dict[str, Any]:
        """The numbers in float32, as they were learnt."""
        kept = [(network.settings(), network.theta.astype(np.float32)) for network in self.networks]
        return vars(self) | {"networks": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        networks = [Network.from_settings(said, theta, {}, said["loss"]) for said, theta in state["networks"]]
        vars(self).update(state, networks=networks)


def _in_float64(network: Network) -> Network:
    settings = network.settings() | {"dtype": "float64"}
    return Network.from_settings(settings, network.theta, {}, settings["loss"])


# ── the rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def learn(problem: Problem, rows: Rows, watch: Rows | None = None) -> Mixture:
    """The mixture of networks that foretells Y from X. `watch` stands in the place of the parts held out of `rows`."""
    parts = deal(rows, np.random.default_rng(problem.seed)) if watch is None else [Part(rows, watch)] * PARTS
    everything = [Part(rows)] * REFITS if watch is None else []
    workers = problem.n_threads or min(PARTS, cores())
    with ThreadPoolExecutor(workers) as pool:
        ends = deadlines(problem.ends, len(parts), workers, 1 / 3)
        found = list(pool.map(partial(explore, problem), parts, count(), ends))
        epochs = max(FEWEST, round(LONGER * float(np.mean([best for best, _ in found]))))
        louds = [loud for _, loud in found]
        louds += [np.mean(louds, axis=0)] * len(everything)
        ends = deadlines(problem.ends, len(louds), workers)
        networks = list(pool.map(partial(train, problem, epochs), parts + everything, count(), ends, louds))
    return mix(problem, parts, networks)


def mix(problem: Problem, parts: list[Part], networks: list[Network]) -> Mixture:
    """The networks, those of the parts first, with linear ones and an exponent, as far as these help to foretell."""
    truth, said, share = rows_watched(parts), foretold(parts, networks), 0.0
    plain = linear(problem, parts) if time.perf_counter() < problem.ends else []
    if plain:
        straight = foretold(parts, plain)
        share = share_of(problem, said, straight, truth)
        said = (1 - share) * said + share * straight
    shares = [(1 - share) / len(networks)] * len(networks) + [share / max(1, len(plain))] * len(plain)
    exponent = 1.0 if problem.loss == "squared_error" else temper(problem, said, truth)
    return Mixture(networks + plain, shares, exponent)


# ── parts of the rows, and shares of the time ────────────────────────────────────────────────────────────────────────


def deal(rows: Rows, rng: np.random.Generator) -> list[Part]:
    """The parts: neighbours in the target (rows of one class) are spread over all of them."""
    n = len(rows)
    parts = max(2, min(PARTS, n))
    key = rows.Y.argmax(axis=0) if len(rows.Y) > 1 else rows.Y[0]
    order = rng.permutation(n)
    order = order[np.argsort(key[order], kind="stable")]
    part = np.empty(n, int)
    part[order] = np.concatenate([rng.permutation(parts) for _ in range(math.ceil(n / parts))])[:n]
    return [Part(rows.take(np.flatnonzero(part != i)), rows.take(np.flatnonzero(part == i))) for i in range(parts)]


def rows_watched(parts: list[Part]) -> Rows:
    """All rows that networks are watched on: those of every part, or the same for all."""
    watched = [part.watch for part in parts if part.watch is not None]
    return watched[0] if watched[0] is watched[-1] else Rows.together(watched)


def foretold(parts: list[Part], networks: list[Network]) -> Array:
    """What the networks of the parts say to the rows watched, (outputs, samples), each to those that it did not see."""
    watched = [part.watch for part in parts if part.watch is not None]
    said = [net.predict(rows.X).astype(np.float64) for net, rows in zip(networks, watched, strict=False)]
    return np.asarray(np.mean(said, axis=0) if watched[0] is watched[-1] else np.hstack(said))


def deadlines(ends: float, tasks: int, workers: int, share: float = 1.0) -> list[float]:
    """When each task is to end: the time left, or a share of it, among tasks that so many workers do in their order."""
    begun, waves = time.perf_counter(), math.ceil(tasks / workers)
    return [begun + share * (ends - begun) * (task // workers + 1) / waves for task in range(tasks)]


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Descent:
    """AdamW on a part's rows, some epochs at a time."""

    problem: Problem
    network: Network
    part: Part

    def __post_init__(self) -> None:
        n, weight = len(self.part.rows), self.part.rows.weight
        self.batch = min(n, 256, max(16, 2 ** round(math.log2(n / 12))))
        self.steps = math.ceil(n / self.batch)  # an epoch
        self.most = min(1000, max(LOOKS, round(1500 * (n / 1000) ** 0.4 / self.steps)))  # epochs
        self.optimizer = AdamW(RATE, beta2=BETA2, weight_decay=DECAY)
        job = Job(self.network, self.optimizer, n, self.batch, n_threads=1)
        self.engine = ENGINES.find(self.problem.engine)(job)
        self.weight = None if weight is None else (weight / weight.mean()).astype(np.float32)

    def __call__(self, factors: Array) -> None:
        """An epoch for each row of factors, (epochs, steps), of the rate."""
        rows, rates = self.part.rows, RATE * factors
        orders = np.array([self.network.rng.permutation(len(rows)) for _ in rates])
        data = self.network, self.optimizer, rows.X, rows.Y
        if hasattr(self.engine, "run_epochs"):
            self.engine.run_epochs(*data, self.weight, orders, self.batch, rates)
        else:
            for order, rate in zip(orders, rates, strict=True):
                self.engine.run_epoch(*data, self.weight, order, self.batch, rate.tolist())

    def cost(self) -> float:
        """That of the rows watched, or else of those learned from; infinite if it is no number."""
        seen = self.part.watch or self.part.rows
        with np.errstate(all="ignore"):
            cost = self.network.evaluate(seen.X, seen.Y, seen.weight)[0]
        return cost if math.isfinite(cost) else math.inf


def explore(problem: Problem, part: Part, place: int, ends: float) -> tuple[int, Array]:
    """(the best epoch at a steady rate, how loud each input is to be): what scouts find out, one after the other."""
    best, loud = 0, np.ones((len(part.rows.X), 1), np.float32)
    for scout in range(SCOUTS):
        network, heard = problem.network(part.rows, HIDDEN, place, scout, dropout=DROPOUT), part.heard(loud)
        descent = Descent(problem, network, heard)
        best, lowest, theta, done = 0, math.inf, network.theta.copy(), 0
        most = descent.most if scout == SCOUTS - 1 else math.ceil(descent.most / 4)  # what tells is soon known
        while done < most and time.perf_counter() < ends:
            epochs = min(max(1, round(done / 4)), most - done)
            step = np.arange(done * descent.steps, (done + epochs) * descent.steps).reshape(epochs, -1)
            descent(np.minimum(1, (step + 1) / 20))
            done += epochs
            if (cost := descent.cost()) < lowest:
                best, lowest, theta = done, cost, network.theta.copy()
            if cost == math.inf or done >= max(PATIENCE * best, best + 0.04 * descent.most):
                break
        network.theta = theta
        loud = loud_as(network, heard.rows, problem.group)
    return best, loud


def loud_as(network: Network, rows: Rows, group: Array) -> Array:
    """How loud each input is to be, (inputs, 1): as much as its group moves the outputs, against an average one.

    The root mean square of ∂A/∂x times the spread of x: the diagonal of the average gradient outer product, by which
    recursive feature machines scale their inputs (Radhakrishnan et al. 2024).
    """
    shown = rows.X[:, :: math.ceil(len(rows) / SHOWN)]
    gradient = input_gradient(network, shown).reshape(-1, *shown.shape)
    told = (gradient**2).mean(axis=(0, 2)) * rows.X.var(axis=1)
    told = (np.bincount(group, told) / np.bincount(group))[group]
    trust = len(rows) / (len(rows) + DOUBT * (group.max() + 1))  # few rows cannot tell many columns apart
    loud = (told / (told.mean() or 1.0)) ** (trust / 2)
    return np.clip(loud, FAINTEST, LOUDEST)[:, np.newaxis].astype(np.float32)


def train(problem: Problem, epochs: int, part: Part, place: int, ends: float, loud: Array) -> Network:
    """A network that takes the inputs as they are, trained with them as loud as that.

    Where time is short, the rate falls with the time that is left.
    """
    network = problem.network(part.rows, HIDDEN, place, SCOUTS, dropout=DROPOUT)
    descent, begun = Descent(problem, network, part.heard(loud)), time.perf_counter()
    lowest, theta, spent = math.inf, network.theta.copy(), 0.0
    epochs = min(epochs, descent.most)
    looks = np.unique(np.linspace(0, epochs, LOOKS + 1).round().astype(int)).tolist()
    for start, stop in pairwise(looks):
        done = np.linspace(start, stop, (stop - start) * descent.steps, endpoint=False) / epochs
        descent(schedule(np.maximum(done, spent)).reshape(stop - start, -1))
        cost = descent.cost()
        if cost < lowest or (part.watch is None and cost < math.inf):
            lowest, theta = cost, network.theta.copy()
        spent = (time.perf_counter() - begun) / max(ends - begun, 1e-9)  # 0 without a limit
        if cost == math.inf or spent >= 1:
            break
    network.theta = theta
    network.layers[0].W = network.layers[0].W * loud.T  # W·(loud·x) = (W·loud)·x
    return network


def schedule(done: Array) -> Array:
    """The factor of the rate when so much of the training is done: up, 1, and half a cosine down."""
    fall = (1 + np.cos(np.pi * np.clip((done - FLAT) / (1 - FLAT), 0, 1))) / 2
    return np.asarray(np.clip(done / WARM, 0.02, fall.clip(0.02)) * (fall > 0))


def linear(problem: Problem, parts: list[Part]) -> list[Network]:
    """A linear network for each part, with the penalty that foretells best: weaker ones as long as they get better."""

    def fit(rows: Rows, penalty: float) -> Network:
        network = problem.network(rows, (), 0, l2=penalty)
        network.theta = np.zeros_like(network.theta)
        optimizer = LBFGS(restart=None)
        network.train(rows.X, rows.Y, weight=rows.weight, epochs=60, optimizer=optimizer, scores=(), engine="plain")
        return network

    truth, lowest, best = rows_watched(parts), math.inf, list[Network]()
    for penalty in PENALTIES:
        networks = [fit(part.rows, penalty) for part in parts]
        if (cost := problem.cost(foretold(parts, networks), truth.Y, truth.weight)) >= lowest:
            break
        lowest, best = cost, networks
    return best


# ── what the rows held out decide ────────────────────────────────────────────────────────────────────────────────────


def share_of(problem: Problem, said: Array, plain: Array, truth: Rows) -> float:
    """The linear networks' share of the mixture that foretells best, in twentieths."""
    shares = np.linspace(0, 1, 21)
    costs = [problem.cost((1 - share) * said + share * plain, truth.Y, truth.weight) for share in shares]
    return float(shares[int(np.argmin(costs))])


def tempered(P: Array, exponent: float) -> Array:
    """Probabilities, (outputs, samples), to that power and normalised; of two classes the second's alone."""
    P = np.clip(P, 1e-12, 1)
    powers = P**exponent
    other = np.clip(1 - P, 1e-12, 1) ** exponent if len(P) == 1 else 0
    return np.asarray(powers / (powers.sum(axis=0) + other))


def temper(problem: Problem, said: Array, truth: Rows) -> float:
    """The exponent that foretells best, under a penalty by which few rows move it little (Guo et al. 2017)."""
    exponents = np.exp(np.linspace(-1, 1, 41))
    n = len(truth)
    costs = [
        problem.cost(tempered(said, each), truth.Y, truth.weight) + 6 * math.log(each) ** 2 / n for each in exponents
    ]
    return float(exponents[int(np.argmin(costs))])
