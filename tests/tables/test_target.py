"""The target: the task it sets, its way to Y and back, and the rows that are held out."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.tables.frame import Frame
from netwright.tables.split import split_rows
from netwright.tables.target import TargetEncoder, decide_task

NAN = float("nan")


def through_json(encoder):
    return type(encoder).from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 1] * 5, "classification"),
        ([0, 1] * 4, "regression"),
        (list(range(20)) * 5, "classification"),
        (list(range(21)) * 5, "regression"),
        ([0.5, 1] * 50, "regression"),
    ],
)
def test_the_task_is_decided(values, task):
    decided, reason = decide_task(Frame.from_arrays({"y": values})["y"])
    assert decided == task
    assert reason.startswith("the target")
    assert TargetEncoder.fit(values, "y").task == task
    assert TargetEncoder.fit(values, "y", task="classification").task == "classification"


@pytest.mark.parametrize("values", [["no", "yes", "yes"], [False, True, True], [1.5, 2.0, 2.0], [3, 4, 4]])
def test_two_classes_are_one_row(values):
    target = through_json(TargetEncoder.fit(values, "y", task="classification"))
    np.testing.assert_array_equal(target.encode(values), [[0, 1, 1]])
    assert target.decode(np.array([[0.2, 0.7, 0.5]])).tolist() == [values[0], values[1], values[0]]
    assert [type(each) for each in target.classes] == [float if isinstance(values[0], int | float) and not (
        isinstance(values[0], bool)) else type(values[0])] * 2  # fmt: skip


def test_more_classes_are_one_hot():
    target = TargetEncoder.fit(list("bcab"), "y")
    np.testing.assert_array_equal(target.encode(list("bcab")), [[0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0]])
    assert target.encode(list("bcab")).flags.f_contiguous
    np.testing.assert_array_equal(target.codes(list("cab")), [2, 0, 1])
    assert target.decode(np.array([[0.1, 0.6], [0.5, 0.1], [0.4, 0.3]])).tolist() == ["b", "a"]
    with pytest.raises(ValueError, match=r"index 1: the target 'y' is 'z'; the classes are \['a', 'b', 'c'\]"):
        target.encode(["a", "z"])


def test_classes_are_matched_by_what_they_mean():
    assert TargetEncoder.fit([1, 2] * 5, "y").codes(["1", "2.0"]).tolist() == [0, 1]
    assert TargetEncoder.fit([True, False], "y").codes(["True", "false"]).tolist() == [1, 0]
    assert TargetEncoder.fit(["1", "2"], "y").codes([1, 2]).tolist() == [0, 1]


def test_regression_is_standardised_and_back():
    y = np.array([1.5, 2.5, 7.0])
    target = through_json(TargetEncoder.fit(y, "y"))
    Y = target.encode(y)
    np.testing.assert_allclose(Y, [(y - y.mean()) / y.std()])
    np.testing.assert_allclose(target.decode(Y), y)
    plain = TargetEncoder.fit(y, "y", standardise=False)
    np.testing.assert_array_equal(plain.encode(y), [y])
    weighted, copied = TargetEncoder.fit(y, "y", weight=[2, 1, 0]), TargetEncoder.fit([1.5, 1.5, 2.5], "y")
    assert (weighted.mean, weighted.std) == pytest.approx((copied.mean, copied.std))


@pytest.mark.parametrize(
    ("values", "options", "word"),
    [
        (["a", None, "b", None], {}, "missing in 2 of 4 rows, first on index 1; leave those rows out"),
        ([1.5, NAN], {}, "missing in 1 of 2 rows, first on index 1"),
        (["a", "a"], {}, "one class only, 'a'"),
        (["a", "b"], {"weight": [1, 0]}, "one class only, 'a'"),
        ([2.5, 2.5], {}, "constant: every row has 2.5"),
        (["a", "b"], {"task": "regression"}, "'a' on index 0; regression needs numbers"),
        ([1.5, np.inf], {}, "column 'y', index 1: the value is inf"),
        ([1.5, 2], {"task": "ranking"}, "unknown task 'ranking'"),
        (np.array(["2024-01-01", "2024-01-02"], "datetime64[us]"), {}, "is a date"),
    ],
)
def test_targets_that_are_refused(values, options, word):
    with pytest.raises(ValueError, match=word):
        TargetEncoder.fit(values, "y", **options)


def test_later_targets_that_are_refused():
    target = TargetEncoder.fit([1.5, 2], "y")
    for values, word in (([1, None], "missing"), ([1, "x"][1:], "'x' is not a number"), ([np.inf], "inf")):
        with pytest.raises(ValueError, match=word):
            target.encode(values)


@pytest.mark.parametrize(
    "harm",
    [
        {"classes": ["a"]}, {"classes": "ab"}, {"task": "regression"}, {"task": "x"}, {"std": -1.0}, {"std": NAN},
        {"mean": None}, {"extra": 1}, {"name": 3},
    ],
)  # fmt: skip
def test_tampered_targets_are_refused(harm):
    data = TargetEncoder.fit(["a", "b"], "y").to_json()
    assert TargetEncoder.from_json(data).classes == ["a", "b"]
    with pytest.raises((ValueError, TypeError)):  # which `load` makes one sentence
        TargetEncoder.from_json(data | harm)


# ── splitting ──


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.floats(0.01, 0.6), st.booleans(), st.integers(0, 9))
def test_every_row_is_on_one_side_and_every_class_in_training(codes, fraction, stratified, seed):
    codes, n = np.array(codes), len(codes)
    wanted = max(1, round(n * fraction))
    classes = codes if stratified else None
    if wanted > n - (len(np.unique(codes)) if stratified else 1):
        with pytest.raises(ValueError, match="too few"):
            split_rows(n, fraction, np.random.default_rng(seed), classes)
        return
    training, validation = split_rows(n, fraction, np.random.default_rng(seed), classes)
    np.testing.assert_array_equal(np.sort(np.concatenate([training, validation])), np.arange(n))
    assert len(validation) == wanted
    if stratified:
        assert set(codes[training]) == set(codes)
        share = np.bincount(codes) * wanted / n
        got = np.bincount(codes[validation], minlength=len(share))
        assert np.all(got <= np.ceil(share) + np.count_nonzero(np.bincount(codes) == 1))
    again = split_rows(n, fraction, np.random.default_rng(seed), classes)
    np.testing.assert_array_equal(again[1], validation)


def test_fractions_that_are_none():
    for fraction in (0, 1, -0.5, NAN):
        with pytest.raises(ValueError, match="between 0 and 1"):
            split_rows(10, fraction, np.random.default_rng(0))
