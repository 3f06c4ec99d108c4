"""Holding a BLAS to the thread that calls it: where products are small, or our own workers share the work out."""

import importlib
import threading
from functools import cache
from typing import Any


class Limit:
    """One BLAS library's limit, for all who want it at a time: the first sets it, the last takes it back."""

    def __init__(self, libraries: Any):
        self.libraries = libraries
        self.lock, self.inside = threading.Lock(), 0
        self.limiter: Any = None

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.limiter = self.libraries.limit(limits=1)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.limiter.restore_original_limits()


@cache
def _limit_of(files: tuple[str, ...]) -> Limit:
    from threadpoolctl import ThreadpoolController

    return Limit(ThreadpoolController().select(filepath=list(files)))


@cache
def one_thread(package: str) -> Limit:
    """Inside it, the BLAS that "numpy" or "scipy" brings, or shares with others, keeps to the thread that calls it."""
    from threadpoolctl import ThreadpoolController

    importlib.import_module(f"{package}.linalg")  # loads it
    found = [info["filepath"] for info in ThreadpoolController().info() if info["user_api"] == "blas"]
    return _limit_of(tuple(file for file in found if f"{package}.libs" in file) or tuple(found))
