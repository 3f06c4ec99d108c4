"""Training: epochs of updates, watched. Shuffles, validates, keeps the best, stops in time, resumes to the bit.

`train` sets out, `Training` is the loop with everything that changes in it, and so what a checkpoint holds.
"""

import copy
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from netwright.arguments import Array, Rng, generator, number, whole
from netwright.engines import Engine, find_engine
from netwright.history import History
from netwright.layers import Dropout
from netwright.network import Network
from netwright.optimizers import LBFGS, Optimizer, find_optimizer
from netwright.persistence import check_writable, read, write
from netwright.schedules import Constant, Schedule, find_schedule, spell
from netwright.scores import SCORES, Score

Callback: TypeAlias = Callable[[Network, History], Any]


def train(
    network: Network,
    X: Array,
    Y: Array,
    *,
    epochs: int = 100,
    batch_size: int | None = None,
    optimizer: str | Optimizer | LBFGS = "adam",
    learning_rate: float | None = None,
    schedule: str | Schedule = "constant",
    weight: Array | None = None,
    validation: Sequence[Array] | None = None,
    patience: int | None = None,
    max_seconds: float | None = None,
    clip_norm: float | None = None,
    shuffle: bool = True,
    scores: Sequence[str] | Mapping[str, Score] | None = None,
    rng: Rng = None,
    engine: str | Engine = "auto",
    callbacks: Iterable[Callback] = (),
    checkpoint: Any = None,
    resume: Any = None,
) -> History:
    """Learn from X, (inputs, samples), and Y, (outputs, samples): changes `network.theta`, returns the History.

    epochs: how often every sample is used; 100 by default.
    batch_size: samples an update; by default all of them up to 200, else 200. A larger one than there are means all.
    optimizer: a name in `OPTIMIZERS` or an object, which carries its state from one training to the next.
    learning_rate: by default the optimizer's own.
    schedule: how the rate goes over the epochs, a name in `SCHEDULES`, an object, or a function (e, E) -> factor.
    weight: (samples,), not negative; weight k counts as k copies of the sample, 0 as none.
    validation: (X, Y) or (X, Y, weight), held out. Each epoch's cost and scores on it are recorded, and the network
        ends with the parameters of the epoch whose validation cost was lowest.
    patience: stop after so many epochs in which the validation cost (without validation: the cost) found no new low.
    max_seconds: stop at the end of the epoch in which this time is over.
    clip_norm: cut a longer gradient to this length.
    shuffle: take the samples in a new order each epoch; when a batch is all of them there is nothing to shuffle.
    scores: names in `SCORES`, or functions (Y, A, weight) by name; by default those that suit the loss.
    rng: a seed or a Generator for the shuffles and the dropout masks; by default the network's.
    engine: "plain", or "auto", the one that pays.
    callbacks: functions (network, history), called after each epoch; training stops when one returns True.
    checkpoint: a file that is kept up to date while training, written atomically, at the cost of at most 5 % of time.
    resume: True goes on from `checkpoint` if that file exists; a path goes on from that file, which must exist. The
        same call on the same data then ends with the same bits as if it had never been interrupted. `epochs` is the
        total, and may be raised.

    Ctrl-C ends training at the last whole epoch, with the best parameters so far. A cost that is no longer finite
    raises FloatingPointError, and the network has its last good parameters. ValueError names an argument that is
    wrong; OSError says that the checkpoint can't be written; both before anything has changed.
    """
    X, Y, weight = network.check(X, Y, weight)
    held_out = _check_validation(network, validation)
    found = find_optimizer(optimizer)
    if isinstance(found, LBFGS):
        _check_lbfgs(network, batch_size, X.shape[1], learning_rate, schedule, clip_norm)
    base = getattr(found, "learning_rate", 0.0) if learning_rate is None else learning_rate
    number("learning_rate", base, 0, above=not isinstance(found, LBFGS))
    whole("epochs", epochs)
    for name, value in (("patience", patience), ("batch_size", batch_size)):
        if value is not None:
            whole(name, value)
    for name, limit in (("max_seconds", max_seconds), ("clip_norm", clip_norm)):
        if limit is not None:
            number(name, limit, 0, above=True)
    callbacks = list(callbacks)
    for callback in callbacks:
        if not callable(callback):
            raise ValueError(f"callbacks must be functions (network, history), got {callback!r}")
    if resume is True and checkpoint is None:
        raise ValueError("resume=True goes on from `checkpoint`; give that, or resume=PATH")

    if weight is not None and not weight.all():  # weight 0 is as if the sample were not there
        kept = weight > 0
        X, Y, weight = X[:, kept], Y[:, kept], weight[kept]
    samples = X.shape[1]
    size = min(samples, 200) if batch_size is None else min(batch_size, samples)
    if isinstance(found, LBFGS):
        size = samples
    if rng is not None:
        network.use_rng(generator(rng))
    training = Training(
        network=network,
        X=np.ascontiguousarray(X.T).T if size < samples else X,  # samples in one piece, to be gathered fast
        Y=np.ascontiguousarray(Y.T).T if size < samples else Y,
        weight=None if weight is None else weight / weight.mean(),
        epochs=epochs,
        batch_size=size,
        optimizer=found,
        learning_rate=base,
        schedule=find_schedule(schedule),
        validation=held_out,
        patience=patience,
        max_seconds=max_seconds,
        clip_norm=clip_norm,
        shuffle=bool(shuffle),
        scores=_find_scores(network, scores),
        engine=find_engine(engine),
        callbacks=callbacks,
        checkpoint=checkpoint,
    )
    if checkpoint is not None:
        check_writable(checkpoint, 8 * network.theta.nbytes)
    if resume is not None and resume is not False:
        source = Path(checkpoint if resume is True else resume)
        if resume is not True or source.exists():
            training.restore(source)
    return training.run()


class Training:
    """A training under way: the network, the optimizer, the generator, the History, and the best parameters so far."""

    def __init__(
        self,
        network: Network,
        X: Array,
        Y: Array,
        weight: Array | None,
        epochs: int,
        batch_size: int,
        optimizer: Optimizer | LBFGS,
        learning_rate: float,
        schedule: Schedule,
        validation: tuple[Array, Array, Array | None] | None,
        patience: int | None,
        max_seconds: float | None,
        clip_norm: float | None,
        shuffle: bool,
        scores: Mapping[str, Score],
        engine: Engine,
        callbacks: list[Callback],
        checkpoint: Any,
    ):
        self.network, self.X, self.Y, self.weight = network, X, Y, weight
        self.epochs, self.batch_size, self.optimizer = epochs, batch_size, optimizer
        self.learning_rate, self.schedule, self.validation = learning_rate, schedule, validation
        self.patience, self.max_seconds, self.clip_norm, self.shuffle = patience, max_seconds, clip_norm, shuffle
        self.scores, self.engine, self.callbacks, self.checkpoint = scores, engine, callbacks, checkpoint
        self.history = History(validation_scores={name: [] for name in scores} if validation else {})
        self.theta = network.theta.copy()  # of the last whole epoch
        self.best_theta = self.theta  # of the epoch with the lowest validation cost; without validation, the last
        self.lowest, self.waited = math.inf, 0
        self.spent = 0.0  # seconds before this process took over
        self.written, self.writing = -math.inf, 0.0  # when a checkpoint was last written, and how long that took

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> History:
        self.started = time.perf_counter()
        if self.checkpoint is not None and not self.history.stopped:
            self.write_checkpoint()
        try:
            with np.errstate(all="ignore"):  # what overflows makes the cost infinite, and that is told in full
                if isinstance(self.optimizer, LBFGS):
                    self.minimize(self.optimizer)
                else:
                    while not self.finished():
                        self.end_epoch(*self.run_epoch(self.optimizer))
        except KeyboardInterrupt:
            self.history.stopped = f"interrupted after {len(self.history)} epochs"
        finally:
            self.network.theta = self.best_theta
        if self.checkpoint is not None:
            self.write_checkpoint()
        return self.history

    def run_epoch(self, optimizer: Optimizer) -> tuple[float, float]:
        """(cost, last learning rate) of one epoch by the engine."""
        samples, done = self.X.shape[1], len(self.history)
        steps = -(-samples // self.batch_size)
        rates = [self.learning_rate * self.schedule(done + i / steps, self.epochs) for i in range(steps)]
        order = self.network.rng.permutation(samples) if self.shuffle and steps > 1 else None
        cost = self.engine.run_epoch(
            self.network, optimizer, self.X, self.Y, self.weight, order, self.batch_size, rates, self.clip_norm
        )
        return cost, rates[-1]

    def minimize(self, optimizer: LBFGS) -> None:
        """Epochs of L-BFGS: SciPy runs `restart` of them at a time, an iteration each."""
        from scipy.optimize import minimize

        network, history = self.network, self.history

        def cost_and_gradient(theta: Array) -> tuple[float, Array]:
            network.theta = theta
            cost = self.engine.gradient(network, self.X, self.Y, self.weight)
            # An infinite cost is only a step too far: the line search comes back from it, but not from NaN.
            return cost if cost == cost else math.inf, network.grad.astype(np.float64)

        def after_iteration(intermediate_result: Any) -> None:
            network.theta = intermediate_result.x
            self.end_epoch(float(intermediate_result.fun), 0.0, may_write=False)
            if self.finished() or len(history) % part == 0:
                raise StopIteration

        part = optimizer.restart or self.epochs
        while not self.finished():
            before = len(history)
            self.check_finite(cost_and_gradient(network.theta.astype(np.float64))[0])
            result = minimize(
                cost_and_gradient,
                network.theta.astype(np.float64),
                jac=True,
                method="L-BFGS-B",
                callback=after_iteration,
                options={
                    "maxcor": optimizer.memory,
                    "maxiter": self.epochs,
                    "maxfun": 10**9,
                    "gtol": optimizer.tolerance,
                    "ftol": 8 * np.finfo(self.network.dtype).eps,
                },
            )
            network.theta = self.theta
            if not self.finished() and (len(history) % part or len(history) == before):
                history.stopped = f"converged after {len(history)} epochs ({str(result.message).strip().lower()})"
            self.keep_up()

    def end_epoch(self, cost: float, rate: float, may_write: bool = True) -> None:
        """Record the epoch, keep the parameters, see whether it is time to stop, and say so to everybody."""
        network, history = self.network, self.history
        self.check_finite(cost)
        validation = self.validate()
        self.theta = network.theta.copy()
        watched = cost if validation is None else validation[0]
        history.cost.append(cost)
        history.learning_rate.append(rate)
        history.seconds.append(self.seconds())
        if validation is not None:
            history.validation_cost.append(validation[0])
            for name, score in validation[1].items():
                history.validation_scores[name].append(score)
        if watched < self.lowest:
            self.lowest, self.waited = watched, 0
            if validation is not None:
                self.best_theta, history.best_epoch = self.theta, len(history)
        else:
            self.waited += 1
        if validation is None:
            self.best_theta = self.theta
        self.decide()
        if [True for callback in self.callbacks if callback(network, history) is True]:
            history.stopped = history.stopped or f"stopped by a callback after {len(history)} epochs"
        if may_write:
            self.keep_up()

    def decide(self) -> None:
        """Set `history.stopped` when training is over."""
        history, done = self.history, len(self.history)
        if self.patience is not None and self.waited >= self.patience:
            what = "validation cost" if self.validation is not None else "cost"
            history.stopped = f"no lower {what} for {self.patience} epochs"
        elif done >= self.epochs:
            history.stopped = f"all {self.epochs} epochs done"
        elif self.max_seconds is not None and self.seconds() >= self.max_seconds:
            history.stopped = f"time was up ({self.max_seconds:g} s) after {done} epochs"

    def finished(self) -> bool:
        return bool(self.history.stopped)

    def validate(self) -> tuple[float, dict[str, float]] | None:
        """Cost and scores on the held-out samples."""
        if self.validation is None:
            return None
        X, Y, weight = self.validation
        cost, A = self.network.evaluate(X, Y, weight)
        if not math.isfinite(cost):
            cost = math.inf  # a NaN would compare as neither better nor worse
        return cost, {name: float(score(Y, A, weight)) for name, score in self.scores.items()}

    def check_finite(self, cost: float) -> None:
        """FloatingPointError, after putting the last good parameters back, when cost or theta are not finite."""
        if math.isfinite(cost) and np.isfinite(self.network.theta).all():
            return
        epoch = len(self.history) + 1
        seen = f"the cost became {cost}" if not math.isfinite(cost) else "parameters became infinite"
        causes = ["inputs or targets that are far from 0 or differ wildly in size (standardise them)"]
        if self.learning_rate:
            causes.insert(0, f"a learning rate that is too high (it is {self.learning_rate:g}; try a tenth)")
        if self.clip_norm is None:
            causes.append("a gradient that explodes (try clip_norm=1)")
        self.network.theta = self.best_theta
        self.history.stopped = f"{seen} in epoch {epoch}"
        raise FloatingPointError(
            f"{seen} in epoch {epoch}; likely causes: {', '.join(causes)}. "
            f"The network has its last good parameters, from {f'epoch {epoch - 1}' if epoch > 1 else 'before training'}"
        )

    def seconds(self) -> float:
        return self.spent + time.perf_counter() - self.started

    # ── checkpoint and resume ────────────────────────────────────────────────────────────────────────────────────────

    def keep_up(self) -> None:
        """Write a checkpoint if that keeps writing under a twentieth of the time."""
        if self.checkpoint is not None and time.perf_counter() - self.written > 20 * self.writing:
            self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Everything that decides the rest of the training, into one file."""
        before = time.perf_counter()
        tensors = {"theta": self.theta, "best_theta": self.best_theta}
        steps = 0
        if isinstance(self.optimizer, Optimizer):
            tensors |= {f"optimizer.{name}": slot for name, slot in self.optimizer.slots.items()}
            steps = self.optimizer.t
        header = {
            "network": self.network.settings(),
            "settings": self.settings(),
            "history": self.history.to_dict(),
            "state": {
                "lowest": self.lowest,
                "waited": self.waited,
                "steps": steps,
                "seconds": self.seconds(),
                "rng": _plain(self.network.rng.bit_generator.state),
            },
        }
        write(self.checkpoint, "checkpoint", tensors, header)
        self.written = time.perf_counter()
        self.writing = self.written - before

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; ValueError unless it belongs to this network, these data and these settings."""
        kind, tensors, header = read(path)
        if kind != "checkpoint":
            raise ValueError(f"{path} holds a {kind}, not a checkpoint; resume needs a file that checkpoint= wrote")
        pairs = [(name, header["settings"].get(name), value) for name, value in self.settings().items()]
        pairs.append(("network", header["network"], self.network.settings()))
        for name, then, now in pairs:
            if then != now and not (name == "epochs" and isinstance(self.schedule, Constant) and then <= now):
                raise ValueError(
                    f"cannot resume from {path}: {name} was {_short(then)} there and is {_short(now)} now; "
                    f"make the same call on the same data, or start without resume"
                )
        state, history = header["state"], History(**header["history"])
        if history.stopped.startswith(("all ", "interrupted", "time was up", "stopped by")):
            history.stopped = ""  # more epochs, or more time, may be had now
        self.history = history
        self.theta, self.best_theta = tensors["theta"], tensors["best_theta"]
        self.network.theta = self.theta
        self.lowest, self.waited, self.spent = state["lowest"], state["waited"], state["seconds"]
        if isinstance(self.optimizer, Optimizer):
            self.optimizer = copy.copy(self.optimizer)
            self.optimizer.t = state["steps"]
            self.optimizer.slots = {n.removeprefix("optimizer."): v for n, v in tensors.items() if n.startswith("opt")}
        self.network.rng.bit_generator.state = state["rng"]
        self.started = time.perf_counter()
        self.decide()

    def settings(self) -> dict[str, Any]:
        """What must be the same for a resumed training to end as the whole one would."""
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer.settings(),
            "learning_rate": self.learning_rate,
            "schedule": spell(self.schedule),
            "clip_norm": self.clip_norm,
            "patience": self.patience,
            "shuffle": self.shuffle,
            "scores": list(self.scores),
            "engine": self.engine.name,
            "generator": self.network.rng.bit_generator.state["bit_generator"],
            "data": _fingerprint(self.X, self.Y, self.weight, *(self.validation or ())),
        }


# ── what `train` checks ──────────────────────────────────────────────────────────────────────────────────────────────


def _check_validation(network: Network, validation: Any) -> tuple[Array, Array, Array | None] | None:
    if validation is None:
        return None
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise ValueError(f"validation must be (X, Y) or (X, Y, weight), got {type(validation).__name__}")
    try:
        return network.check(*validation)
    except ValueError as error:
        raise ValueError(f"validation: {error}") from None


def _check_lbfgs(
    network: Network, batch_size: int | None, samples: int, learning_rate: Any, schedule: Any, clip_norm: Any
) -> None:
    """L-BFGS looks at all samples at once, at a cost that stays the same, and finds its own step."""
    if learning_rate is not None or clip_norm is not None or schedule != "constant":
        raise ValueError("lbfgs searches along each line for its step: leave out learning_rate, schedule and clip_norm")
    if batch_size is not None and batch_size < samples:
        raise ValueError(f"lbfgs uses all {samples} samples at once: leave out batch_size={batch_size}")
    if any(isinstance(layer, Dropout) and layer.rate for layer in network.layers):
        raise ValueError("lbfgs needs a cost that stays the same; with dropout use adam or another optimizer")


def _find_scores(network: Network, scores: Any) -> Mapping[str, Score]:
    if isinstance(scores, Mapping):
        return dict(scores)
    names = network.loss.scores if scores is None else (scores,) if isinstance(scores, str) else scores
    return {name: SCORES.find(name) for name in names}


# ── what a checkpoint needs ──────────────────────────────────────────────────────────────────────────────────────────


def _fingerprint(*arrays: Array | None) -> str:
    """A hash of the data: about a second a gigabyte."""
    hashed = hashlib.blake2b(digest_size=16)
    for array in arrays:
        hashed.update(b"none" if array is None else f"{array.dtype} {array.shape}".encode())
        if array is not None:
            hashed.update(np.ascontiguousarray(array.T).data)
    return hashed.hexdigest()


def _plain(state: Any) -> Any:
    """A generator's state as JSON can say it."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
