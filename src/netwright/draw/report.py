"""The report that a training leaves, as a page or one picture: its learning curve, its mistakes, its settings.

A report is a list of panels; the modules beside this one make some.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.style
import numpy as np

from netwright.draw import page, words
from netwright.draw.classification import classification
from netwright.draw.curves import Curves, draw_history
from netwright.draw.figure import LOOK, image, sheet, svg
from netwright.draw.guess import guesses
from netwright.draw.page import Panel, check_suffix
from netwright.draw.regression import regression
from netwright.files.atomic import write_atomically


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
    more: Iterable[Panel] = (),
    live: tuple[str, str] | None = None,
) -> None:
    """Write what a run leaves: an .html page that needs nothing else, or one picture (.pdf, .png, .svg).

    task: "classification", with class labels in `truth` and `predicted` (rows,) and perhaps `probabilities`
        (rows, classes) in the order of `classes`; or "regression", with values in both.
    scores: by name, of these rows. settings: by name, whatever `str` can say. notes: sentences.
    more: panels to stand before settings and notes. live: HTML and a script, for a page (`page.html`).
    The same input gives the same bytes. ValueError for a suffix, task or shape that is wrong; OSError, with the path.
    """
    suffix = check_suffix(path)
    if np.ndim(truth) != 1 or np.shape(truth) != np.shape(predicted):
        raise ValueError(f"truth and predicted must be (rows,) both, got {np.shape(truth)} and {np.shape(predicted)}")
    if task == "classification":
        baseline, panels = classification(truth, predicted, classes, probabilities)
    elif task == "regression":
        baseline, panels = regression(truth, predicted)
    else:
        raise ValueError(f"unknown task {task!r}; choose one of classification, regression")
    if history:
        why = words.clean(history.stopped) or "no reason given"
        caption = f"Stopped after {words.count(len(history), 'epoch')}: {why}."
        if settings.get("l2") or settings.get("dropout"):
            caption += " The cost is that of training, with its penalty and dropout; the validation cost is without."
        panels.insert(0, Panel("Learning curve", caption, lambda figure: draw_history(figure, history)))
    panels = [panel for panel in (*panels, *more, *page.tables(settings, notes)) if panel.draw or panel.rows]
    title = words.clean(title)
    lead = f"{task.capitalize()}, judged on {words.count(len(truth), 'row')}. {baseline}".strip()
    guessed = guesses(task, truth)
    cards = [(*words.meaning(name, guessed.get(name)), words.number(score)) for name, score in scores.items()]
    with matplotlib.style.context(["default", LOOK]), warnings.catch_warnings():  # whatever the user's settings are
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        if suffix == ".html":
            data = page.html(title, lead, cards, panels, svg, live).encode()
        else:
            data = image(sheet(title, lead, cards, panels), suffix)
    write_atomically(path, data)
