"""torch.compile, a whole step as one graph: loss, gradient (torch.func.grad) and update; no autograd at run time.

That is two to three times as fast here as the common `torch.compile(model)` with an optimizer outside.
"""

import os
from typing import Any

import torch
import torch._dynamo
import torch.nn.functional as F
from torch import Tensor
from works import Array, Task, Weights, Work

from peers import Peer as Contract
from peers import Predictor, Setting, threads_to_try
from peers.torch_eager import cut, loss_of, model_of, prediction_settings, put

os.environ.setdefault("TORCHINDUCTOR_FREEZING", "1")  # inference: weights become constants of the graph
torch._dynamo.config.recompile_limit = 100  # of a function's code, which all works share; 8 by default
Params = list[tuple[Tensor, Tensor]]


def forward(params: Params, X: Tensor, work: Work) -> Tensor:
    for W, b in params[:-1]:
        X = F.linear(X, W, b)
        X = F.relu(X) if work.activation == "relu" else torch.tanh(X)
        X = F.dropout(X, work.dropout) if work.dropout else X
    return F.linear(X, *params[-1])


def compiled_step(work: Work) -> Any:
    binary = work.loss == "logloss"

    def loss(params: Params, X: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        return loss_of(forward(params, X, work), y, weight, binary)

    def descend(
        params: Params, m: Params, v: Params, rate: Tensor, X: Tensor, y: Tensor, weight: Tensor | None
    ) -> None:
        for pair, gradients in zip(params, torch.func.grad(loss)(params, X, y, weight), strict=True):
            for p, g in zip(pair, gradients, strict=True):
                p.sub_(rate * g)

    def adam(params: Params, m: Params, v: Params, rate: Tensor, X: Tensor, y: Tensor, weight: Tensor | None) -> None:
        gradients = torch.func.grad(loss)(params, X, y, weight)
        for pairs in zip(params, gradients, m, v, strict=True):
            for p, g, m1, v1 in zip(*pairs, strict=True):
                m1.mul_(0.9).add_(g, alpha=0.1)
                v1.mul_(0.999).addcmul_(g, g, value=0.001)
                p.sub_(rate * m1 / (v1.sqrt() + 1e-8))

    step = descend if work.optimizer == "gradient_descent" else adam
    return torch.compile(step, dynamic=False, fullgraph=True)


class Trainer:
    def __init__(self, task: Task, threads: int):
        self.task, self.work, self.threads = task, task.work, threads
        torch.set_num_threads(threads)
        self.step = compiled_step(self.work)
        self.X = torch.from_numpy(task.X)
        self.y = torch.from_numpy(task.y).to(torch.float32 if self.work.loss == "logloss" else torch.int64)
        self.weight = None if task.weight is None else torch.from_numpy(task.weight)
        self.params, self.m, self.v = (
            [(torch.zeros(W.shape), torch.zeros(b.shape)) for W, b in task.weights] for _ in range(3)
        )

    def reset(self) -> None:
        torch.set_num_threads(self.threads)
        self.t = 0
        for (W, b), m, v, given in zip(self.params, self.m, self.v, self.task.weights, strict=True):
            W.copy_(torch.from_numpy(given[0]))
            b.copy_(torch.from_numpy(given[1]))
            for slot in (*m, *v):
                slot.zero_()

    def train(self, epochs: int) -> None:
        X, y, weight = self.X, self.y, self.weight
        for _ in range(epochs):
            if not self.work.shuffles:
                self.step(self.params, self.m, self.v, self.rate(), X, y, weight)
                continue
            for rows in torch.randperm(len(X)).split(self.work.batch):
                part = None if weight is None else weight[rows]
                self.step(self.params, self.m, self.v, self.rate(), X[rows], y[rows], part)

    def rate(self) -> Tensor:
        """A tensor, since a new number would compile anew."""
        self.t += 1
        if self.work.optimizer == "gradient_descent":
            return torch.tensor(self.work.rate)
        return torch.tensor(self.work.rate * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t))

    def weights(self) -> Weights:
        return [(W.numpy().copy(), b.numpy().copy()) for W, b in self.params]


class Peer(Contract):
    libraries = ("torch",)

    def settings(self, work: Work) -> list[Setting]:
        if not work.trains:
            return prediction_settings(work)
        return threads_to_try(work)

    def trainer(self, task: Task, threads: int) -> Trainer:
        return Trainer(task, threads)

    def predictor(self, task: Task, threads: int, rows_at_once: int | None) -> Predictor:
        torch.set_num_threads(threads)
        model = model_of(task.work).eval()
        put(model, task.weights)
        compiled = torch.compile(lambda X: model(X).softmax(1), dynamic=False)

        @torch.inference_mode()
        def predict(X: Array) -> Array:
            parts = [compiled(part) for part in cut(torch.from_numpy(X), rows_at_once)]
            return (parts[0] if len(parts) == 1 else torch.cat(parts)).numpy()

        return predict
