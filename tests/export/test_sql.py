"""The SQL export, run by DuckDB and by SQLite: right numbers, the table's rows as they were, no name a command."""

import os
import sqlite3
from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pytest

from exported import HOSTILE, everything, named, table_model
from netwright import Network
from netwright.export import sql
from netwright.export.export import BOUNDS, compared, trial
from netwright.export.expression import OPERATIONS, Expression
from netwright.export.program import Dense, Program, Target, TextColumn, run
from netwright.export.sql_words import DUCKDB, SQLITE, Query, defined, name, number, text, total

MODELS = dict(everything())
MATH = sqlite3.connect(":memory:").execute("SELECT sqlite_compileoption_used('ENABLE_MATH_FUNCTIONS')").fetchone()[0]
DIALECTS = [
    "duckdb",
    pytest.param(
        "sqlite", marks=pytest.mark.skipif(not MATH and "CI" not in os.environ, reason="SQLite without mathematics")
    ),
]
WORDS = {"duckdb": DUCKDB, "sqlite": SQLITE}
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def database(dialect):
    return duckdb.connect() if dialect == "duckdb" else sqlite3.connect(":memory:")


def query(program, dialect, table="data"):
    return sql.files(program, "m", dialect=dialect, table=table)["m.sql"].decode()


def written(program, tmp_path, dialect, table="data"):
    (tmp_path / "m.sql").write_text(query(program, dialect, table), "utf-8")
    return tmp_path


def as_table(connection, program, given, table="data", date="BIGINT"):
    """The trial as a table; times are microseconds, or of the type `date`, or given as such already."""
    duck = isinstance(connection, duckdb.DuckDBPyConnection)
    listed, marks = [], []
    for column in program.columns:
        kind = "text" if isinstance(column, TextColumn) else column.kind
        types = {"text": "VARCHAR", "number": "DOUBLE", "date": "TIMESTAMP" if duck and date == "BIGINT" else date}
        listed.append(f"{name(column.name)} {types[kind]}")
        marks.append("make_timestamp(CAST(? AS BIGINT))" if types[kind] == "TIMESTAMP" else "?")
    connection.execute(f"CREATE TABLE {name(table)} ({', '.join(listed)})")
    rows = zip(*(given[column.name] for column in program.columns), strict=True)
    connection.executemany(f"INSERT INTO {name(table)} VALUES ({', '.join(marks)})", [*map(list, rows)])


@each_dialect
@pytest.mark.parametrize("model", MODELS)
def test_the_query_gives_the_models_own_answers(model, dialect, tmp_path):
    program = MODELS[model].program()
    table = trial(program)
    found = sql.run(program, written(program, tmp_path, dialect), "m", table, dialect=dialect)
    difference, labels = compared(program, program.answers(table), found)
    assert difference <= BOUNDS[program.dtype]
    assert labels == 0


@each_dialect
def test_a_model_exports_itself_with_its_proof(dialect, tmp_path):
    proof = table_model(3).export(tmp_path / "m.sql", dialect=dialect, table="my table")
    assert proof.difference <= 1e-12
    assert 'FROM "my table"' in (tmp_path / "m.sql").read_text("utf-8")


@each_dialect
def test_every_operation_has_its_words_and_gives_numpys_numbers(dialect):
    words = WORDS[dialect]
    assert set(words.operations) == set(OPERATIONS)
    x = np.array([-40.0, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.3, 1.0, 1.5, 4.0, 40.0])
    connection = database(dialect)
    connection.execute("CREATE TABLE n (i INTEGER, x DOUBLE)")
    connection.executemany("INSERT INTO n VALUES (?, ?)", [*map(list, enumerate(x.tolist()))])
    positive = ("(abs(x) + 0.25e0)", np.abs(x) + 0.25)
    for operation, function in OPERATIONS.items():
        of, numbers = positive if operation in ("log", "sqrt", "power") else ("x", x)
        if operation == "log1p":
            of, numbers = "exp(-abs(x))", np.exp(-np.abs(x))
        if operation == "where":
            given, right = ("x > 0.3e0", "x", "2e0"), np.where(x > 0.3, x, 2)
        elif isinstance(function, np.ufunc) and function.nin == 1:
            given, right = (of,), function(numbers)
        else:
            given, right = (of, "0.3e0"), function(numbers, 0.3)
        said = words.operations[operation].format(*given)
        found = [row[0] for row in connection.execute(f"SELECT {said} FROM n ORDER BY i").fetchall()]
        np.testing.assert_allclose(np.array(found, float), right, rtol=4e-15, err_msg=operation)


@each_dialect
def test_own_activations_with_much_in_common_and_infinite_constants(dialect, tmp_path):
    z = Expression("z")
    shared = np.tanh(z) + 0.5
    twice = shared * shared + np.exp(shared)
    f = np.minimum(twice / (1 + twice) - np.where(twice > 2, twice, shared), np.inf)
    W, b = np.array([[0.3, -1.2], [2.0, 0.1]]), np.array([0.25, -0.5])
    program = Program(
        2, ((Dense(W, b, f, "own"),),), (1.0,), (Target("y", 0, 1), Target("", 1, 1)), "float64", print, (), ("a", "b")
    )
    x = trial(program)
    difference, _ = compared(
        program, run(program, x), sql.run(program, written(program, tmp_path, dialect), "m", x, dialect=dialect)
    )
    assert difference <= 1e-13


@each_dialect
def test_no_name_and_no_level_is_a_command(dialect):
    evil = "'); DROP TABLE t; --"
    program = table_model(len([each for each in HOSTILE if each])).program()
    program = replace(
        program, targets=(replace(program.targets[0], name=evil),), title=f"*/ \n{evil}\r\n.shell rm\u2028x"
    )
    assert {evil} & set(program.targets[0].classes)
    assert any(evil in column.codes for column in program.columns if isinstance(column, TextColumn))
    connection, table = database(dialect), f'{evil} "; DROP TABLE t'
    connection.execute("CREATE TABLE t AS SELECT 7 AS seven")
    given = trial(program)
    as_table(connection, program, given, table)
    said = query(program, dialect, table)
    before = connection.execute(f"SELECT * FROM {name(table)}").fetchall()
    if dialect == "duckdb":
        assert len(duckdb.extract_statements(said)) == 1
    rows = connection.execute(said).fetchall()  # SQLite's refuses a second statement
    assert connection.execute("SELECT * FROM t").fetchall() == [(7,)]
    assert connection.execute(f"SELECT * FROM {name(table)}").fetchall() == before
    classes = program.targets[0].classes
    labels = program.answers(given)[1][:, 0].tolist()
    assert [row[-1 - len(classes)] for row in rows] == [classes[label] for label in labels]
    header = said[: said.index("\nWITH\n")]
    assert all(line.startswith("--") for line in header.splitlines())


@each_dialect
def test_rows_come_in_their_order_with_all_of_their_columns(dialect):
    program = table_model(3).program()
    given, connection = trial(program), database(dialect)
    as_table(connection, program, given)
    connection.execute("ALTER TABLE data ADD COLUMN own INTEGER")
    connection.execute("UPDATE data SET own = 5")
    before = connection.execute("SELECT * FROM data").fetchall()
    found = connection.execute(query(program, dialect))
    names = [each[0] for each in found.description]
    rows = found.fetchall()
    first = dialect == "sqlite"  # whose first column is the rows' number
    width = first + len(before[0])
    assert [row[first:width] for row in rows] == before
    assert names[width:] == ["what'\" it is", *(f"probability {each}" for each in program.targets[0].classes)]
    if first:
        assert [row[0] for row in rows] == [*range(1, len(rows) + 1)]
    np.testing.assert_allclose([row[width + 1 :] for row in rows], program.answers(given)[0], rtol=1e-12)


def test_duckdb_keeps_the_order_of_many_rows_and_times_are_dates_too():
    program = MODELS["linear"].program()
    connection = duckdb.connect()
    connection.execute("CREATE TABLE data AS SELECT i, sin(i) AS x0, i AS x1, 1 AS x2 FROM range(300000) AS r(i)")
    found = connection.execute(query(program, "duckdb")).fetchnumpy()
    np.testing.assert_array_equal(found["i"], np.arange(300000))
    W, b = MODELS["linear"].layers[0].W, MODELS["linear"].layers[0].b
    right = (W @ np.array([np.sin(found["i"]), found["i"], np.ones(300000)]) + b)[0]
    np.testing.assert_allclose(found["output 0"], right, rtol=1e-12)


@each_dialect
def test_times_may_be_texts_and_dates(dialect):
    program = table_model().program()
    times = ["2021-03-04", "2021-03-04 05:06:07", "2021-03-04T05:06:07.25", "1969-12-31 23:59:59.999999"]
    given = trial(program, len(times))
    given["when"] = [(np.datetime64(each, "us") - np.datetime64(0, "us")).astype(int).item() for each in times]
    right = program.answers(given)[0][:, 0]
    connection = database(dialect)
    as_table(connection, program, given | {"when": times}, date="VARCHAR")
    found = [row[-1] for row in connection.execute(query(program, dialect)).fetchall()]
    np.testing.assert_allclose(found, right, rtol=1e-12)
    if dialect == "duckdb":
        connection.execute('ALTER TABLE data ALTER "when" TYPE DATE USING CAST(CAST("when" AS TIMESTAMP) AS DATE)')
        found = [row[-1] for row in connection.execute(query(program, dialect)).fetchall()]
        assert found[0] == pytest.approx(right[0], rel=1e-12)
        assert found[1] != pytest.approx(right[1], rel=1e-9)  # which has lost its hours


def categories():
    """A network that answers the place of its text: one that was a number, a truth value, a text and a date."""
    columns = []
    for was, levels in (
        ("number", ["3", "0.5", "-2"]),
        ("truth", ["false", "true", "0", "1"]),
        ("text", ["3", "a b", "a"]),
        ("date", ["2020-01-01", "2020-01-01T10:00:00"]),
    ):
        codes = {level: place % 2 if was == "truth" else place for place, level in enumerate(levels)}
        unseen = len(set(codes.values()))
        columns.append(TextColumn(was, was, codes, np.arange(unseen + 2.0)[:, None], unseen, unseen + 1))
    dense = Dense(np.eye(4), np.zeros(4), Expression("z"), "identity")
    targets = tuple(Target(f"place {column.name}", i, 1) for i, column in enumerate(columns))
    return Program(4, ((dense,),), (1.0,), targets, "float64", print, tuple(columns))


@each_dialect
@pytest.mark.parametrize(
    ("column", "kind", "values", "places"),
    [
        ("number", "DOUBLE", [3.0, 0.5, -2.0, 7.0, None], [0, 1, 2, 3, 4]),
        ("number", "INTEGER", [3, -2, None], [0, 2, 4]),
        ("number", "VARCHAR", ["3.0", "3", " .5 ", "x", "", None], [0, 0, 1, 3, 3, 4]),
        ("truth", "BOOLEAN", [True, False, None], [1, 0, 3]),
        ("truth", "VARCHAR", ["true", "TRUE", " False ", "1", "0", "maybe"], [1, 1, 0, 1, 0, 2]),
        ("truth", "DOUBLE", [1.0, 0.0], [1, 0]),
        ("text", "VARCHAR", ["a", " a b\t\n", "A", "3", "3.0", None], [2, 1, 3, 0, 3, 4]),
        ("text", "DOUBLE", [3.0, 3.5], [0, 3]),
        ("date", "VARCHAR", ["2020-01-01", "2020-01-01 10:00:00", "no", None], [0, 1, 2, 3]),
        ("date", "TIMESTAMP", ["2020-01-01 00:00:00", "2020-01-01 10:00:00", "2021-01-01 00:00:00"], [0, 1, 2]),
    ],
)
def test_texts_are_looked_up_as_training_spelled_them(dialect, column, kind, values, places):
    connection = database(dialect)
    kinds = {each: kind if each == column else "VARCHAR" for each in ("number", "truth", "text", "date")}
    connection.execute(f"CREATE TABLE data ({', '.join(f'{name(each)} {kind}' for each, kind in kinds.items())})")
    connection.executemany(f"INSERT INTO data ({name(column)}) VALUES (?)", [[each] for each in values])
    found = connection.execute(query(categories(), dialect))
    names = [each[0] for each in found.description]
    assert [row[names.index(f"place {column}")] for row in found.fetchall()] == places


def test_a_date_is_spelled_as_such_in_duckdb():
    connection = duckdb.connect()
    connection.execute("CREATE TABLE data (number INTEGER, truth BOOLEAN, text VARCHAR, date DATE)")
    connection.execute("INSERT INTO data VALUES (3, true, 'a', ?)", [date(2020, 1, 1)])
    assert connection.execute(query(categories(), "duckdb")).fetchall()[0][-4:] == (0, 1, 2, 0)


@pytest.mark.skipif(not MATH and "CI" not in os.environ, reason="SQLite without mathematics")
def test_sqlite_takes_numbers_from_texts_and_nothing_else():
    program = MODELS["linear"].program()
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE data (x0 TEXT, x1, x2)")
    connection.execute("INSERT INTO data VALUES ('1.50', 2, 3.0), ('1.5 m', 2, 3.0), ('', 2, 3), (x'31', 2, 3)")
    network = MODELS["linear"]
    found = [row[-1] for row in connection.execute(query(program, "sqlite"))]
    assert found[0] == pytest.approx(network.predict(np.array([[1.5], [2], [3]])).item(), rel=1e-14)
    assert found[1:] == [None] * 3


@each_dialect
@pytest.mark.parametrize("taken", ["net_given", "NET_columns", "_net_x"])
def test_tables_and_columns_may_be_named_as_the_querys_own(dialect, taken):
    program = replace(MODELS["linear"].program(), names=("net_row", "c0", "X"))
    connection = database(dialect)
    connection.execute(f"CREATE TABLE {name(taken)} (net_row DOUBLE, c0 DOUBLE, X DOUBLE, A DOUBLE, a1 DOUBLE)")
    connection.execute(f"INSERT INTO {name(taken)} VALUES (1, 2, 3, 4, 5)")
    found = connection.execute(query(program, dialect, taken)).fetchall()[0][-1]
    assert found == pytest.approx(MODELS["linear"].predict(np.array([[1.0], [2], [3]])).item(), rel=1e-14)


@each_dialect
def test_many_classes_and_wide_layers(dialect, tmp_path):
    network = Network([300, 5, 260], ["tanh", "softmax"], loss="cross_entropy", rng=0)
    program = replace(network.program(), targets=(Target("which", 0, 260, tuple(range(-3, 257))),))
    x = trial(program, 40)
    right = run(program, x)
    difference, labels = compared(
        program, right, sql.run(program, written(program, tmp_path, dialect), "m", x, dialect=dialect)
    )
    assert difference <= 1e-12
    assert labels == 0


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"dialect": "oracle"}, "dialect 'oracle' is unknown; choose one of duckdb, sqlite"),
        ({}, {"dialect": None}, "dialect"),
        ({}, {"table": ""}, "without a name"),
        ({}, {"table": "a\0b"}, "character 0"),
        ({"names": ("a", "", "b")}, {}, "without a name"),
        ({"names": ("a", "b", "A")}, {}, "'a' and 'A' are one to SQL"),
        ({"names": ("a", "b", "c\0")}, {"dialect": "sqlite"}, "character 0"),
    ],
)
def test_what_sql_cannot_hold_is_refused(change, options, said):
    with pytest.raises((ValueError, TypeError), match=said):
        sql.files(replace(MODELS["linear"].program(), **change), "m", **options)


def test_a_layer_too_wide_for_sqlite_is_refused():
    program = Network([2500, 1], loss="squared_error", rng=0).program()
    assert sql.files(program, "m")
    with pytest.raises(ValueError, match="SQLite takes no table of more than 2,000 columns"):
        sql.files(program, "m", dialect="sqlite")


@each_dialect
def test_literals_come_back(dialect):
    connection, chr = database(dialect), {"duckdb": "chr", "sqlite": "char"}[dialect]
    for each in [*HOSTILE, "\0", "a\0b", "\n", "'"]:
        assert connection.execute(f"SELECT {text(each, chr)}").fetchall() == [(each,)]
    for x in [0.0, -0.0, 0.1, -0.1, 1.0, 1e22, -1.5e300, 5e-324, 3.0, np.inf, -np.inf]:
        said = connection.execute(f"SELECT {number(x)}").fetchall()[0][0]
        assert isinstance(said, float)
        assert said == pytest.approx(x, rel=1e-15)
    assert not number(-0.0).startswith("-")
    assert connection.execute(f"SELECT {total([number(1)] * 1234)}").fetchall() == [(1234.0,)]


def test_definitions_wait_for_those_that_they_are_made_of():
    assert defined(["t0=x + 1", "t1=t0 * t0", "t2=x * 2", "t3=t1 + t2"]) == [
        {"t0": "x + 1", "t2": "x * 2"},
        {"t1": "t0 * t0"},
        {"t3": "t1 + t2"},
    ]
    assert Query(MODELS["linear"].program(), "NET", "", DUCKDB).prefix == "_net"


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_names_keep_each_end_of_a_line(tmp_path, dialect):
    for end in ("\r", "\r\n", "\n"):
        assert named(f"a{end}b").export(tmp_path / "m.sql", dialect=dialect).difference <= 1e-12
