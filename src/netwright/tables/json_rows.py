"""JSON as a `Frame`: objects with a key for each column."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from netwright.tables.convert import as_column
from netwright.tables.frame import Frame
from netwright.tables.packed import open_text
from netwright.tables.text import TextColumns


class Twice(Exception):
    """A key that an object has more than once."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As Python makes it, which by itself would keep the last value of a key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Twice(next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i])))
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_object)


def read_json(texts: TextColumns, source: Path, encoding: str, nulls: Collection[str]) -> Frame:
    """Objects with a key for each column: one a line, or all in one array."""

    def parsed(text: str, where: str) -> Any:
        try:
            return DECODER.decode(text)
        except Twice as error:
            raise ValueError(f"{texts.path}: {where} has the key {error.args[0]!r} more than once") from None
        except json.JSONDecodeError as error:
            why = f"{error.msg} at character {error.pos + 1}"
        except RecursionError:
            why = "it is nested too deeply"
        raise ValueError(f"{texts.path}: {where} is not JSON: {why}")

    with open_text(source, encoding) as file:
        text = file.read()
    if text.lstrip().startswith("["):
        called, records = "row {}", dict(enumerate(parsed(text, "the file"), 1))
    else:
        called, lines = "line {}", enumerate(text.split("\n"), 1)
        records = {number: parsed(line, called.format(number)) for number, line in lines if line.strip()}
    if not records:
        raise ValueError(f"{texts.path} has no rows")
    for number, record in records.items():
        if not isinstance(record, dict):
            raise ValueError(f"{texts.path}: {called.format(number)} is not an object with a key for each column")
    numbers = list(records)
    texts.place = lambda row: called.format(numbers[row])
    columns = {}
    for name in dict.fromkeys(name for record in records.values() for name in record):
        cells = [None if isinstance(v := record.get(name), str) and v in nulls else v for record in records.values()]
        free = texts.categorical if texts.needed is None or name in texts.needed else (name,)
        column = as_column(name, cells, categorical=free, place=texts.place, path=texts.path, notes=texts.notes)
        columns[name] = texts.decide(name, column, numbers=False)  # "7" stays a text
    return Frame(columns, texts.notes, texts.path, texts.place, texts.date_formats)
