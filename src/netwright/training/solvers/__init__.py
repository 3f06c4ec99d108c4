"""Solvers: who moves theta through a training. An optimizer says by `solver` which of them trains by it.

A further one is a file here and a row below.
"""

from collections.abc import Callable
from typing import Any

from netwright.training.run import Training
from netwright.training.solvers.bayesian import step_by_evidence
from netwright.training.solvers.descent import descend
from netwright.training.solvers.lbfgs import minimize
from netwright.training.solvers.levenberg import step_by_step

SOLVERS: dict[str, Callable[[Training, Any], None]] = {
    "descent": descend,
    "lbfgs": minimize,
    "levenberg": step_by_step,
    "bayesian": step_by_evidence,
}
