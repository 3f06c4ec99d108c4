"""Columns that number or name the rows are left out, unless somebody asks for them."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright import TabularClassifier, TabularRegressor, train_table
from netwright.cli import main

N = 60
TABLE = {
    "row": np.arange(N) + 7.0,
    "name": [f"n{i}" for i in range(N)],
    "x": np.sin(np.arange(N)),
    "same": ["c"] * N,
    "y": ["ab"[i % 2] for i in range(N)],
    "w": [1.0 + i % 3 for i in range(N)],
}
QUICK = {"hidden": (3,), "epochs": 2, "engine": "plain"}


class Enough(Exception):
    pass


def untrained(**options):
    """The model as it is before anything is learnt."""
    seen = []

    def stop(model):
        seen.append(model)
        raise Enough

    with pytest.raises(Enough):
        train_table(TABLE, "y", **options, ready=stop)
    return seen[0]


@pytest.mark.parametrize("one", [{}, QUICK])
@pytest.mark.parametrize("keep", [(), ("row",), ("name",), ("row", "name"), ("name", "x", "same")])
def test_what_is_kept_is_learned_from(keep, one):
    model = untrained(keep_columns=keep, **one)
    left = [name for name in ("row", "name") if name not in keep]
    assert set(model.encoder.names()) == {"row", "name", "x", "w"} - set(left)
    for name in ("row", "name"):
        told = [note for note in model.notes if note.startswith(f"column {name!r} is left out: it n")]
        assert [note.endswith(f"(with --keep-column {name!r} it is learned from)") for note in told] == [True] * (
            name in left
        )
    assert "column 'same' is left out: every row has the same value, 'c'" in model.notes  # it cannot tell anything
    assert model.settings.get("keep_columns", []) == sorted(keep)


def test_categories_are_kept_anyway():
    model = untrained(categorical=["row", "name"], keep_columns=["row"], **QUICK)
    assert model.encoder.names("category") == ["row", "name"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep_columns": ["rou"]}, "no column 'rou'; did you mean 'row'?"),
        ({"keep_columns": ["row"], "drop": ["row"]}, "column 'row' is dropped and cannot be kept"),
        ({"keep_columns": ["y"]}, "column 'y' is the target and cannot be kept"),
        ({"keep_columns": ["w"], "weights": "w"}, "column 'w' is the weights and cannot be kept"),
        ({"keep_columns": "row"}, "keep_columns must be a list of column names, got 'row'"),
    ],
)
def test_what_cannot_be_kept(options, words):
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        train_table(TABLE, "y", **options)


@pytest.mark.parametrize(("kind", "y"), [(TabularClassifier, TABLE["y"]), (TabularRegressor, TABLE["x"])])
def test_estimators_keep_them_too(kind, y):
    X = {name: TABLE[name] for name in ("row", "name", "w")}
    columns = {"row": "keep", "name": "keep"}
    model = kind(columns=columns, random_state=0, engine="plain", max_time=1e-9).fit(X, y)
    assert [kind for _, kind, _, _ in model.describe()] == ["scaled number", "many levels", "scaled number"]


def test_the_command_line_and_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = zip(*TABLE.values(), strict=True)
    Path("t.csv").write_text("\n".join([",".join(TABLE), *(",".join(map(str, row)) for row in rows)]) + "\n")
    command = ["train", "t.csv", "-t", "y", "--epochs", "2", "--hidden", "3"]
    told = CliRunner().invoke(main, command).stderr
    assert "note: column 'row' is left out: it numbers the rows, from 7 to 66 (with --keep-column 'row' it is" in told
    more = ["--keep-column", "row", "--keep-column", "name"]
    told = CliRunner().invoke(main, [*command, *more]).stderr
    assert "'row'" not in told
    model = netwright.load("t.safetensors")
    assert model.encoder.names() == ["row", "name", "x", "w"]
    assert model.outputs("t.csv", notes=[]).shape == (1, N)
