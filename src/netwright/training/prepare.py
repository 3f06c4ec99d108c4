"""A training made of what was asked, all of it checked before anything changes; `loop.py` does it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief, function, generator, number, several
from netwright.core.dropout import Dropout
from netwright.core.network import FeedForward
from netwright.core.optimizers import WholeBatch, find_optimizer
from netwright.core.samples import Samples
from netwright.core.schedules import Plateau, find_schedule
from netwright.core.scores import SCORES, Score
from netwright.engines import ENGINES, Engine, Job
from netwright.files.atomic import check_writable
from netwright.training.checkpoint import engine_of
from netwright.training.history import History
from netwright.training.loop import run
from netwright.training.options import TrainingOptions
from netwright.training.run import Training


def prepare(network: FeedForward, X: Array, Y: Array, options: TrainingOptions) -> Training:
    """The training that was asked for, checked; `loop.run` does it. Nothing of the network has changed."""
    samples, rows = _samples(network, X, Y, options.weight)
    held_out = _check_validation(network, options.validation)
    optimizer, schedule = find_optimizer(options.optimizer), find_schedule(options.schedule)
    whole_batch = isinstance(optimizer, WholeBatch)
    if isinstance(optimizer, WholeBatch):
        dropout = any(isinstance(layer, Dropout) and layer.rate for layer in network.layers)
        options.check_whole_batch(optimizer, dropout=dropout, samples=np.shape(X)[-1])
        optimizer.check(network, rows)
    scores = _find_scores(network, options, held_out is not None)
    if isinstance(schedule, Plateau) and options.patience is None:
        raise ValueError("the schedule 'plateau' lowers the rate when patience runs out: give patience")
    rate = getattr(optimizer, "learning_rate", 0.0) if options.learning_rate is None else options.learning_rate
    size = min(len(samples), options.batch_size or 200)
    training = Training(
        network=network,
        samples=samples,
        rows=rows,
        epochs=options.epochs,
        batch_size=len(samples) if whole_batch else size,
        optimizer=optimizer,
        learning_rate=number("learning_rate", rate, 0, above=not whole_batch),
        schedule=schedule,
        validation=held_out,
        patience=options.patience,
        tolerance=options.tolerance,
        monitor=options.monitor,
        max_seconds=options.max_seconds,
        clip_norm=options.clip_norm,
        shuffle=options.shuffle,
        scores=scores,
        rng=network.rng if options.rng is None else generator(options.rng),
        engine=_find_engine(network, optimizer, len(samples), size, options),
        callbacks=options.watchers,
        checkpoint=options.checkpoint,
        keep_best=options.keep_best,
    )
    if options.checkpoint is not None:
        check_writable(options.checkpoint, 8 * network.theta.nbytes)
    if (resumed := options.resumed) is not None:
        training.restore(resumed)
    return training


def train(network: FeedForward, X: Array, Y: Array, **options: Any) -> History:
    """Learn from X, (inputs, samples), and Y, (outputs, samples): changes `network.theta`, returns the History.

    The options, by name, are those of `TrainingOptions`, which says what each is and its default.

    Ctrl-C ends training at the last whole epoch, with the best parameters so far. A cost that is no longer finite
    raises FloatingPointError, and the network has its last good parameters. In both, and after any other exception,
    optimizer and generator are as after the last whole epoch too. ValueError names an argument that is wrong; OSError
    says that the checkpoint can't be written; both before anything has changed.
    """
    return run(prepare(network, X, Y, TrainingOptions.of(options)))


# ── what `train` checks ──────────────────────────────────────────────────────────────────────────────────────────────


def _samples(network: FeedForward, X: Array, Y: Array, weight: Array | None) -> tuple[Samples, float]:
    """What is learned from, without the samples of weight 0 and with weights of mean 1; and the sum of those given."""
    X, Y, weight = network.check(X, Y, weight)
    if network.loss.targets == "partial" and np.isnan(Y).all():
        raise ValueError(f"{network.loss.name} needs targets to learn from, and all of Y are NaN")
    rows = float(X.shape[1])
    if weight is not None:
        largest = weight.max()
        weight = weight / largest  # so that the sum is finite
        rows = float(largest) * float(weight.sum(dtype=np.float64))
    return Samples(X, Y, weight).without_zeros().normalised().in_pieces(), rows


def _check_validation(network: FeedForward, validation: Any) -> Samples | None:
    if validation is None:
        return None
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise ValueError(f"validation must be (X, Y) or (X, Y, weight), got {type(validation).__name__}")
    try:
        X, Y, weight = network.check(*validation)
    except ValueError as error:
        raise ValueError(f"validation: {error}") from None
    return Samples(X, Y, weight).in_pieces()


def _find_engine(network: FeedForward, optimizer: Any, samples: int, size: int, options: TrainingOptions) -> Engine:
    """The engine; on resuming, "auto" is the one that wrote the checkpoint."""
    engine, threads, resumed = options.engine, options.n_threads, options.resumed
    if isinstance(engine, str) and engine == "auto" and resumed is not None:
        engine, threads = engine_of(resumed)
    if isinstance(engine, str):
        likely = options.epochs if options.patience is None else min(options.epochs, 20 * options.patience)
        return ENGINES.find(engine)(Job(network, optimizer, likely * samples, size, options.max_seconds, threads))
    if not isinstance(engine, Engine):
        raise ValueError(
            f"engine must be one of {', '.join(ENGINES)} or a netwright.engines.Engine, got {brief(engine)}"
        )
    return engine


def _find_scores(network: FeedForward, options: TrainingOptions, validates: bool) -> Mapping[str, Score]:
    scores, monitor = options.scores, options.monitor
    if isinstance(scores, Mapping):
        found = {name: function(f"scores[{name!r}]", score, "score(Y, A, weight)") for name, score in scores.items()}
    else:
        what = "names of scores, or functions by name"
        names = (
            network.loss.scores
            if scores is None
            else several("scores", [scores] if isinstance(scores, str) else scores, what)
        )
        found = {name: SCORES.find(name) for name in names}
    if monitor not in (None, "cost") and (monitor not in found or not validates):
        raise ValueError(f"monitor must be one of the scores ({', '.join(found)}) of validation rows, got {monitor!r}")
    return found
