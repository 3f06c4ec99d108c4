"""One SQL query that scores a table where it lies, in DuckDB or SQLite."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import cut
from netwright.export import sql_duckdb, sql_sqlite
from netwright.export.program import Answers, Program, TextColumn
from netwright.export.sql_words import comment, inputs_of, name, result_names
from netwright.tables.sql import Database

DIALECTS = {  # by name: as people say it, what it needs, and how its shell runs a file
    "duckdb": ("DuckDB", "DuckDB 1.4 or newer", "duckdb my.db < {}"),
    "sqlite": (
        "SQLite",
        "SQLite 3.35 or newer with its math functions (PRAGMA compile_options names ENABLE_MATH_FUNCTIONS)",
        "sqlite3 -header my.db < {}",
    ),
}
COLUMNS = 1900  # about, that SQLite takes in a table: 2000 at most


def files(program: Program, name: str, *, dialect: str = "duckdb", table: str = "data") -> dict[str, bytes]:
    """{name.sql: one query}. table: the one to score. ValueError for what the dialect cannot hold."""
    if arguments.text("dialect", dialect) not in DIALECTS:
        raise ValueError(f"dialect {arguments.brief(dialect)} is unknown; choose one of {', '.join(DIALECTS)}")
    table = arguments.text("table", table)
    _check(program, dialect, table)
    query = (sql_sqlite if dialect == "sqlite" else sql_duckdb).query(program, table)
    return {f"{name}.sql": (_header(program, name, dialect, table) + query).encode()}


def _check(program: Program, dialect: str, table: str) -> None:
    """ValueError for names that the dialect does not take, and for what is too wide."""
    said = DIALECTS[dialect][0]
    seen: dict[str, str] = {}
    for each in inputs_of(program):
        other = seen.setdefault(each.lower(), each)
        if other is not each:
            raise ValueError(f"the columns {other!r} and {each!r} are one to SQL, which does not tell A from a")
    for each in [table, *inputs_of(program), *(target.name for target in program.targets)]:
        name(each)
    if dialect == "duckdb" and not all([table, *inputs_of(program)]):
        raise ValueError("DuckDB takes no table and no column without a name")
    widest = max(layer.W.shape[1] for layers in program.networks for layer in layers)
    if dialect == "sqlite" and max(widest, program.outputs, len(inputs_of(program))) > COLUMNS:
        raise ValueError(f"{said} takes no table of more than 2,000 columns, which layers of {widest} numbers need")


def _header(program: Program, name: str, dialect: str, table: str) -> str:
    """What the query does, reads and gives, as comments."""
    said, needs, shell = DIALECTS[dialect]
    row = ["before them a column that numbers the rows."] if dialect == "sqlite" else []
    columns = [f"  {each}: {what}" for each, what in _reads(program)]
    title = " ".join(program.title.split())
    lines = [
        f"{cut(title, 200)}, as one query for {said}; written by netwright.",
        "",
        f"It scores every row of the table {_shown(table)}: to all of its columns, in its order, it adds",
        *(f"  {said}" for said in _gives(program)),
        *row,
        "",
        "It reads these columns; NULL is a missing value:" if program.columns else "It reads these numbers, none NULL:",
        *columns,
        "",
        f"Needs {needs}.",
        f"Run it with {shell.format(name + '.sql')}, or write CREATE TABLE scores AS before WITH.",
        "Each layer computes Z = W·A1 + b, then A = f(Z), which is the next layer's A1.",
    ]
    return "\n".join(map(comment, lines)) + "\n"


def _shown(each: str) -> str:
    return cut(json.dumps(each, ensure_ascii=False), 100)


def _reads(program: Program) -> list[tuple[str, str]]:
    if not program.columns:
        return [(_shown(each), "a number") for each in program.names]
    said = []
    for column in program.columns:
        if isinstance(column, TextColumn):
            levels = ", ".join(map(_shown, [*column.codes][:5])) + ", ..." * (len(column.codes) > 5)
            said.append((_shown(column.name), f"a text, of {levels}"))
        else:
            said.append((_shown(column.name), "a date or time" if column.kind == "date" else "a number"))
    return said


def _gives(program: Program) -> list[str]:
    said = []
    for target, (own, probabilities) in zip(program.targets, result_names(program), strict=True):
        said.append(f"{cut(own, 100)}: the predicted {'class' if target.classes else 'number'}")
        said += [f"{cut(each, 100)}: how probable that class is" for each in probabilities[:20]]
        said += [f"and so on, {len(probabilities)} classes"] * (len(probabilities) > 20)
    return said


# ── on trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(
    program: Program, folder: Path, name: str, rows: Any, *, dialect: str = "duckdb", table: str = "data"
) -> Answers | None:
    """What the query written gives of the trial, in a database in memory; None where SQLite has no math functions."""
    query = (folder / f"{name}.sql").read_bytes().decode()  # with each end of a line that a name has
    columns = rows if program.columns else dict(zip(program.names, np.asarray(rows).T.tolist(), strict=True))
    scored = (_in_sqlite if dialect == "sqlite" else _in_duckdb)(program, query, table, columns)
    return None if scored is None else _answers(program, scored)


def _in_duckdb(program: Program, query: str, table: str, columns: dict[str, list[Any]]) -> list[Any]:
    kinds = _kinds(program)
    data: dict[str, Any] = {}
    for each, values in columns.items():
        if kinds[each] == "text":
            data[each] = np.array([*values, None], object)[:-1]
        elif kinds[each] == "date":
            data[each] = np.array([np.datetime64("NaT") if t is None else np.datetime64(int(t), "us")
                                   for t in values], "datetime64[us]")  # fmt: skip
        else:
            data[each] = np.array([np.nan if x is None else x for x in values], np.float64)
    with Database() as database:
        database.run(f"CREATE TABLE {name(table)} AS SELECT * FROM data", data)
        return database.rows(query)


def _in_sqlite(program: Program, query: str, table: str, columns: dict[str, list[Any]]) -> list[Any] | None:
    try:
        import sqlite3
    except ImportError:  # a Python may be built without it
        return None
    connection = sqlite3.connect(":memory:")
    try:
        if not connection.execute("SELECT sqlite_compileoption_used('ENABLE_MATH_FUNCTIONS')").fetchone()[0]:
            return None
        types = {"text": "TEXT", "date": "INTEGER", "number": "REAL"}
        kinds = _kinds(program)
        listed = ", ".join(f"{name(each)} {types[kinds[each]]}" for each in columns)
        connection.execute(f"CREATE TABLE {name(table)} ({listed})")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {name(table)} VALUES ({marks})", zip(*columns.values(), strict=True))
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _kinds(program: Program) -> dict[str, str]:
    """Of each column: text, date or number."""
    if not program.columns:
        return dict.fromkeys(program.names, "number")
    return {each.name: "text" if isinstance(each, TextColumn) else each.kind for each in program.columns}


def _answers(program: Program, rows: list[Any]) -> Answers:
    """The last columns of the scored rows, as `Program.answers`."""
    values, labels = list[Any](), list[Any]()
    place = -sum(1 + len(target.classes) for target in program.targets)
    found = [[*column] for column in zip(*rows, strict=True)]
    for target in program.targets:
        own, behind = place, place + 1 + len(target.classes)
        if target.classes:
            labels.append([target.classes.index(each) for each in found[own]])
            values += [found[k] for k in range(own + 1, behind)]
        else:
            values.append(found[own])
        place = behind
    return np.array(values, np.float64).T, np.array(labels).T if labels else None
