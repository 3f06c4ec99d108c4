"""Threads that outlive an epoch: a new one would spend its first milliseconds on its parent's core."""

import os
import queue
import threading
from collections.abc import Callable
from functools import partial
from operator import call
from typing import Any

from netwright.engines.threads import cores
from netwright.network import Network


class Workers:
    """Run `loop(plan, w)` for w = 0 … threads - 1 at once; worker 0 is the calling thread."""

    def __init__(self) -> None:
        self.inboxes: list[queue.SimpleQueue[Any]] = []
        self.process = os.getpid()

    def run(self, loop: Callable[[int, int], None], plan: Any, threads: int, memory: Any) -> None:
        """Returns when all are done. `memory` is what the plan, an array, has addresses of.

        Ctrl-C may end the waiting before a worker is done: its job holds the memory until it is, and has an answer of
        its own to give, which no later run takes for its own.
        """
        if self.process != os.getpid():  # after a fork the threads are not here
            self.__init__()  # type: ignore[misc]
        while len(self.inboxes) < threads - 1:
            inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
            threading.Thread(target=_work, args=(inbox,), daemon=True, name="netwright").start()
            self.inboxes.append(inbox)
        done: queue.SimpleQueue[None] = queue.SimpleQueue()
        jobs = [partial(self.inboxes[w - 1].put, (loop, plan, w, done, memory)) for w in range(1, threads)]
        # All of it in one call of C, since Ctrl-C comes between Python's steps: between two of these it would leave
        # workers waiting at a barrier for one who never comes.
        list(map(call, [*jobs, partial(loop, plan.ctypes.data, 0)]))
        for _ in range(1, threads):
            done.get()

    def __del__(self) -> None:
        for inbox in self.inboxes:
            inbox.put(None)


def _work(inbox: "queue.SimpleQueue[Any]") -> None:
    while (job := inbox.get()) is not None:
        loop, plan, w, done, _ = job
        loop(plan.ctypes.data, w)
        done.put(None)
        del job, plan, _  # or the memory would be held until the next job


def default_threads(network: Network, columns: int) -> int:
    """How many workers pay: a step must be worth the barriers and the second gradient."""
    work = 6 * columns * network.theta.size
    return cores() if work > 4e6 else 1
