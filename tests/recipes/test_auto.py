"""solver="auto": what must simply be learnt is learnt, and noise is not; standardising leaves no trace."""

import itertools
import time

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_score

from netwright import LOSSES, Network
from netwright.core.losses import huber
from netwright.core.samples import Samples
from netwright.recipes import auto
from netwright.recipes.auto import STRATEGIES, find_strategy, folds_of, solve
from netwright.recipes.scaling import Scaling, fold

XOR = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])


def maker(sizes, activation="relu", loss="squared_error", rows=100, **more):
    """What an estimator gives the rule: scikit-learn's first weights and its alpha of 1e-4."""
    options = {"initializer": "glorot_uniform", "l2": 1e-4 / rows} | more
    return lambda seed: Network(sizes, activation, loss=loss, rng=seed, **options)


def wave(rows, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (2, rows))
    return X, np.sin(2 * X[:1]) + 0.5 * X[1:] + noise * rng.standard_normal((1, rows))


def spirals(points, noise=0.0, seed=0):
    """Lang & Witbrock 1988."""
    i = np.linspace(0, 96, points)
    angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
    one = np.vstack([radius * np.sin(angle), radius * np.cos(angle)])
    X = np.hstack([one, -one]) + noise * np.random.default_rng(seed).standard_normal((2, 2 * points))
    return X, np.repeat([[1.0, 0.0]], points, axis=1)


# ── it just learns ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_exclusive_or_is_solved_for_every_seed():
    X, Y = XOR
    for seed in range(100):
        network = solve(maker([2, 3, 1], "tanh", "logloss", 4), X, Y, seed=seed).network
        assert ((network.predict(X) > 0.5) == Y).all(), f"seed {seed}"


@pytest.mark.parametrize("loss", ["logloss", "squared_error"])
def test_a_whole_truth_table_is_learnt_by_heart(loss):
    X = np.array(list(itertools.product([0.0, 1.0], repeat=5))).T
    Y = X.sum(axis=0, keepdims=True) % 2
    network, _, what = solve(maker([5, 30, 1], "tanh", loss, 32), X, Y)
    assert ((network.predict(X) > 0.5) == Y).all()
    assert "by heart" in what


@pytest.mark.parametrize(("hidden", "activation"), [((50, 50), "tanh"), ((50, 50), "relu"), ((100,), "relu")])
def test_two_spirals_are_learnt(hidden, activation):
    X, Y = spirals(97)
    network = solve(maker([2, *hidden, 1], activation, "logloss", 194), X, Y).network
    assert ((network.predict(X) > 0.5) == Y).mean() >= 0.99


@pytest.mark.slow
def test_dense_spirals_are_predicted():
    (X, Y), (X_new, Y_new) = spirals(500, 0.1, 0), spirals(500, 0.1, 1)
    network = solve(maker([2, 50, 50, 1], "tanh", "logloss", 1000), X, Y).network
    assert ((network.predict(X_new) > 0.5) == Y_new).mean() >= 0.97


@pytest.mark.slow
def test_noisy_data_are_learnt_as_well_as_by_ridge_regression():
    X, y = load_diabetes(return_X_y=True)
    ridge = cross_val_score(RidgeCV(np.logspace(-3, 3, 13)), X, y, cv=5).mean()
    scores = []
    for learn, watch in KFold(5).split(X):
        network = solve(maker([10, 100, 1], rows=len(learn)), X[learn].T, y[None, learn]).network
        scores.append(r2_score(y[watch], network.predict(X[watch].T)[0]))
    assert np.mean(scores) > ridge > 0.4


def test_numbers_that_cannot_be_predicted_are_not_learnt_by_heart():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((5, 100)), 10 + rng.standard_normal((1, 100))
    network = solve(maker([5, 50, 1]), X, Y).network
    A = network.predict(rng.standard_normal((5, 1000)))
    assert abs(A.mean() - 10) < 0.3
    assert A.std() < 0.3


@pytest.mark.parametrize("loss", [*LOSSES, "huber:9.5"])
def test_every_loss_learns(loss):
    X, Z = wave(150, noise=0)
    targets = {"probability": Z > 0, "distribution": np.vstack([Z > 0, Z <= 0]), "count": np.exp(Z)}
    kind = Network([1, 1], loss=loss).loss.targets
    Y = np.asarray(targets.get(kind, 50 + 20 * Z), float)
    make = maker([2, 12, len(Y)], "tanh", loss, 150)
    network = solve(make, X, Y).network
    assert network.loss.name == make(0).loss.name
    first = make(0)
    X_new, Z_new = wave(200, seed=1, noise=0)
    truth = {"probability": Z_new > 0, "distribution": np.vstack([Z_new > 0, Z_new <= 0]), "count": np.exp(Z_new)}
    Y_new = np.asarray(truth.get(kind, 50 + 20 * Z_new), float)
    assert network.cost(X_new, Y_new) < 0.3 * first.cost(X_new, Y_new)
    if kind == "real":
        assert r2_score(Y_new[0], network.predict(X_new)[0]) > 0.95


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["squared_error", "logloss", "poisson"])
def test_a_target_that_never_changes_is_predicted(loss, dtype):
    X = wave(60)[0]
    network = solve(maker([2, 5, 1], "tanh", loss, 60, dtype=dtype), X, np.ones((1, 60))).network
    np.testing.assert_allclose(network.predict(3 * X), 1, atol=0.02)


def test_targets_and_levels_in_blocks_are_learnt():
    X, Z = wave(200, noise=0)
    Y = np.vstack([np.eye(2)[:, (Z[0] > 0).astype(int)], np.eye(3)[:, np.digitize(X[0], [-1, 1])]])
    A = solve(maker([2, 20, 5], "tanh", "cross_entropy:2,3", 200), X, Y).network.predict(X)
    assert (
        (A[:2].argmax(axis=0) == Y[:2].argmax(axis=0)) & (A[2:].argmax(axis=0) == Y[2:].argmax(axis=0))
    ).mean() > 0.9


# ── which strategy ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "more", "name"),
    [(4, {}, "lbfgs"), (5000, {}, "lbfgs"), (5001, {}, "adam"), (100, {"dropout": 0.2}, "adam")],
)
def test_the_first_strategy_that_suits(rows, more, name):
    assert find_strategy(maker([2, 5, 1], **more)(0), rows) is STRATEGIES[name]


def test_many_rows_are_learnt_in_one_training_that_keeps_its_best_epoch(monkeypatch):
    monkeypatch.setattr(auto, "MANY", 6000)
    X, Y = wave(7000)
    network, history, what = solve(maker([2, 20, 1]), X, Y)
    assert what.startswith("Adam")
    assert "700 rows held out" in what
    assert history.best_epoch
    X, Y = wave(1000, seed=1)
    assert r2_score(Y[0], network.predict(X)[0]) > 0.97


def test_dropout_gets_adam_even_for_few_rows():
    X, Y = wave(100)
    network, _, what = solve(maker([2, 30, 1], dropout=0.1), X, Y)
    assert what.startswith("Adam")
    assert r2_score(Y[0], network.predict(X)[0]) > 0.8


# ── standardising ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_means_and_spreads_are_those_of_the_copies():
    rng = np.random.default_rng(0)
    X, Y = 5 + rng.standard_normal((3, 20)) * [[1], [1e-8], [1e200]], rng.standard_normal((2, 20)) - 7
    weight = rng.integers(0, 4, 20)
    X[0, weight == 0] = 1e300  # must not count
    scaling = Scaling.fit(X, Y, weight.astype(float), LOSSES["squared_error"])
    for values, mean, spread in ((X, scaling.x_mean, scaling.x_spread), (Y, scaling.y_mean, scaling.y_spread)):
        size = np.array([[1.0], [1.0], [1e200]])[: len(values)]
        copies = np.repeat(values / size, weight, axis=1)
        np.testing.assert_allclose(mean / size, copies.mean(axis=1, keepdims=True), rtol=1e-12)
        np.testing.assert_allclose(spread / size, copies.std(axis=1, keepdims=True), rtol=1e-6)


def test_what_is_constant_has_the_spread_1():
    X = np.full((2, 30), 0.1)
    X[1, 0] = 5.0
    weight = np.ones(30)
    weight[0] = 0
    scaling = Scaling.fit(X, X, weight, LOSSES["squared_error"])
    assert (scaling.x_spread == 1).all()
    assert (scaling.x_mean == 0.1).all()


@pytest.mark.parametrize("loss", ["poisson", "logloss", "cross_entropy"])
def test_targets_with_a_unit_of_their_own_are_left_alone(loss):
    Y = np.ones((2, 30))
    Y[0] = 0
    scaling = Scaling.fit(Y, Y, None, LOSSES[loss])
    assert not scaling.y_mean.any()
    assert (scaling.y_spread == 1).all()


@pytest.mark.parametrize(
    ("sizes", "loss"), [([3, 1], "squared_error"), ([3, 4, 5, 2], "huber"), ([3, 4, 1], "logloss")]
)
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-4)])
def test_folding_gives_the_raw_network(sizes, loss, dtype, error):
    rng = np.random.default_rng(0)
    X, Y = 100 + 7 * rng.standard_normal((3, 50)), 20 + 300 * rng.standard_normal((sizes[-1], 50))
    network = Network(sizes, "tanh", loss=loss, rng=0, dtype=dtype)
    scaling = Scaling.fit(X, Y, None, network.loss)
    A = network.predict(scaling(X, Y)[0])
    fold(network, scaling)
    np.testing.assert_allclose(network.predict(X), scaling.y_spread * A + scaling.y_mean, rtol=error, atol=error)


def test_a_standardised_huber_is_huber_of_the_raw_target_up_to_a_factor():
    rng = np.random.default_rng(0)
    Y, A = 30 * rng.standard_normal((2, 50, 2)), 30 * rng.standard_normal((2, 50, 2))
    raw = huber(12.5)
    scaling = Scaling.fit(Y[0], Y[0], None, raw)
    inside = scaling.loss(raw).value(scaling(A[0], A[0])[1], scaling(Y[0], Y[0])[1])
    np.testing.assert_allclose(inside * scaling.y_spread**2, raw.value(A[0], Y[0]), rtol=1e-12)


# ── weights, validation, limits ──────────────────────────────────────────────────────────────────────────────────────


def test_weights_are_copies_to_the_bit_and_0_is_none():
    X, Y = wave(60)
    weight = np.random.default_rng(0).integers(0, 4, 60)
    make = maker([2, 10, 1])
    weighted = solve(make, X, Y, weight).network
    copied = solve(make, np.repeat(X, weight, axis=1), np.repeat(Y, weight, axis=1)).network
    assert (weighted.theta == copied.theta).all()
    half = solve(make, X, Y, 0.5 * weight).network
    assert (half.theta == weighted.theta).all()


@pytest.mark.parametrize("rows", [60, 6000])
def test_the_same_seed_gives_the_same_bits(rows):
    X, Y = wave(rows)
    one, again, other = (solve(maker([2, 5, 1]), X, Y, seed=seed, max_epochs=30).network for seed in (3, 3, 4))
    assert (one.theta == again.theta).all()
    assert (one.theta != other.theta).any()


def test_rows_to_validate_on_choose_in_the_place_of_rows_held_out():
    X, Y = wave(100, noise=1)
    X_val, Y_val = wave(300, seed=1, noise=0)
    network, history, what = solve(maker([2, 50, 1]), X, Y, validation=(X_val, Y_val))
    assert "300 rows held out" in what
    assert len(history.validation_cost) == len(history)
    # the kept epoch's, in the standardised target's unit
    assert network.cost(X_val, Y_val) / Y.var() == pytest.approx(min(history.validation_cost), rel=1e-6)


def test_the_users_decay_is_the_least():
    X, Y = wave(200, noise=0)
    network, _, what = solve(maker([2, 20, 1], l2=5.0), X, Y)
    assert "weight decay 5 " in what
    assert network.l2 == 5.0
    assert network.predict(X).std() < 0.2 * Y.std()


def test_time_and_epochs_are_limits_and_callbacks_can_stop():
    X, Y = wave(2000)
    make = maker([2, 100, 1])
    started = time.perf_counter()
    solve(make, X, Y, max_seconds=0.2)
    assert time.perf_counter() - started < 10
    assert len(solve(make, X, Y, max_epochs=3).history) <= 3
    seen = []
    history = solve(
        make, X, Y, max_epochs=20, callbacks=lambda network, history: seen.append(1) or len(seen) == 5
    ).history
    assert len(seen) == len(history) == 5
    assert history.stopped.startswith("stopped by a callback")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"X": np.ones((3, 4))}, "X must have 2 rows"),
        ({"Y": np.full((1, 4), np.nan)}, "Y must be finite"),
        ({"weight": [1, 2]}, "weight must have one number a sample"),
        ({"validation": (XOR[0], np.ones((1, 3)))}, "validation: X and Y must have a column for each sample"),
    ],
)
def test_errors_name_the_argument(change, match):
    given = {"X": XOR[0], "Y": XOR[1]} | change
    with pytest.raises(ValueError, match=match):
        solve(maker([2, 3, 1]), **given)


def test_folds_are_disjoint_and_alike():
    X = np.arange(200.0)[None]
    Y = np.eye(2)[:, np.repeat([0, 1], [180, 20])]
    folds = folds_of(Samples(X, Y), LOSSES["cross_entropy"], np.random.default_rng(0))
    assert len(folds) == 5
    for one in folds:
        assert sorted([*one.samples.inputs()[0], *one.held_out.inputs()[0]]) == [*range(200)]
        assert one.held_out.Y.sum(axis=1).tolist() == [36, 4]
