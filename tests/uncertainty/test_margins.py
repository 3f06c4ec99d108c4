"""Intervals and sets: they hold as often as asked, and are narrow where predictions are good."""

import json
import math

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor

from netwright import LOSSES, Network
from netwright.files.schema import check
from netwright.uncertainty.margins import (
    MARGIN,
    Margin,
    half_widths,
    label_sets,
    margin_of_classes,
    margin_of_numbers,
    margins_of,
    shown,
)
from netwright.uncertainty.spread import PENALTIES, learn_spread


def noisy(n, seed=0):
    """Inputs, what is predicted of them, and the truth, whose noise is 0.1 to 1 by the first input."""
    rng = np.random.default_rng(seed)
    X = np.vstack([rng.random(n), 1000 + 50 * rng.normal(size=n), np.ones(n)])
    a = 5 + 3 * X[1] / 1000 + rng.normal(size=n)
    return X, a, a + rng.normal(size=n) * 10 ** (X[0] - 1)


def test_the_spread_is_what_scikit_learns_poisson_regression_finds():
    """The same penalised likelihood, once with the penalty that was chosen, on each of the four parts."""
    X, a, y = noisy(800)
    found, expected = learn_spread(X, a, abs(y - a))
    v = (a - a.mean()) / a.std()
    Z = np.vstack([X[:2], v, v**2])
    Z = (Z - Z.mean(axis=1, keepdims=True)) / (2 * Z.std(axis=1, keepdims=True))
    part, off = np.random.default_rng(0).permutation(800) % 4, abs(y - a) / abs(y - a).mean()
    near = []
    for penalty in PENALTIES:
        theirs = np.empty(800)
        for i in range(4):
            rest = part != i
            model = PoissonRegressor(alpha=penalty, tol=1e-9, max_iter=500).fit(Z[:, rest].T, off[rest])
            theirs[~rest] = model.predict(Z[:, ~rest].T)
        near.append(np.abs(np.log(theirs * abs(y - a).mean() / expected)).max())
    assert min(near) < 1e-3
    np.testing.assert_allclose(np.log(found.of(X, a)), np.log(expected), atol=0.2)
    ratio = found.of(X, a) / 10 ** (X[0] - 1)
    assert np.log(ratio).std() < 0.25  # of the true spread, which goes from 0.1 to 1


def test_where_all_are_as_far_off_there_is_one_width():
    rng = np.random.default_rng(0)
    X, a = rng.normal(size=(3, 300)), rng.normal(size=300)
    assert learn_spread(X, a, np.ones(300)) is None
    assert learn_spread(X, a, np.zeros(300)) is None
    assert learn_spread(X[:, :20], a[:20], np.arange(20.0)) is None
    assert margin_of_numbers(X, a, a).half_width(X, a, 0.9).max() == 0


def test_a_spread_stays_within_what_was_seen():
    X, a, y = noisy(800)
    found, expected = learn_spread(X, a, abs(y - a))
    ends = expected[[expected.argmin(), expected.argmax()]]
    far = np.array([[1e6, -1e6], [0.0, 1e9], [1.0, 1.0]])
    assert np.isin(found.of(far, np.array([1e5, -1e5])).round(9), ends.round(9)).all()


def test_intervals_hold_and_are_narrow_where_it_is_sure():
    X, a, y = noisy(1000)
    margin = margin_of_numbers(X, a, y)
    X, a, y = noisy(20_000, seed=1)
    for level in (0.5, 0.8, 0.9, 0.98):
        off = half_widths([margin], X, a[np.newaxis], level)[0]
        assert abs(np.mean(abs(y - a) <= off) - level) < 0.03
        sure, unsure = X[0] < 0.2, X[0] > 0.8
        assert 3 * off[sure].mean() < off[unsure].mean()
        for here in (sure, unsure):
            assert abs(np.mean(abs(y - a)[here] <= off[here]) - level) < 0.08
    flat = margin_of_numbers(None, a, y).half_width(X, a, 0.9)
    assert np.ptp(flat) == 0
    assert np.mean(half_widths([margin], X, a[np.newaxis], 0.9)) < 0.9 * flat[0]


def test_sets_hold_and_are_the_smallest():
    """Probabilities that are the true ones: all classes that are probable enough, and always the most probable."""
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.full(4, 0.5), 6000)
    codes = (rng.random((6000, 1)) > P.cumsum(axis=1)).sum(axis=1)
    margin = margin_of_classes(P[:3000], codes[:3000])
    P, codes = P[3000:], codes[3000:]
    for level in (0.5, 0.8, 0.9, 0.99):
        among = label_sets([margin], P, level)
        held = among[np.arange(3000), codes].mean()
        alone = margin.calibration.bound(level)
        np.testing.assert_array_equal(among, (alone >= 1 - P) | (P.max(axis=1, keepdims=True) == P))
        assert level - 0.02 < held < max(level, (P.argmax(axis=1) == codes).mean()) + 0.04
    assert label_sets([margin], P, 0.99).sum() > label_sets([margin], P, 0.5).sum() == 3000


def test_each_output_has_a_margin_and_what_is_not_known_tells_nothing():
    X, a, y = noisy(400)
    Y = np.vstack([y, np.where(np.arange(400) < 100, np.nan, 10 * y)])
    first, second = margins_of(LOSSES["masked_squared_error"], X, np.vstack([a, 10 * a]), Y)
    assert (first.calibration.rows, second.calibration.rows) == (400, 300)
    weight = (np.arange(400) >= 100).astype(float)
    (third,) = margins_of(LOSSES["squared_error"], X, 10 * a[np.newaxis], 10 * y[np.newaxis], weight)
    np.testing.assert_allclose(third.calibration.scores, second.calibration.scores, rtol=1e-6)
    with pytest.raises(ValueError, match="no sample to calibrate on has a weight and a target"):
        margins_of(LOSSES["squared_error"], X, a[np.newaxis], y[np.newaxis], np.zeros(400))


@pytest.mark.parametrize("loss", ["logloss", "cross_entropy:3,2"])
def test_several_targets_of_classes_have_no_sets(loss):
    A = np.full((5, 4), 0.5)
    with pytest.raises(ValueError, match="sets of classes are for one target of classes, and here are several"):
        margins_of(Network([2, 5], loss=loss, rng=0).loss, None, A, A)


def test_a_margin_of_many_rows_or_wide_ones_is_made_of_some():
    assert len(shown(100, 3)) == 100
    assert len(shown(10**6, 3)) == 5000
    assert len(shown(10**6, 10**6)) == 500
    assert (np.diff(shown(7000, 10)) >= 1).all()


def test_a_file_keeps_it_to_the_bit():
    X, a, y = noisy(300)
    margin = margin_of_numbers(X, a, y)
    said = json.loads(json.dumps(margin.to_json()))
    check(MARGIN, said)
    again = Margin.from_json(said, 3)
    np.testing.assert_array_equal(again.half_width(X, a, 0.9), margin.half_width(X, a, 0.9))
    with pytest.raises(ValueError, match="5 weights, for 4 inputs and the prediction"):
        Margin.from_json(said, 4)


# ── a network of one's own ──


def untrained(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (1, n))
    Y = np.sin(2 * X) + rng.normal(size=(1, n)) * (0.05 + 0.3 * (X > 0))
    return Network([1, 16, 1], loss="squared_error", rng=0), X, Y


def test_a_network_is_as_sure_as_what_it_validated_on_or_was_calibrated_on():
    network, X, Y = untrained()
    with pytest.raises(ValueError, match="nothing says how sure this network is: train it with validation"):
        network.predict(X, interval=0.9)
    options = {"epochs": 400, "learning_rate": 0.02, "validation": (X[:, 200:1000], Y[:, 200:1000])}
    network.train(X[:, :200], Y[:, :200], **options)
    flat = network.predict(X[:, 1000:], interval=0.9)
    assert np.ptp(flat.high - flat.low) == pytest.approx(0)
    assert network.calibrate(X[:, 200:1000], Y[:, 200:1000]) is network
    local = network.predict(X[:, 1000:], interval=0.9)
    np.testing.assert_array_equal(local.value, network.predict(X[:, 1000:]))
    right = X[:, 1000:] > 0.3
    assert (local.high - local.low)[right].mean() > 1.5 * (local.high - local.low)[~right].mean()
    for each in (flat, local):
        assert abs(np.mean((each.low <= Y[:, 1000:]) & (Y[:, 1000:] <= each.high)) - 0.9) < 0.04
    network.train(X, Y, epochs=1)
    with pytest.raises(ValueError, match="nothing says how sure this network is"):
        network.predict(X, interval=0.9)


def test_a_networks_file_keeps_how_sure_it_is(tmp_path):
    import netwright

    network, X, Y = untrained()
    network.calibrate(X, Y).save(tmp_path / "n")
    again = netwright.load(tmp_path / "n")
    for ours, theirs in zip(network.predict(X, interval=0.8), again.predict(X, interval=0.8), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_classes_of_a_network_are_sets_a_column_a_sample():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 500))
    codes = np.digitize(X[0] + 0.5 * rng.normal(size=500), [-0.5, 0.5])
    Y = np.eye(3)[codes].T
    network = Network([2, 3], loss="cross_entropy", rng=0)
    network.train(X[:, :250], Y[:, :250], epochs=200, optimizer="adam", learning_rate=0.05)
    label, among = network.calibrate(X[:, 250:400], Y[:, 250:400]).predict(X[:, 400:], interval=0.9)
    assert among.shape == (3, 100)
    assert among[label, np.arange(100)].all()
    assert abs(among[codes[400:], np.arange(100)].mean() - 0.9) < 4 * math.sqrt(0.09 / 100)
    both = Network([2, 1], loss="logloss", rng=0).calibrate(X, (codes > 0)[np.newaxis].astype(float))
    assert both.predict(X, interval=0.9).set.shape == (2, 500)
