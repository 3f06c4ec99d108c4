"""Levenberg-Marquardt against SciPy's, closed forms, and itself without the matrix."""

import logging
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge

from netwright import Loss, Network
from netwright.core import memory as machine
from netwright.core.gauss_newton import Curvature
from netwright.core.optimizers import LBFGS, LevenbergMarquardt
from netwright.core.samples import Samples
from netwright.training.solvers.levenberg import WithMatrix, WithoutMatrix, conjugate_gradients
from strategies import LOSS_NAMES, XOR, targets

LM = "levenberg_marquardt"


def data(n=60, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3, n))
    return X, np.tanh(rng.normal(size=(outputs, 3)) @ X) + 0.1 * rng.normal(size=(outputs, n))


def net(seed=1, sizes=(3, 5, 2), loss="squared_error", **options):
    return Network(list(sizes), loss=loss, rng=seed, **options)


def sine(seed, rows=100):
    x = np.linspace(-1, 1, rows)[np.newaxis]
    return Network([1, 10, 1], loss="squared_error", initializer="nguyen_widrow", rng=seed), x, np.sin(np.pi * x)


def at_the_goal(network, history):
    return history.cost[-1] <= 0.5e-8  # ½ of a mean squared error of 1e-8


# ── what it is for ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sine_is_learnt_to_1e8_within_fifty_epochs():
    epochs = []
    for seed in range(20):
        network, X, Y = sine(seed)
        history = network.train(X, Y, optimizer=LM, epochs=50, callbacks=at_the_goal, engine="plain")
        epochs.append(len(history) if at_the_goal(network, history) else 99)
    assert np.sum(np.array(epochs) <= 50) >= 19
    assert np.median(epochs) <= 35


def test_the_exclusive_or_is_learnt_within_twenty_epochs():
    learnt = 0
    for seed in range(50):
        network = Network([2, 3, 1], rng=seed)
        network.train(*XOR, optimizer=LM, epochs=20, engine="plain")
        learnt += np.array_equal(network.predict(XOR[0]) > 0.5, XOR[1] > 0.5)
    assert learnt >= 48


def test_the_bend_pays():
    """Geodesic acceleration, over twenty sines: the epochs to the goal."""
    needed = {}
    for geodesic in (True, False):
        epochs = []
        for seed in range(10):
            network, X, Y = sine(seed)
            rule = LevenbergMarquardt(geodesic=geodesic)
            epochs.append(len(network.train(X, Y, optimizer=rule, epochs=150, callbacks=at_the_goal, engine="plain")))
        needed[geodesic] = np.median(epochs)
    assert needed[True] < 0.75 * needed[False]


# ── against others ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_ends_where_scipys_least_squares_ends():
    X, Y = data()
    network = net(sizes=(3, 2, 2))

    def residuals(theta):
        other = net(sizes=(3, 2, 2))
        other.theta = theta
        return (other.predict(X) - Y).ravel()

    history = network.train(X, Y, optimizer=LM, epochs=500)
    assert history.stopped.startswith("converged")
    theirs = least_squares(residuals, network.theta + 0.01, method="lm", xtol=1e-12, ftol=1e-12, gtol=1e-12)
    assert history.cost[-1] == pytest.approx(theirs.cost / 60, rel=1e-7)
    assert network.gradient(X, Y) == pytest.approx(history.cost[-1], rel=1e-12)
    assert np.abs(network.grad).max() < 1e-5


def test_ridge_regression_takes_one_step_of_newton_and_then_a_few():
    X, Y = data()
    weight = np.random.default_rng(3).integers(0, 4, 60).astype(float)
    network = net(sizes=(3, 2), l2=0.3)
    history = network.train(X, Y, weight=weight, optimizer=LM)
    ridge = Ridge(alpha=0.3 * weight.sum()).fit(X.T, Y.T, sample_weight=weight)
    np.testing.assert_allclose(network.dense[0].W, ridge.coef_, rtol=1e-6)
    np.testing.assert_allclose(network.dense[0].b[:, 0], ridge.intercept_, atol=1e-8)
    assert len(history) <= 8


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_scikit_learns(classes):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(3, 80)), rng.integers(0, classes, 80)
    Y = np.eye(classes)[:, y] if classes > 2 else y[np.newaxis].astype(float)
    loss = "cross_entropy" if classes > 2 else "logloss"
    network = net(sizes=(3, len(Y)), loss=loss, l2=0.1)
    history = network.train(X, Y, optimizer=LM)
    theirs = LogisticRegression(C=1 / (0.1 * 80), tol=1e-12, max_iter=1000).fit(X.T, y)
    np.testing.assert_allclose(network.dense[0].W, theirs.coef_, atol=1e-5)
    assert len(history) <= 12


def test_kinks_are_minimised_too():
    """Medians and quantiles, to what linear programming gives: the parabolas above have the same minimum."""
    X, Y = data(outputs=1)
    for level, loss in ((0.5, "absolute_error"), (0.9, "quantile:0.9")):
        network = net(sizes=(3, 1), loss=loss)
        network.train(X, Y, optimizer=LevenbergMarquardt(flat=1e-12), epochs=2000)
        best = QuantileRegressor(quantile=level, alpha=0).fit(X.T, Y[0])
        scale = 2 if loss == "absolute_error" else 1
        theirs = scale * np.maximum(level * (r := Y[0] - best.predict(X.T)), (level - 1) * r).mean()
        assert network.cost(X, Y) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_no_epoch_raises_the_cost_and_it_reaches_what_others_do(loss):
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(3, 60)), targets(loss, 2, 60, rng)
    network, other = net(loss=loss, l2=0.05), net(loss=loss, l2=0.05)
    before = network.gradient(X, Y)
    history = network.train(X, Y, optimizer=LM, epochs=300)
    assert all(after < earlier for earlier, after in pairwise([before, *history.cost]))
    assert network.gradient(X, Y) == pytest.approx(history.cost[-1], rel=1e-12)
    other.train(X, Y, optimizer=LBFGS(restart=None), epochs=3000)
    assert history.cost[-1] <= 1.02 * other.gradient(X, Y)


def test_l1_is_minimised_too():
    X, Y = data(outputs=1)
    network = net(sizes=(3, 1), l1=0.1)
    network.train(X, Y, optimizer=LevenbergMarquardt(flat=1e-13), epochs=500)

    def cost(theta):
        return 0.5 * np.mean((theta[:3] @ X + theta[3] - Y) ** 2) + 0.1 * np.abs(theta[:3]).sum()

    best = minimize(cost, network.theta, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000})
    assert network.gradient(X, Y) <= best.fun * (1 + 1e-6)


# ── with and without the matrix ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_both_ways_of_solving_give_the_same_step(loss):
    rng = np.random.default_rng(1)
    network, X = net(loss=loss), rng.normal(size=(3, 50))
    curvature = Curvature(network, Samples(X, targets(loss, 2, 50, rng)))
    with_it, without = WithMatrix(curvature), WithoutMatrix(curvature)
    assert with_it.measure() == without.measure()
    g = network.grad.copy()
    step = with_it.damped(0.01)(g)
    np.testing.assert_allclose(with_it.times(step) + 0.01 * step, g, atol=1e-12)
    exact = conjugate_gradients(lambda v: without.times(v) + 0.01 * v, g, 1e-12, 1000)
    np.testing.assert_allclose(exact, step, rtol=1e-7, atol=1e-9)
    close = without.damped(0.01)(g)
    assert np.linalg.norm(without.times(close) + 0.01 * close - g) <= 0.01 * np.linalg.norm(g)


def test_both_train_to_the_same():
    X, Y = data()
    costs = [
        net(sizes=(3, 2, 2)).train(X, Y, optimizer=LevenbergMarquardt(matrix=matrix), epochs=300).cost[-1]
        for matrix in (None, False)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


def test_what_does_not_fit_into_memory_is_said_and_done_without_the_matrix(monkeypatch, caplog):
    X, Y = data()
    for module in ("netwright.core.optimizers", machine.__name__):
        monkeypatch.setattr(f"{module}.memory", lambda: 40_000)
    with caplog.at_level(logging.INFO, "netwright"):
        history = net().train(X, Y, optimizer=LM, epochs=20, engine="plain")
    said = (
        "JᵀJ does not fit, conjugate gradients do without it: that of 32 parameters takes 2.46e-05 GB with its factor"
    )
    assert f"{said}, of 4e-05 GB" in caplog.text
    other = net().train(X, Y, optimizer=LevenbergMarquardt(matrix=False), epochs=20, engine="plain")
    assert history.cost == other.cost
    network = net()
    theta = network.theta.copy()
    with pytest.raises(ValueError, match=r"matrix=True must be for a network whose JᵀJ fits .* 32 parameters takes"):
        network.train(X, Y, optimizer=LevenbergMarquardt(matrix=True))
    np.testing.assert_array_equal(network.theta, theta)


def test_what_fits_is_said_too(caplog):
    with caplog.at_level(logging.INFO, "netwright"):
        net().train(*data(), optimizer=LM, epochs=1, engine="plain")
    assert "JᵀJ: that of 32 parameters takes 2.46e-05 GB with its factor, of" in caplog.text


# ── how it ends, and what it refuses ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_keeps_the_dtype_and_the_cost_is_that_of_theta(dtype):
    X, Y = data()
    network = net(dtype=dtype)
    history = network.train(X, Y, optimizer=LM, epochs=400)
    assert network.theta.dtype == dtype
    assert history.cost == sorted(history.cost, reverse=True)
    assert network.gradient(X, Y) == pytest.approx(history.cost[-1], rel=1e-12 if dtype == np.float64 else 1e-5)
    assert history.stopped.startswith(f"converged after {len(history)} epochs (")
    assert history.learning_rate == [0.0] * len(history)


def test_it_says_why_it_ends():
    X, Y = data()
    line = net(sizes=(3, 2))
    assert "no derivative is larger than 1e-10" in line.train(X, Y, optimizer=LevenbergMarquardt(flat=0)).stopped
    again = line.train(X, Y, optimizer=LM)
    assert (len(again), again.stopped) == (0, "converged after 0 epochs (no derivative is larger than 1e-10)")
    flat = net().train(X, Y, optimizer=LevenbergMarquardt(flat=0.5))
    assert flat.stopped.endswith("(the cost fell by less than 0.5 of it)")
    assert len(flat) < 10
    stubborn = net(sizes=(3, 2)).train(X, Y, optimizer=LevenbergMarquardt(tolerance=0, flat=0))
    assert stubborn.stopped.endswith("(no step lowers the cost)")


def test_where_all_is_flat_it_ends_as_it_began():
    network = Network([1, 1], "identity", loss="masked_squared_error", rng=0)
    theta = network.theta.copy()
    history = network.train(np.zeros((1, 3)), np.array([[np.nan, 0, np.nan]]), optimizer=LM)
    assert history.stopped.startswith("converged")
    np.testing.assert_array_equal(network.theta, theta)


def test_ctrl_c_in_the_midst_of_a_step_leaves_the_last_whole_epoch(monkeypatch):
    X, Y = data()
    network, thetas, looks = net(), [], iter(range(100))
    bend = Curvature.bend

    def interrupted(*arguments):
        if next(looks) == 5:
            raise KeyboardInterrupt
        return bend(*arguments)

    monkeypatch.setattr(Curvature, "bend", interrupted)
    keep = [lambda n, h: thetas.append(n.theta.copy())]
    history = network.train(X, Y, optimizer=LM, callbacks=keep, engine="plain")
    assert 0 < len(history) == len(thetas)
    assert history.stopped == f"interrupted after {len(history)} epochs"
    np.testing.assert_array_equal(network.theta, thetas[-1])


def test_a_loss_without_curvature_is_refused_before_anything_is_done():
    cubic = Loss("cubic", lambda Z, Y: abs(Z - Y) ** 3 / 3, lambda Z, A, Y: (Z - Y) * abs(Z - Y))
    network = net(loss=cubic)
    theta = network.theta.copy()
    with pytest.raises(ValueError, match=r"the loss's curvature, and 'cubic' has none: make it with Loss\(.*, or"):
        network.train(*data(), optimizer=LM)
    np.testing.assert_array_equal(network.theta, theta)
    curved = Loss("cubic", cubic.value, cubic.dZ, curvature=lambda Z, A, Y: 2 * abs(Z - Y))
    history = net(loss=curved).train(*data(), optimizer=LM, epochs=30)
    assert history.cost[-1] < 0.01 * history.cost[0]


def test_dropout_and_batches_are_refused():
    with pytest.raises(ValueError, match=r"levenberg_marquardt takes all samples at once, .*: leave out dropout, or"):
        net(dropout=0.1).train(*data(), optimizer=LM)


@pytest.mark.parametrize("optimizer", [LM, "bayesian_regularization"])
@pytest.mark.parametrize("scale", [1e-150, 1e10, 1e150, 1e300])
def test_awful_data_end_in_an_error_or_with_finite_parameters(scale, optimizer):
    X, Y = data()
    network = net()
    try:
        history = network.train(scale * X, scale * Y, optimizer=optimizer, epochs=20)
    except FloatingPointError as error:
        assert "likely causes" in str(error)  # noqa: PT017
    else:
        assert history.stopped
    assert np.isfinite(network.theta).all()
