"""JSON as a `Frame`: objects with a key for each column, a line each or all in one array.

They are taken one by one into columns, so that the memory is that of the table, and not of its objects.
"""

import json
import re
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from netwright.core.memory import memory
from netwright.tables.convert import as_column
from netwright.tables.frame import Frame
from netwright.tables.lines import Unreadable, decoded, open_text
from netwright.tables.text import TextColumns

SHOWN = 10_000  # spellings of missing values that are remembered
BETWEEN = re.compile(r"[ \t\n\r]*")  # what JSON has for spaces


class Twice(Exception):
    """A key that an object has more than once."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As Python makes it, which by itself would keep the last value of a key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Twice(next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i])))
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_object)


def read_json(texts: TextColumns, source: Path, encoding: str) -> Frame:
    """The file as a Frame. ValueError with the line, or of an array the row, for what is no such object."""
    try:
        # Only LF ends a line here: to JSON, a CR is a space.
        with open_text(source, encoding, newline="\n", errors="surrogateescape") as file:
            called, records = _records(decoded(file, encoding))
            numbers, cells = _cells(called, records)
    except Unreadable as error:
        raise ValueError(f"{texts.path}: {error}") from None
    if not numbers:
        raise ValueError(f"{texts.path} has no rows")
    texts.place = lambda row: called.format(numbers[row])
    columns, gone = {}, dict[tuple[str, int], str]()
    for name in list(cells):
        nulls, strip = texts.nulls_of(name), str.strip if texts.strip else str
        values = cells.pop(name)
        for row, value in enumerate(values):
            if isinstance(value, str) and strip(value) in nulls:
                values[row] = None
                if len(gone) < SHOWN:
                    gone[name, row] = value
        free = texts.categorical if texts.needed is None or name in texts.needed else (name,)
        column = as_column(name, values, categorical=free, place=texts.place, path=texts.path, notes=texts.notes)
        columns[name] = texts.decide(name, column, numbers=False)  # "7" stays a text
    return texts.frame(columns, lambda name, row: gone.get((name, row), ""))


def _cells(called: str, records: Iterable[tuple[int, Any]]) -> tuple["array[int]", dict[str, list[Any]]]:
    """The number of each record, and the columns, with None where a record has no such key."""
    numbers, columns, most = array("Q"), dict[str, list[Any]](), memory() // 2
    for number, record in records:
        if not isinstance(record, dict):
            raise Unreadable(f"{called.format(number)} is not an object with a key for each column")
        for name, value in record.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = []
                if 8 * len(columns) * len(numbers) > most:
                    size = f"{len(columns)} different keys by {called.format(number)}"
                    raise Unreadable(f"{size}: with a column for each, the table is larger than half of the memory")
            if len(column) < len(numbers):
                column.extend(repeat(None, len(numbers) - len(column)))
            column.append(value)
        numbers.append(number)
    for column in columns.values():
        column.extend(repeat(None, len(numbers) - len(column)))
    return numbers, columns


def _records(lines: Iterator[str]) -> tuple[str, Iterator[tuple[int, Any]]]:
    """What the records are called, and each with its number."""
    above: list[str] = []
    for line in lines:
        if line.strip():
            if line.lstrip().startswith("["):
                return "row {}", _in_array("".join(chain(above, [line], lines)))
            return "line {}", _by_lines(chain(above, [line], lines))
        above.append(line)
    return "line {}", iter(())


def _by_lines(lines: Iterable[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _parsed(f"line {number}", DECODER.decode, line.rstrip("\n"))


def _in_array(text: str) -> Iterator[tuple[int, Any]]:
    def space(at: int) -> int:
        return BETWEEN.match(text, at).end()  # type: ignore[union-attr]

    def fail(why: str, at: int) -> None:
        raise Unreadable(f"the file is not JSON: {why} at character {at + 1}")

    at, number = space(space(0) + 1), 0
    while text[at : at + 1] != "]" or number:
        number += 1
        value, at = _parsed("the file", DECODER.raw_decode, text, at)
        yield number, value
        at = space(at)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            fail("Expecting ',' delimiter", at)
        at = space(at + 1)
    if (at := space(at + 1)) < len(text):
        fail("Extra data", at)


def _parsed(where: str, decode: Callable[..., Any], *text: Any) -> Any:
    try:
        return decode(*text)
    except Twice as error:
        why = f"has the key {error.args[0]!r} more than once"
    except json.JSONDecodeError as error:
        why = f"is not JSON: {error.msg} at character {error.pos + 1}"
    except RecursionError:
        why = "is not JSON: it is nested too deeply"
    except ValueError:
        why = f"holds an integer of more than {sys.get_int_max_str_digits()} digits"
    raise Unreadable(f"{where} {why}")
