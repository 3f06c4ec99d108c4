"""A small network's program is kept from training to training, for it and all of the same structure."""

import copy
import gc
import threading
import warnings
import weakref

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from netwright import ACTIVATIONS, LOSSES, OPTIMIZERS, MLPClassifier, Network

pytest.importorskip("netwright.engines.fused")
from netwright.engines.fused import NotCompilable, engine
from netwright.engines.fused.loops.by_rows import predict

X, Y = np.random.default_rng(0).normal(size=(2, 4, 30))
OPTIONS = {"epochs": 2, "batch_size": 8, "engine": "fused", "n_threads": 1, "optimizer": "adam"}


@pytest.fixture(autouse=True)
def none_kept():
    engine._kept.clear()


@pytest.fixture
def made(monkeypatch):
    """A list that gets an entry whenever a program for training is made."""
    entries, original = [], engine.Program.__init__

    def noting(self, *given):
        entries.extend([1] * (given[-1] is not predict))
        original(self, *given)

    monkeypatch.setattr(engine.Program, "__init__", noting)
    return entries


def net(**options):
    return Network([4, 6, 4], loss="squared_error", rng=1, **options)


def test_the_same_network_is_trained_again_by_the_same_program(made):
    network = net()
    for _ in range(3):
        network.train(X, Y, **OPTIONS)
    assert len(made) == 1


def penalty(network):
    network.l2 = 0.1


def activation(network):
    network.layers[0].activation = ACTIVATIONS["relu"]


def loss(network):
    network.loss = LOSSES["absolute_error"]


def theta(network):
    network.__setstate__(network.__getstate__())


@pytest.mark.parametrize(("change", "programs"), [(penalty, 2), (activation, 2), (loss, 2), (theta, 1)])
def test_a_network_that_has_changed_learns_what_a_new_one_does(change, programs, made):
    network, fresh = net(), net()
    network.train(X, Y, **OPTIONS)
    change(network), change(fresh)
    fresh.theta, fresh.rng.bit_generator.state = network.theta, network.rng.bit_generator.state
    network.train(X, Y, **OPTIONS)
    assert len(made) == programs
    engine._kept.clear()
    fresh.train(X, Y, **OPTIONS)
    assert len(made) == programs + 1
    np.testing.assert_array_equal(network.theta, fresh.theta)


def test_another_rate_of_dropout_is_another_program(made):
    network = net(dropout=0.2)
    network.train(X, Y, **OPTIONS)
    network.layers[1].rate = 0.5
    network.train(X, Y, **OPTIONS)
    assert len(made) == 2


def test_networks_of_one_structure_share_it_and_nothing_else(made):
    networks = [net() for _ in range(3)]
    for network in networks:
        network.rng = np.random.default_rng(2)
        network.train(X, Y, **OPTIONS)
    twin = copy.deepcopy(networks[0])
    before = networks[0].theta.copy()
    twin.train(X, Y, **OPTIONS)
    assert len(made) == 1
    np.testing.assert_array_equal(networks[0].theta, before)
    for network in networks[1:]:
        np.testing.assert_array_equal(network.theta, before)
    assert not np.array_equal(twin.theta, before)


def test_cross_validation_needs_one(made):
    model = MLPClassifier((5,), engine="fused", n_threads=1, random_state=0, max_iter=3, batch_size=8)
    with warnings.catch_warnings(action="ignore"):
        cross_val_score(model, X.T, (X[0] > 0).astype(int), cv=3)
    assert len(made) == 1


def test_it_holds_no_network():
    network = net()
    network.train(X, Y, **OPTIONS)
    theta, network = weakref.ref(network.theta), weakref.ref(network)
    gc.collect()
    assert network() is theta() is None
    assert engine._kept


def test_few_are_kept(monkeypatch):
    monkeypatch.setattr(engine, "MOST", 2)
    for neurons in range(3, 8):
        Network([4, neurons, 4], loss="squared_error", rng=1).train(X, Y, **OPTIONS)
    assert len(engine._kept) == 2


def test_a_large_one_is_not_kept(monkeypatch, made):
    monkeypatch.setattr(engine, "KEPT", 100)
    network = net()
    network.train(X, Y, **OPTIONS), network.train(X, Y, **OPTIONS)
    assert len(made) == 2


def test_what_workers_sum_in_counts_too(made):
    network = Network([400, 400, 100, 1], loss="squared_error", rng=1)
    options = {"batch_size": 8, "epochs": 1, "clip_norm": 1.0, "optimizer": "gradient_descent"}
    network.train(np.ones((400, 8)), np.ones((1, 8)), engine=engine.Fused(2), **options)
    assert len(made) == 1
    assert not engine._kept


def test_an_engine_of_ones_own_hands_it_on():
    """Else two trainings at once could work in the same memory: one by that engine, one that finds the program."""
    mine, alone, together = engine.Fused(1), [net(), net()], [net(), net()]
    net().train(X, Y, **OPTIONS | {"engine": mine})
    options, start = OPTIONS | {"epochs": 5000}, threading.Barrier(2)
    for network in alone:
        network.train(X, Y, **options)

    def train(network, which):
        start.wait(60)
        network.train(X, Y, **options | {"engine": which})

    pairs = zip(together, (mine, "fused"), strict=True)
    threads = [threading.Thread(target=train, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for network, twin in zip(alone, together, strict=True):
        np.testing.assert_array_equal(network.theta, twin.theta)


def test_a_layer_of_an_unknown_kind_never_finds_a_program_of_dropout():
    network = net(dropout=0.5)
    network.train(X, Y, **OPTIONS)

    class Odd:
        """No layer that the engine knows, with a rate all the same."""

        rate = 0.5

    twin = net(dropout=0.5)
    layers = list(twin.layers)
    layers[1] = Odd()
    twin.layers = tuple(layers)
    with pytest.raises(NotCompilable):
        engine.Fused(1).compile(twin, OPTIMIZERS["adam"](), 8)


def test_after_an_error_a_new_one_is_made(made):
    network = net()

    def fails(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        network.train(X, Y, callbacks=[fails], **OPTIONS)
    network.train(X, Y, **OPTIONS)
    assert len(made) == 2


def test_two_trainings_of_one_network_at_once_do_not_share_it(made):
    network = net()
    network.train(X, Y, **OPTIONS)
    inside, go = threading.Event(), threading.Event()

    def waits(*_):
        inside.set()
        assert go.wait(60)

    other = threading.Thread(target=lambda: network.train(X, Y, **OPTIONS | {"epochs": 1}, callbacks=[waits]))
    other.start()
    assert inside.wait(60)
    network.train(X, Y, **OPTIONS)
    go.set()
    other.join()
    assert len(made) == 2


def test_partial_fit_goes_on_with_it(made):
    model = MLPClassifier((5,), engine="fused", n_threads=1, random_state=0)
    labels = (X[0] > 0).astype(int)
    for _ in range(4):
        model.partial_fit(X.T, labels, classes=[0, 1])
    assert len(made) == 1
