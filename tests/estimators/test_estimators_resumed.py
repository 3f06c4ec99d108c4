"""Training in parts is training: warm starts, partial_fit, checkpoints, kills and Ctrl-C, to the bit."""

import copy
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from netwright import MLPClassifier
from netwright.files.container import read
from small_problems import KINDS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
posix = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = X[:, 0] * X[:, 1] + 0.3 * RNG.normal(size=120)
WEIGHT = RNG.uniform(0.5, 2, 120)
ENDLESS = {"tol": 0.0, "n_iter_no_change": np.inf, "hidden_layer_sizes": (8,), "batch_size": 16, "random_state": 5}
CASES = {  # one for each way of training that has something of its own to remember
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "n_iter_no_change": 2},
    "adamw, dropout, clipped": {"solver": "adamw", "dropout": 0.3, "clip_norm": 0.5},
    "no shuffling": {"shuffle": False},
    "several networks": {"n_networks": 2},
}


def estimator(kind, case, **options):
    return kind(**ENDLESS | CASES[case] | options)


def target(kind):
    return (Y > 0).astype(int) if kind is MLPClassifier else Y


def same(one, other):
    """Whether two have learned the same, to the bit."""
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.loss_curve_ == other.loss_curve_
    assert one.t_ == other.t_
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


# ── in parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", [case for case in CASES if case != "adaptive"])
@pytest.mark.parametrize("kind", KINDS)
def test_warm_starts_and_partial_fits_are_one_long_fit(kind, case):
    y = target(kind)
    whole = estimator(kind, case, max_iter=40).fit(X, y, sample_weight=WEIGHT)
    warm = estimator(kind, case, max_iter=10, warm_start=True)
    for _ in range(4):
        warm.fit(X, y, sample_weight=WEIGHT)
    same(whole, warm)
    single = estimator(kind, case, max_iter=1, warm_start=True)
    partly = estimator(kind, case)
    for _ in range(40):
        single.fit(X, y, sample_weight=WEIGHT)
        partly.partial_fit(X, y, sample_weight=WEIGHT, **({"classes": [0, 1]} if kind is MLPClassifier else {}))
    same(whole, single)
    same(whole, partly)


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_of_another_network_is_refused(kind):
    warm = estimator(kind, "adam", max_iter=1, warm_start=True).fit(X, target(kind))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        warm.set_params(hidden_layer_sizes=(9,)).fit(X, target(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_as_random_state_goes_on_too(kind):
    y = target(kind)
    whole = estimator(kind, "adam", max_iter=20, random_state=np.random.RandomState(9)).fit(X, y)
    warm = estimator(kind, "adam", max_iter=5, warm_start=True, random_state=np.random.RandomState(9))
    for _ in range(4):
        warm.fit(X, y)
    same(whole, warm)


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_keeps_its_rows_across_warm_starts(kind):
    """scikit-learn splits anew, so that rows once trained on come to judge."""
    seen = []

    def scorer(estimator, X, y):
        seen.append(np.asarray(X).tobytes())
        return 0.0

    options = {"early_stopping": True, "max_iter": 3, "warm_start": True, "random_state": None, "scoring": scorer}
    warm = estimator(kind, "adam", **options)
    for _ in range(3):
        warm.fit(X, target(kind))
    assert len(seen) >= 9
    assert len(set(seen)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_in_the_middle_goes_on_alike(kind):
    """GridSearchCV, joblib and users copy estimators; a clone starts anew."""
    y = target(kind)
    whole = estimator(kind, "adam", max_iter=20).fit(X, y)
    half = estimator(kind, "adam", max_iter=10, warm_start=True).fit(X, y)
    for other in (copy.deepcopy(half), pickle.loads(pickle.dumps(half))):
        same(whole, other.fit(X, y))
    same(clone(half).fit(X, y), estimator(kind, "adam", max_iter=10).fit(X, y))


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────────────

HELD = {"early_stopping": True, "n_iter_no_change": 10_000}
RESUMABLE = CASES | {"early stopping": HELD, "lbfgs": {"solver": "lbfgs", "batch_size": "auto", "tol": 1e-9}}
RESUMABLE |= {name: {"solver": name, "batch_size": "auto"} for name in ("lm", "br")}
RESUMABLE |= {"cosine": {"schedule": "cosine"}}


def checkpointed(kind, case, **options):
    return kind(**ENDLESS | RESUMABLE[case] | options)


@pytest.mark.parametrize("case", [case for case in RESUMABLE if case != "cosine"])
@pytest.mark.parametrize("kind", KINDS)
def test_half_and_then_the_other_half(kind, case, tmp_path):
    path, y = tmp_path / "checkpoint", target(kind)
    whole = checkpointed(kind, case, max_iter=160).fit(X, y)
    same(whole, checkpointed(kind, case, max_iter=160, checkpoint=tmp_path / "other").fit(X, y))
    for epochs in (40, 130, 160):
        half = checkpointed(kind, case, max_iter=epochs, checkpoint=path, resume=True).fit(X, y)
    same(whole, half)


class Killed(SystemExit):
    """As a kill: nothing is tidied up."""


@pytest.mark.parametrize("case", [case for case in RESUMABLE if case not in ("lbfgs", "several networks")])
def test_a_fit_that_was_killed_and_is_resumed_ends_with_the_same_bits(case, tmp_path, monkeypatch):
    monkeypatch.setattr("netwright.training.checkpoint.Keeper.write_if_due", lambda self: self.write_now())
    epochs = count(1)

    def scorer(estimator, X, y):
        if next(epochs) in kills:
            raise Killed
        return estimator.score(X, y)

    y = target(MLPClassifier)
    kills = set()
    options = {"early_stopping": True, "n_iter_no_change": 10_000, "scoring": scorer, "max_iter": 30}
    whole = checkpointed(MLPClassifier, case, **options).fit(X, y)
    path, epochs, kills = tmp_path / "checkpoint", count(1), {4, 5, 17}
    for _ in kills:
        with pytest.raises(Killed):
            checkpointed(MLPClassifier, case, **options, checkpoint=path, resume=True).fit(X, y)
    resumed = checkpointed(MLPClassifier, case, **options, checkpoint=path, resume=True).fit(X, y)
    same(whole, resumed)
    assert whole.validation_scores_ == resumed.validation_scores_


@pytest.mark.filterwarnings("always:cannot write")
@pytest.mark.parametrize("case", ["adam", "lbfgs", "several networks"])
def test_a_full_disk_under_the_checkpoint_costs_no_fit(case, tmp_path, monkeypatch):
    def write(path, network, settings, state, history):
        if state.epochs:
            raise OSError(28, "cannot write checkpoint: No space left on device")

    y = target(MLPClassifier)
    whole = checkpointed(MLPClassifier, case, max_iter=8).fit(X, y)
    monkeypatch.setattr("netwright.training.run.write_checkpoint", write)
    with pytest.warns(RuntimeWarning, match="No space left on device, at the end of training too"):
        same(whole, checkpointed(MLPClassifier, case, max_iter=8, checkpoint=tmp_path / "checkpoint").fit(X, y))


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_something_else_is_refused(kind, tmp_path):
    path, y = tmp_path / "checkpoint", target(kind)
    estimator(kind, "adam", max_iter=3, checkpoint=path).fit(X, y)
    for options in ({"hidden_layer_sizes": (9,)}, {"solver": "rmsprop"}, {"batch_size": 17}):
        with pytest.raises(ValueError, match="checkpoint"):
            estimator(kind, "adam", checkpoint=path, resume=True).set_params(**options, max_iter=5).fit(X, y)
    with pytest.raises(ValueError, match="checkpoint"):
        estimator(kind, "adam", checkpoint=path, resume=True, max_iter=5).fit(X + 1, y)
    with pytest.raises(ValueError, match="checkpoint"):
        estimator(kind, "adam", resume=True, max_iter=5).fit(X, y)
    with pytest.raises(OSError, match="nowhere"):
        estimator(kind, "adam", checkpoint=tmp_path / "nowhere" / "c", max_iter=5).fit(X, y)


# ── killed and interrupted ───────────────────────────────────────────────────────────────────────────────────────────

TESTS = [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # this file's, and what several share
SCRIPT = """
import sys, warnings
sys.path[:0] = {tests!r}
from test_estimators_resumed import *
warnings.simplefilter("ignore")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
{do}
"""


def child(do):
    script = SCRIPT.format(tests=TESTS, do=do)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@posix
def test_sigkill_at_random_moments(tmp_path):
    """The children's trainings have no end, and are killed once the checkpoint has come further."""
    path, y, epochs = tmp_path / "checkpoint", target(MLPClassifier), 0
    options = {"n_iter_no_change": 10**9, "dropout": 0.2, "engine": "plain"}
    kept = options | {"checkpoint": str(path), "resume": True}
    do = f"checkpointed(MLPClassifier, 'early stopping', max_iter=10**9, **{kept}).fit(X, target(MLPClassifier))"
    for _ in range(2):
        with child(do) as process:
            while not path.exists() or len(read(path)[2]["history"]["cost"]) <= epochs:
                assert process.poll() is None
                time.sleep(0.001)
            time.sleep(np.random.default_rng().uniform(0, 0.1))
            process.kill()
        epochs = len(read(path)[2]["history"]["cost"])
    whole, resumed = (
        checkpointed(MLPClassifier, "early stopping", max_iter=epochs + 5, **each).fit(X, y) for each in (options, kept)
    )
    same(whole, resumed)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_keeps_the_best_so_far(kind):
    calls = count(1)

    def scorer(estimator, X, y):
        if next(calls) == 9:
            raise KeyboardInterrupt
        return estimator.score(X, y)

    stopped = estimator(kind, "adam", max_iter=500, scoring=scorer, early_stopping=True)
    with pytest.warns(UserWarning, match="interrupted"):
        stopped.fit(X[:80], target(kind)[:80], X_val=X[80:], y_val=target(kind)[80:])
    assert stopped.n_iter_ in (8, 9)
    score = stopped.score(X[80:], target(kind)[80:])
    assert score == pytest.approx(max(stopped.validation_scores_), abs=1e-12) == stopped.best_validation_score_


@posix
def test_a_real_ctrl_c():
    """The process goes on after fit, with an estimator that works."""
    do = """
epochs = count(1)
def scorer(estimator, X, y):
    if next(epochs) == 3:
        print("training", flush=True)
    return estimator.score(X, y)
options = {"early_stopping": True, "scoring": scorer, "engine": "plain"}
fitted = estimator(MLPClassifier, "adam", max_iter=10**9, **options).fit(X, target(MLPClassifier))
print(fitted.n_iter_, len(fitted.predict(X)), fitted.best_validation_score_ == max(fitted.validation_scores_))"""
    with child(do) as process:
        assert process.stdout.readline() == "training\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert re.fullmatch(r"[1-9]\d* 120 True\n", said), said


@pytest.mark.parametrize("kind", KINDS)
def test_max_time(kind):
    start = time.perf_counter()
    timed = estimator(kind, "adam", max_iter=10**9, max_time=0.2, engine="plain").fit(X, target(kind))
    assert 0.2 <= timed.history_.seconds[-1] <= time.perf_counter() - start
    assert max(timed.history_.seconds[:-1], default=0.0) < 0.2
    assert timed.history_.stopped.startswith("time was up (0.2 s)")


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_ends_several_networks_at_once(kind):
    """The main thread, which alone hears it, is waiting for the two that learn."""
    calls = count(1)

    def scorer(estimator, X, y):
        if next(calls) == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return estimator.score(X, y)

    options = {"early_stopping": True, "scoring": scorer, "engine": "plain"}
    several = estimator(kind, "several networks", max_iter=3000, **options)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.warns(UserWarning, match="interrupted by user"):
            several.fit(X, target(kind))
    finally:
        signal.signal(signal.SIGINT, before)
    assert 0 < several.n_iter_ < 3000
    assert all(0 < len(member.history) < 3000 for member in several._members)
    assert np.isfinite(several.predict(X).astype(float)).all()
