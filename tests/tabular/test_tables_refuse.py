"""The catalogue of bad input to tables, read, learned from and written: mistakes, and what is said of each."""

import inspect
import warnings

import numpy as np
import pytest

import netwright
from netwright import read_table, train_table
from netwright.tables.frame import Frame
from netwright.tables.write import write_table
from refusals import Odd, no_arguments, refusal, refused

nan, inf = float("nan"), float("inf")
RNG = np.random.default_rng(0)
TABLE = {"a": RNG.normal(size=40), "k": ["u", "v"] * 20, "y": [0, 1, 1, 0] * 10}
ONE = {"epochs": 1, "engine": "plain", "hidden": (2,)}


def one(table=TABLE, target="y", **options):
    return train_table(table, target, **ONE | options)


def mixture(**options):
    return train_table(TABLE, "y", **options)


@pytest.fixture(scope="module")
def model():
    return one()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = zip(*TABLE.values(), strict=True)
    (tmp_path / "t.csv").write_text("a,k,y\n" + "".join(f"{a:.3f},{k},{y}\n" for a, k, y in rows))
    return tmp_path


SPACE = vars(netwright) | {"read_table": read_table, "write_table": write_table} | globals()
MISTAKES = {  # code: words, and a set of values for {}
    "one(target={})": ["target", {"['y']", "5", "None", "b'y'"}],
    "one(target='z')": ["'z'"],
    "one(weights={})": ["weights", {"['y']", "5"}],
    "one(task={})": ["task", {"'x'", "5", "np.zeros(0)"}],
    "one(hidden={})": ["hidden", {"5", "'64'", "(0,)", "(1.5,)", "(True,)", "{4}", "np.array([4])"}],
    "one(drop={})": ["drop", {"5", "'a'", "[5]", "[None]", "{'a': 1}"}],
    "one(categorical={})": ["categorical", {"5", "'a'", "[5]", "None"}],
    "one(keep_columns={})": ["keep_columns", {"5", "'a'"}],
    "one(drop=['zz'])": ["'zz'"],
    "one(checkpoint={})": ["checkpoint", {"5", "''", "b'x'", "'a\\0b'"}],
    "one(resume={})": ["resume", {"5", "True", "''", "b'x'"}],
    "one(callbacks={})": ["callbacks", {"5", "['x']", "[lambda n: 1]", "'x'"}],
    "mixture(tell={})": ["tell", {"5", "'x'", "lambda: 1", "int"}],
    "one(ready={})": ["ready", {"5", "'x'", "lambda: 1"}],
    "one(reading={})": ["reading", {"5", "'x'", "['x']"}],
    "one(reading={'nonsense': 3})": ["reading has no option 'nonsense'; it has delimiter"],
    "one(reading={'null': ['u']})": ["reading has no option 'null'; did you mean 'nulls'?"],
    "train_table('t.csv', 'y', reading={{}: 3})": ["reading has no option", {"'deciml'", "'path'", "'needed'", "5"}],
    "one(engine={})": ["engine", {"'jet'", "5", "np.zeros(0)"}],
    "mixture(engine={})": ["engine", {"'jet'", "5"}],
    "mixture(n_threads={})": ["n_threads", {"0", "'x'", "True"}],
    "one(validation={})": ["validation", {"1", "-0.1", "nan", "'x'", "True"}],
    "one(seed={})": ["seed", {"-1", "1.5", "'x'", "True", "None"}],
    "one(l2={})": ["l2", {"-1", "'x'", "np.zeros(0)"}],
    "one({})": ["table", {"5", "[]", "None", "np.zeros(5)", "Odd()"}],
    "one({'a': {}, 'y': TABLE['y']})": ["'a'", {"5", "'text'", "None", "{1, 2}", "{1: 2}", "b'x'", "np.array(5)"}],
    "one({'a': [1, 2], 'y': [1]})": ["length"],
    "one({'a': [inf, 1] * 20, 'y': TABLE['y']})": ["'a'", "inf"],
    "one().predict({})": ["table", {"5", "None", "np.zeros(3)"}],
    "one().predict({'a': [], 'k': []})": ["no rows"],
    "one().predict({'a': [1.0]})": ["'k'"],
    "one().save({})": ["path", {"5", "None", "''", "b'x'"}],
    "read_table({})": ["path", {"5", "None", "''", "b'x'", "'a\\0b'"}],
    "read_table('none.csv')": ["none.csv"],
    "read_table('t.csv', delimiter={})": ["delimiter", {"';;'", "5", "'\\n'", "'\"'", "np.zeros(0)", "[]"}],
    "read_table('t.csv', decimal={})": ["decimal", {"''", "'abc'", "5", "'1'", "[]"}],
    "read_table('t.csv', thousands={})": ["thousands", {"'.'", "'12'", "5", "'1'"}],
    "read_table('t.csv', encoding={})": ["encoding", {
        "'utf-9'", "'hex'", "'rot13'", "'zlib'", "''", "5", "'undefined'", "'idna'", "'utf\\0-8'", "None"}],
    "read_table('t.csv', nulls={})": ["nulls", {"'NA'", "[5]", "5", "None", "b'NA'"}],
    "read_table('t.csv', date_format={})": ["date_format", {"'x'", "'%Q'", "5", "{'a': 5}", "['%d']"}],
    "read_table('t.csv', categorical={})": ["categorical", {"5", "'a'", "None"}],
    "read_table('t.csv', header={})": ["header", {"'x'", "1", "[]"}],
    "read_table('t.csv', skip_lines={})": ["skip_lines", {"-1", "'x'", "1.5", "True"}],
    "read_table('t.csv', units_line={})": ["units_line", {"'x'", "None", "1"}],
    "write_table({}, Frame({'a': np.zeros(2)}))": ["path", {"5", "None", "''", "b'x'"}],
    "write_table('x.csv', {})": ["frame", {"5", "None", "TABLE"}],
}  # fmt: skip


def cases(mistakes):
    """(code, words) of each row with each of its values."""
    for code, words in mistakes.items():
        for value in sorted(words[-1]) if isinstance(words[-1], set) else [""]:
            yield code.replace("{}", value, 1), [word for word in words if isinstance(word, str)]


@pytest.mark.parametrize(("code", "words"), list(cases(MISTAKES)))
@pytest.mark.usefixtures("here")
def test_a_mistake_is_named_in_one_sentence(code, words):
    said = refused(code, SPACE)
    assert [word for word in words if word.lower() not in said.lower()] == []


TAKEN = [  # (code, why)
    ("read_table('t.csv', thousands='')", "no separator"),
    ("read_table('t.csv', nulls=['a\\0'])", "a text that no cell holds makes none missing"),
    ("read_table('t.csv', nulls=(null for null in ['u']))", "a generator is a list"),
    ("read_table('t.csv', categorical=['zz'])", "the same options may be for several files"),
    ("read_table('t.csv', date_format={'zz': '%d'})", "the same options may be for several files"),
    ("one(drop=(name for name in ['a']))", "a generator is a list"),
    ("one(drop={'a'})", "columns to drop have no order"),
    ("one(callbacks=None)", "none at all"),
    ("one({'': TABLE['a'], 'y': TABLE['y']})", "a column without a name"),
]


@pytest.mark.parametrize(("code", "why"), TAKEN)
@pytest.mark.usefixtures("here")
def test_what_is_rightly_taken(code, why):
    exec(code, dict(SPACE))


def test_a_generator_of_names_is_not_used_up_by_the_checks(here):
    assert one(drop=(name for name in ["a"])).settings["drop"] == ["a"]
    assert read_table(here / "t.csv", nulls=(null for null in ["u"]))["k"].values[0] is None


ODD = [
    None, Odd(), "x", "", b"x", -1, 0, nan, inf, 10**30, 2.5, True, 1j, [], {}, {1}, no_arguments, np.array([]),
    np.array("x"), ["x"], {"x": 5}, int, "a\0b",
]  # fmt: skip
ALSO = ("column", "table", "x", "path")
SLOW = ("epochs", "batch_size", "hidden")  # of which a default takes long


def options_of(function):
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize("place", ["train_table", "read_table", "write_table", "a column", "predict", "evaluate"])
@pytest.mark.filterwarnings("ignore")
def test_every_argument_is_taken_or_named_whatever_it_is(place, here, model):
    calls = {
        "train_table": (one, options_of(train_table)),
        "read_table": (lambda **given: read_table(**{"path": "t.csv"} | given), options_of(read_table)),
        "write_table": (lambda **given: write_table(**{"path": "w.csv", "frame": Frame({"a": np.zeros(2)})} | given),
                        ["path", "frame"]),
        "a column": (lambda a: one({**TABLE, "a": a}), ["a"]),
        "predict": (model.predict, ["table"]),
        "evaluate": (model.evaluate, ["table"]),
    }  # fmt: skip
    call, names = calls[place]
    beside = {"max_seconds": 0.05} if place == "train_table" else {}
    for name in names:
        for value in ODD[1:] if name in SLOW else ODD:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    call(**beside | {name: value})
                except Exception as error:
                    said = refusal(error)
                    assert any(word in said for word in (name, *ALSO)), f"{name}={value!r}: {said}"
