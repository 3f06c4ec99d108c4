"""What a column of text holds: numbers, dates or texts. All of its rows decide, in SQL; doubt is an error or a note.

The columns are those of a table `t` of a DuckDB connection, named c0, c1, …
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from netwright.frame import EXACT, IDENTIFIERS, Place, counted, mixed

CODE = r"^\s*[+-]?0\d"  # 00123 is no number
ZONE = r"\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"
ISO = r"^\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d|\s*$)"
DATE = r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([ T]\d.*|\s*$)"
SEPARATED = r"\s*[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d{1,3}(\.\d{3})+,\d+|\d+,\d+)\s*"
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")


def sql_text(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"


def as_number(c: str, decimal: str, thousands: str | None) -> str:
    """SQL for a text as DOUBLE, NULL where it is no number."""
    if thousands:  # only where they stand in groups of three: 1,5 is no 15
        groups = rf"\s*[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d*)?\s*"
        plain = f"replace({c}, {sql_text(thousands)}, '')"
        c = f"case when regexp_full_match({c}, {sql_text(groups)}) then {plain} else {c} end"
    if decimal != ".":
        c = f"translate({c}, {sql_text(decimal + '.')}, '.x')"
    return f"case when not contains({c}, '_') then try_cast({c} as double) end"  # to DuckDB, 1_000 is a number


def as_timestamp(c: str, form: str) -> str:
    """SQL for a text as TIMESTAMP, NULL where it is none; the format '' is ISO 8601, with zones to UTC."""
    if not form:
        zoned = f"when regexp_matches({c}, '{ZONE}') then make_timestamp(epoch_us(try_cast({c} as timestamptz)))"
        return f"case when not regexp_matches({c}, '{ISO}') then null {zoned} else try_cast({c} as timestamp) end"
    forms = [form] + [f"{form} {time}" for time in TIMES if not re.search("%[HIcX]", form)]
    parsed = f"try_strptime(trim({c}), [{', '.join(map(sql_text, forms))}])"
    return f"case when year({parsed}) between 1000 and 9999 then {parsed} end"  # %Y would take 24 for the year 24


@dataclass
class TextColumns:
    """Decides what the text columns of t are; `notes` and `date_formats` grow with every decision.

    `formats` are the date formats asked for, by column, under '' for all. Columns in `categorical` stay text; a few
    odd values are an error only in a column that is `needed`.
    """

    con: Any
    path: str
    formats: dict[str, str]
    categorical: Collection[str]
    needed: Collection[str] | None
    place: Place = "row {}".format
    decimal: str = "."
    thousands: str | None = None
    notes: list[str] = field(default_factory=list)
    date_formats: dict[str, str] = field(default_factory=dict)

    def value(self, c: str, name: str) -> str:
        """SQL for what the column is: a number, a date or the text itself. ValueError where a few values differ."""
        if name in self.categorical:
            return c
        return self.date(c, name) or self.number(c, name) or c

    def number(self, c: str, name: str) -> str | None:
        """SQL for the column as numbers; None where it is text."""
        number = as_number(c, self.decimal, self.thousands)
        n, numbers, codes, large = self._row(
            rf"""count({c}), count({number}), bool_or({number} is not null and regexp_matches({c}, '{CODE}')),
            bool_and(regexp_full_match({c}, '\s*[+-]?\d+\s*')) and max(abs({number})) >= {EXACT:.0f}"""
        )
        strict = self._strict(name)
        if codes:
            if numbers == n:
                _, shown = self._others(c, f"not regexp_matches({c}, '{CODE}')")[0]
                self.notes.append(f"column {name!r} holds codes such as {shown!r}: it is kept as text")
            return None
        if numbers == n:
            if large:
                self.notes.append(IDENTIFIERS.format(name))
            return None if large else number
        if strict and self.decimal == ".":
            separated = f"{number} is null and regexp_full_match({c}, '{SEPARATED}')"
            (count,) = self._row(f"count(*) filter (where {separated})")
            if count and numbers + count > n / 2:
                _, shown = self._others(c, f"not ({separated})")[0]
                raise ValueError(
                    f"{self.path}: column {name!r}: {shown!r} looks like a number with a thousands or decimal "
                    f"separator; say which (--thousands , or --decimal ,), or take the column as categories "
                    f"(--categorical {name})"
                )
        if strict and numbers > n / 2:
            raise self._mixed(c, name, counted(numbers, "number"), f"{number} is not null")
        if numbers >= n / 10:
            both = f"{counted(n - numbers, 'text')} and {counted(numbers, 'number')}"
            self.notes.append(f"column {name!r} holds {both}: it is taken as text")
        return None

    def date(self, c: str, name: str) -> str | None:
        """SQL for the column as dates, by the format that fits; None where none fits half of the rows."""
        given = self.formats.get(name, self.formats.get(""))
        n, dates = self._row(f"count({c}), count(*) filter (where regexp_matches({c}, '{DATE}'))")
        if n == 0 or (not given and dates <= n / 2):
            return None
        forms = [given] if given else self._forms(c)
        sql = [as_timestamp(c, form) for form in forms]
        fits = self._row(", ".join(f"count({each})" for each in sql))
        best = fits.index(max(fits))
        if fits[best] < n:
            if not given and fits[best] > n / 2 and self._strict(name):
                raise self._mixed(c, name, counted(fits[best], "date"), f"{sql[best]} is not null")
            return None
        if forms[best]:
            self.date_formats[name] = forms[best]
        if fits == (n, n) and (shown := self._row(c, f"where {sql[0]} <> {sql[1]} limit 1")):
            self.notes.append(
                f"column {name!r}: {shown[0]!r} is read as day, month, year; month, day, year would fit every row as "
                f"well (--date-format {forms[1]})"
            )
        return sql[best]

    def _forms(self, c: str) -> list[str]:
        """The formats that the first date allows; day before month."""
        (shown,) = self._row(c, f"where regexp_matches({c}, '{DATE}') limit 1")
        first, mark, last = re.match(r"\s*(\d+)([-/.])\d+[-/.](\d+)", shown).groups()  # type: ignore[union-attr]
        if len(first) == 4:
            return ["%Y.%m.%d" if mark == "." else ""]
        year = "%Y" if len(last) == 4 else "%y"
        return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"]

    def _strict(self, name: str) -> bool:
        return self.needed is None or name in self.needed

    def _row(self, what: str, where: str = "") -> tuple[Any, ...]:
        return tuple(*self.con.execute(f"select {what} from t {where}").fetchall())

    def _others(self, c: str, condition: str) -> list[tuple[int, str]]:
        """(first row, value) of the first few different values for which the condition does not hold."""
        where = f"{c} is not null and not ({condition})"
        return list(
            self.con.execute(f"select min(rowid), {c} from t where {where} group by {c} order by 1 limit 4").fetchall()
        )

    def _mixed(self, c: str, name: str, most: str, condition: str) -> ValueError:
        (row, value), *more = self._others(c, condition)
        return mixed(self.path, name, most, value, self.place(row), [other for _, other in more])
