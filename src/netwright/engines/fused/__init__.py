"""The fused engine: whole epochs in one compiled call, with the plain engine's numbers to rounding.

`engine` is what training sees; it makes a `program` of a network, whose numbers and addresses the compiled loops read
from a `plan`; `predictor` does the same for predictions. `loops` go over batches and layers, one for each way in which
workers may divide a step, and call `kernels`: functions, products and the rows of the tables. `compile` compiles and
keeps code on disk; `workers` are the threads. Only this package imports Numba.
"""

from netwright.engines.fused.engine import Fused, warm_up
from netwright.engines.fused.kernels.rows import NotCompilable
from netwright.engines.fused.predictor import Predictor

__all__ = ["Fused", "NotCompilable", "Predictor", "warm_up"]
