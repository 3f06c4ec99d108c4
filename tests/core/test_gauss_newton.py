"""Gauss-Newton's matrix and products, against numeric derivatives and closed forms."""

import copy
import tracemalloc

import numpy as np
import pytest

from netwright import ACTIVATIONS, Dropout, Layer, Network
from netwright.core import gauss_newton
from netwright.core.gauss_newton import Curvature, Linear, in_float64
from netwright.core.links import LINKS
from netwright.core.losses import find_loss
from netwright.core.samples import Samples
from strategies import LOSS_NAMES, targets

SHAPES = {  # last activation, hidden layers
    "one hidden layer": ([4, 5, 3], None),
    "two of several kinds": ([4, 5, 6, 3], ["tanh", "softmax"]),
    "none": ([4, 3], []),
    "an output that is not the link": ([4, 5, 3], ["elu", "tanh"]),
    "a softmax that is not the link": ([4, 5, 3], ["tanh", "softmax"]),
}


def problem(loss, shape="one hidden layer", samples=50, **options):
    """A network and samples of uneven weights."""
    sizes, activation = SHAPES[shape]
    if activation is not None and len(activation) == len(sizes) - 1 and find_loss(loss).link == activation[-1]:
        pytest.skip("it is the link")
    network = Network(sizes, activation, loss=loss, rng=1, **options)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4, samples)), targets(loss, 3, samples, rng)
    return network, Samples(X, Y, rng.uniform(0.2, 3, samples))


def seen(network, samples, theta):
    """U, what the loss looks at, from the network's own prediction."""
    moved = copy.deepcopy(network)
    moved.theta = theta
    *before, last = moved.dense
    A = samples.X
    for layer in before:
        A = layer(A)
    return last.pre_activation(A) if network.linked else LINKS[network.loss.link].back(last(A))[0]


def jacobian(network, samples):
    """(n_params, outputs, samples): numeric."""
    h, J = 1e-6, []
    for i in range(network.theta.size):
        step = np.zeros(network.theta.size)
        step[i] = h
        J.append((seen(network, samples, network.theta + step) - seen(network, samples, network.theta - step)) / 2 / h)
    return np.array(J)


def matrix_by_hand(network, samples):
    """Σ w·Jᵀ·H·J / Σ w + l2, from a numeric J and a numeric H."""
    loss, J, h = network.loss, jacobian(network, samples), 1e-5
    Y = loss.smooth(samples.Y, network.label_smoothing) if network.label_smoothing else samples.Y
    U, f = seen(network, samples, network.theta), ACTIVATIONS[loss.link].f
    G = np.zeros((len(J), len(J)))
    for j in range(3):
        step = np.zeros_like(U)
        step[j] = h
        row = (loss.dZ(U + step, f(U + step), Y) - loss.dZ(U - step, f(U - step), Y)) / (2 * h)
        for k in range(3):
            G += np.einsum("ps,qs,s->pq", J[:, j], J[:, k], row[k] * samples.weight / samples.weight.sum())
    l2 = np.concatenate([np.r_[np.ones(layer.W.size), np.zeros(layer.neurons)] for layer in network.dense])
    return G + np.diag(network.penalties(len(samples))[0] * l2)


@pytest.mark.parametrize("rows", [7, 50])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ["squared_error", "masked_squared_error", "logloss", "cross_entropy", "poisson"])
@pytest.mark.filterwarnings("ignore:.*outside their range")
def test_the_matrix_is_that_of_numeric_derivatives(loss, shape, rows):
    network, samples = problem(loss, shape, l2=0.3)
    curvature = Curvature(network, samples)
    curvature.rows = rows
    G = np.empty((network.theta.size,) * 2)
    cost = curvature.gradient(G)
    g = network.grad.copy()
    expected = matrix_by_hand(network, samples)
    np.testing.assert_allclose(G, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    assert cost == pytest.approx(network.gradient(*samples.arrays), rel=1e-13)
    np.testing.assert_allclose(g, network.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("loss", [*LOSS_NAMES, "cross_entropy:1,2"])
def test_products_are_those_with_the_matrix(loss):
    network, samples = problem(loss, label_smoothing=0.1 if "ross" in loss or "log" in loss else 0, l1=0.2)
    if ":1,2" in loss:
        samples = Samples(samples.X, np.vstack([np.ones(50), np.eye(2)[:, np.arange(50) % 2]]), samples.weight)
    curvature = Curvature(network, samples)
    curvature.rows = 20
    G, v = np.empty((network.theta.size,) * 2), np.random.default_rng(3).normal(size=network.theta.size)
    costs = curvature.gradient(G), curvature.gradient(), curvature.cost()
    assert max(costs) == min(costs)
    np.testing.assert_allclose(curvature.times(v), G @ v, rtol=1e-9, atol=1e-12 * np.abs(G @ v).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_forwards_and_backwards_are_each_others_transposes(shape):
    network, samples = problem("squared_error", shape)
    linear = Linear(network, *samples.arrays, samples.weight.sum())
    rng = np.random.default_rng(5)
    v, V = rng.normal(size=network.theta.size), rng.normal(size=(3, 50))
    weight = samples.weight / samples.weight.sum()
    assert v @ linear.pull(V) == pytest.approx(np.sum(linear.push(v) * V * weight), rel=1e-12)
    np.testing.assert_allclose(linear.push(v), np.einsum("pjs,p->js", jacobian(network, samples), v), atol=1e-7)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_the_bend_is_the_second_derivative_along_a_step(loss):
    network, samples = problem(loss)
    v, h = 0.1 * np.random.default_rng(6).normal(size=network.theta.size), 1e-3
    theta, J = network.theta.copy(), jacobian(network, samples)
    before, here, after = (seen(network, samples, theta + side * h * v) for side in (-1, 0, 1))
    second = (after - 2 * here + before) / h**2
    A = ACTIVATIONS[network.loss.link].f(here)
    HV = A * (second - np.sum(A * second, axis=0)) if loss == "cross_entropy" else second
    expected = np.einsum("pjs,js,s->p", J, HV, samples.weight / samples.weight.sum())
    curvature = Curvature(network, samples)
    np.testing.assert_allclose(curvature.bend(v, 1e-4), expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(network.theta, theta)


def test_of_a_line_it_is_the_mean_of_x_times_x():
    """And Newton's own matrix for logistic regression: the link leaves nothing out there."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(3, 40)), rng.integers(0, 2, (1, 40)).astype(float)
    ones = np.vstack([X, np.ones(40)])
    for loss in ("squared_error", "logloss"):
        network, G = Network([3, 1], loss=loss, rng=0), np.empty((4, 4))
        Curvature(network, Samples(X, Y)).gradient(G)
        p = network.predict(X)
        weight = p * (1 - p) if loss == "logloss" else np.ones((1, 40))
        np.testing.assert_allclose(G, (ones * weight) @ ones.T / 40, rtol=1e-12)


def test_memory_is_that_of_a_block_however_many_rows(monkeypatch):
    """Of J there are `BLOCK` numbers at a time, or `LEAST` samples; no more with twenty times the rows."""
    for name, value in (("BLOCK", 1 << 12), ("LEAST", 16), ("ROWS", 500)):
        monkeypatch.setattr(gauss_newton, name, value)
    network, peaks = problem("squared_error")[0], []
    for samples in (1000, 20_000):
        X = np.random.default_rng(0).normal(size=(4, samples))
        curvature, G = Curvature(network, Samples(X, np.ones((3, samples)))), np.empty((network.theta.size,) * 2)
        tracemalloc.start()
        curvature.gradient(G)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 8 * 20_000 * network.theta.size * 3 / 20


def test_float32_is_computed_in_float64_and_dropout_of_none_is_left_out():
    network = Network([Layer(4, 5, "tanh", rng=0, dtype="float32"), Dropout(0.0), Layer(5, 3, "tanh", dtype="float32")],
                      loss="squared_error", l2=0.1)  # fmt: skip
    rng = np.random.default_rng(0)
    samples = Samples(*(rng.normal(size=(k, 20)).astype("float32") for k in (4, 3)))
    twin, same = in_float64(network, samples)
    assert (twin.dtype, same.X.dtype, twin.l2) == (np.float64, np.float64, 0.1)
    np.testing.assert_array_equal(twin.theta, network.theta)
    cost = Curvature(twin, same).gradient()
    assert cost == pytest.approx(network.gradient(*samples.arrays), rel=1e-6)
    np.testing.assert_allclose(twin.grad, network.grad, rtol=1e-4, atol=1e-6)


def test_a_solvers_own_decay_is_in_cost_gradient_matrix_and_products():
    network, samples = problem("squared_error", l2=0.3, l1=0.01)
    bare, decayed = Curvature(network, samples), Curvature(network, samples)
    theta, n = network.theta.copy(), network.theta.size
    decay = decayed.decay = np.linspace(0.1, 2, n)
    with_it, without, v = np.empty((n, n)), np.empty((n, n)), np.arange(n, dtype=float)
    cost = decayed.gradient(with_it)
    g = network.grad.copy()
    assert cost == pytest.approx(bare.gradient(without) + 0.5 * np.sum(decay * theta**2), rel=1e-12)
    np.testing.assert_allclose(g, network.grad + decay * theta, atol=1e-12)
    np.testing.assert_allclose(with_it, without + np.diag(decay), atol=1e-12)
    np.testing.assert_allclose(decayed.times(v), with_it @ v, rtol=1e-9, atol=1e-9)
    assert decayed.cost() == pytest.approx(cost, rel=1e-12)
