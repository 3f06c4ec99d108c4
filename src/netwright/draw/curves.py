"""The learning curve: what a training's cost did over its epochs."""

from typing import Any, Protocol

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, MaxNLocator

from netwright.core.arguments import Array
from netwright.draw import words
from netwright.draw.figure import BLUE, ORANGE, PLAIN, SCORES, WHOLE, calm, drawable, image
from netwright.draw.page import PICTURES, check_suffix
from netwright.files.atomic import write_atomically


class Curves(Protocol):
    """What is drawn of a training: numbers for each epoch, as a `History` has them."""

    cost: list[float]
    validation_cost: list[float]
    validation_scores: dict[str, list[float]]
    best_epoch: int | None
    stopped: str

    def __len__(self) -> int: ...


def plot_history(history: Curves, path: Any = None) -> Axes:
    """Draw cost, validation cost and scores over the epochs; write `path` (.pdf, .png, .svg) if given, atomically.

    Without a path the picture is pyplot's current figure, so that a notebook shows it and `pyplot.show()` opens it.
    ValueError when there is no epoch to draw, or for another suffix.
    """
    if not len(history):
        raise ValueError("the history is empty: there is no epoch to draw")
    suffix = "" if path is None else check_suffix(path, PICTURES)
    with matplotlib.rc_context(PLAIN):
        if not suffix:
            from matplotlib import pyplot  # a notebook shows what pyplot made, and a bare Figure's Axes not at all

            return draw_history(pyplot.figure(figsize=(7, 4.4), layout="constrained"), history)
        axes = draw_history(figure := Figure(figsize=(7, 4.4), layout="constrained"), history)
        write_atomically(path, image(figure, suffix))
        return axes


def draw_history(figure: FigureBase, history: Curves) -> Axes:
    costs = {"cost": drawable(history.cost), "validation cost": drawable(history.validation_cost)}
    scores = _legible({name: drawable(values) for name, values in history.validation_scores.items()})
    heights = [2, 1] if scores else [1]
    parts = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    axes, below = parts[0], parts[-1]
    for part, curves, colours in ((axes, costs, (BLUE, ORANGE)), (below, scores, SCORES)):
        for (name, values), colour in zip(curves.items(), colours, strict=False):
            known = int(np.isfinite(values).sum())
            lost = f" ({values.size - known:,} not finite)" if part is axes and known < values.size else ""
            look: Any = {"color": colour, "linewidth": 1.6, "marker": "o" if known < 3 else ""}  # 2 make no line
            if values.size:
                part.plot(range(1, values.size + 1), values, label=name + lost, **look)

    seen = np.concatenate([*costs.values()])
    low, high = (np.nanmin(seen), np.nanmax(seen)) if np.isfinite(seen).any() else (0, 0)
    if 0 < 20 * low < high:
        axes.set_yscale("log", subs=())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
    axes.set_ylabel("cost")
    if scores:
        seen = np.concatenate([*scores.values()])
        if "R²" in scores and np.nanmin(seen) < -0.5 < np.nanmax(seen):  # it may start at any depth
            below.set_ylim(-0.5, np.nanmax(seen) + 0.05)
        below.set_ylabel("scores" if len(scores) > 1 else next(iter(scores)))
        if len(scores) > 1:
            below.legend(loc="lower right", ncols=len(scores), frameon=False)

    best = history.best_epoch
    if best and best <= len(history.validation_cost):
        label = f"best: {words.number(history.validation_cost[best - 1])} in epoch {best:,}"
        ring: Any = {"color": ORANGE, "markerfacecolor": "none", "markersize": 8}
        axes.plot([best], costs["validation cost"][[best - 1]], "o", label=label, **ring)
    for part in parts:
        if best:
            part.axvline(best, color=ORANGE, linewidth=0.8, linestyle=":")
        part.margins(x=0.02)
    calm(*parts)
    above: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0, "borderpad": 0.2}
    axes.legend(**above, ncols=3, frameon=False, fontsize=9, handlelength=1.6, columnspacing=1.4)
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(**WHOLE))
    if len(history) == 1:
        below.set_xlim(0, 2)
    return axes


def _legible(scores: dict[str, Array]) -> dict[str, Array]:
    """The scores that can share an axis with the first, as far as colours go; none when there is no course to see."""
    kept: dict[str, Array] = {}
    for name, values in scores.items():
        if np.isfinite(values).sum() < 2 or len(kept) == len(SCORES):
            continue
        top, first = (float(np.nanmax(np.abs(curve))) for curve in (values, next(iter(kept.values()), values)))
        if first <= 10 * top <= 100 * first:
            kept[words.meaning(name)[0]] = values
    return kept
