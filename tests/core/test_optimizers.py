import copy
import math

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from netwright import OPTIMIZERS
from netwright.core import optimizers as module
from netwright.core.optimizers import BLOCK, Optimizer, find_optimizer

STEPWISE = [name for name, row in OPTIMIZERS.items() if issubclass(row, Optimizer)]


def start(size=12, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=size).astype(dtype)


def valley(theta):
    """The gradient of ½Σ i·(theta_i - 1)²."""
    return np.linspace(0.2, 2, theta.size, dtype=theta.dtype) * (theta - 1)


def descend(optimizer, steps=20, theta=None):
    theta = start() if theta is None else theta
    for _ in range(steps):
        optimizer.step(theta, valley(theta))
    return theta


# ── each rule against the paper's, written out for one number at a time ──────────────────────────────────────────────


def gradient_descent(g, s, t):
    return -0.1 * g


def momentum(g, s, t):
    s["v"] = 0.9 * s.get("v", 0) - 0.01 * g
    return s["v"]


def nesterov(g, s, t):
    s["v"] = 0.9 * s.get("v", 0) - 0.01 * g
    return 0.9 * s["v"] - 0.01 * g


def rmsprop(g, s, t):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g * g
    return -0.001 * g / (math.sqrt(s["v"]) + 1e-8)


def adam(g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    m, v = s["m"] / (1 - 0.9**t), s["v"] / (1 - 0.999**t)
    return -0.001 * m / (math.sqrt(v) + 1e-8 / math.sqrt(1 - 0.999**t))  # the eps of the paper's section 2


REFERENCES = {rule.__name__: rule for rule in (gradient_descent, momentum, nesterov, rmsprop, adam)} | {"adamw": adam}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_rule_is_the_papers(name):
    theta, memory = start(), [{} for _ in range(12)]
    for t in range(1, 21):
        g = valley(theta)
        shrunk = theta * (1 - 0.001 * 0.01) if name == "adamw" else theta
        theta = shrunk + [REFERENCES[name](g[i], memory[i], t) for i in range(12)]
    np.testing.assert_allclose(descend(find_optimizer(name)), theta, rtol=1e-12)


def sgd(theta, nesterov):
    return SGDOptimizer([theta], learning_rate_init=0.01, momentum=0.9, nesterov=nesterov)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("momentum", lambda theta: sgd(theta, False)),
        ("nesterov", lambda theta: sgd(theta, True)),
        ("adam", lambda theta: AdamOptimizer([theta], learning_rate_init=0.001)),
    ],
)
def test_the_rule_is_scikit_learns(name, make):
    theta = start()
    theirs = make(theta)
    for _ in range(20):
        theirs.update_params([theta], [valley(theta)])
    np.testing.assert_allclose(descend(find_optimizer(name)), theta, rtol=1e-12)


# ── what holds for every row ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", STEPWISE)
def test_it_finds_the_bottom_of_a_valley(name):
    theta = start()
    optimizer = find_optimizer(name)
    for t in range(3000):
        optimizer.step(theta, valley(theta), rate=0.05 / (1 + t / 300))
    np.testing.assert_allclose(theta, 1, atol=0.02)


@pytest.mark.parametrize("name", STEPWISE)
def test_float32_stays_float32_and_near_float64(name):
    theta = start(dtype=np.float32)
    optimizer = find_optimizer(name)
    descend(optimizer, theta=theta)
    assert theta.dtype == np.float32
    assert all(slot.dtype == np.float32 for slot in optimizer.slots.values())
    np.testing.assert_allclose(theta, descend(find_optimizer(name)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", STEPWISE)
def test_the_rule_itself_keeps_float32(name):
    """A hyperparameter that came as a NumPy number must not make float64 of everything."""
    row = OPTIMIZERS[name]
    optimizer = row(learning_rate=np.float64(0.01))
    optimizer.start(np.zeros(3, np.float32))
    one = np.ones(3, np.float32)
    made = row.rule(one, one, *optimizer.slots.values(), *optimizer.coefficients(1, optimizer.learning_rate))
    assert {new.dtype for new in made} == {np.dtype(np.float32)}
    assert len(made) == 1 + len(row.names)


@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_blocks_change_no_bit(name, size, monkeypatch):
    blocked = descend(find_optimizer(name), 3, start(size))
    monkeypatch.setattr(module, "BLOCK", 3 * BLOCK)
    assert np.array_equal(blocked, descend(find_optimizer(name), 3, start(size)))


@pytest.mark.parametrize("name", STEPWISE)
def test_state_goes_on_from_call_to_call_and_start_forgets_it(name):
    optimizer = find_optimizer(name)
    half = descend(optimizer, 10)
    whole = descend(optimizer, 10, half.copy())
    assert optimizer.t == 20
    assert np.array_equal(whole, descend(find_optimizer(name), 20))
    optimizer.start(whole)
    assert np.array_equal(descend(optimizer, 20), whole)


@pytest.mark.parametrize("name", STEPWISE)
def test_a_copy_steps_alike_and_apart(name):
    optimizer = find_optimizer(name)
    theta = descend(optimizer, 5)
    twin = copy.deepcopy(optimizer)
    assert np.array_equal(descend(twin, 5, theta.copy()), descend(optimizer, 5, theta.copy()))


@pytest.mark.parametrize("name", STEPWISE)
def test_another_theta_starts_afresh(name):
    optimizer = find_optimizer(name)
    descend(optimizer, 5)
    assert np.array_equal(descend(optimizer, 5, start(7)), descend(find_optimizer(name), 5, start(7)))


@pytest.mark.parametrize("name", STEPWISE)
def test_the_rate_of_a_step_replaces_its_own_and_grad_is_only_read(name):
    theta, other, grad = start(), start(), valley(start())
    grad.setflags(write=False)
    OPTIMIZERS[name](learning_rate=0.03).step(theta, grad)
    OPTIMIZERS[name](learning_rate=0.5).step(other, grad, rate=0.03)
    assert np.array_equal(theta, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_make_the_same_optimizer_again(name):
    settings = find_optimizer(name).settings()
    assert settings.pop("name") == name
    assert OPTIMIZERS[name](**settings) == find_optimizer(name)


def test_adamw_shrinks_apart_from_the_gradient():
    theta = np.ones(2)
    OPTIMIZERS["adamw"](learning_rate=0.1, weight_decay=0.5).step(theta, np.zeros(2))
    np.testing.assert_allclose(theta, 0.95)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        *[(name, {"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0") for name in STEPWISE],
        ("adam", {"learning_rate": math.nan}, "learning_rate must be a finite number above 0, got nan"),
        ("momentum", {"momentum": 1.5}, "momentum must be a finite number between 0 and 1, got 1.5"),
        ("nesterov", {"momentum": -1}, "momentum must be"),
        ("rmsprop", {"rho": 2}, "rho must be"),
        ("rmsprop", {"eps": 0}, "eps must be a finite number above 0"),
        ("adam", {"beta1": 1}, "beta1 and beta2 must be below 1, got 1 and 0.999"),
        ("adam", {"beta2": 2}, "beta2 must be a finite number between 0 and 1"),
        ("adam", {"eps": -1}, "eps must be"),
        ("adamw", {"weight_decay": -0.1}, "weight_decay must be a finite number of at least 0"),
        ("lbfgs", {"memory": 0}, "memory must be a whole number of at least 1, got 0"),
        ("lbfgs", {"restart": 0.5}, "restart must be a whole number"),
        ("lbfgs", {"tolerance": -1}, "tolerance must be"),
        ("lbfgs", {"flat": -1}, "flat must be a finite number of at least 0, got -1"),
        ("lbfgs", {"evaluations": 0}, "evaluations must be a whole number of at least 1, got 0"),
        ("levenberg_marquardt", {"damping": 0}, "damping must be a finite number above 0, got 0"),
        ("levenberg_marquardt", {"geodesic": 1}, "geodesic must be True or False, got 1"),
        ("levenberg_marquardt", {"matrix": "no"}, "matrix must be True or False, got 'no'"),
        ("levenberg_marquardt", {"tolerance": -1}, "tolerance must be"),
        ("levenberg_marquardt", {"flat": -1}, "flat must be a finite number of at least 0, got -1"),
        ("bayesian_regularization", {"matrix": False}, "matrix must be True: gamma is found from JᵀJ .*, got False"),
        ("bayesian_regularization", {"shared": 1}, "shared must be True or False, got 1"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        OPTIMIZERS[name](**options)


def test_an_object_is_used_as_it_is_and_an_unknown_name_refused():
    mine = OPTIMIZERS["adam"](learning_rate=0.5)
    assert find_optimizer(mine) is mine
    with pytest.raises(ValueError, match="unknown optimizer 'adma'; did you mean 'adam'"):
        find_optimizer("adma")
