"""Gauss-Newton with compiled activations: f and df in one go over a layer's block of samples.

The products are BLAS's: J's with its transpose is where the time goes, and of a symmetric one it does half.
"""

import ctypes
from typing import Any

import numpy as np

from netwright.core.activations import Softmax
from netwright.core.arguments import Array
from netwright.core.gauss_newton import Curvature, Linear
from netwright.core.layer import Layer
from netwright.core.network import FeedForward
from netwright.engines.fused.compile import Announced
from netwright.engines.fused.kernels.rows import backward, blocks_of, forward, uses_Z

PIECE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 7)  # (Z, b, A, …) and (Z, A, dA, …), rows, columns, scratch, blocks


def compile_activations(network: FeedForward) -> None:
    """Compile all that `FusedCurvature` needs, in float64; NotCompilable says what can't be."""
    with Announced("float64"):
        for layer in network.dense:
            forward(layer.activation, np.float64), backward(layer.activation, np.float64)


class FusedLinear(Linear):
    """See `netwright.core.gauss_newton.Linear`."""

    def forward(self, layer: Layer, A1: Array) -> tuple[Array, Array]:
        if layer is self.layers[-1]:  # few, and the loss looks at its Z
            return super().forward(layer, A1)
        Z, b = np.dot(layer.W, A1), np.ascontiguousarray(layer.b)
        A = np.empty_like(Z) if uses_Z(layer.activation) else Z
        self._run(forward(layer.activation, np.float64), layer, Z, b, A)
        return Z, A

    def chain(self, l: int, dA: Array) -> Array:
        layer, (_, Z, A) = self.layers[l], self.kept[l]
        if layer is self.layers[-1]:
            return super().chain(l, dA)
        self._run(backward(layer.activation, np.float64), layer, Z, A, dA)
        return dA

    def _run(self, address: int, layer: Layer, *arrays: Array) -> None:
        """Run a piece on the arrays, each in one piece of memory."""
        work: list[Any] = [0, 0]
        if isinstance(layer.activation, Softmax):
            work = [np.empty(2 * self.m), blocks_of(layer.activation, layer.neurons)]
        places = [each if isinstance(each, int) else each.ctypes.data for each in (*arrays, *work)]
        PIECE(address)(*places[:3], layer.neurons, self.m, *places[3:])


class FusedCurvature(Curvature):
    """See `netwright.core.gauss_newton.Curvature`."""

    linear = FusedLinear
