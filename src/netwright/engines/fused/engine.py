"""From a Network to the plan that the compiled epoch runs on."""

import operator
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, Softmax
from netwright.core.arguments import Array, columns, shaped
from netwright.core.dropout import Dropout
from netwright.core.layer import Layer
from netwright.core.losses import LOSSES
from netwright.core.network import FeedForward
from netwright.core.optimizers import OPTIMIZERS, Optimizer
from netwright.core.samples import Samples
from netwright.engines.engine import Engine, Steps
from netwright.engines.fused.compile import announced
from netwright.engines.fused.kernels.products import BLOCK_COLUMNS, BLOCK_ROWS, padded
from netwright.engines.fused.kernels.products import LARGE as LARGE_PRODUCT
from netwright.engines.fused.kernels.rows import (
    NotCompilable,
    backward,
    blocks_of,
    forward,
    held,
    link_back,
    loss_kernel,
    update,
    uses_Z,
)
from netwright.engines.fused.loops.by_hidden import train_by_hidden
from netwright.engines.fused.loops.by_neurons import train_by_neurons
from netwright.engines.fused.loops.by_rows import PIECES, loop, piece, predict, train_by_rows
from netwright.engines.fused.plan import Column, Float, Plan, offsets
from netwright.engines.fused.workers import CALL, Workers, default_threads, working

HEAVY, LIGHT = 2e6, 3e5  # operations of a step from which a second worker pays; where they have little to say
LARGE = 200_000  # parameters from which workers split neurons rather than rows
SHORT = 1e7  # operations of a prediction below which a second worker does not pay
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
    """A network's table, and memory for batches of up to `columns` on `threads` workers.

    NotCompilable says what of the network the fused engine cannot run.
    """

    def __init__(self, network: FeedForward, columns: int, threads: int, make: Any = train_by_rows):
        self._network, self.columns, self.threads, self.make = weakref.ref(network), columns, threads, make
        self.made_of = makings(network, columns)
        trains, splits_rows = make is not predict, make is train_by_rows
        self.F: Any = network.dtype.type
        self.dense = network.dense
        width = network.dtype.itemsize
        tile = min(-(-columns // threads), TILE) if splits_rows or not trains else columns
        self.tile = padded(tile, self.F)
        largest = self.tile * max(max(layer.inputs, layer.neurons) for layer in self.dense) * width
        space = BLOCK_ROWS * BLOCK_COLUMNS if largest > LARGE_PRODUCT else 0
        own = 0
        if make is train_by_hidden:
            most = -(-network.theta.size // threads) + 16 * (network.inputs + network.outputs + 1)
            own = 4 * (most + network.outputs + 64)
        places, self.bytes = offsets(padded(network.outputs, self.F), self.tile, space, own, width)
        self.places = np.array(places, np.int64)
        self.table = np.zeros((len(self.dense), len(Column)), np.int64)
        self.blocks: list[Array] = []
        rates = dropout_rates(network)
        self._lay_out(rates, trains)
        self.dropouts = sum(rate > 0 for rate in rates)
        smoothing = network.label_smoothing
        scales = [1 / (1 - rate) for rate in rates]
        self.floats = np.array([0, 0, 0, 0, 0, 1 - smoothing, *scales], self.F)
        self.shares = np.zeros((network.outputs, 1), self.F)
        if smoothing:
            self.shares = network.loss.smooth(self.shares, smoothing)
        self.loss, self.link, self.held = 0, (0, 0), held(network.loss, network.outputs, self.F)
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
        self.base = self._base()

    @property
    def network(self) -> FeedForward:
        """Not held alive: a kept program goes when its network does."""
        network = self._network()
        assert network is not None, "whoever runs a program holds its network"
        return network

    def fits(self, network: FeedForward, columns: int, threads: int, make: Any) -> bool:
        """Whether it is the program of this network, as that is now, for such batches and workers."""
        if self._network() is not network or (self.columns, self.threads, self.make) != (columns, threads, make):
            return False
        (parts, numbers), (its, those) = makings(network, columns), self.made_of
        return numbers == those and len(parts) == len(its) and all(map(operator.is_, parts, its))

    def _lay_out(self, rates: list[float], trains: bool) -> None:
        """A row of the table for each layer: its sizes, where its arrays lie, and which pieces compute it."""
        network, make = self.network, self.make
        at = 0
        for l, layer in enumerate(self.dense):
            dropped = trains and rates[l]
            row = {Column.INPUTS: layer.inputs, Column.NEURONS: layer.neurons}
            row |= {Column.W: at, Column.B: at + layer.inputs * layer.neurons}
            at += layer.size
            row[Column.A1] = self.room(layer.inputs) if l == 0 or dropped else int(self.table[l - 1, Column.A])
            row[Column.TURNED] = self.room(layer.inputs)
            row[Column.Z] = row[Column.A] = self.room(layer.neurons)
            row[Column.DA] = self.room(layer.neurons)
            in_loss = trains and layer is self.dense[-1] and network.linked
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
        self.bytes += -(-padded(count, self.F) * self.tile * self.network.dtype.itemsize // 64) * 64
        return at

    def plan(self, samples: int, **addresses: Array | None) -> Array:
        """The plan, with the addresses of what changes from call to call; whoever gives those keeps them alive."""
        plan = self.base.copy()
        plan[Plan.SAMPLES] = samples
        for name, array in addresses.items():
            if array is not None:
                plan[Plan[name]] = array.ctypes.data
        return plan

    def _base(self) -> Array:
        """What of the plan is the same in all calls."""
        network = self.network
        gradient = network.grad if self.gradients is None else self.gradients
        arrays = {"TABLE": self.table, "THETA": network.theta, "GRADIENT": gradient, "FLOATS": self.floats}
        arrays |= {"NORMS": self.norms, "PLACES": self.places, "ARENA": self.arena}
        arrays |= {"HELD": self.held, "SHARES": self.shares}
        numbers = {
            "LAYERS": len(self.dense),
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


def makings(network: FeedForward, columns: int) -> tuple[list[Any], list[Any]]:
    """What a program is made of: objects that must be the same ones, and values that must be equal."""
    layers = network.layers
    parts = [
        network.theta,
        network.grad,
        network.loss,
        *layers,
        *(getattr(each, "activation", None) for each in layers),
    ]
    rates = [getattr(each, "rate", 0.0) for each in layers]
    return parts, [network.label_smoothing, any(network.penalties(columns)), *rates]


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


def division(
    network: FeedForward, columns: int, n_threads: int | None, *, updates: bool, clips: bool
) -> tuple[int, Any]:
    """How many workers take part in a step, and the loop that says how they divide it."""
    size = network.theta.size
    apart = not any(isinstance(layer.activation, Softmax) for layer in network.dense[:-1])  # neurons know no other
    whole = apart and updates and columns <= 4 * TILE  # the batch is not worked on in tiles
    if whole and len(network.dense) == 2 and network.outputs * columns <= size:
        threads = min(network.dense[0].neurons // 16, n_threads or default_threads(network, columns, LIGHT))
        if threads > 1:
            return threads, train_by_hidden
    threads = min(columns, n_threads or default_threads(network, columns, HEAVY))
    # Large layers: gradients to sum would cost more than waiting at each layer.
    dropout = any(isinstance(layer, Dropout) for layer in network.layers)
    if threads > 1 and size >= LARGE and whole and not clips and network.linked and not dropout:
        return threads, train_by_neurons
    return threads, train_by_rows


KEPT = 1 << 20  # bytes of a program's memory, up to which making it anew would cost more than keeping it
_kept: weakref.WeakKeyDictionary[FeedForward, Program] = weakref.WeakKeyDictionary()


class Fused(Engine):
    """See `netwright.engines.Engine`. `n_threads`: workers; by default as many as pay for the work in a step.

    Everything is computed in the network's dtype and in an order that depends on nothing but the shapes and the number
    of workers: the same call gives the same bits.
    """

    name, ahead = "fused", True

    def __init__(self, n_threads: int | None = None):
        self.n_threads = n_threads
        self.workers = Workers()
        self.program: Program | None = None

    def prepare(self, network: FeedForward, columns: int, *, updates: bool = False, clips: bool = False) -> Program:
        """The network's program, compiled; made anew when the network or the batch is another."""
        threads, make = division(network, columns, self.n_threads, updates=updates, clips=clips)
        for p in (self.program, _kept.pop(network, None)):
            if p is not None and p.fits(network, columns, threads, make):
                self.program = p
                return p
        with announced(network.dtype.name):
            self.program = p = Program(network, columns, threads, make)
        return p

    @contextmanager
    def hold(self, network: FeedForward, samples: int) -> Iterator[None]:
        """Keeps a small program for the next training of the network, unless this one ends in an error.

        While it is in use it is not to be found: another training of the same network makes its own.
        """
        yield
        p = self.program
        if p is not None and p.network is network and p.arena.nbytes <= KEPT:
            _kept[network] = p

    @property
    def threads(self) -> int:
        """Workers of the job at hand, on which the last bits depend."""
        return 1 if self.program is None else self.program.threads

    def compile(self, network: FeedForward, optimizer: Any, batch_size: int) -> None:
        """Compile what training will need, or say that it can't be: NotCompilable."""
        with announced(network.dtype.name):
            self.prepare(network, batch_size, updates=isinstance(optimizer, Optimizer))
            if isinstance(optimizer, Optimizer):
                self.rule_of(optimizer, network.dtype.type)

    def rule_of(self, optimizer: Optimizer, F: Any) -> int:
        with announced(type(optimizer).__name__):
            return update(type(optimizer), len(optimizer.coefficients(1, 1.0)), F)

    def gradient(self, network: FeedForward, samples: Samples) -> float:
        program = self.prepare(network, len(samples))
        program.floats[Float.CLIP] = 0
        steps = Steps(len(samples), np.zeros((1, 1)))
        return float(self._run(program, samples.normalised(), steps, {})[0])  # the loop divides by their number

    def run_epochs(self, network: FeedForward, optimizer: Optimizer, samples: Samples, steps: Steps) -> Array:
        size = min(steps.batch_size, len(samples))
        program = self.prepare(network, size, updates=True, clips=steps.clip_norm is not None)
        program.floats[Float.CLIP] = steps.clip_norm or 0
        if not optimizer.fits(network.theta):
            optimizer.start(network.theta)
        rates = steps.rates
        t = optimizer.t + np.arange(1, rates.size + 1)
        numbers = optimizer.coefficients(t, rates.reshape(-1))
        coefficients = np.empty((rates.size, len(numbers)), program.F)
        for place, number in enumerate(numbers):
            coefficients[:, place] = number
        descent = {
            "COEFFICIENTS": coefficients,
            **{f"SLOT{i}": slot for i, slot in enumerate(optimizer.slots.values())},
        }
        rule = self.rule_of(optimizer, program.F)
        costs = self._run(program, samples, replace(steps, batch_size=size), descent, rule)
        optimizer.t += rates.size
        return costs

    def _run(self, program: Program, samples: Samples, steps: Steps, descent: dict[str, Array], rule: int = 0) -> Array:
        """The costs of the epochs; with a rule theta changes, without one only the gradient."""
        network, n, epochs, batch_size = program.network, len(samples), len(steps), steps.batch_size
        X, Y, weight, orders = samples.X, samples.Y, samples.weight, steps.orders
        seeds = None
        if program.dropouts:
            updates = epochs * -(-n // batch_size)
            seeds = network.rng.integers(0, 2**64, (updates, program.dropouts), dtype=np.uint64)
        arrays = {"X": np.ascontiguousarray(X.T), "Y": np.ascontiguousarray(Y.T), "SEEDS": seeds}
        arrays |= {"WEIGHT": None if weight is None else np.ascontiguousarray(weight, program.F)}
        arrays |= {"ORDER": None if orders is None else np.ascontiguousarray(orders, np.int64)}
        arrays |= {"BARRIER": np.zeros(1, np.int64)}  # a worker of an interrupted run may still look at its
        costs = np.zeros((epochs, program.threads))
        plan = program.plan(n, COSTS=costs, **arrays, **descent)
        plan[[Plan.BATCH, Plan.EPOCHS, Plan.UPDATES, Plan.RULE]] = batch_size, epochs, rule != 0, rule
        if rule:
            plan[Plan.NUMBERS] = descent["COEFFICIENTS"].shape[1]
        penalties = [*network.penalties(batch_size), *network.penalties(n % batch_size or batch_size)]
        program.floats[[Float.L2, Float.L1, Float.LAST_L2, Float.LAST_L1]] = penalties
        with announced(network.dtype.name):
            if any(penalties):
                plan[Plan.PENALIZE] = piece(Plan.PENALIZE, program.F)
            if program.floats[Float.CLIP]:
                plan[Plan.SHRINK] = piece(Plan.SHRINK, program.F)
        self.workers.run(program.loop, plan, program.threads, (program, network, arrays, descent, costs))
        if program.gradients is not None:
            network.grad = program.gradients[0]
        return costs.sum(axis=1)


class Predictor:
    """A network's outputs A, (outputs, samples), for X, (inputs, samples): in tiles that stay in a core's cache.

    It reads theta as it is at each call, so it may be kept while the network learns. Memory beyond X and A is the same
    for any number of samples. Threads may share it; they take turns. ValueError for an X of another shape or kind;
    NotCompilable when made for a network that the fused engine does not know.
    """

    def __init__(self, network: FeedForward, n_threads: int | None = None):
        self.network, self.workers, self.lock = network, Workers(), threading.Lock()
        threads = n_threads or default_threads(network, 64 * TILE, HEAVY)
        with announced(network.dtype.name):
            sizes = ((1, 1), (TILE, 1), (threads * TILE, threads))
            self.programs = [Program(network, columns, workers, predict) for columns, workers in sizes]
        # Plans and the memory for one sample, the common case, are laid ready.
        F: Any = network.dtype.type
        self.x, self.a = np.zeros((1, network.inputs), F), np.zeros((1, network.outputs), F)
        self.plans = [program.plan(1, X=self.x, OUTPUT=self.a) for program in self.programs]
        self.loop, self.address = self.programs[0].loop, self.plans[0].ctypes.data

    def __call__(self, X: Array) -> Array:
        network = self.network
        if getattr(X, "shape", None) == (network.inputs, 1) and X.dtype.kind in "fiub":
            with self.lock:
                self.x[0] = X[:, 0]
                self.loop(self.address, 0)
                return self.a.T.copy()
        X = np.ascontiguousarray(shaped("X", X, network.inputs, network.dtype).T)
        A = np.empty((len(X), network.outputs), network.dtype)
        # for few a second thread would only be a delay
        which = 1 if 2 * len(X) * network.theta.size < SHORT else 2
        program, plan = self.programs[which], self.plans[which]
        with self.lock:
            arrays = {Plan.X: X, Plan.OUTPUT: A, Plan.BARRIER: np.zeros(1, np.int64)}
            plan[Plan.SAMPLES] = len(X)
            plan[list(arrays)] = [array.ctypes.data for array in arrays.values()]
            self.workers.run(program.loop, plan, program.threads, (program, network, arrays))
            finite = not program.norms.any()
        if not finite:
            columns("X", X.T, network.inputs, network.dtype)  # says where
        return A.T


def warm_up() -> float:
    """Compile every row of every table, for float64 and float32; returns the seconds it took."""
    started = time.perf_counter()
    with announced("float64 and float32"):
        _compile_all()
    return time.perf_counter() - started


def _compile_all() -> None:
    working()
    for F in (np.float64, np.float32):
        for place in PIECES:
            piece(place, F)
        for make in PIECES_OF:
            loop(make, F)
        for activation in ACTIVATIONS.values():
            forward(activation, F), backward(activation, F)
        for loss in LOSSES.values():
            loss_kernel(loss, F), link_back(loss.link, F)
        for optimizer in OPTIMIZERS.values():
            if optimizer.solver == "descent":
                update(optimizer, len(optimizer().coefficients(1, 1.0)), F)
