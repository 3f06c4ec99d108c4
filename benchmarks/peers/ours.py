"""netwright, by its public calls: `network.train` and `network.predictor`."""

from typing import Any

import numpy as np
from works import Array, Task, Weights

import netwright
from netwright.core.optimizers import find_optimizer
from peers import Peer as Contract
from peers import Predictor, one_hot


def network_of(task: Task) -> netwright.Network:
    work = task.work
    network = netwright.Network(
        list(work.sizes), work.activation, loss=work.loss, dropout=work.dropout, rng=0, dtype=np.float32
    )
    put(network, task.weights)
    return network


def put(network: netwright.Network, weights: Weights) -> None:
    for layer, (W, b) in zip(dense(network), weights, strict=True):
        layer.W, layer.b = W, b[:, None]


def dense(network: netwright.Network) -> list[netwright.Layer]:
    return [layer for layer in network.layers if isinstance(layer, netwright.Layer)]


class Trainer:
    def __init__(self, task: Task, options: dict[str, Any]):
        self.task, self.options = task, options
        self.network = network_of(task)
        self.X, self.Y = task.X.T, one_hot(task).T

    def reset(self) -> None:
        put(self.network, self.task.weights)
        self.optimizer = find_optimizer(self.task.work.optimizer)
        self.optimizer.learning_rate = self.task.work.rate

    def train(self, epochs: int) -> None:
        self.network.train(
            self.X,
            self.Y,
            epochs=epochs,
            batch_size=self.task.work.batch,
            optimizer=self.optimizer,
            weight=self.task.weight,
            **self.options,
        )

    def weights(self) -> Weights:
        return [(layer.W.copy(), layer.b[:, 0].copy()) for layer in dense(self.network)]


class Peer(Contract):
    libraries = ("netwright", "numpy", "scipy", "numba")

    def trainer(self, task: Task, **setting: Any) -> Trainer:
        return Trainer(task, self.options)

    def predictor(self, task: Task, **setting: Any) -> Predictor:
        network = network_of(task)
        compiled = self.options["engine"] == "fused"
        predict = network.predictor(self.options.get("n_threads")) if compiled else network.predict

        def answer(X: Array) -> Array:
            return predict(X.T).T

        return answer
