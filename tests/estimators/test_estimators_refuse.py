"""The catalogue of bad input to the estimators: what scikit-learn does not say well is said in one sentence."""

import inspect
import warnings

import numpy as np
import pytest

import netwright
from netwright import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from refusals import Odd, no_arguments, refusal, refused

nan, inf = float("nan"), float("inf")
RNG = np.random.default_rng(0)
R, c, t = RNG.normal(size=(12, 3)), np.arange(12) % 2, RNG.normal(size=12)
TABLE, y = {"a": RNG.normal(size=12), "k": ["u", "v"] * 6}, [0, 1, 1] * 4


def clf(**options):
    return MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 1, "engine": "plain", "random_state": 0} | options)


def reg(**options):
    return MLPRegressor(**{"hidden_layer_sizes": (4,), "max_iter": 1, "engine": "plain", "random_state": 0} | options)


def early(**options):
    return clf(early_stopping=True, **options).fit(R, c)


def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clf().fit(R, c)


def table(X=TABLE, y=y, **options):
    return TabularClassifier(engine="plain", **options).fit(X, y)


SPACE = vars(netwright) | globals()
MISTAKES = {  # code: words, and a set of values for {}
    "clf().fit({}, c)": ["X", {"None", "5", "'x'", "(row for row in R)", "{}", "{1}", "object()", "np.array('x')"}],
    "fitted().predict({})": ["X", {"None", "5", "b'x'", "{}"}],
    "clf().fit(R, c, sample_weight={})": ["weight", {
        "'x'", "np.ones(3)", "-np.ones(12)", "np.zeros(12)", "np.full(12, nan)", "['a'] * 12", "1j", "nan", "{}"}],
    "clf().fit(R, c, X_val=R, y_val=c, sample_weight_val={})": ["weight", {"'x'", "np.ones(3)", "nan", "Odd()"}],
    "clf(hidden_layer_sizes={}).fit(R, c)": ["hidden_layer_sizes", {
        "(0,)", "(-1,)", "(2.9,)", "(2.0,)", "(True,)", "'x'", "('4',)", "(nan,)", "None", "((4,),)", "(4, None)",
        "{4}", "{4: 4}", "(10**9, 10**9)", "2.5", "True"}],
    "clf(activation={}).fit(R, c)": ["activation", {"'x'", "5", "['relu', 'relu']", "['x']", "[]", "np.array('x')"}],
    "clf({}=True).fit(R, c)": [{
        "max_iter", "alpha", "batch_size", "learning_rate_init", "tol", "momentum", "validation_fraction", "beta_1",
        "epsilon", "n_iter_no_change", "max_fun", "dropout", "label_smoothing", "clip_norm", "n_networks", "max_time",
        "n_threads", "power_t"}],
    "clf({}='no').fit(R, c)": [{"shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "resume"}],
    "clf(n_networks=10**30).fit(R, c)": ["n_networks", "100000"],
    "clf(checkpoint={}).fit(R, c)": ["checkpoint", {"5", "b'x'", "''", "'a\\0b'", "True"}],
    "clf(checkpoint=5, n_networks=2).fit(R, c)": ["checkpoint", "5"],
    "clf(schedule={}).fit(R, c)": ["schedule", {"'x'", "5", "lambda e: 1"}],
    "clf(schedule=lambda e, E: {}).fit(R, c)": ["schedule", {"'x'", "None", "-1"}],
    "early(scoring={})": ["scoring", {"'x'", "5", "lambda e: 1", "lambda e, X, y: 'x'", "lambda e, X, y: None"}],
    "early(validation_fraction={})": ["validation_fraction", {"1.0", "'x'", "1e-9", "True"}],
    "early(validation_splitter={})": ["validation_splitter", {
        "5.5", "[]", "[([0], [99])]", "[5]", "['x']", "{1}", "b'x'", "10**30", "1", "[([0, 1], [0.5, 2])]",
        "[([0, 1], [-99, 3])]", "[([0, 1], [])]", "[([0], [1], [2])]", "(x for x in ())"}],
    "early(validation_splitter=[([0], [99])])": ["99", "12"],
    "clf().partial_fit(R, c, classes={})": ["classes", {"[]", "5", "[5, 6]", "[0]", "np.array('x')"}],
    "model = fitted(); model.coefs_ = {}; model.predict(R)": ["coefs_", {
        "[np.zeros((2, 2))]", "[np.zeros((2, 2)), np.zeros((4, 1))]", "None", "5", "[1, 2]", "['x', 'y']",
        "[np.full((3, 4), nan), np.zeros((4, 1))]", "[np.zeros((3, 4)) + 1j, np.zeros((4, 1))]"}],
    "model = fitted(); model.intercepts_ = {}; model.predict(R)": ["intercepts_", {
        "[np.zeros(3), np.zeros(1)]", "None", "[np.full(4, inf), np.zeros(1)]"}],
    "model = fitted(); model.coefs_[0][:] = nan; model.predict(R)": ["coefs_", "nan"],
    "model = fitted(); model.intercepts_[1][:] = nan; model.predict_proba(R)": ["intercepts_", "nan"],
    "fitted().save({})": ["path", {"5", "None", "''", "b'x'"}],
    "fitted().explain_step(R[0], {})": ["y", {"None", "[]", "7"}],
    "fitted().permutation_importance(R, c, n_repeats={})": ["repeats", {"0", "10**30", "True"}],
    "fitted().permutation_importance(R, c, random_state={})": ["random_state", {"-1", "'x'"}],
    "table({})": ["X", {"{}", "'x.csv'", "None", "5", "R[0]"}],
    "table({'a': {}, 'k': TABLE['k']})": ["'a'", {"5", "'text'", "None", "{1, 2}", "{1: 2}"}],
    "table(max_levels={})": ["max_levels", {"0", "True", "2.5"}],
    "table(max_time={})": ["max_time", {"0", "True", "'5s'"}],
    "table(n_threads={})": ["n_threads", {"0", "True"}],
    "table(columns={})": ["columns", {"5", "'a'"}],
    "table(checkpoint={})": ["checkpoint", {"5", "''", "b'x'"}],
    "table(resume={})": ["resume", {"True", "'no'", "1"}],
    "TabularClassifier(engine='plain').fit(TABLE, y, sample_weight={})": ["weight", {"'x'", "nan", "np.zeros(12)"}],
}  # fmt: skip


def cases(mistakes):
    """(code, words) of each row with each of its values; a row of nothing but values must name these."""
    for code, words in mistakes.items():
        for value in sorted(words[-1]) if isinstance(words[-1], set) else [""]:
            yield code.replace("{}", value, 1), [word for word in words if isinstance(word, str)] or [value]


@pytest.mark.parametrize(("code", "words"), list(cases(MISTAKES)))
@pytest.mark.filterwarnings("ignore")
def test_a_mistake_is_named_in_one_sentence(code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refused(code, SPACE)
    assert [word for word in words if word.lower() not in said.lower()] == []


TAKEN = [  # (code, why)
    ("clf().fit(R.astype(str), c)", "scikit-learn takes texts that are numbers"),
    ("reg().fit(R, c.astype(str))", "scikit-learn takes texts that are numbers"),
    ("clf(hidden_layer_sizes=np.array([4]))", "an array of whole numbers is a list of sizes"),
    ("clf(hidden_layer_sizes=4).fit(R, c)", "one layer needs no list"),
    ("clf(n_iter_no_change=inf).fit(R, c)", "no number of epochs is too many"),
    ("clf(verbose=False).fit(R, c)", "scikit-learn takes a truth value or a number"),
    ("clf().fit(R, c, sample_weight=2.0)", "scikit-learn takes one number as the weight of every row"),
    ("early(validation_splitter=[(np.arange(12) < 8, np.arange(12) >= 8)])", "masks say which rows too"),
    ("early(validation_splitter=3)", "as many folds, of which the first is held out"),
    ("early(scoring=lambda *given: 1.0)", "any number of arguments are three"),
    ("model = fitted(); model.coefs_ = [W.tolist() for W in model.coefs_]; model.predict(R)", "lists are arrays"),
]


@pytest.mark.parametrize(("code", "why"), TAKEN)
@pytest.mark.filterwarnings("ignore")
def test_what_is_rightly_taken(code, why):
    exec(code, dict(SPACE))


def test_an_error_inside_of_somebodys_own_scorer_or_splitter_is_left_as_it_is():
    class Splitter:
        def split(self, X, y=None, groups=None):
            return 1 + "1"

        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

    def wrong(estimator, X, y):
        return 1 + "1"

    for options in ({"scoring": wrong}, {"validation_splitter": Splitter()}):
        with pytest.raises(TypeError, match="unsupported operand"):
            early(**options)


ODD = [
    None, Odd(), "x", "", b"x", -1, 0, nan, inf, 10**30, 2.5, True, 1j, [], {}, {1}, no_arguments, np.array([]),
    np.array("x"), ["x"], {"x": 5}, int, "a\0b",
]  # fmt: skip
THEIRS = (
    "table",
    "weight",
    "array",
    "numbers of samples",
    "column",
    "activation",
    "number of samples",
    "Sparse",
    "target",
    "label",
    "class",
    "repeats",
)


def done(*given, **more):
    raise KeyboardInterrupt  # the mixture would begin


CALLS = {
    "MLPClassifier": (lambda **given: clf(**given).fit(R, c), MLPClassifier),
    "MLPRegressor": (lambda **given: reg(**given).fit(R, t), MLPRegressor),
    "held out": (lambda **given: early(**given), ["validation_fraction", "validation_splitter", "scoring"]),
    "TabularClassifier": (lambda **given: TabularClassifier(**given).fit(TABLE, y), TabularClassifier),
    "TabularRegressor": (lambda **given: TabularRegressor(**given).fit(TABLE, y), TabularRegressor),
    "fit": (lambda **given: clf().fit(**{"X": R, "y": c} | given), ["X", "y", "sample_weight", "X_val", "groups"]),
    "fit a table": (lambda **given: table(**given), ["X", "y"]),
    "set": (lambda **given: [setattr(m := fitted(), *pair) or m.predict(R) for pair in given.items()],
            ["coefs_", "intercepts_"]),
    "predict": (lambda X: fitted().predict(X), ["X"]),
    "explain_step": (lambda **given: fitted().explain_step(**{"x": R[0], "y": 1} | given), ["x", "y"]),
    "partial_fit": (lambda classes: clf().partial_fit(R, c, classes=classes), ["classes"]),
}  # fmt: skip


@pytest.mark.parametrize("place", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_every_argument_is_taken_or_named_whatever_it_is(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("netwright.estimators.tabular.mixture_of", done)
    call, names = CALLS[place]
    for name in names if isinstance(names, list) else inspect.signature(names).parameters:
        for value in ODD:
            try:
                call(**{name: value})
            except KeyboardInterrupt:
                continue
            except Exception as error:
                said = refusal(error)
                assert any(word in said for word in (name, *THEIRS)), f"{name}={value!r}: {said}"
