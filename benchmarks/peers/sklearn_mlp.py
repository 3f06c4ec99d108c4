"""scikit-learn's MLPClassifier: `fit` with warm_start, so that it begins with the weights it is given."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits
from works import Array, Task, Weights, Work

from peers import Peer as Contract
from peers import Predictor, Setting, threads_to_try

warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped on purpose


def coefficients(model: MLPClassifier, weights: Weights) -> Weights:
    """The weights for the model: with two classes it has one output, a sigmoid of the difference."""
    W, b = weights[-1]
    if model.n_outputs_ < len(b):
        weights = [*weights[:-1], (W[1:] - W[:1], b[1:] - b[:1])]
    return weights


def model_of(task: Task, epochs: int) -> MLPClassifier:
    work = task.work
    descent = {"solver": "sgd", "momentum": 0} if work.optimizer == "gradient_descent" else {"solver": "adam"}
    return MLPClassifier(
        work.sizes[1:-1],
        activation=work.activation,
        alpha=0,
        batch_size=work.batch or 200,
        learning_rate_init=work.rate,
        shuffle=work.shuffles,
        tol=0,
        n_iter_no_change=10**9,
        warm_start=True,
        random_state=np.random.RandomState(0),  # another shuffle each time
        max_iter=epochs,
        **descent,
    )


class Trainer:
    def __init__(self, task: Task, threads: int):
        self.task, self.threads = task, threads
        self.model = model_of(task, 1)
        self.fit()  # makes the arrays that `reset` fills

    def fit(self) -> None:
        given = {} if self.task.weight is None else {"sample_weight": self.task.weight}
        self.model.fit(self.task.X, self.task.y, **given)

    def reset(self) -> None:
        threadpool_limits(self.threads)
        weights = coefficients(self.model, self.task.weights)
        self.model.coefs_ = [W.T.copy() for W, _ in weights]
        self.model.intercepts_ = [b.copy() for _, b in weights]

    def train(self, epochs: int) -> None:
        self.model.max_iter = epochs
        self.fit()

    def weights(self) -> Weights:
        learnt = [(W.T, b) for W, b in zip(self.model.coefs_, self.model.intercepts_, strict=True)]
        W, b = learnt[-1]
        if len(b) < self.task.work.sizes[-1]:
            learnt[-1] = (W * [[0], [1]], b * [0, 1])
        return learnt


class Peer(Contract):
    libraries = ("scikit-learn", "numpy", "scipy")

    def refuses(self, work: Work) -> str:
        return "has no dropout" if work.dropout else ""

    def settings(self, work: Work) -> list[Setting]:
        return threads_to_try(work)

    def trainer(self, task: Task, threads: int) -> Trainer:
        return Trainer(task, threads)

    def predictor(self, task: Task, threads: int) -> Predictor:
        threadpool_limits(threads)
        model = model_of(task, 1)
        classes = task.work.sizes[-1]
        model.fit(task.X[:1].repeat(classes, axis=0), range(classes))
        model.coefs_ = [W.T.copy() for W, _ in task.weights]
        model.intercepts_ = [b.copy() for _, b in task.weights]

        def predict(X: Array) -> Array:
            return model.predict_proba(X)

        return predict
