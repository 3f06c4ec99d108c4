"""The report that a training leaves, as a page or one picture: its learning curve, its mistakes, its settings.

A report is a list of panels; each function below makes some. The only module that loads matplotlib.
"""

import io
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from netwright.core.arguments import Array
from netwright.draw import page
from netwright.draw.page import PICTURES, Panel, check_suffix
from netwright.files.atomic import write_atomically

BLUE, ORANGE, INK, GREY, LINE = "#2f6db3", "#d9722e", "#1f2328", "#57606a", "#d8dce1"
SCORES = ("#3d8b5f", "#7b5aa6", "#b0446c", "#8a7a2f")  # a colour each: no more are drawn
NUMBERED, NAMED, DRAWN = 12, 40, 400  # classes: cells with numbers, axes with names, a confusion matrix at all
POINTS = 2000  # of a scatter

PLAIN: Any = {"text.parse_math": False}  # a $ is a dollar
LOOK = PLAIN | {"svg.fonttype": "none", "axes.edgecolor": LINE, "text.color": INK, "axes.labelcolor": INK}
LOOK |= {"xtick.color": GREY, "ytick.color": GREY}
WHOLE: Any = {"integer": True, "steps": [1, 2, 5, 10]}  # ticks
DASHED: Any = {"color": GREY, "linewidth": 0.8, "linestyle": "--"}


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

            return _draw_history(pyplot.figure(figsize=(7, 4.4), layout="constrained"), history)
        axes = _draw_history(figure := Figure(figsize=(7, 4.4), layout="constrained"), history)
        write_atomically(path, _image(figure, suffix))
        return axes


def write_report(
    path: Any,
    *,
    title: str,
    task: str,
    history: Curves | None,
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
    suffix = check_suffix(path)
    if np.ndim(truth) != 1 or np.shape(truth) != np.shape(predicted):
        raise ValueError(f"truth and predicted must be (rows,) both, got {np.shape(truth)} and {np.shape(predicted)}")
    if task == "classification":
        baseline, panels = _classification(truth, predicted, classes, probabilities)
    elif task == "regression":
        baseline, panels = _regression(truth, predicted)
    else:
        raise ValueError(f"unknown task {task!r}; choose one of classification, regression")
    if history:
        why = page.clean(history.stopped) or "no reason given"
        caption = f"Stopped after {page.count(len(history), 'epoch')}: {why}."
        if settings.get("l2") or settings.get("dropout"):
            caption += " The cost is that of training, with its penalty and dropout; the validation cost is without."
        panels.insert(0, Panel("Learning curve", caption, lambda figure: _draw_history(figure, history)))
    panels = [panel for panel in (*panels, *page.tables(settings, notes)) if panel.draw or panel.rows]
    title = page.clean(title)
    lead = f"{task.capitalize()}, judged on {page.count(len(truth), 'row')}. {baseline}".strip()
    cards = [(*page.meaning(name), page.number(score)) for name, score in scores.items()]
    with matplotlib.style.context(["default", LOOK]), warnings.catch_warnings():  # whatever the user's settings are
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        if suffix == ".html":
            data = page.html(title, lead, cards, panels, _svg).encode()
        else:
            data = _image(_sheet(title, lead, cards, panels), suffix)
    write_atomically(path, data)


# ── the learning curve ───────────────────────────────────────────────────────────────────────────────────────────────


def _draw_history(figure: FigureBase, history: Curves) -> Axes:
    costs = {"cost": _drawable(history.cost), "validation cost": _drawable(history.validation_cost)}
    scores = _legible({name: _drawable(values) for name, values in history.validation_scores.items()})
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
        label = f"best: {page.number(history.validation_cost[best - 1])} in epoch {best:,}"
        ring: Any = {"color": ORANGE, "markerfacecolor": "none", "markersize": 8}
        axes.plot([best], costs["validation cost"][[best - 1]], "o", label=label, **ring)
    for part in parts:
        if best:
            part.axvline(best, color=ORANGE, linewidth=0.8, linestyle=":")
        part.margins(x=0.02)
    _calm(*parts)
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
            kept[page.meaning(name)[0]] = values
    return kept


# ── classification ───────────────────────────────────────────────────────────────────────────────────────────────────


def _classification(truth: Any, predicted: Any, classes: Any, probabilities: Any) -> tuple[str, list[Panel]]:
    """(how good guessing would be, the panels)."""
    truth, predicted = (np.asarray(labels, object).tolist() for labels in (truth, predicted))
    if classes is None:  # numbers in their order, then the rest as text
        classes = sorted({*truth, *predicted}, key=lambda c: (c if isinstance(c, int | float) else math.inf, str(c)))
    k = len(classes)
    index = {label: i for i, label in enumerate(dict.fromkeys([*classes, *truth, *predicted]))}
    names = [page.clean(f"{label:.15g}" if isinstance(label, float) else label) for label in index]
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
    table = [(names[c], f"{n:,}", *(page.number(share[c], ".3f") for share in measures)) for c, n in enumerate(rows)]
    note = "Precision: of rows given the class, the share that has it. Recall: of rows that have it, the share found."
    panels.append(Panel("Classes", note, header=("class", "rows", "precision", "recall", "F1"), rows=table))
    likeliest = page.short(names[rows.argmax()])
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
            tries = [[page.short(name, most) for name in names] for most in (16, 22, 30)]
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
        p, hit, what = probabilities[:, 1], true == 1, f"probability of “{page.short(names[1])}”"
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
        _calm(axes, below)

    off = page.number(gap, ".3f")
    caption = f"On the dashed line they mean what they say; the mean distance is {off}. Bars: 95% intervals."
    return Panel("Reliability of the probabilities", caption, draw)


# ── regression ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _regression(truth: Any, predicted: Any) -> tuple[str, list[Panel]]:
    """(how good guessing would be, the panels)."""
    both = np.array([_drawable(truth), _drawable(predicted)])
    known = ~np.isnan(both).any(axis=0)
    true, guess = both[:, known]
    if not true.size:
        return "", []
    residual = guess - true
    low, high, beyond = _limits(both[:, known])
    left, right, off = _limits(residual)
    some = np.arange(true.size)
    if true.size > POINTS:
        some = np.sort(np.random.default_rng(0).choice(true.size, POINTS, replace=False))

    def scatter(figure: FigureBase) -> None:
        axes = figure.subplots()
        alpha = float(np.clip(6 / math.sqrt(some.size), 0.15, 0.7))
        axes.plot([low, high], [low, high], **DASHED)
        axes.plot(true[some], guess[some], "o", color=BLUE, markersize=4.5, markeredgewidth=0, alpha=alpha)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="true", ylabel="predicted")
        _calm(axes)

    def histogram(figure: FigureBase) -> None:
        axes = figure.subplots()
        bins = int(np.clip(math.sqrt(true.size) * 1.5, 5, 50))
        axes.hist(residual, bins=bins, range=(left, right), color=BLUE, alpha=0.75, edgecolor="white", linewidth=0.5)
        axes.axvline(0, **DASHED)
        axes.set(xlabel="predicted − true", ylabel="rows")
        axes.yaxis.set_major_locator(MaxNLocator(**WHOLE))
        _calm(axes)

    shown = f"{POINTS:,} of {true.size:,} rows, drawn at random. " if true.size > POINTS else ""
    shown += "On the dashed line they are equal."
    shown += f" {beyond:,} values lie outside." if beyond else ""
    shown += "" if known.all() else f" {np.sum(~known):,} rows without a finite value are left out."
    five, middle, ninety_five = map(page.number, np.quantile(residual, (0.05, 0.5, 0.95)))
    spread = f"Nine of ten lie between {five} and {ninety_five}; the median is {middle}."
    spread += f" {off:,} rows lie outside." if off else ""
    baseline = f"Always saying their mean, {page.number(true.mean())}, would have an RMSE of {page.number(true.std())}."
    return baseline, [Panel("Predicted against true", shown, scatter), Panel("Residuals", spread, histogram)]


def _drawable(values: Any) -> Array:
    """As floats, with NaN for what no axis can hold."""
    values = np.asarray(values, float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) < 1e100, values, np.nan)


def _limits(values: Array) -> tuple[float, float, int]:
    """(low, high, how many lie outside) of an axis: all, unless a few lie so far off that the rest would be a dot."""
    low, five, ninety_five, high = map(float, np.quantile(values, (0, 0.05, 0.95, 1)))
    width = ninety_five - five
    if 0 < 5 * width < high - low:
        low, high = max(low, five - width), min(high, ninety_five + width)
    flat = high - low <= 1e-9 * max(abs(low), abs(high))  # but for rounding
    margin = (0.1 * abs(low) or 1.0) if flat else 0.04 * (high - low)
    low, high = low - margin, high + margin
    return low, high, int(np.sum((values < low) | (values > high)))


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _calm(*every: Axes) -> None:
    """Light lines, and every number in full: no power of ten or offset beside the axis."""
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="gray", alpha=0.18, linewidth=0.8)
        axes.set_axisbelow(True)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−", 1)))


def _svg(panel: Panel, prefix: str) -> str:
    """The panel as an SVG element, whose ids begin with `prefix`, since all pictures of a page share them."""
    assert panel.draw
    panel.draw(figure := Figure(figsize=panel.size, layout="constrained"))
    drawn = _image(figure, ".svg", prefix).decode()
    return drawn[drawn.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{panel.title}"', 1)


def _sheet(title: str, lead: str, cards: list[tuple[str, str, str]], panels: list[Panel]) -> Figure:
    """All panels on one figure, two a row, tables as far as they fit."""
    high = -(-len(panels) // 2)
    figure = Figure(figsize=(13, 1.5 + 4.8 * high), layout="constrained")
    # Without frames: their corners are 0 or -0 by the whim of rounding, and the bytes would differ.
    parts: Any = figure.subfigures(1 + high, 2, height_ratios=[1.5] + [4.8] * high, squeeze=False, frameon=False)
    head = parts[0, 0]
    head.text(0.03, 0.72, page.short(title, 80), size=19, weight="bold")
    head.text(0.03, 0.46, page.short(lead, 150), size=10.5, color=GREY)
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
            text = page.short(cell, {1: 100, 2: 46}.get(columns, 28))
            axes.text(x, 1 - (i + 0.5) / most, text, ha=side, color=GREY if panel.header and i == 0 else INK)


def _image(figure: Figure, suffix: str, prefix: str = "d") -> bytes:
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
