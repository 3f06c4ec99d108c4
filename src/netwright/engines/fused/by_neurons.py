"""The epoch for large layers: a worker owns a part of every layer's neurons instead of a part of the batch.

It finds their rows of Z, A and dA for all columns, and their dW, and updates them at once. No gradient is summed and
none is kept twice, but the workers wait for each other at every layer. All share the first worker's arena; the loss is
so little work that each does the whole of it, in its own.
"""

from typing import Any

import numpy as np
from numba import carray, types

from netwright.engines.fused.epoch import barrier, part, penalize
from netwright.engines.fused.machine import call, call_for_cost, pointer
from netwright.engines.fused.plan import COLUMNS, LENGTH, PLACES, SCALES, Column, Float, Place, Plan
from netwright.engines.fused.products import SCALED, TRANSPOSE_A, TRANSPOSE_B
from netwright.engines.fused.rows import TYPES


def train_by_neurons(F: Any) -> Any:
    """Whole epochs, as the worker w of (plan, w). For networks whose loss takes Z, without dropout and clipping."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    def by_neurons(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)
        order = carray(pointer(P[Plan.ORDER], types.int64), P[Plan.SAMPLES] * P[Plan.EPOCHS])
        costs = carray(pointer(P[Plan.COSTS], types.float64), P[Plan.EPOCHS] * P[Plan.WORKERS])
        T, n, B, theta, g = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.BATCH], P[Plan.THETA], P[Plan.GRADIENT]
        d, k, last, multiply = P[Plan.INPUTS], P[Plan.OUTPUTS], P[Plan.LAYERS] - 1, P[Plan.MULTIPLY]
        shared, own = P[Plan.ARENA], P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        scales = carray(pointer(own + SCALES, item), 2)
        step, arrivals = 0, 0
        for epoch in range(P[Plan.EPOCHS]):
            cost = 0.0
            for begin in range(0, n, B):
                m = min(B, n - begin)
                pair = Float.L2 + 0 if m == B else Float.LAST_L2 + 0
                l2, l1 = floats[pair], floats[pair + 1]

                # gather: each some columns of x, and all of y and the weights for itself
                x = P[Plan.X] + begin * d * width
                if P[Plan.ORDER] != 0:
                    x = shared + places[Place.X]
                    for r in range(part(m, w, T), part(m, w + 1, T)):
                        source = carray(pointer(P[Plan.X] + order[epoch * n + begin + r] * d * width, item), d)
                        target = carray(pointer(x + r * d * width, item), d)
                        for i in range(d):
                            target[i] = source[i]
                call(P[Plan.GATHER_TARGETS], (plan, own, epoch, begin, m))

                # feedforward
                A1, flags, ldb = x, TRANSPOSE_B, d
                for l in range(last + 1):
                    arrivals += T
                    barrier(P[Plan.BARRIER], arrivals)  # all of A1 is there
                    ni, no = table[l, Column.INPUTS], table[l, Column.NEURONS]
                    r0, r1 = part(no, w, T), part(no, w + 1, T)
                    W, b = theta + (table[l, Column.W] + r0 * ni) * width, theta + (table[l, Column.B] + r0) * width
                    Z, A = shared + table[l, Column.Z] + r0 * m * width, shared + table[l, Column.A] + r0 * m * width
                    if r1 > r0:
                        call(multiply, (P[Plan.GEMM], own, flags, r1 - r0, m, ni, W, ni, A1, ldb, Z))
                        if l < last:
                            call(table[l, Column.FORWARD], (Z, b, A, r1 - r0, m, own, P[Plan.HELD]))
                    A1, flags, ldb = shared + table[l, Column.A], 0, m
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals)

                # loss
                dZ = own + table[last, Column.DA]
                source, target = (
                    carray(pointer(shared + table[last, Column.Z], item), k * m),
                    carray(pointer(dZ, item), k * m),
                )
                for i in range(k * m):
                    target[i] = source[i]
                b = theta + table[last, Column.B] * width
                y, weight, scratch = own + places[Place.Y], own + places[Place.WEIGHT], own + places[Place.SCRATCH]
                loss = call_for_cost(P[Plan.LOSS], (dZ, b, y, weight, scratch, P[Plan.HELD], k, m))
                cost += loss if w == 0 else 0.0
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals)  # the last b is read, and may change

                # back, and the update of what is its own
                for l in range(last, -1, -1):
                    ni, no = table[l, Column.INPUTS], table[l, Column.NEURONS]
                    r0, r1 = part(no, w, T), part(no, w + 1, T)
                    if l > 0:
                        s0, s1 = part(ni, w, T), part(ni, w + 1, T)
                        W, at = theta + (table[l, Column.W] + s0) * width, s0 * m * width
                        dA1, Z = shared + table[l - 1, Column.DA] + at, shared + table[l - 1, Column.Z] + at
                        if s1 > s0:
                            call(multiply, (P[Plan.GEMM], own, TRANSPOSE_A, s1 - s0, m, no, W, ni, dZ, m, dA1))
                            A = shared + table[l - 1, Column.A] + at
                            call(table[l - 1, Column.BACKWARD], (Z, A, dA1, (s1 - s0) * m))
                    if r1 > r0:
                        A1, flags, ldb = x, SCALED, d
                        if l > 0:
                            A1, flags, ldb = shared + table[l - 1, Column.A], SCALED | TRANSPOSE_B, m
                        scales[0], scales[1] = F(1.0 / m), zero
                        dW, mine = g + (table[l, Column.W] + r0 * ni) * width, dZ + r0 * m * width
                        call(multiply, (P[Plan.GEMM], own, flags, r1 - r0, ni, m, mine, m, A1, ldb, dW))
                        db = g + (table[l, Column.B] + r0) * width
                        ones = own + places[Place.ONES]
                        call(P[Plan.APPLY], (P[Plan.GEMV], own, r1 - r0, m, mine, ones, db))
                    if l > 0:
                        arrivals += T
                        barrier(P[Plan.BARRIER], arrivals)  # all of dA1 is there, and nobody needs the old W any more
                    if r1 > r0:
                        start, count = table[l, Column.W] + r0 * ni, (r1 - r0) * ni
                        if l2 != zero or l1 != zero:
                            W_, dW_ = (
                                carray(pointer(theta + start * width, item), count),
                                carray(pointer(dW, item), count),
                            )
                            cost += m * penalize(W_, dW_, l2, l1)
                        numbers = P[Plan.COEFFICIENTS] + step * P[Plan.NUMBERS] * width
                        for piece in range(2):  # W's rows, then b's
                            at = (start if piece == 0 else table[l, Column.B] + r0) * width
                            size = count if piece == 0 else r1 - r0
                            call(
                                P[Plan.RULE],
                                (theta + at, g + at, P[Plan.SLOT0] + at, P[Plan.SLOT1] + at, numbers, size),
                            )
                    dZ = shared + table[l - 1, Column.DA] if l > 0 else dZ
                step += 1
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals)
            costs[epoch * T + w] = cost / n

    return by_neurons
