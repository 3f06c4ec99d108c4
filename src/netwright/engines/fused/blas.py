"""BLAS as addresses of the functions that SciPy brings."""

from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address


@cache
def blas(name: str, F: Any) -> int:
    """The address of a routine, of sgemm for ("gemm", np.float32)."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", ("s" if F is np.float32 else "d") + name))
