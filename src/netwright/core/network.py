"""A network: layers in a row, all of their W and b in one flat vector theta, all dW and db in grad.

`feedforward` and `gradient` are the article's loops over the layers. What changes theta (an optimizer), what runs many
batches (an engine) and what watches them (training) come on top and need only theta and grad; the public
`netwright.Network` is this one with a door to each.
"""

import copy
import warnings
import weakref
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from netwright.core import arguments
from netwright.core.activations import ACTIVATIONS, Activation, find_activation
from netwright.core.arguments import Array, Rng, generator, number
from netwright.core.dropout import KINDS, Dropout
from netwright.core.layer import Layer, owner
from netwright.core.links import LINKS
from netwright.core.losses import Loss, find_loss, is_known

OWN = ("l2", "l1", "label_smoothing", "penalty_per_batch")  # the network's settings that no layer, loss or dtype has


class FeedForward:
    """Layers from `layers` and a loss; everything that training changes is `theta`.

    layers: sizes such as [2, 3, 1] (inputs, hidden …, outputs), or a list of layers.
    activation: of the hidden layers, a name or an `Activation`, or a list of one for each. A list one longer names the
        output layer's too, which is otherwise the loss's link (sigmoid for logloss, softmax for cross_entropy …).
    loss: a name in `LOSSES` ("huber:1.5" and "cross_entropy:3,2" set parameters) or a `Loss`.
    initializer: draws every W; by default the one that suits each layer's activation.
    dropout: the rate after each hidden layer, 0 for none.
    l2, l1: add ½·l2·ΣW² and l1·Σ|W| to the cost, for every W and no b.
    label_smoothing: moves classification targets this far towards even odds.
    penalty_per_batch: divide both penalties by the samples m of the batch at hand; l2 is then scikit-learn's alpha.
    rng: a seed or a Generator; draws the weights, the dropout masks and the shuffles, unless `train` gets its own.
    dtype: float64 or float32.
    From a list of layers, `activation`, `initializer`, `dropout` and `dtype` are the layers' own.

    When the last layer's activation is the loss's link, the two are one step, dZ = A - Y; any other goes by the chain
    rule. ValueError names whatever does not fit together.

    >>> Network([2, 3, 1], activation="tanh", loss="logloss", rng=0)
    Network([Layer(2, 3, 'tanh', initializer='glorot_uniform'), Layer(3, 1, 'sigmoid', ...)], loss='logloss')
    """

    def __init__(
        self,
        layers: Sequence[Any],
        activation: str | Activation | Sequence[str | Activation] | None = None,
        *,
        loss: str | Loss = "logloss",
        initializer: str | None = None,
        dropout: float = 0.0,
        l2: float = 0.0,
        l1: float = 0.0,
        label_smoothing: float = 0.0,
        penalty_per_batch: bool = False,
        rng: Rng = None,
        dtype: Any = None,
    ):
        self.loss = find_loss(loss)
        self.l2, self.l1 = number("l2", l2, 0), number("l1", l1, 0)
        self.label_smoothing = number("label_smoothing", label_smoothing, 0, 1)
        if self.label_smoothing and not (self.loss.link in LINKS and LINKS[self.loss.link].classes(2)):
            raise ValueError(f"label_smoothing is for classes; the loss {self.loss.name!r} has none")
        self.penalty_per_batch = arguments.flag("penalty_per_batch", penalty_per_batch)
        self.rng = generator(rng)
        layers = arguments.several("layers", layers, "sizes such as [2, 3, 1] or a list of layers")
        if layers and all(isinstance(layer, tuple(KINDS.values())) for layer in layers):
            given = {"activation": activation, "initializer": initializer, "dropout": dropout or None, "dtype": dtype}
            for name, value in given.items():
                if value is not None:
                    raise ValueError(f"{name} is each layer's own when layers are given; leave out {name}={value!r}")
            self.layers = tuple(layers)
        else:
            self.layers = tuple(self._from_sizes(layers, activation, initializer, dropout, dtype))
        self._check_layers()
        self._gather()

    # ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _from_sizes(
        self, sizes: list[Any], activation: Any, initializer: str | None, dropout: float, dtype: Any
    ) -> Iterable[Any]:
        if len(sizes) < 2:
            raise ValueError(f"layers must be at least two sizes (inputs, outputs) or a list of layers, got {sizes!r}")
        for pair in pairwise((f"layers[{i}]", arguments.whole(f"layers[{i}]", size)) for i, size in enumerate(sizes)):
            arguments.room(*pair)
        hidden = len(sizes) - 2
        if activation is None or isinstance(activation, str | Activation):
            names = ["tanh" if activation is None else activation] * hidden
        else:
            names = arguments.several("activation", activation, "a name, an Activation, or a list of them")
        if len(names) == hidden:
            names.append(self.loss.link)
        if len(names) != hidden + 1:
            raise ValueError(
                f"activation must be one, or a list of {hidden} (hidden layers) or {hidden + 1} (the output layer's "
                f"too), got {len(names)}"
            )
        number("dropout", dropout, 0, 1)
        self.loss.check_outputs(sizes[-1])  # before its link says the same in words of its own
        for i, name in enumerate(names):
            start = find_activation(name).initializer if initializer is None else initializer
            yield Layer(sizes[i], sizes[i + 1], name, initializer=start, rng=self.rng, dtype=dtype)
            if dropout and i < hidden:
                yield Dropout(dropout)

    def _check_layers(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty: a network has at least one layer")
        if not isinstance(self.layers[-1], Layer):
            raise ValueError(f"the last layer must be a Layer, got {self.layers[-1]!r}")
        width, seen = None, set()
        for i, layer in enumerate(self.layers):
            if id(layer) in seen:
                raise ValueError(f"layers[{i}] stands in the list twice; make a layer for each place")
            seen.add(id(layer))
            if owner(layer) is not None:
                raise ValueError(
                    f"layers[{i}], {layer!r}, belongs to another network already; give this one copy.deepcopy(layer)"
                )
            if layer.inputs is not None and width not in (None, layer.inputs):
                raise ValueError(f"layers[{i}], {layer!r}, takes {layer.inputs} inputs but gets {width}")
            width = layer.neurons or width
        dense = self.dense
        if len({layer.dtype for layer in dense}) > 1:
            raise ValueError("all layers must have one dtype, got " + ", ".join(str(layer.dtype) for layer in dense))
        self.inputs: int = dense[0].inputs
        self.outputs: int = dense[-1].neurons
        self.dtype = dense[0].dtype
        self.loss.check_outputs(self.outputs)
        last, link = dense[-1].activation, self.loss.link
        if self.linked:
            return
        if link not in LINKS:
            raise ValueError(
                f"the loss {self.loss.name!r} needs {link!r} as the last activation, got {last.name!r}: only "
                f"{', '.join(LINKS)} have a known way back"
            )
        with np.errstate(all="ignore"):
            A = last.f(np.tile(np.linspace(-30, 30, 61), (self.outputs, 1)))
        if LINKS[link].outside(A).any():
            warnings.warn(
                f"{self.loss.name} wants the outputs of {link!r}; {last.name!r} goes outside their range, where the "
                f"loss stays at its edge and its gradient is 0",
                stacklevel=3,
            )

    def _gather(self) -> None:
        """Make theta and grad, and move every layer into them."""
        size = sum(layer.size for layer in self.layers)
        self._theta, self._grad = np.zeros(size, self.dtype), np.zeros(size, self.dtype)
        start = 0
        for layer in self.layers:
            layer.live_in(self._theta[start : start + layer.size], self._grad[start : start + layer.size])
            layer.network = weakref.ref(self)
            start += layer.size
        self.use_rng(self.rng)

    def use_rng(self, rng: "np.random.Generator") -> None:
        """Draw from this generator from now on, the dropout layers too."""
        self.rng = rng
        for layer in self.layers:
            if isinstance(layer, Dropout):
                layer.rng = rng

    @property
    def dense(self) -> list[Layer]:
        """The layers that compute: the other kind, Dropout, hands on in prediction what it gets."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    @property
    def linked(self) -> bool:
        """Whether the last activation is the loss's own link, so that the two are one step on Z."""
        return bool(self.layers[-1].activation is ACTIVATIONS[self.loss.link])

    @property
    def theta(self) -> Array:
        """All W and b, (n_params,); assigning copies into it, so that the layers' views stay views."""
        return self._theta

    @theta.setter
    def theta(self, value: Any) -> None:
        assign("theta", self._theta, arguments.finite("theta", arguments.numeric("theta", value, self.dtype)))

    @property
    def grad(self) -> Array:
        """All dW and db, (n_params,), as the last `gradient` left them."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        assign("grad", self._grad, value)

    # ── the article's loops ──────────────────────────────────────────────────────────────────────────────────────────

    def feedforward(self, X: Array) -> Array:
        """The outputs A, (outputs, samples), for X, (inputs, samples), as in training: layers keep Z, A, and drop."""
        A = arguments.columns("X", X, self.inputs, self.dtype)
        for layer in self.layers:
            A = layer.feedforward(A)
        return A

    def predict(self, X: Array) -> Array:
        """The outputs A, (outputs, samples), for X, (inputs, samples); leaves no trace, so threads may share it."""
        A = self.apply(arguments.columns("X", X, self.inputs, self.dtype))
        if A[0, 0] != A[0, 0]:  # as almost any NaN in theta makes it
            arguments.finite("theta", self._theta)
        return A

    def apply(self, A: Array) -> Array:
        """`predict` without its checks."""
        for layer in self.layers:
            A = layer(A)
        return A

    def gradient(self, X: Array, Y: Array, weight: Array | None = None) -> float:
        """The cost: mean loss over the samples, and penalties; leaves its derivative by theta in `grad`.

        X (inputs, samples), Y (outputs, samples); `weight` (samples,) makes the mean a weighted one, in which weight k
        counts as k copies of the sample. ValueError names what has a wrong shape or value.
        """
        X, Y, weight = self.check(X, Y, weight)
        return self.backpropagate(X, Y, weight)

    def cost(self, X: Array, Y: Array, weight: Array | None = None) -> float:
        """The mean loss of the predictions: as `gradient` gives it, but without dropout, smoothing and penalties."""
        return self.evaluate(*self.check(X, Y, weight))[0]

    def evaluate(self, X: Array, Y: Array, weight: Array | None = None) -> tuple[float, Array]:
        """`cost` and the predictions from one pass, without checks."""
        A, Y, weight = X, arguments.unmasked("Y", Y), arguments.unmasked("weight", weight)
        *before, _ = self.layers
        for layer in before:
            A = layer(A)
        return self.evaluate_last(A, Y, weight)

    def evaluate_last(self, A: Array, Y: Array, weight: Array | None = None) -> tuple[float, Array]:
        """`evaluate` from what the last layer takes, A."""
        last = self.layers[-1]
        Z = last.pre_activation(A)
        A = last.activation.f(Z)
        values = self.loss.value(Z if self.linked else LINKS[self.loss.link].back(A)[0], Y)
        return float(np.average(values.sum(axis=0), weights=weight)), A

    def forget(self) -> None:
        """Let go of the last batch, which the layers keep for the way back: it may be all that was learned from."""
        for layer in self.layers:
            for name in ("A1", "Z", "A", "dA1", "mask"):
                vars(layer).pop(name, None)

    def backpropagate(self, X: Array, Y: Array, weight: Array | None = None, total: float | None = None) -> float:
        """`gradient` without its checks, for engines. `total` is what the weighted sum is divided by: Σ weight."""
        m, A = X.shape[1], X
        for layer in self.layers:
            A = layer.feedforward(A)

        if self.label_smoothing:
            Y = self.loss.smooth(Y, self.label_smoothing)
        *before, last = self.layers
        first = self.layers[0]
        if self.linked:
            Z = last.Z
        else:
            Z, dZ_dA = LINKS[self.loss.link].back(A)
            A = ACTIVATIONS[self.loss.link].f(Z)
        values, dZ = self.loss.value(Z, Y), self.loss.dZ(Z, A, Y)
        if weight is None:
            cost = values.sum() / m
        else:
            total = weight.sum() if total is None else total
            cost = (values * weight).sum() / total
            dZ = dZ * (weight * (m / total))  # the layers take means over m samples; this makes them means over total

        dA = last.gradient_from(dZ, last is not first) if self.linked else last.gradient(dZ * dZ_dA, last is not first)
        for layer in reversed(before):
            dA = layer.gradient(dA, layer is not first)
        return float(cost) + self.penalize(m)

    def start_at_mean(self, Y: Array, weight: Array | None = None) -> None:
        """For a link exp: the last b such that outputs begin at the mean of Y, (outputs, samples), rather than at 1."""
        if self.loss.link == "exp":
            self.layers[-1].b = np.log(np.average(Y, axis=1, weights=weight, keepdims=True) + 1e-9)

    def penalties(self, m: int) -> tuple[float, float]:
        """l2 and l1 for a batch of m samples."""
        share = m if self.penalty_per_batch else 1
        return self.l2 / share, self.l1 / share

    def penalize(self, m: int) -> float:
        """½·l2·ΣW² + l1·Σ|W| for a batch of m samples; adds its derivative to every dW."""
        cost = 0.0
        l2, l1 = self.penalties(m)
        if l2 or l1:
            for layer in self.layers:
                if isinstance(layer, Layer):
                    cost += 0.5 * l2 * float(np.sum(layer.W**2)) + l1 * float(np.sum(np.abs(layer.W)))
                    layer.dW += l2 * layer.W + l1 * np.sign(layer.W)
        return cost

    def check(self, X: Any, Y: Any, weight: Any = None) -> tuple[Array, Array, Array | None]:
        """X, Y and weight as arrays that fit the network and each other; ValueError says what does not."""
        X = arguments.columns("X", X, self.inputs, self.dtype)
        Y = arguments.numeric("Y", Y, self.dtype)
        Y = Y.reshape(1, -1) if Y.ndim == 1 and self.outputs == 1 else Y
        checked = arguments.shaped if self.loss.targets == "partial" else arguments.columns
        Y = checked("Y", Y, self.outputs, self.dtype, what="outputs")
        if Y.shape[1] != X.shape[1]:
            raise ValueError(f"X and Y must have a column for each sample: X has {X.shape[1]}, Y has {Y.shape[1]}")
        self.loss.check_targets(Y)
        return X, Y, arguments.weights(weight, X.shape[1], self.dtype)

    # ── how it shows itself ──────────────────────────────────────────────────────────────────────────────────────────

    def settings(self) -> dict[str, Any]:
        """What a model file keeps of the network beside theta."""
        return {
            "layers": [layer.settings() for layer in self.layers],
            "loss": self.loss.name,
            "dtype": self.dtype.name,
            **{name: getattr(self, name) for name in OWN},
        }

    def _given(self) -> dict[str, Any]:
        """Those of `OWN` that are not off."""
        return {name: value for name in OWN if (value := getattr(self, name))}

    @classmethod
    def from_settings(
        cls, settings: dict[str, Any], theta: Array, activations: dict[str, Activation], loss: str | Loss
    ) -> Self:
        """The network of `settings`, with theta; `activations` are those that no table knows."""
        layers = []
        for kept in settings["layers"]:
            kept = dict(kept)
            kind = KINDS.find(kept.pop("kind"))
            if kind is Layer:
                kept["activation"] = activations.get(kept["activation"], kept["activation"])
                kept |= {"dtype": settings["dtype"], "rng": 0}
            layers.append(kind(**kept))
        settings = {"penalty_per_batch": False} | settings  # a file may be older than it
        network = cls(layers, loss=loss, **{name: settings[name] for name in OWN})
        network.theta = theta
        return network

    def summary(self) -> str:
        """A line for each layer (kind, activation, shapes, parameters), and the totals."""
        rows = [("layer", "activation", "W", "b", "parameters")]
        for layer in self.layers:
            if isinstance(layer, Layer):
                shapes = (str(layer.W.shape), str(layer.b.shape))
                rows.append((f"{layer.inputs} → {layer.neurons}", layer.activation.name, *shapes, f"{layer.size:,}"))
            else:
                rows.append((repr(layer), "", "", "", "0"))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        size = f"{self.theta.size:,} parameters, {self.dtype.name}, {self.theta.nbytes / 1024:,.1f} KiB"
        terms = [f"loss {self.loss.name}"]
        terms += [name if value is True else f"{name} {value:g}" for name, value in self._given().items()]
        return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:], "", f"{size}; {', '.join(terms)}"])

    def __repr__(self) -> str:
        terms = "".join(f", {name}={value!r}" for name, value in self._given().items())
        return f"{type(self).__name__}([{', '.join(map(repr, self.layers))}], loss={self.loss.name!r}{terms})"

    # ── copies: the layers of a copy live in the copy's own vectors ──────────────────────────────────────────────────

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in ("_theta", "_grad")}
        if is_known(self.loss):
            state["loss"] = self.loss.name
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, loss=find_loss(state["loss"]))
        self._gather()

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # two networks cannot share layers: a layer lives in one theta


def check_network(network: Any) -> Any:
    """`network` as it is; ValueError when it is none."""
    if isinstance(network, FeedForward):
        return network
    raise ValueError(f"network must be a Network (of an estimator it is `network_`), got {arguments.brief(network)}")


def assign(name: str, vector: Array, value: Any) -> None:
    """Copy `value` into the flat vector; ValueError unless it has as many numbers."""
    value = arguments.numeric(name, value, vector.dtype)
    if value.size != vector.size:
        raise ValueError(f"{name} must have {vector.size} numbers, got {value.size}")
    vector[...] = value.reshape(-1)
