"""Texts that a spreadsheet would compute when it opens a CSV file, written so that it does not.

A cell that begins with = + - @, a tab or an end of line may be taken for a formula, which can send the sheet's data
away or start a program. A ' before it makes it a text (OWASP, CSV injection). Plain numbers are none.
"""

import re

import numpy as np

from netwright.tables.frame import Frame
from netwright.tables.numbers import dressed

MARKS = "=+\\-@＝＋－＠"  # some take the wide ones too
FORMULA = re.compile(rf"\s*[{MARKS}][{MARKS}\s]*[^{MARKS}\s]|[\t\r\n]\s*\S")  # marks alone say nothing


def computed(text: str) -> bool:
    """Whether a spreadsheet may take it for a formula."""
    return FORMULA.match(text) is not None and dressed(text, ".", None) is None


def disarmed(frame: Frame) -> tuple[Frame, str]:
    """(the frame with a ' before each text, in a cell or a name, that would be computed; one of these, or "")."""
    columns, shown = {}, ""
    for name, values in frame.columns.items():
        if frame.kind(name) == "text":
            armed = {text for text in set(values.tolist()) - {None} if computed(text)}
            if armed:
                shown = shown or min(armed)
                values = np.array([f"'{text}" if text in armed else text for text in values.tolist()], dtype=object)
        if computed(name):
            shown, name = shown or name, f"'{name}"
            while name in columns or name in frame.columns:
                name = f"'{name}"
        columns[name] = values
    return Frame(columns), shown
