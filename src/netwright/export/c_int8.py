"""Weights in 8 bits: how C keeps a layer with the option int8, and what is left of it."""

from dataclasses import dataclass, replace

import numpy as np

from netwright.core.arguments import Array
from netwright.export.c_words import single
from netwright.export.program import Dense, Program

STEPS = single(2 ** (-np.arange(256) / 8))  # a layer's neurons may have steps so much smaller than its largest


@dataclass(frozen=True)
class Small:
    """W[j] is steps[j] · whole[j], and b is unit · bias.

    whole: (neurons, inputs), from -127 to 127. places: (neurons,), of each neuron's step, divided by `top`, in `STEPS`.
    bias: (neurons,), from -32,767 to 32,767.
    """

    whole: Array
    places: Array
    top: float
    bias: Array
    unit: float

    @classmethod
    def of(cls, layer: Dense) -> "Small":
        """The nearest to the layer. ValueError for weights that float has not."""
        most = np.abs(layer.W).max(axis=1) / 127
        top, unit = float(single(most.max())) or 1.0, float(single(np.abs(layer.b).max() / 32767))
        if not np.isfinite([top, unit]).all():
            raise ValueError("int8 cannot hold the model's weights: they are beyond what float can say")
        places = np.clip(np.sum(most[:, None] / top <= STEPS, axis=1) - 1, 0, 255)  # the smallest that reaches all
        whole = np.clip(np.rint(layer.W / _steps(top, places)[:, None]), -127, 127).astype(np.int8)
        bias = np.clip(np.rint(layer.b.astype(np.float64) / (unit or 1.0)), -32767, 32767).astype(np.int16)
        return cls(whole, places, top, bias, unit)

    @property
    def steps(self) -> Array:
        """(neurons,)."""
        return _steps(self.top, self.places)


def _steps(top: float, places: Array) -> Array:
    return np.asarray(top * STEPS[places].astype(np.float64))


@dataclass(frozen=True)
class Int8:
    """A program's layers so, network by network.

    short: whether 16 bits do for every b, as they lose no more of it than 8 bits lose of W; else b is kept as float.
    """

    layers: tuple[tuple[Small, ...], ...]
    short: bool

    @classmethod
    def of(cls, program: Program) -> "Int8":
        """The nearest to the program. ValueError for weights that float has not."""
        networks = tuple(tuple(map(Small.of, layers)) for layers in program.networks)
        # Of the last layer each neuron counts, as it may be a target; of the others most.
        hidden = all(small.unit <= np.median(small.steps) for *others, _ in networks for small in others)
        return cls(networks, hidden and all(last.unit <= last.steps.min() for *_, last in networks))

    def left_of(self, program: Program) -> Program:
        """The program that it was made of, with the weights that are left."""

        def kept(layer: Dense, small: Small) -> Dense:
            W, b = small.whole * small.steps[:, None], small.bias * small.unit if self.short else single(layer.b)
            return replace(layer, W=W.astype(program.dtype), b=b.astype(program.dtype))

        pairs = zip(program.networks, self.layers, strict=True)
        return replace(program, networks=tuple(tuple(map(kept, *pair)) for pair in pairs))
