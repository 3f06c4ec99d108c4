"""Model files of estimators: what comes back predicts, and learns on, to the bit as what was saved. No pickle.

The header says in JSON the class, its parameters, what was fitted, and each network with its optimizer and its random
numbers; every array of numbers is a tensor. A value that JSON has no word for is spelt {"$tuple": [...]}, its kind and
then simpler values. What has no spelling, such as a function of the user's own, is refused before anything is written.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from netwright.core.activations import ACTIVATIONS, Activation
from netwright.core.arguments import Array, brief, number, whole
from netwright.core.losses import LOSSES, Loss
from netwright.core.optimizers import LBFGS, OPTIMIZERS, Optimizer
from netwright.core.schedules import SCHEDULES, Constant
from netwright.estimators import parameters
from netwright.estimators.fitting import Member, optimizer_parameters
from netwright.estimators.randomness import Stream, check_bits, stream_at
from netwright.estimators.targets import Labels
from netwright.files.container import write
from netwright.files.networks import rebuild
from netwright.network import Network
from netwright.training.history import History

OURS = "netwright.estimators.mlp"  # the module of the classes that a file keeps

FITTED: dict[str, Any] = {  # what every fitted estimator has, and of which type
    "n_features_in_": int,
    "n_outputs_": int,
    "n_layers_": int,
    "out_activation_": str,
    "n_iter_": int,
    "t_": int,
    "loss_": float,
    "best_loss_": float | None,
    "loss_curve_": list,
    "validation_curve_": list,
    "validation_scores_": list | None,
    "best_validation_score_": float | None,
    "_no_improvement_count": int,
    "_noted": int,
}

APART = ("network", "optimizer", "made_from", "predictor")  # of a member: spelt in their own way, or made anew
MEMBER: dict[str, Any] = {each.name: each.type for each in fields(Member) if each.name not in APART}


def save(estimator: Any, path: Any) -> None:
    """Write a fitted estimator to `path`, atomically. ValueError names what a file cannot keep, OSError the path."""
    kind = type(estimator)
    if kind.__module__ != OURS:
        raise ValueError(
            f"a model file keeps an MLPClassifier or an MLPRegressor, and {kind.__qualname__} is a class of your own; "
            f"as_network().save(path) keeps the network alone"
        )
    check_is_fitted(estimator, "loss_")
    parameters.check(estimator)
    spell, defaults = Spelling({}, {}, {}), parameters.defaults(kind)
    kept: dict[str, Any] = {"class": kind.__name__, "parameters": {}, "fitted": {}}
    for name, value in estimator.__getstate__().items():
        if name not in ("_members", "history_"):
            part = "parameters" if name in defaults else "fitted"
            try:
                kept[part][name] = spell(name, value)
            except ValueError as error:
                way = f"set_params({name}={defaults[name]!r})" if name in defaults else f"del estimator.{name}"
                raise ValueError(
                    f"{name} cannot be kept in a model file: {error}; {way} before you save, or keep the network "
                    f"alone: as_network().save(path)"
                ) from None
    now = optimizer_parameters(estimator)
    kept["networks"] = [
        {
            "network": member.network.settings(),
            "theta": spell(f"{place}.theta", member.network.theta),
            # one made from other parameters is not used again: going on would make another
            "optimizer": spell(f"{place}.optimizer", member.optimizer if member.made_from == now else None),
            **{name: spell(f"{place}.{name}", getattr(member, name)) for name in MEMBER},
        }
        for place, member in enumerate(estimator._members)
    ]
    write(path, "estimator", spell.tensors, kept)


def from_header(
    kind: type[Any],
    header: Mapping[str, Any],
    tensors: dict[str, Array],
    activations: dict[str, Activation],
    losses: dict[str, Loss],
) -> Any:
    """The estimator of that class that `save` described; ValueError when its parts are not known or do not fit."""
    read = Spelling(tensors, activations, losses).read
    members = []
    for said in header["networks"]:
        with warnings.catch_warnings():  # what a network has to say about its last activation was said when it was made
            warnings.simplefilter("ignore")
            network = rebuild(Network, said["network"], read(said["theta"]), activations, losses)
        made = {name: read(said[name]) for name in ("optimizer", *MEMBER)}
        _check(made, MEMBER | {"optimizer": Optimizer | LBFGS | None})
        members.append(Member(network, **made))

    given = {name: read(value) for name, value in header["parameters"].items()}
    if strange := set(given) - set(parameters.defaults(kind)):
        raise ValueError(
            f"it has the parameter {min(strange)!r}, which this netwright does not know; upgrade netwright"
        )
    estimator = kind(**given)
    parameters.check(estimator)
    fitted = {name: read(value) for name, value in header["fitted"].items()}
    _check(fitted, FITTED | ({"_labels": Labels} if is_classifier(kind()) else {"_targets": int, "_levels": list}))
    if taken := [name for name in fitted if hasattr(estimator, name)]:
        raise ValueError(f"it says that {taken[0]!r} was fitted")
    for member in members:
        member.made_from = None if member.optimizer is None else optimizer_parameters(estimator)
    estimator.__setstate__(vars(estimator) | fitted | {"_members": members, "history_": members[0].history})
    _check_fit(estimator, [member.network for member in members])
    return estimator


def _check(values: dict[str, Any], types: dict[str, Any]) -> None:
    """ValueError unless each value is there and of its type; of a list, every number."""
    for name, type_ in types.items():
        value = values[name]
        numbers = all(type(one) is float for one in value) if isinstance(value, list) else True
        if isinstance(value, bool) or not isinstance(value, type_) or not numbers:
            raise ValueError(f"{name} is {brief(value)}, which is not what it must be")


def _check_fit(estimator: Any, networks: list[Network]) -> None:
    """ValueError unless networks, features and classes go together."""
    first = networks[0]
    names = getattr(estimator, "feature_names_in_", np.empty(first.inputs))
    shapes = {(network.inputs, network.outputs, network.dtype) for network in networks}
    if len(shapes) > 1 or {first.inputs, len(names)} != {estimator.n_features_in_}:
        raise ValueError("its networks and features do not fit together")
    if is_classifier(estimator):
        estimator._labels.check()
    if estimator._width() != first.outputs:
        raise ValueError("its networks and targets do not fit together")
    if hasattr(estimator, "_split_bits"):
        stream_at(estimator._split_bits)


# ── how values are spelt ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Kind:
    """A type without a word in JSON: `apart` makes simpler values of one, `together` makes one of them."""

    type: Any
    apart: Callable[[Any], Any]
    together: Callable[[Any], Any]


class Spelling:
    """Values as JSON can say them, with `tensors` for the arrays; and back, with the user's own activations and losses.

    ValueError for a value that has no spelling.
    """

    def __init__(self, tensors: dict[str, Array], activations: dict[str, Activation], losses: dict[str, Loss]):
        self.tensors, self.activations, self.losses = tensors, activations, losses

    def __call__(self, way: str, value: Any) -> Any:
        """The spelling of the value; `way` names its tensors."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"$float": str(value)}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
            while way in self.tensors:
                way += "'"
            self.tensors[way] = value.astype(value.dtype.newbyteorder("="))
            return {"$tensor": way}
        if isinstance(value, list):
            if len(value) > 8 and all(isinstance(one, float) for one in value):
                return {"$floats": self(way, np.array(value, np.float64))}
            return [self(f"{way}.{place}", one) for place, one in enumerate(value)]
        if isinstance(value, dict):
            if all(isinstance(name, str) and name[:1] != "$" for name in value):
                return {name: self(f"{way}.{name}", one) for name, one in value.items()}
            return {"$dict": self(way, [list(pair) for pair in value.items()])}
        if isinstance(value, Activation | Loss):
            return {"$activation" if isinstance(value, Activation) else "$loss": value.name}
        for tag, kind in KINDS.items():
            if isinstance(value, kind.type):
                return {f"${tag}": self(way, kind.apart(value))}
        raise ValueError(f"{brief(value)} has no spelling there")

    def read(self, said: Any) -> Any:
        """What was spelt so."""
        if isinstance(said, list):
            return [self.read(one) for one in said]
        if not isinstance(said, dict):
            return said
        tag = next(iter(said), "")
        if tag[:1] != "$":
            return {name: self.read(one) for name, one in said.items()}
        if tag == "$tensor":
            return self.tensors[said[tag]]
        if tag == "$activation":
            return self.activations.get(said[tag]) or ACTIVATIONS.find(said[tag])
        if tag == "$loss":
            return self.losses.get(said[tag]) or LOSSES.find(said[tag])
        return KINDS[tag[1:]].together(self.read(said[tag]))


def _texts(array: Array) -> list[Any]:
    if array.dtype.kind not in "OU" or array.ndim != 1:
        raise ValueError(f"an array of {array.dtype} has no spelling there")
    return [array.dtype.kind, array.tolist()]


def _array(said: Any) -> Array:
    kind, values = said
    if kind == "U":
        return np.array([str(value) for value in values])
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _optimizer(optimizer: Any) -> dict[str, Any]:
    settings = optimizer.settings()
    if OPTIMIZERS.get(settings["name"]) is not type(optimizer):
        raise ValueError(f"{brief(optimizer)} is an optimizer of your own")
    return {"settings": settings, "t": getattr(optimizer, "t", 0), "slots": getattr(optimizer, "slots", {})}


def _make_optimizer(said: dict[str, Any]) -> Any:
    settings, slots = said["settings"], said["slots"]
    kind = OPTIMIZERS.find(settings.pop("name"))
    rate = settings.pop("learning_rate", None)
    optimizer = kind(**settings)
    if isinstance(optimizer, Optimizer):
        optimizer.learning_rate = number("learning_rate", rate, 0)  # 0 where a schedule has ended
        optimizer.t = whole("the optimizer's steps", said["t"], 0)
        if set(slots) not in (set(), set(optimizer.names)):
            raise ValueError(f"its {type(optimizer).__name__} remembers {sorted(slots)}")
        optimizer.slots = {name: np.asarray(slot) for name, slot in slots.items()}
    return optimizer


def _schedule(schedule: Constant) -> list[Any]:
    name = next((name for name, row in SCHEDULES.items() if row is type(schedule)), None)
    if name is None:
        raise ValueError(f"{brief(schedule)} is a schedule of your own")
    return [name, vars(schedule)]


def _random_state(state: dict[str, Any]) -> np.random.RandomState:
    made = np.random.RandomState(0)
    check_bits(state)
    made.set_state(state)
    return made


def _twister(state: Any, bits: dict[str, Any]) -> Any:
    """The state, if its bits are those of RandomState's own generator, the Mersenne twister."""
    if bits["bit_generator"] != "MT19937":
        raise ValueError(f"random numbers of {bits['bit_generator']} have no spelling there, only MT19937's")
    return state


KINDS: dict[str, Kind] = {
    "float": Kind((), str, float),
    "floats": Kind((), list, lambda array: array.tolist()),
    "dict": Kind((), list, lambda pairs: dict(map(tuple, pairs))),
    "tuple": Kind(tuple, list, tuple),
    "array": Kind(np.ndarray, _texts, _array),
    "path": Kind(Path, str, Path),
    "history": Kind(History, vars, lambda said: History(**said)),
    "labels": Kind(Labels, vars, lambda said: Labels(**said)),
    "stream": Kind(Stream, lambda stream: _twister(at := stream.bit_generator.state, at["bits"]), stream_at),
    "random_state": Kind(
        np.random.RandomState, lambda random: _twister(at := random.get_state(legacy=False), at), _random_state
    ),
    "optimizer": Kind(Optimizer | LBFGS, _optimizer, _make_optimizer),
    "schedule": Kind(Constant, _schedule, lambda said: SCHEDULES.find(said[0])(**said[1])),
}
