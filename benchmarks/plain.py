"""The plain engine's time an epoch beside scikit-learn's MLPClassifier, on its digits: 64-100-10, batches of 32, Adam.

Both train on the same rows, in one process, in turns, after a warm-up, for the same epochs with the same penalty; each
time is a whole `fit` or `train` (set-up included) divided by its epochs. That both learn the same is checked too.
"""

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_info, threadpool_limits

import netwright

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "plain.json"
README = HERE.parent / "README.md"
MARKS = "<!-- benchmarks/plain.py writes this table -->", "<!-- to here -->"

BATCH, HIDDEN, RATE, ALPHA = 32, 100, 0.001, 1e-4
HELD_OUT = 360


def digits(dtype):
    """(X, y, X held out, y held out): rows are samples, pixels between 0 and 1."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    X, y = (data.data[order] / 16).astype(dtype), data.target[order]
    return X[HELD_OUT:], y[HELD_OUT:], X[:HELD_OUT], y[:HELD_OUT]


def clocks():
    """What the wall's clock shows, and the CPU seconds of this process, all its threads together."""
    return np.array([time.perf_counter(), time.process_time()])


def scikit_learn(data, epochs, seed):
    """(seconds and CPU seconds an epoch, last cost, held-out accuracy)."""
    X, y, X_test, y_test = data
    model = MLPClassifier(
        hidden_layer_sizes=(HIDDEN,),
        batch_size=BATCH,
        learning_rate_init=RATE,
        alpha=ALPHA,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped on purpose
        start = clocks()
        model.fit(X, y)
        seconds = (clocks() - start) / epochs
    assert model.n_iter_ == epochs
    assert model.coefs_[0].dtype == X.dtype
    return *seconds, float(model.loss_curve_[-1]), float(model.score(X_test, y_test))


def netwright_plain(data, epochs, seed):
    """(seconds and CPU seconds an epoch, last cost, held-out accuracy)."""
    X, y, X_test, y_test = data
    start = clocks()
    network = netwright.Network(
        [X.shape[1], HIDDEN, 10],
        activation="relu",
        loss="cross_entropy",
        initializer="glorot_uniform",  # scikit-learn's
        l2=ALPHA / BATCH,  # scikit-learn divides its alpha by the rows of a batch
        rng=seed,
        dtype=X.dtype,
    )
    Y = np.eye(10, dtype=X.dtype)[:, y]
    history = network.train(X.T, Y, epochs=epochs, batch_size=BATCH, learning_rate=RATE, engine="plain")
    seconds = (clocks() - start) / epochs
    assert len(history) == epochs
    assert network.theta.dtype == X.dtype
    right = network.predict(X_test.T).argmax(axis=0) == y_test
    return *seconds, history.cost[-1], float(right.mean())


PEERS = {"scikit-learn": scikit_learn, "netwright": netwright_plain}


def measure(rounds, epochs):
    """A row for each dtype and number of BLAS threads."""
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    default = max(pool["num_threads"] for pool in blas)
    threads = {"default": default, "1": 1}
    cells = {(dtype, label): {name: [] for name in PEERS} for dtype in ("float64", "float32") for label in threads}
    for seed in range(-1, rounds):  # the first is the warm-up
        for dtype, label in cells:
            data = digits(dtype)
            with threadpool_limits(threads[label], user_api="blas"):
                names = list(PEERS) if seed % 2 else list(PEERS)[::-1]
                for name in names:
                    outcome = PEERS[name](data, epochs, max(seed, 0))
                    if seed >= 0:
                        cells[dtype, label][name].append(outcome)
    rows = []
    for (dtype, label), found in cells.items():
        row = {"dtype": dtype, "blas_threads": threads[label], "threads": label}
        for name, outcomes in found.items():
            seconds, cpu, costs, right = ([float(x) for x in values] for values in zip(*outcomes, strict=True))
            row[name] = {
                "seconds_an_epoch": seconds,
                "median": statistics.median(seconds),
                "quartiles": quartiles(seconds),
                "cpu_median": statistics.median(cpu),
                "cost": statistics.median(costs),
                "accuracy": statistics.median(right),
            }
        pairs = zip(row["scikit-learn"]["seconds_an_epoch"], row["netwright"]["seconds_an_epoch"], strict=True)
        ratios = [theirs / ours for theirs, ours in pairs]
        row["ratio"] = {"median": statistics.median(ratios), "quartiles": quartiles(ratios)}
        rows.append(row)
    return {
        "what": "digits, 64-100-10, relu, batches of 32, Adam 0.001; seconds an epoch, medians of turns",
        "rows": rows,
        "rounds": rounds,
        "epochs": epochs,
        "samples": len(digits("float64")[1]),
        "cores": os.cpu_count(),
        "blas": sorted({f"{pool['internal_api']} {pool['version']}" for pool in blas}),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "netwright": netwright.__version__,
        },
    }


def quartiles(values):
    return [float(q) for q in np.quantile(values, [0.25, 0.75])]


def check(results):
    """SystemExit unless both learnt, and to the same cost and accuracy."""
    for row in results["rows"]:
        ours, theirs = row["netwright"], row["scikit-learn"]
        if not abs(ours["cost"] - theirs["cost"]) < 0.2 * theirs["cost"]:
            raise SystemExit(f"the costs differ: {ours['cost']:.4f} here, {theirs['cost']:.4f} in scikit-learn")
        if not min(ours["accuracy"], theirs["accuracy"]) > 0.9:
            raise SystemExit(f"not learnt: accuracies {ours['accuracy']:.3f} and {theirs['accuracy']:.3f}")


def table(results):
    """The results as a table in Markdown."""
    lines = [
        "| numbers | BLAS threads | scikit-learn, ms an epoch | netwright, ms an epoch | times as fast |",
        "|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        cells = [row["dtype"], f"{row['blas_threads']}" + " (default)" * (row["threads"] == "default")]
        for name in PEERS:
            low, high = (1000 * q for q in row[name]["quartiles"])
            cells.append(f"{1000 * row[name]['median']:.1f} ({low:.1f}–{high:.1f})")
        low, high = row["ratio"]["quartiles"]
        cells.append(f"**{row['ratio']['median']:.2f}** ({low:.2f}–{high:.2f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def learnt(results):
    """One line on what both reached."""
    row = results["rows"][0]
    reached = (f"{name} {row[name]['cost']:.4f} and {row[name]['accuracy']:.3f}" for name in PEERS)
    return f"cost and held-out accuracy after {results['epochs']} epochs ({row['dtype']}): {', '.join(reached)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few turns, to see that it works; writes nothing")
    parser.add_argument("--rounds", type=int, help="turns of each [default: 60]")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md as well")
    asked = parser.parse_args()
    rounds = asked.rounds or (3 if asked.quick else 60)
    results = measure(rounds, epochs=10 if asked.quick else 20)
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    print(f"{results['what']}\n{results['samples']} samples, {results['epochs']} epochs a turn, {rounds} turns each")
    print(f"{versions}; {', '.join(results['blas'])}; {results['cores']} cores\n")
    print(f"{table(results)}\n\nmedian (quartiles); {learnt(results)}")
    check(results)
    if not asked.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(f"written to {RESULTS.relative_to(HERE.parent)}")
        if asked.readme:
            text = README.read_text()
            before, rest = text.split(MARKS[0])
            after = rest.split(MARKS[1])[1]
            README.write_text(f"{before}{MARKS[0]}\n{table(results)}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
