"""The epoch for networks of one hidden layer: a worker owns some of the hidden neurons, in and out.

It has their rows of the first W and b and their columns of the second W, and with these alone finds their Z and A, and
what they add to the outputs' Z. That sum is all that the workers tell each other (as in Shoeybi et al., "Megatron-LM",
2019, section 3): a few numbers a sample, and one wait a step, where a split by rows would pass the whole gradient and
theta from core to core. The loss is so little work that each does the whole of it. What a worker owns of theta, of the
gradient and of the optimizer's slots stands together in its own memory for as long as the call takes.
"""

from typing import Any

import numpy as np
from numba import carray, njit, types

from netwright.engines.fused.compile import INNER, call, call_for_cost, pointer
from netwright.engines.fused.kernels.products import padded_to
from netwright.engines.fused.kernels.rows import TYPES
from netwright.engines.fused.kernels.tiles import lanes
from netwright.engines.fused.loops.barrier import barrier, part
from netwright.engines.fused.loops.by_rows import PIECES
from netwright.engines.fused.plan import COLUMNS, CROWDED, LENGTH, PLACES, Column, Place, Plan


@njit(**INNER)
def owned(inputs: int, hidden: int, outputs: int) -> int:
    """How many numbers of theta belong to so many hidden neurons; the last b, which one worker has, included."""
    return (inputs + 1 + outputs) * hidden + outputs


def move(F: Any) -> Any:
    """What the worker w owns of theta and of the slots, into its own memory; or `back`, and of the gradient too."""
    item, width = TYPES[F], np.dtype(F).itemsize

    def moved(plan: int, arena: int, w: int, back: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        d, h, k, T = table[0, Column.INPUTS], table[0, Column.NEURONS], P[Plan.OUTPUTS], P[Plan.WORKERS]
        r0, count = part(h, w, T), part(h, w + 1, T) - part(h, w, T)
        size = owned(d, count, k)
        for array in range(4):
            theirs = P[Plan.THETA] if array == 0 else P[Plan.GRADIENT] if array == 1 else P[Plan.SLOT0 + array - 2]
            if theirs == 0 or (array == 1 and back == 0):
                continue
            mine = arena + places[Place.OWN] + array * padded_to(size, 64) * width
            at = 0
            for piece in range(3 + k):  # W's rows, b's, a row of the second W after the other, the second b
                start, numbers = table[0, Column.W] + r0 * d, count * d
                if piece == 1:
                    start, numbers = table[0, Column.B] + r0, count
                elif piece == 2 + k:
                    start, numbers = table[1, Column.B] + 0, k if w == 0 else 0
                elif piece > 1:
                    start, numbers = table[1, Column.W] + (piece - 2) * h + r0, count
                one, other = mine + at * width, theirs + start * width
                source = carray(pointer(one if back != 0 else other, item), numbers)
                target = carray(pointer(other if back != 0 else one, item), numbers)
                for i in range(numbers):
                    target[i] = source[i]
                at += numbers

    return moved


def train_by_hidden(F: Any) -> Any:
    """Whole epochs, as the worker w of (plan, w). For batches that are one tile."""
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)

    def by_hidden(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        costs = carray(pointer(P[Plan.COSTS], types.float64), P[Plan.EPOCHS] * P[Plan.WORKERS])
        T, n, B, multiply = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.BATCH], P[Plan.MULTIPLY]
        d, k = P[Plan.INPUTS], P[Plan.OUTPUTS]
        r0, r1 = part(table[0, Column.NEURONS], w, T), part(table[0, Column.NEURONS], w + 1, T)
        h = r1 - r0
        size = owned(d, h, k) - (0 if w == 0 else k)
        arena = P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        room = padded_to(owned(d, h, k), 64) * width
        theta = arena + places[Place.OWN]
        g, slot0, slot1 = theta + room, theta + 2 * room, theta + 3 * room
        call(P[Plan.MOVE], (plan, arena, w, 0))
        b_at, W2_at, b2_at = h * d * width, h * (d + 1) * width, h * (d + 1 + k) * width
        Z, A, dA = arena + table[0, Column.Z], arena + table[0, Column.A], arena + table[0, Column.DA]
        Z2, x, space = arena + table[1, Column.Z], arena + table[0, Column.TURNED], arena + places[Place.SPACE]
        drops = table[1, Column.MASK] >= 0
        A1, turned, across = arena + table[1, Column.A1], arena + table[1, Column.TURNED], padded_to(h, one) * width
        scratch, inputs_across = arena + places[Place.SCRATCH], padded_to(d, one) * width
        step, arrivals = 0, 0
        carray(pointer(arena + CROWDED, types.int64), 1)[0] = 0
        for epoch in range(P[Plan.EPOCHS]):
            cost = 0.0
            for begin in range(0, n, B):
                m = min(B, n - begin)
                C = padded_to(m, one)
                stride = C * width
                stays = m == n and P[Plan.ORDER] == 0 and P[Plan.DROPS_INPUT] == 0
                if step == 0 or not stays:
                    call(P[Plan.GATHER_TARGETS], (plan, arena, epoch, begin, m, m))
                    call(P[Plan.GATHER_INPUTS], (plan, arena, epoch, begin, m, 0, m, step))

                # feedforward, and what these neurons add to the outputs' Z
                call(
                    multiply,
                    (h, C, d, theta, d * width, width, arena + table[0, Column.A1], stride, Z, stride, 0, space),
                )
                call(table[0, Column.FORWARD], (Z, theta + b_at, A, h, C, scratch, 0))
                if drops:
                    call(P[Plan.DROP], (plan, arena, 1, h, r0, m, 0, m, step, A))
                call(P[Plan.TURN], (h, C, A1, stride, turned, across))
                share = table[1, Column.SHARE] + step % 2 * k * P[Plan.TILE] * width  # others may still read the last
                mine = arena + share
                call(multiply, (k, C, h, theta + W2_at, h * width, width, A1, stride, mine, stride, 0, space))
                if w == 0:
                    b2, sums = carray(pointer(theta + b2_at, item), k), carray(pointer(mine, item), k * C)
                    for i in range(k):
                        bias, row = b2[i], sums[i * C : (i + 1) * C]
                        for j in range(C):
                            row[j] += bias
                arrivals += T
                barrier(P[Plan.BARRIER], arrivals, arena)
                total = carray(pointer(Z2, item), k * C)
                for t in range(T):
                    other = carray(pointer(P[Plan.ARENA] + t * P[Plan.ARENA_BYTES] + share, item), k * C)
                    for i in range(k * C):
                        total[i] = other[i] if t == 0 else total[i] + other[i]

                # loss and back
                zeros = arena + places[Place.ZEROS]
                if P[Plan.LINKED] == 0:
                    outputs_at = arena + table[1, Column.A]
                    call(table[1, Column.FORWARD], (Z2, zeros, outputs_at, k, C, scratch, table[1, Column.BLOCKS]))
                loss = call_for_cost(P[Plan.ERROR], (plan, arena, zeros, C))
                cost += m * loss if w == 0 else 0.0
                dZ = Z2 if P[Plan.LINKED] == 1 else arena + table[1, Column.DA]
                call(multiply, (k, h, m, dZ, stride, width, turned, across, g + W2_at, h * width, 0, space))
                if w == 0:
                    call(P[Plan.SUM_ROWS], (k, C, dZ, stride, g + b2_at, 0))
                call(multiply, (h, C, k, theta + W2_at, width, h * width, dZ, stride, dA, stride, 0, space))
                if drops:
                    masks, da = (
                        carray(pointer(arena + table[1, Column.MASK], item), h * C),
                        carray(pointer(dA, item), h * C),
                    )
                    for i in range(h * C):
                        da[i] *= masks[i]
                call(table[0, Column.BACKWARD], (Z, A, dA, h, C, scratch, 0))
                call(multiply, (h, d, m, dA, stride, width, x, inputs_across, g, d * width, 0, space))
                call(P[Plan.SUM_ROWS], (h, C, dA, stride, g + b_at, 0))

                # penalties, clipping, update: of what is its own
                if P[Plan.PENALIZE] != 0:
                    cost += call_for_cost(P[Plan.PENALIZE], (plan, theta, g, h * d, m))
                    cost += call_for_cost(P[Plan.PENALIZE], (plan, theta + W2_at, g + W2_at, k * h, m))
                if P[Plan.SHRINK] != 0:
                    arrivals += T
                    call(P[Plan.SHRINK], (plan, w, g, size, arrivals, arena))
                numbers = P[Plan.COEFFICIENTS] + step * P[Plan.NUMBERS] * width
                call(P[Plan.RULE], (theta, g, slot0, slot1, numbers, size))
                step += 1
            costs[epoch * T + w] = cost / n
        call(P[Plan.MOVE], (plan, arena, w, 1))
        arrivals += T
        barrier(P[Plan.BARRIER], arrivals, arena)

    return by_hidden


PIECES[Plan.MOVE] = move, 4
