"""What `train` promises, against closed forms, hand-written loops and SciPy called by hand."""

import copy
import math
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from netwright import ACTIVATIONS, OPTIMIZERS, SCHEDULES, Activation, Network
from netwright.core.optimizers import LBFGS, Adam, GradientDescent, Momentum
from netwright.core.schedules import Constant, Plateau
from netwright.engines.plain import Plain
from strategies import FIRST_ORDER


def data(n=60, inputs=3, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(inputs, n))
    return X, np.tanh(rng.normal(size=(outputs, inputs)) @ X)


def net(seed=1, **options):
    return Network([3, 5, 2], loss="squared_error", rng=seed, **options)


def trained(X, Y, network=None, **options):
    network = network or net()
    history = network.train(X, Y, **{"rng": 7, "engine": "plain", **options})
    return network.theta.copy(), history


class Spy(Plain):
    """The plain engine, keeping what training asked of it."""

    def __init__(self):
        self.orders, self.rates = [], []

    def run_epochs(self, network, optimizer, samples, steps):
        self.orders += [None] * len(steps) if steps.orders is None else list(steps.orders)
        self.rates += steps.rates.tolist()
        return super().run_epochs(network, optimizer, samples, steps)


# ── an epoch ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_full_batch_gradient_descent_is_theta_minus_rate_times_gradient():
    X, Y = data()
    network = net()
    cost = network.gradient(X, Y)
    expected = network.theta - 0.3 * network.grad
    history = network.train(X, Y, epochs=1, batch_size=60, optimizer="gradient_descent", learning_rate=0.3)
    np.testing.assert_array_equal(network.theta, expected)
    assert history.cost == [cost]


@pytest.mark.parametrize("batch_size", [1, 7, 20, 59, 60, 1000])
def test_the_epoch_cost_is_the_mean_of_the_batch_costs_weighted_by_rows(batch_size):
    X, Y = data()
    network, by_hand = net(), net()
    history = network.train(
        X, Y, epochs=1, batch_size=batch_size, optimizer="gradient_descent", learning_rate=0.1, shuffle=False
    )
    total = 0.0
    for low in range(0, 60, batch_size):
        Xb, Yb = X[:, low : low + batch_size], Y[:, low : low + batch_size]
        total += by_hand.gradient(Xb, Yb) * Xb.shape[1]
        by_hand.theta = by_hand.theta - 0.1 * by_hand.grad
    assert history.cost[0] == pytest.approx(total / 60, rel=1e-13)
    np.testing.assert_allclose(network.theta, by_hand.theta, rtol=1e-12)


def test_every_row_is_used_once_an_epoch_in_a_new_order_each_time():
    """Seen from inside: an activation notes which rows (told apart by their one feature) pass through it."""
    seen = []

    def f(Z):
        seen.append(np.array(Z[0]))
        return 1 * Z

    rows = np.arange(1.0, 24.0)
    network = Network([1, 1, 1], [Activation("noting", f, lambda Z, A: np.ones_like(Z))], loss="squared_error", rng=0)
    layer = network.layers[0]
    layer.W, layer.b = np.ones((1, 1)), np.zeros((1, 1))
    seen.clear()
    rate = 1e-12  # W stays 1, as near as needed
    network.train(rows[None], rows[None], epochs=5, batch_size=5, optimizer="gradient_descent", learning_rate=rate)
    assert [batch.size for batch in seen] == [5, 5, 5, 5, 3] * 5
    epochs = [tuple(np.round(np.concatenate(seen[e : e + 5])).astype(int)) for e in range(0, 25, 5)]
    assert all(sorted(epoch) == list(range(1, 24)) for epoch in epochs)
    assert len(set(epochs)) == 5


def test_the_order_given_to_the_engine_is_a_permutation_and_none_where_there_is_nothing_to_shuffle():
    X, Y = data()
    spy = Spy()
    trained(X, Y, engine=spy, epochs=3, batch_size=8)
    assert all(sorted(order) == list(range(60)) for order in spy.orders)
    for options in ({"batch_size": 60}, {"batch_size": 8, "shuffle": False}):
        spy = Spy()
        trained(X, Y, engine=spy, epochs=1, **options)
        assert spy.orders == [None]


def test_default_batches_are_all_rows_up_to_200_else_200():
    for n, steps in ((200, 1), (201, 2), (500, 3)):
        spy = Spy()
        trained(*data(n), engine=spy, epochs=1)
        assert len(spy.rates[0]) == steps


def test_same_generator_same_bits_another_seed_other_bits():
    X, Y = data()
    options = {"epochs": 3, "batch_size": 8}
    one = trained(X, Y, **options)[0]
    np.testing.assert_array_equal(one, trained(X, Y, **options)[0])
    np.testing.assert_array_equal(one, trained(X, Y, **options | {"rng": np.random.default_rng(7)})[0])
    assert (one != trained(X, Y, **options | {"rng": 8})[0]).any()


@pytest.mark.parametrize("batch_size", [9, 60])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_memory_layout_of_the_data_changes_no_bit(batch_size, dtype):
    X, Y = data(inputs=20)
    X, Y = X.astype(dtype), Y.astype(dtype)
    results = []
    for A in (np.ascontiguousarray, np.asfortranarray, lambda A: np.repeat(A, 2, axis=1)[:, ::2]):
        network = Network([20, 16, 2], loss="squared_error", rng=0, dtype=dtype)
        given = A(X), A(Y)
        results.append(trained(*given, network, epochs=5, batch_size=batch_size, validation=given))
    for theta, history in results[1:]:
        np.testing.assert_array_equal(theta, results[0][0])
        assert history.cost == results[0][1].cost
        assert history.validation_cost == results[0][1].validation_cost


def test_training_changes_nothing_that_it_is_given():
    X, Y = data()
    weight = np.random.default_rng(0).uniform(0, 2, 60).round()
    given = [X, Y, weight]
    kept = copy.deepcopy(given)
    for array in given:
        array.flags.writeable = False
    for options in ({"batch_size": 8}, {"batch_size": 60}, {"optimizer": "lbfgs"}):
        trained(X, Y, net(label_smoothing=0, l2=0.1), weight=weight, epochs=3, validation=tuple(given), **options)
    for now, then in zip(given, kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_float32_stays_float32_even_with_numbers_from_numpy():
    X, Y = data()
    results = []
    for number in (float, np.float64, np.float32):
        network = net(dtype=np.float32)
        spied, opt = [], Adam(learning_rate=number(0.0078125))
        network.train(
            X, Y, epochs=np.int64(3), batch_size=np.int32(8), optimizer=opt, rng=0, clip_norm=number(0.5),
            schedule=lambda e, E, number=number: number(0.5), learning_rate=number(0.0078125),
            callbacks=[lambda n, h, s=spied: s.append((n.theta.dtype, n.grad.dtype, n.layers[0].A.dtype))],
        )  # fmt: skip
        assert set(spied) == {(np.dtype(np.float32),) * 3}
        assert {slot.dtype for slot in opt.slots.values()} == {np.dtype(np.float32)}
        results.append(network.theta.copy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_dropout_acts_in_training_and_not_in_prediction():
    X, Y = data()
    plain, _ = trained(X, Y, epochs=2)
    network = net(dropout=0.5)
    dropped, _ = trained(X, Y, network, epochs=2)
    assert (plain != dropped).any()
    np.testing.assert_array_equal(network.predict(X), network.predict(X))
    assert (network.feedforward(X) != network.feedforward(X)).any()


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "lbfgs"])
def test_weight_k_is_k_copies(optimizer):
    X, Y = data(20)
    counts = np.random.default_rng(3).integers(0, 4, 20)
    options = {"epochs": 20, "optimizer": optimizer, "batch_size": 1000}
    weighted, one = trained(X, Y, weight=counts, **options)
    copies, two = trained(np.repeat(X, counts, axis=1), np.repeat(Y, counts, axis=1), **options)
    np.testing.assert_allclose(weighted, copies, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.cost, two.cost, rtol=1e-9)


@pytest.mark.parametrize("weights", ["ones", "uneven"])
def test_weight_0_is_a_row_that_is_not_there_to_the_bit(weights):
    X, Y = data()
    weight = np.ones(60) if weights == "ones" else np.random.default_rng(5).uniform(1, 3, 60)
    present = np.random.default_rng(4).random(60) < 0.7
    options = {"epochs": 4, "batch_size": 8}
    zero, _ = trained(X, Y, weight=weight * present, **options)
    absent, _ = trained(X[:, present], Y[:, present], weight=weight[present], **options)
    np.testing.assert_array_equal(zero, absent)
    if weights == "ones":
        np.testing.assert_array_equal(zero, trained(X[:, present], Y[:, present], **options)[0])


@pytest.mark.parametrize("factor", [3.7, 1e-300, 1e300])
def test_scaling_all_weights_changes_nothing(factor):
    X, Y = data()
    weight = np.random.default_rng(5).uniform(1, 3, 60)
    options = {"epochs": 4, "batch_size": 8, "optimizer": "momentum"}
    np.testing.assert_allclose(
        trained(X, Y, weight=weight, **options)[0], trained(X, Y, weight=weight * factor, **options)[0], rtol=1e-9
    )


# ── optimizers, schedules, clipping ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns(name):
    X, Y = data()
    theta, history = trained(X, Y, optimizer=name, epochs=150, learning_rate=0.02 if name in FIRST_ORDER else None)
    assert history.cost[-1] < 0.2 * history.cost[0]
    assert len(history) <= 150
    assert theta.dtype == np.float64


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_learns_and_its_rates_are_those_that_the_engine_gets(name):
    X, Y = data()
    spy = Spy()
    options = {"patience": 60} if name == "plateau" else {}  # it never runs out here
    _, history = trained(X, Y, engine=spy, schedule=name, epochs=60, batch_size=20, learning_rate=0.02, **options)
    assert history.cost[-1] < 0.5 * history.cost[0]
    schedule = SCHEDULES[name]()
    assert spy.rates == [[0.02 * schedule(e + i / 3, 60) for i in range(3)] for e in range(60)]
    assert history.learning_rate == [rates[-1] for rates in spy.rates]


def test_a_plateau_divides_the_rate_and_ends_training_at_the_floor():
    """As scikit-learn's "adaptive": a fifth whenever so many epochs in a row were not lower by the tolerance."""
    X, Y = data()
    options = {"epochs": 400, "batch_size": 20, "learning_rate": 0.02, "optimizer": "gradient_descent"}
    _, history = trained(X, Y, schedule=Plateau(floor=1e-3), patience=3, tolerance=0.01, **options)
    rate, lowest, waited, rates = 0.02, np.inf, 0, []
    for cost in history.cost:
        rates.append(rate)
        waited = waited + 1 if cost > lowest - 0.01 else 0
        lowest = min(lowest, cost)
        if waited == 3 and rate > 1e-3:
            rate, waited = rate / 5, 0
    assert history.learning_rate == pytest.approx(rates, rel=1e-15)
    assert rate == pytest.approx(0.02 / 25)
    assert waited == 3
    assert history.stopped == "no lower cost for 3 epochs"
    with pytest.raises(ValueError, match=r"plateau.* give patience"):
        net().train(X, Y, schedule="plateau")


def test_monitor_watches_a_score_and_keeps_its_best_epoch():
    X, Y = data()
    values = iter([0.1, 0.5, 0.5, 0.4, 0.45, 0.3])
    options = {"scores": {"mine": lambda Y, A, weight: next(values)}, "validation": (X, Y), "epochs": 9}
    network = net()
    seen = []
    options["callbacks"] = lambda network, history: seen.append(network.theta.copy())
    history = network.train(X, Y, monitor="mine", patience=4, **options)
    assert history.best_epoch == 2  # the first of equals
    assert history.stopped == "no better mine for 4 epochs"
    np.testing.assert_array_equal(network.theta, seen[1])
    with pytest.raises(ValueError, match=r"monitor must be one of the scores \(rmse\)"):
        net().train(X, Y, monitor="mae", scores="rmse", validation=(X, Y))
    by_error = net().train(X, Y, monitor="rmse", scores="rmse", validation=(X, Y), epochs=5)
    assert by_error.best_epoch == 1 + int(np.argmin(by_error.validation_scores["rmse"]))  # of an error, less is better


def test_lbfgs_ends_where_it_is_told():
    X, Y = data()
    _, few = trained(X, Y, optimizer=LBFGS(evaluations=5))
    assert few.stopped.startswith(f"ended after {len(few)} epochs")
    assert len(few) <= 5
    _, flat = trained(X, Y, optimizer=LBFGS(flat=0.5))
    assert flat.stopped.startswith("converged")
    assert len(flat) < len(trained(X, Y, optimizer=LBFGS())[1])


def test_a_schedule_of_your_own_and_one_that_gives_nonsense():
    X, Y = data()
    _, history = trained(X, Y, schedule=lambda e, E: 1 - e / E, epochs=4, learning_rate=0.1)
    assert history.learning_rate == pytest.approx([0.1, 0.075, 0.05, 0.025])
    network = net()
    before = network.theta.copy()
    for factor in (math.nan, -1.0, math.inf):
        with pytest.raises(ValueError, match="schedule must give factors of at least 0; in epoch 1 it made a rate"):
            network.train(X, Y, schedule=lambda e, E, factor=factor: factor)
    np.testing.assert_array_equal(network.theta, before)


def test_clip_norm_bounds_the_step_and_keeps_its_direction():
    X, Y = data()
    network = net()
    network.gradient(X, 100 * Y)
    grad, before = network.grad.copy(), network.theta.copy()
    options = {"epochs": 1, "optimizer": "gradient_descent", "learning_rate": 1.0}
    network.train(X, 100 * Y, clip_norm=0.25, **options)
    np.testing.assert_allclose(network.theta - before, -0.25 * grad / np.linalg.norm(grad), rtol=1e-9)
    untouched, _ = trained(X, Y, clip_norm=1e9, **options)
    np.testing.assert_array_equal(untouched, trained(X, Y, **options)[0])


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_twenty_times_one_epoch_is_twenty_epochs(name):
    X, Y = data()
    whole, part = net(dropout=0.2), net(dropout=0.2)
    history = whole.train(X, Y, epochs=20, batch_size=8, optimizer=name, rng=5)
    optimizer, rng = OPTIMIZERS[name](), np.random.default_rng(5)
    costs = [part.train(X, Y, epochs=1, batch_size=8, optimizer=optimizer, rng=rng).cost[0] for _ in range(20)]
    np.testing.assert_array_equal(part.theta, whole.theta)
    assert costs == history.cost


def test_an_optimizer_last_used_on_another_network_starts_afresh():
    X, Y = data()
    optimizer = Adam()
    Network([3, 2], loss="squared_error").train(X, Y, epochs=2, optimizer=optimizer)
    np.testing.assert_array_equal(trained(X, Y, optimizer=optimizer, epochs=2)[0], trained(X, Y, epochs=2)[0])


# ── validation, patience, time ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "levenberg_marquardt"])
def test_validation_is_recorded_and_the_best_parameters_are_kept(optimizer):
    X, Y = data(20, seed=1)
    Y = Y + np.random.default_rng(2).normal(size=Y.shape)  # noise to overfit
    Xv, Yv = data(50, seed=3)
    network = Network([3, 30, 2], loss="squared_error", rng=0)
    costs, thetas = [], []

    def note(network, history):
        costs.append(network.cost(Xv, Yv))
        thetas.append(network.theta.copy())

    rate = 0.05 if optimizer in FIRST_ORDER else None
    history = network.train(
        X, Y, validation=(Xv, Yv), epochs=60, optimizer=optimizer, learning_rate=rate, callbacks=[note]
    )
    assert history.validation_cost == pytest.approx(costs, rel=1e-14)
    assert history.best_epoch == 1 + int(np.argmin(costs)) < len(history)
    np.testing.assert_array_equal(network.theta, thetas[history.best_epoch - 1])
    assert history.validation_cost[history.best_epoch - 1] == pytest.approx(network.cost(Xv, Yv), rel=1e-14)
    assert list(history.validation_scores) == ["r2"]
    assert len(history.validation_scores["r2"]) == len(history)


def test_validation_weights_and_scores():
    X, Y = data()
    weight = np.arange(60.0)
    seen = []

    def score(Y, A, weight):
        seen.append((Y.shape, A.shape, weight))
        return np.float32(0.5)

    network = net()
    history = network.train(X, Y, epochs=2, validation=(X, Y, weight), scores={"mine": score})
    assert history.validation_scores == {"mine": [0.5, 0.5]}
    np.testing.assert_array_equal(seen[0][2], weight)
    best = network.cost(X, Y, weight)
    assert min(history.validation_cost) == pytest.approx(best, rel=1e-13)
    with pytest.raises(ValueError, match="unknown score 'acuracy'; did you mean 'accuracy'"):
        network.train(X, Y, scores=["acuracy"])


def test_patience_stops_after_that_many_epochs_without_a_new_low():
    X, Y = data(20, seed=1)
    Y = Y + np.random.default_rng(2).normal(size=Y.shape)
    network = Network([3, 30, 2], loss="squared_error", rng=0)
    history = network.train(X, Y, validation=data(50, seed=3), epochs=5000, learning_rate=0.05, patience=6)
    assert len(history) == history.best_epoch + 6
    assert min(history.validation_cost) == history.validation_cost[history.best_epoch - 1]
    assert history.stopped == "no lower validation cost for 6 epochs"


def test_patience_without_validation_watches_the_cost():
    X, Y = data()
    _, history = trained(X, Y, epochs=50, patience=3, optimizer="gradient_descent", schedule=lambda e, E: 0.0)
    assert len(history) == 4
    assert history.stopped == "no lower cost for 3 epochs"


def test_max_seconds_ends_training_at_the_end_of_an_epoch():
    X, Y = data()
    started = time.perf_counter()
    _, history = trained(X, Y, epochs=10**9, max_seconds=0.2)
    assert 0.2 <= history.seconds[-1] <= time.perf_counter() - started
    assert max(history.seconds[:-1], default=0.0) < 0.2
    assert history.seconds == sorted(history.seconds)
    assert history.stopped == f"time was up (0.2 s) after {len(history)} epochs"


# ── callbacks and interruptions ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "levenberg_marquardt"])
@pytest.mark.parametrize("true", [True, np.True_])
def test_a_callback_that_returns_true_stops_training(optimizer, true):
    X, Y = data()
    both = []
    _, history = trained(
        X, Y, optimizer=optimizer, callbacks=[lambda n, h: true if len(h) == 3 else 1, lambda n, h: both.append(len(h))]
    )
    assert both == [1, 2, 3]
    assert history.stopped == "stopped by a callback after 3 epochs"


def test_one_callback_needs_no_list_and_anything_else_is_refused():
    X, Y = data()
    _, history = trained(X, Y, callbacks=lambda n, h: True)
    assert len(history) == 1
    with pytest.raises(ValueError, match=r"callbacks must be functions \(network, history\), got 3"):
        net().train(X, Y, callbacks=[3])


def consistent(history, epochs):
    return {len(numbers) for numbers in history.lists()} - {0} == {epochs}


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "levenberg_marquardt"])
def test_an_exception_in_a_callback_passes_through_and_the_network_goes_on(optimizer):
    X, Y = data()
    network, kept = net(), {}

    def fail(network, history):
        kept["history"] = history
        if len(history) == 4:
            kept["theta"] = network.theta.copy()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        network.train(X, Y, optimizer=optimizer, callbacks=[fail])
    np.testing.assert_array_equal(network.theta, kept["theta"])
    assert len(kept["history"]) == 4
    network.train(X, Y, epochs=2, optimizer=optimizer)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "levenberg_marquardt"])
def test_ctrl_c_in_a_callback_counts_the_epoch_and_keeps_the_best(optimizer):
    X, Y = data()
    thetas = []

    def interrupt(network, history):
        thetas.append(network.theta.copy())
        if len(history) == 5:
            raise KeyboardInterrupt

    Xv, Yv = data(seed=9)
    theta, history = trained(X, Y, optimizer=optimizer, callbacks=[interrupt], validation=(Xv, Yv))
    assert history.stopped == "interrupted after 5 epochs"
    assert consistent(history, 5)
    np.testing.assert_array_equal(theta, thetas[history.best_epoch - 1])


def interrupting(call, error=KeyboardInterrupt):
    """tanh, which raises when it is called for the `call`-th time from now."""
    left = [call]

    def f(Z):
        left[0] -= 1
        if left[0] == 0:
            raise error
        return np.tanh(Z)

    return Activation("interrupting", f, lambda Z, A: 1 - A * A), left


@pytest.mark.parametrize("where", range(4))  # three batches and the validation
def test_ctrl_c_inside_an_epoch_leaves_everything_as_after_the_epoch_before(where):
    X, Y = data()
    activation, left = interrupting(0)
    optimizer, rng = Adam(), np.random.default_rng(7)
    interrupted = net(activation=activation, dropout=0.2)
    options = {"batch_size": 20, "validation": data(seed=9)}
    left[0] = 4 * 4 + where + 1
    theta, history = trained(X, Y, interrupted, epochs=50, optimizer=optimizer, rng=rng, **options)
    assert history.stopped == "interrupted after 4 epochs"
    assert consistent(history, 4)

    expected, other, other_rng = net(dropout=0.2), Adam(), np.random.default_rng(7)
    four = expected.train(X, Y, epochs=4, optimizer=other, rng=other_rng, engine="plain", **options)
    np.testing.assert_array_equal(theta, expected.theta)
    assert history.cost == four.cost
    assert (history.best_epoch, history.validation_cost) == (four.best_epoch, four.validation_cost)
    assert optimizer.t == other.t == 12
    for name in optimizer.names:
        np.testing.assert_array_equal(optimizer.slots[name], other.slots[name])
    assert rng.bit_generator.state == other_rng.bit_generator.state


def test_ctrl_c_inside_lbfgs_leaves_the_last_whole_epoch():
    X, Y = data()
    activation, left = interrupting(0)
    network, thetas = net(activation=activation), []
    left[0] = 12
    theta, history = trained(X, Y, network, optimizer="lbfgs", callbacks=[lambda n, h: thetas.append(n.theta.copy())])
    assert history.stopped == f"interrupted after {len(thetas)} epochs"
    assert consistent(history, len(thetas))
    np.testing.assert_array_equal(theta, thetas[-1])


def test_an_error_inside_an_epoch_passes_through_and_the_last_whole_epoch_stays():
    X, Y = data()
    activation, left = interrupting(0, MemoryError)
    network = net(activation=activation)
    left[0] = 8
    with pytest.raises(MemoryError):
        network.train(X, Y, batch_size=20, rng=7)
    np.testing.assert_array_equal(network.theta, trained(X, Y, epochs=2, batch_size=20)[0])


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "levenberg_marquardt"])
def test_a_real_sigint_ends_training_cleanly(optimizer):
    """At random moments, in a process of its own that checks itself."""
    script = f"""
        import signal
        import numpy as np, netwright
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        rng = np.random.default_rng(0)
        X, Y = rng.normal(size=(20, 2000)), rng.normal(size=(3, 2000))
        network = netwright.Network([20, 30, 3], loss="squared_error", rng=0)
        thetas = [network.theta.copy()]
        def note(network, history):
            thetas.append(network.theta.copy())
            if len(history) == 2:
                print("ready", flush=True)
        history = network.train(
            X, Y, epochs=10**9, optimizer={optimizer!r}, validation=(X, Y), callbacks=[note], rng=0, engine="plain"
        )
        assert history.stopped == f"interrupted after {{len(history)}} epochs", history
        assert {{len(numbers) for numbers in history.lists()}} == {{len(history)}}
        assert len(history) in (len(thetas) - 1, len(thetas))
        if history.best_epoch < len(thetas):
            assert (network.theta == thetas[history.best_epoch]).all()
    """
    for delay in (0.0, 0.013, 0.05):
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()


# ── costs that are no longer finite ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_divergence_names_epoch_and_causes_and_leaves_the_last_good_parameters(name, dtype):
    X, Y = data()
    network = Network([3, 5, 2], "leaky_relu", loss="squared_error", rng=1, dtype=dtype)
    rate = 1e200 if dtype == np.float64 else 1e30
    thetas = [network.theta.copy()]
    optimizer = OPTIMIZERS[name]()
    with pytest.raises(FloatingPointError) as caught:
        network.train(
            X, Y, epochs=2000, batch_size=20, optimizer=optimizer, learning_rate=rate, rng=0,
            callbacks=[lambda n, h: thetas.append(n.theta.copy())],
        )  # fmt: skip
    epoch = len(thetas)
    said = str(caught.value)
    assert f"in epoch {epoch};" in said
    assert f"a learning rate that is too high (it is {rate:g}; try a tenth)" in said
    assert "standardise" in said
    assert "clip_norm=1" in said
    assert said.endswith("before training" if epoch == 1 else f"from epoch {epoch - 1}")
    assert np.isfinite(network.theta).all()
    np.testing.assert_array_equal(network.theta, thetas[-1])
    assert all(np.isfinite(slot).all() for slot in optimizer.slots.values())


def test_after_divergence_the_same_optimizer_can_be_tried_again_with_a_lower_rate():
    X, Y = data()
    network, optimizer = net(), Adam()
    with pytest.raises(FloatingPointError):
        network.train(X, Y, optimizer=optimizer, learning_rate=1e300, batch_size=20)
    theta, history = trained(X, Y, network, optimizer=optimizer, learning_rate=0.01)
    assert history.cost[-1] < history.cost[0]
    assert np.isfinite(theta).all()


def test_divergence_with_validation_goes_back_to_the_best_epoch_and_says_so():
    X, Y = data()
    network, thetas = net(activation="relu"), []
    with pytest.raises(FloatingPointError, match=r"from epoch 3$"):
        network.train(
            X, Y, epochs=100, optimizer="gradient_descent", learning_rate=1, validation=(X, Y), rng=0,
            schedule=lambda e, E: 0.05 if e < 3 else 1e80, callbacks=[lambda n, h: thetas.append(n.theta.copy())],
        )  # fmt: skip
    np.testing.assert_array_equal(network.theta, thetas[2])


def test_nan_that_arises_only_in_theta_is_seen():
    """A loss whose value is finite, but whose derivative is not at one place."""
    X, Y = data()
    network = net()

    class Broken(Plain):
        def run_epochs(self, network, *asked):
            cost = super().run_epochs(network, *asked)
            network.layers[0].W[0, 0] = np.nan
            return cost

    before = network.theta.copy()
    with pytest.raises(FloatingPointError, match="parameters became infinite in epoch 1"):
        network.train(X, Y, engine=Broken())
    np.testing.assert_array_equal(network.theta, before)


@pytest.mark.parametrize("scale", [1e155, 1e200, 1e300])
def test_lbfgs_on_awful_data_ends_in_an_error_or_with_finite_parameters(scale):
    X, Y = data()
    network = net(activation="relu")
    error = None
    try:
        history = network.train(scale * X, scale * Y, optimizer="lbfgs", epochs=20)
    except FloatingPointError as caught:
        error = str(caught)
    if error is None:
        assert all(math.isfinite(cost) for cost in history.cost)
    else:
        assert "standardise" in error
        assert "learning rate" not in error
    assert np.isfinite(network.theta).all()


# ── L-BFGS ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_scipy(network, X, Y, memory, parts):
    """SciPy called by hand; its costs after each iteration, its theta."""
    from scipy.optimize import minimize

    def function(theta):
        network.theta = theta
        return network.gradient(X, Y), network.grad.copy()

    theta, costs = network.theta.copy(), []
    for part in parts:
        options = {"maxcor": memory, "maxiter": part, "ftol": 8 * np.finfo(float).eps, "gtol": 1e-8, "maxfun": 10**9}
        theta = minimize(
            function, theta, jac=True, method="L-BFGS-B", options=options,
            callback=lambda intermediate_result: costs.append(intermediate_result.fun),
        ).x  # fmt: skip
    return theta, costs


@pytest.mark.parametrize(("epochs", "restart", "parts"), [(30, None, [30]), (30, 100, [30]), (30, 12, [12, 12, 6])])
def test_lbfgs_takes_scipys_steps_and_restarts(epochs, restart, parts):
    X, Y = data()
    theta, costs = by_scipy(net(), X, Y, 6, parts)
    mine, history = trained(X, Y, optimizer=LBFGS(memory=6, restart=restart), epochs=epochs)
    np.testing.assert_allclose(mine, theta, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(history.cost, costs, rtol=1e-9)
    assert history.learning_rate == [0.0] * epochs


def test_lbfgs_stops_where_it_has_converged():
    X, Y = data(outputs=1)
    network = Network([3, 1], loss="squared_error", rng=0)
    history = network.train(X, Y, optimizer="lbfgs", epochs=1000)
    solution = np.linalg.lstsq(np.vstack([X, np.ones(60)]).T, Y[0], rcond=None)[0]
    np.testing.assert_allclose(np.append(network.layers[0].W, network.layers[0].b), solution, atol=1e-6)
    assert len(history) < 100
    assert history.stopped.startswith(f"converged after {len(history)} epochs (convergence")


def test_lbfgs_with_nothing_to_do_ends_before_the_first_epoch():
    network = Network([1, 1], loss="squared_error", rng=0)
    network.theta = np.zeros(2)
    history = network.train(np.ones((1, 3)), np.zeros((1, 3)), optimizer="lbfgs")
    assert len(history) == 0
    assert history.stopped.startswith("converged after 0 epochs")
    np.testing.assert_array_equal(network.theta, 0)
    assert repr(history).startswith("History(0 epochs; converged")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lbfgs_keeps_the_dtype_and_never_ends_higher_than_it_was(dtype):
    X, Y = data()
    network = net(dtype=dtype)
    history = network.train(X, Y, optimizer="lbfgs", epochs=400)
    assert network.theta.dtype == dtype
    assert history.cost == sorted(history.cost, reverse=True)
    assert network.gradient(X, Y) == pytest.approx(history.cost[-1], rel=1e-12)


@pytest.mark.parametrize(
    ("options", "dropout", "match"),
    [
        ({"batch_size": 10}, 0, "lbfgs takes all samples at once, .*: leave out batch_size, or use adam"),
        ({"learning_rate": 0.1}, 0, "leave out learning_rate, or"),
        ({"schedule": "cosine"}, 0, "leave out schedule, or"),
        ({"clip_norm": 1}, 0, "leave out clip_norm, or"),
        ({"clip_norm": 1, "batch_size": 3}, 0.5, "leave out clip_norm, batch_size, dropout, or use adam"),
    ],
)
def test_lbfgs_refuses_what_it_cannot_do(options, dropout, match):
    network = net(dropout=dropout)
    with pytest.raises(ValueError, match=match):
        network.train(*data(), optimizer="lbfgs", **options)


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.0}, "epochs must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"patience": 0}, "patience must be"),
        ({"learning_rate": -1}, "learning_rate must be a finite number above 0, got -1"),
        ({"learning_rate": math.nan}, "learning_rate must be"),
        ({"max_seconds": 0}, "max_seconds must be"),
        ({"clip_norm": 0}, "clip_norm must be"),
        ({"optimizer": "adma"}, "unknown optimizer 'adma'; did you mean 'adam'"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'"),
        ({"engine": "plane"}, "unknown engine 'plane'; did you mean 'plain'"),
        ({"validation": 0.1}, r"validation must be \(X, Y\) or \(X, Y, weight\), got float"),
        ({"validation": (np.ones((2, 4)), np.ones((2, 4)))}, "validation: X must have 3 rows"),
        ({"weight": np.ones(3)}, "weight must have one number a sample"),
        ({"rng": -1}, "rng must be"),
        ({"resume": True}, "resume=True goes on from `checkpoint`"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_has_changed(options, match):
    network = net()
    before, rng, state = network.theta.copy(), network.rng, network.rng.bit_generator.state
    with pytest.raises(ValueError, match=match):
        network.train(*data(), **{"rng": 5, **options})
    np.testing.assert_array_equal(network.theta, before)
    assert network.rng is rng
    assert network.rng.bit_generator.state == state


def test_what_a_callback_does_to_theta_counts():
    """Such as a bound on the weights: it is in the next epoch and in the end."""
    X, Y = data()

    def bound(network, history):
        network.theta = np.clip(network.theta, -0.1, 0.1)

    theta, _ = trained(X, Y, epochs=5, callbacks=[bound])
    assert np.abs(theta).max() <= 0.1


def test_warnings_in_a_callback_are_the_users_own():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        trained(*data(), epochs=1, callbacks=[lambda n, h: np.log(np.zeros(1)) and None])


@pytest.mark.parametrize("optimizer", [GradientDescent(), Momentum()])
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "softmax"])
def test_no_warning_leaks_from_extreme_data(optimizer, activation):
    """pytest makes errors of warnings: only FloatingPointError may end this."""
    X, Y = data()
    for scale in (1e-200, 1e3, 1e150):
        network = Network([3, 4, 2], activation, loss="squared_error", rng=0)
        try:
            network.train(scale * X, scale * Y, epochs=3, optimizer=copy.deepcopy(optimizer), validation=(X, Y))
        except FloatingPointError:
            assert np.isfinite(network.theta).all()


@pytest.mark.parametrize("engine", ["plain", "fused"])
@pytest.mark.parametrize("schedule", [Constant(warmup=3), Plateau(warmup=3)])
def test_a_constant_rate_warms_up_too(schedule, engine):
    X, Y = data()
    history = net().train(X, Y, epochs=6, schedule=schedule, learning_rate=0.1, patience=9, engine=engine)
    rates = history.learning_rate
    assert rates[0] < rates[1] < rates[2] < rates[3] == rates[4] == rates[5] == 0.1


@pytest.mark.parametrize("engine", ["plain", "fused"])
def test_lbfgs_tells_a_divergence(engine):
    X = np.random.default_rng(0).normal(size=(3, 50))
    network = Network([3, 2, 1], "relu", loss="squared_error", rng=0)
    with pytest.raises(FloatingPointError, match="the cost became inf in epoch 1"):
        network.train(X * 1e100, X[:1], epochs=3, optimizer="lbfgs", engine=engine)
