"""Estimators: netwright's networks as scikit-learn's."""

from netwright.estimators.mlp import MLPClassifier, MLPRegressor
from netwright.estimators.tabular import TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]
