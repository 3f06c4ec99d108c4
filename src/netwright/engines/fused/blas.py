"""BLAS's matrix product, as the address of the function that SciPy brings."""

import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address


@cache
def gemm(F: Any) -> int:
    """sgemm or dgemm."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", "sgemm" if F is np.float32 else "dgemm"))


_controller: Any = None
_lock = threading.Lock()


def one_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS keeps to the thread that calls it; its old limit comes back afterwards."""
    global _controller
    try:
        import threadpoolctl
    except ImportError:
        return nullcontext()
    with _lock:
        if _controller is None:
            import scipy.linalg  # noqa: F401 - loads SciPy's BLAS, so that the controller sees it

            _controller = threadpoolctl.ThreadpoolController()
    return _controller.limit(limits=1, user_api="blas")  # type: ignore[no-any-return]
