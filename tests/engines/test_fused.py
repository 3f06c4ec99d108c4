"""The fused engine gives the plain engine's numbers: for every row of every table, whatever the shape and the threads.

Tolerance: both add the same numbers in another order, so a sum of n terms may differ by about n·eps of its size, with
eps 2e-16 in float64 and 1e-7 in float32; an optimizer that divides by √v makes relative errors of tiny derivatives
visible in theta. 1e-9 and 2e-3 of the largest number, in a few epochs, leave room for that and for nothing else.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright import ACTIVATIONS, LOSSES, OPTIMIZERS, Activation, Dropout, Layer, Loss, Network
from netwright.core import losses

fused = pytest.importorskip("netwright.engines.fused")
from netwright.core.samples import Samples  # noqa: E402
from netwright.engines import Plain, Steps  # noqa: E402
from netwright.engines.fused import compile as machine  # noqa: E402
from netwright.engines.fused import engine as fused_engine  # noqa: E402
from netwright.engines.fused.kernels import scalars  # noqa: E402
from netwright.engines.fused.workers import CALL  # noqa: E402
from netwright.engines.threads import cores  # noqa: E402
from strategies import FIRST_ORDER  # noqa: E402

DTYPES = (np.float64, np.float32)
ELEMENTWISE = [name for name in ACTIVATIONS if name != "softmax"]


def data(network, samples, seed=0):
    """X, Y of the loss's kind, and weights of mean 1."""
    rng = np.random.default_rng(seed)
    shape, classes = (network.outputs, samples), rng.integers(0, network.outputs, samples)
    Y = {
        "probability": rng.random(shape),
        "distribution": np.vstack([np.eye(k)[:, classes % k] for k in network.loss.blocks or (network.outputs,)]),
        "count": rng.poisson(2, shape),
        "real": rng.normal(size=shape),
        "partial": np.where(rng.random(shape) < 0.3, np.nan, rng.normal(size=shape)),
    }[network.loss.targets]
    weight = rng.random(samples) + 0.1
    return tuple(
        a.astype(network.dtype) for a in (rng.normal(size=(network.inputs, samples)), Y, weight / weight.mean())
    )


def close(network, a, b):
    """Equal to rounding, in the sense of the head of this file."""
    tolerance = 1e-9 if network.dtype == np.float64 else 2e-3
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1e-12, float(np.abs(a).max())))


def agree(make, *, optimizer="adam", samples=37, batch_size=8, epochs=3, threads=1, clip_norm=None, weighted=True):
    """Gradient, costs, theta and the optimizer's slots of both engines, from the same start."""
    plain, other = make(), make()
    X, Y, weight = data(plain, samples)
    weight = weight if weighted else None
    engine, given = fused.Fused(threads), Samples(X, Y, weight)
    close(plain, Plain().gradient(plain, given), engine.gradient(other, given))
    close(plain, plain.grad, other.grad)
    rules = [OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()]
    rng = np.random.default_rng(1)
    rates = np.linspace(0.02, 0.01, epochs * -(-samples // batch_size)).reshape(epochs, -1)
    for e in range(epochs):
        order = rng.permutation(samples)
        steps = Steps(batch_size, rates[[e]], order[np.newaxis], clip_norm)
        costs = Plain().run_epochs(plain, rules[0], given, steps), engine.run_epochs(other, rules[1], given, steps)
        close(plain, *costs)
    close(plain, plain.theta, other.theta)
    assert rules[0].t == rules[1].t
    for name in rules[0].names:
        close(plain, rules[0].slots[name], rules[1].slots[name])


@pytest.fixture
def by_neurons(monkeypatch):
    """Let workers split the neurons of small layers too."""
    monkeypatch.setattr(fused_engine, "LARGE", 1)


# ── every row of every table ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_every_activation(activation, dtype):
    sizes = [5, 9, 3] if activation == "exp" else [5, 9, 7, 3]  # exp of exp leaves float32
    agree(lambda: Network(sizes, activation, loss="huber", rng=0, dtype=dtype), optimizer="gradient_descent")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", [*LOSSES, "huber:0.3", "quantile:0.9"])
@pytest.mark.parametrize("outputs", [1, 4])
def test_every_loss(loss, outputs, dtype):
    if losses.find_loss(loss).link == "softmax" and outputs == 1:
        pytest.skip("one class is nothing to choose from")
    agree(lambda: Network([5, 9, outputs], "silu", loss=loss, rng=0, dtype=dtype), optimizer="momentum")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("loss", ["quantile:0.1,0.5,0.9", "cross_entropy:3,2,1", "cross_entropy:6"])
def test_losses_whose_rows_are_not_all_alike(by_neurons, loss, threads, dtype):
    smoothing = 0.1 if losses.find_loss(loss).blocks else 0.0
    options = {"loss": loss, "label_smoothing": smoothing, "rng": 0, "dtype": dtype}
    agree(lambda: Network([5, 9, 6], "silu", **options), threads=threads, optimizer="momentum")
    agree(lambda: Network([5, 9, 6], "silu", dropout=0.2, **options), threads=threads, optimizer="momentum")


def test_levels_after_another_last_activation_than_the_link():
    agree(lambda: Network([5, 9, 6], ["tanh", "softplus"], loss="quantile:0.1,0.5,0.9", rng=0))


def test_blocks_and_levels_of_any_number_share_their_code():
    kernels = fused_engine.loss_kernel
    assert len({kernels(losses.quantile(*levels), np.float64) for levels in ((0.3,), (0.9,), (0.1, 0.9))}) == 1
    assert len({kernels(losses.cross_entropy(*blocks), np.float64) for blocks in ((), (3,), (3, 2))}) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", FIRST_ORDER)
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_every_optimizer(optimizer, clip_norm, dtype):
    agree(lambda: Network([5, 9, 3], loss="logloss", rng=0, dtype=dtype), optimizer=optimizer, clip_norm=clip_norm)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_last_activation_that_is_not_the_link_goes_by_the_chain_rule(activation):
    agree(lambda: Network([5, 9, 3], ["tanh", activation], loss="squared_error", rng=0))


@pytest.mark.filterwarnings("ignore:.*goes outside their range:UserWarning")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation", ["softmax", "softmax:2,4", "softplus", "sigmoid", "hard_sigmoid", "sigmoid:0.1,0.8"]
)
@pytest.mark.parametrize("loss", ["logloss", "cross_entropy", "cross_entropy:2,4", "poisson"])
def test_the_chain_rule_through_a_link(loss, activation, dtype, threads):
    """Outputs outside of what the link gives, and at its edges (hard_sigmoid's 0 and 1), included."""
    agree(
        lambda: Network([5, 40, 6], ["tanh", activation], loss=loss, rng=0, dtype=dtype),
        optimizer="gradient_descent", epochs=2, threads=threads,
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_as_a_hidden_activation(by_neurons, threads, dtype):
    agree(
        lambda: Network([5, 40, 6], ["softmax", "identity"], loss="squared_error", rng=0, dtype=dtype), threads=threads
    )
    blocks = ["softmax:7,2", "tanh", "softmax:3,1,2"]
    agree(lambda: Network([5, 9, 12, 6], blocks, loss="squared_error", rng=0, dtype=dtype), threads=threads)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_penalties_dropout_smoothing_and_weights_together(threads, dtype):
    def make():
        options = {"dropout": 0.3, "l2": 0.01, "l1": 0.002, "label_smoothing": 0.1}
        return Network([6, 20, 12, 3], "relu", loss="cross_entropy", rng=3, dtype=dtype, **options)

    agree(make, threads=threads, batch_size=10, clip_norm=0.5)


def test_dropout_of_the_inputs():
    layers = [Dropout(0.4), Layer(6, 8, "tanh", rng=0), Layer(8, 2, "sigmoid", rng=1)]
    for threads in (1, 2):
        agree(lambda: Network([Dropout(0.4), *map(fresh, layers[1:])], rng=5), threads=threads)


def fresh(layer):
    copy = Layer(layer.inputs, layer.neurons, layer.activation.name, rng=0)
    copy.W = layer.W
    return copy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [2, 3])
def test_splitting_neurons(by_neurons, threads, dtype):
    def make():
        return Network([30, 70, 40, 5], "gelu", loss="cross_entropy", rng=0, l2=0.01, l1=0.001, dtype=dtype)

    agree(make, threads=threads, samples=50, batch_size=16)
    agree(make, threads=threads, samples=50, batch_size=50, weighted=False)
    agree(make, threads=threads, samples=50, batch_size=16, clip_norm=0.1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize(("loss", "outputs"), [("cross_entropy", 7), ("logloss", 1), ("huber", 3)])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_splitting_the_one_hidden_layer(dropout, loss, outputs, threads, dtype):
    """Its 75 neurons are no multiple of anything; 50 samples leave a smaller last batch."""

    def make():
        layers = list(Network([30, 75, outputs], "gelu", loss=loss, dropout=dropout, rng=0, dtype=dtype).layers)
        return Network(([Dropout(dropout)] if dropout else []) + layers, loss=loss, l2=0.01, l1=0.001, rng=0)

    for more in ({"batch_size": 16}, {"batch_size": 50, "weighted": False}, {"batch_size": 16, "clip_norm": 0.1}):
        agree(make, threads=threads, samples=50, **more)
    agree(make, threads=threads, samples=50, batch_size=16, optimizer="gradient_descent")  # no slots
    engine = fused.Fused(threads)
    engine.prepare(make(), 16, updates=True)
    assert engine.threads == threads
    assert engine.program.make is fused_engine.train_by_hidden


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("split", ["rows", "neurons"])
def test_penalties_per_batch_of_a_last_smaller_batch_too(split, weighted, threads, dtype, monkeypatch):
    """37 rows in batches of 16: the last one's 5 have a penalty three times as large, whichever worker adds it."""
    monkeypatch.setattr(fused_engine, "LARGE", 1 if split == "neurons" else 10**9)

    def make():
        options = {"l2": 3.0, "l1": 0.5, "penalty_per_batch": True}
        return Network([6, 40, 20, 3], "tanh", loss="cross_entropy", rng=3, dtype=dtype, **options)

    agree(make, threads=threads, batch_size=16, weighted=weighted, optimizer="gradient_descent")
    agree(make, threads=threads, batch_size=37, weighted=weighted)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    samples=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    threads=st.integers(1, 3),
    split=st.booleans(),
)
def test_any_shape(sizes, samples, batch_size, threads, split):
    large, fused_engine.LARGE = fused_engine.LARGE, 1 if split else 10**9
    try:
        agree(
            lambda: Network(sizes, "tanh", loss="squared_error", rng=0),
            samples=samples,
            batch_size=min(batch_size, samples),
            threads=threads,
            epochs=2,
        )
    finally:
        fused_engine.LARGE = large


def test_more_columns_than_a_tile_in_a_batch():
    agree(lambda: Network([3, 5, 2], loss="logloss", rng=0, dropout=0.2), samples=1500, batch_size=1500, epochs=2)
    agree(lambda: Network([3, 5, 2], loss="logloss", rng=0), samples=3000, batch_size=1400, threads=2, epochs=2)


# ── through train ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_train_gives_what_plain_gives(optimizer):
    batch = 16 if optimizer in FIRST_ORDER else None
    thetas, costs = [], []
    for engine in ("plain", "fused"):
        network = Network([6, 12, 3], "elu", loss="cross_entropy", rng=0)
        X, Y, weight = data(network, 100)
        history = network.train(X, Y, weight=weight, epochs=10, batch_size=batch, optimizer=optimizer, engine=engine)
        thetas.append(network.theta.copy())
        costs.append(history.cost)
    np.testing.assert_allclose(thetas[0], thetas[1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(costs[0], costs[1], rtol=1e-8)


@pytest.mark.parametrize("watched", [True, False])
def test_many_epochs_at_once_are_the_same_as_one_by_one(watched):
    network = Network([6, 12, 3], loss="cross_entropy", rng=0)
    X, Y, _ = data(network, 64)
    callbacks = [lambda network, history: None] if watched else []
    history = network.train(X, Y, epochs=300, batch_size=16, schedule="cosine", engine="fused", callbacks=callbacks)
    other = Network([6, 12, 3], loss="cross_entropy", rng=0)
    plain = other.train(X, Y, epochs=300, batch_size=16, schedule="cosine", engine="plain")
    np.testing.assert_allclose(network.theta, other.theta, rtol=1e-6, atol=1e-9)
    assert history.learning_rate == plain.learning_rate
    assert len(history) == len(history.seconds) == 300
    assert np.all(np.diff(history.seconds) >= 0)


def test_divergence_is_found_at_the_epoch_where_it_happened():
    network = Network([6, 12, 3], "relu", loss="squared_error", rng=0)
    X, Y, _ = data(network, 64)
    said = []
    for engine in ("plain", "fused"):
        network = Network([6, 12, 3], "relu", loss="squared_error", rng=0)
        with pytest.raises(FloatingPointError) as error:
            network.train(X, Y, epochs=500, batch_size=16, optimizer="momentum", learning_rate=0.9, engine=engine)
        said.append(str(error.value))
        assert np.isfinite(network.theta).all()
    assert said[0] == said[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_call_gives_the_same_bits(threads, by_neurons):
    thetas = set()
    for _ in range(4):
        network = Network([30, 64, 33, 3], "silu", loss="cross_entropy", rng=0, dtype="float32")
        X, Y, _ = data(network, 300)
        network.train(X, Y, epochs=5, batch_size=32, engine="fused", n_threads=threads)
        thetas.add(network.theta.tobytes())
    assert len(thetas) == 1


def test_a_resumed_training_ends_with_the_same_bits(tmp_path):
    def train(epochs, **options):
        network = Network([6, 12, 3], "relu", loss="cross_entropy", rng=0, dropout=0.2)
        X, Y, _ = data(network, 64)
        network.train(X, Y, epochs=epochs, batch_size=16, **options)
        return network.theta.tobytes()

    file = tmp_path / "checkpoint"
    whole = train(20, engine="fused", n_threads=1)
    train(8, engine="fused", n_threads=1, checkpoint=file)
    assert train(20, checkpoint=file, resume=True) == whole  # "auto" goes on with the engine that wrote the file
    with pytest.raises(ValueError, match="engine was fused there and is plain now"):
        train(20, checkpoint=file, resume=True, engine="plain")


# ── what a user wrote ────────────────────────────────────────────────────────────────────────────────────────────────

SLOPE = 0.25


def _bent(Z):
    return np.where(Z > 0, Z, SLOPE * Z) + 0.1 * np.sin(Z)


def test_own_activation_and_loss_are_compiled():
    bent = Activation("bent", _bent, lambda Z, A: np.where(Z > 0, 1.0, SLOPE) + 0.1 * np.cos(Z))
    width = 1.5
    cosh = Loss(
        "log_cosh", lambda Z, Y: np.log(np.cosh((Z - Y) / width)), lambda Z, A, Y: np.tanh((Z - Y) / width) / width
    )
    for dtype in DTYPES:
        agree(lambda dtype=dtype: Network([4, 8, 2], bent, loss=cosh, rng=0, dtype=dtype), optimizer="gradient_descent")


def test_two_own_activations_of_one_name_are_not_mixed_up():
    for slope in (0.1, 0.7):
        own = Activation(
            "mine", lambda Z, s=slope: np.maximum(Z, s * Z), lambda Z, A, s=slope: np.maximum(np.sign(Z), s)
        )
        agree(lambda own=own: Network([4, 8, 2], own, loss="squared_error", rng=0))


def test_what_cannot_be_compiled_falls_back_with_one_line(caplog):
    table = {"slope": 0.5}  # a dict: nothing that machine code could hold
    own = Activation("own", lambda Z: table["slope"] * Z, lambda Z, A: 0 * Z + table["slope"])
    networks = [
        Network([4, 8, 2], own, loss="squared_error", rng=0),
        Network([Layer(4, 8, rng=0), Dropout(0.1), Dropout(0.1), Layer(8, 2, "sigmoid", rng=0)], rng=0),
    ]
    for network in networks:
        X, Y, _ = data(network, 20)
        with caplog.at_level(logging.WARNING, "netwright"):
            caplog.clear()
            network.train(X, Y, epochs=2, batch_size=5, engine="fused")
        (record,) = caplog.records
        assert "the fused engine cannot run this: " in record.message
        assert "\n" not in record.message


# ── threads ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_networks_at_once_from_two_threads():
    def train(results, seed):
        network = Network([10, 40, 3], "tanh", loss="cross_entropy", rng=seed)
        X, Y, _ = data(network, 200)
        network.train(X, Y, epochs=10, batch_size=32, engine="fused", n_threads=2)
        results[seed] = network.theta.copy()

    alone, together = {}, {}
    for seed in (0, 1):
        train(alone, seed)
    threads = [threading.Thread(target=train, args=(together, seed)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for seed in (0, 1):
        np.testing.assert_array_equal(alone[seed], together[seed])


def test_programs_that_keep_every_core_busy_do_not_stop_the_workers():
    """Each may wait for the other's turn; at every step it would take some hundred times as long as on one worker."""
    network = Network([64, 100, 10], loss="cross_entropy", rng=0, dtype=np.float32)
    X, Y, _ = data(network, 640)
    rates, rule = np.full((10, 20), 1e-3), OPTIMIZERS["adam"]()
    engines, seconds = [fused.Fused(1), fused.Fused(2)], []
    for engine in engines:
        engine.run_epochs(network, rule, Samples(X, Y), Steps(32, rates, None, None))  # compiles
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores())]
    try:
        for engine in engines:
            started = time.perf_counter()
            for _ in range(10):
                engine.run_epochs(network, rule, Samples(X, Y), Steps(32, rates, None, None))
            seconds.append(time.perf_counter() - started)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert seconds[1] < 50 * seconds[0]


def _train_in_child(sender):
    network = Network([10, 40, 3], loss="cross_entropy", rng=0)
    X, Y, _ = data(network, 50)
    network.train(X, Y, epochs=3, batch_size=10, engine="fused", n_threads=2)
    sender.send(network.theta)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_training_works_after_a_fork():
    context = multiprocessing.get_context("fork")
    network = Network([10, 40, 3], loss="cross_entropy", rng=0)
    X, Y, _ = data(network, 50)
    network.train(X, Y, epochs=3, batch_size=10, engine="fused", n_threads=2)  # threads that the child will not have
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_train_in_child, args=(sender,), daemon=True)
    child.start()
    sender.close()  # so that a child that dies ends the waiting
    assert receiver.poll(60)
    np.testing.assert_array_equal(receiver.recv(), network.theta)
    child.join(60)
    assert child.exitcode == 0


# ── prediction ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("samples", [1, 2, 511, 512, 513, 5000])
@pytest.mark.parametrize("loss", ["cross_entropy", "cross_entropy:1,2", "poisson"])
def test_a_predictor_predicts(samples, loss, dtype):
    network = Network([7, 20, 3], "gelu", loss=loss, rng=0, dtype=dtype, dropout=0.5)
    predict = network.predictor(n_threads=2)
    X = np.random.default_rng(0).normal(size=(7, samples))
    for _ in range(2):
        A = predict(X)
        assert A.dtype == dtype
        np.testing.assert_allclose(A, network.predict(X), rtol=1e-12 if dtype == np.float64 else 1e-5)
        network.theta = network.theta * 1.1  # it follows the network


def test_a_predictor_refuses_what_predict_refuses():
    predict = Network([7, 20, 3], rng=0).predictor()
    for wrong in (np.zeros((6, 1)), np.zeros(7), np.zeros((8, 100)), np.full((7, 2), np.nan), "text"):
        with pytest.raises(ValueError, match="X must"):
            predict(wrong)


def test_an_interrupted_prediction_leaves_the_next_one_right():
    network = Network([30, 200, 3], loss="cross_entropy", rng=0)
    predict, X = network.predictor(n_threads=2), np.random.default_rng(0).normal(size=(30, 40_000))
    right, interrupted = predict(X), 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for k in range(30):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0003 * k)
                predict(X)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            np.testing.assert_array_equal(predict(X[:, ::-1]), right[:, ::-1])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted


def test_ctrl_c_between_any_two_steps_of_the_caller_leaves_no_worker_waiting():
    """Three workers meet at a barrier; their caller is interrupted before each of its bytecodes in turn."""
    workers, before, done = fused_engine.Workers(), sys.gettrace(), 0
    workers.run(CALL(lambda address, w: None), np.zeros(1), 3, None)  # so that the threads are there

    def interrupted(at):
        barrier, seen = threading.Barrier(3), 0

        def trace(frame, event, argument):
            nonlocal seen
            if frame.f_code is not fused_engine.Workers.run.__code__:
                return None
            frame.f_trace_opcodes = True
            seen += event == "opcode"
            if seen == at:
                raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            workers.run(CALL(lambda address, w: barrier.wait(60) and None), np.zeros(1), 3, None)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    while interrupted(done + 1):  # a worker left behind would miss the next barrier, which breaks
        done += 1
    assert done > 20


def test_a_run_leaves_alone_what_workers_of_an_interrupted_one_wait_on():
    """They have all arrived when the caller is free, but one may not have looked yet."""
    network, rule, counts, held = Network([10, 40, 3], loss="cross_entropy", rng=0), OPTIMIZERS["adam"](), [], []
    X, Y, _ = data(network, 50)

    class Noting(fused_engine.Workers):
        def run(self, loop, plan, threads, memory):
            super().run(loop, plan, threads, memory)
            counts.append(ctypes.c_int64.from_address(int(plan[fused_engine.Plan.BARRIER])))
            held.append(memory)

    engine = fused.Fused(2)
    engine.workers = Noting()
    engine.run_epochs(network, rule, Samples(X, Y), Steps(10, np.full((1, 5), 0.01), None, None))
    arrived = counts[0].value
    engine.gradient(network, Samples(X, Y))
    engine.run_epochs(network, rule, Samples(X, Y), Steps(10, np.full((1, 5), 0.01), None, None))
    assert [count.value for count in counts] == [arrived, 4, arrived]
    assert arrived == 12


# ── numbers and code ─────────────────────────────────────────────────────────────────────────────────────────────────

RANGES = {"exp": (-80, 80), "expm1": (-20, 20), "log": (1e-3, 1e3), "log1p": (-0.9, 9), "tanh": (-12, 12)}


@pytest.mark.parametrize("F", DTYPES)
@pytest.mark.parametrize("name", RANGES)
def test_functions_of_one_number_are_right_to_a_few_units_in_the_last_place(name, F):
    from numba import njit

    f = getattr(scalars.functions(F), name)

    @njit(**machine.FLAGS)
    def over(x, y):
        for i in range(x.size):
            y[i] = f(x[i])

    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(*RANGES[name], 20_000), rng.uniform(0.5, 1.5, 20_000)]).astype(F)
    y = np.empty_like(x)
    over(x, y)
    right = getattr(np, name)(x.astype(np.longdouble))
    assert np.max(np.abs(y - right) / np.spacing(np.abs(right.astype(F)))) < 4.5
    edges = np.array([np.nan, np.inf, -np.inf, 0, -800, 800], F)
    y = np.empty_like(edges)
    over(edges, y)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(y, getattr(np, name)(edges), rtol=1e-6)


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=True
    ).stdout.split()


TRAIN = """
import numpy as np
from netwright import Network
network = Network([3, 4, 2], "relu", loss="cross_entropy", rng=0)
network.train(np.eye(3), np.eye(2)[:, [0, 1, 0]], epochs=2, engine="fused")
from netwright.engines.fused import compile as machine
from netwright.engines.cache import cache_directory
print(network.theta.sum().hex(), machine.seconds_compiling > 0, cache_directory())
"""


@pytest.mark.slow
def test_code_is_compiled_once_and_kept(tmp_path):
    first = run(TRAIN, NETWRIGHT_CACHE_DIR=str(tmp_path))
    again = run(TRAIN, NETWRIGHT_CACHE_DIR=str(tmp_path))
    assert first == [first[0], "True", str(tmp_path)]
    assert again == [first[0], "False", str(tmp_path)]
    for file in tmp_path.iterdir():  # a damaged cache is compiled anew, not run
        file.write_bytes(b"damaged")
    assert run(TRAIN, NETWRIGHT_CACHE_DIR=str(tmp_path))[0] == first[0]


AFTER_WARM_UP = """
import itertools, logging
import numpy as np
from netwright import ACTIVATIONS, LOSSES, OPTIMIZERS, Network
from netwright.engines import Job
from netwright.engines.fused import Fused, engine, warm_up
from netwright.engines.fused import compile as machine
logging.disable()
warm_up()
before, engine.LARGE = machine.seconds_compiling, 1
elementwise = [name for name in ACTIVATIONS if name != "softmax"]
pairs = itertools.product(elementwise, [*LOSSES, "huber:0.3", "cross_entropy:2,1"])
for (activation, loss), dtype, threads in itertools.product(pairs, ("float64", "float32"), (1, 2)):
    network = Network([4, 6, 3], activation, loss=loss, rng=0, dtype=dtype, l2=0.1, l1=0.1, dropout=0.5)
    for optimizer in OPTIMIZERS.values():
        job = Job(network, optimizer(), 100, 10)
        assert job.listed()
        Fused(threads).compile(network, job.optimizer, 10)
print(machine.seconds_compiling - before)
"""


@pytest.mark.slow
def test_after_warm_up_nothing_that_the_tables_list_is_compiled(tmp_path):
    """In a folder of its own: in the common one another test may have compiled what is missing."""
    assert run(AFTER_WARM_UP, NETWRIGHT_CACHE_DIR=str(tmp_path)) == ["0.0"]


@pytest.mark.slow
def test_processes_share_the_cache_without_a_race(tmp_path):
    environment = os.environ | {"NETWRIGHT_CACHE_DIR": str(tmp_path)}
    children = [
        subprocess.Popen([sys.executable, "-c", TRAIN], env=environment, stdout=subprocess.PIPE) for _ in range(3)
    ]
    said = [child.communicate(timeout=300)[0].split()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(set(said)) == 1
    assert not list(tmp_path.glob("*.tmp*"))


FORKS = """
import multiprocessing, threading, warnings
import numpy as np
from netwright import MLPClassifier, Network

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(400, 6))
model = MLPClassifier((16,), engine="fused", max_iter=5, random_state=0).fit(X, X[:, 0] > 0)
network = Network([6, 300, 1], rng=0)
right = model.predict(X).sum(), network.predict(X.T).sum()

def busy():
    while True:
        model.predict(X)
        network.predict(X.T)

def child():
    assert (model.predict(X).sum(), network.predict(X.T).sum()) == right

for _ in range(3):
    threading.Thread(target=busy, daemon=True).start()
children = []
for _ in range(20):
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    children.append(process.exitcode)
    process.kill()
print(children)
import os
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_forked_while_others_predict_predicts_too():
    """The locks that they held are not held by anybody in the child."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == str([0] * 20), done.stderr[-2000:]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("samples", [1, 2, 700])
def test_a_predictor_refuses_what_is_not_finite(samples, bad, dtype):
    predict = Network([3, 5, 2], rng=0, dtype=dtype).predictor()
    X = np.ones((3, samples))
    right = predict(X)
    X[1, samples - 1] = bad
    with pytest.raises(ValueError, match=rf"X must be finite: X\[1, {samples - 1}\] is {bad}"):
        predict(X)
    np.testing.assert_array_equal(predict(np.ones((3, samples))), right)


@pytest.mark.slow
def test_one_sample_of_a_large_network_needs_no_second_worker():
    """Whether it comes as an array, as a list, or is refused."""
    network = Network([2500, 2100, 1], "relu", loss="squared_error", rng=0, dtype="float32")
    predict, x = network.predictor(3), np.ones((2500, 1), np.float32)
    np.testing.assert_array_equal(predict(x.tolist()), predict(x))
    x[7] = np.nan
    with pytest.raises(ValueError, match=r"X\[7, 0\] is nan"):
        predict(x)


def test_threads_are_bounded_by_the_machine():
    script = """
        import threading
        import numpy as np
        from netwright import Network
        network = Network([6, 8, 1], loss="squared_error", rng=0)
        X, Y = np.ones((6, 5000)), np.ones((1, 5000))
        network.train(X, Y, epochs=1, batch_size=5000, engine="fused", n_threads=10**6)
        network.predictor(n_threads=10**6)(np.ones((6, 400_000)))
        print(threading.active_count())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 4 * os.cpu_count()
