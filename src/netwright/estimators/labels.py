"""Class labels and the columns of numbers that a network learns, there and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from netwright.core.activations import spelt
from netwright.core.arguments import Array, brief, number
from netwright.core.losses import find_loss, natural_loss
from netwright.tables.labels import class_targets, one_hot, probabilities

KINDS = ("binary", "multiclass", "multilabel", "multioutput")


@dataclass
class Labels:
    """What y is: "binary" (one output), "multiclass" (an output a class), "multilabel" (an output a label, each yes or
    no), or "multioutput" (several multiclass targets, a block of outputs each). `classes` are sorted; for multioutput
    a list of them."""

    kind: str
    classes: Any

    @classmethod
    def learn(cls, y: Any) -> "Labels":
        """The labels in y, (samples,) or (samples, targets); ValueError when y holds no classes."""
        if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "bui":
            return cls.among(distinct(y))
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            return cls("multilabel", np.arange(y.shape[1]))
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            return cls("multioutput", [np.unique(column) for column in y.T])
        return cls.among(np.unique(y))

    @classmethod
    def of(cls, y: Any, classes: Any) -> "Labels":
        """Those of `classes`, of which y, the first rows, may not hold all."""
        if type_of_target(y).startswith("multilabel"):
            return cls("multilabel", np.arange(y.shape[1]))
        return cls.among(np.asarray(classes))

    @classmethod
    def among(cls, classes: Array) -> "Labels":
        """Those of one target with these classes."""
        return cls("multiclass" if classes.size > 2 else "binary", classes)

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        if self.kind == "multioutput":
            return sum(classes.size for classes in self.classes)
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def loss(self) -> str:
        """The loss of maximum likelihood, in the core's words."""
        if self.kind == "multioutput":
            return spelt("cross_entropy", tuple(classes.size for classes in self.classes))
        return natural_loss(self.classes.size if self.kind == "multiclass" else 2)

    @property
    def link(self) -> str:
        """The last activation that makes probabilities."""
        return find_loss(self.loss).link

    def check(self) -> None:
        """ValueError unless the classes are what the kind says; what comes from a file may be anything."""
        several = self.classes if self.kind == "multioutput" else [self.classes]
        if (
            not isinstance(several, list)
            or not all(map(are_classes, several))
            or self.kind not in KINDS
            or (self.kind == "binary" and self.classes.size > 2)
        ):
            raise ValueError(f"its labels are {self.kind!r} of {self.classes!r}")

    def encode(self, y: Any, dtype: Any) -> Array:
        """Y, (outputs, samples), of 0 and 1. ValueError names classes that are not known."""
        if self.kind == "multilabel":
            y = y.toarray() if sparse.issparse(y) else np.asarray(y)
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise ValueError(
                    f"y must have a column for each of the {len(self.classes)} labels, got shape {y.shape}"
                )
            return np.ascontiguousarray(y != 0, dtype=dtype).T
        if self.kind == "multioutput":
            y = np.asarray(y)
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise ValueError(
                    f"y must have a column for each of the {len(self.classes)} targets, got shape {y.shape}"
                )
            return np.vstack(
                [one_hot(codes_of(y[:, i], known), known.size, dtype) for i, known in enumerate(self.classes)]
            )
        return class_targets(codes_of(np.asarray(y).reshape(-1), self.classes), len(self.classes), dtype)

    def decode(self, A: Array) -> Any:
        """The labels that the outputs A, (outputs, samples), speak for."""
        if self.kind == "binary":
            return self.classes[(A[0] > 0.5).view(np.int8) if len(self.classes) > 1 else np.zeros(A.shape[1], int)]
        if self.kind == "multiclass":
            return self.classes[A.argmax(axis=0)]
        if self.kind == "multilabel":
            return np.ascontiguousarray((A > 0.5).T, dtype=np.int64)
        return np.stack([known[block.argmax(axis=0)] for known, block in self.blocks(A)], axis=1)

    def probabilities(self, A: Array) -> Any:
        """(samples, classes) of probabilities, one such array a target for multioutput."""
        if self.kind == "binary":
            return probabilities(A) if len(self.classes) == 2 else np.ones((A.shape[1], 1), A.dtype)
        if self.kind == "multioutput":
            return [np.ascontiguousarray(block.T) for _, block in self.blocks(A)]
        return np.ascontiguousarray(A.T)

    def blocks(self, A: Array) -> list[tuple[Array, Array]]:
        """(classes, its rows of A) for each target."""
        ends = np.cumsum([known.size for known in self.classes])
        return list(zip(self.classes, np.split(A, ends[:-1]), strict=True))


def class_weights(class_weight: Any, y: Array, weight: Array | None, classes: Any) -> Array | None:
    """Each sample's weight times its class's; "balanced" gives every class of a target the same sum of weights.

    classes: all that y may hold; of several targets a list. ValueError names a class that is none of them, and a weight
    that is none.
    """
    if class_weight is None:
        return weight
    n = y.shape[0]
    weight = np.ones(n) if weight is None else weight
    one, several = isinstance(class_weight, Mapping) and y.ndim == 1, isinstance(class_weight, list) and y.ndim == 2
    if one or (several and isinstance(classes, list) and len(class_weight) == len(classes)):
        factor = np.ones(n)
        targets = [(class_weight, y, classes)] if one else zip(class_weight, y.T, classes, strict=True)
        for weights, column, known in targets:
            factor *= _weights_of(weights, known)[codes_of(column, known)]
        return weight * factor
    if class_weight != "balanced":
        return weight * compute_sample_weight(class_weight, y)
    factor = np.ones(n)
    for column in y.reshape(n, -1).T:
        classes, codes = np.unique(column, return_inverse=True)
        sums = np.bincount(codes, weight)
        factor *= (weight.sum() / (classes.size * sums))[codes]
    return weight * factor


def _weights_of(class_weight: Mapping[Any, Any], classes: Array) -> Array:
    """The weight of each class, 1 of one that is not named; ValueError as `class_weights` says."""
    known = classes.tolist()
    for each, weight in class_weight.items():
        if each not in known:
            raise ValueError(f"class_weight names {each!r}, which is none of the classes {brief(known)}")
        number(f"class_weight's weight of {each!r}", weight, 0)
    weights = np.array([class_weight.get(each, 1) for each in known], np.float64)
    if not weights.any():
        raise ValueError("class_weight is 0 for every class: nothing is left to learn from")
    return weights


def are_classes(classes: Any) -> bool:
    """Whether they are labels, (n_classes,), each once and in order."""
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or not classes.size:
        return False
    try:
        return bool(np.all(classes[:-1] < classes[1:]))
    except TypeError:  # of types without an order
        return False


def distinct(y: Array) -> Array:
    """The labels in y, (samples,), sorted: by counting, where they are small whole numbers, in a tenth of the time."""
    if y.dtype.kind == "i" and y.min() >= 0 and y.max() <= y.size:
        return np.flatnonzero(np.bincount(y)).astype(y.dtype)
    return np.unique(y)


def codes_of(y: Array, classes: Array) -> Array:
    """The place of each label in the sorted classes; ValueError names those that are not among them."""
    whole = y.dtype.kind == classes.dtype.kind == "i"
    if whole and classes[0] == 0 <= y.min() and y.max() <= classes[-1] == classes.size - 1:
        return y  # the classes are 0, 1, 2 …, each its own place
    codes = np.searchsorted(classes, y)
    codes[codes == classes.size] = 0
    strange = classes[codes] != y
    if np.any(strange):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {np.unique(y)}."
        )
    return codes
