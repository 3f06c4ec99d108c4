"""Backpropagation against differences of the cost, for everything in the tables; and wrong gradients are caught."""

import warnings

import numpy as np
import pytest

from netwright import ACTIVATIONS, Activation, Dropout, Layer, Loss, Network, check_gradient, numeric_gradient
from netwright.core.losses import find_loss
from strategies import LOSS_NAMES, XOR, targets

BOUND = 1e-7


def data(loss, inputs=2, outputs=2, samples=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(inputs, samples)), targets(loss, outputs, samples, rng)


@pytest.mark.parametrize("loss", LOSS_NAMES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_loss(activation, loss):
    assert check_gradient(Network([2, 3, 2], activation, loss=loss, rng=0), *data(loss)) < BOUND


@pytest.mark.parametrize("loss", LOSS_NAMES)
@pytest.mark.parametrize("last", ACTIVATIONS)
def test_every_last_activation_with_every_loss(last, loss):
    rng, link = np.random.default_rng(1), find_loss(loss).link
    smoothing = 0.1 if link in ("sigmoid", "softmax") else 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*goes outside their range")
        end = Layer(4, 2, last, initializer="glorot_uniform", rng=rng)
        layers = [Layer(2, 4, "tanh", rng=rng), Dropout(0.3), end]
        network = Network(layers, loss=loss, l2=0.1, l1=0.05, label_smoothing=smoothing, rng=0)
    assert network.linked == (last == link)
    assert check_gradient(network, *data(loss), weight=np.array([1, 0, 2.5, 0.1, 3])) < BOUND


@pytest.mark.parametrize("loss", LOSS_NAMES)
@pytest.mark.parametrize("weight", [None, np.array([1, 0, 2.5, 0.1, 3])], ids=["plain", "weighted"])
def test_with_penalties_dropout_and_smoothing(loss, weight):
    smoothing = 0.1 if find_loss(loss).link in ("sigmoid", "softmax") else 0.0
    network = Network([2, 6, 6, 2], loss=loss, l2=0.1, l1=0.05, dropout=0.4, label_smoothing=smoothing, rng=3)
    assert check_gradient(network, *data(loss), weight) < BOUND


@pytest.mark.parametrize("layers", [[2, 1], [1, 4, 4, 4, 1], [3, 1, 2]])
def test_any_depth(layers):
    network = Network(layers, "silu", loss="squared_error", rng=0)
    assert check_gradient(network, *data("squared_error", layers[0], layers[-1])) < BOUND


def test_dropout_before_the_first_layer():
    network = Network([Dropout(0.5), Layer(2, 3, rng=0), Dropout(0.5), Layer(3, 1, "sigmoid", rng=0)], rng=2)
    assert check_gradient(network, *data("logloss", outputs=1, samples=9)) < BOUND


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_articles_data_whose_zeros_lie_on_the_kinks(activation):
    assert check_gradient(Network([2, 3, 3, 1], activation, rng=0), *XOR) < BOUND


def test_where_the_cost_has_a_kink_there_is_no_derivative():
    network = Network([Layer(1, 1, "relu", rng=0), Layer(1, 1, "identity", rng=0)], loss="squared_error", l1=0.1)
    network.layers[0].W, network.layers[1].W = [[1]], [[1]]
    numeric = numeric_gradient(network, np.zeros((1, 1)), np.ones((1, 1)))
    np.testing.assert_allclose(numeric, [0.1, np.nan, 0.1, -1], atol=1e-9)  # relu's Z is its b, which is 0
    network.layers[0].W = [[0]]
    assert np.isnan(numeric_gradient(network, np.ones((1, 1)), np.ones((1, 1)))[0])  # so is |W|


def test_numeric_gradient_knows_a_gradient_in_closed_form():
    network = Network([2, 1], loss="squared_error", rng=0)
    X, Y = data("squared_error", outputs=1)
    residual = network.predict(X) - Y
    np.testing.assert_allclose(
        numeric_gradient(network, X, Y), np.append(residual @ X.T, residual.sum()) / 5, rtol=1e-9
    )


def test_it_leaves_the_network_as_it_was():
    network = Network([2, 4, 1], dropout=0.5, rng=0)
    X, Y = data("logloss", outputs=1)
    network.gradient(X, Y)
    theta, grad, state = network.theta.copy(), network.grad.copy(), network.rng.bit_generator.state
    numeric_gradient(network, X, Y)
    assert np.array_equal(network.theta, theta)
    assert np.array_equal(network.grad, grad)
    assert network.rng.bit_generator.state == state


def test_a_float32_network_is_refused():
    with pytest.raises(ValueError, match="check_gradient needs a float64 network, got float32"):
        check_gradient(Network([2, 1], rng=0, dtype="float32"), *XOR)


# ── wrong gradients are caught ───────────────────────────────────────────────────────────────────────────────────────


class Unchecked(Activation):
    def __post_init__(self):
        pass


class UncheckedLoss(Loss):
    def __post_init__(self):
        pass


def with_activation(df):
    return Network([2, 3, 1], Unchecked("wrong", np.tanh, df), rng=0)


def with_loss(dZ):
    return Network([2, 3, 1], loss=UncheckedLoss("wrong", lambda Z, Y: 0.5 * (Z - Y) ** 2, dZ), rng=0)


class NoMean(Layer):
    def gradient_from(self, dZ, back=True):
        dA1 = super().gradient_from(dZ, back)
        self.db *= dZ.shape[1]
        return dA1


class Transposed(Layer):
    def gradient_from(self, dZ, back=True):
        super().gradient_from(dZ, back)
        return self.W @ dZ


class Forgetful(Dropout):
    def gradient(self, dA, back=True):
        return dA


class HalfPenalty(Network):
    def penalize(self, m):
        cost = super().penalize(m)
        self.layers[0].dW -= 0.5 * self.l2 * self.layers[0].W
        return cost


def ends(middle):
    return [Layer(2, 3, rng=0), middle, Layer(3, 1, "sigmoid", rng=1)]


SABOTAGED = {
    "activation, by a ten-thousandth": lambda: with_activation(lambda Z, A: (1 - A * A) * 1.0001),
    "activation, sign": lambda: with_activation(lambda Z, A: A * A - 1),
    "loss, by a ten-thousandth": lambda: with_loss(lambda Z, A, Y: (A - Y) * 1.0001),
    "loss, not at all": lambda: with_loss(lambda Z, A, Y: 0 * Z),
    "loss, not a number": lambda: with_loss(lambda Z, A, Y: np.nan * Z),
    "layer, sum for mean": lambda: Network([NoMean(2, 3, rng=0), Layer(3, 1, "sigmoid", rng=1)]),
    "layer, W for its transpose": lambda: Network(ends(Transposed(3, 3, rng=2))),
    "dropout, no mask": lambda: Network(ends(Forgetful(0.5)), rng=0),
    "penalty, half": lambda: HalfPenalty([2, 3, 1], l2=1e-3, rng=0),
}


@pytest.mark.parametrize("name", SABOTAGED)
def test_a_wrong_gradient_is_caught(name):
    assert not check_gradient(SABOTAGED[name](), *data("logloss", outputs=1)) < 1e-5


def test_a_cost_that_is_not_a_number_is_no_success():
    own = UncheckedLoss("wrong", lambda Z, Y: np.nan * Z, lambda Z, A, Y: 0 * Z)
    assert not check_gradient(Network([2, 1], loss=own, rng=0), *data("logloss", outputs=1)) < BOUND
