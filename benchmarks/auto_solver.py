"""solver="auto" on small public data, beside what it should not lose to; and where L-BFGS gives way to Adam.

    python benchmarks/auto_solver.py [--quick]

Scores are means over 5 folds: R², or accuracy. The linear model is RidgeCV, or LogisticRegressionCV, and scikit-learn's
MLP has its defaults; both get standardised inputs (and targets), ours gets raw ones. Times are those of a fit, in
seconds of the process, all three in one run.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netwright import Network
from netwright.recipes.auto import STRATEGIES, solve

RESULTS = Path(__file__).parent / "results" / "auto_solver.json"


def spirals(points, noise=0.0, seed=0):
    """Lang & Witbrock's two spirals (1988), `points` on each; 97 without noise are the classical ones."""
    i = np.linspace(0, 96, points)
    angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
    one = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    X = np.vstack([one, -one]) + noise * np.random.default_rng(seed).standard_normal((2 * points, 2))
    return X, np.repeat([1, 0], points)


def houses(rows, seed=0):
    """Eight inputs of which six are skewed, and a target with products, ratios and a place: like house prices."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.lognormal(0, 0.5, (rows, 6)), rng.uniform(-1, 1, (rows, 2))])
    place = 0.3 * np.sin(3 * X[:, 6]) * np.cos(2 * X[:, 7])
    y = np.log(2 * X[:, 0] + 0.5) + place + 0.2 * X[:, 1] / X[:, 2] - 0.1 * np.abs(X[:, 3] - 1)
    return X, y + 0.25 * rng.standard_normal(rows)


SETS = {  # name: (X, y), hidden layers, whether y are classes
    "diabetes": (lambda: datasets.load_diabetes(return_X_y=True), (100,), False),
    "linnerud": (lambda: datasets.load_linnerud(return_X_y=True), (100,), False),
    "friedman1, 200 rows": (lambda: datasets.make_friedman1(200, noise=1, random_state=0), (100,), False),
    "friedman1, 1000 rows": (lambda: datasets.make_friedman1(1000, noise=1, random_state=0), (100,), False),
    "house-like, 2000 rows": (lambda: houses(2000), (100,), False),
    "house-like, 10000 rows": (lambda: houses(10000), (100,), False),
    "breast_cancer": (lambda: datasets.load_breast_cancer(return_X_y=True), (100,), True),
    "wine": (lambda: datasets.load_wine(return_X_y=True), (100,), True),
    "iris": (lambda: datasets.load_iris(return_X_y=True), (100,), True),
    "digits": (lambda: datasets.load_digits(return_X_y=True), (100,), True),
    "moons": (lambda: datasets.make_moons(300, noise=0.2, random_state=0), (100,), True),
    "circles": (lambda: datasets.make_circles(300, noise=0.1, factor=0.5, random_state=0), (100,), True),
    "spirals, 2 × 500 noisy": (lambda: spirals(500, 0.1), (50, 50), True),
}
NETWORKS = ((5, (20,)), (5, (100,)), (50, (100,)), (50, (100, 100)))  # inputs, hidden layers
QUICK = ("diabetes", "linnerud", "iris")


class Auto:
    """The rule as an estimator would use it."""

    def __init__(self, hidden, classes, seed=0):
        self.hidden, self.classes, self.seed = hidden, classes, seed

    def fit(self, X, y):
        loss, Y = "squared_error", np.atleast_2d(y.T)
        if self.classes:
            many = y.max() > 1
            loss, Y = ("cross_entropy", np.eye(y.max() + 1)[:, y]) if many else ("logloss", Y.astype(float))
        sizes = [X.shape[1], *self.hidden, len(Y)]
        self.network, self.history, self.what = solve(
            lambda seed: Network(sizes, "relu", loss=loss, initializer="glorot_uniform", l2=1e-4 / len(X), rng=seed),
            X.T,
            Y,
            seed=self.seed,
            engine="plain",
        )
        return self

    def predict(self, X):
        A = self.network.predict(X.T)
        if self.classes:
            return A.argmax(axis=0) if len(A) > 1 else (A[0] > 0.5).astype(int)
        return A[0] if len(A) == 1 else A.T


def peers(hidden, classes):
    """The three, each new."""
    if classes:
        linear = LogisticRegressionCV(
            Cs=10, l1_ratios=(0.0,), scoring="neg_log_loss", max_iter=2000, use_legacy_attributes=False
        )
        theirs = MLPClassifier(hidden, random_state=0)
    else:
        linear = RidgeCV(np.logspace(-3, 4, 15))
        theirs = TransformedTargetRegressor(
            MLPRegressor(hidden_layer_sizes=hidden, random_state=0), transformer=StandardScaler()
        )
    return {
        "linear": make_pipeline(StandardScaler(), linear),
        "scikit-learn's MLP": make_pipeline(StandardScaler(), theirs),
        "auto": Auto(hidden, classes),
    }


def quality(names):
    """A row for each set: scores and seconds of each peer, and the rule's words."""
    rows = []
    for name in names:
        load, hidden, classes = SETS[name]
        X, y = load()
        splitter = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=0)
        score = accuracy_score if classes else r2_score
        row = {"set": name, "rows": len(X), "inputs": X.shape[1], "score": "accuracy" if classes else "R²"}
        for peer in peers(hidden, classes):
            scores, seconds = [], []
            for learn, watch in splitter.split(X, y):
                model = peers(hidden, classes)[peer]
                start = time.process_time()
                model.fit(X[learn], y[learn])
                seconds.append(time.process_time() - start)
                scores.append(score(y[watch], model.predict(X[watch])))
            row[peer] = {"score": float(np.mean(scores)), "seconds": statistics.median(seconds)}
        row["what"] = model.what
        rows.append(row)
        print(quality_line(row), flush=True)
    return rows


def quality_line(row):
    cells = [row["set"], f"{row['rows']} × {row['inputs']}", row["score"]]
    cells += [f"{row[peer]['score']:.3f}" for peer in ("linear", "scikit-learn's MLP", "auto")]
    cells += [f"{row[peer]['seconds']:.2f}" for peer in ("scikit-learn's MLP", "auto")]
    return f"| {' | '.join(cells)} |"


QUALITY_HEAD = (
    "| data | rows × inputs | score | linear | scikit-learn's MLP | auto | its fit, s | auto's fit, s |\n"
    "|---|---|---|---|---|---|---|---|"
)


def crossover(quick):
    """Seconds until the held-out cost is within 5 % of the lowest that either reaches, at one decay."""
    rows = []
    for n in (300,) if quick else (300, 1000, 3000, 10_000, 30_000):
        for inputs, hidden in NETWORKS[: 1 if quick else None]:
            X, y = datasets.make_friedman1(n + 2000, n_features=inputs, noise=1, random_state=n)
            X, Y = (X.T - 0.5) * np.sqrt(12), ((y - y.mean()) / y.std())[None]
            seconds = {name: reach(name, X, Y, n, hidden) for name in STRATEGIES}
            target = 1.05 * min(cost for curve in seconds.values() for _, cost in curve)
            row = {"rows": n, "inputs": inputs, "hidden": list(hidden)}
            row |= {name: next((t for t, cost in curve if cost <= target), None) for name, curve in seconds.items()}
            rows.append(row)
            print(crossover_line(row), flush=True)
    return rows


def reach(name, X, Y, n, hidden):
    """(seconds, held-out cost) of trainings of the strategy, longer and longer."""
    curve = []
    for share in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1):
        options = STRATEGIES[name].options(n, 0)
        options["epochs"] = max(1, round(options["epochs"] * share / (4 if name == "lbfgs" else 1)))
        network = Network([len(X), *hidden, 1], "relu", loss="squared_error", l2=1e-3, rng=0)
        start = time.process_time()
        network.train(X[:, :n], Y[:, :n], engine="plain", scores=(), **options)
        curve.append((time.process_time() - start, network.cost(X[:, n:], Y[:, n:])))
    return curve


def crossover_line(row):
    cells = [f"{row['rows']}", f"{row['inputs']}-{'-'.join(map(str, row['hidden']))}-1"]
    cells += ["–" if row[name] is None else f"{row[name]:.2f}" for name in STRATEGIES]
    return f"| {' | '.join(cells)} |"


CROSSOVER_HEAD = f"| rows | network | {' | '.join(f'{name}, s' for name in STRATEGIES)} |\n|---|---|---|---|"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few sets, to see that it works; writes nothing")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # scikit-learn's MLP ends at its 200 epochs
    print(QUALITY_HEAD)
    measured = {"quality": quality(QUICK if asked.quick else SETS)}
    print(f"\n{CROSSOVER_HEAD}")
    measured["crossover"] = crossover(asked.quick)
    if not asked.quick:
        RESULTS.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
        print(f"\nwritten to {RESULTS.relative_to(RESULTS.parents[2])}")


if __name__ == "__main__":
    main()
