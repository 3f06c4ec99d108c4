"""The fused engine's products beside BLAS's, on one thread, for the shapes of a step: python benchmarks/products.py

Each is called in a compiled loop, in turns; the numbers are medians, in GFLOP/s. BLAS is SciPy's, called as a compiled
program would call it, with every matrix as a training has it: x and A with a sample a row or a column. Where BLAS is
told to transpose one, ours takes the transpose that the step keeps beside it, whose making is counted for ours.
"""

import ctypes
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401  loads its BLAS, so that it can be held to one thread
from numba import carray, types
from numba.core.ccallback import CFunc
from numba.extending import get_cython_function_address
from threadpoolctl import threadpool_limits

from netwright.engines.fused.compile import call, pointer
from netwright.engines.fused.kernels.products import BLOCK_COLUMNS, BLOCK_ROWS, padded
from netwright.engines.fused.loops.by_rows import piece as address_of
from netwright.engines.fused.plan import Plan

SHAPES = {  # name: columns of a batch, inputs, neurons
    "digits, first layer": (32, 64, 100),
    "digits, last layer": (32, 100, 10),
    "deep": (64, 64, 64),
    "tab, half a batch": (128, 128, 128),
    "mnist, first layer": (128, 784, 512),
    "wide, second layer": (512, 2048, 2048),
}
ARGUMENTS = 13


def repeat(function: int, arguments: int, times: int) -> None:
    a = carray(pointer(arguments, types.int64), ARGUMENTS)
    for _ in range(times):
        call(function, (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12]))


def repeat_ours(function: int, arguments: int, times: int) -> None:
    a = carray(pointer(arguments, types.int64), ARGUMENTS)
    for _ in range(times):
        call(function, (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]))


def repeat_turn(function: int, arguments: int, times: int) -> None:
    a = carray(pointer(arguments, types.int64), ARGUMENTS)
    for _ in range(times):
        call(function, (a[0], a[1], a[2], a[3], a[4], a[5]))


def loop(function: Any) -> Any:
    compiled = CFunc(function, ((types.int64,) * 3, types.void), {}, {"nopython": True})
    compiled.compile()
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(compiled.address)
    run.keep = compiled
    return run


def timed(run: Any, function: int, arguments: list[int], times: int) -> float:
    given = np.zeros(ARGUMENTS, np.int64)
    given[: len(arguments)] = arguments
    start = perf_counter()
    run(function, given.ctypes.data, times)
    return (perf_counter() - start) / times


def main() -> None:
    F = np.float32
    gemm = get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
    multiply, turn_it = address_of(Plan.MULTIPLY, F), address_of(Plan.TURN, F)
    runs = {name: loop(f) for name, f in (("blas", repeat), ("own", repeat_ours), ("turn", repeat_turn))}
    space = np.zeros(BLOCK_ROWS * BLOCK_COLUMNS + 16, F)
    print(f"{'':22}{'':6}{'M':>6}{'N':>6}{'K':>6}{'BLAS':>8}{'ours':>8}  times as fast")
    for name, (columns, inputs, neurons) in SHAPES.items():
        # what, M, N, K, whether A and B are stored the other way round
        for what, M, N, K, ta, tb in (
            ("Z", neurons, columns, inputs, False, "first" in name),
            ("dW", neurons, inputs, columns, False, "first" not in name),
            ("dA", inputs, columns, neurons, True, False),
        ):
            rng = np.random.default_rng(0)
            A, B = (rng.normal(size=(rows, padded(cols, F))).astype(F) for rows, cols in ((M, K), (K, N)))
            A, C = np.ascontiguousarray(A[:, :K].T if ta else A[:, :K]), np.zeros((M, padded(N, F)), F)
            turned = np.zeros((padded(N, F), padded(K, F)), F)
            one, ints = np.array([1, 0], F), np.zeros(8, np.int32)
            other = turned if tb else B
            ints[:6] = N, M, K, other.shape[1], A.shape[1], C.shape[1]
            ints[6:] = ord("T") if tb else ord("N"), ord("T") if ta else ord("N")
            at, matrix = (lambda i, ints=ints: ints.ctypes.data + 4 * i), (lambda a: a.ctypes.data)
            blas = [at(6), at(7), at(0), at(1), at(2), matrix(one), matrix(other), at(3), matrix(A), at(4)]
            blas += [matrix(one) + 4, matrix(C), at(5)]
            strides = (4, 4 * M) if ta else (4 * K, 4)
            place = space.ctypes.data + -space.ctypes.data % 64
            ours = [M, N, K, matrix(A), *strides, matrix(B), 4 * B.shape[1], matrix(C), 4 * C.shape[1], 0, place]
            turn = [N, K, matrix(turned), 4 * turned.shape[1], matrix(B), 4 * B.shape[1]]
            times = max(1, int(2e7 / (M * N * K)))
            seconds: dict[str, list[float]] = {"blas": [], "own": []}
            for _ in range(9):
                seconds["blas"].append(timed(runs["blas"], gemm, blas, times))
                own_s = timed(runs["own"], multiply, ours, times)
                seconds["own"].append(own_s + (timed(runs["turn"], turn_it, turn, times) if tb else 0))
            theirs, mine = (2e-9 * M * N * K / median(s) for s in seconds.values())
            print(f"{name:22}{what:6}{M:6}{N:6}{K:6}{theirs:8.1f}{mine:8.1f}  {mine / theirs:.2f}")


if __name__ == "__main__":
    with threadpool_limits(1, "blas"):
        main()
