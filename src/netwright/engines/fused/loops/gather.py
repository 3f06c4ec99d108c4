"""A batch's samples into a worker's memory, in the order of the epoch; and dropout's masks."""

from typing import Any

import numpy as np
from numba import carray, njit, types

from netwright.engines.fused.compile import INNER, call, pointer
from netwright.engines.fused.kernels.products import padded_to
from netwright.engines.fused.kernels.rows import TYPES
from netwright.engines.fused.kernels.tiles import lanes
from netwright.engines.fused.plan import COLUMNS, LENGTH, PLACES, Column, Float, Place, Plan


@njit(**INNER)
def keeps(seed: Any, place: Any, threshold: Any) -> bool:
    """Whether dropout keeps the number at that place: one number of `layers.noise`."""
    z = seed + (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)) >= threshold


@njit(inline="always", **INNER)  # LLVM would call it, at 10 % of an epoch
def copy_row(source: Any, target: Any, scale: Any, scaled: bool) -> None:
    """A sample's inputs, each times its factor of `scale` if there is one."""
    if scaled:
        for i in range(len(source)):
            target[i] = source[i] * scale[i]
    else:
        for i in range(len(source)):
            target[i] = source[i]


def drop(F: Any) -> Any:
    """Dropout before layer l: its A1 = source · mask, (rows, R), for the layer's inputs from `first_row` on.

    The mask is a number of each place of the batch, inputs · m + columns from `first` on: 0, or 1 / (1 - rate).
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    zero = F(0)

    def dropout(
        plan: int, arena: int, l: int, rows: int, first_row: int, R: int, first: int, m: int, step: int, source: int
    ) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        seeds = carray(pointer(P[Plan.SEEDS], types.uint64), (step + 1) * P[Plan.DROPOUTS])
        seed, threshold = seeds[step * P[Plan.DROPOUTS] + table[l, Column.SEED]], np.uint64(table[l, Column.THRESHOLD])
        scale = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 1 + l)[Float.SCALES + l]
        C = padded_to(R, one)
        for i in range(rows):
            at, place = i * C * width, (first_row + i) * m + first
            inputs, mask = (
                carray(pointer(source + at, item), C),
                carray(pointer(arena + table[l, Column.MASK] + at, item), C),
            )
            target = carray(pointer(arena + table[l, Column.A1] + at, item), C)
            for j in range(R):
                mask[j] = scale if keeps(seed, np.uint64(place + j), threshold) else zero
            for j in range(R, C):  # columns that only fill up a vector do as the last
                mask[j] = mask[R - 1]
            for j in range(C):
                target[j] = inputs[j] * mask[j]

    return dropout


def gather_targets(F: Any) -> Any:
    """y (outputs, R), smoothed, and the weights of R columns of a batch of m, / m, into the arena.

    `begin`: their place in the order. Columns that only fill up a vector are as the last, with a weight of 0.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    zero, unsmoothed = F(0), F(1)

    def gather_targets(plan: int, arena: int, epoch: int, begin: int, R: int, m: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)
        n, k, C = P[Plan.SAMPLES], P[Plan.OUTPUTS], padded_to(R, one)
        order = carray(pointer(P[Plan.ORDER] + (epoch * n + begin) * 8, types.int64), R)
        weights, w = carray(pointer(P[Plan.WEIGHT], item), n), carray(pointer(arena + places[Place.WEIGHT], item), C)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        y, rows, K = arena + places[Place.Y], arena + table[P[Plan.LAYERS] - 1, Column.DA], padded_to(k, one)
        share = F(1.0 / m)
        for r in range(C):
            place = min(r, R - 1)
            row = order[place] if P[Plan.ORDER] != 0 else begin + place
            w[r] = zero if r >= R else share if P[Plan.WEIGHT] == 0 else share * weights[row]
            source = carray(pointer(P[Plan.Y] + row * k * width, item), k)
            target = carray(pointer(rows + r * K * width, item), k)
            for i in range(k):
                target[i] = source[i]
        call(P[Plan.TURN], (C, k, rows, K * width, y, C * width))
        factor, shares = floats[Float.TARGET], carray(pointer(P[Plan.SHARES], item), k)
        if factor != unsmoothed:
            for i in range(k):
                targets = carray(pointer(y + i * C * width, item), C)
                for r in range(C):
                    targets[r] = factor * targets[r] + shares[i]

    return gather_targets


def gather_inputs(F: Any) -> Any:
    """R columns of a batch of m, from its `first`, into the arena, and turned; with dropout, if it comes first.

    Each input is multiplied by its factor, if there are any.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)

    def gather_inputs(plan: int, arena: int, epoch: int, begin: int, R: int, first: int, m: int, step: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), COLUMNS)  # of the first layer
        n, d, C = P[Plan.SAMPLES], P[Plan.INPUTS], padded_to(R, one)
        D, x, A1 = padded_to(d, one), arena + table[Column.TURNED], arena + table[Column.A1]
        order = carray(pointer(P[Plan.ORDER] + (epoch * n + begin) * 8, types.int64), R)
        scale = carray(pointer(P[Plan.INPUT_SCALE], item), d)
        if step < 0 and C == R and d == D:  # to predict, x is needed in one form alone
            call(P[Plan.TURN], (R, d, P[Plan.X] + begin * d * width, d * width, A1, C * width))
            return
        for r in range(C):
            place = min(r, R - 1)
            row = order[place] if P[Plan.ORDER] != 0 else begin + place
            source = carray(pointer(P[Plan.X] + row * d * width, item), d)
            copy_row(source, carray(pointer(x + r * D * width, item), d), scale, P[Plan.INPUT_SCALE] != 0)
        call(P[Plan.TURN], (C, d, x, D * width, A1, C * width))
        if step >= 0 and table[Column.MASK] >= 0:
            call(P[Plan.DROP], (plan, arena, 0, d, 0, R, first, m, step, A1))
            call(P[Plan.TURN], (d, C, A1, C * width, x, D * width))

    return gather_inputs
