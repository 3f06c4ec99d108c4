"""One table in many dresses: train_table, its models and the tabular estimators decide and predict alike of all."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from netwright import MLPClassifier, TabularClassifier, read_table, train_table
from netwright.tables.frame import Frame
from netwright.tables.memory import frame_of
from netwright.tables.write import write_table

N = 80
RNG = np.random.default_rng(0)
SIZE = np.where(np.arange(N) % 7 == 0, np.nan, RNG.normal(size=N))
PLAIN = {
    "size": [None if np.isnan(v) else v for v in SIZE.tolist()],
    "colour": [["red", "blue", None][i % 3] for i in range(N)],
    "count": RNG.integers(1, 6, N).tolist(),
    "day": [datetime(2024, 1, 1) + timedelta(days=int(d)) for d in RNG.integers(0, 300, N)],
    "worded": [f"{v:.2f}" for v in RNG.normal(size=N)],  # numbers that somebody made texts of
    "pick": RNG.choice(["1", "2", "3"], N).tolist(),  # and few whole ones
}
Y = np.where(np.nan_to_num(SIZE) > 0, "in", "out").tolist()
WHOLE = PLAIN | {"y": Y}
SAID = {
    "size": "number", "colour": "category", "count": "number", "day": "date", "worded": "number", "pick": "category",
}  # fmt: skip


def records(table):
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def structured(table):
    kinds = {"size": float, "count": int, "day": "datetime64[us]", "worded": "U8"}
    array = np.empty(N, [(name, kinds.get(name, object)) for name in table])
    for name, values in table.items():
        array[name] = values
    return array


def masked(table):
    return table | {"size": np.ma.array(np.where(np.isnan(SIZE), 1e20, SIZE), mask=np.isnan(SIZE))}


def arrays(table):
    return {name: np.array(values, object if name == "colour" else None) for name, values in table.items()} | {
        "size": SIZE
    }


def pandas(table, how=None, **options):
    frame = pytest.importorskip("pandas").DataFrame(table)
    return getattr(frame, how)(**options) if how else frame


def categories(table):
    return pandas(table).astype({"colour": "category", "pick": "category"})


def polars(table, kind="DataFrame"):
    return getattr(pytest.importorskip("polars"), kind)(table)


def polars_categories(table):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(table).cast({"colour": pl.Categorical, "pick": pl.Enum(["1", "2", "3"])})


def arrow(table, kind="table"):
    return getattr(pytest.importorskip("pyarrow"), kind)(table)


def arrow_dictionaries(table):
    pa = pytest.importorskip("pyarrow")
    return pa.table({n: pa.array(v).dictionary_encode() if n in ("colour", "pick") else v for n, v in table.items()})


DRESSES = {
    "arrays": arrays,
    "masked": masked,
    "records": records,
    "structured": structured,
    "masked structured": lambda table: np.ma.array(structured(table)),
    "pandas": pandas,
    "pandas, nullable": lambda table: pandas(table, "convert_dtypes"),
    "pandas, Arrow-backed": lambda table: pandas(table, "convert_dtypes", dtype_backend="pyarrow"),
    "pandas, categories": categories,
    "polars": polars,
    "polars, lazy": lambda table: polars(table, "LazyFrame"),
    "polars, categories": polars_categories,
    "Arrow table": arrow,
    "Arrow batch": lambda table: arrow(table, "record_batch"),
    "Arrow dictionaries": arrow_dictionaries,
}


@pytest.fixture(scope="module")
def usual():
    """A model and an estimator that saw the table as a mapping of lists."""
    quick = {"hidden": (3,), "epochs": 2}
    return train_table(WHOLE, "y", **quick), TabularClassifier(random_state=0, max_time=0.01).fit(PLAIN, Y)


@pytest.mark.parametrize("dress", DRESSES)
def test_a_table_in_memory_is_the_same_in_every_dress(dress, usual):
    model, estimator = usual
    table, X = DRESSES[dress](WHOLE), DRESSES[dress](PLAIN)
    fitted = train_table(table, "y", hidden=(3,), epochs=2)
    assert {name: kind for name, kind, *_ in fitted.encoder.describe()} == SAID
    np.testing.assert_array_equal(fitted.network.theta, model.network.theta)
    np.testing.assert_array_equal(fitted.predict_proba(PLAIN), model.predict_proba(X))
    assert model.evaluate(table) == model.evaluate(WHOLE)
    again = TabularClassifier(random_state=0, max_time=0.01).fit(X, Y)
    assert again.encoder_ == estimator.encoder_
    assert {name: kind.replace("scaled ", "") for name, kind, *_ in again.describe()} == SAID
    np.testing.assert_array_equal(estimator.predict_proba(X), estimator.predict_proba(PLAIN))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_in_a_file_is_the_same(ending, usual, tmp_path):
    model, path = usual[0], tmp_path / f"t.{ending}"
    write_table(path, Frame.from_arrays(WHOLE))
    told = {"categorical": ["pick"]} if ending == "csv" else {}  # which knows of no texts
    fitted = train_table(path, "y", hidden=(3,), epochs=2, **told)
    assert fitted.encoder.feature_names == model.encoder.feature_names
    np.testing.assert_array_equal(fitted.predict_proba(PLAIN), model.predict_proba(path))


KINDS = {
    "whole numbers": [3, 1, 2, 3] * 10,
    "numbers": [0.5, 1.5, 0.5, 2.5] * 10,
    "truth": [True, False, True, True] * 10,
    "texts": ["x", "y", "x", None] * 10,
}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_category_is_one_whatever_its_levels_are(kind, ordered):
    pd = pytest.importorskip("pandas")
    values = KINDS[kind]
    table = {"c": pd.Categorical(values, ordered=ordered), "v": np.arange(40.0) ** 2, "y": ["a", "b"] * 20}
    model = train_table(table, "y", hidden=(2,), epochs=1)
    estimator = TabularClassifier(random_state=0, max_time=0.01).fit({n: table[n] for n in "cv"}, table["y"])
    for described in (model.encoder.describe(), estimator.describe()):
        assert described[0][:2] == ("c", "category")
    plain = table | {"c": values}
    np.testing.assert_array_equal(model.predict_proba(plain), model.predict_proba(table))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (np.array([90, "NaT"], "timedelta64[s]"), "number", [90, None]),
        (np.ma.array(np.array([90, 1], "timedelta64[s]"), mask=[0, 1]), "number", [90, None]),
        (["1.5", "NA", "-2"], "number", [1.5, None, -2]),
        (["1", "2", None], "text", ["1", "2", None]),
        (["NA", "x", ""], "text", ["NA", "x", ""]),  # as in Parquet: a table with types of its own has None
        (["2024-01-31", "", "2024-02-01"], "date", [np.datetime64("2024-01-31"), None, np.datetime64("2024-02-01")]),
    ],
)
def test_what_texts_and_durations_are(values, kind, expected):
    frame = frame_of({"c": values})
    assert frame.kind("c") == kind
    assert [None if gone else v for v, gone in zip(frame.column("c"), frame["c"].missing, strict=True)] == expected
    exact = frame_of({"c": values}, exact=["c"])
    assert exact.kind("c") == ("text" if isinstance(values, list) else kind)


def test_numbers_above_2_to_53_with_gaps_are_identifiers():
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    values = [2**60 + 1, None]
    for dress in (pd.Series(values, dtype="Int64"), pl.Series(values), pa.array(values), pa.chunked_array([values])):
        assert frame_of({"c": dress}).column("c").tolist() == [str(2**60 + 1), None]


class Later:
    """A query of some library."""

    columns = ("a",)

    def compute(self):
        raise AssertionError


def lazies():
    duckdb = pytest.importorskip("duckdb")
    return [(Later(), r"compute\(\)"), (duckdb.sql("select 1 as a"), r"df\(\)")]


def test_what_is_not_read_yet_is_refused():
    for query, call in lazies():
        for use in (
            lambda: train_table(query, "a"),  # noqa: B023
            lambda: TabularClassifier().fit(query, [0]),  # noqa: B023
            lambda: MLPClassifier().fit(query, [0]),  # noqa: B023
        ):
            with pytest.raises(ValueError, match=rf"whose rows are not read yet: hand over its {call}"):
                use()


@pytest.mark.parametrize("cell", [[1], {"a": 1}, b"x", 1j, object()], ids=lambda cell: type(cell).__name__)
def test_what_no_cell_holds_is_refused_by_name_and_may_be_left_out(cell):
    table = {"v": np.arange(20.0) ** 2, "odd one": [cell] * 20, "y": ["a", "b"] * 10}
    X = {name: table[name] for name in ("v", "odd one")}
    with pytest.raises(ValueError, match=f"column 'odd one', index 0: a {type(cell).__name__} in a cell"):
        train_table(table, "y")
    with pytest.raises(TypeError, match=f"column 'odd one', index 0: a {type(cell).__name__} in a cell"):
        TabularClassifier().fit(X, table["y"])
    model = train_table(table, "y", drop=["odd one"], hidden=(2,), epochs=1)
    assert len(model.predict(table)) == 20
    estimator = TabularClassifier(columns={"odd one": "drop"}, max_time=0.01).fit(X, table["y"])
    assert len(estimator.predict(X)) == 20


def test_texts_that_spell_a_gap_are_one_where_training_had_gaps():
    """As models learned that had them read as gaps: from CSV, or by the estimators of old."""
    table = {"c": ["x", "y", None, "y"] * 10, "v": np.arange(40.0) ** 2, "y": ["a", "b"] * 20}
    model = train_table(table, "y", hidden=(2,), epochs=1)
    spelled = table | {"c": ["x", "y", "NA", "y"] * 10}
    np.testing.assert_array_equal(model.predict_proba(spelled), model.predict_proba(table))
    known = train_table(spelled, "y", hidden=(2,), epochs=1)
    assert known.encoder.feature_names[:3] == ["c = NA", "c = x", "c = y"]


def test_a_target_in_memory_keeps_its_type():
    table = {"v": np.arange(40.0) ** 2, "y": ["1.5", "NA"] * 20}
    assert train_table(table, "y", hidden=(2,), epochs=1).target.classes == ["1.5", "NA"]


def test_dates_of_text_are_read_as_in_training(tmp_path):
    days = [f"{1 + i % 12:02d}/{1 + i % 28:02d}/2024" for i in range(40)]
    table = {"day": days, "v": np.arange(40.0) ** 2, "y": ["a", "b"] * 20}
    model = train_table(table, "y", hidden=(2,), epochs=1)
    assert model.encoder.describe()[0][:2] == ("day", "date")
    assert model.reading["date_format"] == {"day": "%m/%d/%Y"}
    one = {name: values[:1] for name, values in table.items()}  # which might be either
    np.testing.assert_allclose(model.predict_proba(one), model.predict_proba(table)[:1])
    (tmp_path / "t.csv").write_text("day,v,y\n" + "".join(f"{d},{i * i},x\n" for i, d in enumerate(days)))
    np.testing.assert_allclose(model.predict_proba(tmp_path / "t.csv"), model.predict_proba(table))
    assert read_table(tmp_path / "t.csv").kind("day") == "date"
