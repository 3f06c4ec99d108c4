"""scikit-learn's own perceptrons as ours."""

from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.utils.validation import check_is_fitted

from netwright.core.arguments import brief
from netwright.estimators.labels import Labels
from netwright.estimators.mlp import MLPClassifier, MLPRegressor
from netwright.estimators.parameters import defaults

KEPT = ("n_iter_", "loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_", "t_")


def from_sklearn(estimator: Any) -> MLPClassifier | MLPRegressor:
    """A fitted MLPClassifier or MLPRegressor of scikit-learn as ours: the same parameters, weights and predictions.

    It can be saved and exported, and `partial_fit` goes on from its weights, with an optimizer that begins anew.
    ValueError for another kind of model, and for one of a single class; scikit-learn's NotFittedError for one that was
    not fitted.
    """
    pairs = ((neural_network.MLPClassifier, MLPClassifier), (neural_network.MLPRegressor, MLPRegressor))
    kind = next((ours for theirs, ours in pairs if isinstance(estimator, theirs)), None)
    if kind is None:
        raise ValueError(f"estimator must be scikit-learn's MLPClassifier or MLPRegressor, got {brief(estimator)}")
    check_is_fitted(estimator, "coefs_")
    if np.size(getattr(estimator, "classes_", (0, 1))) == 1:
        raise ValueError("estimator has learned a single class, of which scikit-learn's probabilities mean nothing")
    known = defaults(kind)
    ours: Any = kind(**{name: value for name, value in estimator.get_params().items() if name in known})
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(ours, name, getattr(estimator, name))
    if isinstance(ours, MLPClassifier):
        binary = estimator._label_binarizer.y_type_.startswith("multilabel")
        several = Labels("multilabel", np.arange(estimator.n_outputs_))
        ours._labels = several if binary else Labels.among(np.asarray(estimator.classes_))
        ours.classes_ = ours._labels.classes
    else:
        ours._targets, ours._levels = estimator.n_outputs_, []
    ours._begin(estimator.n_features_in_, estimator.coefs_[0].dtype, True)
    ours.coefs_, ours.intercepts_ = list(estimator.coefs_), list(estimator.intercepts_)
    ours._synced()
    for name in KEPT:
        if hasattr(estimator, name):
            setattr(ours, name, getattr(estimator, name))
    return ours
