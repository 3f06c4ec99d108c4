"""Model files of estimators: what comes back predicts, and learns on, to the bit as what was saved. No pickle.

The header says in JSON the class, its parameters, what was fitted, and each network with its optimizer and its random
numbers; every array of numbers is a tensor. A value that JSON has no word for is spelt {"$tuple": [...]}, its kind and
then simpler values. What has no spelling, such as a function of the user's own, is refused before anything is written.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from netwright.core.activations import Activation, find_activation
from netwright.core.arguments import Array, brief, whole
from netwright.core.losses import Loss, find_loss
from netwright.core.optimizers import Optimizer, WholeBatch
from netwright.estimators import parameters
from netwright.estimators.codec import STREAM, Codec, array
from netwright.estimators.fitting import Member, optimizer_parameters
from netwright.estimators.labels import Labels, are_classes
from netwright.estimators.streams import Stream, stream_at
from netwright.files.networks import NETWORK, check_name, rebuild
from netwright.files.schema import (
    FileKind,
    Shape,
    all_finite,
    anything,
    check,
    finite,
    natural,
    not_negative,
    one_of,
    plain,
    real,
)  # fmt: skip
from netwright.network import Network
from netwright.training.history import History
from netwright.uncertainty.margins import MARGIN, Margin

OURS = "netwright.estimators.mlp"  # the module of the classes that a file keeps

NUMBERS: Shape = [real]  # some may be infinite, or none
FITTED: dict[str, Shape] = {  # what every fitted estimator has
    "n_features_in_": whole,
    "n_outputs_": whole,
    "n_layers_": whole,
    "out_activation_": str,
    "n_iter_": natural,
    "t_": natural,
    "loss_": real,
    "best_loss_": (None, real),
    "loss_curve_": NUMBERS,
    "validation_curve_": NUMBERS,
    "validation_scores_": (None, NUMBERS),
    "best_validation_score_": (None, real),
    "_no_improvement_count": natural,
    "_noted": natural,
    "feature_names_in_?": array("O"),
    "engine_?": str,
    "chosen_?": str,
    "_split_bits?": STREAM,
    "_sklearn_output_config?": {"transform?": one_of("default", "pandas", "polars")},
    "...": anything,  # an attribute of the user's own
}
OF_CLASSES: dict[str, Shape] = {"_labels": Labels, "classes_": (list, np.ndarray)}
OF_NUMBERS: dict[str, Shape] = {"_targets": whole, "_levels": [finite]}
AGAIN = ("coefs_", "intercepts_", "_shown", "_seen", "_optimizer", "_members", "history_", "_margins")  # made anew

MEMBER: dict[str, Shape] = {  # of a member, beside what is spelt in its own way, or made anew
    "stream": Stream,
    "rate": not_negative,
    "history": History,
    "waited": natural,
    "engine": str,
    "chosen": str,
}
CODED: Shape = {"...": plain}  # as `Codec` spells it
KIND = FileKind(
    "estimator",
    {
        "class": str,
        "parameters": CODED,
        "fitted": CODED,
        "networks": [{"network": NETWORK, "theta": {"$tensor": str}} | dict.fromkeys(["optimizer", *MEMBER], plain)],
        "margins?": [MARGIN],
    },
)


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
    left_out = {"_members", "history_", "_margins", *parameters.callers(kind)}
    for name, value in estimator.__getstate__().items():
        if name not in left_out:
            part = "parameters" if name in defaults else "fitted"
            try:
                kept[part][name] = codec.encode(name, value)
            except ValueError as error:
                way = f"set_params({name}={defaults[name]!r})" if name in defaults else f"del estimator.{name}"
                raise ValueError(
                    f"{name} cannot be kept in a model file: {error}; {way} before you save, or keep the network "
                    f"alone: as_network().save(path)"
                ) from None
    _fitted(estimator, codec, kept["fitted"])
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
    if margins := vars(estimator).get("_margins"):
        kept["margins"] = [margin.to_json() for margin in margins]
    KIND.write(path, codec.tensors, kept)


def from_header(
    kind: type[Any],
    header: Mapping[str, Any],
    tensors: dict[str, Array],
    activations: dict[str, Activation],
    losses: dict[str, Loss],
) -> Any:
    """The estimator of that class that `save` described, of `KIND`'s shape; ValueError when its parts do not fit."""
    codec = Codec(tensors, activations, losses)
    members = [_member(codec, said, f"networks[{place}]") for place, said in enumerate(header["networks"])]
    estimator = parameters.restored(kind, codec.decode(header["parameters"], "parameters"))
    check_usable(estimator, members[0].network)
    for member in members:
        member.made_from = None if member.optimizer is None else optimizer_parameters(estimator)
    fitted = _fitted(estimator, codec, header["fitted"])
    if taken := [name for name in fitted if hasattr(estimator, name) or name in AGAIN]:
        raise ValueError(f"it says that {taken[0]!r} was fitted")
    estimator.__setstate__(vars(estimator) | fitted | {"_members": members, "history_": members[0].history})
    _check_fit(estimator, [member.network for member in members])
    if said := header.get("margins"):
        if len(said) != (1 if is_classifier(estimator) else members[0].network.outputs):
            raise ValueError(f"{len(said)} margins do not fit a network of {members[0].network.outputs} outputs")
        estimator._margins = [Margin.from_json(each, members[0].network.inputs) for each in said]
    return estimator


def _fitted(estimator: Any, codec: Codec, said: Any) -> dict[str, Any]:
    """What was fitted, of the shape that it must have."""
    fitted: dict[str, Any] = codec.decode(said, "fitted")
    check(FITTED | (OF_CLASSES if is_classifier(estimator) else OF_NUMBERS), fitted, "fitted")
    return fitted


def _member(codec: Codec, said: Mapping[str, Any], where: str) -> Member:
    """One network, and what lets its training go on."""
    theta = codec.decode(said["theta"], f"{where}.theta")
    with warnings.catch_warnings():  # what a network has to say about its last activation was said when it was made
        warnings.simplefilter("ignore")
        network = rebuild(Network, said["network"], theta, codec.activations, codec.losses)
    made = {name: codec.decode(said[name], f"{where}.{name}") for name in ("optimizer", *MEMBER)}
    optimizer = made.pop("optimizer")
    check(MEMBER, made, where)
    if not isinstance(optimizer, Optimizer | WholeBatch | None):
        raise ValueError(f"{where}.optimizer is none, but {brief(optimizer)}")
    if isinstance(optimizer, Optimizer):
        if optimizer.slots and not optimizer.fits(theta):
            raise ValueError(f"{where}.optimizer remembers {', '.join(optimizer.slots)} of another network")
        all_finite(**optimizer.slots)
    return Member(network, optimizer=optimizer, **made)


def check_usable(estimator: Any, network: Network) -> None:
    """ValueError for parameters that `fit` would not take, as far as it can be said without data."""
    parameters.check(estimator)
    given, last = estimator.activation, estimator.output_activation
    try:
        parameters.hidden_sizes(estimator)
        names = [given] if isinstance(given, str | Activation) else [*given]
        for name in [*names, last, estimator.loss]:
            if isinstance(name, str):
                check_name(name, max(layer.neurons for layer in network.dense))
        for name in [*names, *[last] * (last is not None)]:
            find_activation(parameters.activation(name))
        if estimator.loss != "log_loss":
            find_loss(estimator.loss)
        weights = getattr(estimator, "class_weight", None)
        for each in weights if isinstance(weights, list) else [weights]:
            for name, weight in each.items() if isinstance(each, dict) else ():
                not_negative(f"class_weight's weight of {name!r}", weight)
    except TypeError as error:
        raise ValueError(f"its parameters are none: {error}") from None


def _check_fit(estimator: Any, networks: list[Network]) -> None:
    """ValueError unless networks, features and classes go together."""
    first = networks[0]
    names = getattr(estimator, "feature_names_in_", np.array([""] * first.inputs, object))
    shapes = {(network.inputs, network.outputs, network.dtype) for network in networks}
    if len(shapes) > 1 or {first.inputs, len(names)} != {estimator.n_features_in_}:
        raise ValueError("its networks and features do not fit together")
    if not all(isinstance(name, str) for name in names):
        raise ValueError("its features have names that are no texts")
    if is_classifier(estimator):
        estimator._labels.check()
        labels, shown = estimator._labels.classes, estimator.classes_
        pairs = zip(labels, shown, strict=True) if isinstance(labels, list) else [(labels, shown)]
        if type(labels) is not type(shown) or not all(are_classes(b) and np.array_equal(a, b) for a, b in pairs):
            raise ValueError("its labels and classes do not fit together")
    last = first.layers[-1].activation.name
    told = (estimator.n_outputs_, estimator.n_layers_, estimator.out_activation_)
    if told != (first.outputs, 1 + len(first.dense), "logistic" if last == "sigmoid" else last):
        raise ValueError(f"its network has other layers than {told}")
    if estimator._width() != first.outputs:
        raise ValueError("its networks and targets do not fit together")
    if hasattr(estimator, "_split_bits"):
        stream_at(estimator._split_bits)
