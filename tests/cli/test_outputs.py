"""What predict writes beside the predictions, under which names, and what a terminal or a spreadsheet gets to see."""

import contextlib
import csv
import gzip
import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright import train_table
from netwright.cli import main
from netwright.core.arguments import visible
from netwright.tables import csv_columns
from netwright.tables.frame import Frame
from netwright.tables.spreadsheet import computed, disarmed
from netwright.tables.write import write_table

ROWS = 40
QUICK = {"hidden": (3,), "epochs": 2, "engine": "plain"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def table(path, **columns):
    """A CSV file of 40 rows; each column is a function of the row's number, beside x, a number."""
    columns = {"x": lambda i: i % 7 / 2, **columns}
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([columns, *([make(i) for make in columns.values()] for i in range(ROWS))])


def model(target="y", drop=(), **columns):
    """t.csv, with a column for the target if it has none, and m, a model of it."""
    table("t.csv", **columns if target in columns else columns | {target: lambda i: "ab"[i % 2]})
    train_table("t.csv", target, drop=drop, **QUICK).save("m")


def predicted(*more):
    """(header, rows, stderr) of the predictions as CSV."""
    result = run("predict", "m", "t.csv", *more)
    assert result.exit_code == 0, result.stderr
    head, *found = csv.reader(io.StringIO(result.stdout))
    assert len(found) == ROWS
    assert len(set(head)) == len(head)
    return head, found, result.stderr


# ── the row's own columns ──


OWN = {
    "code": lambda i: f"{i:03}",
    "id": lambda i: 1000 + i,
    "last, first": lambda i: f"Doe, {i}",
    "day": lambda i: f"2024-01-{1 + i % 28:02}",
    "all": lambda i: "yes" if i else "",
    "b  b": lambda i: f"{i / 4:.3f}",
}


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["id"], ["id"]),
        (["id,code"], ["code", "id"]),  # in the file's order
        (["id", "code", "id"], ["code", "id"]),
        (["code, id"], ["code", "id"]),
        (["last, first"], ["last, first"]),
        (['id,"last, first"'], ["id", "last, first"]),
        (['"all"'], ["all"]),
        (["b  b , id"], ["id", "b  b"]),
        (["y"], ["y"]),
        (["all"], ["x", *OWN, "y"]),
        (["id", "all"], ["x", *OWN, "y"]),
    ],
)
def test_the_rows_own_columns_stand_before_the_predictions(asked, kept):
    model(drop=list(OWN), **OWN)
    head, found, told = predicted(*(word for each in asked for word in ("--keep", each)))
    assert head == [*kept, "predicted y" if "y" in kept else "y", "probability a", "probability b"]
    assert ("the prediction is called 'predicted y'" in told) == ("y" in kept)
    with Path("t.csv").open(newline="") as file:
        for mine, theirs in zip(found, csv.DictReader(file), strict=True):
            for name, cell in zip(kept, mine, strict=False):
                assert cell == theirs[name]
    assert "not used" not in told
    bare = predicted()[1]
    assert [row[len(kept) :] for row in found] == bare


@pytest.mark.parametrize("small", [10**6, 0])
def test_from_csv_to_csv_every_cell_stays_as_it_is(small, monkeypatch):
    monkeypatch.setattr(csv_columns, "SMALL", small)
    odd = [
        "007",
        "1.50",
        " 5",
        "1e3",
        "NA",
        "",
        "yes",
        "TRUE",
        "31.1.2024",
        "-0",
        "é",
        'a"b',
        "a,b",
        "a\nb",
        "None",
        "+1",
    ]
    model(drop=["odd", "price"], odd=lambda i: odd[i % len(odd)], price=lambda i: f"{i}.00", x=lambda i: f"{i % 7}.50")
    _, found, _ = predicted("--keep", "all")
    with Path("t.csv").open(newline="") as file:
        assert [row[:4] for row in found] == list(csv.reader(file))[1:]
    frame = netwright.read_table("t.csv", spelled=True)
    assert frame.column("odd").tolist() == [text or None for text in (odd * 3)[:ROWS]]
    assert frame.column("price")[0] == "0.00"
    run("predict", "m", "t.csv", "--keep", "all", "-o", "out.parquet")
    assert netwright.read_table("out.parquet").column("price")[1] == 1.0
    made = netwright.load("m").predictions("t.csv", keep=["price"])
    assert made.column("price")[1] == 1.0


def test_a_new_column_is_of_use_when_it_is_kept():
    model()
    table("t.csv", id=OWN["id"], other=OWN["id"])
    head, _, told = predicted("--keep", "id")
    assert head == ["id", "y", "probability a", "probability b"]
    assert told == "note: column 'other' is new, and not used\n"


def test_columns_that_are_not_there_are_named_before_any_work(here):
    model(id=OWN["id"])
    for asked, words in {
        "ID": "no column 'ID'; did you mean 'id'?",
        "x,yy": "no column 'yy'; did you mean 'y'?",
        "": "no column ''",
    }.items():
        result = run("predict", "m", "t.csv", "-o", "out.csv", "--keep", asked)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        assert words in result.stderr
    assert not (here / "out.csv").exists()


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl", "csv.gz"])
def test_kept_columns_are_what_they_were_in_every_format(ending):
    model(drop=["id", "code"], code=OWN["code"], id=OWN["id"], day=OWN["day"])
    assert run("predict", "m", "t.csv", "-o", f"out.{ending}", "--keep", "all").exit_code == 0
    before, after = netwright.read_table("t.csv"), netwright.read_table(f"out.{ending}")
    assert after.names == [*before.names, "predicted y", "probability a", "probability b"]
    for name in before.names:
        np.testing.assert_array_equal(after.column(name), before.column(name))


# ── names ──


def letter(i):
    return "ab"[i % 2]


# what collides: (the target, its values, other columns, --keep, names in the output, how many are others than usual)
NAMES = {
    "nothing": ("y", letter, [], "x", ["x", "y", "probability a", "probability b"], 0),
    "the target and a probability": (
        "probability 1", lambda i: i % 2, [], "", ["probability 1", "probability 0", "probability of 1"], 1),
    "a column and a probability": (
        "y", letter, ["probability a"], "all",
        ["x", "probability a", "y", "predicted y", "probability of a", "probability b"], 2),
    "columns and all that could be": (
        "y", letter, ["predicted y", "probability of a", "probability a"], "all",
        ["x", "predicted y", "probability of a", "probability a", "y",
         "predicted y 2", "probability of a 2", "probability b"], 2),
    "a number's prediction and its column": ("y", lambda i: i / 3, [], "y", ["y", "predicted y"], 1),
    "a target that is called as a prediction": (
        "predicted y", letter, ["y"], "all",
        ["x", "y", "predicted y", "predicted predicted y", "probability a", "probability b"], 1),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
def test_no_two_columns_have_one_name(case):
    target, values, others, keep, names, renamed = NAMES[case]
    model(target, **dict.fromkeys(others, lambda i: i / 3), **{target: values})
    asked = ["--keep", keep] if keep else []
    head, found, told = predicted(*asked)
    assert head == names
    assert told.count("so that no two columns have one name") == bool(renamed)
    assert told.count(" is called ") == renamed
    if isinstance(values(0), str):
        assert {row[len(names) - 3] for row in found} <= {"a", "b"}
    for ending in ("parquet", "jsonl"):
        assert run("predict", "m", "t.csv", "-o", f"out.{ending}", *asked).exit_code == 0
        assert netwright.read_table(f"out.{ending}").names == names
    kept = ["x", *others, target] if keep == "all" else [keep] * bool(keep)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        made = netwright.load("m").predictions("t.csv", keep=kept)
    assert made.names == names
    assert [str(each.message) in told for each in warned] == [True] * bool(renamed)


def test_names_that_differ_in_case_only_are_others_where_the_format_does_not_tell_them_apart():
    model(A=lambda i: i / 3, a=lambda i: i / 4, y=lambda i: ["Ab", "ab", "AB"][i % 3])
    spelled = ["probability AB", "probability Ab", "probability ab"]
    assert predicted("--keep", "A,a")[0] == ["A", "a", "y", *spelled]
    assert predicted()[2] == ""
    for ending in ("parquet", "jsonl"):
        result = run("predict", "m", "t.csv", "-o", f"out.{ending}", "--keep", "A,a")
        assert "column 'a' is called 'a 2', the probability of 'Ab' is called 'probability of Ab'" in result.stderr
        names = ["A", "a 2", "y", "probability AB", "probability of Ab", "probability of ab 2"]
        assert netwright.read_table(f"out.{ending}").names == names
        with pytest.raises(ValueError, match=f"x.{ending}: the columns 'A' and 'a' differ in case only"):
            write_table(f"x.{ending}", Frame.from_arrays({"A": [1.0], "x": [1.0], "a": [2.0]}))


# ── spreadsheets ──


@pytest.mark.parametrize(
    ("text", "would"),
    [
        *[(text, True) for text in ("=1+1", "@SUM(A1)", "+1+1", "-2+3", "+cmd|' /C calc'!A0", "-A1", "\t=1", "\ra")],
        *[(text, True) for text in ("\nx", " =1", "\uff1d1+1", "=\n1", "-1-1", "+a", "-x y", "@me", "-1,2+A1", "- =a")],
        *[(text, False) for text in ("-5", "+3.2", "-1e-5", "+49 123 456", "-1,234.50", "-7%", "-.5", "a=1")],
        *[(text, False) for text in ("", "'=1", "x@y.z", "2024-01-01", "a-b", "(=1)", "é", "0", "-007")],
        *[(text, False) for text in ("-", "=", "+", "--", "+++", "- -", "\t", "-7 %", " -5 ")],
        *[(text + " " * 10**5 + "x", True) for text in ("+1", "=", "-")],
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_compute(text, would):
    assert computed(text) == would


def formulas():
    """A target whose name, classes and neighbour would be computed."""
    neighbours, classes = ["@SUM(A1)", "-5", "", "=1"], ["=1+1", "-1"]
    model("=y", drop=["-n"], **{"-n": lambda i: neighbours[i % 4], "=y": lambda i: classes[i % 2]})


@pytest.mark.parametrize("file", ["", "out.csv", "out.tsv.gz"])
def test_texts_that_a_spreadsheet_would_compute_have_a_mark_before_them(file):
    formulas()
    result = run("predict", "m", "t.csv", "--keep", "-n", *(["-o", file] if file else []))
    assert result.stderr.count("a spreadsheet would compute '=1': such texts have a ' before them") == 1
    if file:
        with gzip.open(file, "rt") if file.endswith("gz") else Path(file).open() as written:
            text = written.read()
    head, *found = csv.reader(io.StringIO(text if file else result.stdout), delimiter="\t" if "tsv" in file else ",")
    assert head == ["'-n", "'=y", "probability -1", "probability =1+1"]
    assert {row[0] for row in found} == {"'@SUM(A1)", "-5", "", "'=1"}
    assert {row[1] for row in found} <= {"'=1+1", "-1"}


@pytest.mark.parametrize("more", [("--raw",), ("--raw", "-o", "out.csv"), ("-o", "out.parquet"), ("-o", "out.jsonl")])
def test_raw_texts_and_those_of_formats_that_are_not_computed_are_as_they_are(more):
    formulas()
    result = run("predict", "m", "t.csv", "--keep", "-n", *more)
    assert "spreadsheet" not in result.stderr
    if "-o" not in more:
        Path("out.csv").write_text(result.stdout)
    made = netwright.read_table(next(Path().glob("out.*")))
    assert made.names == ["-n", "=y", "probability -1", "probability =1+1"]
    assert set(made.column("-n")) == {"@SUM(A1)", "-5", None, "=1"}


def test_a_name_with_the_mark_does_not_meet_one_that_has_it_already():
    frame, shown = disarmed(Frame.from_arrays({"'=a": [1.0], "=a": [2.0], "''=a": [3.0]}))
    assert (frame.names, shown) == (["'=a", "'''=a", "''=a"], "=a")


# ── terminals ──

WICKED = "\x1b[31m\x1b]0;title\x07\x9b1A\u202e"


def harmless(text):
    """Nothing in it but letters and ends of lines."""
    return not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_no_name_reaches_a_terminal_as_it_is():
    target, wicked = f"y{WICKED}", f"m{WICKED}"
    columns = {f"n{WICKED}": lambda i: i % 3, "text": lambda i: f"{i % 4}{WICKED}", "same": lambda i: WICKED}
    columns[target] = lambda i: f"{'ab'[i % 2]}{WICKED}"
    table("t.csv", **columns)
    table("new.csv", **columns | {"text": lambda i: f"new{WICKED}", f"more{WICKED}": lambda i: i})
    commands = [
        ("train", "t.csv", "-t", target, "-o", wicked, "--hidden", 3, "--epochs", 2, "--report", f"r{WICKED}.html"),
        ("show", wicked), ("evaluate", wicked, "new.csv"), ("predict", wicked, "new.csv", "-o", f"p{WICKED}.csv"),
        ("train", "t.csv", "-t", f"q{WICKED}"), ("train", "t.csv"), (WICKED,), ("train", f"x{WICKED}.csv", "-t", "y"),
        ("train", "t.csv", "-t", target, f"--o{WICKED}"), ("predict", wicked, "t.csv", "--keep", WICKED),
        ("show", f"no{WICKED}"), ("train", "t.csv", "-t", target, "-o", f"{WICKED}/m"),
    ]  # fmt: skip
    said = ""
    for command in commands:
        result = run(*command)
        assert harmless(result.output), command
        said += result.output
    for words in (r"\x1b[31m", r"\x9b1A", r"\u202e", r"n\x1b", r"a\x1b", r"new\x1b", r"more\x1b", r"p\x1b", r"--o\x1b"):
        assert words in said
    assert harmless(netwright.load(wicked).summary())


def test_letters_of_every_script_are_left_alone():
    text = "é ß 漢字 עברית العربية हिन्दी 👩‍👩‍👧 \\"
    assert visible(text) == text
    assert visible("a\tb\nc\udcff") == r"a\tb\nc\udcff"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_predictions_are_data_to_a_pipe_and_text_to_a_terminal():
    model(y=lambda i: f"{'ab'[i % 2]}{WICKED}")
    command = [sys.executable, "-m", "netwright", "predict", "m", "t.csv"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert WICKED in piped
    mine, theirs = os.openpty()
    showing = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(mine, 4096):
            seen += piece
    os.close(mine)
    assert showing.wait(timeout=60) == 0
    text = seen.decode().replace("\r\n", "\n")
    assert harmless(text)
    assert text.count("\n") == piped.count("\n")
