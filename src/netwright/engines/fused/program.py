"""A network as the compiled loops see it: a table of its layers, the pieces that compute them, and memory for them."""

from typing import Any

import numpy as np

from netwright.core.activations import Softmax
from netwright.core.arguments import Array
from netwright.core.dropout import Dropout
from netwright.core.layer import Layer
from netwright.core.network import FeedForward
from netwright.engines.fused.kernels.products import BLOCK_COLUMNS, BLOCK_ROWS, padded
from netwright.engines.fused.kernels.products import LARGE as LARGE_PRODUCT
from netwright.engines.fused.kernels.rows import (
    NotCompilable,
    backward,
    blocks_of,
    forward,
    link_back,
    loss_constants,
    loss_kernel,
    uses_Z,
)
from netwright.engines.fused.loops.by_hidden import train_by_hidden
from netwright.engines.fused.loops.by_neurons import train_by_neurons
from netwright.engines.fused.loops.by_rows import loop, piece, predict, train_by_rows
from netwright.engines.fused.plan import Column, Plan, offsets
from netwright.engines.fused.workers import CALL

TILE = 512  # columns at most: their Z and A of a few layers stay in a core's cache

COMMON = (Plan.MULTIPLY, Plan.TURN, Plan.GATHER_INPUTS)
TRAINS = (*COMMON, Plan.SUM_ROWS, Plan.GATHER_TARGETS, Plan.ERROR)
PIECES_OF: dict[Any, tuple[Plan, ...]] = {  # what each loop always calls
    train_by_rows: (*TRAINS, Plan.FEEDFORWARD, Plan.BACK, Plan.FINISH),
    train_by_neurons: TRAINS,
    train_by_hidden: (*TRAINS, Plan.MOVE),
    predict: (*COMMON, Plan.FEEDFORWARD, Plan.APPLY),
}


class Program:
    """The table of a network's layers, and memory for batches of up to `columns` on `threads` workers.

    It serves every network of the same structure, one at a time, and holds none of them: `bind` says whose theta and
    grad it is to work on. NotCompilable says what of the network the fused engine cannot run.
    """

    def __init__(self, network: FeedForward, columns: int, threads: int, make: Any = train_by_rows):
        self.threads, self.make, self.key = threads, make, key_of(network, columns, threads, make)
        self.rows = [network.loss, *(layer.activation for layer in network.dense)]  # the key has their ids: they stay
        trains, splits_rows = make is not predict, make is train_by_rows
        self.F: Any = network.dtype.type
        dense = network.dense
        width = network.dtype.itemsize
        tile = min(-(-columns // threads), TILE) if splits_rows or not trains else columns
        self.tile = padded(tile, self.F)
        largest = self.tile * max(max(layer.inputs, layer.neurons) for layer in dense) * width
        space = BLOCK_ROWS * BLOCK_COLUMNS if largest > LARGE_PRODUCT else 0
        own = 0
        if make is train_by_hidden:
            most = -(-network.theta.size // threads) + 16 * (network.inputs + network.outputs + 1)
            own = 4 * (most + network.outputs + 64)
        places, self.bytes = offsets(padded(network.outputs, self.F), self.tile, space, own, width)
        self.places = np.array(places, np.int64)
        self.table = np.zeros((len(dense), len(Column)), np.int64)
        self.blocks: list[Array] = []
        rates = dropout_rates(network)
        self._lay_out(network, rates, trains)
        self.dropouts = sum(rate > 0 for rate in rates)
        smoothing = network.label_smoothing
        scales = [1 / (1 - rate) for rate in rates]
        self.floats = np.array([0, 0, 0, 0, 0, 1 - smoothing, *scales], self.F)
        self.shares = np.zeros((network.outputs, 1), self.F)
        if smoothing:
            self.shares = network.loss.smooth(self.shares, smoothing)
        self.loss, self.link, self.constants = 0, (0, 0), loss_constants(network.loss, network.outputs, self.F)
        if trains:
            self.loss = loss_kernel(network.loss, self.F)
            self.link = (0, 0) if network.linked else link_back(network.loss.link, self.F)
        needed = PIECES_OF[make] + ((Plan.DROP,) if self.dropouts and trains else ())
        if trains and any(network.penalties(columns)):
            piece(Plan.PENALIZE, self.F)  # `_run` asks for it, when the rest has been announced
        self.pieces = {place.name: piece(place, self.F) for place in needed}
        self.loop = CALL(loop(make, self.F))
        self.bytes = -(-self.bytes // 4096) * 4096 + 4096  # no two workers write to one page
        memory = np.zeros(threads * self.bytes + 64, np.uint8)
        start = -memory.ctypes.data % 64
        self.arena = memory[start : start + threads * self.bytes].reshape(threads, self.bytes)
        self.gradients = np.zeros((threads, network.theta.size), self.F) if splits_rows and threads > 1 else None
        self.norms = np.zeros(threads)
        self.base = self._base(network)
        self.bind(network)

    @property
    def nbytes(self) -> int:
        """Of its memory."""
        return self.arena.nbytes + (0 if self.gradients is None else self.gradients.nbytes)

    def bind(self, network: FeedForward) -> None:
        """Work on this network's theta and grad from now on; whoever runs the program holds them."""
        self.base[Plan.THETA] = network.theta.ctypes.data
        if self.gradients is None:
            self.base[Plan.GRADIENT] = network.grad.ctypes.data

    def _lay_out(self, network: FeedForward, rates: list[float], trains: bool) -> None:
        """A row of the table for each layer: its sizes, where its arrays lie, and which pieces compute it."""
        make, dense, at = self.make, network.dense, 0
        for l, layer in enumerate(dense):
            dropped = trains and rates[l]
            row = {Column.INPUTS: layer.inputs, Column.NEURONS: layer.neurons}
            row |= {Column.W: at, Column.B: at + layer.inputs * layer.neurons}
            at += layer.size
            row[Column.A1] = self.room(layer.inputs) if l == 0 or dropped else int(self.table[l - 1, Column.A])
            row[Column.TURNED] = self.room(layer.inputs)
            row[Column.Z] = row[Column.A] = self.room(layer.neurons)
            row[Column.DA] = self.room(layer.neurons)
            in_loss = trains and layer is dense[-1] and network.linked
            if isinstance(layer.activation, Softmax):
                self.blocks.append(blocks_of(layer.activation, layer.neurons))
                row[Column.BLOCKS] = self.blocks[-1].ctypes.data
            elif uses_Z(layer.activation):
                row[Column.A] = self.room(layer.neurons)
            if not in_loss:
                row[Column.FORWARD] = forward(layer.activation, self.F)
                if trains:
                    row[Column.BACKWARD] = backward(layer.activation, self.F)
            row[Column.SHARE] = self.room(2 * layer.neurons) if make is train_by_hidden else -1
            row[Column.MASK] = self.room(layer.inputs) if dropped else -1
            row |= {Column.THRESHOLD: int(rates[l] * 2**24), Column.SEED: sum(rate > 0 for rate in rates[:l])}
            self.table[l, list(row)] = list(row.values())

    def room(self, count: int) -> int:
        """A place in the arena, in bytes, for so many numbers a column, and as many more as fill up a vector."""
        at = self.bytes
        self.bytes += -(-padded(count, self.F) * self.tile * np.dtype(self.F).itemsize // 64) * 64
        return at

    def plan(self, samples: int, **addresses: Array | None) -> Array:
        """The plan, with the addresses of what changes from call to call; whoever gives those keeps them alive."""
        plan = self.base.copy()
        plan[Plan.SAMPLES] = samples
        for name, array in addresses.items():
            if array is not None:
                plan[Plan[name]] = array.ctypes.data
        return plan

    def _base(self, network: FeedForward) -> Array:
        """What of the plan is the same in all calls."""
        arrays = {"TABLE": self.table, "FLOATS": self.floats, "NORMS": self.norms, "PLACES": self.places}
        arrays |= {"ARENA": self.arena, "CONSTANTS": self.constants, "SHARES": self.shares}
        arrays |= {} if self.gradients is None else {"GRADIENT": self.gradients}
        numbers = {
            "LAYERS": len(self.table),
            "WORKERS": self.threads,
            "INPUTS": network.inputs,
            "OUTPUTS": network.outputs,
            "TILE": self.tile,
            "SIZE": network.theta.size,
            "ARENA_BYTES": self.bytes,
            "LOSS": self.loss,
            "LINKED": network.linked,
            "LINK_LEVEL": self.link[0],
            "LINK_SLOPE": self.link[1],
            "DROPOUTS": self.dropouts,
            "DROPS_INPUT": self.table[0, Column.MASK] >= 0,
            **self.pieces,
            **{name: array.ctypes.data for name, array in arrays.items()},
        }
        plan = np.zeros(len(Plan), np.int64)
        plan[[Plan[name] for name in numbers]] = list(numbers.values())
        return plan


def key_of(network: FeedForward, columns: int, threads: int, make: Any) -> tuple[Any, ...]:
    """What decides how a program is made: of equal keys, equal programs."""
    layers: list[Any] = list(network.layers)  # one of an unknown kind is its own key: it will be refused
    for place, layer in enumerate(layers):
        if isinstance(layer, Layer):
            layers[place] = layer.inputs, layer.neurons, id(layer.activation)
        elif isinstance(layer, Dropout):
            layers[place] = layer.rate
    penalized = any(network.penalties(columns))
    return network.dtype, id(network.loss), network.label_smoothing, penalized, columns, threads, make, *layers


def dropout_rates(network: FeedForward) -> list[float]:
    """The rate before each dense layer, 0 for none; NotCompilable for layers that the engine does not know."""
    rates: list[float] = []
    waiting = 0.0
    for layer in network.layers:
        if isinstance(layer, Layer):
            rates.append(waiting)
            waiting = 0.0
        elif isinstance(layer, Dropout) and not waiting:
            waiting = layer.rate
        else:
            raise NotCompilable(f"{layer!r} follows another dropout" if waiting else f"{layer!r} is of no known kind")
        if isinstance(layer, Dropout) and not layer.rate:
            raise NotCompilable("a dropout of rate 0 draws a mask that drops nothing; leave it out")
    return rates
