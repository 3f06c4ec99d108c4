"""Checkpoints: where a training stands, in a file, so that a killed one goes on to the same bits."""

import hashlib
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array, cut, whole
from netwright.files.atomic import check_writable
from netwright.files.container import read
from netwright.files.networks import NETWORK
from netwright.files.schema import FileKind, Shape, count, plain, positive
from netwright.training.history import HISTORY, History

SLOT = "optimizer."
ROWS = 10_000  # hashed at a time, so that no copy of all is made

# What must be the same again is compared; the engine and its threads are also what "auto" takes.
SETTINGS: Shape = {"engine?": str, "threads?": (None, whole), "...": plain}
STATE: Shape = {"steps": count, "rng": (None, {"...": plain}), "picture?": count, "damping?": positive}
KIND = FileKind(
    "checkpoint",
    {"network": NETWORK, "settings": SETTINGS, "history": HISTORY, "state": STATE},
    "checkpoint of one network",
)


@dataclass(frozen=True)
class State:
    """Where a training stands between two epochs. With its History, all that decides how it goes on."""

    epochs: int  # done
    theta: Array
    best: Array | None  # theta of the lowest validation cost, or of the highest evidence
    steps: int  # the optimizer's
    slots: dict[str, Array]
    rng: Mapping[str, Any] | None  # None: nothing draws
    picture: tuple[int, Array] | None = None  # L-BFGS in the midst of one: after how many epochs it began it, and theta
    damping: float | None = None  # Levenberg-Marquardt's lambda


def write_checkpoint(
    path: Any, network: dict[str, Any], settings: dict[str, Any], state: State, history: History
) -> None:
    """Write the file, atomically: `settings` are what must be the same again, `network` what its settings are."""
    tensors = {"theta": state.theta, "best_theta": state.theta if state.best is None else state.best}
    kept: dict[str, Any] = {"steps": state.steps, "rng": _plain(state.rng)}
    if state.picture is not None:
        kept["picture"], tensors["picture"] = state.picture
    if state.damping is not None:
        kept["damping"] = state.damping
    header = {
        "network": network,
        "settings": _plain(settings),
        "history": history.to_dict(),
        "state": kept,
    }
    KIND.write(path, tensors | {SLOT + name: slot for name, slot in state.slots.items()}, header)


def read_checkpoint(
    path: Path, network: dict[str, Any], settings: dict[str, Any], theta: Array
) -> tuple[State, History]:
    """What `write_checkpoint` wrote; ValueError when a setting or the network, whose theta is given, is another."""
    tensors, header = KIND.read(path)
    try:
        check_same(path, _named(header["network"]) | header["settings"], _named(network) | settings)
        history = _history(path, header["history"])
        epochs, watched = len(history), settings["validation"] is not None
        scores = settings["scores"] if watched else []
        counts = [epochs, epochs * watched, epochs, epochs] + [epochs] * (len(scores) + len(history.evidence))
        if [len(numbers) for numbers in history.lists()] != counts or list(history.validation_scores) != scores:
            raise TypeError("its history is another training's")
        slots = {name.removeprefix(SLOT): slot for name, slot in tensors.items() if name.startswith(SLOT)}
        best = tensors["best_theta"] if history.best_epoch or history.evidence else None
        kept, picture = header["state"], None
        if "picture" in kept:
            picture = kept["picture"], tensors["picture"]
            if picture[0] > epochs:
                raise TypeError(f"its picture began after {picture[0]} epochs, it has {epochs}")
        where = epochs, tensors["theta"], best, kept["steps"], slots, kept["rng"], picture
        state = State(*where, kept.get("damping"))
        if any((vector.shape, vector.dtype) != (theta.shape, theta.dtype) for vector in tensors.values()):
            raise TypeError(f"every vector must have {theta.size} numbers of {theta.dtype}")
        if bad := [name for name, vector in tensors.items() if not np.isfinite(vector).all()]:
            raise TypeError(f"{bad[0]} has numbers that are not finite")
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: its header does not describe a checkpoint ({error})") from None
    return state, history


def _history(path: Path, said: dict[str, Any]) -> History:
    try:
        return History(**said)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def check_words(bits: Any) -> None:
    """ValueError for a place beyond the Mersenne twister's 624 words, which NumPy would read all the same."""
    if bits["bit_generator"] == "MT19937" and not 0 <= bits["state"]["pos"] <= 624:
        raise ValueError(f"the random numbers' state has no place {bits['state']['pos']}")


class Keeper:
    """Keeps the file `path` up to date; `write` writes it.

    rarely: to write it takes at most one part in so many of the time.

    ValueError for a file that is there and is no checkpoint. The first must succeed: OSError. A later one that fails
    (the disk is full, the folder gone) costs the checkpoint and not the training: a RuntimeWarning says so once, it is
    tried again, and `end` says what has become of it.
    """

    def __init__(self, path: Any, write: Callable[[Any], None], rarely: float = 20):
        check_writable(path)  # which follows no link of another user's
        check_replaceable(path)
        self.path, self.write, self.rarely = path, write, rarely
        self.tried, self.took = -math.inf, 0.0  # when it was last written, or not, and how long that took
        self.failed, self.told = "", False  # why the last could not be written, and whether that was told

    def write_if_due(self) -> None:
        """Write it, unless that would take too much of the time."""
        if time.perf_counter() - self.tried > self.rarely * self.took:
            self.write_now()

    def write_now(self) -> None:
        """Write it, and if that fails say so the first time."""
        before = time.perf_counter()
        try:
            self.write(self.path)
            self.failed = ""
        except OSError as error:
            if self.tried == -math.inf:
                raise
            self.failed = error.strerror or str(error)
            if not self.told:
                self.told = True
                self.warn(f"{self.failed}; training goes on, and the checkpoint is tried again")
        self.tried = time.perf_counter()
        self.took = self.tried - before

    def end(self) -> None:
        """Write the last one; after failures, whether that has succeeded is told."""
        self.write_now()
        if self.failed:
            self.warn(f"{self.failed}, at the end of training too: the checkpoint is an older one")
        elif self.told:
            self.warn(f"the checkpoint {self.path} could be written again, and is of the end of training")

    def warn(self, sentence: str) -> None:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)


def check_replaceable(path: Any) -> None:
    """ValueError when a file is there that is not empty and no checkpoint, of whatever kind: it is not overwritten."""
    file = Path(path)
    if not file.is_file() or not file.stat().st_size:
        return
    try:
        if read(file)[0].startswith(KIND.name):
            return
    except ValueError:
        pass
    raise ValueError(f"{path} is there already and is no checkpoint that this netwright can read; give another name")


def check_same(path: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """ValueError that names the first setting of those now that was another in the checkpoint."""
    for name, value in now.items():
        if then.get(name) != value:
            before, after = (cut(str(each), 160) for each in (then.get(name), value))
            raise ValueError(
                f"cannot resume from {path}: {name} was {before} there and is {after} now; "
                f"make the same call on the same data, or start without resume"
            )


def engine_of(path: Path) -> tuple[str, int | None]:
    """The engine that wrote a checkpoint, and its threads; ValueError for a file that is none."""
    settings = KIND.read(path)[1]["settings"]
    return settings.get("engine", "plain"), settings.get("threads")


def fingerprint(*arrays: Array | None) -> str | None:
    """Dtype, shape and a hash of each array, about a second a gigabyte; None for None."""
    parts = []
    for array in arrays:
        if array is not None:
            rows, hashed = array.T, hashlib.blake2b(digest_size=16)
            for first in range(0, len(rows), ROWS):
                hashed.update(np.ascontiguousarray(rows[first : first + ROWS]).data)
            parts.append(f"{array.dtype} {array.shape} {hashed.hexdigest()}")
    return ", ".join(parts) or None


def _named(network: dict[str, Any]) -> dict[str, Any]:
    """A network's settings, each layer by a name of its own."""
    layers = network["layers"]
    network = {"penalty_per_batch": False} | network  # a file may be older than it
    named = {f"layers[{i}]": layer for i, layer in enumerate(layers)}
    return {"the number of layers": len(layers), **named, **{n: v for n, v in network.items() if n != "layers"}}


def _plain(state: Any) -> Any:
    """Settings or a generator's state as JSON can say it."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
