"""What MLPClassifier and MLPRegressor have in common: a network under scikit-learn's surface.

X becomes columns, y becomes Y, `fit` is the core's training of a `Network`, and `predict` its feedforward. The network
is `as_network()`; `coefs_` and `intercepts_` are views of its W and b.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from operator import is_
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from netwright.core.arguments import Array, finite, numeric, several
from netwright.core.optimizers import Optimizer
from netwright.core.samples import Samples
from netwright.engines import warmed_up
from netwright.estimators import parameters
from netwright.estimators.callbacks import best_of, progress, scoring, sklearn_callbacks, warn
from netwright.estimators.fitting import Member, Task, split, train_members, training_of
from netwright.estimators.inspection import Inspection
from netwright.estimators.streams import draw_weights, streams
from netwright.estimators.sure import Sure
from netwright.estimators.undo import whole_or_nothing
from netwright.estimators.validation import check_weight, check_X, check_X_y, in_dtype
from netwright.training.history import Callback
from netwright.training.loop import run

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        pass

    def with_callbacks(method: Any) -> Any:
        return method


@dataclass(kw_only=True, eq=False, repr=False)
class Perceptron(CallbackSupportMixin, Sure, Inspection, BaseEstimator):
    """What the two have in common: everything but what y means.

    A dataclass keeps its arguments as they are, as scikit-learn wants it: `fit` looks at them.
    """

    solver: Any = "adam"
    alpha: float = 0.0001
    batch_size: Any = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: Any = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: Any = 10
    max_fun: int = 15000
    output_activation: Any = None
    dropout: float = 0.0
    alpha_scaling: str = "batch"
    clip_norm: float | None = None
    schedule: Any = None
    scoring: Any = None
    validation_splitter: Any = None
    n_networks: int = 1
    max_time: float | None = None
    checkpoint: Any = None
    resume: bool = False
    engine: Any = "auto"
    n_threads: int | None = None

    @property
    def _parameter_constraints(self) -> dict[str, list[Any]]:
        """What scikit-learn's own tools look at."""
        own = parameters.defaults(type(self))
        return {name: kinds for name, kinds in parameters.CONSTRAINTS.items() if name in own}

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

        ValueError names what is wrong with an argument, before anything is learnt. A fit that an exception ends leaves
        the estimator as it was. Ctrl-C keeps what was learnt by then, and warns; before an epoch is done it is one.
        """
        parameters.check(self)
        with whole_or_nothing(self, vars(self).get("_members", ()) if self.warm_start else (), self._draws(X)):
            self._train(self._prepare(X, y, sample_weight, (X_val, y_val, sample_weight_val), groups))
        return self

    def _prepare(
        self, X: Any, y: Any, sample_weight: Any, held_out: Any = (None,) * 3, groups: Any = None, *, step: bool = False
    ) -> Task:
        """What `fit` is to do, or with `step` one epoch of it: everything is checked, the networks are there."""
        if self.early_stopping and step:
            raise ValueError("partial_fit does not support early_stopping=True")
        sizes = parameters.hidden_sizes(self)
        fresh = not hasattr(self, "coefs_") or not (self.warm_start or step)
        if not fresh and hasattr(self, "_members"):
            parameters.check_same("hidden_layer_sizes", sizes, [len(b) for b in self.intercepts_[:-1]])
            parameters.check_same("n_networks", self.n_networks, len(self._members))
        X, y = check_X_y(self, X, y, reset=fresh)
        weight = check_weight(sample_weight, X)
        if weight is not None and not weight.all():  # a weight of 0 is as if the row were not there
            kept = np.flatnonzero(weight)
            X, y, weight = X[kept], y[kept], weight[kept]
            groups = None if groups is None else np.asarray(groups)[kept]
        self._learn_targets(y, step)
        weight = self._weigh(y, weight, step)
        if fresh or not hasattr(self, "_members"):
            self._begin(X.shape[1], X.dtype, fresh)
        samples, held_out, y_val = self._hold_out(X, y, weight, held_out, groups)
        return self._task(samples, held_out, y_val, step, sklearn_callbacks(self, X, y, sample_weight))

    def _begin(self, inputs: int, dtype: Any, fresh: bool) -> None:
        """Networks with their weights drawn as scikit-learn draws them, or with the `coefs_` that the user has set."""
        loss, last = self._loss_and_last()
        members = []
        for stream in streams(self.random_state, self.n_networks):
            network = parameters.make_network(self, inputs, self._width(), loss, last, dtype, stream)
            draw_weights(network, stream, self.activation)
            members.append(Member(network, stream))
        self._members = members
        network = members[0].network
        name = network.layers[-1].activation.name
        self.n_outputs_, self.out_activation_ = network.outputs, "logistic" if name == "sigmoid" else name
        self.n_layers_ = len(parameters.hidden_sizes(self)) + 2
        stopping = self.early_stopping
        start = {
            "t_": 0,
            "loss_curve_": [],
            "best_loss_": None if stopping else np.inf,
            "validation_curve_": [],
            "validation_scores_": [] if stopping else None,
            "best_validation_score_": -np.inf if stopping else None,
            "_no_improvement_count": 0,
            "_noted": 0,
        }
        if fresh:
            self.__dict__.pop("_split_bits", None)
            self.__dict__.update(start)
            self._show_weights()
        else:
            self.__dict__.update(start | vars(self), _shown=[])
            self._synced()

    def _hold_out(
        self, X: Array, y: Any, weight: Any, held_out: Any, groups: Any
    ) -> tuple[Samples, Samples | None, Any]:
        """(the samples to learn from, those held out, the latter's y)."""
        dtype = self._members[0].network.dtype

        def columns(X: Array, y: Any, weight: Any) -> Samples:
            return Samples(in_dtype(X, dtype).T, self._encode(y, dtype), weight)

        rows, (X_val, y_val, weight_val) = columns(X, y, weight), held_out
        if (X_val is None) != (y_val is None) or (X_val is None and weight_val is not None):
            raise ValueError("X_val and y_val, and with them sample_weight_val, belong together: give both or neither")
        if groups is not None and self.validation_splitter is None:
            raise ValueError("groups are for validation_splitter, which says how to split by them; give that too")
        if X_val is not None:
            X_val, y_val = check_X_y(self, X_val, y_val, reset=False)
            return rows, columns(X_val, y_val, check_weight(weight_val, X_val, "sample_weight_val")), y_val
        if not self.early_stopping or self.solver == "lbfgs":  # which ignores it, as there
            return rows, None, None
        learned, held = split(self, rows, y, groups)
        return rows.take(learned), rows.take(held), y[held]

    def _task(
        self, samples: Samples, held_out: Samples | None, y_val: Any, step: bool, callbacks: Sequence[Callback]
    ) -> Task:
        stopping = held_out is not None and bool(self.early_stopping)
        best: float | None
        if not stopping:
            monitor, best = "cost", self.best_loss_
        elif self.scoring == "loss":
            monitor, best = None, min(self.validation_curve_, default=np.inf)
        else:
            monitor, best = "score", -self.best_validation_score_
        scores = scoring(self, held_out, y_val) if held_out and monitor == "score" else lambda member: {}
        before = (np.inf if best is None else float(best), self._no_improvement_count if step else 0)
        if self.verbose:
            callbacks = [progress(1 if step else self.max_iter), *callbacks]
        return Task(samples, held_out, stopping, step, scores, monitor, before, callbacks)

    def _train(self, task: Task) -> None:
        """All networks' trainings, side by side on threads, and what they leave behind."""
        samples = len(task.samples)
        if self.batch_size != "auto" and self.batch_size > samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=4
            )
        members = self._synced()
        X, Y, _ = task.samples.arrays
        self._seen = [columns[:, :: -(-samples // 512)].copy() for columns in (X, Y)]  # for diagnose()
        try:
            if self.solver == "auto" or len(members) > 1:
                train_members(self, members, task)
            else:
                with training_of(self, members[0], task) as training:
                    run(training)
        except FloatingPointError as error:
            self._note(members[0], task)
            self._give_up(task, error)
            return
        unlearned = [member.history.stopped for member in members if not len(member.history)]
        if any(not stopped or stopped.startswith("interrupted") for stopped in unlearned):
            raise KeyboardInterrupt
        self._note(members[0], task)
        self._calibrate_by(task.held_out)
        for member in members:
            if not task.incremental:
                warn(self, member)

    def _step(self, X: Any, y: Any, sample_weight: Any) -> None:
        """One epoch of all rows, for `partial_fit`."""
        parameters.check(self)
        with whole_or_nothing(self, vars(self).get("_members", ()), self._draws(X)):
            self._train(self._prepare(X, y, sample_weight, step=True))

    def _draws(self, X: Any) -> bool:
        """Whether training on X may draw random numbers: not if all its rows are one batch, and nothing is dropped."""
        size: Any = 200 if self.batch_size == "auto" else self.batch_size
        rows = X.shape[0] if hasattr(X, "shape") and len(X.shape) else math.inf
        return bool(self.dropout or self.early_stopping or not isinstance(size, Integral) or rows > size)

    def _note(self, member: Member, task: Task) -> None:
        """The fitted attributes, from the first network's history."""
        history = self.history_ = member.history
        self._no_improvement_count, self.engine_ = member.waited, member.engine
        if member.chosen:
            self.chosen_ = member.chosen
        self.n_iter_ = len(history)
        self.t_ += self.n_iter_ * len(task.samples) * isinstance(member.optimizer, Optimizer)
        self.loss_curve_ += history.cost
        self.validation_curve_ += history.validation_cost
        if not task.incremental:
            self._noted = len(self.loss_curve_)
        if history.cost:
            self.loss_ = history.cost[-1]
        elif not hasattr(self, "loss_"):  # L-BFGS may find nothing to do
            self.loss_ = member.network.gradient(*task.samples.arrays)
        if task.early_stopping:
            costs = [-cost for cost in history.validation_cost]
            self.validation_scores_ = [*(self.validation_scores_ or []), *history.validation_scores.get("score", costs)]
            self.best_validation_score_ = best_of(self.validation_scores_)
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

    # ── predict ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _each(self, X: Any) -> list[Array]:
        """Every network's outputs A, (outputs, samples)."""
        return self._each_of(in_dtype(check_X(self, X), self._members[0].network.dtype).T)

    def _each_of(self, X: Array) -> list[Array]:
        """`_each`, of X checked, (features, samples)."""
        trained = self.engine == "auto" and getattr(self, "engine_", "") == "fused"
        compiled = self.engine == "fused" or (trained and warmed_up())
        return [member.predict(X, compiled) for member in self._synced()]

    def _outputs(self, X: Any) -> Array:
        """The mean of the networks' outputs A, (outputs, samples)."""
        return mean_of(self._each(X))

    def _mean_and_std(self, X: Any) -> tuple[Array, Array]:
        """Mean and standard deviation over the networks, (outputs, samples); ValueError when there is only one."""
        outputs = self._each(X)
        if len(outputs) == 1:
            raise ValueError("return_std=True is the spread over networks; fit with n_networks above 1 to have several")
        return np.mean(outputs, axis=0), np.std(outputs, axis=0, ddof=1)

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
        seen.__dict__.update(vars(self), _members=members)
        seen._show_weights()
        return seen

    # ── the network's weights, in scikit-learn's shapes ──────────────────────────────────────────────────────────────

    def _show_weights(self) -> None:
        """`coefs_` (inputs, neurons) and `intercepts_` (neurons,): views of the first network's W and b."""
        dense = self._members[0].network.dense
        self.coefs_ = [layer.W.T for layer in dense]
        self.intercepts_ = [layer.b[:, 0] for layer in dense]
        self._shown = [*self.coefs_, *self.intercepts_]

    def _synced(self) -> list[Member]:
        """The networks; what the user has put into `coefs_` or `intercepts_` is copied into the first."""
        try:
            given = (*self.coefs_, *self.intercepts_)
        except TypeError:  # one is no list
            given = ()
        if len(given) != len(self._shown) or not all(map(is_, given, self._shown)):
            self._take_weights()
        return self._members

    def _take_weights(self) -> None:
        """Copy `coefs_` and `intercepts_` into the first network; ValueError, before any is, where one is wrong."""
        dense, taken = self._members[0].network.dense, []
        views = {"coefs_": [layer.W.T for layer in dense], "intercepts_": [layer.b[:, 0] for layer in dense]}
        for name, here in views.items():
            given = several(name, getattr(self, name), f"a list of {len(here)} arrays")
            if len(given) != len(here):
                raise ValueError(f"{name} must be a list of {len(here)} arrays, got {len(given)}")
            for i, (view, value) in enumerate(zip(here, given, strict=True)):
                array = numeric(f"{name}[{i}]", value, view.dtype)
                array = array.reshape(-1) if name == "intercepts_" else array
                if array.shape != view.shape:
                    raise ValueError(f"{name}[{i}] must have shape {view.shape}, got {array.shape}")
                taken.append((view, finite(f"{name}[{i}]", array)))
        for view, array in taken:
            view[...] = array
        self._show_weights()

    def _loss_grad_lbfgs(self, packed: Array, X: Array, y: Array, sample_weight: Any, *unused: Any) -> Any:
        """(loss, gradient) at scikit-learn's packed parameters: its name, for those who check gradients by it."""
        network = self._members[0].network
        views = [[layer.W.T, layer.b[:, 0]] for layer in network.dense]
        ordered = [W for W, _ in views] + [b for _, b in views]
        ends = np.cumsum([view.size for view in ordered])
        for view, part in zip(ordered, np.split(packed, ends[:-1]), strict=True):
            view[...] = part.reshape(view.shape)
        loss = network.gradient(np.asarray(X).T, np.asarray(y, network.dtype).T, sample_weight)
        dense = network.dense
        return loss, np.concatenate([layer.dW.T.ravel() for layer in dense] + [layer.db.ravel() for layer in dense])


def mean_of(outputs: list[Array]) -> Array:
    """The mean of the networks' outputs, (outputs, samples)."""
    return outputs[0] if len(outputs) == 1 else np.asarray(np.mean(outputs, axis=0))
