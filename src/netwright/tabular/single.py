"""One network that learns a table, as somebody asks for it: what that leaves open comes from the table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from netwright.core.activations import Activation
from netwright.core.arguments import Array, brief, whole
from netwright.core.losses import TARGETS, Loss, find_loss, natural_loss
from netwright.core.memory import memory
from netwright.core.optimizers import BayesianRegularization, Optimizer, WholeBatch, find_optimizer
from netwright.core.samples import batch_size_for
from netwright.core.schedules import find_schedule, spell
from netwright.network import Network
from netwright.tables.frame import Frame
from netwright.tables.target import TargetEncoder
from netwright.training.options import TrainingOptions

TRAINING = ("epochs", "batch_size", "optimizer", "learning_rate", "schedule", "patience", "clip_norm")
FOR_CLASSES = ("probability", "distribution")  # what the losses for classification learn from


@dataclass(frozen=True)
class OneNetwork:
    """What `train_table` may be asked about the network, with what it is when it is not asked.

    training: what was asked of those of `TrainingOptions` that are in `TRAINING`, checkpoint and resume.
    """

    hidden: Sequence[int] = (64, 32)
    activation: str | Activation | Sequence[str | Activation] = "silu"
    loss: str | Loss | None = None
    dropout: float = 0.0
    l2: float | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """What is wrong whatever the table holds is said before it is read, which may take a while."""
        if isinstance(self.hidden, str) or not isinstance(self.hidden, Sequence):
            raise ValueError(f"hidden must be a list of sizes such as [64, 32], got {brief(self.hidden)}")
        for size in self.hidden:
            whole("each size in hidden", size)
        check_memory([1, *self.hidden, 1])
        find_schedule(self.options.schedule)
        if isinstance(self.optimizer, WholeBatch):
            self.options.check_whole_batch(self.optimizer, dropout=bool(self.dropout))
            self.optimizer.check_cost(find_loss(self.loss or natural_loss()), self.l2 or 0.0, 0.0)
        sizes = [1] * (len(self.hidden) + 2)
        l2 = 0.0 if self.l2 is None else self.l2
        Network(sizes, self.activation, dropout=self.dropout, l2=l2, rng=0)  # says what is wrong with them
        if self.loss is not None:
            find_loss(self.loss)

    @cached_property
    def options(self) -> TrainingOptions:
        """What was asked of the training, checked, with the defaults of the others."""
        return TrainingOptions(**self.training)

    @cached_property
    def optimizer(self) -> Optimizer | WholeBatch:
        """Who descends."""
        return find_optimizer(self.options.optimizer)

    def loss_for(self, goal: TargetEncoder, frame: Frame) -> Loss:
        """The loss that was asked for, if it suits the target; else the usual one."""
        classes, usual = len(goal.classes), find_loss(natural_loss(len(goal.classes)))
        if self.loss is None:
            return usual
        asked = find_loss(self.loss)
        if (asked.targets in FOR_CLASSES) != (goal.task == "classification"):
            raise ValueError(
                f"the loss {asked.name!r} does not suit a {goal.task} ({goal.name!r}: {goal.reason}); "
                f"choose {usual.name}, or another task"
            )
        if asked.targets == "probability" and classes > 2:
            raise ValueError(
                f"the loss {asked.name!r} is for two classes, {goal.name!r} has {classes}; choose {usual.name}"
            )
        truth = frame.column(goal.name)
        if asked.targets == "count" and np.min(truth) < 0:
            row = int(np.argmin(truth))
            right = TARGETS["count"][0]
            raise ValueError(f"{asked.name} needs {right}; {goal.name!r} is {truth[row]:g} on {frame.place(row)}")
        return asked

    def make(self, inputs: int, Y: Array, weight: Array | None, loss: Loss, rng: np.random.Generator) -> Network:
        """The network, untrained, for the targets Y, (outputs, rows), that it is to learn."""
        sizes = [inputs, *self.hidden, len(Y)]
        check_memory(sizes)
        usual = 0.0 if isinstance(self.optimizer, BayesianRegularization) else 1 / Y.shape[1]
        l2 = usual if self.l2 is None else self.l2
        network = Network(sizes, self.activation, loss=loss, dropout=self.dropout, l2=l2, rng=rng)
        network.start_at_mean(Y, weight)
        return network

    def budget(self, rows: int, held: int) -> dict[str, int | None]:
        """Epochs, batch size and patience, where they are not given, so that any number of rows gets enough updates."""
        epochs, batch_size, patience = (self.training.get(name) for name in ("epochs", "batch_size", "patience"))
        if isinstance(self.optimizer, WholeBatch):
            epochs, patience = epochs or 500, patience or (20 if held else None)
        else:
            batch_size = batch_size or batch_size_for(rows, 40)
            steps = math.ceil(rows / batch_size)
            epochs = epochs or (max(30, math.ceil(20_000 / steps)) if held else max(20, math.ceil(4000 / steps)))
            patience = patience or (max(8, math.ceil(600 / steps)) if held else None)
        return {"epochs": epochs, "batch_size": batch_size, "patience": patience}

    def settings(self, network: Network, budget: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked and what was chosen, for the model's file."""
        rate = {} if self.options.learning_rate is None else {"learning_rate": self.options.learning_rate}
        return {
            "hidden": list(self.hidden),
            "optimizer": self.optimizer.settings() | rate,
            "schedule": spell(find_schedule(self.options.schedule)),
            **budget,
            "clip_norm": self.options.clip_norm,
            "dropout": self.dropout,
            "l2": network.l2,
        }


def check_memory(sizes: Sequence[int]) -> None:
    """MemoryError for a network that could not be held while it trains, told before it is tried."""
    parameters = sum(a * b + b for a, b in pairwise(sizes))
    needed = 8 * 6 * parameters  # theta, its gradient, the optimizer's two slots, the last and the best theta
    if needed > (there := memory()):
        raise MemoryError(
            f"hidden layers of {', '.join(map(str, sizes[1:-1]))} make {parameters:,} parameters, which take "
            f"{needed / 2**30:,.0f} GiB to train; there are {there / 2**30:,.0f} GiB"
        )
