"""The most memory that learning from a table takes, beside the table as networks learn from it.

    python benchmarks/memory.py [--rows 200000] [--columns 20] [--max-time 60]

Each in a process of its own, on Linux: beyond what the process rests at, with everything imported and compiled, and the
table there (of `fit`, an array of float32; of `netwright train`, a CSV file). `--max-time 0` sets no limit.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

WAYS = {"fit": "TabularRegressor.fit", "train": "netwright train"}


def table(rows, columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns)).astype(np.float32)
    return X, (np.sin(2 * X[:, 0]) * X[:, 1] + X[:, 2] ** 2 + 0.1 * rng.normal(size=rows)).astype(np.float32)


def of_the_process(what):
    """VmRSS, its memory now, or VmHWM, the most since `forget_peak`, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")


def child(way, rows, columns, seconds):
    """Learn in one of the two ways; says the MiB of the encoded table, those on top, and the seconds."""
    import netwright
    from netwright.cli import main as command

    X, y = table(rows, columns)
    netwright.TabularRegressor(random_state=0, max_time=5).fit(X[:500], y[:500])  # what is compiled or loaded once
    with tempfile.TemporaryDirectory() as folder:
        if way == "train":
            path, out = f"{folder}/table.csv", f"{folder}/table.safetensors"
            head = ",".join([*(f"x{j}" for j in range(columns)), "y"])
            np.savetxt(path, np.column_stack([X, y]), "%.9g", ",", header=head, comments="")
            del X, y
        resting, began = of_the_process("VmRSS"), time.perf_counter()
        forget_peak()
        if way == "fit":
            model = netwright.TabularRegressor(random_state=0, max_time=seconds or None).fit(X, y)
            features, learned = len(model.encoder_.feature_names), rows
        else:
            limit = ["--time-limit", f"{seconds:g}s"] if seconds else []
            with suppress(SystemExit):
                command(["train", path, "-t", "y", "-o", out, "--quiet", *limit], standalone_mode=False)
            features, learned = len(netwright.load(out).encoder.feature_names), rows - round(rows / 5)
    peak = of_the_process("VmHWM") - resting
    print(f"{4 * features * learned / 2**20} {peak} {time.perf_counter() - began}")


def main(given=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--columns", type=int, default=20)
    options.add_argument("--max-time", type=float, default=60.0)
    options.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = options.parse_args(given)
    if options.way:
        child(options.way, options.rows, options.columns, options.max_time)
        return 0
    print(f"| {options.rows:,} rows × {options.columns} columns | encoded | at most, on top | times | seconds |")
    print("| --- | --: | --: | --: | --: |")
    asked = ["--rows", str(options.rows), "--columns", str(options.columns), "--max-time", str(options.max_time)]
    for way, called in WAYS.items():
        done = subprocess.run([sys.executable, __file__, *asked, "--way", way], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            return 1
        encoded, peak, seconds = map(float, done.stdout.splitlines()[-1].split())
        print(f"| `{called}` | {encoded:.0f} MiB | {peak:.0f} MiB | {peak / encoded:.1f} | {seconds:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
