"""The whole story in a few seconds: the article's XOR, a network that learns, a checked gradient, a file."""

import numpy as np
import pytest

from netwright import Layer, Network, check_gradient, d_logloss, load, logloss
from strategies import XOR


def test_the_articles_layers_learn_xor():
    np.random.seed(2)
    X, Y = XOR
    layers = [Layer(2, 3, "tanh"), Layer(3, 1, "sigmoid")]
    costs = []
    for _ in range(3000):
        A = X
        for layer in layers:
            A = layer.feedforward(A)
        costs.append(logloss(Y, A).mean())
        dA = d_logloss(Y, A)
        for layer in reversed(layers):
            dA = layer.backprop(dA)
    assert costs[-1] < 0.1 * costs[0]
    assert np.array_equal(A > 0.5, Y > 0.5)


def test_a_network_learns_is_right_and_comes_back_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 400))
    Y = (np.hypot(*X) < 1).astype(float).reshape(1, -1)  # inside a circle
    network = Network([2, 16, 1], activation="tanh", loss="logloss", rng=0)
    assert check_gradient(network, X[:, :5], Y[:, :5]) < 1e-7
    history = network.train(X[:, :300], Y[:, :300], epochs=60, batch_size=30, learning_rate=0.02)
    assert history.cost[-1] < 0.3 * history.cost[0]
    right = (network.predict(X[:, 300:]) > 0.5) == Y[:, 300:]
    assert right.mean() > 0.93
    network.save(tmp_path / "circle.safetensors")
    assert np.array_equal(load(tmp_path / "circle.safetensors").predict(X), network.predict(X))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_classes_counts_and_values_are_learnt(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 300)).astype(dtype)
    wholes = {
        "cross_entropy": np.eye(3)[:, X.argmax(axis=0)],
        "poisson": np.round(np.exp(X[:1])),
        "squared_error": X[:1] * X[1:2],
    }
    for loss, Y in wholes.items():
        network = Network([3, 16, len(Y)], "relu", loss=loss, rng=0, dtype=dtype)
        before = network.cost(X, Y)
        network.train(X, Y, epochs=50, batch_size=20, learning_rate=0.01)
        assert network.cost(X, Y) < 0.3 * before
        assert network.predict(X).dtype == dtype
