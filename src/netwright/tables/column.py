"""One column of a table: its values, what kind they are, which are missing, and how one is spelled."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief, cut

Place = Callable[[int], str]  # row number → where a person finds it: "line 30", "row 30", "index 29"

EXACT = 2.0**53  # from here on a float64 no longer tells neighbouring integers apart
IDENTIFIERS = "column {!r} holds integers above 2^53, which a float64 would round: it is kept as text"


@dataclass(frozen=True, eq=False)
class Column:
    """A Frame's column, (n_rows,): its values as `Frame` says; their kind and which are missing are found once."""

    values: Array

    @cached_property
    def kind(self) -> str:
        """'number', 'date', 'truth' or 'text'."""
        return kind_of(self.values)

    @cached_property
    def missing(self) -> Array:
        """Where there is no value: a mask, shape (n_rows,)."""
        values = self.values
        if values.dtype == object:
            return np.array([v is None for v in values], dtype=bool)
        return np.not_equal(values, values)

    def take(self, rows: Array) -> "Column":
        """The rows of these numbers, or where this mask is true. Their kind is known, unless no truth value is left."""
        taken = Column(self.values[rows])
        if "missing" in vars(self):
            vars(taken)["missing"] = self.missing[rows]
        if self.kind != "truth" or not taken.missing.all():
            vars(taken)["kind"] = self.kind
        return taken

    def __len__(self) -> int:
        return len(self.values)


def kind_of(values: Array) -> str:
    """'number', 'date', 'truth' or 'text': the kind of a Frame's column."""
    if values.dtype.kind in "fM":
        return "number" if values.dtype.kind == "f" else "date"
    return "truth" if isinstance(next((v for v in values if v is not None), None), bool) else "text"


def spelling(value: Any) -> str:
    """One value as text: 3.0 is '3', True is 'true', midnight is its date alone; a missing value is ''."""
    if value is None or value != value:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and value.is_integer() and abs(float(value)) < EXACT:
        return str(int(value))
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]")).removesuffix(".000000").removesuffix("T00:00:00")
    return str(value)


def counted(count: int, kind: str) -> str:
    """'1 number', '3 truth values'."""
    return f"{count} {'truth value' if kind == 'truth' else kind}{'' if count == 1 else 's'}"


def mixed(
    path: str, name: str, most: str, value: object, place: str, more: Sequence[object] = (), own: str = ""
) -> ValueError:
    """What to say of a column that a few values keep from being of one kind, that of `most`.

    own: what stands before a spelling that is missing in this column alone, `name=`, where the column has a list.
    """
    others = f" (and {', '.join(map(brief, more))})" if more else ""
    text = cut(str(value), 60)
    null = f"{own}{text}" if re.fullmatch(r"[\w.=-]+", own + text) else f"'{own}{text}'"
    return ValueError(
        f"{path + ': ' if path else ''}column {name!r}: {most}, then {brief(value)} on {place}{others}; mend the "
        f"value, name it as missing (--null {null}), or take the column as categories (--categorical {name})"
    )


def in_utc(value: datetime) -> datetime:
    """A time without its zone, as NumPy's have none: in UTC, where there was one."""
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
