"""Levenberg-Marquardt: from how many starts it comes to the goal, and in what time beside L-BFGS; and the penalty.

    python benchmarks/second_order.py [--quick] [--only starts|races|neurons]

Starts: 100 seeds each. The sine is sin(πx) at 100 places from -1 to 1, its goal a mean squared error of 1e-8; the
exclusive or is learnt when all four are on the right side of ½. Races: L-BFGS goes first, to its end or for 3,000
epochs; the goal is 1.001 times the cost that it reached, and its time is that of the first epoch there. Both run on one
thread, compiled, in turns; times are CPU seconds of the process; a row has the medians over its seeds.

Neurons: what more of them do to the error on fresh rows, with Levenberg-Marquardt and with Bayesian regularisation, of
at most 300 epochs from Glorot's start. Errors of numbers are those to the true function, of spread 1, root mean
squares; of classes the mean log loss. gamma is the effective number of parameters. Medians over the seeds.
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

from netwright import MLPRegressor, Network
from netwright.optimizers import LBFGS, BayesianRegularization, LevenbergMarquardt

RESULTS = Path(__file__).parent / "results" / "second_order.json"
XOR = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
GOAL = 1e-8  # the sine's mean squared error
SOLVERS = {
    "Levenberg–Marquardt": LevenbergMarquardt,
    "without the bend": lambda: LevenbergMarquardt(geodesic=False),
    "L-BFGS": lambda: LBFGS(restart=None),
}


def epochs_for_a_sine(optimizer, start, seed):
    """Epochs to the goal, or infinity where fifty do not reach it."""
    x = np.linspace(-1, 1, 100)[np.newaxis]
    if start == "MLPRegressor":
        options = {"solver": optimizer, "alpha": 0, "max_iter": 50, "random_state": seed, "engine": "plain"}
        made = MLPRegressor(hidden_layer_sizes=(10,), activation="tanh", **options)
        costs = made.fit(x.T, np.sin(np.pi * x[0])).loss_curve_
    else:
        network = Network([1, 10, 1], loss="squared_error", initializer=start, rng=seed)
        costs = network.train(x, np.sin(np.pi * x), optimizer=optimizer, epochs=50, engine="plain").cost
    return next((i for i, cost in enumerate(costs, 1) if 2 * cost <= GOAL), float("inf"))


def learns_xor(optimizer, loss, seed):
    network = Network([2, 3, 1], loss=loss, rng=seed)
    network.train(*XOR, optimizer=optimizer, epochs=20, engine="plain")
    return bool(np.array_equal(network.predict(XOR[0]) > 0.5, XOR[1] > 0.5))


def starts(seeds):
    for start in ("nguyen_widrow", "MLPRegressor", "glorot_uniform"):
        for name, make in SOLVERS.items():
            epochs = [epochs_for_a_sine(make(), start, seed) for seed in range(seeds)]
            there = sum(each < np.inf for each in epochs)
            yield {"problem": f"sine, 1-10-1, from {start}", "solver": name, "learnt": there, "of": seeds,
                   "median": statistics.median(epochs)}  # fmt: skip
    for loss in ("logloss", "squared_error"):
        for name, make in SOLVERS.items():
            learnt = sum(learns_xor(make(), loss, seed) for seed in range(seeds))
            yield {"problem": f"exclusive or, 2-3-1, {loss}", "solver": name, "learnt": learnt, "of": seeds}


def regression(inputs, rows, noise, seed):
    """Two inputs and a wave, or eight of which five are Friedman's (1991); targets of spread 1, and noise."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (inputs, rows))
    if inputs == 2:
        y = np.sin(3 * X[0]) * np.cos(2 * X[1])
    else:
        y = np.sin(np.pi * X[0] * X[1]) + 2 * (X[2] - 0.5) ** 2 + X[3] + 0.5 * X[4]
    return X, ((y - y.mean()) / y.std() + noise * rng.standard_normal(rows))[np.newaxis]


def raced(sizes, X, Y, seed, optimizer, epochs, goal=0.0):
    """(costs, CPU seconds after each epoch) of a training that ends at the goal."""
    network, seconds = Network(sizes, loss="squared_error", rng=seed), []
    started = time.process_time()

    def watch(network, history):
        seconds.append(time.process_time() - started)
        return history.cost[-1] <= goal

    history = network.train(X, Y, optimizer=optimizer, epochs=epochs, callbacks=watch, engine="fused", n_threads=1)
    return history.cost, seconds


def race(sizes, rows, noise, seeds, turns):
    """A row of the table: medians over the seeds, of each the median over its turns."""
    found = []
    for seed in range(seeds):
        X, Y = regression(sizes[0], rows, noise, seed)
        times, there = [], 0
        for _ in range(turns):
            costs, seconds = raced(sizes, X, Y, seed, LBFGS(restart=None), 3000)
            goal = 1.001 * costs[-1]
            theirs = next(i for i, cost in enumerate(costs) if cost <= goal)
            ours, spent = raced(sizes, X, Y, seed, LevenbergMarquardt(), 1000, goal)
            there = ours[-1] <= goal
            times.append((seconds[theirs], spent[-1] if there else float("inf")))
        first, second = (statistics.median(column) for column in zip(*times, strict=True))
        found.append((first, second, second / first, theirs + 1, len(ours), there))
    names = ("lbfgs", "lm", "ratio", "lbfgs_epochs", "lm_epochs")
    medians = (statistics.median(column) for column in list(zip(*found, strict=True))[:-1])
    kept = dict(zip(names, medians, strict=True))
    return {"network": "-".join(map(str, sizes)), "rows": rows, "noise": noise, **kept,
            "there": sum(row[-1] for row in found), "of": seeds}  # fmt: skip


def sine(seed, rows):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (1, rows))
    return x, np.sqrt(2) * np.sin(np.pi * x), 0.4


def friedman(seed, rows):
    X, Y = regression(8, rows, 0.0, seed)
    return X, Y, 0.3


def blobs(seed, rows):
    """Two classes that overlap, whose odds are linear."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return rng.normal(size=(2, rows)) + np.array([[1.2], [0.6]]) * (2 * y - 1), y[np.newaxis].astype(float), 0.0


PROBLEMS = {
    "sine, 40 rows": (sine, 40),
    "five of eight inputs, 150 rows": (friedman, 150),
    "blobs, 120 rows": (blobs, 120),
}
PENALTIES = {
    "lm": LevenbergMarquardt,
    "br": BayesianRegularization,
    "one alpha": lambda: BayesianRegularization(shared=True),
}


def fresh_error(make, neurons, optimizer, rows, seed):
    """(error on fresh rows, gamma) of a training."""
    X, Y, noise = make(seed, rows + 3000)
    learnt = Y[:, :rows] + noise * np.random.default_rng(seed).normal(size=(1, rows))
    loss = "squared_error" if noise else "logloss"
    network = Network([len(X), neurons, 1], loss=loss, rng=seed)
    history = network.train(X[:, :rows], learnt, optimizer=optimizer, epochs=300, engine="plain")
    cost = network.cost(X[:, rows:], Y[:, rows:])
    return np.sqrt(2 * cost) if noise else cost, history.effective_parameters or np.nan


def more_neurons(seeds):
    for problem, (make, rows) in PROBLEMS.items():
        for neurons in (3, 6, 12, 24):
            row = {"problem": problem, "neurons": neurons, "parameters": (len(make(0, 2)[0]) + 2) * neurons + 1}
            for name, optimizer in PENALTIES.items():
                found = [fresh_error(make, neurons, optimizer(), rows, seed) for seed in range(seeds)]
                row[name], gamma = map(float, np.median(found, axis=0))
                row |= {} if name == "lm" else {f"{name}, gamma": gamma}
            yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer seeds, rows and turns")
    parser.add_argument("--only", choices=PARTS, help="one of the tables")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # that fifty epochs are few is no news here
    results = json.loads(RESULTS.read_text()) if given.only and RESULTS.exists() else {}
    for name in [given.only] if given.only else PARTS:
        results[name] = []
        for row in PARTS[name](given.quick):
            results[name].append(row)
        print(flush=True)
    if not given.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def show_starts(quick):
    print("| problem | solver | learnt | median epochs |\n|---|---|---|---|")
    for row in starts(10 if quick else 100):
        median = row.get("median", np.inf)
        epochs = "–" if median == np.inf else f"{median:g}"
        print(f"| {row['problem']} | {row['solver']} | {row['learnt']} of {row['of']} | {epochs} |", flush=True)
        yield row


def show_races(quick):
    print("| network | rows | noise | L-BFGS, s | LM, s | LM / L-BFGS | epochs of both | reached |")
    print("|---|---|---|---|---|---|---|---|")
    for sizes in ([2, 10, 1], [8, 20, 1]):
        for rows in (500,) if quick else (500, 1000, 5000):
            for noise in (0.0, 0.1):
                row = race(sizes, rows, noise, *((2, 1) if quick else (5, 2)))
                print(
                    f"| {row['network']} | {rows} | {noise:g} | {row['lbfgs']:.2f} | {row['lm']:.2f} | "
                    f"{row['ratio']:.2f} | {row['lbfgs_epochs']:g}, {row['lm_epochs']:g} | {row['there']} of "
                    f"{row['of']} |",
                    flush=True,
                )
                yield row


def show_neurons(quick):
    print("| problem | neurons | parameters | lm | br | its gamma | one alpha | its gamma |")
    print("|---|---|---|---|---|---|---|---|")
    for row in more_neurons(3 if quick else 20):
        errors = " | ".join(f"{row[n]:.3f} | {row[f'{n}, gamma']:.1f}" for n in PENALTIES if n != "lm")
        print(f"| {row['problem']} | {row['neurons']} | {row['parameters']} | {row['lm']:.3g} | {errors} |", flush=True)
        yield row


PARTS = {"starts": show_starts, "races": show_races, "neurons": show_neurons}


if __name__ == "__main__":
    main()
