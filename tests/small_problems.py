"""Two small tables that the estimators' tests learn from, and what they look at in an estimator."""

import numpy as np
from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import scale

from netwright import MLPClassifier, MLPRegressor

KINDS = [MLPClassifier, MLPRegressor]
QUICK = {
    "hidden_layer_sizes": (6,),
    "activation": "tanh",
    "max_iter": 15,
    "learning_rate_init": 0.03,
    "random_state": 4,
}
ENDLESS = {"tol": 0.0, "n_iter_no_change": np.inf}  # nothing but max_iter ends it

SPECIES = np.array(["setosa", "versicolor", "virginica"])
IRIS = scale(load_iris().data), SPECIES[load_iris().target]
DIABETES = scale(load_diabetes().data[:, [2, 3, 8, 9]])[:150], scale(load_diabetes().target)[:150]


def problem(kind):
    """X, (150, 4), and y for a classifier of three named classes, or a regressor; in no order."""
    X, y = IRIS if kind is MLPClassifier else DIABETES
    order = np.random.default_rng(1).permutation(150)
    return X[order], y[order]


def flat(estimator):
    """All W and b."""
    return np.concatenate([each.ravel() for each in (*estimator.coefs_, *estimator.intercepts_)])


def output(estimator, X):
    """What it says: probabilities or numbers."""
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def hidden(estimator, X, functions):
    """The last hidden layer's activations, written out."""
    for W, b, f in zip(estimator.coefs_[:-1], estimator.intercepts_[:-1], functions, strict=True):
        X = f(X @ W + b)
    return X
