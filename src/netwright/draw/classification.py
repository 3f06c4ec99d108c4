"""Pictures of a classification: what was taken for what, and whether probabilities keep their word."""

import math
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import FigureBase

from netwright.core.arguments import Array
from netwright.draw import words
from netwright.draw.figure import BLUE, DASHED, DRAWN, INK, NAMED, NUMBERED, ORANGE, calm
from netwright.draw.page import Panel


def classification(truth: Any, predicted: Any, classes: Any, probabilities: Any) -> tuple[str, list[Panel]]:
    """(how good guessing would be, the panels)."""
    truth, predicted = (np.asarray(labels, object).tolist() for labels in (truth, predicted))
    if classes is None:  # numbers in their order, then the rest as text
        classes = sorted({*truth, *predicted}, key=lambda c: (c if isinstance(c, int | float) else math.inf, str(c)))
    k = len(classes)
    index = {label: i for i, label in enumerate(dict.fromkeys([*classes, *truth, *predicted]))}
    names = [words.clean(f"{label:.15g}" if isinstance(label, float) else label) for label in index]
    true, guess = (np.array([index[label] for label in labels], np.intp) for labels in (truth, predicted))
    if probabilities is not None:
        probabilities = np.asarray(probabilities, float)
        if probabilities.shape != (true.size, k):
            raise ValueError(f"probabilities must be (rows, classes), {(true.size, k)}, got {probabilities.shape}")
    if not true.size:
        return "", []
    rows, said, right = (np.bincount(c, minlength=len(names)) for c in (true, guess, true[true == guess]))
    panels = [_confusion(names, true, guess)] if len(names) <= DRAWN else []
    if len(names) > NUMBERED:
        panels.append(_mistakes(names, true, guess))
    if probabilities is not None and k > 1:
        panels.append(_reliability(names, true, probabilities))
    with np.errstate(invalid="ignore"):
        measures = right / said, right / rows, 2 * right / (said + rows)
    table = [(names[c], f"{n:,}", *(words.number(share[c], ".3f") for share in measures)) for c, n in enumerate(rows)]
    note = "Precision: of rows given the class, the share that has it. Recall: of rows that have it, the share found."
    panels.append(Panel("Classes", note, header=("class", "rows", "precision", "recall", "F1"), rows=table))
    likeliest = words.short(names[rows.argmax()])
    return f"Always saying “{likeliest}” would be right in {rows.max() / true.size:.1%} of them.", panels


def _confusion(names: list[str], true: Array, guess: Array) -> Panel:
    k = len(names)
    counts = np.bincount(true * k + guess, minlength=k * k).reshape(k, k)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    numbered = k <= NUMBERED

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        depth = (shares if numbered else np.sqrt(shares))[..., None]
        colour = np.where(np.eye(k, dtype=bool)[..., None], to_rgb(BLUE), to_rgb(ORANGE))
        axes.imshow(1 - depth * (1 - colour), interpolation="none", aspect="auto" if numbered else "equal")
        if numbered:
            size = 11 if k <= 6 else 8
            for i, j in np.ndindex(k, k):
                n, share = counts[i, j], shares[i, j]
                place: Any = {"ha": "center", "color": "white" if share > 0.6 else INK if n else "#9aa2ab"}
                axes.text(j, i, f"{n:,}", va="bottom" if n else "center", size=size if n else 0.8 * size, **place)
                if n:
                    axes.text(j, i + 0.04, f"{share:.0%}", va="top", size=0.8 * size, **place)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_ticks(np.arange(k - 1) + 0.5, minor=True)
            axes.grid(which="minor", color="white", linewidth=2)
        axes.set(xticks=(), yticks=(), xlabel="predicted", ylabel="true")
        if k <= NAMED:
            tries = [[words.short(name, most) for name in names] for most in (16, 22, 30)]
            short = next((short for short in tries if len(set(short)) == k), tries[0])
            tilt = 0 if max(map(len, short)) <= 54 // k else 45 if numbered else 90
            turned: Any = {"rotation": tilt, "ha": "right", "rotation_mode": "anchor", "va": "center"} if tilt else {}
            axes.set_xticks(range(k), short, size=9 if numbered else 8, **turned)
            axes.set_yticks(range(k), short, size=9 if numbered else 8)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(not numbered)

    caption = "Rows and the share of their true class: blue is right, orange wrong."
    if not numbered:
        caption = "Blue is right, orange wrong; the darker, the larger the share of the true class."
    size = (6.0, 4.0) if k <= 6 else (7.6, 1.5 + 0.36 * k) if numbered else (7.6, 6.6)
    return Panel("Confusion matrix", caption, draw, size, wide=k > 6)


def _mistakes(names: list[str], true: Array, guess: Array) -> Panel:
    pairs, counts = np.unique(np.column_stack([true, guess])[true != guess], axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:10]
    rows = [(names[pairs[i, 0]], names[pairs[i, 1]], f"{counts[i]:,}") for i in most]
    return Panel("Most frequent mistakes", header=("true", "predicted", "rows"), rows=rows, words=2)


def _reliability(names: list[str], true: Array, probabilities: Array) -> Panel:
    """Are the probabilities to be believed: of two classes the second's, of more the likeliest's. Wilson intervals."""
    if probabilities.shape[1] == 2:
        p, hit, what = probabilities[:, 1], true == 1, f"probability of “{words.short(names[1])}”"
    else:
        p, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
        what = "probability of the predicted class"
    known = np.isfinite(p)
    p, hit = np.clip(p[known], 0, 1), hit[known]
    bins = np.minimum((p * 10).astype(int), 9)
    every = np.bincount(bins, minlength=10)
    n = every[every > 0]
    mean, share = (np.bincount(bins, values, 10)[every > 0] / n for values in (p, hit))
    gap = float(np.abs(mean - share) @ n / max(p.size, 1))
    z2 = 1.96**2 / n
    middle, half = (share + z2 / 2) / (1 + z2), np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)

    def draw(figure: FigureBase) -> None:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        axes.plot([0, 1], [0, 1], **DASHED)
        axes.vlines(mean, middle - half, middle + half, color=BLUE, alpha=0.35, linewidth=4)
        axes.plot(mean, share, "o", color=BLUE, markersize=6)
        axes.set(ylabel="share that was so", xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        below.bar(np.arange(10) / 10 + 0.05, every, width=0.092, color=BLUE, alpha=0.6)
        below.set(xlabel=what, ylabel="rows")
        calm(axes, below)

    off = words.number(gap, ".3f")
    caption = f"On the dashed line they mean what they say; the mean distance is {off}. Bars: 95% intervals."
    return Panel("Reliability of the probabilities", caption, draw)
