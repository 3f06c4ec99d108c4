"""The fused engine: whole epochs in one compiled call, with the plain engine's numbers to rounding.

`scalars` are vectorisable exp, tanh, …; `rows` turns a table's row into a compiled loop; `epoch` is the loop over
batches and layers that calls them; `machine` compiles and keeps code on disk; `workers` are the threads. Only this
package imports Numba.
"""

from netwright.engines.fused.engine import Fused
from netwright.engines.fused.rows import NotCompilable

__all__ = ["Fused", "NotCompilable"]
