"""One ONNX model: from named columns to labels and probabilities or numbers, or from X to Y, in the model's own dtype.

A sample is a row here: each layer is a Gemm, Z = A1·Wᵀ + b, and the nodes of A = f(Z). Opset 13 is the lowest in which
Softmax goes over one axis; ONNX Runtime has it since 1.7, of 2021.
"""

import json
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.export.onnx_graph import Graph, encoded, shape, written
from netwright.export.program import Answers, Dense, NumberColumn, Program, Target, TextColumn, X, Z

OPSETS = {"": 13, "ai.onnx.ml": 2}
IR_VERSION = 7  # of the file; as old as the opset, so that whoever knows that reads it
LIMIT = 2**31 - 1  # bytes that a protobuf file can have
WHOLE = 2**53  # from which a float may not be the whole number that it was


def files(program: Program, name: str) -> dict[str, bytes]:
    """`NAME.onnx`. ValueError for more than 2 GB, for a text that is no Unicode, and where onnx is not installed."""
    try:
        from onnx import checker, helper
    except ImportError:
        raise ValueError("to write ONNX needs the package onnx: pip install 'netwright[onnx]'") from None
    graph = Graph(program.dtype)
    inputs, given = _inputs(graph, program)
    A = _mixture(graph, program, _features(graph, program, list(inputs)))
    outputs, results = _outputs(graph, program, A)
    if graph.size > LIMIT:
        raise ValueError(f"the model takes {graph.size:,} bytes, and an ONNX file can have {LIMIT:,} at most")
    title = program.title.encode("utf-8", "replace").decode()
    about = f"{title}\n\nA row is a sample. Each layer: Z = W·A1 + b, A = f(Z)."
    model = helper.make_model(
        helper.make_graph(graph.nodes(), "netwright", _infos(inputs), _infos(outputs), graph.tensors(), about),
        opset_imports=[helper.make_opsetid(*each) for each in OPSETS.items()],
        ir_version=IR_VERSION,
        producer_name="netwright",
        producer_version=_version(),
        doc_string=about,
    )
    said = {"title": title, "netwright": _version(), "inputs": json.dumps(given), "outputs": json.dumps(results)}
    helper.set_model_props(model, said)
    checker.check_model(model, full_check=True)
    return {f"{name}.onnx": model.SerializeToString(deterministic=True)}


Infos = dict[str, tuple[Any, list[int], str]]  # of inputs or outputs by name: dtype, columns, what it is


def _infos(infos: Infos) -> list[Any]:
    from onnx import helper

    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), ["N", *sizes], said)
        for name, (kind, sizes, said) in infos.items()
    ]


def _version() -> str:
    try:
        return version("netwright")
    except PackageNotFoundError:  # run from its source
        return "unknown"


# ── from the columns to the networks' inputs ─────────────────────────────────────────────────────────────────────────


def _inputs(graph: Graph, program: Program) -> tuple[Infos, list[dict[str, Any]]]:
    """The inputs, and what they are for people: their columns' names, which may be no identifiers."""
    said: dict[str, Any]
    if not program.columns:
        said = {"input": graph.name("X"), "columns": list(program.names)}
        return {"X": (program.dtype, [program.inputs], json.dumps(said))}, [said]
    infos: Infos = {}
    given = []
    for column in program.columns:
        name = graph.name(column.name)
        said = {"input": name, "column": column.name}
        if isinstance(column, TextColumn):
            said |= {"kind": "text", "missing": gap_of(column)}
        else:
            said |= {"kind": column.kind, "missing": "NaN"}
            said |= {"unit": "microseconds since 1970"} if column.kind == "date" else {}
        infos[name] = (object if isinstance(column, TextColumn) else np.float64, [1], json.dumps(said))
        given.append(said)
    return infos, given


def gap_of(column: TextColumn) -> str:
    """What stands for a missing text, as ONNX has texts only: the empty one, unless that is a level."""
    if column.codes.get("", column.missing) == column.missing:
        return ""
    return next(text for text in ("(missing)", *map("(missing {})".format, range(len(column.codes) + 1)))
                if text not in column.codes)  # fmt: skip


def _features(graph: Graph, program: Program, names: list[str]) -> str:
    """The networks' inputs, (samples, inputs), from the columns of these names."""
    if not program.columns:
        return names[0]
    parts: list[str] = []
    places: list[int] = []
    for name, column, (first, last) in zip(names, program.columns, program.places, strict=True):
        if isinstance(column, TextColumn):
            parts.append(_texts(graph, column, name))
            places += range(first, last)
    for part, own in _numbers(graph, program, names):
        parts.append(part)
        places += own
    value = graph.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    if places != sorted(places):
        value = graph.node("Gather", value, graph.constant(np.argsort(places)), axis=1)
    return graph.node("Cast", value, to=program.dtype, name="A0") if program.dtype != "float64" else value


def _texts(graph: Graph, column: TextColumn, name: str) -> str:
    """(samples, features): a row of a table for each text."""
    codes = column.codes | {gap_of(column): column.missing}
    keys = [encoded(text) for text in codes]
    graph.size += sum(map(len, keys)) + 8 * len(keys)
    places = graph.node(
        "LabelEncoder", name,
        name=f"{name}_place", keys_strings=keys, values_int64s=list(codes.values()), default_int64=column.unseen,
    )  # fmt: skip
    flat = graph.node("Reshape", places, graph.constant(np.array([-1])))
    return graph.node("Gather", graph.weights(column.rows, f"{name}_rows"), flat, axis=0, name=f"{name}_features")


def _numbers(graph: Graph, program: Program, names: list[str]) -> list[tuple[str, list[int]]]:
    """((samples, features), their places among the inputs): features of one shape at once, of whatever columns."""
    numbers = [j for j, column in enumerate(program.columns) if isinstance(column, NumberColumn)]
    if not numbers:
        return []
    x = graph.node("Concat", *(names[j] for j in numbers), axis=1, name="numbers") if numbers[1:] else names[numbers[0]]
    gone = graph.node("IsNaN", x, name="gone")
    known = graph.node("Where", gone, graph.constant(np.array(0.0)), x, name="known")
    alike: dict[Any, list[tuple[int, int, Any, float]]] = {}  # (column, place, feature, that of a missing number)
    for i, j in enumerate(numbers):
        column = program.columns[j]
        assert isinstance(column, NumberColumn)
        for k, (feature, missing) in enumerate(zip(column.features, column.missing, strict=True)):
            alike.setdefault(shape(feature), []).append((i, program.places[j][0] + k, feature, missing))
    parts = []
    for several in alike.values():
        which, places, features, gap = (list[Any](each) for each in zip(*several, strict=True))
        own, gaps = known, gone
        if which != list(range(len(numbers))):
            taken = graph.constant(np.array(which), "which")
            own, gaps = (graph.node("Gather", each, taken, axis=1) for each in (known, gone))
        made = written(graph, features, {X: own}, "float64")
        parts.append((graph.node("Where", gaps, graph.constant(np.array([gap])), made), places))
    return parts


# ── the networks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _mixture(graph: Graph, program: Program, A1: str) -> str:
    """What the networks' outputs come to, (samples, outputs)."""
    total = ""
    for i, (share, layers) in enumerate(zip(program.shares, program.networks, strict=True), 1):
        A = A1
        for l, layer in enumerate(layers, 1):
            A = _layer(graph, layer, A, f"{l}" if len(program.networks) == 1 else f"{l}_of_network_{i}")
        if share != 1:
            A = graph.node("Mul", A, graph.constant(np.array(share, program.dtype)))
        total = graph.node("Add", total, A) if total else A
    if program.exponent != 1:
        total = _power(graph, program, total)
    return total if program.limits is None else graph.clip(total, *program.limits)


def _layer(graph: Graph, layer: Dense, A1: str, said: str) -> str:
    """A = f(Z), Z = W·A1 + b."""
    W, b = graph.weights(layer.W, f"W{said}"), graph.constant(layer.b, f"b{said}")
    z = graph.node("Gemm", A1, W, b, transB=1, name=f"Z{said}")
    if layer.f is not None:
        return written(graph, [layer.f], {Z: z}, graph.dtype)
    ends, neurons = np.cumsum([0, *layer.blocks]).tolist(), len(layer.b)
    blocks = [graph.columns(z, first, last, neurons) for first, last in pairwise(ends)]
    parts = [graph.node("Softmax", block, axis=1) for block in blocks]
    return graph.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _power(graph: Graph, program: Program, A: str) -> str:
    """Probabilities to the power of the exponent, and so that they add up to one."""
    one, exponent = (graph.constant(np.array(each, program.dtype)) for each in (1, program.exponent))
    P = graph.clip(A, 1e-12, 1)
    powers = graph.node("Pow", P, exponent)
    if program.outputs == 1:
        other = graph.node("Pow", graph.clip(graph.node("Sub", one, P), 1e-12, 1), exponent)
        return graph.node("Div", powers, graph.node("Add", powers, other))
    total = graph.node("ReduceSum", powers, graph.constant(np.array([1])), keepdims=1)
    return graph.node("Div", powers, total)


# ── from their outputs to the targets ────────────────────────────────────────────────────────────────────────────────


def _outputs(graph: Graph, program: Program, A: str) -> tuple[Infos, list[dict[str, Any]]]:
    """The outputs, label and probabilities of each target with classes, and what they are for people."""
    infos: Infos = {}
    said: list[dict[str, Any]] = []
    if not program.columns and not program.labelled:
        names = [target.name for target in program.targets]
        if program.targets != tuple(Target(name, j, 1) for j, name in enumerate(names)) or len(names) < program.outputs:
            A = graph.node("Concat", *(_number(graph, program, target, A) for target in program.targets), axis=1)
        graph.output(A, graph.name("Y"))
        return {"Y": (program.dtype, [len(names)], json.dumps(names))}, [{"output": "Y", "targets": names}]
    for target in program.targets:
        end = f"_{target.name}" if len(program.targets) > 1 else ""
        about: dict[str, Any] = {"target": target.name}
        if not target.classes:
            name = about["prediction"] = graph.name(f"prediction{end}")
            graph.output(_number(graph, program, target, A), name)
            infos[name] = (program.dtype, [1], json.dumps(about))
        else:
            classes, (best, P) = labels_of(target), _classes(graph, program, target, A)
            label, probabilities = graph.name(f"label{end}"), graph.name(f"probabilities{end}")
            about |= {"label": label, "probabilities": probabilities, "classes": classes.tolist()}
            graph.output(graph.node("Gather", graph.constant(classes, "classes"), best), label)
            graph.output(P, probabilities)
            infos[label] = (classes.dtype, [], json.dumps({"target": target.name}))
            infos[probabilities] = (program.dtype, [len(classes)], json.dumps(about))
        said.append(about)
    return infos, said


def _number(graph: Graph, program: Program, target: Target, A: str) -> str:
    """mean + std · A, (samples, 1)."""
    own = graph.columns(A, target.first, target.first + 1, program.outputs)
    if (target.mean, target.std) == (0, 1):
        return own
    mean, std = (graph.constant(np.array(each, program.dtype)) for each in (target.mean, target.std))
    return graph.node("Add", mean, graph.node("Mul", std, own))


def _classes(graph: Graph, program: Program, target: Target, A: str) -> tuple[str, str]:
    """(the place of the label, (samples,), probabilities (samples, classes))."""
    P = graph.columns(A, target.first, target.first + target.outputs, program.outputs)
    if not target.binary:
        return graph.node("ArgMax", P, axis=1, keepdims=0), P
    one, half = (graph.constant(np.array(each, program.dtype)) for each in (1, 0.5))
    second = graph.node("Cast", graph.node("Greater", P, half), to="int64")
    best = graph.node("Reshape", second, graph.constant(np.array([-1])))
    return best, graph.node("Concat", graph.node("Sub", one, P), P, axis=1)


def labels_of(target: Target) -> Array:
    """The classes as a tensor has them: int64 for truth values and whole numbers, float64 for others, else texts."""
    if all(isinstance(each, bool | int | float) for each in target.classes):
        numbers = np.array(target.classes, np.float64)
        whole = np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all() and (abs(numbers) <= WHOLE).all()
        return numbers.astype(np.int64) if whole else numbers
    return np.array([str(each) for each in target.classes], object)


# ── on trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def takes(program: Program, table: Any) -> Any:
    """The table as ONNX can say it: the text that stands for a missing one is one."""
    if not program.columns:
        return table
    gaps = {column.name: gap_of(column) for column in program.columns if isinstance(column, TextColumn)}
    return table | {name: [None if each == gap else each for each in table[name]] for name, gap in gaps.items()}


def feed(program: Program, table: Any, names: list[str]) -> dict[str, Array]:
    """The inputs of these names, for ONNX Runtime: texts (rows, 1), where a missing one is as `gap_of` says."""
    if not program.columns:
        return {names[0]: np.ascontiguousarray(table, program.dtype)}
    given = {}
    for name, column in zip(names, program.columns, strict=True):
        gap = gap_of(column) if isinstance(column, TextColumn) else np.nan
        kind: Any = object if isinstance(column, TextColumn) else np.float64
        given[name] = np.array([[gap if each is None else each] for each in table[column.name]], kind).reshape(-1, 1)
    return given


def run(program: Program, folder: Path, name: str, table: Any) -> Answers | None:
    """What ONNX Runtime finds on the CPU."""
    try:
        import onnxruntime
    except ImportError:
        return None
    try:
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])
        found = session.run(None, feed(program, table, [each.name for each in session.get_inputs()]))
    except Exception as error:  # it has exceptions of its own, with no class above them
        raise ValueError(f"the ONNX export does not run: {error}") from error
    if not program.labelled:
        return np.hstack(found), None
    values, labels = [], []
    for target in program.targets:
        if target.classes:
            places = {label: place for place, label in enumerate(labels_of(target).tolist())}
            labels.append([places[label] for label in found.pop(0).tolist()])
        values.append(found.pop(0))
    return np.hstack(values), np.array(labels).T
