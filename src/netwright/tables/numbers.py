"""How a text spells a number: plainly, grouped by thousands, with a currency or in percent, negative in brackets."""

import re
from collections.abc import Iterable
from typing import NamedTuple

SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
ALIKE = (
    dict.fromkeys(map(ord, SPACES), " ")
    | dict.fromkeys(map(ord, "\u2010\u2011\u2013\u2014\u2212"), "-")
    | {0x2019: "'"}
)
ISO = (
    "AED ARS AUD BDT BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP GEL GHS HKD HRK HUF IDR ILS INR ISK JPY KES KRW "
    "KWD KZT LKR MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
SIGN = rf"[a-z]{{0,3}}\$|[¢£¤¥֏؋৳฿៛\u20a0-\u20c0﷼￠￡￥￦]|{ISO.lower().replace(' ', '|')}"
BEFORE = rf"(?:{SIGN}|[%‰]) ?|(?:kr|rs|rm|r|s?fr)(?:\. ?| )"  # R12 is a code, R 12 is money
AFTER = rf" ?(?:{SIGN}|[%‰]|kr\.?|kč|zł|ft)"
DRESSED = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])? ?(?P<before>{BEFORE})?(?P<inner>[+-])?"
    rf"(?P<body>(?:\d[\d.,' ]*|[.,]\d+)(?:e[+-]?\d+)?)(?P<cents>(?<=[.,])-{{1,2}})?(?P<after>{AFTER})?(?P<close>\))?",
    re.IGNORECASE,
)
LONG = 60  # characters, beyond which a text is none
CODE = re.compile(r"\s*\+?0\d")  # -007 is a number, as it is where csv_columns.py looks
WHOLE = re.compile(r"\s*[+-]?\d+\s*")
SEPARATED = re.compile(  # what could be a number, if it were known which mark is which
    r"\s*[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d{1,2}(,\d\d)+,\d{3}(\.\d*)?|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}|"
    r"\d{1,3}([ ']\d{3})*,\d+)\s*|\s*[+-]?\d+,\d+\s*"
)


class Dressed(NamedTuple):
    """A number as a text spells it: its currency or percent sign, '' for none, its digits, and their value."""

    unit: str
    body: str
    value: float | None


def grouped(decimal: str, thousands: str) -> str:
    """A pattern for numbers with thousands in groups: of three, or as in India of two and then three; 1,5 is no 15."""
    mark, point = re.escape(thousands), re.escape(decimal)
    return rf"\s*[+-]?(\d{{1,3}}({mark}\d{{3}})+|\d{{1,2}}({mark}\d\d)+{mark}\d{{3}})({point}\d*)?\s*"


def plain(text: str, decimal: str, thousands: str | None) -> float | None:
    """A text as a number, by the same rule as csv_columns.py has in SQL; None where it is none."""
    if thousands and thousands in text and re.fullmatch(grouped(decimal, thousands), text):
        text = text.replace(thousands, "")
    if decimal != ".":
        text = text.translate({ord("."): "x", ord(decimal): "."})
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def dressed(text: str, decimal: str, thousands: str | None) -> Dressed | None:
    """A number with what may stand beside it and between its digits: a currency, %, spaces, apostrophes.

    In brackets is a negative amount, as bookkeepers write it. None for a text that is nothing like a number.
    """
    found = DRESSED.fullmatch(text.translate(ALIKE).strip()) if len(text) <= LONG else None
    if found is None:
        return None
    before, after = ((found[side] or "").strip(" .").lower() for side in ("before", "after"))
    before, after = (each.upper() if each.upper() in ISO.split() or "$" in each else each for each in (before, after))
    unit, signs = f"{before} {after}".strip(), (found["sign"] or "") + (found["inner"] or "")
    if bool(found["open"]) != bool(found["close"]) or (found["open"] and (signs or not unit)) or len(signs) > 1:
        return None
    if {"%", "‰"} & {before, after} and before and after:
        return None
    body = found["body"].strip()
    if found["cents"] and body.endswith(","):  # the mark before the cents is the decimal one
        body = f"{body}0" if {".", ","} & {*body[:-1]} else body[:-1]
    value = _worth(body, decimal, thousands)
    return Dressed(unit, body, -value if value is not None and (found["open"] or signs == "-") else value)


def marks_for(bodies: Iterable[str]) -> list[str]:
    """The options with which all of these are numbers."""
    ways = {"--thousands ,": (".", ","), "--decimal ,": (",", None), "--decimal , --thousands .": (",", ".")}
    some = list(bodies)
    fit = [option for option, marks in ways.items() if all(_worth(body, *marks) is not None for body in some)]
    return [option for option in fit if option != "--decimal , --thousands ." or "--decimal ," not in fit]


def _worth(body: str, decimal: str, thousands: str | None) -> float | None:
    """Digits with what is between them; spaces and apostrophes only ever stand between thousands."""
    mark = next((each for each in " '" if each in body and each != decimal), (thousands or "").translate(ALIKE))
    return plain(body, decimal, mark or None)
