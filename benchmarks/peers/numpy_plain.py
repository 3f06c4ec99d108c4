"""The network in plain NumPy: what one writes by hand, with float32 kept, updates in place, and nothing clever."""

import numpy as np
from threadpoolctl import threadpool_limits
from works import Array, Task, Weights, Work

from peers import Peer as Contract
from peers import Predictor, Setting, one_hot, threads_to_try

BETA1, BETA2, EPS = np.float32(0.9), np.float32(0.999), np.float32(1e-8)


def softmax(Z: Array) -> Array:
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    E /= E.sum(axis=1, keepdims=True)
    return E


def sigmoid(Z: Array) -> Array:
    return 1 / (1 + np.exp(-Z))


class Trainer:
    def __init__(self, task: Task, threads: int):
        self.task, self.work, self.threads = task, task.work, threads
        self.rng = np.random.default_rng(0)
        self.Y = one_hot(task)

    def reset(self) -> None:
        threadpool_limits(self.threads)
        self.params = [p for W, b in self.task.weights for p in (W.T.copy(), b.copy())]
        self.m = [np.zeros_like(p) for p in self.params]
        self.v = [np.zeros_like(p) for p in self.params]
        self.t = 0

    def train(self, epochs: int) -> None:
        X, Y, weight, batch = self.task.X, self.Y, self.task.weight, self.work.batch
        for _ in range(epochs):
            if not self.work.shuffles:
                self.step(X, Y, weight)
                continue
            order = self.rng.permutation(len(X))
            for low in range(0, len(X), batch):
                rows = order[low : low + batch]
                self.step(X[rows], Y[rows], None if weight is None else weight[rows])

    def step(self, X: Array, Y: Array, weight: Array | None) -> None:
        Ws, bs = self.params[::2], self.params[1::2]
        relu, keep = self.work.activation == "relu", np.float32(1 - self.work.dropout)
        inputs, masks = [X], []
        for W, b in zip(Ws[:-1], bs[:-1], strict=True):
            A = inputs[-1] @ W
            A += b
            np.maximum(A, 0, out=A) if relu else np.tanh(A, out=A)
            if keep < 1:
                masks.append((self.rng.random(A.shape, np.float32) < keep) / keep)
                A = A * masks[-1]
            inputs.append(A)
        Z = inputs[-1] @ Ws[-1] + bs[-1]
        dZ = (softmax(Z) if self.work.loss == "cross_entropy" else sigmoid(Z)) - Y
        if weight is not None:
            dZ *= weight[:, None]
        dZ /= np.float32(len(X))
        grads: list[Array] = []
        for i in reversed(range(len(Ws))):
            grads += [dZ.sum(axis=0), inputs[i].T @ dZ]
            if i:
                dZ = dZ @ Ws[i].T
                if masks:
                    dZ *= masks[i - 1]
                dZ *= inputs[i] > 0 if relu else 1 - inputs[i] ** 2
        self.update(grads[::-1])

    def update(self, grads: list[Array]) -> None:
        if self.work.optimizer == "gradient_descent":
            for p, g in zip(self.params, grads, strict=True):
                p -= np.float32(self.work.rate) * g
            return
        self.t += 1
        rate = np.float32(self.work.rate * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t))
        for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            v += (1 - BETA2) * g * g
            p -= rate * m / (np.sqrt(v) + EPS)

    def weights(self) -> Weights:
        return [(W.T, b) for W, b in zip(self.params[::2], self.params[1::2], strict=True)]


class Peer(Contract):
    libraries = ("numpy",)

    def settings(self, work: Work) -> list[Setting]:
        return threads_to_try(work)

    def trainer(self, task: Task, threads: int) -> Trainer:
        return Trainer(task, threads)

    def predictor(self, task: Task, threads: int) -> Predictor:
        threadpool_limits(threads)
        params = [(W.T.copy(), b) for W, b in task.weights]

        def predict(X: Array) -> Array:
            A = X
            for W, b in params[:-1]:
                A = A @ W
                A += b
                np.maximum(A, 0, out=A)
            W, b = params[-1]
            return softmax(A @ W + b)

        return predict
