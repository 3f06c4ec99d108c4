"""netwright: feed-forward neural networks, written out by hand.

The article's `Layer`, and what grows from it: `Network`, its training, model files, and tables. NumPy is all that is
loaded with it; whatever is heavier comes on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netwright.core.activations import ACTIVATIONS, Activation, d_sigmoid, d_tanh, sigmoid, tanh
from netwright.core.dropout import Dropout
from netwright.core.initializers import INITIALIZERS
from netwright.core.layer import Layer
from netwright.core.losses import LOSSES, Loss, d_logloss, logloss
from netwright.network import Network

if TYPE_CHECKING:
    from netwright.core.gradcheck import check_gradient, numeric_gradient
    from netwright.core.optimizers import OPTIMIZERS
    from netwright.core.schedules import SCHEDULES
    from netwright.core.scores import SCORES
    from netwright.engines import ENGINES
    from netwright.estimators import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
    from netwright.estimators.theirs import from_sklearn
    from netwright.inspection.diagnosis import diagnose
    from netwright.inspection.gradients import hidden_activations, input_gradient
    from netwright.inspection.importance import permutation_importance
    from netwright.inspection.written_step import worked_step
    from netwright.loading import load
    from netwright.tables.read import read_table
    from netwright.tabular.learn import train_table
    from netwright.tabular.model import TableModel
    from netwright.training.history import History

__version__ = "0.1.0"

_ON_FIRST_USE = {
    "ENGINES": "netwright.engines",
    "History": "netwright.training.history",
    "MLPClassifier": "netwright.estimators",
    "MLPRegressor": "netwright.estimators",
    "OPTIMIZERS": "netwright.core.optimizers",
    "SCHEDULES": "netwright.core.schedules",
    "SCORES": "netwright.core.scores",
    "TableModel": "netwright.tabular.model",
    "TabularClassifier": "netwright.estimators",
    "TabularRegressor": "netwright.estimators",
    "check_gradient": "netwright.core.gradcheck",
    "diagnose": "netwright.inspection.diagnosis",
    "hidden_activations": "netwright.inspection.gradients",
    "input_gradient": "netwright.inspection.gradients",
    "from_sklearn": "netwright.estimators.theirs",
    "load": "netwright.loading",
    "numeric_gradient": "netwright.core.gradcheck",
    "permutation_importance": "netwright.inspection.importance",
    "read_table": "netwright.tables.read",
    "train_table": "netwright.tabular.learn",
    "worked_step": "netwright.inspection.written_step",
}

__all__ = [
    "ACTIVATIONS",
    "ENGINES",
    "INITIALIZERS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "SCORES",
    "Activation",
    "Dropout",
    "History",
    "Layer",
    "Loss",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "TableModel",
    "TabularClassifier",
    "TabularRegressor",
    "check_gradient",
    "d_logloss",
    "d_sigmoid",
    "d_tanh",
    "diagnose",
    "from_sklearn",
    "hidden_activations",
    "input_gradient",
    "load",
    "logloss",
    "numeric_gradient",
    "permutation_importance",
    "read_table",
    "sigmoid",
    "tanh",
    "train_table",
    "worked_step",
]


def __getattr__(name: str) -> Any:
    if name in _ON_FIRST_USE:
        return getattr(import_module(_ON_FIRST_USE[name]), name)
    raise AttributeError(f"module 'netwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
