"""The peers: what a user would take instead of netwright, each written as its experts would write it. A file each.

A peer's module has a class `Peer` (below) whose objects answer three questions: does it do this work at all, which
settings would an expert try, and, given a work's task, what trains or predicts. The module imports its library at the
top: that import is what a user waits for, too.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from works import Array, Task, Weights, Work

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SMALL = 5e7  # multiplications and additions in a step: less does not gain by a second thread

Setting = dict[str, Any]  # printable, and the arguments of `trainer` or `predictor`
Predictor = Callable[[Array], Array]  # (rows, inputs) → probabilities (rows, outputs), both NumPy


class Trainer(Protocol):
    def reset(self) -> None:
        """Back to the first weights and a fresh optimizer. Not timed."""

    def train(self, epochs: int) -> None:
        """So many epochs, shuffled anew each; returns when they are done. Timed."""

    def weights(self) -> Weights:
        """What was learnt."""


class Peer:
    """What a peer's module defines. `libraries` are those whose versions are told with the results."""

    libraries: tuple[str, ...] = ()

    def __init__(self, **options: Any):
        self.options = options

    def refuses(self, work: Work) -> str:
        """Why it doesn't do this work, or nothing."""
        return ""

    def settings(self, work: Work) -> list[Setting]:
        """What an expert would try, likely winners first; the benchmark times each and keeps the fastest."""
        return [{}]

    def trainer(self, task: Task, **setting: Any) -> Trainer:
        raise NotImplementedError

    def predictor(self, task: Task, **setting: Any) -> Predictor:
        raise NotImplementedError


PEERS: dict[str, tuple[str, str, dict[str, Any]]] = {  # name: (for people, module, options)
    "fused": ("netwright", "ours", {"engine": "fused"}),
    "fused-1": ("netwright, 1 thread", "ours", {"engine": "fused", "n_threads": 1}),
    "fused-2": ("netwright, 2 threads", "ours", {"engine": "fused", "n_threads": 2}),
    "plain": ("netwright, plain engine", "ours", {"engine": "plain"}),
    "sklearn": ("scikit-learn", "sklearn_mlp", {}),
    "torch": ("PyTorch eager", "torch_eager", {}),
    "torch-compile": ("torch.compile", "torch_compile", {}),
    "jax": ("JAX scan", "jax_scan", {}),
    "keras": ("Keras on JAX", "keras_jax", {}),
    "onnx": ("ONNX Runtime", "onnx_runtime", {}),
    "numpy": ("NumPy", "numpy_plain", {}),
    "machine": ("the machine", "sgemm_alone", {}),
}
OURS = ("fused", "fused-1", "fused-2", "plain")
GROUPS = {"ours": OURS, "all": tuple(PEERS)}


def find(names: str) -> list[str]:
    """The names in a list with commas; ValueError for an unknown one."""
    found: list[str] = []
    for name in names.split(","):
        if name not in PEERS and name not in GROUPS:
            raise ValueError(f"unknown peer {name!r}; choose from {', '.join([*PEERS, *GROUPS])}")
        found += GROUPS.get(name, (name,))
    return list(dict.fromkeys(found))


def load(name: str) -> Peer:
    """Import the peer's module, and with it its library; ImportError where that is not installed."""
    _, module, options = PEERS[name]
    return importlib.import_module(f"peers.{module}").Peer(**options)


def threads_to_try(work: Work) -> list[Setting]:
    """One thread, or one for each core; first what should win, by the work in a step or a prediction."""
    if work.rows < 10 or CORES == 1:
        return [{"threads": 1}]
    small = work.flops() / (len(work.batches()) if work.trains else 1) < SMALL
    return [{"threads": threads} for threads in ((1, CORES) if small else (CORES, 1))]


def one_hot(task: Task) -> Array:
    """The targets, (rows, outputs), float32."""
    if task.work.loss == "logloss":
        return task.y[:, None].astype("f4")
    return np.eye(task.work.sizes[-1], dtype="f4")[task.y]


def orders(task: Task, epochs: int, rng: np.random.Generator) -> Array:
    """A permutation of the rows for each epoch, int32, for the peers that draw their shuffles by NumPy."""
    return np.stack([rng.permutation(task.work.rows) for _ in range(epochs)]).astype("i4")
