"""At the edge: class weights that cannot be, numbers beyond the dtype, columns that never change, mapped arrays."""

import joblib
import numpy as np
import pytest

from netwright import MLPClassifier, MLPRegressor, Network, TabularClassifier
from small_problems import KINDS, QUICK, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WRONG_WEIGHTS = {
    "unknown": ({"setosa": 1, "virginika": 2}, "class_weight names 'virginika', which is none of the classes"),
    "another kind": ({0: 2.0}, "class_weight names 0, which is none of the classes"),
    "negative": ({"setosa": -3}, "class_weight's weight of 'setosa' must be a finite number of at least 0, got -3"),
    "missing": ({"setosa": float("nan")}, "weight of 'setosa' must be a finite number of at least 0, got nan"),
    "infinite": ({"setosa": float("inf")}, "weight of 'setosa' must be a finite number"),
    "text": ({"setosa": "2"}, "weight of 'setosa' must be a finite number of at least 0, got '2'"),
    "zero": (dict.fromkeys(("setosa", "versicolor", "virginica"), 0), "class_weight is 0 for every class"),
}


@pytest.mark.parametrize("name", WRONG_WEIGHTS)
@pytest.mark.parametrize("how", ["fit", "partial_fit", "table"])
def test_class_weights_that_cannot_be(name, how):
    class_weight, match = WRONG_WEIGHTS[name]
    X, y = problem(MLPClassifier)
    calls = {
        "fit": lambda: MLPClassifier(**QUICK, class_weight=class_weight).fit(X, y),
        "partial_fit": lambda: MLPClassifier(**QUICK, class_weight=class_weight).partial_fit(
            X, y, classes=np.unique(y)
        ),
        "table": lambda: TabularClassifier(class_weight=class_weight, random_state=0).fit(X, y),
    }
    with pytest.raises(ValueError, match=match):
        calls[how]()


def test_class_weights_of_several_targets_and_of_classes_that_a_batch_lacks():
    X, y = problem(MLPClassifier)
    both = np.column_stack([y, np.where(X[:, 0] > 0, "yes", "no")])
    with pytest.raises(ValueError, match="class_weight names 'maybe', which is none of the classes"):
        MLPClassifier(**QUICK, class_weight=[{"setosa": 2}, {"maybe": 1}]).fit(X, both)
    MLPClassifier(**QUICK, class_weight=[{"setosa": 2}, {"yes": 0.5}]).fit(X, both)
    some = y != "setosa"
    MLPClassifier(**QUICK, class_weight={"setosa": 2}).partial_fit(X[some], y[some], classes=np.unique(y))
    MLPClassifier(**QUICK, class_weight={"setosa": 0}).fit(X, y)


@pytest.mark.parametrize("huge", [1.797e308, -1e300, 3.5e38])
@pytest.mark.parametrize("kind", KINDS)
def test_a_number_beyond_the_networks_dtype_is_refused(kind, huge):
    X, y = problem(kind)
    model = kind(**QUICK).fit(X.astype(np.float32), y)
    later = X[:6].copy()
    later[4, 2] = huge
    for use in (model.predict, lambda X: output(model, X), lambda X: model.score(X, y[:6])):
        with pytest.raises(ValueError, match=r"too large for dtype\('float32'\).*in column 2, row 4"):
            use(later)
    with pytest.raises(ValueError, match="column 2, row 4"):
        kind(**QUICK, early_stopping=True).fit(X.astype(np.float32), y, X_val=later, y_val=y[:6])
    assert np.isfinite(np.asarray(output(kind(**QUICK).fit(X, y), X))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [1e9, -3e7, 1.7e18, 0.0, 1e-30])
def test_a_column_that_never_changes_tells_solver_auto_nothing(constant, dtype):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4))
    y = X[:, 0] + 0.5 * X[:, 1]
    table = np.c_[X, np.full(300, constant)].astype(dtype)
    model = MLPRegressor(hidden_layer_sizes=(16,), solver="auto", random_state=0).fit(table[:200], y[:200])
    assert model.score(table[200:], y[200:]) > 0.98


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_mapped_into_memory_goes_on_learning(kind, solver, tmp_path):
    X, y = problem(kind)
    model = kind(**QUICK, solver=solver, warm_start=True, n_networks=2).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    usual, mapped = joblib.load(tmp_path / "model"), joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_array_equal(output(mapped, X), output(model, X))
    for each in (usual, mapped):
        each.fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(output(mapped, X), output(usual, X))
    assert (tmp_path / "model").read_bytes() == before


def test_a_network_and_data_mapped_into_memory(tmp_path):
    rng = np.random.default_rng(0)
    network, X = Network([200, 50, 1], loss="squared_error", rng=0), rng.normal(size=(200, 90))
    joblib.dump((network, X, X[:1]), tmp_path / "all")
    results = []
    for mode in (None, "r"):
        net, A, Y = joblib.load(tmp_path / "all", mmap_mode=mode)
        net.train(A, Y, epochs=3, rng=1)
        results.append(net.theta)
    np.testing.assert_array_equal(*results)
