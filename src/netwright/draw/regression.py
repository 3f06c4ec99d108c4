"""Pictures of a regression: predictions against truth, and what is left over."""

import math
from typing import Any

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from netwright.draw import words
from netwright.draw.figure import BLUE, DASHED, POINTS, WHOLE, calm, drawable, limits
from netwright.draw.page import Panel


def regression(truth: Any, predicted: Any) -> tuple[str, list[Panel]]:
    """(how good guessing would be, the panels)."""
    both = np.array([drawable(truth), drawable(predicted)])
    known = ~np.isnan(both).any(axis=0)
    true, guess = both[:, known]
    if not true.size:
        return "", []
    residual = guess - true
    low, high, beyond = limits(both[:, known])
    left, right, off = limits(residual)
    some = np.arange(true.size)
    if true.size > POINTS:
        some = np.sort(np.random.default_rng(0).choice(true.size, POINTS, replace=False))

    def scatter(figure: FigureBase) -> None:
        axes = figure.subplots()
        alpha = float(np.clip(6 / math.sqrt(some.size), 0.15, 0.7))
        axes.plot([low, high], [low, high], **DASHED)
        axes.plot(true[some], guess[some], "o", color=BLUE, markersize=4.5, markeredgewidth=0, alpha=alpha)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="true", ylabel="predicted")
        calm(axes)

    def histogram(figure: FigureBase) -> None:
        axes = figure.subplots()
        bins = int(np.clip(math.sqrt(true.size) * 1.5, 5, 50))
        axes.hist(residual, bins=bins, range=(left, right), color=BLUE, alpha=0.75, edgecolor="white", linewidth=0.5)
        axes.axvline(0, **DASHED)
        axes.set(xlabel="predicted − true", ylabel="rows")
        axes.yaxis.set_major_locator(MaxNLocator(**WHOLE))
        calm(axes)

    shown = f"{POINTS:,} of {true.size:,} rows, drawn at random. " if true.size > POINTS else ""
    shown += "On the dashed line they are equal."
    shown += f" {beyond:,} values lie outside." if beyond else ""
    shown += "" if known.all() else f" {np.sum(~known):,} rows without a finite value are left out."
    five, middle, ninety_five = map(words.number, np.quantile(residual, (0.05, 0.5, 0.95)))
    spread = f"Nine of ten lie between {five} and {ninety_five}; the median is {middle}."
    spread += f" {off:,} rows lie outside." if off else ""
    baseline = (
        f"Always saying their mean, {words.number(true.mean())}, would have an RMSE of {words.number(true.std())}."
    )
    return baseline, [Panel("Predicted against true", shown, scatter), Panel("Residuals", spread, histogram)]
