"""The machine and its limits: the matrix products of a work and nothing else, and copying.

A step of training needs, for each layer, the products of feedforward (A·Wᵀ), of the gradient (dZᵀ·A) and, but for the
first layer, of the way back (dZ·W). `Limit` runs just these on all cores, by SciPy's BLAS straight through its C
pointer. What takes its products from that BLAS cannot be faster; the share that it reaches says what all the rest
costs. `bandwidth` bounds what must read and write much for few products.
"""

import ctypes
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np
import scipy.linalg  # noqa: F401  loads the BLAS before its threads are limited
from numba.extending import get_cython_function_address
from peers import CORES
from threadpoolctl import threadpool_limits
from works import Array, Work

TILE = 512  # rows at once in prediction

# Addresses are passed as whole numbers of their size: in C the same, and no pointer types are needed.
sgemm = ctypes.CFUNCTYPE(None, *[ctypes.c_size_t] * 13)(
    get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
)


@numba.njit(nogil=True)
def multiply(calls: Array, times: int) -> None:
    for _ in range(times):
        for i in range(len(calls)):
            c = calls[i]
            sgemm(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12])


class Products:
    """The products of one batch of a work, in memory of their own; with samples as rows, or as columns."""

    def __init__(self, work: Work, rows: int, samples_as_rows: bool):
        self.kept: list[Array] = []
        calls = []
        for i, (inputs, neurons) in enumerate(work.layers):
            W, dW = self.floats(inputs * neurons), self.floats(inputs * neurons)
            A, Z = self.floats(inputs * rows), self.floats(neurons * rows)
            if samples_as_rows:  # BLAS sees each array transposed, since it counts down the columns
                calls.append(self.call("TN", neurons, rows, inputs, W, A, Z))
                back = [self.call("NT", inputs, neurons, rows, A, Z, dW)]
                back += [self.call("NN", inputs, rows, neurons, W, Z, A)] * (i > 0)
            else:
                calls.append(self.call("NN", rows, neurons, inputs, A, W, Z))
                back = [self.call("TN", inputs, neurons, rows, A, Z, dW)]
                back += [self.call("NT", rows, inputs, neurons, Z, W, A)] * (i > 0)
            calls += back if work.trains else []
        self.calls = np.array(calls, np.uintp)

    def floats(self, count: int) -> int:
        """The address of so many zeros."""
        self.kept.append(np.zeros(count + 16, np.float32))
        return -(-self.kept[-1].ctypes.data // 64) * 64

    def call(self, transposed: str, m: int, n: int, k: int, A: int, B: int, C: int) -> list[int]:
        """The 13 addresses that make C (m, n) = A (m, k) · B (k, n)."""
        letters = np.frombuffer(transposed.encode(), np.uint8).copy()
        numbers = np.array([m, n, k, m if transposed[0] == "N" else k, k if transposed[1] == "N" else n, m], np.int32)
        factors = np.array([1, 0], np.float32)
        self.kept += [letters, numbers, factors]
        at_m, at_n, at_k, lda, ldb, ldc = (numbers.ctypes.data + 4 * i for i in range(6))
        one, zero = factors.ctypes.data, factors.ctypes.data + 4
        return [letters.ctypes.data, letters.ctypes.data + 1, at_m, at_n, at_k, one, A, lda, B, ldb, zero, C, ldc]


class Limit:
    """All products of a work's epochs, or of a prediction: each shared by BLAS's threads, or one batch a core."""

    last: "Limit | None" = None

    def __init__(self, work: Work, each_shared: bool, samples_as_rows: bool):
        self.each_shared = each_shared
        sizes = (work if work.trains else replace(work, batch=min(TILE, work.rows))).batches()
        self.counts = {rows: sizes.count(rows) for rows in sizes}
        streams = 1 if each_shared else CORES
        self.streams = [[Products(work, rows, samples_as_rows) for rows in self.counts] for _ in range(streams)]
        self.threads = [ThreadPoolExecutor(1, initializer=settle, initargs=(i,)) for i in range(streams)]

    def reset(self) -> None:
        threadpool_limits(CORES if self.each_shared else 1, user_api="blas")
        Limit.last = self

    def claim(self) -> None:
        """`reset`, unless this was the last to do so."""
        if Limit.last is not self:
            self.reset()

    def train(self, epochs: int) -> None:
        def run(number: int) -> None:
            for products, count in zip(self.streams[number], self.counts.values(), strict=True):
                total, parts = count * epochs, len(self.streams)
                multiply(products.calls, total * (number + 1) // parts - total * number // parts)

        if self.each_shared:
            run(0)
            return
        for done in [thread.submit(run, i) for i, thread in enumerate(self.threads)]:
            done.result()

    def weights(self) -> list[Any]:
        return []


def settle(number: int) -> None:
    """Keep this thread on a core of its own: woken for a millisecond, it else lands on that of the one that woke it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[number]})


def bandwidth(megabytes: int = 256, times: int = 5) -> float:
    """Bytes a second that all cores together read and write when they copy: the best of a few."""
    count = megabytes * 2**20 // CORES
    parts = [(np.ones(count, np.uint8), np.ones(count, np.uint8)) for _ in range(CORES)]
    seconds = []
    with ThreadPoolExecutor(CORES) as pool:
        for _ in range(times):
            start = perf_counter()
            list(pool.map(lambda part: np.copyto(*part), parts))
            seconds.append(perf_counter() - start)
    return 2 * count * CORES / min(seconds)


def describe() -> dict[str, object]:
    """What a reader needs to judge the numbers."""
    words = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    flags = next((line.split() for line in _lines("/proc/cpuinfo") if line.startswith("flags")), [])
    return {
        "processor": words[0] if words else platform.processor() or platform.machine(),
        "vectors": next((name for name in ("avx512f", "avx2", "avx", "asimd") if name in flags), "unknown"),
        "cores": CORES,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
