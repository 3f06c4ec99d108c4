"""Checkpoints: a run that was killed, and started again by the same call, ends with the bits of one that never was."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import safe_open

import netwright
from netwright import OPTIMIZERS, Network
from netwright.core.arguments import generator
from netwright.core.optimizers import LBFGS, Adam, BayesianRegularization, LevenbergMarquardt
from netwright.engines.plain import Plain
from netwright.files.container import read

posix = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

# One call to train for each way of training that has something of its own to remember. Without `epochs`.
CASES = {
    "adam, dropout, one_cycle, patience": {
        "net": {"dropout": 0.3},
        "train": {"batch_size": 16, "schedule": "one_cycle", "patience": 500, "validation": True},
    },
    "adamw, dropout, cosine, float32, weights": {
        "net": {"dropout": 0.2, "dtype": "float32"},
        "train": {"optimizer": "adamw", "batch_size": 16, "schedule": "cosine", "weight": True, "validation": True},
    },
    "momentum": {"train": {"optimizer": "momentum", "batch_size": 16, "schedule": "step", "clip_norm": 0.5}},
    "gradient descent, full batch": {"train": {"optimizer": "gradient_descent"}},
    "lbfgs": {"train": {"optimizer": {"restart": 7}, "validation": True}},
    "lbfgs in one": {"train": {"optimizer": {"restart": None}}},
    "levenberg_marquardt": {"train": {"optimizer": "levenberg_marquardt", "weight": True, "validation": True}},
    "levenberg_marquardt, float32, no matrix": {
        "net": {"dtype": "float32"},
        "train": {"optimizer": LevenbergMarquardt(matrix=False), "validation": True},
    },
    "bayesian_regularization": {"train": {"optimizer": BayesianRegularization(flat=0, shared=True), "weight": True}},
    "bayesian_regularization, float32": {
        "net": {"dtype": "float32"},
        "train": {"optimizer": BayesianRegularization(flat=0), "validation": True},
    },
}


def start(case):
    """(network, arguments of train) of a case, as another process makes them again."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4, 100)), rng.normal(size=(2, 100))
    options = dict(CASES[case]["train"])
    if options.get("validation"):
        options["validation"] = (X[:, 80:], Y[:, 80:])
    if options.get("weight"):
        options["weight"] = rng.integers(0, 4, 80)
    if isinstance(options.get("optimizer"), dict):
        options["optimizer"] = LBFGS(**options["optimizer"])
    network = Network([4, 8, 2], loss="squared_error", rng=3, **CASES[case].get("net", {}))
    return network, {"X": X[:, :80], "Y": Y[:, :80], "rng": 11, "engine": "plain", **options}


def run(case, epochs, **options):
    network, arguments = start(case)
    history = network.train(**arguments | {"epochs": epochs} | options)
    return network, history


def same(one, two):
    """Whether two (network, history) are equal to the bit, but for the clock."""
    (network, history), (other, its) = one, two
    np.testing.assert_array_equal(network.theta, other.theta)
    assert network.theta.dtype == other.theta.dtype
    assert {**vars(history), "seconds": 0} == {**vars(its), "seconds": 0}
    assert network.rng.bit_generator.state == other.rng.bit_generator.state


def ending_after(epochs):
    """A callback that ends the run as if by a kill, as soon as that many epochs are in the history."""

    def callback(network, history):
        if len(history) == epochs:
            raise SystemExit

    return callback


def held_at(epoch):
    """A callback for a process that is ended from outside: says that it trains, and does not get past that epoch."""
    said = []

    def callback(network, history):
        if not said:
            said.append(print("training", flush=True))
        if len(history) == epoch:
            time.sleep(60)

    return callback


@pytest.fixture
def always(monkeypatch):
    """Checkpoints after every epoch, however long they take."""
    monkeypatch.setattr("netwright.training.checkpoint.Keeper.write_if_due", lambda self: self.write_now())


# ── killed ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_ends_at_any_epoch_and_is_resumed_ends_with_the_same_bits(case, tmp_path, always):
    whole = run(case, 30)
    same(whole, run(case, 30, checkpoint=tmp_path / "other"))
    for epochs in (1, 2, 13, 14, 15, 29, 30):
        path = tmp_path / "checkpoint"
        with pytest.raises(SystemExit):
            run(case, 30, checkpoint=path, callbacks=[ending_after(epochs)])
        same(whole, run(case, 30, checkpoint=path, resume=True))


@pytest.mark.parametrize("case", CASES)
def test_a_run_killed_again_and_again_ends_with_the_same_bits(case, tmp_path, always):
    path = tmp_path / "checkpoint"
    whole = run(case, 30)
    for epochs in (3, 9, 10, 22, 30):
        with pytest.raises(SystemExit):
            run(case, 30, checkpoint=path, resume=True, callbacks=[ending_after(epochs)])
    same(whole, run(case, 30, checkpoint=path, resume=True))


@pytest.mark.parametrize("case", CASES)
def test_epochs_may_be_raised_at_any_of_them(case, tmp_path):
    if "one_cycle" in case or "cosine" in case:
        pytest.skip("its rates depend on the number of epochs")
    for epochs in (5, 13, 14, 30):
        resumed = run(case, epochs, checkpoint=tmp_path / "checkpoint", resume=True)
    same(run(case, 30), resumed)


# ── a disk that fills up while it learns ─────────────────────────────────────────────────────────────────────────────


def at(epochs, act):
    """A callback that does something after that epoch."""
    return lambda network, history: act() if len(history) == epochs else None


LOST = "cannot write .*checkpoint.*; training goes on, and the checkpoint is tried again"
OLDER = "cannot write .*, at the end of training too: the checkpoint is an older one"
AGAIN = "the checkpoint .* could be written again, and is of the end of training"
FATES = {  # what becomes of the folder, and what is said of it
    "it vanishes": (lambda folder: [at(4, lambda: shutil.rmtree(folder))], [LOST, OLDER]),
    "it vanishes and comes back": (
        lambda folder: [at(4, lambda: shutil.rmtree(folder)), at(9, folder.mkdir)], [LOST, AGAIN],
    ),
    "it vanishes twice": (
        lambda folder: [at(n, lambda: shutil.rmtree(folder)) for n in (4, 20)] + [at(9, folder.mkdir)],
        [LOST, OLDER],
    ),
    "a folder takes the file's place": (
        lambda folder: [at(4, lambda: ((folder / "checkpoint").unlink(), (folder / "checkpoint").mkdir()))],
        [LOST, OLDER],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("case", ["momentum", "lbfgs"])
def test_a_checkpoint_that_can_no_longer_be_written_costs_no_training(case, fate, tmp_path, always):
    folder, (callbacks, sentences) = tmp_path / "run", FATES[fate]
    folder.mkdir()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        lost = run(case, 30, checkpoint=folder / "checkpoint", callbacks=callbacks(folder))
    same(run(case, 30), lost)
    assert {word.category for word in told} == {RuntimeWarning}
    assert len(told) == len(sentences)
    for word, sentence in zip(told, sentences, strict=True):
        assert re.fullmatch(sentence, str(word.message))
    if AGAIN in sentences:
        same(lost, run(case, 30, checkpoint=folder / "checkpoint", resume=True))


TESTS = [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # this file's, and what several share
SCRIPT = """
    import sys
    sys.path[:0] = {tests!r}
    from test_resume import *
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    run({case!r}, {epochs}, checkpoint={path!r}, resume=True, callbacks=[held_at({held})])
"""


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    ("case", "end"),
    [(case, "SIGKILL") for case in CASES if "dropout" in case or case == "lbfgs"]
    + [(case, "SIGINT") for case in ("adam, dropout, one_cycle, patience", "lbfgs")],
)
def test_a_process_ended_at_random_moments_and_resumed_ends_with_the_same_bits(case, end, tmp_path):
    """Killed also while a checkpoint is being written: the file is never torn."""
    path, epochs = tmp_path / "checkpoint", 60 if case == "lbfgs" else 400
    rng = np.random.default_rng()  # another moment each time
    for held in (epochs // 4, epochs // 2, epochs - 1):
        script = SCRIPT.format(tests=TESTS, case=case, epochs=epochs, path=str(path), held=held)
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"training\n"
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(getattr(signal, end))
            assert process.wait(50) == (0 if end == "SIGINT" else -signal.SIGKILL)
        assert len(read(path)[2]["history"]["cost"]) <= held
    same(run(case, epochs), run(case, epochs, checkpoint=path, resume=True))


@pytest.mark.slow
@posix
def test_sigkill_in_the_midst_of_writing_leaves_a_whole_file(tmp_path):
    """A process that does nothing but write checkpoints, so that a kill nearly always falls into one."""
    path = tmp_path / "checkpoint"
    script = """
        import numpy as np
        from netwright import Network
        from netwright.training.checkpoint import Keeper
        Keeper.write_if_due = Keeper.write_now
        network = Network([100, 200, 1], loss="squared_error", rng=0)
        network.train(np.ones((100, 2)), np.ones((1, 2)), epochs=10**9, checkpoint={path!r}, engine="plain")
    """
    command = [sys.executable, "-c", textwrap.dedent(script.format(path=str(path)))]
    for epochs in (0, 1, 4, 9, 20):
        path.unlink(missing_ok=True)
        with subprocess.Popen(command) as process:
            while not path.exists() or len(read(path)[2]["history"]["cost"]) < epochs:  # whole whenever it is looked at
                assert process.poll() is None
                time.sleep(0.001)
            process.kill()
        assert len(read(path)[2]["history"]["cost"]) >= epochs
        assert netwright.load(path).inputs == 100


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("step", [4, 23, 47])
def test_ctrl_c_inside_an_epoch_and_resume_end_with_the_same_bits(case, step, tmp_path):
    path, whole = tmp_path / "checkpoint", run(case, 30)
    network, arguments = start(case)
    left = [step]

    class Interrupted(Plain):
        def gradient(self, network, *data):
            self.count()
            return super().gradient(network, *data)

        def run_epochs(self, network, optimizer, *data):
            cost = super().run_epochs(network, optimizer, *data)
            self.count()  # all is changed, nothing is recorded
            return cost

        def count(self):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

    history = network.train(**arguments | {"epochs": 30, "checkpoint": path, "engine": Interrupted()})
    assert history.stopped.startswith("interrupted") == (left[0] <= 0)
    same(whole, run(case, 30, checkpoint=path, resume=True))


# ── finished ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", CASES)
def test_a_finished_run_that_is_resumed_returns_at_once(case, tmp_path):
    path = tmp_path / "checkpoint"
    whole = run(case, 20, checkpoint=path)

    def never(network, history):
        raise AssertionError("an epoch was run")

    same(whole, run(case, 20, checkpoint=path, resume=True, callbacks=[never]))


def test_runs_stopped_by_patience_or_convergence_stay_stopped(tmp_path):
    case = "adam, dropout, one_cycle, patience"
    path = tmp_path / "checkpoint"
    whole = run(case, 300, checkpoint=path, patience=3)
    assert whole[1].stopped == "no lower validation cost for 3 epochs"
    same(whole, run(case, 300, checkpoint=path, patience=3, resume=True))

    path.unlink()
    converged = []
    for _ in range(2):
        network = Network([4, 2], loss="squared_error", rng=0)
        history = network.train(**start("lbfgs")[1], epochs=500, checkpoint=path, resume=True)
        assert history.stopped.startswith(f"converged after {len(history)} epochs")
        converged.append((network, history))
    same(*converged)


def test_a_run_stopped_by_a_callback_stays_stopped_if_the_callback_still_says_so(tmp_path):
    path = tmp_path / "checkpoint"
    stopping = [lambda n, h: len(h) >= 7]
    whole = run("momentum", 20, checkpoint=path, callbacks=stopping)
    assert whole[1].stopped == "stopped by a callback after 7 epochs"
    same(whole, run("momentum", 20, checkpoint=path, callbacks=stopping, resume=True))
    same(run("momentum", 20), run("momentum", 20, checkpoint=path, resume=True))


def test_more_time_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    """By a clock that goes on by a millisecond whenever it is looked at."""
    path, epochs, ticks = tmp_path / "checkpoint", 100_000, count()
    monkeypatch.setattr("netwright.training.run.time", SimpleNamespace(perf_counter=lambda: next(ticks) / 1000))
    _, history = run("momentum", epochs, checkpoint=path, max_seconds=0.05)
    assert history.stopped.startswith("time was up (0.05 s)")
    assert history.seconds[-2] < 0.05 <= history.seconds[-1]
    assert len(run("momentum", epochs, checkpoint=path, max_seconds=0.05, resume=True)[1]) == len(history)
    network, longer = run("momentum", epochs, checkpoint=path, max_seconds=0.1, resume=True)
    assert len(longer) > len(history)
    assert longer.cost[: len(history)] == history.cost
    assert longer.seconds == sorted(longer.seconds)
    assert longer.seconds[-2] < 0.1 <= longer.seconds[-1]
    np.testing.assert_array_equal(network.theta, run("momentum", len(longer))[0].theta)


def test_interrupted_in_its_first_epoch_a_training_has_all_its_time_left(tmp_path):
    class Stopped(Plain):
        def run_epochs(self, *arguments):
            raise KeyboardInterrupt

    X, Y = np.random.default_rng(0).normal(size=(2, 3, 8))
    options = {"epochs": 2, "rng": 0, "checkpoint": tmp_path / "begun", "resume": True, "max_seconds": 600}
    for engine, stopped in ((Stopped(), "interrupted after 0 epochs"), ("plain", "all 2 epochs done")):
        network = Network([3, 3], loss="squared_error", rng=0)
        assert network.train(X, Y, engine=engine, **options).stopped == stopped


def test_the_optimizer_and_the_generator_of_the_caller_go_on_too(tmp_path):
    """So a further training after a resumed one is the same as after a whole one."""
    results = []
    for killed in (False, True):
        path = tmp_path / str(killed)
        optimizer, rng = Adam(), np.random.default_rng(5)
        options = {"optimizer": optimizer, "rng": rng, "patience": None, "schedule": "constant", "checkpoint": path}
        if killed:
            with pytest.raises(SystemExit):
                run("adam, dropout, one_cycle, patience", 9, **options, callbacks=[ending_after(4)])
            options |= {"optimizer": (optimizer := Adam()), "rng": (rng := np.random.default_rng(99)), "resume": True}
        network, history = run("adam, dropout, one_cycle, patience", 9, **options)
        assert optimizer.t == 9 * 5
        _, arguments = start("adam, dropout, one_cycle, patience")
        further = network.train(**arguments | {"epochs": 4, "optimizer": optimizer, "rng": rng})
        results.append((network.theta.copy(), history.cost, further.cost))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1:] == results[1][1:]


# ── more epochs ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "inverse_scaling"])
def test_epochs_may_be_raised_where_the_schedule_does_not_depend_on_the_total(schedule, tmp_path):
    path = tmp_path / "checkpoint"
    run("momentum", 12, schedule=schedule, checkpoint=path)
    same(run("momentum", 30, schedule=schedule), run("momentum", 30, schedule=schedule, checkpoint=path, resume=True))


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", lambda e, E: 1 - e / E])
def test_epochs_must_stay_where_the_rates_so_far_depend_on_the_total(schedule, tmp_path):
    path = tmp_path / "checkpoint"
    run("momentum", 12, schedule=schedule, checkpoint=path)
    with pytest.raises(
        ValueError, match=r"with epochs=30 the schedule .* gives other learning rates for the 12 epochs"
    ):
        run("momentum", 30, schedule=schedule, checkpoint=path, resume=True)


def test_another_schedule_of_the_same_name_is_noticed_by_its_rates(tmp_path):
    path = tmp_path / "checkpoint"
    run("momentum", 12, schedule=lambda e, E: 1.0, checkpoint=path)
    with pytest.raises(ValueError, match="gives other learning rates"):
        run("momentum", 12, schedule=lambda e, E: 0.5, checkpoint=path, resume=True)


def test_fewer_epochs_than_are_done_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    run("momentum", 12, checkpoint=path)
    with pytest.raises(ValueError, match="it has 12 epochs, more than epochs=5"):
        run("momentum", 5, checkpoint=path, resume=True)


# ── what does not fit ────────────────────────────────────────────────────────────────────────────────────────────────


def test_resume_without_a_file(tmp_path):
    path = tmp_path / "checkpoint"
    same(run("momentum", 5), run("momentum", 5, checkpoint=path, resume=True))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        run("momentum", 5, resume=tmp_path / "missing")
    same(run("momentum", 5), run("momentum", 5, resume=path))
    assert not list(tmp_path.glob(".*"))


CHANGES = {
    "batch_size was 16": {"batch_size": 8},
    "learning_rate was 0.01": {"learning_rate": 0.5},
    "optimizer was .*adam.* is now|optimizer was .*momentum": {"optimizer": "nesterov", "learning_rate": 0.01},
    "schedule was": {"schedule": "constant"},
    "clip_norm was 0.5": {"clip_norm": None},
    "patience was None": {"patience": 4},
    "shuffle was True": {"shuffle": False},
    "generator was PCG64": {"rng": np.random.Generator(np.random.MT19937(1))},
    "weight was None": {"weight": np.arange(1, 81)},
    "validation was None": {"validation": (np.ones((4, 3)), np.ones((2, 3)))},
    "X was float64": {"X": np.ones((4, 80))},
    "Y was float64": {"Y": np.ones((2, 80))},
    "engine was plain": {"engine": type("Other", (Plain,), {"name": "other"})()},
}


@pytest.mark.parametrize("match", CHANGES)
def test_a_changed_argument_is_named_and_nothing_has_changed(match, tmp_path):
    path = tmp_path / "checkpoint"
    run("momentum", 5, checkpoint=path)
    network, arguments = start("momentum")
    theta, state = network.theta.copy(), network.rng.bit_generator.state
    kept = path.read_bytes()
    with pytest.raises(ValueError, match=match) as caught:
        network.train(**arguments | {"epochs": 5, "checkpoint": path, "resume": True} | CHANGES[match])
    assert str(caught.value).startswith(f"cannot resume from {path}")
    np.testing.assert_array_equal(network.theta, theta)
    assert network.rng.bit_generator.state == state
    assert path.read_bytes() == kept


@pytest.mark.parametrize(
    ("match", "network"),
    [
        ("the number of layers was 2 there and is 3 now", lambda: Network([4, 8, 8, 2], loss="squared_error")),
        (r"layers\[0\] was .*'neurons': 8.*'neurons': 9", lambda: Network([4, 9, 2], loss="squared_error")),
        (r"layers\[0\] was .*tanh.*relu", lambda: Network([4, 8, 2], "relu", loss="squared_error")),
        ("loss was squared_error there and is huber now", lambda: Network([4, 8, 2], loss="huber")),
        ("l2 was 0.0 there and is 0.5 now", lambda: Network([4, 8, 2], loss="squared_error", l2=0.5)),
        (
            "dtype was float64 there and is float32 now",
            lambda: Network([4, 8, 2], loss="squared_error", dtype="float32"),
        ),
    ],
)
def test_another_network_is_named(match, network, tmp_path):
    path = tmp_path / "checkpoint"
    run("momentum", 5, checkpoint=path)
    with pytest.raises(ValueError, match=match):
        network().train(**start("momentum")[1], resume=path)


def test_a_model_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "model"
    run("momentum", 1)[0].save(path)
    with pytest.raises(ValueError, match="holds a network, not a checkpoint"):
        run("momentum", 5, resume=path)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_checkpoint_loads_as_the_best_network_so_far(tmp_path, always):
    path = tmp_path / "checkpoint"
    case = "adam, dropout, one_cycle, patience"
    network, history = run(case, 60, checkpoint=path)
    assert 0 < history.best_epoch < 60
    loaded = netwright.load(path)
    np.testing.assert_array_equal(loaded.theta, network.theta)
    assert repr(loaded) == repr(network)
    with pytest.raises(SystemExit):
        run("momentum", 60, checkpoint=path, callbacks=[ending_after(8)])
    np.testing.assert_array_equal(netwright.load(path).theta, run("momentum", 7)[0].theta)


def test_its_header_is_strict_json_even_where_scores_are_not_finite(tmp_path):
    path = tmp_path / "checkpoint"
    one = np.ones((2, 1))
    _, history = run("momentum", 3, checkpoint=path, validation=(np.ones((4, 1)), one))  # r2 of one row is NaN
    assert np.isnan(history.validation_scores["r2"]).all()

    def refuse(word):
        raise AssertionError(word)

    with safe_open(path, "numpy") as file:
        header = json.loads(file.metadata()["header"], parse_constant=refuse)
    assert header["history"]["cost"] == history.cost
    _, its = run("momentum", 5, checkpoint=path, validation=(np.ones((4, 1)), one), resume=True)
    assert np.isnan(its.validation_scores["r2"]).all()
    assert len(its) == 5


@pytest.mark.parametrize("kind", ["MT19937", "Philox", "SFC64", "PCG64DXSM", "RandomState"])
def test_every_generator_of_numpy_goes_on(kind, tmp_path, always):
    def rng():
        if kind == "RandomState":
            return np.random.RandomState(4)
        return np.random.Generator(getattr(np.random, kind)(4))

    case, path = "adam, dropout, one_cycle, patience", tmp_path / "checkpoint"
    whole = run(case, 8, rng=rng())
    with pytest.raises(SystemExit):
        run(case, 8, rng=rng(), checkpoint=path, callbacks=[ending_after(5)])
    network, history = run(case, 8, rng=rng(), checkpoint=path, resume=True)
    np.testing.assert_array_equal(network.theta, whole[0].theta)
    assert history.cost == whole[1].cost
    assert generator(network.rng).random() == whole[0].rng.random()


def test_a_file_that_cannot_be_written_is_found_out_before_training(tmp_path):
    network, arguments = start("momentum")
    before = network.theta.copy()
    (tmp_path / "file").touch()
    for path, match in (
        (tmp_path / "missing" / "checkpoint", "there is no directory"),
        (tmp_path, "it is a directory"),
        (tmp_path / "file" / "checkpoint", "there is no directory"),
    ):
        with pytest.raises(OSError, match=f"cannot write {re.escape(str(path))}: {match}"):
            network.train(**arguments, checkpoint=path)
        np.testing.assert_array_equal(network.theta, before)


def test_numbers_from_numpy_can_be_kept(tmp_path):
    path = tmp_path / "checkpoint"
    options = {
        "patience": np.int64(3), "batch_size": np.int16(16), "clip_norm": np.float64(0.5),
        "optimizer": OPTIMIZERS["adam"](beta1=np.float64(0.75)),
    }  # fmt: skip
    run("momentum", np.int64(3), checkpoint=path, **options)
    run("momentum", np.int64(4), checkpoint=path, resume=True, **options)


def test_checkpoints_take_a_twentieth_of_the_time_at_most(tmp_path, monkeypatch):
    """By a clock on which an epoch takes 1 and a write 10, and one on which a write takes nothing."""
    for cost, most in ((10.0, 1000 // 200 + 2), (0.0, 1002)):
        now, writes = [0.0], []

        def write(*arguments, now=now, writes=writes, cost=cost):
            writes.append(now[0])
            now[0] += cost

        def tick(network, history, now=now):
            now[0] += 1

        clock = SimpleNamespace(perf_counter=lambda now=now: now[0])
        monkeypatch.setattr("netwright.training.checkpoint.time", clock)
        monkeypatch.setattr("netwright.training.run.write_checkpoint", write)
        run("gradient descent, full batch", 1000, checkpoint=tmp_path / "checkpoint", callbacks=[tick])
        assert most - 2 <= len(writes) <= most


def test_the_data_are_hashed_once(tmp_path, monkeypatch, always):
    import netwright.training.run as training

    calls = []
    original = training.fingerprint
    monkeypatch.setattr(training, "fingerprint", lambda *arrays: (calls.append(1), original(*arrays))[1])
    run("momentum", 10, checkpoint=tmp_path / "checkpoint")
    assert len(calls) == 4  # X, Y, weight, validation
