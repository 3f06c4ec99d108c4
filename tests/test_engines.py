"""The plain engine is a loop of `network.gradient` and `optimizer.step`, on memory that nobody else holds."""

import numpy as np
import pytest

from netwright import ENGINES, OPTIMIZERS, Network
from netwright.engines import Job
from netwright.engines.plain import Plain, batches, clip

FIRST_ORDER = [name for name in OPTIMIZERS if name != "lbfgs"]


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
    cost = Plain().run_epoch(network, optimizer, X, Y, None, order, batch_size, rates)
    total = 0.0
    for i, rate in enumerate(rates):
        rows = order[i * batch_size : (i + 1) * batch_size]
        total += by_hand.gradient(X[:, rows], Y[:, rows]) * rows.size
        other.step(by_hand.theta, by_hand.grad, rate)
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(network.theta, by_hand.theta, rtol=tolerance, atol=tolerance)
    assert cost == pytest.approx(total / 50, rel=1e-12 if dtype == np.float64 else 1e-5)


def test_weights_of_mean_1_make_each_batch_part_of_one_weighted_mean():
    """A batch's gradient is Σ weight·gradient / rows: over an epoch each row counts as much as its weight says."""
    X, Y = data()
    weight = np.random.default_rng(3).uniform(0, 2, 50)
    weight /= weight.mean()
    network, seen = net(), []

    class Noting:
        def step(self, theta, grad, rate):
            seen.append(grad.copy())

    cost = Plain().run_epoch(network, Noting(), X, Y, weight, None, 10, [0.0] * 5)
    assert cost == pytest.approx(network.gradient(X, Y, weight), rel=1e-13)
    np.testing.assert_allclose(np.mean(seen, axis=0), network.grad, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("order", [None, np.arange(10)[::-1]])
def test_batches_hold_every_row_once_with_its_target_and_weight(order):
    X, Y, weight = np.arange(20.0).reshape(2, 10), np.arange(10.0)[None] * 100, np.arange(10.0)
    parts = [tuple(part.copy() for part in batch) for batch in batches(X, Y, weight, order, 4)]
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
    Plain().run_epoch(network, Noting(), X, Y, None, np.arange(50), 10, [0.0] * 5)
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
        Plain().run_epoch(network, Failing(), X, Y, None, None, 10, [0.0] * 5)
    assert not any(layer.reuse for layer in network.layers)


def test_an_engine_of_ones_own_does_the_work():
    X, Y = data()

    class Elsewhere:
        """The least that the protocol asks for: one step from the whole gradient, whatever the batch size."""

        name = "elsewhere"

        def gradient(self, network, X, Y, weight=None):
            return network.gradient(X, Y, weight)

        def run_epoch(self, network, optimizer, X, Y, weight, order, batch_size, rates, clip_norm=None):
            assert sorted(order) == list(range(50))
            assert len(rates) == 5
            cost = self.gradient(network, X, Y, weight)
            optimizer.step(network.theta, network.grad, rates[0])
            return cost

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
