"""Panels on what a model makes of its columns: how much each matters, what each holds, and the rows that go wrong."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import FigureBase

from netwright.draw import words
from netwright.draw.figure import BLUE, DASHED, calm
from netwright.draw.page import Panel

BARS = 20  # columns that are drawn


def importance(score: str, names: Sequence[str], means: Sequence[float], stds: Sequence[float]) -> Panel:
    """Bars with whiskers of one standard deviation; the columns that matter most on top."""
    shown = min(BARS, len(names))
    title, _ = words.meaning(score)

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        calm(axes)
        places = np.arange(shown)[::-1]
        axes.barh(places, means[:shown], xerr=stds[:shown], color=BLUE, alpha=0.75, height=0.68, ecolor="#57606a")
        axes.set_yticks(places, [words.short(words.clean(name), 28) for name in names[:shown]], size=9)
        axes.axvline(0, color="#57606a", linewidth=0.8)
        axes.set(xlabel=f"{title} rises by")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)

    caption = f"By how much the {title} gets worse when a column's values are shuffled among the rows held out"
    caption += f"; the first {shown} of {len(names):,} columns." if len(names) > shown else "."
    caption += " Whiskers: one standard deviation over the shuffles."
    return Panel("Which columns matter", caption, draw, (6.0, 1.2 + 0.28 * max(shown, 6)))


def mistakes(rows: Sequence[tuple[str, str, str, float]], classes: bool) -> Panel:
    """(place, true, predicted, how sure or how far off) of the worst rows."""
    if classes:
        title, last = "Mistakes that it is surest of", "probability"
        told = [(place, true, predicted, words.number(off, ".3f")) for place, true, predicted, off in rows]
    else:
        title, last = "Largest residuals", "predicted − true"
        told = [(place, true, predicted, words.number(off)) for place, true, predicted, off in rows]
    cleaned = [tuple(map(words.clean, row[:3])) + row[3:] for row in told]
    caption = "Of the rows held out. Such rows are mislabelled, unlike all others, or show what the columns do not say."
    return Panel(title, caption, header=("row", "true", "predicted", last), rows=cleaned, words=3)


def coverage(levels: Sequence[float], shares: Sequence[float], size: float, rows: int, classes: bool) -> Panel:
    """How often the truth of `rows` rows lay within an interval, or a set of classes, of each level.

    size: of those at 90 %, the median width or the mean number of classes.
    """
    p, z2 = np.array(shares), 1.96**2 / rows  # Wilson's interval
    middle, half = (p + z2 / 2) / (1 + z2), np.sqrt(z2 * (p * (1 - p) + z2 / 4)) / (1 + z2)

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], **DASHED)
        axes.vlines(levels, middle - half, middle + half, color=BLUE, alpha=0.35, linewidth=4)
        axes.plot(levels, shares, "o", color=BLUE, markersize=5)
        what = "in the set" if classes else "in the interval"
        axes.set(xlabel="how sure it is to be", ylabel=f"share of rows {what}", xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        calm(axes)

    at = min(range(len(levels)), key=lambda place: abs(levels[place] - 0.9))
    told = words.number(size, ".3g")
    many = f"{told} classes on average" if classes else f"a width of {told}, at the median"
    caption = f"Of {rows:,} rows held out {shares[at]:.1%} lay within what is said at 90%, which has {many}."
    caption += " A set always has the most probable class, so it may hold more often." if classes else ""
    return Panel("Does it know how sure it is?", f"{caption} Bars: 95% intervals.", draw)


def data_card(rows: Sequence[tuple[str, float, str, str]]) -> Panel:
    """(column, share missing, values, what to mind) of each column."""
    said = [
        (words.clean(name), words.clean(values), words.clean(mind), f"{missing:.1%}" if missing else "–")
        for name, missing, values, mind in rows
    ]
    caption = "The columns that the model learned from, in the rows held out."
    return Panel("The data", caption, header=("column", "values", "", "missing"), rows=said, words=3, wide=True)
