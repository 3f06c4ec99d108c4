import math

import numpy as np
import pytest

from ids import named
from netwright import SCHEDULES
from netwright.core.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step, find_schedule, spell

EPOCHS = 60.0


@pytest.mark.parametrize(
    ("schedule", "closed"),
    [
        (Constant(), lambda e: 1),
        (InverseScaling(power=0.7), lambda e: 1 / (1 + e) ** 0.7),
        (Step(every=10, gamma=0.5), lambda e: 0.5 ** math.floor(e / 10)),
        (Exponential(gamma=0.9), lambda e: math.exp(e * math.log(0.9))),
        (Cosine(final=0.1), lambda e: 0.1 + 0.9 * math.cos(math.pi * e / 120) ** 2),
    ],
    ids=named,
)
def test_the_factor_is_the_closed_form(schedule, closed):
    for e in (0, 0.5, 1, 9.99, 10, 17.25, 59, 60):
        assert schedule(e, EPOCHS) == pytest.approx(closed(e), rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_stays_between_0_and_1_and_reaches_1(name):
    factors = [find_schedule(name)(e, EPOCHS) for e in np.linspace(0, EPOCHS, 601)]
    assert all(isinstance(factor, float) for factor in factors)
    assert min(factors) >= 0
    assert max(factors) == pytest.approx(1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_warm_up_is_a_straight_line_to_where_the_schedule_starts(name):
    plain, warm = SCHEDULES[name](), SCHEDULES[name](warmup=5)
    line = [warm(e, EPOCHS) for e in (0, 1.25, 2.5, 3.75, 5 - 1e-12)]
    np.testing.assert_allclose(np.diff(line), np.diff(line)[0], rtol=1e-6)
    assert 0 < line[0] < 0.02 * line[-1]
    assert line[-1] == pytest.approx(plain(0, EPOCHS), rel=1e-6)
    for e in (0, 10, 30.5, 55):
        assert warm(5 + e, EPOCHS) == plain(e, EPOCHS - 5)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 3, 60, 100])
def test_any_warm_up_and_any_number_of_epochs_will_do(name, warmup):
    schedule = SCHEDULES[name](warmup=warmup)
    for epochs in (1.0, 60.0):
        for e in (0, epochs / 2, epochs, 2 * epochs):
            assert 0 <= schedule(e, epochs) <= 1


def test_one_cycle_is_continuous_with_its_ends_and_peak_where_it_says():
    cycle = OneCycle(peak=0.25, start=20, end=500)
    assert cycle(0, EPOCHS) == pytest.approx(1 / 20)
    assert cycle(15, EPOCHS) == pytest.approx(1)
    assert cycle(60, EPOCHS) == pytest.approx(1 / 500)
    factors = [cycle(e, EPOCHS) for e in np.linspace(0, EPOCHS, 6001)]
    assert np.abs(np.diff(factors)).max() < 0.002
    assert np.argmax(factors) == 1500
    assert cycle(7.5, EPOCHS) == pytest.approx((1 + 1 / 20) / 2)  # halfway up by cosine


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(warmup=-1), "Constant's warmup must be a finite number of at least 0, got -1"),
        (lambda: Step(every=0), "Step's every must be a finite number above 0"),
        (lambda: Exponential(gamma=math.inf), "Exponential's gamma"),
        (lambda: OneCycle(peak=1), "OneCycle's peak must be a finite number between 0 and 1, both excluded"),
        (lambda: OneCycle(start=0.5), "OneCycle's start must be a finite number of at least 1"),
        (lambda: OneCycle(end=0), "OneCycle's end"),
        (lambda: SCHEDULES["plateau"](divide=1), "Plateau's divide must be a finite number above 1, got 1"),
        (lambda: find_schedule("cosin"), "unknown schedule 'cosin'; did you mean 'cosine'"),
        (lambda: find_schedule(Cosine), "unknown schedule <class .*Cosine"),
        (lambda: find_schedule(0.5), "unknown schedule 0.5"),
    ],
)
def test_what_is_no_schedule_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def halves(e, E):
    return 0.5**e


def test_a_function_is_a_schedule_and_is_told_apart_from_others():
    assert find_schedule(halves) is halves
    assert spell(halves) == "halves"
    words = {spell(SCHEDULES[name]()) for name in SCHEDULES} | {spell(Step(every=3)), spell(Step(every=4))}
    assert len(words) == len(SCHEDULES) + 2
