"""A table of named rows: one place that knows every name, and answers an unknown one with the known.

Activations, losses, initializers, optimizers and schedules are rows of such tables; whatever needs to list or find one
reads it from there.
"""

from collections.abc import Iterable
from typing import TypeVar

Row = TypeVar("Row")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`"did you mean 'gelu'? "` for the known name nearest to `name`, or nothing when none is near."""
    from difflib import get_close_matches  # only an error needs it

    near = get_close_matches(str(name), list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


class Table(dict[str, Row]):
    """A dict of rows by name. `find` raises ValueError for an unknown name, and says which ones there are."""

    def __init__(self, kind: str, rows: dict[str, Row]):
        super().__init__(rows)
        self.kind = kind

    def find(self, name: object) -> Row:
        """The row of that name."""
        if isinstance(name, str) and name in self:
            return self[name]
        raise ValueError(
            f"unknown {self.kind} {name!r}; {did_you_mean(name, self)}choose one of {', '.join(sorted(self))}"
        )
