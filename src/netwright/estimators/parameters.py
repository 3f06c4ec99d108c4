"""From scikit-learn's parameters, and ours beside them, to the core's: activations, loss, optimizer, schedule."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from netwright.core.activations import ACTIVATIONS, Activation
from netwright.core.arguments import brief, is_whole, path, room, several
from netwright.core.losses import Loss
from netwright.core.optimizers import (
    LBFGS,
    OPTIMIZERS,
    Adam,
    BayesianRegularization,
    Momentum,
    Nesterov,
    Optimizer,
    WholeBatch,
)
from netwright.core.schedules import SCHEDULES, Constant, Plateau, Schedule
from netwright.network import Network

THEIRS = {"logistic": "sigmoid"}  # scikit-learn's words for what the core calls otherwise

SHORT = {"lm": "levenberg_marquardt", "br": "bayesian_regularization"}  # a solver's name beside that in OPTIMIZERS

PLAIN = (bool, int, float, str, tuple, type(None))

# What every parameter may be, for the same InvalidParameterError as scikit-learn's. A dict of them is made once.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions({"logistic", *ACTIVATIONS}), Activation, "array-like"],
    "solver": [StrOptions({"sgd", "auto", *SHORT, *OPTIMIZERS}), Optimizer, WholeBatch],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "loss": [str, Loss],
    "class_weight": [StrOptions({"balanced"}), dict, list, None],
    "output_activation": [str, Activation, None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    "alpha_scaling": [StrOptions({"batch", "samples", "none"})],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "schedule": [StrOptions(set(SCHEDULES)), callable, None],
    "scoring": [str, callable, None],
    "validation_splitter": ["cv_object", None],
    "n_networks": [Interval(Integral, 1, 100_000, closed="both")],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "checkpoint": "no_validation",  # type: ignore[dict-item]  # the core says what is wrong with a path
    "resume": ["boolean"],
    "engine": "no_validation",  # type: ignore[dict-item]  # and which engines there are
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
}


_defaults: dict[type, dict[str, Any]] = {}
_right: set[tuple[Any, ...]] = set()  # parameters that were found right, in writing


def defaults(kind: Any) -> dict[str, Any]:
    """The constructor's parameters and their defaults."""
    if kind not in _defaults:
        _defaults[kind] = {each.name: each.default for each in fields(kind)}
    return _defaults[kind]


def callers(kind: Any) -> dict[str, Any]:
    """Of the parameters those that are for whoever loads an estimator to say, as nobody has said them: no file keeps
    them."""
    names = ("checkpoint", "resume", "engine", "n_threads")
    return {name: default for name, default in defaults(kind).items() if name in names}


def restored(kind: Any, given: Mapping[str, Any]) -> Any:
    """An estimator of that class with the parameters of a file; ValueError for one that is not known.

    Where to write, by which engine and on how many threads is for whoever loads it to say: a file that came from
    elsewhere decides none of it, though older ones name that too.
    """
    if strange := given.keys() - defaults(kind).keys():
        raise ValueError(
            f"it has the parameter {min(strange)!r}, which this netwright does not know; upgrade netwright"
        )
    return kind(**{**given, **callers(kind)})


def check(estimator: Any) -> None:
    """InvalidParameterError (a ValueError) names the first parameter that is wrong. Defaults are known to be right."""
    values, known = vars(estimator), defaults(type(estimator))
    given = {name: values[name] for name, default in known.items() if name in values and values[name] is not default}
    plain = all(isinstance(value, PLAIN) for value in given.values())  # what is written alike is alike
    written = (type(estimator), *((name, repr(value)) for name, value in given.items())) if plain else ()
    if not plain or written not in _right:  # scikit-learn's check takes longer than a small partial_fit
        check_numbers(CONSTRAINTS, given, type(estimator).__name__)
        validate_parameter_constraints(CONSTRAINTS, given, type(estimator).__name__)
        if plain and len(_right) < 1000:
            _right.add(written)
    if estimator.schedule is not None and estimator.learning_rate != "constant":
        raise ValueError(
            f"schedule={estimator.schedule!r} says how the rate goes: leave out "
            f"learning_rate={estimator.learning_rate!r}"
        )
    if estimator.solver == "auto":
        for name in ("warm_start", "checkpoint"):
            if getattr(estimator, name):
                raise ValueError(f"solver='auto' begins anew each time: leave out {name}={getattr(estimator, name)!r}")
    if estimator.checkpoint is not None:
        path("checkpoint", estimator.checkpoint)
    if estimator.resume and estimator.checkpoint is None:
        raise ValueError("resume=True goes on from `checkpoint`; give that too")


def check_numbers(constraints: Mapping[str, list[Any]], given: Mapping[str, Any], caller: str) -> None:
    """InvalidParameterError where a truth value was given for a number; to scikit-learn True is the number 1."""
    for name, value in given.items():
        kinds = constraints.get(name, "no_validation")
        numeric = any(isinstance(kind, Interval) for kind in kinds)
        if numeric and isinstance(value, bool | np.bool_) and "boolean" not in kinds:
            limits = " or ".join(str(kind) for kind in kinds if isinstance(kind, Interval))
            raise InvalidParameterError(f"The {name!r} parameter of {caller} must be {limits}. Got {value!r} instead.")


def check_same(name: str, now: Any, then: Any) -> None:
    """ValueError unless a warm start or partial_fit finds that parameter as it was."""
    if now != then:
        raise ValueError(
            f"{name} was {then} in the last fit, which this one goes on from, and is {now} now; leave it, or begin "
            f"anew with warm_start=False"
        )


def hidden_sizes(estimator: Any) -> list[int]:
    """The hidden layers' sizes; ValueError for one that is no whole number, or below 1."""
    sizes = estimator.hidden_layer_sizes
    sizes = several("hidden_layer_sizes", sizes, "sizes such as (100,)") if hasattr(sizes, "__iter__") else [sizes]
    if not all(map(is_whole, sizes)):
        raise ValueError(f"hidden_layer_sizes must be whole numbers, got {brief(estimator.hidden_layer_sizes)}")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def activation(value: Any) -> Any:
    """An activation in the core's words: scikit-learn's "logistic" is the sigmoid."""
    return THEIRS.get(value, value) if isinstance(value, str) else value


def make_network(
    estimator: Any, inputs: int, outputs: int, loss: str | Loss, last: Any, dtype: Any, rng: np.random.Generator
) -> Network:
    """The network that the parameters describe, its weights still to be drawn."""
    sizes = hidden_sizes(estimator)
    for pair in pairwise([("the features of X", inputs), *(("hidden_layer_sizes", size) for size in sizes)]):
        room(*pair)
    given = estimator.activation
    if isinstance(given, str | Activation):
        hidden = [activation(given)] * len(sizes)
    else:
        what = f"one, or one for each of the {len(sizes)} hidden layers"
        hidden = [activation(one) for one in several("activation", given, what)]
        if len(hidden) != len(sizes):
            raise ValueError(f"activation must be {what}, got {brief(given)}")
    return Network(
        [inputs, *sizes, outputs],
        [*hidden, last],
        loss=loss,
        dropout=estimator.dropout,
        label_smoothing=getattr(estimator, "label_smoothing", 0.0),
        penalty_per_batch=True,
        initializer="given",
        rng=rng,
        dtype=dtype,
    )


def penalty(estimator: Any, weight: Any, samples: int) -> tuple[float, bool]:
    """(l2, whether it is divided by each batch's samples), such that weight k counts as k copies."""
    alpha = 0.0 if finds_penalty(estimator) else float(estimator.alpha)
    if estimator.alpha_scaling == "none":
        return alpha, False
    if estimator.alpha_scaling == "samples":
        return alpha / (samples if weight is None else float(weight.sum())), False
    return alpha / (1.0 if weight is None else float(weight[weight > 0].mean())), True


def make_optimizer(estimator: Any) -> Any:
    """A fresh optimizer, of scikit-learn's formulas for its three solvers."""
    solver, rate = estimator.solver, float(estimator.learning_rate_init)
    if isinstance(solver, Optimizer | WholeBatch):
        return copy.deepcopy(solver)
    if solver == "adam":
        return Adam(rate, float(estimator.beta_1), float(estimator.beta_2), float(estimator.epsilon))
    if solver == "sgd":
        kind = Nesterov if estimator.nesterovs_momentum else Momentum
        return kind(rate, float(estimator.momentum))
    if solver == "lbfgs":  # SciPy's defaults, as there
        flat = 2.220446049250313e-09
        return LBFGS(restart=None, tolerance=float(estimator.tol), flat=flat, evaluations=int(estimator.max_fun))
    if takes_whole_batch(estimator):  # tol is of another kind than what these end by
        return optimizer_of(solver)()
    return OPTIMIZERS.find(solver)(rate)


@dataclass(frozen=True)
class SampleScaling(Constant):
    """scikit-learn's "invscaling": 1 / (t + 1)^power after t samples in all; 1 in the first epoch."""

    samples: int = 1  # an epoch
    before: int = 0  # seen in earlier fits
    power: float = 0.5

    def factor(self, e: float, E: float) -> float:
        t = self.before + int(e) * self.samples
        return float((t + 1) ** -self.power) if t else 1.0


def make_schedule(estimator: Any, samples: int) -> Schedule | str:
    """How the rate goes, from `learning_rate` (for sgd alone, as in scikit-learn) or `schedule`."""
    if estimator.schedule is not None:
        return estimator.schedule
    if estimator.solver == "sgd" and estimator.learning_rate == "adaptive":
        return Plateau()
    if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
        return SampleScaling(samples=samples, before=int(estimator.t_), power=float(estimator.power_t))
    return "constant"


def takes_whole_batch(estimator: Any) -> bool:
    """Whether the solver looks at all rows at once and finds its own steps."""
    solver = estimator.solver
    return isinstance(solver, WholeBatch) or (isinstance(solver, str) and issubclass(optimizer_of(solver), WholeBatch))


def finds_penalty(estimator: Any) -> bool:
    """Whether the solver takes its penalty from the data; it looks at `alpha` as little as lbfgs at `momentum`."""
    solver = estimator.solver
    return isinstance(solver, BayesianRegularization) or (
        isinstance(solver, str) and optimizer_of(solver) is BayesianRegularization
    )


def optimizer_of(solver: str) -> type[Any]:
    """The class that a solver's name stands for; for scikit-learn's own and "auto", Adam."""
    return OPTIMIZERS.get(SHORT.get(solver, solver), Adam)


def takes_steps(estimator: Any) -> bool:
    """Whether the solver learns epoch by epoch; AttributeError, which hides `partial_fit`, if it does not."""
    if estimator.solver == "auto" or takes_whole_batch(estimator):
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True
