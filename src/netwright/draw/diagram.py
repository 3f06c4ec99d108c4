"""A network as a picture in HTML: its layers as columns of neurons, for notebooks.

Every colour but those of the weights is the surrounding text's own, so that it reads on light and on dark. However
large the network, the markup stays below some 25 kB: weights of one colour and strength are one path.
"""

import re
from html import escape
from typing import Any

import numpy as np

from netwright.core.arguments import Array, cut
from netwright.core.layer import Layer

NEURONS, COLUMNS = 8, 12  # drawn at most; dots stand for the rest
PITCH, RADIUS, TOP = 22, 7, 30
POSITIVE, NEGATIVE = "#3b82c4", "#e07b39"
STRENGTHS = (0.12, 0.22, 0.35, 0.55, 0.85)  # opacities from the weakest weight to the strongest


def html(network: Any) -> str:
    """The diagram as inline SVG, and the summary below it."""
    summary = escape(printable(network.summary()))
    return f"<div>{svg(network)}<pre style='line-height:1.3;overflow-x:auto'>{summary}</pre></div>"


def svg(network: Any) -> str:
    """Circles for neurons, lines for weights: blue above 0, orange below, fainter the nearer to it."""
    columns = _columns(network)
    kept = _ends(len(columns), COLUMNS)
    tallest = max(min(columns[i]["size"], NEURONS + 1) for i in kept)
    gap = min(120, max(64, 900 // len(kept) // 2 * 2))
    width, middle = gap * (len(kept) + (len(kept) < len(columns))), TOP + PITCH * tallest / 2
    base = TOP + PITCH * tallest + 18  # where the sizes stand
    height = base + 8 + 13 * max(min(len(column["after"]), 2) for column in columns)
    weights, neurons, words = [], [], []
    x, left = gap / 2, None
    for place, i in enumerate(kept):
        column = columns[i]
        if place and i != kept[place - 1] + 1:  # layers are left out here
            neurons.append(_dots([(x + step, middle) for step in (-9, 0, 9)]))
            words.append(_text(x, base, f"{i - kept[place - 1] - 1} more"))
            x, left = x + gap, None
        spots = _spots(column["size"], middle)
        if left is not None:
            weights.append(_weights(column["W"], left, spots, x - gap + RADIUS, x - RADIUS))
        dashed = " stroke-dasharray='3 2'" if column["after"] else ""
        circles = "".join(f"<circle cx='{x:g}' cy='{y:g}' r='{RADIUS}'/>" for y in spots.values())
        neurons.append(f"<g fill='currentColor' fill-opacity='.07' stroke='currentColor'{dashed}>{circles}</g>")
        if column["size"] > NEURONS:
            neurons.append(_dots([(x, middle + step) for step in (-6, 0, 6)]))
        most = int(gap / 6.5)  # letters that fit
        words.append(_text(x, TOP - 12, cut(column["title"], most, "…")))
        words.append(_text(x, base, f"{column['size']:,}", " font-weight='600'"))
        words += [_text(x, base + 14 + 13 * k, cut(word, most, "…")) for k, word in enumerate(column["after"][:2])]
        x, left = x + gap, spots
    shape = " → ".join(f"{column['size']:,}" for column in (columns[i] for i in kept))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' role='img' aria-label='network {shape}' width='{width}' "
        f"height='{height}' viewBox='0 0 {width} {height}' style='max-width:100%;height:auto' "
        f"font-family='system-ui,sans-serif' font-size='11' text-anchor='middle' fill='currentColor'>"
        f"<g fill='none' stroke-width='1.2'>{''.join(weights)}</g>{''.join(neurons)}{''.join(words)}</svg>"
    )


def printable(text: Any) -> str:
    """The text, with � for what XML has no place for: control characters and halves of surrogate pairs."""
    return re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", str(text))


def _columns(network: Any) -> list[dict[str, Any]]:
    """The inputs and every dense layer; what other kinds do comes `after` the column they act on."""
    columns: list[dict[str, Any]] = [{"title": "inputs", "size": network.inputs, "W": None, "after": []}]
    for layer in network.layers:
        if isinstance(layer, Layer):
            columns.append({"title": layer.activation.name, "size": layer.neurons, "W": layer.W, "after": []})
        else:
            columns[-1]["after"].append(" ".join(_plain(value) for value in layer.settings().values()))
    return columns


def _ends(size: int, most: int) -> list[int]:
    """0 … size - 1, or the first and the last of them, `most` in all."""
    return list(range(size)) if size <= most else [*range(most // 2), *range(size - most + most // 2, size)]


def _spots(size: int, middle: float) -> dict[int, float]:
    """The y of each neuron drawn; a column with neurons left out has a slot for the dots at its middle."""
    kept = _ends(size, NEURONS)
    slots = len(kept) + (size > NEURONS)
    return {
        j: middle + PITCH * (k + (size > NEURONS and k >= NEURONS // 2) - (slots - 1) / 2) for k, j in enumerate(kept)
    }


def _weights(W: Array, left: dict[int, float], right: dict[int, float], x1: float, x2: float) -> str:
    """A path for each sign and strength, relative to the strongest weight drawn."""
    drawn = np.nan_to_num(W[np.ix_(list(right), list(left))].astype(float))
    strength = np.abs(drawn) / (np.abs(drawn).max() or 1.0)
    level = np.minimum((strength * len(STRENGTHS)).astype(int), len(STRENGTHS) - 1)
    paths = []
    for k, opacity in enumerate(STRENGTHS):
        for colour, side in ((NEGATIVE, drawn < 0), (POSITIVE, drawn >= 0)):
            lines = [
                f"M{x1:g} {y1:g}L{x2:g} {y2:g}"
                for j, y2 in enumerate(right.values())
                for i, y1 in enumerate(left.values())
                if side[j, i] and level[j, i] == k
            ]
            if lines:
                paths.append(f"<path stroke='{colour}' stroke-opacity='{opacity}' d='{''.join(lines)}'/>")
    return "".join(paths)


def _dots(centres: list[tuple[float, float]]) -> str:
    return "".join(f"<circle cx='{x:g}' cy='{y:g}' r='1.5'/>" for x, y in centres)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f"<text x='{x:g}' y='{y:g}'{more}>{escape(printable(text))}</text>"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
