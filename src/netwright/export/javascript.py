"""One ES module that predicts in Node or a browser, with no dependency, in the article's equations."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from netwright.export import javascript_text as text
from netwright.export.expression import Words
from netwright.export.numbers import FEW, in_base64, spell, weights_of, wrapped
from netwright.export.program import Answers, Dense, NumberColumn, Program, TextColumn

SAME = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "floor")
WORDS = Words(
    {
        **{name: f"Math.{name}({{0}})" for name in SAME}, "absolute": "Math.abs({0})",
        "maximum": "Math.max({0}, {1})", "minimum": "Math.min({0}, {1})", "power": "Math.pow({0}, {1})",
        "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "({0} * {1})", "divide": "({0} / {1})",
        "negative": "(-{0})", "greater": "({0} > {1})", "greater_equal": "({0} >= {1})", "less": "({0} < {1})",
        "less_equal": "({0} <= {1})", "equal": "({0} === {1})", "not_equal": "({0} !== {1})",
        "where": "({0} ? {1} : {2})",
    },
    spell,
    "const {0} = {1};",
)  # fmt: skip
SHOWN = 50  # levels of a column, of which a form can give a choice


def files(program: Program, name: str) -> dict[str, bytes]:
    """`NAME.mjs`."""
    return {f"{name}.mjs": module(program, name).encode()}


def module(program: Program, name: str) -> str:
    """The module's text, which may also stand inside of a page's script."""
    kinds = {_kind(column) for column in program.columns}
    low, high = map(literal, program.limits or (0, 0))
    parts = [
        _heading(program, name),
        _columns(program),
        text.READ,
        *[text.NUMBER] * bool(kinds & {"number", "date"}),
        *[text.DATE] * ("date" in kinds),
        *[text.TEXT] * ("text" in kinds),
        *_features(program),
        text.LAYER,
        *_activations(program),
        *_weights(program),
        text.OUTPUTS.format(
            outputs=program.outputs,
            exponent=text.EXPONENT.format(exponent=spell(program.exponent)) * (program.exponent != 1),
            limits=text.LIMITS.format(low=low, high=high) * (program.limits is not None),
        ),
        _targets(program) + text.ANSWERS.format() + text.PROBABILITIES * bool(program.labelled),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def literal(value: Any) -> str:
    """Any text, number or truth value as JavaScript, ASCII alone, that ends neither a script nor a comment."""
    if isinstance(value, np.generic):
        value = value.item()
    said = json.dumps(value, ensure_ascii=True)
    return said.replace("<", "\\u003c").replace(">", "\\u003e").replace("*/", "*\\/")


def safe(words: str) -> str:
    """Any text in a comment."""
    return ascii(words)[1:-1].replace("*/", "* /").replace("<", "(").replace(">", ")")


def _kind(column: NumberColumn | TextColumn) -> str:
    return "text" if isinstance(column, TextColumn) else column.kind


def _heading(program: Program, name: str) -> str:
    names = [f"{safe(column.name)}: a {_kind(column)}" for column in program.columns]
    return text.HEADING.format(
        title=safe(program.title),
        name=safe(name),
        more="predictProba" if program.labelled else "answers",
        takes="A row is an object or a Map of columns"
        if names
        else "A row is an array of numbers, or as a Map by name",
        columns="\n".join(f" *   {each}" for each in names or map(safe, program.names)),
    )


def _columns(program: Program) -> str:
    """What a form needs to know of each column."""
    said = []
    for column in program.columns:
        if isinstance(column, TextColumn):
            levels = [level for level, place in column.codes.items() if place < column.unseen]
            first: dict[int, str] = {}
            for level in levels:
                first.setdefault(column.codes[level], level)
            shown = [*first.values()][:SHOWN]
            said.append(f'{{ name: {literal(column.name)}, kind: "text", levels: {literal(shown)} }}')
            continue
        range_ = f"middle: {spell(column.middle)}, spread: {spell(column.spread)}"
        said.append(f'{{ name: {literal(column.name)}, kind: "{column.kind}", {range_} }}')
    said = said or [f'{{ name: {literal(each)}, kind: "number" }}' for each in program.names]
    listed = "\n".join(f"  {each}," for each in said)
    comment = "/** The columns of a row: its levels in training, or the middle and the spread of its values. */"
    return f"{comment}\nexport const columns = [\n{listed}\n];"


# ── the networks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _activation(layer: Dense) -> list[str]:
    """The body of the layer's function, which changes Z."""
    if layer.f is None:
        ends = np.cumsum((0, *layer.blocks)).tolist()
        calls = [f"  softmax(Z, {start}, {stop});" for start, stop in pairwise(ends)]
        return [*calls, "  return Z;"]
    definitions, (said,) = WORDS.write([layer.f], names={"z": "z"})
    if said == "z":
        return ["  return Z;"]
    if not definitions:
        return [f"  return Z.map((z) => {said});"]
    return ["  return Z.map((z) => {", *(f"    {each}" for each in definitions), f"    return {said};", "  });"]


def _activations(program: Program) -> list[str]:
    layers = [layer for layers in program.networks for layer in layers]
    parts = [text.SOFTMAX] * any(layer.f is None for layer in layers)
    for body, name in _named(program).items():
        parts.append("\n".join([f"const {name} = (Z) => {{", *body, "};"]))
    return parts


def _named(program: Program) -> dict[tuple[str, ...], str]:
    """A name for each activation's body."""
    bodies = dict.fromkeys(tuple(_activation(layer)) for layers in program.networks for layer in layers)
    return {body: f"f{place}" for place, body in enumerate(bodies)}


def _weights(program: Program) -> list[str]:
    named, weights, parts = _named(program), weights_of(program, np.float16), []
    packed, array = weights.size > FEW, "Float64Array" if weights.itemsize == 8 else "Float32Array"
    if packed:
        lines = " +\n".join(f'  "{line}"' for line in wrapped(in_base64(weights)).splitlines())
        read = text.HALF if weights.itemsize == 2 else f"numbers.getFloat{8 * weights.itemsize}(at, true)"
        parts = [text.PACKED.format(weights=lines, array=array, size=weights.itemsize, read=read)]
    lines_of = ["// The layers of each network, [W, b, f].", "const networks = ["]
    for layers in program.networks:
        lines_of.append("  [")
        for layer in layers:
            f = named[tuple(_activation(layer))]
            if packed:
                lines_of.append(f"    [next({layer.W.size}), next({layer.b.size}), {f}],")
                continue
            rows = "\n".join(f"        {', '.join(map(spell, row))}," for row in layer.W.tolist())
            b = ", ".join(map(spell, layer.b.tolist()))
            lines_of += ["    [", "      [", rows, "      ],", f"      [{b}],", f"      {f},", "    ],"]
        lines_of.append("  ],")
    shares = ", ".join(map(spell, program.shares))
    return [*parts, "\n".join([*lines_of, "];", f"const shares = [{shares}];"])]


def _targets(program: Program) -> str:
    lines = [
        f"  {{ name: {literal(each.name)}, first: {each.first}, outputs: {each.outputs}, "
        f"classes: {literal(list(each.classes))}, mean: {spell(each.mean)}, std: {spell(each.std)} }},"
        for each in program.targets
    ]
    comment = "/** What is predicted: the classes' probabilities, or a number, mean + std · A. */"
    return "\n".join([comment, "export const targets = [", *lines, "];", ""])


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _features(program: Program) -> list[str]:
    if not program.columns:
        return [text.PLAIN.format(inputs=program.inputs)]
    parts, body = [], [f"  const A = new Float64Array({program.inputs});", "  let x;"]
    for j, (column, (first, _)) in enumerate(zip(program.columns, program.places, strict=True)):
        body.append(f"  // {safe(column.name)}")
        if isinstance(column, TextColumn):
            parts.append(_levels(j, column))
            found = f"place(codes{j}, read(row, {literal(column.name)}), {column.unseen}, {column.missing})"
            body.append(f"  for (const [i, a] of rows{j}[{found}]) A[{first} + i] = a;")
            continue
        reads = "microseconds" if column.kind == "date" else "number"
        definitions, said = WORDS.write(column.features, names={"x": "x"})
        gone = ", ".join(map(spell, column.missing))
        body += [
            f"  x = {reads}(read(row, {literal(column.name)}));",
            f"  if (Number.isNaN(x)) A.set([{gone}], {first});",
            "  else {",
            *(f"    {each}" for each in definitions),
            f"    A.set([{', '.join(said)}], {first});",
            "  }",
        ]
    start = "/** The networks' inputs. @param {Row} row */\nconst features = (row) => {"
    return [*parts, "\n".join([start, *body, "  return A;", "};"])]


def _levels(j: int, column: TextColumn) -> str:
    codes = "\n".join(f"  [{literal(level)}, {place}]," for level, place in column.codes.items())
    rows = "\n".join(
        f"  [{', '.join(f'[{i}, {spell(a)}]' for i, a in enumerate(row) if a)}]," for row in column.rows.tolist()
    )
    heading = f"// {safe(column.name)}: the place of each text, and the features there that are not 0"
    return f"{heading}\nconst codes{j} = new Map([\n{codes}\n]);\nconst rows{j} = [\n{rows}\n];"


# ── on trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(program: Program, folder: Path, name: str, table: Any) -> Answers | None:
    """The answers of the written module in Node; None where that is not."""
    from netwright.export.export import runtime

    if (node := runtime("node", "nodejs")) is None:
        return None
    given = table if isinstance(table, dict) else np.asarray(table, np.float64).tolist()
    (folder / "rows.json").write_text(json.dumps(given), encoding="utf-8")
    (folder / "module.mjs").write_bytes((folder / f"{name}.mjs").read_bytes())  # by a name that needs no spelling
    (folder / "driver.mjs").write_text(text.DRIVER.replace("{name}", "module.mjs"), encoding="utf-8")
    command = [node, "--disallow-code-generation-from-strings", "driver.mjs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    if done.returncode:
        raise ValueError(f"the JavaScript export does not run: {done.stderr.strip()[:500]}")
    values, labels = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    numbers = [[float(each) for each in row] for row in values]  # texts, since JSON has no infinity
    return np.array(numbers), np.array(labels, int) if program.labelled else None
