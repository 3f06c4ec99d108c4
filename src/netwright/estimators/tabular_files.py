"""Model files of the tabular estimators: encoders and networks in one file, which runs no code when it is read."""

from collections.abc import Mapping
from typing import Any

from sklearn.utils.validation import check_is_fitted

from netwright.core.arguments import Array
from netwright.estimators import parameters
from netwright.estimators.codec import Codec
from netwright.files.container import write
from netwright.recipes.mixture import Mixture
from netwright.tables.features import TableEncoder

OURS = "netwright.estimators.tabular"  # the module of the classes that a file keeps


def save(estimator: Any, path: Any) -> None:
    """Write a fitted estimator to `path`, atomically. ValueError names what a file cannot keep, OSError the path."""
    kind = type(estimator)
    if kind.__module__ != OURS:
        raise ValueError(
            f"a model file keeps TabularClassifier or TabularRegressor, and {kind.__qualname__} is a class of your own"
        )
    check_is_fitted(estimator, "mixture_")
    codec, given = Codec({}, {}, {}), parameters.defaults(kind)
    mixture = estimator.mixture_
    kept = {n: v for n, v in vars(estimator).items() if n not in given and n not in ("mixture_", "encoder_")}
    header: dict[str, Any] = {
        "class": kind.__name__,
        "parameters": {name: codec.encode(name, getattr(estimator, name)) for name in given},
        "fitted": {name: codec.encode(name, value) for name, value in kept.items()},
        "encoder": estimator.encoder_.to_json(),
        "mixture": None,
    }
    if mixture is not None:
        header["mixture"], tensors = mixture.to_json()
        codec.tensors.update(tensors)
    write(path, "tabular", codec.tensors, header)


def from_header(kind: type[Any], header: Mapping[str, Any], tensors: dict[str, Array]) -> Any:
    """The estimator of that class that `save` described; ValueError when its parts are not known or do not fit."""
    decode = Codec(tensors, {}, {}).decode
    estimator = kind(**{name: decode(value) for name, value in header["parameters"].items()})
    estimator._check_parameters()
    fitted = {name: decode(value) for name, value in header["fitted"].items()}
    if taken := [name for name in fitted if hasattr(kind, name) or name in vars(estimator)]:
        raise ValueError(f"it says that {taken[0]!r} was fitted")
    estimator.__dict__.update(fitted, mixture_=None, encoder_=TableEncoder.from_json(header["encoder"]))
    if header["mixture"] is not None:
        mixture = estimator.mixture_ = Mixture.from_json(header["mixture"], tensors)
        if (mixture.inputs, mixture.outputs) != (len(estimator.encoder_.feature_names), estimator._prior.size):
            raise ValueError("its networks and columns do not fit together")
    return estimator
