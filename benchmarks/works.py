"""The pieces of work: what is trained or predicted, on which data, from which weights. Everything is float32.

A `Work` is the description, a `Task` adds the numbers. Tasks are made once, by the process that leads the benchmark,
and written to a folder from which every peer reads the same bits.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

Array = np.ndarray
Weights = list[tuple[Array, Array]]  # (W, b) of each layer: (neurons, inputs), (neurons,)


@dataclass(frozen=True)
class Work:
    """A network and how it is trained; with `epochs` 0 it only predicts."""

    name: str
    what: str  # for people
    sizes: tuple[int, ...]
    rows: int
    quick_rows: int  # with --quick
    batch: int = 0
    epochs: int = 0  # of one repetition: what is timed as a whole, and after which the cost is compared
    activation: str = "relu"
    loss: str = "cross_entropy"  # of a softmax; or logloss, of one sigmoid
    optimizer: str = "adam"
    rate: float = 1e-3
    dropout: float = 0.0  # after each hidden layer
    weighted: bool = False  # each sample has a weight

    @property
    def trains(self) -> bool:
        return self.epochs > 0

    @property
    def shuffles(self) -> bool:
        return self.batch < self.rows

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, neurons) of each."""
        return list(pairwise(self.sizes))

    def batches(self) -> list[int]:
        """The sizes of an epoch's batches."""
        full, rest = divmod(self.rows, self.batch)
        return [self.batch] * full + [rest] * (rest > 0)

    def flops(self) -> float:
        """Multiplications and additions in the matrix products of an epoch, or of a prediction of all rows."""
        products = [2.0 * a * b * self.rows for a, b in self.layers]
        return 3 * sum(products) - products[0] if self.trains else sum(products)  # no dA below the first layer


HIDDEN = (64, 100, 10)

WORKS = {
    work.name: work
    for work in (
        Work(
            "xor",
            "2-3-1, all rows at once, gradient descent",
            (2, 3, 1),
            rows=4,
            quick_rows=4,
            batch=4,
            epochs=1000,
            activation="tanh",
            loss="logloss",
            optimizer="gradient_descent",
            rate=1.0,
        ),
        Work("digits", "64-100-10, batch 32, Adam", HIDDEN, 1797, 1797, 32, epochs=10),
        Work("tab", "20-128-128-2, batch 256, Adam", (20, 128, 128, 2), 50_000, 10_240, 256, epochs=2),
        Work("mnist", "784-512-512-10, batch 128, Adam", (784, 512, 512, 10), 60_000, 2_560, 128, epochs=1),
        Work("wide", "1024-2048-2048-1000, batch 512, Adam", (1024, 2048, 2048, 1000), 4_096, 1_024, 512, epochs=1),
        Work("deep", "32-64×8-1, batch 64, Adam", (32, *[64] * 8, 1), 10_000, 2_560, 64, epochs=3, loss="logloss"),
        Work(
            "dropout",
            "digits with sample weights and dropout 0.2",
            HIDDEN,
            1797,
            1797,
            32,
            epochs=10,
            dropout=0.2,
            weighted=True,
        ),
        Work("predict-1", "64-100-10", HIDDEN, 1, 1),
        Work("predict-1k", "64-100-10", HIDDEN, 1_000, 1_000),
        Work("predict-1M", "64-100-10", HIDDEN, 1_000_000, 200_000),
    )
}


@dataclass
class Task:
    """A work and its numbers. X (rows, inputs); y (rows,), classes as int32, or 0 and 1; weight (rows,) of mean 1."""

    work: Work
    X: Array
    y: Array
    weights: Weights = field(repr=False)
    weight: Array | None = None

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "work.json").write_text(json.dumps(asdict(self.work)))
        given = {"X": self.X, "y": self.y}
        given |= {} if self.weight is None else {"weight": self.weight}
        given |= {f"W{i}": W for i, (W, _) in enumerate(self.weights)}
        given |= {f"b{i}": b for i, (_, b) in enumerate(self.weights)}
        for name, values in given.items():
            np.save(folder / f"{name}.npy", values)

    @classmethod
    def load(cls, folder: Path) -> "Task":
        kept = json.loads((folder / "work.json").read_text())
        work = Work(**kept | {"sizes": tuple(kept["sizes"])})
        arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        weights = [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(len(work.layers))]
        return cls(work, arrays["X"], arrays["y"], weights, arrays.get("weight"))


def make(work: Work, quick: bool = False) -> Task:
    """The task of a work: its data by a rule that can be learnt, and its first weights; always the same."""
    if quick:
        work = replace(work, rows=work.quick_rows)
    rng = np.random.default_rng([7, len(work.name), work.sizes[0]])
    if work.name == "xor":
        X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    elif work.name in ("digits", "dropout"):
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        X, y = X[: work.rows] / 16, y[: work.rows]
    elif work.name == "mnist":
        X, y = pictures(work.rows, rng)
    elif work.name == "wide":
        X, y = clusters(work.rows, work.sizes[0], work.sizes[-1], rng)
    else:
        X = rng.standard_normal((work.rows, work.sizes[0]), dtype=np.float32)
        y = taught(X, max(2, work.sizes[-1]), rng) if work.trains else np.zeros(work.rows)
    weight = rng.uniform(0.5, 1.5, work.rows).astype("f4") if work.weighted else None
    return Task(
        work,
        np.ascontiguousarray(X, "f4"),
        np.ascontiguousarray(y, "i4"),
        [first_weights(*shape, rng) for shape in work.layers],
        None if weight is None else weight / weight.mean(),
    )


def taught(X: Array, classes: int, rng: np.random.Generator) -> Array:
    """The classes that a small random network gives: a rule that is neither linear nor out of reach."""
    hidden = np.tanh(X @ rng.standard_normal((X.shape[1], 16), dtype=np.float32) * (1.5 / X.shape[1] ** 0.5))
    return (hidden @ rng.standard_normal((16, classes), dtype=np.float32)).argmax(axis=1)


def clusters(rows: int, inputs: int, classes: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Every class, equally often, around a centre of its own."""
    y = rng.permutation(rows) % classes
    centres = rng.standard_normal((classes, inputs), dtype=np.float32)
    return centres[y] + rng.standard_normal((rows, inputs), dtype=np.float32), y


def pictures(rows: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """28×28 pictures of ten shapes: soft blobs, moved by up to two pixels, of varying strength, with noise; 0 … 1."""
    grid = np.arange(28, dtype=np.float32)
    X, y = np.empty((rows, 28, 28), np.float32), rng.integers(0, 10, rows)
    shapes = []
    for _ in range(10):
        centres = rng.uniform(6, 22, (6, 2))
        shapes.append(sum(np.exp(-((grid[:, None] - r) ** 2 + (grid - c) ** 2) / 6) for r, c in centres))
    moves, strength = rng.integers(-2, 3, (rows, 2)), rng.uniform(0.5, 1, rows)
    for i in range(rows):
        X[i] = strength[i] * np.roll(shapes[y[i]], moves[i], axis=(0, 1))
    X += rng.normal(0, 0.3, X.shape).astype("f4")
    return np.clip(X, 0, 1).reshape(rows, 784), y


def first_weights(inputs: int, neurons: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Glorot and Bengio's uniform weights, and biases of 0."""
    limit = (6 / (inputs + neurons)) ** 0.5
    return rng.uniform(-limit, limit, (neurons, inputs)).astype("f4"), np.zeros(neurons, "f4")


# ── what every peer's results are held against: plain NumPy, float64 ─────────────────────────────────────────────────


def forward(work: Work, weights: Weights, X: Array) -> Array:
    """The last layer's pre-activations, (rows, outputs)."""
    A = X.astype("f8")
    for W, b in weights[:-1]:
        Z = A @ W.T.astype("f8") + b
        A = np.maximum(Z, 0) if work.activation == "relu" else np.tanh(Z)
    W, b = weights[-1]
    return A @ W.T.astype("f8") + b


def probabilities(task: Task, X: Array) -> Array:
    """The right predictions, (rows, classes)."""
    Z = forward(task.work, task.weights, X)
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def learnt(work: Work, before: float, after: float, others: float) -> bool:
    """Whether a cost came down as the others' (their median) did.

    Where nothing is shuffled, all compute the same: 1 % is for rounding. Else an epoch's luck moves a cost that still
    falls by a third, so the cost must have come down nine tenths as far as the others'.
    """
    if not np.isfinite([after, others]).all() or after > 0.9 * before:
        return False
    return after - others <= (0.1 * (before - others) if work.shuffles else 0.01 * others)


def cost(task: Task, weights: Weights, at_most: int = 10_000) -> float:
    """The mean loss over the training rows (the first 10,000), without dropout, with the samples' weights."""
    X, y = task.X[:at_most], task.y[:at_most]
    Z = forward(task.work, weights, X)
    if task.work.loss == "logloss":
        losses = np.logaddexp(0, Z[:, 0]) - y * Z[:, 0]
    else:
        top = Z.max(axis=1)
        losses = top + np.log(np.exp(Z - top[:, None]).sum(axis=1)) - Z[np.arange(len(y)), y]
    return float(np.average(losses, weights=None if task.weight is None else task.weight[:at_most]))
