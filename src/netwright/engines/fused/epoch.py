"""The epoch, as one C function: gather, feedforward, loss, backpropagation, optimizer, batch after batch.

Inside, a layer's Z and A are (neurons, columns of the batch), rows contiguous, as in the article; only the input stays
as it is stored, a sample a row. A network is described by a table of integers (sizes, places, addresses of its rows'
loops), so this compiles once for every shape. Workers split a batch by columns: each has its own gradient, and at the
update owns its own part of theta.
"""

from typing import Any

import numpy as np
from numba import carray, njit, types

from netwright.engines.fused.machine import FLAGS, SUMS, add_at, call, call_for_cost, compiled, load_at, once, pointer
from netwright.engines.fused.plan import COLUMNS, COST, LENGTH, PLACES, SCALES, Column, Float, Place, Plan
from netwright.engines.fused.products import SCALED, TRANSPOSE_A, TRANSPOSE_B, apply, multiply
from netwright.engines.fused.rows import TYPES

sched_yield = types.ExternalFunction("sched_yield", types.int32())
usleep = types.ExternalFunction("usleep", types.int32(types.uint32))


@njit(**FLAGS)
def barrier(counter: int, total: int) -> None:
    """Wait until `total` arrivals: spin, then let others run, then sleep, for whoever else wants the core."""
    add_at(counter, 1)
    spins = 0
    while load_at(counter) < total:
        spins += 1
        if spins > 20_000:
            usleep(np.uint32(50))
        elif spins > 2_000 and spins % 16 == 0:
            sched_yield()


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
        Plan.MULTIPLY: (multiply, 11),
        Plan.APPLY: (apply, 7),
        Plan.GATHER_TARGETS: (_gather_targets, 5),
        Plan.GATHER_INPUTS: (_gather_inputs, 8),
        Plan.FEEDFORWARD: (_feedforward, 7),
        Plan.BACK: (_back, 7),
        Plan.FINISH: (_finish, 3),
    }
    return {place.name: compiled(make(F), count, key, **SUMS) for place, (make, count) in parts.items()}


@once
def loop(make: Any, F: Any) -> int:
    """The address of one of the loops (plan, worker): `train`, `train_by_neurons`, `predict`."""
    return compiled(make(F), 2, np.dtype(F).name, **SUMS)


def _feedforward(F: Any) -> Any:
    """Z and A of every layer for R columns from x, (R, inputs); with dropout when step >= 0, else to predict.

    In training the last layer's Z stays as it is, without b, for the loss; unless the loss takes A.
    """
    item, width = TYPES[F], np.dtype(F).itemsize
    zero, one = F(0), F(1)

    def feedforward(plan: int, arena: int, x: int, R: int, first: int, m: int, step: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + P[Plan.LAYERS])
        L, theta = P[Plan.LAYERS], P[Plan.THETA]
        scratch = arena + carray(pointer(P[Plan.PLACES], types.int64), PLACES)[Place.SCRATCH]
        A1 = x
        for l in range(L):
            ni, no = table[l, Column.INPUTS], table[l, Column.NEURONS]
            if l > 0 and step >= 0 and table[l, Column.DROPPED] >= 0:
                D, mask = arena + table[l, Column.DROPPED], arena + table[l, Column.MASK]
                source, target = carray(pointer(A1, item), ni * R), carray(pointer(D, item), ni * R)
                masks = carray(pointer(mask, item), ni * R)
                seeds = carray(pointer(P[Plan.SEEDS], types.uint64), (step + 1) * P[Plan.DROPOUTS])
                seed, threshold = (
                    seeds[step * P[Plan.DROPOUTS] + table[l, Column.SEED]],
                    np.uint64(table[l, Column.THRESHOLD]),
                )
                scale = floats[Float.SCALES + l]
                for i in range(ni):
                    for j in range(R):
                        kept = scale if keeps(seed, np.uint64(i * m + first + j), threshold) else zero
                        masks[i * R + j] = kept
                        target[i * R + j] = source[i * R + j] * kept
                A1 = D
            W, b = theta + table[l, Column.W] * width, theta + table[l, Column.B] * width
            Z, A = arena + table[l, Column.Z], arena + table[l, Column.A]
            flags, ldb = (TRANSPOSE_B, ni) if l == 0 else (0, R)
            if R == 1:
                scales = carray(pointer(arena + SCALES, item), 2)
                scales[0], scales[1] = one, zero
                call(P[Plan.APPLY], (P[Plan.GEMV], arena, no, ni, W, A1, Z))
            else:
                call(P[Plan.MULTIPLY], (P[Plan.GEMM], arena, flags, no, R, ni, W, ni, A1, ldb, Z))
            if l < L - 1 or P[Plan.LINKED] == 0 or step < 0:
                call(table[l, Column.FORWARD], (Z, b, A, no, R, scratch, P[Plan.HELD]))
            A1 = A

    return feedforward


def _gather_targets(F: Any) -> Any:
    """y (outputs, R), smoothed, and the weights of R columns, into the arena; `begin`: their place in the order."""
    item, width = TYPES[F], np.dtype(F).itemsize
    one = F(1)

    def gather_targets(plan: int, arena: int, epoch: int, begin: int, R: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        floats = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)
        n, k = P[Plan.SAMPLES], P[Plan.OUTPUTS]
        order = carray(pointer(P[Plan.ORDER] + (epoch * n + begin) * 8, types.int64), R)
        weights, w = carray(pointer(P[Plan.WEIGHT], item), n), carray(pointer(arena + places[Place.WEIGHT], item), R)
        y = carray(pointer(arena + places[Place.Y], item), k * R)
        factor, shares = floats[Float.TARGET], carray(pointer(P[Plan.SHARES], item), k)
        for r in range(R):
            row = order[r] if P[Plan.ORDER] != 0 else begin + r
            w[r] = one if P[Plan.WEIGHT] == 0 else weights[row]
            Y = carray(pointer(P[Plan.Y] + row * k * width, item), k)
            for i in range(k):
                y[i * R + r] = factor * Y[i] + shares[i]

    return gather_targets


def _gather_inputs(F: Any) -> Any:
    """x (R, inputs) of R columns of a batch of m, from its `first`, into the arena; with dropout, if it comes first."""
    item, width = TYPES[F], np.dtype(F).itemsize
    zero = F(0)

    def gather_inputs(plan: int, arena: int, epoch: int, begin: int, R: int, first: int, m: int, step: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        table = carray(pointer(P[Plan.TABLE], types.int64), COLUMNS)  # of the first layer
        n, d = P[Plan.SAMPLES], P[Plan.INPUTS]
        order = carray(pointer(P[Plan.ORDER] + (epoch * n + begin) * 8, types.int64), R)
        for r in range(R):
            row = order[r] if P[Plan.ORDER] != 0 else begin + r
            X = carray(pointer(P[Plan.X] + row * d * width, item), d)
            x = carray(pointer(arena + places[Place.X] + r * d * width, item), d)
            for i in range(d):
                x[i] = X[i]
        if table[Column.DROPPED] >= 0:
            scale = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 1)[Float.SCALES]
            seeds = carray(pointer(P[Plan.SEEDS], types.uint64), (step + 1) * P[Plan.DROPOUTS])
            seed, threshold = seeds[step * P[Plan.DROPOUTS] + table[Column.SEED]], np.uint64(table[Column.THRESHOLD])
            for r in range(R):
                x = carray(pointer(arena + places[Place.X] + r * d * width, item), d)
                for i in range(d):
                    x[i] *= scale if keeps(seed, np.uint64(i * m + first + r), threshold) else zero

    return gather_inputs


def _back(F: Any) -> Any:
    """From every layer's Z and A to their share of dW and db in g: Σ loss·weight over R columns of a batch of m.

    g is added to when `more`, and written over when not. What the costs add up to is left in the arena, after beta.
    """
    item, width = TYPES[F], np.dtype(F).itemsize
    zero, one = F(0), F(1)

    def back(plan: int, arena: int, g: int, x: int, R: int, m: int, more: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        scales = carray(pointer(arena + SCALES, item), 2)
        L, theta, k = P[Plan.LAYERS], P[Plan.THETA], P[Plan.OUTPUTS]
        last = L - 1
        Z, A, dZ = arena + table[last, Column.Z], arena + table[last, Column.A], arena + table[last, Column.DA]
        scratch, b = arena + places[Place.SCRATCH], theta + table[last, Column.B] * width
        if P[Plan.LINKED] == 1:
            dZ = Z
        else:  # the loss takes A, which the chain rule still needs, and no b
            outputs, dA = carray(pointer(A, item), k * R), carray(pointer(dZ, item), k * R)
            for i in range(k * R):
                dA[i] = outputs[i]
            b = arena + places[Place.ZEROS]
        y, w = arena + places[Place.Y], arena + places[Place.WEIGHT]
        cost = call_for_cost(P[Plan.LOSS], (dZ, b, y, w, scratch, P[Plan.HELD], k, R))
        if P[Plan.LINKED] == 0:
            call(table[last, Column.BACKWARD], (Z, A, dZ, k * R))
        for l in range(last, -1, -1):
            ni, no, dropped = table[l, Column.INPUTS], table[l, Column.NEURONS], table[l, Column.DROPPED]
            A1, flags, ldb = x, SCALED, ni
            if l > 0:
                A1, flags, ldb = arena + (dropped if dropped >= 0 else table[l - 1, Column.A]), SCALED | TRANSPOSE_B, R
            scales[0], scales[1] = F(1.0 / m), one if more else zero
            dW = g + table[l, Column.W] * width
            call(P[Plan.MULTIPLY], (P[Plan.GEMM], arena, flags, no, ni, R, dZ, R, A1, ldb, dW))
            db, ones = g + table[l, Column.B] * width, arena + places[Place.ONES]
            call(P[Plan.APPLY], (P[Plan.GEMV], arena, no, R, dZ, ones, db))
            if l > 0:
                dA1, W = arena + table[l - 1, Column.DA], theta + table[l, Column.W] * width
                call(P[Plan.MULTIPLY], (P[Plan.GEMM], arena, TRANSPOSE_A, ni, R, no, W, ni, dZ, R, dA1))
                if dropped >= 0:
                    da, mask = (
                        carray(pointer(dA1, item), ni * R),
                        carray(pointer(arena + table[l, Column.MASK], item), ni * R),
                    )
                    for i in range(ni * R):
                        da[i] *= mask[i]
                below = (arena + table[l - 1, Column.Z], arena + table[l - 1, Column.A], dA1, ni * R)
                call(table[l - 1, Column.BACKWARD], below)
                dZ = dA1
        carray(pointer(arena + COST, types.float64), 1)[0] += cost

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
        places = carray(pointer(P[Plan.PLACES], types.int64), PLACES)
        T, n, B, size, tile = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.BATCH], P[Plan.SIZE], P[Plan.TILE]
        arena = P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        g = P[Plan.GRADIENT] + w * size * width
        low, high = part(size, w, T), part(size, w + 1, T)
        mine = carray(pointer(P[Plan.GRADIENT] + low * width, item), high - low)
        norms = carray(pointer(P[Plan.NORMS], types.float64), T)
        clip = carray(pointer(P[Plan.FLOATS], item), Float.SCALES + 0)[Float.CLIP]
        cost = carray(pointer(arena + COST, types.float64), 1)
        costs = carray(pointer(P[Plan.COSTS], types.float64), P[Plan.EPOCHS] * T)
        gathers = P[Plan.ORDER] != 0 or P[Plan.DROPS_INPUT] != 0
        step, arrivals = 0, 0
        for epoch in range(P[Plan.EPOCHS]):
            cost[0] = 0.0
            for begin in range(0, n, B):
                m = min(B, n - begin)
                first, end = m * w // T, m * (w + 1) // T
                if first == end:
                    nothing = carray(pointer(g, item), size)
                    for i in range(size):
                        nothing[i] = zero
                for c in range(first, end, tile):
                    R = min(tile, end - c)
                    x = arena + places[Place.X] if gathers else P[Plan.X] + (begin + c) * P[Plan.INPUTS] * width
                    call(P[Plan.GATHER_TARGETS], (plan, arena, epoch, begin + c, R))
                    if gathers:
                        call(P[Plan.GATHER_INPUTS], (plan, arena, epoch, begin + c, R, c, m, step))
                    call(P[Plan.FEEDFORWARD], (plan, arena, x, R, c, m, step))
                    call(P[Plan.BACK], (plan, arena, g, x, R, m, c - first))
                if T > 1:
                    arrivals += T
                    barrier(P[Plan.BARRIER], arrivals)
                call(P[Plan.FINISH], (plan, w, m))
                if clip > zero:
                    square = 0.0
                    for i in range(high - low):
                        square += mine[i] * mine[i]
                    norms[w] = square
                    if T > 1:
                        arrivals += T
                        barrier(P[Plan.BARRIER], arrivals)
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
                    barrier(P[Plan.BARRIER], arrivals)
            costs[epoch * T + w] = cost[0] / n

    return by_rows


def predict(F: Any) -> Any:
    """A worker's share of the outputs, tile by tile."""
    item, width = TYPES[F], np.dtype(F).itemsize

    def outputs(plan: int, w: int) -> None:
        P = carray(pointer(plan, types.int64), LENGTH)
        table = carray(pointer(P[Plan.TABLE], types.int64), (P[Plan.LAYERS], COLUMNS))
        T, n, d, k, tile = P[Plan.WORKERS], P[Plan.SAMPLES], P[Plan.INPUTS], P[Plan.OUTPUTS], P[Plan.TILE]
        arena = P[Plan.ARENA] + w * P[Plan.ARENA_BYTES]
        output = carray(pointer(P[Plan.OUTPUT], item), n * k)
        for begin in range(n * w // T, n * (w + 1) // T, tile):
            R = min(tile, n * (w + 1) // T - begin)
            call(P[Plan.FEEDFORWARD], (plan, arena, P[Plan.X] + begin * d * width, R, 0, R, -1))
            A = carray(pointer(arena + table[P[Plan.LAYERS] - 1, Column.A], item), k * R)
            for r in range(R):
                for i in range(k):
                    output[(begin + r) * k + i] = A[i * R + r]

    return outputs
