"""The parts of an exported C file that a row is given to: names, the header, and the networks' inputs of a row."""

from dataclasses import dataclass
from string import Template
from typing import Any

import numpy as np

from netwright.export import c_text as text
from netwright.export.c_int8 import Int8
from netwright.export.c_words import DOUBLE, FLOAT, Names, comment, number, single, table, texts, tidy
from netwright.export.expression import Words
from netwright.export.program import NumberColumn, Program, TextColumn


@dataclass(frozen=True)
class Writer:
    """A program and how it is to be written. real: "double" or "float". int8: its weights in 8 bits, or None."""

    program: Program
    file: str
    real: str
    int8: Int8 | None

    @property
    def words(self) -> Words:
        return FLOAT if self.real == "float" else DOUBLE

    @property
    def prefix(self) -> str:
        return Names().name(self.file)

    @property
    def fields(self) -> list[str]:
        """Of the row, one for each column."""
        names = Names()
        return [names.name(column.name) for column in self.program.columns]

    @property
    def results(self) -> list[str]:
        """Of the prediction, one for each target; a target with classes has one more, with _P behind."""
        names = Names("_P")
        return [names.name(target.name) for target in self.program.targets]

    @property
    def given(self) -> str:
        """The parameter that the columns come by."""
        if self.program.columns:
            return f"const {self.prefix}_row *row"
        return f"const {self.prefix}_real x[{self.prefix.upper()}_INPUTS]"

    def fill(self, template: str, **values: Any) -> str:
        """The template with its names filled in."""
        f = "f" * (self.real == "float")
        usual = {"real": self.real, "file": self.file, "prefix": self.prefix, "upper": self.prefix.upper()}
        functions = {name: name + f for name in ("exp", "pow", "larger", "smaller")}
        return Template(template).substitute(
            usual | functions, title=comment(self.program.title), outputs=self.program.outputs, **values
        )

    def number(self, x: float) -> str:
        return number(x, self.real == "float")


# ── the header ───────────────────────────────────────────────────────────────────────────────────────────────────────


def header(writer: Writer) -> str:
    program, prefix = writer.program, writer.prefix
    lines = [f"{prefix}_prediction said;"]
    row = _names(writer)
    if program.columns:
        lines.insert(0, f"{prefix}_row row = {prefix}_missing;")
        lines.append(f"row.{writer.fields[0]} = ...;")
        row = _row(writer)
    else:
        lines.insert(0, f"{prefix}_real x[{prefix.upper()}_INPUTS] = {{...}};")
    lines.append(f"{prefix}_predict({'&row' if program.columns else 'x'}, &said);")
    return writer.fill(
        text.HEADER,
        example="".join(f"       {line}\n" for line in lines),
        inputs=program.inputs,
        row=row,
        prediction=_prediction(writer),
        predict=f"void {prefix}_predict({writer.given}, {prefix}_prediction *said);\n",
    )


def _names(writer: Writer) -> str:
    shown = "\n".join(f"   {i}: {comment(name)}" for i, name in enumerate(writer.program.names))
    return f"/* What x has at each place:\n{shown} */\n"


def _row(writer: Writer) -> str:
    lines = ["/* A row: NAN is a missing number, NULL a missing text. */", "typedef struct {"]
    for field, column in zip(writer.fields, writer.program.columns, strict=True):
        if isinstance(column, TextColumn):
            declared, what = f"const char *{field};", "a text, UTF-8"
        elif column.kind == "date":
            declared, what = f"double {field};", "a date, microseconds since 1970"
        else:
            declared, what = f"double {field};", "a number"
        lines.append(f"    {declared} /* {comment(column.name)}: {what} */")
    lines += [f"}} {writer.prefix}_row;", "", "/* All missing. */"]
    return "\n".join([*lines, f"extern const {writer.prefix}_row {writer.prefix}_missing;\n"])


def _prediction(writer: Writer) -> str:
    program, prefix, lines = writer.program, writer.prefix, []
    for name, target in zip(writer.results, program.targets, strict=True):
        if target.classes:
            lines.append(
                f"    int {name}; /* {comment(target.name)}: the place of the class in {prefix}_{name}_classes */"
            )
            lines.append(f"    {prefix}_real {name}_P[{target.values}]; /* the classes' probabilities */")
        else:
            kind = "double" if target.standardised else f"{prefix}_real"  # an offset takes more bits than float has
            lines.append(f"    {kind} {name}; /* {comment(target.name)} */")
    shown = ["typedef struct {", *lines, f"}} {prefix}_prediction;", ""]
    for name, target in zip(writer.results, program.targets, strict=True):
        if target.classes:
            shown.append(f"extern const char *const {prefix}_{name}_classes[{target.values}];")
    return "\n".join(shown)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def features(writer: Writer) -> list[str]:
    shown, program = list[str](), writer.program
    lines = ["/* The networks' inputs. */", f"static void features(const {writer.prefix}_row *row, real *A)", "{"]
    missing = []
    if any(isinstance(column, TextColumn) for column in program.columns):
        lines.append("    int at;")
    for j, (field, column) in enumerate(zip(writer.fields, program.columns, strict=True)):
        first, _ = program.places[j]
        lines += [f"    /* {comment(column.name)} */"]
        if isinstance(column, TextColumn):
            tables, body = _text(writer, j, field, column, first)
            shown += tables
            missing.append("NULL")
        else:
            body = _number(writer, field, column, first)
            missing.append("NAN")
        lines += [f"    {line}" for line in body]
    named = f"const {writer.prefix}_row {writer.prefix}_missing = {{"
    return [*shown, f"{named}{', '.join(missing)}}};\n", "\n".join([*lines, "}", ""])]


def _number(writer: Writer, field: str, column: NumberColumn, first: int) -> list[str]:
    definitions, said = DOUBLE.write(column.features, names={"x": "x"})
    missing = [f"        A[{first + k}] = {writer.number(x)};" for k, x in enumerate(column.missing)]
    known = [f"        A[{first + k}] = (real)({tidy(x)});" for k, x in enumerate(said)]
    return [
        "{",
        f"    const double x = row->{field};",
        "    if (isnan(x)) {",
        *missing,
        "    } else {",
        *(f"        const double {each}" for each in definitions),
        *known,
        "    }",
        "}",
    ]


def _text(writer: Writer, j: int, field: str, column: TextColumn, first: int) -> tuple[list[str], list[str]]:
    """(its tables, the statements)."""
    keys = sorted(column.codes, key=lambda key: key.encode("utf-8", "surrogatepass"))
    width, rows = column.rows.shape[1], column.rows
    places = np.array([column.codes[key] for key in keys], int)
    tables, find = [], [f"at = {column.unseen};"]
    if keys:
        strings, starts = texts(f"keys{j}", keys)
        tables += [strings, table("offset", f"key_starts{j}", starts)]
        tables.append(table("unsigned", f"places{j}", places))
        find = [
            f"at = place(&keys{j}, key_starts{j}, {len(keys)}, row->{field});",
            f"at = at < 0 ? {column.unseen} : places{j}[at];",
        ]
    body = [f"at = {column.missing};", f"if (row->{field} != NULL) {{", *(f"    {each}" for each in find), "}"]
    kind = "float" if writer.real == "float" or writer.int8 or np.array_equal(rows, single(rows)) else "double"
    size = 4 if kind == "float" else 8
    count = np.count_nonzero(rows)
    if count and count * (size + 2) + 2 * len(rows) < 0.75 * rows.size * size:
        at, where = np.nonzero(rows)
        starts = np.searchsorted(at, np.arange(len(rows) + 1))
        tables += [
            table("unsigned", f"starts{j}", starts),
            table("unsigned", f"at{j}", where),
            table(kind, f"features{j}", rows[at, where], kind),
        ]
        body += [
            f"for (int k = 0; k < {width}; k++)",
            f"    A[{first} + k] = 0;",
            f"for (int k = starts{j}[at]; k < starts{j}[at + 1]; k++)",
            f"    A[{first} + at{j}[k]] = features{j}[k];",
        ]
    else:
        tables.append(table(kind, f"features{j}", rows.ravel(), kind))
        body += [f"for (int k = 0; k < {width}; k++)", f"    A[{first} + k] = features{j}[{width} * at + k];"]
    return tables, body


def lookup(writer: Writer) -> list[str]:
    """How texts are found, with a type that all of their starts fit in."""
    keys = [list(column.codes) for column in writer.program.columns if isinstance(column, TextColumn)]
    longest = max((len("".join(each).encode("utf-8", "replace")) + len(each) for each in keys), default=0)
    return [writer.fill(text.LOOKUP, offset="short" if longest < 65536 else "int")] * any(keys)
