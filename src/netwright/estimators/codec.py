"""Values of estimators as JSON and tensors, and back; no code runs when they are read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, Activation
from netwright.core.arguments import Array, brief, number, whole
from netwright.core.losses import LOSSES, Loss
from netwright.core.optimizers import OPTIMIZERS, Optimizer, WholeBatch
from netwright.core.schedules import SCHEDULES, Constant
from netwright.estimators.labels import Labels
from netwright.estimators.streams import Stream, stream_at
from netwright.files.schema import DEEP, Check, Shape, anything, check, count, finite, named, natural, one_of, real, row
from netwright.training.checkpoint import check_words
from netwright.training.history import HISTORY, History


@dataclass(frozen=True)
class Kind:
    """A type without a word in JSON: `encode` makes simpler values of one, of that shape, and `decode` one of them."""

    type: Any
    encode: Callable[[Any], Any]
    shape: Shape
    decode: Callable[[Any], Any]


class Codec:
    """Values as JSON can say them, with `tensors` for the arrays; and back, with the user's own activations and losses.

    ValueError for a value that has no spelling.
    """

    def __init__(self, tensors: dict[str, Array], activations: dict[str, Activation], losses: dict[str, Loss]):
        self.tensors, self.activations, self.losses = tensors, activations, losses

    def encode(self, way: str, value: Any) -> Any:
        """The spelling of the value; `way` names its tensors."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"$float": str(value)}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
            while way in self.tensors:
                way += "'"
            self.tensors[way] = value.astype(value.dtype.newbyteorder("="))
            return {"$tensor": way}
        if isinstance(value, list):
            if len(value) > 8 and all(isinstance(one, float) for one in value):
                return {"$floats": self.encode(way, np.array(value, np.float64))}
            return [self.encode(f"{way}.{place}", one) for place, one in enumerate(value)]
        if isinstance(value, dict):
            if all(isinstance(name, str) and name[:1] != "$" for name in value):
                return {name: self.encode(f"{way}.{name}", one) for name, one in value.items()}
            return {"$dict": self.encode(way, [list(pair) for pair in value.items()])}
        if isinstance(value, Activation | Loss):
            return {"$activation" if isinstance(value, Activation) else "$loss": value.name}
        for tag, kind in KINDS.items():
            if isinstance(value, kind.type):
                return {f"${tag}": self.encode(way, kind.encode(value))}
        raise ValueError(f"{brief(value)} has no spelling there")

    def decode(self, said: Any, where: str, deep: int = DEEP) -> Any:
        """What was spelt so; ValueError, that says where, for what is no spelling."""
        if not deep:
            raise ValueError(f"{where} is nested more than {DEEP} times")
        if isinstance(said, list):
            return [self.decode(one, f"{where}[{place}]", deep - 1) for place, one in enumerate(said)]
        if not isinstance(said, dict):
            return said
        tag = next(iter(said), "")
        if tag[:1] != "$":
            return {name: self.decode(one, f"{where}.{name}", deep - 1) for name, one in said.items()}
        if len(said) > 1 or tag[1:] not in {"tensor", "activation", "loss", *KINDS}:
            raise ValueError(f"{where} is of an unknown kind, {brief(said)}")
        value = said[tag]
        if tag in ("$tensor", "$activation", "$loss"):
            return self._named(tag, value, where)
        kind, value = KINDS[tag[1:]], self.decode(value, where, deep - 1)
        check(kind.shape, value, where)
        try:
            return kind.decode(value)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise ValueError(f"{where}: {error}") from None

    def _named(self, tag: str, name: Any, where: str) -> Any:
        """A tensor, an activation or a loss of that name."""
        check(str, name, where)
        if tag == "$tensor":
            if name not in self.tensors:
                raise ValueError(f"{where} is a tensor {brief(name)}, which is not in the file")
            return self.tensors[name]
        if tag == "$activation":
            return self.activations.get(name) or ACTIVATIONS.find(name)
        return self.losses.get(name) or LOSSES.find(name)


# ── the shapes of what is decoded ────────────────────────────────────────────────────────────────────────────────────


def array(kinds: str, size: int | None = None) -> Check:
    """An array of one dimension whose dtype is of these kinds."""

    def checked(where: str, value: Any) -> None:
        good = isinstance(value, np.ndarray) and value.dtype.kind in kinds and value.ndim == 1
        if not good or size not in (None, value.size):
            raise ValueError(f"{where} must be an array, (n,), of the kind it was, got {brief(value)}")

    return checked


def _pairs(where: str, value: Any) -> None:
    check([list], value, where)
    for pair in value:
        if len(pair) != 2 or not isinstance(pair[0], bool | int | float | str | tuple | None):
            raise ValueError(f"{where} must be pairs of a key and a value, got {brief(pair)}")


def _cells(where: str, value: Any) -> None:
    row(one_of("U", "O"), [(str,) if value[:1] == ["U"] else (None, bool, str, real)])(where, value)


WORDS: Shape = {"bit_generator": str, "state": {"key": array("u", 624), "pos": natural}}
STREAM: Shape = {"bits": WORDS, "order": (None, array("iu"))}
OPTIMIZER: Shape = {
    "settings": {"name": named(OPTIMIZERS), "memory?": partial(number, low=1, high=1000), "...": (None, bool, finite)},
    "t": count,
    "slots": {"...": array("f")},
}


# ── one kind after the other ─────────────────────────────────────────────────────────────────────────────────────────


def _texts(array: Array) -> list[Any]:
    if array.dtype.kind not in "OU" or array.ndim != 1:
        raise ValueError(f"an array of {array.dtype} has no spelling there")
    return [array.dtype.kind, array.tolist()]


def _array(said: Any) -> Array:
    kind, values = said
    if kind == "U":
        return np.array([str(value) for value in values])
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _optimizer(optimizer: Any) -> dict[str, Any]:
    settings = optimizer.settings()
    if OPTIMIZERS.get(settings["name"]) is not type(optimizer):
        raise ValueError(f"{brief(optimizer)} is an optimizer of your own")
    return {"settings": settings, "t": getattr(optimizer, "t", 0), "slots": getattr(optimizer, "slots", {})}


def _make_optimizer(said: dict[str, Any]) -> Any:
    settings, slots = dict(said["settings"]), said["slots"]
    kind = OPTIMIZERS.find(settings.pop("name"))
    rate = settings.pop("learning_rate", None)
    optimizer = kind(**settings)
    if isinstance(optimizer, Optimizer):
        optimizer.learning_rate = number("learning_rate", rate, 0)  # 0 where a schedule has ended
        optimizer.t = whole("the optimizer's steps", said["t"], 0)
        if set(slots) not in (set(), set(optimizer.names)):
            raise ValueError(f"its {type(optimizer).__name__} remembers {sorted(slots)}")
        optimizer.slots = {name: np.asarray(slot) for name, slot in slots.items()}
    return optimizer


def _schedule(schedule: Constant) -> list[Any]:
    name = next((name for name, row in SCHEDULES.items() if row is type(schedule)), None)
    if name is None:
        raise ValueError(f"{brief(schedule)} is a schedule of your own")
    return [name, vars(schedule)]


def _random_state(state: dict[str, Any]) -> np.random.RandomState:
    made = np.random.RandomState(0)
    check_words(state)
    made.set_state(state)
    return made


def _twister(state: Any, bits: dict[str, Any]) -> Any:
    """The state, if its bits are those of RandomState's own generator, the Mersenne twister."""
    if bits["bit_generator"] != "MT19937":
        raise ValueError(f"random numbers of {bits['bit_generator']} have no spelling there, only MT19937's")
    return state


KINDS: dict[str, Kind] = {
    "float": Kind((), str, one_of("inf", "-inf", "nan"), float),
    "floats": Kind((), list, array("f"), lambda array: array.tolist()),
    "dict": Kind((), list, _pairs, lambda pairs: dict(map(tuple, pairs))),
    "tuple": Kind(tuple, list, list, tuple),
    "array": Kind(np.ndarray, _texts, _cells, _array),
    "path": Kind(Path, str, str, Path),
    "history": Kind(History, History.kept, HISTORY, lambda said: History(**said)),
    "labels": Kind(Labels, vars, {"kind": str, "classes": anything}, lambda said: Labels(**said)),
    "stream": Kind(Stream, lambda stream: _twister(at := stream.bit_generator.state, at["bits"]), STREAM, stream_at),
    "random_state": Kind(
        np.random.RandomState,
        lambda random: _twister(at := random.get_state(legacy=False), at),
        WORDS | {"has_gauss": natural, "gauss": real},
        _random_state,
    ),
    "optimizer": Kind(Optimizer | WholeBatch, _optimizer, OPTIMIZER, _make_optimizer),
    "schedule": Kind(
        Constant, _schedule, row(named(SCHEDULES), {"...": finite}), lambda said: SCHEDULES.find(said[0])(**said[1])
    ),
}
