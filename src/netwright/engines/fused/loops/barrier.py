"""What the loops have in common: which part is whose, waiting for each other, penalties and clipping."""

import time
from typing import Any

import numpy as np
from numba import carray, njit, types

from netwright.engines.fused.compile import INNER, SYSTEM_CALLS, add_at, load_at, pointer
from netwright.engines.fused.kernels.rows import TYPES
from netwright.engines.fused.plan import CLOCK, CROWDED, LENGTH, Float, Plan

if SYSTEM_CALLS:
    sched_yield = types.ExternalFunction("sched_yield", types.int32())
    usleep = types.ExternalFunction("usleep", types.int32(types.uint32))
    clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.int64))
    CLOCK_MONOTONIC = np.int32(time.CLOCK_MONOTONIC)
else:  # who waits for others spins, and no clock goes
    CLOCK_MONOTONIC = np.int32(0)

    @njit(**INNER)
    def sched_yield() -> None:
        pass

    @njit(**INNER)
    def usleep(microseconds: int) -> None:
        pass

    @njit(**INNER)
    def clock_gettime(clock: int, buffer: int) -> None:
        pass


@njit(**INNER)
def barrier(counter: int, total: int, arena: int) -> None:
    """Wait until `total` arrivals: spin; then let others run, who may be those waited for; or sleep.

    Who lets others run and is not back at once has no core of its own, and may not be back before its turn is over, a
    thousand steps later. From then on, for as long as the loop takes, it sleeps instead: a sleeper is woken at once.
    """
    add_at(counter, 1)
    crowded, spins = carray(pointer(arena + CROWDED, types.int64), 1), 0
    while load_at(counter) < total:
        spins += 1
        if spins > 2_000:
            if crowded[0] != 0:
                usleep(np.uint32(50))
            elif spins % 16 == 0:
                started = nanoseconds(arena + CLOCK)
                sched_yield()
                crowded[0] = nanoseconds(arena + CLOCK) - started > 500_000


@njit(**INNER)
def nanoseconds(buffer: int) -> int:
    """Of a clock that only goes forward; the buffer has 16 bytes."""
    clock_gettime(CLOCK_MONOTONIC, buffer)
    passed = carray(pointer(buffer, types.int64), 2)
    return passed[0] * 1_000_000_000 + passed[1]


@njit(**INNER)
def part(size: int, w: int, T: int) -> int:
    """Where the w-th of T parts of `size` numbers begins; parts are cut where cache lines are."""
    return size if w == T else size * w // T // 16 * 16


def penalize(F: Any) -> Any:
    """Add the penalties' derivative to dW, `count` numbers; returns m·(½·l2·ΣW² + l1·Σ|W|), for a batch of m."""
    item = TYPES[F]
    zero, half = F(0), F(0.5)

    def penalties(plan: int, pW: int, pd: int, count: int, m: int) -> float:
        P = carray(pointer(plan, types.int64), LENGTH)
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)
        pair = Float.L2 + 0 if m == P[Plan.BATCH] else Float.LAST_L2 + 0
        l2, l1 = floats[pair], floats[pair + 1]
        W, dW = carray(pointer(pW, item), count), carray(pointer(pd, item), count)
        squares = sizes = zero
        if l1 == zero:
            for i in range(count):
                dW[i] += l2 * W[i]
                squares += W[i] * W[i]
        else:
            for i in range(count):
                t = W[i]
                dW[i] += l2 * t + (l1 if t > zero else -l1 if t < zero else zero)
                squares += t * t
                sizes += abs(t)
        return m * float(half * l2 * squares + l1 * sizes)

    return penalties


def shrink(F: Any) -> Any:
    """Shrink the worker's part of a gradient whose norm, over all the workers' parts, is beyond CLIP; all wait."""
    item = TYPES[F]

    def clipped(plan: int, w: int, g: int, count: int, arrivals: int, arena: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        T, square, mine = P[Plan.WORKERS], 0.0, carray(pointer(g, item), count)
        clip = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)[Float.CLIP]
        norms = carray(pointer(P[Plan.NORMS], types.float64), T)
        for i in range(count):
            square += mine[i] * mine[i]
        norms[w] = square
        if T > 1:
            barrier(P[Plan.BARRIER], arrivals, arena)
        square = 0.0
        for t in range(T):
            square += norms[t]
        if square > clip * clip:
            factor = F(clip / np.sqrt(square))
            for i in range(count):
                mine[i] *= factor

    return clipped
