"""Estimators' model files: what comes back is what was saved and learns on alike; what no file can keep is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import KFold

from forgery import forge, with_junk
from netwright import Activation, Loss, MLPClassifier, MLPRegressor, TabularClassifier, load
from netwright.cli import main
from netwright.core.optimizers import LBFGS, AdamW, BayesianRegularization, LevenbergMarquardt, Momentum
from netwright.core.schedules import Constant, Cosine
from netwright.engines.plain import Plain
from small_problems import ENDLESS, KINDS, QUICK, flat, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def there_and_back(estimator, path, own=()):
    estimator.save(path)
    return load(path, own)


def parameters_of(estimator):
    """Its parameters, comparable: a RandomState by what it draws next."""
    given = estimator.get_params()
    if isinstance(given["random_state"], np.random.RandomState):
        given["random_state"] = copy.deepcopy(given["random_state"]).randint(2**31, size=5).tolist()
    return given


def same(one, other, X):
    """Whether two estimators are alike: parameters, whatever was fitted, and predictions, to the bit."""
    assert type(one) is type(other)
    assert parameters_of(one) == parameters_of(other)
    names = {name for name in vars(one) if name.endswith("_") and name not in ("coefs_", "intercepts_", "networks_")}
    assert names == {name for name in vars(other) if name.endswith("_")} - {"coefs_", "intercepts_"}
    for name in names:
        value, again = getattr(one, name), getattr(other, name)
        np.testing.assert_equal(again, value, name)
        assert type(again) is type(value) or isinstance(value, np.generic), name
    for network, again in zip(one.networks_, other.networks_, strict=True):
        np.testing.assert_array_equal(again.theta, network.theta)
        assert again.settings() == network.settings()
    np.testing.assert_equal(output(other, X), output(one, X))
    np.testing.assert_array_equal(other.predict(X), one.predict(X))
    np.testing.assert_array_equal(flat(other), flat(one))


# ── there and back ───────────────────────────────────────────────────────────────────────────────────────────────────

SPLIT = [(list(range(100)), list(range(100, 150)))]
OPTIONS = {
    "defaults": {},
    "early stopping": {"early_stopping": True},
    "watching the loss": {"early_stopping": True, "scoring": "loss"},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "lbfgs": {"solver": "lbfgs"},
    "auto": {"solver": "auto"},
    "lm": {"solver": "lm"},
    "br": {"solver": "br"},
    "an own Bayesian regularisation": {"solver": BayesianRegularization(flat=0.1, shared=True)},
    "an own Levenberg-Marquardt": {"solver": LevenbergMarquardt(geodesic=False, matrix=False)},
    "an own L-BFGS": {"solver": LBFGS(memory=3, restart=None)},
    "an optimizer": {"solver": AdamW(0.01, weight_decay=0.1)},
    "a schedule": {"schedule": Cosine(warmup=2.0)},
    "several networks": {"n_networks": 3},
    "dropout and clipping": {"dropout": 0.25, "clip_norm": 0.5, "max_time": 60.0},
    "a layer each": {"hidden_layer_sizes": [5, 4], "activation": ["relu", "silu"], "alpha_scaling": "samples"},
    "patience for ever": {"n_iter_no_change": np.inf},
    "a splitter in numbers": {"early_stopping": True, "validation_splitter": 3},
    "a split in rows": {"early_stopping": True, "validation_splitter": SPLIT},
    "a generator": {"random_state": np.random.RandomState(7)},
    "any start": {"random_state": None},
    "numbers of NumPy": {"alpha": np.float64(0.01), "max_iter": np.int64(9), "early_stopping": np.bool_(True)},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "an array of sizes": {"hidden_layer_sizes": 3},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_comes_back(kind, name, tmp_path):
    X, y = problem(kind)
    estimator = kind(**QUICK | OPTIONS[name]).fit(X, y)
    same(estimator, there_and_back(estimator, tmp_path / "model"), X)


def test_options_of_one_kind_come_back(tmp_path):
    X, y = problem(MLPClassifier)
    weight = {"setosa": 1, "versicolor": 2.5, "virginica": 1}
    options = {"class_weight": weight, "label_smoothing": 0.1, "output_activation": "sigmoid"}
    estimator = MLPClassifier(**QUICK | options).fit(X, y)
    same(estimator, there_and_back(estimator, tmp_path / "model"), X)
    X, y = problem(MLPRegressor)
    for options in ({"loss": "quantile:0.1,0.9"}, {"loss": "huber:1.5"}, {"output_activation": "tanh"}):
        estimator = MLPRegressor(**QUICK | options).fit(X, y)
        same(estimator, there_and_back(estimator, tmp_path / "model"), X)
    estimator = MLPRegressor(**QUICK | {"loss": "quantile:0.1,0.9"}).fit(X, np.c_[y, -y])
    same(estimator, there_and_back(estimator, tmp_path / "model"), X)


IRIS = problem(MLPClassifier)
CODE = np.unique(IRIS[1], return_inverse=True)[1]
LABELS = {
    "whole numbers": CODE * 10 - 5,
    "small whole numbers": CODE.astype(np.uint8),
    "floats": CODE.astype(float),
    "truth": CODE == 1,
    "words": IRIS[1],
    "two words": np.where(CODE == 1, "yes", "no"),
    "objects": IRIS[1].astype(object),
    "many labels": np.c_[CODE == 0, CODE > 0, CODE == 2].astype(int),
    "several targets": np.c_[CODE, CODE % 2 + 3, 7 - CODE],
    "several targets in words": np.c_[IRIS[1], np.where(CODE == 1, "yes", "no")],
    "several targets as objects": np.c_[IRIS[1], np.where(CODE == 1, "yes", "no")].astype(object),
    "one class": np.zeros(150, int),
}


@pytest.mark.parametrize("name", LABELS)
def test_classes_of_every_kind_come_back(name, tmp_path):
    X, y = IRIS[0], LABELS[name]
    estimator = MLPClassifier(**QUICK).fit(X, y)
    loaded = there_and_back(estimator, tmp_path / "model")
    same(estimator, loaded, X)
    assert loaded.predict(X).dtype == estimator.predict(X).dtype
    assert loaded.score(X, y) == estimator.score(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_names_dtype_and_output_come_back(kind, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = problem(kind)
    frame = pandas.DataFrame(X.astype(np.float32), columns=["a", "b", "c", "größe"])
    estimator = kind(**QUICK).set_output(transform="pandas").fit(frame, y)
    loaded = there_and_back(estimator, tmp_path / "model")
    same(estimator, loaded, frame)
    assert loaded.coefs_[0].dtype == np.float32
    assert list(loaded.transform(frame).columns) == list(estimator.get_feature_names_out())
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame.rename(columns={"a": "z"}))


def test_an_attribute_of_ones_own_comes_back(tmp_path):
    X, y = problem(MLPRegressor)
    estimator = MLPRegressor(**QUICK).fit(X, y)
    estimator.note = {"made": "today", 1: [np.inf, (2, None)], "$": np.arange(3)}
    np.testing.assert_equal(there_and_back(estimator, tmp_path / "model").note, estimator.note)


def test_activations_and_losses_of_ones_own_are_given_again(tmp_path):
    cube = Activation("cube", lambda Z: 0.1 * Z**3, lambda Z, A: 0.3 * Z**2)
    quartic = Loss("quartic", lambda Z, Y: (Z - Y) ** 4 / 4, lambda Z, A, Y: (Z - Y) ** 3)
    X, y = problem(MLPRegressor)
    estimator = MLPRegressor(**QUICK | {"activation": [cube], "loss": quartic}).fit(X, y)
    same(estimator, there_and_back(estimator, tmp_path / "model", [quartic, cube]), X)
    with pytest.raises(ValueError, match="activation of its maker's own, 'cube'; pass it"):
        load(tmp_path / "model", [quartic])
    with pytest.raises(ValueError, match="loss of its maker's own, 'quartic'; pass it"):
        load(tmp_path / "model", [cube])


def test_what_is_loaded_is_an_estimator_like_any_other(tmp_path):
    X, y = problem(MLPClassifier)
    estimator = MLPClassifier(**QUICK).fit(X, y)
    loaded = there_and_back(estimator, tmp_path / "model")
    same(estimator, there_and_back(loaded, tmp_path / "again"), X)
    np.testing.assert_equal(contents(tmp_path / "again"), contents(tmp_path / "model"))
    np.testing.assert_array_equal(flat(clone(loaded).fit(X, y)), flat(estimator))
    loaded.coefs_[0][:] *= 2
    assert not np.allclose(output(loaded, X), output(estimator, X)), "its coefs_ are its network's"
    with pytest.raises(ValueError, match="no rows of the last fit"):
        loaded.diagnose()


# ── going on ─────────────────────────────────────────────────────────────────────────────────────────────────────────

GOING_ON = {
    "adam": {},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "rmsprop": {"solver": "rmsprop"},
    "an optimizer": {"solver": Momentum(0.02, momentum=0.8)},
    "dropout": {"dropout": 0.3, "clip_norm": 0.5},
    "a generator": {"random_state": np.random.RandomState(3)},
    "several networks": {"n_networks": 2},
    "early stopping": {"early_stopping": True},
    "lbfgs": {"solver": "lbfgs", "batch_size": "auto", "tol": 1e-9},
}


@pytest.mark.parametrize("name", GOING_ON)
@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_goes_on_to_the_same_bits(kind, name, tmp_path):
    X, y = problem(kind)
    options = QUICK | ENDLESS | {"batch_size": 16, "max_iter": 10, "warm_start": True}
    estimator = kind(**copy.deepcopy(options | GOING_ON[name])).fit(X, y)
    loaded = there_and_back(estimator, tmp_path / "model")
    before = len(estimator.loss_curve_)
    for _ in range(2):
        estimator.fit(X, y)
        loaded.fit(X, y)
    assert len(estimator.loss_curve_) > before
    for one in (estimator, loaded):
        one.history_.seconds.clear()  # what differs
        one.set_params(random_state=None)  # a generator of the user's own is shared no more
    same(estimator, loaded, X)


@pytest.mark.parametrize("name", [name for name in GOING_ON if name not in ("early stopping", "lbfgs")])
@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_goes_on_to_the_same_bits(kind, name, tmp_path):
    X, y = problem(kind)
    estimator = kind(**QUICK | {"batch_size": 16} | copy.deepcopy(GOING_ON[name]))
    classes = {"classes": np.unique(y)} if kind is MLPClassifier else {}
    for _ in range(5):
        estimator.partial_fit(X, y, **classes)
    loaded = there_and_back(estimator, tmp_path / "model")
    for _ in range(5):
        estimator.partial_fit(X[:100], y[:100])
        loaded.partial_fit(X[:100], y[:100])
    np.testing.assert_array_equal(flat(loaded), flat(estimator))
    assert loaded.t_ == estimator.t_
    assert loaded.loss_ == estimator.loss_


# ── how large ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_small_and_does_not_grow(kind, tmp_path):
    """Weights, Adam's two slots, 4 numbers an epoch, 2 bytes a row for the last shuffle; and 12 KB for all else."""
    X, y = (np.tile(each, (10, 1) if each.ndim == 2 else 10) for each in problem(kind))
    path = tmp_path / "model"
    estimator = kind(**QUICK | {"hidden_layer_sizes": (50, 50), "max_iter": 50} | ENDLESS).fit(X, y)
    estimator.save(path)
    assert path.stat().st_size < 3 * flat(estimator).nbytes + 50 * 4 * 8 + 2 * len(X) + 12_000
    before = path.stat().st_size
    for _ in range(50):
        estimator.partial_fit(X, y)
    estimator.save(path)
    assert path.stat().st_size < before + 100


# ── what no file can keep ────────────────────────────────────────────────────────────────────────────────────────────


class Sign(Momentum):
    """An optimizer of somebody's own."""


class Flat(Constant):
    """A schedule of somebody's own."""


UNKEPT = {
    "schedule": (lambda e, E: 1.0, "function"),
    "schedule of a class": (Flat(), "a schedule of your own"),
    "scoring": (make_scorer(mean_absolute_error), "make_scorer"),
    "validation_splitter": (KFold(3), "KFold"),
    "solver": (Sign(0.01), "an optimizer of your own"),
    "random_state": (np.random.RandomState(np.random.PCG64(0)), "PCG64"),
}


@pytest.mark.parametrize("name", UNKEPT)
def test_what_no_file_can_keep_is_refused_by_name_and_nothing_is_written(name, tmp_path):
    X, y = problem(MLPRegressor)
    path, (value, what), name = tmp_path / "model", UNKEPT[name], name.partition(" ")[0]
    estimator = MLPRegressor(**QUICK | ({} if name == "random_state" else {name: value})).fit(X, y)
    estimator.set_params(**{name: value})
    path.write_bytes(b"what was there")
    with pytest.raises(ValueError, match=rf"^{name} cannot be kept in a model file: .*{what}") as caught:
        estimator.save(path)
    assert path.read_bytes() == b"what was there"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    way = str(caught.value).partition("; ")[2].partition(" before")[0]
    assert way == f"set_params({name}={MLPRegressor().get_params()[name]!r})"
    eval(f"estimator.{way}")
    np.testing.assert_array_equal(there_and_back(estimator, path).predict(X), estimator.predict(X))


def test_other_things_that_no_file_can_keep(tmp_path):
    X, y = problem(MLPClassifier)

    class Mine(MLPClassifier):
        pass

    with pytest.raises(NotFittedError):
        MLPClassifier().save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"Mine is a class of your own; as_network\(\)\.save"):
        Mine(**QUICK).fit(X, y).save(tmp_path / "model")
    estimator = MLPClassifier(**QUICK).fit(X, y)
    estimator.note = object()
    with pytest.raises(
        ValueError, match=r"note cannot be kept in a model file: <object object .* del estimator.note before"
    ):
        estimator.save(tmp_path / "model")
    drawn = MLPClassifier(**QUICK | {"random_state": np.random.RandomState(np.random.PCG64(0))}).fit(X, y)
    with pytest.raises(ValueError, match="random numbers of PCG64 have no spelling there"):
        drawn.set_params(random_state=None).save(tmp_path / "model")
    estimator = MLPClassifier(**QUICK).fit(X, y).set_params(alpha=-1)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        estimator.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="there is no directory"):
        estimator.set_params(alpha=0).save(tmp_path / "nowhere" / "model")


# ── damaged and forged ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(path, the bytes of a file, the estimator, its X)."""
    X, y = np.arange(12.0).reshape(6, 2) / 10, np.array(["no", "yes"] * 3)
    options = {"hidden_layer_sizes": (1,), "max_iter": 2, "batch_size": 2, "random_state": 0, "dropout": 0.5}
    estimator = MLPClassifier(**options).fit(X, y)
    path = tmp_path_factory.mktemp("tiny") / "model"
    estimator.save(path)
    return path, path.read_bytes(), estimator, X


def refused(path, data):
    """Whether load refuses these bytes with a ValueError that names the file."""
    path.write_bytes(data)
    try:
        load(path)
    except ValueError as error:
        return str(error).startswith(str(path))
    return False


def test_a_truncated_file_is_refused(tiny, tmp_path):
    _, whole, _, _ = tiny
    assert not refused(tmp_path / "model", whole)
    assert all(refused(tmp_path / "model", whole[:length]) for length in range(0, len(whole), 29))
    assert refused(tmp_path / "model", whole[:-1])
    assert refused(tmp_path / "model", whole + b"\0")


def test_a_flipped_bit_is_refused_or_harmless(tiny, tmp_path):
    _, whole, estimator, X = tiny
    harmless = 0
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        if not refused(tmp_path / "model", bytes(flipped)):
            harmless += 1
            same(estimator, load(tmp_path / "model"), X)
    assert harmless < 10


def contents(path):
    with safe_open(path, "numpy") as file:
        meta = file.metadata()
    return json.loads(meta["header"]), load_file(path)


def change(header, way, value):
    """The header with another value at a place such as "networks.0.rate"; None takes it away."""
    node, *rest = copy.deepcopy(header), *way.split(".")
    top = node
    for step in rest[:-1]:
        node = node[int(step) if isinstance(node, list) else step]
    if value is None:
        del node[rest[-1]]
    else:
        node[rest[-1]] = value
    return top


FORGED = {
    "another class": ("class", "Perceptron", "it holds a 'Perceptron', which this netwright does not know; upgrade"),
    "a class that runs code": ("class", "os.system", "does not know; upgrade"),
    "no class": ("class", None, "does not describe an estimator: it has no 'class'"),
    "a strange parameter": (
        "parameters.depth",
        3,
        "the parameter 'depth', which this netwright does not know; upgrade",
    ),
    "a wrong parameter": ("parameters.alpha", "much", "'alpha' parameter of MLPClassifier must be"),
    "an unknown kind of value": ("parameters.alpha", {"$pickle": "x"}, "parameters.alpha is of an unknown kind"),
    "an unknown optimizer": ("parameters.solver", {"$optimizer": {"settings": {"name": "x"}, "slots": {}}}, "unknown"),
    "an activation not given": ("parameters.activation", {"$activation": "cube"}, "unknown activation 'cube'"),
    "no networks": ("networks", [], "does not describe an? estimator"),
    "an attribute that is a method": ("fitted.predict", 1, "it says that 'predict' was fitted"),
    "features": ("fitted.n_features_in_", 3, "do not fit together"),
    "a count that is none": ("fitted.t_", "1", "fitted.t_ must be a whole number of at least 0, got '1'"),
    "a curve with words": ("fitted.loss_curve_", [1.0, "x"], r"loss_curve_\[1\] must be a number, got 'x'"),
    "no curve": ("fitted.loss_curve_", None, "fitted has no 'loss_curve_'"),
    "a rate that is none": ("networks.0.rate", True, "rate must be a finite number of at least 0, got True"),
    "no stream": ("networks.0.stream", {"bits": 1}, "stream must be of the kind Stream"),
    "slots of another": ("networks.0.optimizer.$optimizer.slots", {"w": {"$tensor": "0.theta"}}, "its Adam remembers"),
    "steps": ("networks.0.optimizer.$optimizer.t", -1, "optimizer.t must be a whole number"),
    "kind of labels": ("fitted._labels.$labels.kind", "several", "its labels are 'several'"),
    "classes": ("fitted._labels.$labels.classes", {"$array": ["U", ["a", "b", "c"]]}, "its labels are 'binary'"),
    "classes in disorder": (
        "fitted._labels.$labels.classes",
        {"$array": ["U", ["yes", "no"]]},
        "its labels are 'binary'",
    ),
    "classes of no order": ("fitted._labels.$labels.classes", {"$array": ["O", [1, "no"]]}, "its labels are 'binary'"),
    "other classes": (
        "fitted.classes_",
        {"$array": ["U", ["no", "yet"]]},
        "its labels and classes do not fit together",
    ),
    "more classes than outputs": (
        "fitted._labels.$labels",
        {"kind": "multiclass", "classes": {"$array": ["U", ["a", "b", "c"]]}},
        "its labels and classes do not fit together",
    ),
    "a place beyond the generator's words": (
        "networks.0.stream.$stream.bits.state.pos",
        100_000,
        "the random numbers' state has no place 100000",
    ),
    "neurons without end": (
        "networks.0.network.layers",
        [{"kind": "dense", "inputs": 2, "neurons": 10**12, "activation": "tanh"}],
        "fill",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_file_is_refused(name, tiny, tmp_path):
    way, value, match = FORGED[name]
    header, tensors = contents(tiny[0])
    forge(tmp_path / "model", header, tensors, kind="estimator")
    load(tmp_path / "model")  # so that the refusal is about what is changed
    forge(tmp_path / "model", change(header, way, value), tensors, kind="estimator")
    with pytest.raises(ValueError, match=match) as caught:
        load(tmp_path / "model")
    assert str(caught.value).startswith(str(tmp_path / "model"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_junk_in_the_header_is_refused_or_gives_an_estimator_that_predicts(data, tiny, tmp_path):
    header, tensors = contents(tiny[0])
    forge(tmp_path / "model", with_junk(header, data.draw), tensors, kind="estimator")
    try:
        loaded = load(tmp_path / "model")
    except ValueError:
        return
    assert loaded.predict_proba(tiny[3]).shape == (6, 2)
    assert len(loaded.predict(tiny[3])) == 6


# ── the command line ─────────────────────────────────────────────────────────────────────────────────────────────────


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_show_says_what_is_in_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = problem(MLPClassifier)
    estimator = MLPClassifier(**QUICK | {"n_networks": 3}).fit(pandas.DataFrame(X, columns=list("abcd")), y)
    estimator.save(tmp_path / "model")
    done = run("show", tmp_path / "model")
    assert done.exit_code == 0
    for said in (
        "MLPClassifier(activation='tanh'",
        "4 features (a, b, c, d)",
        "classes 'setosa', 'versicolor', 'virginica'",
        "6 → 3",
        "51 parameters",
        "and 2 more networks of these layers",
        "epochs of the last fit: 15; all 15 epochs done",
    ):
        assert said in done.output
    regressor = MLPRegressor(**QUICK).fit(*problem(MLPRegressor))
    assert "4 features\n" in regressor.summary()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_table_needs_a_model_that_knows_its_columns(command, tiny, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b,y\n1,2,no\n")
    done = run(command, tiny[0], table)
    assert done.exit_code == 2
    assert (
        "holds an estimator, MLPClassifier, which knows no columns; give a model that `netwright train`" in done.output
    )
    assert f"netwright.load({str(tiny[0])!r}).predict(X) takes arrays" in done.output


def test_train_does_not_replace_an_estimator(tiny, tmp_path):
    table, model = Path("examples/penguins.csv").resolve(), tmp_path / "model"
    model.write_bytes(tiny[1])
    done = run("train", table, "--target", "species", "--model", model)
    assert done.exit_code == 2
    assert model.read_bytes() == tiny[1]


@pytest.mark.parametrize("kind", [*KINDS, TabularClassifier])
def test_a_file_does_not_say_where_it_was_fitted_and_how(kind, tmp_path):
    X, y = problem(MLPClassifier if kind is TabularClassifier else kind)
    options = {"checkpoint": str(tmp_path / "private"), "n_threads": 1, "random_state": 0}
    options |= {"max_time": 1} if kind is TabularClassifier else QUICK | {"engine": Plain()}
    model = kind(**options).fit(X, y)
    loaded = there_and_back(model, tmp_path / "model")
    np.testing.assert_array_equal(output(loaded, X), output(model, X))
    assert not {"checkpoint", "resume", "engine", "n_threads"} & contents(tmp_path / "model")[0]["parameters"].keys()
    assert b"private" not in (tmp_path / "model").read_bytes()
    assert (loaded.checkpoint, loaded.engine) == (None, kind().engine)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_chooses_no_file_to_write_to(kind, tmp_path):
    """Whoever loads it has not asked for a checkpoint, and may have something there."""
    X, y = problem(kind)
    victim = tmp_path / "victim.txt"
    model = kind(**QUICK, checkpoint=str(victim), resume=True, warm_start=True).fit(X, y)
    model.save(tmp_path / "model")
    victim.write_text("precious")
    loaded = load(tmp_path / "model")
    assert (loaded.checkpoint, loaded.resume) == (None, False)
    loaded.fit(X, y)
    assert victim.read_text() == "precious"
    again = model.set_params(checkpoint=None, resume=False).fit(X, y)
    np.testing.assert_array_equal(flat(loaded), flat(again))
