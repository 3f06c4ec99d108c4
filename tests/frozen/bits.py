"""Trainings whose every bit is kept: `--write FILE` trains them all, `--check FILE` names the rows that differ from it.

Of each training the file has a hash of all that it learned, one of its history (clock apart), and a few numbers that
another processor must come near. Only public names are used and the data are drawn here, so that the script runs
unchanged on a house rebuilt. The fused rows are those of a process that loads its code from disk: after a change of the
fused engine run `--write` twice with one NETWRIGHT_CACHE_DIR, and keep the second file.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

import netwright
from netwright import Network, train_table
from netwright.estimators import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from netwright.optimizers import LBFGS, AdamW, Momentum
from netwright.schedules import Cosine, Exponential, InverseScaling, OneCycle, Plateau, Step
from netwright.training import train

FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_bf16", "avx512_fp16")
OPTIMIZERS = ("gradient_descent", "momentum", "nesterov", "rmsprop", "adam", "adamw")
ENGINES = {"plain": {"engine": "plain"}, "fused": {"engine": "fused", "n_threads": 1}}
TWO = {"engine": "fused", "n_threads": 2}
XOR = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
ROWS = {}  # name: a function that trains and returns (arrays learned, arrays of the history, numbers that sum it up)


def fingerprint():
    """What the bits may depend on, beyond the code."""
    flags = set()
    if (cpu := Path("/proc/cpuinfo")).exists():
        flags = {flag for line in cpu.read_text().splitlines() if line.startswith("flags") for flag in line.split()}
    packages = ("numpy", "scipy", "numba", "llvmlite", "scikit-learn")
    blas = [f"{info['internal_api']} {info['version']} {info.get('architecture')}" for info in threadpool_info()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "machine": platform.machine(),
        "model": [line for line in cpu.read_text().splitlines() if line.startswith("model")][:2] if flags else [],
        "flags": [flag for flag in FLAGS if flag in flags],
        "blas": sorted(blas),
        "cores": cores,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version_tuple()[:2],
        **{package: version(package) for package in packages},
    }


def hashed(arrays):
    whole = hashlib.blake2b(digest_size=16)
    for array in arrays:
        array = np.ascontiguousarray(array)
        whole.update(f"{array.dtype} {array.shape}\0".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()


def norm(arrays):
    return float(np.sqrt(sum(np.square(np.asarray(array, np.float64)).sum() for array in arrays)))


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def data(inputs, outputs, samples, loss, seed=0):
    """X, (inputs, samples), Y, (outputs, samples), as the loss wants it, and weights of which some are 0."""
    rng = np.random.default_rng(seed)
    X, A = rng.normal(size=(inputs, samples)), rng.normal(size=(outputs, inputs)) / 2
    Z = A @ X + 0.3 * rng.normal(size=(outputs, samples))
    Y = {
        "cross_entropy": lambda: np.eye(outputs)[:, Z.argmax(axis=0)],
        "logloss": lambda: (Z > 0).astype(float),
        "poisson": lambda: np.round(np.abs(Z)),
    }.get(loss.partition(":")[0], lambda: Z)()
    return X, Y, rng.integers(0, 4, samples).astype(float)


def network_row(sizes, made, given, options, *, outside=False):
    """A training of a Network; `given` says which of weight and validation it has."""
    network = Network(sizes, **{"rng": 3, **made})
    loss = made.get("loss", "logloss")
    X, Y, weight = data(sizes[0], sizes[-1], 150, loss) if given != "xor" else (*XOR, None)
    options = {name: value() if callable(value) else value for name, value in options.items()}
    if "weight" in given:
        options["weight"] = weight
    if "validation" in given:
        options["validation"] = data(sizes[0], sizes[-1], 60, loss, seed=1)[:2]
    history = train(network, X, Y, rng=11, **options) if outside else network.train(X, Y, rng=11, **options)
    past = [history.cost, history.validation_cost, history.learning_rate, *history.validation_scores.values()]
    return [network.theta], past, [history.cost[-1], norm([network.theta])]


def network_rows():
    wide = [64, 32, 10], {"activation": "relu", "loss": "cross_entropy", "dropout": 0.2, "l2": 1e-3}
    wide[1]["label_smoothing"] = 0.1
    for name, engine in ENGINES.items():
        for optimizer in OPTIMIZERS:
            for dtype in ("float64", "float32"):
                few = {"optimizer": optimizer, "epochs": 60, **engine}
                xor = partial(network_row, [2, 3, 1], {"dtype": dtype}, "xor", few)
                ROWS[f"xor {name} {optimizer} {dtype}"] = xor
                some = {"optimizer": optimizer, "epochs": 4, "batch_size": 32, "learning_rate": 0.01, **engine}
                ROWS[f"64-32-10 {name} {optimizer} {dtype}"] = partial(
                    network_row, wide[0], {**wide[1], "dtype": dtype}, "weight", some
                )
    deep = {"activation": ["tanh", "silu", "gelu"], "loss": "squared_error", "l1": 1e-4, "penalty_per_batch": True}
    cases = {  # sizes, the network's arguments, what data it has, training's arguments
        "deep, clipped": ([5, 9, 8, 7, 2], deep, "weight", {"batch_size": 7, "clip_norm": 0.5, "epochs": 8}),
        "deep, all rows": ([5, 9, 8, 7, 2], deep, "", {"batch_size": 150, "epochs": 15, "learning_rate": 0.02}),
        "one cycle, best": ([5, 16, 1], {"loss": "huber:1.5"}, "validation", {
            "schedule": lambda: OneCycle(), "batch_size": 16, "epochs": 12,
        }),
        "patience": ([5, 16, 3], {"loss": "cross_entropy"}, "weight validation", {
            "patience": 3, "batch_size": 10, "epochs": 60, "learning_rate": 0.05, "monitor": "accuracy",
        }),
        "plateau": ([5, 16, 1], {"loss": "squared_error"}, "validation", {
            "schedule": lambda: Plateau(), "patience": 2, "batch_size": 10, "epochs": 60, "learning_rate": 0.05,
        }),
        "plateau, no validation": ([5, 16, 1], {"loss": "squared_error"}, "", {
            "schedule": lambda: Plateau(), "patience": 2, "tolerance": 1e-3, "batch_size": 10, "epochs": 60,
        }),
        "cosine, warm": ([5, 8, 2], {"loss": "poisson"}, "", {
            "schedule": lambda: Cosine(warmup=2), "optimizer": lambda: AdamW(weight_decay=0.1), "epochs": 10,
        }),
        "step, last": ([5, 8, 2], {"activation": "leaky_relu"}, "validation", {
            "schedule": lambda: Step(every=3), "optimizer": "nesterov", "keep_best": False, "epochs": 10,
        }),
        "exponential": ([5, 8, 2], {"activation": "elu", "dropout": 0.4}, "", {
            "schedule": lambda: Exponential(), "optimizer": "rmsprop", "batch_size": 50, "epochs": 10,
        }),
        "inverse, in order": ([5, 8, 1], {"activation": "softplus"}, "weight", {
            "schedule": lambda: InverseScaling(), "optimizer": lambda: Momentum(momentum=0.5), "shuffle": False,
            "batch_size": 13, "epochs": 10,
        }),
        "quantiles": ([5, 12, 2], {"loss": "quantile:0.1,0.9"}, "", {"batch_size": 20, "epochs": 10}),
        "linear": ([5, 3], {"loss": "cross_entropy", "l2": 0.01}, "weight", {"batch_size": 20, "epochs": 10}),
    }  # fmt: skip
    for case, (sizes, made, given, options) in cases.items():
        for name, engine in ENGINES.items():
            ROWS[f"{case} {name}"] = partial(network_row, sizes, made, given, {**options, **engine})
    for dtype in ("float64", "float32"):
        made = {**wide[1], "dtype": dtype}
        few = {"epochs": 3, "batch_size": 50}
        ROWS[f"64-32-10 two threads {dtype}"] = partial(network_row, wide[0], made, "weight", {**few, **TWO})
    whole = {"epochs": 3, "batch_size": 150}
    ROWS["256-200-10 two threads, all rows"] = partial(
        network_row, [256, 200, 10], {"loss": "cross_entropy"}, "", {**whole, **TWO}
    )
    ROWS["train, the function"] = partial(
        network_row, [5, 8, 1], {}, "", {"epochs": 5, "engine": "plain"}, outside=True
    )
    for dtype in ("float64", "float32"):
        smooth = {"loss": "squared_error", "dtype": dtype}
        few = {"optimizer": "lbfgs", "epochs": 15, "engine": "plain"}
        ROWS[f"lbfgs {dtype}"] = partial(network_row, [5, 8, 2], smooth, "weight validation", few)
    restarts = {"optimizer": lambda: LBFGS(restart=5), "epochs": 15, "engine": "plain"}
    ROWS["lbfgs with restarts"] = partial(network_row, [5, 8, 1], {"l2": 1e-3}, "", restarts)
    ROWS["lbfgs xor"] = partial(network_row, [2, 3, 1], {}, "xor", {**few, "optimizer": "lbfgs"})
    ROWS["lbfgs fused"] = partial(network_row, [5, 8, 1], {"l2": 1e-3}, "", {**restarts, **ENGINES["fused"]})


# ── estimators ───────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_of(kind, samples=160, outputs=1):
    """X, (samples, 6), y and a weight for each row."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(samples, 6))
    y = X[:, 0] * X[:, 1] + X[:, 2] + 0.2 * rng.normal(size=samples)
    if kind is MLPClassifier:
        y = np.digitize(y, [-0.5, 0.5]) if outputs == 3 else (y > 0).astype(int)
    elif outputs > 1:
        y = np.column_stack([y, X[:, :outputs - 1]])  # fmt: skip
    return X, y, rng.integers(0, 3, samples).astype(float)


def estimator_row(kind, options, *, outputs=1, dtype=np.float64, weighted=False, parts=0, warm=0):
    """A fit; `parts` calls of partial_fit in its place, or `warm` more fits."""
    X, y, weight = rows_of(kind, outputs=outputs)
    X, weight = X.astype(dtype), weight if weighted else None
    made = kind(**{"hidden_layer_sizes": (9,), "max_iter": 12, "random_state": 4, "engine": "plain", **options})
    first = {"classes": np.unique(y)} if kind is MLPClassifier else {}
    for _ in range(parts):
        made.partial_fit(X, y, weight, **first)
    for _ in range(0 if parts else 1 + warm):
        made.fit(X, y, weight)
    learned = [network.theta for network in getattr(made, "networks_", [])] or made.coefs_ + made.intercepts_
    curves = ("loss_curve_", "validation_curve_", "validation_scores_")
    past = [np.asarray(getattr(made, name, None) or [], np.float64) for name in curves]
    return learned, past, [made.score(X, y), *[norm(learned)] * (made.solver != "auto")]  # whose path is chaotic


def estimator_rows():
    fused = ENGINES["fused"]
    cases = {
        "adam": {},
        "adam fused": {**fused},
        "sgd": {"solver": "sgd", "learning_rate_init": 0.05, "learning_rate": "invscaling"},
        "sgd adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "n_iter_no_change": 2},
        "sgd fused": {"solver": "sgd", "learning_rate_init": 0.05, "nesterovs_momentum": False, **fused},
        "lbfgs": {"solver": "lbfgs"},
        "auto": {"solver": "auto", "max_iter": 200},
        "auto fused": {"solver": "auto", "max_iter": 200, **fused},
        "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 40, "learning_rate_init": 0.02},
        "early stopping fused": {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 40, **fused},
        "adamw, dropout, clipped": {"solver": "adamw", "dropout": 0.3, "clip_norm": 0.5, "schedule": "cosine"},
        "two layers, alpha of samples": {"hidden_layer_sizes": (8, 7), "alpha": 0.1, "alpha_scaling": "samples"},
        "three networks": {"n_networks": 3},
    }
    for kind, outputs in ((MLPClassifier, 3), (MLPRegressor, 2)):
        for case, options in cases.items():
            ROWS[f"{kind.__name__} {case}"] = partial(estimator_row, kind, options, outputs=outputs)
        one = partial(estimator_row, kind)
        ROWS[f"{kind.__name__} one output, weighted"] = partial(one, {}, weighted=True)
        ROWS[f"{kind.__name__} float32"] = partial(one, {}, outputs=outputs, dtype=np.float32)
        ROWS[f"{kind.__name__} float32 auto"] = partial(one, {"solver": "auto", "max_iter": 100}, dtype=np.float32)
        ROWS[f"{kind.__name__} auto, weighted"] = partial(one, {"solver": "auto", "max_iter": 100}, weighted=True)
        ROWS[f"{kind.__name__} partial_fit"] = partial(one, {}, outputs=outputs, parts=5)
        ROWS[f"{kind.__name__} warm_start"] = partial(one, {"warm_start": True}, outputs=outputs, warm=2)
    balanced = {"class_weight": "balanced", "label_smoothing": 0.1}
    ROWS["MLPClassifier balanced, smoothed"] = partial(estimator_row, MLPClassifier, balanced, outputs=3)
    some = {"class_weight": {0: 3.0}, "scoring": "loss", "early_stopping": True}
    ROWS["MLPClassifier class_weight, loss watched"] = partial(estimator_row, MLPClassifier, some)
    ROWS["MLPRegressor poisson-like huber"] = partial(estimator_row, MLPRegressor, {"loss": "huber:1.5"})
    ROWS["MLPRegressor quantiles"] = partial(estimator_row, MLPRegressor, {"loss": "quantile:0.1,0.5,0.9"})


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def shops(n=90):
    """Numbers with gaps, a category of some levels, dates and weights; targets of every kind."""
    rng = np.random.default_rng(8)
    size, shop = rng.normal(size=n), rng.integers(12, size=n)
    price = size + shop / 6 - 1 + 0.1 * rng.normal(size=n)
    return {
        "size": np.where(rng.random(n) < 0.1, np.nan, size),
        "shop": np.array([f"shop {i}" for i in shop], dtype=object),
        "day": np.datetime64("2024-01-01") + rng.integers(300, size=n),
        "price": price,
        "dear": np.array(["no", "yes"], dtype=object)[(price > 0).astype(int)],
        "class": np.array(["low", "middle", "high"], dtype=object)[np.digitize(price, [-0.5, 0.5])],
        "weight": rng.integers(0, 3, n).astype(float),
    }


def kept(model):
    """The tensors of its file that training learns: none of the history, whose clock runs, nor of familiarity."""
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "model")
        tensors = load_file(Path(place) / "model")
    return [tensors[name] for name in sorted(tensors) if not name.startswith("familiarity") and "history" not in name]


def table_row(target, options, *more):
    table = {name: values for name, values in shops().items() if name in ("size", "shop", "day", target, *more)}
    model = train_table(table, target, seed=2, n_threads=1, **options)
    tensors, scores = kept(model), list(model.scores.values())
    return tensors, [model.history.cost, model.history.validation_cost, scores], [*scores, norm(tensors)]


def tabular_row(kind, target, options, weighted=False):
    table = shops()
    X = {name: table[name] for name in ("size", "shop", "day")}
    model = kind(random_state=6, **options)
    model.fit(X, table[target], table["weight"] if weighted else None)
    tensors = kept(model)
    return tensors, [], [model.score(X, table[target]), norm(tensors)]


def table_rows():
    for target in ("price", "dear", "class"):
        for name, engine in (("plain", {"engine": "plain"}), ("fused", {"engine": "fused"})):
            few = {"hidden": (8,), "epochs": 10, **engine}
            ROWS[f"train_table one {target} {name}"] = partial(table_row, target, few)
            ROWS[f"train_table mixture {target} {name}"] = partial(table_row, target, engine)
    weighted = {"weights": "weight", "dropout": 0.2, "epochs": 20, "patience": 3, "batch_size": 16, "engine": "plain"}
    ROWS["train_table one class, weighted"] = partial(table_row, "class", weighted, "weight")
    ROWS["train_table lbfgs"] = partial(table_row, "price", {"optimizer": "lbfgs", "epochs": 20, "engine": "plain"})
    mixed = {"weights": "weight", "validation": 0, "engine": "fused"}
    ROWS["train_table mixture class, weighted, all rows"] = partial(table_row, "class", mixed, "weight")
    ROWS["TabularClassifier two"] = partial(tabular_row, TabularClassifier, "dear", {"n_threads": 1})
    ROWS["TabularClassifier three, two threads"] = partial(tabular_row, TabularClassifier, "class", {"n_threads": 2})
    plain = {"engine": "plain", "class_weight": "balanced", "max_levels": 5}
    ROWS["TabularClassifier plain, balanced"] = partial(tabular_row, TabularClassifier, "class", plain)
    ROWS["TabularRegressor weighted"] = partial(tabular_row, TabularRegressor, "price", {"n_threads": 1}, True)
    kinds = {"engine": "plain", "columns": {"shop": "category", "size": "number"}}
    ROWS["TabularRegressor plain, told kinds"] = partial(tabular_row, TabularRegressor, "price", kinds)


network_rows()
estimator_rows()
table_rows()


# ── the script ───────────────────────────────────────────────────────────────────────────────────────────────────────


def train_row(name):
    """The bits, the history's and the summary of one row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        learned, past, summary = ROWS[name]()
    return {"bits": hashed(learned), "history": hashed(past), "summary": [float(number) for number in summary]}


def differing(rows, others, *, same_machine):
    """{name: what is other} of the rows of one file against another's; on another machine only the summaries count."""
    found = dict.fromkeys(rows.keys() ^ others.keys(), "is in one file only")
    for name in rows.keys() & others.keys():
        row, other = rows[name], others[name]
        if same_machine:
            if wrong := [part for part in ("bits", "history") if row[part] != other[part]]:
                found[name] = f"other {' and '.join(wrong)}: {row['summary']} against {other['summary']}"
        elif not np.allclose(row["summary"], other["summary"], rtol=0.02, atol=0.02):
            found[name] = f"{row['summary']} against {other['summary']}"
    return dict(sorted(found.items()))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", type=Path, metavar="FILE")
    options.add_argument("--check", type=Path, metavar="FILE")
    options.add_argument("--only", default="", metavar="WORDS", help="check the rows alone whose names hold the words")
    asked = options.parse_args()
    rows = {name: train_row(name) for name in ROWS if asked.only in name}
    if asked.write:
        lines = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()]
        body = ",\n".join(lines)
        asked.write.write_text(f'{{"fingerprint": {json.dumps(fingerprint())},\n"rows": {{\n{body}\n}}}}\n')
    wrong = {}
    if asked.check:
        stored = json.loads(asked.check.read_text())
        alike = stored["fingerprint"] == json.loads(json.dumps(fingerprint()))
        others = {name: row for name, row in stored["rows"].items() if asked.only in name}
        wrong = differing(rows, others, same_machine=alike)
        print("this machine's bits" if alike else "another machine's bits: only the summaries are compared")
        for name, what in wrong.items():
            print(f"{name}: {what}")
    print(f"{len(rows)} rows, {len(wrong)} differ ({Path(netwright.__file__).parent})")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
