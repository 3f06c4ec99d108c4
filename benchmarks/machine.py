"""The machine and its limits: the matrix products of a work and nothing else, and copying.

A step of training needs, for each layer, the products of feedforward (A·Wᵀ), of the gradient (dZᵀ·A) and, but for the
first layer, of the way back (dZ·W). `Products` runs just these, by SciPy's BLAS straight through its C pointer, on all
cores. No trainer that takes its products from that BLAS can be faster; the share it reaches says what its own overhead
is. `bandwidth` bounds what must read and write much for few products.
"""

import ctypes
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from time import perf_counter

import numba
import numpy as np
import scipy.linalg  # noqa: F401  loads the BLAS before its threads are limited
from numba.extending import get_cython_function_address
from threadpoolctl import threadpool_info, threadpool_limits
from works import Array, Work

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
TILE = 512  # rows at once in prediction

# Addresses are passed as whole numbers of their size: the same registers, and no pointer types needed.
sgemm = ctypes.CFUNCTYPE(None, *[ctypes.c_size_t] * 13)(get_cython_function_address("scipy.linalg.cython_blas", "sgemm"))


@numba.njit(nogil=True)
def multiply(calls: Array, times: int) -> None:
    for _ in range(times):
        for i in range(len(calls)):
            c = calls[i]
            sgemm(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12])


class Products:
    """The products of one batch, in memory of their own. `side_by_side` (samples as rows) or feature by feature."""

    def __init__(self, work: Work, rows: int, samples_as_rows: bool):
        self.kept: list[Array] = []
        calls = []
        for i, (inputs, neurons) in enumerate(work.layers):
            W, dW = self.floats(inputs * neurons), self.floats(inputs * neurons)
            A, Z = self.floats(inputs * rows), self.floats(neurons * rows)
            if samples_as_rows:  # in BLAS's words, where columns come first
                calls.append(self.call("T", "N", neurons, rows, inputs, W, A, Z))
                back = [self.call("N", "T", inputs, neurons, rows, A, Z, dW)]
                back += [self.call("N", "N", inputs, rows, neurons, W, Z, A)] * (i > 0)
            else:
                calls.append(self.call("N", "N", rows, neurons, inputs, A, W, Z))
                back = [self.call("T", "N", inputs, neurons, rows, A, Z, dW)]
                back += [self.call("N", "T", rows, inputs, neurons, Z, W, A)] * (i > 0)
            if work.trains:
                calls += back
        self.calls = np.array(calls, np.uintp)

    def floats(self, count: int) -> int:
        """The address of so many numbers; small, so that products of products stay finite."""
        memory = np.full(count + 16, 1e-3, np.float32)
        self.kept.append(memory)
        return -(-memory.ctypes.data // 64) * 64

    def call(self, ta: str, tb: str, m: int, n: int, k: int, A: int, B: int, C: int) -> list[int]:
        """The 13 addresses of C (m, n) = A (m, k) · B (k, n)."""
        numbers = np.array([m, n, k, m if ta == "N" else k, k if tb == "N" else n, m], np.int32)
        letters, factors = np.frombuffer((ta + tb).encode(), np.uint8).copy(), np.array([1, 0], np.float32)
        self.kept += [numbers, letters, factors]
        m, n, k, lda, ldb, ldc = (numbers.ctypes.data + 4 * i for i in range(6))
        ta, tb = letters.ctypes.data, letters.ctypes.data + 1
        one, zero = factors.ctypes.data, factors.ctypes.data + 4
        return [ta, tb, m, n, k, one, A, lda, B, ldb, zero, C, ldc]


class Limit:
    """All products of a work's epochs (or of a prediction): `shared` by BLAS's threads, or batches side by side."""

    def __init__(self, work: Work, shared: bool, samples_as_rows: bool):
        self.shared = shared
        sizes = work.batches() if work.trains else Work.batches(_tiled(work))
        streams = 1 if shared else CORES
        self.counts = [(rows, sizes.count(rows)) for rows in sorted(set(sizes), reverse=True)]
        self.streams = [[Products(work, rows, samples_as_rows) for rows, _ in self.counts] for _ in range(streams)]
        self.pool = ThreadPoolExecutor(CORES)

    def reset(self) -> None:
        threadpool_limits(CORES if self.shared else 1, user_api="blas")

    def train(self, epochs: int) -> None:
        def stream(number: int) -> None:
            for products, (_, count) in zip(self.streams[number], self.counts, strict=True):
                total, parts = count * epochs, len(self.streams)
                multiply(products.calls, total * (number + 1) // parts - total * number // parts)

        if len(self.streams) == 1:
            stream(0)
        else:
            list(self.pool.map(stream, range(len(self.streams))))


def _tiled(work: Work) -> Work:
    from dataclasses import replace

    return replace(work, batch=min(TILE, work.rows))


def bandwidth(megabytes: int = 256, times: int = 5) -> float:
    """Bytes a second that all cores together read and write when they copy: the best of a few."""
    parts = [(np.ones(megabytes << 17, np.float64 if False else np.uint8), np.empty(megabytes << 17, np.uint8)) for _ in range(CORES)]
    best = 0.0
    with ThreadPoolExecutor(CORES) as pool:
        for _ in range(times):
            start = perf_counter()
            list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))
            moved = 2 * sum(part[0].nbytes for part in parts)
            best = max(best, moved / (perf_counter() - start))
    return best


def describe() -> dict[str, object]:
    """What a reader needs to judge the numbers."""
    return {
        "processor": _processor(),
        "cores": CORES,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }
