"""Optimizers: from the gradient to the next theta, on flat vectors.

Each is a rule, elementwise and pure: `rule(theta, g, *slots, *coefficients) -> (theta, *slots)`. The slots are vectors
like theta that it remembers from step to step; the coefficients are numbers that change with the step t. Being
elementwise, the same function serves whole arrays here and single numbers inside a compiled loop.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import numpy as np

from netwright.core.arguments import Array, brief, flag, number, whole
from netwright.core.memory import memory
from netwright.core.registry import Registry

BLOCK = 16_384  # numbers updated at a time: theta, gradient and slots of a block stay in the cache


@dataclass
class Optimizer:
    """Hyperparameters, and the state: t (steps done) and the slots. `step` is the only thing that writes theta.

    An object carries its state from one training to the next: twenty times one epoch is twenty epochs.
    """

    learning_rate: float
    solver: ClassVar[str] = "descent"  # who trains by it: a row of `training.solvers`
    names: ClassVar[tuple[str, ...]] = ()  # of the slots
    rule: ClassVar[Callable[..., tuple[Array, ...]]]

    def __post_init__(self) -> None:
        self.learning_rate = number("learning_rate", self.learning_rate, 0, above=True)
        self.t = 0
        self.slots: dict[str, Array] = {}

    def start(self, theta: Array) -> None:
        """Forget everything: t = 0, all slots zero."""
        self.t = 0
        self.slots = {name: np.zeros_like(theta) for name in self.names}

    def fits(self, theta: Array) -> bool:
        """Whether the slots belong to such a theta; if not, the next step starts afresh."""
        alike = (slot.shape == theta.shape and slot.dtype == theta.dtype for slot in self.slots.values())
        return len(self.slots) == len(self.names) and all(alike)

    def coefficients(self, t: Any, rate: Any) -> tuple[Any, ...]:
        """The numbers that the rule gets at step t = 1, 2, … with this learning rate; or for arrays of both."""
        return (rate,)

    def step(self, theta: Array, grad: Array, rate: float | None = None) -> None:
        """One update of theta in place, from the gradient and the learning rate (default: its own)."""
        if not isinstance(theta, np.ndarray) or theta.dtype.kind != "f" or theta.ndim != 1:
            raise ValueError(
                f"theta must be a vector, an array of floats, which is changed in place, got {brief(theta)}"
            )
        if not isinstance(grad, np.ndarray) or grad.shape != theta.shape:
            raise ValueError(f"grad must be an array of theta's shape {theta.shape}, got {brief(grad)}")
        if not self.fits(theta):
            self.start(theta)
        self.t += 1
        # a float, since a NumPy number would make float64 of float32
        rate = self.learning_rate if rate is None else rate
        known = type(rate) is float and rate >= 0
        numbers = self.coefficients(self.t, rate if known else number("rate", rate, 0))
        for low in range(0, theta.size, BLOCK):
            block = slice(low, low + BLOCK)
            slots = [slot[block] for slot in self.slots.values()]
            theta[block], *news = type(self).rule(theta[block], grad[block], *slots, *numbers)
            for slot, new in zip(slots, news, strict=True):
                slot[...] = new

    def settings(self) -> dict[str, Any]:
        """Name and hyperparameters, as they are kept in a checkpoint."""
        return {"name": _name(self), **asdict(self)}


def _momentum(theta: Array, g: Array, v: Array, rate: float, momentum: float) -> tuple[Array, ...]:
    v = momentum * v - rate * g
    return theta + v, v


def _nesterov(theta: Array, g: Array, v: Array, rate: float, momentum: float) -> tuple[Array, ...]:
    v = momentum * v - rate * g
    return theta + momentum * v - rate * g, v


def _rmsprop(theta: Array, g: Array, v: Array, rate: float, rho: float, rest: float, eps: float) -> tuple[Array, ...]:
    v = rho * v + rest * g * g  # rest = 1 - rho, taken in float64: in float32 its digits would be lost
    return theta - rate * g / (np.sqrt(v) + eps), v


def _adam(
    theta: Array,
    g: Array,
    m: Array,
    v: Array,
    rate: float,
    beta1: float,
    rest1: float,
    beta2: float,
    rest2: float,
    eps: float,
    keep: float,
) -> tuple[Array, ...]:
    m = beta1 * m + rest1 * g  # rest = 1 - beta
    v = beta2 * v + rest2 * g * g
    return keep * theta - rate * m / (np.sqrt(v) + eps), m, v


@dataclass
class GradientDescent(Optimizer):
    """theta - rate·g: the article's."""

    learning_rate: float = 0.1
    rule = staticmethod(lambda theta, g, rate: (theta - rate * g,))


@dataclass
class Momentum(Optimizer):
    """v = momentum·v - rate·g; theta + v (Polyak 1964)."""

    learning_rate: float = 0.01
    momentum: float = 0.9
    names = ("v",)
    rule = staticmethod(_momentum)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.momentum = number("momentum", self.momentum, 0, 1)

    def coefficients(self, t: Any, rate: Any) -> tuple[Any, ...]:
        return rate, self.momentum


@dataclass
class Nesterov(Momentum):
    """Momentum with a look ahead: theta + momentum·v - rate·g (Nesterov 1983; Sutskever et al. 2013)."""

    rule = staticmethod(_nesterov)


@dataclass
class RMSprop(Optimizer):
    """v = rho·v + (1 - rho)·g²; theta - rate·g / (√v + eps) (Tieleman & Hinton 2012)."""

    learning_rate: float = 0.001
    rho: float = 0.9
    eps: float = 1e-8
    names = ("v",)
    rule = staticmethod(_rmsprop)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rho = number("rho", self.rho, 0, 1)
        self.eps = number("eps", self.eps, 0, above=True)

    def coefficients(self, t: Any, rate: Any) -> tuple[Any, ...]:
        return rate, self.rho, 1 - self.rho, self.eps


@dataclass
class Adam(Optimizer):
    """m, v: running means of g and g²; theta - rate·m̂ / (√v̂ + eps) (Kingma & Ba 2015, algorithm 1).

    The bias corrections of m̂ and v̂ are folded into the rate, as in the paper's section 2.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    names = ("m", "v")
    rule = staticmethod(_adam)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.beta1 = number("beta1", self.beta1, 0, 1)
        self.beta2 = number("beta2", self.beta2, 0, 1)
        if 1 in (self.beta1, self.beta2):
            raise ValueError(f"beta1 and beta2 must be below 1, got {self.beta1:g} and {self.beta2:g}")
        self.eps = number("eps", self.eps, 0, above=True)

    def decay(self, rate: Any) -> Any:
        """The share of theta that a step with this rate takes off."""
        return 0.0

    def coefficients(self, t: Any, rate: Any) -> tuple[Any, ...]:
        corrected = rate * (1 - self.beta2**t) ** 0.5 / (1 - self.beta1**t)
        return corrected, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2, self.eps, 1 - self.decay(rate)


@dataclass
class AdamW(Adam):
    """Adam, and theta shrinks by rate·weight_decay each step, apart from the gradient (Loshchilov & Hutter 2019)."""

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight_decay = number("weight_decay", self.weight_decay, 0)
        if self.weight_decay * self.learning_rate > 1:
            raise ValueError(
                f"weight_decay must be at most 1 / learning_rate, {1 / self.learning_rate:g}, got "
                f"{self.weight_decay:g}: a step would take more than all of theta off"
            )

    def decay(self, rate: Any) -> Any:
        return rate * self.weight_decay


class WholeBatch:
    """What looks at all rows at once, at a cost that stays the same, and finds its own steps: there is no rate."""

    solver: ClassVar[str]

    def settings(self) -> dict[str, Any]:
        """Name and hyperparameters, as they are kept in a checkpoint."""
        return {"name": _name(self), **asdict(cast("Any", self))}

    def check(self, network: Any, rows: float) -> None:
        """ValueError, before anything is done, for a network or a sum of weights by which it cannot train."""
        self.check_cost(network.loss, network.l2, network.l1)

    def check_cost(self, loss: Any, l2: float, l1: float) -> None:
        """ValueError for a cost that it cannot minimise."""

    def evidence(self, network: Any) -> list[str]:
        """The names of the numbers that an epoch of its history has beside the cost."""
        return []


@dataclass
class LBFGS(WholeBatch):
    """Limited-memory BFGS over all rows at once, by SciPy (Byrd et al. 1995): best for small data, slow for large.

    `memory` gradients make its picture of the curvature. It starts a new picture every `restart` epochs (None: never),
    and only there can a checkpoint be taken. It ends when no derivative is larger than `tolerance`, when an epoch
    lowers the cost by less than `flat` times it (None: 8 roundings), or after `evaluations` of the gradient.
    """

    solver: ClassVar[str] = "lbfgs"
    memory: int = 10
    restart: int | None = 100
    tolerance: float = 1e-8
    flat: float | None = None
    evaluations: int | None = None

    def __post_init__(self) -> None:
        self.memory = whole("memory", self.memory, at_most=10_000)
        self.tolerance = number("tolerance", self.tolerance, 0)
        if self.restart is not None:
            self.restart = whole("restart", self.restart)
        if self.flat is not None:
            self.flat = number("flat", self.flat, 0)
        if self.evaluations is not None:
            self.evaluations = whole("evaluations", self.evaluations)


@dataclass
class LevenbergMarquardt(WholeBatch):
    """Damped Gauss-Newton steps, (G + lambda)·step = -gradient (Levenberg 1944, Marquardt 1963): for small networks.

    G is JᵀJ for squared errors; for other losses `core/gauss_newton.py` says what. lambda begins at `damping` times
    G's curvature along the gradient, and follows the cost by Nielsen's rule (Madsen, Nielsen & Tingleff 2004,
    algorithm 3.16). `geodesic`: the step bends with the outputs (Transtrum & Sethna 2012), for two more looks at the
    rows; mostly it halves the epochs. `matrix`: None makes G where it fits into half of the memory, and solves by
    conjugate gradients without it where not; True insists on it, False does without. It ends when no derivative is
    larger than `tolerance`, when an epoch lowers the cost by less than `flat` times it, or when no step lowers it.
    """

    solver: ClassVar[str] = "levenberg"
    damping: float = 1e-2
    geodesic: bool = True
    matrix: bool | None = None
    tolerance: float = 1e-10
    flat: float = 1e-9

    def __post_init__(self) -> None:
        self.damping = number("damping", self.damping, 0, above=True)
        self.geodesic = flag("geodesic", self.geodesic)
        self.matrix = None if self.matrix is None else flag("matrix", self.matrix)
        self.tolerance, self.flat = number("tolerance", self.tolerance, 0), number("flat", self.flat, 0)

    def check(self, network: Any, rows: float) -> None:
        """ValueError for a loss whose curvature is not known, or a G that was insisted on and does not fit."""
        super().check(network, rows)
        if self.matrix and not self.has_room(network.theta.size):
            raise ValueError(
                f"matrix=True must be for a network whose JᵀJ fits into half of the memory: {self.needs(network)}; "
                f"leave it out, and conjugate gradients do without JᵀJ"
            )

    def check_cost(self, loss: Any, l2: float, l1: float) -> None:
        if loss.curvature is None:
            raise ValueError(
                f"{_name(self)} needs the loss's curvature, and {loss.name!r} has none: make it with Loss(..., "
                f"curvature=lambda Z, A, Y: ...), or use lbfgs or adam"
            )

    def has_room(self, parameters: int) -> bool:
        """Whether G, its factor and one more of them fit into half of the memory."""
        return 3 * 8 * parameters**2 <= memory() / 2

    def needs(self, network: Any) -> str:
        """What G takes, in words."""
        n = network.theta.size
        return f"that of {n:,} parameters takes {24e-9 * n**2:.3g} GB with its factor, of {memory() / 1e9:.3g} GB"


@dataclass
class BayesianRegularization(LevenbergMarquardt):
    """Levenberg-Marquardt with the penalty that the data ask for (MacKay 1992; Foresee & Hagan 1997): none to choose.

    The cost has a penalty on all W and b, found anew in each epoch from the evidence (`core/bayes.py`); the history's
    `evidence` has gamma, the effective number of parameters, beta and alpha. No rows need be held out, and gamma stays
    where further neurons are of no use. Inputs, and targets that are numbers, should be standardised: a layer's inputs
    share an alpha, whatever their units. `shared`: all layers do, as in MATLAB's trainbr. It ends as the other does,
    but `flat` is by how much an epoch must raise the log posterior, or move gamma, not to be the last; and where the
    evidence has fallen by a factor of e³ since, it goes back to where that was highest.
    """

    solver: ClassVar[str] = "bayesian"
    matrix: bool | None = True
    flat: float = 1e-2
    shared: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.matrix:
            raise ValueError(f"matrix must be True: gamma is found from JᵀJ as a whole, got {self.matrix}")
        self.shared = flag("shared", self.shared)

    def check(self, network: Any, rows: float) -> None:
        """ValueError where the evidence is not known, or not found: for the cost, the weights, or a JᵀJ too large."""
        name = _name(self)
        if not self.has_room(network.theta.size):
            raise ValueError(
                f"{name} must have a network whose JᵀJ fits into half of the memory: {self.needs(network)}; take fewer "
                f"neurons, or levenberg_marquardt with l2"
            )
        if not 2 <= rows <= 1e15:
            raise ValueError(
                f"{name} needs from 2 to 1e15 samples, of which a weight of k makes k: by the sum of weight there are "
                f"{rows:g} samples"
            )
        super().check(network, rows)

    def check_cost(self, loss: Any, l2: float, l1: float) -> None:
        for penalty, value in (("l2", l2), ("l1", l1)):
            if value:
                raise ValueError(f"{_name(self)} finds the penalty itself: leave out {penalty}={value:g}")
        if loss.kinks or loss.delta is not None:
            raise ValueError(
                f"{_name(self)} needs a smooth loss that is minus a log likelihood, such as squared_error, logloss, "
                f"cross_entropy or poisson, got {loss.name!r}; for that take levenberg_marquardt with l2"
            )
        super().check_cost(loss, l2, l1)

    def evidence(self, network: Any) -> list[str]:
        layers = [f"alpha_{l}" for l in range(1, len(network.dense) + 1)]
        return ["effective_parameters", "beta", "log_evidence", *(["alpha"] if self.shared else layers)]


OPTIMIZERS: Registry[type[Any]] = Registry(
    "optimizer",
    {
        "gradient_descent": GradientDescent,
        "momentum": Momentum,
        "nesterov": Nesterov,
        "rmsprop": RMSprop,
        "adam": Adam,
        "adamw": AdamW,
        "lbfgs": LBFGS,
        "levenberg_marquardt": LevenbergMarquardt,
        "bayesian_regularization": BayesianRegularization,
    },
)


def _name(optimizer: Any) -> str:
    return next((name for name, row in OPTIMIZERS.items() if row is type(optimizer)), type(optimizer).__qualname__)


def find_optimizer(optimizer: str | Optimizer | WholeBatch) -> Any:
    """A fresh optimizer of that name, or the given object as it is; ValueError for an unknown name."""
    return optimizer if isinstance(optimizer, Optimizer | WholeBatch) else OPTIMIZERS.find(optimizer)()
