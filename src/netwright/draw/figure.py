"""Figures: their colours, how they are drawn calmly, and how they become bytes. Loads matplotlib."""

import io
import re
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter

from netwright.core.arguments import Array
from netwright.draw import words
from netwright.draw.page import Panel

BLUE, ORANGE, INK, GREY, LINE = "#2f6db3", "#d9722e", "#1f2328", "#57606a", "#d8dce1"
SCORES = ("#3d8b5f", "#7b5aa6", "#b0446c", "#8a7a2f")  # a colour each: no more are drawn
NUMBERED, NAMED, DRAWN = 12, 40, 400  # classes: cells with numbers, axes with names, a confusion matrix at all
POINTS = 2000  # of a scatter

PLAIN: Any = {"text.parse_math": False}  # a $ is a dollar
LOOK = PLAIN | {"svg.fonttype": "none", "axes.edgecolor": LINE, "text.color": INK, "axes.labelcolor": INK}
LOOK |= {"xtick.color": GREY, "ytick.color": GREY}
WHOLE: Any = {"integer": True, "steps": [1, 2, 5, 10]}  # ticks
DASHED: Any = {"color": GREY, "linewidth": 0.8, "linestyle": "--"}


def calm(*every: Axes) -> None:
    """Light lines, and every number in full: no power of ten or offset beside the axis."""
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="gray", alpha=0.18, linewidth=0.8)
        axes.set_axisbelow(True)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−", 1)))


def svg(panel: Panel, prefix: str) -> str:
    """The panel as an SVG element, whose ids begin with `prefix`, since all pictures of a page share them."""
    assert panel.draw
    panel.draw(figure := Figure(figsize=panel.size, layout="constrained"))
    drawn = image(figure, ".svg", prefix).decode()
    return drawn[drawn.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{panel.title}"', 1)


def sheet(title: str, lead: str, cards: list[tuple[str, str, str]], panels: list[Panel]) -> Figure:
    """All panels on one figure, two a row, tables as far as they fit."""
    high = -(-len(panels) // 2)
    figure = Figure(figsize=(13, 1.5 + 4.8 * high), layout="constrained")
    # Without frames: their corners are 0 or -0 by the whim of rounding, and the bytes would differ.
    parts: Any = figure.subfigures(1 + high, 2, height_ratios=[1.5] + [4.8] * high, squeeze=False, frameon=False)
    head = parts[0, 0]
    head.text(0.03, 0.72, words.short(title, 80), size=19, weight="bold")
    head.text(0.03, 0.46, words.short(lead, 150), size=10.5, color=GREY)
    head.text(0.03, 0.14, "     ".join(f"{name} {shown}" for name, _, shown in cards[:6]), size=15)
    for panel, part in zip(panels, parts[1:].flat, strict=False):
        part.suptitle(panel.title, x=0.03, ha="left", size=12, weight="bold")
        part.get_layout_engine().set(w_pad=0.25, h_pad=0.12)
        (panel.draw or partial(_draw_rows, panel))(part)
    return figure


def _draw_rows(panel: Panel, figure: FigureBase, most: int = 15) -> None:
    """The table as text, as many of its rows as fit."""
    axes = figure.subplots()
    axes.set_axis_off()
    rows = [*([panel.header] if panel.header else []), *panel.rows]
    if len(rows) > most:
        rows = [*rows[: most - 1], (f"… and {len(rows) - most + 1:,} more",)]
    columns = max(map(len, rows))
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            x, side = (0.38 * j, "left") if j < panel.words else (1 - 0.14 * (columns - 1 - j), "right")
            text = words.short(cell, {1: 100, 2: 46}.get(columns, 28))
            axes.text(x, 1 - (i + 0.5) / most, text, ha=side, color=GREY if panel.header and i == 0 else INK)


def image(figure: Figure, suffix: str, prefix: str = "d") -> bytes:
    """The figure in that format; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    undated = {".svg": ("Date", "Creator", "Format", "Type"), ".pdf": ("CreationDate",), ".png": ()}[suffix]
    figure.savefig(buffer, format=suffix[1:], dpi=144, metadata=dict.fromkeys(undated))
    if suffix != ".svg":
        return buffer.getvalue()
    # matplotlib's ids are hashes of coordinates, whose last bit may differ from run to run: ours are counted.
    ids: dict[str, str] = {}
    return re.sub(
        r'( id="|url\(#|href="#)([^")]+)(?=[^<>]*>)',  # inside a tag
        lambda link: link[1] + ids.setdefault(link[2], f"{prefix}{len(ids)}"),
        buffer.getvalue().decode(),
    ).encode()


def drawable(values: Any) -> Array:
    """As floats, with NaN for what no axis can hold."""
    values = np.asarray(values, float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) < 1e100, values, np.nan)


def limits(values: Array) -> tuple[float, float, int]:
    """(low, high, how many lie outside) of an axis: all, unless a few lie so far off that the rest would be a dot."""
    low, five, ninety_five, high = map(float, np.quantile(values, (0, 0.05, 0.95, 1)))
    width = ninety_five - five
    if 0 < 5 * width < high - low:
        low, high = max(low, five - width), min(high, ninety_five + width)
    flat = high - low <= 1e-9 * max(abs(low), abs(high))  # but for rounding
    margin = (0.1 * abs(low) or 1.0) if flat else 0.04 * (high - low)
    low, high = low - margin, high + margin
    return low, high, int(np.sum((values < low) | (values > high)))
