"""Products and sums of matrices: by BLAS, or in place where they are so small that the call alone would cost more."""

from typing import Any

import numpy as np
from numba import carray, types

from netwright.engines.fused.machine import call, pointer
from netwright.engines.fused.plan import SCALES
from netwright.engines.fused.rows import TYPES

SMALL = 2_048  # multiplications under which a product is quicker in place than through BLAS

# flags of `multiply`
TRANSPOSE_A, TRANSPOSE_B, SCALED = 1, 2, 4


def multiply(F: Any) -> Any:
    """C = op(A)·op(B), rows contiguous; op is the transpose where the flags say so. SCALED: alpha·that + beta·C.

    alpha and beta stand at SCALES in the arena.
    """
    item, width = TYPES[F], np.dtype(F).itemsize
    zero, one = F(0), F(1)

    def product(
        gemm: int, arena: int, flags: int, M: int, N: int, K: int, pA: int, lda: int, pB: int, ldb: int, pC: int
    ) -> None:
        numbers = carray(pointer(arena + SCALES, item), 2)
        ta, tb = flags & TRANSPOSE_A, flags & TRANSPOSE_B
        if flags & SCALED == 0:
            numbers[0], numbers[1] = one, zero
        if M * N * K > SMALL:
            # BLAS counts by columns, where the same memory reads Cᵀ = op(B)ᵀ·op(A)ᵀ; it takes all by address
            ints = carray(pointer(arena, types.int32), 8)
            ints[0], ints[1], ints[2], ints[3], ints[4], ints[5] = N, M, K, ldb, lda, N
            ints[6], ints[7] = 84 if tb else 78, 84 if ta else 78  # "T", "N"
            call(
                gemm,
                (
                    arena + 24, arena + 28, arena, arena + 4, arena + 8, arena + SCALES, pB, arena + 12, pA, arena + 16,
                    arena + SCALES + width, pC, arena + 20,
                ),
            )  # fmt: skip
            return
        alpha, beta = numbers[0], numbers[1]
        A, B = carray(pointer(pA, item), M * lda + K * lda), carray(pointer(pB, item), N * ldb + K * ldb)
        C = carray(pointer(pC, item), M * N)
        step, stride = (lda, 1) if ta else (1, lda)
        for i in range(M):
            for j in range(N):
                C[i * N + j] = zero if beta == zero else beta * C[i * N + j]
            if tb:
                for j in range(N):
                    s = zero
                    for q in range(K):
                        s += A[q * step + i * stride] * B[j * ldb + q]
                    C[i * N + j] += alpha * s
            else:
                for q in range(K):
                    a = alpha * A[q * step + i * stride]
                    for j in range(N):
                        C[i * N + j] += a * B[q * ldb + j]

    return product


def apply(F: Any) -> Any:
    """y = alpha·A·v + beta·y for A, (rows, columns); alpha and beta stand at SCALES in the arena."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    def matrix_by_vector(gemv: int, arena: int, rows: int, columns: int, pA: int, pv: int, py: int) -> None:
        numbers = carray(pointer(arena + SCALES, item), 2)
        if rows * columns > SMALL // 8:
            # rows are short, and BLAS's kernels sum many of them at once
            ints = carray(pointer(arena, types.int32), 8)
            ints[0], ints[1], ints[2], ints[6] = columns, rows, 1, 84  # "T": it counts by columns
            call(
                gemv,
                (
                    arena + 24, arena, arena + 4, arena + SCALES, pA, arena, pv, arena + 8, arena + SCALES + width,
                    py, arena + 8,
                ),
            )  # fmt: skip
            return
        v, y = carray(pointer(pv, item), columns), carray(pointer(py, item), rows)
        for i in range(rows):
            a, s = carray(pointer(pA + i * columns * width, item), columns), zero
            for j in range(columns):
                s += a[j] * v[j]
            y[i] = numbers[0] * s + (zero if numbers[1] == zero else numbers[1] * y[i])

    return matrix_by_vector
