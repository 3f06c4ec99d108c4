"""A table and a target in, a model out: `train_table` reads, encodes, holds out, trains and scores."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from inspect import signature
from typing import Any

import numpy as np

from netwright.core.activations import Activation
from netwright.core.arguments import Array, brief, function, number, several, text, whole
from netwright.core.losses import Loss, find_loss, natural_loss
from netwright.core.optimizers import Optimizer, WholeBatch
from netwright.core.registry import did_you_mean
from netwright.engines import ENGINES
from netwright.files.container import read
from netwright.recipes.checkpoint import MixtureCheckpoint
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.hints import nearly
from netwright.tables.read import reading_options
from netwright.tables.split import split_rows
from netwright.tables.target import TASKS, TargetEncoder, with_target
from netwright.tabular.learners import MixtureLearner, Problem, SingleLearner
from netwright.tabular.model import TableModel
from netwright.tabular.reading import as_frame, weights_in
from netwright.tabular.single import TRAINING, OneNetwork
from netwright.training.checkpoint import KIND as OF_ONE
from netwright.training.history import Callback
from netwright.training.options import TrainingOptions

MANY_TEXTS = 100  # in a column, from which somebody may have expected something else than categories
FEWEST = 10  # rows, below which a held-out part is a row or none


def train_table(
    table: Any,
    target: str,
    *,
    task: str | None = None,
    hidden: Sequence[int] | None = None,
    activation: str | Activation | Sequence[str | Activation] | None = None,
    loss: str | Loss | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | Optimizer | WholeBatch | None = None,
    learning_rate: float | None = None,
    schedule: Any = None,
    dropout: float | None = None,
    l2: float | None = None,
    seed: int = 0,
    weights: str | None = None,
    drop: Collection[str] = (),
    categorical: Collection[str] = (),
    keep_columns: Collection[str] = (),
    drop_missing_target: bool = False,
    validation: float = 0.2,
    patience: int | None = None,
    max_seconds: float | None = None,
    clip_norm: float | None = None,
    checkpoint: Any = None,
    resume: Any = None,
    engine: Any = None,
    n_threads: int | None = None,
    callbacks: Iterable[Callback] = (),
    tell: Callable[[str, float], Any] | None = None,
    reading: Mapping[str, Any] | None = None,
    ready: Callable[[TableModel], Any] | None = None,
) -> TableModel:
    """Learn to predict the column `target` of a table from its other columns.

    By default that is done by a mixture of networks, the recipe of `TabularClassifier` and `TabularRegressor`. Whoever
    gives one of hidden, activation, loss, epochs, batch_size, optimizer, learning_rate, schedule, dropout, l2,
    patience, clip_norm or callbacks, or resumes one, gets one network, with these defaults for the others:

    hidden: sizes of the hidden layers, (64, 32), each followed by `activation`, "silu", and `dropout`, 0; () makes a
        linear model.
    loss: logloss for two classes, cross_entropy for more, squared_error of the standardised target.
    epochs, batch_size, patience: from the number of rows, so that small tables too get enough updates.
    l2: 1 / rows, as a prior on the weights that more rows outweigh; none for bayesian_regularization, which finds it.
    optimizer: "adam". schedule: "constant".

    What holds for both:

    table: a path (CSV, TSV, Parquet, JSON lines), a `Frame`, a mapping of columns, a data frame of pandas or polars, an
        Arrow table, rows (dicts, or a structured array) or a 2-D array.
    task: "classification" or "regression"; by default what the target's values say.
    weights: the column with each row's weight, not negative; weight k counts as k copies of the row, 0 as none.
    drop: columns not to learn from. categorical: columns that are categories, whatever they look like.
    keep_columns: columns to learn from though they number or name the rows, which are left out otherwise.
    drop_missing_target: leave out the rows in which the target is missing; by default they are an error.
    validation: the share of rows held out, by class, for the scores, and of one network for early stopping; 0 holds out
        none. The model that is scored on them is the one returned: it is not fitted again to all rows.
    seed: decides which rows those are, the first weights and every shuffle.
    engine: "auto" for one network, "fused" for the mixture. n_threads: as in `Network.train`; of the mixture, networks
        that learn at a time, by default as many as there are cores, at most 4.
    checkpoint: a file that is kept up to date while training, at the cost of at most 5 % of the time, of a mixture 2 %.
    resume: go on from the checkpoint: True from `checkpoint` if that file exists, a path from that file, which must
        exist. The same call on the same table then ends with the same bits as if it had never been interrupted, a
        mixture with the same file. What it took before counts for max_seconds.
    tell: called while a mixture is learnt, with words such as "networks 3/8" and the share of the work that is done.
    reading: options of `read_table`, of use when `table` is a path (`nulls` and `date_format` for any table); the
        model keeps those that hold for the next file too.
    ready: called with the untrained model once everything is checked, before the first epoch.
    The others are as in `Network.train`.

    Encoders are fitted to the rows that are learned from. Ctrl-C ends training with what has been learnt by then; as
    long as no epoch of the one network, or no network of a mixture, is done, it is a KeyboardInterrupt. ValueError
    names the column, value or argument that is wrong, OSError the file; before training starts.
    """
    arguments = dict(locals())
    asked = {name: arguments[name] for name in ABOUT_ONE if arguments[name] is not None}
    training = {name: asked.pop(name) for name in TRAINING if name in asked}
    training |= {"checkpoint": checkpoint, "resume": resume}
    _check_options(task, seed, validation, max_seconds, n_threads)
    arguments["callbacks"] = callbacks = _check_kinds(target, weights, callbacks, tell, ready, reading)
    drop, categorical = _names("drop", drop), _names("categorical", categorical)
    keep_columns = _names("keep_columns", keep_columns)
    one = OneNetwork(**asked, training=training) if asks_for_one(arguments) else None
    kept = MixtureCheckpoint(*(None, None) if one else (checkpoint, TrainingOptions(**training).resumed))
    if isinstance(engine, str):
        ENGINES.find(engine)
    reading, rng = dict(reading or {}), np.random.default_rng(seed)
    # What is dropped need not be in order: as categories any values will do.
    frame = as_frame(table, target=target, categorical=categorical, ignored=drop, **reading)
    kinds = dict.fromkeys(keep_columns, "keep") | dict.fromkeys(categorical, "category")
    names = _input_columns(frame, target, weights, drop, kinds)
    _check_own_columns(reading, frame)
    frame, left_out = with_target(frame, target, drop_missing_target)
    weight = None if weights is None else weights_in(frame, weights)
    if weight is not None:
        frame, weight = frame.take(weight > 0), weight[weight > 0]
    goal = TargetEncoder.fit(frame[target], target, task=task, standardise=False, place=frame.place)
    loss = one.loss_for(goal, frame) if one else find_loss(natural_loss(len(goal.classes)))
    rows, held = _split(frame, goal, validation, rng)
    problem = Problem.of(frame, names, kinds, weight, goal, loss, rows=rows, held=held)

    engine = ("auto" if one else "fused") if engine is None else engine
    options = {"max_seconds": max_seconds, "n_threads": n_threads, "engine": engine}
    learner: SingleLearner | MixtureLearner
    if one:
        learner = SingleLearner(one, rng, options | {"callbacks": callbacks})
    else:
        told = {} if tell is None else {"tell": tell}
        learner = MixtureLearner(options | {"seed": seed} | told, kept)
    encoder, network, settings = learner.begin(problem)
    encoder = replace(encoder, dropped=[*problem.useless, *encoder.dropped])
    settings |= {"seed": seed, "validation": validation, "weights": weights}
    settings |= {"keep_columns": sorted(keep_columns)} if keep_columns else {}
    settings |= {"drop": sorted(drop), "categorical": sorted(categorical), "rows": len(rows), "held_out": len(held)}
    kept.about = {"target": target, **settings, "columns": encoder.names()}
    settings["max_seconds"] = max_seconds  # which may be another when it goes on
    notes = [*frame.notes, *left_out, *_texts_that_say_little(frame, encoder, categorical)]
    model = TableModel(
        network=network,
        encoder=encoder,
        target=problem.goal,
        settings=settings,
        notes=[*notes, *encoder.notes, *_doubts(len(rows), len(held), one is None)],
        reading=_for_the_next_file(reading, frame),
        held_out=frame.take(held) if len(held) else None,
    )
    if ready is not None:
        ready(model)
    del frame, problem  # the table, of which training has no need
    model.network, model.history, model.known = learner.learn()
    del learner  # and what it learned from: the scores take memory too
    if model.held_out is not None:
        model.scores, _ = model.scores_of(model.held_out)
    return model


# The arguments that ask for one network in place of the mixture.
NETWORK = tuple(each.name for each in fields(OneNetwork))
ABOUT_ONE = [name for name in signature(train_table).parameters if name in NETWORK + TRAINING]


def asks_for_one(arguments: Mapping[str, Any]) -> bool:
    """Whether arguments of `train_table` ask for one network in place of the mixture, or resume one."""
    if arguments.get("callbacks") or any(arguments.get(name) is not None for name in ABOUT_ONE):
        return True
    resumed = TrainingOptions(checkpoint=arguments.get("checkpoint"), resume=arguments.get("resume")).resumed
    return resumed is not None and read(resumed)[0] == OF_ONE.name


# ── what `train_table` checks and chooses ────────────────────────────────────────────────────────────────────────────


def _check_options(task: Any, seed: Any, validation: Any, max_seconds: Any, n_threads: Any) -> None:
    """What is wrong whatever the table holds is said before it is read, which may take a while."""
    if task is not None and text("task", task) not in TASKS:
        raise ValueError(f"unknown task {task!r}; choose {' or '.join(TASKS)}")
    whole("seed", seed, 0)
    if number("validation", validation, 0, 1) == 1:
        raise ValueError("validation must be below 1, got 1: some rows must be left to learn from")
    if max_seconds is not None:
        number("max_seconds", max_seconds, 0, above=True)
    if n_threads is not None:
        whole("n_threads", n_threads)


def _check_kinds(target: Any, weights: Any, callbacks: Any, tell: Any, ready: Any, reading: Any) -> list[Callback]:
    """ValueError for one that is of the wrong kind; returns the callbacks as a list."""
    for name, column in {"target": target, **({} if weights is None else {"weights": weights})}.items():
        if not isinstance(column, str):
            raise ValueError(f"{name} must be the name of a column, got {brief(column)}")
    if tell is not None:
        function("tell", tell, "tell(words, share)")
    if ready is not None:
        function("ready", ready, "ready(model)")
    if not isinstance(reading, Mapping | None):
        raise ValueError(f"reading must be read_table's options by name, got {brief(reading)}")
    known = reading_options()
    for name in (name for name in reading or () if name not in known):
        raise ValueError(f"reading has no option {name!r}; {did_you_mean(name, known)}it has {', '.join(known)}")
    return TrainingOptions(callbacks=() if callbacks is None else callbacks).watchers


def _names(argument: str, names: Any) -> list[str]:
    what = "a list of column names"
    found = several(argument, names, what, ordered=False)
    if not all(isinstance(name, str) for name in found):
        raise ValueError(f"{argument} must be {what}, got {brief(names)}")
    return found


def _input_columns(
    frame: Frame, target: str, weights: str | None, drop: Collection[str], kinds: Mapping[str, str]
) -> list[str]:
    """The names of the columns to learn from; ValueError for unknown ones, and for one that is asked two things."""
    for name in (target, *([] if weights is None else [weights]), *drop, *kinds):
        frame.column(name)
        if name in frame.twice:
            raise ValueError(f"more than one column is headed {name!r}; give each a name of its own")
    if weights == target:
        raise ValueError(f"column {target!r} cannot be both the target and the weights")
    taken = {target: "the target"} | ({} if weights is None else {weights: "the weights"})
    for name, what in taken.items():
        if name in drop:
            raise ValueError(f"column {name!r} is {what} and cannot be dropped as well")
    for name in [name for name, kind in kinds.items() if kind == "keep"]:
        if name in drop or name in taken:
            what = taken.get(name, "dropped")
            raise ValueError(f"column {name!r} is {what} and cannot be kept to learn from as well")
    names = [name for name in frame.names if name not in taken and name not in drop]
    if not names:
        raise ValueError(f"no column is left to learn from: the table has {frame.names}")
    return names


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
    codes = goal.codes(frame[goal.name], frame.place) if goal.classes else None
    return split_rows(frame.n_rows, fraction, rng, codes)


def _for_the_next_file(reading: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """How the table was read, as far as that holds for another file of its kind."""
    kept = {name: reading[name] for name in ("nulls", "decimal", "thousands", "strip") if name in reading}
    if "nulls" in kept:
        nulls = kept["nulls"]
        kept["nulls"] = {n: [*own] for n, own in nulls.items()} if isinstance(nulls, Mapping) else [*nulls]
    found = {"date_format": frame.date_formats, "units": frame.units}
    return kept | {name: dict(each) for name, each in found.items() if each}


def _check_own_columns(reading: Mapping[str, Any], frame: Frame) -> None:
    """ValueError for an unknown column that is named in how to read the table."""
    for each in (reading.get("nulls"), reading.get("date_format")):
        for name in each if isinstance(each, Mapping) else ():
            if name:
                frame.column(name)


def _texts_that_say_little(frame: Frame, encoder: TableEncoder, categorical: Collection[str]) -> list[str]:
    """Sentences on columns of text that nobody said are categories, and that hardly are."""
    used = {*encoder.names(), *(name for name, _ in encoder.dropped)} - {*categorical}
    names = [name for name in frame.names if name in used and frame.kind(name) == "text" and name not in frame.levels]
    notes = nearly(frame, (name for name in names if not _told(frame.notes, name)))
    for name in (name for name in names if name in encoder.names()):
        levels = sorted({each for each in frame.column(name) if each is not None})
        if len(levels) > MANY_TEXTS and not _told([*frame.notes, *notes], name):
            shown = f"{levels[0]!r} and {levels[1]!r}"
            notes.append(f"column {name!r} holds {len(levels):,} different texts, such as {shown}: each is a category")
    return notes


def _told(notes: list[str], name: str) -> bool:
    return any(f"column {name!r}" in note for note in notes)


def _doubts(rows: int, held: int, mixed: bool) -> list[str]:
    """What the number of rows leaves uncertain."""
    if not held:
        unknown = "" if mixed else "when to stop or "
        return [f"no row is held out: nothing says {unknown}how well the model does on rows other than its {rows}"]
    few = [f"only {held} rows are held out: their scores say little"] * (held < 30)
    chose = f"intervals go by the {held:,} rows held out, which also say when to stop: they may be a little narrow"
    return few if mixed else [*few, chose]
