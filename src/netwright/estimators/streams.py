"""scikit-learn's random numbers, drawn in its order, so that the same seed gives the same weights and shuffles."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from netwright.network import Network
from netwright.training.checkpoint import check_words


class Stream(np.random.Generator):
    """One training's random numbers: a Generator that shares its bits with a legacy RandomState.

    As scikit-learn's MLP it draws the weights, then the split, then a shuffle an epoch, each of the order before it.
    That order is part of the state, so that a resumed training goes on with the same shuffles.
    """

    def __init__(self, random_state: np.random.RandomState):
        super().__init__(random_state._bit_generator)
        self.legacy, self.bits = random_state, random_state._bit_generator
        self.order: Any = None

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """The next epoch's order of x samples."""
        shuffled = np.arange(x)
        self.legacy.shuffle(shuffled)
        if self.order is not None and self.order.size == x:
            shuffled = self.order[shuffled]
        self.order = shuffled
        return shuffled

    @property
    def bit_generator(self) -> Any:
        """Itself, for whoever keeps and sets its `state`."""
        return _Bits(self)

    def __reduce__(self) -> Any:
        return stream_at, (self.bit_generator.state,)

    def __deepcopy__(self, memo: Any) -> "Stream":
        return stream_at(self.bit_generator.state)


class _Bits:
    """What a checkpoint keeps of a Stream: the RandomState's bits and the last order."""

    def __init__(self, stream: Stream | None = None):
        self.stream = Stream(np.random.RandomState(0)) if stream is None else stream

    @property
    def state(self) -> dict[str, Any]:
        order = self.stream.order
        small = None if order is None else order.astype(np.min_scalar_type(order.size))
        return {"bits": self.stream.bits.state, "order": small}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        order = state["order"]
        if order is not None:
            order = np.asarray(order, np.int64)
            if not np.array_equal(np.sort(order), np.arange(order.size)):
                raise ValueError("the last order is no permutation")
        bits = dict(state["bits"])
        check_words(bits)
        if "key" in bits["state"]:
            bits["state"] = bits["state"] | {"key": np.asarray(bits["state"]["key"], np.uint32)}  # a list in a file
        self.stream.bits.state = bits
        self.stream.order = order


def stream_at(state: dict[str, Any]) -> Stream:
    """A Stream that goes on from the state of another's `bit_generator`."""
    stream = Stream(np.random.RandomState(0))
    stream.bit_generator.state = state
    return stream


class _Zeros(np.random.bit_generator.ISeedSequence):
    """Where a twister that is about to be seeded gets its first words: from the system they would take three times as
    long as the seeding itself."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return np.zeros(n_words, dtype)


def random_state_of(random_state: Any) -> np.random.RandomState:
    """What scikit-learn's `check_random_state` gives, and its ValueError; for a seed in a third of its time."""
    if not isinstance(random_state, Integral):
        return check_random_state(random_state)
    made = np.random.RandomState(np.random.MT19937(_Zeros()))  # type: ignore[arg-type]
    made.seed(int(random_state))
    return made


def streams(random_state: Any, count: int) -> list[Stream]:
    """A Stream for each network: the first is scikit-learn's own for this random_state."""
    first = random_state_of(random_state)
    if count == 1:
        return [Stream(first)]
    seed = random_state if isinstance(random_state, Integral) else first.randint(2**31)
    others = [np.random.MT19937(np.random.SeedSequence([int(seed), place])) for place in range(1, count)]
    return [Stream(first), *(Stream(np.random.RandomState(bits)) for bits in others)]


def draw_weights(network: Network, stream: Stream, activation: Any) -> None:
    """W and b uniform in ±√(6/(inputs + neurons)), or ±√(2/…) for sigmoids (Glorot & Bengio 2010): scikit-learn's.

    `activation` is the estimator's: one for all hidden layers then decides for the output layer too.
    """
    for layer in network.dense:
        decides = activation if isinstance(activation, str) else layer.activation.name
        bound = np.sqrt((2 if decides in ("logistic", "sigmoid") else 6) / (layer.inputs + layer.neurons))
        layer.W = stream.legacy.uniform(-bound, bound, (layer.inputs, layer.neurons)).T
        layer.b = stream.legacy.uniform(-bound, bound, layer.neurons).reshape(-1, 1)
