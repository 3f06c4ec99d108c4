"""What can be measured of a training once it is over: of the columns, of the units, of the way the cost went.

`diagnosis.py` says what it means. All is taken from up to 1,000 samples in even steps, without chance, and each measure
is made when it is first asked for.
"""

import copy
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from netwright.core.arguments import Array
from netwright.core.dropout import Dropout
from netwright.core.layer import Layer
from netwright.core.links import LINKS
from netwright.core.network import FeedForward
from netwright.core.samples import Samples
from netwright.training.history import History

SAMPLES, PROBED = 1000, 400  # samples looked at; and of these, for the gradient and for neighbours


class Fall(NamedTuple):
    """A cost that still falls: how much is left to gain, the fall per epoch, the epochs for nearly all of it."""

    gain: float
    pace: float
    epochs: int


@dataclass
class Evidence:
    """A network, samples it learnt from (columns of X and Y, none of weight 0 or with a gap in Y), and its history."""

    network: FeedForward
    X: Array
    Y: Array
    weight: Array | None
    history: History
    rate: float = 0.0  # of the first epoch; 0 where there was none, as with L-BFGS
    epochs: int = 0  # asked for
    tolerance: float = 0.0
    l2: float = 0.0  # of a batch
    l1: float = 0.0
    start: Array | None = None  # theta before training
    names: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = ~np.isnan(self.Y).any(axis=0)  # of partial targets those that are whole
        take = np.flatnonzero(known if self.weight is None else known & (self.weight > 0))
        self.samples = take.size
        take = take[np.linspace(0, take.size - 1, min(take.size, SAMPLES)).astype(int)]
        self.X, self.Y, self.weight = self.part(take)
        self.cost, self.A = self.network.evaluate(self.X, self.Y, self.weight)
        self.finite = math.isfinite(self.cost) and bool(np.isfinite(self.history.cost).all())
        self.classes = LINKS[self.link].classes(self.network.outputs) if self.link in LINKS else 0

    def part(self, take: Array) -> tuple[Array, Array, Array | None]:
        return Samples(self.X, self.Y, self.weight).take(take).arrays

    @property
    def link(self) -> str:
        return self.network.loss.link

    def column(self, i: int) -> str:
        return f"Column {i}" + (f" ({self.names[i]})" if i < len(self.names) else "")

    def label(self, i: int) -> str:
        return str(self.labels[i]) if i < len(self.labels) else str(i)

    # ── the data ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def mean(self) -> Array:
        return self.X.mean(axis=1, dtype=np.float64)

    @cached_property
    def spread(self) -> Array:
        """The standard deviation of each column; exactly 0 where it is constant."""
        return np.where(np.ptp(self.X, axis=1) > 0, self.X.std(axis=1, dtype=np.float64), 0.0)

    @cached_property
    def base(self) -> float:
        """What knowing nothing costs: the cost of the best constant outputs."""
        loss, Y = self.network.loss, self.Y
        mean = np.average(Y, axis=1, weights=self.weight)[:, None]
        if self.link in LINKS and self.link != "identity":
            levels = [LINKS[self.link].back(mean)[0]]
        else:
            levels = [mean, *np.quantile(Y, np.linspace(0, 1, 101), axis=1)[:, :, None]]
        costs = [np.average(loss.value(Z + 0 * Y, Y), axis=1, weights=self.weight) for Z in levels]
        return float(np.min(costs, axis=0).sum())

    @cached_property
    def floor(self) -> float:
        """The part of the cost that no network gets under: equal samples of X with different Y, each at their mean.

        0 for a loss that is least elsewhere, such as at a quantile.
        """
        loss, Y = self.network.loss, self.Y
        if self.link not in LINKS:
            return 0.0
        places: dict[bytes, int] = {}
        group = np.array([places.setdefault(row.tobytes(), len(places)) for row in np.ascontiguousarray(self.X.T)])
        weight = np.ones(len(group)) if self.weight is None else self.weight
        total = np.bincount(group, weight)
        if total.size == group.size:
            return 0.0
        mean = np.array([(np.bincount(group, weight * y) / total)[group] for y in Y])
        Z, Z_alone = LINKS[self.link].back(mean)[0], LINKS[self.link].back(Y.astype(np.float64))[0]
        if not np.allclose(loss.dZ(Z, mean, Y), mean - Y):
            return 0.0
        return float(np.average((loss.value(Z, Y) - loss.value(Z_alone, Y)).sum(axis=0), weights=self.weight))

    @cached_property
    def neighbours(self) -> tuple[float, float]:
        """r² of the targets with the mean of the 5 nearest other samples' targets, and with the network's outputs."""
        every = -(-self.X.shape[1] // PROBED)
        X, Y, A = self.X[:, ::every], self.Y[:, ::every], self.A[:, ::every]
        if X.shape[1] < 20:
            return 0.0, 0.0
        X = (X - self.mean[:, None]) / np.where(self.spread > 0, self.spread, 1)[:, None]
        square = (X * X).sum(axis=0)
        distance = square[:, None] + square - 2 * X.T @ X
        np.fill_diagonal(distance, np.inf)
        near = np.argpartition(distance, 5, axis=1)[:, :5]
        return r2(Y, Y[:, near].mean(axis=2)), r2(Y, A)

    # ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def harm(self) -> float:
        """What is left of the cost of knowing nothing: 0 is perfect, 1 is nothing learnt."""
        if not self.finite:
            return math.inf
        return self.cost / self.base if self.base > 0 else 0.0

    @property
    def harmed(self) -> bool:
        """Whether more than a tenth of the cost of knowing nothing is left."""
        return self.harm > 0.1

    @cached_property
    def units(self) -> list[tuple[Layer, float, float]]:
        """(layer, share of |f'(Z)| under a hundredth of its peak, share of units with f' = 0 for all) where hidden.

        The first share is 0 for an f without two flat ends, such as relu.
        """
        found, A = [], self.X
        for layer in self.network.layers[:-1]:
            if isinstance(layer, Layer):
                f, df = layer.activation.f, layer.activation.df
                wide = everywhere(layer)
                ends = np.abs(df(wide, f(wide)) + 0 * wide)[0]
                flat = max(ends[0], ends[-1]) < 0.01 * ends.max()
                Z = layer.pre_activation(A)
                A = f(Z)
                slope = np.abs(df(Z, A) + 0 * Z)
                saturated = float((slope < 0.01 * ends.max()).mean()) if flat else 0.0
                found.append((layer, saturated, float((slope == 0).all(axis=1).mean())))
            else:
                A = layer(A)
        return found

    def step(self, l2: float) -> tuple[float, float, float]:
        """What one step of the best length down the gradient gains; its cosine with W, and the l2 it would balance."""
        X, Y, weight = self.part(np.arange(0, self.X.shape[1], -(-self.X.shape[1] // PROBED)))
        twin = copy.deepcopy(self.network)
        twin.l2, twin.l1, twin.label_smoothing, twin.penalty_per_batch = l2, 0.0, 0.0, False
        for layer in twin.layers:
            if isinstance(layer, Dropout):
                layer.rate = 0.0
        cost = twin.backpropagate(X, Y, weight)
        theta, down = twin.theta.copy(), -twin.grad
        W, dW = (np.concatenate([layer.views[name].ravel() for layer in twin.dense]) for name in ("W", "dW"))
        ww, wd, dd = float(W @ W), float(W @ dW), float(dW @ dW)
        size = float(np.linalg.norm(down))
        if not (math.isfinite(cost) and 0 < size < math.inf):
            return 0.0, 0.0, 0.0
        best, first = cost, 0.003 * (float(np.linalg.norm(theta)) or 1.0) / size
        for factor in (4.0, 0.25):  # longer and longer; if the first is too long already, shorter
            t = first if factor > 1 else first * factor
            for _ in range(8):
                twin.theta[...] = theta + t * down
                now = twin.evaluate(X, Y, weight)[0] + twin.penalize(1)
                if now < best:
                    best, t = now, t * factor
                elif factor > 1 or best < cost:
                    break
                else:
                    t *= factor
            if best < cost:
                break
        return cost - best, -wd / (math.sqrt(ww * dd) or 1.0), -wd / (ww or 1.0)

    # ── the history ──────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def fall(self) -> Fall | None:
        """How the cost (with validation rows: theirs) still falls at the end; None when it does not, beyond its noise.

        Medians of the three parts of the curve's second half, extrapolated by Aitken's delta-squared; no further than
        as many epochs again at the same pace would bring it.
        """
        curve = np.array(self.history.validation_cost or self.history.cost)
        tail = curve[len(curve) // 2 :] if len(curve) >= 12 else curve
        k = len(tail) // 3
        if not k or not np.isfinite(tail).all():
            return None
        a, b, c = np.median(tail[-3 * k :].reshape(3, k), axis=1)
        noise = 1.25 * float(np.std(np.diff(tail))) / math.sqrt(k) if k > 3 else 0.0
        if b - c <= max(2 * noise, 1e-9 * abs(c)):
            return None
        q = min((b - c) / (a - b), 0.95) if a > b else 0.95
        more = 3 * k / -math.log(q) if q > 0.05 else k
        pace = float(b - c) / k
        return Fall(float(min((b - c) * q / (1 - q), pace * len(curve), c)), pace, math.ceil(more))

    @cached_property
    def unrest(self) -> tuple[float, float, float]:
        """Of the cost, in units of `base`: its highest over the start, its end over its lowest, its mean jump up."""
        curve = np.array(self.history.cost)
        if len(curve) < 4 or not np.isfinite(curve).all() or not self.base > 0:
            return 0.0, 0.0, 0.0
        half = curve[len(curve) // 2 :]
        rise = float(curve.max() - curve[0])
        end = float(curve[-max(1, len(curve) // 10) :].min() - curve.min())
        return rise / self.base, end / self.base, 2 * float(np.maximum(np.diff(half), 0).mean()) / self.base


def everywhere(layer: Layer) -> Array:
    """Pre-activations to see an activation's ends by, (neurons, 121)."""
    return np.tile(np.linspace(-30, 30, 121), (layer.neurons, 1))


def r2(Y: Array, A: Array) -> float:
    """The squared correlation, averaged over the outputs; 0 where either is constant."""
    y, a = Y - Y.mean(axis=1, keepdims=True), A - A.mean(axis=1, keepdims=True)
    both = (y * y).sum(axis=1) * (a * a).sum(axis=1)
    return float(np.mean(np.where(both > 0, (y * a).sum(axis=1) ** 2 / np.where(both > 0, both, 1), 0)))
