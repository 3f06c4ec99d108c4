"""From a Network to the plan of integers that the compiled epoch runs on."""

import ctypes
from typing import Any

import numpy as np

from netwright.activations import ACTIVATIONS
from netwright.arguments import Array
from netwright.engines.fused.blas import gemm, one_thread
from netwright.engines.fused.by_neurons import train_by_neurons
from netwright.engines.fused.epoch import Column, Float, Plan, loop, offsets, pieces, train_by_rows
from netwright.engines.fused.machine import announced
from netwright.engines.fused.rows import NotCompilable, backward, forward, loss_kernel, softmax_kernel, update, uses_Z
from netwright.engines.fused.workers import Workers, default_threads
from netwright.layer import Layer
from netwright.layers import Dropout
from netwright.network import Network
from netwright.optimizers import Optimizer

CALL = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)  # releases the interpreter's lock while it runs
LARGE = 200_000  # parameters from which workers split neurons rather than rows
TILE = 512  # columns at most: their Z and A of a few layers stay in a core's cache


class Program:
    """A network's table, places and memory, for batches of up to `columns` on `threads` workers."""

    def __init__(self, network: Network, columns: int, threads: int, by_neurons: bool):
        self.F: Any = network.dtype.type
        self.network, self.columns, self.threads = network, columns, threads
        self.dense = [layer for layer in network.layers if isinstance(layer, Layer)]
        self.by_neurons = by_neurons
        self.loop = CALL(loop(train_by_neurons if by_neurons else train_by_rows, self.F))
        self.tile = columns if by_neurons else min(-(-columns // threads), TILE)
        width = network.dtype.itemsize
        places, at = offsets(network.inputs, network.outputs, self.tile, width)
        self.places = np.array(places, np.int64)
        dropouts = self._dropouts()
        self.table = np.zeros((len(self.dense), len(Column)), np.int64)
        scales = []
        start, seed = 0, 0
        for l, layer in enumerate(self.dense):
            row = dict.fromkeys(Column, 0)
            row |= {Column.INPUTS: layer.inputs, Column.NEURONS: layer.neurons}
            row |= {Column.W: start, Column.B: start + layer.inputs * layer.neurons}
            start += layer.size

            def room(count: int) -> int:
                nonlocal at
                at += -(-count * self.tile * width // 64) * 64
                return at - -(-count * self.tile * width // 64) * 64

            row[Column.Z] = room(layer.neurons)
            last = layer is self.dense[-1]
            separate = layer.activation is not ACTIVATIONS["softmax"] and uses_Z(layer.activation)
            row[Column.A] = room(layer.neurons) if separate else row[Column.Z]
            row[Column.DA] = room(layer.neurons)
            rate = dropouts[l]
            row[Column.DROPPED] = -1
            if rate is not None:
                row |= {Column.THRESHOLD: int(rate * 2**24), Column.SEED: seed}
                row |= {Column.DROPPED: room(layer.inputs), Column.MASK: room(layer.inputs)}
                seed += 1
            scales.append(1 / (1 - (rate or 0.0)))
            if layer.activation is ACTIVATIONS["softmax"]:
                if not last or not network.linked:
                    raise NotCompilable("softmax is not elementwise, and stands where no cross_entropy undoes it")
                row[Column.FORWARD] = softmax_kernel(self.F)
            else:
                row[Column.FORWARD] = forward(layer.activation, self.F)
                if not (last and network.linked):
                    row[Column.BACKWARD] = backward(layer.activation, self.F)
            for column, value in row.items():
                self.table[l, column] = value
        self.dropouts = seed
        if not network.linked and network.loss.link != "identity":
            raise NotCompilable(f"{network.loss.name} after {self.dense[-1].activation.name!r} goes by the chain rule")
        smoothing = network.label_smoothing
        classes = 2 if network.loss.link == "sigmoid" else network.outputs
        self.floats = np.array([network.l2, network.l1, 0, 1 - smoothing, smoothing / classes, *scales], self.F)
        self.loss = loss_kernel(network.loss, self.F)
        self.arena_bytes = -(-at // 4096) * 4096 + 4096
        self.arena = np.zeros(threads * self.arena_bytes + 64, np.uint8)
        by_rows = threads > 1 and not by_neurons
        self.partial = np.zeros((threads, network.theta.size), self.F) if by_rows else None
        self.norms = np.zeros(threads)
        self.barrier = np.zeros(1, np.int64)

    def _dropouts(self) -> list[float | None]:
        """The rate before each dense layer; two in a row are too many."""
        rates: list[float | None] = []
        waiting: list[float] = []
        for layer in self.network.layers:
            if isinstance(layer, Dropout):
                waiting.append(layer.rate)
            elif isinstance(layer, Layer):
                if len(waiting) > 1:
                    raise NotCompilable("two dropout layers follow each other")
                rates.append(waiting[0] if waiting else None)
                waiting = []
            else:
                raise NotCompilable(f"{layer!r} is a kind of layer that it does not know")
        return rates

    def plan(self, X: Array, Y: Array | None) -> Array:
        """The integers that do not change from call to call. X (samples, inputs), Y (samples, outputs)."""
        plan = np.zeros(len(Plan), np.int64)
        network = self.network
        given = {
            Plan.LAYERS: len(self.dense),
            Plan.TABLE: self.table.ctypes.data,
            Plan.WORKERS: self.threads,
            Plan.SAMPLES: X.shape[0],
            Plan.INPUTS: network.inputs,
            Plan.OUTPUTS: network.outputs,
            Plan.TILE: self.tile,
            Plan.X: X.ctypes.data,
            Plan.Y: 0 if Y is None else Y.ctypes.data,
            Plan.THETA: network.theta.ctypes.data,
            Plan.SIZE: network.theta.size,
            Plan.GRADIENT: (network.grad if self.partial is None else self.partial).ctypes.data,
            Plan.ARENA: -(-self.arena.ctypes.data // 64) * 64,
            Plan.ARENA_BYTES: self.arena_bytes,
            Plan.LOSS: self.loss,
            Plan.LINKED: network.linked,
            Plan.DROPOUTS: self.dropouts,
            Plan.FLOATS: self.floats.ctypes.data,
            Plan.NORMS: self.norms.ctypes.data,
            Plan.BARRIER: self.barrier.ctypes.data,
            Plan.GEMM: gemm(self.F),
            Plan.DROPS_INPUT: self.table[0, Column.DROPPED] >= 0,
            **{Plan[name]: address for name, address in pieces(self.F).items()},
            Plan.PLACES: self.places.ctypes.data,
        }
        for place, value in given.items():
            plan[place] = value
        return plan


class Fused:
    """See `netwright.engines.Engine`. `n_threads`: workers; by default what pays for the work in a step."""

    name = "fused"

    def __init__(self, n_threads: int | None = None):
        self.n_threads = n_threads
        self.workers = Workers()
        self.program: Program | None = None

    def prepare(self, network: Network, columns: int, updates: bool = False, clips: bool = False) -> Program:
        """The network's program, made anew when the network or the batch is another."""
        threads = min(columns, self.n_threads or default_threads(network, columns))
        # Large layers: two gradients to sum would cost more than waiting at each layer.
        dropout = any(isinstance(layer, Dropout) for layer in network.layers)
        large = network.theta.size >= LARGE and columns <= 4 * TILE
        by_neurons = threads > 1 and large and updates and not clips and network.linked and not dropout
        p = self.program
        same = p is not None and p.network is network and p.columns == columns
        if p is None or not same or (p.threads, p.by_neurons) != (threads, by_neurons):
            with announced(network.dtype.name):
                self.program = p = Program(network, columns, threads, by_neurons)
        return p

    def gradient(self, network: Network, X: Array, Y: Array, weight: Array | None = None) -> float:
        n = X.shape[1]
        program = self.prepare(network, n)
        # the loop divides by n, so the weights get mean 1
        weight = None if weight is None else weight / weight.mean()
        return float(self._run(program, X, Y, weight, None, n, 1, None, None)[0])

    def run_epochs(
        self,
        network: Network,
        optimizer: Optimizer,
        X: Array,
        Y: Array,
        weight: Array | None,
        orders: Array | None,
        batch_size: int,
        rates: Array,
        clip_norm: float | None = None,
    ) -> Array:
        program = self.prepare(network, min(batch_size, X.shape[1]), updates=True, clips=clip_norm is not None)
        program.floats[Float.CLIP] = clip_norm or 0
        return self._run(program, X, Y, weight, orders, batch_size, len(rates), optimizer, rates)

    def _run(
        self,
        program: Program,
        X: Array,
        Y: Array,
        weight: Array | None,
        orders: Array | None,
        batch_size: int,
        epochs: int,
        optimizer: Optimizer | None,
        rates: Array | None,
    ) -> Array:
        network, F, n = program.network, program.F, X.shape[1]
        X, Y = np.ascontiguousarray(X.T), np.ascontiguousarray(Y.T)
        plan = program.plan(X, Y)
        plan[Plan.BATCH], plan[Plan.EPOCHS] = batch_size, epochs
        steps = epochs * -(-n // batch_size)
        costs = np.zeros((epochs, program.threads))
        plan[Plan.COSTS] = costs.ctypes.data
        kept: list[Any] = [X, Y, costs]  # memory that the plan points to
        if weight is not None:
            kept.append(weight := np.ascontiguousarray(weight, F))
            plan[Plan.WEIGHT] = weight.ctypes.data
        if orders is not None:
            kept.append(orders := np.ascontiguousarray(orders, np.int64))
            plan[Plan.ORDER] = orders.ctypes.data
        if program.dropouts:
            kept.append(seeds := network.rng.integers(0, 2**64, (steps, program.dropouts), dtype=np.uint64))
            plan[Plan.SEEDS] = seeds.ctypes.data
        if optimizer is not None and rates is not None:
            if not optimizer.fits(network.theta):
                optimizer.start(network.theta)
            t = optimizer.t + np.arange(1, steps + 1)
            numbers = np.stack(np.broadcast_arrays(*optimizer.coefficients(t, rates.reshape(-1))), axis=1).astype(F)
            kept.append(numbers := np.ascontiguousarray(numbers))
            plan[Plan.UPDATES] = 1
            plan[Plan.RULE] = update(optimizer, numbers.shape[1], F)
            plan[Plan.COEFFICIENTS], plan[Plan.NUMBERS] = numbers.ctypes.data, numbers.shape[1]
            for place, slot in zip((Plan.SLOT0, Plan.SLOT1), optimizer.slots.values(), strict=False):
                plan[place] = slot.ctypes.data
            optimizer.t += steps
        program.barrier[0] = 0
        with one_thread():
            self.workers.run(program.loop, plan.ctypes.data, program.threads)
        if program.partial is not None:
            network.grad[:] = program.partial[0]
        return costs.sum(axis=1)
