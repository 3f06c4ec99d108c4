"""The Python export, run by a Python that has nothing else."""

import ast
import subprocess
import sys

import numpy as np
import pytest
from exported import HOSTILE, everything, table_model

from netwright.export import python
from netwright.export.expression import OPERATIONS
from netwright.export.export import compared, trial

MODELS = dict(everything())


@pytest.mark.parametrize("numpy", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name, numpy):
    proof = MODELS[name].export(tmp_path / "model.py", numpy=numpy)
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.py", "model.test.json"}
