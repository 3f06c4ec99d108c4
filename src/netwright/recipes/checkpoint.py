"""Where a mixture stands, in a file: what is done of it and how far the rest is, so that a killed one goes on.

All that takes time is a task with a name and with random numbers of its own: a scout, a network, a linear network. So
what is done and where the others stand between two looks decide every bit of the mixture, whoever was how far when.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.files.schema import FileKind, Shape, count, natural, not_negative, plain
from netwright.network import Network
from netwright.training.checkpoint import Keeper, check_same

RUN: Shape = {"best": natural, "steps": count, "rng": {"...": plain}, "engine": str, "seconds": not_negative}
KIND = FileKind(
    "checkpoint of a mixture",
    {
        "settings": {"seed": natural, "...": plain},
        "seconds": not_negative,
        "stages": {"...": not_negative},
        "done": [str],
        "under_way": {"...": RUN},
    },
)
RARELY = 50  # times as long as a file took to write, until the next: it costs a fiftieth of the time


@dataclass(frozen=True)
class Part:
    """What is kept of a task: arrays, and what JSON can say."""

    tensors: dict[str, Array]
    said: dict[str, Any] = field(default_factory=dict)


def pack_network(network: Network, **more: Array) -> Part:
    """What a network has learnt, and more arrays."""
    return Part({"theta": network.theta.copy(), **more})


def unpack_network(network: Network, part: Part) -> Network:
    """The network as it was packed; ValueError when it is another's."""
    theta = part.tensors["theta"]
    if (theta.shape, theta.dtype) != (network.theta.shape, network.dtype) or not np.isfinite(theta).all():
        raise ValueError(f"theta must have {network.theta.size} finite numbers of {network.dtype}")
    network.theta = theta
    return network


class MixtureCheckpoint:
    """What is done of a mixture, and where its other tasks stand, each by its name; kept in a file if there is a path.

    path: the file to keep up to date, or None. resumed: the file to go on from, or None. about: what must be the same
    again, for whoever learns to add to. stages: when each stage began, in seconds since the mixture did. before:
    seconds that it took in earlier processes.

    ValueError when the file to go on from is no checkpoint of a mixture, or the other one is there and is none of any
    kind; OSError when one cannot be read or written.
    """

    def __init__(self, path: Any, resumed: Path | None):
        self.path, self.resumed = path, resumed
        self.about: dict[str, Any] = {}
        self.done: dict[str, Part] = {}
        self.under_way: dict[str, Part] = {}
        self.stages: dict[str, float] = {}
        self.before = 0.0
        self.lock = threading.Lock()  # whoever writes holds it
        self.settings: Mapping[str, Any] = {}
        self.clock: Callable[[], float] = lambda: self.before
        self.keeper = None if path is None else Keeper(path, self._write, RARELY)
        if resumed is not None:
            self._read(resumed)

    def begin(self, settings: Mapping[str, Any], clock: Callable[[], float]) -> None:
        """Learning begins: `settings` are what must be the same, `clock` says for how long the mixture is learnt.

        ValueError names what was another when the file was written.
        """
        now = {"version": _version(), **self.about, **settings}
        if self.resumed is not None:
            check_same(self.resumed, self.settings, now)
        self.settings, self.clock = now, clock
        if self.keeper is not None:
            self.keeper.write_if_due()  # what is wrong with the place is said now

    def note(self, name: str, part: Part) -> None:
        """Where a task stands."""
        self.under_way[name] = part
        self._write_if_due()

    def finish(self, name: str, part: Part) -> None:
        """What a task has made."""
        self.done[name] = part
        self.under_way.pop(name, None)
        self._write_if_due()

    def write(self) -> None:
        """Write the file, as the last or for now."""
        if self.keeper is not None:
            with self.lock:
                self.keeper.end()

    def _write_if_due(self) -> None:
        """Unless another thread is writing, or did so a moment ago."""
        if self.keeper is not None and self.lock.acquire(blocking=False):
            try:
                self.keeper.write_if_due()
            finally:
                self.lock.release()

    def _write(self, path: Any) -> None:
        under_way, done = dict(self.under_way), dict(self.done)  # in this order: no task is between the two
        header = {"settings": self.settings, "seconds": self.clock(), "stages": self.stages}
        header |= {"done": list(done), "under_way": {name: part.said for name, part in under_way.items()}}
        named = under_way | done
        tensors = {f"{name}/{key}": array for name, part in named.items() for key, array in part.tensors.items()}
        KIND.write(path, tensors, header)

    def _read(self, path: Path) -> None:
        tensors, header = KIND.read(path)
        self.settings, self.before, self.stages = (header[name] for name in ("settings", "seconds", "stages"))
        self.under_way |= {name: Part({}, said) for name, said in header["under_way"].items()}
        self.done |= {name: Part({}) for name in header["done"]}
        named = self.under_way | self.done
        for name, array in tensors.items():
            task, _, key = name.rpartition("/")
            if task not in named:
                raise ValueError(f"{path}: its header does not describe a {KIND.name}: it has an array of {task!r}")
            named[task].tensors[key] = array

    @property
    def seed(self) -> int | None:
        """That of the file to go on from; None without."""
        return None if self.resumed is None else self.settings["seed"]

    @contextmanager
    def restoring(self, name: str) -> Iterator[None]:
        """Inside it, what does not fit in the part of that task is a ValueError that says so."""
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise ValueError(f"{self.resumed}: what it has of {name} does not fit: {error}") from None


def _version() -> str:
    try:
        return version("netwright")
    except PackageNotFoundError:  # run from its source
        return "unknown"
