"""ONNX Runtime, for prediction: the graph written by hand, one Gemm a layer."""

import numpy as np
import onnxruntime
from works import Array, Task, Work

from peers import CORES, Predictor, Setting, threads_to_try
from peers import Peer as Contract


def graph_of(task: Task) -> bytes:
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, weights, A = [], [], "X"
    last = len(task.weights) - 1
    for i, (W, b) in enumerate(task.weights):
        weights += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [A, f"W{i}", f"b{i}"], [f"Z{i}"], transB=1))
        kind, A = ("Softmax", "P") if i == last else ("Relu", f"A{i}")
        nodes.append(helper.make_node(kind, [f"Z{i}"], [A]))
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])]
        for name, width in (("X", task.work.sizes[0]), ("P", task.work.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", *ends, initializer=weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return model.SerializeToString()


class Peer(Contract):
    libraries = ("onnxruntime", "onnx")

    def refuses(self, work: Work) -> str:
        return "only predicts" if work.trains else ""

    def settings(self, work: Work) -> list[Setting]:
        if work.rows < 10_000:
            return [setting | {"rows_at_once": None} for setting in threads_to_try(work)]
        return [{"threads": CORES, "rows_at_once": rows} for rows in (1_000, 8_000, None)]

    def predictor(self, task: Task, threads: int, rows_at_once: int | None) -> Predictor:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(graph_of(task), options, providers=["CPUExecutionProvider"])

        def predict(X: Array) -> Array:
            if rows_at_once is None:
                return session.run(None, {"X": X})[0]
            P = np.empty((len(X), task.work.sizes[-1]), np.float32)
            for low in range(0, len(X), rows_at_once):
                P[low : low + rows_at_once] = session.run(None, {"X": X[low : low + rows_at_once]})[0]
            return P

        return predict
