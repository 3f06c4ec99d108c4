"""Trainings that are spoilt on purpose: the first finding names what was done, and its change, executed, mends it."""

import copy
import inspect
import re
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import compose, feature_selection, pipeline, preprocessing
from threadpoolctl import threadpool_limits

from netwright import ACTIVATIONS, History, MLPClassifier, MLPRegressor, Network, diagnose
from netwright.inspection.evidence import Evidence
from strategies import LOSS_NAMES, targets
from trainings import (
    CLASSES,
    GD,
    HEALTHY,
    MEASURES,
    REG,
    SICK,
    Problem,
    bent,
    column_off,
    contradictory,
    digits,
    rare_of_three,
    wave,
)


@pytest.mark.parametrize("name", SICK)
def test_a_sick_training_is_told_its_cause_and_the_change_cures_it(name):
    problem, says, measure, most = SICK[name]
    found = problem.diagnose()
    assert found, f"nothing found: {found}"
    assert re.search(says, found[0].problem), f"\n{found}"
    cured = problem.changed(found[0].change)
    before, after = (MEASURES[measure](*each.trained, each) for each in (problem, cured))
    assert after < most * before, f"{measure} was {before:.3g} and is {after:.3g}\n{found}"


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_where_nothing_is_wrong(name):
    found = HEALTHY[name].diagnose()
    assert not found, f"\n{found}"
    assert str(found).startswith("Nothing wrong found: the cost is ")


@pytest.mark.parametrize(("last", "sign"), [("sigmoid", 1), ("softmax", 1), ("softsign", 1), ("leaky_relu", -1)])
def test_targets_at_the_ends_of_the_outputs_are_within_reach(last, sign):
    X, Y = bent()
    problem = Problem(X, sign * np.vstack([Y, 1 - Y]), activation=["relu", last], net=REG, train={"epochs": 3})
    assert "reach" not in str(problem.diagnose())


def test_an_l1_penalty_is_told_and_lowered():
    problem = Problem(*bent(), activation="tanh", net={"l1": 0.3, "l2": 0.2})
    found = problem.diagnose()
    assert "penalty" in found[0].problem
    assert "0.2/2 · ΣW² + 0.3 · Σ|W| is " in found[0].evidence
    assert found[0].change == "Network(..., l2=0.0001, l1=0.0001)"
    cured = problem.changed(Problem(*bent(), activation="tanh", net={"l1": 0.3}).diagnose()[0].change)
    assert cured.net == {"l1": 0.0001, "l2": 0.2}


def test_the_cost_never_may_fall_by_more_than_it_is():
    """The history's cost has the penalties too, and would fall further."""
    problem = Problem(*wave(), net=REG | {"l1": 0.1, "l2": 0.3, "penalty_per_batch": True})
    cost, gain = re.fullmatch(
        r"the cost is (\S+), falls by \S+ an epoch, and may fall by another (\S+)", problem.diagnose()[0].evidence
    ).groups()
    assert gain == cost


@pytest.mark.parametrize("loss", ["quantile:0.9", "absolute_error", "huber:0.2"])
def test_no_floor_is_told_where_the_best_constant_is_not_the_mean(loss):
    assert "Equal samples" not in str(Problem(*contradictory(), net={"loss": loss}).diagnose())


def several_labels():
    X, _ = bent(0, 1000)
    labels = np.array([np.random.default_rng(1).random(1000) < 0.05, X[1] > 0], float)
    X[0] += 1.3 * labels[0]
    return X, labels


def a_class_without_samples():
    X, Y = rare_of_three()
    return X, np.vstack([Y, 0 * Y[:1]])


@pytest.mark.parametrize(("data", "net"), [(several_labels, {}), (a_class_without_samples, CLASSES)])
def test_weights_for_a_rare_class_keep_every_sample(data, net):
    problem = Problem(*data(), sizes=(), net=net, train={"learning_rate": 0.003})
    found = problem.diagnose()
    assert "rare class" in found[0].problem
    weight = problem.changed(found[0].change).train["weight"]
    assert ((weight > 0) & np.isfinite(weight)).all()


# ── the report ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_has_the_most_severe_first_in_names_evidence_and_code():
    X, Y = column_off(12400, 0, 3)
    problem = Problem(X, Y, train=GD | {"epochs": 30})
    found = problem.diagnose(names=["a", "b", "c", "bmi", "e", "f"], face="estimator")
    first, *others = str(found).splitlines()
    assert first == "1. Column 3 (bmi) is not scaled."
    assert re.fullmatch(
        r"   Evidence: its mean is \S+ and its spread 1\d,\d00, the median column's spread \S+\.", others[0]
    )
    assert others[1].startswith("   Change: make_pipeline(StandardScaler(), MLPClassifier(...))  # or MLP")
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, reverse=True)
    assert all(0 < severity <= 1 for severity in severities)
    assert repr(found) == str(found)


def test_a_column_counts_less_where_training_went_well():
    X, Y = bent()
    well, badly = (Problem(X * 100, Y, train={"epochs": epochs}).diagnose() for epochs in (200, 1))
    assert [finding.problem for finding in well] == [badly[0].problem]
    assert well[0].severity < 0.5 * badly[0].severity


def test_classes_have_their_names():
    problem = SICK["rare"][0]
    assert "class yes is" in problem.diagnose(target_names=["no", "yes"])[0].problem


def test_a_copy_of_the_target_is_told():
    X, Y = wave()
    found = Problem(np.vstack([X, 2 * Y + 1]), Y, net=REG).diagnose(face="estimator")
    assert [finding.problem[:34] for finding in found] == ["Column 5 is a copy of the target: "]
    assert found[0].change == "X = np.delete(X, [5], axis=1)"


def test_columns_without_the_answer_are_told():
    X, _ = bent(0, 1000)
    Y = np.random.default_rng(9).random((1, 1000)) < 0.5
    found = Problem(X, Y.astype(float), sizes=()).diagnose()
    assert [finding.problem for finding in found] == ["The columns may not hold the answer"]


def test_with_the_start_it_says_how_far_the_weights_went():
    problem = SICK["rate-low-adam"][0]
    start = Network([6, 32, 1], "relu", rng=0).theta
    assert re.search(r"the weights moved by 0\.\d+% of their length", problem.diagnose(start=start)[0].evidence)


def test_the_estimators_penalty_depends_on_the_batch():
    """alpha / batch_size is what weighs: the same alpha is harmless in large batches."""
    network, history = copy.deepcopy(SICK["penalty"][0].trained)
    network.l2 = 0.0
    X, Y = bent()
    found = diagnose(network, X, Y, history=history, alpha=3.2, batch_size=32, face="estimator")
    assert "penalty" in found[0].problem
    assert "0.1/2 · ΣW² is" in found[0].evidence
    assert found[0].change == "MLPClassifier(..., alpha=0.003)"
    assert not any("penalty" in finding.problem for finding in diagnose(network, X, Y, history=history))


def test_a_training_that_diverged_at_once_has_no_epoch_but_a_diagnosis():
    problem = Problem(*wave(), net=REG, train=GD | {"learning_rate": 1e6})
    network, history = problem.trained
    assert not len(history)
    found = diagnose(network, *wave(), history=history, initial_learning_rate=1e6)
    assert found[0].problem == "The training diverged"
    assert "in epoch 1; the rate was 1e+06" in found[0].evidence


def test_without_a_history_nothing_is_said_of_rates_and_epochs():
    for name in ("rate-low-adam", "rate-high-gd", "epochs"):
        problem = SICK[name][0]
        assert not re.search("rate|epoch", str(problem.diagnose(history=None, initial_learning_rate=None)))


def test_of_a_training_without_rates_such_as_lbfgs_none_is_told():
    problem = SICK["rate-low-adam"][0]
    history = replace(problem.trained[1], learning_rate=[0.0] * 100)
    assert "rate" not in str(problem.diagnose(history=history, initial_learning_rate=0.001))


@pytest.mark.parametrize("level", [0.01, 0.5, 0.99])
def test_knowing_nothing_costs_what_the_quantile_does(level):
    X, Y = wave(samples=1000)
    network = Network([5, 1], loss=f"quantile:{level}", rng=0)
    best = network.loss.value(np.quantile(Y, level) + 0 * Y, Y).mean()
    assert Evidence(network, X, Y, None, History()).base == pytest.approx(best, rel=0.01)


def test_samples_of_weight_0_are_not_there():
    X, Y = bent()
    weight = np.ones(300)
    weight[::3] = 0
    X[:, ::3] *= 1e6
    problem = Problem(X, Y, train={"weight": weight})
    assert not problem.diagnose()
    assert problem.diagnose(weight=None)


def test_it_leaves_no_trace_and_says_the_same_twice():
    problem = Problem(*bent(), net={"dropout": 0.3, "l2": 0.1})
    network, history = problem.trained
    theta, grad, state = network.theta.copy(), network.grad.copy(), network.rng.bit_generator.state
    first, again = (diagnose(network, problem.X, problem.Y, history=history) for _ in range(2))
    assert first
    assert list(first) == list(again)
    assert np.array_equal(network.theta, theta)
    assert np.array_equal(network.grad, grad)
    assert network.rng.bit_generator.state == state
    assert network.l2 == 0.1


def test_a_network_that_is_not_finite_is_told_too():
    network = Network([6, 4, 1], rng=0)
    network.theta[:] = np.inf
    found = diagnose(network, *bent(), history=History(cost=[0.7, np.nan], learning_rate=[0.1, 0.1]))
    assert found[0].problem == "The training diverged"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_any_activation_and_any_loss_will_do(activation):
    rng = np.random.default_rng(0)
    for loss in LOSS_NAMES:
        network = Network([3, 4, 2], activation, loss=loss, rng=0)
        X, Y = rng.normal(size=(3, 40)), targets(loss, 2, 40, rng)
        history = network.train(X, Y, epochs=3, engine="plain")
        assert isinstance(diagnose(network, X, Y, history=history), list)


def test_it_is_quick_for_many_samples():
    """Under 50 ms for 64-100-10: the best of five, since other work on the machine counts into each."""
    X, Y = digits()
    X, Y = np.tile(X, 20), np.tile(Y, 20)  # 36,000 samples, of which 1,000 are looked at
    network = Network([64, 100, 10], "relu", loss="cross_entropy", rng=0)
    history = network.train(X[:, :200], Y[:, :200], epochs=20, batch_size=20, learning_rate=1e-5, engine="plain")
    took = []
    with threadpool_limits(1):  # a second thread of BLAS waits for others' work, and its waiting counts
        for _ in range(5):
            started = time.process_time()
            assert "too low" in diagnose(network, X, Y, history=history)[0].problem
            took.append(time.process_time() - started)
    assert min(took) < 0.05


# ── the estimators' words ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SICK)
def test_the_estimators_change_is_code_of_parameters_that_exist(name):
    problem = SICK[name][0]
    found = problem.diagnose(face="estimator")
    code = found[0].change

    def known(estimator):
        def make(*others, **given):
            assert others == (...,)
            assert set(given) <= set(inspect.signature(estimator).parameters), code
            return estimator(**given)

        return make

    names = {"MLPClassifier": known(MLPClassifier), "MLPRegressor": known(MLPRegressor), "np": np}
    names["make_pipeline"] = pipeline.make_pipeline
    names["TransformedTargetRegressor"] = compose.TransformedTargetRegressor
    names["VarianceThreshold"] = feature_selection.VarianceThreshold
    names |= {word: getattr(preprocessing, word) for word in ("StandardScaler", "QuantileTransformer")}
    exec(code, names | {"pd": pd, "X": problem.X.T, "y": problem.Y[0]})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"face": "estimators"}, "face must be one of network, estimator, got 'estimators'"),
        ({"start": [1, 2]}, "start must have 7 numbers, got 2"),
    ],
)
def test_a_wrong_argument_is_told(wrong, message):
    with pytest.raises(ValueError, match=message):
        diagnose(Network([6, 1], rng=0), *bent(), **wrong)
