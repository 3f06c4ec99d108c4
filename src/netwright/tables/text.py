"""What a column of text holds: numbers, dates or texts. All of its values decide; doubt is an error or a note."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from netwright.core.arguments import Array
from netwright.tables.column import EXACT, IDENTIFIERS, Place, counted, kind_of, mixed, spelling
from netwright.tables.dates import DATE, ZONED, formats_of, named_format, read_dates
from netwright.tables.frame import Frame
from netwright.tables.hints import hint
from netwright.tables.numbers import CODE, SEPARATED, WHOLE, Dressed, dressed, marks_for, plain
from netwright.tables.truth import one_spelling

NULLS = ("", "NA", "N/A", "#N/A", "null", "NULL", "NaN", "nan", "None", "?", "-")  # how texts spell a missing value
CODES = "column {!r} holds numbers that begin with 0, as codes do: it is kept as text"
SAMPLE = 1000  # texts that say whether it is worth looking at all of them

PARTS = ("%", "‰")  # of a whole

T = TypeVar("T")
Found = tuple[dict[str, Any], str]  # the texts that are of a kind, with what they are; the currency or percent sign


@dataclass
class TextColumns:
    """Decides what columns of text are; `notes`, `date_formats` and `units` grow with every decision.

    `formats` are the date formats asked for, by column, under '' for all. Columns in `categorical` stay text; a few
    odd values are an error only in a column that is `needed`. `nulls`: spellings of a missing value, by column, under
    '' for all others. With `strip`, spaces around a text do not belong to it. With `dressed`, numbers may have signs of
    currencies or percent and spaces between their digits (`signs` are those that columns had before), and months
    English names.
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
    dressed: bool = False
    strip: bool = False
    nulls: Mapping[str, Collection[str]] = field(default_factory=dict)
    signs: Mapping[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def decide(self, name: str, column: Array, *, numbers: bool = True, strip: bool = False) -> Array:
        """A column of text as dates or numbers, if that is what it holds. ValueError where a few values are not.

        With `strip`, spaces around a text do not belong to it.
        """
        if kind_of(column) != "text":
            self._unsigned(name, column)
            return without(column, said_of(name, self.nulls, ()))
        counts = Counter(column.tolist())  # in the order in which they first are
        if strip and (other := self._stripped(name, counts)):
            column = np.array([other.get(text, text) for text in column], dtype=object)
            counts = Counter(column.tolist())
        if name in self.categorical:
            return column
        del counts[None]
        if not counts:
            return np.full(len(column), np.nan)
        n, told = counts.total(), len(self.notes)
        ways: tuple[tuple[str, str, Callable[[str, Counter[str]], Found]], ...]
        ways = (("date", "datetime64[us]", self._dates), ("number", "float64", self._numbers))
        for kind, dtype, find in ways[: 1 + numbers]:
            found, unit = find(name, counts)
            fit = sum(counts[text] for text in found)
            if fit == n:
                return np.array([found.get(text) for text in column], dtype=dtype)
            if fit > n / 2 and self._strict(name):
                odd, *more = [text for text in counts if text not in found][:4]
                place, most = self.place(column.tolist().index(odd)), counted(fit, kind)
                own = f"{name}=" if name in self.nulls else ""
                raise mixed(self.path, name, f"{most} in {unit}" if unit else most, odd, place, more, own)
            if fit >= n / 10 and kind == "number" and not (self.dressed and hint(counts)):
                odd = next(text for text in counts if text not in found)
                both = f"{counted(n - fit, 'text')} and {counted(fit, kind)}, such as {odd!r} and {next(iter(found))!r}"
                self.notes.append(f"column {name!r} holds {both}: it is taken as text")
        if self.dressed and numbers and len(self.notes) == told and self._strict(name):
            self._hint(name, counts)
        return column

    def _stripped(self, name: str, texts: Collection[str | None]) -> dict[str | None, str | None]:
        """What becomes of those that have spaces around them, or are missing without them."""
        nulls, clean = self.nulls_of(name), [(text, text.strip()) for text in texts if text is not None]
        return {t: None if bare in nulls else bare for t, bare in clean if bare is not t or bare in nulls}

    def nulls_of(self, name: str) -> Collection[str]:
        """How a missing value is spelled in a column; an empty cell always is one."""
        return {*said_of(name, self.nulls, NULLS), ""}

    def frame(self, columns: dict[str, Array], cell: Callable[[str, int], str]) -> Frame:
        """These columns of a file, with all that was decided."""
        return Frame(columns, self.notes, self.path, self.place, self.date_formats, self.units, cell)

    def _strict(self, name: str) -> bool:
        return self.needed is None or name in self.needed

    def _hint(self, name: str, counts: Counter[str]) -> None:
        """What a column of text nearly is, or which of its spellings say the same."""
        if same := one_spelling(counts):
            shown = [", ".join(repr(t) for t in same if same[t] == each) for each in dict.fromkeys(same.values())]
            self.notes.append(f"column {name!r}: of one meaning, and so one category, are {' and '.join(shown)}")
        elif nearly := hint(counts, self.decimal, self.thousands):
            self.notes.append(f"column {name!r} {nearly}: it is taken as text")
        if name not in self.nulls and (value := next((null for null in NULLS if null in counts), None)):
            self.notes.append(f"column {name!r}: {value!r} is a value there (--null {value} has it missing as well)")

    # ── numbers ──

    def _numbers(self, name: str, counts: Counter[str]) -> Found:
        """The texts that are numbers, with these; none if they are rather codes or identifiers."""
        found = {text: number for text in counts if (number := plain(text, self.decimal, self.thousands)) is not None}
        others = [text for text in counts if text not in found]
        clothed = self._clothed(others) if self.dressed else {}
        unit = self._sign(name, counts, found, clothed)
        if unit in PARTS:  # everywhere or nowhere
            found.clear()
        found |= {
            t: each.value
            for t, each in clothed.items()
            if each.value is not None and (each.unit == unit or not (each.unit or unit in PARTS))
        }

        def body(text: str) -> str:
            return clothed[text].body if text in clothed else text

        codes = any(CODE.match(body(text)) for text in found)
        large = max(map(abs, found.values()), default=0) >= EXACT
        large = large and all(WHOLE.fullmatch(re.sub("[ ']", "", body(text))) for text in counts)
        if codes or large:
            if len(found) == len(counts):
                self.notes.append((CODES if codes else IDENTIFIERS).format(name))
            return {}, ""
        if self._strict(name):
            self._ask_for_marks(name, counts, body, found)
        if len(found) == len(counts) and clothed:
            self._tell_numbers(name, unit, next((text, found[text]) for text in clothed))
        return found, unit

    def _clothed(self, texts: list[str]) -> dict[str, Dressed]:
        """Those that are numbers, or nearly so, with something about them."""
        return mostly(texts, lambda text: dressed(text, self.decimal, self.thousands))

    def _sign(self, name: str, counts: Counter[str], plain: Collection[str], clothed: Mapping[str, Dressed]) -> str:
        """The currency of a column, or its percent sign: that of most values, and that it had before. '' for none."""
        amounts = Counter[str]()
        for text, each in clothed.items():
            amounts[each.unit] += counts[text] * (each.value is not None)
        bare = amounts.pop("", 0) + sum(counts[text] for text in plain)
        (unit, most), *_ = amounts.most_common(1) or [("", 0)]
        before = self.signs.get(name, unit)
        if most and unit != before and self._strict(name):
            other = next(text for text, each in clothed.items() if each.unit == unit)
            was = f"was in {before}" if before else "had no sign"
            now = f"is not; bring it to {before}" if before else "has one; take it away where the values are the same"
            raise ValueError(f"{self.path}: column {name!r} {was} in training, and {other!r} {now}")
        return "" if unit in PARTS and bare > most else unit

    def _ask_for_marks(
        self, name: str, counts: Counter[str], body: Callable[[str], str], found: Collection[str]
    ) -> None:
        """ValueError where most values would be numbers, if it were known what the marks between their digits mean."""
        like = mostly([text for text in counts if text not in found], lambda text: SEPARATED.fullmatch(body(text)))
        alike = [*found, *like]
        if not like or sum(counts[text] for text in alike) <= counts.total() / 2:
            return
        options = " or ".join(marks_for(map(body, alike))) or "--thousands , or --decimal ,"
        if self.decimal == "." and not self.thousands:
            what = f"looks like a number with a thousands or decimal separator; say which ({options})"
        else:
            given = f"--thousands {self.thousands}" if self.thousands else f"--decimal {self.decimal}"
            what = f"does not fit {given}; mend the value, or say what its marks are ({options})"
        where = f"{self.path}: column {name!r}: {next(iter(like))!r}"
        raise ValueError(f"{where} {what}, or take the column as categories (--categorical {name})")

    def _tell_numbers(self, name: str, unit: str, shown: tuple[str, float]) -> None:
        if unit:
            self.units[name] = unit
        if unit and unit == self.signs.get(name):
            return
        what = "percentages" if unit == "%" else f"amounts in {unit}" if unit else "numbers"
        self.notes.append(f"column {name!r} holds {what}: {shown[0]!r} is read as {spelling(shown[1])}")

    def _unsigned(self, name: str, column: Array) -> None:
        """Percentages that lost their sign may be shares by now."""
        if self.signs.get(name) in PARTS and kind_of(column) == "number":
            self.notes.append(f"column {name!r} was in {self.signs[name]} in training; its numbers are taken as such")

    # ── dates ──

    def _dates(self, name: str, counts: Counter[str]) -> Found:
        """The texts that are dates, with these, by the format that fits most of them, or else by the one given."""
        given, n = said_of(name, self.formats, ""), counts.total()
        found = read_dates(counts, given) if given else {}
        like = [*mostly([*counts], self._like_a_date)] if len(found) < len(counts) else []
        if given and len(found) == len(counts):
            self.date_formats[name] = given
        if (found and name in self.formats) or 2 * sum(counts[text] for text in like) <= n:
            return found if name in self.formats or not like else {}, ""
        forms = max(Counter(tuple(formats_of(text)) for text in like[:SAMPLE]).items(), key=lambda pair: pair[1])[0]
        ways = [read_dates(counts, form) for form in forms]
        fits = [sum(counts[text] for text in way) for way in ways]
        best = fits.index(max(fits))
        if fits[best] == n:
            self.date_formats |= {name: forms[best]} if not forms[best].startswith("%Y") else {}
            if fits == [n] * 2 and (shown := next((t for t in counts if ways[0][t] != ways[1][t]), None)):
                self._ask_for_order(name, shown, forms)
            self._tell_dates(name, forms[best], ways[best])
        return ways[best], ""

    def _like_a_date(self, text: str) -> bool:
        return bool(DATE.fullmatch(text) or (self.dressed and named_format(text)))

    def _ask_for_order(self, name: str, shown: str, forms: tuple[str, ...]) -> None:
        if self._strict(name):
            raise ValueError(
                f"{self.path}: column {name!r}: {shown!r} may be day, month, year or month, day, year, and so may "
                f"every date there; say which (--date-format {forms[0]} or --date-format {forms[1]})"
            )
        self.notes.append(
            f"column {name!r}: {shown!r} is read as day, month, year; month, day, year would fit every row as "
            f"well (--date-format {forms[1]})"
        )

    def _tell_dates(self, name: str, form: str, found: Mapping[str, Any]) -> None:
        """What is not seen at once: how a month's name was read, and that times are in UTC."""
        shown = next((text for text in found if "%b" in form or "%B" in form or ZONED.search(text)), None)
        if shown is not None and self.dressed:
            read = spelling(np.datetime64(found[shown], "us"))
            utc = ", in UTC" if ZONED.search(shown) else ""
            self.notes.append(f"column {name!r} holds dates: {shown!r} is read as {read}{utc}")


def in_marks(frame: Frame, name: str, decimal: str, thousands: str | None) -> Array:
    """A column of numbers, (n_rows,): texts in it have these marks, or spell a gap.

    ValueError, with the place, for a text that has other marks, if these are not the usual ones.
    """
    column, numbers = frame[name], np.full(len(frame[name]), np.nan)
    if column.kind != "text":
        return column.values
    for row in np.flatnonzero(~column.missing).tolist():
        text = column.values[row].strip()
        if (number := plain(text, decimal, thousands)) is not None:
            numbers[row] = number
        elif text not in NULLS:
            if decimal == "." and not thousands:
                return column.values  # which nobody takes for numbers
            marks = f"the decimal mark {decimal!r}" + (f" and {thousands!r} for thousands" if thousands else "")
            where = f"{frame.path + ': ' if frame.path else ''}column {name!r}, {frame.place(row)}"
            raise ValueError(f"{where}: {text!r} is no number with {marks}, as there was in training")
    return numbers


def by_column(said: Any) -> dict[str, Any]:
    """What is said by column, under '' of all others, where it may be said of all alike; None says nothing."""
    return {} if said is None else dict(said) if isinstance(said, Mapping) else {"": said}


def said_of(name: str, said: Mapping[str, T], otherwise: T) -> T:
    """What is said of a column, or else of all others, under ''."""
    return said.get(name, said.get("", otherwise))


def without(column: Array, nulls: Collection[str]) -> Array:
    """A column without the values that spell a missing one: of numbers, those that are as large."""
    if kind_of(column) == "text":
        return np.array([None if value in nulls else value for value in column.tolist()], dtype=object)
    numbers = [number for null in nulls if (number := plain(null, ".", None)) is not None]
    if kind_of(column) != "number" or not numbers:
        return column
    return np.where(np.isin(column, numbers), np.nan, column)


def mostly(texts: list[str], find: Callable[[str], Any]) -> dict[str, Any]:
    """The texts in which something is found, with it; none of them where only few of a sample are among them."""
    found: dict[str, Any] = {}
    for part in (texts[:: len(texts) // SAMPLE + 1], texts):
        found = {text: each for text in part if (each := find(text))}
        if 10 * len(found) < len(part):
            return {}
    return found
