"""A small network's program is kept from training to training, as long as it is still the network's."""

import copy
import gc
import threading
import weakref

import numpy as np
import pytest

from netwright import ACTIVATIONS, LOSSES, MLPClassifier, Network

pytest.importorskip("netwright.engines.fused")
from netwright.engines.fused import engine

X, Y = np.random.default_rng(0).normal(size=(2, 4, 30))
OPTIONS = {"epochs": 2, "batch_size": 8, "engine": "fused", "n_threads": 1, "optimizer": "adam"}


@pytest.fixture
def made(monkeypatch):
    """A list that gets an entry whenever a program is made."""
    entries, original = [], engine.Program.__init__

    def noting(self, *given):
        entries.append(1)
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


@pytest.mark.parametrize("change", [penalty, activation, loss, theta])
def test_a_network_that_has_changed_gets_another_and_learns_what_a_new_one_does(change, made):
    network, fresh = net(), net()
    network.train(X, Y, **OPTIONS)
    change(network), change(fresh)
    fresh.theta, fresh.rng.bit_generator.state = network.theta, network.rng.bit_generator.state
    network.train(X, Y, **OPTIONS), fresh.train(X, Y, **OPTIONS)
    assert len(made) == 3
    np.testing.assert_array_equal(network.theta, fresh.theta)


def test_another_rate_of_dropout_is_another_program(made):
    network = net(dropout=0.2)
    network.train(X, Y, **OPTIONS)
    network.layers[1].rate = 0.5
    network.train(X, Y, **OPTIONS)
    assert len(made) == 2


def test_a_copy_makes_its_own(made):
    network = net()
    network.train(X, Y, **OPTIONS)
    twin = copy.deepcopy(network)
    before = network.theta.copy()
    twin.train(X, Y, **OPTIONS)
    assert len(made) == 2
    np.testing.assert_array_equal(network.theta, before)


def test_it_goes_with_its_network():
    network = net()
    network.train(X, Y, **OPTIONS)
    program = weakref.ref(engine._kept[network])
    del network
    gc.collect()
    assert program() is None


def test_a_large_one_is_not_kept(monkeypatch, made):
    monkeypatch.setattr(engine, "KEPT", 100)
    network = net()
    network.train(X, Y, **OPTIONS), network.train(X, Y, **OPTIONS)
    assert len(made) == 2


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
