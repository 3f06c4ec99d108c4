"""What the compiled epoch is told: a plan of integers, a table of integers for each layer, a few floats.

Integers and addresses only, so that one compiled epoch serves every network.
"""

from enum import IntEnum, auto

import numpy as np


class Plan(IntEnum):
    """The places of the plan's integers. Most are addresses; counts say so."""

    LAYERS = 0  # a count
    TABLE = auto()  # (layers, len(Column)) int64
    WORKERS = auto()  # a count
    SAMPLES = auto()  # a count
    INPUTS = auto()  # a count
    OUTPUTS = auto()  # a count
    BATCH = auto()  # columns of a batch
    TILE = auto()  # columns worked on at a time, so that they stay in the cache
    EPOCHS = auto()  # a count
    UPDATES = auto()  # 1: train; 0: leave the gradient, of one batch, in GRADIENT
    X = auto()  # (samples, inputs)
    Y = auto()  # (samples, outputs)
    WEIGHT = auto()  # (samples,), or 0 for none
    ORDER = auto()  # (epochs, samples) int64, or 0 for as they stand
    THETA = auto()
    SIZE = auto()  # of theta, a count
    GRADIENT = auto()  # (workers, SIZE)
    ARENA = auto()  # (workers, ARENA_BYTES)
    ARENA_BYTES = auto()
    SLOT0 = auto()  # the optimizer's memory, as theta
    SLOT1 = auto()
    RULE = auto()  # the optimizer's loop
    COEFFICIENTS = auto()  # (steps, NUMBERS)
    NUMBERS = auto()
    LOSS = auto()  # the loss's loop
    HELD = auto()  # what `rows.held` says
    SHARES = auto()  # (outputs,) label smoothing: Y·TARGET + SHARES
    LINKED = auto()  # 1: the loss's loop takes Z; 0: it takes A, and the chain rule follows
    COSTS = auto()  # (epochs, workers) float64
    SEEDS = auto()  # (steps, DROPOUTS) uint64
    DROPOUTS = auto()  # a count
    FLOATS = auto()  # see `Float`
    NORMS = auto()  # (workers,) float64
    BARRIER = auto()  # int64: how often a worker has arrived
    GEMM = auto()  # BLAS's
    GEMV = auto()
    MULTIPLY = auto()  # the pieces of `epoch`
    APPLY = auto()
    GATHER_TARGETS = auto()
    GATHER_INPUTS = auto()
    FEEDFORWARD = auto()
    BACK = auto()
    FINISH = auto()
    DROPS_INPUT = auto()  # 1 where dropout comes before the first layer
    OUTPUT = auto()  # (samples, outputs), for prediction
    PLACES = auto()  # of a worker's arena, int64: see `Place`


class Column(IntEnum):
    """A layer's integers. W and B are places in theta, counted in numbers; Z to MASK places in the arena, in bytes."""

    INPUTS = 0
    NEURONS = auto()
    W = auto()
    B = auto()
    Z = auto()
    A = auto()  # Z's place, where df has no use for Z
    DA = auto()
    DROPPED = auto()  # A1 after dropout, or -1 where there is none
    MASK = auto()
    THRESHOLD = auto()  # dropout's rate, of 2**24
    SEED = auto()  # which of a step's seeds
    FORWARD = auto()
    BACKWARD = auto()


class Float(IntEnum):
    """The numbers of the dtype that go with the integers."""

    L2 = 0  # of a whole batch
    L1 = auto()
    LAST_L2 = auto()  # of a last, smaller one
    LAST_L1 = auto()
    CLIP = auto()  # 0 for none
    TARGET = auto()  # label smoothing: see SHARES
    SCALES = auto()  # 1 / (1 - rate) for each layer, from here on


class Place(IntEnum):
    """Where in a worker's arena, in bytes, stands what is not a layer's own."""

    SCRATCH = 0  # 3 numbers a column, for the loss
    WEIGHT = auto()  # (columns,)
    ZEROS = auto()  # (outputs,)
    ONES = auto()  # (columns,)
    X = auto()  # (columns, inputs)
    Y = auto()  # (outputs, columns)


# An arena begins with 32 bytes of BLAS's arguments, alpha and beta, and the cost so far of the worker's columns.
SCALES, COST, HEAD = 32, 64, 128

LENGTH, COLUMNS, PLACES = len(Plan), len(Column), len(Place)


def offsets(inputs: int, outputs: int, tile: int, width: int) -> tuple[list[int], int]:
    """The bytes of each `Place`, and where the layers' own begin."""
    counts = {Place.SCRATCH: 3 * tile, Place.WEIGHT: tile, Place.ZEROS: outputs, Place.ONES: tile}
    counts |= {Place.X: tile * inputs, Place.Y: tile * outputs}
    ends = HEAD + np.cumsum([-(-counts[place] * width // 64) * 64 for place in Place])
    return [HEAD, *ends[:-1].tolist()], int(ends[-1])
