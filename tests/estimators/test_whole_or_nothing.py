"""A fit that does not end well, whatever ends it and when, leaves an estimator as it was: never a wrong model."""

import copy
import inspect
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.exceptions import NotFittedError

from netwright import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor, load, train_table
from netwright.cli import main
from netwright.core.optimizers import LBFGS
from small_problems import KINDS, QUICK, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Training interrupted")
MOMENTS = 10


class Moments:
    """Raises an error when the main thread enters one of our functions for the nth time; or counts these.

    `struck` says whether it has raised it: there may be fewer entries than there were when they were counted.
    """

    def __init__(self, last=None, error=KeyboardInterrupt):
        self.entered, self.last, self.error, self.struck = 0, last, error, False

    def __call__(self, frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        generator = frame.f_code.co_flags & inspect.CO_GENERATOR  # which may be entered to be thrown away
        ours = module.startswith("netwright.") and module != "netwright.engines.threads"
        if event == "call" and ours and not generator:
            self.entered += 1
            if self.entered == self.last:
                sys.setprofile(None)
                self.struck = True
                raise self.error("now")

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)


def moments(work):
    """Ten of them, spread over a whole run."""
    with Moments() as counted:
        work()
    return [1 + int(counted.entered * (i + 0.5) / MOMENTS) for i in range(MOMENTS)]


def kept(estimator):
    """All that is in it, to the bit, as text."""

    def told(value):
        if isinstance(value, np.ndarray):
            return value.tobytes(), value.shape
        if isinstance(value, list | tuple):
            return [told(one) for one in value]
        if isinstance(value, dict):
            return {name: told(one) for name, one in value.items()}
        return repr(value)

    state = estimator.__getstate__()
    networks = [
        (
            m.network.theta.tobytes(),
            repr(m.stream.bit_generator.state),
            told(getattr(m.optimizer, "slots", {})),
            getattr(m.optimizer, "t", 0),
            m.rate,
            m.waited,
            m.history.cost,
        )
        for m in state.get("_members", [])
    ]
    return {n: told(v) for n, v in state.items() if n not in ("_members", "_optimizer", "mixture_")}, networks


FITS = {
    "fit": ({}, "fit"),
    "float32": ({"engine": "fused", "n_threads": 1}, "fit"),
    "early stopping": ({"early_stopping": True}, "fit"),
    "dropout": ({"dropout": 0.2, "batch_size": 16}, "fit"),
    "lbfgs": ({"solver": "lbfgs"}, "fit"),
    "own lbfgs": ({"solver": LBFGS(restart=3)}, "fit"),
    "lm": ({"solver": "lm"}, "fit"),
    "br": ({"solver": "br"}, "fit"),
    "auto": ({"solver": "auto", "max_iter": 20}, "fit"),
    "several": ({"n_networks": 2}, "fit"),
    "warm start": ({"warm_start": True}, "fit"),
    "warm dropout": ({"warm_start": True, "dropout": 0.2, "batch_size": 16}, "fit"),
    "partial_fit": ({}, "partial_fit"),
    "partial_fit in batches": ({"batch_size": 16, "engine": "fused"}, "partial_fit"),
}


def call(estimator, how, X, y):
    if how == "fit":
        return estimator.fit(X, y)
    return estimator.partial_fit(X, y, **({"classes": np.unique(y)} if isinstance(estimator, MLPClassifier) else {}))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("kind", KINDS)
def test_at_ten_moments(kind, name, error):
    options, how = FITS[name]
    X, y = problem(kind)
    fitted = call(kind(**QUICK | options), how, X, y)
    other = call(kind(**QUICK | options), how, X[::-1] + 1, y)
    before, said, again = kept(fitted), output(fitted, X), copy.deepcopy(fitted)
    whole = output(call(copy.deepcopy(fitted), how, X[:, ::-1], y), X)
    assert not np.array_equal(said, output(other, X))
    for moment in moments(lambda: call(copy.deepcopy(fitted), how, X[:, ::-1], y)):
        new, old = kind(**QUICK | options), copy.deepcopy(again)
        for estimator, fresh in ((new, True), (old, False)):
            now = Moments(moment, error)
            try:
                with now:
                    call(estimator, how, X[:, ::-1], y)
            except error:
                if fresh:
                    with pytest.raises(NotFittedError):
                        estimator.predict(X)
                else:
                    assert kept(estimator) == before, moment
                    np.testing.assert_array_equal(output(estimator, X), said)
                    np.testing.assert_array_equal(output(call(estimator, how, X[:, ::-1], y), X), whole)
            else:  # Ctrl-C with something learnt by then; or a moment beyond the end
                assert estimator.n_iter_ >= 1
                assert np.isfinite(estimator.loss_)
                assert len(estimator.loss_curve_) >= estimator.n_iter_
                assert len(estimator.predict(X)) == len(X)
                assert error is KeyboardInterrupt or not now.struck
                assert now.struck or fresh or np.array_equal(output(estimator, X), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "dropout": 0.1}])
def test_what_is_refused_or_diverges_changes_nothing(kind, options):
    X, y = problem(kind)
    model = kind(**QUICK | options, warm_start=True).fit(X, y)
    before, said = kept(model), output(model, X)
    bad = X.copy()
    bad[3, 1] = np.nan
    huge = y * 1e200 if kind is MLPRegressor else y
    for arguments in ((bad, y), (X, y[:-1]), (X[:, :2], y), (X, None)):
        with pytest.raises((ValueError, TypeError)):
            model.fit(*arguments)
        assert kept(model) == before
    with pytest.raises(ValueError, match="weight"):
        model.fit(X, y, sample_weight=-np.ones(len(X)))
    assert kept(model) == before
    if kind is MLPRegressor:
        with pytest.raises(ValueError, match="non-finite"), warnings.catch_warnings(action="ignore"):
            model.set_params(early_stopping=False, solver="sgd", learning_rate_init=1e3).fit(X, huge)
    np.testing.assert_array_equal(output(model, X), said)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_split_of_rows_and_the_penalty_are_put_back_too(kind, monkeypatch):
    X, y = problem(kind)
    failed, control = (kind(**QUICK, early_stopping=True, warm_start=True) for _ in range(2))
    for model in (failed, control):
        model.fit(X, y, X_val=X, y_val=y)  # which draws no rows to hold out

    def fails(training):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("netwright.estimators.perceptron.run", fails)
        with pytest.raises(MemoryError):
            failed.set_params(alpha=5.0).fit(X, y)
    assert failed.as_network().l2 == control.as_network().l2
    failed.set_params(alpha=control.alpha)
    np.testing.assert_array_equal(output(failed.fit(X, y), X), output(control.fit(X, y), X))


@pytest.mark.parametrize("last", [1, 2, 3])
def test_ctrl_c_while_networks_are_sent_out(last, monkeypatch):
    X, y = problem(MLPClassifier)
    model = MLPClassifier(**QUICK, n_networks=3, warm_start=True).fit(X, y)
    before, sent = kept(model), count(1)
    submit = ThreadPoolExecutor.submit

    def interrupted(pool, *arguments):
        if next(sent) == last:
            raise KeyboardInterrupt
        return submit(pool, *arguments)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert kept(model) == before


@pytest.mark.parametrize("warm", [False, True])
def test_a_warning_that_is_made_an_error(warm):
    X, y = problem(MLPClassifier)
    model = MLPClassifier(**QUICK, warm_start=warm)
    with warnings.catch_warnings(action="ignore"):
        model.fit(X, y)
    before = kept(model)
    with warnings.catch_warnings(action="error"), pytest.raises(Warning):
        model.fit(X, y)
    assert kept(model) == before


# ── tables ──


def table(kind, n=120):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] > 0).astype(int) if kind is TabularClassifier else X[:, 0] + X[:, 1]


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_tables_at_ten_moments(kind, error):
    X, y = table(kind)
    good = kind(random_state=0).fit(X, y)
    said = output(good, X)
    for moment in moments(lambda: kind(random_state=0).fit(X[:, ::-1], y)):
        new, old = kind(random_state=0), copy.deepcopy(good)
        for estimator in (new, old):
            now = Moments(moment, error)
            try:
                with now:
                    estimator.fit(X[:, ::-1], y)
            except error:
                if estimator is new:
                    with pytest.raises(NotFittedError):
                        estimator.predict(X)
                else:
                    np.testing.assert_array_equal(output(estimator, X), said)
            else:
                assert error is KeyboardInterrupt or not now.struck
                assert estimator.mixture_ is not None
                assert np.ptp(output(estimator, X[:, ::-1]), axis=0).max() > 0.1


def interrupted_when(words, monkeypatch):
    """Ctrl-C as soon as the mixture says these words."""
    from netwright.recipes.problem import Problem

    run_tasks = Problem.run_tasks

    def telling(problem, what, tasks, results):
        def tell(said, share):
            if said == words:
                raise KeyboardInterrupt

        object.__setattr__(problem, "tell", tell)
        return run_tasks(problem, what, tasks, results)

    monkeypatch.setattr(Problem, "run_tasks", telling)


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_ctrl_c_keeps_the_networks_that_are_done(kind, monkeypatch):
    X, y = table(kind)
    interrupted_when("networks 3/8", monkeypatch)
    model = kind(random_state=0, n_threads=1)
    with pytest.warns(UserWarning, match="interrupted by user: interrupted when 3 of 8 networks were done") as caught:
        model.fit(X, y)
    assert caught[0].filename == __file__
    assert len(model.mixture_.networks) == 3
    assert model.score(X, y) > 0.8
    monkeypatch.undo()
    interrupted_when("scouts 2/4", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, ::-1], y)
    assert len(model.mixture_.networks) == 3
    with pytest.raises(KeyboardInterrupt):
        kind(random_state=0, n_threads=1).fit(X, y)


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_a_table_that_is_refused_changes_nothing(kind):
    X, y = table(kind)
    model = kind(random_state=0, max_time=5).fit(X, y)
    said = output(model, X)
    bad = X.copy()
    bad[7, 1] = np.inf
    for arguments, options in (
        ((bad, y), {}),
        ((X, y[:-1]), {}),
        ((X, np.where(np.arange(len(y)) == 4, np.nan, y)), {}),
        ((X, y), {"X_val": X}),
        ((X, y), {"X_val": X[:, :1], "y_val": y}),
        ((X, y), {"sample_weight": -np.ones(len(y))}),
    ):
        with pytest.raises((ValueError, TypeError)):
            model.fit(*arguments, **options)
        np.testing.assert_array_equal(output(model, X), said)
    with pytest.raises((ValueError, TypeError)):
        model.set_params(max_levels=-1).fit(X, y)
    np.testing.assert_array_equal(output(model, X), said)


ONE = {"hidden": (5,), "epochs": 12, "engine": "plain"}


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("options", [ONE, {}], ids=["one network", "mixture"])
def test_train_table_at_ten_moments(options, error):
    X, y = table(TabularRegressor)
    columns = {"a": X[:, 0], "b": X[:, 1], "y": y}
    before, whole = copy.deepcopy(columns), train_table(columns, "y", **options).predict(columns)
    models = 0
    for moment in moments(lambda: train_table(columns, "y", **options)):
        now = Moments(moment, error)
        try:
            with now:
                model = train_table(columns, "y", **options)
        except error:
            model = None
        np.testing.assert_equal(columns, before)
        if model is not None:
            assert error is KeyboardInterrupt or not now.struck
            assert len(model.history) >= 1
            assert np.isfinite(model.predict(columns)).all()
            models += now.struck
    if error is KeyboardInterrupt and options is ONE:  # most moments come after something was learnt
        assert models
    np.testing.assert_array_equal(train_table(columns, "y", **options).predict(columns), whole)


@pytest.mark.slow
@pytest.mark.parametrize("more", [["--hidden", "5", "--epochs", "12"], []], ids=["one network", "mixture"])
def test_the_command_line_at_ten_moments(more, tmp_path):
    """A model that was there is still there, or another whole one is; never none, and never a traceback."""
    X, y = table(TabularRegressor)
    data, path = tmp_path / "data.csv", tmp_path / "model"
    data.write_text("a,b,y\n" + "".join(f"{a},{b},{c}\n" for (a, b), c in zip(X[:, :2], y, strict=True)))
    asked = ["train", str(data), "-t", "y", "-o", str(path), "--quiet", *more]
    run = CliRunner().invoke
    assert run(main, asked).exit_code == 0
    first = path.read_bytes()
    for moment in moments(lambda: run(main, asked)):
        with Moments(moment):
            result = run(main, asked)
        assert result.exit_code in (0, 130), result.output
        assert "Traceback" not in result.output
        assert result.exit_code == 130 or path.read_bytes() != first
        assert np.isfinite(load(path).predict(str(data))).all()
        path.write_bytes(first)
    assert not list(tmp_path.glob(".*tmp"))
