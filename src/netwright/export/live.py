"""A page's panel in which one changes a row's values and sees the prediction move: the JavaScript export, at work."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from netwright.export.export import compared, trial
from netwright.export.javascript import literal, module
from netwright.export.live_text import PANEL, SCRIPT
from netwright.export.numbers import weights_of
from netwright.export.program import Dense, Program, run

LARGE = 1_000_000  # bytes of weights, from which the panel has them in half precision


class Row(NamedTuple):
    """A row to begin with: where it stands, its values in the order of the program's columns, and what is true there.

    Numbers are floats, texts spelled, dates ISO texts; a missing value is None.
    """

    place: str
    values: Sequence[Any]
    truth: str


class Live(NamedTuple):
    """A panel's HTML and its script, an ES module that loads nothing."""

    panel: str
    script: str


def live(program: Program, rows: Sequence[Row]) -> Live:
    """The panel, which begins with the first of the rows. Of many weights it has the first 11 bits, and says what that
    changes."""
    caption = "Change a value and see the prediction move. It is computed in this page, by the model's own weights"
    weights = weights_of(program)
    if weights.nbytes > LARGE:
        halved = _halved(program)
        difference, labels = _difference(program, halved)
        told = f"a probability by at most {difference:.1e} and {labels} of 256 labels"
        told = told if program.labelled else f"a number by at most {difference:.1e} of its usual size"
        caption += f" in half precision: on trial rows that changed {told}"
        program = halved
    said = [{"place": row.place, "values": [*row.values], "truth": row.truth} for row in rows]
    script = f"{module(program, 'model')}\nconst rows = {literal(said)};\n{SCRIPT}"
    return Live(PANEL.format(caption=caption + "."), script)


def _halved(program: Program) -> Program:
    """With its weights in half precision, but those that this cannot hold."""

    def half(array: Any) -> Any:
        with np.errstate(over="ignore"):
            small = array.astype(np.float16).astype(array.dtype)
        return np.where(np.isfinite(small), small, array)

    def halve(layer: Dense) -> Dense:
        return replace(layer, W=half(layer.W), b=half(layer.b))

    return replace(program, networks=tuple(tuple(map(halve, layers)) for layers in program.networks))


def _difference(program: Program, other: Program) -> tuple[float, int]:
    table = trial(program)
    return compared(program, run(program, table), run(other, table))
