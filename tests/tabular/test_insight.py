"""What the rows held out tell: importances, mistakes, the columns, and what guessing would score."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, mean_absolute_error, r2_score
from sklearn.metrics import root_mean_squared_error as rmse

from netwright import train_table
from netwright.draw.guess import guesses
from netwright.tabular.insight import REPEATS, data_card, doubts, importances


def table(rows=600, seed=0, classes=False):
    rng = np.random.default_rng(seed)
    a, noise, level = rng.normal(size=rows), rng.normal(size=rows), rng.choice(["u", "v"], rows)
    y = 3 * a + 2.0 * (level == "u") + 0.3 * rng.normal(size=rows)
    y = np.where(y > 1, "high", "low") if classes else y
    return {"a": a, "noise": noise, "level": level, "y": y}


@pytest.fixture(scope="module", params=[False, True], ids=["numbers", "classes"])
def model(request):
    return train_table(table(classes=request.param), "y", hidden=[8], epochs=60, seed=1)


def test_importances_are_scikit_learns_to_their_spread(model):
    frame = model.held_out
    score, found = importances(model, frame)
    assert [each.name for each in found][2] == "noise"
    names, truth = model.encoder.names(), frame.column("y")

    class Estimator:
        def fit(self, X, y):
            return self

    def worse(_, X, y):
        rows = {name: X[:, j].astype(object) for j, name in enumerate(names)}
        rows = {name: values if name == "level" else values.astype(float) for name, values in rows.items()}
        if score == "rmse":
            return -rmse(y.astype(float), model.predict(rows))
        return -log_loss(y, model.predict_proba(rows), labels=model.target.classes)

    X = np.column_stack([frame.column(name).astype(object) for name in names])
    right = permutation_importance(Estimator(), X, truth, scoring=worse, n_repeats=40, random_state=0)
    for each in found:
        mean, std = (values[names.index(each.name)] for values in (right.importances_mean, right.importances_std))
        assert abs(each.mean - mean) < 4 * std / np.sqrt(REPEATS)
        assert 0 < each.std < 4 * std


def test_the_worst_rows_are_named_by_their_place(model):
    frame = model.held_out
    A = model.outputs(frame, notes=[])
    found, truth = doubts(model, frame, A), frame.column("y")
    if model.target.classes:
        P = model.predict_proba(frame)
        wrong = np.flatnonzero(model.predict(frame) != truth)
        order = wrong[np.argsort(-P.max(axis=1)[wrong], kind="stable")][:10]
        assert [each.off for each in found] == pytest.approx(P.max(axis=1)[order].tolist())
    else:
        off = model.predict(frame) - truth
        order = np.argsort(-np.abs(off), kind="stable")[:10]
        assert [each.off for each in found] == pytest.approx(off[order].tolist())
    assert [each.place for each in found] == [frame.place(int(row)) for row in order]
    assert [each.true for each in found] == [f"{y:.3f}" if isinstance(y, float) else y for y in truth[order].tolist()]


def test_a_model_without_mistakes_has_none_to_show():
    rows = {"a": np.repeat([-1.0, 1.0], 60) + np.linspace(0, 0.1, 120), "y": np.repeat(["p", "q"], 60)}
    model = train_table(rows, "y", hidden=[4], epochs=80)
    assert model.scores["accuracy"] == 1
    assert doubts(model, model.held_out, model.outputs(model.held_out, notes=[])) == []


@pytest.mark.parametrize("classes", [False, True])
def test_a_column_that_is_the_target_in_disguise_is_told(classes):
    rows = table(classes=classes)
    rows["copy"] = np.where(rows["y"] == "high", 7.0, 3.0) if classes else rows["y"] * 2.54 + 1
    rows["gaps"] = np.where(np.arange(600) % 3 == 0, np.nan, rows["noise"])
    model = train_table(rows, "y", hidden=[4], epochs=2)
    cards = {card.name: card for card in data_card(model, model.held_out)}
    assert [name for name, card in cards.items() if card.mind] == ["copy"]
    assert "tells the target nearly alone (100.0%)" in cards["copy"].mind
    held = model.held_out.column("gaps")
    assert cards["gaps"].missing == pytest.approx(np.isnan(held).mean())
    assert cards["level"].values == "2 levels: " + ", ".join(
        sorted("uv", key=lambda v: -sum(model.held_out.column("level") == v))
    )
    assert cards["a"].values.startswith(f"numbers from {model.held_out.column('a').min():.6g} to ")


def test_a_rare_class_makes_no_column_a_copy():
    rng, y = np.random.default_rng(0), np.array(["no"] * 2000, object)
    y[:40] = "yes"
    rows = {"g": rng.choice(list("abc"), 2000), "k": rng.integers(0, 9, 2000).astype(float), "y": y}
    model = train_table(rows, "y", hidden=[2], epochs=1)
    assert [card.mind for card in data_card(model, model.held_out)] == ["", ""]


def test_guessing_scores_what_scikit_learns_dummies_do():
    rng = np.random.default_rng(0)
    y, X = rng.choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1]), np.zeros((200, 1))
    prior = DummyClassifier(strategy="prior").fit(X, y)
    assert guesses("classification", y) == pytest.approx({
        "accuracy": accuracy_score(y, prior.predict(X)),
        "balanced_accuracy": balanced_accuracy_score(y, prior.predict(X)),
        "log_loss": log_loss(y, prior.predict_proba(X)),
    })  # fmt: skip
    y = rng.normal(size=200) ** 3
    mean, median = (DummyRegressor(strategy=kind).fit(X, y).predict(X) for kind in ("mean", "median"))
    right = {"rmse": rmse(y, mean), "mae": mean_absolute_error(y, median), "r2": r2_score(y, mean)}
    assert guesses("regression", y) == pytest.approx(right)
    assert guesses("regression", []) == {}
