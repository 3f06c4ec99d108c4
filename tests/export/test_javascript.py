"""The JavaScript export, run by Node."""

import os
import shutil

import pytest

from exported import everything

MODELS = dict(everything())
pytestmark = pytest.mark.skipif(not (shutil.which("node") or os.environ.get("CI")), reason="needs Node")


@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name):
    proof = MODELS[name].export(tmp_path / "model.mjs")
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.mjs", "model.test.json"}


def test_it_may_be_called_js(tmp_path):
    proof = MODELS["tanh"].export(tmp_path / "model.js")
    assert [path.name for path in proof.files] == ["model.js", "model.test.json"]
    assert all(path.exists() for path in proof.files)
