"""What a training says of itself: what it decided, how it went, its scores; as lines and as JSON."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

import netwright
from netwright.cli.screen import echo, note, say

if TYPE_CHECKING:
    from netwright.tabular.model import TableModel

RARE = 0.01  # a familiarity that is told of
PLURAL = {"number": "numbers", "category": "categories", "date": "dates"}


def introduce(model: "TableModel", table: str) -> None:
    """What was decided about the table, before training starts."""
    kept, inputs, network = model.settings, model.encoder, model.network
    kinds = {"number": inputs.numbers, "category": inputs.categories, "date": inputs.names("date")}
    counts = {kind: len(names) for kind, names in kinds.items() if names}
    shown = ", ".join(f"{count} {kind if count == 1 else PLURAL[kind]}" for kind, count in counts.items())
    if isinstance(network, netwright.Network):
        batches = f" in batches of {kept['batch_size']}" if kept["batch_size"] else ""
        learner = f"network {model.shape()}, loss {network.loss.name}, {kept['optimizer']['name']}, "
        learner += f"at most {kept['epochs']:,} epochs{batches}"
    else:
        learner = f"networks {model.shape()}, and linear ones, as far as they help"
    for line in (
        f"{table}: {kept['rows'] + kept['held_out']:,} rows, {kept['held_out']:,} of them held out",
        f"target {model.goal()}: {model.target.task}, {model.target.reason}",
        f"inputs {shown}, as {network.inputs} feature{'s' * (network.inputs > 1)}",
        learner,
    ):
        say(line)
    for sentence in model.notes:
        note(sentence)


def echo_course(model: "TableModel") -> None:
    """How training went: a sentence, and the curve."""
    from netwright.cli.progress import curve

    history, network = model.history, model.network
    if isinstance(network, netwright.Network):
        told, watched = f"{len(history)} epochs", "held-out cost"
        label = "cost, with its penalty on weights" if network.l2 else "cost"
    else:
        told, watched, label = f"{len(history)} epochs a network", "cost on rows left out in turn", "cost"
    if not len(history):  # no network had a cost that is a number
        return
    echo(f"{told} in {history.seconds[-1]:.1f} s; {history.stopped}", err=True)
    if isinstance(network, netwright.Network):
        for line in history.effective(network.theta.size):
            echo(line, err=True)
    costs = {label: history.cost} | ({watched: v} if (v := history.validation_cost) else {})
    click.echo(curve(costs), err=True)


def unfamiliar(p_values: Any, which: str = "") -> str:
    """A sentence on rows that are unlike those learned from."""
    low, n = int((p_values < RARE).sum()), len(p_values)
    rows, are = f"{n:,} rows {which}".rstrip(), "is" if low == 1 else "are"
    chance = f"{RARE:g}, where {RARE * n:,.3g} would be by chance"
    return f"{low:,} of {rows} {are} unlike those learned from: a familiarity below {chance}"


def outcome(model: "TableModel", path: str, report: str | None) -> dict[str, Any]:
    """What `--json` says of a training."""
    history = model.history
    return {
        "model": path,
        "report": report,
        "target": model.target.name,
        "task": model.target.task,
        "reason": model.target.reason,
        "classes": model.target.classes,
        "scores": finite(model.scores),
        "epochs": len(history),
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "seconds": history.seconds[-1] if history.seconds else None,
        "settings": model.settings,
        "notes": model.notes,
    }


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def echo_scores(scores: Mapping[str, float]) -> None:
    for name, value in scores.items():
        shown = f"{value:.6g}" if math.isfinite(value) else "undefined, since the target is constant here"
        echo(f"  {name.replace('_', ' '):<18} {shown}")
