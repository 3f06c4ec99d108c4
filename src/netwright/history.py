"""What a training went through: a number for each epoch."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class History:
    """Lists with an entry an epoch. `cost`: the mean over the epoch's batches, each before its update.

    `validation_cost` and `validation_scores` (by name) are empty without validation rows; `seconds` is the time from
    the start to the end of the epoch; `learning_rate` the rate of its last step. `best_epoch` (from 1) has the lowest
    validation cost, and is the one whose parameters the network keeps. `stopped` says in words why training ended.
    """

    cost: list[float] = field(default_factory=list)
    validation_cost: list[float] = field(default_factory=list)
    validation_scores: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str = ""

    def __len__(self) -> int:
        """Epochs done."""
        return len(self.cost)

    def __repr__(self) -> str:
        if not self.cost:
            return "History(0 epochs)"
        parts = [f"{len(self)} epochs", f"cost {self.cost[0]:.6g} → {self.cost[-1]:.6g}"]
        if self.validation_cost and self.best_epoch:
            best = self.validation_cost[self.best_epoch - 1]
            parts.append(f"best validation cost {best:.6g} in epoch {self.best_epoch}")
        return f"History({', '.join(parts)}; {self.stopped})"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can say it."""
        return asdict(self)

    def plot(self, path: Any = None) -> Any:
        """Draw cost and validation cost over the epochs with matplotlib; returns the Axes, and writes `path` if given.

        ValueError when there is no epoch to draw.
        """
        from netwright.report import plot_history

        return plot_history(self, path)
