"""One peer in a process of its own, which does what it is told, a line of JSON at a time. `suite.py` starts it.

python -m peers NAME                 serves: reads requests from stdin, answers on stdout
python -m peers NAME --once FOLDER   imports, trains one epoch of the task in FOLDER, tells seconds and memory
"""

import importlib.metadata
import json
import operator
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from works import Task, cost, probabilities

from peers import Peer, load

CHECKED = 1_000  # rows of a prediction that are compared with NumPy's in float64
FASTEST = operator.itemgetter(0)


class Server:
    """Holds the peer and the piece of work at hand."""

    def __init__(self, peer: Peer):
        self.peer = peer
        self.repeat: Callable[[], float] | None = None  # one repetition: seconds an epoch or a prediction
        self.shortly = 0.0  # seconds that a repetition takes

    def prepare(self, folder: str, quick: bool) -> dict[str, Any]:
        """Build and compile; try the settings and keep the fastest; show that it learns, or predicts right."""
        start = perf_counter()
        self.repeat, self.shortly = None, 0.0
        task = Task.load(Path(folder))
        work = task.work
        if reason := self.peer.refuses(work):
            return {"refuses": reason}
        tried = []
        for setting in self.peer.settings(work)[: 1 if quick else None]:
            repeat, check = (self.training if work.trains else self.predicting)(task, setting)
            seconds = repeat()  # compiles
            for _ in range(0 if quick else 3):
                seconds = min(seconds, repeat())
                if tried and seconds > 3 * min(tried, key=FASTEST)[0]:
                    break  # hopeless
            tried.append((seconds, setting, repeat, check))
        seconds, setting, self.repeat, check = min(tried, key=FASTEST)
        return {
            "setting": setting,
            "tried": [{"setting": s, "seconds": t} for t, s, *_ in tried],
            "prepared_in": perf_counter() - start,
            **check(),
        }

    def training(self, task: Task, setting: dict[str, Any]) -> tuple[Callable[[], float], Callable[[], Any]]:
        trainer, epochs = self.peer.trainer(task, **setting), task.work.epochs

        def repeat() -> float:
            trainer.reset()
            start = perf_counter()
            trainer.train(epochs)
            return (perf_counter() - start) / epochs

        def check() -> dict[str, Any]:
            weights = trainer.weights()
            return {"cost": cost(task, weights)} if weights else {}

        return repeat, check

    def predicting(self, task: Task, setting: dict[str, Any]) -> tuple[Callable[[], float], Callable[[], Any]]:
        predict, X = self.peer.predictor(task, **setting), task.X
        predict(X)  # compiles
        start = perf_counter()
        predict(X)
        calls = max(1, round(0.01 / max(perf_counter() - start, 1e-7)))

        def repeat() -> float:
            start = perf_counter()
            for _ in range(calls):
                predict(X)
            return (perf_counter() - start) / calls

        def check() -> dict[str, Any]:
            P = predict(X)[:CHECKED]
            return {"error": float(np.abs(P - probabilities(task, X[:CHECKED])).max())} if len(P) else {}

        return repeat, check

    def turn(self, seconds: float) -> dict[str, Any]:
        """Repetitions for so many seconds, at least one, after a short warming up."""
        assert self.repeat is not None, "prepare comes first"
        start = perf_counter()
        while self.shortly < seconds and perf_counter() - start < 0.1 * seconds:  # a long repetition warms up itself
            self.repeat()
        samples: list[float] = []
        start = perf_counter()
        while not samples or perf_counter() - start < seconds:
            once = perf_counter()
            samples.append(self.repeat())
            self.shortly = perf_counter() - once
        return {"seconds": median(samples), "best": min(samples), "repetitions": len(samples)}

    def bandwidth(self) -> dict[str, Any]:
        from machine import bandwidth

        return {"bytes_per_second": bandwidth()}


def once(name: str, folder: Path) -> dict[str, Any]:
    """A process's whole life: import, first call, peak memory."""
    start = perf_counter()
    peer = load(name)
    imported = perf_counter() - start
    task = Task.load(folder)
    if reason := peer.refuses(task.work):
        return {"refuses": reason}
    before = perf_counter()
    trainer = peer.trainer(task, **peer.settings(task.work)[0])
    trainer.reset()
    trainer.train(1)
    return {"import": imported, "first_epoch": perf_counter() - before, "peak_bytes": peak()}


def peak() -> int:
    """The most memory this process had: VmHWM, since ru_maxrss begins with the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints goes to the log, not among the answers
    name, *rest = sys.argv[1:]

    def answer(request: Callable[[], dict[str, Any]]) -> bool:
        try:
            said = request()
        except Exception as error:
            traceback.print_exc()
            said = {"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:300]}
        print(json.dumps(said), file=answers)
        return "error" not in said

    if rest:
        answer(lambda: once(name, Path(rest[1])))
        return
    server: Any = None

    def begin() -> dict[str, Any]:
        nonlocal server
        server = Server(load(name))
        return {"versions": {library: importlib.metadata.version(library) for library in server.peer.libraries}}

    if not answer(begin):
        return
    for line in sys.stdin:
        request = json.loads(line)
        answer(lambda request=request: getattr(server, request.pop("do"))(**request))


main()
