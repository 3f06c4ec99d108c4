"""netwright: feed-forward neural networks, written out by hand.

The article's `Layer`, and what grows from it: `Network`, its training, model files, and tables. NumPy is all that is
loaded with it; whatever is heavier comes on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netwright.activations import ACTIVATIONS, Activation, d_sigmoid, d_tanh, sigmoid, tanh
from netwright.initializers import INITIALIZERS
from netwright.layer import Layer
from netwright.layers import Dropout
from netwright.losses import LOSSES, Loss, d_logloss, logloss
from netwright.network import Network

if TYPE_CHECKING:
    from netwright.diagnosis import diagnose
    from netwright.engines import ENGINES
    from netwright.estimators import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
    from netwright.explain import hidden_activations, input_gradient, permutation_importance, worked_step
    from netwright.gradcheck import check_gradient, numeric_gradient
    from netwright.history import History
    from netwright.learning import train_table
    from netwright.model import TableModel
    from netwright.optimizers import OPTIMIZERS
    from netwright.persistence import load
    from netwright.reading import read_table
    from netwright.schedules import SCHEDULES
    from netwright.scores import SCORES

__version__ = "0.1.0"

_ON_FIRST_USE = {
    "ENGINES": "netwright.engines",
    "History": "netwright.history",
    "MLPClassifier": "netwright.estimators",
    "MLPRegressor": "netwright.estimators",
    "OPTIMIZERS": "netwright.optimizers",
    "SCHEDULES": "netwright.schedules",
    "SCORES": "netwright.scores",
    "TableModel": "netwright.model",
    "TabularClassifier": "netwright.estimators",
    "TabularRegressor": "netwright.estimators",
    "check_gradient": "netwright.gradcheck",
    "diagnose": "netwright.diagnosis",
    "hidden_activations": "netwright.explain",
    "input_gradient": "netwright.explain",
    "load": "netwright.persistence",
    "numeric_gradient": "netwright.gradcheck",
    "permutation_importance": "netwright.explain",
    "read_table": "netwright.reading",
    "train_table": "netwright.learning",
    "worked_step": "netwright.explain",
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
