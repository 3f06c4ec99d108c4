"""--skip-lines and --units-line: for the table that they are said of, and for no other."""

import json
import re

import pytest
from click.testing import CliRunner

from netwright.cli import main

ROWS = "".join(f"{i}.5,t{i % 3},{'ab'[i % 2]}\n" for i in range(40))
PLAIN = f"v,t,y\n{ROWS}"
ABOVE = "A title, and more\nof it\n\n"
QUICK = ("--hidden", "3", "--epochs", "2", "-o", "m")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.csv").write_text(PLAIN)
    (tmp_path / "units.csv").write_text(f"{ABOVE}v,t,y\nkg,-,\n{ROWS}")


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_lines_above_and_units_in_train_predict_and_evaluate():
    options = ("--skip-lines", 2, "--units-line")
    made = run("train", "units.csv", "-t", "y", *QUICK, *options)
    assert made.exit_code == 0, made.output
    assert "the table begins on line 4; what is above was skipped" in made.stderr
    assert "line 5 was skipped, as it holds the units: 'kg', '-', ''" in made.stderr

    scores = run("evaluate", "m", "units.csv", "--json", *options)
    assert json.loads(scores.stdout)["rows"] == 40
    # Another file has neither, and no row of it is lost.
    assert json.loads(run("evaluate", "m", "plain.csv", "--json").stdout) == json.loads(scores.stdout)
    assert len(run("predict", "m", "plain.csv").stdout.splitlines()) == 41
    assert run("predict", "m", "units.csv", *options).stdout == run("predict", "m", "plain.csv").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "m", "units.csv"), "line 2 has 1 fields where line 1 has 2; .* --skip-lines 3"),
        (("predict", "m", "units.csv", "--skip-lines", 3), "'kg' on line 5; .* a line of units .* with --units-line"),
        (("predict", "m", "plain.csv", "--units-line"), "line 2 holds '0.5'"),
        (("predict", "m", "plain.csv", "--skip-lines", 99), "the file has 41 lines"),
        (("predict", "m", "plain.csv", "--skip-lines", -1), "skip_lines must be a whole number of at least 0, got -1"),
        (("predict", "m", "plain.csv", "--skip-lines", "x"), "--skip-lines"),
        (("train", "units.csv", "--skip-lines", 3, "--units-line"), r"units.csv has \['v', 't', 'y'\]"),
    ],
)
def test_what_does_not_fit_is_said(arguments, said):
    run("train", "plain.csv", "-t", "y", *QUICK)
    result = run(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert re.search(said, result.stderr), result.stderr
