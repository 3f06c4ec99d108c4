"""Scores of rows not learned from: the bound holds as often as it says, exactly; p-values are spread evenly."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from netwright.files.schema import check
from netwright.uncertainty.calibration import CALIBRATION, MOST, Calibration, level_of


@given(st.integers(1, 60), st.floats(0.02, 0.98), st.integers(0, 99))
def test_the_bound_is_the_order_statistic_of_the_textbook(n, level, seed):
    scores = np.random.default_rng(seed).normal(size=n)
    place = math.ceil(round((n + 1) * level, 9))
    if place > n:
        with pytest.raises(ValueError, match=rf"interval={level:g} needs at least .* there are {n}$"):
            Calibration.of(scores).bound(level)
    else:
        assert Calibration.of(scores).bound(level) == np.sort(scores)[place - 1]


@pytest.mark.parametrize(("level", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_it_says_how_many_rows_a_level_needs(level, needed):
    assert Calibration.of(np.arange(needed)).bound(level) == needed - 1
    if needed > 1:
        with pytest.raises(ValueError, match=f"needs at least {needed} rows .* there are {needed - 1}"):
            Calibration.of(np.arange(needed - 1)).bound(level)


def test_the_next_row_is_within_as_often_as_asked():
    """Exactly ⌈(n + 1)·level⌉ / (n + 1), whatever the distribution: here 18 / 20."""
    rng = np.random.default_rng(0)
    draws = rng.standard_cauchy((20_000, 20))
    held = np.mean([last <= Calibration.of(before).bound(0.88) for *before, last in draws])
    assert abs(held - 0.9) < 4 * math.sqrt(0.09 / 20_000)


def test_weights_count_as_copies_and_say_how_many_rows_they_are_worth():
    rng = np.random.default_rng(0)
    scores, copies = rng.normal(size=400), rng.integers(1, 4, 400)
    weighted, repeated = Calibration.of(scores, copies), Calibration.of(np.repeat(scores, copies))
    assert weighted.rows == pytest.approx(copies.sum() ** 2 / (copies**2).sum())
    for level in (0.1, 0.5, 0.9, 0.95):
        ours, theirs = (np.searchsorted(np.sort(scores), each.bound(level)) for each in (weighted, repeated))
        assert abs(ours - theirs) <= 1  # (n + 1) is of other n
    alike = Calibration.of(scores, np.full(400, 0.01))
    assert (alike.rows, alike.bound(0.9)) == (pytest.approx(400), Calibration.of(scores).bound(0.9))


@settings(max_examples=20)
@given(st.integers(MOST - 2, 20 * MOST), st.floats(0.05, 0.999))
def test_of_many_rows_some_stand_for_all_and_never_for_less(n, level):
    scores = np.arange(n, dtype=float)
    found = Calibration.of(scores)
    assert len(found.scores) <= MOST
    place = math.ceil(round((n + 1) * level, 9)) - 1
    assert place <= found.bound(level) <= place + 1 + 2 * n / MOST
    if place >= n - MOST // 2:
        assert found.bound(level) == place


def test_p_values_of_rows_like_those_are_spread_evenly():
    rng = np.random.default_rng(0)
    ps = np.concatenate([Calibration.of(rng.gamma(2, size=99)).p_values(rng.gamma(2, size=5)) for _ in range(400)])
    assert ps.min() >= 0.01
    assert kstest(ps, "uniform").pvalue > 0.01
    np.testing.assert_allclose(Calibration.of(np.arange(9)).p_values(np.array([-1, 0, 8, 8.5])), [1, 1, 0.2, 0.1])


def test_a_file_keeps_it_to_the_bit():
    kept = Calibration.of(np.random.default_rng(0).normal(size=2000), np.random.default_rng(1).random(2000) + 0.1)
    said = json.loads(json.dumps(kept.to_json()))
    check(CALIBRATION, said)
    again = Calibration.from_json(said)
    np.testing.assert_array_equal(again.scores, kept.scores)
    assert again.bound(0.77) == kept.bound(0.77)


@pytest.mark.parametrize(
    "said",
    [
        {"scores": [], "shares": [], "rows": 1},
        {"scores": [1.0, 2.0], "shares": [1.0], "rows": 2},
        {"scores": [2.0, 1.0], "shares": [0.5, 1.0], "rows": 2},
        {"scores": [1.0, 2.0], "shares": [0.5, 0.9], "rows": 2},
        {"scores": [1.0, 2.0], "shares": [0.0, 1.0], "rows": 2},
        {"scores": [1.0, 2.0], "shares": [0.5, 1.0], "rows": 0},
        {"scores": [1.0, math.nan], "shares": [0.5, 1.0], "rows": 2},
    ],
)
def test_a_file_that_lies_is_refused(said):
    with pytest.raises(ValueError, match="margin"):
        check(CALIBRATION, said, "margin")


@pytest.mark.parametrize("level", [0, 1, 90, -0.1, math.nan, "0.9", True, None])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match=r"^interval must be a finite number between 0 and 1, both excluded, got"):
        level_of(level)
