"""What a fitted estimator shows of its inside: its network, numbers, gradients, importances, and what it computes."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from netwright.core import arguments
from netwright.core.arguments import Array, brief, numeric, unmasked, visible
from netwright.estimators.fitting import Member
from netwright.estimators.parameters import finds_penalty
from netwright.estimators.targets import labels_in, numbers_in
from netwright.estimators.validation import check_X, check_X_y
from netwright.export import Exportable
from netwright.network import Network
from netwright.recipes.scaling import Scaling, fold

if TYPE_CHECKING:
    from netwright.export.program import Program


class Inspection(Exportable, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """The methods that look inside, for both estimators."""

    _members: list[Member]
    classes_: Any
    loss_curve_: list[float]
    validation_curve_: list[float]
    validation_scores_: list[float] | None
    best_validation_score_: Any  # a float, or None without early stopping
    best_loss_: float | None

    def as_network(self) -> Network:
        """The first (or only) network, live: what is done to it is done to the estimator. Its X has a row a feature."""
        network: Network = self._fitted()[0].network
        return network

    @property
    def networks_(self) -> list[Network]:
        """All `n_networks` of them."""
        return [member.network for member in self._fitted()]

    @property
    def effective_parameters_(self) -> float:
        """How many parameters of the first network the data determine (MacKay's gamma); with Bayesian regularisation
        alone."""
        counted = self._fitted()[0].history.effective_parameters
        if counted is None:
            raise AttributeError("effective_parameters_ is known after a fit with solver='br' alone")
        return float(counted)

    def transform(self, X: Any) -> Array:
        """The last hidden layer's activations, (samples, neurons); of all networks, side by side."""
        from netwright.inspection.gradients import hidden_activations

        X = self._columns(X)
        return np.vstack([hidden_activations(member.network, X) for member in self._fitted()]).T

    @property
    def _n_features_out(self) -> int:
        return sum(member.network.layers[-1].inputs for member in self._members)

    def input_gradient(self, X: Any) -> Array:
        """How the outputs change with each feature: (samples, features), or (samples, outputs, features) for several.

        For a classifier it is the probabilities that change, those of the second class if there are two.
        """
        from netwright.inspection.gradients import input_gradient

        X = self._columns(X)
        slopes = np.mean([input_gradient(member.network, X) for member in self._fitted()], axis=0)  # (out, in, samples)
        return slopes[0].T if slopes.shape[0] == 1 else np.ascontiguousarray(slopes.transpose(2, 0, 1))

    def permutation_importance(
        self, X: Any, y: Any, *, sample_weight: Any = None, n_repeats: int = 5, random_state: Any = None
    ) -> Any:
        """How much the mean loss rises when one feature is shuffled: importances_mean, importances_std, importances.

        As `sklearn.inspection.permutation_importance` with the negative loss for a score, but a shuffled feature
        changes the first layer's Z by one product, and only what follows is computed anew.
        """
        from netwright.inspection.importance import permutation_importance

        validate_parameter_constraints({"random_state": ["random_state"]}, {"random_state": random_state}, "importance")
        X, y = check_X_y(self, X, y, reset=False)
        seed = check_random_state(random_state).randint(2**31)
        found = [
            permutation_importance(
                member.network,
                X.T,
                self._encode(y, member.network.dtype),
                weight=unmasked("sample_weight", sample_weight),
                repeats=n_repeats,
                rng=int(seed),
            ).importances
            for member in self._fitted()
        ]
        importances = np.mean(found, axis=0)
        return Bunch(
            importances_mean=importances.mean(axis=1), importances_std=importances.std(axis=1), importances=importances
        )

    def explain_step(self, x: Any, y: Any) -> str:
        """The worked numbers of one feedforward, one backpropagation and one step, for one sample x with target y."""
        from netwright.inspection.written_step import worked_step

        x = np.atleast_2d(numeric("x", x, np.float64))
        network = self.as_network()
        row = (labels_in if isinstance(self, ClassifierMixin) else numbers_in)([y])
        if not isinstance(row, np.ndarray) or not row.size:
            raise ValueError(f"y must be the target of one sample, got {brief(y)}")
        Y = self._encode(row, network.dtype)
        names = getattr(self, "feature_names_in_", None)
        return worked_step(
            network,
            x[0],
            Y[:, 0],
            learning_rate=float(self.learning_rate_init),
            names=None if names is None else list(names),
        )

    def diagnose(self, X: Any = None, y: Any = None) -> Any:
        """What is wrong with the last fit, each with the measured evidence and the change to make; print it.

        X and y: rows to measure on, by default a sample of those that `fit` saw (which is not kept in pickles and
        files: there, and for a closer look, give them).
        """
        from netwright.inspection.diagnosis import diagnose

        member = self._fitted()[0]
        if X is not None:
            X, y = check_X_y(self, X, y, reset=False)
            seen = X.T, self._encode(y, member.network.dtype)
        elif hasattr(self, "_seen"):
            seen = self._seen
        else:
            raise ValueError("no rows of the last fit are here any more: give diagnose(X, y) some")
        names, classes = getattr(self, "feature_names_in_", None), getattr(self, "classes_", None)
        network = member.network
        if self.solver == "auto":  # it has scaled already: look at what it saw
            scaling = Scaling.fit(*seen, loss=network.loss if network.linked else None)
            network, seen = copy.deepcopy(network), scaling(*seen)
            fold(network, scaling.inverse())
        return diagnose(
            network,
            *seen,
            history=member.history,
            initial_learning_rate=float(self.learning_rate_init),
            batch_size=None if self.batch_size == "auto" else int(self.batch_size),
            alpha=0.0 if finds_penalty(self) else float(self.alpha),
            max_epochs=int(self.max_iter),
            tolerance=float(self.tol),
            names=None if names is None else [str(name) for name in names],
            target_names=[str(name) for name in classes] if isinstance(classes, np.ndarray) else None,
            face="estimator",
        )

    def summary(self) -> str:
        """What it was made with, what goes in and comes out, its network and how long it learned; for a terminal."""
        members = self._fitted()
        history, network = members[0].history, members[0].network
        names = [visible(str(name)) for name in getattr(self, "feature_names_in_", [])]
        lines = [repr(self), "", f"{network.inputs} features" + (f" ({', '.join(names)})" if names else "")]
        if (classes := getattr(self, "classes_", None)) is not None:
            several = classes if isinstance(classes, list) else [classes]
            lines += [f"classes {', '.join(map(repr, each.tolist()))}" for each in several]
        lines += ["", network.summary(), ""]
        lines += [f"and {len(members) - 1} more networks of these layers"] * (len(members) > 1)
        lines += [f"epochs of the last fit: {len(history)}; {history.stopped}", *history.effective(network.theta.size)]
        return "\n".join(lines)

    def save(self, path: Any) -> None:
        """Write the fitted estimator to one safetensors file, atomically; `netwright.load(path)` brings it back.

        It goes on learning there to the same bits: optimizer, random numbers and curves are kept. An `Activation` or
        `Loss` of your own is kept by name; give it to `load` again. ValueError names a parameter that no file can keep,
        such as a function of your own; OSError when the file can't be written.
        """
        from netwright.estimators.files import save

        self._fitted()
        save(self, arguments.path("path", path))

    def program(self) -> "Program":
        """What `export` writes: the computation, from a row of X to the prediction."""
        from netwright.export.program import Program, constant, networks_of

        members, targets = self._fitted(), tuple(self._exported())
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        computed = networks_of([member.network for member in members])
        if len(targets) == 1 and len(targets[0].classes) == 1:  # whose probability is 1, whatever the network says
            computed = constant(np.ones(1), self.n_features_in_)
        return Program(
            inputs=self.n_features_in_,
            targets=targets,
            names=tuple(map(str, names)),
            answers=self._answers,
            title=type(self).__name__,
            **computed,
        )

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self._synced()

    def _columns(self, X: Any) -> Array:
        return check_X(self, X).T
