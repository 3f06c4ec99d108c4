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
    SAMPLES = auto()  # of an epoch, a count
    INPUTS = auto()  # a count
    OUTPUTS = auto()  # a count
    BATCH = auto()  # columns of a batch
    TILE = auto()  # columns worked on at a time, so that they stay in the cache
    EPOCHS = auto()  # a count
    UPDATES = auto()  # 1: train; 0: leave the gradient, of one batch, in GRADIENT
    X = auto()  # a row of inputs for each sample
    INPUT_SCALE = auto()  # (inputs,), by which they are multiplied, or 0 for none
    Y = auto()  # a row of outputs for each sample
    WEIGHT = auto()  # a number for each sample, or 0 for none
    ORDER = auto()  # (epochs, samples) int64, their numbers, or 0 for as they stand
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
    CONSTANTS = auto()  # what `rows.loss_constants` says
    SHARES = auto()  # (outputs,) label smoothing: Y·TARGET + SHARES
    LINKED = auto()  # 1: the last activation is the loss's link; 0: the chain rule leads from one to the other
    LINK_LEVEL = auto()  # what `rows.link_back` gives
    LINK_SLOPE = auto()
    COSTS = auto()  # (epochs, workers) float64
    SEEDS = auto()  # (steps, DROPOUTS) uint64
    DROPOUTS = auto()  # a count
    FLOATS = auto()  # see `Float`
    NORMS = auto()  # (workers,) float64
    BARRIER = auto()  # int64: how often a worker has arrived
    MULTIPLY = auto()  # the pieces of `products`
    TURN = auto()
    APPLY = auto()
    SUM_ROWS = auto()
    GATHER_TARGETS = auto()  # the pieces of `gathering`
    GATHER_INPUTS = auto()
    DROP = auto()
    PENALIZE = auto()  # the pieces of `sharing`, or 0 where there are no penalties, no clipping
    SHRINK = auto()
    FEEDFORWARD = auto()  # the pieces of `epoch`
    ERROR = auto()
    BACK = auto()
    FINISH = auto()
    MOVE = auto()  # `by_hidden`'s
    DROPS_INPUT = auto()  # 1 where dropout comes before the first layer
    OUTPUT = auto()  # (samples, outputs), for prediction
    PLACES = auto()  # of a worker's arena, int64: see `Place`


class Column(IntEnum):
    """A layer's integers. W and B are places in theta, counted in numbers; A1 to MASK places in the arena, in bytes.

    A matrix of the arena has a row for each neuron, of as many columns as fill whole vectors: `products.padded`.
    """

    INPUTS = 0
    NEURONS = auto()
    W = auto()
    B = auto()
    A1 = auto()  # the layer's input, after dropout
    TURNED = auto()  # its transpose: (padded columns, padded inputs)
    Z = auto()
    A = auto()  # Z's place, where df has no use for Z
    DA = auto()
    MASK = auto()  # dropout's, of A1; or -1 where there is none
    SHARE = auto()  # `by_hidden`: what a worker adds to Z, for two steps
    THRESHOLD = auto()  # dropout's rate, of 2**24
    SEED = auto()  # which of a step's seeds
    FORWARD = auto()
    BACKWARD = auto()
    BLOCKS = auto()  # the address of `rows.blocks_of`


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
    Y = auto()  # (outputs, columns)
    SPACE = auto()  # for `products.multiply`
    OWN = auto()  # `by_hidden`: what a worker owns of theta, of the gradient and of the slots


# An arena begins with the cost so far of the worker's columns, and what its `barrier` keeps.
COST, CROWDED, CLOCK, HEAD = 0, 8, 16, 64

LENGTH, COLUMNS, PLACES = len(Plan), len(Column), len(Place)


def offsets(outputs: int, tile: int, space: int, own: int, width: int) -> tuple[list[int], int]:
    """The bytes of each `Place`, and where the layers' own begin."""
    counts = {Place.SCRATCH: 3 * tile, Place.WEIGHT: tile, Place.ZEROS: outputs, Place.Y: tile * outputs}
    counts |= {Place.SPACE: space, Place.OWN: own}
    ends = HEAD + np.cumsum([-(-counts[place] * width // 64) * 64 for place in Place])
    return [HEAD, *ends[:-1].tolist()], int(ends[-1])
