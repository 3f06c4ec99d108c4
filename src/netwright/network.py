"""The network that people use: the core's `FeedForward`, with a door to each of what lies further out.

Training, engines, files and pictures are loaded when they are asked for.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import Array
from netwright.core.network import FeedForward
from netwright.export import Exportable

if TYPE_CHECKING:
    from netwright.export.program import Program
    from netwright.training.history import History

SMALL = 1e5  # parameters times samples, below which BLAS keeps to one thread by itself


class Network(Exportable, FeedForward):
    __doc__ = FeedForward.__doc__

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[Any],
        biases: Sequence[Any],
        activation: Any = "relu",
        *,
        loss: Any = "squared_error",
        transposed: bool = False,
    ) -> "Network":
        """The network with these W, each (neurons, inputs) as in torch's Linear, and b, (neurons,), layer by layer.

        transposed: each W is (inputs, neurons), as Keras and scikit-learn have it. activation, loss: as in
        `Network`. The dtype is theirs. ValueError names the array that does not fit.
        """
        arrays = [arguments.several(name, given, "a list of arrays") for name, given in
                  (("weights", weights), ("biases", biases))]  # fmt: skip
        if not arrays[0] or len(arrays[0]) != len(arrays[1]):
            counts = f"{len(arrays[0])} and {len(arrays[1])}"
            raise ValueError(f"weights and biases must be as many, one of each for a layer, got {counts}")
        dtype = np.float32 if all(getattr(W, "dtype", None) == np.float32 for W in arrays[0]) else np.float64
        Ws = [arguments.numeric(f"weights[{i}]", W, dtype) for i, W in enumerate(arrays[0])]
        for i, W in enumerate(Ws):
            if W.ndim != 2:
                raise ValueError(f"weights[{i}] must have two axes, got shape {W.shape}")
        Ws = [W.T for W in Ws] if transposed else Ws
        network = cls([Ws[0].shape[1], *map(len, Ws)], activation, loss=loss, dtype=dtype, rng=0)
        for i, (layer, W, b) in enumerate(zip(network.dense, Ws, arrays[1], strict=True)):
            if W.shape != layer.W.shape:
                raise ValueError(
                    f"weights[{i}] must take the {layer.inputs} neurons before it, got shape {W.shape} (neurons, "
                    f"inputs); where they are (inputs, neurons), say transposed=True"
                )
            layer.W, layer.b = W, arguments.numeric(f"biases[{i}]", b, dtype).reshape(-1, 1)
        return network

    def train(self, X: Array, Y: Array, **options: Any) -> "History":
        """Learn from X, (inputs, samples), and Y, (outputs, samples); the options are `training.TrainingOptions`'."""
        from netwright.training.loop import run
        from netwright.training.options import TrainingOptions
        from netwright.training.prepare import prepare

        return run(prepare(self, X, Y, TrainingOptions.of(options)))

    def apply(self, A: Array) -> Array:
        """`predict` without its checks, on the threads that pay."""
        if self._theta.size * A.shape[1] < SMALL:
            return super().apply(A)
        from netwright.engines.threads import threads_that_pay

        with threads_that_pay(self, A.shape[1]):
            return super().apply(A)

    def evaluate(self, X: Array, Y: Array, weight: Array | None = None) -> tuple[float, Array]:
        """`cost` and the predictions from one pass, without checks, on the threads that pay."""
        if self._theta.size * X.shape[1] < SMALL:
            return super().evaluate(X, Y, weight)
        from netwright.engines.threads import threads_that_pay

        with threads_that_pay(self, X.shape[1]):
            return super().evaluate(X, Y, weight)

    def predictor(self, n_threads: int | None = None) -> Callable[[Array], Array]:
        """`predict` compiled: a few µs for one sample, tiles on `n_threads` (default: what pays) for many.

        It follows the network as it learns, and computes what `predict` does to rounding. Where the fused engine
        cannot run the network, it is `predict` itself.
        """
        from netwright.engines import predictor

        if n_threads is not None:
            arguments.whole("n_threads", n_threads)
        return predictor(self, n_threads)

    def save(self, path: Any) -> None:
        """Write the network to one safetensors file, atomically; `netwright.load(path)` brings it back."""
        from netwright.files.networks import save

        save(self, arguments.path("path", path))

    def program(self) -> "Program":
        """What `export` writes: the computation, from the inputs to the outputs."""
        from netwright.export.program import Program, Target, networks_of

        return Program(
            inputs=self.inputs,
            targets=tuple(Target(f"output {j}", j, 1) for j in range(self.outputs)),
            names=tuple(f"x{j}" for j in range(self.inputs)),
            answers=lambda x: (self.predict(x.T).T, None),
            title=repr(self),
            **networks_of(self),
        )

    def _repr_html_(self) -> str:
        from netwright.draw.diagram import html

        return html(self)
