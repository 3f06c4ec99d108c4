"""What a column of text holds: numbers, dates or texts. All of its values decide; doubt is an error or a note."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from netwright.arguments import Array
from netwright.frame import EXACT, IDENTIFIERS, Place, as_date, counted, kind_of, mixed

CODES = "column {!r} holds numbers that begin with 0, as codes do: it is kept as text"
CODE = re.compile(r"\s*[+-]?0\d")
WHOLE = re.compile(r"\s*[+-]?\d+\s*")
SEPARATED = re.compile(r"\s*[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d{1,3}(\.\d{3})+,\d+|\d+,\d+)\s*")
DATE = re.compile(r"\s*(\d{4}|\d\d?)([-/.])\d\d?[-/.](\d{4}|\d\d?)([ T]\d.*|\s*)")
DAY_TIME = re.compile(r"\s*(.*?)(?:[ T](\d\d?:.*?))?\s*", re.DOTALL)


@dataclass
class Texts:
    """Decides what columns of text are; `notes` and `date_formats` grow with every decision.

    `formats` are the date formats asked for, by column, under '' for all. Columns in `categorical` stay text; a few
    odd values are an error only in a column that is `needed`.
    """

    path: str
    formats: Mapping[str, str]
    categorical: Collection[str]
    needed: Collection[str] | None
    decimal: str = "."
    thousands: str | None = None
    place: Place = "row {}".format
    notes: list[str] = field(default_factory=list)
    date_formats: dict[str, str] = field(default_factory=dict)

    def decide(self, name: str, column: Array, *, numbers: bool = True) -> Array:
        """A column of text as dates or numbers, if that is what it holds. ValueError where a few values are not."""
        if name in self.categorical or kind_of(column) != "text":
            return column
        counts = Counter(text for text in column if text is not None)  # in the order in which they first are
        n = counts.total()
        ways = (("date", "datetime64[us]", self._dates), ("number", "float64", self._numbers))
        for kind, dtype, find in ways[: 1 + numbers]:
            found = find(name, counts)
            fit = sum(counts[text] for text in found)
            if fit == n:
                return np.array([found.get(text) for text in column], dtype=dtype)
            if fit > n / 2 and self._strict(name):
                odd, *more = [text for text in counts if text not in found][:4]
                place = self.place(column.tolist().index(odd))
                raise mixed(self.path, name, counted(fit, kind), odd, place, more)
            if fit >= n / 10 and kind == "number":
                both = f"{counted(n - fit, 'text')} and {counted(fit, kind)}"
                self.notes.append(f"column {name!r} holds {both}: it is taken as text")
        return column

    def _strict(self, name: str) -> bool:
        return self.needed is None or name in self.needed

    def _numbers(self, name: str, counts: Counter[str]) -> dict[str, Any]:
        """The texts that are numbers, with these; none if they are rather codes or identifiers."""
        found = {text: number for text in counts if (number := self._number(text)) is not None}
        codes = any(map(CODE.match, found))
        large = all(map(WHOLE.fullmatch, counts)) and max(map(abs, found.values())) >= EXACT
        if codes or large:
            if len(found) == len(counts):
                self.notes.append((CODES if codes else IDENTIFIERS).format(name))
            return {}
        separated = [text for text in counts if text not in found and SEPARATED.fullmatch(text)]
        alike = sum(counts[text] for text in (*found, *separated))
        if separated and alike > counts.total() / 2 and self.decimal == "." and self._strict(name):
            raise ValueError(
                f"{self.path}: column {name!r}: {separated[0]!r} looks like a number with a thousands or decimal "
                f"separator; say which (--thousands , or --decimal ,), or take the column as categories "
                f"(--categorical {name})"
            )
        return found

    def _dates(self, name: str, counts: Counter[str]) -> dict[str, Any]:
        """The texts that are dates, with these, by the format that fits most of them, or else by the one given."""
        given = self.formats.get(name, self.formats.get(""))
        like = [text for text in counts if DATE.fullmatch(text)]
        if not given and sum(counts[text] for text in like) <= counts.total() / 2:
            return {}
        forms = [given] if given else _formats(like[0])
        ways = [{text: date for text in counts if (date := _as_date(text, form)) is not None} for form in forms]
        fits = [sum(counts[text] for text in way) for way in ways]
        best = fits.index(max(fits))
        if fits[best] < counts.total():
            return {} if given else ways[best]
        if not forms[best].startswith("%Y"):
            self.date_formats[name] = forms[best]
        if min(fits) == max(fits) and (shown := [text for text in counts if ways[0][text] != ways[-1][text]]):
            self.notes.append(
                f"column {name!r}: {shown[0]!r} is read as day, month, year; month, day, year would fit every row as "
                f"well (--date-format {forms[1]})"
            )
        return ways[best]

    def _number(self, text: str) -> float | None:
        """A text as a number, by the same rule as `number_in_sql`."""
        if self.thousands and re.fullmatch(grouped(self.decimal, self.thousands), text):
            text = text.replace(self.thousands, "")
        if self.decimal != ".":
            text = text.translate({ord("."): "x", ord(self.decimal): "."})
        try:
            return float(text) if text.isascii() and "_" not in text else None
        except ValueError:
            return None


def grouped(decimal: str, thousands: str) -> str:
    """A pattern for numbers with thousands in groups of three: 1,5 is no 15."""
    return rf"\s*[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d*)?\s*"


def number_in_sql(c: str, decimal: str, thousands: str | None) -> str:
    """SQL for the text c as DOUBLE, NULL where it is no number."""
    if thousands:
        plain = f"replace({c}, {sql_text(thousands)}, '')"
        c = f"case when regexp_full_match({c}, {sql_text(grouped(decimal, thousands))}) then {plain} else {c} end"
    if decimal != ".":
        c = f"translate({c}, {sql_text('.' + decimal)}, 'x.')"
    return f"case when not contains({c}, '_') then try_cast({c} as double) end"  # to DuckDB, 1_000 is a number


def sql_text(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"


def _formats(shown: str) -> list[str]:
    """The formats that a date allows; day before month."""
    first, mark, last, _ = DATE.fullmatch(shown).groups()  # type: ignore[union-attr]
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    year = "%Y" if len(last) == 4 else "%y"
    return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"]


def _as_date(text: str, form: str) -> np.datetime64 | None:
    """A text as datetime64[us], in UTC where it says its zone; the time of day may follow the format."""
    if re.search("%[HIcX]", form):
        return _day(text.strip(), form)
    day, time = DAY_TIME.fullmatch(text).groups()  # type: ignore[union-attr]
    start, passed = _day(day, form), _time(time or "0:00")
    return None if start is None or passed is None else start + passed


@lru_cache(2**16)  # many rows, few days
def _day(text: str, form: str) -> np.datetime64 | None:
    try:
        return as_date(datetime.strptime(text, form))
    except ValueError:
        return None


@lru_cache(2**17)
def _time(text: str) -> np.timedelta64 | None:
    """The time since midnight UTC."""
    for form in ("", "%I:%M %p", "%I:%M:%S %p"):
        with suppress(ValueError):
            at = datetime.strptime(text, form) if form else datetime.fromisoformat(f"1900-01-01T{text:0>5}")
            return as_date(at) - np.datetime64("1900-01-01", "us")
    return None
