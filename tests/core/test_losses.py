import copy
import pickle

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from netwright import (
    ACTIVATIONS,
    LOSSES,
    Loss,
    Network,
    check_gradient,
    d_logloss,
    d_sigmoid,
    load,
    logloss,
    sigmoid,
)
from netwright.core.gauss_newton import roots, times
from netwright.core.links import LINKS
from netwright.core.losses import cross_entropy, find_loss, huber, is_known, quantile
from strategies import LOSS_NAMES, targets

DTYPES = [np.float64, np.float32]


def draw(name, samples=40, scale=2.0):
    rng = np.random.default_rng(0)
    return scale * rng.normal(size=(3, samples)), targets(name, 3, samples, rng)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_dZ_is_the_derivative_of_the_samples_loss(name):
    loss = find_loss(name)
    Z, Y = draw(name)
    dZ = loss.dZ(Z, ACTIVATIONS[loss.link].f(Z), Y)
    h = 1e-5
    for i in range(3):
        step = np.zeros_like(Z)
        step[i] = h
        before, here, after = (loss.value(moved, Y).sum(axis=0) for moved in (Z - step, Z, Z + step))
        smooth = np.abs(after - 2 * here + before) < 1e-2 * h
        assert smooth.mean() > 0.9
        np.testing.assert_allclose(dZ[i][smooth], ((after - before) / (2 * h))[smooth], rtol=1e-7, atol=1e-8)


SMOOTH = [name for name in LOSS_NAMES if not find_loss(name).kinks and "huber" not in name]


def second_derivatives(loss, Z, Y, h=1e-5):
    """(3, 3, samples): of the samples' losses by each two rows of Z, by a difference of dZ."""
    f, seconds = ACTIVATIONS[loss.link].f, []
    for i in range(3):
        step = np.zeros_like(Z)
        step[i] = h
        seconds.append((loss.dZ(Z + step, f(Z + step), Y) - loss.dZ(Z - step, f(Z - step), Y)) / (2 * h))
    return np.array(seconds)


@pytest.mark.parametrize("name", [*SMOOTH, "cross_entropy:1,2"])
def test_curvature_is_the_second_derivative(name):
    loss = find_loss(name)
    Z = draw("squared_error")[0]
    Y = np.vstack([np.ones(40), np.eye(2)[:, np.arange(40) % 2]]) if loss.blocks else draw(name)[1]
    h = loss.curvature(Z, ACTIVATIONS[loss.link].f(Z), Y)
    columns = np.array(list(roots(loss, h)))
    H = np.array([times(loss, h, np.repeat(row[:, np.newaxis], 40, axis=1)) for row in np.eye(3)])
    np.testing.assert_allclose(H, second_derivatives(loss, Z, Y), atol=1e-8)
    np.testing.assert_allclose(np.einsum("kis,kjs->ijs", columns, columns), H, atol=1e-14)


@pytest.mark.parametrize("name", ["absolute_error", "huber", "huber:1.5", "quantile", "quantile:0.9"])
def test_where_there_is_none_it_is_that_of_a_parabola_that_touches_and_lies_above(name):
    loss = find_loss(name)
    Z, Y = draw(name)
    value, dZ, h = loss.value(Z, Y), loss.dZ(Z, Z, Y), loss.curvature(Z, Z, Y)
    touching = []
    for other in np.linspace(-8, 8, 401):
        parabola = value + dZ * (other - Z) + 0.5 * h * (other - Z) ** 2
        touching.append(parabola - loss.value(np.full_like(Z, other), Y))
    assert np.min(touching) > -1e-9
    assert np.isclose(np.min(touching, axis=0), 0, atol=1e-3).all()  # at Z, and on the other side of Y


def test_a_curvature_of_ones_own_is_looked_at():
    parts = "own", lambda Z, Y: (Z - Y) ** 2, lambda Z, A, Y: 2 * (Z - Y)
    assert Loss(*parts, curvature=lambda Z, A, Y: 2 + 0 * Z).curvature is not None
    for wrong in (lambda Z, A, Y: 2, lambda Z, A, Y: Z, lambda Z, A, Y: np.nan * Z):
        with pytest.raises(ValueError, match="loss 'own': curvature must be a finite number of at least 0 for each"):
            Loss(*parts, curvature=wrong)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_in_is_dtype_out(name, dtype):
    loss = find_loss(name)
    Z, Y = (values.astype(dtype) for values in draw(name))
    A = ACTIVATIONS[loss.link].f(Z)
    for made in (loss.value(Z, Y), loss.dZ(Z, A, Y), loss.curvature(Z, A, Y)):
        assert (made.dtype, made.shape) == (dtype, Z.shape)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_finite_where_Z_is_800(name, dtype):
    loss = find_loss(name)
    Y = draw(name, 4)[1].astype(dtype)
    Z = np.array([[800, -800, 800, -800], [-800, 800, 800, -800], [0, 0, 0, -800]], dtype)
    with np.errstate(all="raise", under="ignore"):
        values, dZ = loss.value(Z, Y), loss.dZ(Z, ACTIVATIONS[loss.link].f(Z), Y)
    assert np.isfinite(values).all()
    assert np.isfinite(dZ).all()
    assert (values >= 0).all()


def outputs_of(name, Z):
    return ACTIVATIONS[find_loss(name).link].f(Z)


OTHERS = {  # the mean over samples of what scikit-learn or SciPy makes of targets Y and outputs A
    "logloss": lambda Y, A: sum(metrics.log_loss(y, a, labels=[0, 1]) for y, a in zip(Y, A, strict=True)),
    "cross_entropy": lambda Y, A: metrics.log_loss(Y.argmax(axis=0), A.T, labels=[0, 1, 2]),
    "squared_error": lambda Y, A: metrics.mean_squared_error(Y.T, A.T) * 3 / 2,
    "absolute_error": lambda Y, A: metrics.mean_absolute_error(Y.T, A.T) * 3,
    "huber": lambda Y, A: special.huber(1, Y - A).sum() / Y.shape[1],
    "huber:1.5": lambda Y, A: special.huber(1.5, Y - A).sum() / Y.shape[1],
    "quantile": lambda Y, A: metrics.mean_absolute_error(Y.T, A.T) * 3 / 2,
    "quantile:0.9": lambda Y, A: metrics.mean_pinball_loss(Y.T, A.T, alpha=0.9) * 3,
    "poisson": lambda Y, A: metrics.mean_poisson_deviance(Y.ravel(), A.ravel()) * 3 / 2,
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_mean_loss_is_that_of_scikit_learn_or_scipy(name):
    Z, Y = draw(name)
    ours = find_loss(name).value(Z, Y).sum(axis=0).mean()
    assert ours == pytest.approx(OTHERS[name](Y, outputs_of(name, Z)), rel=1e-9)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_least_at_the_quantile(level):
    Y = np.random.default_rng(0).gamma(2, size=(1, 2001))
    guesses = np.linspace(0, 6, 1201)
    means = [find_loss(f"quantile:{level}").value(np.full_like(Y, guess), Y).mean() for guess in guesses]
    assert guesses[np.argmin(means)] == pytest.approx(np.quantile(Y, level), abs=0.01)


# ── names with a parameter ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spellings", "made", "name"),
    [
        (["huber:0.25", "huber:.25"], [huber(0.25), huber(np.float64(0.25))], "huber:0.25"),
        (["huber", "huber:1", "huber:1.0"], [huber(1), huber(1.0), LOSSES["huber"]], "huber"),
        (["quantile:0.25", "quantile:2.5e-1"], [quantile(0.25)], "quantile:0.25"),
        (["quantile", "quantile:0.5"], [quantile(0.5), LOSSES["quantile"]], "quantile"),
        (["quantile:0.1,0.5,0.9", "quantile:.1, .5, .9"], [quantile(0.1, 0.5, 0.9)], "quantile:0.1,0.5,0.9"),
        (["cross_entropy:3,2,4", "cross_entropy:3, 2, 4"], [cross_entropy(3, 2, 4)], "cross_entropy:3,2,4"),
        (["cross_entropy:3"], [cross_entropy(3), cross_entropy(np.int64(3))], "cross_entropy:3"),
        (["cross_entropy"], [cross_entropy(), LOSSES["cross_entropy"]], "cross_entropy"),
    ],
)
def test_a_family_gives_one_loss_for_each_parameter_however_it_is_asked_for(spellings, made, name):
    losses = [*map(find_loss, spellings), *made]
    assert all(loss is losses[0] for loss in losses)
    assert losses[0].name == name
    assert is_known(losses[0])
    assert find_loss(name) is losses[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("logless", "unknown loss 'logless'; did you mean 'logloss'.*choose one of absolute_error, "),
        (None, "unknown loss None"),
        ("logloss:2", "loss 'logloss' takes no parameter"),
        ("nothing:2", "unknown loss 'nothing'"),
        ("huber:", "unknown loss 'huber:': write huber:NUMBER"),
        ("huber:wide", "unknown loss 'huber:wide': write huber:NUMBER"),
        ("huber:0", "huber's delta must be a finite number above 0, got 0"),
        ("huber:nan", "huber's delta must be a finite number above 0, got nan"),
        ("quantile:1", "level must be a finite number between 0 and 1, both excluded, got 1"),
        ("quantile:0.1,", "unknown loss 'quantile:0.1,': write quantile:NUMBER"),
        ("quantile:0.1,1.5", "level must be a finite number between 0 and 1, both excluded, got 1.5"),
        ("huber:1,2", r"write huber:NUMBER \(.*1 positional argument"),
        ("cross_entropy:3,2.5", "a block of cross_entropy must be a whole number of at least 1, got 2.5"),
        ("cross_entropy:3,0", "a block of cross_entropy must be a whole number of at least 1, got 0"),
    ],
)
def test_an_unknown_loss_is_told_what_would_be_right(name, message):
    with pytest.raises(ValueError, match=message):
        find_loss(name)


# ── targets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("loss", "Y", "message"),
    [
        ("logloss", [[0, 1, 2.0]], r"logloss needs targets between 0 and 1; Y\[0, 2\] is 2"),
        ("logloss", [[0, -0.5]], r"Y\[0, 1\] is -0.5"),
        ("cross_entropy", [[1, 0.5], [0, 0.4]], r"sum to 1; Y\[0, 1\] is 0.5"),
        ("cross_entropy", [[1, 2], [0, -1]], r"class probabilities.*Y\[1, 1\] is -1"),
        ("poisson", [[0, 3, -1]], r"targets of at least 0; Y\[0, 2\] is -1"),
        ("cross_entropy:1,2", [[1, 1], [0, 0.5], [1, 0.4]], r"sum to 1 in each block; Y\[1, 1\] is 0.5"),
        ("cross_entropy:1,2", [[0, 1], [1, 0.5], [0, 0.5]], r"in each block; Y\[0, 0\] is 0"),
    ],
)
def test_targets_that_a_loss_cannot_learn_are_named(loss, Y, message):
    with pytest.raises(ValueError, match=message):
        find_loss(loss).check_targets(np.array(Y, float))


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_targets_of_the_right_kind_pass(name):
    find_loss(name).check_targets(draw(name)[1])


def test_label_smoothing_moves_targets_towards_even_odds():
    np.testing.assert_allclose(LOSSES["logloss"].smooth(np.array([[0, 1.0]]), 0.2), [[0.1, 0.9]])
    smooth = LOSSES["cross_entropy"].smooth(np.eye(4), 0.2)
    np.testing.assert_allclose(smooth, np.where(np.eye(4), 0.85, 0.05))
    network = Network([2, 4], loss="cross_entropy", label_smoothing=0.2, rng=0)
    plain = copy.deepcopy(network)
    plain.label_smoothing = 0.0
    X = np.random.default_rng(0).normal(size=(2, 4))
    assert network.gradient(X, np.eye(4)) == pytest.approx(plain.gradient(X, smooth), rel=1e-14)
    np.testing.assert_allclose(network.grad, plain.grad, rtol=1e-13)
    assert network.cost(X, np.eye(4)) == plain.cost(X, np.eye(4))


# ── several levels, several class targets: rows that are not all alike ───────────────────────────────────────────────

GROUPED = {"quantile:0.1,0.5,0.9": 6, "quantile:0.2,0.7": 2, "cross_entropy:3,2,4": 9, "cross_entropy:4": 4}


def grouped(name, samples=12, seed=0):
    """X, (2, samples), and Y, (outputs, samples), for a loss of `GROUPED`."""
    rng = np.random.default_rng(seed)
    blocks = find_loss(name).blocks
    Y = [targets("cross_entropy", size, samples, rng) for size in blocks] or [rng.normal(size=(GROUPED[name], samples))]
    return rng.normal(size=(2, samples)), np.concatenate(Y)


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("last", [None, "sigmoid", "softmax"])
def test_the_gradient_of_grouped_rows_is_the_numeric_one(name, last):
    loss, weight = find_loss(name), np.random.default_rng(1).uniform(0, 2, 12)
    activation = "tanh" if last is None else ["tanh", last]
    for smoothing in (0.0, 0.2)[: 1 + bool(loss.blocks)]:
        network = Network([2, 5, GROUPED[name]], activation, loss=name, l2=0.1, label_smoothing=smoothing, rng=0)
        assert network.linked == (last is None)
        assert check_gradient(network, *grouped(name), weight) < 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("quantile:0.1,0.5,0.9", [("quantile:0.1", [0, 3]), ("quantile:0.5", [1, 4]), ("quantile:0.9", [2, 5])]),
        ("quantile:0.2,0.7", [("quantile:0.2", [0]), ("quantile:0.7", [1])]),
        ("cross_entropy:3,2,4", [(f"cross_entropy:{n}", range(k, k + n)) for n, k in ((3, 0), (2, 3), (4, 5))]),
        ("cross_entropy:4", [("cross_entropy", range(4))]),
    ],
)
def test_grouped_rows_are_networks_side_by_side(name, parts, dtype):
    """Cost and gradient of one layer are those of layers of their own, each with a loss of its own."""
    X, Y = grouped(name)
    smoothing = 0.1 if find_loss(name).blocks else 0.0
    whole = Network([2, len(Y)], loss=name, label_smoothing=smoothing, rng=0, dtype=dtype)
    cost, layer = whole.gradient(X, Y), whole.layers[0]
    costs = 0.0
    for part, rows in parts:
        one = Network([2, len(rows)], loss=part, label_smoothing=smoothing, dtype=dtype)
        one.layers[0].W, one.layers[0].b = layer.W[rows], layer.b[rows]
        costs += one.gradient(X, Y[rows])
        rounding = 1e-13 if dtype == np.float64 else 1e-5
        np.testing.assert_allclose(layer.dW[rows], one.layers[0].dW, rtol=rounding, atol=rounding)
        np.testing.assert_allclose(whole.predict(X)[rows], one.predict(X), rtol=rounding)
    assert cost == pytest.approx(costs, rel=1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("one", "many"), [("cross_entropy", "cross_entropy:4"), ("quantile:0.25", "quantile:0.25,0.25")]
)
def test_one_group_is_the_same_to_the_bit(one, many, dtype):
    X, Y = grouped("cross_entropy:4", 30)
    thetas = []
    for name in (one, many):
        network = Network([2, 5, 4], loss=name, rng=0, dtype=dtype)
        network.train(X, Y, epochs=5, batch_size=8, engine="plain")
        thetas.append(network.theta.tobytes())
    assert thetas[0] == thetas[1]


def test_blocks_cost_what_scikit_learn_makes_of_each():
    Z, Y = np.random.default_rng(0).normal(size=(9, 40)), grouped("cross_entropy:3,2,4", 40)[1]
    A = ACTIVATIONS["softmax:3,2,4"].f(Z)
    ours = find_loss("cross_entropy:3,2,4").value(Z, Y).sum(axis=0).mean()
    blocks = [slice(0, 3), slice(3, 5), slice(5, 9)]
    theirs = [metrics.log_loss(Y[rows].argmax(axis=0), A[rows].T, labels=range(len(Y[rows]))) for rows in blocks]
    assert ours == pytest.approx(sum(theirs), rel=1e-9)


@pytest.mark.parametrize("engine", ["plain", "fused"])
def test_several_levels_end_at_the_quantiles(engine):
    """A network that sees nothing learns the sample's quantiles, up to the step between neighbours."""
    pytest.importorskip("netwright.engines.fused" if engine == "fused" else "netwright")
    y = np.random.default_rng(0).gamma(2, size=400)
    levels = (0.1, 0.5, 0.9)
    network = Network([1, 3], loss=quantile(*levels), rng=0)
    options = {"optimizer": "gradient_descent", "learning_rate": 0.5, "schedule": "cosine", "engine": engine}
    network.train(np.zeros((1, 400)), np.tile(y, (3, 1)), epochs=1500, batch_size=400, **options)
    for level, a in zip(levels, network.predict(np.zeros((1, 1)))[:, 0], strict=True):
        below, above = (np.quantile(y, level + step / 400) for step in (-1, 1))
        assert below <= a <= above


def test_smoothing_counts_the_classes_of_each_block():
    Y = np.array([[1.0], [0], [0], [0], [1]])
    smooth = cross_entropy(3, 2).smooth(Y, 0.3)
    np.testing.assert_allclose(smooth, [[0.8], [0.1], [0.1], [0.15], [0.85]])


def test_validation_counts_the_samples_that_are_right_in_every_block():
    X, Y = grouped("cross_entropy:3,2,4", 60)
    network = Network([2, 9], loss="cross_entropy:3,2,4", rng=0)
    weight = np.random.default_rng(3).uniform(size=60)
    history = network.train(X, Y, epochs=1, validation=(X, Y, weight))
    A = network.predict(X)
    right = [all(A[rows, j].argmax() == Y[rows, j].argmax() for rows in np.split(range(9), [3, 5])) for j in range(60)]
    assert 0 < np.mean(right) < 1
    assert history.validation_scores == {"accuracy:3,2,4": [pytest.approx(np.average(right, weights=weight))]}


@pytest.mark.parametrize("name", GROUPED)
def test_a_network_of_grouped_rows_comes_back_and_shows_itself(name, tmp_path):
    X, Y = grouped(name)
    network = Network([2, 4, GROUPED[name]], loss=name, rng=0)
    network.train(X, Y, epochs=2, batch_size=5)
    network.save(tmp_path / "model")
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert other.loss is network.loss
        assert other.layers[-1].activation is network.layers[-1].activation
        assert other.linked
        assert np.array_equal(other.predict(X), network.predict(X))
        assert other.gradient(X, Y) == network.gradient(X, Y)
    assert f"loss {name}" in network.summary()
    assert network.layers[-1].activation.name in network._repr_html_()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network([2, 4], loss="quantile:0.1,0.5,0.9"), "'quantile:0.1,0.5,0.9' has 3 .*multiple of 3, got 4"),
        (lambda: Network([2, 8], loss="cross_entropy:3,2,4"), r"softmax:3,2,4 is for 3 \+ 2 \+ 4 = 9 neurons, got 8"),
        (lambda: Network([2, 8], ["sigmoid"], loss="cross_entropy:3,2,4"), r"softmax:3,2,4 is for .* = 9 .*, got 8"),
        (lambda: Network([2, 6], loss="quantile:0.1,0.9", label_smoothing=0.1), "'quantile:0.1,0.9' has none"),
        (lambda: find_loss(Loss("cross_entropy:3", lambda Z, Y: Z, lambda Z, A, Y: 1 + 0 * Z)), "name of another"),
    ],
)
def test_outputs_that_do_not_fit_the_groups_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ── the article's pair, and other ways to a link ─────────────────────────────────────────────────────────────────────


def test_logloss_and_its_derivative_agree_with_scikit_learn_and_a_numeric_derivative():
    rng = np.random.default_rng(0)
    y, a = rng.integers(0, 2, 50), rng.uniform(0.01, 0.99, 50)
    assert logloss(y, a).mean() == pytest.approx(metrics.log_loss(y, a), rel=1e-12)
    numeric = (logloss(y, a + 1e-6) - logloss(y, a - 1e-6)) / 2e-6
    np.testing.assert_allclose(d_logloss(y, a), numeric, rtol=1e-6)


@pytest.mark.parametrize("dtype", [*DTYPES, int])
def test_logloss_is_finite_at_0_and_1_and_right_there(dtype):
    y, a = np.array([0, 0, 1, 1], dtype), np.array([0, 1, 0, 1], dtype)
    with np.errstate(all="raise"):
        values, slopes = logloss(y, a), d_logloss(y, a)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    assert values[[0, 3]] == pytest.approx(0, abs=1e-6)
    assert (values[[1, 2]] > 15).all()
    assert slopes[1] > 1e6
    assert slopes[2] < -1e6


def test_the_articles_chain_gives_the_linked_step():
    rng = np.random.default_rng(0)
    Z, Y = rng.uniform(-12, 12, (2, 30)), rng.integers(0, 2, (2, 30))
    A = sigmoid(Z)
    chain = d_logloss(Y, A) * d_sigmoid(Z)
    np.testing.assert_allclose(chain, LOSSES["logloss"].dZ(Z, A, Y), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(logloss(Y, A), LOSSES["logloss"].value(Z, Y), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("link", sorted({loss.link for loss in LOSSES.values()}))
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_link_goes_back_through_the_link(link, dtype):
    Z = np.random.default_rng(0).normal(size=(3, 20)).astype(dtype)
    A = ACTIVATIONS[link].f(Z)
    back, slope = LINKS[link].back(A)
    assert back.dtype == slope.dtype == dtype
    np.testing.assert_allclose(ACTIVATIONS[link].f(back), A, rtol=1e-12 if dtype == np.float64 else 1e-5)
    h = 1e-3
    np.testing.assert_allclose(slope, (LINKS[link].back(A + h)[0] - LINKS[link].back(A - h)[0]) / (2 * h), rtol=0.05)
    edges = np.array([[-1, 0, 0.5, 1, 2]], dtype)
    with np.errstate(all="raise"):
        assert np.isfinite(LINKS[link].back(edges)).all()


# ── the user's own ───────────────────────────────────────────────────────────────────────────────────────────────────


def cubic(name="cubic", **options):
    return Loss(name, lambda Z, Y: abs(Z - Y) ** 3 / 3, lambda Z, A, Y: (Z - Y) * abs(Z - Y), **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "own",
    [
        cubic(),
        Loss("absolute by where", lambda Z, Y: abs(Z - Y), lambda Z, A, Y: np.where(Z > Y, 1.0, -1.0)),
        Loss("asymmetric", lambda Z, Y: np.where(Z > Y, Z - Y, 2 * (Y - Z)), lambda Z, A, Y: np.where(Z > Y, 1, -2)),
    ],
    ids=lambda own: own.name,
)
def test_ones_own_loss_works_wherever_a_name_does(own, dtype):
    network = Network([2, 3, 1], loss=own, rng=0, dtype=dtype)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 9)), rng.normal(size=(1, 9))
    assert network.gradient(X, Y) == pytest.approx(network.cost(X, Y), rel=1e-5)
    dZ = own.dZ(network.layers[-1].Z, network.layers[-1].A, Y)
    assert network.layers[-1].db == pytest.approx(dZ.mean(), rel=1e-4)
    assert network.grad.dtype == dtype


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Loss("mine", lambda Z, Y: (Z - Y) ** 2, lambda Z, A, Y: Z - Y), "dZ is not the derivative of value"),
        (lambda: cubic(link="logit"), "unknown activation 'logit'"),
        (lambda: cubic(targets="integers"), "loss 'cubic': targets must be one of real, probability"),
        (lambda: Loss("mine", lambda Z, Y: 1 / 0, lambda Z, A, Y: Z), "'mine' failed on Z and Y of shape.*division"),
        (lambda: Loss("mine", lambda Z, Y: ((Z - Y) ** 2).mean(), lambda Z, A, Y: Z - Y), "must be elementwise"),
        (lambda: Loss("mine", lambda Z, Y: float(Z.mean()), lambda Z, A, Y: Z - Y), "must be elementwise"),
        (lambda: Loss("mine", lambda Z, Y: Z, lambda Z, A, Y: 1), r"must be elementwise.*, dZ \(\)"),
        (lambda: Loss("mine", lambda Z, Y: Z - Y, 3), "'mine' failed"),
        (lambda: Loss("mine", lambda Z, Y: np.sqrt(Z), lambda Z, A, Y: 0.5 / np.sqrt(Z)), "not the derivative"),
        (lambda: Loss("mine", lambda Z, Y: Z, lambda Z, A, Y: np.eye(len(Z))[:, :1] + 0 * Z), "not the derivative"),
        (lambda: cubic(""), "a loss's name must be a word, got ''"),
        (lambda: cubic(None), "a loss's name must be a word, got None"),
    ],
)
def test_a_wrong_loss_is_told_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_ones_own_may_not_pass_for_a_row_of_the_table():
    with pytest.raises(ValueError, match="'huber' is the name of another; give your own one of its own"):
        find_loss(cubic("huber"))


def test_a_link_with_no_way_back_wants_its_activation_last():
    own = Loss(
        "bounded",
        lambda Z, Y: 0.5 * (np.tanh(Z) - Y) ** 2,
        lambda Z, A, Y: (A - Y) * (1 - A * A),
        link="tanh",
    )
    assert Network([2, 3, 1], loss=own, rng=0).linked
    with pytest.raises(ValueError, match="the loss 'bounded' needs 'tanh' as the last activation, got 'identity'"):
        Network([2, 3, 1], activation=["tanh", "identity"], loss=own, rng=0)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_a_network_of_a_known_loss_survives_pickling_with_it(name):
    network = Network([2, 2], loss=name, rng=0)
    assert pickle.loads(pickle.dumps(network)).loss is find_loss(name)
