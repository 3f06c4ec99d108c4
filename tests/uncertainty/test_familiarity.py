"""Rows that are out of place: p-values spread evenly over rows like those learned from, small for others."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import kstest

import netwright
from netwright import TabularClassifier, train_table
from netwright.cli import main
from netwright.files.container import read, write
from netwright.files.schema import check
from netwright.tables.frame import Frame
from netwright.tables.write import write_table
from netwright.uncertainty.familiarity import AXES, FAMILIARITY, FLOOR, Familiarity, learn_familiarity

UNKNOWN = "nothing says which rows this model is familiar with: its file is from before that was told"


def rows(n, seed=0, inputs=12):
    """Inputs that go together in pairs, of very different spread."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(inputs, n))
    X[1::2] = X[::2] + 0.2 * X[1::2]
    return X * np.geomspace(0.1, 10, inputs)[:, np.newaxis]


def distance(X, x, floor, weight=None):
    """Of the textbook: (x - m)ᵀ (C + λI)⁻¹ (x - m)."""
    m = np.average(X, axis=1, weights=weight)
    C = np.cov(X, aweights=weight, bias=True)
    return (x - m) @ np.linalg.solve(C + floor * np.eye(len(X)), x - m)


@pytest.mark.parametrize(("n", "inputs"), [(60, 12), (15, 40)])
@pytest.mark.parametrize("weighted", [False, True])
def test_distances_are_the_textbooks_and_each_row_is_measured_without_itself(n, inputs, weighted):
    X = rows(n, inputs=inputs)
    weight = np.random.default_rng(0).integers(1, 5, n).astype(float) if weighted else None
    found = learn_familiarity(X, weight)
    own = np.cov(X, aweights=weight, bias=True)
    assert found.floor == pytest.approx(FLOOR * np.trace(own) / inputs)
    new = rows(5, seed=1, inputs=inputs)
    expected = [distance(X, x, found.floor, weight) for x in new.T]
    np.testing.assert_allclose(found.distances(new), expected, rtol=1e-4)
    others = [np.arange(n) != i for i in range(n)]
    total = n if weight is None else weight.sum()
    alone = []
    for i, rest in enumerate(others):
        kept = None if weight is None else weight[rest]
        share = total / (n - 1 if weight is None else kept.sum())  # λ stays the same part of what all weigh
        alone.append(distance(X[:, rest], X[:, i], found.floor * share, kept))
    np.testing.assert_allclose(found.calibration.scores, np.sort(alone), rtol=1e-3)


def test_p_values_of_rows_like_those_are_spread_evenly_and_of_others_small():
    found = learn_familiarity(rows(400))
    fresh = rows(2000, seed=1)
    ps = found.of(fresh)
    assert kstest(ps, "uniform").statistic < 0.06
    assert ps.min() >= 1 / 401
    alike = [found.of(rows(1, seed)) for seed in range(100, 160)]
    assert kstest(np.concatenate(alike), "uniform").pvalue > 0.01
    rng = np.random.default_rng(2)
    apart = np.stack([rng.permutation(x) for x in fresh])  # each input alone is as it was
    assert np.mean(found.of(apart) < 0.05) > 0.5
    assert found.of(fresh[:, :1] + 100).max() == pytest.approx(1 / 401)


def test_what_is_all_alike_says_nothing():
    assert learn_familiarity(np.ones((3, 50))) is None
    assert learn_familiarity(np.arange(3.0)[:, np.newaxis]) is None


def test_of_wide_tables_the_main_axes_are_kept():
    X = rows(700, inputs=600)
    found = learn_familiarity(X)
    assert found.axes.shape == (600, AXES)
    assert kstest(found.of(rows(700, seed=1, inputs=600)), "uniform").statistic < 0.1


def test_a_file_keeps_it_to_the_bit():
    found = learn_familiarity(rows(100))
    said, tensors = found.to_json()
    said = json.loads(json.dumps(said))
    check(FAMILIARITY, said)
    np.testing.assert_array_equal(Familiarity.from_json(said, tensors, 12).of(rows(9)), found.of(rows(9)))
    with pytest.raises(ValueError, match="is not that of 13 inputs"):
        Familiarity.from_json(said, tensors, 13)
    with pytest.raises(ValueError, match="1 numbers that are not finite"):
        Familiarity.from_json(said, tensors | {"familiarity.centre": np.array([np.nan] + [0.0] * 11)}, 12)


# ── tables ──


def trips(n=500, seed=0, **more):
    """Hours go with distance, the price with both."""
    rng = np.random.default_rng(seed)
    km = rng.gamma(3, 100, n)
    hours = km / 80 + 0.2 * rng.normal(size=n)
    kind = rng.choice(["car", "bus"], n)
    price = 0.2 * km + 5 * hours + 10 * (kind == "car") + 5 * rng.normal(size=n)
    return {"km": km, "hours": hours, "kind": kind, "price": price} | more


def without_price(table):
    return {name: values for name, values in table.items() if name != "price"}


@pytest.fixture(scope="module", params=[None, [8]], ids=["mixture", "one"])
def model(request):
    return train_table(trips(), "price", hidden=request.param, **({"epochs": 20} if request.param else {}))


def test_rows_held_out_are_familiar_and_odd_ones_are_not(model):
    assert kstest(model.familiarity(model.held_out), "uniform").pvalue > 0.001
    fresh = without_price(trips(1000, seed=1))
    assert kstest(model.familiarity(fresh), "uniform").statistic < 0.11
    order = np.random.default_rng(0).permutation(1000)
    assert np.mean(model.familiarity(fresh | {"hours": fresh["hours"][order]}) < 0.05) > 0.4
    odd = {"km": [100.0], "hours": [12.0], "kind": ["car"]}  # each alone is ordinary
    assert model.familiarity(odd)[0] < 0.02
    usual = {"km": [300.0], "hours": [3.75], "kind": ["car"]}
    assert model.familiarity(usual)[0] > 0.2


@pytest.mark.filterwarnings("ignore:so that no two columns")
def test_predictions_have_a_column_for_it(model, tmp_path):
    fresh = without_price(trips(30, seed=1))
    made = model.predictions(fresh, familiarity=True)
    assert made.names == ["price", "familiarity"]
    np.testing.assert_array_equal(made.column("familiarity"), model.familiarity(fresh))
    taken = model.predictions(fresh | {"familiarity": fresh["km"]}, keep=["familiarity"], familiarity=True)
    assert taken.names == ["familiarity", "price", "familiarity of the row"]
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(netwright.load(tmp_path / "m").familiarity(fresh), model.familiarity(fresh))


def test_the_command_writes_it_and_tells_how_many_rows_are_unlike(model, tmp_path):
    fresh = without_price(trips(100, seed=1))
    fresh["hours"] = np.where(np.arange(100) < 7, 60.0, fresh["hours"])
    model.save(tmp_path / "m")
    write_table(tmp_path / "t.csv", Frame(fresh))
    done = CliRunner().invoke(main, ["predict", str(tmp_path / "m"), str(tmp_path / "t.csv"), "--familiarity"])
    assert done.stdout.splitlines()[0] == "price,familiarity"
    rare = int((model.familiarity(fresh) < 0.01).sum())
    assert rare >= 7
    assert (
        f"{rare} of 100 rows are unlike those learned from: a familiarity below 0.01, where 1 would be" in done.stderr
    )


def test_a_file_from_before_it_was_told_says_so(model, tmp_path):
    model.save(tmp_path / "new")
    kind, tensors, header = read(tmp_path / "new")
    del header["familiarity"]
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("familiarity")}
    write(tmp_path / "old", kind, kept, header)
    old, fresh = netwright.load(tmp_path / "old"), without_price(trips(5, seed=1))
    np.testing.assert_array_equal(old.predict(fresh), model.predict(fresh))
    for call in (lambda: old.familiarity(fresh), lambda: old.predictions("nowhere.csv", familiarity=True)):
        with pytest.raises(ValueError, match=UNKNOWN):
            call()


def test_the_report_has_a_line_on_it(tmp_path):
    write_table(tmp_path / "t.csv", Frame(trips(200)))
    words = ["train", "t.csv", "-t", "price", "-o", "m", "--report", "r.html", "--quiet", "--time-limit", "3s"]
    words = [str(tmp_path / word) if word in ("t.csv", "m", "r.html") else word for word in words]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert "of 40 rows held out are unlike those learned from" in (tmp_path / "r.html").read_text().replace(
        " is ", " are "
    )


def test_the_estimators_tell_it_too(tmp_path):
    table, fresh = trips(), without_price(trips(400, seed=1))
    model = TabularClassifier(random_state=0, max_time=4).fit(without_price(table), table["price"] > 80)
    assert kstest(model.familiarity(fresh), "uniform").statistic < 0.1
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(netwright.load(tmp_path / "m").familiarity(fresh), model.familiarity(fresh))
    nothing = TabularClassifier().fit(np.ones((30, 1)), np.arange(30) % 2)
    with pytest.raises(ValueError, match=UNKNOWN):
        nothing.familiarity(np.ones((2, 1)))
