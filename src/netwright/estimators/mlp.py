"""MLPClassifier and MLPRegressor: scikit-learn's multilayer perceptrons, on netwright's network.

What they share, from `fit` to the network underneath, is in `perceptron.py`; here is what y means to each.
"""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, unique_labels

from netwright.core.arguments import Array, brief, unmasked
from netwright.core.losses import find_loss
from netwright.core.scores import r2
from netwright.estimators import parameters
from netwright.estimators.labels import Labels, class_weights, codes_of, distinct
from netwright.estimators.perceptron import Perceptron, mean_of
from netwright.estimators.targets import labels_in, numbers_in
from netwright.estimators.undo import whole_or_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netwright.export.program import Target


@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, Perceptron):
    """Classifies with a network, as scikit-learn's MLPClassifier, whose parameters come first and mean the same.

    Parameters, beyond scikit-learn's; each default changes nothing:

    activation: also any of `netwright.ACTIVATIONS`, an `Activation` of your own, or a list, one for each hidden layer.
    solver: also "lm" (Levenberg-Marquardt, for small networks), "br" (the same with Bayesian regularisation, whose
        penalty is found, without `alpha`), any of `netwright.OPTIMIZERS`, an optimizer object, or "auto", which learns
        without being told how.
    class_weight: {class: weight} or "balanced"; a list of them for several targets.
    loss: "log_loss", any of `netwright.LOSSES`, or a `Loss` of your own, on the one-hot targets.
    output_activation: instead of softmax (sigmoid for two classes and for labels).
    dropout: the rate after each hidden layer.
    label_smoothing: moves the targets this far towards even odds.
    alpha_scaling: what `alpha` is divided by: "batch", each batch's samples, as in scikit-learn, so that it means
        something else at every batch size; "samples", those of X; "none".
    clip_norm: cut a longer gradient to this length.
    schedule: how the rate goes, one of `netwright.SCHEDULES`, an object or a function (e, E) -> factor.
    scoring: the scorer that early stopping watches, or "loss"; by default accuracy.
    validation_splitter: instead of a random `validation_fraction`, a splitter or pairs of (train, test) places.
    n_networks: train so many, from different seeds, on threads of their own; predictions are their mean.
    max_time: stop after so many seconds, at the end of the epoch.
    checkpoint: a file that is kept up to date while fitting.
    resume: go on from `checkpoint` if it exists, to the same bits as if never interrupted.
    engine: "auto", "plain" or "fused".
    n_threads: how many the fused engine works with; with several networks, how many of them train at a time.

    Attributes, beyond scikit-learn's: `validation_curve_`, the validation loss of each epoch; `history_`, the
    `History` of the last fit; `engine_`, what ran it (with solver="auto", what was asked for); `networks_`; after
    solver="br" `effective_parameters_`, how many of the first network's parameters the data determine.

    >>> MLPClassifier((3,), "tanh", solver="lbfgs", random_state=1).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    MLPClassifier(activation='tanh', hidden_layer_sizes=(3,), random_state=1, solver='lbfgs')
    """

    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    loss: Any = "log_loss"
    class_weight: Any = None
    label_smoothing: float = 0.0

    @available_if(parameters.takes_steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """One epoch over these rows, going on exactly from the last: 200 times this is `fit` with max_iter=200.

        `classes` are all that will ever come; needed in the first call. Otherwise as `fit`.
        """
        with whole_or_nothing(self):
            parameters.check(self)
            y, classes = labels_in(y), labels_in(classes, "classes")
            if (classes is not None and np.ndim(classes) != 1) or np.size(classes) == 0:
                raise ValueError(f"classes must be a list of all classes that will come, got {brief(classes)}")
            if _check_partial_fit_first_call(self, classes):
                self._labels = Labels.of(y, self.classes_)
            self._step(X, y, sample_weight)
        return self

    def predict(self, X: Any, interval: float | None = None) -> Any:
        """The most probable class of each row of X, (samples,); (samples, targets) for several targets or labels.

        interval: a probability, such as 0.9; then a `LabelSet` (label, (samples,); set, (samples, classes), which
        classes hold the true one with that probability), by rows that `fit` held out or `calibrate` was given.
        ValueError where there are none, or too few.
        """
        if interval is not None:
            return self._surrounded(X, interval)
        A = self._outputs(X)  # first: it says so when there was no fit
        return self._labels.decode(A)

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """(samples, classes) of probabilities, in the order of `classes_`; for several targets a list of them.

        `return_std` gives (mean, standard deviation over the networks) with `n_networks` above 1.
        """
        if not return_std:
            A = self._outputs(X)
            return self._labels.probabilities(A)
        mean, std = self._mean_and_std(X)
        if self._labels.kind == "binary":
            both = np.stack([std[0], std[0]], axis=1)
            return self._labels.probabilities(mean), both if len(self.classes_) == 2 else np.zeros((len(both), 1))
        return self._labels.probabilities(mean), self._labels.probabilities(std)

    def _exported(self) -> "Iterator[Target]":
        from netwright.export.program import Target

        labels = self._labels
        if labels.kind == "multilabel":
            yield from (Target(f"label {j}", j, 1, (0, 1)) for j in range(len(labels.classes)))
            return
        first = 0
        for j, classes in enumerate(labels.classes if labels.kind == "multioutput" else [labels.classes]):
            outputs = 1 if labels.kind == "binary" else len(classes)
            yield Target(
                f"class {j}" if labels.kind == "multioutput" else "class", first, outputs, tuple(classes.tolist())
            )
            first += outputs

    def _answers(self, X: Array) -> tuple[Array, Array]:
        A, labels = mean_of(self._each_of(X.T)), self._labels
        P, best = labels.probabilities(A), np.asarray(labels.decode(A)).reshape(len(X), -1)
        if labels.kind == "multilabel":
            return np.stack([1 - P, P], axis=2).reshape(len(X), -1), best
        several = labels.classes if labels.kind == "multioutput" else [labels.classes]
        places = [codes_of(column, classes) for column, classes in zip(best.T, several, strict=True)]
        return np.hstack(P) if labels.kind == "multioutput" else P, np.array(places).T

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithms of `predict_proba`."""
        proba = self.predict_proba(X)
        return [np.log(one) for one in proba] if isinstance(proba, list) else np.log(proba)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose class (all of whose classes) are right."""
        y, sample_weight = labels_in(y), unmasked("sample_weight", sample_weight)
        right = np.asarray(self.predict(X)) == np.asarray(y)
        if right.ndim == 1:
            return super().score(X, y, sample_weight)
        return float(np.average(right.all(axis=1), weights=sample_weight))

    def _targets_in(self, y: Any) -> Any:
        return labels_in(y)

    def _learn_targets(self, y: Any, step: bool) -> None:
        if not hasattr(self, "_labels") or not (self.warm_start or step):
            self._labels = Labels.learn(y)
            self.classes_ = self._labels.classes
        elif self.warm_start and self._labels.kind in ("binary", "multiclass"):
            classes = distinct(y) if y.ndim == 1 and y.dtype.kind in "bui" else unique_labels(y)
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )

    def _weigh(self, y: Any, weight: Any, step: bool) -> Any:
        if step and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows at once; for partial_fit give a dict, such as "
                "dict(zip(classes, compute_class_weight('balanced', classes=classes, y=y)))"
            )
        return class_weights(self.class_weight, y, weight, self._labels.classes)

    def _loss_and_last(self) -> tuple[Any, Any]:
        labels = self._labels
        natural = isinstance(self.loss, str) and self.loss == "log_loss"
        last = labels.link if self.output_activation is None else parameters.activation(self.output_activation)
        return labels.loss if natural else self.loss, last

    def _width(self) -> int:
        return self._labels.outputs

    def _encode(self, y: Any, dtype: Any) -> Array:
        return self._labels.encode(y, dtype)

    def _natural_score(self) -> str | None:
        return (
            self._labels.loss.replace("cross_entropy", "accuracy") if self._labels.kind == "multioutput" else "accuracy"
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, Perceptron):
    """Predicts numbers with a network, as scikit-learn's MLPRegressor, whose parameters come first and mean the same.

    Parameters, beyond scikit-learn's, are those of `MLPClassifier` but for class_weight and label_smoothing, and:

    loss: "squared_error", "poisson", or any other of `netwright.LOSSES`, such as "huber:1.5"; "quantile:0.1,0.5,0.9"
        has an output for each level; in "masked_squared_error" a y that is NaN is left out. Or a `Loss` of your own.
    output_activation: instead of the loss's own, to keep the predictions in its range.
    scoring: by default R²; for several quantile levels the mean D² of their pinball losses.
    """

    loss: Any = "squared_error"
    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"

    @available_if(parameters.takes_steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """One epoch over these rows, going on exactly from the last: 200 times this is `fit` with max_iter=200."""
        self._step(X, y, sample_weight)
        return self

    def predict(self, X: Any, return_std: bool = False, interval: float | None = None) -> Any:
        """(samples,) for one output, (samples, outputs) for several; several quantile levels make a last axis.

        `return_std` gives (mean, standard deviation over the networks) with `n_networks` above 1.
        interval: a probability, such as 0.9; then an `Interval` (value, low, high), within which the truth is with that
        probability, each output for itself, by rows that `fit` held out or `calibrate` was given. ValueError where
        there are none, or too few.
        """
        if interval is not None:
            if return_std:
                raise ValueError("return_std and interval are two ways to say how sure it is; choose one")
            return self._surrounded(X, interval)
        if not return_std:
            return self._shaped(self._outputs(X))
        mean, std = self._mean_and_std(X)
        return self._shaped(mean), self._shaped(std)

    def _exported(self) -> "Iterator[Target]":
        from netwright.export.program import Target

        levels = [f" at {level:g}" for level in self._levels] or [""]
        names = [
            f"prediction{' ' + str(j) if self._targets > 1 else ''}{each}"
            for j in range(self._targets)
            for each in levels
        ]
        yield from (Target(name, j, 1) for j, name in enumerate(names))

    def _answers(self, X: Array) -> tuple[Array, None]:
        return mean_of(self._each_of(X.T)).T, None

    def _shaped(self, A: Array) -> Array:
        if A.shape[0] == 1:
            return A[0]
        rows = np.ascontiguousarray(A.T)
        return rows.reshape(len(rows), self._targets, -1) if self._levels and self._targets > 1 else rows

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R²; for several quantile levels the mean of their D², 1 - pinball loss / that of the constant quantile."""
        y, sample_weight = self._targets_in(y), unmasked("sample_weight", sample_weight)
        if not self._levels:
            if isinstance(y, np.ndarray) and y.dtype.kind == "f" and np.isnan(y).any():
                Y, A = (np.atleast_2d(each.T) for each in (y, self.predict(X)))
                return r2(Y, A, sample_weight)
            return super().score(X, y, sample_weight)
        predicted = self.predict(X)
        of_levels = [
            d2_pinball_score(y, predicted[..., place], sample_weight=sample_weight, alpha=level)
            for place, level in enumerate(self._levels)
        ]
        return float(np.mean(of_levels))

    def _targets_in(self, y: Any) -> Any:
        return numbers_in(y, partial=find_loss(self.loss).targets == "partial")

    def _learn_targets(self, y: Any, step: bool) -> None:
        if y.dtype.kind == "f" and (gone := np.isnan(y).reshape(len(y), -1)).any():
            if self.solver == "auto":
                raise ValueError("solver='auto' learns from whole targets only: take another, or leave out rows of y")
            if (empty := np.flatnonzero(gone.all(axis=0))).size and not step:
                raise ValueError(f"y's column {empty[0]} (counted from 0) has no value in any row")
        targets = 1 if y.ndim == 1 else y.shape[1]
        if not hasattr(self, "_targets") or not (self.warm_start or step):
            numbers = find_loss(self.loss).numbers
            self._targets, self._levels = targets, list(numbers) if len(numbers) > 1 else []
        elif targets != self._targets:
            raise ValueError(f"y must have {self._targets} outputs, as in the first fit, got {targets}")

    def _weigh(self, y: Any, weight: Any, step: bool) -> Any:
        return weight

    def _loss_and_last(self) -> tuple[Any, Any]:
        loss = find_loss(self.loss)
        return loss, loss.link if self.output_activation is None else parameters.activation(self.output_activation)

    def _width(self) -> int:
        return self._targets * max(1, len(self._levels))

    def _encode(self, y: Any, dtype: Any) -> Array:
        Y = np.asarray(y, dtype).reshape(-1, self._targets).T
        return np.repeat(Y, len(self._levels), axis=0) if self._levels else Y

    def _natural_score(self) -> str | None:
        return None if self._levels else "r2"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
