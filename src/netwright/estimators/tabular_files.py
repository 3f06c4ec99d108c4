"""Model files of the tabular estimators: encoders and networks in one file, which runs no code when it is read."""

from collections.abc import Mapping
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from netwright.core.arguments import Array, whole
from netwright.estimators import parameters
from netwright.estimators.codec import Codec, array
from netwright.estimators.labels import are_classes
from netwright.files.schema import FileKind, Shape, all_finite, anything, check, finite, one_of, plain, positive
from netwright.recipes.mixture import MIXTURE, Mixture
from netwright.tables.features import ENCODER, TOLD, TableEncoder
from netwright.uncertainty.familiarity import FAMILIARITY, Familiarity

OURS = "netwright.estimators.tabular"  # the module of the classes that a file keeps

FITTED: dict[str, Shape] = {
    "n_features_in_": whole,
    "feature_names_in_?": array("O"),
    "_prior": array("f"),
    "_dates": {"...": str},
    "_sklearn_output_config?": {"transform?": one_of("default", "pandas", "polars")},
    "...": anything,  # an attribute of the user's own
}
OF_CLASSES: dict[str, Shape] = {"classes_": array("biufUO")}
OF_NUMBERS: dict[str, Shape] = {"_mean": finite, "_spread": positive}
AGAIN = ("mixture_", "encoder_", "_known")  # spelt in their own way

CODED: Shape = {"...": plain}  # as `Codec` spells it
KIND = FileKind(
    "tabular",
    {
        "class": str,
        "parameters": CODED,
        "fitted": CODED,
        "encoder": ENCODER,
        "mixture": (None, MIXTURE),
        "familiarity?": FAMILIARITY,  # a file may be older than it
    },
)


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
    kept = {n: v for n, v in vars(estimator).items() if n not in given and n not in AGAIN}
    left_out = parameters.callers(kind)
    header: dict[str, Any] = {
        "class": kind.__name__,
        "parameters": {name: codec.encode(name, getattr(estimator, name)) for name in given if name not in left_out},
        "fitted": {name: codec.encode(name, value) for name, value in kept.items()},
        "encoder": estimator.encoder_.to_json(),
        "mixture": None,
    }
    _fitted(estimator, codec, header["fitted"])
    if mixture is not None:
        header["mixture"], tensors = mixture.to_json()
        codec.tensors.update(tensors)
    if estimator._known is not None:
        header["familiarity"], tensors = estimator._known.to_json()
        codec.tensors.update(tensors)
    KIND.write(path, codec.tensors, header)


def from_header(kind: type[Any], header: Mapping[str, Any], tensors: dict[str, Array]) -> Any:
    """The estimator of that class that `save` described, of `KIND`'s shape; ValueError when its parts do not fit."""
    codec = Codec(tensors, {}, {})
    estimator = parameters.restored(kind, codec.decode(header["parameters"], "parameters"))
    estimator._check_parameters()
    check((None, {"...": one_of(*TOLD)}), estimator.columns, "parameters.columns")
    fitted = _fitted(estimator, codec, header["fitted"])
    if taken := [name for name in fitted if hasattr(estimator, name) or name in AGAIN]:
        raise ValueError(f"it says that {taken[0]!r} was fitted")
    estimator.__dict__.update(fitted, mixture_=None, _known=None, encoder_=TableEncoder.from_json(header["encoder"]))
    outputs = estimator._prior.size
    if is_classifier(estimator):
        classes = estimator.classes_
        if not are_classes(classes) or outputs != (1 if classes.size <= 2 else classes.size):
            raise ValueError("its classes and outputs do not fit together")
    names = getattr(estimator, "feature_names_in_", [""] * estimator.n_features_in_)
    if len(names) != estimator.n_features_in_ or not all(isinstance(name, str) for name in names):
        raise ValueError("its columns and their names do not fit together")
    if header["mixture"] is not None:
        mixture = estimator.mixture_ = Mixture.from_json(header["mixture"], tensors)
        if (mixture.inputs, mixture.outputs) != (len(estimator.encoder_.feature_names), outputs):
            raise ValueError("its networks and columns do not fit together")
        if (known := header.get("familiarity")) is not None:
            estimator._known = Familiarity.from_json(known, tensors, mixture.inputs)
    return estimator


def _fitted(estimator: Any, codec: Codec, said: Any) -> dict[str, Any]:
    """What was fitted, of the shape that it must have."""
    fitted: dict[str, Any] = codec.decode(said, "fitted")
    check(FITTED | (OF_CLASSES if is_classifier(estimator) else OF_NUMBERS), fitted, "fitted")
    all_finite(prior=fitted["_prior"])
    return fitted
