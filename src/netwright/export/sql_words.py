"""What the dialects of SQL share: how names, texts and numbers are spelled, and a query as a chain of steps."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netwright.core.arguments import Array, cut
from netwright.export.expression import Expression, Words
from netwright.export.program import NumberColumn, Program, TextColumn, X
from netwright.tables import sql

PREFIX = "net"  # of all names in a query that are not the table's own
WIDTH = 100  # characters, about, of a line
SPACES = (9, 10, 11, 12, 13, 32)  # what may be around a text


def number(x: float) -> str:
    """A literal that is a DOUBLE: 0.1 alone is a decimal to DuckDB. Never begins with a -, as -- is a comment."""
    x = float(x)
    if np.isnan(x):
        return "NULL"
    if np.isinf(x):
        return "exp(1000e0)" if x > 0 else "(-exp(1000e0))"
    said = repr(abs(x))
    said = said if "e" in said else f"{said.removesuffix('.0')}e0"
    return f"(-{said})" if np.signbit(x) else said


def text(value: str, chr: str) -> str:
    """A string; control characters are spelled by the function of that name, so that no line of the file is theirs."""
    parts = re.split(r"([\x00-\x1f\x7f])", value)
    if len(parts) == 1:
        return sql.text(value)
    said = (f"{chr}({ord(part)})" if place % 2 else sql.text(part) for place, part in enumerate(parts) if part)
    return f"({' || '.join(said)})"


def name(value: str) -> str:
    """A quoted name of a column or table. ValueError for what no database takes as one."""
    if "\0" in value:
        raise ValueError(f"SQL has no name with a character 0 in it, such as {value!r}")
    return sql.name(value)


def comment(value: str, most: int = 300) -> str:
    """A line of comment of any text: what would end the line is a space there."""
    return ("-- " + cut("".join(each if each.isprintable() else " " for each in value), most)).rstrip()


def wrapped(parts: Iterable[str], before: str = "    ", between: str = ", ") -> str:
    """The parts in lines of about `WIDTH` characters."""
    lines, line = [], ""
    for part in parts:
        if line and len(line) + len(part) > WIDTH:
            lines.append(line)
            line = ""
        line = f"{line}{between}{part}" if line else part
    return f"{between.rstrip(' ')}\n{before}".join([*lines, line])


def total(terms: Sequence[str], most: int = 100) -> str:
    """Their sum, in groups, as an expression must not be too deep."""
    while len(terms) > most:
        groups = (terms[first : first + most] for first in range(0, len(terms), most))
        terms = [f"({' + '.join(group)})" for group in groups]
    return wrapped(terms, "      ", " + ")


# expm1(x) = 2t / (1 - t) with t = tanh(x/2), near 0; log1p(e) by W. Kahan: SQL has neither
OPERATIONS = {
    "negative": "(-{0})", "absolute": "abs({0})", "exp": "exp({0})", "log": "ln({0})", "sqrt": "sqrt({0})",
    "expm1": "(CASE WHEN abs({0}) < 1 THEN 2e0 * tanh({0} / 2e0) / (1e0 - tanh({0} / 2e0)) ELSE exp({0}) - 1e0 END)",
    "log1p": "(CASE WHEN 1e0 + {0} = 1e0 THEN {0} ELSE ln(1e0 + {0}) * {0} / ((1e0 + {0}) - 1e0) END)",
    "tanh": "tanh({0})", "sin": "sin({0})", "cos": "cos({0})", "floor": "floor({0})", "add": "({0} + {1})",
    "subtract": "({0} - {1})", "multiply": "({0} * {1})", "divide": "({0} / {1})", "power": "pow({0}, {1})",
    "greater": "{0} > {1}", "greater_equal": "{0} >= {1}", "less": "{0} < {1}", "less_equal": "{0} <= {1}",
    "equal": "{0} = {1}", "not_equal": "{0} <> {1}", "where": "(CASE WHEN {0} THEN {1} ELSE {2} END)",
}  # fmt: skip
DUCKDB = Words({**OPERATIONS, "maximum": "greatest({0}, {1})", "minimum": "least({0}, {1})"}, number, "{0}={1}")
SQLITE = Words({**OPERATIONS, "maximum": "max({0}, {1})", "minimum": "min({0}, {1})"}, number, "{0}={1}")


def defined(definitions: list[str]) -> list[dict[str, str]]:
    """`Words`' definitions, "name=what", by steps: each is made of names from the steps before."""
    steps: list[dict[str, str]] = []
    where: dict[str, int] = {}
    for each in definitions:
        called, said = each.split("=", 1)
        place = max((where[used] + 1 for used in re.findall(r"[\w.]+", said) if used in where), default=0)
        where[called] = place
        if place == len(steps):
            steps.append({})
        steps[place][called] = said
    return steps


@dataclass
class Query:
    """A chain of steps, WITH a AS (…), b AS (… FROM a). `with_`: what stands between AS and the bracket."""

    program: Program
    table: str
    as_: str
    words: Words
    steps: list[str] = field(default_factory=list)
    last: str = ""
    prefix: str = PREFIX

    def __post_init__(self) -> None:
        taken = [self.table, *inputs_of(self.program)]
        while any(each.lower().startswith(self.prefix) for each in taken):
            self.prefix = f"_{self.prefix}"
        self.row = f"{self.prefix}_row"

    def step(self, called: str, body: str, said: str = "", columns: str = "") -> str:
        """Add one; its name. It becomes the last, unless it gives its `columns` by name, as a table of numbers does."""
        called = f"{self.prefix}_{called}"
        lead = f"  {comment(said)}\n" if said else ""
        self.steps.append(f"{lead}  {called}{columns} AS {self.as_} (\n    {body})")
        if not columns:
            self.last = called
        return called

    def more(self, called: str, new: dict[str, str], said: str = "") -> None:
        """A step with the last one's columns and new ones, {name: expression}."""
        if new:
            listed = wrapped(f"{what} AS {each}" for each, what in new.items())
            self.step(called, f"SELECT *, {listed}\n    FROM {self.last}", said)


def inputs_of(program: Program) -> list[str]:
    """The names of the table's columns that the query reads."""
    return [column.name for column in program.columns] if program.columns else list(program.names)


@dataclass(frozen=True)
class Reading:
    """How a dialect reads a column and looks up texts. All take and give expressions.

    number, date: of a quoted column, NULL where missing. spelled: and of what it was, "number" …. find: the place of
    a text, NULL if it is not there: (query, column's place, codes) → a function of the text. look: the number at a
    place: (query, column's place, numbers by feature) → a function of (feature, place).
    """

    number: Callable[[str], str]
    date: Callable[[str], str]
    spelled: Callable[[str, str], str]
    find: Callable[[Query, int, dict[str, int]], Callable[[str], str]]
    look: Callable[[Query, int, dict[int, Array]], Callable[[int, str], str]]
    trim: str


def read(query: Query, reading: Reading) -> dict[str, str]:
    """The columns as c0, c1 …: expressions of the table's own, `row.name`."""
    columns = query.program.columns
    if not columns:
        return {f"c{i}": reading.number(f"{query.row}.{name(each)}") for i, each in enumerate(query.program.names)}
    said = {}
    for i, column in enumerate(columns):
        own = f"{query.row}.{name(column.name)}"
        if isinstance(column, TextColumn):
            said[f"c{i}"] = reading.spelled(own, column.was)
        else:
            said[f"c{i}"] = reading.date(own) if column.kind == "date" else reading.number(own)
    return said


def features(query: Query, reading: Reading) -> list[str]:
    """The inputs, as expressions of the last step's columns; what they need has become steps."""
    if not query.program.columns:
        return [f"c{i}" for i in range(query.program.inputs)]
    places, texts = dict[str, str](), []
    steps: list[dict[str, str]] = []
    for i, column in enumerate(query.program.columns):
        if isinstance(column, TextColumn):
            places[f"k{i}"] = _place(query, reading, i, column)
            texts += _of_text(query, reading, i, column)
            continue
        levels, said = _of_number(query, i, column)
        for place, new in enumerate(levels):
            steps[place:place] = [{}] if place == len(steps) else []
            steps[place] |= new
        texts += said
    query.more("places", places, "each text's place among those of training")
    for place, new in enumerate(steps):
        query.more(f"parts{place}", new, "what the numbers' features are made of" if not place else "")
    return texts


def _of_number(query: Query, i: int, column: NumberColumn) -> tuple[list[dict[str, str]], list[str]]:
    x = f"c{i}"
    definitions, said = query.words.write(column.features, f"{x}_", {X: x})
    texts = []
    for feature, missing, each in zip(column.features, column.missing, said, strict=True):
        same = not isinstance(feature, Expression) and feature == missing
        texts.append(each if same else f"CASE WHEN {x} IS NULL THEN {number(missing)} ELSE {each} END")
    return defined(definitions), texts


def _place(query: Query, reading: Reading, i: int, column: TextColumn) -> str:
    x, tries = f"c{i}", []
    if column.codes:
        find = reading.find(query, i, column.codes)
        bare = reading.trim.format(x)
        tries = [find(x), find(bare), *([find(f"lower({bare})")] if column.was == "truth" else [])]
    known = f"coalesce({wrapped([*tries, str(column.unseen)], '      ')})" if tries else str(column.unseen)
    return f"CASE WHEN {x} IS NULL THEN {column.missing} ELSE {known} END"


def _of_text(query: Query, reading: Reading, i: int, column: TextColumn) -> list[str]:
    """Each feature by the text's place: where it is the same but for a few places, these; else from a list."""
    usual, others = {}, {}
    for j, values in enumerate(column.rows.T):
        found, counts = np.unique(values, return_counts=True)
        usual[j] = float(found[counts.argmax()])
        others[j] = np.flatnonzero(values != usual[j]).tolist()
    listed = {j: column.rows[:, j] for j, places in others.items() if len(places) > 3}
    look = reading.look(query, i, listed) if listed else None
    texts = []
    for j, places in others.items():
        cases = " ".join(f"WHEN {place} THEN {number(column.rows[place, j])}" for place in places)
        if look is not None and j in listed:
            texts.append(look(j, f"k{i}"))
        else:
            texts.append(f"CASE k{i} {cases} ELSE {number(usual[j])} END" if cases else number(usual[j]))
    return texts


def value(each: Any, chr: str) -> str:
    """A class as a literal."""
    if isinstance(each, np.generic):
        each = each.item()
    if isinstance(each, bool):
        return "TRUE" if each else "FALSE"
    if isinstance(each, int):
        return str(each) if each >= 0 else f"({each})"
    return number(each) if isinstance(each, float) else text(str(each), chr)


def result_names(program: Program) -> list[tuple[str, list[str]]]:
    """(the prediction's column, those of the probabilities) for each target, quoted."""
    several = len(program.labelled) > 1
    return [
        (
            name(target.name or "prediction"),
            [name(f"{target.name} " * several + f"probability {each}") for each in target.classes],
        )
        for target in program.targets
    ]
