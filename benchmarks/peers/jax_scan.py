"""JAX with all epochs in one compiled call: a scan over epochs around a scan over batches, state donated.

Adam is written by hand, which is at least as fast as Optax's, on the tree of parameters or on one flat vector: small
nets gain by the latter. Shuffles are drawn by NumPy, within the timed call: `jax.random.permutation` sorts, and takes
longer. A jitted step for each batch, the common way, was slower than the scan on everything here; unrolling the scan,
or one thread for Eigen, changed nothing.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from works import Array, Task, Weights, Work

from peers import SMALL, Predictor, Setting, orders
from peers import Peer as Contract

State = tuple[Any, ...]  # parameters, Adam's m and v, the step, the key


def forward(params: Any, X: jax.Array, work: Work, key: Any = None) -> jax.Array:
    for i, (W, b) in enumerate(params[:-1]):
        X = X @ W + b
        X = jax.nn.relu(X) if work.activation == "relu" else jnp.tanh(X)
        if work.dropout and key is not None:
            kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - work.dropout, X.shape)
            X = jnp.where(kept, X / (1 - work.dropout), 0)
    W, b = params[-1]
    return X @ W + b


def loss(params: Any, X: jax.Array, y: jax.Array, weight: Any, work: Work, key: Any) -> jax.Array:
    Z = forward(params, X, work, key)
    if work.loss == "logloss":
        losses = jax.nn.softplus(Z[:, 0]) - y * Z[:, 0]
    else:
        losses = jax.nn.logsumexp(Z, axis=1) - jnp.take_along_axis(Z, y[:, None], axis=1)[:, 0]
    return jnp.mean(losses if weight is None else losses * weight)


def adam(state: State, g: Any, rate: float) -> State:
    theta, m, v, t = state
    t = t + 1
    rate = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    theta = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), theta, m, v)
    return theta, m, v, t


class Trainer:
    def __init__(self, task: Task, flat: bool, gather: str):
        self.task, self.work, self.gather = task, task.work, gather
        params = [(jnp.asarray(W.T), jnp.asarray(b)) for W, b in task.weights]
        vector, unravel = ravel_pytree(params)
        self.first = vector if flat else params
        self.layers = unravel if flat else lambda params: params
        y = jnp.asarray(task.y, jnp.float32 if self.work.loss == "logloss" else jnp.int32)
        self.data = (jnp.asarray(task.X), y, None if task.weight is None else jnp.asarray(task.weight))
        self.run = jax.jit(self.epochs, static_argnums=3, donate_argnums=0)
        self.rng = np.random.default_rng(0)
        self.key = jax.random.key(0, impl="unsafe_rbg")  # the fastest generator

    def reset(self) -> None:
        m, v = (jax.tree.map(jnp.zeros_like, self.first) for _ in range(2))
        self.state = jax.block_until_ready((jax.tree.map(jnp.copy, self.first), m, v, jnp.zeros(()), self.key.copy()))

    def train(self, epochs: int) -> None:
        given = orders(self.task, epochs, self.rng) if self.work.shuffles else None
        self.state = jax.block_until_ready(self.run(self.state, self.data, given, epochs))

    def weights(self) -> Weights:
        return [(np.asarray(W).T, np.asarray(b)) for W, b in self.layers(self.state[0])]

    # ── compiled ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def epochs(self, state: State, data: Any, given: Any, epochs: int) -> State:
        if given is None:
            return lax.scan(lambda s, _: (self.step(s, *data), None), state, length=epochs)[0]
        return lax.scan(lambda s, order: (self.epoch(s, data, order), None), state, given)[0]

    def epoch(self, state: State, data: Any, order: jax.Array) -> State:
        full = self.work.rows // self.work.batch * self.work.batch
        rows = order[:full].reshape(-1, self.work.batch)
        if self.gather == "epoch":
            taken = jax.tree.map(lambda a: a[rows], data)
            state, _ = lax.scan(lambda s, part: (self.step(s, *part), None), state, taken)
        else:
            state, _ = lax.scan(lambda s, i: (self.step(s, *jax.tree.map(lambda a: a[i], data)), None), state, rows)
        if full < self.work.rows:
            state = self.step(state, *jax.tree.map(lambda a: a[order[full:]], data))
        return state

    def step(self, state: State, X: jax.Array, y: jax.Array, weight: Any) -> State:
        *state, key = state
        if self.work.dropout:
            key, used = jax.random.split(key)
        else:
            used = None
        g = jax.grad(lambda theta: loss(self.layers(theta), X, y, weight, self.work, used))(state[0])
        if self.work.optimizer == "gradient_descent":
            return (jax.tree.map(lambda p, g: p - self.work.rate * g, state[0], g), *state[1:], key)
        return (*adam(tuple(state), g, self.work.rate), key)


class Peer(Contract):
    libraries = ("jax", "jaxlib")

    def settings(self, work: Work) -> list[Setting]:
        if not work.trains:
            return [{"rows_at_once": rows} for rows in ([8_000, 1_000, None] if work.rows > 8_000 else [None])]
        gathers = ["epoch", "batch"] if work.shuffles else ["none"]
        flats = (True, False) if work.flops() / len(work.batches()) < SMALL else (False, True)
        return [{"flat": flat, "gather": gather} for gather in gathers for flat in flats]

    def trainer(self, task: Task, flat: bool, gather: str) -> Trainer:
        return Trainer(task, flat, gather)

    def predictor(self, task: Task, rows_at_once: int | None) -> Predictor:
        params = [(jnp.asarray(W.T), jnp.asarray(b)) for W, b in task.weights]

        def outputs(params: Any, X: jax.Array) -> jax.Array:
            def piece(X: jax.Array) -> jax.Array:
                return jax.nn.softmax(forward(params, X, task.work))

            if rows_at_once is None:
                return piece(X)
            parts = lax.map(piece, X.reshape(-1, rows_at_once, X.shape[1]))
            return parts.reshape(len(X), -1)

        compiled = jax.jit(outputs)

        def predict(X: Array) -> Array:
            return np.asarray(compiled(params, X))

        return predict
