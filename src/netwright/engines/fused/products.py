"""Products and sums of matrices: by BLAS, or in place where they are so small that the call alone would cost more."""

from typing import Any

import numpy as np
from numba import carray, types

from netwright.engines.fused.machine import call, pointer
from netwright.engines.fused.plan import SCALES
from netwright.engines.fused.rows import TYPES

# Up to so many multiplications a product, and up to so many rows a product with a vector, is quicker in place.
SMALL, FEW = 100, 16

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
        A = carray(pointer(pA, item), M * lda + K * lda)
        step, stride = (lda, 1) if ta else (1, lda)
        for i in range(M):
            row = carray(pointer(pC + i * N * width, item), N)
            for j in range(N):
                row[j] = zero if beta == zero else beta * row[j]
            if tb:
                for j in range(N):
                    other, s = carray(pointer(pB + j * ldb * width, item), K), zero
                    for q in range(K):
                        s += A[q * step + i * stride] * other[q]
                    row[j] += alpha * s
            else:
                for q in range(K):
                    other, a = carray(pointer(pB + q * ldb * width, item), N), alpha * A[q * step + i * stride]
                    for j in range(N):
                        row[j] += a * other[j]

    return product


def apply(F: Any) -> Any:
    """y = alpha·A·v + beta·y for A, (rows, columns); alpha and beta stand at SCALES in the arena."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    def matrix_by_vector(gemv: int, arena: int, rows: int, columns: int, pA: int, pv: int, py: int) -> None:
        numbers = carray(pointer(arena + SCALES, item), 2)
        if rows > FEW:
            # they are short, and BLAS's kernels sum many of them at once
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
