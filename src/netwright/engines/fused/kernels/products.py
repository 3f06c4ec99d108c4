"""Products of matrices in a worker's own memory, and their transposes.

A step's matrices are too small for BLAS to be at its best: it copies them to rearrange them, and looks at its arguments
each time. Here each is laid out, once, as the products that read it want it (docs/performance.md has the numbers).
"""

from typing import Any

import numpy as np
from numba import carray, njit

from netwright.engines.fused.compile import INNER, INNER_SUMS, pointer
from netwright.engines.fused.kernels.rows import TYPES
from netwright.engines.fused.kernels.tiles import heights, lanes, square, tile

# A B of more bytes is copied block by block, so that a block stays in a core's cache while A goes by.
LARGE = 1 << 20
BLOCK_ROWS, BLOCK_COLUMNS = 256, 512


def padded(count: int, F: Any) -> int:
    """The count, or the next that fills whole vectors."""
    n = lanes(F)
    return -(-count // n) * n


@njit(**INNER)
def padded_to(count: int, one: int) -> int:
    """`padded`, compiled, where a vector has `one` numbers."""
    return (count + one - 1) // one * one


def multiply(F: Any) -> Any:
    """C = A·B, (M, N) from (M, K) and (K, N), or C += A·B where `more`; all strides in bytes, as `tiles.tile` says.

    B's rows are read as whole vectors, so they must be `padded`. `space` is for a block of a B that is `LARGE`.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    wide = 2 * one
    high, middle, low, _ = heights()
    wide_tiles, narrow_tiles = ([tile(rows, vectors, F) for rows in heights()] for vectors in (2, 1))

    def column(tiles: Any) -> Any:
        first, second, third, fourth = tiles

        @njit(**INNER)
        def rows_of(
            M: int, K: int, A: int, si: int, sk: int, B: int, sb: int, C: int, sc: int, more: int, columns: int
        ) -> None:
            i = 0
            while M - i >= high:
                first((K, A + i * si, si, sk, B, sb, C + i * sc, sc, more, columns))
                i += high
            if M - i >= middle:
                second((K, A + i * si, si, sk, B, sb, C + i * sc, sc, more, columns))
                i += middle
            if M - i >= low:
                third((K, A + i * si, si, sk, B, sb, C + i * sc, sc, more, columns))
                i += low
            if i < M:
                fourth((K, A + i * si, si, sk, B, sb, C + i * sc, sc, more, columns))

        return rows_of

    wide_column, narrow_column = column(wide_tiles), column(narrow_tiles)

    @njit(**INNER)
    def panels(
        M: int, N: int, K: int, A: int, si: int, sk: int, B: int, sb: int, step: int, C: int, sc: int, more: int
    ) -> None:
        """Panel after panel of B, `step` bytes apart."""
        j = 0
        while N - j > one:
            wide_column(M, K, A, si, sk, B, sb, C, sc, more, min(one, N - j - one))
            j, B, C = j + wide, B + step, C + wide * width
        if j < N:
            narrow_column(M, K, A, si, sk, B, sb, C, sc, more, N - j)

    def product(
        M: int, N: int, K: int, A: int, si: int, sk: int, B: int, sb: int, C: int, sc: int, more: int, space: int
    ) -> None:
        if N * K * width <= LARGE or 4 * high > M:
            panels(M, N, K, A, si, sk, B, sb, wide * width, C, sc, more)
            return
        for k in range(0, K, BLOCK_ROWS):
            depth = min(BLOCK_ROWS, K - k)
            for n in range(0, N, BLOCK_COLUMNS):
                across = min(BLOCK_COLUMNS, N - n)
                for j in range(0, across, wide):
                    count = min(wide, across - j)
                    for q in range(depth):
                        source = carray(pointer(B + (k + q) * sb + (n + j) * width, item), count)
                        target = carray(pointer(space + (j * depth + q * wide) * width, item), count)
                        for c in range(count):
                            target[c] = source[c]
                for i in range(0, M, high):
                    rows, to = min(high, M - i), C + i * sc + n * width
                    panel = wide * depth * width
                    panels(rows, across, depth, A + i * si + k * sk, si, sk, space, wide * width, panel, to, sc, more)
            more = 1

    return product


def turn(F: Any) -> Any:
    """The transpose, in whole squares, of (rows, columns) numbers; strides in bytes. Reads and writes whole vectors."""
    width, one = np.dtype(F).itemsize, lanes(F)
    turned = square(F)

    def transpose(rows: int, columns: int, source: int, s: int, target: int, t: int) -> None:
        for i in range(0, rows, one):
            for j in range(0, columns, one):
                turned((source + i * s + j * width, s, target + j * t + i * width, t))

    return transpose


def apply(F: Any) -> Any:
    """y = A·v for A, (rows, columns), contiguous."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    @njit(**INNER_SUMS)
    def dot(a: Any, v: Any) -> Any:
        s = zero
        for j in range(v.size):
            s += a[j] * v[j]
        return s

    def matrix_by_vector(rows: int, columns: int, pA: int, pv: int, py: int) -> None:
        v, y = carray(pointer(pv, item), columns), carray(pointer(py, item), rows)
        for i in range(rows):
            y[i] = dot(carray(pointer(pA + i * columns * width, item), columns), v)

    return matrix_by_vector


def sum_rows(F: Any) -> Any:
    """y = the sums of the rows of A, (rows, columns), `stride` bytes apart; y += them where `more`."""
    item = TYPES[F]
    zero = F(0)

    def row_sums(rows: int, columns: int, pA: int, stride: int, py: int, more: int) -> None:
        y = carray(pointer(py, item), rows)
        for i in range(rows):
            a, s = carray(pointer(pA + i * stride, item), columns), zero
            for j in range(columns):
                s += a[j]
            y[i] = s + y[i] if more else s

    return row_sums
