"""The article's layer: Z = W·A1 + b, A = f(Z), and back.

A column is a sample. `feedforward` keeps A1, Z and A; `gradient` turns dA into dW and db, the means over the samples,
and hands dA1 to the layer before; `backprop` does that and takes the article's step of gradient descent.
"""

import weakref
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, Activation, find_activation
from netwright.core.arguments import Array, Rng, finite, float_type, generator, number, numeric, room, whole
from netwright.core.initializers import INITIALIZERS


class Parameter:
    """W, b, dW or db: a view of the layer's flat memory. Reading gives the view, assigning copies into it."""

    def __init__(self, vector: str, shape: str):
        self.vector, self.shape = vector, shape

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else layer.views[self.name]

    def __set__(self, layer: Any, value: Any) -> None:
        view = layer.views[self.name]
        if value is view:  # of `layer.W -= step`, which has written already
            return
        value = finite(self.name, numeric(self.name, value, view.dtype))
        if value.shape != view.shape:
            raise ValueError(f"{self.name} must have shape {view.shape} {self.shape}, got {value.shape}")
        view[...] = value


class Rate:
    """`learning_rate` of the article's step: 0.1 until another number, of at least 0, is assigned."""

    def __get__(self, layer: Any, owner: type | None = None) -> float:
        return 0.1 if layer is None else vars(layer).get("learning_rate", 0.1)

    def __set__(self, layer: Any, value: Any) -> None:
        vars(layer)["learning_rate"] = number("learning_rate", value, 0)


class Layer:
    """A = f(W·A1 + b): W (neurons, inputs), b (neurons, 1), A1 (inputs, samples), Z and A (neurons, samples).

    `activation` is a name in `ACTIVATIONS` or an `Activation`. `initializer` draws W, by default the article's standard
    normal; b starts at 0, unless it draws that too. `rng` is a seed or a Generator; None draws from NumPy's global
    stream, so that `np.random.seed(0)` gives the article's numbers. ValueError names a size below 1, an unknown name or
    dtype.

    >>> layer = Layer(2, 3, "tanh", rng=0)
    >>> layer.feedforward(np.zeros((2, 4))).shape
    (3, 4)
    """

    kind = "dense"
    learning_rate = Rate()
    reuse = False  # an engine sets it while it trains: nobody else then holds the last batch's Z and dA1

    W = Parameter("theta", "(neurons, inputs)")
    b = Parameter("theta", "(neurons, 1)")
    dW = Parameter("grad", "(neurons, inputs)")
    db = Parameter("grad", "(neurons, 1)")

    def __init__(
        self,
        inputs: int,
        neurons: int,
        activation: str | Activation = "tanh",
        *,
        initializer: str = "normal",
        rng: Rng = None,
        dtype: Any = np.float64,
    ):
        self.inputs, self.neurons = whole("inputs", inputs), whole("neurons", neurons)
        room(("inputs", self.inputs), ("neurons", self.neurons))
        self.activation = find_activation(activation)
        self.activation.check_neurons(self.neurons)
        self.initializer = initializer
        self.dtype = float_type(dtype)
        draw = INITIALIZERS.find(initializer)
        self.size = self.neurons * self.inputs + self.neurons
        self.network: Any = None  # a weak reference to the Network whose flat vectors the layer lives in
        self.theta, self.grad = np.zeros((2, self.size), self.dtype)
        self.live_in(self.theta, self.grad)
        drawn = draw(np.random if rng is None else generator(rng), self.neurons, self.inputs)
        self.W, self.b = drawn if isinstance(drawn, tuple) else (drawn, self.b)

    def __call__(self, A1: Array) -> Array:
        """A for the inputs A1, leaving no trace in the layer, so that threads may share it."""
        return self.activation.f(self.pre_activation(A1))

    def pre_activation(self, A1: Array) -> Array:
        """Z = W·A1 + b."""
        Z: Array = np.dot(self.W, self.as_input(A1))
        Z += self.b
        return Z

    def feedforward(self, A1: Array) -> Array:
        """A for the inputs A1; A1, Z and A are kept for the way back."""
        self.A1 = self.as_input(A1)
        self.Z = np.dot(self.W, self.A1, out=self.memory("Z", (self.neurons, self.A1.shape[1])))
        self.Z += self.b
        self.A = self.activation.f(self.Z)
        return self.A

    def gradient(self, dA: Array, back: bool = True) -> Array | None:
        """Fills dW and db, the derivatives of the mean loss, from each sample's dA; returns dA1, (inputs, samples).

        Without `back`, dA1 is left out: a network's first layer has nobody to hand it to. ValueError when dA is not of
        A's shape, or before any feedforward.
        """
        if type(dA) is not np.ndarray or dA.dtype.kind not in "fiub":
            dA = numeric("dA", dA, np.float64)
        if np.shape(dA) != self.last("Z").shape:
            raise ValueError(f"dA must have A's shape {self.Z.shape}, got {np.shape(dA)}")
        return self.gradient_from(self.activation.dZ(dA, self.Z, self.A), back)

    def gradient_from(self, dZ: Array, back: bool = True) -> Array | None:
        """The same from dZ, where a loss gives it directly."""
        dZ = np.asarray(dZ, self.dtype)  # a df or dZ of one's own may give another: np.where(Z > 0, 1.0, 0.0)
        m, dW, db = dZ.shape[1], self.dW, self.db
        np.dot(dZ, self.A1.T, out=dW)
        np.sum(dZ, axis=1, keepdims=True, out=db)
        dW /= m
        db /= m
        if not back:
            return None
        self.dA1: Array = np.dot(self.W.T, dZ, out=self.memory("dA1", self.A1.shape))
        return self.dA1

    def backprop(self, dA: Array) -> Array | None:
        """The article's step: gradient, then W and b go down it by `learning_rate`. Returns dA1."""
        dA1 = self.gradient(dA)
        self.W -= self.learning_rate * self.dW
        self.b -= self.learning_rate * self.db
        return dA1

    def as_input(self, A1: Any) -> Array:
        """A1 as an array of the layer's dtype; ValueError unless its shape is (inputs, samples)."""
        given, A1 = A1, numeric("A1", A1, self.dtype)
        if A1 is not given:  # what training hands on is, and goes on unread
            finite("A1", A1)
        if A1.ndim != 2 or A1.shape[0] != self.inputs:
            raise ValueError(
                f"{self!r} takes {self.inputs} inputs, a column a sample: A1 must have shape "
                f"({self.inputs}, samples), got {A1.shape}"
            )
        return A1

    def last(self, name: str) -> Array:
        """Z, A1 or A of the last feedforward; ValueError when there was none."""
        if name not in vars(self):
            raise ValueError(f"{self!r} has no {name} yet: call feedforward first")
        return vars(self)[name]

    def memory(self, name: str, shape: tuple[int, int]) -> Array | None:
        """The last batch's array of that name to write over, when an engine trains; None (make a new one) otherwise."""
        old = vars(self).get(name) if self.reuse else None
        return old if old is not None and old.shape == shape else None

    # ── memory: W and b in one flat vector, dW and db in another ─────────────────────────────────────────────────────

    def live_in(self, theta: Array, grad: Array) -> None:
        """Move into these flat vectors of `size` numbers; the values come along."""
        theta[...], grad[...] = self.theta, self.grad
        self.theta, self.grad = theta, grad
        weights, shape = self.neurons * self.inputs, (self.neurons, self.inputs)
        self.views = {
            "W": theta[:weights].reshape(shape),
            "b": theta[weights:].reshape(-1, 1),
            "dW": grad[:weights].reshape(shape),
            "db": grad[weights:].reshape(-1, 1),
        }

    def __getstate__(self) -> dict[str, Any]:
        """The settings and the numbers; views, the last batch and the network stay behind."""
        lost = ("views", "network", "A1", "Z", "A", "dA1", "reuse")
        state = {name: value for name, value in vars(self).items() if name not in lost}
        if ACTIVATIONS.knows(self.activation):
            state["activation"] = self.activation.name  # a row's functions are found again by its name
        return state | {"theta": self.theta.copy(), "grad": self.grad.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, activation=find_activation(state["activation"]), network=None)
        if not self.theta.flags.writeable:  # mapped from a file, as joblib does when it is asked to
            self.theta, self.grad = np.array(self.theta), np.array(self.grad)
        self.live_in(self.theta, self.grad)

    def settings(self) -> dict[str, Any]:
        """What a model file keeps of the layer beside its numbers."""
        names = {"activation": self.activation.name, "initializer": self.initializer}
        return {"kind": self.kind, "inputs": self.inputs, "neurons": self.neurons} | names

    def __repr__(self) -> str:
        kept = [repr(self.inputs), repr(self.neurons), repr(self.activation.name)]
        kept += [f"initializer={self.initializer!r}"] * (self.initializer != "normal")
        kept += ["dtype='float32'"] * (self.dtype == np.float32)
        return f"Layer({', '.join(kept)})"


def owner(layer: Any) -> Any:
    """The Network that the layer lives in, or None."""
    return layer.network() if isinstance(layer.network, weakref.ref) else None
