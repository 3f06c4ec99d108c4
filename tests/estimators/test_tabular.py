"""TabularClassifier and TabularRegressor: any table in, and what comes out of it."""

import pickle
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from netwright import TabularClassifier, TabularRegressor, load
from netwright.cli import main
from netwright.tables.column import Column
from netwright.tables.encoders import Levels, Scaled, quantiles
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame

KINDS = [TabularClassifier, TabularRegressor]
PARTS = "the parts that rows are dealt into are random, and copies of a row may come into different ones"
PLACE = "index {}".format


@parametrize_with_checks(
    [kind(random_state=0) for kind in KINDS],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": PARTS,
    },
)
def test_check(estimator, check):
    check(estimator)


def awkward(n=300, seed=0):
    """(a table with every kind of column at once, its classes): what they tell is in `size`, `kind` and `shop`."""
    rng = np.random.default_rng(seed)
    size, kind, shop = np.exp(3 * rng.normal(size=n)), rng.integers(4, size=n), rng.integers(90, size=n)
    signal = np.log(size) + 2 * (kind == 2) + 3 * np.sin(shop)
    gone = rng.random(n) < 0.2
    day = np.datetime64("2024-01-01") + rng.integers(400, size=n)
    table = pd.DataFrame(
        {
            "size": np.where(gone, np.nan, size),
            "kind": pd.Categorical.from_codes(kind, ["a", "b", "c", "ü"]),
            "shop": np.array([f"shop {i}" for i in shop], dtype=object),
            "spelt": [["12", "-3.5", "?", "7", "NA"][i] for i in rng.integers(5, size=n)],
            "mixed": [[1, "one", None, 2.5][i] for i in rng.integers(4, size=n)],
            "yes": rng.random(n) < 0.5,
            "maybe": pd.array(rng.choice([True, False, None], n), dtype="boolean"),
            "count": pd.array(rng.choice([1, 2, None], n), dtype="Int64"),
            "day": pd.Series(day).where(~gone),
            "date": np.datetime_as_string(day),
            "wait": pd.to_timedelta(rng.integers(1000, size=n), unit="s"),
            "same": "x",
            "empty": np.nan,
            "id": [f"row {i:05d}" for i in range(n)],
            "number": np.arange(n),
        }
    )
    return table, np.where(signal > np.median(signal), "yes", "no")


def output(model, X):
    """What it says: probabilities or numbers."""
    return getattr(model, "predict_proba", model.predict)(X)


@pytest.fixture(scope="module")
def fitted():
    X, y = awkward()
    return TabularClassifier(random_state=0).fit(X, y), X, y


# ── any table ──


def test_every_kind_of_column_at_once(fitted):
    model, X, _ = fitted
    fresh, truth = awkward(seed=1)
    with pytest.warns(UserWarning, match="column 'shop' has categories that training did not have: 'shop 62', "):
        assert model.score(fresh, truth) > 0.72  # 0.5 is chance; some of `size` is missing
    fresh = fresh.assign(shop="shop 1")
    assert model.n_features_in_ == 15
    assert list(model.feature_names_in_) == list(X.columns)
    np.testing.assert_allclose(model.predict_proba(fresh).sum(axis=1), 1)


def test_describe_tells_the_truth(fitted):
    model, X, _ = fitted
    said = {name: (kind, done, features) for name, kind, done, features in model.describe()}
    assert {name: kind for name, (kind, _, _) in said.items()} == {
        "size": "scaled number", "kind": "category", "shop": "many levels", "spelt": "scaled number",
        "mixed": "category", "yes": "category", "maybe": "category", "count": "scaled number", "day": "date",
        "date": "date", "wait": "scaled number", "same": "left out", "empty": "left out", "id": "left out",
        "number": "left out",
    }  # fmt: skip
    assert said["kind"][2] == ["kind = a", "kind = b", "kind = c", "kind = ü"]
    assert said["count"][2] == ["count", "count is missing"]
    median = X["size"].quantile(0.5, interpolation="lower")
    assert said["size"][1].startswith(f"(x - {median:.4g}) / ")
    assert said["size"][1].endswith("softly cut at ±3, 8 steps, missing: the median and a mark")
    assert said["number"][1] == "it numbers the rows, from 0 to 299"
    features = [feature for _, _, made in said.values() for feature in made]
    inputs = {network.inputs for network in model.mixture_.networks}
    assert inputs == {len(features)}
    assert len(set(features)) == len(features)


def test_new_rows_in_another_form(fitted):
    """Columns in another order and more of them, new levels, other dtypes for the same values."""
    model, X, _ = fitted
    expected = model.predict_proba(X)
    other = X[X.columns[::-1]].assign(new=1.0, kind=X["kind"].astype(str), number=0)
    np.testing.assert_array_equal(model.predict_proba(other), expected)
    polars = pl.DataFrame(
        {name: X[name].astype(str).tolist() if name == "kind" else X[name] for name in X.drop(columns="mixed")}
    )
    polars = polars.with_columns(
        mixed=pl.Series([None if v is None or v != v else str(v).removesuffix(".0") for v in X["mixed"]])
    )
    np.testing.assert_allclose(model.predict_proba(polars), expected, atol=1e-12)
    np.testing.assert_array_equal(
        model.predict_proba(X.drop(columns=["same", "id"])), expected
    )  # of no use then or now
    strange = X.assign(shop="never seen", kind="neither")
    with pytest.warns(UserWarning, match="training did not have") as said:
        assert np.isfinite(model.predict_proba(strange)).all()
    assert sorted(str(each.message) for each in said) == [
        "column 'kind' has categories that training did not have: 'neither' (in 300 rows)",
        "column 'shop' has categories that training did not have: 'never seen' (in 300 rows)",
    ]


def test_what_does_not_fit_is_named(fitted):
    model, X, _ = fitted
    with pytest.raises(ValueError, match="no column 'size', which training had"):
        model.predict(X.drop(columns="size"))
    with pytest.raises(ValueError, match="column 'size', index 0: 'big' is not a number"):
        model.predict(X.assign(size="big"))
    with pytest.raises(ValueError, match="column 'size', index 3: the value is inf"):
        model.predict(X.assign(size=[1.0, 2.0, 3.0, np.inf] + [0.0] * 296))


def test_arrow_and_object_arrays():
    pyarrow = pytest.importorskip("pyarrow")
    X, y = awkward(60)
    X = X[["size", "kind", "yes"]]
    model = TabularClassifier(random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    arrow = pyarrow.Table.from_pandas(X)
    np.testing.assert_allclose(model.predict_proba(arrow), expected)
    np.testing.assert_allclose(TabularClassifier(random_state=0).fit(arrow, y).predict_proba(X), expected)
    objects = X.astype(object).to_numpy()
    array = TabularClassifier(random_state=0).fit(objects, y)
    assert [kind for _, kind, _, _ in array.describe()] == ["scaled number", "category", "category"]
    np.testing.assert_allclose(array.predict_proba(objects), expected)


def test_a_user_decides_for_a_column():
    X, y = awkward(60)
    X = X[["size", "count", "kind"]]
    model = TabularClassifier(columns={"count": "category", "kind": "drop"}, random_state=0).fit(X, y)
    assert {name: kind for name, kind, _, _ in model.describe()} == {
        "size": "scaled number", "count": "category", "kind": "left out",
    }  # fmt: skip
    with pytest.raises(ValueError, match="the table has no column 'cuont'; did you mean 'count'"):
        TabularClassifier(columns={"cuont": "drop"}).fit(X, y)
    with pytest.raises(
        ValueError, match="column 'count' cannot be made 'numeric'; choose one of number, category, drop"
    ):
        TabularClassifier(columns={"count": "numeric"}).fit(X, y)
    with pytest.raises(ValueError, match="columns: 'kind' is to be a number, but holds a text"):
        TabularClassifier(columns={"kind": "number"}).fit(X, y)


# ── sizes and targets that are at the edge ──


def test_many_columns_and_few_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 750)) + np.where(np.arange(750) < 40, 0.5 * y[:, None], 0)
    model = TabularClassifier(random_state=0).fit(X[:150], y[:150])
    assert model.score(X[150:], y[150:]) > 0.7
    assert log_loss(y[150:], model.predict_proba(X[150:])) < np.log(2)


def test_tiny_classes():
    X, y = load_iris(return_X_y=True)
    rows = np.r_[0:50, 50:58, 100:101]  # 50, 8 and 1
    model = TabularClassifier(random_state=0).fit(X[rows], y[rows])
    assert list(model.classes_) == [0, 1, 2]
    assert model.score(X[rows], y[rows]) > 0.95


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_handful_of_rows(n):
    X, y = np.arange(n, dtype=float)[:, None] ** 2, np.arange(n) % 2
    assert set(TabularClassifier(random_state=0).fit(X, y).predict(X)) <= {0, 1}
    assert np.isfinite(TabularRegressor(random_state=0).fit(X, y).predict(X)).all()


def test_nothing_to_tell_apart():
    X = np.random.default_rng(0).normal(size=(30, 2))
    one = TabularClassifier().fit(X, ["a"] * 30)
    assert set(one.predict(X)) == {"a"}
    np.testing.assert_array_equal(one.predict_proba(X), np.ones((30, 1)))
    np.testing.assert_array_equal(TabularRegressor().fit(X, np.full(30, 1e9)).predict(X), np.full(30, 1e9))
    blind = TabularClassifier().fit(np.ones((30, 2)), ["a"] * 20 + ["b"] * 10)  # columns that are all the same
    np.testing.assert_allclose(blind.predict_proba(np.ones((2, 2))), [[2 / 3, 1 / 3]] * 2)
    same = "every row has the same value, '1'"
    assert blind.describe() == [("x0", "left out", same, []), ("x1", "left out", same, [])]


def test_more_classes_than_a_level_tells():
    rng = np.random.default_rng(0)
    level = rng.integers(60, size=600)
    table = {"level": [f"level {i}" for i in level], "x": rng.normal(size=600)}
    model = TabularClassifier(random_state=0).fit(table, level % 25)
    assert model.describe()[0][1] == "many levels"
    assert model.score(table, level % 25) > 0.5


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_numbers_of_any_size(scale):
    X = np.random.default_rng(0).normal(size=(200, 2)) * scale
    y = X[:, 0] - X[:, 1]
    said = TabularRegressor(random_state=0).fit(X, y).predict(X)
    assert np.corrcoef(said / scale, y / scale)[0, 1] > 0.98


def test_predictions_stay_near_the_targets_seen():
    X, y = load_diabetes(return_X_y=True)
    model = TabularRegressor(random_state=0).fit(X, y)
    far = model.predict(1e6 * X)
    assert far.min() >= y.min() - 0.1001 * np.ptp(y)
    assert far.max() <= y.max() + 0.1001 * np.ptp(y)


# ── what fit takes ──


@pytest.mark.parametrize("kind", KINDS)
def test_weights(kind):
    """A row of weight 0 is not there; weights change only by their ratios; a heavy row pulls."""
    X, y = load_iris().data[:100], load_iris().target[:100]
    weight = np.where(np.arange(100) % 3, 2.0, 0.0)
    without = output(kind(random_state=0).fit(X[weight > 0], y[weight > 0]), X)
    np.testing.assert_allclose(output(kind(random_state=0).fit(X, y, weight), X), without, atol=1e-6)
    alike = np.ones((100, 1)) * [[1.0, 2.0]]
    alike[:50, 0] = 5
    heavy = kind(random_state=0).fit(alike[:, ::-1], y % 2, np.where(y == 1, 9.0, 1.0))
    said = (
        heavy.predict_proba(alike[:1, ::-1])[0, 1] if kind is TabularClassifier else heavy.predict(alike[:1, ::-1])[0]
    )
    assert said == pytest.approx(np.average(y[:50] % 2, weights=np.where(y == 1, 9.0, 1.0)[:50]), abs=0.2)


def test_class_weight():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = (X[:, 0] + 2 * rng.normal(size=400) > 2.5).astype(int)
    plain, balanced = (TabularClassifier(class_weight=w, random_state=0).fit(X, y) for w in (None, "balanced"))
    assert plain.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.03)
    assert balanced.predict_proba(X)[:, 1].mean() == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits(kind):
    X, y = awkward(120)
    y = (y == "yes").astype(int)
    first = kind(random_state=3).fit(X, y)
    np.testing.assert_array_equal(output(first, X), output(clone(first).set_params(n_threads=1).fit(X, y), X))
    np.testing.assert_array_equal(output(first, X), output(pickle.loads(pickle.dumps(first)), X))
    assert not np.array_equal(output(first, X), output(kind(random_state=4).fit(X, y), X))


def test_a_saved_model_predicts_the_same_to_the_bit(fitted, tmp_path):
    model, X, _ = fitted
    numbers = TabularRegressor(columns={"day": "drop"}, random_state=1).fit(X, np.arange(300.0))
    blind = TabularClassifier().fit(np.ones((30, 2)), ["a"] * 20 + ["b"] * 10)
    for each, table in ((model, X), (numbers, X), (blind, np.ones((2, 2)))):
        each.save(tmp_path / "model")
        again = load(tmp_path / "model")
        np.testing.assert_array_equal(output(again, table), output(each, table))
        assert repr(again) == repr(each)
        assert again.describe() == each.describe()
        assert CliRunner().invoke(main, ["show", str(tmp_path / "model")]).output.startswith(repr(each))
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="no column 'size'"):
        load(tmp_path / "model").predict(X.drop(columns="size"))


def test_rows_to_watch():
    """What X_val says decides when to stop: of labels that are noise, nothing is believed."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 5)), rng.integers(2, size=300)
    seen = TabularClassifier(random_state=0).fit(X, X[:, 0] > 0, X_val=X, y_val=rng.random(300) > 0.5)
    trusted = TabularClassifier(random_state=0).fit(X, X[:, 0] > 0, X_val=X, y_val=X[:, 0] > 0)
    assert np.ptp(seen.predict_proba(X)[:, 1]) < 0.9 * np.ptp(trusted.predict_proba(X)[:, 1])
    with pytest.raises(ValueError, match="X_val and y_val belong together"):
        TabularClassifier().fit(X, y, X_val=X)


def test_max_time_leaves_a_usable_model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 20))
    y = np.abs(X[:, 0]) + X[:, 1]
    TabularRegressor().fit(X[:50], y[:50])  # what is compiled or loaded once
    begun = time.perf_counter()
    model = TabularRegressor(max_time=1.0, random_state=0).fit(X, y)
    assert time.perf_counter() - begun < 10  # with room for a busy machine; without a limit it takes longer
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize("given", [{"max_levels": 0}, {"max_time": -1}, {"n_threads": 1.5}, {"columns": "all"}])
def test_parameters_that_cannot_be(given):
    with pytest.raises(ValueError, match=f"The '{next(iter(given))}' parameter of TabularRegressor must be"):
        TabularRegressor(**given).fit([[0.0], [1.0]], [0, 1])


# ── how well ──


def test_it_is_calibrated():
    """On data whose probabilities are known, the log-loss is near the best that there is."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    p = 1 / (1 + np.exp(-2 * np.sin(2 * X[:, 0]) - X[:, 1]))
    y = rng.random(3000) < p
    model = TabularClassifier(random_state=0).fit(X[:1500], y[:1500])
    said = model.predict_proba(X[1500:])[:, 1]
    assert log_loss(y[1500:], said) < log_loss(y[1500:], p[1500:]) + 0.03
    assert np.mean((said - p[1500:]) ** 2) < 0.01


def test_it_beats_a_linear_model_where_that_is_not_enough_and_is_no_worse_where_it_is():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6))
    for y, margin in ((np.where(X[:, 0] > 0.5, X[:, 1], -X[:, 1]) + 0.1 * rng.normal(size=800), 0.5),
                      (X @ [1, 2, 3, 0, 0, 0] + rng.normal(size=800), 1.08)):  # fmt: skip
        learn, test = slice(0, 500), slice(500, None)
        rmse = {
            type(model).__name__: np.sqrt(np.mean((model.fit(X[learn], y[learn]).predict(X[test]) - y[test]) ** 2))
            for model in (TabularRegressor(random_state=0), LinearRegression())
        }
        assert rmse["TabularRegressor"] < margin * rmse["LinearRegression"]


def test_real_data_by_default():
    X, y = load_breast_cancer(return_X_y=True)
    train = train_test_split(X, y, random_state=0, stratify=y)
    model = TabularClassifier(random_state=0).fit(train[0], train[2])
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(train[0], train[2])
    assert model.score(train[1], train[3]) > 0.95
    assert log_loss(train[3], model.predict_proba(train[1])) < 1.3 * log_loss(train[3], linear.predict_proba(train[1]))


@pytest.mark.filterwarnings("ignore:.*training did not have:UserWarning")
def test_in_a_search():
    X, y = awkward(90)
    assert cross_val_score(TabularClassifier(random_state=0), X, y, cv=2).mean() > 0.6


# ── the encoders ──


def test_weighted_quantiles_are_those_of_copies():
    rng = np.random.default_rng(0)
    values, weight = rng.normal(size=30), rng.integers(1, 5, size=30)
    at = np.linspace(0, 1, 9)
    expected = np.quantile(np.repeat(values, weight), at, method="inverted_cdf")
    np.testing.assert_array_equal(quantiles(values, weight, at), expected)


def test_scaled_numbers_by_hand():
    column = Scaled.fit("x", Column(np.array([0.0, 1, 2, 3, 100, np.nan])), np.ones(6), 4)
    assert (column.center, column.scale, column.edges, column.marked) == (2, 2, [0, 1, 2, 3, 100], True)
    out = np.zeros((3, len(column.features)))
    column.fill(Column(np.array([2.5, 1e9, np.nan])), out, PLACE)
    z = 0.25
    np.testing.assert_allclose(out[0], [z / np.sqrt(1 + (z / 3) ** 2), 0.5, 0.5, 0, -0.5])
    np.testing.assert_allclose(out[1], [3, 0.5, 0.5, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(out[2], [0, 0.5, 0.5, -0.5, -0.5])


def test_a_value_that_most_rows_have_is_an_edge():
    values = np.r_[np.zeros(80), np.exp(np.linspace(0, 6, 20))]
    column = Scaled.fit("x", Column(values), np.ones(100), 4)
    np.testing.assert_allclose(
        column.edges, [0, *np.quantile(values[80:], [0, 1 / 3, 2 / 3, 1], method="inverted_cdf")]
    )
    assert (column.center, column.scale) == (0, np.quantile(values[80:], 0.5, method="inverted_cdf"))


def test_the_largest_numbers_there_are():
    values = np.array([-1.7e308, -1e308, 0, 1e308, 1.7e308])
    column = Scaled.fit("x", Column(values), np.ones(5), 4)
    out = np.zeros((5, len(column.features)))
    column.fill(Column(values), out, PLACE)
    assert np.isfinite(out).all()
    assert (np.diff(out[:, 0]) > 0).all()


def test_levels_by_hand_and_out_of_fold():
    """A level of 10 rows, all of them 1, amid as many 0: (10·1 + 10·0) / 20 = ½ standard deviation above the mean."""
    values = np.array(["a", "b"] * 10, dtype=object)
    targets = np.where(values == "a", 1.0, 0.0)[:, None]
    column = Levels.fit("c", Column(values), np.ones(20), 1, targets)
    np.testing.assert_allclose(column.means, [[0.5], [-0.5]])
    frame, parts = Frame({"c": values}), np.arange(20) % 4
    encoder = TableEncoder.fit(frame, max_levels=1, targets=targets)
    own = encoder.training_features(frame, parts, None, targets)
    before = own.copy()
    targets[0] = -100  # what a row's own part says does not come into its features
    np.testing.assert_array_equal(
        encoder.training_features(frame, parts, None, targets)[:, parts == 0], before[:, parts == 0]
    )
    assert not np.array_equal(encoder.training_features(frame, parts, None, targets), before)


def test_estimators_features_survive_json_and_weights_are_copies():
    X, y = awkward(100)
    frame = Frame.from_arrays(X[["size", "kind", "shop", "day"]])
    targets, weight = (y == "yes").astype(float)[:, None], np.random.default_rng(0).integers(0, 3, 100)
    encoder = TableEncoder.fit(frame, targets=targets, weight=weight, max_levels=5)
    assert TableEncoder.from_json(encoder.to_json()) == encoder
    copies = np.repeat(np.arange(100), weight)
    again = TableEncoder.fit(frame.take(copies), targets=targets[copies], max_levels=5)
    np.testing.assert_allclose(again.transform(frame), encoder.transform(frame), atol=1e-9)


def test_networks_do_without_steps_where_all_is_smooth():
    X = np.random.default_rng(0).normal(size=(500, 5))
    ball, boxes = (X**2).sum(axis=1) > 4.35, (X > 0.3).sum(axis=1) >= 2
    for y, used in ((ball, False), (boxes, True)):
        model = TabularClassifier(random_state=0).fit(X, y)
        deep = [network for network in model.mixture_.networks if len(network.dense) > 1]
        assert model.encoder_.is_step.sum() == 40
        assert np.any([network.dense[0].W[:, model.encoder_.is_step] for network in deep]) == used
