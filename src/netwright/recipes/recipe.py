"""The recipe for tables: features and targets in, a mixture of networks out. From top to bottom:

0. Columns become features: numbers softly cut and in steps, categories one-hot or by their targets (`encode`).
1. The rows are dealt into parts, alike in their targets. For each part a network learns from the other parts and is
   watched on this one, so that every row is foretold by a network that never saw it (`learn`).
2. Scouts go first. They say after how many epochs that network foretells its part best, and how much each column
   tells (`explore`). The scouts' epochs, times `LONGER`, are what all networks train for: few rows are seen often, many
   rows seldom, and what is mostly noise is left before it is learnt by heart. One scout hears numbers without their
   steps; where that is clearly better for every part, as where all is smooth, the networks do so too (`chosen`).
3. The networks start anew, with the columns turned up or down by what they told the scouts (`loud_as`), and with a
   rate that falls to nothing. Each ends as it was when it foretold its part best (`train`).
4. As many networks again learn from all rows, for as many epochs.
5. Linear networks learn from the same parts; as far as they help to foretell the rows, they have a share in the
   mixture, most where rows are few (`linear`, `share_of`).
6. The same rows choose one exponent that sharpens or softens the probabilities (`temper`).
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.optimizers import AdamW
from netwright.core.samples import Samples
from netwright.engines import ENGINES, Job, Steps
from netwright.inspection.explain import input_gradient
from netwright.network import Network
from netwright.recipes.blend import linear, share_of, temper
from netwright.recipes.mixture import Mixture
from netwright.recipes.parts import Part, Rows, deal, foretold, watched
from netwright.recipes.problem import ACTIVATION, DROPOUT, HIDDEN, PARTS, SCOUTING, Problem
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.training.history import History

LEVELS = 40  # of a category, up to which each is an input of its own
TOLD = 20  # outputs, up to which the means of a level are told
FOLDS = 5  # of the rows, each of which hears of a level's means from the others
REFITS = 4  # networks more, which learn from all rows
RATE, DECAY, BETA2 = 3e-3, 0.1, 0.99
WARM, FLAT = 0.05, 0.15  # of the training: the rate rises, stays, and falls by half a cosine
FIRST, SECOND, NETWORK, SMOOTH = range(4)  # streams of random numbers: three scouts' and the network's
CLEARLY = 0.95  # of the cost with steps, under which it must be without for the networks to do without
LONGER, FEWEST = 4.0, 12  # epochs, against the scouts' best; and at least
PATIENCE, LOOKS = 2.0, 20  # a scout gives up after so many times its best epoch; a training is looked at so often
LOUDEST, FAINTEST = 5.0, 0.05  # of a column, to which the loudness of an average one is 1
DOUBT = 2.0  # rows a column, by which loudness is trusted by half
SHOWN = 400  # rows, which are enough to see what the columns tell
FAR = 0.1  # of the targets' range, by which predictions may leave it


class Trained(NamedTuple):
    """A network, the cost of each of its epochs, and of the rows watched after some of them."""

    network: Network
    costs: list[float]
    looks: dict[int, float]


class Scouted(NamedTuple):
    """The best epoch at a steady rate, the cost then, and how loud each input is to be."""

    epoch: int
    cost: float
    loud: Array


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what `learn` would have returned: the mixture of the networks that were done, and their history."""


# ── the rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def encode(
    frame: Frame, targets: Array, weight: Array | None, max_levels: int = LEVELS, kinds: Mapping[str, str] | None = None
) -> TableEncoder:
    """What becomes of each column; `targets` are (outputs, rows)."""
    return TableEncoder.fit(frame, weight=weight, max_levels=max_levels, kinds=kinds, targets=_told(targets))


def mixture_of(
    encoder: TableEncoder, frame: Frame, targets: Array, weight: Array | None, watch: Rows | None = None, **options: Any
) -> tuple[Mixture, History]:
    """What `learn` makes of the rows that the encoder was fitted to; `options` are those of `Problem`."""
    problem = Problem(group=encoder.sources, steps=encoder.is_step, **options)
    fold = np.random.default_rng(problem.seed).integers(FOLDS, size=frame.n_rows)
    inputs = encoder.training_features(frame, fold, weight, _told(targets))
    return learn(problem, Rows.of(inputs, targets, weight), watch)


def _told(targets: Array) -> Array:
    """The targets whose means the levels of a category tell, (rows, outputs): none where there are too many."""
    return targets.T if len(targets) <= TOLD else targets.T[:, :0]


def untrained(encoder: TableEncoder, outputs: int, loss: str) -> Mixture:
    """As `learn` would begin it: what is to be shown, or asked for its size, before there is one."""
    network = Network([len(encoder.feature_names), *HIDDEN, outputs], ACTIVATION, loss=loss, dropout=DROPOUT, rng=0)
    return Mixture([network] * (PARTS + REFITS), [1 / (PARTS + REFITS)] * (PARTS + REFITS))


def learn(problem: Problem, rows: Rows, watch: Rows | None = None) -> tuple[Mixture, History]:
    """The mixture of networks that foretells Y from X. `watch` stands in the place of the parts held out of `rows`.

    The history is the mean of the networks'. Ctrl-C is `Interrupted` as soon as the network of one part is done.
    """
    parts = [Part(rows, watch)] * PARTS if watch else deal(rows, PARTS, np.random.default_rng(problem.seed))
    sets = parts + [Part(rows)] * (0 if watch else REFITS)
    trained: dict[int, Trained] = {}
    try:
        ends = problem.deadlines(len(parts), SCOUTING)
        found = problem.do("scouts", [partial(explore, problem, part, i, ends[i]) for i, part in enumerate(parts)], {})
        scouted = chosen([found[i] for i in range(len(parts))])
        epochs = max(FEWEST, round(LONGER * float(np.mean([each.epoch for each in scouted]))))
        louds = [each.loud for each in scouted]
        louds += [np.mean(louds, axis=0)] * (len(sets) - len(parts))
        ends = problem.deadlines(len(sets))
        tasks = [partial(train, problem, part, i, ends[i], louds[i], epochs) for i, part in enumerate(sets)]
        problem.do("networks", tasks, trained)
        plain = [] if problem.is_over() else linear(problem, parts)
    except KeyboardInterrupt:
        if min(trained, default=len(parts)) >= len(parts):
            raise
        said = f"interrupted when {len(trained)} of {len(sets)} networks were done"
        raise Interrupted(mix(problem, rows, parts, trained, []), course(problem, trained, said)) from None
    said = "the time limit is reached" if problem.is_over() else f"all {len(sets)} networks done"
    return mix(problem, rows, parts, trained, plain), course(problem, trained, said)


def mix(problem: Problem, rows: Rows, parts: list[Part], trained: dict[int, Trained], plain: list[Network]) -> Mixture:
    """The networks with linear ones and an exponent, as far as these help to foretell."""
    places, share = sorted(trained), 0.0
    networks = [trained[place].network for place in places]
    own = [place for place in places if place < len(parts)]
    parts = [parts[place] for place in own]
    truth, said = watched(parts), foretold(parts, networks[: len(own)])
    if plain:
        straight = foretold(parts, plain)
        share = share_of(problem, said, straight, truth)
        said = (1 - share) * said + share * straight
    shares = [(1 - share) / len(networks)] * len(networks) + [share / max(1, len(plain))] * len(plain)
    if problem.loss != "squared_error":
        return Mixture(networks + plain, shares, temper(problem, said, truth))
    low, high = float(rows.Y.min()), float(rows.Y.max())
    return Mixture(networks + plain, shares, limits=[low - FAR * (high - low), high + FAR * (high - low)])


def course(problem: Problem, trained: dict[int, Trained], stopped: str) -> History:
    """The mean of the networks that were watched, an entry an epoch: between looks, and in time, on straight lines."""
    seen = [trained[place] for place in sorted(trained) if trained[place].looks]
    seen = [each for each in seen if np.isfinite([*each.costs, *each.looks.values()]).all()]
    epochs = np.arange(1, 1 + min((len(each.costs) for each in seen), default=0))
    costs = [each.costs[: len(epochs)] for each in seen]
    held = [np.interp(epochs, [*each.looks], [*each.looks.values()]) for each in seen]
    seconds = (time.perf_counter() - problem.begun) * epochs / max(1, len(epochs))
    cost, validation_cost = (np.mean(lists, axis=0).tolist() if seen else [] for lists in (costs, held))
    return History(cost, validation_cost, seconds=seconds.tolist(), stopped=stopped)


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

    def __call__(self, factors: Array) -> list[float]:
        """An epoch for each row of factors, (epochs, steps), of the rate; returns the cost of each."""
        rows, rates = self.part.rows, RATE * factors
        orders = np.array([self.network.rng.permutation(len(rows)) for _ in rates])
        samples = Samples(rows.X, rows.Y, self.weight)
        steps = Steps(self.batch, rates, orders)
        costs: list[float] = self.engine.run_epochs(self.network, self.optimizer, samples, steps).tolist()
        return costs

    def cost(self) -> float:
        """That of the rows watched, or else of those learned from; infinite if it is no number."""
        seen = self.part.watch or self.part.rows
        with np.errstate(all="ignore"):
            cost = self.network.evaluate(seen.X, seen.Y, seen.weight)[0]
        return cost if math.isfinite(cost) else math.inf


def explore(problem: Problem, part: Part, place: int, ends: float) -> list[Scouted]:
    """What scouts find out: the second, which hears the columns as loud as the first found them to tell, and, if there
    are steps, one more, which does not hear these."""
    quiet = np.where(problem.steps, 0, 1)[:, np.newaxis].astype(np.float32)
    first = scout(problem, part, (place, FIRST), np.ones_like(quiet), ends, 1 / 4)  # what tells is soon known
    second = scout(problem, part, (place, SECOND), first.loud, ends, 1)
    if quiet.all():
        return [second]
    smooth = scout(problem, part, (place, SMOOTH), second.loud * quiet, ends, 1 / 4)
    return [second, smooth._replace(loud=smooth.loud * quiet)]


def scout(problem: Problem, part: Part, stream: tuple[int, int], loud: Array, ends: float, share: float) -> Scouted:
    """A network at a steady rate, for a share of the epochs at most, until it has long got no better."""
    network, heard = problem.network(part.rows, HIDDEN, *stream, dropout=DROPOUT), part.heard(loud)
    descent = Descent(problem, network, heard)
    best, lowest, theta, done = 0, math.inf, network.theta.copy(), 0
    most = math.ceil(share * descent.most)
    while done < most and not problem.is_over(ends):
        epochs = min(max(1, round(done / 4)), most - done)
        step = np.arange(done * descent.steps, (done + epochs) * descent.steps).reshape(epochs, -1)
        descent(np.minimum(1, (step + 1) / 20))
        done += epochs
        if (cost := descent.cost()) < lowest:
            best, lowest, theta = done, cost, network.theta.copy()
        if cost == math.inf or done >= max(PATIENCE * best, best + 0.04 * descent.most):
            break
    network.theta = theta
    return Scouted(best, lowest, loud_as(network, heard.rows, problem.group))


def chosen(found: list[list[Scouted]]) -> list[Scouted]:
    """Of each part's scouts the second, or all those without steps if for every part they are clearly better."""
    second = [scouts[0] for scouts in found]
    smooth = [scouts[-1] for scouts in found]
    clearly = all(one.cost < CLEARLY * other.cost for one, other in zip(smooth, second, strict=True))
    return smooth if clearly else second


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


def train(problem: Problem, part: Part, place: int, ends: float, loud: Array, epochs: int) -> Trained:
    """A network that takes the inputs as they are, trained with them as loud as that.

    Where time is short, the rate falls with the time that is left.
    """
    network = problem.network(part.rows, HIDDEN, place, NETWORK, dropout=DROPOUT)
    descent, begun = Descent(problem, network, part.heard(loud)), time.perf_counter()
    lowest, theta, spent = math.inf, network.theta.copy(), 0.0
    costs, seen = list[float](), dict[int, float]()
    epochs = min(epochs, descent.most)
    looks = np.unique(np.linspace(0, epochs, LOOKS + 1).round().astype(int)).tolist()
    for start, stop in pairwise(looks):
        done = np.linspace(start, stop, (stop - start) * descent.steps, endpoint=False) / epochs
        costs += descent(schedule(np.maximum(done, spent)).reshape(stop - start, -1))
        seen[stop] = cost = descent.cost()
        if cost < lowest or (part.watch is None and cost < math.inf):
            lowest, theta = cost, network.theta.copy()
        spent = (time.perf_counter() - begun) / max(ends - begun, 1e-9)  # 0 without a limit
        if cost == math.inf or spent >= 1 or problem.stop.is_set():
            break
    network.theta = theta
    network.layers[0].W = network.layers[0].W * loud.T  # W·(loud·x) = (W·loud)·x
    return Trained(network, costs, seen if part.watch else {})


def schedule(done: Array) -> Array:
    """The factor of the rate when so much of the training is done: up, 1, and half a cosine down."""
    fall = (1 + np.cos(np.pi * np.clip((done - FLAT) / (1 - FLAT), 0, 1))) / 2
    return np.asarray(np.clip(done / WARM, 0.02, fall.clip(0.02)) * (fall > 0))
