"""How far off predictions are here rather than there: log-linear in what the model takes and in what it predicts.

The spread is s(x) = e^(w·z + b), with the inputs, the prediction and its square as z; w and b minimise the Poisson loss
of what the predictions were off by, which only asks that s be its mean (a quasi-likelihood: Wedderburn 1974), and a
penalty. An interval is then as many times s(x) wide as is conformal (Lei et al. 2018, section 5.2), and holds as often
however wrong s is: a good s makes it narrow where the model errs little.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.network import FeedForward
from netwright.core.optimizers import LBFGS
from netwright.files.schema import Shape, finite, positive, row
from netwright.training import train

PARTS, FEWEST = 4, 40  # of the rows, each predicted by what learned from the others; and rows from which it is tried
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03)  # ½·l2·Σw², of inputs with a standard deviation of one half (Gelman 2008)
EPOCHS = 60

SPREAD: Shape = {"w": [finite], "b": finite, "limits": row(finite, finite), "centre": finite, "scale": positive}


@dataclass(frozen=True)
class Spread:
    """w, (inputs + 2,), and b; the limits, (low, high), within which log s was; mean and spread of the predictions."""

    w: Array
    b: float
    limits: tuple[float, float]
    centre: float
    scale: float

    def of(self, X: Array, a: Array) -> Array:
        """s, (samples,), for inputs X, (inputs, samples), and predictions a, (samples,)."""
        v = (a - self.centre) / self.scale
        log = self.w[:-2] @ X + self.w[-2] * v + self.w[-1] * v**2 + self.b
        return np.asarray(np.exp(np.clip(log, *self.limits)))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; floats come back to the bit."""
        return vars(self) | {"w": self.w.tolist(), "limits": list(self.limits)}

    @classmethod
    def from_json(cls, said: Any) -> "Spread":
        """What `to_json` described, of the shape `SPREAD`."""
        low, high = said["limits"]
        return cls(np.array(said["w"], float), said["b"], (low, high), said["centre"], said["scale"])


def learn_spread(X: Array, a: Array, off: Array, weight: Array | None = None) -> tuple[Spread, Array] | None:
    """(the spread, s of each row by what did not learn from it), or None where one width for all does as well.

    X: (inputs, n), a: (n,), the predictions, off: (n,), how far each was off. weight: (n,) or None.
    """
    n, mean = len(a), float(np.average(off, weights=weight))
    if n < FEWEST or not mean or not a.std():
        return None
    centre, scale = float(a.mean()), float(a.std())
    v = (a - centre) / scale
    Z = np.vstack([X, v, v**2])
    middle, deviation = Z.mean(axis=1, keepdims=True), Z.std(axis=1, keepdims=True)
    deviation[deviation == 0] = math.inf  # what is the same in every row tells nothing
    Z -= middle
    Z /= 2 * deviation
    part = np.random.default_rng(0).permutation(n) % PARTS
    lowest, best = 1.0, None  # the cost of s = mean: of log s + off / s, what a Laplace distribution's is
    for logs, W, b in _fits(Z, off / mean, weight, part):
        if not (cost := float(np.average(logs + off / mean * np.exp(-logs), weights=weight))) < lowest:
            break
        lowest, best = cost, (logs, W, b)
    if best is None:
        return None
    logs, W, b = best
    logs, w = logs + math.log(mean), W / (2 * deviation[:, 0])
    limits = (float(logs.min()), float(logs.max()))
    found = Spread(w, b + math.log(mean) - float(w @ middle[:, 0]), limits, centre, scale)
    return found, np.exp(logs)


def _fits(Z: Array, off: Array, weight: Array | None, part: Array) -> Iterator[tuple[Array, Array, float]]:
    """For each penalty, the weaker the later: (log s of each row out of its part, and the parts' mean W and b)."""
    thetas = [np.zeros(len(Z) + 1)] * PARTS
    for penalty in PENALTIES:
        network = FeedForward([len(Z), 1], loss="poisson", l2=penalty, rng=0, dtype=np.float64)
        logs = np.empty(len(off))
        for i in range(PARTS):
            rest = part != i
            network.theta = thetas[i]  # from where the stronger penalty left it
            own = None if weight is None else weight[rest]
            options: Any = {"optimizer": LBFGS(restart=None), "scores": (), "engine": "plain", "weight": own}
            history = train(network, Z[:, rest], off[np.newaxis, rest], epochs=EPOCHS, **options)
            if history.stopped.startswith("interrupted"):  # Ctrl-C, which is for whoever asked
                raise KeyboardInterrupt
            logs[~rest] = network.layers[0].pre_activation(Z[:, ~rest])[0]
            thetas[i] = network.theta.copy()
        theta = np.mean(thetas, axis=0)
        yield logs, theta[:-1], float(theta[-1])
