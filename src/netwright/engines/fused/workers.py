"""Threads that outlive a training: a new one would spend its first milliseconds on its parent's core."""

import os
import queue
import threading
from collections.abc import Callable
from functools import partial
from operator import call
from typing import Any

from netwright.engines.threads import cores
from netwright.network import Network

_idle: "list[queue.SimpleQueue[Any]]" = []  # the inboxes of threads that wait for work, of any training
_process = os.getpid()


class Workers:
    """Run `loop(plan, w)` for w = 0 … threads - 1 at once; worker 0 is the calling thread."""

    def run(self, loop: Callable[[int, int], None], plan: Any, threads: int, memory: Any) -> None:
        """Returns when all are done. `memory` is what the plan, an array, has addresses of.

        Ctrl-C may end the waiting before a worker is done: its job holds the memory until it is, and has an answer of
        its own to give, which no later run takes for its own.
        """
        done: queue.SimpleQueue[None] = queue.SimpleQueue()
        jobs = [partial(_inbox().put, (loop, plan, w, done, memory)) for w in range(1, threads)]
        # All of it in one call of C, since Ctrl-C comes between Python's steps: between two of these it would leave
        # workers waiting at a barrier for one who never comes.
        list(map(call, [*jobs, partial(loop, plan.ctypes.data, 0)]))
        for _ in range(1, threads):
            done.get()


def _inbox() -> "queue.SimpleQueue[Any]":
    """An idle thread's, which is the caller's until it has done a job."""
    global _process
    if _process != os.getpid():  # after a fork the threads are not here
        _idle.clear()
        _process = os.getpid()
    try:
        return _idle.pop()
    except IndexError:
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=_work, args=(inbox,), daemon=True, name="netwright").start()
        return inbox


def _work(inbox: "queue.SimpleQueue[Any]") -> None:
    while True:
        loop, plan, w, done, memory = inbox.get()
        loop(plan.ctypes.data, w)
        _idle.append(inbox)
        done.put(None)
        del plan, memory  # or it would be held until the next job


def default_threads(network: Network, columns: int, pays: float) -> int:
    """How many workers pay, if they do from so many operations of a step on."""
    return cores() if 6 * columns * network.theta.size > pays else 1
