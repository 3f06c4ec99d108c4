import numpy as np
import pytest
from sklearn import metrics

from netwright import SCORES, Network, permutation_importance
from netwright.core.scores import accuracy, mae, r2, rmse

RNG = np.random.default_rng(0)
Y, A = RNG.normal(size=(3, 50)), RNG.normal(size=(3, 50))
WEIGHT = RNG.uniform(0, 2, 50)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("score", "theirs"),
    [
        (rmse, lambda y, a, w: metrics.mean_squared_error(y, a, sample_weight=w) ** 0.5),
        (mae, lambda y, a, w: metrics.mean_absolute_error(y, a, sample_weight=w)),
        (r2, lambda y, a, w: metrics.r2_score(y, a, sample_weight=w)),
    ],
)
def test_regression_scores_are_scikit_learns(score, theirs, weight):
    assert score(Y, A, weight) == pytest.approx(theirs(Y.T, A.T, weight), rel=1e-12)
    assert score(Y[:1], A[:1], weight) == pytest.approx(theirs(Y[0], A[0], weight), rel=1e-12)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_accuracy_is_scikit_learns(weight):
    labels, guesses = RNG.integers(0, 2, (3, 50)), RNG.uniform(size=(3, 50))
    one = metrics.accuracy_score(labels[0], guesses[0] > 0.5, sample_weight=weight)
    assert accuracy(labels[:1], guesses[:1], weight) == pytest.approx(one)
    every = metrics.accuracy_score(labels.T, guesses.T > 0.5, sample_weight=weight)
    assert accuracy(labels, guesses, weight) == pytest.approx(every)
    classes = RNG.integers(0, 3, 50)
    many = metrics.accuracy_score(classes, guesses.argmax(axis=0), sample_weight=weight)
    assert accuracy(np.eye(3)[:, classes], guesses, weight) == pytest.approx(many)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, 1e6 + 0.1])
def test_r2_of_constant_targets_is_not_a_number(constant):
    assert np.isnan(r2(np.full((1, 7), constant), np.zeros((1, 7))))
    assert np.isnan(r2(np.array([[constant, constant, 5]]), np.zeros((1, 3)), np.array([1, 1, 0.0])))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weight_k_counts_as_k_copies_and_0_as_none(name, dtype):
    k = np.array([0, 1, 3, 2, 0])
    y, a = Y[:, :5].astype(dtype), A[:, :5].astype(dtype)
    score = SCORES[name](y, a, k.astype(dtype))
    assert isinstance(score, float)
    assert score == pytest.approx(SCORES[name](y.repeat(k, axis=1), a.repeat(k, axis=1), None), rel=1e-5)


def test_a_plain_function_may_be_a_row(monkeypatch):
    monkeypatch.setitem(SCORES, "mine", lambda Y, A, weight: float(np.mean(A.round() == Y)))
    X, Y = np.ones((2, 8)), np.ones((1, 8))
    network = Network([2, 1], rng=0)
    history = network.train(X, Y, epochs=2, validation=(X, Y), scores=["mine"], monitor="mine")
    assert len(history.validation_scores["mine"]) == 2
    assert permutation_importance(network, X, Y, score="mine", rng=0).mean.shape == (2,)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5, 1.0])])
def test_targets_that_are_not_known_are_left_out(weight):
    Y, A = (
        np.array([[1.0, 2.0, 4.0, 3.0], [5.0, np.nan, np.nan, np.nan]]),
        np.array([[1.5, 2.0, 3.0, 3.0], [4.0, 0, 0, 0]]),
    )
    kept = np.append(np.ones(4) if weight is None else weight, 1.0)
    errors = np.array([0.5, 0, 1, 0, 1])
    assert SCORES["mae"](Y, A, weight) == pytest.approx(np.average(errors, weights=kept))
    assert SCORES["rmse"](Y, A, weight) == pytest.approx(np.sqrt(np.average(errors**2, weights=kept)))
    assert SCORES["r2"](Y, A, weight) == SCORES["r2"](Y[:1], A[:1], weight)  # one value of an output says nothing
