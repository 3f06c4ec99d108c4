"""Looking inside a network: against numeric derivatives, naive shuffles, scikit-learn, and a step worked by hand."""

import re
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import inspection
from sklearn.base import BaseEstimator, RegressorMixin

from netwright import (
    ACTIVATIONS,
    SCORES,
    Activation,
    Dropout,
    Layer,
    Network,
    hidden_activations,
    input_gradient,
    permutation_importance,
    worked_step,
)
from netwright.core.losses import find_loss
from netwright.inspection import gradients, importance
from strategies import LOSS_NAMES, targets

bump = Activation("bump", lambda Z: np.exp(-Z * Z), lambda Z, A: -2 * Z * A)
flat = Activation("flat", lambda Z: Z / 2, lambda Z, A: 0.5)  # a df that is one number for all


class Own(Activation):
    def dZ(self, dA, Z, A):
        return dA * (1 - A * A)


own = Own("own", np.tanh, lambda Z, A: 1 - A * A)


def network_of(sizes, activation="tanh", loss="squared_error", **options):
    """A network whose last activation may go outside what its loss wants; its b are not 0."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*goes outside their range")
        network = Network(sizes, activation, loss=loss, rng=0, **options)
    network.theta += 0.1 * np.random.default_rng(1).normal(size=network.theta.size)
    return network


def samples(inputs, count, seed=0):
    return np.random.default_rng(seed).normal(size=(inputs, count))


def state(network):
    """All that a look inside could change, and the layers' kept arrays themselves."""
    kept = {name: value for layer in network.layers for name, value in vars(layer).items() if name != "views"}
    return network.theta.copy(), network.grad.copy(), network.rng.bit_generator.state, kept


def assert_untouched(network, before):
    theta, grad, rng, kept = state(network)
    assert np.array_equal(theta, before[0])
    assert np.array_equal(grad, before[1])
    assert rng == before[2]
    assert kept.keys() == before[3].keys()
    assert all(value is before[3][name] for name, value in kept.items())


# ── dA/dX ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def numeric_jacobian(network, X, h=1e-6):
    """(outputs, inputs, samples) by central differences of the predictions."""
    steps = h * np.eye(len(X))[:, :, None]
    return np.stack([(network.predict(X + step) - network.predict(X - step)) / (2 * h) for step in steps], axis=1)


ENDS = [*ACTIVATIONS, "softmax:2,1"]


@pytest.mark.parametrize("last", ENDS)
@pytest.mark.parametrize("hidden", [*ACTIVATIONS, bump, flat, own], ids=lambda each: getattr(each, "name", each))
def test_input_gradient_is_the_derivative_of_the_predictions(hidden, last):
    network, X = network_of([4, 5, 3], [hidden, last]), samples(4, 6)
    expected = numeric_jacobian(network, X)
    np.testing.assert_allclose(input_gradient(network, X), expected, rtol=1e-5, atol=1e-8 * (1 + abs(expected).max()))


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(1, 7))
def test_input_gradient_of_any_shape(sizes, count):
    network, X = network_of(sizes, "silu", "cross_entropy"), samples(sizes[0], count)
    gradient = input_gradient(network, X)
    np.testing.assert_allclose(gradient, numeric_jacobian(network, X), rtol=1e-5, atol=1e-8)
    for output in range(-sizes[-1], sizes[-1]):
        np.testing.assert_allclose(input_gradient(network, X, output), gradient[output], rtol=1e-12, atol=1e-15)


def test_a_linear_networks_input_gradient_is_the_product_of_its_weights():
    network = network_of([3, 4, 2], ["identity", "identity"])
    product = network.layers[1].W @ network.layers[0].W
    np.testing.assert_allclose(input_gradient(network, samples(3, 1000)), np.tile(product[:, :, None], (1, 1, 1000)))


@pytest.mark.parametrize(
    "hidden", ["relu", "softmax", flat, Activation("jump", np.tanh, lambda Z, A: np.float64(1) - A * A)]
)
def test_input_gradient_in_float32(hidden):
    low, high = (network_of([4, 5, 3], hidden, "cross_entropy", dtype=dtype) for dtype in ("float32", "float64"))
    high.theta = low.theta
    gradient = input_gradient(low, samples(4, 6))
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, input_gradient(high, samples(4, 6)), rtol=1e-4, atol=1e-6)


# ── what all of them have in common ──────────────────────────────────────────────────────────────────────────────────

LOOKS = {
    "input_gradient": lambda network, X, Y: input_gradient(network, X),
    "hidden_activations": lambda network, X, Y: hidden_activations(network, X),
    "permutation_importance": lambda network, X, Y: permutation_importance(network, X, Y, rng=0).importances,
    "worked_step": lambda network, X, Y: worked_step(network, X[:, 0], Y[:, 0]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_it_leaves_no_trace_and_dropout_does_nothing(look):
    X = samples(4, 9)
    Y = targets("cross_entropy", 3, 9, np.random.default_rng(0))
    network = network_of([4, 5, 5, 3], "tanh", "cross_entropy", dropout=0.5)
    network.gradient(X, Y)
    before = state(network)
    seen = LOOKS[look](network, X, Y)
    assert_untouched(network, before)
    plain = network_of([4, 5, 5, 3], "tanh", "cross_entropy")
    plain.theta = network.theta
    expected = LOOKS[look](plain, X, Y)
    if look == "worked_step":
        seen = seen.replace("\nDropout(0.5) hands everything on, as in prediction\n", "")
        assert seen == expected
    else:
        np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("look", LOOKS)
def test_threads_may_share_the_network(look):
    network = network_of([4, 32, 3], "tanh", "cross_entropy")
    Y = targets("cross_entropy", 3, 50, np.random.default_rng(0))
    tasks = [samples(4, 50, seed) for seed in range(12)]
    alone = [LOOKS[look](network, X, Y) for X in tasks]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda X: LOOKS[look](network, X, Y), tasks))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("tile", [1, 37, 1 << 20])
def test_tiles_change_nothing(tile, monkeypatch):
    X, Y = samples(4, 40), samples(2, 40, 1)
    network, tiled = network_of([4, 5, 2]), ("input_gradient", "permutation_importance")
    whole = [LOOKS[look](network, X, Y) for look in tiled]
    monkeypatch.setattr(gradients, "TILE", tile)
    monkeypatch.setattr(importance, "BLOCK", 3 * tile)
    for look, expected in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(LOOKS[look](network, X, Y), expected, rtol=1e-12, atol=1e-14)


WRONG = {
    "X": (lambda n, X, Y: input_gradient(n, X.T), r"X must have 4 rows \(features\).*pass X.T"),
    "output": (lambda n, X, Y: input_gradient(n, X, 2), "output must be a whole number from -2 to 1, got 2"),
    "output, a word": (lambda n, X, Y: input_gradient(n, X, "0"), "output must be a whole number .* got '0'"),
    "layer": (lambda n, X, Y: hidden_activations(n, X, 1), "layer must be a whole number from -1 to 0, got 1"),
    "no hidden layer": (lambda n, X, Y: hidden_activations(network_of([4, 1]), X), "layer -1: .* no hidden layer"),
    "Y": (lambda n, X, Y: permutation_importance(n, X, Y[:, 1:]), "X and Y must have a column for each sample"),
    "score": (lambda n, X, Y: permutation_importance(n, X, Y, score="r3"), "unknown score 'r3'; choose one of accur"),
    "no score": (lambda n, X, Y: permutation_importance(n, X, Y, score=["r2"]), r"unknown score \['r2'\]"),
    "weight": (
        lambda n, X, Y: permutation_importance(n, X, Y, weight=[1]),
        r"weight must have one number a sample \(9",
    ),
    "repeats": (
        lambda n, X, Y: permutation_importance(n, X, Y, repeats=0),
        "repeats must be a whole number of at leas",
    ),
    "rng": (lambda n, X, Y: permutation_importance(n, X, Y, rng="x"), "rng must be None, a seed"),
    "groups": (lambda n, X, Y: permutation_importance(n, X, Y, groups=[]), r"groups must be lists of inputs.*got \[\]"),
    "no groups": (lambda n, X, Y: permutation_importance(n, X, Y, groups=3), "groups must be lists .* got 3"),
    "a group": (
        lambda n, X, Y: permutation_importance(n, X, Y, groups=[[0], 1]),
        r"groups\[1\] must be a list .* got 1",
    ),
    "outside": (
        lambda n, X, Y: permutation_importance(n, X, Y, groups=[[4]]),
        r"groups\[0\] must be .* 0 to 3, got \[4",
    ),
    "a mask": (lambda n, X, Y: permutation_importance(n, X, Y, groups=[[True]]), r"groups\[0\] must be a list"),
    "twice": (lambda n, X, Y: permutation_importance(n, X, Y, groups=[[1, 1]]), r"groups\[0\] names an input twice"),
    "x": (lambda n, X, Y: worked_step(n, X, [0, 1]), r"x must be one sample of 4 numbers, got shape \(4, 9\)"),
    "x, NaN": (lambda n, X, Y: worked_step(n, [0, 1, np.nan, 2], [0, 1]), r"x must be finite"),
    "y": (lambda n, X, Y: worked_step(n, X[:, 0], 1), r"y must be one sample of 2 numbers, got shape \(\)"),
    "y's kind": (lambda n, X, Y: worked_step(network_of([4, 1], loss="logloss"), X[:, 0], 2), "logloss needs targets"),
    "learning_rate": (lambda n, X, Y: worked_step(n, X[:, 0], [0, 1], learning_rate=0), "learning_rate must be a fini"),
    "names": (lambda n, X, Y: worked_step(n, X[:, 0], [0, 1], names="abcd"), "names must be 4 words.*got 'abcd'"),
    "digits": (
        lambda n, X, Y: worked_step(n, X[:, 0], [0, 1], digits=1),
        "digits must be a whole number of at least 2",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name):
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call(network_of([4, 5, 2]), samples(4, 9), samples(2, 9))


def test_hidden_activations():
    first, second, last = Layer(4, 6, "tanh", rng=0), Layer(6, 3, "relu", rng=0), Layer(3, 1, "sigmoid", rng=0)
    network, X = network_of([Dropout(0.2), first, Dropout(0.5), second, last], None, "logloss"), samples(4, 7)
    A = np.tanh(first.W @ X + first.b)
    np.testing.assert_allclose(hidden_activations(network, X, 0), A)
    np.testing.assert_allclose(hidden_activations(network, X, -2), A)
    np.testing.assert_allclose(hidden_activations(network, X), np.maximum(second.W @ A + second.b, 0))


# ── shuffled inputs ──────────────────────────────────────────────────────────────────────────────────────────────────


def naive_importance(network, X, Y, groups, repeats, seed, judge):
    """The definition: shuffle, predict everything again, and see how much worse it is."""
    rng, drops = np.random.default_rng(seed), []
    for group in groups:
        for _ in range(repeats):
            shuffled, order = X.copy(), rng.permutation(X.shape[1])
            shuffled[group] = X[group][:, order]
            drops.append(judge(X) - judge(shuffled))
    return np.reshape(drops, (len(groups), repeats))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "last"), [(loss, None) for loss in LOSS_NAMES] + [("logloss", "hard_sigmoid")])
def test_importance_is_the_naive_one(loss, last, weighted):
    rng = np.random.default_rng(3)
    network = network_of([5, 8, 7, 2], ["relu", "tanh", last or find_loss(loss).link], loss)
    X, Y = rng.normal(size=(5, 60)), targets(loss, 2, 60, rng)
    X[3], X[4] = rng.integers(0, 2, 60), 1.5  # many samples keep their value, all of them do
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    groups = [[0], [1, 3], [2], [3], [4]]
    found = permutation_importance(network, X, Y, weight=weight, groups=groups, repeats=4, rng=9)
    expected = naive_importance(network, X, Y, groups, 4, 9, lambda X: -network.cost(X, Y, weight))
    np.testing.assert_allclose(found.importances, expected, rtol=1e-9, atol=1e-13)
    assert not found.importances[4].any(), "shuffling a constant changes nothing, not even by a rounding"
    np.testing.assert_allclose(found.mean, expected.mean(axis=1), atol=1e-13)
    np.testing.assert_allclose(found.std, expected.std(axis=1), atol=1e-13)


@pytest.mark.parametrize("sizes", [[4, 1], [4, 6, 1]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_importance_by_a_score_of_ones_own(sizes, dtype):
    network, X, Y = network_of(sizes, dtype=dtype), samples(4, 50), samples(1, 50, 1)

    def score(Y, A, weight):
        return -float(np.median(abs(Y - A)))

    found = permutation_importance(network, X, Y, score=score, repeats=3, rng=2).importances
    rows = [[0], [1], [2], [3]]
    naive = naive_importance(network, X, Y, rows, 3, 2, lambda X: score(Y.astype(dtype), network.predict(X), None))
    np.testing.assert_allclose(found, naive, atol=1e-6 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("score", SCORES)
def test_whatever_the_score_an_input_that_matters_has_importance_above_0(score):
    network, X = network_of([2, 1], loss="squared_error"), samples(2, 200)
    network.layers[0].W, network.layers[0].b = [[1.0, 0.0]], [[0.5]]
    Y = (X[:1] + 0.5 > 0.5).astype(float)
    mean = permutation_importance(network, X, Y, score=score, rng=0).mean
    assert mean[0] > 0.05
    assert mean[1] == 0


def test_importance_as_scikit_learn_finds_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 300))
    Y = 3 * X[:1] + 1.5 * np.sin(2 * X[1:2]) + 0.5 * X[2:3] + 0.1 * rng.normal(size=(1, 300))
    network = Network([5, 24, 1], loss="squared_error", rng=0)
    network.train(X, Y, epochs=60, batch_size=30, learning_rate=0.02)

    class Row(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return network.predict(X.T)[0]

    theirs = inspection.permutation_importance(Row(), X.T, Y[0], scoring="r2", n_repeats=30, random_state=0)
    ours = permutation_importance(network, X, Y, score="r2", repeats=30, rng=0)
    order = np.argsort(ours.mean)[::-1]
    assert order[:3].tolist() == [0, 1, 2]
    noise = np.sqrt((ours.std**2 + theirs.importances_std**2) / 30)
    assert (abs(ours.mean - theirs.importances_mean) < 4 * noise + 1e-12).all()


def test_the_memory_for_importance_does_not_grow_with_the_first_layer(monkeypatch):
    monkeypatch.setattr(gradients, "TILE", 1 << 15)
    monkeypatch.setattr(importance, "BLOCK", 1 << 15)
    network, X, Y = network_of([2, 200, 1]), samples(2, 20_000), samples(1, 20_000)
    tracemalloc.start()
    try:
        permutation_importance(network, X, Y, repeats=2, rng=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * 20_000 * 8 / 10, "its Z alone would take ten times that"


# ── a step, with all its numbers ─────────────────────────────────────────────────────────────────────────────────────


def rows_of(text):
    """(section, layer, name, row, [what stands between the =]) of each `name[row] = …` line, in order."""
    section = layer = None
    for line in re.sub(r"\n {6,}", " ", text).splitlines():
        if line.startswith("── "):
            section, layer = line.split()[1].rstrip(","), None
        elif line.startswith("layer "):
            layer = int(re.match(r"layer (\d+)", line)[1])
        elif found := re.match(r" {4}(\w+)\[(\d+)\] = (.*)", line):
            yield section, layer, found[1], int(found[2]), [part.strip() for part in found[3].split(" = ")]


def numbers_of(text):
    """{(section, layer, name): the array printed last under that name}."""
    found = {}
    for section, layer, name, row, parts in rows_of(text):
        if name != "X":  # whose names follow
            found.setdefault((section, layer, name), {})[row] = [float(each) for each in parts[-1].strip("[]").split()]
    return {key: np.array([rows[row] for row in sorted(rows)]) for key, rows in found.items()}


def assert_says(said, expected, digits):
    """Rounded to so many decimals, or, if small or large, to so many significant digits."""
    expected = np.asarray(expected, np.float64)
    size = abs(expected)
    unit = np.where((size < 10.0 ** (1 - digits)) | (size >= 1e4), size * 10.0 ** (1 - digits), 10.0**-digits)
    assert said.shape == expected.shape
    assert (abs(said - expected) <= 0.51 * unit + 1e-15).all(), (said, expected)


def check_step(network, x, y, rate=0.1, digits=4):
    """Every number on the board against `network.gradient`; returns the text."""
    before = state(network)
    text = worked_step(network, x, y, learning_rate=rate, digits=digits)
    assert_untouched(network, before)
    assert max(map(len, text.splitlines())) <= 100
    said = numbers_of(text)
    X, Y = np.reshape(x, (-1, 1)), np.reshape(y, (-1, 1))
    cost = network.gradient(X, Y)
    for place, layer in enumerate(network.layers, 1):
        assert_says(said["feedforward", place, "Z"], layer.Z, digits)
        assert_says(said["feedforward", place, "A"], layer.A, digits)
        assert_says(said["backpropagation", place, "dZ"], layer.db, digits)
        assert_says(said["backpropagation", place, "dW"], layer.dW, digits)
        assert_says(said["backpropagation", place, "db"], layer.db, digits)
        if place > 1:
            assert_says(said["backpropagation", place, "dA1"], layer.dA1, digits)
        assert_says(said["step", place, "W"], layer.W - rate * layer.dW, digits)
        assert_says(said["step", place, "b"], layer.b - rate * layer.db, digits)
    theta = network.theta - rate * network.grad
    network.theta = theta
    after = network.gradient(X, Y)
    last = re.search(r"the cost of this sample is (\S+); it was (\S+)\.\n$", text)
    assert_says(np.array([float(last[1]), float(last[2])]), [after, cost], digits)
    assert_says(np.array(float(re.search(r"  cost = .*= (\S+)\n", text)[1])), cost, digits)
    return text


def check_arithmetic(text, within=1e-5):
    """What stands between the = of a line is equal, when it is worked out."""
    names = {"log": lambda v: np.log(v) if v > 0 else 0.0, "exp": np.exp, "sign": np.sign, "array": np.array}
    names |= {"f": lambda name, Z: ACTIVATIONS[name].f(np.array(Z)), "abs": abs}
    names |= {"df": lambda name, Z: ACTIVATIONS[name].df(np.array(Z), ACTIVATIONS[name].f(np.array(Z)))}
    lines = 0
    for *_, parts in rows_of(text):
        values = []
        for part in parts:
            code = re.sub(r"\[([^\]]*)\]", lambda found: f"array([{', '.join(found[1].split())}])", part)
            code = re.sub(r"\|([^|]*)\|", r"abs(\1)", code)
            code = re.sub(r"\be\^(-?[\d.]+(?:e[+-]\d+)?)", r"exp(\1)", code)
            code = re.sub(r"\blog (\(?-?[\d.]+(?:e[+-]\d+)?\)?)", r"log(\1)", code)
            code = re.sub(r"(\w+)′\(", r'df("\1", ', code)
            code = re.sub(rf"\b({'|'.join(ACTIVATIONS)})\(", r'f("\1", ', code)
            code = code.replace("·", "*").replace("½", "0.5").replace("²", "**2")
            values.append(np.asarray(eval(code, {}, names), float))
        for value in values:
            np.testing.assert_allclose(value, values[-1], rtol=within, atol=within, err_msg=str(parts))
        lines += len(values) > 1
    return lines


@pytest.mark.parametrize("extra", [{}, {"l2": 0.1}, {"l1": 0.02, "l2": 0.3}], ids=str)
@pytest.mark.parametrize("loss", [*LOSS_NAMES, "cross_entropy:2,2", "quantile:0.1,0.9"])
def test_the_numbers_of_a_step_are_those_of_gradient(loss, extra):
    rng = np.random.default_rng(5)
    y = (
        targets("cross_entropy", 2, 2, rng).T.reshape(-1, 1)
        if loss == "cross_entropy:2,2"
        else np.nan_to_num(targets(loss, 4, 1, rng))  # a step is shown of whole targets only
    )
    smoothing = 0.1 if loss.startswith(("logloss", "cross_entropy")) else 0.0
    for digits in (4, 9):
        network = network_of([3, 5, 4, 4], "tanh", loss, label_smoothing=smoothing, **extra)
        text = check_step(network, [0.6, -0.8, 1.23456], y, digits=digits)
    assert check_arithmetic(text) > 30
    *_, terms, total = re.search(r"  cost = (.*)\n", text)[1].split(" = ")
    assert terms == "ΣL" or sum(map(float, terms.split(" + "))) == pytest.approx(float(total), abs=1e-8)
    assert ("½·l2·ΣW²" in text) == ("l2" in extra)
    assert ("l1·sign(W)" in text) == ("l1" in extra)


@pytest.mark.parametrize("loss", ["logloss", "cross_entropy", "squared_error", "poisson", "huber"])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, bump, flat, own], ids=lambda each: getattr(each, "name", each))
def test_a_step_of_every_activation_hidden_and_last(activation, loss):
    y = targets(loss, 2, 1, np.random.default_rng(2))
    for digits in (4, 9):
        text = check_step(network_of([2, 3, 2], [activation, activation], loss), [0.3, -1.2], y, 0.01, digits)
    if isinstance(activation, str):
        check_arithmetic(text)


def test_a_step_worked_by_hand():
    """A 3-2-1 network of sigmoids: h = 0.6792, 0.5744 and o = 0.7655."""
    network = Network([3, 2, 1], "sigmoid", rng=0)
    first, second = network.layers
    first.W, first.b, second.W, second.b = [[0.1, 0.3, 0.5], [0.2, 0.1, 0]], [[0.1], [0.1]], [[0.1, 0.2]], [[1]]
    lines = worked_step(network, [0.6, 0.8, 0.7], 0, names=["height", "weight", "age"]).splitlines()
    for line in """
    X[0] = 0.6  height
    Z[0] = 0.1·0.6 + 0.3·0.8 + 0.5·0.7 + 0.1 = 0.75
    Z[1] = 0.2·0.6 + 0.1·0.8 + 0.0·0.7 + 0.1 = 0.30
    A[0] = sigmoid(0.75) = 0.6792
    A[1] = sigmoid(0.30) = 0.5744
    Z[0] = 0.1·0.6792 + 0.2·0.5744 + 1 = 1.1828
    A[0] = sigmoid(1.1828) = 0.7655
    L[0] = -(0·log 0.7655 + (1 - 0)·log(1 - 0.7655)) = 1.4501
    dZ[0] = 0.7655 - 0 = 0.7655
    dW[0] = 0.7655·[0.6792  0.5744] = [0.5199  0.4397]
    dA1[1] = 0.2·0.7655 = 0.1531
    dZ[1] = 0.1531·sigmoid′(0.30) = 0.1531·0.2445 = 0.0374
    W[0] = [0.1  0.2] - 0.1·[0.5199  0.4397] = [0.0480  0.1560]
    b[0] = 1 - 0.1·0.7655 = 0.9235
""".strip("\n").splitlines():
        assert line in lines


def test_a_step_in_float32():
    check_step(network_of([3, 4, 2], "relu", "cross_entropy", dtype="float32", l2=0.1), [0.1, 0.7, -3], [0, 1])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5, 1e9])
def test_numbers_of_any_size_stay_readable(scale):
    check_step(
        network_of([6, 6, 6], "relu", "squared_error"),
        scale * np.array([1, -2, 3, 4, 5.5, 6]),
        [1, 2, 3, 4, 5, 6],
        1e-3,
    )


def test_of_large_layers_the_first_few_are_shown():
    network = network_of([784, 512, 10], "relu", "cross_entropy")
    text = worked_step(network, samples(784, 1), np.eye(10)[3], names=[f"pixel {i}" for i in range(784)])
    assert len(text.splitlines()) < 130
    assert max(map(len, text.splitlines())) <= 100
    assert "    X[2] = " in text
    assert "pixel 2" in text
    assert "    … and 781 more" in text
    assert "    … and 509 more" in text
    assert re.search(r"Z\[0\] = .* \+ … [+-] 0\.\d+ = ", text)
    assert re.search(r"dW\[0\] = .*  …\]", text)
    cut = numbers_of(text.replace("  …]", "]"))
    network.gradient(samples(784, 1), np.eye(10)[3].reshape(-1, 1))
    assert_says(cut["backpropagation", 2, "dW"], network.layers[1].dW[:3, :3], 4)
    assert_says(cut["backpropagation", 2, "dA1"], network.layers[1].dA1[:3], 4)
