"""netwright's MLPClassifier beside scikit-learn's, with the same parameters.

`fit` on digits, tab and mnist of the suite (see works.py), `predict` of one row and of many, and what the estimator
costs over the bare engine.

Both fit the same float32 rows for the same epochs from the same seed, in one process, in turns, after a warm-up; that
both end at the same loss is checked. netwright's engine is the compiled one (`engine="fused"`), as `netwright warmup`
makes it the default.
"""

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn.neural_network
from plain import quartiles
from sklearn.exceptions import ConvergenceWarning
from works import WORKS, make

import netwright
from netwright.core.optimizers import Adam
from netwright.core.samples import Samples
from netwright.engines import ENGINES, Job, Steps

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "estimators.json"
PAGE = HERE.parent / "docs" / "scikit-learn.md"
MARKS = "<!-- benchmarks/estimators.py writes this table -->", "<!-- to here -->"
EPOCHS = {"digits": 20, "tab": 2, "mnist": 1}


def estimators(work, epochs):
    """The two, with the same parameters."""
    same = {
        "hidden_layer_sizes": work.sizes[1:-1],
        "batch_size": work.batch,
        "max_iter": epochs,
        "tol": 0,
        "n_iter_no_change": epochs + 1,
        "random_state": 0,
    }
    return {
        "scikit-learn": sklearn.neural_network.MLPClassifier(**same),
        "netwright": netwright.MLPClassifier(**same, engine="fused"),
    }


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(calls, rounds):
    """For each name the seconds of its call, in turns after a warm-up."""
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    for turn in range(rounds):
        for name in list(calls) if turn % 2 else list(calls)[::-1]:
            time.sleep(0.1)  # BLAS's threads wait for more work by turning in circles: not at the next one's cost
            times[name].append(seconds(calls[name]))
    return times


def row(what, times, scale=1):
    """Medians, quartiles and their ratio."""
    ratios = [a / b for a, b in zip(times["scikit-learn"], times["netwright"], strict=True)]
    return {
        "what": what,
        **{
            name: {"median": statistics.median(t) / scale, "quartiles": [q / scale for q in quartiles(t)]}
            for name, t in times.items()
        },
        "ratio": {"median": statistics.median(ratios), "quartiles": quartiles(ratios)},
    }


def measure(quick):
    rows = []
    for name, epochs in EPOCHS.items():
        task = make(WORKS[name], quick)
        both = estimators(task.work, epochs)
        fits = {who: (lambda model=model, task=task: model.fit(task.X, task.y)) for who, model in both.items()}
        rounds = 3 if quick else {"digits": 40, "tab": 10, "mnist": 5}[name]
        rows.append(row(f"fit {name}, {epochs} epochs", in_turns(fits, rounds)))
        losses = {who: model.loss_ for who, model in both.items()}
        if abs(losses["netwright"] - losses["scikit-learn"]) > 0.01 * losses["scikit-learn"]:
            raise SystemExit(f"{name}: the losses differ: {losses}")
        rows[-1]["loss"] = losses
        if name == "digits":
            for what, X, times in (("1 row", task.X[:1], 2000), ("1,797 rows", task.X, 20)):
                calls = {
                    who: (lambda model=model, X=X, times=times: [model.predict(X) for _ in range(times)])
                    for who, model in both.items()
                }
                rows.append(row(f"predict {what}, digits", in_turns(calls, 5 if quick else 30), times))
    return rows


def overhead(rounds):
    """Seconds on digits of a `fit` beyond the bare engine's epoch, and beyond the core's own training (a network
    drawn, checked and trained); and a one-row `predict` beyond the bare engine's: medians of differences."""
    task = make(WORKS["digits"])
    model = estimators(task.work, 1)["netwright"].fit(task.X, task.y)
    network, X, Y = model.as_network(), task.X.T, np.eye(10, dtype="f4")[task.y].T
    optimizer, steps = Adam(), -(-task.X.shape[0] // task.work.batch)
    engine = ENGINES["fused"](Job(network, optimizer, task.X.shape[0], task.work.batch))
    order = np.random.default_rng(0).permutation(task.X.shape[0])
    samples, asked = Samples(X, Y), Steps(task.work.batch, np.full((1, steps), 0.001), order[np.newaxis], None)
    one, predict = task.X[:1], network.predictor()

    def core():
        own = netwright.Network(task.work.sizes, "relu", loss="cross_entropy", rng=0, dtype="f4")
        own.train(X, Y, epochs=1, batch_size=task.work.batch, patience=2, tolerance=0, engine="fused")

    ours = {"fit": lambda: model.fit(task.X, task.y), "predict": lambda: [model.predict(one) for _ in range(1000)]}
    bare = {
        "fit beyond the bare epoch": (lambda: engine.run_epochs(network, optimizer, samples, asked)),
        "fit beyond the core's training": core,
        "predict of one row beyond the bare engine's": lambda: [predict(one.T) for _ in range(1000)],
    }
    found = {}
    for what, call in bare.items():
        name = what.split()[0]
        times = in_turns({"ours": ours[name], "bare": call}, rounds)
        differences = [a - b for a, b in zip(times["ours"], times["bare"], strict=True)]
        found[what] = statistics.median(differences) / (1000 if name == "predict" else 1)
    return found


def spell(value):
    unit, size = next(((unit, size) for unit, size in (("s", 1), ("ms", 1e-3)) if value >= size), ("µs", 1e-6))
    return f"{value / size:.3g} {unit}"


def table(results):
    lines = ["| | scikit-learn | netwright | times as fast |", "|---|---|---|---|"]
    for found in results["rows"]:
        low, high = found["ratio"]["quartiles"]
        cells = [spell(found[who]["median"]) for who in ("scikit-learn", "netwright")]
        lines.append(
            f"| {found['what']} | {' | '.join(cells)} | **{found['ratio']['median']:.1f}** ({low:.1f}–{high:.1f}) |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rows and turns; writes nothing")
    parser.add_argument("--page", action="store_true", help="put the table into docs/scikit-learn.md as well")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # they are stopped on purpose
    results = {"rows": measure(asked.quick), "overhead": overhead(20 if asked.quick else 100)}
    results["versions"] = {"scikit-learn": sklearn.__version__, "netwright": netwright.__version__}
    print(table(results))
    over = ", ".join(f"{name} {spell(value)}" for name, value in results["overhead"].items())
    print(f"\nwhat the estimator adds: {over}")
    if not asked.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        if asked.page:
            before, rest = PAGE.read_text().split(MARKS[0])
            PAGE.write_text(f"{before}{MARKS[0]}\n{table(results)}\n{MARKS[1]}{rest.split(MARKS[1])[1]}")


if __name__ == "__main__":
    main()
