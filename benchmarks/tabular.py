"""The tabular estimators beside scikit-learn's linear models, MLP and boosted trees, on data that scikit-learn brings.

    python benchmarks/tabular.py [--quick]

Means over five splits of 80 and 20 parts, all at their defaults; the peers (and the MLP's targets) get standardised.
The error is 1 - accuracy, or the RMSE; times are CPU seconds of a fit.
"""

import argparse
import os
import time
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netwright import TabularClassifier, TabularRegressor


def heavy(rows=2000, seed=0):
    """Log-normal columns, steps and a product: what trees like."""
    rng = np.random.default_rng(seed)
    X = np.exp(2 * rng.normal(size=(rows, 8)))
    y = np.where(X[:, 0] > 1, 2.0, 0.0) + np.log(X[:, 1]) * (X[:, 2] > 3) + 0.3 * rng.normal(size=rows)
    return X, y


TABLES = {  # name: (X, y), whether y are classes
    "iris": (lambda: datasets.load_iris(return_X_y=True), True),
    "wine": (lambda: datasets.load_wine(return_X_y=True), True),
    "breast_cancer": (lambda: datasets.load_breast_cancer(return_X_y=True), True),
    "digits": (lambda: datasets.load_digits(return_X_y=True), True),
    "hastie_10_2, 2000 rows": (lambda: datasets.make_hastie_10_2(2000, random_state=0), True),
    "diabetes": (lambda: datasets.load_diabetes(return_X_y=True), False),
    "friedman1, 1000 rows": (lambda: datasets.make_friedman1(1000, noise=1, random_state=0), False),
    "heavy tails, 2000 rows": (heavy, False),
}
PEERS = {
    "netwright": (lambda seed: TabularClassifier(random_state=seed), lambda seed: TabularRegressor(random_state=seed)),
    "linear": (lambda seed: scaled(LogisticRegression(max_iter=1000)), lambda seed: scaled(RidgeCV())),
    "MLP": (
        lambda seed: scaled(MLPClassifier(random_state=seed)),
        lambda seed: TransformedTargetRegressor(scaled(MLPRegressor(random_state=seed)), transformer=StandardScaler()),
    ),
    "boosted trees": (
        lambda seed: HistGradientBoostingClassifier(random_state=seed),
        lambda seed: HistGradientBoostingRegressor(random_state=seed),
    ),
}


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def measured(make, X, y, classes, seed):
    """(error, log-loss or NaN, CPU seconds of the fit) on one split."""
    X, test, y, truth = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y if classes else None)
    began = time.process_time()
    model = make(seed).fit(X, y)
    seconds = time.process_time() - began
    if not classes:
        return np.sqrt(np.mean((model.predict(test) - truth) ** 2)), np.nan, seconds
    P = np.clip(model.predict_proba(test), 1e-7, 1)
    loss = log_loss(truth, P / P.sum(axis=1, keepdims=True), labels=model.classes_)
    return 1 - np.mean(model.predict(test) == truth), loss, seconds


def main(given=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one split")
    splits = 1 if options.parse_args(given).quick else 5
    warnings.filterwarnings("ignore")
    TabularClassifier().fit(*datasets.load_iris(return_X_y=True))  # what is compiled or loaded once
    print("| table | " + " | ".join(f"{peer}: error, log-loss, s" for peer in PEERS) + " |")
    print("|---|" + "---|" * len(PEERS))
    for name, (load, classes) in TABLES.items():
        X, y = load()
        cells = []
        for kinds in PEERS.values():
            error, loss, seconds = np.mean(
                [measured(kinds[not classes], X, y, classes, seed) for seed in range(splits)], axis=0
            )
            cells.append(f"{error:.4g}, {'–' if np.isnan(loss) else f'{loss:.3g}'}, {seconds:.2g}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
