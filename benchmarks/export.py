"""What exports weigh, and how long one row takes in them, beside netwright's own and others' converters.

    python benchmarks/export.py [--turns 9]

The net is 64-100-10 (relu, softmax) on scikit-learn's digits, in float32. Medians over turns, in each of which
everybody has a go. Others' converters (skl2onnx, emlearn, m2cgen) take part where they are installed: they get
scikit-learn's own MLPClassifier with the same weights.
"""

import argparse
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
    const int rows = 200000;
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
import { values } from "./net.mjs";
const x = Array.from({ length: 64 }, (_, i) => ((i * 7919) % 17) / 16);
for (let i = 0; i < 20000; i++) values(x);
const start = process.hrtime.bigint(), rows = 20000;
for (let i = 0; i < rows; i++) { x[0] = i % 16; values(x); }
console.log(Number(process.hrtime.bigint() - start) / 1e9 / rows);
"""


def compiled(folder, source, call, name, *objects):
    """The seconds that a row takes in C, as a function."""
    (folder / f"{source}_time.c").write_text(TIMING.format(name=name, call=call))
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
        model.export(folder / "net.mjs")
        (folder / "time.mjs").write_text(NODE)
        run = [node, "time.mjs"]

        def once():
            return float(subprocess.run(run, cwd=folder, capture_output=True, text=True, check=True).stdout)

        yield "JavaScript, in Node", (folder / "net.mjs").stat().st_size, "file", once


def session(path, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = made.get_inputs()[0].name
    return called(lambda x: made.run(None, {name: x}), x)


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
        times = {name: [] for name, *_ in rows}
        for turn in range(options.turns):
            for name, _, _, once in rows if turn % 2 else reversed(rows):
                times[name].append(once())
    reference = statistics.median(times["netwright, compiled"])
    print("| 64-100-10, float32 | bytes | one row | against netwright, compiled |")
    print("| --- | --: | --: | --: |")
    for name, size, what, _ in rows:
        seconds = statistics.median(times[name])
        weighs = "" if size is None else f"{size:,} ({what})"
        print(f"| {name} | {weighs} | {1e6 * seconds:.3g} µs | {seconds / reference:.2f} |")
    print(json.dumps({name: statistics.median(each) for name, each in times.items()}), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
