"""A Python file that makes scikit-learn's own MLPClassifier or MLPRegressor with the same weights, where it can."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from netwright.core.arguments import Array
from netwright.export.numbers import in_base64, wrapped
from netwright.export.program import Answers, Program
from netwright.export.python import safe

THEIRS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
NEEDED = "scikit-learn's perceptrons hold one network of plain numbers"

TEXT = '''"""scikit-learn's {kind}, with the weights of {title}

Written by netwright.

    from {name} import model
    model.predict(X)

The columns of X: {names}.
"""

import base64

import numpy as np
from sklearn.neural_network import {kind}
{more}
WEIGHTS = np.frombuffer(base64.b64decode("""
{weights}
"""), "<f{bytes}").astype("{dtype}")
SIZES = {sizes}  # of the layers, the inputs first

model = {kind}(hidden_layer_sizes=SIZES[1:-1], activation={hidden!r})
model.coefs_, model.intercepts_, start = [], [], 0
for inputs, neurons in zip(SIZES, SIZES[1:]):
    W, b = np.split(WEIGHTS[start : start + neurons * (inputs + 1)], [neurons * inputs])
    model.coefs_.append(np.ascontiguousarray(W.reshape(neurons, inputs).T))
    model.intercepts_.append(b)
    start += neurons * (inputs + 1)
model.n_features_in_, model.n_outputs_, model.n_layers_ = SIZES[0], SIZES[-1], len(SIZES)
model.out_activation_, model.n_iter_, model.t_, model.loss_ = {last!r}, 0, 0, np.nan
model.loss_curve_, model.best_loss_, model._no_improvement_count = [], np.inf, 0
'''
ONE = """model.classes_ = np.array({classes!r})
model._label_binarizer = LabelBinarizer().fit(model.classes_)
"""
SEVERAL = """model.classes_ = np.arange({labels})
model._label_binarizer = LabelBinarizer().fit(np.eye({labels}, dtype=int))
"""


def files(program: Program, name: str) -> dict[str, bytes]:
    """`NAME.py`, whose `model` is the estimator. ValueError says what scikit-learn's perceptrons cannot hold."""
    hidden, last = _check(program)
    layers, labels = program.networks[0], len(program.labelled)
    weights = np.concatenate([each.ravel() for layer in layers for each in (layer.W, layer.b)])
    said = TEXT.format(
        kind="MLPClassifier" if labels else "MLPRegressor",
        title=safe(program.title),
        name=safe(name),
        names=safe(", ".join(program.names)),
        more="from sklearn.preprocessing import LabelBinarizer\n" * bool(labels),
        weights=wrapped(in_base64(weights)),
        bytes=weights.itemsize,
        dtype=program.dtype,
        sizes=[program.inputs, *(len(layer.b) for layer in layers)],
        hidden=hidden,
        last=last,
    )
    if labels > 1:
        said += SEVERAL.format(labels=labels)
    elif labels:
        said += ONE.format(classes=list(program.targets[0].classes))
    return {f"{name}.py": said.encode()}


def _check(program: Program) -> tuple[str, str]:
    """(the hidden layers' activation, the last one's), in scikit-learn's words."""
    if program.columns:
        raise ValueError(f"the format 'sklearn' cannot hold a table's columns: {NEEDED}; every other format can")
    if len(program.networks) > 1:
        raise ValueError(f"the format 'sklearn' cannot hold {len(program.networks)} networks: {NEEDED}")
    *before, last = program.networks[0]
    names = {layer.activation for layer in before}
    if len(names) > 1 or not names <= THEIRS.keys():
        shown = ", ".join(sorted(map(repr, names)))
        raise ValueError(
            f"the format 'sklearn' cannot hold the hidden layers' {shown}: it takes one activation, of "
            f"{', '.join(THEIRS)}; every other format can"
        )
    if any(len(target.classes) == 1 for target in program.targets):
        raise ValueError("the format 'sklearn' cannot hold a single class; every other format can")
    binary = all(target.binary for target in program.labelled)
    classes = "sigmoid" if binary else f"softmax of {program.outputs} classes"
    right = classes if program.labelled else "identity"
    found = f"softmax of {' and '.join(map(str, last.blocks))} classes" if last.blocks else last.activation
    if found != right:
        raise ValueError(f"the format 'sklearn' cannot hold the last layer's {found}: it takes {right} there")
    return THEIRS[next(iter(names), "identity")], "softmax" if last.blocks else THEIRS[right]


DRIVER = """
import importlib.util, json, sys
import numpy as np
spec = importlib.util.spec_from_file_location("exported", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
model = module.model
x = np.array(json.load(open(sys.argv[2])), model.coefs_[0].dtype)
if hasattr(model, "classes_"):
    P, best = model.predict_proba(x), model.predict(x)
    if best.ndim == 2:
        P = np.stack([1 - P, P], axis=2).reshape(len(x), -1)
    else:
        best = np.searchsorted(model.classes_, best)[:, None]
    json.dump([P.tolist(), best.tolist()], sys.stdout)
else:
    json.dump([model.predict(x).reshape(len(x), -1).tolist(), None], sys.stdout)
"""


def run(program: Program, folder: Path, name: str, table: Array) -> Answers | None:
    """The answers of the written file, loaded by a Python that knows nothing of netwright's model."""
    (folder / "rows.json").write_text(json.dumps(np.asarray(table, np.float64).tolist()), encoding="utf-8")
    command = [sys.executable, "-c", DRIVER, str(folder / f"{name}.py"), str(folder / "rows.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"the scikit-learn export does not run: {done.stderr.strip().splitlines()[-1]}")
    values, labels = json.loads(done.stdout)
    return np.array(values), None if labels is None else np.array(labels)
