"""BLAS as addresses of the functions that SciPy brings."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address


@cache
def blas(name: str, F: Any) -> int:
    """The address of a routine, of sgemm for ("gemm", np.float32)."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", ("s" if F is np.float32 else "d") + name))


@cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401 - loads SciPy's BLAS, so that the controller sees it
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


_lock = threading.Lock()
_inside = 0
_limiter: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS keep to the thread that calls it; the old limit comes back when the last of all trainings is out."""
    global _inside, _limiter
    with _lock:
        _inside += 1
        if _inside == 1:
            _limiter = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limiter.restore_original_limits()
