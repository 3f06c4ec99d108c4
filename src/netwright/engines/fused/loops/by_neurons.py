"""The epoch for large layers: a worker owns a part of every layer's neurons instead of a part of the batch.

It finds their rows of Z, A and dA for all columns, and their dW, and updates them at once. No gradient is summed and
none is kept twice, but the workers wait for each other at every layer. All share the first worker's arena; the loss is
so little work that each does the whole of it, in its own.
"""

from typing import Any

import numpy as np
from numba import carray, types

from netwright.engines.fused.compile import call, call_for_cost, pointer
from netwright.engines.fused.kernels.products import padded_to
from netwright.engines.fused.kernels.rows import TYPES
from netwright.engines.fused.kernels.tiles import lanes
from netwright.engines.fused.loops.barrier import barrier, part
from netwright.engines.fused.loops.gather import copy_row
from netwright.engines.fused.plan import COLUMNS, CROWDED, LENGTH, PLACES, Column, Place, Plan


def train_by_neurons(F: Any) -> Any:
    """Whole epochs, as the worker w of (plan, w). For networks whose loss takes Z, without dropout and clipping."""
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)

    def by_neurons(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        order = carray(pointer(P[Plan.ORDER], types.int64), P[Plan.SAMPLES] * P[Plan.EPOCHS])
        costs = carray(pointer(P[Plan.COSTS], types.float64), P[Plan.EPOCHS] * P[Plan.WORKERS])
        T, n, B, theta, g = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.BATCH], P[Plan.THETA], P[Plan.GRADIENT]
        d, k, last, multiply = P[Plan.INPUTS], P[Plan.OUTPUTS], P[Plan.LAYERS] - 1, P[Plan.MULTIPLY]
        shared, own = P[Plan.ARENA], P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        space, x, D = own + places[Place.SPACE], shared + table[0, Column.TURNED], padded_to(d, one) * width
        scale = carray(pointer(P[Plan.INPUT_SCALE], item), d)
        step, arrivals = 0, 0
        carray(pointer(own + CROWDED, types.int64), 1)[0] = 0
        for epoch in range(P[Plan.EPOCHS]):
            cost = 0.0
            for begin in range(0, n, B):
                m = min(B, n - begin)
                C = padded_to(m, one)
                stride = C * width

                # gather: each some columns of x, and all of y and the weights for itself
                c0, c1 = part(C, w, T), part(C, w + 1, T)
                for r in range(c0, c1):
                    row = begin + min(r, m - 1)
                    row = order[epoch * n + row] if P[Plan.ORDER] != 0 else row
                    source = carray(pointer(P[Plan.X] + row * d * width, item), d)
                    copy_row(source, carray(pointer(x + r * D, item), d), scale, P[Plan.INPUT_SCALE] != 0)
                call(P[Plan.TURN], (c1 - c0, d, x + c0 * D, D, shared + table[0, Column.A1] + c0 * width, stride))
                call(P[Plan.GATHER_TARGETS], (plan, own, epoch, begin, m, m))

                # feedforward
                for l in range(last + 1):
                    arrivals += T
                    barrier(P[Plan.BARRIER], arrivals, own)  # all of A1 is there
                    ni, no, A1 = table[l, Column.INPUTS], table[l, Column.NEURONS], shared + table[l, Column.A1]
                    r0, r1 = part(no, w, T), part(no, w + 1, T)
                    W, b = theta + (table[l, Column.W] + r0 * ni) * width, theta + (table[l, Column.B] + r0) * width
                    Z, A = shared + table[l, Column.Z] + r0 * stride, shared + table[l, Column.A] + r0 * stride
                    call(multiply, (r1 - r0, C, ni, W, ni * width, width, A1, stride, Z, stride, 0, space))
                    if l < last:
                        call(table[l, Column.FORWARD], (Z, b, A, r1 - r0, C, own, 0))
                        turned = shared + table[l + 1, Column.TURNED] + r0 * width
                        call(P[Plan.TURN], (r1 - r0, C, A, stride, turned, padded_to(no, one) * width))
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals, own)

                # loss
                dZ = own + table[last, Column.DA]
                source = carray(pointer(shared + table[last, Column.Z], item), k * C)
                target = carray(pointer(dZ, item), k * C)
                for i in range(k * C):
                    target[i] = source[i]
                b = theta + table[last, Column.B] * width
                y, weight, scratch = own + places[Place.Y], own + places[Place.WEIGHT], own + places[Place.SCRATCH]
                loss = call_for_cost(P[Plan.LOSS], (dZ, b, y, weight, scratch, P[Plan.CONSTANTS], k, C))
                cost += m * loss if w == 0 else 0.0
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals, own)  # the last b is read, and may change

                # back, and the update of what is its own
                for l in range(last, -1, -1):
                    ni, no = table[l, Column.INPUTS], table[l, Column.NEURONS]
                    r0, r1 = part(no, w, T), part(no, w + 1, T)
                    if l > 0:
                        s0, s1 = part(ni, w, T), part(ni, w + 1, T)
                        W, at = theta + (table[l, Column.W] + s0) * width, s0 * stride
                        dA1, Z = shared + table[l - 1, Column.DA] + at, shared + table[l - 1, Column.Z] + at
                        call(multiply, (s1 - s0, C, no, W, width, ni * width, dZ, stride, dA1, stride, 0, space))
                        A = shared + table[l - 1, Column.A] + at
                        call(table[l - 1, Column.BACKWARD], (Z, A, dA1, s1 - s0, C, own, 0))
                    start, count = table[l, Column.W] + r0 * ni, (r1 - r0) * ni
                    dW, db, mine = g + start * width, g + (table[l, Column.B] + r0) * width, dZ + r0 * stride
                    turned, across = shared + table[l, Column.TURNED], padded_to(ni, one) * width
                    call(multiply, (r1 - r0, ni, m, mine, stride, width, turned, across, dW, ni * width, 0, space))
                    call(P[Plan.SUM_ROWS], (r1 - r0, C, mine, stride, db, 0))
                    if l > 0:
                        arrivals += T
                        barrier(
                            P[Plan.BARRIER], arrivals, own
                        )  # all of dA1 is there, and nobody needs the old W any more
                    if P[Plan.PENALIZE] != 0 and count > 0:
                        cost += call_for_cost(P[Plan.PENALIZE], (plan, theta + start * width, dW, count, m))
                    numbers = P[Plan.COEFFICIENTS] + step * P[Plan.NUMBERS] * width
                    for piece in range(2):  # W's rows, then b's
                        at = (start if piece == 0 else table[l, Column.B] + r0) * width
                        size = count if piece == 0 else r1 - r0
                        slots = (P[Plan.SLOT0] + at, P[Plan.SLOT1] + at)
                        call(P[Plan.RULE], (theta + at, g + at, *slots, numbers, size))
                    dZ = shared + table[l - 1, Column.DA] if l > 0 else dZ
                step += 1
                costs[epoch * T + w] = cost / n
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals, own)

    return by_neurons
