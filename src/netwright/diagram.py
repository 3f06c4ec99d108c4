"""A network as a picture in HTML: its layers as columns of neurons, for notebooks."""

from html import escape
from typing import Any

MOST = 8  # neurons drawn in a column; more are hinted at by dots


def html(network: Any) -> str:
    """The diagram as inline SVG, and the summary below it."""
    return f"<div>{svg(network)}<pre style='line-height:1.3'>{escape(network.summary())}</pre></div>"


def svg(network: Any) -> str:
    """Circles for neurons, lines for weights (colour: sign, strength: size), the activations written above."""
    dense = [layer for layer in network.layers if layer.size]
    sizes = [network.inputs, *(layer.neurons for layer in dense)]
    height = 22 * min(MOST, max(sizes)) + 46
    places = [_column(size, 50 + 110 * i, height) for i, size in enumerate(sizes)]
    lines, marks = [], []
    for layer, left, right in zip(dense, places, places[1:], strict=True):
        largest = float(abs(layer.W).max()) or 1.0
        for j, x2, y2 in right:
            for i, x1, y1 in left:
                w = float(layer.W[j, i])
                colour = "#c0504d" if w < 0 else "#4f81bd"
                lines.append(
                    f"<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y2}' stroke='{colour}' "
                    f"stroke-opacity='{0.08 + 0.72 * abs(w) / largest:.2f}'/>"
                )
    titles = ["inputs", *(escape(layer.activation.name) for layer in dense)]
    for title, size, column in zip(titles, sizes, places, strict=True):
        x = column[0][1]
        marks.append(f"<text x='{x}' y='14' text-anchor='middle'>{title}</text>")
        marks.append(f"<text x='{x}' y='{height - 4}' text-anchor='middle'>{size}</text>")
        marks += [f"<circle cx='{x}' cy='{y}' r='7' fill='#fff' stroke='#555'/>" for _, x, y in column]
        if size > MOST:
            middle = (column[MOST // 2 - 1][2] + column[MOST // 2][2]) / 2
            marks.append(f"<text x='{x}' y='{middle + 4:.1f}' text-anchor='middle'>⋮</text>")
    width = 100 + 110 * (len(sizes) - 1)
    return (
        f"<svg width='{width}' height='{height}' viewBox='0 0 {width} {height}' xmlns='http://www.w3.org/2000/svg' "
        f"font-family='sans-serif' font-size='11' fill='#555'>{''.join(lines + marks)}</svg>"
    )


def _column(size: int, x: int, height: int) -> list[tuple[int, int, float]]:
    """(neuron, x, y) of the neurons drawn: all, or the first and the last few with a gap between."""
    shown = list(range(size)) if size <= MOST else [*range(MOST // 2), *range(size - MOST // 2, size)]
    slots = len(shown) + (size > MOST)
    top = height / 2 - 22 * (slots - 1) / 2
    return [(j, x, top + 22 * (k + (size > MOST and k >= MOST // 2))) for k, j in enumerate(shown)]
