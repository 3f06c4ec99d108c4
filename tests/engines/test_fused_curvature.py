"""The fused engine's second order gives the plain engine's numbers, over every activation and loss."""

import numpy as np
import pytest

from netwright import ACTIVATIONS, Activation, Network
from netwright.core.losses import find_loss
from netwright.core.samples import Samples
from netwright.engines import Plain
from strategies import LOSS_NAMES, targets

fused = pytest.importorskip("netwright.engines.fused")


def answers(engine, network, samples, rows):
    """All that a solver asks, as one vector."""
    curvature, n = engine.curvature(network, samples), network.theta.size
    curvature.rows = rows
    G, v = np.empty((n, n)), 0.1 * np.random.default_rng(2).normal(size=n)
    costs = [curvature.gradient(G), curvature.gradient(), curvature.cost()]
    return np.concatenate([costs, network.grad, G.ravel(), curvature.times(v), curvature.bend(v, 0.1)])


def agree(network, loss="squared_error", samples=70):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(network.inputs, samples)), targets(loss, network.outputs, samples, rng)
    given = Samples(X, Y, rng.uniform(0.2, 3, samples))
    for rows in (samples, 33):
        plain, compiled = (answers(engine, network, given, rows) for engine in (Plain(), fused.Fused()))
        np.testing.assert_allclose(compiled, plain, rtol=1e-9, atol=1e-11 * np.abs(plain).max())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name):
    agree(Network([3, 7, 6, 2], name, loss="squared_error", rng=1, l2=0.1))


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("last", [None, "softsign"])
@pytest.mark.filterwarnings("ignore:.*outside their range")
def test_every_loss(name, last):
    agree(Network([3, 5, 3], ["elu", last or find_loss(name).link], loss=name, rng=1), name)


def test_activations_of_ones_own_and_by_blocks():
    own = Activation("bump", lambda Z: np.exp(-Z * Z), lambda Z, A: -2 * Z * A)
    agree(Network([3, 5, 6, 2], [own, "softmax:2,4"], loss="squared_error", rng=1))
    agree(Network([3, 2], loss="squared_error", rng=1))


def test_a_training_reaches_the_same():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 80))
    for dtype in ("float64", "float32"):
        costs = []
        for engine in ("plain", "fused"):
            network = Network([3, 6, 1], loss="squared_error", rng=1, dtype=dtype)
            network.train(X, np.tanh(X[:1] * X[1:2]), optimizer="levenberg_marquardt", epochs=15, engine=engine)
            costs.append(network.cost(X, np.tanh(X[:1] * X[1:2])))
        assert costs[0] == pytest.approx(costs[1], rel=1e-5 if dtype == "float64" else 1e-2)
