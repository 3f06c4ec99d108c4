"""The fused engine's products and transposes against NumPy's, in every layout that a step asks for."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("netwright.engines.fused")
from netwright.engines.fused.kernels import products
from netwright.engines.fused.kernels.products import padded
from netwright.engines.fused.loops.by_rows import piece as address_of
from netwright.engines.fused.plan import Plan

DTYPES = (np.float64, np.float32)


def piece(name, F, *arguments):
    """Call a compiled piece with whole numbers and the addresses of arrays."""
    values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(values))(address_of(Plan[name], F))(*values)


def check(M, N, K, turned, more, F, seed=0):
    """C = A·B with A as it is or turned, its result and nothing else written; C += A·B where `more`."""
    rng, width, across = np.random.default_rng(seed), np.dtype(F).itemsize, padded(N, F)
    A, C = rng.normal(size=(K, M) if turned else (M, K)).astype(F), rng.normal(size=(M + 1, N + 3)).astype(F)
    B = np.full((K, across), np.nan, F)  # what fills up its rows must not matter
    B[:, :N] = rng.normal(size=(K, N))
    expected = C.copy()
    expected[:M, :N] = (A.T if turned else A) @ B[:, :N] + (C[:M, :N] if more else 0)
    steps = (width, M * width) if turned else (K * width, width)
    space = np.zeros(products.BLOCK_ROWS * products.BLOCK_COLUMNS, F)
    piece("MULTIPLY", F, M, N, K, A, *steps, B, across * width, C, (N + 3) * width, int(more), space)
    tolerance = K * np.finfo(F).eps * 10
    np.testing.assert_allclose(C, expected, rtol=tolerance, atol=tolerance)


@settings(max_examples=150, deadline=None)
@given(
    M=st.integers(1, 40),
    N=st.integers(1, 70),
    K=st.integers(1, 40),
    turned=st.booleans(),
    more=st.booleans(),
    F=st.sampled_from(DTYPES),
    seed=st.integers(0, 99),
)
def test_products_of_any_shape(M, N, K, turned, more, F, seed):
    check(M, N, K, turned, more, F, seed)


@pytest.mark.parametrize("F", DTYPES)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize(("M", "N", "K"), [(100, 1100, 600), (37, 513, 1030), (20, 1300, 300), (33, 40, 9000)])
def test_products_too_large_for_the_cache(M, N, K, more, turned, F):
    """Block by block from `LARGE` bytes and some rows on."""
    assert N * K * 8 > products.LARGE
    check(M, N, K, turned, more, F)


@pytest.mark.parametrize("F", DTYPES)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 30), (16, 16), (33, 20)])
def test_turning(rows, columns, F):
    width, high, wide = np.dtype(F).itemsize, padded(rows, F), padded(columns, F)
    source, target = np.random.default_rng(0).normal(size=(high, wide)).astype(F), np.zeros((wide, high), F)
    piece("TURN", F, rows, columns, source, wide * width, target, high * width)
    np.testing.assert_array_equal(target[:columns, :rows], source[:rows, :columns].T)


@pytest.mark.parametrize("F", DTYPES)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (40, 33)])
def test_products_with_a_vector_and_sums(rows, columns, F):
    rng = np.random.default_rng(0)
    A, v, y = (rng.normal(size=size).astype(F) for size in ((rows, columns), columns, rows))
    close, stride = {"rtol": 1e-12 if F is np.float64 else 1e-4, "atol": 1e-5}, columns * np.dtype(F).itemsize
    before = y.copy()
    piece("SUM_ROWS", F, rows, columns, A, stride, y, 1)
    np.testing.assert_allclose(y, before + A.sum(axis=1), **close)
    piece("SUM_ROWS", F, rows, columns, A, stride, y, 0)
    np.testing.assert_allclose(y, A.sum(axis=1), **close)
    piece("APPLY", F, rows, columns, A, v, y)
    np.testing.assert_allclose(y, A @ v, **close)
