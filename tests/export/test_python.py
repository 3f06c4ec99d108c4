"""The Python export, run by a Python that has nothing else."""

import ast
import csv
import datetime
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from exported import HOSTILE, everything, frame, named, table_model
from netwright import Network, train_table
from netwright.export import python
from netwright.export.expression import OPERATIONS

MODELS = dict(everything())


@pytest.mark.parametrize("numpy", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name, numpy):
    proof = MODELS[name].export(tmp_path / "model.py", numpy=numpy)
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.py", "model.test.json"}


def loaded(path):
    """The file's names, as an import would have them."""
    space = {"__name__": "exported"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    return space


@pytest.mark.parametrize("numpy", [False, True])
def test_many_weights_go_as_bytes(tmp_path, numpy):
    for dtype in ("float64", "float32"):
        network = Network([30, 100, 20, 3], loss="cross_entropy", rng=0, dtype=dtype)
        assert network.export(tmp_path / "m.py", numpy=numpy).labels == 0
        assert "b64decode" in (tmp_path / "m.py").read_text()
        assert (tmp_path / "m.py").stat().st_size < 1.5 * network.theta.nbytes + 8_000
    mixture = table_model(3, hidden=(40, 40))
    thetas = [net.theta.astype(np.float32).astype(float) for net in mixture.network.networks]
    for net, theta in zip(mixture.network.networks, thetas, strict=True):
        net.theta = theta  # as a file has them
    assert mixture.export(tmp_path / "m.py", numpy=numpy).labels == 0
    assert (tmp_path / "m.py").stat().st_size < 1.5 * sum(4 * theta.size for theta in thetas) + 20_000


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_levels_come_through_as_data(tmp_path, name):
    model = named(name)
    model.export(tmp_path / "m.py")
    module = loaded(tmp_path / "m.py")
    row = {name: 2.0, "level": name}
    P = model.predict_proba({name: [2.0], "level": np.array([name], object)})[0]
    assert module["predict_proba"](row) == pytest.approx({name: P[0], name + "!": P[1]})
    assert module["predict"](row) in (name, name + "!")
    # Nothing of a name is code: the tree has but what every such file has.
    tree = ast.parse((tmp_path / "m.py").read_text())
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {each for each in called if "system" in each or "alert" in each}
    assert {ast.unparse(node) for node in tree.body if isinstance(node, ast.Expr)} == {ast.unparse(tree.body[0])}


def test_a_row_may_be_as_people_have_it(tmp_path):
    model = table_model(3)
    model.export(tmp_path / "m.py")
    predict = loaded(tmp_path / "m.py")["predict_proba"]
    row = {name: column.tolist()[7] for name, column in frame().columns.items()}
    row |= {"when": 1577836800e6, "number": 4.0}
    right = predict(row)
    for when in ("2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01 01:00:00+01:00", datetime.date(2020, 1, 1),
                 datetime.datetime(2020, 1, 1)):  # fmt: skip
        assert predict(row | {"when": when}) == right
    assert predict(row | {"number": "4.0"}) == right
    missing = predict(row | {"number": None})
    assert missing == predict(row | {"number": float("nan")}) == predict(row | {"number": ""}) != right
    assert predict(row | {"yes": True}) == predict(row | {"yes": "TRUE "}) == predict(row | {"yes": "yes"})
    with pytest.raises(KeyError, match="number"):
        predict({})
    plain = Network([3, 1], loss="squared_error", rng=0)
    plain.export(tmp_path / "p.py")
    predict = loaded(tmp_path / "p.py")["predict"]
    assert predict([1, 2, 3]) == predict({"x2": 3, "x0": 1, "x1": 2})
    with pytest.raises(ValueError, match="a row has 3 numbers, got 2"):
        predict([1, 2])


@pytest.mark.parametrize("numpy", [False, True])
def test_as_a_program_it_reads_a_table(tmp_path, numpy):
    model = MODELS["classes"]
    model.export(tmp_path / "m.py", numpy=numpy)
    x = np.random.default_rng(0).normal(size=(5, 4))
    np.savetxt(tmp_path / "t.csv", x, delimiter=",", header="x3,x1,x2,x0", comments="")
    done = subprocess.run(
        [sys.executable, "m.py", "t.csv"], cwd=tmp_path, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    header, *found = csv.reader(io.StringIO(done.stdout, newline=""))
    assert header == ["class"]
    assert [label for (label,) in found] == model.predict(x[:, [3, 1, 2, 0]]).tolist()


def test_every_operation_has_its_words():
    for words in (python.STANDARD, python.NUMPY):
        assert {*words.operations} == {*OPERATIONS}


def test_a_python_that_is_old_can_read_it(tmp_path):
    for name in ("table, classes", "float32"):
        MODELS[name].export(tmp_path / "m.py")
        ast.parse((tmp_path / "m.py").read_text(), feature_version=(3, 7))


@pytest.mark.parametrize("numpy", [False, True])
def test_a_table_as_people_have_it_is_scored_as_the_model_does(tmp_path, numpy):
    """Categories that are numbers and are written 3.0, NA among numbers, dates and frames of pandas."""
    rng, n = np.random.default_rng(0), 200
    code = rng.choice([1.0, 2.0, 3.0], n)
    code[5] = np.nan
    data = pd.DataFrame({"code": code, "x": rng.normal(size=n), "day": pd.date_range("2021-01-01", periods=n)})
    data.loc[7, "x"], data.loc[9, "day"] = np.nan, pd.NaT
    data["y"] = np.where((data.code > 1.5) ^ (data.x > 1), "hi", "lo")
    data.to_csv(tmp_path / "t.csv", index=False, na_rep="NA")
    reading = {"categorical": ["code"], "hidden": [8], "epochs": 20}
    model = train_table(tmp_path / "t.csv", "y", **reading)
    right = model.predict(tmp_path / "t.csv").tolist()
    model.export(tmp_path / "m.py", numpy=numpy)

    def scored(path, code=0):
        command = [sys.executable, "m.py", path]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout

    assert scored("t.csv").split()[1:] == right
    predict = loaded(tmp_path / "m.py")["predict"]
    frames = [data, data.convert_dtypes(), {name: data[name].to_numpy() for name in data}]
    for table in frames:
        rows = [{name: table[name][i] for name in table} for i in range(n)]
        assert (predict(table).tolist() if numpy else [predict(row) for row in rows]) == right
    (tmp_path / "bad.csv").write_text("code;x;day\n1;2;2021-01-01\n")
    assert scored("bad.csv", 1).strip() == "bad.csv has no column 'code'; it has ['code;x;day']"
    (tmp_path / "none.csv").write_text("code,x,day\n")
    assert scored("none.csv").strip() == "y"
