"""What exports weigh, and how long one row takes in them, beside netwright's own and others' converters.

    python benchmarks/export.py [--turns 9]

The net is 64-100-10 (relu, softmax) on scikit-learn's digits, in float32; the mixture is what a table's training makes
of examples/penguins.csv, with its columns. Medians over turns, in each of which everybody has a go. Others' converters
(skl2onnx, emlearn, m2cgen) take part where they are installed: they get scikit-learn's own MLPClassifier with the same
weights. None of them takes a table's columns.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

TIMING = """
#include <stdio.h>
#include <time.h>
#include "{name}.h"
int main(int argc, char **argv)
{{
    static float x[64 * 64];
    double sum = 0;
    for (int i = 0; i < 64 * 64; i++) x[i] = (float)((i * 7919) % 17) / 16;
    struct timespec a, b;
    const int rows = {rows};
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < rows; i++) {{
        {call}
    }}
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.9g %g\\n", ((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec)) / rows, sum);
    return 0;
}}
"""
NODE = """
import {{ values }} from "./{name}.mjs";
const x = {row}, rows = {rows};
for (let i = 0; i < rows; i++) values(x);
const start = process.hrtime.bigint();
for (let i = 0; i < rows; i++) {{ x[{first}] = i % 16; values(x); }}
console.log(Number(process.hrtime.bigint() - start) / 1e9 / rows);
"""
DIGITS = "Array.from({ length: 64 }, (_, i) => ((i * 7919) % 17) / 16)"
BIRD = {
    "island": "Biscoe",
    "bill_length_mm": 46.1,
    "bill_depth_mm": 13.2,
    "flipper_length_mm": 211,
    "body_mass_g": 4500,
    "sex": "female",
    "year": 2007,
}


def compiled(folder, source, call, name, *objects, rows=200_000):
    """The seconds that a row takes in C, as a function."""
    (folder / f"{source}_time.c").write_text(TIMING.format(name=name, call=call, rows=rows))
    binary = folder / f"{source}_time"
    given = [folder / f"{source}_time.c", *objects, "-lm", "-o", binary]
    command = ["cc", "-O3", "-I", folder, *given]
    subprocess.run(command, check=True)
    return lambda: float(subprocess.run([binary], capture_output=True, text=True, check=True).stdout.split()[0])


def called(function, x, calls=3000):
    """The seconds that `function(x)` takes, as a function."""

    def once():
        start = time.perf_counter()
        for _ in range(calls):
            function(x)
        return (time.perf_counter() - start) / calls

    return once


def text_of(path):
    """The bytes of an object's code and constants, as `size` counts them."""
    fields = (
        subprocess.run(["size", str(path)], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
    )
    return int(fields[0]) + int(fields[1])


def ours(model, folder, x):
    """(name, bytes, what they are of, seconds a row) of netwright's own and its exports."""

    network = model.as_network()
    weights = 4 * network.theta.size
    model.save(folder / "net.safetensors")
    size = (folder / "net.safetensors").stat().st_size
    yield "netwright, `predict`", size, "file", called(network.predict, x.T)
    yield "netwright, compiled", size, "file", called(network.predictor(1), x.T, 20_000)
    for label, options in (("C, float", {}), ("C, int8", {"int8": True})):
        name = "net8" if options else "net"
        model.export(folder / f"{name}.c", **options)
        subprocess.run(["cc", "-O3", "-c", str(folder / f"{name}.c"), "-o", str(folder / f"{name}.o")], check=True)
        call = f"{name}_prediction said; {name}_predict(x + 64 * (i % 64), &said); sum += said.c_class_P[0];"
        once = compiled(folder, name, call, name, folder / f"{name}.o")
        size = text_of(folder / f"{name}.o")
        assert size <= 1.05 * (weights / 4 if options else weights) + 16_000, (label, size, weights)
        yield label, size, "object", once
    model.export(folder / "net.onnx")
    yield "ONNX, in ONNX Runtime", (folder / "net.onnx").stat().st_size, "file", session(folder / "net.onnx", x)
    model.export(folder / "net.py")
    space = {"__name__": "net"}
    exec((folder / "net.py").read_text(), space)
    yield (
        "Python, standard library",
        (folder / "net.py").stat().st_size,
        "file",
        called(space["predict"], x[0].tolist(), 100),
    )
    if node := shutil.which("node"):
        yield in_node(node, model, folder, "net", DIGITS, 0, 20_000)


def in_node(node, model, folder, name, row, first, rows):
    """The JavaScript export; `first`: the place in a row that changes."""
    model.export(folder / f"{name}.mjs")
    code = NODE.format(name=name, row=row, first=json.dumps(first), rows=rows)
    (folder / f"{name}_time.mjs").write_text(code)

    def once():
        command = [node, f"{name}_time.mjs"]
        return float(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)

    return "JavaScript, in Node", (folder / f"{name}.mjs").stat().st_size, "file", once


def session(path, x):
    """Of an ONNX model; x: its only input, or inputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = x if isinstance(x, dict) else {made.get_inputs()[0].name: x}
    return called(lambda given: made.run(None, given), given, 3000 if given is not x else 300)


def mixture(folder):
    """A table's model, from its columns: (name, bytes, what they are of, seconds a row)."""
    import duckdb

    import netwright

    penguins = Path(__file__).parents[1] / "examples" / "penguins.csv"
    model = netwright.train_table(penguins, "species", max_seconds=30)
    model.save(folder / "birds.safetensors")
    weights = sum(network.theta.size for network in model.network.networks)
    print(f"{model.network.shape()}: {weights:,} weights", file=sys.stderr)
    one = {name: [value] for name, value in BIRD.items()}
    yield "netwright, `predict`", (folder / "birds.safetensors").stat().st_size, "file", called(model.predict, one, 50)
    said = ", ".join(f".{name} = {json.dumps(value)}" for name, value in BIRD.items())
    for label, options, each in (
        ("C, double", {}, 8),
        ("C, float", {"float32": True}, 4),
        ("C, int8", {"float32": True, "int8": True}, 1),
    ):
        name = f"birds{each}"
        model.export(folder / f"{name}.c", **options)
        subprocess.run(["cc", "-O3", "-c", str(folder / f"{name}.c"), "-o", str(folder / f"{name}.o")], check=True)
        call = f"{name}_row row = {{{said}}}; {name}_prediction said; row.year = i % 16; "
        call += f"{name}_predict(&row, &said); sum += said.species_P[0];"
        once = compiled(folder, name, call, name, folder / f"{name}.o", rows=2000)
        size, kept = text_of(folder / f"{name}.o"), 4 if each == 8 else each  # what was learnt in float is kept so
        assert size <= 1.05 * kept * weights + 16_000, (label, size, weights)
        yield label, size, "object", once
    model.export(folder / "birds.onnx")
    x = {name: np.array([[value]], object if isinstance(value, str) else np.float64) for name, value in BIRD.items()}
    yield "ONNX, in ONNX Runtime", (folder / "birds.onnx").stat().st_size, "file", session(folder / "birds.onnx", x)
    for label, options in (("Python, standard library", {}), ("Python, NumPy", {"numpy": True})):
        model.export(folder / "birds.py", **options)
        space = {"__name__": "birds"}
        exec((folder / "birds.py").read_text(), space)
        calls = called(space["predict"], one if options else BIRD, 30 if options else 3)
        yield label, (folder / "birds.py").stat().st_size, "file", calls
    if node := shutil.which("node"):
        yield in_node(node, model, folder, "birds", json.dumps(BIRD), "year", 1000)
    model.export(folder / "birds.sql", table="birds")
    query, rows = (folder / "birds.sql").read_text(encoding="utf-8"), 20_000
    database = duckdb.connect(config={"threads": 1})
    listed = ", ".join(f"{value!r} AS {name}" for name, value in BIRD.items())
    database.execute(f"CREATE TABLE birds AS SELECT {listed} FROM range({rows})")

    def once():
        start = time.perf_counter()
        database.execute(f"CREATE OR REPLACE TABLE scored AS {query}")
        return (time.perf_counter() - start) / rows

    yield f"SQL, in DuckDB, {rows:,} rows at once", (folder / "birds.sql").stat().st_size, "file", once


def others(model, folder, x):
    """The same of others' converters, of scikit-learn's own estimator with the same weights."""
    model.export(folder / "theirs.py", "sklearn")
    space = {"__name__": "theirs"}
    exec((folder / "theirs.py").read_text(), space)
    theirs = space["model"]
    yield "scikit-learn, `predict_proba`", None, "", called(theirs.predict_proba, x, 300)
    try:
        from skl2onnx import to_onnx

        made = to_onnx(theirs, x[:1], options={"zipmap": False})
        (folder / "skl2onnx.onnx").write_bytes(made.SerializeToString())
        yield (
            "skl2onnx, in ONNX Runtime",
            (folder / "skl2onnx.onnx").stat().st_size,
            "file",
            session(folder / "skl2onnx.onnx", x),
        )
    except ImportError:
        print("skl2onnx is not installed", file=sys.stderr)
    try:
        import emlearn

        np.seterr(all="warn")  # it makes NumPy raise
        with contextlib.chdir(folder):  # it leaves files where it stands
            made = emlearn.convert(theirs, method="inline", dtype="float")
        made.save(file=str(folder / "em.h"), name="em")
        call = "sum += em_predict(x + 64 * (i % 64), 64);"
        (folder / "em_only.c").write_text('#include "em.h"\nint own(const float *x) { return em_predict(x, 64); }\n')
        include = f"-I{Path(emlearn.__file__).parent}"
        subprocess.run(["cc", "-O3", include, "-c", str(folder / "em_only.c"), "-o", str(folder / "em.o")], check=True)
        yield "emlearn, C", text_of(folder / "em.o"), "object", compiled(folder, "em", call, "em", include)
    except ImportError:
        print("emlearn is not installed", file=sys.stderr)
    except Exception as error:
        print(f"emlearn: {type(error).__name__}: {error}", file=sys.stderr)
    try:
        import m2cgen

        m2cgen.export_to_c(theirs)
    except ImportError:
        print("m2cgen is not installed", file=sys.stderr)
    except Exception as error:
        print(f"m2cgen: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)


def main(given=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=9)
    options = options.parse_args(given)
    import warnings

    from sklearn.datasets import load_digits

    import netwright

    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    model = netwright.MLPClassifier((100,), max_iter=20, random_state=0).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        rows = [*ours(model, Path(folder), X[:1]), *others(model, Path(folder), X[:1])]
        show("64-100-10, float32", "netwright, compiled", rows, options.turns)
        print()
        show("a mixture, from columns", "C, double", [*mixture(Path(folder))], options.turns)
    return 0


def show(title, reference, rows, turns):
    """Measure in alternating turns, and print the table."""
    times = {name: [] for name, *_ in rows}
    for turn in range(turns):
        for name, _, _, once in rows if turn % 2 else reversed(rows):
            times[name].append(once())
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(f"| {title} | bytes | one row | against {reference} |")
    print("| --- | --: | --: | --: |")
    for name, size, what, _ in rows:
        weighs = "" if size is None else f"{size:,} ({what})"
        print(f"| {name} | {weighs} | {1e6 * medians[name]:.3g} µs | {medians[name] / medians[reference]:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
