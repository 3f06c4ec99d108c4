"""Pictures of a training, and the report that it leaves. The only module that loads matplotlib, and only to draw.

A report is a list of panels. A page shows each as inline SVG or as a table; a picture draws them all on one sheet.
"""

import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.arguments import Array
from netwright.diagram import printable
from netwright.history import History
from netwright.persistence import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

PICTURES = (".pdf", ".png", ".svg")
REPORTS = (".html", *PICTURES)
BLUE, ORANGE, INK, GREY, LINE = "#2f6db3", "#d9722e", "#1f2328", "#57606a", "#d8dce1"
NUMBERED, NAMED, DRAWN = 12, 40, 400  # classes: cells with numbers, axes with names, a confusion matrix at all
POINTS = 2000  # of a scatter

MEANINGS = {  # name of a score: (as it is written, what it says)
    "accuracy": ("accuracy", "share of rows whose class is right"),
    "balanced_accuracy": ("balanced accuracy", "mean of the classes' recalls"),
    "auc": ("AUC", "chance that a row of the class gets a higher probability than one of another"),
    "f1": ("F1", "balance of precision and recall"),
    "brier": ("Brier score", "mean squared error of the probabilities; 0 is perfect"),
    "log_loss": ("log loss", "mean surprise at the true class; 0 is perfect"),
    "cross_entropy": ("cross entropy", "mean surprise at the true class; 0 is perfect"),
    "cost": ("cost", "mean loss over the rows; lower is better"),
    "r2": ("R²", "share of the target's variance explained; 1 is perfect, 0 no better than the mean"),
    "rmse": ("RMSE", "root of the mean squared error, in the target's units"),
    "mae": ("MAE", "mean absolute error, in the target's units"),
}


@dataclass(frozen=True)
class Panel:
    """One thing to look at: `draw` puts it on a figure of `size` inches, or `rows` are a table under `header`."""

    title: str
    caption: str = ""
    draw: Callable[["FigureBase"], Any] | None = None
    size: tuple[float, float] = (6.0, 4.0)
    header: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    words: int = 1  # the first columns are text, the others numbers
    wide: bool = False


def plot_history(history: History, path: Any = None) -> "Axes":
    """Draw cost, validation cost and scores over the epochs; write `path` (.pdf, .png, .svg) if given, atomically.

    Without a path the picture is pyplot's current figure, so that a notebook shows it and `pyplot.show()` opens it.
    ValueError when there is no epoch to draw, or for another suffix.
    """
    if not len(history):
        raise ValueError("the history is empty: there is no epoch to draw")
    import matplotlib
    from matplotlib.figure import Figure

    make: Any = Figure
    if path is None:
        from matplotlib import pyplot  # a notebook shows what pyplot made, and a bare Figure's Axes not at all

        make = pyplot.figure
    else:
        suffix = check_suffix(path, PICTURES)
    with matplotlib.rc_context({"text.parse_math": False}):
        figure = make(figsize=(7, 4.4), layout="constrained")
        axes = _draw_history(figure, history)
        if path is not None:
            write_atomically(path, _image(figure, suffix))
    return axes


def write_report(
    path: Any,
    *,
    title: str,
    task: str,
    history: History | None,
    scores: Mapping[str, float],
    settings: Mapping[str, Any],
    truth: Any,
    predicted: Any,
    classes: Sequence[Any] | None = None,
    probabilities: Any = None,
    notes: Iterable[str] = (),
) -> None:
    """Write what a run leaves: an .html page that needs nothing else, or one picture (.pdf, .png, .svg).

    task: "classification", with class labels in `truth` and `predicted` (rows,) and perhaps `probabilities`
        (rows, classes) in the order of `classes`; or "regression", with values in both.
    scores: by name, of these rows. settings: by name, whatever `str` can say. notes: sentences.
    The same input gives the same bytes. ValueError for a suffix, task or shape that is wrong; OSError, with the path.
    """
    suffix = check_suffix(path, REPORTS)
    if np.ndim(truth) != 1 or np.shape(truth) != np.shape(predicted):
        raise ValueError(f"truth and predicted must be (rows,) both, got {np.shape(truth)} and {np.shape(predicted)}")
    panels = []
    if history is not None and len(history):
        caption = f"Stopped after {_count(len(history), 'epoch')}: {_clean(history.stopped) or 'no reason given'}."
        panels.append(Panel("Learning curve", caption, lambda figure: _draw_history(figure, history)))
    if task == "classification":
        baseline, found = _classification(_labels(truth), _labels(predicted), classes, probabilities)
    elif task == "regression":
        baseline, found = _regression(truth, predicted)
    else:
        raise ValueError(f"unknown task {task!r}; choose one of classification, regression")
    panels += found
    panels.append(Panel("Settings", rows=[(_name(name), _value(value)) for name, value in settings.items()], words=2))
    panels.append(Panel("Notes", rows=[(_clean(note),) for note in notes], wide=True))
    panels = [panel for panel in panels if panel.draw or panel.rows]
    lead = f"{task.capitalize()}, judged on {_count(len(truth), 'row')}. {baseline}".strip()
    cards = [(*_meaning(name), _number(score)) for name, score in scores.items()]
    with _style():
        if suffix == ".html":
            data = _page(_clean(title), lead, cards, panels).encode()
        else:
            data = _image(_sheet(_clean(title), lead, cards, panels), suffix)
    write_atomically(path, data)


def check_suffix(path: Any, suffixes: tuple[str, ...] = REPORTS) -> str:
    """The path's suffix; ValueError names those there are when it is none of them."""
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise ValueError(f"cannot write {path}: its suffix must be one of {', '.join(suffixes)}, got {suffix!r}")
    return suffix


# ── the learning curve ───────────────────────────────────────────────────────────────────────────────────────────────


def _draw_history(figure: "FigureBase", history: History) -> "Axes":
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    scores = _legible({name: _drawable(values) for name, values in history.validation_scores.items()})
    panels = figure.subplots(1 + bool(scores), 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + bool(scores)])
    axes: Axes = panels[0, 0]
    curves = {"cost": _drawable(history.cost), "validation cost": _drawable(history.validation_cost)}
    for (name, values), colour in zip(curves.items(), (BLUE, ORANGE), strict=True):
        lost = int(np.isnan(values).sum())
        if values.size:
            _curve(axes, values, f"{name} ({lost:,} not finite)" if lost else name, colour)
    seen = np.concatenate(list(curves.values()))
    low, high = (np.nanmin(seen), np.nanmax(seen)) if np.isfinite(seen).any() else (0, 0)
    if 0 < 20 * low < high:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("cost")

    if scores:
        below: Axes = panels[1, 0]
        for (name, values), colour in zip(scores.items(), ("#3d8b5f", "#7b5aa6", "#b0446c", "#8a7a2f"), strict=False):
            _curve(below, values, name, colour)
        seen = np.concatenate(list(scores.values()))
        if "R²" in scores and np.nanmin(seen) < -0.5 < np.nanmax(seen):  # it may start at any depth
            below.set_ylim(-0.5, float(np.nanmax(seen)) + 0.05)
        below.set_ylabel(next(iter(scores)) if len(scores) == 1 else "scores")
        if len(scores) > 1:
            below.legend(loc="lower right", ncols=len(scores), frameon=False)

    best = history.best_epoch
    if best and best <= len(history.validation_cost):
        label = f"best: {_number(history.validation_cost[best - 1])} in epoch {best:,}"
        height = curves["validation cost"][best - 1]
        axes.plot([best], [height], "o", color=ORANGE, markerfacecolor="none", markersize=8, label=label)
    for panel in panels[:, 0]:
        if best:
            panel.axvline(best, color=ORANGE, linewidth=0.8, linestyle=":")
        panel.margins(x=0.02)
        _calm(panel)
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0, "borderpad": 0.2}
    axes.legend(**above, ncols=3, frameon=False, fontsize=9, handlelength=1.6, columnspacing=1.4)
    panels[-1, 0].set_xlabel("epoch")
    panels[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if len(history) == 1:
        panels[-1, 0].set_xlim(0, 2)
    return axes


def _curve(axes: "Axes", values: Array, name: str, colour: str) -> None:
    alone = np.isfinite(values).sum() < 3  # a line would not show
    axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.6, marker="o" if alone else "", label=name)


def _legible(scores: dict[str, Array]) -> dict[str, Array]:
    """The scores, four at most, that can share an axis with the first; none when there is no course to see."""
    kept: dict[str, Array] = {}
    for name, values in scores.items():
        if np.isfinite(values).sum() < 2 or len(kept) == 4:
            continue
        top = float(np.nanmax(np.abs(values)))
        first = float(np.nanmax(np.abs(next(iter(kept.values()), values))))
        if first <= 10 * top <= 100 * first:
            kept[_meaning(name)[0]] = values
    return kept


# ── classification ───────────────────────────────────────────────────────────────────────────────────────────────────


def _classification(
    truth: list[Any], predicted: list[Any], classes: Sequence[Any] | None, probabilities: Any
) -> tuple[str, list[Panel]]:
    """(how good guessing would be, the panels)."""
    labels = _in_order({*truth, *predicted}) if classes is None else list(classes)
    k = len(labels)
    index = {label: i for i, label in enumerate(dict.fromkeys([*labels, *truth, *predicted]))}
    names = [_clean(f"{label:.15g}" if isinstance(label, float) else label) for label in index]
    true = np.array([index[label] for label in truth], np.intp)
    guess = np.array([index[label] for label in predicted], np.intp)
    if probabilities is not None:
        probabilities = np.asarray(probabilities, float)
        if probabilities.shape != (true.size, k):
            raise ValueError(f"probabilities must be (rows, classes), {(true.size, k)}, got {probabilities.shape}")
    if not true.size:
        return "", []
    rows = np.bincount(true, minlength=len(names))
    said = np.bincount(guess, minlength=len(names))
    right = np.bincount(true[true == guess], minlength=len(names))
    baseline = f"Always saying “{_short(names[rows.argmax()])}” would be right in {rows.max() / true.size:.1%} of them."
    panels = []
    if len(names) <= DRAWN:
        panels.append(_confusion(names, true, guess))
    if len(names) > NUMBERED:
        panels.append(_mistakes(names, true, guess))
    if probabilities is not None and k > 1:
        panels.append(_reliability(names, true, probabilities))
    with np.errstate(invalid="ignore"):
        measures = np.column_stack([right / said, right / rows, 2 * right / (said + rows)])
    table = [
        (name, f"{n:,}", *(_share(value) for value in values))
        for name, n, values in zip(names, rows, measures, strict=True)
    ]
    caption = (
        "Precision: of the rows given the class, the share that has it. Recall: of those that have it, the share found."
    )
    panels.append(Panel("Classes", caption, header=("class", "rows", "precision", "recall", "F1"), rows=table))
    return baseline, panels


def _labels(labels: Any) -> list[Any]:
    return labels.tolist() if isinstance(labels, np.ndarray) else list(labels)


def _in_order(labels: set[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:  # numbers and text
        return sorted(labels, key=str)


def _confusion(names: list[str], true: Array, guess: Array) -> Panel:
    k = len(names)
    counts = np.bincount(true * k + guess, minlength=k * k).reshape(k, k)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    numbered = k <= NUMBERED

    def draw(figure: "FigureBase") -> None:
        from matplotlib.colors import to_rgb

        axes = figure.subplots()
        depth = (shares if numbered else np.sqrt(shares))[..., None]
        colour = np.where(np.eye(k, dtype=bool)[..., None], to_rgb(BLUE), to_rgb(ORANGE))
        axes.imshow(1 - depth * (1 - colour), interpolation="none", aspect="auto" if numbered else "equal")
        if numbered:
            for i, j in np.ndindex(k, k):
                ink = "white" if shares[i, j] > 0.6 else INK if counts[i, j] else "#9aa2ab"
                place: dict[str, Any] = {"ha": "center", "color": ink}
                size = 11 if k <= 6 else 8
                if counts[i, j]:
                    axes.text(j, i, f"{counts[i, j]:,}", va="bottom", size=size, **place)
                    axes.text(j, i + 0.04, f"{shares[i, j]:.0%}", va="top", size=0.8 * size, **place)
                else:
                    axes.text(j, i, "0", va="center", size=0.8 * size, **place)
            axes.set_xticks(np.arange(k - 1) + 0.5, minor=True)
            axes.set_yticks(np.arange(k - 1) + 0.5, minor=True)
            axes.grid(which="minor", color="white", linewidth=2)
        if k <= NAMED:
            tries = [[_short(name, most) for name in names] for most in (16, 22, 30)]
            short = next((short for short in tries if len(set(short)) == k), tries[0])
            tilt = 0 if max(map(len, short)) <= 54 // k else 45 if numbered else 90
            turned: Any = {"rotation": tilt, "ha": "right", "rotation_mode": "anchor", "va": "center"} if tilt else {}
            axes.set_xticks(range(k), short, size=9 if numbered else 8, **turned)
            axes.set_yticks(range(k), short, size=9 if numbered else 8)
        else:
            axes.set(xticks=(), yticks=())
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(not numbered)
        axes.set(xlabel="predicted", ylabel="true")

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
        p, hit, what = probabilities[:, 1], true == 1, f"probability of “{_short(names[1])}”"
    else:
        p, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
        what = "probability of the predicted class"
    known = np.isfinite(p)
    p, hit = np.clip(p[known], 0, 1), hit[known]
    bins = np.minimum((p * 10).astype(int), 9)
    n = np.bincount(bins, minlength=10)
    used = n > 0
    mean = np.bincount(bins, p, 10)[used] / n[used]
    share = np.bincount(bins, hit, 10)[used] / n[used]
    gap = float(np.abs(mean - share) @ n[used] / max(p.size, 1))

    def draw(figure: "FigureBase") -> None:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        z2 = 1.96**2 / n[used]
        middle = (share + z2 / 2) / (1 + z2)
        half = np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
        axes.vlines(mean, middle - half, middle + half, color=BLUE, alpha=0.35, linewidth=4)
        axes.plot(mean, share, "o", color=BLUE, markersize=6)
        axes.set(ylabel="share that was so", xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        below.bar(np.arange(10) / 10 + 0.05, n, width=0.092, color=BLUE, alpha=0.6)
        below.set(xlabel=what, ylabel="rows")
        for part in (axes, below):
            _calm(part)

    caption = f"On the dashed line they mean what they say; the mean distance is {_share(gap)}. Bars: 95% intervals."
    return Panel("Reliability of the probabilities", caption, draw)


# ── regression ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _regression(truth: Array, predicted: Array) -> tuple[str, list[Panel]]:
    """(how good guessing would be, the panels)."""
    true, guess = _drawable(truth), _drawable(predicted)
    known = ~np.isnan(true + guess)
    true, guess = true[known], guess[known]
    if not true.size:
        return "", []
    lost = f" {np.sum(~known):,} rows without a finite value are left out." if not known.all() else ""
    residual = guess - true
    baseline = f"Always saying their mean, {_number(true.mean())}, would have an RMSE of {_number(true.std())}."
    low, high, beyond = _limits(np.concatenate([true, guess]))
    left, right, off = _limits(residual)
    some = np.arange(true.size)
    if true.size > POINTS:
        some = np.sort(np.random.default_rng(0).choice(true.size, POINTS, replace=False))

    def scatter(figure: "FigureBase") -> None:
        axes = figure.subplots()
        alpha = float(np.clip(6 / math.sqrt(some.size), 0.15, 0.7))
        axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle="--")
        axes.plot(true[some], guess[some], "o", color=BLUE, markersize=4.5, markeredgewidth=0, alpha=alpha)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="true", ylabel="predicted")
        _calm(axes)

    def histogram(figure: "FigureBase") -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        bins = int(np.clip(math.sqrt(true.size) * 1.5, 5, 50))
        axes.hist(residual, bins=bins, range=(left, right), color=BLUE, alpha=0.75, edgecolor="white", linewidth=0.5)
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
        axes.set(xlabel="predicted − true", ylabel="rows")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        _calm(axes)

    shown = f"{POINTS:,} of {true.size:,} rows, drawn at random. " if true.size > POINTS else ""
    outside = f" {beyond:,} values lie outside." if beyond else ""
    five, middle, ninety_five = (_number(value) for value in np.quantile(residual, (0.05, 0.5, 0.95)))
    spread = f"Nine of ten lie between {five} and {ninety_five}; the median is {middle}."
    tails = f" {off:,} rows lie outside." if off else ""
    return baseline, [
        Panel("Predicted against true", f"{shown}On the dashed line they are equal.{outside}{lost}", scatter),
        Panel("Residuals", spread + tails, histogram),
    ]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────

STYLE = """
:root { color-scheme: light }
body { max-width: 1120px; margin: 0 auto; padding: 36px 24px 64px; background: #fff; color: #1f2328;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif }
h1 { font-size: 27px; line-height: 1.25; font-weight: 600; margin: 0 0 4px }
h2 { font-size: 16px; font-weight: 600; margin: 0 }
h1, p, .text { overflow-wrap: anywhere }
h1 + p { max-width: none }
p { color: #57606a; margin: 2px 0 10px; max-width: 78ch }
dl { display: flex; flex-wrap: wrap; gap: 20px 44px; margin: 22px 0 34px; padding: 18px 0;
  border: solid #d8dce1; border-width: 1px 0 }
dl div { display: flex; flex-direction: column; max-width: 250px }
dt { font-weight: 600 }
dd { margin: 0; color: #57606a; font-size: 13px; line-height: 1.4 }
dd.number { order: -1; color: #1f2328; font-size: 30px; font-weight: 600; line-height: 1.2 }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 38px 48px;
  grid-auto-flow: dense }
section { min-width: 0 }
section.wide { grid-column: 1 / -1 }
svg { display: block; width: 100%; max-width: 620px; height: auto }
.wide svg { max-width: 840px }
svg text { font-family: inherit !important }
table { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 14px }
th, td { padding: 4px 0 4px 16px; border-bottom: 1px solid #e8ebee; text-align: right; vertical-align: top }
th { color: #57606a; font-weight: 500 }
th:first-child, td:first-child { padding-left: 0 }
.text { text-align: left }
.text:nth-last-child(2) { min-width: 9em }
td, dd.number { font-variant-numeric: tabular-nums }
summary { cursor: pointer; margin-top: 8px }
@media print { body { padding: 0; max-width: none; font-size: 12px } section, dl { break-inside: avoid }
  main { grid-template-columns: 1fr 1fr; gap: 20px 28px } section.long { break-inside: auto } }
"""


def _page(title: str, lead: str, cards: list[tuple[str, str, str]], panels: list[Panel]) -> str:
    """One page of HTML that is well-formed XML too, and by its policy loads nothing and runs nothing."""
    heads = "".join(
        f'<div><dt>{escape(name)}</dt><dd class="number">{number}</dd><dd>{escape(meaning)}</dd></div>\n'
        for name, meaning, number in cards
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/><title>{escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="{policy}"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<style>{STYLE}</style></head>
<body><h1>{escape(title)}</h1>
<p>{escape(lead)}</p>
{f"<dl>{heads}</dl>" if heads else ""}
<main>
{"".join(_section(panel, place) for place, panel in enumerate(panels))}</main></body></html>
"""


def _section(panel: Panel, place: int) -> str:
    kind = "wide" if panel.wide else "long" if len(panel.rows) > 20 else "plain"
    caption = f"<p>{escape(panel.caption)}</p>" if panel.caption else ""
    body = _svg(panel, f"p{place}-") if panel.draw else _table(panel)
    return f'<section class="{kind}"><h2>{escape(panel.title)}</h2>{caption}{body}</section>\n'


def _svg(panel: Panel, prefix: str) -> str:
    """The panel as an SVG element, whose ids begin with `prefix`, since all pictures of a page share them."""
    from matplotlib.figure import Figure

    assert panel.draw
    figure = Figure(figsize=panel.size, layout="constrained")
    panel.draw(figure)
    drawn = _image(figure, ".svg", prefix).decode()
    return drawn[drawn.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(panel.title)}"', 1)


def _table(panel: Panel) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        left = ' class="text"'
        return "".join(f"<{tag}{left * (j < panel.words)}>{escape(cell)}</{tag}>" for j, cell in enumerate(cells))

    head = f"<thead><tr>{row(panel.header, 'th')}</tr></thead>\n" if panel.header else ""
    rows = "".join(f"<tr>{row(cells, 'td')}</tr>\n" for cells in panel.rows)
    table = f"<table>{head}<tbody>\n{rows}</tbody></table>"
    if len(panel.rows) > NAMED:
        return f"<details><summary>All {len(panel.rows):,}</summary>{table}</details>"
    return table


# ── one sheet ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sheet(title: str, lead: str, cards: list[tuple[str, str, str]], panels: list[Panel]) -> "Figure":
    """All panels on one figure, two a row, tables as far as they fit."""
    from matplotlib.figure import Figure

    high = -(-len(panels) // 2)
    figure = Figure(figsize=(13, 1.5 + 4.8 * high), layout="constrained")
    # Without frames: their corners are 0 or -0 by the whim of rounding, and the bytes would differ.
    parts: Any = figure.subfigures(1 + high, 2, height_ratios=[1.5] + [4.8] * high, squeeze=False, frameon=False)
    words: dict[str, Any] = {"x": 0.03, "ha": "left"}
    parts[0, 0].text(y=0.72, s=_short(title, 80), size=19, weight="bold", **words)
    parts[0, 0].text(y=0.46, s=_short(lead, 150), size=10.5, color=GREY, **words)
    parts[0, 0].text(y=0.14, s="     ".join(f"{name} {number}" for name, _, number in cards[:6]), size=15, **words)
    for panel, part in zip(panels, parts[1:].flat, strict=False):
        part.suptitle(panel.title, x=0.03, ha="left", size=12, weight="bold")
        part.get_layout_engine().set(w_pad=0.25, h_pad=0.12)
        if panel.draw:
            panel.draw(part)
        else:
            _draw_rows(part, panel)
    return figure


def _draw_rows(figure: "FigureBase", panel: Panel, most: int = 15) -> None:
    """The table as text, as many of its rows as fit."""
    axes = figure.subplots()
    axes.set_axis_off()
    rows = [*([panel.header] if panel.header else []), *panel.rows]
    if len(rows) > most:
        rows = [*rows[: most - 1], (f"… and {len(rows) - most + 1:,} more",)]
    columns = max(map(len, rows))
    for i, row in enumerate(rows):
        colour = GREY if panel.header and i == 0 else INK
        for j, cell in enumerate(row):
            x, align = (0.38 * j, "left") if j < panel.words else (1 - 0.14 * (columns - 1 - j), "right")
            text = _short(cell, 100 if columns == 1 else 46 if columns == 2 else 28)
            axes.text(x, 1 - (i + 0.5) / most, text, ha=align, color=colour)


@contextmanager
def _style() -> Iterator[None]:
    """Our look, whatever the user's settings are; a letter that the font lacks is no reason to warn."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        look: Any = {"svg.fonttype": "none", "text.parse_math": False, "axes.edgecolor": LINE}
        look |= {"text.color": INK, "axes.labelcolor": INK, "xtick.color": GREY, "ytick.color": GREY}
        matplotlib.rcParams.update(look)
        yield


def _calm(axes: "Axes") -> None:
    """Light lines, and every number in full: no power of ten or offset beside the axis."""
    from matplotlib.ticker import FuncFormatter

    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="gray", alpha=0.18, linewidth=0.8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−", 1)))


def _image(figure: "Figure", suffix: str, prefix: str = "d") -> bytes:
    """The figure in that format; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    undated = {".svg": ("Date", "Creator", "Format", "Type"), ".pdf": ("CreationDate",), ".png": ()}[suffix]
    figure.savefig(buffer, format=suffix[1:], dpi=144, metadata=dict.fromkeys(undated))
    if suffix != ".svg":
        return buffer.getvalue()
    # matplotlib's ids are hashes of coordinates, whose last bit may differ from run to run: ours are counted.
    ids: dict[str, str] = {}

    def counted(link: re.Match[str]) -> str:
        return link[1] + ids.setdefault(link[2], f"{prefix}{len(ids)}")

    def tag(found: re.Match[str]) -> str:
        return re.sub(r'( id="|url\(#|href="#)([^")]+)', counted, found[0])

    return re.sub(r"<[^<>]*>", tag, buffer.getvalue().decode()).encode()


# ── numbers and words ────────────────────────────────────────────────────────────────────────────────────────────────


def _drawable(values: Any) -> Array:
    """As floats, with NaN for what no axis can hold."""
    values = np.asarray(values, float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) < 1e100, values, np.nan)


def _limits(values: Array) -> tuple[float, float, int]:
    """(low, high, how many lie outside) of an axis: all, unless a few lie so far off that the rest would be a dot."""
    values = values[~np.isnan(values)]
    low, high = float(values.min()), float(values.max())
    inner = np.quantile(values, (0.05, 0.95))
    width = float(inner[1] - inner[0])
    if 0 < 5 * width < high - low:
        low, high = max(low, float(inner[0]) - width), min(high, float(inner[1]) + width)
    flat = high - low <= 1e-9 * max(abs(low), abs(high))  # but for rounding
    margin = (0.1 * abs(low) or 1.0) if flat else 0.04 * (high - low)
    low, high = low - margin, high + margin
    return low, high, int(np.sum((values < low) | (values > high)))


def _number(value: Any) -> str:
    """Four digits that matter; – for NaN."""
    value = float(value)
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    size = abs(value)
    text = f"{value:,.0f}" if 1000 <= size < 1e9 else f"{value:#.4g}" if 1e-4 <= size < 1000 else f"{value:.4g}"
    text = text.rstrip(".")
    return text.replace("-", "−", 1) if value < 0 else text


def _share(value: float) -> str:
    return f"{value:.3f}".replace("nan", "–")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _value(value: Any) -> str:
    """A setting as a person writes it."""
    if value is None or isinstance(value, bool):
        return "–" if value is None else "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(_value(v) if name == "name" else f"{_name(name)} {_value(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "–"
    return _clean(value)


def _meaning(score: str) -> tuple[str, str]:
    return MEANINGS.get(str(score).lower().replace(" ", "_"), (_name(score), ""))


def _name(name: Any) -> str:
    return _clean(name).replace("_", " ")


def _clean(text: Any) -> str:
    """On one line, and nothing that XML or a font would stumble over."""
    return " ".join(printable(text).split())


def _short(text: str, most: int = 22) -> str:
    """The beginning and the end, where names differ."""
    return text if len(text) <= most else f"{text[: most - 8]}…{text[-7:]}"
