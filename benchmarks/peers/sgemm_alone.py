"""The machine's limit, in turn with the peers: the matrix products of the work and nothing else. See machine.py."""

from machine import Limit
from works import Array, Task, Work

from peers import CORES, Predictor, Setting
from peers import Peer as Contract


class Peer(Contract):
    libraries = ("scipy", "numba", "threadpoolctl")

    def refuses(self, work: Work) -> str:
        return "products this small say nothing" if max(work.sizes) < 16 or work.rows == 1 else ""

    def settings(self, work: Work) -> list[Setting]:
        shared = [False] if work.flops() / max(1, len(work.batches()) if work.trains else 1) < 5e6 else [False, True]
        return [{"each_shared": s, "samples_as_rows": rows} for s in shared[:CORES] for rows in (True, False)]

    def trainer(self, task: Task, each_shared: bool, samples_as_rows: bool) -> Limit:
        return Limit(task.work, each_shared, samples_as_rows)

    def predictor(self, task: Task, each_shared: bool, samples_as_rows: bool) -> Predictor:
        limit = Limit(task.work, each_shared, samples_as_rows)
        nothing = task.X[:0]

        def predict(X: Array) -> Array:
            limit.claim()  # another setting may have been tried since
            limit.train(1)
            return nothing

        return predict
