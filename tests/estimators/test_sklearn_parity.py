"""Side by side with scikit-learn's own MLP: the same call with the same seed gives the same numbers, to rounding.

"To rounding": sums are taken in another order here, so that a step differs in its last digits, about 1e-15 of it. Each
following step carries that on and adds its own. After these dozens of steps it has come to 1e-12 or so; 1e-7 leaves
room for other processors and BLAS libraries, while a wrong term of any formula shows in the first three digits.
L-BFGS divides differences of gradients by each other, and has 1e-4; float32 has 1e-3.
"""

import re
from functools import cache
from inspect import Parameter, signature

import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import scale

import netwright

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 7):
    pytest.skip("there scikit-learn's MLP knows neither weights nor the Poisson loss", allow_module_level=True)

NAMES = ["MLPClassifier", "MLPRegressor"]
PAIRS = {name: (getattr(netwright, name), getattr(sklearn.neural_network, name)) for name in NAMES}


@cache
def data(name):
    """(estimator, X, y): small, of each kind of target."""
    rng = np.random.default_rng(0)
    X, y = load_diabetes(return_X_y=True)
    diabetes = scale(X), scale(y)
    labelled, labels = make_multilabel_classification(120, 8, n_classes=4, random_state=0)
    iris, species = load_iris(return_X_y=True)
    digits, numeral = load_digits(return_X_y=True)
    return {
        "iris": ("MLPClassifier", scale(iris), np.array(["setosa", "versicolor", "virginica"])[species]),
        "digits": ("MLPClassifier", digits[:200] / 16, numeral[:200]),
        "two classes": ("MLPClassifier", scale(iris)[:, :2], species == 1),
        "several labels": ("MLPClassifier", scale(labelled), labels),
        "diabetes": ("MLPRegressor", *diabetes),
        "two targets": ("MLPRegressor", diabetes[0], np.c_[diabetes[1], diabetes[1] ** 2]),
        "one value": ("MLPRegressor", diabetes[0][:40], np.full(40, 1.0)),
        "counts": ("MLPRegressor", diabetes[0], rng.poisson(np.exp(0.4 * diabetes[1])).astype(float)),
    }[name]


DATA = ["iris", "digits", "two classes", "several labels", "diabetes"]
QUICK = {"hidden_layer_sizes": (12, 7), "max_iter": 12, "batch_size": 32, "random_state": 3, "alpha": 0.05}


def pair(dataset, *, dtype=None, **options):
    """(ours, theirs), fitted to the same with the same, and X."""
    name, X, y = data(dataset)
    X = X if dtype is None else X.astype(dtype)
    weight = options.pop("sample_weight", None)
    ours, theirs = (
        kind(**QUICK | {"random_state": np.random.RandomState(3)} | options).fit(X, y, sample_weight=weight)
        for kind in PAIRS[name]
    )
    return ours, theirs, X


def fitted(estimator):
    """The names of what fitting has left for the public."""
    return {name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")}


def alike(name, ours, theirs, rtol):
    if isinstance(theirs, list) and theirs and isinstance(theirs[0], np.ndarray):
        assert isinstance(ours, list)
        for a, b in zip(ours, theirs, strict=True):
            assert (name, a.dtype, a.shape) == (name, b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 100, err_msg=name)
    elif isinstance(theirs, np.ndarray | list | float):
        assert type(ours) is type(theirs) or isinstance(theirs, float), name
        if np.asarray(theirs).dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol / 100, err_msg=name)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
    else:
        assert (name, ours) == (name, theirs)


def same(ours, theirs, X, rtol=1e-7, but=()):
    """Whatever scikit-learn's has after fitting, and whatever it predicts, ours has and predicts."""
    for name in sorted(fitted(theirs) - {*but}):
        alike(name, getattr(ours, name), getattr(theirs, name), rtol)
    for method in ("predict_proba", "predict_log_proba", "predict"):
        if hasattr(theirs, method):
            alike(method, getattr(ours, method)(X), getattr(theirs, method)(X), rtol)


# ── the same numbers ─────────────────────────────────────────────────────────────────────────────────────────────────

SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "power_t": 0.3},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.2,
        "tol": 0.02,
        "n_iter_no_change": 1,
        "max_iter": 40,
    },
    "adam": {"solver": "adam"},
    "adam, other betas": {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-4, "learning_rate_init": 0.02},
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dataset", DATA)
def test_the_same_seed_gives_the_same_numbers(dataset, solver):
    ours, theirs, X = pair(dataset, **SOLVERS[solver])
    same(ours, theirs, X)
    if solver == "adaptive":
        assert theirs._optimizer.learning_rate < 0.2, "the case must see a cut"


@pytest.mark.parametrize("dataset", [*DATA, "counts"])
def test_lbfgs_too(dataset):
    options = {"loss": "poisson"} if dataset == "counts" else {}
    same(*pair(dataset, solver="lbfgs", max_iter=20, alpha=1.0, **options), rtol=1e-4)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("dataset", ["iris", "diabetes"])
def test_each_activation(dataset, activation):
    same(*pair(dataset, activation=activation))


@pytest.mark.parametrize("solver", ["adam", "nesterov"])
def test_poisson_loss(solver):
    same(*pair("counts", loss="poisson", **SOLVERS[solver]))


@pytest.mark.parametrize("solver", ["adam", "nesterov", "adaptive"])
@pytest.mark.parametrize("dataset", [*DATA, "one value"])
def test_early_stopping(dataset, solver):
    options = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 40, "tol": 1e-3, "validation_fraction": 0.2}
    ours, theirs, X = pair(dataset, **SOLVERS[solver] | options)
    same(ours, theirs, X)


SETTINGS = {
    "a batch of one": {"batch_size": 1, "max_iter": 2},
    "batches that leave a rest": {"batch_size": 47},
    "all at once": {"batch_size": 150},
    "a batch by itself": {"batch_size": "auto"},
    "no shuffling": {"shuffle": False},
    "no penalty": {"alpha": 0},
    "much penalty": {"alpha": 30.0},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "one hidden layer": {"hidden_layer_sizes": 9},
    "three, as an array": {"hidden_layer_sizes": np.array([5, 4, 3])},
    "until it stops": {"max_iter": 500, "learning_rate_init": 0.1, "tol": 0.01, "n_iter_no_change": 2},
    "a seed": {"random_state": 11},
}


@pytest.mark.parametrize("dataset", ["iris", "diabetes"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting(dataset, setting):
    ours, theirs, X = pair(dataset, **SETTINGS[setting])
    same(ours, theirs, X)
    if setting == "until it stops":
        assert theirs.n_iter_ < 500, "the case must stop"


@pytest.mark.parametrize("solver", ["adam", "nesterov", "lbfgs"])
@pytest.mark.parametrize("dataset", DATA)
def test_weights_of_a_full_batch(dataset, solver):
    rows = len(data(dataset)[1])
    weight = np.random.default_rng(5).uniform(0.1, 3, rows)
    options = {"sample_weight": weight, "batch_size": rows, "alpha": 2.0} | SOLVERS.get(solver, {"solver": solver})
    same(*pair(dataset, **options), rtol=1e-4 if solver == "lbfgs" else 1e-7)


def test_weights_with_early_stopping():
    weight = np.random.default_rng(5).uniform(0.1, 3, 150)
    options = {"early_stopping": True, "batch_size": "auto", "learning_rate_init": 0.05, "sample_weight": weight}
    same(*pair("iris", **options))


@pytest.mark.parametrize("solver", ["adam", "nesterov"])
@pytest.mark.parametrize("dataset", DATA)
def test_float32(dataset, solver):
    same(*pair(dataset, dtype=np.float32, **SOLVERS[solver] | {"max_iter": 5}), rtol=1e-3)


@pytest.mark.parametrize("dataset", ["iris", "diabetes"])
def test_float32_stays_float32_with_lbfgs_too(dataset):
    """There scikit-learn's goes on in float64, and its predictions with it."""
    ours, theirs, _ = pair(dataset, dtype=np.float32, solver="lbfgs", alpha=1.0, max_iter=5)
    for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, atol=1e-3)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dataset", DATA)
def test_partial_fit(dataset, solver):
    """The first call shuffles as scikit-learn does; ten in a row agree where there is nothing to shuffle."""
    name, X, y = data(dataset)
    classes = {"classes": np.unique(y)} if name == "MLPClassifier" and y.ndim == 1 else {}
    if dataset == "several labels":
        classes = {"classes": np.arange(y.shape[1])}
    for calls, options in ((1, {}), (10, {"shuffle": False})):
        ours, theirs = (kind(**QUICK | SOLVERS[solver] | options) for kind in PAIRS[name])
        for estimator in (ours, theirs):
            for _ in range(calls):
                estimator.partial_fit(X, y, **classes)
        same(ours, theirs, X)


def test_several_targets_descend_alike_and_report_the_sum_of_their_losses():
    """scikit-learn reports the mean over the outputs, whose gradient would be half of the one that it takes."""
    losses = {"loss_", "loss_curve_", "best_loss_"}
    ours, theirs, X = pair("two targets", alpha=0, n_iter_no_change=np.inf)
    same(ours, theirs, X, but=losses)
    np.testing.assert_allclose(ours.loss_curve_, 2 * np.array(theirs.loss_curve_), rtol=1e-7)


# ── the same face ────────────────────────────────────────────────────────────────────────────────────────────────────


def bare(parameters):
    """Names, kinds and defaults, in order."""
    return [parameter.replace(annotation=Parameter.empty) for parameter in parameters.values()]


@pytest.mark.parametrize("name", NAMES)
def test_the_constructor_is_theirs_and_then_more_by_keyword(name):
    ours, theirs = (bare(signature(kind).parameters) for kind in PAIRS[name])
    assert ours[: len(theirs)] == theirs
    assert {parameter.kind for parameter in ours[len(theirs) :]} == {Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score"])
@pytest.mark.parametrize("name", NAMES)
def test_the_methods_take_what_theirs_take(name, method):
    ours, theirs = PAIRS[name]
    if not hasattr(theirs, method):
        assert not hasattr(ours, method)
        return
    mine, its = (bare(signature(getattr(kind, method)).parameters) for kind in (ours, theirs))
    assert mine[: len(its)] == its
    assert all(parameter.default is not Parameter.empty for parameter in mine[len(its) :])


@pytest.mark.parametrize("name", NAMES)
def test_parameters_go_in_and_out(name):
    ours, theirs = (kind() for kind in PAIRS[name])
    defaults = theirs.get_params()
    assert {key: value for key, value in ours.get_params().items() if key in defaults} == defaults
    for key in ours.get_params():
        marker = object()
        assert ours.set_params(**{key: marker}).get_params(deep=False)[key] is marker


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
@pytest.mark.parametrize("dataset", ["iris", "diabetes"])
def test_no_fitted_attribute_is_missing(dataset, options):
    ours, theirs, _ = pair(dataset, **options)
    assert len(fitted(theirs)) >= 9
    assert not {name for name in fitted(theirs) if not hasattr(ours, name)}


@pytest.mark.parametrize("dataset", ["iris", "diabetes"])
def test_verbose_says_what_theirs_says(dataset, capsys):
    said = []
    name, X, y = data(dataset)
    for kind in PAIRS[name]:
        kind(**QUICK | {"early_stopping": True, "verbose": True, "tol": 0.5, "n_iter_no_change": 3}).fit(X, y)
        said.append(re.findall(r"^Iteration (\d+), loss = (\d+\.\d{8})\b", capsys.readouterr().out, re.MULTILINE))
    ours, theirs = np.array(said, float)
    assert len(theirs) >= 4
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


BAD = {
    "not fitted": (lambda kind, X, y: kind().predict(X), NotFittedError),
    "a negative penalty": (lambda kind, X, y: kind(alpha=-1).fit(X, y), ValueError),
    "an unknown activation": (lambda kind, X, y: kind(activation="gelo").fit(X, y), ValueError),
    "a layer of nothing": (lambda kind, X, y: kind(hidden_layer_sizes=(3, 0)).fit(X, y), ValueError),
    "weights of another length": (lambda kind, X, y: kind().fit(X, y, sample_weight=[1.0, 2.0]), ValueError),
    "a column too many": (lambda kind, X, y: kind(max_iter=1).fit(X, y).predict(np.c_[X, X]), ValueError),
    "numbers too large": (lambda kind, X, y: kind(solver="sgd", learning_rate_init=1e9).fit(1e99 * X, y), ValueError),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("call", BAD)
def test_what_they_refuse_is_refused_alike(call, name):
    act, error = BAD[call]
    _, X, y = data("iris" if name == "MLPClassifier" else "diabetes")
    raised = []
    for kind in PAIRS[name]:
        with pytest.raises(error) as caught:
            act(kind, X, y)
        raised.append(caught.type)
    assert issubclass(*raised), f"ours is {raised[0].__name__}, theirs {raised[1].__name__}"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("options", "category", "text"),
    [
        ({"max_iter": 2}, ConvergenceWarning, "Maximum iterations"),
        ({"max_iter": 2, "solver": "lbfgs"}, ConvergenceWarning, "lbfgs failed to converge"),
        ({"max_iter": 500, "tol": 1.0, "batch_size": 151}, UserWarning, "batch_size"),
    ],
)
def test_the_same_warnings(options, category, text):
    name, X, y = data("iris")
    for kind in PAIRS[name]:
        with pytest.warns(category, match=text) as caught:
            kind(**QUICK | options).fit(X, y)
        assert len(caught) == 1
