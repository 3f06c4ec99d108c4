"""Keras 3 on JAX: `fit` with jit_compile and several steps an execution."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from works import Array, Task, Weights, Work

from peers import Peer as Contract
from peers import Predictor, Setting, one_hot


def model_of(work: Work, link: str | None = None) -> keras.Sequential:
    layers = [keras.Input((work.sizes[0],))]
    for neurons in work.sizes[1:-1]:
        layers.append(keras.layers.Dense(neurons, work.activation))
        layers += [keras.layers.Dropout(work.dropout)] if work.dropout else []
    return keras.Sequential([*layers, keras.layers.Dense(work.sizes[-1], link)])


class Trainer:
    def __init__(self, task: Task, steps_per_execution: int):
        self.task, self.work, self.steps = task, task.work, steps_per_execution
        self.model = model_of(self.work)
        binary = self.work.loss == "logloss"
        self.y = one_hot(task) if binary else task.y
        if binary:
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if self.work.optimizer == "gradient_descent":
            self.optimizer = keras.optimizers.SGD(self.work.rate)
        else:
            self.optimizer = keras.optimizers.Adam(self.work.rate, epsilon=1e-8)
        self.model.compile(self.optimizer, loss, jit_compile=True, steps_per_execution=self.steps)

    def reset(self) -> None:
        self.model.set_weights([p for W, b in self.task.weights for p in (W.T, b)])
        if self.optimizer.built:
            rate = self.optimizer.learning_rate
            for variable in self.optimizer.variables:
                if variable is not rate:
                    variable.assign(np.zeros(variable.shape, variable.dtype))
            self.optimizer.learning_rate = self.work.rate

    def train(self, epochs: int) -> None:
        self.model.fit(
            self.task.X,
            self.y,
            batch_size=self.work.batch,
            epochs=epochs,
            shuffle=self.work.shuffles,
            sample_weight=self.task.weight,
            verbose=0,
        )

    def weights(self) -> Weights:
        values = self.model.get_weights()
        return [(W.T, b) for W, b in zip(values[::2], values[1::2], strict=True)]


class Peer(Contract):
    libraries = ("keras", "jax", "jaxlib")

    def settings(self, work: Work) -> list[Setting]:
        if not work.trains:
            return [{"rows_at_once": rows} for rows in ([10_000, 100_000] if work.rows > 10_000 else [work.rows])]
        steps = len(work.batches())
        return [{"steps_per_execution": k} for k in (16, 1) if k <= steps]

    def trainer(self, task: Task, steps_per_execution: int) -> Trainer:
        return Trainer(task, steps_per_execution)

    def predictor(self, task: Task, rows_at_once: int) -> Predictor:
        model = model_of(task.work, "softmax")
        model.set_weights([p for W, b in task.weights for p in (W.T, b)])
        model.compile(jit_compile=True)

        def predict(X: Array) -> Array:
            if len(X) <= rows_at_once:
                return np.asarray(model.predict_on_batch(X))
            return model.predict(X, batch_size=rows_at_once, verbose=0)

        return predict
