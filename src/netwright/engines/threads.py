"""Threads: how many there may be; and a BLAS held to the one that calls it, lest it fights with ours."""

import importlib
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

from netwright.core.network import FeedForward

SHARED = 5e7  # operations of a matrix product from which it pays to share it between threads, also on a busy machine


def cores() -> int:
    """Those that this process may use; OMP_NUM_THREADS lowers it, as joblib's processes are told theirs by it."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(here, int(limit)) if limit.isdigit() else here)


def bounded(n_threads: int) -> int:
    """`n_threads`, at most four for each processor of the machine: more would only wait for each other.

    Not at most as many as there are, since the bits of a training hang on the number: a machine with fewer can give the
    same.
    """
    return min(n_threads, 4 * (os.cpu_count() or 1))


_owners: weakref.WeakSet[Any] = weakref.WeakSet()


def renewed_in_children(owner: Any) -> None:
    """Have a forked child begin with `owner.forked()`: the thread that held its lock, say, is not there to free it."""
    _owners.add(owner)


def _forked() -> None:
    for owner in _owners:
        owner.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C inside it is raised at its end; a second one at once.

    Python that C calls back, or that runs as an object goes, would swallow it: LLVM does both while it compiles.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = False

    def note(number: int, frame: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


class Lock:
    """A lock for whoever is in no hurry, free again in a forked child."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        renewed_in_children(self)

    def forked(self) -> None:
        """A thread that holds it when it forks holds it in the child too."""
        if not self.lock._is_owned():  # type: ignore[attr-defined]
            self.lock = threading.RLock()

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


class Limit:
    """One BLAS library's limit, for all who want it at a time: the first sets it, the last takes it back."""

    def __init__(self, libraries: list[Any]):
        self.libraries = libraries
        self.lock, self.inside = threading.Lock(), 0
        self.before: list[int] = []
        renewed_in_children(self)

    def forked(self) -> None:
        """In a forked child nobody is inside."""
        self.lock = threading.Lock()
        if self.inside:
            self.inside = 0
            self.set(self.before)

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.before = [library.get_num_threads() for library in self.libraries]
                self.set([1] * len(self.before))

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside = max(0, self.inside - 1)  # 0 already where the block was left by a forked child
            if self.inside == 0:
                self.set(self.before)

    def set(self, limits: list[int]) -> None:
        for library, limit in zip(self.libraries, limits, strict=True):
            # Newer threadpoolctl (3.8) listens to the first thread that ever set a limit, to no other while it lives;
            # trainings on other threads, which share this limit, need it all the same.
            getattr(library, "_real_set_num_threads", library.set_num_threads)(limit)


@cache
def _limit_of(files: tuple[str, ...]) -> Limit:
    from threadpoolctl import ThreadpoolController

    return Limit(ThreadpoolController().select(filepath=list(files)).lib_controllers)


@cache
def one_thread(package: str) -> Limit:
    """Inside it, the BLAS that "numpy" or "scipy" brings, or shares with others, keeps to the thread that calls it."""
    from threadpoolctl import ThreadpoolController

    importlib.import_module(f"{package}.linalg")  # loads it
    found = [info["filepath"] for info in ThreadpoolController().info() if info["user_api"] == "blas"]
    return _limit_of(tuple(file for file in found if f"{package}.libs" in file) or tuple(found))


def threads_that_pay(network: FeedForward, samples: int) -> AbstractContextManager[None]:
    """Inside it NumPy's BLAS keeps to one thread where products with so many samples are too small to be shared.

    Shared between two threads they are at best 1.7 times as fast, on a quiet machine; on a busy one the two wait for
    each other in every product, which takes 20 to 150 times as long.
    """
    return shared_if_large("numpy", 2 * max(layer.W.size for layer in network.dense) * samples)


def shared_if_large(package: str, operations: float) -> AbstractContextManager[Any]:
    """Inside it the package's BLAS keeps to one thread where so many operations are too few to be shared."""
    return one_thread(package) if operations < SHARED else nullcontext()
