"""The C export, compiled as strictly as can be and run."""

import os
import shutil

import numpy as np
import pytest

from exported import everything
from netwright.export.c_words import DOUBLE, FLOAT
from netwright.export.expression import OPERATIONS

MODELS = dict(everything())
COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None and "CI" not in os.environ, reason="no C compiler")


@needs_compiler
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name):
    proof = MODELS[name].export(tmp_path / "model.c")
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.c", "model.h", "model.test.json"}


def test_every_operation_has_its_words():
    for words in (DOUBLE, FLOAT):
        assert {*words.operations} == {*OPERATIONS}
