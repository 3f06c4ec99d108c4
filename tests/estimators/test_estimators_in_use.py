"""The estimators where people use them: searches, pipelines, frames, sparse matrices, routing, callbacks."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, learning_curve
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from netwright import MLPClassifier, MLPRegressor
from small_problems import KINDS, QUICK, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = QUICK | {"max_iter": 20}
NAMES = ["length", "width", "height", "depth"]


# ── searches ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_says_the_same_in_threads_and_in_processes(kind):
    X, y = problem(kind)
    grid = {"alpha": [1e-4, 10.0], "activation": ["tanh", "relu"]}
    scores = []
    for backend, jobs in (("threading", 1), ("threading", 2), ("loky", 2)):
        with parallel_config(backend, n_jobs=jobs):
            search = GridSearchCV(kind(**QUICK), grid, cv=3).fit(X, y)
        scores.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    assert len(set(scores[0])) > 1
    assert search.best_estimator_.score(X, y) > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_an_estimator(kind):
    X, y = problem(kind)
    estimator = kind(**QUICK).fit(X, y)
    expected = output(estimator, X)
    with ThreadPoolExecutor(4) as pool:
        for seen in pool.map(lambda _: output(estimator, X), range(50)):
            np.testing.assert_array_equal(seen, expected)
        for seen in pool.map(lambda _: output(kind(**QUICK).fit(X, y), X), range(8)):
            np.testing.assert_array_equal(seen, expected)


def test_layers_can_be_searched():
    X, y = problem(MLPRegressor)
    grid = {"hidden_layer_sizes": [(), (4,), (4, 4)], "loss": ["squared_error", "huber"], "solver": ["adam", "auto"]}
    search = GridSearchCV(MLPRegressor(**QUICK), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_cross_validation(kind):
    X, y = problem(kind)
    scores = cross_val_score(kind(**QUICK), X, y, cv=3, n_jobs=2)
    assert scores.mean() > (0.8 if kind is MLPClassifier else 0.2)
    predicted = cross_val_predict(kind(**QUICK), X, y, cv=3)
    assert predicted.shape == y.shape
    _, train, test = learning_curve(kind(**QUICK), X, y, train_sizes=[30, 90], cv=3)
    assert train.shape == test.shape == (2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_learning_curves_by_partial_fit(kind):
    X, y = problem(kind)
    _, train, _ = learning_curve(kind(**QUICK), X, y, train_sizes=[30, 60, 75], cv=2, exploit_incremental_learning=True)
    assert np.isfinite(train).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_has_the_parameters_and_nothing_learned(kind):
    X, y = problem(kind)
    options = {"class_weight": {"setosa": 2.0}} if kind is MLPClassifier else {"loss": "huber:0.5"}
    estimator = kind(**QUICK, dropout=0.1, **options).fit(X, y)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    np.testing.assert_array_equal(output(copy.fit(X, y), X), output(estimator, X))
    assert "dropout=0.1" in repr(estimator)
    assert "MLP" in estimator._repr_html_()


# ── parts of larger things ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_end_and_in_the_middle_of_a_pipeline(kind):
    X, y = problem(kind)
    pipeline = make_pipeline(StandardScaler(), kind(**QUICK)).fit(100 * X, y)
    scaled = StandardScaler().fit(100 * X).transform(100 * X)
    np.testing.assert_array_equal(pipeline.predict(100 * X), kind(**QUICK).fit(scaled, y).predict(scaled))
    last = LogisticRegression() if kind is MLPClassifier else Ridge()
    features = make_pipeline(kind(**QUICK), last).fit(X, y)
    assert features[-1].n_features_in_ == 6
    assert features.score(X, y) > (0.9 if kind is MLPClassifier else 0.3)


def test_after_a_column_transformer():
    pandas = pytest.importorskip("pandas")
    X, y = problem(MLPClassifier)
    frame = pandas.DataFrame(X, columns=NAMES).assign(kind=np.where(X[:, 0] > 0, "large", "small"))
    columns = ColumnTransformer([("numbers", StandardScaler(), NAMES[1:]), ("names", OneHotEncoder(), ["kind"])])
    pipeline = make_pipeline(columns.set_output(transform="default"), MLPClassifier(**QUICK)).fit(frame, y)
    assert pipeline.score(frame, y) > 0.8
    assert pipeline[-1].n_features_in_ == 5


def test_calibrated():
    X, y = problem(MLPClassifier)
    calibrated = CalibratedClassifierCV(MLPClassifier(**QUICK), cv=3).fit(X, y, sample_weight=np.ones(150))
    assert calibrated.score(X, y) > 0.85


def test_in_ensembles():
    X, y = problem(MLPClassifier)
    voting = VotingClassifier([("a", MLPClassifier(**QUICK)), ("b", LogisticRegression())], voting="soft")
    assert voting.fit(X, y).score(X, y) > 0.85
    assert BaggingClassifier(MLPClassifier(**QUICK), 3, random_state=0).fit(X, y).score(X, y) > 0.8
    chain = ClassifierChain(MLPClassifier(**QUICK)).fit(X, np.c_[y == "setosa", X[:, 0] > 0].astype(int))
    assert chain.predict(X).shape == (150, 2)
    X, y = problem(MLPRegressor)
    stacking = StackingRegressor([("a", MLPRegressor(**QUICK)), ("b", Ridge())], cv=2).fit(X, y)
    assert stacking.score(X, y) > 0.3
    both = MultiOutputRegressor(MLPRegressor(**QUICK)).fit(X, np.c_[y, -y])
    np.testing.assert_array_equal(both.predict(X)[:, 0], MLPRegressor(**QUICK).fit(X, y).predict(X))
    scaled = TransformedTargetRegressor(MLPRegressor(**QUICK), transformer=StandardScaler()).fit(X, 1e4 * y + 7)
    assert scaled.score(X, 1e4 * y + 7) > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_inspected(kind):
    X, y = problem(kind)
    estimator = kind(**QUICK).fit(X, y)
    importance = permutation_importance(estimator, X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean.max() > 0
    options = {"response_method": "predict_proba"} if kind is MLPClassifier else {}
    dependence = partial_dependence(estimator, X, [0], grid_resolution=5, **options)
    assert dependence["average"].shape[1] == 5


# ── frames and sparse matrices ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("kind", KINDS)
def test_frames(kind, library):
    frames = pytest.importorskip(library)
    X, y = problem(kind)
    plain = kind(**QUICK, early_stopping=True).fit(X, y)
    frame = frames.DataFrame({name: X[:, i] for i, name in enumerate(NAMES)})
    weight = frames.Series(np.ones(150))
    for target in (frames.Series(y), y):
        framed = kind(**QUICK, early_stopping=True).fit(frame, target, sample_weight=weight)
        np.testing.assert_array_equal(output(framed, frame), output(plain, X))
        assert framed.feature_names_in_.tolist() == NAMES
        assert framed.score(frame, target) == plain.score(X, y)
    own = kind(**QUICK, early_stopping=True).fit(frame[:100], y[:100], X_val=frame[100:], y_val=frames.Series(y[100:]))
    assert own.best_validation_score_ == pytest.approx(own.score(frame[100:], y[100:]))
    with pytest.raises(ValueError, match="feature names"):
        framed.predict(frame[NAMES[::-1]])


@pytest.mark.parametrize("container", ["csr_matrix", "csc_matrix", "csr_array", "csc_array", "coo_array"])
@pytest.mark.parametrize("kind", KINDS)
def test_sparse_matrices(kind, container):
    X, y = problem(kind)
    X = np.where(np.abs(X) > 0.7, X, 0)
    S = getattr(sparse, container)(X)
    options = QUICK | {"batch_size": 32, "early_stopping": True}
    from_sparse, from_dense = kind(**options).fit(S, y), kind(**options).fit(X, y)
    np.testing.assert_allclose(output(from_sparse, S), output(from_dense, X), rtol=1e-9)
    np.testing.assert_allclose(output(from_dense, S), output(from_dense, X), rtol=1e-9)
    own = kind(**options).fit(S, y, X_val=S, y_val=y, sample_weight=np.ones(150))
    assert len(own.validation_scores_) == own.n_iter_
    if kind is MLPClassifier:
        labels = sparse.csr_matrix(np.c_[y == "setosa", X[:, 0] > 0].astype(int))
        assert kind(**QUICK).fit(S, labels).predict(S).shape == (150, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_arrays(kind):
    """Lists, Fortran order, strides, whole numbers, read-only, float32: the same numbers in, the same out."""
    X, y = problem(kind)
    X = np.round(4 * X)
    expected = output(kind(**QUICK).fit(X, y), X)
    strided = np.zeros((300, 8))[::2, ::2]
    strided[...] = X
    frozen = X.copy()
    frozen.setflags(write=False)
    for given in (X.tolist(), np.asfortranarray(X), strided, frozen, X.astype(int)):
        np.testing.assert_allclose(output(kind(**QUICK).fit(given, y), given), expected, rtol=1e-9)
    single = kind(**QUICK).fit(X.astype(np.float32), y)
    assert output(single, X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(output(single, X.astype(np.float32)), expected, rtol=1e-2, atol=1e-4)


# ── routing and callbacks ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_is_routed(kind):
    X, y = problem(kind)
    weight = np.random.default_rng(0).uniform(0.1, 5, 150)
    options = QUICK | {"early_stopping": True}
    with sklearn.config_context(enable_metadata_routing=True):
        request = {"sample_weight": True, "X_val": True, "y_val": True, "sample_weight_val": True, "groups": True}
        asking = kind(**options).set_fit_request(**request).set_score_request(sample_weight=True)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), asking, transform_input=["X_val"]
        )
        given = {"sample_weight": weight[:100], "X_val": X[100:], "y_val": y[100:], "sample_weight_val": weight[100:]}
        pipeline.fit(X[:100], y[:100], **given)
        scaled = StandardScaler().fit(X[:100])
        direct = kind(**options).fit(scaled.transform(X[:100]), y[:100], **given | {"X_val": scaled.transform(X[100:])})
        np.testing.assert_array_equal(pipeline.predict(X), direct.predict(scaled.transform(X)))
        assert pipeline[-1].validation_curve_ == direct.validation_curve_
        asking = kind(**QUICK).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = GridSearchCV(asking, {"alpha": [0.1, 1.0]}, cv=2).fit(X, y, sample_weight=weight)
        weighted = search.cv_results_["mean_test_score"]
        plain = GridSearchCV(kind(**QUICK), {"alpha": [0.1, 1.0]}, cv=2).fit(X, y).cv_results_["mean_test_score"]
        assert not np.array_equal(weighted, plain)


class Watching:
    """A callback of scikit-learn's that counts the epochs, and asks to stop after some."""

    def __init__(self, epochs=None):
        self.epochs, self.losses, self.began = epochs, [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.began += 1

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        if context.parent is None:
            return False
        self.losses.append(np.abs(fitted_estimator.predict(X) == y).mean())
        return len(self.losses) == self.epochs


@pytest.mark.parametrize("kind", KINDS)
def test_scikit_learns_callbacks(kind):
    callback = pytest.importorskip("sklearn.callback")
    X, y = problem(kind)
    scoring = "accuracy" if kind is MLPClassifier else "r2"
    monitor, watching = callback.ScoringMonitor(scoring=scoring), Watching()
    estimator = kind(**QUICK).set_callbacks(monitor, watching).fit(X, y)
    log = [row for row in monitor.get_logs().data if row["task_name"] != "fit"]
    assert len(log) == estimator.n_iter_ == len(watching.losses) == 20
    assert log[-1][scoring] == pytest.approx(estimator.score(X, y))
    assert log[0][scoring] < log[-1][scoring]
    np.testing.assert_array_equal(output(estimator, X), output(kind(**QUICK).fit(X, y), X))
    stopped = kind(**QUICK).set_callbacks(Watching(epochs=3)).fit(X, y)
    assert stopped.n_iter_ == 3
    np.testing.assert_array_equal(output(stopped, X), output(kind(**QUICK | {"max_iter": 3}).fit(X, y), X))
    pickle.loads(pickle.dumps(stopped))


def test_scikit_learns_progress_bar(capsys):
    callback = pytest.importorskip("sklearn.callback")
    MLPClassifier(**QUICK).set_callbacks(callback.ProgressBar()).fit(*problem(MLPClassifier))
    assert "MLPClassifier" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")
def test_what_did_not_converge_says_so_once_in_a_search():
    with pytest.warns(ConvergenceWarning, match="Maximum iterations") as caught:
        cross_val_score(MLPClassifier(**QUICK), *problem(MLPClassifier), cv=3)
    assert len(caught) == 3
