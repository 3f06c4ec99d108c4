"""Training: what `train` may be asked, checked before anything changes; `loop.py` does it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array, Rng, generator, number, whole
from netwright.core.dropout import Dropout
from netwright.core.network import FeedForward
from netwright.core.optimizers import Optimizer, WholeBatch, find_optimizer
from netwright.core.registry import did_you_mean
from netwright.core.samples import Samples
from netwright.core.schedules import Plateau, Schedule, find_schedule
from netwright.core.scores import SCORES, Score
from netwright.engines import ENGINES, Engine, Job
from netwright.files.atomic import check_writable
from netwright.training.checkpoint import engine_of
from netwright.training.history import History
from netwright.training.loop import run
from netwright.training.run import Callback, Training


def _positive(name: str, value: Any) -> float:
    return number(name, value, 0, above=True)


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "epochs": whole,
    "batch_size": whole,
    "learning_rate": _positive,
    "patience": whole,
    "tolerance": lambda name, value: number(name, value, 0),
    "max_seconds": _positive,
    "clip_norm": _positive,
    "n_threads": whole,
}


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What a training may be asked: each option with its default, its check and its words.

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

    ValueError names an option whose value is wrong whatever the network and the data are.
    """

    epochs: int = 100
    batch_size: int | None = None
    optimizer: str | Optimizer | WholeBatch = "adam"
    learning_rate: float | None = None
    schedule: str | Schedule = "constant"
    weight: Array | None = None
    validation: Sequence[Array | None] | None = None
    patience: int | None = None
    tolerance: float | None = None
    monitor: str | None = None
    max_seconds: float | None = None
    clip_norm: float | None = None
    shuffle: bool = True
    scores: Sequence[str] | Mapping[str, Score] | None = None
    rng: Rng = None
    engine: str | Engine = "auto"
    n_threads: int | None = None
    callbacks: Iterable[Callback] = ()
    checkpoint: Any = None
    resume: Any = None
    keep_best: bool = True

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            value = getattr(self, name)
            if value is not None or name == "epochs":
                object.__setattr__(self, name, check(name, value))
        if self.resume is True and self.checkpoint is None:
            raise ValueError("resume=True goes on from `checkpoint`; give that, or resume=PATH")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "TrainingOptions":
        """The options by name; TypeError for a name that is none of them."""
        known = cls.__dataclass_fields__
        for name in options:
            if name not in known:
                raise TypeError(f"train() has no option {name!r}; {did_you_mean(name, known)}it has {', '.join(known)}")
        return cls(**options)

    @property
    def watchers(self) -> list[Callback]:
        """The callbacks, also when only one was given; ValueError for one that is no function."""
        callbacks: list[Any] = [self.callbacks] if callable(self.callbacks) else list(self.callbacks)
        for callback in callbacks:
            if not callable(callback):
                raise ValueError(f"callbacks must be functions (network, history), got {callback!r}")
        return callbacks

    @property
    def resumed(self) -> Path | None:
        """The checkpoint to go on from, if there is one."""
        if self.resume is None or self.resume is False:
            return None
        path = Path(self.checkpoint if self.resume is True else self.resume)
        return path if self.resume is not True or path.exists() else None


def prepare(network: FeedForward, X: Array, Y: Array, options: TrainingOptions) -> Training:
    """The training that was asked for, checked; `loop.run` does it. Nothing of the network has changed."""
    samples = _samples(network, X, Y, options.weight)
    held_out = _check_validation(network, options.validation)
    optimizer, schedule = find_optimizer(options.optimizer), find_schedule(options.schedule)
    whole_batch = isinstance(optimizer, WholeBatch)
    if whole_batch:
        _check_whole_batch(network, np.shape(X)[-1], optimizer.settings()["name"], options)
    scores = _find_scores(network, options, held_out is not None)
    if isinstance(schedule, Plateau) and options.patience is None:
        raise ValueError("the schedule 'plateau' lowers the rate when patience runs out: give patience")
    rate = getattr(optimizer, "learning_rate", 0.0) if options.learning_rate is None else options.learning_rate
    size = min(len(samples), options.batch_size or 200)
    training = Training(
        network=network,
        samples=samples,
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
        shuffle=bool(options.shuffle),
        scores=scores,
        rng=network.rng if options.rng is None else generator(options.rng),
        engine=_find_engine(network, optimizer, len(samples), size, options),
        callbacks=options.watchers,
        checkpoint=options.checkpoint,
        keep_best=bool(options.keep_best),
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


def _samples(network: FeedForward, X: Array, Y: Array, weight: Array | None) -> Samples:
    """What is learned from: without the samples of weight 0, and with weights of mean 1."""
    X, Y, weight = network.check(X, Y, weight)
    if weight is not None:
        weight = weight / weight.max()  # so that the sum is finite
    return Samples(X, Y, weight).without_zeros().normalised().in_pieces()


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


def _check_whole_batch(network: FeedForward, samples: int, name: str, options: TrainingOptions) -> None:
    """Such an optimizer looks at all samples at once, at a cost that stays the same, and finds its own step."""
    if options.learning_rate is not None or options.clip_norm is not None or options.schedule != "constant":
        raise ValueError(
            f"{name} searches along each line for its step: leave out learning_rate, schedule and clip_norm"
        )
    if options.batch_size is not None and options.batch_size < samples:
        raise ValueError(f"{name} uses all {samples} samples at once: leave out batch_size={options.batch_size}")
    if any(isinstance(layer, Dropout) and layer.rate for layer in network.layers):
        raise ValueError(f"{name} needs a cost that stays the same; with dropout use adam or another optimizer")


def _find_engine(network: FeedForward, optimizer: Any, samples: int, size: int, options: TrainingOptions) -> Engine:
    """The engine; on resuming, "auto" is the one that wrote the checkpoint."""
    engine, threads, resumed = options.engine, options.n_threads, options.resumed
    if engine == "auto" and resumed is not None:
        engine, threads = engine_of(resumed)
    if isinstance(engine, str):
        likely = options.epochs if options.patience is None else min(options.epochs, 20 * options.patience)
        return ENGINES.find(engine)(Job(network, optimizer, likely * samples, size, options.max_seconds, threads))
    if not isinstance(engine, Engine):
        raise ValueError(f"engine must be one of {', '.join(ENGINES)} or a netwright.engines.Engine, got {engine!r}")
    return engine


def _find_scores(network: FeedForward, options: TrainingOptions, validates: bool) -> Mapping[str, Score]:
    scores, monitor = options.scores, options.monitor
    if isinstance(scores, Mapping):
        found = dict(scores)
    else:
        names = network.loss.scores if scores is None else (scores,) if isinstance(scores, str) else scores
        found = {name: SCORES.find(name) for name in names}
    if monitor not in (None, "cost") and (monitor not in found or not validates):
        raise ValueError(f"monitor must be one of the scores ({', '.join(found)}) of validation rows, got {monitor!r}")
    return found
