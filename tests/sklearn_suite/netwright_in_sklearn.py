"""A pytest plugin: scikit-learn's own tests of its MLP, run on ours. `make test-sklearn` loads it; no test is copied.

The two names are replaced before any test module is imported; what a test module then holds is checked, so that
scikit-learn's tests can never pass on scikit-learn's classes here.
"""

import pytest
import sklearn.neural_network

import netwright

NAMES = ("MLPClassifier", "MLPRegressor")

for _name in NAMES:
    setattr(sklearn.neural_network, _name, getattr(netwright, _name))


def pytest_collection_finish(session):
    for module in {item.module for item in session.items}:
        for name in NAMES:
            if getattr(module, name) is not getattr(netwright, name):
                raise pytest.UsageError(f"{module.__name__} tests its own {name}, not netwright's")
