"""The History: lists that belong together, there and back through JSON."""

import json
import math

import numpy as np
import pytest

from netwright import History, Network


def history():
    return History(
        cost=[0.5, 0.25],
        validation_cost=[0.75, math.inf],
        validation_scores={"r2": [math.nan, 0.5]},
        seconds=[0.1, 0.2],
        learning_rate=[0.01, 0.01],
        best_epoch=1,
        stopped="all 2 epochs done",
    )


def test_it_comes_back_from_strict_json():
    """A number that is not finite has no word in JSON; it is None there."""
    text = json.dumps(history().to_dict(), allow_nan=False)
    again = History(**json.loads(text))
    assert repr(again) == repr(history())
    assert again.validation_cost == [0.75, math.inf]
    assert math.isnan(again.validation_scores["r2"][0])
    assert again.validation_scores["r2"][1] == 0.5
    assert again.lists()[:1] + again.lists()[2:4] == [[0.5, 0.25], [0.1, 0.2], [0.01, 0.01]]


def test_to_dict_is_a_copy():
    kept = history()
    kept.to_dict()["cost"].append(9.0)
    assert kept.cost == [0.5, 0.25]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"cost": [1.0]}, "as many numbers of each kind as it has epochs"),
        ({"validation_scores": {"r2": [0.5]}}, "as many numbers of each kind"),
        ({"cost": [1.0, "high"]}, "could not convert|made of numbers"),
        ({"cost": [1.0, []]}, "made of numbers"),
        ({"cost": [1.0, 10**400]}, "made of numbers"),
        ({"cost": 3}, "made of numbers"),
        ({"validation_scores": []}, "made of numbers"),
        ({"best_epoch": 3}, "best_epoch must be an epoch with a validation cost, got 3"),
        ({"best_epoch": "first"}, "best_epoch must be"),
        ({"stopped": None}, "says in words why it ended"),
    ],
)
def test_what_is_no_history_is_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        History(**history().to_dict() | changes)


def test_it_says_what_happened():
    assert repr(History()) == "History(0 epochs)"
    assert len(history()) == 2
    assert repr(history()) == (
        "History(2 epochs, cost 0.5 → 0.25, best validation cost 0.75 in epoch 1; all 2 epochs done)"
    )


def test_a_training_fills_it_with_plain_numbers():
    network = Network([2, 1], loss="squared_error", rng=0, dtype="float32")
    X, Y = np.ones((2, 3)), np.ones((1, 3))
    kept = network.train(X, Y, epochs=3, validation=(X, Y), scores=["rmse", "mae"])
    assert {type(number) for numbers in kept.lists() for number in numbers} == {float}
    assert len(kept) == 3
    assert kept.best_epoch == 3
    json.dumps(kept.to_dict(), allow_nan=False)


def test_the_plot_shows_the_costs(tmp_path):
    kept = history()
    axes = kept.plot(tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    drawn = [list(line.get_ydata()) for line in axes.get_lines()]
    assert kept.cost in drawn
    with pytest.raises(ValueError, match="epoch"):
        History().plot()
