"""What a column of texts nearly is: in words, with an example, and the option that would make it one."""

import re
from collections import Counter
from collections.abc import Collection, Iterable

from netwright.tables.dates import DATE, MONTH
from netwright.tables.frame import Frame
from netwright.tables.numbers import WHOLE, dressed

SAMPLE = 1000
LONG = 40  # characters, beyond which a text is one
MOST = 0.8  # of the texts that must look so
SUFFIXED = re.compile(r"[+-]?\d[\d.,' ]*?\s*((?!\d)[²³°µ/^\w]{1,8}\.?)")
CLOCK = r"\d\d?:\d\d(:\d\d(\.\d+)?)?"
NEARLY = (  # pattern, what it looks like, what helps
    (r"\d{4}[-/.]\d\d?", "months", "--date-format %Y{mark}%m"),
    (rf"{MONTH}[-/ .]*'?\d\d?", "months, of a year or with a day", "--date-format %b{mark}%y"),
    (rf"\d\d?[-/ .]*{MONTH}\.?", "days without a year", ""),
    (r"\d{4}[- ]?q[1-4]|q[1-4][- /]*\d{4}", "quarters", ""),
    (r"\d{4}-?w\d\d?", "weeks", ""),
    (r"[\d.,]+-|\([\d.,]+\)", "numbers with a sign that is not in front", ""),
    (r"[\d.,]+ ?(-|to) ?[\d.,]+", "ranges of numbers", ""),
    (rf"{CLOCK}", "times of day", "--date-format {clock}"),
    (rf".*\d.*{CLOCK}\s*[a-z]{{2,5}}", "dates in a time zone; known are UTC, GMT, Z and such as +02:00", ""),
    (rf".*\d.*\b{MONTH}\b.*\d.*", "dates", "--date-format, such as %d/%m/%Y,"),
    (DATE.pattern, "dates", "--date-format, such as %d/%m/%Y,"),
)


def nearly(frame: Frame, names: Iterable[str]) -> list[str]:
    """Sentences on those columns of text that look like something else, and were not given as categories.

    Few whole numbers are codes, and nothing is said of them.
    """
    notes = []
    for name in names:
        if frame.kind(name) == "text" and name not in frame.levels:
            texts = list(dict.fromkeys(each for each in frame.column(name) if each is not None))
            if not all(map(WHOLE.fullmatch, texts)) and (what := hint(texts)):
                notes.append(f"column {name!r} {what}: it is taken as text")
    return notes


def hint(texts: Collection[str], decimal: str = ".", thousands: str | None = None) -> str | None:
    """'looks like …, such as …', for most of these texts; None where they look like nothing but texts."""
    part = list(texts)[:: len(texts) // SAMPLE + 1]
    if sum(len(text) <= LONG for text in part) < MOST * len(part):
        return None
    part = [text for text in part if len(text) <= LONG]
    for pattern, what, helps in NEARLY:
        like = [text for text in part if re.fullmatch(pattern, text.strip(), re.IGNORECASE)]
        if like and len(like) >= MOST * len(part):
            mark = next((each for each in like[0] if not each.isalnum()), "")
            clock = "%H:%M:%S" if like[0].count(":") == 2 else "%H:%M"
            helps = helps.format(mark=mark, clock=clock)
            helps = re.sub(r"^(--date-format) (%.* .*)$", r"\1 '\2'", helps)  # for the shell
            return f"looks like {what}, such as {like[0]!r}" + (f" ({helps} reads them)" if helps else "")
    return _amounts(part, decimal, thousands)


def _amounts(part: list[str], decimal: str, thousands: str | None) -> str | None:
    """Numbers with signs of several kinds, or with a unit."""
    clothed = {text: each for text in part if (each := dressed(text, decimal, thousands))}
    if clothed and len(clothed) >= MOST * len(part):
        first = dict[str, str]()
        for text, each in clothed.items():
            first.setdefault(each.unit, text)
        shown = " and ".join(map(repr, list(first.values())[:2]))
        if len(first) > 1:
            return f"looks like numbers in several units, such as {shown}; bring them to one"
        return f"looks like numbers, such as {shown}"
    units = Counter(found[1] for text in part if (found := SUFFIXED.fullmatch(text.strip())))
    if len(part) > 2 and units.total() >= MOST * len(part) and units.most_common(1)[0][1] >= MOST * len(part) / 2:
        shown = next(text for text in part if SUFFIXED.fullmatch(text.strip()))
        return f"looks like numbers with a unit, such as {shown!r}; without it they would be numbers"
    return None
