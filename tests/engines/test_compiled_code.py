"""Compiled code: the same from the compiler and from the disk, whatever happened to the disk."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from netwright.engines.threads import interrupts_wait

TRAIN = """
import hashlib, sys
import numpy as np
from netwright import Network
from netwright.engines.fused import compile as machine
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((17, 90)), np.eye(5)[:, rng.integers(0, 5, 90)]
for dtype in sys.argv[1:]:
    network = Network([17, 20, 5], "tanh", loss="cross_entropy", rng=0, dtype=dtype)
    network.train(X, Y, epochs=3, batch_size=32, engine="fused", n_threads=1)
    print(dtype, hashlib.blake2b(network.theta.tobytes() + network.predictor(1)(X).tobytes()).hexdigest())
print("compiled" if machine.seconds_compiling else "loaded")
"""


def train(cache, *dtypes, script=TRAIN):
    """What a process of its own prints that trains with each dtype; and what it says."""
    command = [sys.executable, "-c", script, *dtypes]
    environment = os.environ | {"NETWRIGHT_CACHE_DIR": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1], done.stderr


@pytest.mark.slow
def test_who_compiles_and_who_loads_compute_the_same_bits(tmp_path):
    together, said = train(tmp_path / "together", "float64", "float32")
    assert together[-1] == "compiled", said
    again, _ = train(tmp_path / "together", "float64", "float32")
    assert again == [*together[:-1], "loaded"]
    # Each dtype by another process, which gives its functions the same names: who loads both must not mix them up.
    for dtype, first in zip(("float64", "float32"), together[:-1], strict=True):
        assert train(tmp_path / "apart", dtype)[0] == [first, "compiled"]
    for dtypes in (("float64", "float32"), ("float32", "float64")):
        assert sorted(train(tmp_path / "apart", *dtypes)[0]) == sorted(again)


def flipped(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def truncated(file):
    file.write_bytes(file.read_bytes()[:-100])


def emptied(file):
    file.write_bytes(b"")


def a_directory(file):
    file.unlink()
    file.mkdir()


def a_full_directory(file):
    a_directory(file)
    (file / "something").touch()


@pytest.mark.slow
def test_damaged_code_is_noticed_thrown_away_and_compiled_anew(tmp_path):
    right, _ = train(tmp_path, "float64")
    for damage in (flipped, truncated, emptied, a_directory, a_full_directory):
        (file,) = tmp_path.glob("product-float64-*")
        damage(file)
        outcome, said = train(tmp_path, "float64")
        assert outcome == right
        assert said.count("is damaged") == 1, said
        assert str(file) in said
        assert "cannot run this" not in said
        if damage is not a_full_directory:  # which is left alone
            outcome, said = train(tmp_path, "float64")
            assert (outcome, said) == ([*right[:-1], "loaded"], "")
    assert not list(tmp_path.glob("*.tmp*"))


@pytest.mark.slow
@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="only root may give files away")
def test_code_of_another_user_is_not_run(tmp_path):
    right, _ = train(tmp_path, "float64")
    (file,) = tmp_path.glob("product-float64-*")
    os.chown(file, 65534, 65534)
    outcome, said = train(tmp_path, "float64")
    assert outcome == right
    assert "it is another user's" in said
    assert file.stat().st_uid == 0


@pytest.mark.slow
def test_ones_own_code_is_trusted_under_any_umask(tmp_path):
    before = os.umask(0o002)
    try:
        right, _ = train(tmp_path, "float64")
        again, said = train(tmp_path, "float64")
    finally:
        os.umask(before)
    assert (again, said) == ([*right[:-1], "loaded"], "")


@pytest.mark.slow
def test_without_a_trusted_place_it_compiles_for_itself_and_says_why(tmp_path):
    right, _ = train(tmp_path / "mine", "float64")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    outcome, said = train(tmp_path / "open", "float64")
    assert outcome == right
    assert "for this process alone, no directory of your own" in said
    assert "others may write to it, its mode is 777" in said
    assert not list((tmp_path / "open").iterdir())


WITHOUT_SYSTEM_CALLS = """
import llvmlite.binding as llvm
look_up, gone = llvm.address_of_symbol, ("sched_yield", "usleep", "clock_gettime")
llvm.address_of_symbol = lambda name: None if name in gone else look_up(name)
from netwright.engines.fused import compile, workers
from netwright import Network
assert not compile.SYSTEM_CALLS
assert workers.default_threads(Network([5, 4], rng=0), 10**9, 1) == 1
"""
TWO_WORKERS = """
network = Network([17, 64, 5], "tanh", loss="cross_entropy", rng=0)
network.train(X, Y, epochs=20, batch_size=32, engine="fused", n_threads=2)
print(hashlib.blake2b(network.theta.tobytes()).hexdigest())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of them")
def test_the_systems_calls_are_found_where_there_are_some():
    script = "from netwright.engines.fused.compile import SYSTEM_CALLS; print(SYSTEM_CALLS)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "True\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to take away")
def test_where_the_system_lacks_its_calls_workers_wait_without_them(tmp_path):
    usual, _ = train(tmp_path, "float64", script=TRAIN + TWO_WORKERS)
    without, said = train(tmp_path, "float64", script=WITHOUT_SYSTEM_CALLS + TRAIN + TWO_WORKERS)
    assert without == usual, said  # code that needs them is not taken from the disk
    names = (b"\0sched_yield\0", b"\0usleep\0", b"\0clock_gettime\0")  # as symbols to be found elsewhere
    calls = [any(name in file.read_bytes() for name in names) for file in sorted(tmp_path.glob("by_rows-*"))]
    assert sorted(calls) == [False, True]


WITHOUT_NUMBA = """
import sys, warnings
sys.modules |= {"numba": None, "llvmlite": None}
import numpy as np
from netwright import MLPClassifier, Network, TabularClassifier
from netwright.engines import warmed_up
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, Y = rng.random((3, 40)), np.eye(2)[:, rng.integers(0, 2, 40)]
thetas = []
for engine in ("plain", "fused", "auto"):
    network = Network([3, 4, 2], "relu", loss="cross_entropy", rng=0)
    network.train(X, Y, epochs=2, engine=engine)
    thetas.append(network.theta)
    assert (network.predictor()(X) == network.predict(X)).all()
assert (thetas[0] == thetas[1]).all() and (thetas[0] == thetas[2]).all()
for engine in ("fused", "auto"):
    classifier = MLPClassifier(engine=engine, max_iter=5, random_state=0).fit(X.T, Y[0])
    assert classifier.predict(X.T).shape == (40,)
tabular = TabularClassifier(random_state=0, max_time=3).fit(X.T, Y[0])  # its networks train on threads
assert tabular.predict(X.T).shape == (40,)
assert not warmed_up()
"""


@pytest.mark.slow
def test_without_numba_everything_works_and_one_line_says_so(tmp_path):
    outcome, said = train(tmp_path, script=WITHOUT_NUMBA)
    assert outcome == []
    assert said.count("\n") == 1, said
    assert said.startswith("the fused engine needs Numba")


def test_without_numba_warmup_is_one_line(tmp_path):
    script = (
        "import sys; sys.modules |= {'numba': None, 'llvmlite': None}; from netwright.cli import main; main(['warmup'])"
    )
    environment = os.environ | {"NETWRIGHT_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("netwright: there is nothing to compile: the fused engine needs Numba")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ── Ctrl-C while it compiles ─────────────────────────────────────────────────────────────────────────────────────────


class Going:
    """LLVM's objects tidy up when they go; what is raised there Python swallows."""

    def __init__(self, times):
        self.times = times

    def __del__(self):
        for _ in range(self.times):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def handled():
    """Ctrl-C as in a program of its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_while_it_compiles_comes_when_that_is_done(handled):
    def compiling(*pressed):
        with interrupts_wait():
            for times in pressed:
                Going(times)
            done.append("compiled")
            1 / len(pressed)

    done = []
    for pressed, error in (([1], KeyboardInterrupt), ([], ZeroDivisionError)):
        with pytest.raises(error):
            compiling(*pressed)
        assert done == ["compiled"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        done.clear()


def test_a_second_interrupt_comes_at_once(handled):
    def compiling():
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            done.append("once")
            signal.raise_signal(signal.SIGINT)
            done.append("never")

    done = []
    with pytest.raises(KeyboardInterrupt):
        compiling()
    assert done == ["once"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_somebodys_own_way_with_interrupts_is_left_alone(handled):
    seen = []
    signal.signal(signal.SIGINT, lambda *arguments: seen.append(1))
    with interrupts_wait():
        signal.raise_signal(signal.SIGINT)
    assert seen == [1]


def test_in_other_threads_nothing_waits(handled):
    def enter():
        with interrupts_wait():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            done.append(1)

    done = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert done == [1]
