"""What an estimator shows of itself: network, gradients, importances, hidden layers, explanations; and its files."""

import pickle
import re

import numpy as np
import pytest
from sklearn.preprocessing import label_binarize

import netwright
from netwright import Activation, MLPClassifier, MLPRegressor, Network
from netwright.estimators.labels import Labels
from small_problems import KINDS, QUICK, flat, hidden, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("kind", KINDS)
def test_as_network(kind):
    X, y = problem(kind)
    estimator = kind(**QUICK).fit(X, y)
    network = estimator.as_network()
    assert isinstance(network, Network)
    np.testing.assert_allclose(
        network.predict(X.T).T.reshape(output(estimator, X).shape), output(estimator, X), rtol=1e-12
    )
    before = output(estimator, X)
    network.theta[:] *= 2
    assert not np.allclose(output(estimator, X), before), "it is live"


def numeric(f, x, h=1e-5):
    """The derivative of f at the row x by every input, (…, inputs)."""
    steps = h * np.eye(x.size)
    return np.stack([(f((x + e)[None])[0] - f((x - e)[None])[0]) / (2 * h) for e in steps], axis=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_input_gradient(kind):
    X, y = problem(kind)
    estimator = kind(**QUICK).fit(X, y)
    gradient = estimator.input_gradient(X[:5])
    expected = np.stack([numeric(lambda x: output(estimator, x), x) for x in X[:5]])
    assert gradient.shape == expected.shape
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_permutation_importance(kind):
    X, y = problem(kind)
    X = np.c_[X, np.random.default_rng(0).normal(size=150)]  # a column of noise
    y = y if kind is MLPClassifier else X[:, 2] + 0.1 * y
    estimator = kind(**QUICK | {"max_iter": 150}).fit(X, y)
    importance = estimator.permutation_importance(X, y)
    mean = importance.importances_mean
    assert mean.shape == (X.shape[1],)
    assert mean.argmax() in (2, 3), "the petals, or the column that y is made of"
    assert mean[2] > 5 * abs(mean[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_transform(kind):
    X, y = problem(kind)
    estimator = kind(**QUICK | {"hidden_layer_sizes": (6, 3)}).fit(X, y)
    np.testing.assert_allclose(estimator.transform(X), hidden(estimator, X, [np.tanh] * 2), rtol=1e-12)
    names = estimator.get_feature_names_out()
    assert names.tolist() == [f"{kind.__name__.lower()}{i}" for i in range(3)]
    frame = estimator.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == names.tolist()
    frame = estimator.set_output(transform="polars").transform(X)
    assert frame.columns == names.tolist()


def test_explain_step_shows_the_numbers_of_a_step():
    """The hand-worked step of the network 2-2-1, whose numbers are computed here again."""
    X, y = np.array([[0.5, -1.0], [1.0, 2.0]]), np.array([0.3, -0.2])
    estimator = MLPRegressor(hidden_layer_sizes=2, activation="tanh", solver="sgd", max_iter=1, random_state=0).fit(
        X, y
    )
    text = estimator.explain_step(X[:1], y[:1])
    assert isinstance(text, str)
    Z1 = X[0] @ estimator.coefs_[0] + estimator.intercepts_[0]
    A1 = np.tanh(Z1)
    Z2 = (A1 @ estimator.coefs_[1] + estimator.intercepts_[1])[0]
    dZ2 = Z2 - y[0]
    dW2 = dZ2 * A1
    dZ1 = dZ2 * estimator.coefs_[1][:, 0] * (1 - A1**2)
    said = [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)]
    for expected in [*Z1, *A1, Z2, dZ2, *dW2, *dZ1, *np.outer(X[0], dZ1).ravel()]:
        assert any(abs(number - expected) <= 1e-3 * abs(expected) + 1e-4 for number in said), (expected, text)
    for word in ("Z", "A", "dZ", "dW", "db"):
        assert re.search(rf"\b{word}", text), word


def test_diagnose_names_the_cause():
    X, y = problem(MLPClassifier)
    rng = np.random.default_rng(0)
    unscaled = np.c_[X, rng.normal(size=150) * 1e5]
    said = str(MLPClassifier(**QUICK).fit(unscaled, y).diagnose(unscaled, y))
    assert re.search(r"column 4\b|\b4\b", said), said
    assert "scal" in said
    slow = str(MLPClassifier(**QUICK | {"max_iter": 3, "learning_rate_init": 1e-5}).fit(X, y).diagnose(X, y))
    assert re.search("max_iter|learning_rate", slow), slow
    dead = MLPClassifier(**QUICK | {"activation": "relu"}).fit(X, y)
    dead.intercepts_[0][:5] = -1e3
    assert re.search("dead|never|relu", str(dead.diagnose(X, y))), dead.diagnose(X, y)
    fine = MLPClassifier(**QUICK | {"max_iter": 500, "early_stopping": True}).fit(X, y)
    assert str(fine.diagnose(X, y)).startswith("Nothing wrong")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_refused_by_its_name(kind):
    pandas = pytest.importorskip("pandas")
    X, y = problem(kind)
    frame = pandas.DataFrame(X[:, :3], columns=["length", "width", "height"])
    estimator = kind(**QUICK).fit(frame, y)
    for value, word in ((np.nan, "NaN"), (np.inf, "infinity")):
        broken = frame.copy()
        broken.loc[7, "width"] = value
        for call in (lambda X: kind(**QUICK).fit(X, y), estimator.predict):
            with pytest.raises(ValueError, match=f"(?s){word}.*width|width.*{word}"):
                call(broken)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"n_networks": 2}, {"solver": "lbfgs"}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_save_and_load(kind, options, tmp_path, monkeypatch):
    X, y = problem(kind)
    estimator = kind(**QUICK | options).fit(X, y)
    path = tmp_path / "estimator"
    estimator.save(path)
    for name in ("load", "loads"):
        monkeypatch.setattr(pickle, name, lambda *_: pytest.fail("a model file is no pickle"))
    loaded = netwright.load(path)
    assert type(loaded) is kind
    assert loaded.get_params() == estimator.get_params()
    np.testing.assert_array_equal(output(loaded, X), output(estimator, X))
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    assert loaded.n_features_in_ == X.shape[1]
    if not set(options) & {"early_stopping", "solver"}:
        np.testing.assert_array_equal(flat(loaded.partial_fit(X, y)), flat(estimator.partial_fit(X, y)))


def test_a_file_with_an_activation_of_ones_own(tmp_path):
    X, y = problem(MLPRegressor)
    cube = Activation("cube", lambda Z: 0.1 * Z**3, lambda Z, A: 0.3 * Z**2)
    estimator = MLPRegressor(**QUICK | {"activation": cube}).fit(X, y)
    estimator.save(tmp_path / "estimator")
    loaded = netwright.load(tmp_path / "estimator", [cube])
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    with pytest.raises(ValueError, match="cube"):
        netwright.load(tmp_path / "estimator")


def test_a_pickle_is_no_model_file(tmp_path):
    X, y = problem(MLPRegressor)
    path = tmp_path / "estimator"
    path.write_bytes(pickle.dumps(MLPRegressor(**QUICK).fit(X, y)))
    with pytest.raises(ValueError, match="not a model file"):
        netwright.load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_is_small_and_does_not_grow(kind):
    """Weights, Adam's two slots and the epochs' numbers; no row of the data, no buffer."""
    X, y = (np.tile(each, (20, 1) if each.ndim == 2 else 20) for each in problem(kind))
    estimator = kind(**QUICK).fit(X, y)
    small = 12 * flat(estimator).nbytes + 20_000
    assert len(pickle.dumps(estimator)) < small < X.nbytes
    for _ in range(5):
        estimator.partial_fit(X, y)
    before = len(pickle.dumps(estimator))
    for _ in range(200):
        estimator.partial_fit(X[:50], y[:50])
    assert len(pickle.dumps(estimator)) < before + 100
    copy = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(flat(copy.partial_fit(X, y)), flat(estimator.partial_fit(X, y)))


@pytest.mark.parametrize("kind", ["i1", "i8", "u1", "f8"])
@pytest.mark.parametrize("labels", [(0, 1, 2), (0, 2), (1, 2), (-1, 0, 2), (0, 1, 900), (3,)])
def test_labels_become_the_columns_that_scikit_learn_makes_of_them(labels, kind):
    if (min(labels) < 0 and kind == "u1") or (max(labels) > 100 and kind in ("i1", "u1")):
        pytest.skip("no such numbers there")
    y = np.random.default_rng(0).permutation(np.resize(labels, 20)).astype(kind)
    known = Labels.learn(y)
    np.testing.assert_array_equal(known.classes, labels)
    assert known.classes.dtype == y.dtype
    Y = known.encode(y, np.float64)
    if len(labels) > 1:
        np.testing.assert_array_equal(Y.T, label_binarize(y.astype(int), classes=labels))
    np.testing.assert_array_equal(known.decode(Y), y)
    some = y != labels[0]  # rows in which not every class occurs
    np.testing.assert_array_equal(known.encode(y[some], np.float64) if some.any() else Y[:, some], Y[:, some])
    for strange in (min(labels) - 1 if kind != "u1" else 77, 1 if 1 not in labels else 5):
        with pytest.raises(ValueError, match="classes not in"):
            known.encode(np.append(y, strange).astype(kind), np.float64)
