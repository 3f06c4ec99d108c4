"""MLPClassifier and MLPRegressor say how sure they are: by rows that fit held out, or by those of `calibrate`."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import netwright
from netwright import MLPClassifier, MLPRegressor

UNKNOWN = (
    r"nothing says how sure this model is: fit with early_stopping=True or X_val and y_val, or give calibrate\(X, y\)"
)
OPTIONS = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "max_iter": 60, "random_state": 0, "tol": 0}


def wave(n, seed=0):
    """Numbers whose noise grows with the first column, and classes of them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = X[:, 0] + np.sin(2 * X[:, 1]) + np.exp(X[:, 0] - 1.5) * rng.normal(size=n)
    return X, y, np.array(["low", "middle", "high"])[np.digitize(y, [-1, 1])]


def held(around, y):
    return np.mean((around.low <= y) & (y <= around.high))


@pytest.fixture(scope="module", autouse=True)
def _unconverged():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netwright.estimators.perceptron.warn", lambda *_: None)
        yield


def test_a_regressor_is_sure_by_the_rows_that_early_stopping_holds_out():
    (X, y, _), (rows, truth, _) = wave(1500), wave(3000, seed=1)
    model = MLPRegressor(**OPTIONS, early_stopping=True, validation_fraction=0.3).fit(X, y)
    around = model.predict(rows, interval=0.9)
    np.testing.assert_array_equal(around.value, model.predict(rows))
    assert np.ptp(around.high - around.low) == pytest.approx(0)
    assert 0.85 < held(around, truth) < 0.95
    assert model.predict(rows, interval=0.5).high.mean() < around.high.mean()


def test_rows_of_ones_own_calibrate_by_row():
    (X, y, _), (own, own_y, _), (rows, truth, _) = wave(800), wave(600, seed=2), wave(3000, seed=1)
    by_fit = MLPRegressor(**OPTIONS).fit(X, y, X_val=own, y_val=own_y).predict(rows, interval=0.9)
    model = MLPRegressor(**OPTIONS, n_networks=2).fit(X, y)
    with pytest.raises(ValueError, match=UNKNOWN):
        model.predict(rows, interval=0.9)
    around = model.calibrate(own, own_y).predict(rows, interval=0.9)
    for each in (by_fit, around):
        assert 0.85 < held(each, truth) < 0.95
    width = around.high - around.low
    assert width[rows[:, 0] > 1].mean() > 2 * width[rows[:, 0] < -1].mean()
    assert width.mean() < 0.9 * np.mean(by_fit.high - by_fit.low)


def test_a_classifier_has_sets():
    (X, _, y), (own, _, own_y), (rows, _, truth) = wave(800), wave(500, seed=2), wave(3000, seed=1)
    model = MLPClassifier(**OPTIONS).fit(X, y).calibrate(own, own_y)
    label, among = model.predict(rows, interval=0.95)
    np.testing.assert_array_equal(label, model.predict(rows))
    assert abs(among[np.arange(3000), np.searchsorted(model.classes_, truth)].mean() - 0.95) < 0.03
    assert among[np.arange(3000), np.searchsorted(model.classes_, label)].all()
    two = MLPClassifier(**OPTIONS, early_stopping=True).fit(X, y == "low")
    assert two.predict(rows, interval=0.9).set.shape == (3000, 2)


def test_each_of_several_numbers_has_an_interval_and_what_is_missing_tells_nothing():
    X, y, _ = wave(900)
    Y = np.column_stack([y, 10 * y + 3])
    model = MLPRegressor(**OPTIONS).fit(X[:500], Y[:500]).calibrate(X[500:], Y[500:])
    around = model.predict(X, interval=0.8)
    assert {each.shape for each in around} == {(900, 2)}
    gone = np.where(np.arange(900)[:, None] < [600, 0], np.nan, Y)
    partial = MLPRegressor("masked_squared_error", **OPTIONS).fit(X, gone).calibrate(X[500:], gone[500:])
    assert [margin.calibration.rows for margin in partial._margins] == [300, 400]


def test_weights_count_and_rows_of_weight_0_are_not_there():
    X, y, _ = wave(900)
    model = MLPRegressor(**OPTIONS).fit(X[:500], y[:500])
    weight = (np.arange(400) < 100).astype(float)
    whole = model.calibrate(X[500:600], y[500:600]).predict(X, interval=0.9)
    weighted = model.calibrate(X[500:], y[500:], weight).predict(X, interval=0.9)
    np.testing.assert_allclose(weighted.high, whole.high, rtol=1e-4)


def test_a_fit_forgets_what_was_calibrated_and_a_failed_calibration_changes_nothing():
    X, y, _ = wave(300)
    model = MLPRegressor(**OPTIONS).fit(X, y).calibrate(X, y)
    before = model.predict(X, interval=0.9).high
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.calibrate(X, y[:-1])
    np.testing.assert_array_equal(model.predict(X, interval=0.9).high, before)
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match=UNKNOWN):
        model.predict(X, interval=0.9)


def test_a_file_a_copy_and_a_pickle_keep_it_and_a_clone_does_not(tmp_path):
    X, y, labels = wave(400)
    for model in (
        MLPRegressor(**OPTIONS).fit(X, y).calibrate(X, y),
        MLPClassifier(**OPTIONS, early_stopping=True).fit(X, labels),
    ):
        model.save(tmp_path / "m")
        before = model.predict(X, interval=0.9)
        for again in (netwright.load(tmp_path / "m"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            for ours, theirs in zip(before, again.predict(X, interval=0.9), strict=True):
                np.testing.assert_array_equal(ours, theirs)
        assert not hasattr(clone(model), "_margins")
        assert clone(model).get_params() == model.get_params()


def test_it_goes_through_a_pipeline_and_a_search():
    X, y, _ = wave(400)
    model = make_pipeline(StandardScaler(), MLPRegressor(**OPTIONS, early_stopping=True)).fit(X, y)
    assert held(model.predict(X, interval=0.9), y) > 0.8
    search = GridSearchCV(MLPRegressor(**OPTIONS, early_stopping=True), {"alpha": [1e-4, 1e-2]}, cv=2).fit(X, y)
    assert held(search.best_estimator_.predict(X, interval=0.9), y) > 0.8


@pytest.mark.parametrize(
    ("model", "y", "said"),
    [
        (MLPRegressor("quantile:0.1,0.9", **OPTIONS), 0, "this model predicts quantiles, which are intervals already"),
        (MLPClassifier(**OPTIONS), 1, "sets of classes are for one target of classes, and y has several"),
    ],
)
def test_what_has_none_says_so(model, y, said):
    X, number, labels = wave(60)
    y = number if y == 0 else np.column_stack([labels, labels == "low"])
    model.set_params(early_stopping=True).fit(X, y)
    for call in (lambda: model.predict(X, interval=0.9), lambda: model.calibrate(X, y)):
        with pytest.raises(ValueError, match=said):
            call()


def test_mistakes_are_named():
    X, y, _ = wave(60)
    model = MLPRegressor(**OPTIONS, early_stopping=True).fit(X, y)
    with pytest.raises(ValueError, match=r"interval=0.9 needs at least 9 rows .* and there are 6$"):
        model.predict(X, interval=0.9)
    with pytest.raises(ValueError, match="interval must be a finite number between 0 and 1, both excluded, got 90"):
        model.predict(X, interval=90)
    with pytest.raises(ValueError, match="return_std and interval are two ways to say how sure it is; choose one"):
        model.predict(X, return_std=True, interval=0.9)
    with pytest.raises(ValueError, match="not fitted"):
        MLPRegressor().predict(X, interval=0.9)
    with pytest.raises(ValueError, match="not fitted"):
        MLPRegressor().calibrate(X, y)
