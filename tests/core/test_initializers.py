import numpy as np
import pytest

from netwright import ACTIVATIONS, INITIALIZERS, Layer, Network

VARIANCES = {  # of W, from the papers, for 300 inputs and 200 neurons
    "normal": 1,
    "glorot_uniform": 2 / 500,
    "glorot_normal": 2 / 500,
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_uniform": 1 / 300,
    "lecun_normal": 1 / 300,
    "orthogonal": 1 / 300,
}

DRAWN = [name for name in INITIALIZERS if name not in ("given", "nguyen_widrow")]


@pytest.mark.parametrize("name", VARIANCES)
def test_the_variance_is_the_papers(name):
    W = INITIALIZERS[name](np.random.default_rng(0), 200, 300)
    assert W.mean() == pytest.approx(0, abs=0.02 * np.sqrt(VARIANCES[name]))
    assert W.var() == pytest.approx(VARIANCES[name], rel=0.02)  # its standard error is √(2/60000), 0.6 %


@pytest.mark.parametrize("name", DRAWN)
def test_uniform_is_flat_and_bounded_and_normal_is_not(name):
    W = INITIALIZERS[name](np.random.default_rng(0), 200, 300)
    kurtosis = np.mean(W**4) / np.mean(W**2) ** 2
    assert kurtosis == pytest.approx(1.8 if "uniform" in name else 3, rel=0.05)


@pytest.mark.parametrize("shape", [(3, 3), (3, 7), (7, 3), (1, 5), (5, 1), (1, 1)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    W = INITIALIZERS["orthogonal"](np.random.default_rng(0), *shape)
    gram = W @ W.T if shape[0] <= shape[1] else W.T @ W
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-14)


def test_orthogonal_is_uniform_over_both_signs():
    rng = np.random.default_rng(0)
    signs = [np.sign(INITIALIZERS["orthogonal"](rng, 2, 2)[0, 0]) for _ in range(400)]
    assert abs(np.mean(signs)) < 0.15


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_repeats_and_shape_and_dtype_are_kept(name):
    one, same, other = (Layer(3, 4, initializer=name, rng=seed, dtype="float32") for seed in (1, 1, 2))
    assert np.array_equal(one.W, same.W)
    assert not np.array_equal(one.W, other.W)
    assert (one.W.shape, one.W.dtype) == ((4, 3), np.float32)
    assert not one.b.any()


def test_nguyen_widrow_spreads_the_bends_over_the_inputs_range():
    """Each neuron is 0 on a line within reach of the box from -1 to 1, and none is flat there."""
    layer = Layer(2, 400, initializer="nguyen_widrow", rng=0)
    length = np.linalg.norm(layer.W, axis=1)
    np.testing.assert_allclose(length, 0.7 * 400**0.5)
    nearest = np.abs(layer.b[:, 0]) / length  # how far from the middle it bends: uniform up to 1
    assert nearest.max() <= 1
    assert nearest.mean() == pytest.approx(0.5, abs=0.05)
    assert abs(np.sign(layer.b).mean()) < 0.15


def test_what_is_given_is_not_drawn():
    rng = np.random.default_rng(0)
    network = Network([3, 4, 1], initializer="given", rng=rng)
    assert not network.theta.any()
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_activation_starts_by_the_initializer_that_suits_it(name):
    layer = Network([3, 4, 1], name, rng=5).layers[0]
    W = INITIALIZERS[ACTIVATIONS[name].initializer](np.random.default_rng(5), 4, 3)
    assert np.array_equal(layer.W, W)
    assert np.array_equal(
        Network([3, 4, 1], name, initializer="orthogonal", rng=5).layers[0].W.T @ layer.W, W.T @ W
    ) is (ACTIVATIONS[name].initializer == "orthogonal")


@pytest.mark.parametrize(("name", "activation"), [("he_normal", "relu"), ("lecun_normal", "selu")])
def test_signals_keep_their_size_through_twenty_layers(name, activation):
    network = Network([256] * 21, activation, initializer=name, rng=0)
    network.feedforward(np.random.default_rng(1).normal(size=(256, 200)))
    sizes = [np.mean(layer.Z**2) for layer in network.layers]
    assert 0.2 < sizes[-1] / sizes[0] < 5


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown initializer 'he'.*choose one of given, glorot_normal"):
        Layer(2, 3, initializer="he")
