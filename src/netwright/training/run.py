"""A training under way: its record, the best so far, reasons to stop, the way back, checkpoints.

An epoch counts as a whole or not at all: whatever interrupts it, the network, the optimizer, the generator and the
history go back to where they stood before.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array, as_number, cut
from netwright.core.dropout import Dropout
from netwright.core.network import FeedForward
from netwright.core.optimizers import Optimizer, WholeBatch
from netwright.core.samples import Samples
from netwright.core.schedules import Constant, Plateau, Schedule, spell
from netwright.core.scores import Score, is_error
from netwright.engines import Engine, Steps
from netwright.training.checkpoint import Keeper, State, check_words, fingerprint, read_checkpoint, write_checkpoint
from netwright.training.history import Callback, History


@dataclass
class Training:
    """A training under way: what `train` was given, checked, and how far it has come."""

    network: FeedForward
    samples: Samples  # their weights of mean 1
    rows: float  # the sum of the weights as they were given, or how many samples there are
    epochs: int
    batch_size: int
    optimizer: Optimizer | WholeBatch
    learning_rate: float
    schedule: Schedule
    validation: Samples | None
    patience: int | None
    tolerance: float | None
    monitor: str | None  # the score, or "cost", to watch; None: the validation cost, without validation the cost
    max_seconds: float | None
    clip_norm: float | None
    shuffle: bool
    scores: Mapping[str, Score]
    rng: np.random.Generator
    engine: Engine
    callbacks: Sequence[Callback]
    checkpoint: Any
    keep_best: bool  # end with the parameters of the best epoch on the validation rows, or by the evidence

    def __post_init__(self) -> None:
        self.history = History(validation_scores={name: [] for name in self.scores} if self.validation else {})
        self.best: Array | None = None  # theta of the best epoch on the validation rows, or by the evidence
        self.before = (math.inf, 0)  # the lowest number watched, and the epochs since
        self.reset()
        self.started, self.spent = time.perf_counter(), 0.0  # seconds spent before this process took over
        self.keeper = None if self.checkpoint is None else Keeper(self.checkpoint, self.write)
        self.picture: tuple[int, Array] | None = None  # see State
        self.damping: float | None = None  # see State
        self.begun = 0.0  # when the epochs under way were
        self.ahead: int | None = None  # epochs done at a time; None: none yet

    def rates(self, epoch: int) -> list[float]:
        """The learning rate of each step of the epoch (from 0)."""
        steps = -(-len(self.samples) // self.batch_size)
        base = self.learning_rate * self.rate_factor
        factors = [self.schedule(epoch + i / steps, self.epochs) for i in range(steps)]
        for factor in factors:
            as_number("schedule", factor)
        rates = [float(base * factor) for factor in factors]
        for rate in rates:
            if not 0 <= rate < math.inf:
                raise ValueError(
                    f"schedule must give factors of at least 0; in epoch {epoch + 1} it made a rate {rate}"
                )
        return rates

    # ── what `descend` asks ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def stopped(self) -> str:
        """Why it has ended; "" while it has not."""
        return self.history.stopped

    @cached_property
    def many(self) -> bool:
        """Whether many epochs are done at once: nobody watches them, and dropout draws nothing between the shuffles."""
        watched = self.validation is not None or self.callbacks or self.checkpoint is not None
        return self.engine.ahead and not watched and not self.dropout

    @cached_property
    def dropout(self) -> bool:
        """Whether a layer drops."""
        return any(isinstance(layer, Dropout) for layer in self.network.layers)

    @cached_property
    def shuffles(self) -> bool:
        """Whether each epoch has a new order: when a batch is all of the samples there is nothing to shuffle."""
        return self.shuffle and self.batch_size < len(self.samples)

    def next_steps(self) -> Steps:
        """One epoch, or as many as take about a tenth of a second, for which Ctrl-C and max_seconds can wait."""
        self.begun, done, n = self.seconds(), len(self.history), len(self.samples)
        steps = -(-n // self.batch_size)
        if self.ahead is None:
            seconds = 2e-6 * steps + 6 * n * self.network.theta.size / 60e9  # an epoch, about, when compiled
            self.ahead = max(1, int(0.02 / seconds)) if self.many else 1
        self.ahead = min(self.ahead, self.epochs - done)
        if self.patience is not None:
            self.ahead = max(1, min(self.ahead, self.patience - self.stale_epochs))  # it cannot run out sooner
        schedule = self.schedule
        if isinstance(schedule, Constant) and type(schedule) in (Constant, Plateau) and not schedule.warmup:
            rates = np.full((self.ahead, steps), self.learning_rate * self.rate_factor)
        else:
            rates = np.array([self.rates(epoch) for epoch in range(done, done + self.ahead)])
        return Steps.drawn(n, self.batch_size, rates, self.rng if self.shuffles else None, self.clip_norm)

    def note(self, steps: Steps, costs: Array) -> None:
        """Add the epochs that were done to the history."""
        done, epochs, history = len(self.history), len(costs), self.history
        self.check_finite(float(costs.sum()))
        if epochs > 1:  # all but the last, at even times
            took = (self.seconds() - self.begun) / epochs
            history.cost += costs[:-1].tolist()
            history.learning_rate += steps.rates[:-1, -1].tolist()
            history.seconds += (self.begun + took * np.arange(1, epochs)).tolist()
            if self.patience is not None:
                for epoch in range(done + 1, done + epochs):
                    self.judge(epoch)
        self.record(float(costs[-1]), float(steps.rates[-1, -1]))

    def finish(self) -> None:
        """See whether it is time to stop, and how many epochs to do next; write a checkpoint if it is time."""
        if self.many and self.ahead is not None:
            self.ahead = max(1, int(self.ahead * min(4.0, 0.1 / max(self.seconds() - self.begun, 1e-4))))
        self.check_stop(self.callbacks)
        if self.keeper is not None:
            self.keeper.write_if_due()

    def retries(self, error: BaseException) -> bool:
        """Of many epochs that failed: whether they are done once more, one by one, up to the one that did."""
        if self.ahead == 1 or not isinstance(error, FloatingPointError):
            return False
        self.ahead, self.many, self.history.stopped = 1, False, ""
        return True

    # ── what was reached ────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, cost: float, rate: float) -> None:
        """Add the epoch to the history, and keep its parameters if they are the best."""
        history = self.history
        if self.validation is not None:
            held = self.validation
            watched, A = self.network.evaluate(*held.arrays)
            history.validation_cost.append(watched if math.isfinite(watched) else math.inf)
            for name, score in self.scores.items():
                history.validation_scores[name].append(as_number(f"scores[{name!r}]", score(held.Y, A, held.weight)))
        history.learning_rate.append(rate)
        history.seconds.append(self.seconds())
        history.cost.append(cost)
        self.judge(len(history))
        if history.best_epoch == len(history):
            self.best = self.network.theta.copy()

    def continue_from(self, lowest: float, stale_epochs: int) -> None:
        """Go on from an earlier training that left its best parameters: its lowest cost, and how many epochs ago."""
        self.before = lowest, stale_epochs
        self.reset()
        if lowest < math.inf and self.validation is not None:
            self.best = self.network.theta.copy()

    def reset(self) -> None:
        """Be as if no epoch had been watched."""
        self.lowest, self.stale_epochs = self.before
        self.rate_factor, self.history.best_epoch = 1.0, None  # what a plateau has made of the rate

    def judge(self, epoch: int) -> None:
        """See whether the epoch (from 1) has the lowest cost so far, or the best score."""
        history = self.history
        if self.monitor in (None, "cost"):
            watched = (history.cost if self.monitor else history.validation_cost or history.cost)[epoch - 1]
        else:
            score = history.validation_scores[self.monitor][epoch - 1]
            watched = score if is_error(self.monitor) else -score
        lower = watched < self.lowest
        self.stale_epochs += 1
        if lower if self.tolerance is None else watched <= self.lowest - self.tolerance:
            self.stale_epochs = 0
        if lower:
            self.lowest = watched
            if history.validation_cost:
                history.best_epoch = epoch
        if isinstance(self.schedule, Plateau) and self.patience is not None and self.stale_epochs >= self.patience:
            rate = self.learning_rate * self.rate_factor
            if rate > self.schedule.floor:
                self.rate_factor, self.stale_epochs = self.rate_factor / self.schedule.divide, 0

    def check_stop(self, callbacks: Sequence[Callback]) -> None:
        """See whether it is time to stop, and let the callbacks see."""
        history, done = self.history, len(self.history)
        if self.patience is not None and self.stale_epochs >= self.patience:
            costs = "lower validation cost" if self.validation is not None else "lower cost"
            what = {None: costs, "cost": "lower cost"}.get(self.monitor, f"better {self.monitor}")
            history.stopped = f"no {what} for {self.patience} epochs"
        elif done >= self.epochs:
            history.stopped = f"all {self.epochs} epochs done"
        elif self.max_seconds is not None and done and history.seconds[-1] >= self.max_seconds:
            history.stopped = f"time was up ({self.max_seconds:g} s) after {done} epochs"
        said = [callback(self.network, history) for callback in callbacks]
        if any(isinstance(word, bool | np.bool_) and word for word in said):
            history.stopped = history.stopped or f"stopped by a callback after {done} epochs"

    def settle(self) -> None:
        """End with the parameters of the best epoch, on the validation rows or by the evidence."""
        history = self.history
        if self.best is None or not self.keep_best or (self.validation is None and history.peak is None):
            return
        self.network.theta = self.best
        if history.peak is not None:
            history.stopped += f"; back to the evidence's peak, after epoch {history.peak}"

    def check_finite(self, cost: float) -> None:
        """FloatingPointError when the cost, theta or what the optimizer remembers are not finite."""
        slots = getattr(self.optimizer, "slots", {})
        vectors = {"the parameters": self.network.theta} | {f"the optimizer's {name}": v for name, v in slots.items()}
        bad = [name for name, vector in vectors.items() if not np.isfinite(vector).all()]
        if math.isfinite(cost) and not bad:
            return
        epoch = len(self.history) + 1
        seen = f"{bad[0]} became infinite" if math.isfinite(cost) else f"the cost became {cost}"
        causes = ["inputs or targets that are far from 0 or differ wildly in size (standardise them)"]
        if self.learning_rate:
            causes.insert(0, f"a learning rate that is too high (it is {self.learning_rate:g}; try a tenth)")
            if self.clip_norm is None:
                causes.append("a gradient that explodes (try clip_norm=1)")
        good = self.history.best_epoch or epoch - 1
        self.history.stopped = f"{seen} in epoch {epoch}"
        raise FloatingPointError(
            f"{seen} in epoch {epoch}; likely causes: {', '.join(causes)}. "
            f"The network has its last good parameters, from {f'epoch {good}' if good else 'before training'}"
        )

    def seconds(self) -> float:
        return self.spent + time.perf_counter() - self.started

    # ── where it stands: to go back there, and to write and read checkpoints ─────────────────────────────────────────

    def state(self, *, drawn: bool = False) -> State:
        """As it is now; without the generator's where an epoch draws nothing, unless with `drawn`: some take long."""
        optimizer = self.optimizer
        steps, slots = (optimizer.t, optimizer.slots) if isinstance(optimizer, Optimizer) else (0, {})
        return State(
            epochs=len(self.history),
            theta=self.network.theta.copy(),
            best=self.best,
            steps=steps,
            slots={name: slot.copy() for name, slot in slots.items()},
            rng=self.rng.bit_generator.state if drawn or self.shuffles or self.dropout else None,
            picture=self.picture,
            damping=self.damping,
        )

    def roll_back(self, state: State) -> None:
        """Be where that state was."""
        self.network.theta[...], self.best, self.damping = state.theta, state.best, state.damping
        if isinstance(self.optimizer, Optimizer):
            self.optimizer.t = state.steps
            self.optimizer.slots = {name: state.slots[name].copy() for name in self.optimizer.names}
        if state.rng is not None:
            self.rng.bit_generator.state = dict(state.rng)
        for numbers in self.history.lists():
            del numbers[state.epochs :]
        self.reset()
        for epoch in range(1, state.epochs + 1):
            self.judge(epoch)

    def write(self, path: Any) -> None:
        """Write a checkpoint."""
        write_checkpoint(path, self.network.settings(), self.settings, self.state(drawn=True), self.history)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; ValueError unless it belongs to this network, these data and these settings."""
        state, history = read_checkpoint(path, self.network.settings(), self.settings, self.network.theta)
        if state.epochs > self.epochs:
            raise ValueError(f"cannot resume from {path}: it has {state.epochs} epochs, more than epochs={self.epochs}")
        rates = [0.0 if isinstance(self.optimizer, WholeBatch) else self.rates(e)[-1] for e in range(state.epochs)]
        if rates != history.learning_rate and not isinstance(self.schedule, Plateau):
            raise ValueError(
                f"cannot resume from {path}: with epochs={self.epochs} the schedule {spell(self.schedule)} gives other "
                f"learning rates for the {state.epochs} epochs done there; epochs must be what it was"
            )
        if set(state.slots) != set(getattr(self.optimizer, "names", ())):
            raise ValueError(f"{path}: it has not the vectors that the optimizer needs")
        names, found = self.evidence if state.epochs else [], history.evidence
        least = {name: 0.0 if name != "log_evidence" else -math.inf for name in found}
        if [*found] != names or not all(least[name] < each < math.inf for name in found for each in found[name]):
            raise ValueError(f"{path}: its history has not the evidence that the optimizer needs")
        try:
            bits = dict(state.rng or {})
            check_words(bits.get("bits", bits))
            type(self.rng.bit_generator)().state = bits  # a trial, before anything is changed
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            why = cut(str(error), 200)
            raise ValueError(f"{path}: its header does not describe a checkpoint (rng: {why})") from None
        self.history, self.spent = history, history.seconds[-1] if history.seconds else 0.0
        self.picture = state.picture
        self.network.use_rng(self.rng)
        self.roll_back(state)
        if not history.stopped.startswith("converged"):
            asked = self.callbacks if history.stopped.startswith("stopped by") else ()
            history.stopped = ""  # more epochs or more time may be had now
            self.check_stop(asked)

    @cached_property
    def evidence(self) -> list[str]:
        """The names of what an epoch of the history has beside its cost."""
        return self.optimizer.evidence(self.network) if isinstance(self.optimizer, WholeBatch) else []

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What must be the same, beside the network, for a resumed training to end as the whole one would."""
        held = self.validation
        return {
            "batch_size": self.batch_size,
            "optimizer": self.optimizer.settings(),
            "learning_rate": self.learning_rate,
            "schedule": spell(self.schedule),
            "clip_norm": self.clip_norm,
            "patience": self.patience,
            "tolerance": self.tolerance,
            "monitor": self.monitor,
            "shuffle": self.shuffle,
            "scores": list(self.scores),
            "engine": self.engine.name,
            "threads": self.engine.threads,
            "generator": type(self.rng.bit_generator).__name__,
            "X": fingerprint(self.samples.X),
            "Y": fingerprint(self.samples.Y),
            "weight": fingerprint(self.samples.weight),
            "validation": fingerprint(*(() if held is None else held.arrays)),
            **({"rows": self.rows} if self.evidence else {}),
        }
