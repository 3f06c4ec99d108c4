"""Small trainings: spoilt on purpose, with what a diagnosis should say first; and healthy ones."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn import datasets

from netwright import Network
from netwright.inspection.diagnosis import diagnose
from netwright.inspection.evidence import Evidence
from netwright.training.loop import run
from netwright.training.options import TrainingOptions
from netwright.training.prepare import prepare
from strategies import XOR


@dataclass
class Problem:
    """Data, the network's arguments and training's."""

    X: Any
    Y: Any
    sizes: tuple[int, ...] = (32,)  # of the hidden layers
    activation: Any = "relu"
    net: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def trained(self):
        """The trained network and its history, also when the training diverged."""
        net = {"loss": "logloss", "rng": 0} | self.net
        network = Network([len(self.X), *self.sizes, len(self.Y)], self.activation, **net)
        options = {"epochs": 100, "batch_size": 32, "learning_rate": 0.01, "engine": "plain"} | self.train
        training = prepare(network, self.X, self.Y, TrainingOptions(**options))
        try:
            run(training)
        except FloatingPointError:
            assert training.history.stopped
        return network, training.history

    def diagnose(self, **more):
        network, history = self.trained
        told = {"history": history, "weight": self.train.get("weight"), "batch_size": self.train.get("batch_size", 32)}
        told |= {"initial_learning_rate": None if history.learning_rate else self.train.get("learning_rate")}
        told |= {"max_epochs": self.train.get("epochs", 100), "tolerance": self.train.get("tolerance")}
        return diagnose(network, self.X, self.Y, **(told | more))

    def changed(self, code):
        """The same with the change made: statements are executed, arguments of Network and train taken over."""
        new = replace(self, net=dict(self.net), train=dict(self.train))

        def make(sizes, activation=None, **given):
            new.sizes = new.sizes if sizes is ... else tuple(sizes[1:-1])
            new.activation = new.activation if activation is None else activation
            new.net |= given

        names = {"np": np, "X": self.X, "Y": self.Y, "weight": None, "Network": make}
        exec(code, names := names | {"train": lambda *_, **given: new.train.update(given)})
        new.X, new.Y, weight = (names[name] for name in ("X", "Y", "weight"))
        new.train |= {} if weight is None else {"weight": weight}
        return new


def bent(seed=0, samples=300, noise=0.0):
    """Two classes with a bent border; a column a sample."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(6, samples))
    return X, (X[0] * X[1] + X[2] + X[3] + noise * rng.normal(size=samples) > 0).astype(float)[None]


def wave(seed=0, samples=300, noise=0.1):
    """A regression with a mean of 0 and a spread of 1."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(5, samples))
    t = np.sin(2 * X[:1]) + X[1:2] * X[2:3] + noise * rng.normal(size=(1, samples))
    return X, (t - t.mean()) / t.std()


def scaled(X):
    return (X - X.mean(axis=1, keepdims=True)) / np.maximum(X.std(axis=1, keepdims=True), 1e-9)


def one_hot(y):
    return np.eye(y.max() + 1)[:, y]


def digits(factor=None):
    data = datasets.load_digits()
    return scaled(data.data.T) if factor is None else data.data.T * factor, one_hot(data.target)


def column_off(factor, shift=0.0, which=2):
    X, Y = bent()
    X[which] = X[which] * factor + shift
    return X, Y


def heavy():
    X, Y = bent()
    return scaled(np.sinh(5 * X)), Y


def ring():
    X = np.random.default_rng(0).normal(size=(2, 300))
    return X, (np.hypot(*X) < 1.2).astype(float)[None]


def rare():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 1000)), rng.random(1000) < 0.05
    X[0] += 1.3 * y
    return X, y.astype(float)[None]


def rare_of_three(apart=0.0):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 1000)), rng.choice(3, 1000, p=[0.55, 0.42, 0.03])
    X[0] += 2.5 * (y == 1) + 1.2 * (y == 2)
    X[2] += apart * (y == 2)
    return X, one_hot(y)


def wrecked():
    X, Y = wave()
    Y[0, ::60] += 2000
    return X, Y


def contradictory():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 3, size=(4, 40)) - 1.0, 8, axis=1)
    return X, X[:1] * X[1:2] + 1.5 * rng.normal(size=(1, 320))


REG = {"loss": "squared_error"}
CLASSES = {"loss": "cross_entropy"}
SLOW = {"optimizer": "gradient_descent", "learning_rate": 0.01, "epochs": 30}
GD = {"optimizer": "gradient_descent"}
OVERFIT = bent(1, 80, 1.0), bent(2, 400, 1.0)

# name: (problem, what the first finding says, what is measured, the most that the cure may leave of it)
SICK = {
    "column-large": (Problem(*column_off(1000), train=GD), "Column 2 .*not scaled", "harm", 0.3),
    "column-far": (Problem(*column_off(1, 2000)), "Column 2 .*not scaled", "harm", 0.3),
    "column-tiny": (Problem(*column_off(0.003)), "Column 2 .*not scaled", "harm", 0.3),
    "columns-all-far": (Problem(bent()[0] + 100, bent()[1]), "not scaled, nor are 5 others", "harm", 0.3),
    "column-constant": (
        Problem(*column_off(0, 2026, 5), train=GD | {"learning_rate": 0.1}),
        "Column 5 .*constant",
        "harm",
        0.3,
    ),
    "column-tails": (Problem(*heavy()), r"Column \d .*far outside", "harm", 0.5),
    "target-large": (
        Problem(wave()[0], wave()[1] * 300 + 500, net=REG, train={"learning_rate": 0.001}),
        "target is not scaled",
        "harm",
        0.3,
    ),
    "target-tiny": (
        Problem(wave()[0], wave()[1] * 0.005, net=REG, train={"tolerance": 1e-4, "patience": 10}),
        "target is not scaled",
        "harm",
        0.5,
    ),
    "target-out-of-reach": (
        Problem(*wave(), activation=["relu", "sigmoid"], net=REG),
        "outputs cannot reach",
        "harm",
        0.3,
    ),
    "target-below-reach": (
        Problem(*wave(), activation=["tanh", "relu"], net=REG),
        "relu stays within 0 and inf",
        "harm",
        0.3,
    ),
    "target-tails": (Problem(*wrecked(), net=REG), "A few targets are far outside", "typical", 0.5),
    "rate-diverged": (Problem(*wave(), net=REG, train=GD | {"learning_rate": 2.0}), "diverged", "harm", 0.3),
    "rate-high-gd": (Problem(*bent(), train=GD | {"learning_rate": 10.0}), "rate is too high", "harm", 0.3),
    # 30 epochs: in more of them it is a matter of luck, down to the last digits, whether it still finds its way.
    "rate-high-adam": (Problem(*bent(), train={"learning_rate": 1.0, "epochs": 30}), "rate is too high", "harm", 0.3),
    "rate-low-gd": (Problem(*bent(), train=GD | {"learning_rate": 1e-4}), "rate is too low", "harm", 0.7),
    "rate-low-adam": (Problem(*bent(), train={"learning_rate": 1e-6}), "rate is too low", "harm", 0.5),
    "rate-low-regression": (Problem(*wave(), net=REG, train={"learning_rate": 1e-6}), "rate is too low", "harm", 0.5),
    "saturated-tanh": (
        Problem(*digits(), activation="tanh", net=CLASSES | {"initializer": "normal"}, train=SLOW),
        "tanh units .*saturated",
        "harm",
        0.5,
    ),
    "dead-relus": (
        Problem(*digits(1 / 16), net=CLASSES, train={"learning_rate": 1.0, "epochs": 20, "batch_size": 200}),
        "relu units .*dead",
        "harm",
        0.3,
    ),
    "penalty": (Problem(*bent(), net={"l2": 0.1}), "penalty holds", "harm", 0.3),
    "penalty-regression": (Problem(*wave(), net=REG | {"l2": 0.3}), "penalty holds", "harm", 0.3),
    "epochs": (Problem(*bent(), train={"epochs": 8}), "8 epochs were too few", "harm", 0.5),
    "epochs-3": (Problem(*wave(), net=REG, train={"epochs": 3}), "3 epochs were too few", "harm", 0.5),
    "tolerance": (
        Problem(*bent(), train={"learning_rate": 0.001, "tolerance": 0.02, "patience": 3}),
        "tolerance ended",
        "harm",
        0.7,
    ),
    "rare": (Problem(*rare(), sizes=(), train={"learning_rate": 0.003}), "rare class 1 ", "missed", 0.5),
    "rare-of-three": (
        Problem(*rare_of_three(), sizes=(), net={"loss": "cross_entropy"}, train={"learning_rate": 0.003}),
        "rare class 2 ",
        "missed",
        0.5,
    ),
    "no-hidden-layer": (Problem(*ring(), sizes=()), "does not bend enough", "harm", 0.3),
    "one-unit": (Problem(*wave(), sizes=(1,), activation="tanh", net=REG), "does not bend enough", "harm", 0.5),
    "xor-stuck": (
        Problem(*XOR, sizes=(3,), activation="tanh", train=GD | {"epochs": 2000, "learning_rate": 0.5}),
        "does not bend enough",
        "harm",
        0.3,
    ),
    "overfit": (
        Problem(*OVERFIT[0], sizes=(64,), train={"validation": OVERFIT[1], "epochs": 150}),
        "by heart",
        "validation",
        0.7,
    ),
    "contradictions": (Problem(*contradictory(), net=REG, train={"epochs": 300}), "Equal samples", "harm", 0.3),
}


def missed(network, problem):
    """The share of the rarest class's samples that are not recognised."""
    Y, A = problem.Y, network.predict(problem.X)
    if len(Y) == 1:
        Y, A = np.vstack([1 - Y, Y]), np.vstack([1 - A, A])
    rarest = np.argmin(Y.sum(axis=1))
    return np.mean(A.argmax(axis=0)[Y[rarest] == 1] != rarest)


MEASURES = {
    "harm": lambda network, history, problem: (
        Evidence(network, problem.X, problem.Y, None, history).cost
        / Evidence(network, problem.X, problem.Y, None, history).base
    ),
    "missed": lambda network, history, problem: missed(network, problem),
    "typical": lambda network, history, problem: np.median(np.abs(network.predict(problem.X) - problem.Y)),
    "validation": lambda network, history, problem: history.validation_cost[-1],
}


def counts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 400))
    return X, rng.poisson(np.exp(1 + X[:1])).astype(float)


def labels():
    X, _ = bent()
    return X, np.array([X[0] > 0, X[1] + X[2] > 1, X[3] > 1.5], float)


def table(load, task="classes", scale=True):
    data = load()
    X = data.data.T
    return scaled(X) if scale else X, one_hot(data.target) if task == "classes" else scaled(data.target[None])


NOISY, NOISY_TOO = bent(3, 400, 1.5), bent(4, 400, 1.5)
HEALTHY = {
    "adam": Problem(*bent()),
    "momentum": Problem(*wave(), net=REG, train={"optimizer": "momentum", "learning_rate": 0.02, "epochs": 200}),
    "lbfgs": Problem(
        *wave(), activation="tanh", net=REG, train={"optimizer": "lbfgs", "batch_size": 300, "learning_rate": None}
    ),
    "cosine": Problem(*bent(1), activation="tanh", train={"schedule": "cosine"}),
    "article": Problem(*XOR, sizes=(8,), activation="tanh", train=GD | {"epochs": 2000, "learning_rate": 0.5}),
    "ring": Problem(*ring(), activation="silu"),
    "digits": Problem(
        *digits(1 / 16),
        sizes=(100,),
        net=CLASSES,
        train={"epochs": 30, "learning_rate": 0.001},
    ),
    "iris-raw": Problem(*table(datasets.load_iris, scale=False), net=CLASSES),
    "wine": Problem(*table(datasets.load_wine), net=CLASSES | {"dropout": 0.2}),
    "diabetes": Problem(*table(datasets.load_diabetes, "values"), net=REG | {"l2": 0.001}, train={"epochs": 60}),
    "noisy-early-stopping": Problem(*NOISY, train={"validation": NOISY_TOO, "patience": 10}),
    "noisy-line": Problem(*NOISY, sizes=()),
    "counts": Problem(*counts(), net={"loss": "poisson"}),
    "upper-quantile": Problem(*wave(noise=0.5), net={"loss": "quantile:0.9", "l2": 0.001}, train={"epochs": 200}),
    "several-labels": Problem(*labels()),
    "rare-but-known": Problem(*rare_of_three(4), net=CLASSES, train={"epochs": 60}),
    "float32": Problem(*wave(2), net=REG | {"dtype": np.float32}),
}
