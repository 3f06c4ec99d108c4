"""One Python file that predicts with nothing but the standard library, or with NumPy, in the article's equations."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core import arguments
from netwright.core.activations import ACTIVATIONS
from netwright.export import python_text as text
from netwright.export.expression import Words
from netwright.export.numbers import FEW, in_base64, spell, weights_of, wrapped
from netwright.export.program import Answers, NumberColumn, Program, TextColumn
from netwright.tables.text import NULLS

SAME = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "floor")


def words(library: str, **own: str) -> Words:
    """An expression in Python; `own` are the operations that lists and arrays have different words for."""
    operations = {
        "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "{0} * {1}", "divide": "({0}) / ({1})",
        "negative": "(-{0})", "absolute": "abs({0})", "greater": "({0} > {1})", "greater_equal": "({0} >= {1})",
        "less": "({0} < {1})", "less_equal": "({0} <= {1})", "equal": "({0} == {1})", "not_equal": "({0} != {1})",
    }  # fmt: skip
    functions = {name: f"{library}.{name}({{0}})" for name in SAME}
    return Words(operations | functions | own, spell, "{0} = {1}")


STANDARD = words(
    "math",
    maximum="max({0}, {1})",
    minimum="min({0}, {1})",
    power="math.pow({0}, {1})",
    where="({1} if {0} else {2})",
)
NUMPY = words(
    "np",
    maximum="np.maximum({0}, {1})",
    minimum="np.minimum({0}, {1})",
    power="np.power({0}, {1})",
    where="np.where({0}, {1}, {2})",
)


def files(program: Program, name: str, *, numpy: bool = False) -> dict[str, bytes]:
    """`NAME.py`. numpy: whether it computes with NumPy, many rows at once, rather than row by row with lists."""
    numpy = arguments.flag("numpy", numpy)
    parts = [
        _heading(program, name, numpy),
        text.NUMPY_LAYER if numpy else text.LAYER,
        *_activations(program, numpy),
        *_weights(program, numpy),
        *_features(program, numpy),
        _constants(program),
        _outputs(program, numpy),
    ]
    body = "\n\n\n".join(part.rstrip() for part in parts) + "\n"
    if program.labelled:
        body += text.NUMPY_PROBABILITIES if numpy else text.PROBABILITIES
    return {f"{name}.py": (body + (text.NUMPY_MAIN if numpy else text.MAIN)).encode()}


def _heading(program: Program, name: str, numpy: bool) -> str:
    kinds = [f"{safe(column.name)}: a {_kind(column)}" for column in program.columns]
    takes = "A table is a dict of columns, lists or arrays" if numpy else "A row is a dict of columns"
    if not program.columns:
        kinds = [safe(each) for each in program.names]
        takes = (
            "x is an array, (rows, inputs), or a dict of columns" if numpy else "A row is a list of numbers, or a dict"
        )
    heading = text.HEADING.format(
        title=safe(program.title),
        needs="NumPy" if numpy else "the standard library",
        name=safe(name),
        more="predict_proba" if program.labelled else "outputs",
        example="table" if numpy else "row",
        takes=takes,
        columns="\n".join(f"    {each}" for each in kinds),
    )
    dates = any(isinstance(column, NumberColumn) and column.kind == "date" for column in program.columns)
    libraries = ["csv", "math", "sys"] + (["base64"] + ["array"] * (not numpy)) * _long(program)
    lines = [f"import {each}" for each in sorted(libraries)]
    lines += ["import numbers"] * any(isinstance(column, TextColumn) for column in program.columns)
    lines += ["from datetime import datetime, timezone"] * dates + ["from operator import mul"] * (not numpy)
    return heading + "\n".join(lines) + "\n\nimport numpy as np" * numpy


def _kind(column: NumberColumn | TextColumn) -> str:
    return "text" if isinstance(column, TextColumn) else column.kind


def safe(words: str) -> str:
    """Any text in a docstring or a comment: ASCII alone, on one line, with nothing that ends it."""
    return ascii(words)[1:-1].replace("\\", "/").replace('"', "'")


def _long(program: Program) -> bool:
    return weights_of(program).size > FEW


def _named(program: Program) -> dict[Any, str]:
    """A name for each activation: what its text is, or a softmax's blocks."""
    named: dict[Any, str] = {}
    for layers in program.networks:
        for layer in layers:
            key = _key(layer)
            if key not in named:
                own = layer.activation if layer.activation in {*ACTIVATIONS} else f"f{len(named)}"
                named[key] = own if layer.f is not None else "_".join(["softmax", *map(str, layer.blocks)])
    return named


def _key(layer: Any) -> Any:
    return layer.blocks if layer.f is None else tuple(map(tuple, STANDARD.write([layer.f], names={"z": "z"})))


def _activations(program: Program, numpy: bool) -> list[str]:
    """The functions of Z that the layers have."""
    named, shown = _named(program), []
    first = {_key(layer): layer for layers in reversed(program.networks) for layer in reversed(layers)}
    if any(layer.f is None for layer in first.values()):
        shown.append(text.NUMPY_SOFTMAX if numpy else text.SOFTMAX)
    for key, name in named.items():
        layer = first[key]
        if layer.f is None:
            shown.append((text.NUMPY_BLOCKS if numpy else text.BLOCKS).format(name=name, blocks=layer.blocks))
            continue
        definitions, (said,) = (NUMPY if numpy else STANDARD).write([layer.f], names={"z": "z"})
        if numpy:
            lines = [f"def {name}(z):", *(f"    {each}" for each in definitions), f"    return {said}"]
        elif not definitions:
            lines = [f"def {name}(Z):", f"    return [{said} for z in Z]"]
        else:
            lines = [f"def {name}(Z):", "    A = []", "    for z in Z:"]
            lines += [*(f"        {each}" for each in definitions), f"        A.append({said})", "    return A"]
        shown.append("\n".join(lines))
    return shown


def _weights(program: Program, numpy: bool) -> list[str]:
    """NETWORKS: for each network its layers, (W, b, f)."""
    named, packed, before = _named(program), _long(program), []
    if packed:
        weights = weights_of(program)
        read = f'base64.b64decode("""\n{wrapped(in_base64(weights))}\n""")'
        if numpy:
            unpacked = f'WEIGHTS = np.frombuffer({read}, "<f{weights.itemsize}").astype(np.{program.dtype})'
        else:
            unpacked = f'WEIGHTS = array.array("{weights.dtype.char}")\nWEIGHTS.frombytes({read})\n'
            unpacked += 'if sys.byteorder == "big":\n    WEIGHTS.byteswap()'
        before = [f"# All W and b, one after the other.\n{unpacked}", text.NUMPY_TAKE if numpy else text.TAKE]
    lines = ["# The layers of each network, (W, b, f): W is (neurons, inputs), b is (neurons,).", "NETWORKS = ["]
    for layers in program.networks:
        lines.append("    [")
        for layer in layers:
            f = named[_key(layer)]
            if packed:
                neurons, inputs = layer.W.shape
                lines.append(f"        (*take({neurons}, {inputs}), {f}),")
                continue
            rows = [f"[{', '.join(map(spell, row))}]," for row in layer.W.tolist()]
            b = f"[{', '.join(map(spell, layer.b.tolist()))}]"
            start, end = ("np.array([", f"], np.{program.dtype})") if numpy else ("[", "]")
            b = f"np.array({b}, np.{program.dtype})" if numpy else b
            lines += ["        (", f"            {start}", *(f"                {row}" for row in rows)]
            lines += [f"            {end},", f"            {b},", f"            {f},", "        ),"]
        lines.append("    ],")
    return [*before, "\n".join([*lines, "]"])]


def _outputs(program: Program, numpy: bool) -> str:
    """What the networks say together, and what that says of each target."""
    exponent, limits = (text.NUMPY_EXPONENT, text.NUMPY_LIMITS) if numpy else (text.EXPONENT, text.LIMITS)
    low, high = program.limits or (None, None)
    return (text.NUMPY_STANDARD if numpy else text.STANDARD).format(
        outputs=program.outputs,
        exponent=exponent.format(exponent=program.exponent) * (program.exponent != 1),
        limits=limits.format(low=low, high=high) * (program.limits is not None),
    )


def _constants(program: Program) -> str:
    targets = ",\n    ".join(
        repr((target.name, target.first, target.outputs, list(target.classes), target.mean, target.std))
        for target in program.targets
    )
    return (
        f"SHARES = {list(program.shares)}  # of the networks in what they say together\n"
        f"# (name, its first output, how many, its classes, and of a number mean and std: mean + std · A)\n"
        f"TARGETS = [\n    {targets},\n]"
    )


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _features(program: Program, numpy: bool) -> list[str]:
    """`features`, and what it calls."""
    if not program.columns:
        plain = (text.NUMPY_PLAIN if numpy else text.PLAIN).format(inputs=program.inputs, dtype=program.dtype)
        return [f"NAMES = {list(program.names)!r}", plain]
    kinds = {_kind(column) for column in program.columns}
    missing = sorted(NULLS)
    parts = [f"NAMES = {[column.name for column in program.columns]!r}", text.GONE]
    parts += [text.NUMBER.format(missing=missing)] * bool(kinds & {"number", "date"}) + [text.DATE] * ("date" in kinds)
    parts += [text.TEXT, text.ROW] * ("text" in kinds)
    for j, column in enumerate(program.columns):
        if isinstance(column, TextColumn):
            parts.append(_text_tables(j, column))
    body = ["A = []"]
    for j, column in enumerate(program.columns):
        body += [f"# {safe(column.name)}", *_column(j, column)]
    if not numpy:
        lines = ["def features(row):", f'    """The networks\' inputs, {program.inputs} numbers."""']
        return [*parts, "\n".join([*lines, *(f"    {line}" for line in body), "    return A"])]
    lines = ["def features_of(row):", f'    """The networks\' inputs of a row, {program.inputs} numbers."""']
    parts.append("\n".join([*lines, *(f"    {line}" for line in body), "    return A"]))
    return [
        *parts,
        'def features(table):\n    """The networks\' inputs, (inputs, rows)."""\n'
        "    rows = zip(*(table[name] for name in NAMES))\n"
        f"    return np.array([features_of(dict(zip(NAMES, row))) for row in rows], np.{program.dtype}).T",
    ]


def _text_tables(j: int, column: TextColumn) -> str:
    rows = [{i: float(x) for i, x in enumerate(row) if x} for row in column.rows.tolist()]
    shown = "\n".join(f"    {row!r}," for row in rows)
    codes = "\n".join(f"    {code!r}: {place}," for code, place in column.codes.items())
    heading = f"# {safe(column.name)}: the place of each text, and the features there"
    return f"{heading}\nCODES_{j} = {{\n{codes}\n}}\nROWS_{j} = [\n{shown}\n]"


def _column(j: int, column: NumberColumn | TextColumn) -> list[str]:
    if isinstance(column, TextColumn):
        found = f"place(CODES_{j}, row[{column.name!r}], {column.was!r}, {column.unseen}, {column.missing})"
        return [f"A += spread(ROWS_{j}[{found}], {column.rows.shape[1]})"]
    read = "microseconds" if column.kind == "date" else "number"
    definitions, said = STANDARD.write(column.features, names={"x": "x"})
    missing = ", ".join(map(spell, column.missing))
    return [
        f"x = {read}(row[{column.name!r}])",
        "if x is None:",
        f"    A += [{missing}]",
        "else:",
        *(f"    {each}" for each in definitions),
        "    A += [",
        *(f"        {each}," for each in said),
        "    ]",
    ]


# ── on trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DRIVER = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("exported", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
given, numpy = json.load(open(sys.argv[2], encoding="utf-8")), hasattr(module, "np")
if isinstance(given, dict) and not numpy:
    given = [dict(zip(given, row)) for row in zip(*given.values())]
found = module.answers(given) if numpy else [module.answers(row) for row in given]
if numpy:
    found = [[(each.item() if hasattr(each, "item") else each, list(P)) for each, P in row] for row in
             zip(*(zip(predicted, P) for predicted, P in found))]
places = lambda row: [t[3].index(best) for t, (best, _) in zip(module.TARGETS, row) if t[3]]
json.dump([[[float(p) for _, P in row for p in P] for row in found], [places(row) for row in found]], sys.stdout)
"""


def run(program: Program, folder: Path, name: str, table: Any, *, numpy: bool = False) -> Answers | None:
    """The answers of the written file, by a Python of its own: without what else is installed, but for NumPy."""
    given = table if isinstance(table, dict) else np.asarray(table, np.float64).tolist()
    (folder / "rows.json").write_text(json.dumps(given), encoding="utf-8")
    bare = ["-I"] if numpy else ["-I", "-S"]
    command = [sys.executable, *bare, "-c", DRIVER, str(folder / f"{name}.py"), str(folder / "rows.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    if done.returncode:
        raise ValueError(f"the Python export does not run: {done.stderr.strip().splitlines()[-1]}")
    values, labels = json.loads(done.stdout)
    return np.array(values), np.array(labels, int) if program.labelled else None
