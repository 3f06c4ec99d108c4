"""The catalogue of bad input to the core and to training: each row a mistake, and the words its one sentence must have.

Then what is rightly taken, with the reason; and every argument with every odd value, taken or named.
"""

import decimal
import fractions
import inspect
import warnings

import numpy as np
import pytest

import netwright
from netwright import (
    OPTIMIZERS,
    SCHEDULES,
    SCORES,
    Activation,
    Dropout,
    Layer,
    Loss,
    Network,
    check_gradient,
    d_logloss,
    diagnose,
    hidden_activations,
    input_gradient,
    load,
    logloss,
    numeric_gradient,
    permutation_importance,
    worked_step,
)
from netwright.core.losses import cross_entropy, find_loss, huber, quantile
from netwright.training.options import TrainingOptions
from refusals import Odd, no_arguments, refusal, refused

nan, inf = float("nan"), float("inf")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(3, 12)), (np.arange(12) % 2.0)[np.newaxis]


def net(**options):
    return Network([3, 4, 1], rng=0, **options)


def trained(**options):
    return net().train(**{"X": X, "Y": Y, "epochs": 2, "engine": "plain"} | options)


def watched(**options):
    return trained(validation=(X, Y), **options)


def put(value, array=X, place=(1, 2)):
    array = array.astype(float).copy()
    array[place] = value
    return array


def fed():
    layer = Layer(2, 3, rng=0)
    layer.feedforward(np.ones((2, 5)))
    return layer


def own(value=lambda Z, Y: (Z - Y) ** 2 / 2, dZ=lambda Z, A, Y: Z - Y, **rest):
    return Loss("mine", value, dZ, **rest)


SPACE = {**vars(netwright), **{name: getattr(netwright, name) for name in netwright.__all__}}
SPACE |= {name: kind for kinds in (OPTIMIZERS, SCHEDULES) for kind in kinds.values() for name in [kind.__name__]}
SPACE |= {"decimal": decimal, "fractions": fractions, "find_loss": find_loss} | globals()

MISTAKES = {
    # code: words
    "Layer({}, 3)": ["inputs", {
        "0", "-1", "2.0", "2.9", "True", "'2'", "None", "nan", "inf", "[2]", "(2+0j)", "np.float64(2)", "{2}"}],
    "Layer(2, {})": ["neurons", {"0", "True", "'4'", "{4: 4}"}],
    "Layer(10**12, {})": ["inputs=1000000000000", "GiB", {"10**12", "10**30", "10**9"}],
    "Layer(2, 3, {})": ["activation", {"'tahn'", "None", "np.tanh", "5", "['tanh']", "''", "b'tanh'"}],
    "Layer(2, 3, 'tahn')": ["did you mean 'tanh'"],
    "Layer(2, 3, 'softmax:2,2')": ["softmax:2,2", "4 neurons, got 3"],
    "Layer(2, 3, initializer={})": ["initializer", {"'xavier'", "5", "np.zeros", "None"}],
    "Layer(2, 3, dtype={})": ["dtype", {"'float16'", "int", "complex", "'x'", "np.longdouble", "0", "''", "[1]"}],
    "Layer(2, 3, rng={})": ["rng", {"'x'", "-1", "1.5", "True", "[1]", "nan"}],
    "Layer(2, 3, rng=0)({})": ["A1", {
        "np.zeros((3, 5))", "[[1, 2], [3]]", "'x'", "None", "np.zeros((2, 3, 4))", "np.zeros((2, 3)) + 1j",
        "np.full((2, 3), 'a')", "np.full((2, 3), None)", "np.full((2, 3), b'1')", "np.zeros((2, 3), 'M8[s]')",
        "np.full((2, 3), 10**400, object)", "np.ma.masked_all((2, 3))", "[[1, nan], [2, 3]]"}],
    "Layer(2, 3, rng=0).gradient(np.zeros((3, 1)))": ["feedforward"],
    "fed().backprop({})": ["dA", {"np.zeros((2, 5))", "'x'", "None", "[[1], [1, 2]]", "np.ones((3, 5)) + 1j",
                                  "np.full((3, 5), 'a')", "np.ma.masked_all((3, 5))"}],
    "Layer(2, 3).W = {}": ["W", {
        "np.zeros((2, 3))", "'x'", "np.full((3, 2), nan)", "np.full((3, 2), -inf)", "np.zeros((3, 2)) + 1j",
        "np.full((3, 2), 'a')", "np.full((3, 2), None)", "np.ma.masked_all((3, 2))", "5", "[[1], [2, 3]]"}],
    "Layer(2, 3).b = {}": ["b", {"np.zeros(3)", "np.full((3, 1), nan)", "None"}],
    "Layer(2, 3, dtype='float32').W = np.full((3, 2), 1e300)": ["W[0, 0]", "1e+300", "float32"],
    "Layer(2, 3).learning_rate = {}": ["learning_rate", {"-1", "'x'", "nan", "None", "True", "[0.1]"}],
    "Dropout({})": ["rate", {"1.5", "-0.1", "nan", "True", "'x'", "1", "None"}],
    "Activation({}, np.sin, lambda Z, A: np.cos(Z))": ["name", {"''", "5", "None"}],
    "Activation('mine', {}, lambda Z, A: Z)": ["'mine'", {"5", "lambda Z: Z[0]", "lambda: 1", "lambda Z: Z * nan"}],
    "Activation('mine', np.sin, {})": ["'mine'", "df", {"6", "lambda Z: Z", "lambda Z, A: Z"}],
    "Layer(2, 3, Activation('tanh', np.sin, lambda Z, A: np.cos(Z)))": ["'tanh'", "another"],
    "own({})": ["'mine'", {"None", "lambda Z: Z", "lambda Z, Y: (Z - Y).sum()", "lambda Z, Y: 3 * Z"}],
    "own(dZ={})": ["'mine'", {"None", "lambda Z, A, Y: Z", "lambda Z: 1"}],
    "own(link={})": ["'mine'", "link", {"'y'", "5", "None"}],
    "own(targets={})": ["'mine'", "targets", {"'y'", "5", "None", "[]"}],
    "huber({})": ["delta", {"0", "-1", "nan", "'x'", "None", "True"}],
    "quantile(0.5, {})": ["level", {"1", "2", "'x'", "nan"}],
    "cross_entropy({})": ["block", {"0", "1.5", "'3'", "True"}],
    "find_loss({})": ["loss", {"'mse'", "5", "None", "['huber']", "'huber:x'", "'huber:'", "'huber:1,2'", "'huber:-1'",
                               "'quantile:'", "'quantile:0.1,'", "'cross_entropy:2,0'", "'squared_error:3'"}],
    "logloss({}, 0.5)": ["y", {"'a'", "None", "[[1], [1, 2]]", "1j"}],
    "d_logloss(1, {})": ["a", {"'a'", "None", "{}", "[None, 'x']"}],
    "logloss(np.zeros((1, 3)), np.zeros((1, 4)))": ["(1, 3)", "(1, 4)"],
    # networks
    "Network({})": ["layers", {
        "[]", "[3]", "5", "'3,1'", "None", "{3: 1, 1: 2}", "{3, 1}", "b'31'", "np.array(3)", "[Layer(3, 4), 1]"}],
    "Network([3, {}, 1])": ["layers[1]", {"0", "-4", "2.5", "True", "nan", "'4'", "None", "[4]", "10**30"}],
    "Network([10**30, 1])": ["layers[0]=1" + "0" * 30],
    "Network([3, 10**9, 10**9, 1])": ["layers[1]", "layers[2]", "GiB"],
    "Network([Layer(3, 4), Layer(5, 1, 'sigmoid')])": ["layers[1]", "5", "4"],
    "layer = Layer(3, 3); Network([layer, layer])": ["layers[1]", "twice"],
    "layer = Layer(3, 1, 'sigmoid'); kept = Network([layer]); Network([layer])": ["belongs to another"],
    "Network([Layer(3, 4), Dropout(0.5)])": ["last layer", "Dropout"],
    "Network([Layer(3, 4), Layer(4, 1, 'sigmoid', dtype='float32')])": ["dtype", "float32"],
    "Network([3, 4, 1], {})": ["activation", {"'rellu'", "['relu'] * 3", "7", "[None]", "{'relu'}", "{'relu': 1}"}],
    "Network([3, 4, 1], loss={})": ["loss", {"'mse'", "None", "'cross_entropy:2,2'", "'cross_entropy:1000000000'"}],
    "Network([3, 4, 1], loss='cross_entropy:2,2')": ["'cross_entropy:2,2'", "4", "got 1"],
    "Network([3, 4, 1], dropout={})": ["dropout", {"1.5", "-1", "nan", "1", "'x'", "[0.1]", "None", "True"}],
    "Network([3, 4, 1], l2={})": ["l2", {"-1", "nan", "inf", "'x'", "True", "None", "10**400", "np.array(0.1)",
                                         "decimal.Decimal('0.1')"}],
    "Network([3, 4, 1], label_smoothing={})": ["label_smoothing", {"2", "-1", "'x'", "None"}],
    "Network([3, 4, 1], loss='huber', label_smoothing=0.1)": ["label_smoothing", "huber"],
    "Network([3, 4, 1], penalty_per_batch={})": ["penalty_per_batch", {"'x'", "1", "None"}],
    "Network([3, 4, 1], dtype={})": ["dtype", {"'float16'", "0", "''", "False"}],
    "net().theta = {}": ["theta", {"np.zeros(5)", "np.full(21, nan)", "np.full(21, inf)", "'x'", "3.0", "None",
                                   "np.full(21, 1j)", "np.ma.masked_all(21)"}],
    "net().grad = {}": ["grad", {"[1, 2]", "'x'"}],
    "network = net(); network.theta[3] = nan; network.predict(X)": ["theta[3]", "nan"],
    # X, Y and weight
    "net().predict({})": ["X", {
        "X.T", "X[0]", "np.zeros((3, 0))", "np.zeros((0, 3))", "'x'", "None", "{}", "X + 0j", "X.astype(str)",
        "np.full((3, 2), 'a', object)", "[[1, 2], [3], [4]]", "np.ma.masked_greater(X, 1)", "(x for x in X)",
        "X.astype('M8[s]')", "X.astype('m8[s]')", "np.zeros((3, 2), 'f,f')", "np.full((3, 2), 10**400, object)",
        "X[..., None]", "np.float64(3)", "b'abc'", "[[None, 1], [2, 3], [4, 5]]", "np.full((3, 2), Odd())"}],
    "net().predict(put(nan))": ["X[1, 2] is nan"],
    "net().predict(put(-inf))": ["X[1, 2] is -inf"],
    "net(dtype='float32').predict(put(1e308))": ["X[1, 2]", "1e+308", "float32"],
    "net(dtype='float32').predict(put(-1e39))": ["X[1, 2]", "-1e+39", "float32"],
    "net().gradient(X, {})": ["Y", {"Y[:, :9]", "Y.T", "np.vstack([Y, Y])", "'x'", "None", "Y.astype(str)", "Y + 0j"}],
    "net().gradient(X, put(2, Y, (0, 3)))": ["Y[0, 3] is 2"],
    "net().gradient(X, put(nan, Y, (0, 3)))": ["Y[0, 3] is nan"],
    "Network([3, 3], loss='cross_entropy', rng=0).gradient(X, np.ones((3, 12)))": ["cross_entropy", "Y[0, 0]", "1"],
    "Network([3, 1], loss='poisson', rng=0).gradient(X, -Y - 1)": ["poisson", "Y[0, 0]"],
    "net().gradient(X, Y, {})": ["weight", {
        "np.ones(4)", "-np.ones(12)", "np.zeros(12)", "np.full(12, nan)", "'x'", "3", "np.ones((3, 4))",
        "np.ones(12) + 1j", "[None] * 12", "['1'] * 12", "np.ma.masked_all(12)", "{}"}],
    "net().gradient(X, Y, put(-2, np.ones(12), 7))": ["weight[7]", "-2"],
    "net().gradient(X, Y, np.ones((3, 4)))": ["weight", "(3, 4)"],
    "check_gradient({}, X, Y)": ["network", {"None", "5", "Layer(3, 1)"}],
    "check_gradient(net(dtype='float32'), X, Y)": ["float32"],
    "net().predictor(n_threads={})": ["n_threads", {"0", "-3", "'x'", "1.5", "True", "[2]"}],
    "SCORES['accuracy']({}, Y)": ["Y", {"None", "'x'", "Y[0]", "Y[:, :3]", "5"}],
    "SCORES['rmse'](Y, {})": ["A", {"None", "'x'", "Y[0]", "[[1], [1, 2]]"}],
    # optimizers and schedules
    "Adam({})": ["learning_rate", {"-1", "nan", "'x'", "0", "True", "None", "10**400"}],
    "Adam(beta1={})": ["beta1", {"1", "-0.1", "'x'"}],
    "Adam(eps={})": ["eps", {"0", "nan", "None"}],
    "AdamW(weight_decay={}, learning_rate=1.0)": ["weight_decay", {"-1", "1e6", "1.5", "'x'"}],
    "Momentum(momentum={})": ["momentum", {"2", "None"}],
    "RMSprop(rho={})": ["rho", {"-1", "'x'"}],
    "LBFGS(memory={})": ["memory", {"0", "10**30", "2.5", "True"}],
    "LBFGS(restart={})": ["restart", {"0", "1.5"}],
    "LBFGS(tolerance={})": ["tolerance", {"-1", "None"}],
    "LBFGS(flat=nan)": ["flat", "nan"],
    "LBFGS(evaluations=1.5)": ["evaluations", "1.5"],
    "LevenbergMarquardt(damping={})": ["damping", {"0", "nan", "'x'", "True"}],
    "LevenbergMarquardt(geodesic={})": ["geodesic", {"1", "None"}],
    "LevenbergMarquardt(matrix={})": ["matrix", {"1", "'no'"}],
    "LevenbergMarquardt(flat={})": ["flat", {"-1", "None"}],
    "Adam().step({}, np.zeros(3))": ["theta", {"[1., 2., 3.]", "None", "np.zeros(3, int)", "np.zeros((3, 1))", "'x'"}],
    "Adam().step(np.zeros(3), {})": ["grad", {"np.zeros(4)", "[1., 2., 3.]", "None", "5"}],
    "Adam().step(np.zeros(3), np.zeros(3), {})": ["rate", {"'x'", "-1", "nan"}],
    "Cosine(warmup={})": ["warmup", {"-1", "nan", "'x'", "None"}],
    "Cosine(final={})": ["final", {"2", "-0.1", "'x'"}],
    "OneCycle(peak={})": ["peak", {"1.5", "0"}],
    "Step(every={})": ["every", {"0", "None"}],
    "Exponential(-1)": ["warmup", "-1"],
    "Plateau(divide=0.5)": ["divide", "0.5"],
    "InverseScaling(power={})": ["power", {"-1", "'x'"}],
    # train
    "trained(epochs={})": ["epochs", {"0", "-1", "1.5", "True", "'3'", "None", "nan", "[3]"}],
    "trained(batch_size={})": ["batch_size", {"0", "-5", "2.0", "'all'", "True"}],
    "trained(learning_rate={})": ["learning_rate", {"0", "-0.1", "nan", "inf", "'0.1'", "True", "lambda e: 0.1"}],
    "trained(optimizer={})": ["optimizer", {"'adma'", "None", "5", "Adam", "lambda: 1"}],
    "trained(optimizer='lbfgs', {}=5)": ["lbfgs", {"batch_size", "learning_rate"}],
    "trained(schedule={})": ["schedule", {"'cosin'", "None", "5", "Cosine", "lambda e: 1", "lambda: 1", "[]"}],
    "trained(schedule=lambda e, E: {})": ["schedule", {"-1", "nan", "'x'", "'1'", "None", "1j", "[]"}],
    "trained(schedule='plateau')": ["plateau", "patience"],
    "trained(weight=np.ones(5))": ["weight", "12", "5"],
    "trained(validation={})": ["validation", {"X", "(X,)", "(X, Y, None, 1)", "0.2", "'x'", "(X.T, Y)", "{}", "5",
                                              "(X, Y, np.zeros(12))"}],
    "trained(patience={})": ["patience", {"0", "1.5", "nan", "True"}],
    "trained(tolerance={})": ["tolerance", {"-1", "'x'", "nan"}],
    "trained(monitor={})": ["monitor", {"'accuracy'", "5", "[]", "np.zeros(0)"}],
    "trained(max_seconds={})": ["max_seconds", {"0", "-1", "'5s'", "nan", "True"}],
    "trained(clip_norm={})": ["clip_norm", {"0", "-1", "nan", "'x'"}],
    "trained(shuffle={})": ["shuffle", {"'no'", "None", "0", "1", "[]"}],
    "trained(keep_best={})": ["keep_best", {"'no'", "None", "0"}],
    "trained(scores={})": ["score", {"'acc'", "['accuracy', 5]", "5", "b'accuracy'"}],
    "watched(scores={'mine': {}})": ["scores['mine']", {"5", "None", "lambda a: 1", "lambda: 1", "int"}],
    "watched(scores={'mine': lambda Y, A, w: {}})": ["scores['mine']", {"'a'", "None", "'0.5'", "1j", "[1, 2]"}],
    "trained(rng={})": ["rng", {"'x'", "-1", "1.5"}],
    "trained(engine={})": ["engine", {"'jet'", "None", "5", "np.zeros(0)"}],
    "trained(n_threads={})": ["n_threads", {"0", "-2", "1.5", "'all'", "True"}],
    "trained(callbacks={})": ["callbacks", {"5", "['x']", "[lambda n: 1]", "None", "lambda: 1", "'x'", "int",
                                         "{'a': 1}"}],
    "trained(checkpoint={})": ["checkpoint", {"5", "''", "b'x'", "'a\\0b'", "True", "[]"}],
    "trained(checkpoint='nodir/x')": ["nodir"],
    "trained(resume={})": ["resume", {"True", "5", "1", "0", "b'x'", "''", "[]"}],
    "trained(epoch=3)": ["epoch", "did you mean"],
    # files
    "load({})": ["path", {"5", "None", "b'x'", "''", "'a\\0b'", "True", "['x']"}],
    "load('nowhere')": ["nowhere"],
    "load('nowhere', {})": ["own", {"'own'", "[5]", "5", "None", "{'a': 1}"}],
    "net().save({})": ["path", {"5", "None", "b'x'", "''", "'a\\0b'"}],
    "trained().plot({})": ["path", {"5", "b'x'", "''"}],
    "trained().plot('x.doc')": ["x.doc", ".png"],
    # looking inside
    "input_gradient({}, X)": ["network", {"None", "Layer(3, 1)", "X"}],
    "input_gradient(net(), X, output={})": ["output", {"5", "'x'", "-2", "True", "0.0"}],
    "hidden_activations(net(), X, layer={})": ["layer", {"9", "'x'", "None"}],
    "permutation_importance(net(), X, Y, score={})": ["score", {"'x'", "5", "lambda: 1", "lambda Y, A, w: 'a'", "int"}],
    "permutation_importance(net(), X, Y, repeats={})": ["repeats", {"0", "10**30", "True", "1.5"}],
    "permutation_importance(net(), X, Y, groups={})": ["groups", {"[[0, 9]]", "5", "[0]", "'x'", "[[0, 0]]"}],
    "worked_step(net(), X[:, 0], 1, names={})": ["names", {"['a']", "5", "'abc'", "{'a', 'b', 'c'}", "None or 7"}],
    "worked_step(net(), X[:, 0], 1, digits={})": ["digits", {"-1", "10**30", "2.5"}],
    "worked_step(net(), X, Y)": ["x", "(3, 12)"],
    "diagnose(net(), X, Y, {}=['a'])": [{"names", "history", "batch_size", "alpha", "max_epochs", "tolerance", "face",
                                         "initial_learning_rate", "start"}],
    "diagnose(net(), X, Y, history=5)": ["history", "5"],
}  # fmt: skip


def cases(mistakes):
    """(code, words) of each row with each of its values; a row of nothing but values must name these."""
    for code, words in mistakes.items():
        values = sorted(words[-1]) if isinstance(words[-1], set) else [""]
        for value in values:
            yield code.replace("{}", value, 1), [word for word in words if isinstance(word, str)] or [value]


@pytest.mark.parametrize(("code", "words"), list(cases(MISTAKES)))
def test_a_mistake_is_named_in_one_sentence(code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refused(code, SPACE)
    assert [word for word in words if word.lower() not in said.lower()] == []


SEEN = [  # the value that was given is in the sentence
    ("trained(epochs='3')", "'3'"), ("trained(checkpoint=5)", "got 5"), ("load('')", "got ''"),
    ("Layer(2.9, 3)", "2.9"), ("trained(shuffle='no')", "'no'"), ("trained(callbacks=5)", "got 5"),
    ("watched(scores={'mine': lambda Y, A, w: 'a'})", "'a'"), ("trained(schedule=lambda e, E: 'x')", "'x'"),
    ("Network({3, 1})", "{1, 3}"), ("net().save(b'x')", "b'x'"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "value"), SEEN)
def test_the_value_is_shown(code, value):
    assert value in refused(code, SPACE)


TAKEN = [  # (code, why)
    ("Layer(np.int64(2), np.uint8(3))", "NumPy's whole numbers are whole numbers"),
    ("Layer(2, 3).learning_rate = 0", "a layer that stays as it is"),
    ("find_loss('cross_entropy:1000000000')", "a loss takes no memory; the network that it does not fit refuses it"),
    ("logloss([[0, 1]], [[0.5]])", "lists are arrays, and NumPy broadcasts, as in the article"),
    ("own(scores=('top',))", "training refuses the score"),
    ("Network(np.array([3, 4, 1]))", "an array of sizes is a sequence"),
    ("Network(size for size in (3, 4, 1))", "a generator is a list"),
    ("Network([3, 4, 1], l2=np.float32(0.1))", "a NumPy number"),
    ("Network([3, 4, 1], l2=fractions.Fraction(1, 10))", "a real number"),
    ("Network([3, 4, 1], rng=2**200)", "any seed"),
    ("net().predict(put(1e308))", "a finite number"),
    ("net().predict(X.astype(object))", "numbers that came as objects"),
    ("net().predict(np.full((3, 2), decimal.Decimal(1)))", "numbers that came as objects"),
    ("net().predict(X > 0)", "truth values are 0 and 1"),
    ("net().predict(np.ma.array(X))", "nothing is masked"),
    ("net().gradient(X, Y, np.full(12, 1e308))", "only ratios count"),
    ("net().gradient(X, Y, [True] * 12)", "truth values as weights 0 and 1"),
    ("net().gradient(X, Y, np.ones((12, 1)))", "a column of weights"),
    ("trained(batch_size=10**30)", "more than there are means all"),
    ("trained(epochs=10**30, max_seconds=0.01)", "as many as there is time for"),
    ("trained(learning_rate=1e-320)", "tiny, but a rate"),
    ("trained(weight=np.r_[1, np.zeros(11)])", "one sample is left"),
    ("trained(shuffle=np.True_, keep_best=np.False_)", "NumPy's truth values are truth values"),
    ("trained(callbacks=lambda network, history: None)", "one callback needs no list"),
    ("trained(schedule=lambda e, E: np.float32(1))", "a NumPy number is a number"),
    ("watched(scores={'mine': lambda Y, A, w: True})", "truth values are 0 and 1"),
    ("watched(scores={'mine': lambda Y, A, w: np.array(0.5)})", "an array of one number is a number"),
    ("watched(scores={'mine': lambda *given: 1})", "any number of arguments are three"),
    ("input_gradient(net(), X, output=-1)", "counted from the last, as everywhere in Python"),
    ("Exponential(gamma=1.1)", "a rate that grows: to look for the largest that works"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "why"), TAKEN)
def test_what_is_rightly_taken(code, why):
    exec(code, dict(SPACE))


def test_an_error_inside_of_somebodys_own_function_is_left_as_it_is():
    def wrong(*given):
        return 1 + "1"

    for options in ({"callbacks": wrong}, {"schedule": wrong}, {"scores": {"mine": wrong}}):
        with pytest.raises(TypeError, match="unsupported operand"):
            watched(**options)


# ── every argument with every odd value ──────────────────────────────────────────────────────────────────────────────

ODD = [
    None, Odd(), "x", "", b"x", -1, 0, nan, inf, 10**30, 2.5, True, 1j, [], {}, {1}, (), no_arguments, np.array([]),
    np.array("x"), [None], ["x"], {"x": 5}, np.zeros((2, 2)), int, "a\0b", [[1], [1, 2]],
]  # fmt: skip


def arguments_of(function):
    return [name for name in inspect.signature(function).parameters if name not in ("self", "options")]


def set_on(make):
    return lambda **values: [setattr(make(), name, value) for name, value in values.items()]


PLACES = {  # what is called, with what beside the odd value, which arguments, and other words that name one
    "Layer": (Layer, {"inputs": 3, "neurons": 2}, None),
    "Layer()": (lambda A1: Layer(3, 2, rng=0)(A1), {}, None),
    "Layer.backprop": (lambda dA: fed().backprop(dA), {}, None),
    "a layer's": (set_on(lambda: Layer(3, 2, rng=0)), {}, ["W", "b", "dW", "db", "learning_rate"]),
    "Dropout": (Dropout, {}, None),
    "Network": (Network, {"layers": [3, 4, 1], "rng": 0}, None),
    "a network's": (set_on(net), {}, ["theta", "grad"]),
    "predict": (lambda X: net().predict(X), {}, None),
    "feedforward": (lambda X: net().feedforward(X), {}, None),
    "gradient": (net().gradient, {"X": X, "Y": Y}, None),
    "cost": (net().cost, {"X": X, "Y": Y}, None),
    "check_gradient": (check_gradient, {"network": net(), "X": X, "Y": Y}, ["network", "X", "Y", "weight"]),
    "numeric_gradient": (numeric_gradient, {"network": net(), "X": X, "Y": Y}, ["network", "X", "Y", "weight"]),
    "Activation": (Activation, {"name": "mine", "f": np.sin, "df": lambda Z, A: np.cos(Z)}, None),
    "Loss": (own, {}, ["value", "dZ", "link", "targets"]),
    "huber": (lambda delta: huber(delta), {}, None),
    "quantile": (lambda level: quantile(level), {}, None),
    "cross_entropy": (lambda block: cross_entropy(block), {}, None),
    "logloss": (logloss, {"y": 1, "a": 0.5}, None),
    "d_logloss": (d_logloss, {"y": 1, "a": 0.5}, None),
    "step": (
        lambda **given: OPTIMIZERS["adam"]().step(**{"theta": np.ones(3), "grad": np.ones(3)} | given),
        {}, ["theta", "grad", "rate"],
    ),
    "train": (net().train, {"X": X, "Y": Y, "epochs": 1, "max_seconds": 0.05, "engine": "plain"},
              ["X", "Y", *TrainingOptions.__dataclass_fields__]),
    "train, watched": (watched, {"epochs": 1}, ["scores", "monitor", "patience", "keep_best", "tolerance"]),
    "a score": (lambda scores: watched(scores={"mine": scores}), {}, None),
    "what a score gives": (lambda scores: watched(scores={"mine": lambda Y, A, w: scores}), {}, None),
    "what a schedule gives": (lambda schedule: trained(schedule=lambda e, E: schedule), {}, None),
    "save": (net().save, {}, None),
    "load": (load, {}, ["path"]),
    "load, own": (load, {"path": "a"}, ["own"]),
    "input_gradient": (input_gradient, {"network": net(), "X": X}, None),
    "hidden_activations": (hidden_activations, {"network": net(), "X": X}, None),
    "permutation_importance": (permutation_importance, {"network": net(), "X": X, "Y": Y}, None),
    "diagnose": (diagnose, {"network": net(), "X": X, "Y": Y}, None),
    "worked_step": (worked_step, {"network": net(), "x": X[:, 0], "y": 1}, None),
    **{kind.__name__: (kind, {}, None) for kind in (*OPTIMIZERS.values(), *SCHEDULES.values())},
    **{f"score {name}": (score, {"Y": Y, "A": Y}, ["Y", "A", "weight"]) for name, score in SCORES.items()},
}  # fmt: skip
ALSO = {"f": ["'mine'"], "df": ["'mine'"], "value": ["'mine'"], "dZ": ["'mine'"], "scores": ["score"], "path": ["x"],
        "block": ["cross_entropy"], "y": ["Y[0, 0]"]}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_every_argument_is_taken_or_named_whatever_it_is(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if place == "load, own":
        net().save("a")
    call, beside, names = PLACES[place]
    for name in names or arguments_of(call):
        for value in ODD:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    call(**beside | {name: value})
                except FloatingPointError:  # taken, and training went wrong with it, as it tells
                    continue
                except Exception as error:
                    said = refusal(error)
                    assert any(word in said for word in (name, *ALSO.get(name, ()))), f"{name}={value!r}: {said}"
