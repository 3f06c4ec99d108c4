"""Values of estimators as JSON and tensors, and back; no code runs when they are read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, Activation
from netwright.core.arguments import Array, brief, number, whole
from netwright.core.losses import LOSSES, Loss
from netwright.core.optimizers import OPTIMIZERS, Optimizer, WholeBatch
from netwright.core.schedules import SCHEDULES, Constant
from netwright.estimators.labels import Labels
from netwright.estimators.streams import Stream, check_bits, stream_at
from netwright.training.history import History


@dataclass(frozen=True)
class Kind:
    """A type without a word in JSON: `encode` makes simpler values of one, `decode` makes one of them."""

    type: Any
    encode: Callable[[Any], Any]
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

    def decode(self, said: Any) -> Any:
        """What was spelt so."""
        if isinstance(said, list):
            return [self.decode(one) for one in said]
        if not isinstance(said, dict):
            return said
        tag = next(iter(said), "")
        if tag[:1] != "$":
            return {name: self.decode(one) for name, one in said.items()}
        if tag == "$tensor":
            return self.tensors[said[tag]]
        if tag == "$activation":
            return self.activations.get(said[tag]) or ACTIVATIONS.find(said[tag])
        if tag == "$loss":
            return self.losses.get(said[tag]) or LOSSES.find(said[tag])
        return KINDS[tag[1:]].decode(self.decode(said[tag]))


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
    settings, slots = said["settings"], said["slots"]
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
    check_bits(state)
    made.set_state(state)
    return made


def _twister(state: Any, bits: dict[str, Any]) -> Any:
    """The state, if its bits are those of RandomState's own generator, the Mersenne twister."""
    if bits["bit_generator"] != "MT19937":
        raise ValueError(f"random numbers of {bits['bit_generator']} have no spelling there, only MT19937's")
    return state


KINDS: dict[str, Kind] = {
    "float": Kind((), str, float),
    "floats": Kind((), list, lambda array: array.tolist()),
    "dict": Kind((), list, lambda pairs: dict(map(tuple, pairs))),
    "tuple": Kind(tuple, list, tuple),
    "array": Kind(np.ndarray, _texts, _array),
    "path": Kind(Path, str, Path),
    "history": Kind(History, vars, lambda said: History(**said)),
    "labels": Kind(Labels, vars, lambda said: Labels(**said)),
    "stream": Kind(Stream, lambda stream: _twister(at := stream.bit_generator.state, at["bits"]), stream_at),
    "random_state": Kind(
        np.random.RandomState, lambda random: _twister(at := random.get_state(legacy=False), at), _random_state
    ),
    "optimizer": Kind(Optimizer | WholeBatch, _optimizer, _make_optimizer),
    "schedule": Kind(Constant, _schedule, lambda said: SCHEDULES.find(said[0])(**said[1])),
}
