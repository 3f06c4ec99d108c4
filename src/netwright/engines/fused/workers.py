"""Threads that outlive a training: a new one would spend its first milliseconds on its parent's core."""

import ctypes
import os
import queue
import threading
from collections.abc import Callable
from functools import cache, partial
from operator import call
from typing import Any

import numpy as np

from netwright.engines.fused.machine import FLAGS, compiled, load_at
from netwright.engines.fused.sharing import nanoseconds
from netwright.engines.threads import cores
from netwright.network import Network

CALL = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)  # lets other Python threads run meanwhile
LINGERS = 200_000  # nanoseconds


class Workers:
    """Run `loop(plan, w)` for w = 0 … threads - 1 at once; worker 0 is the calling thread."""

    def run(self, loop: Callable[[int, int], None], plan: Any, threads: int, memory: Any) -> None:
        """Returns when all are done, which they tell each other: a loop ends with a `barrier`.

        `memory` is what the plan, an array, has addresses of.
        """
        helpers = [_helper() for _ in range(1, threads)]
        jobs = [partial(helper.put, (loop, plan, w, memory)) for w, helper in enumerate(helpers, 1)]
        try:
            # All of it in one call of C, since Ctrl-C comes between Python's steps: between two of these it would leave
            # workers waiting at a barrier for one who never comes.
            list(map(call, [*jobs, partial(loop, plan.ctypes.data, 0)]))
        finally:
            _idle.extend(helpers)


class Helper(threading.Thread):
    """A thread that does jobs, one after the other. `called` counts those that it was called for."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="netwright")
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self.inbox.put
        self.called = np.zeros(3, np.int64)  # and a clock's memory
        self.linger, self.address = CALL(lingering()), self.called.ctypes.data

    def run(self) -> None:
        jobs = 0
        while True:
            loop, plan, w, memory = self.inbox.get()
            loop(plan.ctypes.data, w)
            jobs += 1
            del plan, memory  # or it would be held until the next job
            self.linger(self.address, jobs)


_idle: list[Helper] = []
_process = os.getpid()


def _helper() -> Helper:
    """An idle thread, called for a job: it is the caller's until that is done."""
    global _process
    if _process != os.getpid():  # after a fork the threads are not here
        _idle.clear()
        _process = os.getpid()
    try:
        helper = _idle.pop()
    except IndexError:
        helper = Helper()
        helper.start()
    helper.called[0] += 1
    return helper


@cache
def lingering() -> int:
    """The address of (called, jobs): wait a little for a call beyond so many jobs.

    To be woken takes a sleeper some 100 microseconds; the next call often comes sooner than that. Who
    calls needs some microseconds more before it lets go of Python's lock, and would have to be woken if it were asked.
    """

    def linger(called: int, jobs: int) -> None:
        started = nanoseconds(called + 8)
        while load_at(called) <= jobs:
            if nanoseconds(called + 8) - started > LINGERS:
                return
        started = nanoseconds(called + 8)
        while nanoseconds(called + 8) - started < 8_000:
            pass

    return compiled(linger, 2, "linger", **FLAGS)


def default_threads(network: Network, columns: int, pays: float) -> int:
    """How many workers pay, if they do from so many operations of a step on."""
    return cores() if 6 * columns * network.theta.size > pays else 1
