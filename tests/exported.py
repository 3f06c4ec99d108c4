"""Models to export, made in no time: untrained networks on the columns of a hostile table."""

import numpy as np
import pandas as pd

from netwright import ACTIVATIONS, MLPClassifier, MLPRegressor, Network, TableModel, TabularClassifier, TabularRegressor
from netwright.recipes.mixture import Mixture
from netwright.recipes.recipe import encode
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.target import TargetEncoder

HOSTILE = [  # names and levels as somebody may have them, or as an attacker would
    *('a "quoted" name', "it's", '*/ system("echo pwned"); /*', "'); DROP TABLE t; --", "</script><script>alert(1)"),
    *(
        "=cmd|' /C calc'!A0",
        "class",
        "int",
        "x\ty",
        "line\nbreak",
        "back\\slash",
        "${x} `y` {0} %s",
        "ünïcødé ✓ 数",
        " spaced ",
    ),
    *("x" * 300, "", "0", "None", "??/ trigraph"),
]


def frame(rows=300, seed=0):
    """A column of every kind, with gaps, and columns and levels with hostile names."""
    rng = np.random.default_rng(seed)

    def gaps(values):
        return np.array(
            [None if gone else each for each, gone in zip(values, rng.random(rows) < 0.1, strict=True)], object
        )

    numbers = rng.normal(size=rows) * 10 + 5
    days = np.datetime64("2019-03-01", "us") + rng.integers(0, 10**14, rows).astype("timedelta64[us]")
    return Frame({
        "number": numbers,
        HOSTILE[2]: np.where(rng.random(rows) < 0.1, np.nan, np.exp(numbers / 5)),
        "mostly one": np.where(rng.random(rows) < 0.7, 3.0, np.round(numbers)),
        "when": np.where(rng.random(rows) < 0.1, np.datetime64("NaT", "us"), days),
        "level": gaps(rng.choice([each for each in HOSTILE if each], rows)),
        HOSTILE[3]: rng.choice(["p", "q", "r"], rows).astype(object),
        "yes": gaps(rng.choice([True, False], rows).tolist()),
        "many": np.array([f"k{i}" for i in rng.integers(0, 60, rows)], object),
    })  # fmt: skip


def table_model(classes=0, outputs=None, exponent=1.0, hidden=(6, 5), networks=3, activation="relu"):
    """A mixture on `frame`: of a regression, or of so many classes with hostile names."""
    data, rng = frame(), np.random.default_rng(1)
    n = data.n_rows
    if classes:
        names = [each for each in HOSTILE if each][:classes]
        target = TargetEncoder.fit(
            np.array(names, object)[np.arange(n) % classes], "what'\" it is", task="classification"
        )
        loss, outputs = ("cross_entropy", classes) if classes > 2 else ("logloss", 1)
    else:
        target = TargetEncoder.fit(rng.normal(size=n) * 100 + 7, "a number", task="regression")
        loss, outputs = "squared_error", 1
    encoder = encode(data, rng.normal(size=(outputs, n)), None, max_levels=20)
    sizes = [len(encoder.feature_names), *hidden, outputs]
    nets = [Network(sizes, activation, loss=loss, rng=seed, dropout=0.1) for seed in range(networks)]
    nets += [Network([sizes[0], outputs], loss=loss, rng=9)]
    shares = [0.9 / networks] * networks + [0.1]
    mixture = Mixture(nets, shares, exponent, None if classes else [-3.0, 3.0])
    return TableModel(network=mixture, encoder=encoder, target=target, settings={"weights": None, "drop": []})


def one_network():
    """A table's model with a single network, in float32."""
    encoder = TableEncoder.fit(frame())
    target = TargetEncoder.fit(np.arange(300.0) ** 1.5, "y", task="regression")
    network = Network([len(encoder.feature_names), 4, 1], "silu", loss="squared_error", dtype="float32", rng=0)
    return TableModel(
        network=network, encoder=encoder, target=target, settings={"hidden": [4], "weights": None, "drop": []}
    )


def named(name):
    """A model whose column, level, class and target have that name."""
    columns = {name: [1.0, 2.0, 3.5] * 4, "level": [name, "b", "c"] * 4}
    encoder = TableEncoder.fit(Frame.from_arrays(columns, categorical=["level"]))
    target = TargetEncoder.fit(np.array([name, name + "!"] * 6, object), name, task="classification")
    network = Network([len(encoder.feature_names), 1], rng=0)
    return TableModel(network, encoder, target, {"hidden": [], "weights": None, "drop": []})


def networks():
    """A bare network for each activation, and the links of the losses."""
    for name in ACTIVATIONS:
        if name != "softmax":
            yield name, Network([3, 5, 4, 2], name, loss="squared_error", rng=1)
    for loss, outputs in (
        ("logloss", 1),
        ("cross_entropy", 4),
        ("cross_entropy:2,3", 5),
        ("poisson", 2),
        ("quantile:0.1,0.9", 2),
    ):
        yield loss, Network([3, 6, outputs], "tanh", loss=loss, rng=2, dropout=0.2)
    yield "float32", Network([3, 6, 3], ["gelu", "softmax"], loss="cross_entropy", rng=3, dtype="float32")
    yield "sigmoid:0,10", Network([3, 6, 2], ["mish", "sigmoid:0,10"], loss="squared_error", rng=4)
    yield "linear", Network([3, 1], loss="squared_error", rng=4)


def estimators():
    """scikit-learn's faces, hardly trained."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    many = {
        "max_iter": 3,
        "random_state": 0,
        "tol": 0,
        "n_iter_no_change": 99,
        "solver": "sgd",
        "learning_rate_init": 1e-3,
    }
    yield "classes", MLPClassifier((5,), **many).partial_fit(X, np.array(HOSTILE)[y], classes=HOSTILE[:3])
    yield "two", MLPClassifier((5,), **many).partial_fit(X, y > 0, classes=[False, True])
    yield "labels", MLPClassifier((5,), **many).partial_fit(X, np.c_[y > 0, y > 1].astype(int), classes=[0, 1])
    yield "number", MLPRegressor(hidden_layer_sizes=(5,), **many).partial_fit(X, y * 1.5)
    yield "numbers", MLPRegressor(hidden_layer_sizes=(5,), **many).partial_fit(X, np.c_[y, -y])


def everything():
    """(name, model) of all kinds."""
    yield from networks()
    yield from estimators()
    yield "table, number", table_model()
    yield "table, two classes", table_model(2, exponent=1.3)
    yield "table, classes", table_model(7, exponent=0.8)
    yield "table, one network", one_network()


def always():
    """Estimators that were given one class, one number, or columns that tell nothing."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    table = pd.DataFrame({"x": X[:, 0], "k": list("abcd") * 5})
    few = MLPClassifier((3,), max_iter=2, solver="sgd", learning_rate_init=1e-3)
    yield "one class", few.partial_fit(X, ["a"] * 20, classes=["a"])
    yield "one class of a table", TabularClassifier().fit(table, ["a"] * 20)
    yield "one number", TabularRegressor().fit(table, [3.5] * 20)
    yield "the same rows", TabularClassifier().fit([[1.0]] * 3, ["a", "b", "b"])
    yield "the same words", TabularClassifier().fit(table[["k"]].assign(k="same"), list("abcdc") * 4)
