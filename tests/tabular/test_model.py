"""TableModel: from a table to a model and its predictions, in Python."""

import json
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright import TableModel, train_table
from netwright.tables import column
from netwright.tables.frame import Frame
from small_tables import one_target, points, without

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


QUICK = {"epochs": 40, "hidden": (8,)}


def test_penguins_are_told_apart():
    model = train_table(PENGUINS, "species")
    assert model.target.task == "classification"
    assert model.target.classes == ["Adelie", "Chinstrap", "Gentoo"]
    assert model.scores["accuracy"] > 0.97
    assert model.network.loss.name == "cross_entropy"
    truth = Frame.from_arrays({"species": netwright.read_table(PENGUINS).column("species")})
    assert np.mean(model.predict(PENGUINS) == truth.column("species")) > 0.97


@pytest.mark.parametrize(
    ("target", "task", "loss", "outputs", "score", "least"),
    [
        ("tall", "classification", "logloss", 1, "accuracy", 0.9),
        ("size", "classification", "cross_entropy", 3, "accuracy", 0.85),
        ("height", "regression", "squared_error", 1, "r2", 0.9),
    ],
)
def test_every_kind_of_target(target, task, loss, outputs, score, least):
    model = train_table(one_target(target), target)
    assert (model.target.task, model.network.loss.name, model.network.outputs) == (task, loss, outputs)
    assert model.scores[score] > least
    fresh = one_target(target, seed=1)
    assert model.evaluate(fresh)[score] > least
    predicted = model.predict(without(fresh, target))
    assert predicted.shape == (240,)
    assert predicted.dtype == (np.float64 if task == "regression" else object)


def test_probabilities_are_of_the_classes_in_their_order():
    for target, loss in (("tall", None), ("tall", "cross_entropy"), ("size", None)):
        model = train_table(one_target(target), target, loss=loss, **QUICK)
        table = one_target(target, seed=1)
        P = model.predict_proba(table)
        assert P.shape == (240, len(model.target.classes))
        np.testing.assert_allclose(P.sum(axis=1), 1)
        assert (np.array(model.target.classes, dtype=object)[P.argmax(axis=1)] == model.predict(table)).all()
        scores = model.evaluate(table)
        codes = model.target.codes(np.asarray(table[target], dtype=object))
        assert scores["accuracy"] == pytest.approx(np.mean(P.argmax(axis=1) == codes))
        assert scores["log_loss"] == pytest.approx(np.mean(-np.log(P[np.arange(240), codes])))


def test_a_regression_has_no_probabilities():
    model = train_table(one_target("height"), "height", **QUICK)
    with pytest.raises(ValueError, match="'height' is a number"):
        model.predict_proba(one_target("height"))


def test_scores_of_a_regression_are_in_the_targets_units():
    model = train_table(one_target("height"), "height", **QUICK)
    table = one_target("height", seed=3)
    error = table["height"] - model.predict(table)
    scores = model.evaluate(table)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert scores["mae"] == pytest.approx(np.mean(abs(error)))
    assert scores["r2"] == pytest.approx(1 - np.mean(error**2) / np.var(table["height"]))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_targets_of_any_size(scale):
    table = one_target("height")
    model = train_table({**table, "height": table["height"] * scale}, "height", **QUICK)
    usual = train_table(table, "height", **QUICK)
    assert model.scores["r2"] == pytest.approx(usual.scores["r2"], abs=1e-3)
    assert model.scores["rmse"] == pytest.approx(usual.scores["rmse"] * scale, rel=1e-2)


def test_losses_for_counts_and_quantiles():
    counts = train_table(one_target("count"), "count", task="regression", loss="poisson", **QUICK)
    assert (counts.target.mean, counts.target.std) == (0, 1)
    assert (counts.predict(one_target("count", seed=1)) > 0).all()
    high = train_table(one_target("height"), "height", loss="quantile:0.9")
    table = one_target("height", seed=2)
    assert 0.75 < np.mean(table["height"] < high.predict(table)) < 0.99


@pytest.mark.parametrize("target", ["tall", "size", "height"])
def test_a_saved_model_predicts_the_same_to_the_bit(tmp_path, target):
    model = train_table(one_target(target), target, **QUICK)
    path = tmp_path / "model.safetensors"
    model.save(path)
    back = netwright.load(path)
    assert isinstance(back, TableModel)
    table = one_target(target, seed=1)
    assert (back.predict(table) == model.predict(table)).all()
    assert (back.network.theta == model.network.theta).all()
    for name in ("settings", "scores", "notes", "reading", "history", "encoder", "target"):
        assert getattr(back, name) == getattr(model, name)
    assert back.summary() == model.summary()
    assert repr(back) == repr(model)


def test_the_header_is_json_that_people_can_read(tmp_path):
    from safetensors import safe_open

    model = train_table(one_target("size"), "size", **QUICK)
    model.save(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "numpy") as file:
        header = json.loads(file.metadata()["header"])
    assert header["target"]["classes"] == ["large", "middle", "small"]
    assert header["settings"]["epochs"] == 40


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    thetas = [train_table(one_target("size"), "size", seed=seed, **QUICK).network.theta for seed in (3, 3, 4)]
    assert (thetas[0] == thetas[1]).all()
    assert (thetas[0] != thetas[2]).any()


def test_encoders_know_nothing_of_the_rows_held_out():
    table = one_target("height", n=60)
    model = train_table(table, "height", **QUICK)
    held = set(model.held_out.column("a"))
    learned = np.array([value not in held for value in table["a"]])
    column = next(column for column in model.encoder.columns if column.name == "a")
    assert column.mean == pytest.approx(table["a"][learned].mean())
    assert model.target.mean == pytest.approx(table["height"][learned].mean())
    assert model.held_out.n_rows == 12


def test_the_model_is_that_of_the_best_epoch():
    model = train_table(one_target("tall", n=80), "tall", epochs=60, patience=60, learning_rate=0.05)
    history = model.history
    assert history.best_epoch == 1 + int(np.argmin(history.validation_cost))
    assert model.scores["log_loss"] == pytest.approx(min(history.validation_cost))


def test_a_row_of_weight_0_is_as_if_it_were_not_there():
    table = points()
    kept = table["weight"] > 0
    table = without(table, "tall", "size", "count")
    weighted = train_table(table, "height", weights="weight", **QUICK)
    fewer = train_table({name: values[kept] for name, values in table.items()}, "height", weights="weight", **QUICK)
    assert (weighted.network.theta == fewer.network.theta).all()
    assert "weight" not in weighted.encoder.names()
    assert weighted.scores == fewer.scores


def test_scores_are_weighted_when_the_table_has_the_weights():
    table = without(points(), "tall", "height", "count")
    model = train_table(table, "size", weights="weight", **QUICK)
    right = model.predict(table) == table["size"].astype(object)
    assert model.evaluate(table)["accuracy"] == pytest.approx(np.average(right, weights=table["weight"]))
    assert model.evaluate(without(table, "weight"))["accuracy"] == pytest.approx(np.mean(right))


def test_nothing_held_out():
    model = train_table(one_target("height"), "height", validation=0, **QUICK)
    assert model.held_out is None
    assert model.scores == {}
    assert model.history.validation_cost == []
    assert len(model.history) == 40


def test_columns_may_come_in_any_order_and_more_of_them():
    model = train_table(one_target("size"), "size", **QUICK)
    table = one_target("size", seed=1)
    turned = {name: table[name] for name in reversed(table)}
    assert (model.predict(turned) == model.predict(table)).all()
    with pytest.warns(UserWarning, match="'day' is new"):
        assert (model.predict(table | {"day": np.arange(240)}) == model.predict(table)).all()


def test_a_category_never_seen_is_a_warning_or_a_note():
    model = train_table(one_target("size"), "size", **QUICK)
    table = one_target("size", seed=1)
    table["colour"] = np.where(np.arange(240) == 5, "blue", table["colour"])
    with pytest.warns(UserWarning, match="'colour' has categories that training did not have: 'blue'"):
        model.predict(table)
    notes = []
    model.outputs(table, notes=notes)
    assert notes == ["column 'colour' has categories that training did not have: 'blue' (in 1 row)"]


def test_warnings_are_at_the_line_that_asked():
    model = train_table(one_target("size"), "size", **QUICK)
    table = one_target("size", seed=1) | {"day": np.arange(240)}
    for ask in (model.predict, model.predict_proba, model.predictions, model.outputs, model.evaluate):
        with pytest.warns(UserWarning, match="'day' is new") as warned:
            ask(table)
        assert [each.filename for each in warned] == [__file__], ask
    with pytest.warns(UserWarning, match="'day' is new|it is left out|they are left out") as warned:
        model.evaluate(table | {"size": [None, *table["size"][1:]]}, drop_missing_target=True)
    assert [each.filename for each in warned] == [__file__] * 2
    notes = []
    model.evaluate(table | {"size": [None, *table["size"][1:]]}, drop_missing_target=True, notes=notes)
    assert [note.split(" ")[2] for note in notes] == ["'size'", "is"]


def test_a_frame_is_left_as_it_was():
    model = train_table(one_target("size"), "size", **QUICK)
    table = one_target("size", seed=1)
    frame = Frame.from_arrays(table | {"a": [f" {value} " for value in table["a"].tolist()]})
    before, notes = dict(frame.columns), [*frame.notes]
    assert before["a"].dtype == object
    for _ in range(2):
        np.testing.assert_array_equal(model.predict(frame), model.predict(table))
    model.evaluate(frame)
    assert all(frame.columns[name] is values for name, values in before.items())
    assert frame.notes == notes


def test_a_part_of_a_file_keeps_its_own_rows(tmp_path):
    model = train_table(one_target("size"), "size", **QUICK)
    table = one_target("size", seed=1)
    lines = zip(*table.values(), strict=True)
    (tmp_path / "t.csv").write_text("\n".join([",".join(table), *(",".join(map(str, row)) for row in lines)]))
    part = netwright.read_table(tmp_path / "t.csv").take([7, 3])
    texts = netwright.read_table(tmp_path / "t.csv", spelled=True)
    whole = model.predictions(tmp_path / "t.csv", keep=["a"])
    for keep in (["a"], part.drop(set(part.names) - {"a"}), texts.drop(set(texts.names) - {"a"}).take([7, 3])):
        made = model.predictions(part, keep=keep)
        assert made.names == whole.names
        assert [len(values) for values in made.columns.values()] == [2] * len(made.names)
        assert made.column("a").astype(float).tolist() == whole.column("a")[[7, 3]].tolist()
        np.testing.assert_array_equal(made.column("size"), whole.column("size")[[7, 3]])
    with pytest.raises(ValueError, match="keep has 240 rows, and the table 2"):
        model.predictions(part, keep=texts)


@pytest.mark.parametrize("asked", [{"drop": ["x"]}, {"weights": "x"}, {"categorical": ["x"]}, {"keep_columns": ["x"]}])
def test_a_name_that_heads_two_columns_is_not_asked_for(asked, tmp_path):
    (tmp_path / "t.csv").write_text("x, x,y\n" + "".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n" for i in range(40)))
    with pytest.raises(ValueError, match="more than one column is headed 'x'; give each a name of its own"):
        train_table(tmp_path / "t.csv", "y", **asked, **QUICK)
    frame = netwright.read_table(tmp_path / "t.csv")
    assert frame.twice == {"x"}
    with pytest.raises(ValueError, match="more than one column is headed 'x'"):
        train_table(frame, "y", **asked, **QUICK)
    assert set(train_table(frame, "y", **QUICK).encoder.names()) == {"x", "x_1"}


def test_how_a_file_was_read_holds_for_the_next_one(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["x;y"] + [
        f"{'unknown' if i % 9 == 0 else f'{i % 7},5'};{'ab'[int(i % 7 > 3)]}" for i in rng.permutation(90)
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    reading = {"decimal": ",", "nulls": ["unknown"]}
    model = train_table(tmp_path / "t.csv", "y", reading=reading, **QUICK)
    assert model.encoder.names("number") == ["x"]
    model.save(tmp_path / "m.safetensors")
    assert netwright.load(tmp_path / "m.safetensors").predict(tmp_path / "t.csv").shape == (90,)


def test_training_is_told_what_was_decided_before_the_first_epoch():
    seen = []
    train_table(one_target("size"), "size", ready=lambda model: seen.append((len(model.history), repr(model))), **QUICK)
    assert seen == [(0, "TableModel('size', classification, 4-8-3)")]


def test_callbacks_stop_training():
    model = train_table(one_target("size"), "size", callbacks=[lambda network, history: len(history) == 3], **QUICK)
    assert len(model.history) == 3


def test_checkpoint_and_resume_end_with_the_same_bits(tmp_path):
    whole = train_table(one_target("size"), "size", **QUICK)
    file = tmp_path / "c"

    class Killed(Exception):
        pass

    def kill(network, history):
        if len(history) == 20:
            raise Killed

    with pytest.raises(Killed):
        train_table(one_target("size"), "size", checkpoint=file, callbacks=[kill], **QUICK)
    resumed = train_table(one_target("size"), "size", checkpoint=file, resume=True, **QUICK)
    assert (resumed.network.theta == whole.network.theta).all()
    assert resumed.scores == whole.scores


def test_lbfgs_and_linear_models_and_own_activations(tmp_path):
    linear = train_table(one_target("height"), "height", hidden=(), optimizer="lbfgs")
    assert "lbfgs, seed 0" in linear.summary()
    assert linear.scores["r2"] > 0.99
    cube = netwright.Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2)
    model = train_table(one_target("height"), "height", activation=cube, hidden=(4,), epochs=3)
    model.save(tmp_path / "m")
    with pytest.raises(ValueError, match="cube"):
        netwright.load(tmp_path / "m")
    assert netwright.load(tmp_path / "m", [cube]).network.layers[0].activation is cube


def test_a_small_table_gets_as_many_updates_as_it_needs():
    table = {"x": np.linspace(-1, 1, 30), "y": np.linspace(-1, 1, 30) ** 2}
    assert train_table(table, "y", hidden=(16,), max_seconds=5).scores["r2"] > 0.9


def test_summary_says_what_becomes_of_every_column():
    table = one_target("size") | {"always": ["same"] * 240}
    text = train_table(table, "size", **QUICK).summary()
    for word in ("'size'", "small", "colour", "left out", "'same'", "softmax", "held-out accuracy", "40 epochs"):
        assert word in text


@pytest.mark.parametrize("options", [QUICK, {"max_seconds": 5}], ids=["one network", "mixture"])
@pytest.mark.parametrize("target", ["tall", "size", "height"])
def test_the_kind_of_a_column_is_found_once(monkeypatch, target, options):
    table = Frame.from_arrays(one_target(target) | {"flag": points()["a"] > 1})
    found, kind_of = [], column.kind_of

    def counting(values):
        found.append(next((name for name in table.names if table.column(name) is values), "another array"))
        return kind_of(values)

    monkeypatch.setattr(column, "kind_of", counting)
    model = train_table(table, target, **options)
    # The classes, which are no column of the table, have a kind of their own.
    assert sorted(found) == sorted([*table.names, *["another array"] * bool(model.target.classes)])


def test_a_frame_that_was_edited_in_place_is_looked_at_anew():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    frame = Frame({"x": x, "y": 2 * x})
    frame.columns["y"][3] = np.nan
    with pytest.raises(ValueError, match="missing in 1 of 60 rows"):
        train_table(frame, "y", epochs=1)
    frame.columns["y"][3] = 1.0
    assert len(train_table(frame, "y", epochs=1).history) == 1
    with pytest.raises(TypeError, match="not iterable"):
        list(frame)
