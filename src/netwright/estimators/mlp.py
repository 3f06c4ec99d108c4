"""scikit-learn's multilayer perceptrons, on netwright's network: MLPClassifier and MLPRegressor.

X becomes columns, y becomes Y, `fit` is the core's training of a `Network`, and `predict` its feedforward. The network
underneath is `as_network()`; `coefs_` and `intercepts_` are views of its W and b.
"""

import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from netwright.arguments import Array
from netwright import engines
from netwright.estimators import parameters, watching
from netwright.estimators.fitting import Member, Rows, Task, split, take, train_member
from netwright.estimators.looking import Looking
from netwright.estimators.randomness import draw_weights, streams
from netwright.estimators.targets import Labels, class_weights
from netwright.layer import Layer
from netwright.losses import find_loss
from netwright.optimizers import Optimizer

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        pass

    def with_callbacks(method: Any) -> Any:
        return method


class MLP(CallbackSupportMixin, Looking, BaseEstimator):
    """What the two have in common: everything but what y means."""

    _members: list[Member]

    def __init__(self, given: dict[str, Any]):
        """Keep the arguments as they are, as scikit-learn wants it: `fit` looks at them."""
        vars(self).update((name, value) for name, value in given.items() if name not in ("self", "__class__"))

    # ── fit ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Any:
        """Learn from X, (samples, features), and y, (samples,) or (samples, outputs).

        sample_weight: (samples,); weight k counts as k copies of the row, 0 as none, in mini-batches too.
        X_val, y_val, sample_weight_val: rows to validate on. Their loss is recorded in `validation_curve_`, and
            `early_stopping` watches them instead of a part of X.
        groups: (samples,), handed to `validation_splitter`.

        ValueError names what is wrong with an argument, before anything is learnt.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), groups)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, held_out: Any = (None,) * 3, groups: Any = None, *, step: bool = False
    ) -> Any:
        """`fit`, or with `step` one epoch of it."""
        parameters.check(self)
        if self.early_stopping and step:
            raise ValueError("partial_fit does not support early_stopping=True")
        parameters.hidden_sizes(self)
        fresh = not hasattr(self, "coefs_") or not (self.warm_start or step)
        X, y = self._check_X_y(X, y, reset=fresh)
        weight = _check_weight(self, sample_weight, X)
        if weight is not None and not weight.all():  # a weight of 0 is as if the row were not there
            kept = np.flatnonzero(weight)
            X, y, weight = X[kept], y[kept], weight[kept]
            groups = None if groups is None else np.asarray(groups)[kept]
        self._learn_targets(y, step)
        weight = self._weigh(y, weight, step)
        if fresh or not hasattr(self, "_members"):
            self._begin(X.shape[1], X.dtype, fresh)
        rows, watched, y_val = self._hold_out(X, y, weight, held_out, groups)
        task = self._task(rows, watched, y_val, step)
        self._train(task, watching.sklearn_callbacks(self, X, y, sample_weight))
        return self

    def _begin(self, inputs: int, dtype: Any, fresh: bool) -> None:
        """Networks with their weights drawn as scikit-learn draws them, or with the `coefs_` that the user has set."""
        loss, last = self._loss_and_last()
        members = []
        for stream in streams(self.random_state, self.n_networks):
            network = parameters.make_network(self, inputs, self._width(), loss, last, dtype)
            draw_weights(network, stream, self.activation)
            members.append(Member(network, stream))
        self._members = members
        network = members[0].network
        name = network.layers[-1].activation.name
        self.n_outputs_, self.out_activation_ = network.outputs, "logistic" if name == "sigmoid" else name
        self.n_layers_ = len(parameters.hidden_sizes(self)) + 2
        if not fresh:
            self._shown: list[Array] = []
            self._synced()
            return
        vars(self).pop("_split_bits", None)
        self.t_ = self._no_improvement_count = self._noted = 0
        self.loss_curve_, self.validation_curve_ = [], []
        stopping = self.early_stopping
        self.validation_scores_, self.best_validation_score_ = ([], -np.inf) if stopping else (None, None)
        self.best_loss_ = None if stopping else np.inf
        self._show_weights()

    def _hold_out(self, X: Array, y: Any, weight: Any, held_out: Any, groups: Any) -> tuple[Rows, Rows | None, Any]:
        """(the rows to learn from, the rows to watch, the latter's y)."""
        dtype = self._members[0].network.dtype

        def columns(X: Array, y: Any, weight: Any) -> Rows:
            return X.T.astype(dtype, copy=False), self._encode(y, dtype), weight

        rows, (X_val, y_val, weight_val) = columns(X, y, weight), held_out
        if (X_val is None) != (y_val is None) or (X_val is None and weight_val is not None):
            raise ValueError("X_val and y_val, and with them sample_weight_val, belong together: give both or neither")
        if X_val is not None:
            X_val, y_val = self._check_X_y(X_val, y_val, reset=False)
            return rows, columns(X_val, y_val, _check_weight(self, weight_val, X_val)), y_val
        if not self.early_stopping or self.solver == "lbfgs":
            return rows, None, None
        learn, watch = split(self, rows, y, groups)
        return take(rows, learn), take(rows, watch), y[watch]

    def _task(self, rows: Rows, held_out: Rows | None, y_val: Any, step: bool) -> Task:
        stopping = held_out is not None and bool(self.early_stopping)
        best: float | None
        if not stopping:
            monitor, best = "cost", self.best_loss_
        elif self.scoring == "loss":
            monitor, best = None, min(self.validation_curve_, default=np.inf)
        else:
            monitor, best = "score", -self.best_validation_score_
        scores = watching.scoring(self, held_out, y_val) if held_out and monitor == "score" else lambda member: {}
        before = (np.inf if best is None else float(best), self._no_improvement_count if step else 0)
        return Task(rows, held_out, stopping, step, scores, monitor, before)

    def _train(self, task: Task, callbacks: list[Any]) -> None:
        """All networks' trainings, side by side on threads, and what they leave behind."""
        samples = task.rows[0].shape[1]
        if self.batch_size != "auto" and self.batch_size > samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )
        if self.verbose:
            callbacks = [watching.progress(1 if task.incremental else self.max_iter), *callbacks]
        members = self._synced()
        self._seen = task.rows[0][:, :: -(-samples // 256)], task.rows[1][:, :: -(-samples // 256)]  # for diagnose()
        try:
            if len(members) == 1:
                trainings = [train_member(self, members[0], task, 0, callbacks)]
            else:
                with ThreadPoolExecutor(self.n_threads or min(len(members), parameters.cores())) as pool:
                    jobs = [
                        pool.submit(train_member, self, member, task, place, callbacks if place == 0 else [])
                        for place, member in enumerate(members)
                    ]
                trainings = [job.result() for job in jobs]
        except FloatingPointError as error:
            self._note(members[0], task)
            self._give_up(task, error)
            return
        self._note(members[0], task)
        self._no_improvement_count = trainings[0].waited
        self.engine_ = trainings[0].engine.name
        for training in trainings:
            if not task.incremental:
                watching.warn(self, training)

    def _note(self, member: Member, task: Task) -> None:
        """The fitted attributes, from the first network's history."""
        history = self.history_ = member.history
        self.n_iter_ = len(history)
        self.t_ += self.n_iter_ * task.rows[0].shape[1] * isinstance(member.optimizer, Optimizer)
        self.loss_curve_ += history.cost
        self.validation_curve_ += history.validation_cost
        if not task.incremental:
            self._noted = len(self.loss_curve_)
        if history.cost:
            self.loss_ = history.cost[-1]
        elif not hasattr(self, "loss_"):  # L-BFGS may find nothing to do
            self.loss_ = member.network.gradient(*task.rows)
        if task.early_stopping:
            costs = [-cost for cost in history.validation_cost]
            self.validation_scores_ = [*(self.validation_scores_ or []), *history.validation_scores.get("score", costs)]
            self.best_validation_score_ = watching.best_of(self.validation_scores_)
        else:
            self.best_loss_ = min([np.inf if self.best_loss_ is None else self.best_loss_, *history.cost])
        self._optimizer = member.optimizer
        self._show_weights()

    def _give_up(self, task: Task, error: FloatingPointError) -> None:
        """Diverged: with early stopping the best epoch is there to keep, otherwise it is an error."""
        if not (task.early_stopping and self.validation_scores_):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                f"preprocessed. ({error})"
            ) from error
        self.validation_scores_.append(math.nan)
        warnings.warn(f"Training diverged: {error}", ConvergenceWarning, stacklevel=5)

    # ── what goes in ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _check_X_y(self, X: Any, y: Any, reset: bool) -> tuple[Array, Any]:
        """X as a dense float array and y as an array; ValueError in scikit-learn's words, and the column's name."""
        try:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                multi_output=True,
                y_numeric=isinstance(self, RegressorMixin),
                dtype=(np.float64, np.float32),
                reset=reset,
            )
        except ValueError as error:
            raise _with_column(error, X) from None
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X if isinstance(X, np.ndarray) else X.toarray(), y

    def _check_X(self, X: Any) -> Array:
        """X as a dense float array. One that is so already, of the right width and without names, is only summed."""
        if "_members" not in vars(self):
            check_is_fitted(self)
        if (
            type(X) is np.ndarray
            and X.dtype in _FLOATS
            and X.ndim == 2
            and X.shape[0]
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
        ):
            with np.errstate(all="ignore"):
                if math.isfinite(X.sum()):
                    return X
        try:
            checked = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        except ValueError as error:
            raise _with_column(error, X) from None
        return checked if isinstance(checked, np.ndarray) else checked.toarray()

    # ── predict ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _each(self, X: Any) -> list[Array]:
        """Every network's outputs A, (outputs, samples)."""
        X = self._check_X(X).T
        compiled = self.engine == "fused" or (self.engine == "auto" and getattr(engines, "warmed_up", bool)())
        return [member.predict(X, compiled) for member in self._synced()]

    def _outputs(self, X: Any) -> Array:
        """The mean of the networks' outputs A, (outputs, samples)."""
        outputs = self._each(X)
        return outputs[0] if len(outputs) == 1 else np.mean(outputs, axis=0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ── copies and pickles: the weights once, and what going on exactly needs ────────────────────────────────────────

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "_members"):
            self._synced()
        left = ("coefs_", "intercepts_", "_shown", "_seen", "_optimizer", "loss_curve_")
        state = {name: value for name, value in super().__getstate__().items() if name not in left}
        if hasattr(self, "_members"):  # of partial_fit's losses the last: a model that learns for ever must not grow
            state["loss_curve_"] = self.loss_curve_[: self._noted] + self.loss_curve_[self._noted :][-1:]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "_members"):
            self._optimizer = self._members[0].optimizer
            self._show_weights()

    def _with(self, members: list[Member]) -> Any:
        """The same estimator over these networks, for a scorer."""
        seen = object.__new__(type(self))
        vars(seen).update(vars(self), _members=members)
        seen._show_weights()
        return seen

    # ── the network's weights, in scikit-learn's shapes ──────────────────────────────────────────────────────────────

    def _show_weights(self) -> None:
        """`coefs_` (inputs, neurons) and `intercepts_` (neurons,): views of the first network's W and b."""
        dense = [layer for layer in self._members[0].network.layers if isinstance(layer, Layer)]
        self.coefs_ = [layer.W.T for layer in dense]
        self.intercepts_ = [layer.b[:, 0] for layer in dense]
        self._shown = [*self.coefs_, *self.intercepts_]

    def _synced(self) -> list[Member]:
        """The networks; what the user has put into `coefs_` or `intercepts_` is copied into the first."""
        shown = self._shown
        if len(shown) != len(self.coefs_) + len(self.intercepts_) or any(
            given is not view for given, view in zip((*self.coefs_, *self.intercepts_), shown, strict=True)
        ):
            dense = [layer for layer in self._members[0].network.layers if isinstance(layer, Layer)]
            for layer, W, b in zip(dense, self.coefs_, self.intercepts_, strict=True):
                layer.W, layer.b = np.asarray(W).T, np.reshape(b, (-1, 1))
            self._show_weights()
        return self._members

    def _loss_grad_lbfgs(self, packed: Array, X: Array, y: Array, sample_weight: Any, *unused: Any) -> Any:
        """(loss, gradient) at scikit-learn's packed parameters: its name, for those who check gradients by it."""
        network = self._members[0].network
        views = [[layer.W.T, layer.b[:, 0]] for layer in network.layers if isinstance(layer, Layer)]
        ordered = [W for W, _ in views] + [b for _, b in views]
        ends = np.cumsum([view.size for view in ordered])
        for view, part in zip(ordered, np.split(packed, ends[:-1]), strict=True):
            view[...] = part.reshape(view.shape)
        loss = network.gradient(np.asarray(X).T, np.asarray(y, network.dtype).T, sample_weight)
        dense = [layer for layer in network.layers if isinstance(layer, Layer)]
        return loss, np.concatenate([layer.dW.T.ravel() for layer in dense] + [layer.db.ravel() for layer in dense])


class MLPClassifier(ClassifierMixin, MLP):
    """Classifies with a network, as scikit-learn's MLPClassifier, whose parameters come first and mean the same.

    PARAMETERS
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        loss: Any = "log_loss",
        output_activation: Any = None,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        alpha_scaling: str = "batch",
        clip_norm: float | None = None,
        schedule: Any = None,
        scoring: Any = None,
        validation_splitter: Any = None,
        n_networks: int = 1,
        max_time: float | None = None,
        checkpoint: Any = None,
        resume: bool = False,
        engine: Any = "auto",
        n_threads: int | None = None,
    ):
        super().__init__(locals())

    @available_if(parameters.takes_steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """One epoch over these rows, going on exactly from the last: 200 times this is `fit` with max_iter=200.

        `classes` are all that will ever come; needed in the first call. Otherwise as `fit`.
        """
        if _check_partial_fit_first_call(self, classes):
            self._labels = Labels.of(y, self.classes_)
        return self._fit(X, y, sample_weight, step=True)

    def predict(self, X: Any) -> Any:
        """The most probable class of each row of X, (samples,); (samples, targets) for several targets or labels."""
        return self._labels.decode(self._outputs(X))

    def predict_proba(self, X: Any) -> Any:
        """(samples, classes) of probabilities, in the order of `classes_`; for several targets a list of them."""
        return self._labels.probabilities(self._outputs(X))

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithms of `predict_proba`."""
        proba = self.predict_proba(X)
        return [np.log(one) for one in proba] if isinstance(proba, list) else np.log(proba)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose class (all of whose classes) are right."""
        right = np.asarray(self.predict(X)) == np.asarray(y)
        if right.ndim == 1:
            return super().score(X, y, sample_weight)
        return float(np.average(right.all(axis=1), weights=sample_weight))

    def _learn_targets(self, y: Any, step: bool) -> None:
        if not hasattr(self, "_labels") or not (self.warm_start or step):
            self._labels = Labels.learn(y)
            self.classes_ = self._labels.classes
        elif self.warm_start and self._labels.kind in ("binary", "multiclass"):
            classes = unique_labels(y)
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
        return class_weights(self.class_weight, y, weight)

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
        return None if self._labels.kind == "multioutput" else "accuracy"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, MLP):
    """Predicts numbers with a network, as scikit-learn's MLPRegressor, whose parameters come first and mean the same.

    PARAMETERS
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        output_activation: Any = None,
        dropout: float = 0.0,
        alpha_scaling: str = "batch",
        clip_norm: float | None = None,
        schedule: Any = None,
        scoring: Any = None,
        validation_splitter: Any = None,
        n_networks: int = 1,
        max_time: float | None = None,
        checkpoint: Any = None,
        resume: bool = False,
        engine: Any = "auto",
        n_threads: int | None = None,
    ):
        super().__init__(locals())

    @available_if(parameters.takes_steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """One epoch over these rows, going on exactly from the last: 200 times this is `fit` with max_iter=200."""
        return self._fit(X, y, sample_weight, step=True)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """(samples,) for one output, (samples, outputs) for several; several quantile levels make a last axis.

        `return_std` gives (mean, standard deviation over the networks) with `n_networks` above 1.
        """
        if not return_std:
            return self._shaped(self._outputs(X))
        if len(self._members) == 1:
            raise ValueError("return_std=True is the spread over networks; fit with n_networks above 1 to have several")
        outputs = self._each(X)
        return self._shaped(np.mean(outputs, axis=0)), self._shaped(np.std(outputs, axis=0, ddof=1))

    def _shaped(self, A: Array) -> Array:
        if A.shape[0] == 1:
            return A[0]
        if 1 < self._levels < A.shape[0]:
            return np.ascontiguousarray(A.T).reshape(A.shape[1], -1, self._levels)
        return np.ascontiguousarray(A.T)

    def _learn_targets(self, y: Any, step: bool) -> None:
        targets = 1 if y.ndim == 1 else y.shape[1]
        if not hasattr(self, "_targets") or not (self.warm_start or step):
            self._targets, self._levels = targets, parameters.levels(find_loss(self.loss))
        elif targets != self._targets:
            raise ValueError(f"y must have {self._targets} outputs, as in the first fit, got {targets}")

    def _weigh(self, y: Any, weight: Any, step: bool) -> Any:
        return weight

    def _loss_and_last(self) -> tuple[Any, Any]:
        loss = find_loss(self.loss)
        return loss, loss.link if self.output_activation is None else parameters.activation(self.output_activation)

    def _width(self) -> int:
        return self._targets * self._levels

    def _encode(self, y: Any, dtype: Any) -> Array:
        Y = np.asarray(y, dtype).reshape(-1, self._targets).T
        return Y if self._levels == 1 else np.repeat(Y, self._levels, axis=0)

    def _natural_score(self) -> str | None:
        return "r2" if self._levels == 1 else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def _check_weight(estimator: Any, weight: Any, X: Array) -> Array | None:
    """(samples,) of weights, None if there are none; ValueError for a wrong shape, a negative one, or only zeros."""
    if weight is None:
        return None
    weight = _check_sample_weight(weight, X, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("Sample weights must contain at least one number above zero: every sample's weight is zero.")
    return weight


def _with_column(error: ValueError, X: Any) -> ValueError:
    """The error, and where the first missing or infinite value of X stands, if that is what it is about."""
    if "NaN" not in str(error) and "infinity" not in str(error):
        return error
    try:
        values = np.asarray(X, dtype=np.float64)
        row, column = np.argwhere(~np.isfinite(values))[0]
    except (ValueError, TypeError, IndexError):  # it is not X that the error is about
        return error
    names = list(getattr(X, "columns", []))
    name = f"column {names[column]!r}" if names else f"column {column}"
    return ValueError(f"{error}\nThe first is in {name}, row {row} (counted from 0).")
