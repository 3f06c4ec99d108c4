"""Names of parametrised tests that are the same in every process, so that the suite can be shared among several."""

import re


def named(value: object) -> str:
    """`str(value)`, without the addresses in it of functions that have no text of their own."""
    return re.sub(r"<(?:function|bound method) (\S+)(?: at 0x\w+| of .*)>", r"\1", str(value))
