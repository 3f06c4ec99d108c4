"""Model files of estimators: what comes back predicts, and learns on, to the bit as what was saved. No pickle.

The header says in JSON the class, its parameters, what was fitted, and each network with its optimizer and its random
numbers; every array of numbers is a tensor. A value that JSON has no word for is spelt {"$tuple": [...]}, its kind and
then simpler values. What has no spelling, such as a function of the user's own, is refused before anything is written.
"""

import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from netwright.core.activations import Activation
from netwright.core.arguments import Array, brief
from netwright.core.losses import Loss
from netwright.core.optimizers import Optimizer, WholeBatch
from netwright.estimators import parameters
from netwright.estimators.codec import Codec
from netwright.estimators.fitting import Member, optimizer_parameters
from netwright.estimators.labels import Labels
from netwright.estimators.streams import stream_at
from netwright.files.container import write
from netwright.files.networks import rebuild
from netwright.network import Network

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
    codec, defaults = Codec({}, {}, {}), parameters.defaults(kind)
    kept: dict[str, Any] = {"class": kind.__name__, "parameters": {}, "fitted": {}}
    for name, value in estimator.__getstate__().items():
        if name not in ("_members", "history_"):
            part = "parameters" if name in defaults else "fitted"
            try:
                kept[part][name] = codec.encode(name, value)
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
            "theta": codec.encode(f"{place}.theta", member.network.theta),
            # one made from other parameters is not used again: going on would make another
            "optimizer": codec.encode(f"{place}.optimizer", member.optimizer if member.made_from == now else None),
            **{name: codec.encode(f"{place}.{name}", getattr(member, name)) for name in MEMBER},
        }
        for place, member in enumerate(estimator._members)
    ]
    write(path, "estimator", codec.tensors, kept)


def from_header(
    kind: type[Any],
    header: Mapping[str, Any],
    tensors: dict[str, Array],
    activations: dict[str, Activation],
    losses: dict[str, Loss],
) -> Any:
    """The estimator of that class that `save` described; ValueError when its parts are not known or do not fit."""
    decode = Codec(tensors, activations, losses).decode
    members = []
    for said in header["networks"]:
        with warnings.catch_warnings():  # what a network has to say about its last activation was said when it was made
            warnings.simplefilter("ignore")
            network = rebuild(Network, said["network"], decode(said["theta"]), activations, losses)
        made = {name: decode(said[name]) for name in ("optimizer", *MEMBER)}
        _check(made, MEMBER | {"optimizer": Optimizer | WholeBatch | None})
        members.append(Member(network, **made))

    given = {name: decode(value) for name, value in header["parameters"].items()}
    if strange := set(given) - set(parameters.defaults(kind)):
        raise ValueError(
            f"it has the parameter {min(strange)!r}, which this netwright does not know; upgrade netwright"
        )
    # Where to write is for whoever loads to say: a file that came from elsewhere must not choose one to overwrite.
    estimator = kind(**given | {"checkpoint": None, "resume": False})
    parameters.check(estimator)
    fitted = {name: decode(value) for name, value in header["fitted"].items()}
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
