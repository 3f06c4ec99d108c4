"""Bayesian regularisation against BayesianRidge, MacKay's formulas written out, and Levenberg-Marquardt."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.linear_model import BayesianRidge

from netwright import LOSSES, Loss, MLPClassifier, MLPRegressor, Network, load
from netwright.core import memory as machine
from netwright.core.gauss_newton import Curvature
from netwright.core.optimizers import BayesianRegularization, LevenbergMarquardt
from netwright.core.samples import Samples
from netwright.training.history import History
from netwright.training.solvers.levenberg import WithMatrix
from strategies import targets

BR = "bayesian_regularization"
EXACT = BayesianRegularization(flat=1e-10)
SHARED = BayesianRegularization(flat=1e-10, shared=True)


def line(n=60, outputs=1, seed=0):
    """Five inputs of which three matter, and noise of spread 0.4."""
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(5, n)), rng.normal(size=(outputs, 5)) * [1, 1, 1, 0, 0]
    return X, W @ X + 0.3 + 0.4 * rng.normal(size=(outputs, n))


def sine(seed, rows=40):
    """A noisy sine to learn from, and the sine itself."""
    rng = np.random.default_rng(seed)
    x, fresh = rng.uniform(-1, 1, (1, rows)), np.linspace(-1, 1, 200)[np.newaxis]
    return x, np.sin(np.pi * x) + 0.3 * rng.normal(size=x.shape), fresh, np.sin(np.pi * fresh)


def blobs(seed, rows):
    """Two classes that overlap, whose odds are linear."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return rng.normal(size=(2, rows)) + np.array([[1.2], [0.6]]) * (2 * y - 1), y[np.newaxis].astype(float)


def last(history):
    return {name: values[-1] for name, values in history.evidence.items()}


# ── closed forms ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("optimizer", [EXACT, SHARED])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_line_is_scikit_learns_bayesian_ridge(optimizer, weighted):
    X, Y = line()
    weight = np.random.default_rng(1).integers(0, 4, 60).astype(float) if weighted else None
    network = Network([5, 1], loss="squared_error", rng=0)
    history = network.train(X, Y, weight=weight, optimizer=optimizer, epochs=200)
    rows = np.repeat(np.vstack([X, np.ones(60)]).T, 1 if weight is None else weight.astype(int), axis=0)
    y = np.repeat(Y[0], 1 if weight is None else weight.astype(int))
    priors = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), 0)
    theirs = BayesianRidge(fit_intercept=False, tol=1e-12, max_iter=1000, **priors).fit(rows, y)
    np.testing.assert_allclose(network.theta, theirs.coef_, rtol=1e-6, atol=1e-9)
    found, alpha = last(history), "alpha" if optimizer.shared else "alpha_1"
    assert list(found) == ["effective_parameters", "beta", "log_evidence", alpha]
    assert found["beta"] == pytest.approx(theirs.alpha_, rel=1e-6)  # they call the noise's precision alpha
    assert found[alpha] == pytest.approx(theirs.lambda_, rel=1e-6)
    spread = np.eye(len(y)) / theirs.alpha_ + rows @ rows.T / theirs.lambda_  # of y, theta being integrated out
    known = multivariate_normal(np.zeros(len(y)), spread).logpdf(y) + 0.5 * len(y) * np.log(2 * np.pi)
    assert found["log_evidence"] == pytest.approx(known, rel=1e-6)
    values = np.linalg.eigvalsh(rows.T @ rows) * theirs.alpha_
    assert history.effective_parameters == pytest.approx(np.sum(values / (values + theirs.lambda_)), rel=1e-6)
    assert history.cost[-1] == pytest.approx(network.gradient(X, Y, weight), rel=1e-9), "the penalty is not in it"


def test_several_outputs_and_missing_targets_are_mackays_fixed_point():
    """Iterated here in another order: to the minimum for each alpha and beta, on the rows that are known."""
    X, Y = line(outputs=2)
    Y[1, ::3] = np.nan
    network = Network([5, 2], loss="masked_squared_error", rng=0)
    history = network.train(X, Y, optimizer=EXACT, epochs=200)
    design, alpha, beta = np.vstack([X, np.ones(60)]).T, 1.0, 1.0
    known = ~np.isnan(Y)
    for _ in range(500):
        gamma = square = error = 0.0
        for y, k in zip(Y, known, strict=True):
            A = beta * design[k].T @ design[k] + alpha * np.eye(6)
            w = np.linalg.solve(A, beta * design[k].T @ y[k])
            gamma += 6 - alpha * np.trace(np.linalg.inv(A))
            square, error = square + w @ w, error + np.sum((design[k] @ w - y[k]) ** 2)
        alpha, beta = gamma / square, (known.sum() - gamma) / error
    wanted = {"effective_parameters": gamma, "beta": beta, "alpha_1": alpha}
    assert last(history) == pytest.approx(wanted | {"log_evidence": last(history)["log_evidence"]}, rel=1e-6)


@pytest.mark.parametrize("loss", ["logloss", "cross_entropy", "poisson"])
def test_other_losses_are_laplaces_fixed_point(loss):
    """beta is 1; the minimum is SciPy's, its curvature a difference of gradients: exact where the link is natural."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3, 80))
    network, truth = Network([3, 2], loss=loss, rng=0), Network([3, 2], loss=loss, rng=7)
    Y = rng.poisson(truth.predict(X)) if loss == "poisson" else rng.uniform(size=(1, 80)) < truth.predict(2 * X)
    Y = np.vstack([Y[:1], 1 - Y[:1]]) if loss == "cross_entropy" else Y.astype(float)
    history = network.train(X, Y, optimizer=EXACT, epochs=300)
    other, alpha = Network([3, 2], loss=loss, rng=1), 1.0

    def cost(theta):
        other.theta = theta
        value = other.gradient(X, Y)
        return 80 * value + 0.5 * alpha * theta @ theta, 80 * other.grad + alpha * theta

    for _ in range(60):
        theta = minimize(cost, other.theta.copy(), jac=True, method="BFGS", options={"gtol": 1e-9}).x
        H = np.array([(cost(theta + e)[1] - cost(theta - e)[1]) / 2e-5 for e in 1e-5 * np.eye(theta.size)])
        gamma = theta.size - alpha * np.trace(np.linalg.inv(H))
        alpha = gamma / (theta @ theta)
    found = last(history)
    assert found.pop("log_evidence") < 0
    assert found == pytest.approx({"effective_parameters": gamma, "beta": 1, "alpha_1": alpha}, rel=1e-4)
    np.testing.assert_allclose(network.theta, theta, atol=1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_where_it_ends_mackays_equations_hold_in_a_network(shared):
    """For each group gamma = alpha·Σ theta², and the penalised gradient is 0."""
    X, Y, *_ = sine(1)
    network = Network([1, 4, 1], loss="squared_error", rng=1)
    rule = BayesianRegularization(flat=1e-8, shared=shared)
    history = network.train(X, Y, optimizer=rule, epochs=3000, engine="plain")
    assert history.stopped.startswith("converged")
    assert history.peak is None
    found = last(history)
    beta, gamma, alphas = found["beta"], found["effective_parameters"], [v for n, v in found.items() if "alpha" in n]
    sizes = [13] if shared else [8, 5]
    alpha = np.repeat(alphas, sizes)
    assert alpha @ network.theta**2 == pytest.approx(gamma, rel=1e-3)
    assert beta == pytest.approx((40 - gamma) / np.sum((network.predict(X) - Y) ** 2), rel=1e-3)
    network.gradient(X, Y)
    np.testing.assert_allclose(40 * beta * network.grad, -alpha * network.theta, atol=0.02)


def test_the_spread_is_the_inverses_diagonal_and_bears_what_is_not_quite_positive():
    rng = np.random.default_rng(0)
    system = WithMatrix(Curvature(Network([3, 2, 1], rng=0), Samples(np.ones((3, 2)), np.ones((1, 2)))))
    half = rng.normal(size=(11, 30))
    system.G[...] = half @ half.T
    spread, volume = system.spread()
    np.testing.assert_allclose(spread, np.linalg.inv(system.G).diagonal(), rtol=1e-9)
    assert volume == pytest.approx(np.linalg.slogdet(system.G)[1], rel=1e-9)
    system.G[...] = half[:, :1] @ half[:, :1].T
    assert np.isfinite(system.spread()[0]).all()
    system.G[...] = math.inf
    np.testing.assert_array_equal(system.spread()[0], 0)


# ── what it is for ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shared", [False, True])
def test_more_neurons_neither_overfit_nor_add_effective_parameters(shared):
    """trainbr's behaviour: of 10 to 73 parameters a noisy sine determines about five, and fresh rows do not suffer."""
    errors, gammas = {}, {}
    for neurons in (3, 6, 12, 24):
        found = []
        for seed in range(8):
            x, y, fresh, truth = sine(seed)
            network = Network([1, neurons, 1], loss="squared_error", rng=seed)
            rule = BayesianRegularization(shared=shared)
            history = network.train(x, y, optimizer=rule, epochs=200, engine="plain")
            found.append((np.sqrt(np.mean((network.predict(fresh) - truth) ** 2)), history.effective_parameters))
        errors[neurons], gammas[neurons] = np.median(found, axis=0)
    assert 3 < min(gammas.values()) <= max(gammas.values()) < 8
    assert errors[24] < 1.15 * min(errors.values())
    assert max(errors.values()) < 0.16
    worse = []
    for seed in range(8):
        x, y, fresh, truth = sine(seed)
        network = Network([1, 24, 1], loss="squared_error", rng=seed)
        network.train(x, y, optimizer=LevenbergMarquardt(), epochs=200, engine="plain")
        worse.append(np.sqrt(np.mean((network.predict(fresh) - truth) ** 2)))
    assert np.median(worse) > 2 * errors[24]


def test_where_the_evidence_has_fallen_it_goes_back_to_its_peak(tmp_path):
    """Five of eight inputs, and fewer rows than would bear so many neurons."""
    rng = np.random.default_rng(3)
    X, noise = rng.uniform(-1, 1, (8, 3150)), 0.3 * rng.normal(size=150)
    y = np.sin(np.pi * X[0] * X[1]) + 2 * (X[2] - 0.5) ** 2 + X[3] + 0.5 * X[4]
    Y, thetas, kept = ((y - y.mean()) / y.std())[np.newaxis], [], {}
    for keep in (True, False):
        network = Network([8, 12, 1], loss="squared_error", rng=3)
        thetas.append([network.theta.copy()])
        history = network.train(
            X[:, :150],
            Y[:, :150] + noise,
            optimizer=BayesianRegularization(shared=True),
            callbacks=lambda n, h: thetas[-1].append(n.theta.copy()),
            epochs=200,
            engine="plain",
            keep_best=keep,
        )
        kept[keep] = network.cost(X[:, 150:], Y[:, 150:])
        evidence, peak = history.evidence["log_evidence"], history.peak
        assert peak == np.argmax(evidence)
        assert evidence[peak] > evidence[-1] + 3
        np.testing.assert_array_equal(network.theta, thetas[-1][peak if keep else -1])
        assert history.effective_parameters == history.evidence["effective_parameters"][peak]
        assert history.stopped.endswith(f"; back to the evidence's peak, after epoch {peak}") == keep
    assert kept[True] < 0.5 * kept[False]
    options = {"optimizer": BayesianRegularization(shared=True), "engine": "plain", "checkpoint": tmp_path / "c"}
    for epochs in (12, 30, 200):  # killed and resumed: the peak is kept too
        network = Network([8, 12, 1], loss="squared_error", rng=3)
        network.train(X[:, :150], Y[:, :150] + noise, epochs=epochs, resume=True, **options)
    np.testing.assert_array_equal(network.theta, thetas[0][peak])


def test_classes_are_not_learnt_by_heart():
    """Two blobs whose odds are linear: as good as logistic regression, with however many neurons."""
    losses = {}
    for neurons in (2, 5, 10, 20):
        found = []
        for seed in range(5):
            network = Network([2, neurons, 1], rng=seed)
            history = network.train(*blobs(seed, 120), optimizer=BR, epochs=100, engine="plain")
            assert history.effective_parameters < 6
            found.append(network.cost(*blobs(100 + seed, 3000)))
        losses[neurons] = np.mean(found)
    linear = []
    for seed in range(5):
        network = Network([2, 1], rng=seed)
        network.train(*blobs(seed, 120), optimizer=LevenbergMarquardt())
        linear.append(network.cost(*blobs(100 + seed, 3000)))
    assert max(losses.values()) < 1.03 * np.mean(linear)


def test_of_noise_alone_nothing_is_learnt():
    rng = np.random.default_rng(0)
    network = Network([4, 5, 1], loss="squared_error", rng=0)
    history = network.train(rng.normal(size=(4, 100)), rng.normal(size=(1, 100)), optimizer=BR)
    assert history.effective_parameters < 2
    assert np.std(network.predict(rng.normal(size=(4, 1000)))) < 0.15


def test_without_noise_it_comes_as_near_as_it_can():
    x = np.linspace(-1, 1, 60)[np.newaxis]
    network = Network([1, 8, 1], loss="squared_error", initializer="nguyen_widrow", rng=0)
    history = network.train(x, np.sin(np.pi * x), optimizer=BR, epochs=200)
    assert history.cost[-1] < 1e-8
    assert np.isfinite(network.theta).all()
    zero = Network([1, 3, 1], loss="squared_error", rng=0)
    history = zero.train(x, 0 * x, optimizer=BR, epochs=50)
    assert zero.cost(x, 0 * x) < 1e-12
    assert all(map(math.isfinite, last(history).values()))


# ── weights, dtypes, validation ──────────────────────────────────────────────────────────────────────────────────────


def test_a_weight_of_k_is_k_copies_and_so_more_evidence():
    x, y, *_ = sine(2)
    rule, weight = BayesianRegularization(flat=1e-6), np.random.default_rng(0).integers(0, 4, 40)
    one, copies, ten = (Network([1, 4, 1], loss="squared_error", rng=0) for _ in range(3))
    of_weights = one.train(x, y, weight=weight, optimizer=rule, epochs=500)
    of_copies = copies.train(np.repeat(x, weight, 1), np.repeat(y, weight, 1), optimizer=rule, epochs=500)
    assert last(of_weights) == pytest.approx(last(of_copies), rel=1e-3)
    np.testing.assert_allclose(one.predict(x), copies.predict(x), atol=1e-3)
    more = ten.train(x, y, weight=10 * weight, optimizer=rule, epochs=500)
    assert more.effective_parameters > of_weights.effective_parameters


def test_float32_ends_where_float64_does():
    x, y, *_ = sine(3)
    found = []
    for dtype in (np.float64, np.float32):
        network = Network([1, 4, 1], loss="squared_error", rng=0, dtype=dtype)
        history = network.train(x, y, optimizer=BR, epochs=300)
        assert network.theta.dtype == dtype
        found.append((history.effective_parameters, *network.predict(x)[0]))
    np.testing.assert_allclose(found[1], found[0], rtol=0.05, atol=0.01)


def test_with_validation_rows_gamma_is_that_of_the_epoch_that_is_kept():
    x, y, fresh, truth = sine(4)
    network = Network([1, 12, 1], loss="squared_error", rng=0)
    history = network.train(x, y, validation=(fresh, truth), patience=5, optimizer=BR, epochs=100)
    assert history.effective_parameters == history.evidence["effective_parameters"][history.best_epoch - 1]
    assert {len(values) for values in history.evidence.values()} == {len(history)}
    again = History(**history.to_dict())
    assert again == history
    assert again.effective(37) == [f"{history.effective_parameters:.1f} of 37 parameters are determined by the data"]
    assert "evidence" not in History([1.0]).to_dict()
    assert History([1.0]).effective(37) == []


def test_ctrl_c_in_the_midst_of_a_step_leaves_the_last_whole_epoch(monkeypatch):
    x, y, *_ = sine(0)
    whole = Network([1, 4, 1], loss="squared_error", rng=0)
    kept, bend, looks = [], Curvature.bend, iter(range(100))
    wanted = whole.train(x, y, optimizer=BR, epochs=5, callbacks=lambda n, h: kept.append(n.theta.copy()))

    def interrupted(*arguments):
        if next(looks) == 4:
            raise KeyboardInterrupt
        return bend(*arguments)

    monkeypatch.setattr(Curvature, "bend", interrupted)
    network = Network([1, 4, 1], loss="squared_error", rng=0)
    history = network.train(x, y, optimizer=BR, engine="plain")
    done = len(history)
    assert 0 < done < 5
    assert history.evidence == {name: values[:done] for name, values in wanted.evidence.items()}
    np.testing.assert_array_equal(network.theta, kept[done - 1])


def test_a_checkpoint_of_other_weights_or_without_its_evidence_is_refused(tmp_path):
    x, y, *_ = sine(0)
    network, path, weight = Network([1, 3, 1], loss="squared_error", rng=0), tmp_path / "c", np.ones(40)
    options = {"optimizer": BR, "checkpoint": path, "engine": "plain", "rng": 0}
    network.train(x, y, weight=weight, epochs=4, **options)
    other = Network([1, 3, 1], loss="squared_error", rng=0)
    with pytest.raises(ValueError, match=r"cannot resume from .*: rows was 40.0 there and is 80.0 now"):
        other.train(x, y, weight=2 * weight, epochs=6, resume=True, **options)
    from netwright.training.checkpoint import KIND

    tensors, header = KIND.read(path)
    for evidence in ({}, {"beta": [1.0] * 4}, header["history"]["evidence"] | {"beta": [1.0, 1.0, -1.0, 1.0]}):
        KIND.write(path, tensors, header | {"history": header["history"] | {"evidence": evidence}})
        with pytest.raises(ValueError, match="its history has not the evidence that the optimizer needs"):
            other.train(x, y, weight=weight, epochs=6, resume=True, **options)


# ── what it refuses ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "train", "message"),
    [
        ({"l2": 0.1}, {}, r"bayesian_regularization finds the penalty itself: leave out l2=0.1"),
        ({"l1": 0.1}, {}, r"leave out l1=0.1"),
        ({"loss": "huber"}, {}, r"a smooth loss that is minus a log likelihood, such as .*, got 'huber'; for that"),
        ({"loss": "absolute_error"}, {}, r"got 'absolute_error'; for that take levenberg_marquardt with l2"),
        ({"loss": "quantile:0.9"}, {}, r"got 'quantile:0.9'"),
        ({"dropout": 0.1}, {}, r"bayesian_regularization takes all samples at once, .*: leave out dropout"),
        ({}, {"weight": np.full(40, 1 / 40)}, r"from 2 to 1e15 samples, of which .* there are 1 samples$"),
        ({}, {"weight": np.full(40, 1e20)}, r"by the sum of weight there are 4e\+21 samples"),
    ],
)
def test_what_has_no_evidence_is_refused_before_anything_is_done(options, train, message):
    x, y, *_ = sine(0)
    network = Network([1, 3, 1], **{"loss": "squared_error", "rng": 0} | options)
    theta = network.theta.copy()
    with pytest.raises(ValueError, match=message):
        network.train(x, y, optimizer=BR, **train)
    np.testing.assert_array_equal(network.theta, theta)


def test_what_does_not_fit_into_memory_is_refused(monkeypatch):
    for module in ("netwright.core.optimizers", machine.__name__):
        monkeypatch.setattr(f"{module}.memory", lambda: 4000)
    x, y, *_ = sine(0)
    message = (
        r"bayesian_regularization must have a network whose JᵀJ fits into half of the memory: that of 13 parameters"
    )
    with pytest.raises(ValueError, match=message):
        Network([1, 4, 1], loss="squared_error", rng=0).train(x, y, optimizer=BR)


def test_a_loss_of_ones_own_is_minus_a_log_likelihood():
    own = Loss("own", LOSSES["poisson"].value, LOSSES["poisson"].dZ, "exp", "count", curvature=lambda Z, A, Y: A)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(3, 50)), targets("poisson", 1, 50, rng)
    networks = [Network([3, 2, 1], loss=loss, rng=0) for loss in (own, "poisson")]
    first, second = (network.train(X, Y, optimizer=BR, engine="plain").evidence for network in networks)
    assert first == second
    bare = Loss("bare", own.value, own.dZ, "exp", "count")
    with pytest.raises(ValueError, match="bayesian_regularization needs the loss's curvature, and 'bare' has none"):
        Network([3, 1], loss=bare, rng=0).train(X, Y, optimizer=BR)


# ── the estimators ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_br_in_the_estimators(tmp_path):
    x, y, fresh, truth = sine(5)
    options = {"hidden_layer_sizes": (6,), "activation": "tanh", "random_state": 0}
    regressor = MLPRegressor(solver="br", max_iter=300, **options).fit(x.T, y[0])
    assert 3 < regressor.effective_parameters_ < 8
    assert regressor.score(fresh.T, truth[0]) > 0.9
    assert f"{regressor.effective_parameters_:.1f} of 19 parameters are determined by the data" in regressor.summary()
    assert regressor.history_.evidence["effective_parameters"][-1] == regressor.effective_parameters_
    regressor.save(tmp_path / "r")
    assert load(tmp_path / "r").effective_parameters_ == regressor.effective_parameters_
    same = MLPRegressor(solver=BayesianRegularization(), alpha=0, max_iter=300, **options).fit(x.T, y[0])
    np.testing.assert_array_equal(same.predict(fresh.T), regressor.predict(fresh.T))
    X, Y = blobs(0, 120)
    classifier = MLPClassifier(solver="br", **options).fit(X.T, Y[0])
    assert classifier.effective_parameters_ < 6
    with pytest.raises(AttributeError, match=r"known after a fit with solver='br' alone"):
        _ = MLPClassifier(solver="lm", max_iter=300, alpha=0.1, **options).fit(X.T, Y[0]).effective_parameters_


@pytest.mark.parametrize("solver", ["br", BR, BayesianRegularization()])
def test_alpha_is_of_no_use_to_br(solver):
    x, y, *_ = sine(5)
    options = {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": solver, "random_state": 0, "max_iter": 300}
    one, other = (MLPRegressor(alpha=alpha, **options).fit(x.T, y[0]) for alpha in (1e-4, 100.0))
    np.testing.assert_array_equal(one.predict(x.T), other.predict(x.T))
