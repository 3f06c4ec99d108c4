"""What was frozen before the house was rebuilt: files of old are read and go on, and trainings keep their bits."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright import MLPClassifier, MLPRegressor

FROZEN = Path(__file__).parent / "frozen"
FILES = sorted(path.name for path in FROZEN.glob("*.safetensors"))


def script(name):
    """One of the folder's scripts, as a module."""
    spec = importlib.util.spec_from_file_location(f"frozen_{name}", FROZEN / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = script("make")
with np.load(FROZEN / "given.npz") as arrays:
    GIVEN = dict(arrays)
X, Y = GIVEN["X"], GIVEN["Y"]
TABLE = json.loads((FROZEN / "table.json").read_text())


def near(name, values):
    """Whether what a file's model says now is what it said then."""
    assert values.dtype == GIVEN[name].dtype
    rtol = 1e-6 if values.dtype == np.float32 or "float32" in name else 1e-10
    np.testing.assert_allclose(values, GIVEN[name], rtol=rtol, atol=rtol)


def told(name, model):
    """The model's outputs, predictions or probabilities, as they were kept."""
    if name.startswith("table-"):
        return model.outputs(make.columns(TABLE), notes=[])
    if name.startswith(("network-", "checkpoint-")):
        return model.predict(X)
    rows = make.columns(TABLE) if name.startswith("Tabular") else X.T.astype(name.rpartition("-")[2])
    values = getattr(model, "predict_proba", model.predict)(rows)
    return np.hstack(values) if isinstance(values, list) else values


def test_the_drawn_data_are_the_kept_data():
    for array, other in zip((X, Y), make.numbers(), strict=True):
        np.testing.assert_allclose(array, other, rtol=0, atol=0.0011)
    assert len(FILES) >= 20


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_old_says_the_same(file):
    name = file.removesuffix(".safetensors")
    near(name, told(name, netwright.load(FROZEN / file)))


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_old_is_written_and_read_again(file, tmp_path):
    name = file.removesuffix(".safetensors")
    netwright.load(FROZEN / file).save(tmp_path / "again")
    again = netwright.load(tmp_path / "again")
    near(name, told(name, again))
    again.save(tmp_path / "once more")
    assert (tmp_path / "once more").read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("dtype", make.DTYPES)
@pytest.mark.parametrize("name", ["adam", "lbfgs"])
def test_a_checkpoint_of_old_is_resumed_and_ends_where_one_call_did(name, dtype, tmp_path):
    path = shutil.copy(FROZEN / f"checkpoint-{name}-{dtype}.safetensors", tmp_path / "checkpoint")
    network, options = make.start(name, dtype)
    history = network.train(**options | kept_data(), epochs=make.WHOLE, checkpoint=path, resume=True)
    assert len(history) == make.WHOLE
    rtol = 1e-4 if dtype == "float32" else 1e-8
    np.testing.assert_allclose(network.theta, GIVEN[f"resumed-{name}-{dtype}"], rtol=rtol, atol=rtol)


def kept_data():
    return {"X": X[:, :48], "Y": Y[:, :48], "validation": (X[:, 48:], Y[:, 48:])}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_estimators_checkpoint_of_old_is_resumed(kind, tmp_path):
    name = kind.__name__
    path = shutil.copy(FROZEN / f"checkpoint-{name}.safetensors", tmp_path / "checkpoint")
    y = np.where(Y[1] > 0, "yes", "no") if kind is MLPClassifier else Y.T
    fit = make.quiet(kind, checkpoint=str(path), resume=True).fit(X.T, y)
    assert fit.n_iter_ == make.WHOLE
    np.testing.assert_allclose(fit.networks_[0].theta, GIVEN[f"resumed-{name}"], rtol=1e-8, atol=1e-8)


# ── the bits ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_every_training_keeps_its_bits(tmp_path):
    """In processes of their own: the first one compiles, and the bits are those of one that loads the compiled code."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # as it was then
    command = [sys.executable, str(FROZEN / "bits.py")]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    done = subprocess.run(
        [*command, "--check", str(FROZEN / "bits.json")], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_row_that_differs_is_named():
    bits = script("bits")
    rows = json.loads((FROZEN / "bits.json").read_text())["rows"]
    assert set(rows) == set(bits.ROWS)
    assert len(rows) >= 45
    name = "xor plain adam float64"
    other = rows | {name: rows[name] | {"bits": "other"}}
    assert list(bits.differing(other, rows, same_machine=True)) == [name]
    assert not bits.differing(other, rows, same_machine=False)
    far = rows | {name: rows[name] | {"summary": [9.0, 9.0]}}
    assert list(bits.differing(far, rows, same_machine=False)) == [name]
    del far[name]
    assert list(bits.differing(far, rows, same_machine=True)) == [name]
