"""The engine that training sees: it divides a step among workers and runs whole epochs in one compiled call."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, Softmax
from netwright.core.arguments import Array
from netwright.core.dropout import Dropout
from netwright.core.gauss_newton import Curvature
from netwright.core.losses import LOSSES
from netwright.core.network import FeedForward
from netwright.core.optimizers import OPTIMIZERS, LevenbergMarquardt, Optimizer
from netwright.core.samples import Samples
from netwright.engines.engine import Engine, Steps
from netwright.engines.fused.compile import Announced
from netwright.engines.fused.curvature import FusedCurvature, compile_activations
from netwright.engines.fused.kernels.rows import backward, forward, link_back, loss_kernel, update
from netwright.engines.fused.loops.by_hidden import train_by_hidden
from netwright.engines.fused.loops.by_neurons import train_by_neurons
from netwright.engines.fused.loops.by_rows import PIECES, loop, piece, train_by_rows
from netwright.engines.fused.plan import Float, Plan
from netwright.engines.fused.program import PIECES_OF, TILE, Program, key_of
from netwright.engines.fused.workers import HEAVY, LIGHT, Workers, default_threads, working
from netwright.engines.threads import bounded

LARGE = 200_000  # parameters from which workers split neurons rather than rows


def division(
    network: FeedForward, columns: int, n_threads: int | None, *, updates: bool, clips: bool
) -> tuple[int, Any]:
    """How many workers take part in a step, and the loop that says how they divide it."""
    most = n_threads or default_threads(network, columns, LIGHT)
    if most == 1:
        return 1, train_by_rows
    size = network.theta.size
    apart = not any(isinstance(layer.activation, Softmax) for layer in network.dense[:-1])  # neurons know no other
    whole = apart and updates and columns <= 4 * TILE  # the batch is not worked on in tiles
    if whole and len(network.dense) == 2 and network.outputs * columns <= size:
        threads = min(network.dense[0].neurons // 16, most)
        if threads > 1:
            return threads, train_by_hidden
    threads = min(columns, n_threads or default_threads(network, columns, HEAVY))
    # Large layers: gradients to sum would cost more than waiting at each layer.
    dropout = any(isinstance(layer, Dropout) for layer in network.layers)
    if threads > 1 and size >= LARGE and whole and not clips and network.linked and not dropout:
        return threads, train_by_neurons
    return threads, train_by_rows


KEPT, MOST = 1 << 20, 16  # bytes of a program's memory, up to which it is worth keeping; and how many are kept
_kept: dict[tuple[Any, ...], Program] = {}


class Fused(Engine):
    """See `netwright.engines.Engine`. `n_threads`: workers; by default as many as pay for the work in a step.

    Everything is computed in the network's dtype and in an order that depends on nothing but the shapes and the number
    of workers: the same call gives the same bits.
    """

    name, ahead = "fused", True

    def __init__(self, n_threads: int | None = None):
        self.n_threads = None if n_threads is None else bounded(n_threads)
        self.workers = Workers()
        self.program: Program | None = None

    def prepare(self, network: FeedForward, columns: int, *, updates: bool = False, clips: bool = False) -> Program:
        """A program for the network's structure and the batch, bound to it: the last one, a kept one, or a new one."""
        threads, make = division(network, columns, self.n_threads, updates=updates, clips=clips)
        key = key_of(network, columns, threads, make)
        if self.program is None or self.program.key != key:
            self.program = _kept.pop(key, None)
        if (p := self.program) is not None:
            p.bind(network)
            return p
        with Announced(network.dtype):
            self.program = p = Program(network, columns, threads, make)
        return p

    @contextmanager
    def hold(self, network: FeedForward, samples: int) -> Iterator[None]:
        """Keeps a small program for the next training of such a network, unless this one ends in an error.

        While it is in use it is not to be found: another training at the same time makes its own.
        """
        yield
        p, self.program = self.program, None  # it is no longer ours: whoever finds it may be another thread
        if p is not None and p.nbytes <= KEPT:
            _kept[p.key] = p
            for oldest in list(_kept)[:-MOST]:
                _kept.pop(oldest, None)

    @property
    def threads(self) -> int:
        """Workers of the job at hand, on which the last bits depend."""
        return 1 if self.program is None else self.program.threads

    def compile(self, network: FeedForward, optimizer: Any, batch_size: int) -> None:
        """Compile what training will need, or say that it can't be: NotCompilable."""
        if isinstance(optimizer, LevenbergMarquardt):
            compile_activations(network)
            return
        with Announced(network.dtype):
            self.prepare(network, batch_size, updates=isinstance(optimizer, Optimizer))
            if isinstance(optimizer, Optimizer):
                self.rule_of(optimizer, network.dtype.type)

    def rule_of(self, optimizer: Optimizer, F: Any) -> int:
        with Announced(type(optimizer).__name__):
            return update(type(optimizer), len(optimizer.coefficients(1, 1.0)), F)

    def curvature(self, network: FeedForward, samples: Samples) -> Curvature:
        compile_activations(network)
        return FusedCurvature(network, samples)

    def gradient(self, network: FeedForward, samples: Samples) -> float:
        program = self.prepare(network, len(samples))
        program.floats[Float.CLIP] = 0
        steps = Steps(len(samples), np.zeros((1, 1)), None, None)
        samples = samples.normalised()  # the loop divides by their number
        return float(self._run(program, network, samples, steps, {})[0])

    def run_epochs(self, network: FeedForward, optimizer: Optimizer, samples: Samples, steps: Steps) -> Array:
        size = min(steps.batch_size, steps.samples_of(samples))
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
        steps = replace(steps, batch_size=size)
        costs = self._run(program, network, samples, steps, descent, rule)
        optimizer.t += rates.size
        return costs

    def _run(
        self,
        program: Program,
        network: FeedForward,
        samples: Samples,
        steps: Steps,
        descent: dict[str, Array],
        rule: int = 0,
    ) -> Array:
        """The costs of the epochs; with a rule theta changes, without one only the gradient."""
        n, epochs, batch_size = steps.samples_of(samples), len(steps), steps.batch_size
        X, Y, weight, orders = samples.X, samples.Y, samples.weight, steps.orders
        seeds = None
        if program.dropouts:
            updates = epochs * -(-n // batch_size)
            seeds = network.rng.integers(0, 2**64, (updates, program.dropouts), dtype=np.uint64)
        arrays = {"X": np.ascontiguousarray(X.T), "Y": np.ascontiguousarray(Y.T), "SEEDS": seeds}
        arrays |= {"WEIGHT": None if weight is None else np.ascontiguousarray(weight, program.F)}
        arrays |= {"ORDER": None if orders is None else np.ascontiguousarray(orders, np.int64)}
        scale = steps.input_scale
        arrays |= {"INPUT_SCALE": None if scale is None else np.ascontiguousarray(scale, program.F)}
        arrays |= {"BARRIER": np.zeros(1, np.int64)}  # a worker of an interrupted run may still look at its
        costs = np.zeros((epochs, program.threads))
        plan = program.plan(n, COSTS=costs, **arrays, **descent)
        plan[[Plan.BATCH, Plan.EPOCHS, Plan.UPDATES, Plan.RULE]] = batch_size, epochs, rule != 0, rule
        if rule:
            plan[Plan.NUMBERS] = descent["COEFFICIENTS"].shape[1]
        penalties = [*network.penalties(batch_size), *network.penalties(n % batch_size or batch_size)]
        program.floats[[Float.L2, Float.L1, Float.LAST_L2, Float.LAST_L1]] = penalties
        with Announced(network.dtype):
            if any(penalties):
                plan[Plan.PENALIZE] = piece(Plan.PENALIZE, program.F)
            if program.floats[Float.CLIP]:
                plan[Plan.SHRINK] = piece(Plan.SHRINK, program.F)
        self.workers.run(program.loop, plan, program.threads, (program, network, arrays, descent, costs))
        if program.gradients is not None:
            network.grad = program.gradients[0]
        return costs.sum(axis=1)


def warm_up() -> float:
    """Compile every row of every table, for float64 and float32; returns the seconds it took."""
    started = time.perf_counter()
    with Announced("float64 and float32"):
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
