"""The Python export, run by a Python that has nothing else."""

import pytest

from exported import everything

MODELS = dict(everything())


@pytest.mark.parametrize("numpy", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name, numpy):
    proof = MODELS[name].export(tmp_path / "model.py", numpy=numpy)
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.py", "model.test.json"}
