"""SQLite's dialect: W is a table with a row for each neuron, joined with the rows' A1 in columns.

SQLite would compute a step again wherever its result is used, so each is materialised.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from netwright.core.arguments import Array
from netwright.export.program import Dense, Program, Target, Z
from netwright.export.sql_words import (
    SPACES,
    SQLITE,
    Query,
    Reading,
    defined,
    features,
    name,
    number,
    read,
    result_names,
    text,
    total,
    value,
    wrapped,
)

CHR = "char"
ARGUMENTS = 100  # of a function, 127 at most
_text = partial(text, chr=CHR)


def query(program: Program, table: str) -> str:
    """One query, for SQLite 3.35 or newer with its math functions."""
    chain = Query(program, table, "MATERIALIZED", SQLITE)
    row, quoted = chain.row, name(table)
    given = chain.step("given", f"SELECT row_number() OVER () AS {row}, * FROM {quoted}", "the rows, numbered")
    columns = wrapped([row, *(f"{what} AS {each}" for each, what in read(chain, READING).items())])
    chain.step("columns", f"SELECT {columns}\n    FROM {given} AS {row}", "their values, NULL: missing")
    inputs = wrapped([row, *(f"{what} AS a{i}" for i, what in enumerate(features(chain, READING), 1))])
    X = chain.step("inputs", f"SELECT {inputs}\n    FROM {chain.last}", "the network's inputs")
    _networks(chain, X)
    _mixed(chain)
    said = [f"{given}.*"]
    for target, (own, probabilities) in zip(program.targets, result_names(program), strict=True):
        label, numbers = _answers(target)
        said += [f"{label} AS {own}", *(f"{p} AS {each}" for p, each in zip(numbers, probabilities, strict=True))]
    steps, last = ",\n".join(chain.steps), f"{chain.last} AS answer"
    joined = f"FROM {given} JOIN {last} ON answer.{row} = {given}.{row}\nORDER BY {given}.{row}"
    return f"WITH\n{steps}\nSELECT {wrapped(said)}\n{joined};\n"


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _number(column: str) -> str:
    """What is a number, or a text that is one, as SQLite's own comparison says; else NULL."""
    return f"CASE WHEN {column} = CAST({column} AS NUMERIC) THEN CAST({column} AS REAL) END"


def _date(column: str) -> str:
    """Microseconds since 1970: a number is as many already, a text is in ISO 8601."""
    fraction = f"CAST(CAST('0' || substr({column}, 20) AS REAL) * 1e6 + 1e-3 AS INTEGER)"
    rest = f"ltrim(substr({column}, 21), '0123456789')"
    point = f"substr({column}, 20, 1) = '.'"
    whole = f"CASE WHEN {point} THEN substr({column}, 1, 19) || {rest} ELSE {column} END"
    micro = f"strftime('%s', {whole}) * 1000000 + CASE WHEN {point} THEN {fraction} ELSE 0 END"
    day = "-".join(["[0-9]" * 4, "[0-9]" * 2, "[0-9]" * 2]) + "*"
    return (
        f"CASE WHEN typeof({column}) IN ('integer', 'real') THEN CAST({column} AS REAL)\n"
        f"      WHEN {column} GLOB '{day}' THEN CAST({micro} AS REAL) END"
    )


def _spelled(column: str, was: str) -> str:
    """The column's value as in training: 3.0 is "3", a time as in ISO 8601, midnight its date alone."""
    said = f"CAST({column} AS TEXT)"
    if was == "date":
        iso = f"replace({said}, ' ', 'T')"
        return f"CASE WHEN {iso} LIKE '%T00:00:00' THEN substr({iso}, 1, 10) ELSE {iso} END"
    x = f"CAST({column} AS REAL)"
    numeric = f"{column} = CAST({column} AS NUMERIC)" if was in ("number", "truth") else f"typeof({column}) = 'real'"
    whole = f"{numeric} AND {x} = floor({x}) AND abs({x}) < 9007199254740992e0"
    plain = f"\n      WHEN {numeric} THEN CAST({x} AS TEXT) ELSE {said}"
    return f"CASE WHEN {whole} THEN CAST(CAST({x} AS INTEGER) AS TEXT){plain} END"


def _find(query: Query, i: int, codes: dict[str, int]) -> Callable[[str], str]:
    rows = wrapped(f"({_text(each)}, {place})" for each, place in codes.items())
    called = query.step(f"texts{i}", f"VALUES {rows}", columns="(said, place)")
    return lambda x: f"(SELECT place FROM {called} WHERE said = {x} COLLATE BINARY)"


def _look(query: Query, i: int, numbers: dict[int, Array]) -> Callable[[int, str], str]:
    columns = ", ".join(["place", *(f"f{j}" for j in numbers)])
    rows = zip(*(each.tolist() for each in numbers.values()), strict=True)
    said = (f"({', '.join([str(place), *map(_plain, row)])})" for place, row in enumerate(rows))
    called = query.step(f"features{i}", f"VALUES {wrapped(said)}", columns=f"({columns})")
    return lambda j, place: f"(SELECT f{j} FROM {called} WHERE {called}.place = {place})"


_SPACES = f"{CHR}({', '.join(map(str, SPACES))})"
READING = Reading(_number, _date, _spelled, _find, _look, f"trim({{0}}, {_SPACES})")


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain(x: float) -> str:
    """A number in a list of values."""
    return repr(float(x)).removesuffix(".0") if np.isfinite(x) else number(x)


def _networks(chain: Query, X: str) -> None:
    """Each network's outputs, a row for each, then their mixture in columns."""
    program, outs = chain.program, []
    several = len(program.networks) > 1
    for n, (share, layers) in enumerate(zip(program.shares, program.networks, strict=True), 1):
        wide = X
        for l, layer in enumerate(layers, 1):
            called = f"{n}_{l}" if several else str(l)
            A = _layer(chain, layer, wide, called)
            if l < len(layers):
                said = "A's neurons beside each other, as the next layer's A1"
                wide = chain.step(f"a{called}", _columns(chain, A, len(layer.b)), said)
        weight = f"{number(share)} * a AS a" if share != 1 else "a"
        outs.append(f"SELECT {chain.row}, neuron, {weight} FROM {A}")
    mixed = _columns(chain, "({})".format("\n      UNION ALL ".join(outs)), program.outputs)
    chain.step("mix", mixed, "Σ share · network" if several else "the outputs beside each other")


def _columns(chain: Query, source: str, neurons: int) -> str:
    """The neurons' rows as columns a1, a2 …; SUM of the only one, or of all networks'."""
    sums = wrapped(f"SUM(a) FILTER (WHERE neuron = {j}) AS a{j}" for j in range(1, neurons + 1))
    return f"SELECT {chain.row}, {sums}\n    FROM {source} GROUP BY {chain.row}"


def _layer(chain: Query, layer: Dense, A1: str, called: str) -> str:
    """The steps Z = W·A1 + b and A = f(Z), with a row for each neuron; the name of the last."""
    row, inputs = chain.row, range(1, layer.W.shape[1] + 1)
    numbers = np.column_stack([layer.b, layer.W]).astype(np.float64).tolist()
    rows = ",\n".join(f"({', '.join([str(j), *map(_plain, each)])})" for j, each in enumerate(numbers, 1))
    columns = f"(neuron, b, {wrapped(f'w{i}' for i in inputs)})"
    W = chain.step(f"w{called}", f"VALUES\n{rows}", f"layer {called.replace('_', ', layer ')}: b and W", columns)
    z = f"b + {total([f'w{i} * a{i}' for i in inputs])}"
    body = f"SELECT {row}, neuron, {z} AS z\n    FROM {A1} CROSS JOIN {W}"
    chain.step(f"z{called}", body, "Z = W·A1 + b, a row for each neuron")
    if layer.f is None:
        return _softmax(chain, layer, called)
    definitions, (said,) = chain.words.write([layer.f], "t", {Z: "z"})
    for place, new in enumerate(defined(definitions)):
        chain.more(f"t{called}_{place}", new)
    return chain.step(f"f{called}", f"SELECT {row}, neuron, {said} AS a\n    FROM {chain.last}", "A = f(Z)")


def _softmax(chain: Query, layer: Dense, called: str) -> str:
    """exp(Z) / Σ exp(Z) over each row's neurons of a block."""
    row, ends = chain.row, np.cumsum(layer.blocks).tolist()
    over = f"OVER (PARTITION BY {row})"
    if len(ends) > 1:
        cases = " ".join(f"WHEN neuron <= {end} THEN {k}" for k, end in enumerate(ends))
        chain.more(f"k{called}", {"block": f"CASE {cases} END"}, "which softmax a neuron is of")
        over = f"OVER (PARTITION BY {row}, block)"
    chain.more(f"e{called}", {"e": f"exp(z - MAX(z) {over})"}, "softmax: A = exp(Z) / Σ exp(Z)")
    return chain.step(f"f{called}", f"SELECT {row}, neuron, e / SUM(e) {over} AS a\n    FROM {chain.last}")


def _mixed(chain: Query) -> None:
    """The mixture to the power of the exponent, normalised, and cut to the limits."""
    program, row = chain.program, chain.row
    each = [f"a{j}" for j in range(1, program.outputs + 1)]
    if program.exponent != 1:
        power = f"pow(min(max({{}}, 1e-12), 1e0), {number(program.exponent)})"
        raised = [f"{power.format(a)} AS {a}" for a in each]
        raised += [f"{power.format('1e0 - a1')} AS other"] if program.outputs == 1 else []
        said = "the mixture's power, normalised"
        chain.step("power", f"SELECT {row}, {wrapped(raised)}\n    FROM {chain.last}", said)
        chain.more("sum", {"s": total([*each, *["other"] * (program.outputs == 1)])})
        normal = wrapped(f"{a} / s AS {a}" for a in each)
        chain.step("normal", f"SELECT {row}, {normal}\n    FROM {chain.last}")
    if program.limits is not None:
        low, high = map(number, program.limits)
        cut = wrapped(f"min(max({a}, {low}), {high}) AS {a}" for a in each)
        chain.step("limits", f"SELECT {row}, {cut}\n    FROM {chain.last}", "no further than training's targets")


def _answers(target: Target) -> tuple[str, list[str]]:
    """The prediction and the classes' probabilities, as expressions of the answer."""
    own = [f"answer.a{target.first + k}" for k in range(1, target.outputs + 1)]
    if not target.classes:
        return f"{number(target.mean)} + {number(target.std)} * {own[0]}", []
    said = [value(each, CHR) for each in target.classes]
    if target.binary:
        return f"CASE WHEN {own[0]} > 0.5e0 THEN {said[1]} ELSE {said[0]} END", [f"1e0 - {own[0]}", own[0]]
    cases = wrapped((f"WHEN {p} THEN {label}" for p, label in zip(own, said, strict=True)), between=" ")
    return f"CASE {_largest(own)}\n    {cases} END", own


def _largest(each: list[str]) -> str:
    while len(each) > 1:
        groups = [each[first : first + ARGUMENTS] for first in range(0, len(each), ARGUMENTS)]
        each = [f"max({', '.join(group)})" if len(group) > 1 else group[0] for group in groups]
    return each[0]
