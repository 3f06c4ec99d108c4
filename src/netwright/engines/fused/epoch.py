"""The epoch, as one C function: gather, feedforward, loss, backpropagation, optimizer, batch after batch.

Inside, a layer's Z and A are (neurons, columns of the batch), rows contiguous, as in the article; only the input stays
as it is stored, a sample a row. A network is described by a table of integers (sizes, places, addresses of its rows'
loops), so this compiles once for every shape. Workers split a batch by columns: each has its own gradient, and at the
update owns its own part of theta.
"""

import time
from typing import Any

import numpy as np
from numba import carray, njit, types

from netwright.engines.fused.machine import FLAGS, SUMS, add_at, call, call_for_cost, compiled, load_at, once, pointer
from netwright.engines.fused.plan import CLOCK, COLUMNS, COST, CROWDED, LENGTH, PLACES, Column, Float, Place, Plan
from netwright.engines.fused.products import apply, multiply, sum_rows, turn
from netwright.engines.fused.rows import TYPES
from netwright.engines.fused.tiles import lanes

sched_yield = types.ExternalFunction("sched_yield", types.int32())
usleep = types.ExternalFunction("usleep", types.int32(types.uint32))
CLOCK_MONOTONIC = np.int32(time.CLOCK_MONOTONIC)
clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.int64))


@njit(**FLAGS)
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


@njit(**FLAGS)
def nanoseconds(buffer: int) -> int:
    """Of a clock that only goes forward; the buffer has 16 bytes."""
    clock_gettime(CLOCK_MONOTONIC, buffer)
    passed = carray(pointer(buffer, types.int64), 2)
    return passed[0] * 1_000_000_000 + passed[1]


@njit(**FLAGS)
def keeps(seed: Any, place: Any, threshold: Any) -> bool:
    """Whether dropout keeps the number at that place: one number of `layers.noise`."""
    z = seed + (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)) >= threshold


@once
def pieces(F: Any) -> dict[str, int]:
    """The addresses of the pieces that the loops call, by their names in `Plan`, for one dtype."""
    key = np.dtype(F).name
    parts = {
        Plan.MULTIPLY: (multiply, 12),
        Plan.TURN: (turn, 6),
        Plan.APPLY: (apply, 5),
        Plan.SUM_ROWS: (sum_rows, 6),
        Plan.GATHER_TARGETS: (_gather_targets, 6),
        Plan.GATHER_INPUTS: (_gather_inputs, 8),
        Plan.FEEDFORWARD: (_feedforward, 6),
        Plan.BACK: (_back, 6),
        Plan.FINISH: (_finish, 3),
    }
    addresses = {place.name: compiled(make(F), count, key, **SUMS) for place, (make, count) in parts.items()}
    return addresses | {Plan.ERROR.name: compiled(_error(F), 4, key, types.float64, **SUMS)}


@once
def loop(make: Any, F: Any) -> int:
    """The address of one of the loops (plan, worker): `train_by_rows`, `train_by_neurons`, `predict`."""
    return compiled(make(F), 2, np.dtype(F).name, **SUMS)


@njit(**FLAGS)
def padded_to(count: int, one: int) -> int:
    """`products.padded`, compiled."""
    return (count + one - 1) // one * one


def dropped(F: Any) -> Any:
    """Dropout of the number at a place of the batch, (neuron·m + column): 0, or 1 / (1 - rate) for what is kept."""
    item = TYPES[F]
    zero = F(0)

    @njit(**FLAGS)
    def factors(P: Any, table: Any, l: int, step: int, at: int, count: int, target: Any) -> None:
        seeds = carray(pointer(P[Plan.SEEDS], types.uint64), (step + 1) * P[Plan.DROPOUTS])
        seed, threshold = seeds[step * P[Plan.DROPOUTS] + table[Column.SEED]], np.uint64(table[Column.THRESHOLD])
        scale = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 1 + l)[Float.SCALES + l]
        for j in range(count):
            target[j] = scale if keeps(seed, np.uint64(at + j), threshold) else zero
        for j in range(count, target.size):  # columns that only fill up a vector do as the last
            target[j] = target[count - 1]

    return factors


def _feedforward(F: Any) -> Any:
    """Z and A of every layer for R columns, from their inputs in the arena: with dropout; or to predict, if step < 0.

    In training the last layer's Z stays as it is, without b, for the loss, unless the chain rule needs A; and every
    layer's input is turned, for `_back`.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    factors = dropped(F)

    def feedforward(plan: int, arena: int, R: int, first: int, m: int, step: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        L, theta, C, trains = P[Plan.LAYERS], P[Plan.THETA], padded_to(R, one), step >= 0
        for l in range(L):
            ni, no, A1 = table[l, Column.INPUTS], table[l, Column.NEURONS], arena + table[l, Column.A1]
            if l > 0 and trains:
                if table[l, Column.MASK] >= 0:
                    for i in range(ni):
                        at = i * C * width
                        source = carray(pointer(arena + table[l - 1, Column.A] + at, item), C)
                        masks = carray(pointer(arena + table[l, Column.MASK] + at, item), C)
                        target = carray(pointer(A1 + at, item), C)
                        factors(P, table[l], l, step, i * m + first, R, masks)
                        for j in range(C):
                            target[j] = source[j] * masks[j]
                call(P[Plan.TURN], (ni, C, A1, C * width, arena + table[l, Column.TURNED], padded_to(ni, one) * width))
            W, b = theta + table[l, Column.W] * width, theta + table[l, Column.B] * width
            Z, A = arena + table[l, Column.Z], arena + table[l, Column.A]
            space = arena + places[Place.SPACE]
            call(P[Plan.MULTIPLY], (no, C, ni, W, ni * width, width, A1, C * width, Z, C * width, 0, space))
            if l < L - 1 or P[Plan.LINKED] == 0 or not trains:
                call(table[l, Column.FORWARD], (Z, b, A, no, C, arena + places[Place.SCRATCH], table[l, Column.BLOCKS]))

    return feedforward


def _gather_targets(F: Any) -> Any:
    """y (outputs, R), smoothed, and the weights of R columns of a batch of m, / m, into the arena.

    `begin`: their place in the order. Columns that only fill up a vector are as the last, with a weight of 0.
    """
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    zero, one_ = F(0), F(1)

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
        if factor != one_:
            for i in range(k):
                targets = carray(pointer(y + i * C * width, item), C)
                for r in range(C):
                    targets[r] = factor * targets[r] + shares[i]

    return gather_targets


def _gather_inputs(F: Any) -> Any:
    """R columns of a batch of m, from its `first`, into the arena, and turned; with dropout, if it comes first."""
    item, width, one = TYPES[F], np.dtype(F).itemsize, lanes(F)
    factors = dropped(F)

    def gather_inputs(plan: int, arena: int, epoch: int, begin: int, R: int, first: int, m: int, step: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), COLUMNS)  # of the first layer
        n, d, C = P[Plan.SAMPLES], P[Plan.INPUTS], padded_to(R, one)
        D, x, A1 = padded_to(d, one), arena + table[Column.TURNED], arena + table[Column.A1]
        order = carray(pointer(P[Plan.ORDER] + (epoch * n + begin) * 8, types.int64), R)
        if step < 0 and C == R and d == D:  # to predict, x is needed in one form alone
            call(P[Plan.TURN], (R, d, P[Plan.X] + begin * d * width, d * width, A1, C * width))
            return
        for r in range(C):
            place = min(r, R - 1)
            row = order[place] if P[Plan.ORDER] != 0 else begin + place
            source = carray(pointer(P[Plan.X] + row * d * width, item), d)
            target = carray(pointer(x + r * D * width, item), d)
            for i in range(d):
                target[i] = source[i]
        call(P[Plan.TURN], (C, d, x, D * width, A1, C * width))
        if step >= 0 and table[Column.MASK] >= 0:
            for i in range(d):
                inputs = carray(pointer(A1 + i * C * width, item), C)
                masks = carray(pointer(arena + table[Column.MASK], item), C)
                factors(P, table, 0, step, i * m + first, R, masks)
                for j in range(C):
                    inputs[j] *= masks[j]
            call(P[Plan.TURN], (d, C, A1, C * width, x, D * width))

    return gather_inputs


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
        cost = call_for_cost(P[Plan.LOSS], (dZ, b, y, w, scratch, P[Plan.HELD], k, C))
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


@njit(**SUMS)
def penalize(W: Any, dW: Any, l2: Any, l1: Any) -> float:
    """Add the penalties' derivative to dW; returns ½·l2·ΣW² + l1·Σ|W|."""
    squares = sizes = zero = l2 - l2
    if l1 == zero:
        for i in range(W.size):
            dW[i] += l2 * W[i]
            squares += W[i] * W[i]
        return 0.5 * l2 * squares
    for i in range(W.size):
        t = W[i]
        dW[i] += l2 * t + (l1 if t > zero else -l1 if t < zero else zero)
        squares += t * t
        sizes += abs(t)
    return 0.5 * l2 * squares + l1 * sizes


def _finish(F: Any) -> Any:
    """Sum the workers' gradients for w's part of theta, and add the penalties'; their cost, times m, to the arena's."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    def finish(plan: int, w: int, m: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)
        size, T = P[Plan.SIZE], P[Plan.WORKERS]
        low, high = part(size, w, T), part(size, w + 1, T)
        total = carray(pointer(P[Plan.GRADIENT], item), size)
        mine = carray(pointer(P[Plan.GRADIENT] + low * width, item), high - low)
        for t in range(1, T):
            other = carray(pointer(P[Plan.GRADIENT] + (t * size + low) * width, item), high - low)
            for i in range(high - low):
                mine[i] += other[i]
        pair = Float.L2 + 0 if m == P[Plan.BATCH] else Float.LAST_L2 + 0
        l2, l1 = floats[pair], floats[pair + 1]
        if l2 == zero and l1 == zero:
            return
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        theta, cost = carray(pointer(P[Plan.THETA], item), size), 0.0
        for l in range(P[Plan.LAYERS]):
            start = table[l, Column.W]
            # slices: an index that counts from 0 needs no look whether it is below, and the loop becomes vectors
            first = max(low, start)
            last = max(first, min(high, start + table[l, Column.INPUTS] * table[l, Column.NEURONS]))
            cost += penalize(theta[first:last], total[first:last], l2, l1)
        carray(pointer(P[Plan.ARENA] + w * P[Plan.ARENA_BYTES] + COST, types.float64), 1)[0] += m * cost

    return finish


@njit(**FLAGS)
def part(size: int, w: int, T: int) -> int:
    """Where the w-th of T parts of `size` numbers begins; parts are cut where cache lines are."""
    return size if w == T else size * w // T // 16 * 16


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
        mine = carray(pointer(P[Plan.GRADIENT] + low * width, item), high - low)
        norms = carray(pointer(P[Plan.NORMS], types.float64), T)
        clip = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)[Float.CLIP]
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
                if clip > zero:
                    square = 0.0
                    for i in range(high - low):
                        square += mine[i] * mine[i]
                    norms[w] = square
                    if T > 1:
                        arrivals += T
                        barrier(P[Plan.BARRIER], arrivals, arena)
                    square = 0.0
                    for t in range(T):
                        square += norms[t]
                    shrink = F(clip / np.sqrt(square)) if square > clip * clip else F(1)
                    for i in range(high - low):
                        mine[i] *= shrink
                if P[Plan.UPDATES] == 1:
                    at, numbers = low * width, P[Plan.COEFFICIENTS] + step * P[Plan.NUMBERS] * width
                    slots = (P[Plan.SLOT0] + at, P[Plan.SLOT1] + at)
                    call(P[Plan.RULE], (P[Plan.THETA] + at, P[Plan.GRADIENT] + at, *slots, numbers, high - low))
                step += 1
                if T > 1:
                    arrivals += T
                    barrier(P[Plan.BARRIER], arrivals, arena)
            costs[epoch * T + w] = cost[0] / n

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
        if T > 1:  # a caller that does not wait for the others any more finds them done
            barrier(P[Plan.BARRIER], T, arena)

    return outputs
