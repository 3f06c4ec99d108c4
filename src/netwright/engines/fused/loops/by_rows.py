"""The epoch, as one C function: gather, feedforward, loss, backpropagation, optimizer, batch after batch.

Inside, a layer's Z and A are (neurons, columns of the batch), rows contiguous, as in the article; every layer's input
is there turned, too, as the products of `_back` want it. A network is described by a table of integers (sizes, places,
addresses of its rows' loops), so this compiles once for every shape. Workers split a batch by columns: each has its own
gradient, and at the update owns its own part of theta.
"""

from typing import Any

import numpy as np
from numba import carray, types

from netwright.engines.fused.compile import SUMS, call, call_for_cost, compiled, once, pointer
from netwright.engines.fused.kernels.products import apply, multiply, padded_to, sum_rows, turn
from netwright.engines.fused.kernels.rows import TYPES
from netwright.engines.fused.kernels.tiles import lanes
from netwright.engines.fused.loops.barrier import barrier, part, penalize, shrink
from netwright.engines.fused.loops.gather import drop, gather_inputs, gather_targets
from netwright.engines.fused.plan import COLUMNS, COST, CROWDED, LENGTH, PLACES, Column, Place, Plan

PIECES: dict[Plan, tuple[Any, int]] = {  # what makes each, and its arguments
    Plan.MULTIPLY: (multiply, 12),
    Plan.TURN: (turn, 6),
    Plan.APPLY: (apply, 5),
    Plan.SUM_ROWS: (sum_rows, 6),
    Plan.GATHER_TARGETS: (gather_targets, 6),
    Plan.GATHER_INPUTS: (gather_inputs, 8),
    Plan.DROP: (drop, 10),
    Plan.PENALIZE: (penalize, 5),
    Plan.SHRINK: (shrink, 6),
}
COSTS = (Plan.ERROR, Plan.PENALIZE)  # give a cost


@once
def piece(place: Plan, F: Any) -> int:
    """The address of one of the pieces that the loops call, for one dtype."""
    make, arguments = PIECES[place]
    return compiled(make(F), arguments, np.dtype(F).name, types.float64 if place in COSTS else types.void, **SUMS)


@once
def loop(make: Any, F: Any) -> int:
    """The address of a whole loop (plan, worker): `predict`, or one of those that train."""
    return compiled(make(F), 2, np.dtype(F).name, **SUMS)


def _feedforward(F: Any) -> Any:
    """Z and A of every layer for R columns, from their inputs in the arena: with dropout; or to predict, if step < 0.

    In training the last layer's Z stays as it is, without b, for the loss, unless the chain rule needs A; and every
    layer's input is turned, for `_back`.
    """
    width, one = np.dtype(F).itemsize, lanes(F)

    def feedforward(plan: int, arena: int, R: int, first: int, m: int, step: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        L, theta, C, trains = P[Plan.LAYERS], P[Plan.THETA], padded_to(R, one), step >= 0
        for l in range(L):
            ni, no, A1 = table[l, Column.INPUTS], table[l, Column.NEURONS], arena + table[l, Column.A1]
            if l > 0 and trains:
                if table[l, Column.MASK] >= 0:
                    call(P[Plan.DROP], (plan, arena, l, ni, 0, R, first, m, step, arena + table[l - 1, Column.A]))
                call(P[Plan.TURN], (ni, C, A1, C * width, arena + table[l, Column.TURNED], padded_to(ni, one) * width))
            W, b = theta + table[l, Column.W] * width, theta + table[l, Column.B] * width
            Z, A = arena + table[l, Column.Z], arena + table[l, Column.A]
            space = arena + places[Place.SPACE]
            call(P[Plan.MULTIPLY], (no, C, ni, W, ni * width, width, A1, C * width, Z, C * width, 0, space))
            if l < L - 1 or P[Plan.LINKED] == 0 or not trains:
                call(table[l, Column.FORWARD], (Z, b, A, no, C, arena + places[Place.SCRATCH], table[l, Column.BLOCKS]))

    return feedforward


def _error(F: Any) -> Any:
    """Σ weight·loss over C columns; the last layer's dZ is left in Z's place, or in DA's after the chain rule.

    b: what the last Z is still without, where no chain rule is needed.
    """

    def error(plan: int, arena: int, b: int, C: int) -> float:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        k, last = P[Plan.OUTPUTS], P[Plan.LAYERS] - 1
        Z, A, dZ = arena + table[last, Column.Z], arena + table[last, Column.A], arena + table[last, Column.Z]
        y, w, scratch = arena + places[Place.Y], arena + places[Place.WEIGHT], arena + places[Place.SCRATCH]
        if P[Plan.LINKED] == 0:  # Z of the link, from A, which has its b
            dZ, b = arena + table[last, Column.DA], arena + places[Place.ZEROS]
            call(P[Plan.LINK_LEVEL], (A, dZ, k * C))
        cost = call_for_cost(P[Plan.LOSS], (dZ, b, y, w, scratch, P[Plan.CONSTANTS], k, C))
        if P[Plan.LINKED] == 0:
            call(P[Plan.LINK_SLOPE], (A, dZ, k * C))
            call(table[last, Column.BACKWARD], (Z, A, dZ, k, C, scratch, table[last, Column.BLOCKS]))
        return cost

    return error


def _back(F: Any) -> Any:
    """From every layer's Z and A to their share of dW and db in g: Σ loss·weight / m over R columns of a batch of m.

    g is added to when `more`, and written over when not. What the costs add up to is left in the arena.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)

    def back(plan: int, arena: int, g: int, R: int, m: int, more: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        last, theta, C = P[Plan.LAYERS] - 1, P[Plan.THETA], padded_to(R, one)
        stride, space = C * width, arena + places[Place.SPACE]
        cost = call_for_cost(P[Plan.ERROR], (plan, arena, theta + table[last, Column.B] * width, C))
        dZ = arena + table[last, Column.Z if P[Plan.LINKED] == 1 else Column.DA]
        for l in range(last, -1, -1):
            ni, no = table[l, Column.INPUTS], table[l, Column.NEURONS]
            dW, turned = g + table[l, Column.W] * width, arena + table[l, Column.TURNED]
            across = padded_to(ni, one) * width
            call(P[Plan.MULTIPLY], (no, ni, R, dZ, stride, width, turned, across, dW, ni * width, more, space))
            call(P[Plan.SUM_ROWS], (no, C, dZ, stride, g + table[l, Column.B] * width, more))
            if l > 0:
                dA1, W = arena + table[l - 1, Column.DA], theta + table[l, Column.W] * width
                call(P[Plan.MULTIPLY], (ni, C, no, W, width, ni * width, dZ, stride, dA1, stride, 0, space))
                if table[l, Column.MASK] >= 0:
                    da = carray(pointer(dA1, item), ni * C)
                    mask = carray(pointer(arena + table[l, Column.MASK], item), ni * C)
                    for i in range(ni * C):
                        da[i] *= mask[i]
                below = arena + table[l - 1, Column.Z], arena + table[l - 1, Column.A], dA1
                work = ni, C, arena + places[Place.SCRATCH], table[l - 1, Column.BLOCKS]
                call(table[l - 1, Column.BACKWARD], (*below, *work))
                dZ = dA1
        carray(pointer(arena + COST, types.float64), 1)[0] += m * cost

    return back


def _finish(F: Any) -> Any:
    """Sum the workers' gradients for w's part of theta, and add the penalties'; their cost, times m, to the arena's."""
    item, width = TYPES[F], np.dtype(F).itemsize

    def finish(plan: int, w: int, m: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        size, T = P[Plan.SIZE], P[Plan.WORKERS]
        low, high = part(size, w, T), part(size, w + 1, T)
        mine = carray(pointer(P[Plan.GRADIENT] + low * width, item), high - low)
        for t in range(1, T):
            other = carray(pointer(P[Plan.GRADIENT] + (t * size + low) * width, item), high - low)
            for i in range(high - low):
                mine[i] += other[i]
        if P[Plan.PENALIZE] == 0:
            return
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        theta, g = P[Plan.THETA], P[Plan.GRADIENT]
        cost = carray(pointer(P[Plan.ARENA] + w * P[Plan.ARENA_BYTES] + COST, types.float64), 1)
        for l in range(P[Plan.LAYERS]):
            start = table[l, Column.W]
            first = max(low, start)
            count = min(high, start + table[l, Column.INPUTS] * table[l, Column.NEURONS]) - first
            if count > 0:
                cost[0] += call_for_cost(P[Plan.PENALIZE], (plan, theta + first * width, g + first * width, count, m))

    return finish


def train_by_rows(F: Any) -> Any:
    """Whole epochs, as the worker w of (plan, w)."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    def by_rows(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        T, n, B, size, tile = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.BATCH], P[Plan.SIZE], P[Plan.TILE]
        arena = P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        g = P[Plan.GRADIENT] + w * size * width
        low, high = part(size, w, T), part(size, w + 1, T)
        cost = carray(pointer(arena + COST, types.float64), 1)
        costs = carray(pointer(P[Plan.COSTS], types.float64), P[Plan.EPOCHS] * T)
        step, arrivals = 0, 0
        carray(pointer(arena + CROWDED, types.int64), 1)[0] = 0
        for epoch in range(P[Plan.EPOCHS]):
            cost[0] = 0.0
            for begin in range(0, n, B):
                m = min(B, n - begin)
                first, end = m * w // T, m * (w + 1) // T
                if first == end:
                    nothing = carray(pointer(g, item), size)
                    for i in range(size):
                        nothing[i] = zero
                # one batch of all, in one tile: it stands there from the first step on
                stays = m == n and P[Plan.ORDER] == 0 and P[Plan.DROPS_INPUT] == 0 and end - first <= tile
                for c in range(first, end, tile):
                    R = min(tile, end - c)
                    if step == 0 or not stays:
                        call(P[Plan.GATHER_TARGETS], (plan, arena, epoch, begin + c, R, m))
                        call(P[Plan.GATHER_INPUTS], (plan, arena, epoch, begin + c, R, c, m, step))
                    call(P[Plan.FEEDFORWARD], (plan, arena, R, c, m, step))
                    call(P[Plan.BACK], (plan, arena, g, R, m, c - first))
                if T > 1:
                    arrivals += T
                    barrier(P[Plan.BARRIER], arrivals, arena)
                call(P[Plan.FINISH], (plan, w, m))
                if P[Plan.SHRINK] != 0:
                    arrivals += T
                    call(P[Plan.SHRINK], (plan, w, P[Plan.GRADIENT] + low * width, high - low, arrivals, arena))
                if P[Plan.UPDATES] == 1:
                    at, numbers = low * width, P[Plan.COEFFICIENTS] + step * P[Plan.NUMBERS] * width
                    slots = (P[Plan.SLOT0] + at, P[Plan.SLOT1] + at)
                    call(P[Plan.RULE], (P[Plan.THETA] + at, P[Plan.GRADIENT] + at, *slots, numbers, high - low))
                step += 1
                costs[epoch * T + w] = cost[0] / n
                if T > 1:  # behind the last wait nothing is left to do, for the caller's `Workers.run`
                    arrivals += T
                    barrier(P[Plan.BARRIER], arrivals, arena)

    return by_rows


def predict(F: Any) -> Any:
    """A worker's share of the outputs, tile by tile; one sample alone as products with a vector.

    NORMS says whether all inputs were finite: 0, and not NaN.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    zero = F(0)

    def outputs(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        T, n, k, tile, L = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.OUTPUTS], P[Plan.TILE], P[Plan.LAYERS]
        d = P[Plan.INPUTS]
        arena = P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        unlike_zero = zero
        for begin in range(n * w // T, n * (w + 1) // T, tile):
            R = min(tile, n * (w + 1) // T - begin)
            if n == 1:
                A1, theta, output = P[Plan.X], P[Plan.THETA], carray(pointer(P[Plan.OUTPUT], item), k)
                for l in range(L):
                    no, Z, A = table[l, Column.NEURONS], arena + table[l, Column.Z], arena + table[l, Column.A]
                    call(P[Plan.APPLY], (no, table[l, Column.INPUTS], theta + table[l, Column.W] * width, A1, Z))
                    b, scratch = theta + table[l, Column.B] * width, arena + places[Place.SCRATCH]
                    call(table[l, Column.FORWARD], (Z, b, A, no, 1, scratch, table[l, Column.BLOCKS]))
                    A1 = A
                A = carray(pointer(arena + table[L - 1, Column.A], item), k)
                for i in range(k):
                    output[i] = A[i]
                x = carray(pointer(P[Plan.X], item), d)
                for i in range(d):
                    unlike_zero += x[i] * zero
                carray(pointer(P[Plan.NORMS], types.float64), T)[w] = unlike_zero
                return
            C = padded_to(R, one)
            x = carray(pointer(P[Plan.X] + begin * d * width, item), R * d)
            for i in range(R * d):
                unlike_zero += x[i] * zero
            call(P[Plan.GATHER_INPUTS], (plan, arena, 0, begin, R, 0, R, -1))
            call(P[Plan.FEEDFORWARD], (plan, arena, R, 0, R, -1))
            turned, K = arena + table[L - 1, Column.DA], padded_to(k, one)
            call(P[Plan.TURN], (k, C, arena + table[L - 1, Column.A], C * width, turned, K * width))
            for r in range(R):
                source = carray(pointer(turned + r * K * width, item), k)
                target = carray(pointer(P[Plan.OUTPUT] + (begin + r) * k * width, item), k)
                for i in range(k):
                    target[i] = source[i]
        carray(pointer(P[Plan.NORMS], types.float64), T)[w] = unlike_zero
        if T > 1:
            barrier(P[Plan.BARRIER], T, arena)

    return outputs


PIECES |= {
    Plan.FEEDFORWARD: (_feedforward, 6),
    Plan.ERROR: (_error, 4),
    Plan.BACK: (_back, 6),
    Plan.FINISH: (_finish, 3),
}
