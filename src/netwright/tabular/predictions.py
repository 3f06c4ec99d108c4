"""What a model says of each row, as a table: the row's own columns that are kept, the prediction, the probabilities."""

import csv
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.tables.column import spelling
from netwright.tables.formats import caseless
from netwright.tables.frame import Frame
from netwright.tables.labels import probabilities as probabilities_of
from netwright.tables.target import TargetEncoder
from netwright.uncertainty.margins import Interval, LabelSet, Margin, half_widths, label_sets


def chosen(frame: Frame, asked: Iterable[str]) -> list[str]:
    """The columns that lists such as `id,name` ask for, in the frame's order; `all` is all of them.

    A name with a comma may stand alone, or in a list between ". ValueError for an unknown one.
    """
    found: list[str] = []
    for words in asked:
        if words == "all":
            found += frame.names
        elif words in frame.columns:
            found.append(words)
        else:
            found += [name.strip() for name in next(csv.reader([words], skipinitialspace=True), [])] or [""]
    for name in found:
        frame.column(name)
    kept = set(found)
    return [name for name in frame.names if name in kept]


def as_table(
    target: TargetEncoder, predicted: Array, probabilities: Array | None, kept: Frame,
    around: Interval | LabelSet | None = None, familiarity: Array | None = None, *, cased: bool = True,
) -> tuple[Frame, list[str]]:  # fmt: skip
    """(the table, notes): the columns of `kept`, the target's with `predicted`, (n_rows,), what is `around` that, one
    for each class's probability, (n_rows, n_classes).

    Names that would collide are others, which a note says; `cased`: A and a are two names.
    """
    named = Names(cased)
    columns = {named.free(f"column {name!r}", (name,)): values for name, values in kept.columns.items()}
    columns[named.free("the prediction", (target.name, f"predicted {target.name}"))] = predicted
    for end, column in _around(target, around, probabilities).items():
        what = f"the {end} of the prediction"
        columns[named.free(what, (f"{target.name} {end}", f"predicted {target.name} {end}"))] = column
    if probabilities is not None:
        for each, column in zip(map(spelling, target.classes), probabilities.T, strict=True):
            what = f"the probability of {each!r}"
            columns[named.free(what, (f"probability {each}", f"probability of {each}"))] = column
    if familiarity is not None:
        columns[named.free("how familiar a row is", ("familiarity", "familiarity of the row"))] = familiarity
    return Frame(columns), named.notes


def surrounded(
    target: TargetEncoder, margins: Sequence[Margin], X: Array, A: Array, interval: float
) -> Interval | LabelSet:
    """The predictions with what is around them: for outputs A, (outputs, n_rows), of features X, (features, n_rows)."""
    value = target.decode(A)
    if target.classes:
        return LabelSet(value, label_sets(margins, probabilities_of(A), interval))
    off = half_widths(margins, X, A, interval)
    return Interval(value, target.decode(A - off), target.decode(A + off))


def _around(target: TargetEncoder, around: Interval | LabelSet | None, P: Array | None) -> dict[str, Any]:
    """By how its name ends, each column: where the interval begins and ends, or the set, most probable class first."""
    if isinstance(around, Interval):
        return {"low": around.low, "high": around.high}
    if around is None or P is None:
        return {}
    names, order = [spelling(each) for each in target.classes], np.argsort(-P, axis=1, kind="stable")
    rows = zip(order.tolist(), around.set.tolist(), strict=True)
    return {"set": np.array([" | ".join(names[c] for c in best if among[c]) for best, among in rows], dtype=object)}


class Names:
    """The names that a table's columns have so far, and those that had to be others."""

    def __init__(self, cased: bool):
        self.alike: Callable[[str], str | bytes] = str if cased else caseless
        self.taken: set[str | bytes] = set()
        self.renamed: list[str] = []

    def free(self, what: str, wanted: Collection[str]) -> str:
        """The first of the names that is not taken, or else the last with a number."""
        *_, last = wanted
        numbered = (f"{last} {number}" for number in range(2, len(self.taken) + 3))
        name = next(name for name in (*wanted, *numbered) if self.alike(name) not in self.taken)
        if name != next(iter(wanted)):
            self.renamed.append(f"{what} is called {name!r}")
        self.taken.add(self.alike(name))
        return name

    @property
    def notes(self) -> list[str]:
        """What was called otherwise, in one sentence."""
        more = f" and {len(self.renamed) - 3} more" if len(self.renamed) > 3 else ""
        return [f"so that no two columns have one name, {', '.join(self.renamed[:3])}{more}"] * bool(self.renamed)
