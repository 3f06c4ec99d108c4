"""A table and a target in, a model out: `train_table` reads, encodes, holds out, trains and scores."""

import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from netwright.activations import Activation
from netwright.arguments import Array, number, whole
from netwright.engines import ENGINES
from netwright.frame import Frame
from netwright.loop import Callback
from netwright.losses import TARGETS, Loss, find_loss
from netwright.model import TableModel, as_frame, weights_in
from netwright.network import Network
from netwright.optimizers import LBFGS, Optimizer, find_optimizer
from netwright.schedules import find_schedule, spell
from netwright.tables import TableEncoder
from netwright.target import TargetEncoder, split_rows

FEWEST = 10  # rows, below which a held-out part is a row or none
FOR_CLASSES = ("probability", "distribution")  # what the losses for classification learn from


def train_table(
    table: Any,
    target: str,
    *,
    task: str | None = None,
    hidden: Sequence[int] = (64, 32),
    activation: str | Activation | Sequence[str | Activation] = "silu",
    loss: str | Loss | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | Optimizer | LBFGS = "adam",
    learning_rate: float | None = None,
    schedule: Any = "constant",
    dropout: float = 0.0,
    l2: float | None = None,
    seed: int = 0,
    weights: str | None = None,
    drop: Collection[str] = (),
    categorical: Collection[str] = (),
    validation: float = 0.2,
    patience: int | None = None,
    max_seconds: float | None = None,
    clip_norm: float | None = None,
    checkpoint: Any = None,
    resume: Any = None,
    engine: Any = "auto",
    callbacks: Iterable[Callback] = (),
    reading: Mapping[str, Any] | None = None,
    ready: Callable[[TableModel], Any] | None = None,
) -> TableModel:
    """Learn to predict the column `target` of a table from its other columns.

    table: a path (CSV, TSV, Parquet, JSON lines), a `Frame`, a mapping of columns, a data frame or a 2-D array.
    task: "classification" or "regression"; by default what the target's values say.
    hidden: sizes of the hidden layers, each followed by `activation` and `dropout`; () makes a linear model.
    loss: by default logloss for two classes, cross_entropy for more, squared_error of the standardised target.
    epochs, batch_size, patience: by default from the number of rows, so that small tables too get enough updates.
    l2: by default 1 / rows, as a prior on the weights that more rows outweigh.
    weights: the column with each row's weight, not negative; weight k counts as k copies of the row, 0 as none.
    drop: columns not to learn from. categorical: columns that are categories, whatever they look like.
    validation: the share of rows held out, by class, for early stopping and the scores; 0 holds out none.
    seed: decides which rows those are, the first weights and every shuffle.
    reading: options of `read_table` when `table` is a path; the model keeps those that hold for the next file too.
    ready: called with the untrained model once everything is checked, before the first epoch.
    The others are as in `Network.train`.

    Encoders are fitted to the rows that are learned from. ValueError names the column, value or argument that is wrong,
    OSError the file; before training starts.
    """
    limits = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    above_0 = {"learning_rate": learning_rate, "max_seconds": max_seconds, "clip_norm": clip_norm}
    _check_options(task, hidden, seed, validation, limits, above_0)
    _check_optimizer(find_optimizer(optimizer), limits | above_0, find_schedule(schedule), dropout)
    if isinstance(engine, str):
        ENGINES.find(engine)
    Network([1] * (len(hidden) + 2), activation, dropout=dropout, l2=l2 or 0.0, rng=0)  # says what is wrong with them
    asked = None if loss is None else find_loss(loss)
    reading = dict(reading or {})
    # What is dropped need not be in order: as categories any values will do.
    frame = as_frame(table, categorical={*_names("categorical", categorical), *_names("drop", drop)}, **reading)
    names = _input_columns(frame, target, weights, drop, categorical)
    weight = None if weights is None else weights_in(frame, weights)
    if weight is not None:
        frame, weight = frame.take(weight > 0), weight[weight > 0]

    truth = frame.column(target)
    goal = TargetEncoder.fit(truth, target, task=task, standardise=False, place=frame.place)
    chosen = _choose_loss(asked, goal, truth, frame)
    rng = np.random.default_rng(seed)
    rows, held = _split(frame, goal, validation, rng)
    inputs, part = frame.drop(set(frame.names) - set(names)), None if weight is None else weight[rows]
    as_categories = [name for name in categorical if name in names]  # it may also name the target
    # What numbers or names the rows shows in all of them; means and categories come from those learned from.
    useless = TableEncoder.fit(inputs, categorical=as_categories, weight=weight).dropped
    kept = inputs.drop([name for name, _ in useless]).take(rows)
    as_categories = [name for name in as_categories if name in kept.columns]
    encoder = TableEncoder.fit(kept, categorical=as_categories, weight=part)
    encoder = replace(encoder, dropped=[*useless, *encoder.dropped])
    if goal.task == "regression":
        learned = frame.take(rows)
        fitted = TargetEncoder.fit(
            learned.column(target), target, task="regression", weight=part,
            standardise=chosen.link == "identity", place=learned.place,
        )  # fmt: skip
        goal = replace(fitted, reason=goal.reason)
    X, Y = encoder.transform(inputs), _targets(goal, chosen, frame)

    sizes = [X.shape[0], *hidden, Y.shape[0]]
    _check_memory(sizes)
    l2 = 1 / len(rows) if l2 is None else l2
    network = Network(sizes, activation, loss=chosen, dropout=dropout, l2=l2, rng=rng)
    if chosen.link == "exp":  # else the first outputs are 1, however large the target is
        network.layers[-1].b = np.log(np.average(Y[:, rows], axis=1, weights=part, keepdims=True))
    epochs, batch_size, patience = _budget(len(rows), len(held), optimizer, epochs, batch_size, patience)
    found = find_optimizer(optimizer)
    model = TableModel(
        network=network,
        encoder=encoder,
        target=goal,
        settings={
            "hidden": list(hidden),
            "optimizer": found.settings() | ({} if learning_rate is None else {"learning_rate": learning_rate}),
            "schedule": spell(find_schedule(schedule)),
            "epochs": epochs,
            "batch_size": batch_size,
            "patience": patience,
            "max_seconds": max_seconds,
            "clip_norm": clip_norm,
            "dropout": dropout,
            "l2": l2,
            "seed": seed,
            "validation": validation,
            "weights": weights,
            "drop": sorted(drop),
            "categorical": sorted(categorical),
            "rows": len(rows),
            "held_out": len(held),
        },
        notes=[*frame.notes, *encoder.notes, *_doubts(len(rows), len(held))],
        reading={name: reading[name] for name in ("nulls", "decimal", "thousands") if name in reading}
        | ({"date_format": given} if (given := reading.get("date_format") or frame.date_formats) else {}),
        held_out=frame.take(held) if len(held) else None,
    )
    if ready is not None:
        ready(model)
    model.history = network.train(
        X[:, rows],
        Y[:, rows],
        epochs=epochs,
        batch_size=batch_size,
        optimizer=found,
        learning_rate=learning_rate,
        schedule=schedule,
        weight=part,
        validation=(X[:, held], Y[:, held], None if weight is None else weight[held]) if len(held) else None,
        patience=patience,
        max_seconds=max_seconds,
        clip_norm=clip_norm,
        engine=engine,
        callbacks=callbacks,
        checkpoint=checkpoint,
        resume=resume,
    )
    if model.held_out is not None:
        model.scores = model.evaluate(model.held_out, notes=[])
    return model


# ── what `train_table` checks and chooses ────────────────────────────────────────────────────────────────────────────


def _check_options(
    task: Any, hidden: Any, seed: Any, validation: Any, limits: Mapping[str, Any], above_0: Mapping[str, Any]
) -> None:
    """What is wrong whatever the table holds is said before it is read, which may take a while."""
    if task not in (None, "classification", "regression"):
        raise ValueError(f"unknown task {task!r}; choose classification or regression")
    if isinstance(hidden, str) or not isinstance(hidden, Sequence):
        raise ValueError(f"hidden must be a list of sizes such as [64, 32], got {hidden!r}")
    for size in hidden:
        whole("each size in hidden", size)
    _check_memory([1, *hidden, 1])
    whole("seed", seed, 0)
    if number("validation", validation, 0, 1) == 1:
        raise ValueError("validation must be below 1, got 1: some rows must be left to learn from")
    for name, value in limits.items():
        if value is not None:
            whole(name, value)
    for name, value in above_0.items():
        if value is not None:
            number(name, value, 0, above=True)


def _check_optimizer(optimizer: Any, given: Mapping[str, Any], schedule: Any, dropout: float) -> None:
    """L-BFGS looks at all rows at once, at a cost that stays the same, and finds its own steps."""
    if isinstance(optimizer, LBFGS):
        wrong = [name for name in ("batch_size", "learning_rate", "clip_norm") if given[name] is not None]
        wrong += ["schedule"] * (schedule != find_schedule("constant")) + ["dropout"] * bool(dropout)
        if wrong:
            raise ValueError(f"lbfgs takes all rows at once and finds its own steps: leave out {', '.join(wrong)}")


def _names(argument: str, names: Any) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{argument} must be a list of column names, got {names!r}")
    return list(names)


def _input_columns(
    frame: Frame, target: str, weights: str | None, drop: Collection[str], categorical: Collection[str]
) -> list[str]:
    """The names of the columns to learn from; ValueError for unknown ones, and for one that is asked two things."""
    for name in (target, *([] if weights is None else [weights]), *drop, *categorical):
        frame.column(name)
        if any(note.startswith(f"the column headed {name!r} is called ") for note in frame.notes):
            raise ValueError(f"more than one column is headed {name!r}; give each a name of its own")
    if weights == target:
        raise ValueError(f"column {target!r} cannot be both the target and the weights")
    taken = {target: "the target"} | ({} if weights is None else {weights: "the weights"})
    for name, what in taken.items():
        if name in drop:
            raise ValueError(f"column {name!r} is {what} and cannot be dropped as well")
    names = [name for name in frame.names if name not in taken and name not in drop]
    if not names:
        raise ValueError(f"no column is left to learn from: the table has {frame.names}")
    return names


def _choose_loss(asked: Loss | None, goal: TargetEncoder, truth: Array, frame: Frame) -> Loss:
    """The loss that was asked for, if it suits the target; else the usual one."""
    classes = len(goal.classes)
    usual = find_loss(["squared_error", "", "logloss", "cross_entropy"][min(classes, 3)])
    if asked is None:
        return usual
    if (asked.targets in FOR_CLASSES) != (goal.task == "classification"):
        raise ValueError(
            f"the loss {asked.name!r} does not suit a {goal.task} ({goal.name!r}: {goal.reason}); "
            f"choose {usual.name}, or another task"
        )
    if asked.targets == "probability" and classes > 2:
        raise ValueError(
            f"the loss {asked.name!r} is for two classes, {goal.name!r} has {classes}; choose {usual.name}"
        )
    if asked.targets == "count" and np.min(truth) < 0:
        row = int(np.argmin(truth))
        right = TARGETS["count"][0]
        raise ValueError(f"{asked.name} needs {right}; {goal.name!r} is {truth[row]:g} on {frame.place(row)}")
    return asked


def _split(frame: Frame, goal: TargetEncoder, fraction: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """The numbers of the rows to learn from, and of those held out."""
    if not fraction:
        return np.arange(frame.n_rows), np.arange(0)
    if frame.n_rows < FEWEST:
        raise ValueError(
            f"{frame.n_rows} rows are too few to hold some out: {FEWEST} are needed, or no held-out part (validation 0)"
        )
    if 2 * len(goal.classes) > frame.n_rows:
        raise ValueError(f"the target {goal.name!r} has {len(goal.classes)} classes in {frame.n_rows} rows, too many")
    codes = goal.codes(frame.column(goal.name), frame.place) if goal.classes else None
    return split_rows(frame.n_rows, fraction, rng, codes)


def _doubts(rows: int, held: int) -> list[str]:
    """What the number of rows leaves uncertain."""
    if not held:
        return [
            f"no row is held out: nothing says when to stop or how well the model does on rows other than its {rows}"
        ]
    return [f"only {held} rows are held out: their scores say little"] * (held < 30)


def _targets(goal: TargetEncoder, loss: Loss, frame: Frame) -> Array:
    """Y, (outputs, n_rows), as the loss wants it: cross_entropy has an output for each of two classes too."""
    Y = goal.encode(frame.column(goal.name), frame.place)
    return np.vstack([1 - Y, Y]) if loss.targets == "distribution" and len(Y) == 1 else Y


def _budget(
    rows: int, held: int, optimizer: Any, epochs: int | None, batch_size: int | None, patience: int | None
) -> tuple[int, int | None, int | None]:
    """Epochs, batch size and patience, where they are not given, so that any number of rows gets enough updates."""
    if optimizer == "lbfgs" or isinstance(optimizer, LBFGS):
        return epochs or 500, batch_size, patience or (20 if held else None)
    if batch_size is None:
        batch_size = min(256, max(16, 2 ** round(math.log2(max(rows, 1) / 40))))
    steps = math.ceil(rows / whole("batch_size", batch_size))
    if epochs is None:
        epochs = max(30, math.ceil(20_000 / steps)) if held else max(20, math.ceil(4000 / steps))
    if patience is None and held:
        patience = max(8, math.ceil(600 / steps))
    return epochs, batch_size, patience


def _check_memory(sizes: Sequence[int]) -> None:
    """MemoryError for a network that this machine could not hold while it trains, told before it is tried."""
    parameters = sum(a * b + b for a, b in pairwise(sizes))
    needed = 8 * 6 * parameters  # theta, its gradient, the optimizer's two slots, the last and the best theta
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    if needed > there:
        raise MemoryError(
            f"hidden layers of {', '.join(map(str, sizes[1:-1]))} make {parameters:,} parameters, which take "
            f"{needed / 2**30:,.0f} GiB to train; this machine has {there / 2**30:,.0f} GiB"
        )
