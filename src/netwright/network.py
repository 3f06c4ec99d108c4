"""The network that people use: the core's `FeedForward`, with a door to each of what lies further out.

Training, engines, files and pictures are loaded when they are asked for.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import Array
from netwright.core.network import FeedForward
from netwright.export import Exportable

if TYPE_CHECKING:
    from netwright.export.program import Program
    from netwright.training.history import History
    from netwright.uncertainty.margins import Margin

SMALL = 1e5  # parameters times samples, below which BLAS keeps to one thread by itself


class Network(Exportable, FeedForward):
    __doc__ = FeedForward.__doc__

    margins: "Sequence[Margin]" = ()  # how sure predictions are

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
        """Learn from X, (inputs, samples), and Y, (outputs, samples); the options are `training.TrainingOptions`'.

        Samples to validate on also calibrate intervals, as wide everywhere; see `calibrate`.
        """
        from netwright.training.loop import run
        from netwright.training.options import TrainingOptions
        from netwright.training.prepare import prepare

        training = prepare(self, X, Y, TrainingOptions.of(options))
        self.margins, held_out = (), training.validation
        history = run(training)
        if held_out is not None:
            from netwright.uncertainty.margins import margins_of

            with suppress(ValueError):  # several targets of classes, which have none
                self.margins = margins_of(self.loss, None, self.apply(held_out.X), held_out.Y, held_out.weight)
        return history

    def calibrate(self, X: Array, Y: Array, weight: Array | None = None) -> Self:
        """Say with `predict(…, interval=…)` how sure predictions are, from samples that were not learned from.

        X (inputs, samples), Y (outputs, samples), weight (samples,) or None. What the network learns later makes it
        untrue: calibrate again. ValueError names what has a wrong shape or value, and says where there are several
        targets of classes, which have no sets.
        """
        from netwright.uncertainty.margins import margins_of

        X, Y, weight = self.check(X, Y, weight)
        self.margins = margins_of(self.loss, X, self.apply(X), Y, weight)
        return self

    def predict(self, X: Array, interval: float | None = None) -> Any:
        """The outputs A, (outputs, samples), for X, (inputs, samples); leaves no trace, so threads may share it.

        interval: how probable it is to be that what is true is within what is then said as well: of numbers an
        `Interval` (value, low, high), each (outputs, samples), each output for itself; of classes a `LabelSet` (label,
        (samples,), the place of the class; set, (classes, samples), which classes are in it). Such are told by samples
        that were not learned from, those that `train` had to validate on or `calibrate` was given. ValueError where
        there were none, or too few.
        """
        if interval is None:
            return super().predict(X)
        from netwright.core.losses import both_classes
        from netwright.uncertainty.margins import Interval, LabelSet, checked, half_widths, label_sets

        if not self.margins:
            told = "train it with validation=(X, Y), or give calibrate(X, Y) samples that were not learned from"
            raise ValueError(f"nothing says how sure this network is: {told}")
        checked(self.margins, interval)
        A = super().predict(X)
        if self.loss.targets in ("probability", "distribution"):
            P = both_classes(A).T
            return LabelSet(P.argmax(axis=1), label_sets(self.margins, P, interval).T)
        off = half_widths(self.margins, arguments.columns("X", X, self.inputs, self.dtype), A, interval)
        return Interval(A, A - off, A + off)

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

        save(self, arguments.path("path", path), [margin.to_json() for margin in self.margins])

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


def margins_from(said: list[Any], network: Network) -> "list[Margin]":
    """How sure a network is, as a file says it; ValueError where that does not fit it."""
    from netwright.files.schema import check
    from netwright.uncertainty.margins import MARGIN, Margin

    check([MARGIN], said, "margins")
    classes = network.loss.targets in ("probability", "distribution")
    if len(said) != (1 if classes else network.outputs):
        raise ValueError(f"{len(said)} margins do not fit a network of {network.outputs} outputs")
    return [Margin.from_json(each, network.inputs) for each in said]
