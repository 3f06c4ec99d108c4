"""The recipe for tables as `train_table` uses it, and the mixture of networks that comes of it."""

import inspect
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from sklearn.utils import check_random_state

import netwright
from netwright import Network, TabularClassifier, TabularRegressor, train_table
from netwright.files.container import read, write
from netwright.recipes.mixture import Mixture
from netwright.tables.encoders import Levels
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.split import split_rows
from netwright.tables.target import TargetEncoder
from netwright.tabular.learn import ABOUT_ONE
from small_tables import one_target, points, without


def shops(n=300, seed=0):
    """A table with numbers and gaps, a category of many levels, dates and weights; targets of every kind."""
    rng = np.random.default_rng(seed)
    size, shop = np.exp(rng.normal(size=n)), rng.integers(45, size=n)
    price = np.log(size) + np.sin(shop) + 0.1 * rng.normal(size=n)
    return {
        "size": np.where(rng.random(n) < 0.1, np.nan, size),
        "shop": np.array([f"shop {i}" for i in shop], dtype=object),
        "day": np.datetime64("2024-01-01") + rng.integers(300, size=n),
        "price": price,
        "dear": price > 0.3,
        "class": np.array(["low", "middle", "high"], dtype=object)[np.digitize(price, [-0.5, 0.5])],
        "weight": rng.integers(0, 3, n).astype(float),
    }


def of(target, *more, **options):
    table = shops(**options)
    return {name: table[name] for name in ("size", "shop", "day", target, *more)}


def said(model, table):
    """Probabilities or values; shops that training did not have are no matter here."""
    A = model.outputs(table, notes=[])
    return model.decode(A) if model.target.task == "regression" else model.probabilities(A)


@pytest.fixture(scope="module")
def trained():
    """One of each kind, by target."""
    return {target: train_table(of(target), target) for target in ("price", "dear", "class")}


# ── the recipe ──


@pytest.mark.filterwarnings("ignore:column 'shop' has categories that training did not have")
@pytest.mark.parametrize("target", ["price", "dear", "class"])
def test_it_is_the_estimators_recipe(target):
    """All rows, weighted: what scikit-learn's side makes of the same table, to rounding."""
    table, seed = of(target, "weight"), check_random_state(7).randint(2**31)
    inputs = without(table, target, "weight")
    kind = TabularRegressor if target == "price" else TabularClassifier
    theirs = kind(random_state=7).fit(inputs, table[target], table["weight"])
    ours = train_table(table, target, weights="weight", validation=0, seed=seed)
    fresh = without(of(target, seed=1), target)
    np.testing.assert_allclose(said(ours, fresh), getattr(theirs, "predict_proba", theirs.predict)(fresh), atol=1e-12)
    assert [row[:3] for row in ours.encoder.describe()] == [row[:3] for row in theirs.describe()]


@pytest.mark.parametrize("target", ["price", "class"])
def test_the_rows_held_out_are_as_if_they_were_not_there(trained, target):
    table = of(target) | {"row": np.arange(300)}
    model = train_table(table, target, drop=["row"])
    kept = np.isin(table["row"], model.held_out.column("row"), invert=True)
    assert kept.sum() == 240
    alone = train_table({name: values[kept] for name, values in table.items()}, target, drop=["row"], validation=0)
    np.testing.assert_array_equal(said(alone, table), said(model, table))
    np.testing.assert_array_equal(said(trained[target], table), said(model, table))
    assert model.scores == model.evaluate(model.held_out, notes=[])


def test_it_learns_and_is_scored(trained):
    assert trained["price"].scores["r2"] > 0.5
    assert trained["dear"].scores["accuracy"] > 0.75
    fresh = of("class", seed=1)
    scores, P = trained["class"].evaluate(fresh, notes=[]), said(trained["class"], fresh)
    codes = trained["class"].target.codes(fresh["class"])
    assert scores["log_loss"] == pytest.approx(-np.log(P[np.arange(300), codes]).mean())
    assert scores["accuracy"] == pytest.approx(np.mean(P.argmax(axis=1) == codes))
    assert scores["accuracy"] > 0.55


def test_many_levels_are_told_by_their_targets(trained):
    kinds = {column.name: type(column) for column in trained["price"].encoder.columns}
    assert kinds["shop"] is Levels


def test_a_weight_of_0_is_no_row_and_weights_count_by_their_ratios():
    table = of("dear", "weight")
    table["shop"] = (table["size"] > 1).astype(str)  # how many rows a level has, and its mean, go by copies
    kept = table["weight"] > 0
    weighted = train_table(table, "dear", weights="weight")
    fewer = train_table({name: values[kept] for name, values in table.items()}, "dear", weights="weight")
    np.testing.assert_array_equal(said(fewer, table), said(weighted, table))
    assert weighted.scores == fewer.scores
    heavier = train_table(table | {"weight": 4 * table["weight"]}, "dear", weights="weight")
    np.testing.assert_allclose(said(heavier, table), said(weighted, table), atol=1e-9)


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(trained):
    again = train_table(of("class"), "class", n_threads=1)
    np.testing.assert_array_equal(said(again, of("class")), said(trained["class"], of("class")))
    assert again.history.cost == trained["class"].history.cost
    other = train_table(of("class"), "class", seed=1)
    assert not np.array_equal(said(other, of("class")), said(trained["class"], of("class")))


# ── one network instead ──

VALUES = {
    "hidden": (64, 32), "activation": "silu", "loss": "logloss", "epochs": 3, "batch_size": 16, "optimizer": "adam",
    "learning_rate": 0.001, "schedule": "constant", "dropout": 0.0, "l2": 0.0, "patience": 8, "clip_norm": 1.0,
}  # fmt: skip


def test_every_argument_that_asks_for_one_network_is_tried():
    assert list(VALUES) == ABOUT_ONE
    parameters = inspect.signature(train_table).parameters
    assert {parameters[name].default for name in ABOUT_ONE} == {None}


@pytest.mark.parametrize("name", VALUES)
def test_whoever_asks_about_the_network_gets_one(name):
    model = train_table(one_target("tall", n=40), "tall", max_seconds=0.2, **{name: VALUES[name]})
    assert isinstance(model.network, Network)
    assert model.settings["hidden"] == [64, 32]


def test_that_one_is_the_network_trained_by_hand():
    table = one_target("tall")
    frame = Frame.from_arrays(table)
    goal = TargetEncoder.fit(frame.column("tall"), "tall")
    rng = np.random.default_rng(5)
    rows, held = split_rows(240, 0.2, rng, goal.codes(frame.column("tall")))
    encoder = TableEncoder.fit(frame.drop(["tall"]).take(rows))
    X, Y = encoder.transform(frame), goal.encode(frame.column("tall"))
    network = Network([4, 6, 1], "silu", loss="logloss", l2=1 / 192, rng=rng)
    history = network.train(
        X[:, rows], Y[:, rows], epochs=9, batch_size=16, patience=50, validation=(X[:, held], Y[:, held])
    )
    model = train_table(table, "tall", hidden=(6,), epochs=9, patience=50, seed=5)
    assert (model.network.theta == network.theta).all()
    assert model.history.validation_cost == history.validation_cost


# ── interruptions and limits ──


def interrupt(at):
    def tell(words, share):
        if words == at:
            raise KeyboardInterrupt

    return tell


def test_ctrl_c_keeps_the_networks_that_are_done():
    model = train_table(of("class"), "class", n_threads=1, tell=interrupt("networks 3/8"))
    assert len(model.network.networks) == 3
    assert model.history.stopped == "interrupted when 3 of 8 networks were done"
    assert model.scores["accuracy"] > 0.5
    with pytest.raises(KeyboardInterrupt):
        train_table(of("class"), "class", tell=interrupt("scouts 3/4"))


def test_an_error_in_one_network_ends_all(monkeypatch):
    def broken(*_, **__):
        raise MemoryError("too much")

    monkeypatch.setattr("netwright.recipes.scouts.input_scale_of", broken)
    with pytest.raises(MemoryError, match="too much"):
        train_table(of("class"), "class")


def test_what_is_told_goes_from_nothing_to_all():
    heard = []
    train_table(of("dear"), "dear", tell=lambda words, share: heard.append((words, share)))
    assert [words for words, _ in heard] == [f"scouts {i}/4" for i in range(1, 5)] + [
        f"networks {i}/8" for i in range(1, 9)
    ]
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_time_limit_leaves_a_model(monkeypatch):
    monkeypatch.setattr("netwright.recipes.recipe.FEWEST", 10**6)  # else scouts in a hurry may ask for few epochs
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 10))
    table = {f"x{j}": X[:, j] for j in range(10)} | {"y": np.abs(X[:, 0]) + X[:, 1]}
    train_table({name: values[:60] for name, values in table.items()}, "y")  # what is compiled or loaded once
    begun = time.perf_counter()
    model = train_table(table, "y", max_seconds=1.0)
    assert time.perf_counter() - begun < 10  # with room for a busy machine; without a limit it takes longer
    assert model.scores["r2"] > 0.7
    assert model.history.stopped == "the time limit is reached"


# ── the model ──


def test_the_history_is_that_of_the_networks(trained):
    history = trained["class"].history
    assert len(history) == len(history.validation_cost) == len(history.seconds) >= 12
    assert history.cost[-1] < history.cost[0]
    assert min(history.validation_cost) < np.log(3)
    assert history.stopped == "all 8 networks done"


def test_predictions_by_hand(trained):
    model = trained["class"]
    X = model.encoder.transform(Frame.from_arrays(of("class", seed=1)))
    mixture = model.network
    A = sum(share * network.predict(X) for network, share in zip(mixture.networks, mixture.shares, strict=True))
    P = A**mixture.exponent
    np.testing.assert_allclose(said(model, of("class", seed=1)), (P / P.sum(axis=0)).T, rtol=1e-9)


def test_a_regression_stays_near_the_values_seen(trained):
    table = of("price", seed=1)
    learned = np.setdiff1d(of("price")["price"], trained["price"].held_out.column("price"))
    reach = 0.1001 * np.ptp(learned)
    far = said(trained["price"], table | {"size": np.full(300, 1e30)})
    assert learned.min() - reach <= far.min()
    assert far.max() <= learned.max() + reach


@pytest.mark.parametrize("target", ["price", "dear", "class"])
def test_another_process_predicts_the_same_bits(trained, target, tmp_path):
    model, table = trained[target], of(target, seed=1)
    model.save(tmp_path / "m")
    np.savez(tmp_path / "t.npz", **(table | {"shop": table["shop"].astype(str)}))
    code = """
        import sys, netwright, numpy as np
        table = np.load(sys.argv[1] + "/t.npz", allow_pickle=sys.argv[2] == "class")
        np.save(sys.argv[1] + "/A.npy", netwright.load(sys.argv[1] + "/m").outputs(dict(table), notes=[]))
        assert not {"sklearn", "numba"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path), target], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "A.npy"), model.outputs(table, notes=[]))
    again = netwright.load(tmp_path / "m")
    assert again.summary() == model.summary()
    assert repr(again) == repr(model)
    for name in ("settings", "scores", "notes", "reading", "encoder", "target"):
        assert getattr(again, name) == getattr(model, name)
    assert vars(again.history) == {**vars(model.history), "seconds": []}  # a file of a mixture keeps no clock


def test_it_says_what_it_is(trained):
    model = trained["class"]
    deep = sum(len(network.layers) > 1 for network in model.network.networks)
    assert repr(model).startswith(f"TableModel('class', classification, {deep} × ")
    summary = model.summary()
    for words in (
        "many levels",
        f"  {deep} × ",
        "128 → 128",
        "epochs a network; all 8 networks done",
        "held-out log_loss",
    ):
        assert words in summary
    for share in model.network.shares:
        assert f", a share of {share:.3g} each" in summary
    (exponent,) = [line for line in summary.split("\n") if line.startswith("probabilities to the power")]
    assert f"{model.network.exponent:.3g}" in exponent


def test_new_levels_and_missing_columns(trained):
    model, table = trained["price"], of("price")
    with pytest.warns(UserWarning, match="'shop' has categories that training did not have: 'nowhere'"):
        model.predict(table | {"shop": ["nowhere"] * 300})
    with pytest.raises(ValueError, match="no column 'size', which training had"):
        model.predict(without(table, "size"))
    with pytest.warns(UserWarning, match="'more' is new"):
        model.predict(table | {"more": np.zeros(300)})


def test_columns_told_and_dropped():
    table = of("dear") | {"code": np.arange(300) % 5 + 0.0, "w": np.ones(300)}
    model = train_table(table, "dear", categorical=["code"], drop=["shop"], weights="w", max_seconds=1)
    kinds = {name: kind for name, kind, _, _ in model.encoder.describe()}
    assert kinds == {"size": "scaled number", "day": "date", "code": "category"}
    with pytest.raises(ValueError, match=r"no column can be learned from \('a': every row"):
        train_table({"a": [1] * 20, "y": [0, 1] * 10}, "y")


@pytest.mark.parametrize("n", [2, 5, 12])
def test_a_handful_of_rows(n):
    table = {"x": np.arange(n) ** 2.0, "y": np.arange(n) / 3}
    model = train_table(table, "y", validation=0)
    assert np.isfinite(model.predict(table)).all()
    assert model.scores == {}


# ── files that are not what they were ──

HARM = {
    "a share too many": lambda said, tensors: said["shares"].append(0.5),
    "shares that are too much": lambda said, tensors: said.update(shares=[2 * share for share in said["shares"]]),
    "a share that is no number": lambda said, tensors: said["shares"].__setitem__(0, "1"),
    "no networks": lambda said, tensors: said.update(networks=[], shares=[]),
    "an exponent of 0": lambda said, tensors: said.update(exponent=0.0),
    "no exponent": lambda said, tensors: said.pop("exponent"),
    "one limit": lambda said, tensors: said.update(limits=[1.0]),
    "limits upside down": lambda said, tensors: said.update(limits=[1.0, -1.0]),
    "a network less": lambda said, tensors: tensors.pop("theta.3"),
    "a network of another size": lambda said, tensors: tensors.update({"theta.3": tensors["theta.3"][:-1]}),
    "other inputs": lambda said, tensors: said["networks"][0]["layers"][0].update(inputs=3),
    "an activation of somebody's own": lambda said, tensors: said["networks"][0]["layers"][0].update(activation="mine"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_forged_mixture_is_refused(trained, tmp_path, harm):
    trained["class"].save(tmp_path / "m")
    kind, tensors, header = read(tmp_path / "m")
    assert kind == "table"
    HARM[harm](header["mixture"], tensors)
    write(tmp_path / "m", kind, tensors, header)
    with pytest.raises(ValueError, match="m: "):
        netwright.load(tmp_path / "m")


def test_a_mixture_of_another_table_is_refused(trained, tmp_path):
    for target in ("class", "dear"):
        trained[target].save(tmp_path / target)
    kind, tensors, header = read(tmp_path / "class")
    write(tmp_path / "m", kind, tensors, header | {"target": read(tmp_path / "dear")[2]["target"]})
    with pytest.raises(ValueError, match="do not fit together"):
        netwright.load(tmp_path / "m")


def test_a_file_of_one_network_is_what_it_was(tmp_path):
    train_table(points(), "tall", epochs=2).save(tmp_path / "m")
    kind, tensors, header = read(tmp_path / "m")
    assert (kind, set(tensors)) == ("table", {"theta", "familiarity.axes", "familiarity.centre"})
    kept = {"network", "encoder", "target", "history", "settings", "scores", "notes", "reading"}
    assert set(header) == kept | {"margins", "familiarity"}


def test_a_mixture_alone_by_hand():
    networks = [Network([2, 1], loss="logloss", rng=seed) for seed in range(3)]
    X = np.random.default_rng(0).normal(size=(2, 5))
    first, _, last = (network.predict(X) for network in networks)
    mixture = Mixture(networks, [0.25, 0.0, 0.75], 2.0)
    P = 0.25 * first + 0.75 * last
    np.testing.assert_allclose(mixture.predict(X), P**2 / (P**2 + (1 - P) ** 2))
    assert mixture.shape() == "2 × 2-1"
    limited = Mixture(networks[:1], [1.0], limits=[0.4, 0.5])
    np.testing.assert_allclose(limited.predict(X), np.clip(first, 0.4, 0.5))
