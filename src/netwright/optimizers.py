"""The optimizers and their table, for `from netwright.optimizers import …`."""

from netwright.core.optimizers import (
    LBFGS,
    OPTIMIZERS,
    Adam,
    AdamW,
    BayesianRegularization,
    GradientDescent,
    LevenbergMarquardt,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    WholeBatch,
    find_optimizer,
)

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "Adam",
    "AdamW",
    "BayesianRegularization",
    "GradientDescent",
    "LevenbergMarquardt",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "WholeBatch",
    "find_optimizer",
]
