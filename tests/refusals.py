"""Mistakes, a line of code each, and what makes a refusal of one good: it is for whoever made it, in one sentence.

What is raised is a ValueError, a TypeError or an OSError, of one line, and by a check: a `raise` of ours, or of
scikit-learn's, whose own words the estimators keep. It is not what Python or NumPy say from deep inside.
"""

import traceback

REFUSALS = (ValueError, TypeError, OSError)


def refusal(error):
    """What is said; AssertionError when that is not how somebody is told of a mistake."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    theirs = "sklearn" in last.filename
    assert isinstance(error, REFUSALS), f"{type(error).__name__}: {error}"
    assert theirs or "netwright" in last.filename, f"{last.filename}:{last.lineno}: {error}"
    assert (last.line or "").startswith("raise"), f"{last.filename}:{last.lineno}, {last.line}: {error}"
    said = str(error)
    assert said.strip()
    assert theirs or "\n" not in said.partition("\nThe first is in")[0], said  # where, below scikit-learn's words
    return said


def refused(code, space):
    """What is said of that code in a namespace; AssertionError when nothing is, or badly."""
    try:
        exec(code, dict(space))
    except Exception as error:
        return refusal(error)
    raise AssertionError(f"nothing is said of {code}")


class Odd:
    """Something that nobody expects."""

    def __repr__(self):
        return "Odd()"


def no_arguments():
    """A function that takes none."""
    return 1
