"""Rows without a target, and classes that are spelled as a missing value is: what is asked, and what is answered."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright import train_table
from netwright.cli import main

FAST = ("-t", "y", "-o", "m", "--hidden", "none", "--epochs", "30", "--quiet")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(classes, name="t.csv"):
        lines = [f"{i % 7},{classes[i % len(classes)]}" for i in range(70)]
        (tmp_path / name).write_text("\n".join(["x,y", *lines]) + "\n")

    return write


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.mark.parametrize("classes", ["+-", ["NA", "EU"], ["None", "Some"], ["?", "!"], ["null", "one", "two"]])
def test_a_class_may_be_spelled_as_missing_values_are(here, classes):
    here(classes)
    asked = run("train", "t.csv", *FAST)
    assert asked.exit_code == 2
    gone = next(each for each in classes if each in ("-", "NA", "None", "?", "null"))
    for words in (f"('{gone}')", "--drop-missing-target", f"'{gone}' is a value (--null y=)"):
        assert words in asked.stderr
    for told in (("--null", "y="), ("--null", "")):
        assert run("train", "t.csv", *FAST, *told).exit_code == 0
        model = netwright.load("m")
        assert model.target.classes == sorted(classes)
        assert model.evaluate("t.csv")["accuracy"] > 0.3
    done = run("predict", "m", "t.csv")
    assert done.exit_code == 0, done.stderr
    assert f"probability {gone}" in done.stdout


def test_rows_without_a_target_are_left_out_when_asked(here):
    here(["a", "b", "", "NA", "b"])
    assert "28 of 70 rows, first on line 4; leave those rows out (--drop-missing-target)" in run(
        "train", "t.csv", *FAST
    ).stderr  # fmt: skip
    done = run("train", "t.csv", *FAST[:-1], "--drop-missing-target")
    assert done.exit_code == 0, done.stderr
    assert "note: the target 'y' is missing in 28 of 70 rows, first on line 4; they are left out" in done.stderr
    model = netwright.load("m")
    assert (model.target.classes, model.settings["rows"] + model.settings["held_out"]) == (["a", "b"], 42)
    assert run("evaluate", "m", "t.csv").exit_code == 2
    scored = run("evaluate", "m", "t.csv", "--json", "--drop-missing-target")
    assert json.loads(scored.stdout)["rows"] == 42
    assert "they are left out" in scored.stderr
    with pytest.warns(UserWarning, match="missing in 28 of 70 rows, first on line 4; they are left out"):
        again = model.evaluate("t.csv", drop_missing_target=True)
    assert again["accuracy"] == json.loads(scored.stdout)["accuracy"]
    assert len(model.predict("t.csv")) == 70  # which need no target


def test_numbers_to_regress_on_may_be_missing_too():
    table = {"x": np.arange(40.0) % 5, "y": [None if i % 8 == 0 else i / 3 for i in range(40)]}
    with pytest.raises(ValueError, match="missing in 5 of 40 rows, first on index 0; leave those rows out"):
        train_table(table, "y", epochs=2)
    model = train_table(table, "y", epochs=2, drop_missing_target=True)
    assert "the target 'y' is missing in 5 of 40 rows, first on index 0; they are left out" in model.notes
    with pytest.raises(ValueError, match="missing in 40 of 40 rows"):
        train_table(table | {"y": [None] * 40}, "y", drop_missing_target=True)


def test_options_of_one_column(here):
    here(["a", "b"])
    for option, value in (("--null", "z=-"), ("--date-format", "z=%d.%m.%Y")):
        assert "has no column 'z'" in run("train", "t.csv", *FAST, option, value).stderr
    assert run("train", "t.csv", *FAST, "--null", "x=3", "--null", "=NA()", "--date-format", "x=%Y%m%d").exit_code == 0
    model = netwright.load("m")
    assert model.reading == {"nulls": {"x": ["3"], "": ["=NA()"]}}
    assert model.encoder.columns[0].marked
