import copy
import gc
import pickle
import threading
import warnings
from xml.dom import minidom

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright import ACTIVATIONS, LOSSES, Activation, Dropout, Layer, Network, check_gradient
from netwright.core.losses import find_loss
from strategies import LOSS_NAMES, Problem, problems, targets

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 6)), RNG.integers(0, 2, (1, 6)).astype(float)
few = settings(max_examples=40, deadline=None)


def make(**options):
    return Network([2, 3, 1], rng=0, **options)


# ── the article's loops ──────────────────────────────────────────────────────────────────────────────────────────────


def test_feedforward_and_predict_go_through_the_layers_in_order():
    network = make()
    A = X
    for layer in network.layers:
        A = layer(A)
    assert np.array_equal(network.predict(X), A)
    assert np.array_equal(network.feedforward(X), A)


def test_gradient_is_the_articles_loop_over_the_layers():
    network = make()
    twin = copy.deepcopy(network)
    cost = network.gradient(X, Y)
    A = twin.feedforward(X)
    dA = (A - Y) / (A * (1 - A))
    for layer in reversed(twin.layers):
        dA = layer.gradient(dA)
    np.testing.assert_allclose(network.grad, twin.grad, rtol=1e-12)
    assert cost == pytest.approx(-np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A)), rel=1e-12)
    assert network.cost(X, Y) == pytest.approx(cost, rel=1e-14)


def test_penalties_are_of_W_and_not_of_b():
    plain, ridge, lasso = make(), make(l2=0.3), make(l1=0.2)
    for network in (plain, ridge, lasso):
        network.layers[0].b = [[1], [2], [3]]
    W = np.concatenate([layer.W.ravel() for layer in plain.layers])
    cost = plain.gradient(X, Y)
    assert ridge.gradient(X, Y) == pytest.approx(cost + 0.15 * np.sum(W**2))
    assert lasso.gradient(X, Y) == pytest.approx(cost + 0.2 * np.sum(np.abs(W)))
    for i in range(2):
        np.testing.assert_allclose(ridge.layers[i].dW, plain.layers[i].dW + 0.3 * plain.layers[i].W)
        np.testing.assert_allclose(lasso.layers[i].dW, plain.layers[i].dW + 0.2 * np.sign(plain.layers[i].W))
        np.testing.assert_allclose(ridge.layers[i].db, plain.layers[i].db)
    assert ridge.cost(X, Y) == plain.cost(X, Y)


@pytest.mark.parametrize("weight", [None, np.arange(6.0)])
def test_penalties_per_batch_are_divided_by_its_samples_whatever_they_weigh(weight):
    each, whole = make(l2=0.6, l1=0.3, penalty_per_batch=True), make(l2=0.1, l1=0.05)
    assert each.gradient(X, Y, weight) == pytest.approx(whole.gradient(X, Y, weight), rel=1e-14)
    np.testing.assert_allclose(each.grad, whole.grad, rtol=1e-12)
    assert check_gradient(each, X, Y, weight) < 1e-7
    assert check_gradient(each, X[:, :2], Y[:, :2]) < 1e-7


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_outputs_are_those_of_the_losss_link(name):
    network = Network([2, 3, 2], loss=name, rng=0)
    assert network.layers[-1].activation is ACTIVATIONS[find_loss(name).link]
    assert network.linked


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_another_way_to_the_same_outputs_costs_the_same(name):
    """A last activation that is not the link goes by the chain rule: here one that computes just the same."""
    link = ACTIVATIONS[find_loss(name).link]
    other = type(link)("by another name", link.f, link.df)
    linked = Network([2, 3, 2], loss=name, rng=0)
    chained = Network([2, 3, 2], ["tanh", other], loss=name, initializer="glorot_uniform", rng=0)
    chained.theta = linked.theta
    T = targets(name, 2, 6, np.random.default_rng(1))
    assert not chained.linked
    assert chained.gradient(X, T) == pytest.approx(linked.gradient(X, T), rel=1e-12)
    np.testing.assert_allclose(chained.grad, linked.grad, rtol=1e-9, atol=1e-13)
    assert chained.cost(X, T) == pytest.approx(linked.cost(X, T), rel=1e-12)


# ── theta and grad, and the layers' views of them ────────────────────────────────────────────────────────────────────


def check_views(network):
    """Every W, b, dW, db is a view of theta or grad, in order, and together they are all of it."""
    layers = [layer for layer in network.layers if isinstance(layer, Layer)]
    for vector, names in ((network.theta, ("W", "b")), (network.grad, ("dW", "db"))):
        vector[...] = np.arange(vector.size)
        assert np.array_equal(
            np.concatenate([getattr(layer, name).ravel() for layer in layers for name in names]), vector
        )


def pickled(network):
    return pickle.loads(pickle.dumps(network))


@pytest.mark.parametrize(
    "after", [lambda n: n, copy.copy, copy.deepcopy, pickled], ids=["made", "copy", "deep", "pickle"]
)
def test_views_stay_views(after):
    network = after(make(dropout=0.2))
    first, last = network.layers[0], network.layers[-1]
    first.W = np.ones((3, 2))
    last.b = [[7]]
    last.dW = np.full((1, 3), 3.0)
    assert network.theta[0] == 1
    assert network.theta[-1] == 7
    assert network.grad[-2] == 3
    network.theta = range(network.theta.size)
    network.grad = np.zeros(network.grad.size)
    network.theta *= 2
    assert np.array_equal(first.W, [[0, 2], [4, 6], [8, 10]])
    network.gradient(X, Y)
    check_views(network)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled], ids=["copy", "deep", "pickle"])
def test_a_copy_is_equal_and_apart(copied):
    network = make(dropout=0.3, l2=0.1, dtype="float32")
    network.gradient(X, Y)
    twin = copied(network)
    assert repr(twin) == repr(network)
    assert np.array_equal(twin.theta, network.theta)
    assert np.array_equal(twin.grad, network.grad)
    assert twin.gradient(X, Y) == network.gradient(X, Y)  # the masks are drawn alike, each from its own generator
    assert twin.layers[1].rng is twin.rng
    assert twin.rng is not network.rng
    before = network.theta.copy()
    check_views(twin)
    assert np.array_equal(network.theta, before)
    check_views(network)


@pytest.mark.parametrize("value", [np.zeros(4), np.zeros((13, 2)), 3.0])
def test_theta_of_another_size_is_refused(value):
    with pytest.raises(ValueError, match=r"theta must have 13 numbers, got \d+"):
        make().theta = value
    with pytest.raises(ValueError, match="grad must have 13 numbers"):
        make().grad = value


def test_a_layer_keeps_its_numbers_when_it_moves_in_and_lives_there():
    layers = [Layer(2, 3, rng=0), Layer(3, 1, "sigmoid", rng=1)]
    before = [layer.W.copy() for layer in layers]
    network = Network(layers)
    assert all(np.array_equal(layer.W, W) for layer, W in zip(layers, before, strict=True))
    layers[0].backprop(np.ones_like(layers[0].feedforward(X)))
    assert np.array_equal(network.theta[:6], layers[0].W.ravel())
    assert not np.array_equal(network.theta[:6], before[0].ravel())


def test_a_layer_lives_in_one_network():
    layer, end = Layer(2, 2, rng=0), Layer(2, 1, "sigmoid", rng=0)
    with pytest.raises(ValueError, match=r"layers\[1\] stands in the list twice; make a layer for each place"):
        Network([layer, layer, end])
    network = Network([layer, end])
    with pytest.raises(ValueError, match=r"layers\[0\], Layer\(2, 2, 'tanh'\), belongs to another network already"):
        Network([layer, Layer(2, 1, "sigmoid", rng=0)])
    other = Network([copy.deepcopy(layer), copy.copy(end)])
    assert np.array_equal(other.predict(X), network.predict(X))
    del network
    gc.collect()
    Network([layer, end])  # its network is gone


# ── laws of the gradient, over any shape, activation, loss and penalty ───────────────────────────────────────────────


def close(one, other):
    (cost, grad), (other_cost, other_grad) = one, other
    np.testing.assert_allclose(cost, other_cost, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grad, other_grad, rtol=1e-8, atol=1e-10 * (1 + np.abs(grad).max()))


@few
@given(problems())
def test_weight_k_counts_as_k_copies_and_0_as_none(problem: Problem):
    copies = np.repeat(np.arange(problem.X.shape[1]), problem.weight.astype(int))
    close(problem.gradient(weight=problem.weight), problem.gradient(copies))
    close(problem.gradient(weight=3.5 * problem.weight), problem.gradient(copies))  # only ratios count


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1e-310, 1e-30, 1e30, 1e307])
def test_only_the_ratios_of_weights_count_however_small_or_large_they_are(scale, dtype):
    network, weight = make(dtype=dtype), np.arange(6.0)
    cost = network.gradient(X, Y, weight)
    grad = network.grad.copy()
    assert network.gradient(X, Y, scale * weight) == pytest.approx(cost, rel=1e-6)
    np.testing.assert_allclose(network.grad, grad, rtol=1e-4, atol=1e-6)


@few
@given(problems(), st.randoms())
def test_the_order_of_the_samples_does_not_matter(problem: Problem, random):
    order = list(range(problem.X.shape[1]))
    random.shuffle(order)
    close(problem.gradient(order), problem.gradient())
    close(problem.gradient(order, problem.weight[order]), problem.gradient(weight=problem.weight))


@few
@given(problems())
def test_doubled_data_have_the_same_gradient(problem: Problem):
    twice = list(range(problem.X.shape[1])) * 2
    close(problem.gradient(twice), problem.gradient())
    close(problem.gradient(twice, np.tile(problem.weight, 2)), problem.gradient(weight=problem.weight))


@few
@given(problems(min_samples=2), st.data())
def test_the_weighted_mean_over_shards_is_the_whole(problem: Problem, data):
    cut = data.draw(st.integers(1, problem.X.shape[1] - 1))
    weight = problem.weight + 0.5
    parts = [problem.gradient(part, weight[part]) for part in (slice(cut), slice(cut, None))]
    shares = [weight[:cut].sum(), weight[cut:].sum()]
    mean = [np.average([part[i] for part in parts], axis=0, weights=shares) for i in range(2)]
    close(mean, problem.gradient(weight=weight))


@few
@given(problems())
def test_the_cost_is_the_weighted_mean_of_each_samples(problem: Problem):
    network = problem.network
    each = [network.cost(problem.X[:, [k]], problem.Y[:, [k]]) for k in range(problem.X.shape[1])]
    mean = np.average(each, weights=problem.weight)
    assert network.cost(problem.X, problem.Y, problem.weight) == pytest.approx(mean, rel=1e-9, abs=1e-12)


# ── dtype, threads ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_holds_throughout(loss):
    T = targets(loss, 2, 6, np.random.default_rng(0))
    one, double = (Network([2, 4, 2], "gelu", loss=loss, l2=0.1, rng=0, dtype=d) for d in ("float32", "float64"))
    double.theta = one.theta
    weight = np.arange(1.0, 7)
    assert one.gradient(X, T, weight) == pytest.approx(double.gradient(X, T, weight), rel=1e-5)
    np.testing.assert_allclose(one.grad, double.grad, rtol=1e-3, atol=1e-5)
    made = [one.theta, one.grad, one.predict(X), one.feedforward(X)]
    made += [getattr(layer, name) for layer in one.layers for name in ("W", "b", "dW", "db", "Z", "A", "A1")]
    assert {array.dtype for array in made} == {np.dtype(np.float32)}


@pytest.mark.parametrize("last", ["sigmoid", "softsign"])
def test_float32_goes_by_the_chain_rule_too(last):
    network = Network([2, 3, 1], ["relu", last], loss="squared_error", dropout=0.2, rng=0, dtype=np.float32)
    network.gradient(X, Y)
    assert network.layers[-1].dA1.dtype == np.float32
    assert np.isfinite(network.grad).all()


def test_threads_may_predict_with_one_network():
    network = Network([4, 64, 64, 2], "gelu", loss="cross_entropy", rng=0)
    inputs = [np.random.default_rng(seed).normal(size=(4, 50 + seed)) for seed in range(4)]
    alone = [network.predict(given_) for given_ in inputs]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(60) if not np.array_equal(network.predict(inputs[i]), alone[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_predicting_between_feedforward_and_backprop_changes_nothing():
    network = make()
    network.feedforward(X)
    kept = [(layer.A1, layer.Z, layer.A) for layer in network.layers]
    network.predict(X + 1)
    network.cost(X + 1, Y)
    for layer, before in zip(network.layers, kept, strict=True):
        assert all(one is other for one, other in zip((layer.A1, layer.Z, layer.A), before, strict=True))


# ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def names(network):
    return [layer.activation.name for layer in network.layers if isinstance(layer, Layer)]


def test_activations_are_one_for_all_or_one_for_each():
    cube = Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2)
    assert names(Network([2, 3, 4, 1])) == ["tanh", "tanh", "sigmoid"]
    assert names(Network([2, 3, 4, 1], "relu", loss="poisson")) == ["relu", "relu", "exp"]
    assert names(Network([2, 3, 4, 1], ["relu", cube])) == ["relu", "cube", "sigmoid"]
    assert names(Network([2, 3, 1], [cube, "hard_sigmoid"])) == ["cube", "hard_sigmoid"]
    assert names(Network([2, 1])) == ["sigmoid"]


def test_dropout_comes_after_each_hidden_layer():
    assert [type(layer) for layer in Network([2, 3, 4, 1], dropout=0.1).layers] == [Layer, Dropout] * 2 + [Layer]


def test_a_seed_repeats_a_network():
    assert np.array_equal(make().theta, make().theta)
    assert not np.array_equal(make().theta, Network([2, 3, 1], rng=1).theta)
    assert not np.array_equal(Network([2, 3, 1]).theta, Network([2, 3, 1]).theta)


@pytest.mark.parametrize(
    ("loss", "last", "warns"),
    [
        ("logloss", "tanh", True),
        ("logloss", "relu", True),
        ("logloss", "hard_sigmoid", False),
        ("logloss", "softmax", False),
        ("cross_entropy", "identity", True),
        ("cross_entropy", "sigmoid", False),
        ("poisson", "leaky_relu", True),
        ("poisson", "softplus", False),
        ("squared_error", "tanh", False),
    ],
)
def test_a_last_activation_outside_the_losss_range_is_warned_of(loss, last, warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Network([2, 1], [last], loss=loss)
    assert [warning.filename for warning in caught] == [__file__] * warns
    assert all(f"'{last}' goes outside their range" in str(warning.message) for warning in caught)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Network([]), r"at least two sizes \(inputs, outputs\) or a list of layers, got \[\]"),
        (lambda: Network([3]), r"at least two sizes"),
        (lambda: Network("2-3-1"), r"layers must be sizes such as \[2, 3, 1\] or a list of layers, got '2-3-1'"),
        (lambda: Network(3), "layers must be sizes such as"),
        (lambda: Network([2, 0, 1]), r"layers\[1\] must be a whole number of at least 1, got 0"),
        (lambda: Network([2, 3.0, 1]), r"layers\[1\] must be a whole number of at least 1, got 3.0"),
        (lambda: Network([2, Layer(2, 1)]), r"layers\[1\] must be a whole number of at least 1, got Layer"),
        (lambda: Network([2, 3, 1], "rleu"), "unknown activation 'rleu'; did you mean 'relu'"),
        (lambda: Network([2, 3, 1], ""), "unknown activation ''"),
        (lambda: Network([2, 3, 1], []), r"a list of 1 \(hidden layers\) or 2 \(the output layer's too\), got 0"),
        (lambda: Network([2, 3, 1], ["relu"] * 3), r"\(the output layer's too\), got 3"),
        (lambda: Network([2, 3, 1], loss="mse"), "unknown loss 'mse'"),
        (lambda: Network([2, 3, 1], initializer="zeros"), "unknown initializer 'zeros'"),
        (lambda: Network([2, 3, 1], initializer=""), "unknown initializer ''"),
        (lambda: Network([2, 3, 1], dropout=1), "dropout's rate must be below 1"),
        (lambda: Network([2, 3, 1], dropout=-0.5), "dropout must be a finite number between 0 and 1, got -0.5"),
        (lambda: Network([2, 3, 1], l2=-1), "l2 must be a finite number of at least 0, got -1"),
        (lambda: Network([2, 3, 1], l1=float("nan")), "l1 must be a finite number of at least 0, got nan"),
        (lambda: Network([2, 3, 1], l1=10**400), "l1 must be a finite number"),
        (lambda: Network([2, 3, 1], label_smoothing=2), "label_smoothing must be a finite number between 0 and 1"),
        (
            lambda: Network([2, 1], loss="huber", label_smoothing=0.1),
            "label_smoothing is for classes; the loss 'huber'",
        ),
        (lambda: Network([2, 3, 1], penalty_per_batch=1), "penalty_per_batch must be True or False, got 1"),
        (lambda: Network([2, 3, 1], penalty_per_batch="no"), "penalty_per_batch must be True or False, got 'no'"),
        (lambda: Network([2, 3, 1], rng=0.5), "rng must be None, a seed of at least 0"),
        (lambda: Network([2, 3, 1], dtype=int), "dtype must be float64 or float32, got <class 'int'>"),
        (lambda: Network([Layer(2, 3), Layer(4, 1)]), r"layers\[1\], Layer\(4, 1, 'tanh'\), takes 4 inputs but gets 3"),
        (lambda: Network([Layer(2, 3), Dropout(), Layer(4, 1)]), r"layers\[2\].* takes 4 inputs but gets 3"),
        (lambda: Network([Layer(2, 3), Dropout()]), r"the last layer must be a Layer, got Dropout\(0.5\)"),
        (lambda: Network([Layer(2, 3), Layer(3, 1, dtype="f4")]), "one dtype, got float64, float32"),
        (lambda: Network([Layer(2, 1, "sigmoid")], "tanh"), "activation is each layer's own when layers are given"),
        (lambda: Network([Layer(2, 1, "sigmoid")], dropout=0.1), "leave out dropout=0.1"),
        (lambda: Network([Layer(2, 1, "sigmoid")], dtype="f4"), "leave out dtype='f4'"),
        (lambda: Network([Layer(2, 1, "sigmoid")], initializer="normal"), "leave out initializer='normal'"),
    ],
)
def test_what_cannot_be_built_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("inputs", "outputs", "weight", "message"),
    [
        (X[0], Y, None, r"X must have 2 dimensions \(features, samples\), got shape \(6,\).*X.reshape\(-1, 1\)"),
        (X.T, Y, None, r"X must have 2 rows \(features\).*got shape \(6, 2\); a column is a sample here: pass X.T"),
        (np.zeros((3, 6)), Y, None, r"X must have 2 rows \(features\), a column a sample, got shape \(3, 6\)"),
        (np.zeros((2, 0)), np.zeros((1, 0)), None, r"X holds no samples: its shape is \(2, 0\)"),
        (np.where(X[1, 2] == X, np.nan, X), Y, None, r"X must be finite: X\[1, 2\] is nan"),
        (np.where(X[0, 3] == X, np.inf, X), Y, None, r"X must be finite: X\[0, 3\] is inf"),
        (X.astype(str), Y, None, "X must be real numbers, got dtype <U"),
        (X.astype(str).astype(object), Y, None, "X must be an array of numbers"),
        (X.astype(complex), Y, None, "X must be real numbers, got dtype complex128"),
        ([[1, 2], [3]], Y, None, r"X must be an array of numbers, its rows of one length, got \[\[1, 2\], \[3\]\]"),
        ([[1], [None]], Y, None, r"X must be finite: X\[1, 0\] is nan"),
        (None, Y, None, r"X must have 2 dimensions \(features, samples\), got shape \(\)"),
        (np.ma.masked_less(X, 0), Y, None, r"X has masked \(missing\) values"),
        (X, Y[:, :5], None, "X and Y must have a column for each sample: X has 6, Y has 5"),
        (X, Y[0][:5], None, "X has 6, Y has 5"),
        (X, np.zeros((2, 6)), None, r"Y must have 1 rows \(outputs\)"),
        (X, Y.T, None, "a column is a sample here: pass Y.T"),
        (X, Y + 1, None, "logloss needs targets between 0 and 1"),
        (X, Y * np.nan, None, r"Y must be finite: Y\[0, 0\] is nan"),
        (X, np.array([["yes"] * 6]), None, "Y must be real numbers, got dtype <U3"),
        (X, Y, np.ones(5), r"weight must have one number a sample \(6\), got 5"),
        (X, Y, [1, 1, -1, 1, 1, 1], r"weight must be finite and not negative: weight\[2\] is -1"),
        (X, Y, [1, 1, 1, np.nan, 1, 1], r"weight must be finite and not negative: weight\[3\] is nan"),
        (X, Y, np.zeros(6), "weight is 0 for every sample: nothing is left to learn from"),
        (X, Y, ["heavy"] * 6, "weight must be real numbers"),
    ],
)
def test_data_that_do_not_fit_are_named(inputs, outputs, weight, message):
    network = make()
    for act in (network.gradient, network.cost):
        with pytest.raises(ValueError, match=message):
            act(inputs, outputs, weight)


@pytest.mark.parametrize("act", ["predict", "feedforward"])
def test_inputs_that_do_not_fit_are_named(act):
    with pytest.raises(ValueError, match=r"a column is a sample here: pass X.T"):
        getattr(make(), act)(X.T)
    with pytest.raises(ValueError, match=r"X must be finite: X\[0, 0\] is inf"):  # and no warning of an overflow
        getattr(make(dtype="float32"), act)(np.full((2, 3), 1e300))


def test_data_of_other_kinds_are_taken_for_what_they_say():
    network = make()
    expected = network.gradient(X.round(), Y)
    for inputs, outputs in [
        (X.round().astype(int), Y.astype(bool)),
        (X.round().tolist(), Y.tolist()),
        (X.round().astype(object), Y[0]),
        (X.round().astype(np.float16), np.ma.array(Y)),
    ]:
        assert network.gradient(inputs, outputs) == expected
    assert network.gradient(X.round(), Y, np.ones((1, 6), int)) == pytest.approx(expected, rel=1e-14)


# ── how it shows itself ──────────────────────────────────────────────────────────────────────────────────────────────


def test_repr_is_the_network_in_python():
    network = Network([2, 3, 1], "relu", loss="huber:1.5", dropout=0.2, l2=0.1, l1=0.01, rng=0, dtype="float32")
    again = eval(repr(network))
    assert repr(again) == repr(network)
    assert again.settings() == network.settings()
    assert (again.loss, again.l2, again.dtype) == (network.loss, 0.1, np.float32)
    assert repr(make(label_smoothing=0.1)).endswith("loss='logloss', label_smoothing=0.1)")
    per_batch = make(l2=0.1, penalty_per_batch=True)
    assert repr(per_batch).endswith("loss='logloss', l2=0.1, penalty_per_batch=True)")
    assert eval(repr(per_batch)).settings() == per_batch.settings()


def test_summary_has_a_line_for_each_layer_and_the_totals():
    text = Network([64, 100, 10], "relu", loss="cross_entropy", dropout=0.5, l2=1e-4).summary()
    lines = text.splitlines()
    assert [line.split("  ")[0] for line in lines[2:5]] == ["64 → 100", "Dropout(0.5)", "100 → 10"]
    assert "(100, 64)" in lines[2]
    assert "6,500" in lines[2]
    assert "7,510 parameters, float64, 58.7 KiB; loss cross_entropy, l2 0.0001" in lines[-1]
    assert make(l2=0.5, penalty_per_batch=np.True_).summary().endswith("loss logloss, l2 0.5, penalty_per_batch")


def test_the_html_is_well_formed_and_hides_no_name():
    spicy = Activation("<b>&'\"", lambda Z: Z**3, lambda Z, A: 3 * Z**2)
    network = Network([3, 40, 2], spicy, loss="cross_entropy", dropout=0.1, rng=0)
    html = network._repr_html_()
    page = minidom.parseString(html)
    assert page.getElementsByTagName("svg")
    words = "".join(
        node.data for tag in ("text", "pre") for n in page.getElementsByTagName(tag) for node in n.childNodes
    )
    assert "<b>&'\"" in words
    assert "40" in words
    assert len(html) < 60_000
