"""The description of a model computes what the model does."""

import pytest

from exported import everything
from netwright.export.export import compared, trial
from netwright.export.program import run

MODELS = dict(everything())


@pytest.mark.parametrize("name", MODELS)
def test_the_description_gives_the_models_own_answers(name):
    program = MODELS[name].program()
    table = trial(program)
    difference, labels = compared(program, program.answers(table), run(program, table))
    assert difference <= (1e-13 if program.dtype == "float64" else 1e-6)
    assert labels == 0
