import copy
import pickle

import numpy as np
import pytest

from netwright import Activation, Dropout, Layer, Network

RNG = np.random.default_rng(0)
A1 = RNG.normal(size=(2, 5))


def test_feedforward_and_gradient_are_the_articles_equations():
    layer = Layer(2, 3, "tanh", rng=0)
    layer.b = RNG.normal(size=(3, 1))
    A = layer.feedforward(A1)
    assert np.array_equal(layer.A1, A1)
    np.testing.assert_allclose(layer.Z, layer.W @ A1 + layer.b, rtol=1e-14)
    np.testing.assert_allclose(A, np.tanh(layer.W @ A1 + layer.b), rtol=1e-14)
    assert A is layer.A
    dA = RNG.normal(size=(3, 5))
    theta = layer.theta.copy()
    dA1 = layer.gradient(dA)
    dZ = dA * (1 - A**2)
    np.testing.assert_allclose(layer.dW, dZ @ A1.T / 5, rtol=1e-13)
    np.testing.assert_allclose(layer.db, dZ.mean(axis=1, keepdims=True), rtol=1e-13)
    np.testing.assert_allclose(dA1, layer.W.T @ dZ, rtol=1e-13)
    assert np.array_equal(layer.theta, theta)  # gradients are data: only a step writes W and b


def test_backprop_goes_down_the_gradient_by_the_learning_rate():
    layer, other = Layer(2, 3, rng=0), Layer(2, 3, rng=0)
    layer.learning_rate = 0.5
    dA = RNG.normal(size=(3, 5))
    for one in (layer, other):
        one.feedforward(A1)
    expected = other.gradient(dA)
    assert np.array_equal(layer.backprop(dA), expected)  # by the W that made A, not by the new one
    np.testing.assert_allclose(layer.W, other.W - 0.5 * other.dW, rtol=1e-14)
    np.testing.assert_allclose(layer.b, other.b - 0.5 * other.db, rtol=1e-14)


def test_the_learning_rate_is_a_class_attribute_as_in_the_article(monkeypatch):
    assert Layer.learning_rate == 0.1
    monkeypatch.setattr(Layer, "learning_rate", 0.0)
    layer = Layer(2, 3, rng=0)
    theta = layer.theta.copy()
    layer.backprop(np.ones_like(layer.feedforward(A1)))
    assert np.array_equal(layer.theta, theta)


def test_a_call_gives_the_same_and_leaves_no_trace():
    layer = Layer(2, 3, "gelu", rng=0)
    A = layer.feedforward(A1)
    before = dict(vars(layer))
    assert np.array_equal(layer(A1), A)
    layer(A1 + 1)
    assert vars(layer).keys() == before.keys()
    assert all(vars(layer)[name] is value for name, value in before.items())
    assert np.array_equal(A, layer.activation.f(layer.W @ A1 + layer.b))


def test_kept_arrays_are_not_written_over_by_the_next_feedforward():
    layer = Layer(2, 3, rng=0)
    A, Z = layer.feedforward(A1), layer.Z
    kept = A.copy(), Z.copy()
    layer.feedforward(A1 + 1)
    assert np.array_equal(A, kept[0])
    assert np.array_equal(Z, kept[1])


@pytest.mark.parametrize("name", ["W", "b", "dW", "db"])
def test_assigning_copies_into_the_flat_memory(name):
    layer = Layer(2, 3, rng=0)
    view, values = getattr(layer, name), RNG.normal(size=getattr(layer, name).shape)
    setattr(layer, name, values)
    assert getattr(layer, name) is view
    assert not np.shares_memory(view, values)
    assert np.shares_memory(view, layer.grad if name.startswith("d") else layer.theta)
    assert np.array_equal(view, values)
    with pytest.raises(ValueError, match=rf"{name} must have shape .* \(neurons, .*\), got \(7, 7\)"):
        setattr(layer, name, np.zeros((7, 7)))


def test_in_place_arithmetic_reaches_theta():
    layer = Layer(2, 3, rng=0)
    layer.W *= 2
    layer.b += 1
    assert np.array_equal(layer.theta, np.concatenate([2 * Layer(2, 3, rng=0).W.ravel(), np.ones(3)]))


def pickled(layer):
    return pickle.loads(pickle.dumps(layer))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("name", ["tanh", "softmax", "gelu"])
def test_copies_are_equal_and_apart(copied, name):
    layer = Layer(2, 3, name, initializer="he_normal", rng=0, dtype="float32")
    layer.learning_rate = 0.3
    layer.feedforward(A1)
    twin = copied(layer)
    assert repr(twin) == repr(layer)
    assert twin.learning_rate == 0.3
    assert np.array_equal(twin(A1), layer(A1))
    assert twin.activation is layer.activation
    before = layer.W.copy()
    twin.W = np.zeros((3, 2))
    assert np.array_equal(layer.W, before)
    assert np.shares_memory(twin.W, twin.theta)
    assert not twin.theta[:6].any()


def test_an_own_activation_is_copied_along():
    layer = Layer(2, 3, Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2), rng=0)
    assert np.array_equal(copy.deepcopy(layer)(A1), layer(A1))


def test_dtype_holds_throughout():
    layer = Layer(2, 3, rng=0, dtype=np.float32)
    A = layer.feedforward(A1)
    made = [A, layer.Z, layer.A1, layer.gradient(np.ones((3, 5))), layer.dW, layer.db, layer(A1.astype(int))]
    assert {array.dtype for array in made} == {np.dtype(np.float32)}
    double = Layer(2, 3, rng=0)
    np.testing.assert_allclose(A, double.feedforward(A1), rtol=1e-5, atol=1e-7)
    double.gradient(np.ones((3, 5)))
    np.testing.assert_allclose(layer.dW, double.dW, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layer(0, 3), "inputs must be a whole number of at least 1, got 0"),
        (lambda: Layer(2, -3), "neurons must be a whole number of at least 1, got -3"),
        (lambda: Layer(2.0, 3), "inputs must be a whole number of at least 1, got 2.0"),
        (lambda: Layer(True, 3), "inputs must be a whole number of at least 1, got True"),
        (lambda: Layer(2, "3"), "neurons must be a whole number of at least 1, got '3'"),
        (lambda: Layer(2, 3, "tahn"), "unknown activation 'tahn'; did you mean 'tanh'"),
        (lambda: Layer(2, 3, initializer="glorot"), "unknown initializer 'glorot'"),
        (lambda: Layer(2, 3, rng=-1), "rng must be None, a seed of at least 0 or a numpy.random.Generator, got -1"),
        (lambda: Layer(2, 3, rng="seed"), "rng must be"),
        (lambda: Layer(2, 3, dtype="float16"), "dtype must be float64 or float32, got 'float16'"),
        (lambda: Layer(2, 3, dtype=int), "dtype must be float64 or float32, got <class 'int'>"),
        (lambda: Layer(2, 3, dtype="nonsense"), "dtype must be float64 or float32, got 'nonsense'"),
        (lambda: Layer(2, 3, rng=0)(np.zeros((3, 5))), r"takes 2 inputs.*must have shape \(2, samples\), got \(3, 5\)"),
        (lambda: Layer(2, 3, rng=0).feedforward(np.zeros(2)), r"A1 must have shape \(2, samples\), got \(2,\)"),
        (lambda: Layer(2, 3, rng=0).gradient(np.zeros((3, 5))), "has no Z yet: call feedforward first"),
        (lambda: fed(Layer(2, 3, rng=0)).gradient(np.zeros((3, 1))), r"dA must have A's shape \(3, 5\), got \(3, 1\)"),
        (lambda: fed(Layer(2, 3, rng=0)).backprop(1.0), r"dA must have A's shape \(3, 5\), got \(\)"),
        (lambda: copy.copy(fed(Layer(2, 3, rng=0))).gradient(np.zeros((3, 5))), "call feedforward first"),
        (lambda: Dropout(1), "dropout's rate must be below 1, got 1"),
        (lambda: Dropout(-0.1), "dropout's rate must be a finite number between 0 and 1, got -0.1"),
        (lambda: Dropout("half"), "dropout's rate must be a finite number between 0 and 1, got 'half'"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def fed(layer):
    layer.feedforward(A1)
    return layer


def test_rng_may_be_a_seed_a_generator_or_the_old_kind():
    seeded = Layer(2, 3, rng=5).W
    assert np.array_equal(seeded, Layer(2, 3, rng=np.int64(5)).W)
    assert np.array_equal(seeded, Layer(2, 3, rng=np.random.default_rng(5)).W)
    old = np.random.RandomState(5)
    assert not np.array_equal(Layer(2, 3, rng=old).W, Layer(2, 3, rng=old).W)  # it goes on, and does not start again


# ── dropout ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dropout_drops_its_share_keeps_the_mean_and_goes_back_by_the_same_mask(dtype):
    layer, ones = Dropout(0.3, rng=0), np.ones((100, 400), dtype)
    A = layer.feedforward(ones)
    assert A.dtype == dtype
    assert np.mean(A == 0) == pytest.approx(0.3, abs=0.01)
    assert set(np.unique(A)) == {0, dtype(1 / 0.7)}
    assert A.mean() == pytest.approx(1, abs=0.02)
    assert np.array_equal(layer.gradient(ones), A)
    assert not np.array_equal(layer.feedforward(ones), A)


def test_dropout_is_absent_in_prediction():
    layer = Dropout(0.9)
    assert layer(A1) is A1
    network = Network([2, 50, 1], dropout=0.5, rng=0)
    assert np.array_equal(network.predict(A1), network.predict(A1))
    assert not np.array_equal(network.feedforward(A1), network.feedforward(A1))
    without = Network(copy.deepcopy(network).layers[::2])
    assert np.array_equal(without.predict(A1), network.predict(A1))


def test_dropout_of_0_changes_nothing():
    assert np.array_equal(Dropout(0.0).feedforward(A1), A1)
