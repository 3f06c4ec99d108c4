"""What a person sees while a network learns: a live line in a terminal, plain lines elsewhere, and the cost curve.

All of it goes to stderr; stdout is for results.
"""

import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import click

from netwright.cli.screen import echo
from netwright.training.history import History

log = logging.getLogger("netwright")


class Progress:
    """A training callback that shows how far it is. A context manager, since the live line must be taken down again.

    In a terminal one line that moves; elsewhere a few lines, closer to each other at first; nothing when `silent`.
    """

    def __init__(self, silent: bool = False):
        self.silent = silent
        self.epochs, self.max_seconds = 1, math.inf
        self.live: Any = None
        self.started = 0.0  # when learning began
        self.began: tuple[int, float] | None = None  # epochs and seconds that were done when it first looked
        self.told, self.tenths = 0, 0

    def begin(self, epochs: int | None, max_seconds: float | None) -> None:
        """What the share done and the time left are told from; the live line appears."""
        self.epochs, self.max_seconds, self.started = epochs or 1, max_seconds or math.inf, time.perf_counter()
        if self.live is not None:
            self.live.start()

    def __enter__(self) -> "Progress":
        if not self.silent and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Live
            from rich.table import Column

            text = TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True))
            console = Console(stderr=True, highlight=False)
            bar = BarColumn(max(4, min(40, console.width - 72)))
            self.live = Live(bar, text, console=console, transient=True, refresh_per_second=8)
            self.task = self.live.add_task("", total=1.0, text="learning …")
        if self.silent:  # that something was compiled, say
            log.disabled = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()
        log.disabled = False

    def tell(self, words: str, share: float) -> None:
        """How far a mixture is."""
        seconds = time.perf_counter() - self.started
        if self.live is not None:
            left = min(seconds / share - seconds, self.max_seconds - seconds)
            self.live.update(self.task, completed=share, text=f"{words}  about {duration(max(left, 0))} left")
        elif not self.silent:
            echo(f"{words}  {seconds:.1f} s", err=True)

    def __call__(self, network: Any, history: History) -> None:
        if self.silent:
            return
        done, seconds = len(history), history.seconds[-1]
        self.began = self.began or (done - 1, history.seconds[-2] if done > 1 else 0.0)
        part = max(done / self.epochs, seconds / self.max_seconds)
        if self.live is not None:
            self.live.update(self.task, completed=part, text=f"{self.line(history)}  {self.left(history)}")
        elif done >= 1.6 * self.told or int(10 * part) > self.tenths or history.stopped:
            self.told, self.tenths = done, int(10 * part)
            echo(f"{self.line(history)}  {seconds:.1f} s", err=True)

    def line(self, history: History) -> str:
        """`epoch 12/200  cost 0.1234  validation cost 0.2345  accuracy 0.957`, each in a place of fixed width."""
        parts = [f"epoch {len(history):{len(str(self.epochs))}}/{self.epochs}", f"cost {number(history.cost[-1])}"]
        if history.validation_cost:
            parts.append(f"held out {number(history.validation_cost[-1])}")
        parts += [f"{name} {number(values[-1])}" for name, values in history.validation_scores.items()]
        return "  ".join(parts)

    def left(self, history: History) -> str:
        """The time that training takes at most: early stopping may end it sooner."""
        epochs, seconds = self.began or (0, 0.0)
        done, now = len(history), history.seconds[-1]
        left = min((self.epochs - done) * (now - seconds) / (done - epochs), self.max_seconds - now)
        return f"≤ {duration(max(left, 0))} left"


def number(value: float) -> str:
    """Four significant digits in at most nine characters, so that a live line does not jump."""
    text = f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 100 else f"{value:.4g}"
    return f"{text:<7}"


def duration(seconds: float) -> str:
    """`7 s`, `2:05`, `1:02:05`."""
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def curve(costs: Mapping[str, Sequence[float]], *, height: int = 14) -> str:
    """Costs over the epochs as a picture of characters, as wide as the terminal (at most 100), in colour if it has any.

    The axis is logarithmic when the costs span more than two powers of ten.
    """
    import plotext

    colours = colourful()
    figure = plotext.figure
    figure.clear()
    figure.theme("simple")
    figure.plot_size(min(shutil.get_terminal_size().columns, 100), height)
    figure.legend(False)
    finite = [value for values in costs.values() for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    logarithmic = 0 < 100 * low < high
    place, value_at = (math.log, math.exp) if logarithmic else (float, float)
    key = []
    for (label, values), sign, colour in zip(costs.items(), "▚•", ("bright_blue", "bright_green"), strict=False):
        points = [(i, place(value)) for i, value in enumerate(values, 1) if math.isfinite(value)]
        # Without colours a second line must differ by its sign.
        signal = figure.signal(*zip(*points, strict=True), marker="hd" if sign == "▚" or colours else sign)
        figure.draw(signal.lines())
        key.append(click.style(f"{sign} {label}", fg=colour) if colours else f"{sign} {label}")
    epochs = max(map(len, costs.values()))
    marks = sorted({1 + round((epochs - 1) * i / 4) for i in range(5)})
    figure.ruler("x").ticks(marks, [f"{mark}" for mark in marks])
    if high > low:
        bottom, top = place(low), place(high)
        steps = [bottom + (top - bottom) * i / 4 for i in range(5)]
        figure.ruler("y").ticks(steps, [f"{value_at(step):.3g}" for step in steps])
    picture = str(figure.build().string(colorless=not colours)).rstrip()
    return "\n".join(["  ".join(["     epochs →", *key]), picture])


def colourful() -> bool:
    """Whether stderr is a terminal that shows colours."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
