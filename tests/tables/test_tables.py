"""Encoders: against closed forms and scikit-learn, through JSON and back, and in the face of tables that went wrong."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from netwright.tables.column import spelling
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.read import read_table
from netwright.tables.statistics import moments
from netwright.tables.target import TargetEncoder

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
NAN = float("nan")


def frame(**columns):
    return Frame.from_arrays(columns)


def through_json(encoder):
    return type(encoder).from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))


def dates(*texts):
    return np.array(texts, dtype="datetime64[us]")


# ── features ──


def test_numbers_as_standard_scaler_has_them():
    X = np.random.default_rng(0).normal(3, [1e-3, 1, 1e6], size=(50, 3))
    weight = np.random.default_rng(1).uniform(0, 2, size=50)
    encoder = TableEncoder.fit(Frame.from_arrays(X), weight=weight)
    got = encoder.transform(Frame.from_arrays(X))
    np.testing.assert_allclose(got.T, StandardScaler().fit(X, sample_weight=weight).transform(X), rtol=1e-9, atol=1e-9)
    assert got.shape == (3, 50)
    assert got.flags.f_contiguous  # a sample's features lie side by side
    assert encoder.feature_names == ["x0", "x1", "x2"]


def test_categories_as_one_hot_encoder_has_them():
    values = np.random.default_rng(0).choice(["b", "a", "ü", ""], size=40).astype(object)
    encoder = TableEncoder.fit(frame(c=values, t=values == "a"))
    expected = [OneHotEncoder(sparse_output=False).fit_transform(v.reshape(-1, 1)) for v in (values, values == "a")]
    np.testing.assert_array_equal(encoder.transform(frame(c=values, t=values == "a")).T, np.hstack(expected))
    assert encoder.feature_names == ["c = ", "c = a", "c = b", "c = ü", "t = false", "t = true"]


def test_missing_values():
    train = frame(x=[1, 3, None], y=[1, 2, 3], c=["a", None, "b"], d=dates("2024-01-01", "NaT", "2024-01-03"))
    encoder = TableEncoder.fit(train)
    assert encoder.feature_names == [
        "x", "x is missing", "y", "c = a", "c = b", "c is missing", "d days", "d is missing",
    ]  # fmt: skip
    third = np.sqrt(1.5)
    np.testing.assert_allclose(
        encoder.transform(train).T,
        [[-1, 0, -third, 1, 0, 0, -1, 0], [1, 0, 0, 0, 0, 1, 0, 1], [0, 1, third, 0, 1, 0, 1, 0]],
        atol=1e-12,
    )
    nothing = frame(x=[None], y=[None], c=[None], d=[None])  # y was never missing in training: the mean, no mark
    np.testing.assert_array_equal(encoder.transform(nothing).T, [[0, 1, 0, 0, 0, 1, 0, 1]])


def test_dates_run_and_turn():
    train = frame(d=dates("2024-01-01", "2024-04-01T06:00", "2023-07-01T12:00"))
    encoder = TableEncoder.fit(train)
    assert encoder.feature_names == ["d days", "d month sin", "d month cos", "d hour sin", "d hour cos"]
    got = encoder.transform(train)
    days = np.array([0, 91.25, -183.5])
    np.testing.assert_allclose(got[0], (days - days.mean()) / days.std())
    np.testing.assert_allclose(got[1:].T, [[0, 1, 0, 1], [1, 0, 1, 0], [0, -1, 0, -1]], atol=1e-12)
    with pytest.raises(ValueError, match="column 'd', index 1: 'soon' is not a date"):
        encoder.transform(frame(d=[None, "soon"]))


def test_rare_and_unseen_levels():
    encoder = TableEncoder.fit(frame(c=list("aaabbcd"), e=list("aaabbbb")), max_levels=2)
    assert encoder.feature_names == ["c = a", "c = b", "c = (other)", "e = a", "e = b"]
    unseen = {}
    got = encoder.transform(frame(c=["b", "d", "new"], e=["a", "new", "newer"]), unseen)
    np.testing.assert_array_equal(got.T, [[0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]])
    assert unseen == {"e": {"new": 1, "newer": 1}}  # (other) has a place for c's


def test_levels_are_matched_by_what_they_mean():
    """'1' in training is 1.0 in a table whose column is all numbers, true is 'True', and so on."""
    for train, later in (
        (["1", "2", "x"], [1.0, 2.0, None]),
        ([1.0, 2.0, 2.5], ["1", "2.0", "x"]),
        ([True, False, True], ["True", "FALSE", "x"]),
        ([True, False, True], [1, 0, 7]),
    ):
        encoder = TableEncoder.fit(frame(c=train), categorical=["c"])
        unseen = {}
        got = encoder.transform(frame(c=later), unseen)
        np.testing.assert_array_equal(got[:, :2], encoder.transform(frame(c=train))[:, :2])
        assert got[:, 2].sum() == 0
        assert unseen == ({} if later[2] is None else {"c": {str(later[2]): 1}})


def test_columns_left_out_and_why():
    n = 30
    columns = {
        "x": np.random.default_rng(0).normal(size=n), "constant": [5] * n, "empty": [None] * n,
        "row": np.random.default_rng(0).permutation(n) + 1, "name": [f"n{i}" for i in range(n)],
        "often": ["a", "b", "c"] * 10, "odd": np.arange(n) * 2, "half": np.arange(n) + 0.5,
        "seldom": [1] + [None] * (n - 1),
    }  # fmt: skip
    encoder = TableEncoder.fit(Frame.from_arrays(columns))
    assert dict(encoder.dropped) == {
        "constant": "every row has the same value, '5'",
        "empty": "no row has a value",
        "row": "it numbers the rows, from 1 to 30",
        "name": "it names the rows: 30 different texts in 30 rows",
    }
    assert encoder.names() == ["x", "often", "odd", "half", "seldom"]
    assert encoder.notes[0] == "column 'constant' is left out: every row has the same value, '5'"
    rows = encoder.describe()
    assert [row[0] for row in rows] == [*encoder.names(), "constant", "empty", "row", "name"]
    assert [feature for row in rows for feature in row[3]] == encoder.feature_names
    asked = TableEncoder.fit(Frame.from_arrays(columns), categorical=["name"], max_levels=40)
    assert asked.names("category") == ["name", "often"]
    short = TableEncoder.fit(Frame.from_arrays({name: values[:20] for name, values in columns.items()}))
    assert {"row", "name"} <= set(short.names())  # 20 rows tell nothing
    with pytest.raises(ValueError, match=r"no column can be learned from \('c': every row"):
        TableEncoder.fit(frame(c=[1, 1]))


tables = st.integers(2, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "x": st.lists(st.none() | st.floats(-1e6, 1e6, width=32), min_size=n, max_size=n),
            "c": st.lists(st.none() | st.sampled_from("abcd"), min_size=n, max_size=n),
            "d": st.lists(st.none() | st.dates(), min_size=n, max_size=n),
            "weight": st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any),
        }
    )
)


@given(tables, st.integers(1, 3))
def test_weight_k_is_k_copies_and_0_is_none(table, max_levels):
    weight = np.array(table.pop("weight"))
    rows = Frame.from_arrays(table)
    copies = rows.take(np.repeat(np.arange(len(weight)), weight))
    spelled = [{spelling(value) for value in values} for values in copies.columns.values()]
    if all(len(values) == 1 for values in spelled):  # constant, or missing everywhere
        for args in ((rows, weight), (copies, None)):
            with pytest.raises(ValueError, match="no column can be learned from"):
                TableEncoder.fit(args[0], weight=args[1])
        return
    weighted = TableEncoder.fit(rows, weight=weight, max_levels=max_levels)
    copied = TableEncoder.fit(copies, max_levels=max_levels)
    assert weighted.feature_names == copied.feature_names
    assert weighted.notes == copied.notes
    # Where all copies agree to rounding, the std is rounding too.
    for one, two in zip(weighted.columns, copied.columns, strict=True):
        for key in ("mean", "std"):
            if hasattr(one, key):
                assert getattr(one, key) == pytest.approx(getattr(two, key), rel=1e-9, abs=1e-9)


@given(tables)
def test_encoders_survive_json(table):
    weight = np.array(table.pop("weight"))
    # Every name that a file, SQL or a format string could stumble over.
    rows = Frame.from_arrays(dict(zip(('x"\n', "c'; drop table t; --", "d {} ☃"), table.values(), strict=True)))
    try:
        encoder = TableEncoder.fit(rows, weight=weight)
    except ValueError:
        return
    again = through_json(encoder)
    assert again == encoder
    np.testing.assert_array_equal(again.transform(rows), encoder.transform(rows))
    shuffled = Frame(dict(reversed(rows.columns.items())) | {"extra": np.zeros(rows.n_rows)})
    np.testing.assert_array_equal(again.transform(shuffled), encoder.transform(rows))
    assert again.check(shuffled) == ["column 'extra' is new, and not used"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda d: d.pop("columns"),
        lambda d: d.update(more=1),
        lambda d: d.update(columns=[3]),
        lambda d: d.update(dropped=[["a"]]),
        lambda d: d["columns"][0].update(kind="module"),
        lambda d: d["columns"][0].update(kind=[]),
        lambda d: d["columns"][0].update(std=0.0),
        lambda d: d["columns"][0].update(std=NAN),
        lambda d: d["columns"][0].update(mean="0"),
        lambda d: d["columns"][0].update(mean=10**400),
        lambda d: d["columns"][0].update(mean=True),
        lambda d: d["columns"][0].update(marked=1),
        lambda d: d["columns"][0].update(name=None),
        lambda d: d["columns"][0].pop("name"),
        lambda d: d["columns"][1].update(levels="ab"),
    ],
)
def test_tampered_encoders_are_refused(harm):
    encoder = TableEncoder.fit(frame(x=[1, 2, 3], c=["a", "b", "a"], k=[1, 1, 1]))
    data = encoder.to_json()
    assert TableEncoder.from_json(data) == encoder
    harm(data)
    with pytest.raises((ValueError, KeyError, TypeError)):  # which `load` makes one sentence
        TableEncoder.from_json(data)


def test_tables_that_do_not_fit(tmp_path):
    encoder = TableEncoder.fit(frame(age=[1, 2, 3], colour=["r", "g", "r"], k=[1, 1, 1]))
    with pytest.raises(ValueError, match=r"has no columns 'age', 'colour', which training had; did you mean 'Age'\?"):
        encoder.transform(frame(Age=[1], size=[2]))
    with pytest.raises(ValueError, match=r"no column 'colour', which training had$"):
        encoder.transform(frame(age=[1]))
    path = tmp_path / "later.csv"
    path.write_text("age,colour\n1,r\nold,g\nold,g\n")
    with pytest.raises(ValueError, match="column 'age', line 3: 'old' is not a number"):
        encoder.transform(read_table(path))
    path.write_text("age,colour\n1,r\n\ninf,g\n")
    with pytest.raises(ValueError, match="column 'age', line 4: the value is inf"):
        encoder.transform(read_table(path))
    with pytest.raises(ValueError, match="column 'age', line 4: the value is inf"):
        TableEncoder.fit(read_table(path))
    with pytest.raises(ValueError, match="column 'age' holds dates"):
        encoder.transform(frame(age=dates("2024-01-01"), colour=["r"]))
    text, numbers = (encoder.transform(frame(age=age, colour=["r", "g"])) for age in (["1", "3"], [1, 3]))
    np.testing.assert_array_equal(text, numbers)
    assert encoder.transform(frame(age=[], colour=[])).shape == (3, 0)


def test_fits_that_are_refused():
    for options, word in (
        ({"categorical": ["xx"]}, "no column 'xx'; did you mean 'x'?"),
        ({"max_levels": 0}, "max_levels must be a whole number of at least 1, got 0"),
        ({"weight": [1]}, "weight must have one number a sample (2), got 1"),
        ({"weight": [1, -1]}, "not negative"),
        ({"weight": [0, 0]}, "weight is 0 for every sample"),
    ):
        with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are checked below
            TableEncoder.fit(frame(x=[1, 2]), **options)
        assert word in str(error.value)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_moments_stay_in_the_range_of_floats(scale):
    values, weight = np.array([-1.0, 0.5, 2.0]), np.array([1.0, 2.0, 1.0])
    copies = np.repeat(values, [1, 2, 1])
    expected = copies.mean() * scale, copies.std() * scale
    assert moments(values * scale, weight) == pytest.approx(expected, rel=1e-12, abs=0)


def test_penguins_by_hand():
    with PENGUINS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["species"] != "NA"]
    table = read_table(PENGUINS)
    encoder = TableEncoder.fit(table.drop(["species"]))
    X = dict(zip(encoder.feature_names, encoder.transform(table), strict=True))
    mass = np.array([np.nan if row["body_mass_g"] == "NA" else float(row["body_mass_g"]) for row in rows])
    expected = np.nan_to_num((mass - np.nanmean(mass)) / np.nanstd(mass))
    np.testing.assert_allclose(X["body_mass_g"], expected, atol=1e-12)
    np.testing.assert_array_equal(X["body_mass_g is missing"], np.isnan(mass))
    np.testing.assert_array_equal(X["island = Dream"], [row["island"] == "Dream" for row in rows])
    np.testing.assert_array_equal(X["sex is missing"], [row["sex"] == "NA" for row in rows])
    target = TargetEncoder.fit(table.column("species"), "species")
    Y = target.encode(table.column("species"))
    assert target.classes == ["Adelie", "Chinstrap", "Gentoo"]
    assert target.decode(Y).tolist() == [row["species"] for row in rows]
