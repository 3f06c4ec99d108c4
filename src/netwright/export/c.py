"""C99: a .c and a .h that predict with nothing but libm, without allocating, the weights in const tables."""

import re
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from netwright.core import arguments
from netwright.core.activations import ACTIVATIONS
from netwright.export import c_text as text
from netwright.export.c_int8 import STEPS, Int8
from netwright.export.c_main import main as as_program
from netwright.export.c_parts import Writer, features, header, lookup
from netwright.export.c_words import DOUBLE, number, quoted, single, table, tidy
from netwright.export.export import ROUNDING, compared, rounding, runtime, trial
from netwright.export.expression import variables_of
from netwright.export.numbers import weights_of
from netwright.export.program import Answers, Dense, NumberColumn, Program, Target, TextColumn
from netwright.export.program import run as by_numpy

CLOSE = 1e-5  # to which float comes to what a double would be
FEW = 8  # layers, of which each may have its own copy of the loops
HEADERS = """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool
stddef stdint stdio stdlib string tgmath time wchar wctype"""


def files(
    program: Program, name: str, *, float32: bool = False, int8: bool = False, main: bool = False
) -> dict[str, bytes]:
    """`NAME.h` and `NAME.c`.

    float32: whether a float64 model computes and is kept in float. int8: whether W is kept as whole numbers of 8 bits,
    with a scale of 8 bits and a b of 16 for each neuron. main: whether it is a program as well, from a CSV with a
    header to predictions. ValueError for a file name that no #include takes, and texts that no string of C can hold.
    """
    main = arguments.flag("main", main)
    if re.search(r'["\\\x00-\x1f\ud800-\udfff]|\?\?', name):
        raise ValueError(f"the file name {name!r} cannot be in an #include of C")
    if name.lower() in HEADERS.split():
        raise ValueError(f"the file name {name!r} is that of a header of C's own, which {name}.h would hide")
    writer = writer_of(program, name, float32, int8)
    return {f"{name}.h": header(writer).encode(), f"{name}.c": _source(writer, main).encode()}


def writer_of(program: Program, name: str, float32: bool = False, int8: bool = False) -> Writer:
    """How `files` writes it."""
    float32, int8 = arguments.flag("float32", float32), arguments.flag("int8", int8)
    real = "float" if float32 or program.dtype == "float32" else "double"
    return Writer(program, name, real, Int8.of(program) if int8 else None)


def bound(program: Program, *, float32: bool = False, int8: bool = False, main: bool = False) -> float | None:
    """What the trial may differ by where less is kept: what NumPy loses by the same, and a little more."""
    if not int8 and (not float32 or program.dtype == "float32"):
        return None
    table = trial(program)
    kept = Int8.of(program).left_of(program) if int8 else program
    with np.errstate(all="ignore"):
        exact = by_numpy(kept, table)
        small, _ = compared(program, by_numpy(program, table), exact)  # what int8 does: the file does no more than that
        lost = compared(program, exact, by_numpy(_in_float(kept), table))[0] if float32 else 0.0
    if not np.isfinite([small, lost]).all():
        raise ValueError("C cannot hold the model's numbers with these options: they are beyond what float can say")
    if float32:
        lost = ROUNDING * max(lost, rounding(program, table, "float32"))
    return 1.01 * small + max(lost, CLOSE)


def _in_float(program: Program) -> Program:
    networks = tuple(
        tuple(replace(layer, W=single(layer.W), b=single(layer.b)) for layer in layers) for layers in program.networks
    )
    return replace(program, networks=networks, dtype="float32")


# ── the source ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _source(writer: Writer, main: bool) -> str:
    program = writer.program
    texts = any(isinstance(column, TextColumn) for column in program.columns)
    once = text.ONCE * (sum(map(len, program.networks)) > FEW)
    body = [
        *([] if writer.int8 is None else [table("float", "steps", STEPS, "float")]),
        writer.fill(text.LAYER, once=once, **_layer(writer)),
        *_activations(writer),
        *_tables(writer),
        *map(_network, [writer] * len(program.networks), range(len(program.networks))),
        *lookup(writer),
        *(features(writer) if program.columns else []),
        *([text.BEST] if any(not target.binary for target in program.labelled) else []),
        *_classes(writer),
        _predict(writer),
    ]
    if main:
        body.append(as_program(program, writer.file, writer.prefix, writer.real, writer.fields, writer.results))
    called = {each for part in body for each in re.findall(r"\b(?:larger|smaller)f?\b", part)}
    helpers = [said for name, said in text.HELPERS.items() if name in called]
    spaces = [text.SPACE] * any("is_space(" in part for part in body)
    libraries = ["stdio", "stdlib"] * main + ["string"] * (texts or main)
    heading = writer.fill(text.SOURCE, includes="".join(f"#include <{each}.h>\n" for each in libraries))
    return "\n".join([heading, *helpers, *spaces, *body])


def _layer(writer: Writer) -> dict[str, str]:
    """What differs between layers as they are and layers in 8 bits."""
    if writer.int8 is None:
        return text.PLAIN_LAYER | {"types": f"typedef {_weight(writer)} weight;"}
    bias = "short" if writer.int8.short else "float"
    return text.INT8_LAYER | {"types": Template(text.INT8_LAYER["types"]).substitute(bias=bias)}


def _weight(writer: Writer) -> str:
    """The type that W and b are kept in: float, where nothing is lost or nothing more is computed with."""
    return "float" if writer.real == "float" or weights_of(writer.program).dtype == np.float32 else "double"


def _key(layer: Dense) -> Any:
    return layer.blocks if layer.f is None else tuple(map(tuple, DOUBLE.write([layer.f], names={"z": "z"})))


def _named(program: Program) -> dict[Any, tuple[str, Dense]]:
    """A name for each activation, and a layer that has it."""
    named: dict[Any, tuple[str, Dense]] = {}
    for layer in (layer for layers in program.networks for layer in layers):
        taken = {name for key, (name, _) in named.items() if key != _key(layer)}
        own = layer.activation if layer.activation in {*ACTIVATIONS} else f"f{len(named)}"
        own = f"f{len(named)}" if f"apply_{own}" in taken else own  # an activation of one's own may be named so too
        if layer.f is None:
            own = "_".join(["softmax", *map(str, layer.blocks)])
        named.setdefault(_key(layer), (f"apply_{own}", layer))
    return named


def _activations(writer: Writer) -> list[str]:
    shown, named = list[str](), _named(writer.program)
    if any(layer.f is None for _, layer in named.values()):
        shown.append(writer.fill(text.SOFTMAX))
    for name, layer in named.values():
        if layer.f is None:
            continue
        definitions, (said,) = writer.words.write([layer.f], names={"z": "z"})
        given = ["z = Z[j];"] * bool(variables_of([layer.f]))
        indented = "".join(f"        const real {each}\n" for each in given + definitions)
        shown.append(writer.fill(text.ACTIVATION, name=name, definitions=indented, said=tidy(said)))
    return shown


def _tables(writer: Writer) -> list[str]:
    """W, column by column, and b of each layer."""
    kept, int8, shown = _weight(writer), writer.int8, list[str]()
    for n, layers in enumerate(writer.program.networks, 1):
        for l, layer in enumerate(layers, 1):
            if int8 is not None:
                small = int8.layers[n - 1][l - 1]
                shown.append(table("weight", f"W{n}_{l}", small.whole.T.ravel()))
                shown.append(table("unsigned char", f"place{n}_{l}", small.places))
                shown.append(table("bias", f"b{n}_{l}", *([small.bias] if int8.short else [layer.b, "float"])))
            else:
                shown.append(table("weight", f"W{n}_{l}", layer.W.T.ravel(), kept))
                shown.append(table("weight", f"b{n}_{l}", layer.b, kept))
    return shown


def _network(writer: Writer, n: int) -> str:
    program = writer.program
    layers, named = program.networks[n], _named(program)
    sizes = ", ".join(f"A{l}[{len(layer.b)}]" for l, layer in enumerate(layers, 1))
    lines = ["static void " + f"network{n + 1}(const real *A0, real *A)", "{", f"    real {sizes};"]
    for l, layer in enumerate(layers, 1):
        neurons, inputs = layer.W.shape
        kept = f"W{n + 1}_{l}, b{n + 1}_{l}"
        if writer.int8 is not None:
            small = writer.int8.layers[n][l - 1]
            unit = small.unit if writer.int8.short else 1.0
            kept += f", place{n + 1}_{l}, {writer.number(small.top)}, {writer.number(unit)}"
        lines.append(f"    layer({kept}, {inputs}, {neurons}, A{l - 1}, A{l});")
        if layer.f is not None:
            lines.append(f"    {named[_key(layer)][0]}(A{l}, {neurons});")
        for first, size in zip(np.cumsum([0, *layer.blocks]), layer.blocks, strict=False):
            lines.append(f"    softmax(A{l} + {first}, {size});")
    share = "" if program.shares[n] == 1 else f"{writer.number(program.shares[n])} * "
    lines += [f"    for (int k = 0; k < {program.outputs}; k++)", f"        A[k] += {share}A{len(layers)}[k];", "}", ""]
    return "\n".join(lines)


def _classes(writer: Writer) -> list[str]:
    shown = []
    for name, target in zip(writer.results, writer.program.targets, strict=True):
        if target.classes:
            said = "".join(f"    {quoted(str(each))},\n" for each in target.classes)
            shown.append(f"const char *const {writer.prefix}_{name}_classes[{target.values}] = {{\n{said}}};\n")
    return shown


def _predict(writer: Writer) -> str:
    program, upper = writer.program, writer.prefix.upper()
    lines = [f"void {writer.prefix}_predict({writer.given}, {writer.prefix}_prediction *said)", "{"]
    lines += [f"    real A[{program.outputs}] = {{0}};"]
    if program.columns:
        lines += [f"    real x[{upper}_INPUTS];", "    features(row, x);"]
    lines += [f"    network{n + 1}(x, A);" for n in range(len(program.networks))]
    body = "\n".join(lines) + "\n"
    if program.exponent != 1:
        numbers = {"least": writer.number(1e-12), "exponent": writer.number(program.exponent)}
        other = writer.fill(text.OTHER, **numbers) if program.outputs == 1 else ""
        body += writer.fill(text.EXPONENT, other=other, **numbers)
    if program.limits is not None:
        low, high = map(writer.number, program.limits)
        body += writer.fill(text.LIMITS, low=low, high=high)
    return body + "".join(map(_target, [writer] * len(program.targets), writer.results, program.targets)) + "}\n"


def _target(writer: Writer, name: str, target: Target) -> str:
    A = f"A[{target.first}]"
    if not target.classes:
        if not target.standardised:
            return f"    said->{name} = {A};\n"
        return f"    said->{name} = {number(target.mean)} + {number(target.std)} * {A};\n"
    if target.binary:
        half = writer.number(0.5)
        return f"    said->{name} = {A} > {half};\n    said->{name}_P[0] = 1 - {A};\n    said->{name}_P[1] = {A};\n"
    return (
        f"    said->{name} = best(A + {target.first}, {target.outputs});\n"
        f"    for (int k = 0; k < {target.outputs}; k++)\n        said->{name}_P[k] = A[{target.first} + k];\n"
    )


# ── on trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(program: Program, folder: Path, name: str, table: Any, **options: bool) -> Answers | None:
    """The answers of the written files, compiled, whatever the options were; None without a compiler."""
    compiler = runtime("cc", "gcc")
    if compiler is None:
        return None
    data, room = packed(program, table)
    rows = len(next(iter(table.values()))) if program.columns else len(table)
    said = driver(writer_of(program, name), rows, room)
    one = ["-Dmain=own_main", "-c", f"./{name}.c", "-o", "model.o"]
    two = ["-xc", "-", "-xnone", "model.o", "-lm", "-o", "driver"]
    for each in (one, two):
        command = [compiler, "-std=c99", "-O2", *each]
        made = subprocess.run(command, cwd=folder, input=said.encode(), capture_output=True, check=False)
        if made.returncode:
            raise ValueError(f"the C export does not compile: {made.stderr.decode('utf-8', 'replace')[:200]}")
    done = subprocess.run([str(folder / "driver")], input=data, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"the C export does not run: it ends with {done.returncode}")
    found = np.array([list(map(float, line.split())) for line in done.stdout.decode().splitlines()])
    labels = len(program.labelled)
    return found[:, labels:], found[:, :labels].astype(int) if labels else None


def driver(writer: Writer, rows: int, room: int) -> str:
    """A main that reads what `packed` gives, and prints each row's labels and then its numbers."""
    program = writer.program
    if program.columns:
        read = [f"{writer.prefix}_row x;"]
        for field, column in zip(writer.fields, program.columns, strict=True):
            read.append(f"x.{field} = {'text' if isinstance(column, TextColumn) else 'number'}();")
    else:
        read = [f"{writer.prefix}_real x[{program.inputs}];", f"for (int i = 0; i < {program.inputs}; i++)"]
        read.append("    x[i] = number();")
    read += [f"{writer.prefix}_prediction said;", f"{writer.prefix}_predict({'&' * bool(program.columns)}x, &said);"]
    labels, numbers = list[str](), list[str]()
    for name, target in zip(writer.results, program.targets, strict=True):
        if not target.classes:
            numbers.append(f'printf("%.17g ", said.{name});')
            continue
        labels.append(f'printf("%d ", said.{name});')
        numbers += [f"for (int k = 0; k < {target.values}; k++)", f'    printf("%.17g ", said.{name}_P[k]);']
    reading, printing = ("".join(f"        {line}\n" for line in lines) for lines in (read, labels + numbers))
    return Template(text.DRIVER).substitute(file=writer.file, rows=rows, room=room, read=reading, print=printing)


def packed(program: Program, table: Any) -> tuple[bytes, int]:
    """(the rows' numbers as doubles, and texts with their lengths, one row after the other; room for a row's texts)."""
    if not program.columns:
        return np.asarray(table, np.float64).tobytes(), 1
    parts, room = list[bytes](), 1
    for row in zip(*(table[column.name] for column in program.columns), strict=True):
        used = 0
        for column, value in zip(program.columns, row, strict=True):
            if isinstance(column, NumberColumn):
                parts.append(struct.pack("=d", np.nan if value is None else value))
                continue
            said = b"" if value is None else value.encode()
            parts.append(struct.pack("=i", -1 if value is None else len(said)) + said)
            used += len(said) + 1
        room = max(room, used)
    return b"".join(parts), room
