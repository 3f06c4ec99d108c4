"""What a training went through: a number for each epoch."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from netwright.core import arguments
from netwright.core.arguments import whole
from netwright.files.schema import Shape, curve

HISTORY: Shape = {  # what `to_dict` gives
    "cost": curve,
    "validation_cost": curve,
    "validation_scores": {"...": curve},
    "seconds": curve,
    "learning_rate": curve,
    "evidence?": {"...": curve},
    "best_epoch": (None, whole),
    "stopped": str,
}

FALL = 3.0  # of the log evidence, that speaks strongly for where it was higher (Kass & Raftery 1995)

Callback: TypeAlias = Callable[[Any, "History"], Any]  # the network and what it went through


@dataclass
class History:
    """Lists with an entry an epoch. `cost`: the mean over the epoch's batches, each before its update; where a step
    takes all samples and finds itself (L-BFGS, Levenberg-Marquardt), after it.

    `validation_cost` and `validation_scores` (by name) are empty without validation rows; `seconds` is the time from
    the start to the end of the epoch; `learning_rate` the rate of its last step. `best_epoch` (from 1) has the lowest
    validation cost, and is the one whose parameters the network keeps. `stopped` says in words why training ended.
    `evidence` is what Bayesian regularisation found where each epoch began: by name effective_parameters (gamma), beta,
    log_evidence and the layers' alphas; empty otherwise.
    """

    cost: list[float] = field(default_factory=list)
    validation_cost: list[float] = field(default_factory=list)
    validation_scores: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str = ""
    evidence: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Takes what `to_dict` gave, where None is what is not finite; ValueError when it is no history."""
        try:
            self.cost, self.seconds, self.learning_rate = map(_floats, (self.cost, self.seconds, self.learning_rate))
            self.validation_cost = _floats(self.validation_cost, math.inf)
            self.validation_scores = {name: _floats(kept) for name, kept in self.validation_scores.items()}
            self.evidence = {name: _floats(kept) for name, kept in self.evidence.items()}
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"a history is made of numbers: {error}") from None
        if {len(numbers) for numbers in self.lists()} - {0, len(self)} or not isinstance(self.stopped, str):
            raise ValueError(
                "a history has as many numbers of each kind as it has epochs, and says in words why it ended"
            )
        if self.best_epoch is not None and self.best_epoch not in range(1, len(self.validation_cost) + 1):
            raise ValueError(
                f"best_epoch must be an epoch with a validation cost, got {arguments.brief(self.best_epoch)}"
            )

    def lists(self) -> list[list[float]]:
        """All the lists, to be cut or checked together."""
        several = (*self.validation_scores.values(), *self.evidence.values())
        return [self.cost, self.validation_cost, self.seconds, self.learning_rate, *several]

    @property
    def peak(self) -> int | None:
        """After how many epochs the evidence was highest, if it has fallen by e³ since and no validation rows watch."""
        found = self.evidence.get("log_evidence")
        if not found or self.validation_cost or max(found) - found[-1] <= FALL:
            return None
        return found.index(max(found))

    @property
    def effective_parameters(self) -> float | None:
        """How many parameters the data determine: gamma, where the network goes back to; None where not known."""
        counts, place = self.evidence.get("effective_parameters"), (self.best_epoch or 0) - 1
        return counts[place if self.peak is None else self.peak] if counts else None

    def effective(self, parameters: int) -> list[str]:
        """A line that says so, of so many parameters; none where it is not known."""
        counted = self.effective_parameters
        return [] if counted is None else [f"{counted:.1f} of {parameters:,} parameters are determined by the data"]

    def __len__(self) -> int:
        """Epochs done."""
        return len(self.cost)

    def __repr__(self) -> str:
        if not self.cost:
            return f"History(0 epochs{self.stopped and f'; {self.stopped}'})"
        parts = [f"{len(self)} epochs", f"cost {self.cost[0]:.6g} → {self.cost[-1]:.6g}"]
        if self.validation_cost and self.best_epoch:
            best = self.validation_cost[self.best_epoch - 1]
            parts.append(f"best validation cost {best:.6g} in epoch {self.best_epoch}")
        return f"History({', '.join(parts)}; {self.stopped})"

    def kept(self) -> dict[str, Any]:
        """What a file keeps: all of it, but for an evidence that is not there."""
        return {name: value for name, value in asdict(self).items() if name != "evidence" or value}

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can say it: a number that is not finite is None. `History(**it)` brings it back."""
        kept = self.kept()
        kept["validation_cost"] = _finite(self.validation_cost)
        kept["validation_scores"] = {name: _finite(scores) for name, scores in self.validation_scores.items()}
        return kept

    def plot(self, path: Any = None) -> Any:
        """Draw cost and validation cost over the epochs with matplotlib; returns the Axes, and writes `path` if given.

        ValueError when there is no epoch to draw.
        """
        from netwright.draw.curves import plot_history

        return plot_history(self, None if path is None else arguments.path("path", path))


def _floats(numbers: Iterable[float | None], none: float = math.nan) -> list[float]:
    return [none if x is None else float(x) for x in numbers]


def _finite(numbers: list[float]) -> list[float | None]:
    return [x if math.isfinite(x) else None for x in numbers]
