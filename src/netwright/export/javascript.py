"""One ES module that predicts in Node or a browser, with no dependency, in the article's equations."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS
from netwright.core.arguments import cut
from netwright.export import javascript_text as text
from netwright.export.expression import Words
from netwright.export.numbers import FEW, in_base64, spell, weights_of, wrapped
from netwright.export.program import Answers, Dense, NumberColumn, Program, TextColumn

SAME = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "floor")


def decimals(x: float) -> str:
    """A number as JavaScript spells it."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(said := spell(x), said)


WORDS = Words(
    {
        **{name: f"Math.{name}({{0}})" for name in SAME}, "absolute": "Math.abs({0})",
        "maximum": "Math.max({0}, {1})", "minimum": "Math.min({0}, {1})", "power": "Math.pow({0}, {1})",
        "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "({0} * {1})", "divide": "({0} / {1})",
        "negative": "(-{0})", "greater": "({0} > {1})", "greater_equal": "({0} >= {1})", "less": "({0} < {1})",
        "less_equal": "({0} <= {1})", "equal": "({0} === {1})", "not_equal": "({0} !== {1})",
        "where": "({0} ? {1} : {2})",
    },
    decimals,
    "const {0} = {1};",
)  # fmt: skip
SPREADS = 2  # around the middle, that are a usual range where none is known
WHOLE = 2**53  # from here on JavaScript's numbers do not tell neighbours apart


def files(program: Program, name: str) -> dict[str, bytes]:
    """`NAME.mjs`. ValueError for classes that JavaScript cannot tell apart."""
    return {f"{name}.mjs": module(program, name).encode()}


def module(program: Program, name: str) -> str:
    """The module's text, which may also stand inside of a page's <script type="module">."""
    kinds = {_kind(column) for column in program.columns}
    low, high = map(decimals, program.limits or (0, 0))
    parts = [
        _heading(program, name),
        _columns(program),
        _targets(program),
        text.READ,
        *[text.NUMBER] * (kinds != {"text"}),
        *[text.DATE] * ("date" in kinds),
        *[text.TEXT] * ("text" in kinds),
        *_features(program),
        text.LAYER,
        *_activations(program),
        *_weights(program),
        text.OUTPUTS.format(
            outputs=program.outputs,
            exponent=text.EXPONENT.format(exponent=decimals(program.exponent)) * (program.exponent != 1),
            limits=text.LIMITS.format(low=low, high=high) * (program.limits is not None),
        ),
        text.ANSWERS,
        _alone(program),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def literal(value: Any) -> str:
    """Any texts, numbers and truth values as JavaScript: ASCII alone, with nothing that ends a script or a comment."""
    said = json.dumps(
        value, ensure_ascii=True, default=lambda own: own.item() if isinstance(own, np.generic) else str(own)
    )
    return said.replace("<", "\\u003c").replace(">", "\\u003e").replace("*/", "*\\/")


def safe(words: str, most: int = 300) -> str:
    """Any text in a comment: ASCII alone, on one line, with nothing that ends it or a script."""
    plain = cut(words, most).encode("unicode_escape").decode().replace("<", "(").replace(">", ")")
    return plain.replace("*/", "* /").replace("/*", "/ *")


def _kind(column: NumberColumn | TextColumn) -> str:
    return "text" if isinstance(column, TextColumn) else column.kind


def _heading(program: Program, name: str) -> str:
    names = [f"{safe(column.name)}: a {_kind(column)}" for column in program.columns]
    takes = "A row is an object or a Map of columns; a value is null where it is missing:"
    if not program.columns:
        names, takes = list(map(safe, program.names)), "A row is an array of numbers, or an object or a Map by name:"
    return text.HEADING.format(
        title=safe(program.title),
        name=safe(name),
        names="predict, predictProba, values" if program.labelled else "predict, values",
        takes=takes,
        columns="\n".join(f" *   {each}" for each in names),
        row="" if program.columns else "ArrayLike<number> | ",
    )


def _alone(program: Program) -> str:
    """What is predicted, of a single target by itself."""
    if len(program.targets) == 1:
        return text.LABEL_ALONE if program.labelled else text.NUMBER_ALONE
    return text.SEVERAL + text.SEVERAL_PROBABILITIES * bool(program.labelled)


# ── what a page needs to know ────────────────────────────────────────────────────────────────────────────────────────


def _columns(program: Program) -> str:
    said = list(map(_about, program.columns)) or [{"name": each, "kind": "number"} for each in program.names]
    return text.COLUMNS.format(columns="\n".join(f"  {_object(each)}," for each in said))


def _about(column: NumberColumn | TextColumn) -> dict[str, Any]:
    if isinstance(column, TextColumn):
        return {"name": column.name, "kind": "text", "levels": _levels(column)}
    middle, spread = float(column.middle), float(column.spread)
    low, high = middle - SPREADS * spread, middle + SPREADS * spread
    if column.edges:
        low, high = float(column.edges[0]), float(column.edges[-1])
    return {"name": column.name, "kind": column.kind, "middle": middle, "spread": spread, "low": low, "high": high}


def _levels(column: TextColumn) -> list[str]:
    """The levels by their places: of several spellings the first."""
    first: dict[int, str] = {}
    for level, place in column.codes.items():
        first.setdefault(place, level)
    return [first[place] for place in sorted(first) if place < column.unseen]


def _targets(program: Program) -> str:
    said = []
    for each in program.targets:
        if any(isinstance(own, int | np.integer) and abs(int(own)) > WHOLE for own in each.classes):
            raise ValueError(
                f"the format 'javascript' cannot hold the classes of {each.name!r}: its numbers do not tell integers "
                f"above 2^53 apart; make them texts"
            )
        known = {"name": each.name, "first": each.first, "outputs": each.outputs, "classes": list(each.classes)}
        said.append(f"  {_object(known | {'mean': float(each.mean), 'std': float(each.std)})},")
    return text.TARGETS.format(targets="\n".join(said))


def _object(about: dict[str, Any]) -> str:
    return f"{{ {', '.join(f'{name}: {literal(value)}' for name, value in about.items())} }}"


# ── the networks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(layer: Dense) -> Any:
    """What makes its activation another one: the blocks of a softmax, or (definitions, what is said of z)."""
    if layer.f is None:
        return layer.blocks
    definitions, (said,) = WORDS.write([layer.f], names={"z": "z"})
    return tuple(definitions), said


def _named(program: Program) -> dict[Any, str]:
    """A name for each activation, by its `_key`."""
    named: dict[Any, str] = {}
    for layers in program.networks:
        for layer in layers:
            if (key := _key(layer)) not in named:
                own = layer.activation if layer.activation in {*ACTIVATIONS} - {"softmax"} else f"f{len(named)}"
                own = own if layer.f is not None else "_".join(["softmax", *map(str, layer.blocks)])
                named[key] = own if own not in named.values() else f"f{len(named)}"
    return named


def _activations(program: Program) -> list[str]:
    named = _named(program)
    softmax = {layer.blocks for layers in program.networks for layer in layers if layer.f is None}
    lines = []
    for key, name in named.items():
        if key in softmax:
            lines.append(f"const {name} = softmax([{', '.join(map(str, key))}]);")
            continue
        definitions, said = key
        if said == "z":
            lines.append(f"/** @type {{Activation}} */\nconst {name} = (Z) => Z;")
        elif not definitions:
            lines.append(f"const {name} = each((z) => {said});")
        else:
            lines += [
                f"const {name} = each((z) => {{",
                *(f"  {each}" for each in definitions),
                f"  return {said};",
                "});",
            ]
    needed = [text.EACH] * any(line.startswith("const") and "each(" in line for line in lines)
    return [*needed, *[text.SOFTMAX] * bool(softmax), "\n".join(lines)]


def _weights(program: Program) -> list[str]:
    named, weights, before = _named(program), weights_of(program, np.float16), []
    packed, size = weights.size > FEW, weights.itemsize
    array = "Float32Array" if packed and size < 8 else "Float64Array"
    if packed:
        read = "half(bytes.getUint16(at, true))" if size == 2 else f"bytes.getFloat{8 * size}(at, true)"
        told = text.PACKED.format(weights=wrapped(in_base64(weights)), array=array, size=size, read=read)
        before = [*[text.HALF] * (size == 2), told]
    lines_of = [
        "/**",
        " * The layers of each network, [W, b, f].",
        f" * @typedef {{[{array}, {array}, Activation]}} Layer",
        " * @type {Layer[][]}",
        " */",
        "const networks = [",
    ]
    for layers in program.networks:
        lines_of.append("  [")
        for layer in layers:
            f = named[_key(layer)]
            if packed:
                lines_of.append(f"    [next({layer.W.shape[0]} * {layer.W.shape[1]}), next({layer.b.size}), {f}],")
                continue
            rows = [f"        {', '.join(map(decimals, row))}," for row in layer.W.tolist()]
            b = ", ".join(map(decimals, layer.b.tolist()))
            lines_of += ["    [", "      new Float64Array([", *rows, "      ]),", f"      new Float64Array([{b}]),"]
            lines_of += [f"      {f},", "    ],"]
        lines_of.append("  ],")
    shares = ", ".join(map(decimals, program.shares))
    return [*before, "\n".join([*lines_of, "];", f"const shares = [{shares}];"])]


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _features(program: Program) -> list[str]:
    if not program.columns:
        return [text.PLAIN.format(inputs=program.inputs)]
    parts, body = [], [f"  const A = new Float64Array({program.inputs});"]
    body += ["  let x;"] * any(isinstance(column, NumberColumn) for column in program.columns)
    for j, (column, (first, _)) in enumerate(zip(program.columns, program.places, strict=True)):
        body.append(f"  // {safe(column.name, 60)}")
        name = literal(column.name)
        if isinstance(column, TextColumn):
            parts.append(_texts(j, column))
            body.append(f"  for (const [i, a] of found(texts{j}, row, {name})) A[{first} + i] = a;")
            continue
        definitions, said = WORDS.write(column.features, names={"x": "x"})
        listed = [f"    A.set([{', '.join(said)}], {first});"]
        if len(said) > 2:
            listed = ["    A.set([", *(f"      {each}," for each in said), f"    ], {first});"]
        body += [
            f"  x = {'microseconds' if column.kind == 'date' else 'number'}(row, {name});",
            f"  if (Number.isNaN(x)) A.set([{', '.join(map(decimals, column.missing))}], {first});",
            "  else {",
            *(f"    {each}" for each in definitions),
            *listed,
            "  }",
        ]
    start = "/** The networks' inputs. @type {(row: Row) => Float64Array} */\nconst features = (row) => {"
    return [*parts, "\n".join([start, *body, "  return A;", "};"])]


def _texts(j: int, column: TextColumn) -> str:
    places = {level: place for place, level in enumerate(_levels(column))}
    others = [[level, place] for level, place in column.codes.items() if places.get(level) != place]
    rows = [[[i, float(a)] for i, a in enumerate(row) if a] for row in column.rows.tolist()]
    lines = [
        f"// {safe(column.name, 60)}: the features at each text's place",
        f"const texts{j} = {{",
        f"  codes: coded(columns[{j}], {literal(others)}),",
        f"  was: {literal(column.was)},",
        "  rows: [",
        *(f"    {literal(row)}," for row in rows),
        "  ],",
        f"  unseen: {column.unseen},",
        f"  missing: {column.missing},",
        "};",
    ]
    return "\n".join(lines)


# ── on trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(program: Program, folder: Path, name: str, table: Any) -> Answers | None:
    """The answers of the written module in Node; None where that is not."""
    from netwright.export.export import runtime

    if (node := runtime("node", "nodejs")) is None:
        return None
    given = table if isinstance(table, dict) else np.asarray(table, np.float64).tolist()
    (folder / "rows.json").write_text(json.dumps(given), encoding="utf-8")
    (folder / "model.mjs").write_bytes((folder / f"{name}.mjs").read_bytes())  # by a name that needs no spelling
    (folder / "driver.mjs").write_text(text.DRIVER, encoding="utf-8")
    command = [node, "--disallow-code-generation-from-strings", "driver.mjs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    if done.returncode:
        raise ValueError(f"the JavaScript export does not run: {done.stderr.strip()[:500]}")
    values, labels = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    numbers = [[float(each) for each in row] for row in values]  # texts, since JSON has no infinity
    return np.array(numbers), np.array(labels, int) if program.labelled else None
