"""A table of named rows: one place that knows every name, and answers an unknown one with the known.

Activations, losses, initializers, optimizers and schedules are rows of such tables; whatever needs to list or find one
reads it from there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from netwright.core.arguments import brief

Row = TypeVar("Row")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`"did you mean 'gelu'? "` for the known name nearest to `name`, in any case, or nothing when none is near."""
    from difflib import get_close_matches  # only an error needs it

    lower = {each.lower(): each for each in known}
    near = [lower[each] for each in get_close_matches(str(name).lower(), lower, n=1)]
    return f"did you mean {near[0]!r}? " if near else ""


class Registry(dict[str, Row]):
    """A dict of rows by name. `find` raises ValueError for an unknown name, and says which ones there are.

    families: for a row's name, a function of numbers that makes more of its kind, each found by a name that spells the
    numbers: "huber:1.5", "softmax:3,2,4". `find`, `in` and `[]` know these as well; what lists the table does not.
    """

    def __init__(self, kind: str, rows: dict[str, Row], families: Mapping[str, Callable[..., Row]] | None = None):
        super().__init__(rows)
        self.kind, self.families = kind, families or {}

    def find(self, name: object) -> Row:
        """The row of that name, or the one that its family makes of the numbers after the colon."""
        word, colon, numbers = name.partition(":") if isinstance(name, str) else ("", "", "")
        if not super().__contains__(word):
            asked = word if colon else name
            known = f"{did_you_mean(asked, self)}choose one of {', '.join(sorted(self))}"
            raise ValueError(f"unknown {self.kind} {brief(asked)}; {known}")
        if not colon:
            return self[word]
        if word not in self.families:
            raise ValueError(f"{self.kind} {word!r} takes no parameter, got {name!r}")
        try:
            return self.families[word](*map(_number, numbers.split(",")))
        except (TypeError, ValueError) as error:  # TypeError: too many of them
            raise ValueError(f"unknown {self.kind} {name!r}: write {word}:NUMBER ({error})") from None

    def __missing__(self, name: str) -> Row:
        try:
            return self.find(name)
        except ValueError:
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        try:
            return super().__contains__(name) or self.find(name) is not None
        except ValueError:
            return False

    def knows(self, row: Any) -> bool:
        """Whether the row is found again by its name."""
        return row.name in self and self[row.name] is row

    def admit(self, row: Any) -> Row:
        """The row, of the table or a user's own; ValueError for one's own with a row's name: files keep only names."""
        if super().__contains__(row.name.partition(":")[0]) and not self.knows(row):
            raise ValueError(f"{self.kind} {row.name!r} is the name of another; give your own one of its own")
        return row


def _number(text: str) -> float:
    return int(text) if text.strip().isdecimal() else float(text)
