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

from netwright.engines.fused.gathering import dropped
from netwright.engines.fused.machine import FLAGS, call, call_for_cost, pointer
from netwright.engines.fused.plan import COLUMNS, CROWDED, LENGTH, PLACES, Column, Float, Place, Plan
from netwright.engines.fused.products import padded_to
from netwright.engines.fused.rows import TYPES
from netwright.engines.fused.sharing import barrier, clipping, part, penalize
from netwright.engines.fused.tiles import lanes


@njit(**FLAGS)
def owned(inputs: int, hidden: int, outputs: int) -> int:
    """How many numbers of theta belong to so many hidden neurons; the last b, which one worker has, included."""
    return (inputs + 1 + outputs) * hidden + outputs


def train_by_hidden(F: Any) -> Any:
    """Whole epochs, as the worker w of (plan, w). For batches that are one tile."""
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    zero = F(0)
    factors, shrink = dropped(F), clipping(F)

    @njit(**FLAGS)
    def move(P: Any, table: Any, w: int, r0: int, r1: int, theirs: int, own: int, back: bool) -> None:
        """What w owns of an array like theta, into its own memory, or back."""
        d, h, k, count = table[0, Column.INPUTS], table[0, Column.NEURONS], P[Plan.OUTPUTS], r1 - r0
        whole = carray(pointer(theirs, item), P[Plan.SIZE])
        mine = carray(pointer(own, item), owned(d, count, k))
        at = 0
        for piece in range(3 + k):
            start, size = table[0, Column.W] + r0 * d, count * d
            if piece == 1:
                start, size = table[0, Column.B] + r0, count
            elif piece == 2 + k:
                start, size = table[1, Column.B] + 0, k if w == 0 else 0
            elif piece > 1:
                start, size = table[1, Column.W] + (piece - 2) * h + r0, count
            for i in range(size):
                if back:
                    whole[start + i] = mine[at + i]
                else:
                    mine[at + i] = whole[start + i]
            at += size

    def by_hidden(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)
        costs = carray(pointer(P[Plan.COSTS], types.float64), P[Plan.EPOCHS] * P[Plan.WORKERS])
        T, n, B, multiply = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.BATCH], P[Plan.MULTIPLY]
        d, k, clip = P[Plan.INPUTS], P[Plan.OUTPUTS], floats[Float.CLIP]
        r0, r1 = part(table[0, Column.NEURONS], w, T), part(table[0, Column.NEURONS], w + 1, T)
        h = r1 - r0
        size = owned(d, h, k) - (0 if w == 0 else k)
        arena = P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        room = padded_to(owned(d, h, k), 64) * width
        theta = arena + places[Place.OWN]
        g, slot0, slot1 = theta + room, theta + 2 * room, theta + 3 * room
        move(P, table, w, r0, r1, P[Plan.THETA], theta, False)
        if P[Plan.SLOT0] != 0:
            move(P, table, w, r0, r1, P[Plan.SLOT0], slot0, False)
        if P[Plan.SLOT1] != 0:
            move(P, table, w, r0, r1, P[Plan.SLOT1], slot1, False)
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
                    outputs, inputs = carray(pointer(A, item), h * C), carray(pointer(A1, item), h * C)
                    masks = carray(pointer(arena + table[1, Column.MASK], item), h * C)
                    for i in range(h):
                        factors(P, table[1], 1, step, (r0 + i) * m, m, masks[i * C : (i + 1) * C])
                    for i in range(h * C):
                        inputs[i] = outputs[i] * masks[i]
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
                pair = Float.L2 + 0 if m == B else Float.LAST_L2 + 0
                l2, l1 = floats[pair], floats[pair + 1]
                if l2 != zero or l1 != zero:
                    for at, count in ((0, h * d), (W2_at, k * h)):
                        weights, derivatives = (
                            carray(pointer(theta + at, item), count),
                            carray(pointer(g + at, item), count),
                        )
                        cost += m * penalize(weights, derivatives, l2, l1)
                if clip > zero:
                    arrivals += T
                    shrink(P, w, clip, carray(pointer(g, item), size), arrivals, arena)
                numbers = P[Plan.COEFFICIENTS] + step * P[Plan.NUMBERS] * width
                call(P[Plan.RULE], (theta, g, slot0, slot1, numbers, size))
                step += 1
            costs[epoch * T + w] = cost / n
        move(P, table, w, r0, r1, P[Plan.THETA], theta, True)
        move(P, table, w, r0, r1, P[Plan.GRADIENT], g, True)
        if P[Plan.SLOT0] != 0:
            move(P, table, w, r0, r1, P[Plan.SLOT0], slot0, True)
        if P[Plan.SLOT1] != 0:
            move(P, table, w, r0, r1, P[Plan.SLOT1], slot1, True)
        arrivals += T
        barrier(P[Plan.BARRIER], arrivals, arena)  # a caller that does not wait for the others any more finds them done

    return by_hidden
