"""What MLPClassifier and MLPRegressor do beyond scikit-learn's: weights, own validation, losses, parts, options.

Where scikit-learn's MLP does the same, test_sklearn_parity.py compares the two.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, TimeSeriesSplit
from sklearn.utils.class_weight import compute_sample_weight

from ids import named
from netwright import ACTIVATIONS, OPTIMIZERS, SCHEDULES, Activation, Loss, MLPClassifier, MLPRegressor
from netwright.core.losses import find_loss
from netwright.core.optimizers import LBFGS, AdamW
from netwright.core.schedules import Step
from small_problems import ENDLESS, IRIS, KINDS, QUICK, flat, hidden, output, problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# ── weights are repetitions ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scaling", ["batch", "samples", "none"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", "adamw"])
@pytest.mark.parametrize("kind", KINDS)
def test_weight_k_is_k_copies(kind, solver, scaling):
    X, y = (each[:60] for each in problem(kind))
    weight = np.random.default_rng(0).integers(0, 4, 60)
    options = QUICK | {"solver": solver, "alpha": 0.7 / (60 if scaling == "none" else 1), "alpha_scaling": scaling}
    weighted = kind(**options).fit(X, y, sample_weight=weight)
    copied = kind(**options).fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(flat(weighted), flat(copied), rtol=1e-6, atol=1e-8)
    assert weighted.loss_ == pytest.approx(copied.loss_, rel=1e-8)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_weight_k_is_k_copies_for_any_small_problem(data):
    rows, columns = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 3))
    kind = data.draw(st.sampled_from(KINDS))
    weight = np.array(data.draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows)))
    weight[:2] += 1  # two rows at least, of two classes
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    X = rng.normal(size=(rows, columns))
    y = rng.permutation(np.resize([0, 1], rows - 2)) if kind is MLPClassifier else rng.normal(size=rows - 2)
    y = np.r_[0, 1, y]
    options = QUICK | {"solver": data.draw(st.sampled_from(["sgd", "lbfgs"])), "max_iter": 5, "alpha": 0.5}
    weighted = kind(**options).fit(X, y, sample_weight=weight)
    copied = kind(**options).fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(flat(weighted), flat(copied), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_weight_0_is_no_row_in_mini_batches_too(kind):
    X, y = problem(kind)
    weight = np.random.default_rng(0).uniform(0.5, 2, 150) * (np.arange(150) % 4 > 0)
    kept = weight > 0
    options = QUICK | {"batch_size": 16, "dropout": 0.2}
    weighted = kind(**options).fit(X, y, sample_weight=weight)
    without = kind(**options).fit(X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(flat(weighted), flat(without))
    assert weighted.t_ == without.t_ == 15 * kept.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_whose_weights_are_all_0(kind):
    """scikit-learn's divides by zero here."""
    X, y = problem(kind)
    weight = np.ones(150)
    weight[:40] = 0
    options = QUICK | {"batch_size": 8, "shuffle": False}
    weighted = kind(**options).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(flat(weighted), flat(kind(**options).fit(X[40:], y[40:])))


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_ratios_of_weights_count(kind):
    X, y = problem(kind)
    weight = np.random.default_rng(0).uniform(0.5, 2, 150)
    options = QUICK | {"batch_size": 16, "alpha": 0}
    one, other = (kind(**options).fit(X, y, sample_weight=factor * weight) for factor in (1, 1e6))
    np.testing.assert_allclose(flat(one), flat(other), rtol=1e-9)


def test_mini_batches_are_weighed_by_the_epoch_not_by_themselves():
    """Plain descent of a straight line by hand: a heavy batch takes a longer step."""
    X, y = problem(MLPRegressor)
    X, y = X[:30, :3], y[:30]
    weight = np.arange(1.0, 31)
    options = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "alpha": 0, "shuffle": False, "batch_size": 10}
    before = MLPRegressor(**options, random_state=0, max_iter=1, learning_rate_init=1e-300).fit(X, y)
    after = MLPRegressor(**options, random_state=0, max_iter=1, learning_rate_init=0.1).fit(X, y, sample_weight=weight)
    W, b = before.coefs_[0][:, 0], before.intercepts_[0][0]
    for rows in np.arange(30).reshape(3, 10):
        dZ = weight[rows] / weight.mean() * (X[rows] @ W + b - y[rows])
        W, b = W - 0.1 * X[rows].T @ dZ / 10, b - 0.1 * dZ.mean()
    np.testing.assert_allclose(after.coefs_[0][:, 0], W, rtol=1e-12)
    np.testing.assert_allclose(after.intercepts_[0], [b], rtol=1e-12)


# ── class weights ────────────────────────────────────────────────────────────────────────────────────────────────────

RARE = {"setosa": 0.2, "versicolor": 1.0, "virginica": 7.0}


@pytest.mark.parametrize("class_weight", [RARE, "balanced"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_are_weights(class_weight, own, solver):
    X, y = problem(MLPClassifier)
    X, y = X[:90], y[:90]
    options = QUICK | {"solver": solver} | ({"batch_size": 16} if solver == "adam" else {})
    own = np.random.default_rng(0).uniform(0.5, 2, 90) if own else None
    by_class = MLPClassifier(**options, class_weight=class_weight).fit(X, y, sample_weight=own)
    by_row = compute_sample_weight(class_weight, y)
    if own is not None:
        if class_weight == "balanced":  # over the rows as often as they count
            by_row = sum((y == name) * own.sum() / (3 * own[y == name].sum()) for name in RARE)
        by_row = by_row * own
    np.testing.assert_allclose(
        flat(by_class), flat(MLPClassifier(**options).fit(X, y, sample_weight=by_row)), rtol=1e-7
    )


def test_class_weights_of_labels_and_of_several_targets():
    X, y = problem(MLPClassifier)
    labels = np.c_[y == "setosa", X[:, 0] > 1].astype(int)
    targets = np.c_[y, np.where(X[:, 0] > 1, "long", "short")]
    for Y, class_weight in [
        (labels, [{0: 1, 1: 3}, {0: 1, 1: 0.5}]),
        (targets, [RARE, {"long": 5.0, "short": 1.0}]),
        (labels, "balanced"),
        (targets, "balanced"),
    ]:
        by_class = MLPClassifier(**QUICK, class_weight=class_weight).fit(X, Y)
        by_row = MLPClassifier(**QUICK).fit(X, Y, sample_weight=compute_sample_weight(class_weight, Y))
        np.testing.assert_allclose(flat(by_class), flat(by_row), rtol=1e-7)


def test_class_weights_help_a_rare_class():
    rng = np.random.default_rng(0)
    X, y = np.r_[rng.normal(0, 1, (190, 1)), rng.normal(1.5, 1, (10, 1))], np.repeat([0, 1], [190, 10])
    options = QUICK | {"solver": "lbfgs", "max_iter": 50, "alpha": 1.0}
    plain, balanced = (MLPClassifier(**options, class_weight=each).fit(X, y) for each in (None, "balanced"))
    assert plain.predict(X[190:]).mean() < 0.5 < balanced.predict(X[190:]).mean()


def test_a_class_weight_for_no_class_is_refused():
    X, y = problem(MLPClassifier)
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(**QUICK, class_weight={"setossa": 2.0}).fit(X, y)


# ── one's own validation rows, scorer, splitter ──────────────────────────────────────────────────────────────────────

STOPPING = QUICK | {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 5, "batch_size": 16}


@pytest.mark.parametrize("kind", KINDS)
def test_own_validation_rows(kind):
    X, y = problem(kind)
    estimator = kind(**STOPPING).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert len(estimator.validation_curve_) == len(estimator.validation_scores_) == estimator.n_iter_
    assert estimator.t_ == 100 * estimator.n_iter_, "all rows of X are trained on"
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert estimator.score(X[100:], y[100:]) == pytest.approx(estimator.best_validation_score_, abs=1e-12)
    assert estimator.best_loss_ is None


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_own_validation_rows_are_repetitions(kind):
    X, y = problem(kind)
    weight = np.random.default_rng(0).integers(0, 3, 50)
    estimator = kind(**STOPPING, scoring="loss")
    weighted = clone(estimator).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:], sample_weight_val=weight)
    copied = clone(estimator).fit(X[:100], y[:100], X_val=X[100:].repeat(weight, axis=0), y_val=y[100:].repeat(weight))
    np.testing.assert_allclose(weighted.validation_curve_, copied.validation_curve_, rtol=1e-9)


def test_the_validation_curve_is_the_loss_on_the_rows_held_out():
    X, y = problem(MLPClassifier)
    options = STOPPING | {"alpha": 0, "scoring": "loss", "max_iter": 300, "learning_rate_init": 0.1}
    estimator = MLPClassifier(**options).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    lowest = int(np.argmin(estimator.validation_curve_))
    assert lowest < estimator.n_iter_ - 1, "the case must get worse again"
    assert log_loss(y[100:], estimator.predict_proba(X[100:])) == pytest.approx(min(estimator.validation_curve_))


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        (MLPClassifier, "neg_log_loss"),
        (MLPClassifier, "roc_auc_ovr"),
        (MLPClassifier, make_scorer(accuracy_score)),
        (MLPRegressor, "neg_mean_absolute_error"),
        (MLPRegressor, lambda estimator, X, y: -np.max(np.abs(estimator.predict(X) - y))),
    ],
    ids=named,
)
def test_early_stopping_watches_the_scorer_that_it_is_given(kind, scoring):
    X, y = problem(kind)
    estimator = kind(**STOPPING, scoring=scoring).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    scorer = get_scorer(scoring)
    assert estimator.best_validation_score_ == pytest.approx(scorer(estimator, X[100:], y[100:]))
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    scored = kind(**STOPPING, scoring=scoring).fit(X, y)
    assert len(scored.validation_scores_) == scored.n_iter_


@pytest.mark.parametrize("kind", KINDS)
def test_a_splitter_holds_rows_out(kind):
    X, y = problem(kind)
    groups = np.arange(150) // 30
    train, test = next(TimeSeriesSplit(3).split(X))
    for splitter, known, (kept, held_out) in [
        (TimeSeriesSplit(3), None, (train, test)),
        ([(train, test)], None, (train, test)),
        (LeaveOneGroupOut(), groups, next(LeaveOneGroupOut().split(X, y, groups))),
        (GroupKFold(3), groups, next(GroupKFold(3).split(X, y, groups))),
    ]:
        split = kind(**STOPPING, validation_splitter=splitter).fit(X, y, groups=known)
        own = kind(**STOPPING).fit(X[kept], y[kept], X_val=X[held_out], y_val=y[held_out])
        np.testing.assert_array_equal(flat(split), flat(own))
        assert split.validation_scores_ == own.validation_scores_


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rows_that_are_wrong(kind):
    X, y = problem(kind)
    for wrong, match in [
        ({"X_val": X}, "y_val"),
        ({"y_val": y}, "X_val"),
        ({"X_val": X[:, :2], "y_val": y}, "features"),
        ({"X_val": X, "y_val": y[:9]}, "150.*9|9.*150"),
    ]:
        with pytest.raises(ValueError, match=match):
            kind(**STOPPING).fit(X, y, **wrong)


def test_a_class_that_only_validation_rows_have_is_refused():
    X, y = IRIS
    with pytest.raises(ValueError, match="virginica"):
        MLPClassifier(**STOPPING).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])


# ── activations and losses ───────────────────────────────────────────────────────────────────────────────────────────

CUBE = Activation("cube", lambda Z: 0.1 * Z**3, lambda Z, A: 0.3 * Z**2)
CUBIC = Loss("cubic", lambda Z, Y: abs(Z - Y) ** 3 / 3, lambda Z, A, Y: (Z - Y) * abs(Z - Y))


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_any_activation_of_the_table(name):
    X, y = problem(MLPRegressor)
    options = QUICK | {"activation": name, "learning_rate_init": 1e-3}
    estimator = MLPRegressor(**options).fit(X, y)
    Z = hidden(estimator, X, [ACTIVATIONS[name].f]) @ estimator.coefs_[1] + estimator.intercepts_[1]
    np.testing.assert_allclose(estimator.predict(X), Z[:, 0], rtol=1e-9, atol=1e-12)
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_for_each_layer_and_ones_own(kind):
    X, y = problem(kind)
    options = QUICK | {"hidden_layer_sizes": (6, 5, 4), "activation": ["tanh", CUBE, "logistic"]}
    estimator = kind(**options).fit(X, y)
    last = hidden(estimator, X, [np.tanh, CUBE.f, lambda Z: 1 / (1 + np.exp(-Z))])
    np.testing.assert_allclose(estimator.transform(X), last, rtol=1e-12)
    with pytest.raises(ValueError, match=r"activation.*3"):
        kind(**options | {"activation": ["tanh", "relu"]}).fit(X, y)


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "huber:0.5", "quantile:0.8", CUBIC], ids=named
)
def test_the_loss_reported_is_the_mean_of_the_losses(loss):
    X, y = problem(MLPRegressor)
    estimator = MLPRegressor(loss, **QUICK | {"solver": "lbfgs", "alpha": 0}).fit(X, y)
    expected = find_loss(loss).value(estimator.predict(X).reshape(1, -1), y.reshape(1, -1)).mean()
    assert estimator.loss_ == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loss", "centre"),
    [
        ("squared_error", np.mean),
        ("absolute_error", np.median),
        ("huber:100", np.mean),
        ("huber:0.01", np.median),
        ("quantile:0.9", lambda y: np.quantile(y, 0.9)),
        ("poisson", np.mean),
        (CUBIC, lambda y: min(np.linspace(0, 6, 6001), key=lambda c: np.sum(abs(c - y) ** 3))),
    ],
    ids=named,
)
def test_each_loss_finds_its_centre(loss, centre):
    """With inputs that say nothing, what is learned is the loss's centre of y."""
    y = np.random.default_rng(0).gamma(2.0, size=101)
    options = {"hidden_layer_sizes": (), "learning_rate_init": 0.05, "max_iter": 1500, "random_state": 0, "alpha": 0}
    estimator = MLPRegressor(loss, **options, **ENDLESS, schedule="cosine").fit(np.zeros((101, 1)), y)
    assert estimator.predict([[0.0]])[0] == pytest.approx(centre(y), abs=0.02)


def test_several_quantiles_at_once():
    X, y = problem(MLPRegressor)
    options = QUICK | {"max_iter": 300, "learning_rate_init": 0.03}
    estimator = MLPRegressor("quantile:0.1,0.5,0.9", **options).fit(X, y)
    predicted = estimator.predict(X)
    assert predicted.shape == (150, 3)
    np.testing.assert_allclose((y[:, None] < predicted).mean(axis=0), [0.1, 0.5, 0.9], atol=0.06)


def test_several_quantiles_have_a_score_to_stop_by():
    X, y = problem(MLPRegressor)
    estimator = MLPRegressor("quantile:0.1,0.5,0.9", **STOPPING).fit(X, y)
    assert math.isfinite(estimator.best_validation_score_)
    assert math.isfinite(estimator.score(X, y))


@pytest.mark.parametrize(("name", "inside"), [("softplus", (0, np.inf)), ("sigmoid", (0, 1)), ("tanh", (-1, 1))])
def test_an_output_activation(name, inside):
    X, y = problem(MLPRegressor)
    y = 0.1 + 0.8 * (y - y.min()) / np.ptp(y)
    estimator = MLPRegressor(**QUICK, output_activation=name).fit(X, y)
    last = hidden(estimator, X, [np.tanh]) @ estimator.coefs_[1] + estimator.intercepts_[1]
    np.testing.assert_allclose(estimator.predict(X), ACTIVATIONS[name].f(last)[:, 0], rtol=1e-9)
    predicted = estimator.predict(10 * X)
    assert inside[0] <= predicted.min() <= predicted.max() <= inside[1]
    assert estimator.out_activation_ == {"sigmoid": "logistic"}.get(name, name), "in scikit-learn's words"


# ── dropout, label smoothing, steps ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_in_training_alone(kind):
    X, y = problem(kind)
    plain, first, second = (kind(**QUICK, dropout=rate).fit(X, y) for rate in (0.0, 0.4, 0.4))
    np.testing.assert_array_equal(flat(first), flat(second))
    assert not np.allclose(flat(plain), flat(first))
    np.testing.assert_array_equal(output(first, X), output(first, X))
    last = hidden(first, X, [np.tanh])
    np.testing.assert_allclose(first.transform(X), last, rtol=1e-12)
    with pytest.raises(ValueError, match="lbfgs"):
        kind(**QUICK | {"solver": "lbfgs", "dropout": 0.4}).fit(X, y)


@pytest.mark.parametrize("counts", [(30, 10), (20, 10, 5)])
def test_label_smoothing_moves_what_is_learned_towards_even_odds(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0, "label_smoothing": 0.2, "tol": 1e-10}
    learned = MLPClassifier(**options).fit(np.zeros((len(y), 1)), y).predict_proba([[0.0]])[0]
    np.testing.assert_allclose(learned, 0.8 * np.array(counts) / len(y) + 0.2 / len(counts), atol=1e-5)


@pytest.mark.parametrize("solver", [*OPTIMIZERS, AdamW(0.01, weight_decay=0.1), LBFGS(memory=5)], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_any_optimizer(kind, solver):
    X, y = problem(kind)
    start = kind(**QUICK | {"learning_rate_init": 1e-300, "max_iter": 1}).fit(X, y).loss_
    estimator = kind(**QUICK | {"solver": solver}).fit(X, y)
    assert estimator.loss_ < start
    assert estimator.get_params()["solver"] is solver
    assert not vars(solver).get("slots") if not isinstance(solver, str) else True, "a parameter keeps no state"
    np.testing.assert_array_equal(flat(estimator), flat(clone(estimator).fit(X, y)))


@pytest.mark.parametrize("name", ["lm", "levenberg_marquardt"])
@pytest.mark.parametrize("kind", KINDS)
def test_lm_is_levenberg_marquardt_with_its_own_ends(kind, name):
    X, y = problem(kind)
    estimator = kind(**QUICK | {"solver": name, "max_iter": 300, "tol": 0.5, "batch_size": "auto"}).fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) > 50, "tol is of another kind"
    assert estimator.loss_curve_ == sorted(estimator.loss_curve_, reverse=True)
    theirs = kind(**QUICK | {"solver": "lbfgs", "max_iter": 3000, "max_fun": 10**6, "tol": 1e-9}).fit(X, y)
    assert estimator.loss_ <= 1.2 * theirs.loss_
    assert not hasattr(estimator, "partial_fit")


@pytest.mark.parametrize("kind", KINDS)
def test_lm_stops_early_and_keeps_the_best(kind):
    X, y = problem(kind)
    options = {"solver": "lm", "early_stopping": True, "n_iter_no_change": 3, "max_iter": 200, "alpha": 0}
    estimator = kind(**QUICK | options | {"batch_size": "auto"}).fit(X, y)
    assert len(estimator.validation_scores_) == estimator.n_iter_
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert "no better score" in estimator.history_.stopped or "converged" in estimator.history_.stopped


@pytest.mark.filterwarnings("default")
def test_lm_warns_where_it_was_not_done():
    X, y = problem(MLPRegressor)
    with pytest.warns(ConvergenceWarning, match=r"levenberg_marquardt failed to converge after 2 .*\(max_iter=2\)\."):
        MLPRegressor(**QUICK | {"solver": "lm", "max_iter": 2}).fit(X, y)


@pytest.mark.parametrize(("name", "nesterov"), [("momentum", False), ("nesterov", True)])
def test_their_sgd_is_our_momentum(name, nesterov):
    X, y = problem(MLPRegressor)
    ours = MLPRegressor(**QUICK, solver=name).fit(X, y)
    theirs = MLPRegressor(**QUICK, solver="sgd", nesterovs_momentum=nesterov).fit(X, y)
    np.testing.assert_array_equal(flat(ours), flat(theirs))


@pytest.mark.parametrize("schedule", [*SCHEDULES, Step(every=2, gamma=0.5), lambda e, E: 1 - e / E / 2], ids=named)
def test_any_schedule(schedule):
    X, y = problem(MLPRegressor)
    estimator = MLPRegressor(**QUICK | {"schedule": schedule, "batch_size": 50}).fit(X, y)
    function = SCHEDULES[schedule]() if isinstance(schedule, str) else schedule
    if schedule != "plateau":  # which needs the costs
        last = [0.03 * function(e + 2 / 3, 15) for e in range(15)]
        np.testing.assert_allclose(estimator.history_.learning_rate, last, rtol=1e-9)
    with pytest.raises(ValueError, match="learning_rate"):
        clone(estimator).set_params(solver="sgd", learning_rate="invscaling").fit(X, y)


def test_clip_norm_cuts_the_step():
    X, y = problem(MLPRegressor)
    options = QUICK | {"solver": "sgd", "momentum": 0, "max_iter": 1, "alpha": 0}
    start = flat(MLPRegressor(**options | {"learning_rate_init": 1e-300}).fit(X, 100 * y))
    step = flat(MLPRegressor(**options | {"learning_rate_init": 0.1}, clip_norm=0.5).fit(X, 100 * y)) - start
    assert np.linalg.norm(step) == pytest.approx(0.05)


@pytest.mark.parametrize("batch_size", [10, 100])
@pytest.mark.parametrize("scaling", ["batch", "samples", "none"])
def test_what_alpha_is_divided_by(scaling, batch_size):
    """With inputs of 0 the first layer only shrinks: by 1 - rate·alpha/samples in each step."""
    y = np.random.default_rng(0).normal(size=200)
    options = QUICK | {"solver": "sgd", "momentum": 0, "batch_size": batch_size, "max_iter": 3, "alpha": 0.8}
    estimator = MLPRegressor(**options, alpha_scaling=scaling).fit(np.zeros((200, 2)), y)
    start = MLPRegressor(**options | {"learning_rate_init": 1e-300}).fit(np.zeros((200, 2)), y)
    samples = {"batch": batch_size, "samples": 200, "none": 1}[scaling]
    steps = 3 * 200 // batch_size
    np.testing.assert_allclose(estimator.coefs_[0], start.coefs_[0] * (1 - 0.03 * 0.8 / samples) ** steps, rtol=1e-10)


def test_the_penalty_of_samples_is_the_same_at_every_batch_size():
    """scikit-learn's weighs alpha/10 at one and alpha/100 at the other."""
    X, y = problem(MLPRegressor)
    options = {"hidden_layer_sizes": (), "alpha": 150.0, "max_iter": 200, "random_state": 0, "schedule": "cosine"}
    options |= {"learning_rate_init": 0.01} | ENDLESS
    ridge = np.linalg.solve(X.T @ X + 150 * np.eye(4), X.T @ (y - y.mean()))
    for batch_size in (10, 75):
        estimator = MLPRegressor(**options, alpha_scaling="samples", batch_size=batch_size).fit(X, y)
        np.testing.assert_allclose(estimator.coefs_[0][:, 0], ridge, atol=0.02)


def test_auto_learns_the_exclusive_or_from_every_seed():
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    right = [MLPClassifier((8,), solver="auto", random_state=seed).fit(X, y).score(X, y) for seed in range(10)]
    assert right == [1.0] * 10


# ── several networks, several targets ────────────────────────────────────────────────────────────────────────────────


def test_several_networks_and_how_far_they_differ():
    X, y = problem(MLPRegressor)
    estimator = MLPRegressor(**QUICK | {"max_iter": 100}, n_networks=4).fit(X, y)
    mean, std = estimator.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, estimator.predict(X))
    assert mean.shape == std.shape == (150,)
    assert (std > 0).all()
    assert estimator.predict(30 * X, return_std=True)[1].mean() > 2 * std.mean(), "far away they agree less"
    with pytest.raises(ValueError, match="n_networks"):
        MLPRegressor(**QUICK).fit(X, y).predict(X, return_std=True)


def test_several_networks_are_better_than_one():
    X, y = problem(MLPRegressor)
    options = {"hidden_layer_sizes": (30,), "solver": "lbfgs", "max_iter": 100, "alpha": 0.01, "random_state": 0}
    one, five = (MLPRegressor(**options, n_networks=n).fit(X[:100], y[:100]).score(X[100:], y[100:]) for n in (1, 5))
    assert five > one
    X, y = problem(MLPClassifier)
    classifier = MLPClassifier(**QUICK, n_networks=3).fit(X, y)
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1)
    assert classifier.score(X, y) > 0.7


def test_several_targets_of_several_classes():
    X, y = problem(MLPClassifier)
    Y = np.c_[y, np.array(["a", "b", "c", "d"])[np.digitize(X[:, 2], [-1, 0, 1])]]
    estimator = MLPClassifier(**QUICK | {"max_iter": 200}).fit(X, Y)
    assert [classes.tolist() for classes in estimator.classes_] == [sorted(RARE), ["a", "b", "c", "d"]]
    predicted, probabilities = estimator.predict(X), estimator.predict_proba(X)
    assert predicted.shape == (150, 2)
    for i, (classes, each) in enumerate(zip(estimator.classes_, probabilities, strict=True)):
        np.testing.assert_allclose(each.sum(axis=1), 1)
        np.testing.assert_array_equal(classes[each.argmax(axis=1)], predicted[:, i])
        np.testing.assert_allclose(np.log(each), estimator.predict_log_proba(X)[i])
    assert (predicted == Y).mean(axis=0).min() > 0.85
    assert estimator.score(X, Y) == (predicted == Y).all(axis=1).mean()


def test_groups_need_a_splitter():
    X, y = problem(MLPClassifier)
    with pytest.raises(ValueError, match="groups are for validation_splitter"):
        MLPClassifier(**QUICK, early_stopping=True).fit(X, y, groups=np.zeros(len(y)))


def test_the_spread_of_probabilities_over_networks():
    X, y = problem(MLPClassifier)
    several = MLPClassifier(**QUICK, n_networks=3).fit(X, y)
    mean, std = several.predict_proba(X, return_std=True)
    each = np.stack([network.predict(X.T).T for network in several.networks_])
    each = np.concatenate([1 - each, each], axis=2) if each.shape[2] == 1 else each
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, each.std(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_array_equal(mean, several.predict_proba(X))
    with pytest.raises(ValueError, match="n_networks above 1"):
        MLPClassifier(**QUICK).fit(X, y).predict_proba(X, return_std=True)


def test_an_output_range():
    X, y = problem(MLPRegressor)
    fitted = MLPRegressor(**QUICK, output_activation="sigmoid:-2,5").fit(X, y)
    predicted = fitted.predict(1e3 * X)
    assert -2 <= predicted.min() < predicted.max() <= 5
