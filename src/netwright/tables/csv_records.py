"""Delimited text taken apart, record by record, as DuckDB does it when strict; fields and lines may be of any length.

Python's own csv module has a limit for fields, one for the whole process, and the same word for most of what is wrong.
"""

import re
from collections.abc import Iterable, Iterator

from netwright.tables.lines import Unreadable

Record = tuple[int, list[str]]  # the number of its first line, its fields

ENDS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR alone"}
# Spaces around a quoted field are no part of it. To the closing quote: anything else, and quotes in pairs.
SPACED = re.compile(r' *"'), re.compile(r'((?:[^"]++|"")*+)" *')
TIGHT = re.compile('"'), re.compile(r'((?:[^"]++|"")*+)"')


def records(lines: Iterable[str], delimiter: str, *, above: int = 0, blank: bool = False) -> Iterator[Record]:
    """The records in lines with their ends, below the `above` first; without the blank lines, unless they count.

    Unreadable, naming the line, for a quote that is not closed or followed by text, and for line ends of two kinds.
    """
    number, usual, lines = above, "", iter(lines)
    for line in lines:
        number = first = number + 1
        if '"' in line:
            fields, end, number = _quoted(line, lines, delimiter, number)
        else:
            text = line.rstrip("\r\n")
            fields, end = text.split(delimiter), line[len(text) :]
        if end != usual:
            if usual and end:
                kinds = f"some lines end with {ENDS[end]}, as line {number} does, others with {ENDS[usual]}"
                raise Unreadable(f"{kinds}; make them alike")
            usual = end
        if blank or len(fields) > 1 or fields[0] or '"' in line:
            yield first, fields


def _quoted(line: str, lines: Iterator[str], delimiter: str, number: int) -> tuple[list[str], str, int]:
    """The fields of a record that has quotes, its end, and the number of its last line."""
    fields: list[str] = []
    opening, inside = TIGHT if delimiter == " " else SPACED
    at = 0
    while True:
        opened = opening.match(line, at)
        if opened is None:
            stop = line.find(delimiter, at)
            field = line[at:stop] if stop >= 0 else line[at:].rstrip("\r\n")
            at += len(field)
        else:
            start, parts, at = number, [], opened.end()
            while '"' not in line or (closed := inside.match(line, at)) is None:
                parts.append(line[at:])
                line, number, at = next(lines, ""), number + 1, 0
                if not line:
                    raise Unreadable(f"a quote that opens on line {start} is never closed")
            field = "".join([*parts, closed[1]]).replace('""', '"')
            at = closed.end()
        fields.append(field)
        if line.startswith(delimiter, at):
            at += 1
        elif (end := line[at:]) in ENDS or not end:
            return fields, end, number
        else:
            text = f"line {number}: {end[:20].rstrip()!r} follows the quote that closes a field"
            raise Unreadable(f"{text} (opened on line {start}); a quote inside a field is written twice")
