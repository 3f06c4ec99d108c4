"""The fused engine: whole epochs in one compiled call, with the plain engine's numbers to rounding.

`scalars` are vectorisable exp, tanh, …; `rows` turns a table's row into a compiled loop; `tiles` and `products` are the
products of matrices; `epoch` is the loop over batches and layers that calls them, told what to do by a `plan`, with
`gathering` and `sharing`; `by_hidden` and `by_neurons` are the same loop for workers that divide a step otherwise;
`machine` compiles and keeps code on disk; `workers` are the threads; `engine` is what training sees. Only this package
imports Numba.
"""

from netwright.engines.fused.engine import Fused, Predictor, warm_up
from netwright.engines.fused.kernels.rows import NotCompilable

__all__ = ["Fused", "NotCompilable", "Predictor", "warm_up"]
