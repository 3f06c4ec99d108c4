"""Predictions by the compiled loop: one sample without delay, many in tiles."""

import threading
from typing import Any

import numpy as np

from netwright.core.arguments import Array, columns, shaped
from netwright.core.network import FeedForward
from netwright.engines.fused.compile import Announced
from netwright.engines.fused.loops.by_rows import predict
from netwright.engines.fused.plan import Plan
from netwright.engines.fused.program import TILE, Program
from netwright.engines.fused.workers import HEAVY, Workers, default_threads
from netwright.engines.threads import bounded, renewed_in_children

SHORT = 1e7  # operations of a prediction below which a second worker does not pay


class Predictor:
    """A network's outputs A, (outputs, samples), for X, (inputs, samples): in tiles that stay in a core's cache.

    It reads theta as it is at each call, so it may be kept while the network learns. Memory beyond X and A is the same
    for any number of samples. Threads may share it; they take turns. ValueError for an X of another shape or kind;
    NotCompilable when made for a network that the fused engine does not know.
    """

    def __init__(self, network: FeedForward, n_threads: int | None = None):
        self.network, self.workers, self.lock = network, Workers(), threading.Lock()
        self.one = network.inputs, 1  # the shape of one sample
        renewed_in_children(self)
        threads = bounded(n_threads or default_threads(network, 64 * TILE, HEAVY))
        with Announced(network.dtype):
            sizes = ((1, 1), (TILE, 1), (threads * TILE, threads))
            self.programs = [Program(network, columns, workers, predict) for columns, workers in sizes]
        # Plans and the memory for one sample, the common case, are laid ready.
        F: Any = network.dtype.type
        self.x, self.a = np.zeros((1, network.inputs), F), np.zeros((1, network.outputs), F)
        self.plans = [program.plan(1, X=self.x, OUTPUT=self.a) for program in self.programs]
        self.loop, self.address = self.programs[0].loop, self.plans[0].ctypes.data
        self.norms = self.programs[0].norms  # not 0 where an input was not finite, of which what follows says more

    def forked(self) -> None:
        """In a forked child nobody predicts yet."""
        self.lock = threading.Lock()

    def __call__(self, X: Array) -> Array:
        if type(X) is np.ndarray and X.shape == self.one and X.dtype.kind in "fiub":
            with self.lock:
                self.x[0] = X[:, 0]
                self.loop(self.address, 0)
                if not self.norms[0]:
                    return self.a.T.copy()
        network = self.network
        X = np.ascontiguousarray(shaped("X", X, network.inputs, network.dtype).T)
        A = np.empty((len(X), network.outputs), network.dtype)
        # for few a second thread would only be a delay; of one sample it would have no share
        which = 1 if len(X) == 1 or 2 * len(X) * network.theta.size < SHORT else 2
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
