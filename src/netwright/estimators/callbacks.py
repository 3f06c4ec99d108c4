"""What an estimator's user sees of a training: lines, scikit-learn's callbacks and scorers, warnings."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer

from netwright.core.arguments import Array, as_number, function
from netwright.core.optimizers import Optimizer
from netwright.core.samples import Samples
from netwright.core.scores import SCORES, Score, rmse
from netwright.estimators.fitting import Member
from netwright.network import Network
from netwright.training.history import History


def progress(epochs: int) -> Callable[[Network, History], None]:
    """A line for each epoch, which begins as scikit-learn's."""

    def line(network: Network, history: History) -> None:
        done = len(history)
        said = f"Iteration {done}, loss = {history.cost[-1]:.8f}"
        if history.validation_cost:
            said += f", validation loss = {history.validation_cost[-1]:.8f}"
            said += "".join(f", validation score = {kept[-1]:.6f}" for kept in history.validation_scores.values())
        left = (epochs - done) * history.seconds[-1] / done
        print(said + (f", at most {left:.0f} s left" if left >= 1 else ""))
        if history.stopped and epochs > 1:
            print(f"Stopping: {history.stopped}.")

    return line


def sklearn_callbacks(estimator: Any, X: Array, y: Any, sample_weight: Any) -> list[Callable[..., bool]]:
    """scikit-learn's own callbacks (its SLEP 23), if any are set: each epoch is a task of theirs."""
    if not hasattr(estimator, "_skl_callbacks"):
        return []
    context = estimator._init_callback_context(max_subtasks=int(estimator.max_iter))
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
    context.call_on_fit_task_begin(**given)

    def epoch(network: Network, history: History) -> bool:
        def weights() -> dict[str, Any]:
            return {
                "coefs_": [layer.W.T.copy() for layer in network.dense],
                "intercepts_": [layer.b[:, 0].copy() for layer in network.dense],
                "n_iter_": len(history),
            }

        task = context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**given)
        stop = task.call_on_fit_task_end(**given, reconstruction_attributes=weights)
        if history.stopped or stop:
            context.call_on_fit_task_end(**given, reconstruction_attributes=weights)
        return bool(stop)

    return [epoch]


def scoring(estimator: Any, held_out: Samples, y_val: Any) -> Callable[[Member], Mapping[str, Score]]:
    """What early stopping watches: accuracy or R², or the user's scorer, which sees the one network in training."""
    if estimator.scoring is None and estimator._natural_score() is not None:
        score = SCORES[estimator._natural_score()]

        def natural(Y: Array, A: Array, weight: Array | None) -> float:
            value = score(Y, A, weight)
            if not np.isnan(value) or not np.isfinite(A).all():
                return value
            # R² of constant targets is 0, as there; of targets that are not known, their errors are all there is.
            return -rmse(Y, A, weight) if np.isnan(Y).any() else 0.0

        return lambda member: {"score": natural}
    if callable(estimator.scoring):
        function("scoring", estimator.scoring, "scoring(estimator, X, y)")
    scorer = get_scorer(estimator.scoring) if estimator.scoring is not None else type(estimator).score
    X_val, _, weight = held_out.arrays
    given = {} if weight is None else {"sample_weight": weight}

    def scores(member: Member) -> Mapping[str, Score]:
        seen = estimator._with([member])
        return {"score": lambda Y, A, weight: as_number("scoring", scorer(seen, X_val.T, y_val, **given))}

    return scores


def warn(estimator: Any, member: Member) -> None:
    """scikit-learn's warnings, in its words."""
    stopped = member.history.stopped
    if stopped.startswith("interrupted"):
        warnings.warn("Training interrupted by user.", stacklevel=5)
    elif stopped.startswith(("all", "ended")) and estimator.solver != "auto":
        if isinstance(member.optimizer, Optimizer):
            said = (
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
                f"converged yet."
            )
        else:
            evaluations = f" or of evaluations (max_fun={estimator.max_fun})" if estimator.solver == "lbfgs" else ""
            said = (
                f"{member.optimizer.settings()['name']} failed to converge after {estimator.n_iter_} iteration(s): "
                f"{stopped}. Increase the number of iterations (max_iter={estimator.max_iter}){evaluations}."
            )
        warnings.warn(f"{said} diagnose() tells what may be wrong.", ConvergenceWarning, stacklevel=5)


def best_of(scores: list[float]) -> float:
    """The highest that is a number."""
    return max((score for score in scores if not np.isnan(score)), default=-np.inf)
