"""How a text spells a date: in digits or with an English month, perhaps with a time of day and its zone."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache

from netwright.tables.column import in_utc
from netwright.tables.numbers import ALIKE

DATE = re.compile(r"\s*(\d{4}|\d\d?)([-/.])\d\d?[-/.](\d{4}|\d\d?)([ T]\d.*|\s*)")
DAY_TIME = re.compile(r"\s*(.*?),?(?:[ T](\d\d?:.*?|\d\d?\s?[ap]m))?\s*", re.DOTALL | re.IGNORECASE)
ZONE = re.compile(r"\s*(?:utc|gmt|z)?(?:([+-])(\d\d?)(?::?(\d\d))?)?$", re.IGNORECASE)
ZONED = re.compile(r":\d\d.*(?:[+-]\d\d?:?(?:\d\d)?)$")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", *MONTHS, "sept",
)  # fmt: skip
MONTH = f"(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})"
WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b"
WORDS = re.compile(r"[^\W\d_]+|\d+")
NAMED = re.compile(rf"(?:{WEEKDAY}[.,]? )?[\d.,/' -]*(?:st|nd|rd|th)?[ ,./-]*(?:of )?{MONTH}(?![a-z]).*", re.IGNORECASE)
HALVES = ("%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I %p")  # of the day
ORDERS = {("d", "b", "y"), ("b", "d", "y"), ("y", "b", "d"), ("b", "y"), ("y", "b")}


def formats_of(shown: str) -> list[str]:
    """The formats that a date allows, as strptime has them; day before month."""
    if form := named_format(shown):
        return [form]
    first, mark, last, _ = DATE.fullmatch(shown).groups()  # type: ignore[union-attr]
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    year = "%Y" if len(last) == 4 else "%y"
    return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"]


def named_format(text: str) -> str | None:
    """The format of a date whose month is an English name, as '%d-%b-%Y'; None for any other text."""
    if not NAMED.match(text):
        return None
    day, _ = _apart(text)
    found = _tokens(day)
    if found is None:
        return None
    numbers = [word for kind, word in found if kind == "n"]
    years = [i for i, word in enumerate(numbers) if len(word) == 4]
    if len(numbers) == 2 and not years:  # 05-Jan-24: the day comes first
        years = [1]
    if len(years) != 1:
        return None
    place, codes = iter(range(len(numbers))), []
    for kind, word in found:
        if kind == "b":
            codes.append("%b" if len(word) == 3 else "%B")
        elif kind == "n":
            codes.append("%d" if next(place) != years[0] else "%Y" if len(word) == 4 else "%y")
        else:
            codes.append("")
    if tuple(code[1].lower() for code in codes if code) not in ORDERS:
        return None
    made = iter(codes)
    return re.sub(r"\s+", " ", WORDS.sub(lambda _: next(made), day)).strip(" ,")


def read_dates(texts: Iterable[str], form: str) -> dict[str, datetime]:
    """Those that are dates of this format, in UTC where they say their zone. A time of day may follow the format."""
    found, timed = {}, re.search("%[HIcX]", form)
    for text in texts:
        if form == "%Y-%m-%d":  # much faster than what follows, as almost all dates of files are of this kind
            try:
                found[text] = in_utc(datetime.fromisoformat(text))
                continue
            except ValueError:
                pass
        day, time = (text.strip(), None) if timed else _apart(text)
        start, passed = _day(day, form), _time(time or "0:00")
        if start is not None and passed is not None:
            found[text] = start + passed
    return found


def _apart(text: str) -> tuple[str, str | None]:
    """The day, and the time where there is one."""
    day, time = DAY_TIME.fullmatch(text.translate(ALIKE)).groups()  # type: ignore[union-attr]
    return day, time


def _tokens(day: str) -> list[tuple[str, str]] | None:
    """The words of a day whose month is a name: 'n' for numbers, 'b' for the month, '' for what says nothing."""
    if re.search(r"[^\w\s,./'-]", day):
        return None
    kinds: list[tuple[str, str]] = []
    for word in WORDS.findall(day):
        low = word.lower()
        if word.isdecimal():
            kinds.append(("n", word))
        elif low in NAMES:
            kinds.append(("b", word))
        elif re.fullmatch(WEEKDAY, low) or low in ("of", "the", "st", "nd", "rd", "th"):
            kinds.append(("", word))
        else:
            return None
    return kinds if [kind for kind, _ in kinds].count("b") == 1 and len(kinds) <= 6 else None


def _named(day: str, order: list[str]) -> datetime | None:
    """A day of tokens in this order, such as d, b, Y."""
    words = [word for kind, word in _tokens(day) or [] if kind]
    if len(words) != len(order):
        return None
    parts = {"d": 1}
    for code, word in zip(order, words, strict=True):
        if (code in "bB") != (word.lower() in NAMES) or (code == "Y") != (len(word) == 4 and word.isdecimal()):
            return None
        parts[code.lower() if code == "B" else code] = MONTHS.index(word[:3].lower()) + 1 if code in "bB" else int(word)
    short = parts.get("y", 0)
    year = parts.get("Y", short + (2000 if short < 69 else 1900))  # as strptime has it
    with suppress(ValueError):
        return datetime(year, parts["b"], parts["d"])
    return None


@lru_cache(2**16)  # many rows, few days
def _day(text: str, form: str) -> datetime | None:
    order = [code for code in re.findall("%(.)", form) if code not in "aA"]
    if {"b", "B"} & set(order) and set(order) <= set("dbBYy") and (found := _named(text, order)):
        return found  # English, whatever the locale
    with suppress(ValueError):
        return in_utc(datetime.strptime(text, form))
    return None


@lru_cache(2**17)
def _time(text: str) -> timedelta | None:
    """The time since midnight in UTC."""
    zone = ZONE.search(text)
    assert zone  # the empty text at the end, if nothing else
    sign, hours, minutes = zone.groups()
    east = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    clock, day = text[: zone.start()], "1900-01-01 "
    half = re.sub(r"\s*([ap])\.?m\.?$", r" \1m", clock, flags=re.IGNORECASE)
    for form in ("", *HALVES):
        with suppress(ValueError):
            at = datetime.strptime(day + half, form) if form else datetime.fromisoformat(f"{day}{clock:0>5}")
            return at - datetime(1900, 1, 1) - east
    return None
