"""Descent: epochs of updates along the gradient, by the engine. The one loop of all trainings that take such steps."""

from typing import Any, Protocol

import numpy as np

from netwright.core.arguments import Array
from netwright.core.network import FeedForward
from netwright.core.optimizers import Optimizer
from netwright.core.samples import Samples
from netwright.engines import Engine, Steps


class Run(Protocol):
    """What `descend` asks of a training: `Training`, watched from epoch to epoch, or a network of the mixture."""

    engine: Engine
    samples: Samples

    @property
    def network(self) -> FeedForward:
        """What is trained."""
        ...

    @property
    def stopped(self) -> str:
        """Why there are to be no more epochs, in words; "" goes on."""
        ...

    def next_steps(self) -> Steps:
        """The epochs to do now, which nobody looks into."""
        ...

    def note(self, steps: Steps, costs: Array) -> None:
        """They are done, at these costs."""
        ...

    def finish(self) -> None:
        """See what has come of them, and whether to go on."""
        ...

    def state(self) -> Any:
        """Where the training stands, to be rolled back to."""
        ...

    def roll_back(self, state: Any) -> None:
        """Stand there again."""
        ...

    def retries(self, error: BaseException) -> bool:
        """Whether to try once more what was rolled back, otherwise."""
        ...


def descend(run: Run, optimizer: Optimizer) -> None:
    """Epochs of updates, as many at a time as the run asks for, until it says why to stop."""
    while not run.stopped:
        before = run.state()
        try:
            with np.errstate(all="ignore"):  # what overflows makes the cost infinite, and that is told in full
                steps = run.next_steps()
                run.note(steps, run.engine.run_epochs(run.network, optimizer, run.samples, steps))
                del steps  # before the next are drawn, since orders take memory
        except BaseException as error:
            run.roll_back(before)
            if not run.retries(error):
                raise
            continue
        run.finish()
