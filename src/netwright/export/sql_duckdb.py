"""DuckDB's dialect: a layer is a list of numbers, W a list of lists, and everything stays in the table's row."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from netwright.core.arguments import Array
from netwright.export.expression import Expression
from netwright.export.program import Dense, Program, Target, Z
from netwright.export.sql_words import (
    DUCKDB,
    SPACES,
    Query,
    Reading,
    defined,
    features,
    name,
    number,
    read,
    result_names,
    text,
    value,
    wrapped,
)

CHR = "chr"
_text = partial(text, chr=CHR)
DOUBLES = ("FLOAT", "DOUBLE")  # the types whose 3.0 is spelled "3.0"


def query(program: Program, table: str) -> str:
    """One query, for DuckDB 1.4 or newer."""
    chain = Query(program, table, "NOT MATERIALIZED", DUCKDB)
    row, quoted = chain.row, name(table)
    columns = wrapped([row, *(f"{what} AS {each}" for each, what in read(chain, READING).items())])
    chain.step("columns", f"SELECT {columns}\n    FROM {quoted} AS {row}", "the row, and its values; NULL: missing")
    inputs = wrapped(features(chain, READING))
    chain.step("inputs", f"SELECT {row}, [{inputs}]::DOUBLE[] AS X\n    FROM {chain.last}", "the network's inputs")
    _networks(chain)
    _mixed(chain)
    said = [f"{row}.*"]
    for target, (own, probabilities) in zip(program.targets, result_names(program), strict=True):
        label, numbers = _answers(target)
        said += [f"{label} AS {own}", *(f"{p} AS {each}" for p, each in zip(numbers, probabilities, strict=True))]
    steps = ",\n".join(chain.steps)
    return f"WITH\n{steps}\nSELECT {wrapped(said)}\nFROM {chain.last};\n"


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _number(column: str) -> str:
    x = f"CAST({column} AS DOUBLE)"
    return f"CASE WHEN isnan({x}) THEN NULL ELSE {x} END"


def _date(column: str) -> str:
    return f"CAST(epoch_us(CAST({column} AS TIMESTAMP)) AS DOUBLE)"


def _spelled(column: str, was: str) -> str:
    """The column's value as in training: 3.0 is "3", a time as in ISO 8601, midnight its date alone."""
    said = f"CAST({column} AS VARCHAR)"
    if was == "date":
        iso = f"strftime(TRY_CAST({said} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f')"
        return f"coalesce(regexp_replace({iso}, '(T00:00:00)?[.]000000$', ''), {said})"
    x = f"TRY_CAST({said} AS DOUBLE)"
    whole = f"{x} = floor({x}) AND abs({x}) < 9007199254740992e0 THEN CAST(CAST({x} AS BIGINT) AS VARCHAR)"
    spelled = (
        f"CASE WHEN isnan({x}) THEN NULL\n      WHEN {whole}\n      ELSE coalesce(CAST({x} AS VARCHAR), {said}) END"
    )
    if was in ("number", "truth"):
        return spelled
    types = ", ".join(f"'{each}'" for each in DOUBLES)
    return f"CASE WHEN typeof({column}) IN ({types}) \n      THEN {spelled}\n      ELSE {said} END"


def _find(query: Query, i: int, codes: dict[str, int]) -> Callable[[str], str]:
    texts, places = wrapped(map(_text, codes), "      "), [*codes.values()]
    if places == [*range(len(codes))]:
        return lambda x: f"list_position([{texts}], {x}) - 1"
    listed = wrapped(map(str, places), "      ")
    return lambda x: f"([{listed}])[list_position([{texts}], {x})]"


def _look(query: Query, i: int, numbers: dict[int, Array]) -> Callable[[int, str], str]:
    return lambda j, place: f"({_list(numbers[j])})[{place} + 1]"


_SPACES = " || ".join(f"{CHR}({each})" for each in SPACES)
READING = Reading(_number, _date, _spelled, _find, _look, f"trim({{0}}, {_SPACES})")


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _list(numbers: Array) -> str:
    """A constant DOUBLE[], or of rows a DOUBLE[][], as one text, which is read much faster than many literals."""
    numbers = np.asarray(numbers)
    small = numbers.astype(np.float32)
    single = bool(np.array_equal(small, numbers))
    spelled = [[str(each) for each in row] for row in np.atleast_2d(small if single else numbers.astype(np.float64))]
    rows = [f"[{', '.join(each.removesuffix('.0') for each in row)}]" for row in spelled]
    brackets = "[]" * numbers.ndim
    said = ",\n".join(rows)
    said = f"'[{said}]'" if numbers.ndim == 2 else f"'{said}'"
    return f"{said}::FLOAT{brackets}::DOUBLE{brackets}" if single else f"{said}::DOUBLE{brackets}"


def _networks(chain: Query) -> None:
    """Each network after the other; their mixture grows in A."""
    program, row = chain.program, chain.row
    several = len(program.networks) > 1
    for n, (share, layers) in enumerate(zip(program.shares, program.networks, strict=True), 1):
        kept = f"{row}, X" if n < len(program.networks) else row
        kept += ", A" if n > 1 else ""
        A1 = "X"
        for l, layer in enumerate(layers, 1):
            A1 = _layer(chain, layer, A1, kept, f"{n}_{l}" if several else str(l))
        if n > 1:
            mixed = f"list_transform(A, lambda a, j: a + {number(share)} * {A1}[j]) AS A"
        elif share != 1:
            mixed = f"list_transform({A1}, lambda a: {number(share)} * a) AS A"
        else:
            mixed = f"{A1} AS A"
        kept = f"{row}, X" if n < len(program.networks) else row
        said = f"share {share:.4g} of network {n}" if several else ""
        chain.step(f"mix{n}", f"SELECT {kept}, {mixed}\n    FROM {chain.last}", said)


def _layer(chain: Query, layer: Dense, A1: str, kept: str, called: str) -> str:
    """The steps Z = W·A1 + b and A = f(Z); the name of the result."""
    W, b = _list(layer.W), _list(layer.b)
    product = f"lambda w, j: list_inner_product(w, {A1}) + ({b})[j]"
    body = f"SELECT {kept}, list_transform({W},\n      {product}) AS Z\n    FROM {chain.last}"
    chain.step(f"z{called}", body, f"layer {called.replace('_', ', layer ')}: Z = W·A1 + b")
    if layer.f is not None:
        A = _elementwise(chain, layer.f)
        chain.step(f"a{called}", f"SELECT {kept}, {A} AS A1\n    FROM {chain.last}", "A = f(Z), the next layer's A1")
        return "A1"
    ends = np.cumsum([0, *layer.blocks]).tolist()
    blocks = range(len(layer.blocks))
    parts = [f"Z[{first + 1}:{end}]" for first, end in pairwise(ends)] if len(blocks) > 1 else ["Z"]
    tops = ", ".join(f"list_max({part}) AS m{k}" for k, part in enumerate(parts))
    chain.step(f"m{called}", f"SELECT {kept}, Z, {tops}\n    FROM {chain.last}", "softmax: exp(Z) / Σ exp(Z)")
    powers = ", ".join(f"list_transform({part}, lambda z: exp(z - m{k})) AS E{k}" for k, part in enumerate(parts))
    chain.step(f"e{called}", f"SELECT {kept}, {powers}\n    FROM {chain.last}")
    sums = ", ".join(f"E{k}, list_sum(E{k}) AS s{k}" for k in blocks)
    chain.step(f"s{called}", f"SELECT {kept}, {sums}\n    FROM {chain.last}")
    shares = " || ".join(f"list_transform(E{k}, lambda e: e / s{k})" for k in blocks)
    chain.step(f"a{called}", f"SELECT {kept}, {shares} AS A1\n    FROM {chain.last}")
    return "A1"


def _elementwise(chain: Query, f: Expression | float) -> str:
    """f of each number of Z; what f uses more than once is kept beside z in a struct."""
    if isinstance(f, Expression) and not f.arguments:
        return "Z"
    _, (said,) = chain.words.write([f], "v.t", {Z: "v.z"})
    definitions, _ = chain.words.write([f], "v.t", {Z: "v.z"})
    if not definitions:
        _, (said,) = chain.words.write([f], "v.t", {Z: "z"})
        return f"list_transform(Z, lambda z: {said})"
    inner, known = "list_transform(Z, lambda z: {'z': z})", ["z"]
    for new in defined(definitions):
        kept = ", ".join(f"'{each}': v.{each}" for each in known)
        made = ", ".join(f"'{each.removeprefix('v.')}': {what}" for each, what in new.items())
        inner = f"list_transform({inner}, lambda v: {{{kept}, {made}}})"
        known += [each.removeprefix("v.") for each in new]
    return f"list_transform({inner},\n      lambda v: {said})"


def _mixed(chain: Query) -> None:
    """The mixture to the power of the exponent, normalised, and cut to the limits."""
    program, row = chain.program, chain.row
    if program.exponent != 1:
        power = f"pow(least(greatest({{}}, 1e-12), 1e0), {number(program.exponent)})"
        other = [f"{power.format('1e0 - A[1]')} AS other"] if program.outputs == 1 else []
        raised = ", ".join([f"list_transform(A, lambda a: {power.format('a')}) AS A", *other])
        chain.step("power", f"SELECT {row}, {raised}\n    FROM {chain.last}", "the mixture's power, normalised")
        rest = ", list_sum(A)" + " + other" * len(other) + " AS s"
        chain.step("sum", f"SELECT {row}, A{rest}\n    FROM {chain.last}")
        chain.step("normal", f"SELECT {row}, list_transform(A, lambda a: a / s) AS A\n    FROM {chain.last}")
    if program.limits is not None:
        low, high = map(number, program.limits)
        cut = f"list_transform(A, lambda a: least(greatest(a, {low}), {high})) AS A"
        chain.step("limits", f"SELECT {row}, {cut}\n    FROM {chain.last}", "no further than training's targets")


def _answers(target: Target) -> tuple[str, list[str]]:
    """The prediction and the classes' probabilities, as expressions of A."""
    first = target.first + 1
    if not target.classes:
        return f"{number(target.mean)} + {number(target.std)} * A[{first}]", []
    said = [value(each, CHR) for each in target.classes]
    if target.binary:
        return f"CASE WHEN A[{first}] > 0.5e0 THEN {said[1]} ELSE {said[0]} END", [f"1e0 - A[{first}]", f"A[{first}]"]
    own = f"A[{first}:{target.first + target.outputs}]"
    label = f"([{', '.join(said)}])[list_position({own}, list_max({own}))]"
    return label, [f"A[{first + k}]" for k in range(target.outputs)]
