"""Training: what `train` may be asked, checked before anything changes; `loop.py` does it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array, Rng, generator, number, whole
from netwright.core.dropout import Dropout
from netwright.core.network import FeedForward
from netwright.core.optimizers import Optimizer, WholeBatch, find_optimizer
from netwright.core.samples import Samples
from netwright.core.schedules import Plateau, Schedule, find_schedule
from netwright.core.scores import SCORES, Score
from netwright.engines import ENGINES, Engine, Job
from netwright.files.atomic import check_writable
from netwright.training.checkpoint import engine_of
from netwright.training.history import History
from netwright.training.loop import run
from netwright.training.run import Callback, Training


def prepare(
    network: FeedForward,
    X: Array,
    Y: Array,
    *,
    epochs: int = 100,
    batch_size: int | None = None,
    optimizer: str | Optimizer | WholeBatch = "adam",
    learning_rate: float | None = None,
    schedule: str | Schedule = "constant",
    weight: Array | None = None,
    validation: Sequence[Array | None] | None = None,
    patience: int | None = None,
    tolerance: float | None = None,
    monitor: str | None = None,
    max_seconds: float | None = None,
    clip_norm: float | None = None,
    shuffle: bool = True,
    scores: Sequence[str] | Mapping[str, Score] | None = None,
    rng: Rng = None,
    engine: str | Engine = "auto",
    n_threads: int | None = None,
    callbacks: Iterable[Callback] = (),
    checkpoint: Any = None,
    resume: Any = None,
    keep_best: bool = True,
) -> Training:
    """Learn from X, (inputs, samples), and Y, (outputs, samples): `train` changes `network.theta`, returns the History.

    (`prepare` has only checked the arguments; `loop.run` does the rest.)

    epochs: how often every sample is used; 100 by default.
    batch_size: samples an update; by default all of them up to 200, else 200. A larger one than there are means all.
    optimizer: a name in `OPTIMIZERS` or an object, which carries its state from one training to the next.
    learning_rate: by default the optimizer's own.
    schedule: how the rate goes over the epochs, a name in `SCHEDULES`, an object, or a function (e, E) -> factor.
    weight: (samples,), not negative; weight k counts as k copies of the sample, 0 as none.
    validation: (X, Y) or (X, Y, weight), held out. Each epoch's cost and scores on it are recorded, and the network
        ends with the parameters of the epoch whose validation cost was lowest.
    patience: stop after so many epochs in which the validation cost (without validation: the cost) found no new low.
    tolerance: an epoch is such unless its cost is lower than the lowest before it by this much; None: by anything.
    monitor: the one of `scores`, or "cost", to watch in the validation cost's place, for patience and the best epoch.
    max_seconds: stop at the end of the epoch in which this time is over.
    clip_norm: cut a longer gradient to this length.
    shuffle: take the samples in a new order each epoch; when a batch is all of them there is nothing to shuffle.
    scores: names in `SCORES`, or functions (Y, A, weight) by name; by default those that suit the loss.
    rng: a seed or a Generator for the shuffles and the dropout masks; by default the network's.
    engine: "plain", "fused" (compiled; see docs/performance.md), or "auto", the one that will be done sooner.
    n_threads: workers of the fused engine; by default as many as pay.
    callbacks: functions (network, history), called after each epoch; training stops when one returns True. Resuming
        what one has stopped asks them again.
    checkpoint: a file that is kept up to date while training, written atomically, at the cost of at most 5 % of time.
    keep_best: False ends with the last epoch's parameters instead of those of the best on the validation rows.
    resume: True goes on from `checkpoint` if that file exists; a path goes on from that file, which must exist. The
        same call on the same data then ends with the same bits as if it had never been interrupted. `epochs` is the
        total, and may be raised unless the rates so far depend on it, as with cosine and one_cycle. L-BFGS goes on
        from its last restart.

    Ctrl-C ends training at the last whole epoch, with the best parameters so far. A cost that is no longer finite
    raises FloatingPointError, and the network has its last good parameters. In both, and after any other exception,
    optimizer and generator are as after the last whole epoch too. ValueError names an argument that is wrong; OSError
    says that the checkpoint can't be written; both before anything has changed.
    """
    X, Y, weight = network.check(X, Y, weight)
    held_out = _check_validation(network, validation)
    found = find_optimizer(optimizer)
    if isinstance(found, WholeBatch):
        _check_whole_batch(network, batch_size, X.shape[1], learning_rate, schedule, clip_norm)
    found_scores = _find_scores(network, scores)
    if monitor not in (None, "cost") and (monitor not in found_scores or held_out is None):
        raise ValueError(
            f"monitor must be one of the scores ({', '.join(found_scores)}) of validation rows, got {monitor!r}"
        )
    found_schedule = find_schedule(schedule)
    if isinstance(found_schedule, Plateau) and patience is None:
        raise ValueError("the schedule 'plateau' lowers the rate when patience runs out: give patience")
    base = getattr(found, "learning_rate", 0.0) if learning_rate is None else learning_rate
    callbacks = [callbacks] if callable(callbacks) else list(callbacks)
    for callback in callbacks:
        if not callable(callback):
            raise ValueError(f"callbacks must be functions (network, history), got {callback!r}")
    if resume is True and checkpoint is None:
        raise ValueError("resume=True goes on from `checkpoint`; give that, or resume=PATH")

    if weight is not None:
        kept = weight > 0  # weight 0 is as if the sample were not there
        if not kept.all():
            X, Y, weight = X[:, kept], Y[:, kept], weight[kept]
        weight = weight / weight.max()  # so that the sum is finite
        weight = weight / weight.mean()
    resumed = None if resume is None or resume is False else Path(checkpoint if resume is True else resume)
    if resume is True and resumed is not None and not resumed.exists():
        resumed = None
    samples, epochs = X.shape[1], whole("epochs", epochs)
    size = min(samples, 200) if batch_size is None else min(whole("batch_size", batch_size), samples)
    likely = epochs if patience is None else min(epochs, 20 * whole("patience", patience))
    training = Training(
        network=network,
        samples=Samples(_in_pieces(X), _in_pieces(Y), weight),
        epochs=epochs,
        batch_size=samples if isinstance(found, WholeBatch) else size,
        optimizer=found,
        learning_rate=number("learning_rate", base, 0, above=not isinstance(found, WholeBatch)),
        schedule=found_schedule,
        validation=held_out,
        patience=None if patience is None else whole("patience", patience),
        tolerance=None if tolerance is None else number("tolerance", tolerance, 0),
        monitor=monitor,
        max_seconds=None if max_seconds is None else number("max_seconds", max_seconds, 0, above=True),
        clip_norm=None if clip_norm is None else number("clip_norm", clip_norm, 0, above=True),
        shuffle=bool(shuffle),
        scores=found_scores,
        rng=network.rng if rng is None else generator(rng),
        engine=_find_engine(engine, resumed, Job(network, found, likely * samples, size, max_seconds, n_threads)),
        callbacks=callbacks,
        checkpoint=checkpoint,
        keep_best=bool(keep_best),
    )
    if checkpoint is not None:
        check_writable(checkpoint, 8 * network.theta.nbytes)
    if resumed is not None:
        training.restore(resumed)
    return training


@wraps(prepare)
def train(*arguments: Any, **options: Any) -> History:
    return run(prepare(*arguments, **options))


# ── what `train` checks ──────────────────────────────────────────────────────────────────────────────────────────────


def _in_pieces(A: Array) -> Array:
    """The same with each sample in one piece: gathered fast, and the same bits however the array was given."""
    return np.ascontiguousarray(A.T).T


def _check_validation(network: FeedForward, validation: Any) -> Samples | None:
    if validation is None:
        return None
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise ValueError(f"validation must be (X, Y) or (X, Y, weight), got {type(validation).__name__}")
    try:
        X, Y, weight = network.check(*validation)
    except ValueError as error:
        raise ValueError(f"validation: {error}") from None
    return Samples(_in_pieces(X), _in_pieces(Y), weight)


def _check_whole_batch(
    network: FeedForward, batch_size: int | None, samples: int, learning_rate: Any, schedule: Any, clip_norm: Any
) -> None:
    """L-BFGS looks at all samples at once, at a cost that stays the same, and finds its own step."""
    if learning_rate is not None or clip_norm is not None or schedule != "constant":
        raise ValueError("lbfgs searches along each line for its step: leave out learning_rate, schedule and clip_norm")
    if batch_size is not None and batch_size < samples:
        raise ValueError(f"lbfgs uses all {samples} samples at once: leave out batch_size={batch_size}")
    if any(isinstance(layer, Dropout) and layer.rate for layer in network.layers):
        raise ValueError("lbfgs needs a cost that stays the same; with dropout use adam or another optimizer")


def _find_engine(engine: str | Engine, resumed: Path | None, job: Job) -> Engine:
    """The engine; on resuming, "auto" is the one that wrote the checkpoint."""
    if job.n_threads is not None:
        whole("n_threads", job.n_threads)
    if engine == "auto" and resumed is not None:
        engine, threads = engine_of(resumed)
        job = replace(job, n_threads=threads)
    if isinstance(engine, str):
        return ENGINES.find(engine)(job)
    if not isinstance(engine, Engine):
        raise ValueError(f"engine must be one of {', '.join(ENGINES)} or a netwright.engines.Engine, got {engine!r}")
    return engine


def _find_scores(network: FeedForward, scores: Any) -> Mapping[str, Score]:
    if isinstance(scores, Mapping):
        return dict(scores)
    names = network.loss.scores if scores is None else (scores,) if isinstance(scores, str) else scores
    return {name: SCORES.find(name) for name in names}
