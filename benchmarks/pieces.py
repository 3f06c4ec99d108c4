"""Where a step of the fused engine goes: the time of each of its pieces, on one thread, with everything in the cache.

    python benchmarks/pieces.py [64,100,10] [32] [relu] [cross_entropy] [adam]

Sizes, columns of a batch, activation, loss, optimizer. A step is the sum of the pieces in capitals, and of a little for
going from one to the other; what is indented is what feedforward and back consist of. float32.
"""

import ctypes
import sys
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numba import types
from numba.core.ccallback import CFunc

from netwright import Network
from netwright.core.optimizers import find_optimizer
from netwright.engines.fused.compile import call, call_for_cost
from netwright.engines.fused.kernels.products import padded
from netwright.engines.fused.kernels.rows import update
from netwright.engines.fused.plan import Column, Place, Plan
from netwright.engines.fused.program import Program

F, WIDTH = np.float32, 4
REPEATS, TURNS = 2000, 9
kept: dict[tuple[int, bool], Any] = {}


def repeating(count: int, cost: bool) -> Any:
    """A compiled loop that calls the function at an address with so many integers, again and again."""
    if (count, cost) not in kept:
        name, given = ("call_for_cost" if cost else "call"), ", ".join(f"a{i}" for i in range(count))
        code = f"def repeat(f, n, {given}):\n    for _ in range(n):\n        {name}(f, ({given},))\n"
        scope = {"call": call, "call_for_cost": call_for_cost, "__name__": __name__}
        exec(code, scope)  # as many arguments as the piece has
        compiled = CFunc(scope["repeat"], ((types.int64,) * (count + 2), types.void), {}, {"nopython": True})
        compiled.compile()
        kept[count, cost] = compiled, ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (count + 2))(compiled.address)
    return kept[count, cost][1]


def show(name: str, function: int, *arguments: int, cost: bool = False) -> None:
    run = repeating(len(arguments), cost)
    run(function, 1, *map(int, arguments))
    seconds = []
    for _ in range(TURNS):
        start = perf_counter()
        run(function, REPEATS, *map(int, arguments))
        seconds.append((perf_counter() - start) / REPEATS)
    print(f"{name:24}{1e6 * median(seconds):10.3f} µs")


def main(
    sizes: str = "64,100,10", m: str = "32", activation: str = "relu", loss: str = "cross_entropy", rule: str = "adam"
) -> None:
    network = Network([int(size) for size in sizes.split(",")], activation, loss=loss, rng=0, dtype=F)
    columns, rng, optimizer = int(m), np.random.default_rng(0), find_optimizer(rule)
    d, k, C, n = network.inputs, network.outputs, padded(int(m), F), max(int(m), 2000)
    X = rng.normal(size=(n, d)).astype(F)
    Y = np.eye(k, dtype=F)[rng.integers(0, k, n)] if k > 1 else rng.integers(0, 2, (n, 1)).astype(F)
    optimizer.start(network.theta)
    numbers = np.array([optimizer.coefficients(1, 0.001)], F)
    slots = [*optimizer.slots.values(), np.zeros(1, F), np.zeros(1, F)]
    program, order = Program(network, columns, 1), rng.permutation(n)  # the plan has its address
    P = program.plan(n, X=X, Y=Y, ORDER=order, COEFFICIENTS=numbers)
    P[[Plan.BATCH, Plan.EPOCHS, Plan.UPDATES]] = columns, 1, 1
    plan, arena, theta, g = (a.ctypes.data for a in (P, program.arena, network.theta, network.grad))

    show("GATHER targets", P[Plan.GATHER_TARGETS], plan, arena, 0, 0, columns, columns)
    show("GATHER inputs", P[Plan.GATHER_INPUTS], plan, arena, 0, 0, columns, 0, columns, 0)
    show("FEEDFORWARD", P[Plan.FEEDFORWARD], plan, arena, columns, 0, columns, 0)
    show("BACK, with the loss", P[Plan.BACK], plan, arena, g, columns, columns, 0)
    address = update(type(optimizer), numbers.shape[1], F)
    show(
        "UPDATE", address, theta, g, slots[0].ctypes.data, slots[1].ctypes.data, numbers.ctypes.data, network.theta.size
    )

    table, last, scratch = program.table, len(program.table) - 1, arena + program.places[Place.SCRATCH]
    multiply, stride, space = P[Plan.MULTIPLY], C * WIDTH, arena + program.places[Place.SPACE]
    for l, row in enumerate(table):
        ni, no, across = row[Column.INPUTS], row[Column.NEURONS], padded(int(row[Column.INPUTS]), F) * WIDTH
        W, b, A1, turned = (
            theta + row[Column.W] * WIDTH,
            theta + row[Column.B] * WIDTH,
            arena + row[Column.A1],
            arena + row[Column.TURNED],
        )
        Z, A, dA = (arena + row[column] for column in (Column.Z, Column.A, Column.DA))
        show(f"  {l}: Z", multiply, no, C, ni, W, ni * WIDTH, WIDTH, A1, stride, Z, stride, 0, space)
        if l < last:
            show(f"  {l}: A", row[Column.FORWARD], Z, b, A, no, C, scratch, row[Column.BLOCKS])
            show(f"  {l}: dZ", row[Column.BACKWARD], Z, A, dA, no, C, scratch, row[Column.BLOCKS])
        else:
            show(f"  {l}: loss and dZ", P[Plan.ERROR], plan, arena, b, C, cost=True)
        show(f"  {l}: dW", multiply, no, ni, columns, dA, stride, WIDTH, turned, across, g, ni * WIDTH, 0, space)
        show(f"  {l}: db", P[Plan.SUM_ROWS], no, C, dA, stride, g, 0)
        if l:
            below = arena + table[l - 1, Column.DA]
            show(f"  {l}: dA1", multiply, ni, C, no, W, WIDTH, ni * WIDTH, dA, stride, below, stride, 0, space)
            show(f"  {l}: A1 turned", P[Plan.TURN], ni, C, A1, stride, turned, across)


if __name__ == "__main__":
    main(*sys.argv[1:])
