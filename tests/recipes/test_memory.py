"""What learning from a table takes of memory, beside the table as networks learn from it."""

import tracemalloc

import numpy as np
import pytest

from netwright import TabularClassifier, TabularRegressor
from netwright.core.samples import Samples
from netwright.recipes.blend import linear
from netwright.recipes.folds import stratified_folds
from netwright.recipes.problem import Problem

MOST = 6  # times the encoded table


def table(rows, columns=12):
    X = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    return X, np.sin(2 * X[:, 0]) * X[:, 1] + X[:, 2] ** 2


def peak(work):
    """(what `work` returns, bytes that it took at most, and that are left)."""
    tracemalloc.start()
    try:
        made = work()
        left, most = tracemalloc.get_traced_memory()
        return made, most, left
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("kind", [TabularRegressor, TabularClassifier])
def test_a_fit_takes_a_few_times_the_encoded_table(kind, validated):
    X, y = table(20_000)
    y = y > 1 if kind is TabularClassifier else y
    model = kind(random_state=0, max_time=0.8, n_threads=2)
    model.fit(X[:300], y[:300])  # what is compiled and imported is no matter
    given = {"X_val": X[:2000], "y_val": y[:2000]} if validated else {}
    _, most, left = peak(lambda: model.fit(X, y, **given))
    encoded = 4 * len(X) * len(model.encoder_.feature_names)
    assert most < MOST * encoded
    assert left < encoded / 2  # the networks


def test_linear_networks_let_go_of_their_rows():
    X, y = table(40_000, 40)
    samples = Samples(X.T, y[np.newaxis].astype(np.float32), np.linspace(1, 2, len(X)))
    problem = Problem("squared_error", np.arange(40), np.zeros(40, bool), seed=0, n_threads=2)
    folds = stratified_folds(samples, 4, np.random.default_rng(0))
    linear(problem, stratified_folds(Samples(X[:100].T, samples.Y[:, :100]), 4, np.random.default_rng(0)))
    networks, most, left = peak(lambda: linear(problem, folds))
    assert len(networks) == 4
    assert most < 3 * X.nbytes  # of which 2 · ¾ are the rows of two folds
    assert left < X.nbytes / 10
