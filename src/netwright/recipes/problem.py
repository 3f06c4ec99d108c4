"""What all networks of one fit have in common: the loss, the inputs' columns, threads and time."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import LOSSES
from netwright.core.samples import Samples
from netwright.engines.threads import bounded, cores, one_thread
from netwright.network import Network
from netwright.recipes.checkpoint import MixtureCheckpoint, Part
from netwright.recipes.folds import Judge

Made = TypeVar("Made")

PARTS = 4
HIDDEN, ACTIVATION, DROPOUT = (128, 128), "relu", 0.1
SCOUTING = 1 / 3  # of the time
STAGES = {"scouts": (0.0, SCOUTING), "networks": (SCOUTING, 1.0)}  # of the work, as far as it is told of


@dataclass(frozen=True)
class Problem:
    """What all networks of one fit have in common, and the threads and the time that they have.

    group: for each input, the number of its column, with which it shares an input scale.
    steps: for each input, whether it is a step of a number.
    tell: called with words, such as "networks 3/8", and the share of the work that is done.
    kept: what is done already, and what keeps it.
    """

    loss: str
    group: Array
    steps: Array
    seed: int
    engine: Any = "fused"
    n_threads: int | None = None
    max_seconds: float | None = None
    tell: Callable[[str, float], Any] = lambda words, share: None
    begun: float = field(default_factory=time.perf_counter)
    stop: Event = field(default_factory=Event)
    kept: MixtureCheckpoint = field(default_factory=lambda: MixtureCheckpoint(None, None))
    judge: Judge = field(default_factory=Judge)

    @property
    def workers(self) -> int:
        return bounded(self.n_threads or min(PARTS, cores()))

    @property
    def ends(self) -> float:
        return math.inf if self.max_seconds is None else self.begun - self.kept.before + self.max_seconds

    def seconds(self) -> float:
        """Since the mixture began, and before it was killed."""
        return self.kept.before + time.perf_counter() - self.begun

    def is_over(self, ends: float | None = None) -> bool:
        """Whether the time of a task, or of all, is up."""
        return self.stop.is_set() or time.perf_counter() >= (self.ends if ends is None else ends)

    def deadlines(self, what: str, tasks: int, share: float = 1.0) -> list[float]:
        """When each task is to end: the time left, or a share of it, among tasks that are done in their order."""
        began = self.kept.stages.setdefault(what, self.seconds())
        now, waves = self.begun - self.kept.before + began, math.ceil(tasks / self.workers)
        return [now + share * (self.ends - now) * (task // self.workers + 1) / waves for task in range(tasks)]

    def run_tasks(
        self, what: str | None, tasks: Sequence[Callable[[], Made]], results: dict[int, Made]
    ) -> dict[int, Made]:
        """The tasks, in threads; their results by their places. An error in one, or Ctrl-C, ends them all."""
        with ThreadPoolExecutor(self.workers) as pool, one_thread("numpy"):
            places = {pool.submit(task): place for place, task in enumerate(tasks)}
            try:
                for future in as_completed(places):
                    results[places[future]] = future.result()
                    if what is not None:
                        first, last = STAGES[what]
                        share = first + (last - first) * len(results) / len(tasks)
                        self.tell(f"{what} {len(results)}/{len(tasks)}", share)
            except BaseException:
                self.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        return results

    def once(
        self, name: str, make: Callable[[], Made], pack: Callable[[Made], Part], unpack: Callable[[Part], Made]
    ) -> Made:
        """What `make` makes; or what it made before a kill. `name` is the task's, `pack` says what is kept of it."""
        if name in self.kept.done:
            with self.kept.restoring(name):
                return unpack(self.kept.done[name])
        made = make()
        if self.kept.path is not None and not self.stop.is_set():  # else it may have ended early
            self.kept.finish(name, pack(made))
        return made

    def network(self, samples: Samples, hidden: tuple[int, ...], *stream: int, **options: Any) -> Network:
        """A new one, whose first weights and shuffles come from that stream of random numbers."""
        sizes = [len(samples.X), *hidden, len(samples.Y)]
        rng = np.random.default_rng([self.seed, *stream])
        return Network(sizes, ACTIVATION, loss=self.loss, dtype=np.float32, rng=rng, **options)

    def cost(self, A: Array, Y: Array, weight: Array | None) -> float:
        """The mean loss of outputs A, (outputs, samples); no probability counts for more than 1 - 10⁻⁷."""
        loss = LOSSES[self.loss]
        return loss.mean(np.clip(A, 1e-7, 1 - 1e-7) if loss.targets != "real" else A, Y, weight)
