"""Estimators: netwright's networks as scikit-learn's."""

from netwright.estimators.mlp import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
