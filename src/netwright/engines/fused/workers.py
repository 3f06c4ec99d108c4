"""Threads that outlive a training: a new one would spend its first milliseconds on its parent's core."""

import ctypes
import os
import queue
import threading
from functools import cache, partial
from operator import call
from typing import Any

import numpy as np

from netwright.core.network import FeedForward
from netwright.engines.fused.compile import FLAGS, SYSTEM_CALLS, compiled, load_at
from netwright.engines.fused.compile import call as call_address
from netwright.engines.fused.loops.barrier import nanoseconds, sched_yield
from netwright.engines.threads import cores

CALL = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)  # lets other Python threads run meanwhile
LINGERS = 200_000  # nanoseconds
HEAVY, LIGHT = 2e6, 3e5  # operations of a step from which a second worker pays; where they have little to say


class Workers:
    """Run `loop(plan, w)`, a `CALL`, for w = 0 … threads - 1 at once; worker 0 is the calling thread."""

    def run(self, loop: Any, plan: Any, threads: int, memory: Any) -> None:
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
        self.work = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)(working())

    def run(self) -> None:
        jobs = 0
        while True:
            loop, plan, w, memory = self.inbox.get()
            jobs += 1
            self.work(ctypes.cast(loop, ctypes.c_void_p).value, plan.ctypes.data, w, self.called.ctypes.data, jobs)
            del plan, memory  # or it would be held until the next job


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
def working() -> int:
    """The address of (loop, plan, w, called, jobs): do a job, and wait a little for a call beyond so many jobs.

    To be woken takes a sleeper some 100 microseconds; the next call often comes sooner than that. This is one function,
    since between two Python's lock would be asked for, just when the caller has it. For the same reason a call is
    answered only when the caller has had time to let go of it.
    """

    def work(loop: int, plan: int, w: int, called: int, jobs: int) -> None:
        call_address(loop, (plan, w))
        if not SYSTEM_CALLS:
            return
        started = nanoseconds(called + 8)
        while load_at(called) <= jobs:
            if nanoseconds(called + 8) - started > LINGERS:
                return
            sched_yield()  # to whoever shares this core, who may be the one that is to call
        started = nanoseconds(called + 8)
        while nanoseconds(called + 8) - started < 8_000:
            pass

    return compiled(work, 5, "work", **FLAGS)


def default_threads(network: FeedForward, columns: int, pays: float) -> int:
    """How many workers pay, if they do from so many operations of a step on; 1 where they can wait only by spinning."""
    return cores() if SYSTEM_CALLS and 6 * columns * network.theta.size > pays else 1
