"""PyTorch as it runs line by line: no DataLoader, an index a batch, the fused optimizer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from works import Array, Task, Weights, Work

from peers import CORES, Predictor, Setting, threads_to_try
from peers import Peer as Contract


def model_of(work: Work) -> nn.Sequential:
    parts: list[nn.Module] = []
    for inputs, neurons in work.layers:
        parts += [nn.Linear(inputs, neurons), nn.ReLU() if work.activation == "relu" else nn.Tanh()]
        parts += [nn.Dropout(work.dropout)] if work.dropout else []
    while not isinstance(parts[-1], nn.Linear):
        parts.pop()
    return nn.Sequential(*parts)


def put(model: nn.Module, weights: Weights) -> None:
    given = [torch.from_numpy(p) for pair in weights for p in pair]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), given, strict=True):
            parameter.copy_(value)


def loss_of(Z: Tensor, y: Tensor, weight: Tensor | None, binary: bool) -> Tensor:
    """The mean loss; the weights have mean 1 over all rows."""
    reduction = "mean" if weight is None else "none"
    if binary:
        losses = F.binary_cross_entropy_with_logits(Z[:, 0], y, reduction=reduction)
    else:
        losses = F.cross_entropy(Z, y, reduction=reduction)
    return losses if weight is None else (losses * weight).mean()


class Trainer:
    def __init__(self, task: Task, threads: int):
        self.task, self.work, self.threads = task, task.work, threads
        torch.set_num_threads(threads)
        self.binary = self.work.loss == "logloss"
        self.model = model_of(self.work)
        self.X = torch.from_numpy(task.X)
        self.y = torch.from_numpy(task.y).to(torch.float32 if self.binary else torch.int64)
        self.weight = None if task.weight is None else torch.from_numpy(task.weight)

    def reset(self) -> None:
        torch.set_num_threads(self.threads)
        put(self.model, self.task.weights)
        kind = torch.optim.SGD if self.work.optimizer == "gradient_descent" else torch.optim.Adam
        self.optimizer = kind(self.model.parameters(), lr=self.work.rate, fused=True)

    def train(self, epochs: int) -> None:
        X, y, weight = self.X, self.y, self.weight
        for _ in range(epochs):
            if not self.work.shuffles:
                self.step(X, y, weight)
                continue
            for rows in torch.randperm(len(X)).split(self.work.batch):
                self.step(X[rows], y[rows], None if weight is None else weight[rows])

    def step(self, X: Tensor, y: Tensor, weight: Tensor | None) -> None:
        self.optimizer.zero_grad()
        loss_of(self.model(X), y, weight, self.binary).backward()
        self.optimizer.step()

    def weights(self) -> Weights:
        values = [p.detach().numpy().copy() for p in self.model.parameters()]
        return list(zip(values[::2], values[1::2], strict=True))


def cut(X: Tensor, rows: int | None) -> tuple[Tensor, ...]:
    return (X,) if rows is None or len(X) <= rows else X.split(rows)


def prediction_settings(work: Work) -> list[Setting]:
    """In one piece, or in pieces that stay in a core's cache."""
    if work.rows < 10_000:
        return [setting | {"rows_at_once": None} for setting in threads_to_try(work)]
    return [{"threads": CORES, "rows_at_once": rows} for rows in (None, 8_000)]


class Peer(Contract):
    libraries = ("torch",)

    def settings(self, work: Work) -> list[Setting]:
        return threads_to_try(work) if work.trains else prediction_settings(work)

    def trainer(self, task: Task, threads: int) -> Trainer:
        return Trainer(task, threads)

    def predictor(self, task: Task, threads: int, rows_at_once: int | None) -> Predictor:
        torch.set_num_threads(threads)
        model = model_of(task.work).eval()
        put(model, task.weights)

        @torch.inference_mode()
        def predict(X: Array) -> Array:
            parts = [model(part).softmax(1) for part in cut(torch.from_numpy(X), rows_at_once)]
            return (parts[0] if len(parts) == 1 else torch.cat(parts)).numpy()

        return predict
