"""The plain engine is a loop of `network.gradient` and `optimizer.step`, on memory that nobody else holds."""

import ast
import os
import shutil
import subprocess
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import threadpoolctl
from sklearn.neural_network import MLPClassifier, MLPRegressor

from netwright import ENGINES, OPTIMIZERS, Activation, Network, engines
from netwright.core.samples import Samples
from netwright.engines import Engine, Job, Steps, cache, choose
from netwright.engines.plain import Plain, batches, clip
from netwright.engines.threads import Lock, one_thread
from strategies import FIRST_ORDER

fused = pytest.importorskip("netwright.engines.fused")

STILL = Steps(10, np.zeros((1, 5)), None, None)  # an epoch of 50 samples that moves nothing


def data(n=50, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, n)).astype(dtype), rng.normal(size=(2, n)).astype(dtype)


def net(**options):
    return Network([3, 6, 4, 2], "relu", loss="squared_error", rng=1, **options)


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("batch_size", [1, 8, 50])
def test_an_epoch_of_the_plain_engine_is_the_loop_written_by_hand(name, dtype, batch_size):
    X, Y = data(dtype=dtype)
    order = np.random.default_rng(2).permutation(50)
    rates = [0.01 / (i + 1) for i in range(-(-50 // batch_size))]
    network, by_hand = (
        net(dtype=dtype, dropout=0.3, l2=0.01, l1=0.001),
        net(dtype=dtype, dropout=0.3, l2=0.01, l1=0.001),
    )
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    steps = Steps(batch_size, np.array([rates]), order[np.newaxis], None)
    (cost,) = Plain().run_epochs(network, optimizer, Samples(X, Y), steps)
    total = 0.0
    for i, rate in enumerate(rates):
        rows = order[i * batch_size : (i + 1) * batch_size]
        total += by_hand.gradient(X[:, rows], Y[:, rows]) * rows.size
        other.step(by_hand.theta, by_hand.grad, rate)
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(network.theta, by_hand.theta, rtol=tolerance, atol=tolerance)
    assert cost == pytest.approx(total / 50, rel=1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize(("loss", "classes"), [("squared_error", 0), ("logloss", 2), ("cross_entropy", 3)])
def test_an_epoch_with_penalty_per_batch_is_scikit_learns(loss, classes):
    """Its second one, from the weights of the first, with a last batch of 2 rows for which the penalty counts most."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    y = rng.integers(0, classes, 30) if classes else rng.normal(size=30)
    options = {"hidden_layer_sizes": (6, 5), "activation": "tanh", "solver": "sgd", "momentum": 0.0, "alpha": 0.5}
    options |= {"batch_size": 7, "learning_rate_init": 0.1, "shuffle": False, "random_state": 0}
    if classes:
        theirs = MLPClassifier(**options).partial_fit(X, y, classes=np.arange(classes))
    else:
        theirs = MLPRegressor(**options).partial_fit(X, y)
    Y = np.eye(3)[:, y] if classes == 3 else y
    ours = Network([4, 6, 5, classes if classes > 2 else 1], loss=loss, l2=0.5, penalty_per_batch=True, rng=0)
    for layer, coefs, intercepts in zip(ours.layers, theirs.coefs_, theirs.intercepts_, strict=True):
        layer.W, layer.b = coefs.T, intercepts[:, None]
    theirs.partial_fit(X, y)
    given = {"learning_rate": 0.1, "batch_size": 7, "shuffle": False, "engine": "plain"}
    history = ours.train(X.T, Y, epochs=1, optimizer="gradient_descent", **given)
    for layer, coefs, intercepts in zip(ours.layers, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(layer.W, coefs.T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(layer.b.ravel(), intercepts, rtol=0, atol=1e-12)
    assert history.cost == pytest.approx(theirs.loss_curve_[1:], rel=1e-12)


def test_weights_of_mean_1_make_each_batch_part_of_one_weighted_mean():
    """A batch's gradient is Σ weight·gradient / rows: over an epoch each row counts as much as its weight says."""
    X, Y = data()
    weight = np.random.default_rng(3).uniform(0, 2, 50)
    weight /= weight.mean()
    network, seen = net(), []

    class Noting:
        def step(self, theta, grad, rate):
            seen.append(grad.copy())

    (cost,) = Plain().run_epochs(network, Noting(), Samples(X, Y, weight), STILL)
    assert cost == pytest.approx(network.gradient(X, Y, weight), rel=1e-13)
    np.testing.assert_allclose(np.mean(seen, axis=0), network.grad, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("order", [None, np.arange(10)[::-1]])
def test_batches_hold_every_row_once_with_its_target_and_weight(order):
    X, Y, weight = np.arange(20.0).reshape(2, 10), np.arange(10.0)[None] * 100, np.arange(10.0)
    parts = [tuple(part.copy() for part in batch) for batch in batches(Samples(X, Y, weight), order, 4)]
    assert [part[2].size for part in parts] == [4, 4, 2]
    together = [np.concatenate(kind, axis=-1) for kind in zip(*parts, strict=True)]
    rows = np.arange(10) if order is None else order
    for got, all_of_them in zip(together, (X, Y, weight), strict=True):
        np.testing.assert_array_equal(got, all_of_them[..., rows])


@pytest.mark.parametrize(
    ("grad", "norm", "expected"),
    [
        ([3.0, 4.0], 5.0, [3.0, 4.0]),
        ([3.0, 4.0], 6.0, [3.0, 4.0]),
        ([3.0, 4.0], 1.0, [0.6, 0.8]),
        ([0.0, 0.0], 1.0, [0.0, 0.0]),
        ([3e200, 4e200], 10.0, [6.0, 8.0]),
        ([-3e200, 0.0], 1e9, [-1e9, 0.0]),
    ],
)
def test_clip_shortens_what_is_longer_even_where_its_squares_overflow(grad, norm, expected):
    for scale, dtype in ((1.0, np.float64), (1.0 if max(map(abs, grad)) < 1e9 else 1e-170, np.float32)):
        vector = (np.array(grad) * scale).astype(dtype)
        with np.errstate(over="ignore"):
            clip(vector, norm)
        np.testing.assert_allclose(vector, expected, rtol=1e-6)
        assert vector.dtype == dtype


def test_clip_does_not_hide_what_is_not_finite():
    for bad in (np.inf, np.nan):
        vector = np.array([1.0, bad])
        with np.errstate(all="ignore"):
            clip(vector, 1.0)
        assert not np.isfinite(vector).all()


@pytest.mark.parametrize("batch_size", [10, 50])
def test_what_a_caller_holds_from_before_or_after_is_never_written_over(batch_size):
    X, Y = data()
    network, held = net(), []
    for columns in (X[:, :batch_size], X):
        network.feedforward(columns)
        network.gradient(columns, Y[:, : columns.shape[1]])
        held += [array for layer in network.layers for array in (layer.A1, layer.Z, layer.A)]
        held += [layer.dA1 for layer in network.layers[1:]]
    kept = [array.copy() for array in held]
    for _ in range(2):
        network.train(X, Y, epochs=3, batch_size=batch_size, engine="plain")
        held += [array for layer in network.layers for array in (layer.Z, layer.A)]
        kept += [array.copy() for array in held[len(kept) :]]
        network.feedforward(X[:, :batch_size])
        network.predict(X)
    for now, then in zip(held, kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_within_an_epoch_the_layers_use_their_memory_again():
    X, Y = data()
    places = []

    class Noting:
        def step(self, theta, grad, rate):
            places.append([layer.Z.__array_interface__["data"][0] for layer in network.layers])

    network = net()
    Plain().run_epochs(network, Noting(), Samples(X, Y), replace(STILL, orders=np.arange(50)[np.newaxis]))
    assert len(places) == 5
    assert all(place == places[0] for place in places)
    assert not any(layer.reuse for layer in network.layers)


def test_an_error_in_an_epoch_does_not_leave_the_layers_writing_over_their_memory():
    X, Y = data()
    network = net()

    class Failing:
        def step(self, theta, grad, rate):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Plain().run_epochs(network, Failing(), Samples(X, Y), STILL)
    assert not any(layer.reuse for layer in network.layers)


@pytest.mark.parametrize("hidden", [[6, 4], [400, 600]])  # so many parameters are divided by neurons
@pytest.mark.parametrize("engine", [Plain, partial(fused.Fused, 1), partial(fused.Fused, 2)])
def test_some_samples_are_taken_and_scaled_as_copies_of_them_would_be(engine, hidden):
    X, Y = data(dtype=np.float32)
    weight, scale = np.linspace(0.5, 1.5, 50, dtype=np.float32), np.array([0.3, 1.7, 2], np.float32)
    rows = np.random.default_rng(3).permutation(50)[:33]
    orders = np.array([np.random.default_rng(seed).permutation(33) for seed in (4, 5)])
    steps = Steps(10, np.full((2, 4), 0.01), orders, None)
    scaled = np.asarray(X[:, rows] * scale[:, np.newaxis], order="F")
    copies, shared = (Network([3, *hidden, 2], "relu", loss="squared_error", rng=1, dtype="float32") for _ in range(2))
    costs = engine().run_epochs(copies, OPTIMIZERS["adam"](), Samples(scaled, Y[:, rows], weight[rows]), steps)
    steps = replace(steps, orders=rows[orders], input_scale=scale)
    np.testing.assert_array_equal(
        engine().run_epochs(shared, OPTIMIZERS["adam"](), Samples(np.asfortranarray(X), Y, weight), steps), costs
    )
    np.testing.assert_array_equal(shared.theta, copies.theta)


def test_an_engine_of_ones_own_does_the_work():
    X, Y = data()

    class Elsewhere(Engine):
        """The least that the protocol asks for: one step from the whole gradient, whatever the batch size."""

        name = "elsewhere"

        def gradient(self, network, samples):
            return network.gradient(samples.X, samples.Y, samples.weight)

        def run_epochs(self, network, optimizer, samples, steps):
            assert [sorted(order) for order in steps.orders] == [list(range(50))]
            assert steps.rates.shape == (1, 5)
            cost = self.gradient(network, samples)
            optimizer.step(network.theta, network.grad, steps.rates[0, 0])
            return np.array([cost])

    network, other = net(), net()
    history = network.train(X, Y, epochs=4, batch_size=10, engine=Elsewhere())
    expected = other.train(X, Y, epochs=4, batch_size=50, engine="plain")
    np.testing.assert_allclose(network.theta, other.theta, rtol=1e-12)
    assert history.cost == pytest.approx(expected.cost, rel=1e-12)
    history = network.train(X, Y, epochs=4, optimizer="lbfgs", engine=Elsewhere())
    assert history.cost[-1] < history.cost[0]


def test_engines_are_found_by_name():
    job = Job(Network([2, 3, 1], rng=0), OPTIMIZERS["adam"](), samples=100, batch_size=10)
    for name, find in ENGINES.items():
        assert find(job).name == ("plain" if name == "auto" else name)
    with pytest.raises(ValueError, match="unknown engine 'plian'; did you mean 'plain'"):
        ENGINES.find("plian")


# ── warmed up ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty directory for compiled code, not yet made."""
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    forget()


def forget():
    """As in a new process."""
    cache.cache_directory.cache_clear()
    cache.warmed_up.cache_clear()


def warmed_up():
    forget()
    return engines.warmed_up()


# Code is run from there: whoever can put a file into the folder could have us run theirs.


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners and modes here")
@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_may_write_to_is_refused(place, mode):
    place.mkdir()
    place.chmod(mode)
    forget()
    with pytest.raises(OSError, match=f"others may write to it, its mode is {mode:o}"):
        cache.cache_directory()
    place.chmod(0o755)
    assert cache.cache_directory() == place


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners and modes here")
def test_a_folder_of_another_user_is_refused(place, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(cache, "_user", lambda: os.getuid() + 1)
    forget()
    with pytest.raises(OSError, match="it is another user's"):
        cache.cache_directory()


@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="only root may give links away")
def test_a_link_of_another_user_is_refused_and_one_of_ones_own_is_followed(place, tmp_path):
    (tmp_path / "mine").mkdir(0o700)
    place.symlink_to(tmp_path / "mine")
    forget()
    assert cache.cache_directory() == place
    os.lchown(place, 65534, 65534)
    forget()
    with pytest.raises(OSError, match="it is another user's"):
        cache.cache_directory()
    assert not list((tmp_path / "mine").iterdir())


def test_what_warm_up_leaves_holds_for_the_same_code_and_cpu(place, monkeypatch):
    monkeypatch.setattr(fused, "warm_up", lambda: 12.0)
    forget()
    assert not engines.warmed_up()
    assert not place.exists()  # looking leaves no trace
    assert engines.warm_up() == 12
    assert engines.warmed_up()  # in this process too
    (mark,) = place.iterdir()
    mark.write_bytes(b"\xff damaged")  # only its name says anything
    assert warmed_up()
    for name, other in (("SOURCES", "another version"), ("find_spec", lambda name: None)):
        with monkeypatch.context() as patch:
            patch.setattr(cache, name, other)
            assert not warmed_up()
    with monkeypatch.context() as patch:
        patch.setattr(cache.platform, "machine", lambda: "another")
        assert not warmed_up()
    assert warmed_up()
    mark.unlink()
    mark.mkdir()
    assert not warmed_up()


def test_every_file_that_code_is_compiled_from_counts(tmp_path):
    copy = tmp_path / "netwright"
    shutil.copytree(cache.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = cache._sources(copy)
    assert before == cache.SOURCES
    files = [file for folder in cache.COMPILED_FROM for file in (copy / folder).rglob("*.py")]
    names = {file.relative_to(copy).as_posix() for file in files}
    assert names >= {"core/activations.py", "core/losses.py", "core/optimizers.py", "core/dropout.py"}
    assert names >= {"engines/fused/compile.py", "engines/fused/kernels/tiles.py", "engines/fused/loops/by_rows.py"}
    for file in files:
        source = file.read_bytes()
        file.write_bytes(source + b"#")
        assert cache._sources(copy) != before, file
        file.write_bytes(source)
    assert cache._sources(copy) == before
    file.rename(file.with_name("renamed.py"))
    assert cache._sources(copy) != before
    for folder in cache.COMPILED_FROM:
        (copy / folder).rename(copy / "away")
        with pytest.raises(FileNotFoundError, match="no sources"):
            cache._sources(copy)
        (copy / "away").rename(copy / folder)


def test_code_is_compiled_from_nothing_else_of_the_package():
    called_by_python_alone = {f"netwright.engines.{name}" for name in ("cache", "engine", "threads")}
    homes = tuple(f"netwright.{folder.replace('/', '.')}" for folder in cache.COMPILED_FROM)
    for folder in cache.COMPILED_FROM:
        for file in (cache.PACKAGE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [node.module] if isinstance(node, ast.ImportFrom) else []
                names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
                ours = {name for name in names if name.split(".")[0] == "netwright" and not name.startswith(homes)}
                assert ours <= called_by_python_alone, file


def test_a_failed_warm_up_leaves_nothing(place, monkeypatch):
    def failing():
        raise KeyboardInterrupt

    monkeypatch.setattr(fused, "warm_up", failing)
    forget()
    with pytest.raises(KeyboardInterrupt):
        engines.warm_up()
    assert not warmed_up()


def test_without_a_place_to_keep_code_nothing_is_warm(place, monkeypatch):
    monkeypatch.setattr(fused, "warm_up", lambda: 12.0)
    forget()
    engines.warm_up()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)  # its code is not loaded either
        assert not warmed_up()
        assert engines.warm_up() == 12
        assert not warmed_up()
    assert warmed_up()
    for file in place.iterdir():
        file.unlink()
    place.rmdir()
    place.write_text("a file in its place")
    assert not warmed_up()


def test_looking_loads_no_compiler(place):
    script = "import sys; from netwright.engines import warmed_up; print(warmed_up(), 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False False\n"


@pytest.mark.parametrize(
    ("seconds", "cold", "warm"), [(0.01, "plain", "plain"), (0.2, "plain", "fused"), (20, "fused", "fused")]
)
def test_auto_takes_the_fused_engine_for_smaller_jobs_once_it_is_warm(seconds, cold, warm, monkeypatch):
    cube = Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2)

    class Own(type(OPTIMIZERS["adam"]())):
        pass

    def job(network, optimizer="adam", **options):
        made = Job(network, OPTIMIZERS[optimizer]() if isinstance(optimizer, str) else optimizer, 1, 10, **options)
        return replace(made, samples=seconds / made.plain_seconds())

    listed = [job(net()), job(net(dropout=0.2, dtype="float32"), "lbfgs")]
    listed += [job(Network([3, 6, 4], loss=loss, rng=0)) for loss in ("huber:0.3", "cross_entropy:2,2")]
    others = [
        job(Network([3, 6, 2], cube, loss="squared_error", rng=0)),  # to be compiled, though all the tables' rows are
        job(Network([3, 6, 2], "sigmoid:1,5", loss="squared_error", rng=0)),
        job(net(), Own()),
    ]
    for is_warm in (False, True):
        monkeypatch.setattr(choose, "warmed_up", lambda is_warm=is_warm: is_warm)
        for each in listed:
            assert ENGINES["auto"](each).name == (warm if is_warm else cold)
        for each in others:
            assert ENGINES["auto"](each).name == cold
        assert ENGINES["auto"](replace(listed[0], max_seconds=0.04)).name == "plain"


@pytest.mark.parametrize(("samples", "threads"), [(100, 1), (100_000, 2)])
def test_plain_keeps_blas_to_one_thread_where_products_are_small(samples, threads):
    def seen():
        found = threadpoolctl.threadpool_info()
        return {
            info["num_threads"] for info in found if info["user_api"] == "blas" and "scipy.libs" not in info["filepath"]
        }

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        X = np.random.default_rng(0).normal(size=(20, samples))
        network, within = Network([20, 30, 1], rng=0), []
        network.train(
            X,
            X[:1] > 0,
            epochs=1,
            batch_size=samples,
            engine="plain",
            callbacks=lambda network, history: within.append(seen()),
        )
        assert within == [{threads}]
        assert seen() == {2}, "as it was"


def test_the_limit_holds_on_a_second_thread_too():
    """Whoever else has set a limit before: trainings side by side would make each other wait many times as long."""
    limit, within = one_thread("numpy"), []

    def seen():
        return {library.get_num_threads() for library in limit.libraries}

    def look():
        with limit:
            within.append(seen())

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        for first, left in ((nullcontext(), {2}), (limit, {1})):  # the last to leave takes it back
            with first:
                thread = threading.Thread(target=look)
                thread.start()
                thread.join()
                assert seen() == left
        assert within == [{1}, {1}]
        assert seen() == {2}


@pytest.mark.parametrize(("samples", "threads"), [(100, 1), (2000, 1), (20_000, 2)])
def test_predict_and_evaluate_keep_blas_to_the_threads_that_pay(samples, threads):
    network, within = Network([40, 50, 1], rng=0), []
    X, limit = np.ones((40, samples)), one_thread("numpy")

    class Seeing(type(network.layers[0])):
        def pre_activation(self, A1):
            within.append({library.get_num_threads() for library in limit.libraries})
            return super().pre_activation(A1)

    for layer in network.layers:
        layer.__class__ = Seeing
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        network.predict(X)
        network.evaluate(X, np.ones((1, samples)))
        assert within == [{threads}] * 4
        assert {library.get_num_threads() for library in limit.libraries} == {2}, "as it was"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_that_is_forked_inside_of_a_lock_leaves_it():
    lock, limit = Lock(), one_thread("numpy")
    with lock, limit:
        child = os.fork()
    if not child:
        with lock, limit:
            os._exit(17 + limit.inside)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 18
    assert limit.inside == 0
