"""TabularClassifier and TabularRegressor: any table in, no option needed. `recipe.py` says how they learn."""

import time
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted

from netwright.core import arguments
from netwright.core.arguments import Array, unmasked, visible
from netwright.core.losses import natural_loss
from netwright.core.samples import Samples
from netwright.estimators.frames import checked_frame, kinds_of
from netwright.estimators.labels import class_weights, codes_of
from netwright.estimators.parameters import check_numbers
from netwright.estimators.targets import labels_in, numbers_in, one_column
from netwright.estimators.undo import whole_or_nothing
from netwright.estimators.validation import weights_of
from netwright.export import Exportable
from netwright.recipes.checkpoint import MixtureCheckpoint
from netwright.recipes.folds import in_float32
from netwright.recipes.recipe import LEVELS, Interrupted, encode, mixture_of, samples_of
from netwright.tables.columns import columns_of
from netwright.tables.features import Unseen, unseen_notes
from netwright.tables.frame import Frame
from netwright.tables.hints import nearly
from netwright.tables.labels import class_targets, probabilities
from netwright.tables.statistics import moments
from netwright.training.options import TrainingOptions
from netwright.uncertainty.familiarity import Familiarity, checked_familiarity, learn_familiarity
from netwright.uncertainty.margins import Interval, LabelSet, Margin, checked, half_widths, label_sets

if TYPE_CHECKING:
    from netwright.export.program import Program, Target
    from netwright.recipes.mixture import Mixture


@dataclass(kw_only=True, eq=False, repr=False)
class Tabular(Exportable, BaseEstimator):
    """What the two have in common: a table's columns as features, and the mixture that learns from them.

    A dataclass keeps its arguments as they are, as scikit-learn wants it: `fit` looks at them.
    """

    columns: Any = None
    max_levels: int = LEVELS
    max_time: float | None = None
    random_state: Any = None
    checkpoint: Any = None
    resume: bool = False
    engine: Any = "fused"
    n_threads: int | None = None

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:
        """Learn from X, (rows, columns), any table, and y, (rows,).

        sample_weight: (rows,); weight k counts as k copies of the row, 0 as none.
        X_val, y_val, sample_weight_val: rows that decide when to stop and what to mix; by default those are the rows
            themselves, each predicted by networks that did not learn from it.

        ValueError names what is wrong with an argument or a column, before anything is learnt. A fit that an exception
        ends leaves the estimator as it was. Ctrl-C keeps the networks that are done, and warns; without one it is one.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: give both or neither")
        with whole_or_nothing(self):
            self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any) -> None:
        begun = time.perf_counter()
        self._check_parameters()
        resumed = TrainingOptions(checkpoint=self.checkpoint, resume=bool(self.resume)).resumed
        checkpoint = MixtureCheckpoint(self.checkpoint, resumed)
        frame = checked_frame(self._look(X), X, self.columns or {}, {})
        told = self.columns or {}
        for sentence in nearly(frame, (name for name in frame.names if told.get(name) not in ("category", "drop"))):
            warnings.warn(sentence, stacklevel=4)
        targets, weight = self._learn_targets(y, frame), self._weigh(sample_weight, y, frame)
        kept = np.flatnonzero(weight > 0)
        frame, targets, weight = frame.take(kept), targets[:, kept], weight[kept]
        self._begin(targets, weight)
        self.mixture_: Mixture | None = None
        self._known: Familiarity | None = None
        self._dates = frame.date_formats
        self.encoder_ = encode(frame, targets, weight, self.max_levels, kinds_of(self.columns or {}, frame))
        if not self.encoder_.columns or (targets == targets[:, :1]).all():
            return  # nothing tells, or nothing is to be told: the shares of the classes, or the mean
        seed = check_random_state(self.random_state).randint(2**31)
        if self.random_state is None and checkpoint.seed is not None:
            seed = checkpoint.seed
        checkpoint.about = {"estimator": type(self).__name__, "columns": self.encoder_.names(), "rows": frame.n_rows}
        held_out = None if X_val is None else self._held_out(X_val, y_val, sample_weight_val)
        options = {"engine": self.engine, "n_threads": self.n_threads, "max_seconds": self.max_time, "begun": begun}
        options |= {"loss": self._loss(targets), "seed": seed, "kept": checkpoint}
        samples = samples_of(self.encoder_, frame, targets, weight, seed)
        self._known = learn_familiarity(samples.X, samples.weight)
        del frame  # learning takes long, and memory
        try:
            self.mixture_, _ = mixture_of(self.encoder_, samples, held_out, **options)
        except Interrupted as interrupted:
            self.mixture_, history = interrupted.args
            warnings.warn(f"Training interrupted by user: {history.stopped}.", stacklevel=3)

    def familiarity(self, X: Any) -> Array:
        """How like those of `fit` each row of X is, (rows,): a p-value, small for one that is out of place.

        Of rows like them 0.05 or less comes to 5 in 100. ValueError for a file from before that was told, and for a
        model that predicts the same for every row.
        """
        check_is_fitted(self, "mixture_")
        return checked_familiarity(self._known).of(self._features(X))

    def describe(self) -> list[tuple[str, str, str, list[str]]]:
        """(column, kind, what was done to it, the features made of it) for every column of the training table."""
        check_is_fitted(self, "mixture_")
        return self.encoder_.describe()

    def summary(self) -> str:
        """What became of each column, and the networks."""
        lines = [visible(f"{name}: {kind}; {done}") for name, kind, done, _ in self.describe()]
        shown = [] if self.mixture_ is None else ["", self.mixture_.summary()]
        return "\n".join([repr(self), "", *lines, *shown])

    def save(self, path: Any) -> None:
        """Write everything fitted to one safetensors file, atomically; `netwright.load(path)` brings it back.

        ValueError names a parameter that no file can keep; OSError when the file can't be written.
        """
        from netwright.estimators.tabular_files import save

        save(self, arguments.path("path", path))

    def program(self) -> "Program":
        """What `export` writes: the computation, from the columns to the prediction."""
        from netwright.export.program import Program, columns_of, constant, frame_of, networks_of, unused

        check_is_fitted(self, "mixture_")
        encoder, mixture = self.encoder_, self.mixture_
        columns = columns_of(encoder) or (unused(encoder.dropped[0][0]),)
        inputs, target = len(encoder.feature_names) or 1, self._target(len(self._prior))
        always = np.ones(1) if len(target.classes) == 1 else self._prior

        def answers(table: Any) -> tuple[Array, Array | None]:
            if mixture is None:
                rows = len(next(iter(table.values())))
                return self._answers(np.repeat(self._prior[:, None], rows, axis=1))
            return self._answers(mixture.predict(encoder.transform(frame_of(columns, table))))

        return Program(
            inputs=inputs,
            columns=columns,
            targets=(target,),
            answers=answers,
            title=type(self).__name__,
            **(constant(always, inputs) if mixture is None else networks_of(mixture)),
        )

    # ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self, X: Any) -> dict[str, Any]:
        """X's columns; leaves n_features_in_, and feature_names_in_ where the table has names of its own."""
        table, named = columns_of(X)
        self.n_features_in_ = len(table)
        self.__dict__.pop("feature_names_in_", None)
        if named:
            self.feature_names_in_ = np.array(list(table), dtype=object)
        return table

    def _features(self, X: Any, unseen: Unseen | None = None) -> Array:
        """(inputs, rows) of a table to predict; ValueError says which column is missing or is not as in training.

        Levels that training did not have are added to `unseen`.
        """
        table, named = columns_of(X)
        had = hasattr(self, "feature_names_in_")
        if not (named and had) and len(table) != self.n_features_in_:
            raise ValueError(
                f"X has {len(table)} features, but {type(self).__name__} is expecting {self.n_features_in_} features "
                f"as input."
            )
        if named != had and had:
            table = dict(zip(self.feature_names_in_, table.values(), strict=True))
        if not had:
            table = {f"x{j}": values for j, values in enumerate(table.values())}
        encoder = self.encoder_
        used = encoder.names() or list(table)  # what is left out may hold anything, or be missing
        if absent := [name for name in used if name not in table]:
            raise ValueError(f"X has no column {', '.join(map(repr, absent))}, which training had")
        frame = checked_frame(
            {name: table[name] for name in used}, X, self.columns or {}, self._dates, encoder.categories
        )
        return encoder.transform(frame, unseen)

    def _outputs(self, X: Any) -> tuple[Array, Array]:
        """(inputs, outputs) of the mixture, (…, rows) each; a warning for levels that training did not have."""
        check_is_fitted(self, "mixture_")
        unseen = Unseen()
        inputs = self._features(X, unseen)
        for sentence in unseen_notes(unseen):
            warnings.warn(sentence, stacklevel=3)
        if self.mixture_ is None:
            return inputs, np.repeat(self._prior[:, None], inputs.shape[1], axis=1)
        return inputs, self.mixture_.predict(inputs)

    def _margins(self) -> list[Margin]:
        """How sure the mixture is; of a model that predicts the same for every row nothing says so."""
        check_is_fitted(self, "mixture_")
        return [] if self.mixture_ is None else self.mixture_.margins

    def _held_out(self, X: Any, y: Any, weight: Any) -> Samples:
        """The rows to validate on, as the networks take them."""
        inputs = self._features(X)
        weight = None if weight is None else weights_of("sample_weight_val", weight, inputs.T)
        return in_float32(inputs, self._encode(y), weight)

    def _weigh(self, sample_weight: Any, y: Any, frame: Frame) -> Array:
        rows = np.zeros((frame.n_rows, 1))
        weight = weights_of("sample_weight", sample_weight, rows, dtype=np.float64)
        if not weight.any():
            raise ValueError("Sample weights must contain at least one number above zero: every weight is zero.")
        return weight

    def _check_parameters(self) -> None:
        constraints = {
            "columns": [dict, None],
            "max_levels": [Range(Integral, 1, None, closed="left")],
            "max_time": [Range(Real, 0, None, closed="neither"), None],
            "n_threads": [Range(Integral, 1, None, closed="left"), None],
            "random_state": ["random_state"],
            "resume": ["boolean"],
            "class_weight": [dict, StrOptions({"balanced"}), None],
        }
        given = self.get_params(deep=False)
        constraints = {name: kinds for name, kinds in constraints.items() if name in given}
        check_numbers(constraints, given, type(self).__name__)
        validate_parameter_constraints(constraints, given, type(self).__name__)
        if self.checkpoint is not None:
            arguments.path("checkpoint", self.checkpoint)
        elif self.resume:
            raise ValueError("resume=True goes on from `checkpoint`; give that too")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class TabularClassifier(ClassifierMixin, Tabular):
    """Classifies the rows of any table.

    columns: {column: "number", "category", "keep" or "drop"} where a decision of `describe()` is to be another;
        "keep" is for one that is left out since it numbers or names the rows.
    max_levels: of a category, up to which each is an input of its own.
    class_weight: {class: weight} or "balanced".
    max_time: stop after about so many seconds, with what is learnt by then.
    random_state: decides parts, first weights and shuffles; the same seed gives the same bits.
    checkpoint: a file that is kept up to date while fitting, at the cost of at most a fiftieth of the time.
    resume: go on from `checkpoint` if it exists, to the same bits as if never interrupted; with random_state=None by
        the seed that was drawn then. What the fit took before counts for max_time. A saved model does not keep the two.
    engine: "fused", "plain" or "auto". n_threads: networks that train at a time, by default as many as there are cores.

    Attributes: `classes_`; `encoder_`, the columns' decisions; `mixture_`, the networks and their shares.
    """

    class_weight: Any = None

    def predict_proba(self, X: Any) -> Array:
        """(rows, classes) of probabilities, in the order of `classes_`."""
        return self._probabilities(self._outputs(X)[1])

    def _probabilities(self, A: Array) -> Array:
        if len(self.classes_) == 1:
            return np.ones((A.shape[1], 1))
        P = probabilities(A)
        return np.asarray(P / P.sum(axis=1, keepdims=True))

    def _answers(self, A: Array) -> tuple[Array, Array | None]:
        P = self._probabilities(A)
        return P, P.argmax(axis=1)[:, None]

    def _target(self, outputs: int) -> "Target":
        from netwright.export.program import Target

        return Target("class", 0, outputs, tuple(self.classes_.tolist()))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`."""
        return np.asarray(np.log(np.clip(self.predict_proba(X), 1e-300, 1)))

    def predict(self, X: Any, interval: float | None = None) -> Any:
        """The most probable class of each row, (rows,).

        interval: a probability, such as 0.9; then a `LabelSet` (label, (rows,); set, (rows, classes), which classes
        hold the true one with that probability). It is told by the rows of `fit`, each predicted by networks that did
        not learn from it, or by X_val; ValueError when those are too few.
        """
        if interval is not None:
            checked(self._margins(), interval)
        P = self.predict_proba(X)  # first: it says so when there was no fit
        label = np.asarray(self.classes_[P.argmax(axis=1)])
        return label if interval is None else LabelSet(label, label_sets(self._margins(), P, interval))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose class is right."""
        return float(super().score(X, labels_in(y), unmasked("sample_weight", sample_weight)))

    def _learn_targets(self, y: Any, frame: Frame) -> Array:
        y = one_column(labels_in(y), frame.n_rows)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        return self._encode(y)

    def _weigh(self, sample_weight: Any, y: Any, frame: Frame) -> Array:
        weight = super()._weigh(sample_weight, y, frame)
        return np.asarray(class_weights(self.class_weight, column_or_1d(labels_in(y)), weight, self.classes_))

    def _encode(self, y: Any) -> Array:
        return class_targets(codes_of(column_or_1d(labels_in(y)), self.classes_), len(self.classes_), np.float64)

    def _begin(self, targets: Array, weight: Array) -> None:
        self._prior = np.average(targets, axis=1, weights=weight)

    def _loss(self, targets: Array) -> str:
        return natural_loss(len(self.classes_))


@dataclass(kw_only=True, eq=False, repr=False)
class TabularRegressor(RegressorMixin, Tabular):
    """Predicts a number for the rows of any table.

    The parameters, and the attributes but for `classes_`, are those of `TabularClassifier` without class_weight.
    """

    def predict(self, X: Any, interval: float | None = None) -> Any:
        """A number for each row, (rows,), at most a tenth of training's range outside of it.

        interval: a probability, such as 0.9; then an `Interval` (value, low, high), each (rows,), between which the
        truth is with that probability. It is told by the rows of `fit`, each predicted by networks that did not learn
        from it, or by X_val; ValueError when those are too few.
        """
        if interval is not None:
            checked(self._margins(), interval)
        inputs, A = self._outputs(X)  # first: it says so when there was no fit
        value = np.asarray(self._mean + self._spread * A[0])
        if interval is None:
            return value
        off = self._spread * half_widths(self._margins(), inputs, A, interval)[0]
        return Interval(value, value - off, value + off)

    def _answers(self, A: Array) -> tuple[Array, Array | None]:
        return (self._mean + self._spread * A[0])[:, None], None

    def _target(self, outputs: int) -> "Target":
        from netwright.export.program import Target

        return Target("prediction", 0, outputs, (), float(self._mean), float(self._spread))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R², 1 - the sum of squared errors / that of the mean."""
        return float(super().score(X, numbers_in(y), unmasked("sample_weight", sample_weight)))

    def _learn_targets(self, y: Any, frame: Frame) -> Array:
        y = np.asarray(one_column(numbers_in(y), frame.n_rows), dtype=np.float64)
        assert_all_finite(y, input_name="y")
        return y[np.newaxis]

    def _encode(self, y: Any) -> Array:
        y = np.asarray(column_or_1d(numbers_in(y)), dtype=np.float64)[np.newaxis]
        return (y - self._mean) / self._spread

    def _begin(self, targets: Array, weight: Array) -> None:
        """Standardise the targets in place."""
        self._mean, spread = moments(targets[0], weight)
        self._spread = spread or 1.0
        targets -= self._mean
        targets /= self._spread
        self._prior = np.zeros(1)

    def _loss(self, targets: Array) -> str:
        return natural_loss()
