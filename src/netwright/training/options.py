"""What a training may be asked: each option once, with its default, its check and its words."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.core.arguments import Array, Rng, brief, flag, function, number, path, several, text, whole
from netwright.core.optimizers import Optimizer, WholeBatch
from netwright.core.registry import did_you_mean
from netwright.core.schedules import Schedule
from netwright.core.scores import Score
from netwright.training.history import Callback

if TYPE_CHECKING:
    from netwright.engines import Engine


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
    "monitor": text,
    "shuffle": flag,
    "keep_best": flag,
    "checkpoint": path,
    "resume": lambda name, value: flag(name, value) if isinstance(value, bool | np.bool_) else path(name, value),
}
NEVER_NONE = ("epochs", "shuffle", "keep_best")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What a training may be asked: each option with its default, its check and its words.

    epochs: how often every sample is used; 100 by default.
    batch_size: samples an update; by default all of them up to 200, else 200. A larger one than there are means all.
    optimizer: who steps along the gradient: a name in `OPTIMIZERS`, or an object, which carries its state from one
        training to the next.
    learning_rate: how far a step goes; by default the optimizer's own.
    schedule: how the rate goes over the epochs: a name in `SCHEDULES`, an object, or a function (e, E) -> factor.
    weight: (samples,), not negative; weight k counts as k copies of the sample, 0 as none.
    validation: (X, Y) or (X, Y, weight), held out. Each epoch's cost and scores on it are recorded, and the network
        ends with the parameters of the epoch whose validation cost was lowest.
    patience: stop after so many epochs without a new low: of the validation cost, without validation of the cost.
    tolerance: an epoch is such unless its cost is lower than the lowest before it by this much; None: by anything.
    monitor: the one of `scores`, or "cost", to watch in the validation cost's place, for patience and the best epoch.
    max_seconds: stop at the end of the epoch in which this time is over.
    clip_norm: cut a longer gradient to this length.
    shuffle: take the samples in a new order each epoch; when a batch is all of them there is nothing to shuffle.
    scores: names in `SCORES`, or functions (Y, A, weight) by name; by default those that suit the loss.
    rng: a seed or a Generator for the shuffles and the dropout masks; by default the network's.
    engine: "plain", "fused" (compiled; see docs/performance.md), or "auto", the one that will be done sooner.
    n_threads: workers of the fused engine; by default as many as pay, at most four for each processor.
    callbacks: functions (network, history), called after each epoch; training stops when one returns True. Resuming
        what one has stopped asks them again.
    checkpoint: a file that is kept up to date while training: written atomically, at the cost of at most 5 % of time.
        A file that is there and is no checkpoint is not overwritten: ValueError. If it can no longer be written, a
        RuntimeWarning says so, and training goes on.
    keep_best: False ends with the last epoch's parameters instead of those of the best on the validation rows, or by
        the evidence of Bayesian regularisation.
    resume: go on from the checkpoint: True from `checkpoint` if that file exists, a path from that file, which must
        exist. The same call on the same data then ends with the same bits as if it had never been interrupted. `epochs`
        is the total, and may be raised unless the rates so far depend on it, as with cosine and one_cycle. L-BFGS does
        again what it did since its last restart.

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
    engine: "str | Engine" = "auto"
    n_threads: int | None = None
    callbacks: Iterable[Callback] = ()
    checkpoint: Any = None
    resume: Any = None
    keep_best: bool = True

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            value = getattr(self, name)
            if value is not None or name in NEVER_NONE:
                object.__setattr__(self, name, check(name, value))
        if self.resume is True and self.checkpoint is None:
            raise ValueError("resume=True goes on from `checkpoint`; give that, or resume=PATH")

    @classmethod
    def words(cls, name: str) -> str:
        """What the option is, in a few words: the beginning of what is said of it above."""
        said = re.search(rf"^    {name}: (.+?)[.,:;]\s", cls.__doc__ or "", re.MULTILINE | re.DOTALL)
        return " ".join(said[1].split()) if said else ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "TrainingOptions":
        """The options by name; TypeError for a name that is none of them."""
        known = cls.__dataclass_fields__
        for name in options:
            if name not in known:
                raise TypeError(f"train() has no option {name!r}; {did_you_mean(name, known)}it has {', '.join(known)}")
        return cls(**options)

    def check_whole_batch(self, optimizer: WholeBatch, *, dropout: bool = False, samples: float = math.inf) -> None:
        """ValueError for what does not go with an optimizer that looks at all samples at once.

        It needs a cost that stays the same, and finds its own steps. `dropout`: whether the network has some.
        """
        given = {
            "learning_rate": self.learning_rate is not None,
            "clip_norm": self.clip_norm is not None,
            "schedule": self.schedule != "constant",
            "batch_size": self.batch_size is not None and self.batch_size < samples,
            "dropout": dropout,
        }
        if any(given.values()):
            raise ValueError(
                f"{optimizer.settings()['name']} takes all samples at once, at a cost that stays the same, and finds "
                f"its own steps: leave out {', '.join(name for name, there in given.items() if there)}, or use adam"
            )

    @property
    def watchers(self) -> list[Callback]:
        """The callbacks, also when only one was given; ValueError for one that is no function of two."""
        what = "functions (network, history)"
        given = [self.callbacks] if callable(self.callbacks) else several("callbacks", self.callbacks, what)
        for callback in given:
            if not callable(callback) or isinstance(callback, type):
                raise ValueError(f"callbacks must be {what}, got {brief(callback)}")
        return [function("callbacks", callback, "callback(network, history)") for callback in given]

    @property
    def resumed(self) -> Path | None:
        """The checkpoint to go on from, if there is one."""
        if self.resume is None or self.resume is False:
            return None
        path = Path(self.checkpoint if self.resume is True else self.resume)
        return path if self.resume is not True or path.exists() else None
