"""What a column of text holds: numbers, dates or texts. All of its values decide; doubt is an error or a note."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.tables.column import EXACT, IDENTIFIERS, Place, counted, in_utc, kind_of, mixed

NULLS = ("", "NA", "N/A", "#N/A", "null", "NULL", "NaN", "nan", "None", "?", "-")  # how texts spell a missing value
CODES = "column {!r} holds numbers that begin with 0, as codes do: it is kept as text"
CODE = re.compile(r"\s*\+?0\d")  # -007 is a number, as it is where csv_columns.py looks
WHOLE = re.compile(r"\s*[+-]?\d+\s*")
SEPARATED = re.compile(r"\s*[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d{1,3}(\.\d{3})+,\d+|\d+,\d+)\s*")
DATE = re.compile(r"\s*(\d{4}|\d\d?)([-/.])\d\d?[-/.](\d{4}|\d\d?)([ T]\d.*|\s*)")
DAY_TIME = re.compile(r"\s*(.*?)(?:[ T](\d\d?:.*?))?\s*", re.DOTALL)


@dataclass
class TextColumns:
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
        counts = Counter(column.tolist())  # in the order in which they first are
        del counts[None]
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
        large = all(map(WHOLE.fullmatch, counts)) and max(map(abs, found.values()), default=0) >= EXACT
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
        ways = [_read_dates(counts, form) for form in forms]
        fits = [sum(counts[text] for text in way) for way in ways]
        best = fits.index(max(fits))
        if fits[best] < counts.total():
            return {} if given else ways[best]
        if not forms[best].startswith("%Y"):
            self.date_formats[name] = forms[best]
        if fits == [counts.total()] * 2 and (shown := [text for text in counts if ways[0][text] != ways[1][text]]):
            self.notes.append(
                f"column {name!r}: {shown[0]!r} is read as day, month, year; month, day, year would fit every row as "
                f"well (--date-format {forms[1]})"
            )
        return ways[best]

    def _number(self, text: str) -> float | None:
        """A text as a number, by the same rule as csv_columns.py has in SQL."""
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


def _formats(shown: str) -> list[str]:
    """The formats that a date allows; day before month."""
    first, mark, last, _ = DATE.fullmatch(shown).groups()  # type: ignore[union-attr]
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    year = "%Y" if len(last) == 4 else "%y"
    return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"]


def _read_dates(texts: Iterable[str], form: str) -> dict[str, datetime]:
    """Those that are dates of this format, in UTC where they say their zone. A time of day may follow the format."""
    found, timed = {}, re.search("%[HIcX]", form)
    for text in texts:
        if form == "%Y-%m-%d":  # much faster than what follows, as almost all dates of files are of this kind
            try:
                found[text] = in_utc(datetime.fromisoformat(text))
                continue
            except ValueError:
                pass
        day, time = (text.strip(), None) if timed else DAY_TIME.fullmatch(text).groups()  # type: ignore[union-attr]
        start, passed = _day(day, form), _time(time or "0:00")
        if start is not None and passed is not None:
            found[text] = start + passed
    return found


@lru_cache(2**16)  # many rows, few days
def _day(text: str, form: str) -> datetime | None:
    with suppress(ValueError):
        return in_utc(datetime.strptime(text, form))
    return None


@lru_cache(2**17)
def _time(text: str) -> timedelta | None:
    """The time since midnight in UTC."""
    midnight = "1900-01-01 "
    for form in ("", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p"):
        with suppress(ValueError):
            at = datetime.strptime(midnight + text, form) if form else datetime.fromisoformat(f"{midnight}{text:0>5}")
            return in_utc(at) - datetime(1900, 1, 1)
    return None
