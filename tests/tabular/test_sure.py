"""Models of tables say how sure they are: `predict(…, interval=…)`, `predict --interval`, and the report."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright import TabularClassifier, TabularRegressor, train_table
from netwright.cli import main
from netwright.files.container import read, write
from netwright.tables.write import write_table
from netwright.tabular.insight import coverage
from small_tables import one_target, points, without

UNKNOWN = (
    "nothing says how sure this model is: it had no rows to calibrate on that it had not learned from, or its file"
)


def wave(n=900, seed=0, **more):
    """A number with noise that grows with `x`; classes of it."""
    rng = np.random.default_rng(seed)
    x, z = rng.random(n), rng.normal(size=n)
    y = 2 * z + 10 ** (x - 1) * rng.normal(size=n)
    return {"x": x, "z": z, "y": y, "class": np.array(["low", "middle", "high"])[np.digitize(y, [-1, 1])]} | more


@pytest.fixture(scope="module")
def number():
    return train_table(without(wave(), "class"), "y")


@pytest.fixture(scope="module")
def classes():
    return train_table(without(wave(), "y"), "class")


def test_intervals_hold_on_rows_never_seen_and_are_narrow_where_it_is_sure(number):
    table = without(wave(4000, seed=1), "class")
    value, low, high = number.predict(without(table, "y"), interval=0.9)
    np.testing.assert_array_equal(value, number.predict(without(table, "y")))
    assert 0.87 < np.mean((low <= table["y"]) & (table["y"] <= high)) < 0.94
    width = high - low
    assert 2 * width[table["x"] < 0.2].mean() < width[table["x"] > 0.8].mean()
    wider = number.predict(without(table, "y"), interval=0.99)
    assert (wider.high > high).all()


def test_sets_hold_on_rows_never_seen(classes):
    table = without(wave(4000, seed=1), "y")
    label, among = classes.predict(without(table, "class"), interval=0.95)
    np.testing.assert_array_equal(label, classes.predict(without(table, "class")))
    codes = classes.target.codes(table["class"])
    assert 0.93 < among[np.arange(4000), codes].mean() < 0.98
    assert 1 < among.sum(axis=1).mean() < 2
    assert among[np.arange(4000), classes.target.codes(label)].all()


@pytest.mark.parametrize("target", ["height", "tall", "size"])
@pytest.mark.parametrize("hidden", [None, [8]])
def test_a_file_keeps_it_to_the_bit(target, hidden, tmp_path):
    model = train_table(one_target(target), target, hidden=hidden, **({"epochs": 30} if hidden else {"max_seconds": 3}))
    model.save(tmp_path / "m")
    again, rows = netwright.load(tmp_path / "m"), without(one_target(target, seed=1), target)
    for ours, theirs in zip(model.predict(rows, interval=0.8), again.predict(rows, interval=0.8), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_network_goes_by_the_rows_held_out_and_says_that_they_chose():
    model = train_table(one_target("height"), "height", hidden=[8], epochs=40)
    assert any("intervals go by the 48 rows held out, which also say when to stop" in note for note in model.notes)
    assert model.network.margins[0].calibration.rows == 48
    assert coverage(model, model.held_out) is None
    alone = train_table(one_target("height"), "height", hidden=[8], epochs=40, validation=0)
    with pytest.raises(ValueError, match=UNKNOWN):
        alone.predict(one_target("height"), interval=0.9)


def test_a_file_from_before_there_were_intervals_says_so(number, tmp_path):
    number.save(tmp_path / "new")
    kind, tensors, header = read(tmp_path / "new")
    del header["mixture"]["margins"]
    write(tmp_path / "old", kind, tensors, header)
    old = netwright.load(tmp_path / "old")
    rows = without(wave(seed=1), "class", "y")
    np.testing.assert_array_equal(old.predict(rows), number.predict(rows))
    with pytest.raises(ValueError, match=UNKNOWN):
        old.predict(rows, interval=0.9)


def test_too_few_rows_and_levels_that_are_none_are_said_before_anything_is_read(number, tmp_path):
    few = train_table({name: values[:24] for name, values in one_target("height").items()}, "height", max_seconds=2)
    with pytest.raises(ValueError, match=r"interval=0.951 needs at least 20 rows .* learned from, and there are 19$"):
        few.predict("nowhere.csv", interval=0.951)
    with pytest.raises(ValueError, match=r"^interval must be a finite number between 0 and 1, both excluded, got 90$"):
        number.predictions("nowhere.csv", interval=90)


@pytest.mark.filterwarnings("ignore:so that no two columns")
def test_predictions_have_columns_for_it_with_names_of_their_own(number, classes):
    rows = without(wave(30, seed=1), "class", "y")
    made = number.predictions(rows, interval=0.9)
    assert made.names == ["y", "y low", "y high"]
    np.testing.assert_array_equal(made.column("y low"), number.predict(rows, interval=0.9).low)
    taken = number.predictions(rows | {"y low": rows["x"]}, keep=["y low"], interval=0.9)
    assert taken.names == ["y low", "y", "predicted y low", "y high"]
    made = classes.predictions(rows, interval=0.95)
    assert made.names[:3] == ["class", "class set", "probability high"]
    label, among = classes.predict(rows, interval=0.95)
    for told, best, inside, P in zip(made.column("class set"), label, among, classes.predict_proba(rows), strict=True):
        names = told.split(" | ")
        assert names[0] == best
        assert sorted(names) == [name for name, here in zip(classes.target.classes, inside, strict=True) if here]
        assert names == sorted(names, key=lambda name: -P[classes.target.classes.index(name)])


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_command_takes_percent(number, tmp_path):
    number.save(tmp_path / "m")
    rows = without(wave(30, seed=1), "class", "y")
    write_table(tmp_path / "rows.csv", netwright.tables.frame.Frame(rows))
    done = run("predict", tmp_path / "m", tmp_path / "rows.csv", "--interval", 90)
    assert done.exit_code == 0
    head, first, *_ = done.stdout.splitlines()
    assert head == "y,y low,y high"
    expected = [each[0] for each in number.predict(rows, interval=0.9)]
    np.testing.assert_allclose([float(cell) for cell in first.split(",")], expected, rtol=1e-9)
    for percent in (0, 100, -5, "nan"):
        done = run("predict", tmp_path / "m", tmp_path / "rows.csv", "--interval", percent)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "--interval must be a finite number between 0 and 100, both excluded" in done.stderr
    done = run("predict", tmp_path / "m", tmp_path / "rows.csv", "--interval", 99.99)
    assert done.exit_code == 2
    assert "interval=0.9999 needs at least 9,999 rows" in done.stderr


def test_the_report_shows_whether_it_keeps_its_word(number, classes, tmp_path):
    for model in (number, classes):
        levels, shares, size = coverage(model, model.held_out)
        assert levels == pytest.approx(np.arange(1, 20) / 20)
        asked = np.array(levels)
        right = np.array(shares)
        if model is number:
            assert np.abs(right - asked).max() < 0.12
            low, high = model.predict(model.held_out, interval=0.9)[1:]
            assert size == np.median(high - low)
        else:
            assert (right >= model.scores["accuracy"] - 1e-12).all()
    write_table(tmp_path / "t.csv", netwright.tables.frame.Frame(without(wave(300), "class")))
    done = run("train", tmp_path / "t.csv", "-t", "y", "-o", tmp_path / "m", "--report", tmp_path / "r.html", "--quiet")
    assert done.exit_code == 0
    page = (tmp_path / "r.html").read_text()
    assert "Does it know how sure it is?" in page
    assert re.search(r"Of 60 rows held out \d+\.\d% lay within what is said at 90%, which has a width of", page)


# ── the estimators ──


def test_the_estimators_say_it_too(tmp_path):
    table, fresh = wave(900), wave(3000, seed=1)
    X, rows = (without(each, "y", "class") for each in (table, fresh))
    regressor = TabularRegressor(random_state=0).fit(X, table["y"])
    value, low, high = regressor.predict(rows, interval=0.9)
    np.testing.assert_array_equal(value, regressor.predict(rows))
    assert 0.87 < np.mean((low <= fresh["y"]) & (fresh["y"] <= high)) < 0.94
    classifier = TabularClassifier(random_state=0).fit(X, table["class"])
    label, among = classifier.predict(rows, interval=0.95)
    np.testing.assert_array_equal(label, classifier.predict(rows))
    assert 0.93 < among[np.arange(3000), np.searchsorted(classifier.classes_, fresh["class"])].mean() < 0.98
    for model in (regressor, classifier):
        model.save(tmp_path / "m")
        again = netwright.load(tmp_path / "m").predict(rows, interval=0.9)
        for ours, theirs in zip(model.predict(rows, interval=0.9), again, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_rows_given_to_validate_on_calibrate_the_whole_mixture():
    table, held, fresh = wave(500), wave(200, seed=1), wave(3000, seed=2)
    X, X_val, rows = (without(each, "y", "class") for each in (table, held, fresh))
    model = TabularRegressor(random_state=0, max_time=4).fit(X, table["y"], X_val=X_val, y_val=held["y"])
    assert model.mixture_.margins[0].calibration.rows == 200
    _, low, high = model.predict(rows, interval=0.9)
    assert 0.82 < np.mean((low <= fresh["y"]) & (fresh["y"] <= high)) < 0.96


def test_a_model_that_predicts_the_same_for_every_row_is_sure_of_nothing():
    model = TabularRegressor().fit(np.ones((30, 1)), np.arange(30.0))
    with pytest.raises(ValueError, match=UNKNOWN):
        model.predict(np.ones((2, 1)), interval=0.9)


def test_weights_move_the_margins_as_copies_do():
    """Rows that count nothing are as if they were not there; others count more."""
    table = points(400)
    rng = np.random.default_rng(0)
    far = rng.random(400) < 0.5
    table["height"] = table["height"] + far * 8 * rng.normal(size=400)
    X = without(table, "height", "tall", "size", "count", "weight")
    light = TabularRegressor(random_state=0).fit(X, table["height"], np.where(far, 0.05, 1.0))
    heavy = TabularRegressor(random_state=0).fit(X, table["height"], np.where(far, 1.0, 0.05))
    narrow, wide = (model.predict(X, interval=0.8) for model in (light, heavy))
    assert 3 * np.mean(narrow.high - narrow.low) < np.mean(wide.high - wide.low)
