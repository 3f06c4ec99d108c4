"""What goes in: labels in any dress, one class, masked and missing values, names given twice, read-only arrays."""

import enum
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

import netwright
from netwright import Layer, MLPClassifier, MLPRegressor, Network, TabularClassifier, TabularRegressor
from small_problems import KINDS, QUICK, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

YES = np.arange(60) % 3 == 0
X60 = np.c_[YES + np.linspace(0, 1, 60), np.sin(np.arange(60.0))]
Colour = enum.Enum("Colour", ["RED", "BLUE"])
Side = enum.StrEnum("Side", ["LEFT", "RIGHT"])
CLASSIFIERS = {
    "MLP": lambda: MLPClassifier((3,), max_iter=2, random_state=2),
    "tabular": lambda: TabularClassifier(random_state=0, max_time=0.05),
}


def either(yes, no):
    return [yes if each else no for each in YES]


def objects(yes, no):
    return np.fromiter(either(yes, no), dtype=object)


LABELS = {
    "objects of 0 and 1": (objects(1, 0), [0, 1]),
    "objects of truth": (objects(True, False), [False, True]),
    "a column of objects": (objects(1, 0)[:, np.newaxis], [0, 1]),
    "whole and other numbers": (either(2.0, 1), [1.0, 2.0]),
    "Decimal": (either(Decimal("3"), Decimal(1)), [1.0, 3.0]),
    "NumPy's own": (objects(np.str_("b"), "a"), ["a", "b"]),
    "StrEnum": (either(Side.LEFT, Side.RIGHT), ["left", "right"]),
    "floats": (YES.astype(float), [0.0, 1.0]),
    "nothing masked": (np.ma.array(YES.astype(int)), [0, 1]),
}


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("who", CLASSIFIERS)
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_one_type(name, who, tmp_path):
    y, classes = LABELS[name]
    model = CLASSIFIERS[who]().fit(X60, y)
    assert model.classes_.tolist() == classes
    assert [type(each) for each in model.classes_.tolist()] == [type(each) for each in classes]
    plain = np.array([label for column in np.array(y).reshape(60, -1) for label in column])
    assert model.score(X60, y) == np.mean(model.predict(X60) == plain)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(netwright.load(tmp_path / "m").predict(X60), model.predict(X60))


def frames(*names):
    return [pytest.importorskip(name) for name in names]


DRESSES = {
    "category": lambda pd: pd.Series(either("b", "a"), dtype="category"),
    "string": lambda pd: pd.Series(either("b", "a"), dtype="string"),
    "Int64": lambda pd: pd.Series(either(1, 0), dtype="Int64"),
    "boolean": lambda pd: pd.Series(either(True, False), dtype="boolean"),
    "int64[pyarrow]": lambda pd: pd.Series(either(1, 0), dtype="int64[pyarrow]"),
    "object": lambda pd: pd.Series(either(1, 0), dtype=object),
}


@pytest.mark.parametrize("who", CLASSIFIERS)
@pytest.mark.parametrize("dtype", DRESSES)
def test_labels_of_pandas_polars_and_arrow(dtype, who):
    pd, pl, pa = frames("pandas", "polars", "pyarrow")
    y = DRESSES[dtype](pd)
    classes = sorted(set(y.tolist()))
    for dress in (y, pl.Series(y.tolist()), pa.array(y.tolist()), pa.chunked_array([y.tolist()])):
        model = CLASSIFIERS[who]().fit(X60, dress)
        assert model.classes_.tolist() == classes
        assert type(model.classes_.tolist()[0]) is type(classes[0])


def gapped(library):
    values = either("a", None)
    module = pytest.importorskip(library)
    if library == "pyarrow":
        return module.chunked_array([module.array(values).dictionary_encode()])
    return module.Series(values, dtype="string") if library == "pandas" else module.Series(values)


WRONG_LABELS = {
    "text and number": (either(1, "1"), r"y mixes whole numbers and texts: 1 in row 0, '1' in row 1"),
    "truth and number": (objects(True, 0), r"y mixes truth values and whole numbers: True in row 0, 0 in row 1"),
    "None": (objects("a", None), r"Input y contains NaN: row 1 .* has None, the first of 40 such rows"),
    "NaN among texts": (either("a", float("nan")), r"Input y contains NaN: row 1 .* has nan"),
    "NaN": (np.where(YES, 1.0, np.nan), r"Input y contains NaN: row 1 .* has nan"),
    "NaT": (np.where(YES, np.datetime64("2024-01-01"), np.datetime64("NaT")), "row 1 .* has None"),
    "Arrow's dictionary": (lambda: gapped("pyarrow"), "Input y contains NaN: row 1 .* has None"),
    "pandas.NA": (lambda: gapped("pandas"), "Input y contains NaN: row 1 .* has <NA>"),
    "polars' null": (lambda: gapped("polars"), "Input y contains NaN: row 1 .* has None"),
    "masked": (np.ma.array(YES.astype(int), mask=YES), r"y has masked \(missing\) values, 20 of 60"),
    "masked in a list": (either(np.ma.masked, 1), r"y has masked \(missing\) values"),
    "bytes": (np.array(either(b"a", b"b")), r"y holds b'a' in row 0 .*, of type bytes"),
    "dates": (either(date(2024, 1, 1), date(2023, 1, 1)), r"y holds datetime.date\(2024, 1, 1\) in row 0"),
    "Enum": (either(Colour.RED, Colour.BLUE), r"y holds <Colour.RED: 1> in row 0 .*a label is a truth value, a number"),
    "several labels": (either([1, 2], [1]), r"y holds \[1, 2\] in row 0 .* MultiLabelBinarizer"),
    "beyond 64 bits": (either(2**70, 1), "y holds 1180591620717411303424, beyond 64 bits"),
    "a text": ("a" * 60, "y must have a value for each row, got 'aaa"),
    "columns of two types": (np.c_[objects(1, 0), objects("a", "b")], "labels of different types, 1 and 'a'"),
}


@pytest.mark.parametrize("who", CLASSIFIERS)
@pytest.mark.parametrize("name", WRONG_LABELS)
def test_what_is_wrong_with_labels_is_said(name, who):
    y, match = WRONG_LABELS[name]
    y = y() if callable(y) else y
    with pytest.raises(ValueError, match=match):
        CLASSIFIERS[who]().fit(X60, y)
    with pytest.raises(ValueError, match=match):
        CLASSIFIERS[who]().fit(X60, YES).score(X60, y)
    with pytest.raises(ValueError, match=match):
        CLASSIFIERS[who]().fit(X60, YES, X_val=X60, y_val=y)
    if who == "MLP":
        with pytest.raises(ValueError, match=match):
            CLASSIFIERS[who]().partial_fit(X60, y, classes=[0, 1])


@pytest.mark.parametrize(
    ("classes", "match"),
    [
        ([0, "1"], "classes mixes whole numbers and texts"),
        (np.ma.array([0, 1], mask=[0, 1]), "classes has masked"),
        ([0, None], "Input classes contains NaN"),
    ],
)
def test_classes_of_partial_fit(classes, match):
    with pytest.raises(ValueError, match=match):
        MLPClassifier((3,)).partial_fit(X60, YES.astype(int), classes=classes)


def test_several_targets_of_objects():
    both = np.c_[objects(1, 0), objects(0, 1)]
    usual = MLPClassifier((3,), max_iter=3, random_state=0).fit(X60, both.astype(int))
    np.testing.assert_array_equal(
        MLPClassifier((3,), max_iter=3, random_state=0).fit(X60, both).predict(X60), usual.predict(X60)
    )
    assert both.tolist() == np.c_[YES, ~YES].astype(int).tolist()  # what is the user's stays as it is


@pytest.mark.parametrize("kind", [MLPRegressor, TabularRegressor])
@pytest.mark.parametrize(
    ("y", "match"),
    [
        (objects(1.0, "many"), "y must be numbers, but row 1 .* has 'many'"),
        (objects(1.0, None), "Input y contains NaN: row 1 .* has None"),
        (np.ma.array(X60[:, 0], mask=YES), "y has masked"),
        (np.where(YES, np.datetime64("2024-01-01"), np.datetime64("2024-01-02")), "y must be numbers, but row 0"),
    ],
)
def test_what_is_wrong_with_numbers_is_said(kind, y, match):
    with pytest.raises(ValueError, match=match):
        kind().fit(X60, y)
    with pytest.raises(ValueError, match=match):
        kind(random_state=0).fit(X60[:20], X60[:20, 0]).score(X60, y)


# ── one class ──


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("label", [1, "a", True])
def test_one_class_is_certain(label, early_stopping, tmp_path):
    y = np.full(60, label)
    options = {"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0, "early_stopping": early_stopping}
    model = MLPClassifier(**options, class_weight={label: 2.0}, warm_start=True).fit(X60, y).fit(X60, y)
    model.save(tmp_path / "m")
    for each in (model, netwright.load(tmp_path / "m")):
        assert each.classes_.tolist() == [label]
        np.testing.assert_array_equal(each.predict_proba(X60), np.ones((60, 1)))
        np.testing.assert_array_equal(each.predict_log_proba(X60), np.zeros((60, 1)))
        assert set(each.predict(X60).tolist()) == {label}
        assert each.score(X60, y) == 1
    several = MLPClassifier((3,), max_iter=2, n_networks=2, random_state=0).fit(X60, y)
    mean, std = several.predict_proba(X60, return_std=True)
    assert (mean == 1).all()
    assert (std == 0).all()
    assert mean.shape == std.shape == (60, 1)


def test_a_class_not_yet_seen_has_its_column():
    model = MLPClassifier((3,), random_state=0).partial_fit(X60, np.zeros(60, int), classes=[0, 1])
    np.testing.assert_allclose(model.predict_proba(X60).sum(axis=1), np.ones(60))
    assert model.predict_proba(X60).shape == (60, 2)
    both = MLPClassifier((3,), max_iter=2).fit(X60, np.c_[np.zeros(60), YES].astype(int).astype(str))
    assert [proba.shape for proba in both.predict_proba(X60)] == [(60, 1), (60, 2)]


# ── masked values ──

MASK = np.zeros(X60.shape, bool)
MASK[5, 1] = True


@pytest.mark.parametrize("dress", [lambda X: np.ma.array(X, mask=MASK), lambda X: list(np.ma.array(X, mask=MASK))])
@pytest.mark.parametrize("kind", KINDS)
def test_masked_values_are_refused(kind, dress):
    X, y = dress(X60), YES.astype(int)
    model = kind(**QUICK).fit(X60, y)
    weight = np.ma.array(np.ones(60), mask=YES)
    calls = [
        lambda: kind(**QUICK).fit(X, y),
        lambda: kind(**QUICK).partial_fit(X, y, **({"classes": [0, 1]} if kind is MLPClassifier else {})),
        lambda: kind(**QUICK).fit(X60, y, X_val=X, y_val=y),
        lambda: model.predict(X),
        lambda: output(model, X),
        lambda: model.score(X, y),
        lambda: model.transform(X),
        lambda: kind(**QUICK).fit(X60, y, weight),
        lambda: kind(**QUICK).fit(X60, y, X_val=X60, y_val=y, sample_weight_val=weight),
        lambda: model.score(X60, y, weight),
        lambda: model.explain_step(np.ma.array(X60[0], mask=[0, 1]), y[0]),
        lambda: model.permutation_importance(X60, y, sample_weight=weight),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"has masked \(missing\) values"):
            call()
    free = kind(**QUICK).fit(np.ma.array(X60), np.ma.array(y), np.ma.array(np.ones(60)))
    np.testing.assert_array_equal(output(free, np.ma.array(X60)), output(kind(**QUICK).fit(X60, y, np.ones(60)), X60))


def test_masked_values_are_refused_in_the_core():
    network, layer, X, Y = Network([2, 3, 1], rng=0), Layer(2, 3, rng=0), X60.T, YES[np.newaxis].astype(float)
    gone, gone_y = np.ma.array(X, mask=MASK.T), np.ma.array(Y, mask=YES)
    layer.feedforward(X)
    calls = [
        lambda: network.train(gone, Y, epochs=1),
        lambda: network.train(X, gone_y, epochs=1),
        lambda: network.train(X, Y, epochs=1, weight=gone_y[0]),
        lambda: network.train(X, Y, epochs=1, validation=(gone, Y)),
        lambda: network.predict(gone),
        lambda: network.predict([np.ma.array([1.0, 2.0], mask=[0, 1]), [3.0, 4.0]]),
        lambda: network.cost(X, gone_y),
        lambda: network.evaluate(gone, Y),
        lambda: network.evaluate(X, gone_y),
        lambda: network.gradient(X, gone_y),
        lambda: network.predictor()(gone),
        lambda: network.predictor()(gone[:, 5:6]),
        lambda: layer(gone),
        lambda: layer.feedforward(gone),
        lambda: layer.gradient(np.ma.array(np.ones((3, 60)), mask=True)),
        lambda: setattr(layer, "W", np.ma.masked_all((3, 2))),
        lambda: setattr(network, "theta", np.ma.masked_all(network.theta.size)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"has masked \(missing\) values"):
            call()
    np.testing.assert_array_equal(network.predict(np.ma.array(X)), network.predict(X))


# ── data frames ──


@pytest.mark.parametrize("kind", KINDS)
def test_missing_in_nullable_columns_is_said(kind):
    pd, pl = frames("pandas", "polars")
    y = YES.astype(int)
    model = kind(**QUICK).fit(X60, y)
    for dtype in ("Int64", "Float64", "boolean", "int64[pyarrow]", "double[pyarrow]"):
        values = pd.Series([1, None] * 30).astype(dtype)
        for X in (pd.DataFrame({"a": X60[:, 0], "b": values}), pl.DataFrame({"a": X60[:, 0], "b": [1, None] * 30})):
            with pytest.raises(ValueError, match=r"contains NaN.*(column 'b', row 1|)"):
                kind(**QUICK).fit(X, y)
            with pytest.warns(UserWarning, match="feature names"), pytest.raises(ValueError, match="contains NaN"):
                model.predict(X)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_in_X_is_said_with_its_place(kind):
    pd, pa = frames("pandas", "pyarrow")
    cells = np.full((60, 2), 1.5, dtype=object)
    for odd, match in (
        (pd.NA, r"contains NaN\.\nThe first"),
        ("many", r"'many'\nThe first"),
        (None, "NaN.*\nThe first"),
    ):
        cells[4, 1] = odd
        dresses = {"column 1": cells, "column 'b'": pd.DataFrame(cells, columns=["a", "b"])}
        for where, X in dresses.items():
            with pytest.raises(ValueError, match=rf"(?s){match} is in {where}, row 4 \(counted from 0\)"):
                kind(**QUICK).fit(X, YES.astype(int))
    with pytest.raises(ValueError, match="is in column 'b', row 1"):
        kind(**QUICK).fit(pa.table({"a": X60[:, 0], "b": ["1", "x"] * 30}), YES.astype(int))


@pytest.mark.parametrize("kind", [*KINDS, TabularClassifier, TabularRegressor])
def test_columns_of_one_name_are_refused(kind):
    pd, pa = frames("pandas", "pyarrow")
    options = QUICK if kind in KINDS else {"random_state": 0, "max_time": 0.05}
    y, good = YES.astype(int), pd.DataFrame(X60, columns=["a", "b"])
    model = kind(**options).fit(good, y)
    for twice in (pd.DataFrame(X60, columns=["a", "a"]), pa.table([X60[:, 0], X60[:, 1]], names=["a", "a"])):
        for call in (lambda: kind(**options).fit(twice, y), lambda: model.predict(twice)):  # noqa: B023
            with pytest.raises(ValueError, match=r"column 'a' is there more than once|2 columns 'a'"):
                call()


# ── arrays that may only be read ──


def locked(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "lbfgs", "auto"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_may_only_be_read_is_learned_from(kind, solver, dtype):
    X, y = problem(kind)
    X, weight = X.astype(dtype), np.linspace(1, 2, len(X))
    results = []
    for dress in (np.array, locked):
        model = kind(**QUICK | {"solver": solver}, warm_start=solver != "auto", early_stopping=True)
        given = dress(X), dress(y), dress(weight)
        model.fit(*given, X_val=dress(X[:9]), y_val=dress(y[:9]))
        if solver != "auto":
            model.coefs_ = [dress(W) for W in model.coefs_]
            model.intercepts_ = [dress(b) for b in model.intercepts_]
        model.fit(*given, X_val=dress(X[:9]), y_val=dress(y[:9]))
        results.append(output(model, dress(X)))
    np.testing.assert_array_equal(*results)


def test_networks_of_what_may_only_be_read():
    X, Y = X60.T, YES[np.newaxis].astype(float)
    results = []
    for dress in (np.array, locked):
        network = Network([2, 3, 1], rng=0)
        network.theta, network.layers[0].W = dress(network.theta + 1), dress(np.ones((3, 2)))
        weight = dress(np.linspace(1, 2, 60))
        for optimizer in ("adam", "lbfgs"):
            network.train(dress(X), dress(Y), weight=weight, epochs=3, optimizer=optimizer, rng=1)
        results.append(network.theta)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_tabular_estimators_of_what_may_only_be_read(kind):
    results = []
    for dress in (np.array, locked):
        given = dress(X60[:40]), dress(YES[:40].astype(int)), dress(np.linspace(1, 2, 40))
        results.append(kind(random_state=0).fit(*given).predict(dress(X60)))
    np.testing.assert_array_equal(*results)


# ── several targets with gaps ──


def gappy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    Y = np.c_[X[:, 0] - X[:, 1], np.tanh(2 * X[:, 2])]
    return X, Y, np.where(rng.random(Y.shape) < 0.4, np.nan, Y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "dress",
    [np.array, np.ma.masked_invalid, lambda y: np.where(np.isnan(y), None, y), lambda y: y.tolist()],
    ids=["NaN", "masked", "None", "lists"],
)
def test_targets_that_are_not_known_are_left_out(dress, solver):
    X, Y, gaps = gappy()
    options = {"hidden_layer_sizes": (16,), "max_iter": 150, "learning_rate_init": 0.02, "random_state": 0}
    model = MLPRegressor(loss="masked_squared_error", solver=solver, **options).fit(X, dress(gaps))
    assert model.score(X, Y) > 0.9
    known, A = ~np.isnan(gaps).T, model.predict(X).T
    each = [1 - np.mean((y[k] - a[k]) ** 2) / np.var(y[k]) for y, a, k in zip(gaps.T, A, known, strict=True)]
    assert model.score(X, dress(gaps)) == pytest.approx(np.mean(each))
    assert isinstance(str(model.diagnose()), str)
    whole = [MLPRegressor(loss=loss, solver=solver, **options).fit(X, Y) for loss in ("squared_error", model.loss)]
    np.testing.assert_array_equal(whole[0].predict(X), whole[1].predict(X))


def test_a_target_that_is_not_known_moves_nothing():
    """A row whose second target is unknown does what it does in a network of the first target alone."""
    X, Y, _ = gappy()
    network = Network([3, 4, 2], loss="masked_squared_error", rng=0)
    first = Network([3, 4, 1], loss="squared_error", rng=0)
    first.layers[0].W, first.layers[0].b = network.layers[0].W, network.layers[0].b
    first.layers[1].W, first.layers[1].b = network.layers[1].W[:1], network.layers[1].b[:1]
    unknown = np.where([[True], [False]], Y.T, np.nan)
    assert network.gradient(X.T, unknown) == pytest.approx(first.gradient(X.T, Y.T[:1]))
    np.testing.assert_allclose(network.layers[0].dW, first.layers[0].dW, rtol=1e-12)
    np.testing.assert_array_equal(network.layers[1].dW[1], 0)
    assert netwright.check_gradient(network, X.T, unknown) < 1e-6


def test_gaps_that_nothing_can_be_learned_from():
    X, Y, gaps = gappy()
    with pytest.raises(ValueError, match=r"row \d+, column \d .* or take loss='masked_squared_error'"):
        MLPRegressor().fit(X, gaps)
    with pytest.raises(ValueError, match=r"y's column 1 \(counted from 0\) has no value in any row"):
        MLPRegressor(loss="masked_squared_error").fit(X, np.c_[Y[:, 0], np.full(120, np.nan)])
    with pytest.raises(ValueError, match="solver='auto' learns from whole targets only"):
        MLPRegressor(loss="masked_squared_error", solver="auto").fit(X, gaps)
