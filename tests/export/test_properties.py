"""Whatever network or table is drawn, each format gives the model's own numbers, or says what it cannot hold."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from exported import HOSTILE
from netwright import ACTIVATIONS, Dropout, Layer, Network, TableModel
from netwright.core.losses import find_loss
from netwright.export.export import export
from netwright.export.program import networks_of
from netwright.recipes.mixture import Mixture
from netwright.recipes.recipe import encode
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.target import TargetEncoder
from strategies import LOSS_NAMES

FORMATS = [
    ("onnx", {}), ("c", {}), ("c", {"float32": True}), ("c", {"int8": True}), ("python", {}),
    ("python", {"numpy": True}), ("javascript", {}), ("sql", {}), ("sql", {"dialect": "sqlite"}), ("sklearn", {}),
]  # fmt: skip
OF_EACH_LINK = ("squared_error", "logloss", "cross_entropy", "poisson")
IDS = ["-".join([format, *map(str, options)]) for format, options in FORMATS]
ALL = settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
REFUSED = {  # what a format may say that it cannot hold, of what is drawn here
    "c": "a character 0 ends it|beyond what float can say",
    "sql": "a character 0|one to SQL|without a name",
}


def proved(program, folder, format, options, steep=True):
    """Whether it is right; False where it was refused. steep: whether the proof may say that the model is."""
    for old in folder.iterdir():
        old.unlink()
    try:
        proof = export(program, folder / "m", format, **options)
    except ValueError as error:
        if format not in REFUSED or not re.search(REFUSED[format], str(error)):
            raise
        assert list(folder.iterdir()) == []
        return False
    assert proof.difference is not None
    assert proof.difference <= proof.bound
    if program.dtype == "float64" and not {"float32", "int8"} & {*options}:
        steep &= any(sum(layer.activation == "exp" for layer in layers) > 1 for layers in program.networks)
        assert proof.bound == 1e-12 or steep  # exp(exp(z)) multiplies what rounding does
        assert proof.labels == 0
    return True


# ── every activation with every loss, in every format ──


@pytest.mark.parametrize(
    ("loss", "format", "options"),
    [
        pytest.param(loss, format, options, id=f"{loss}-{name}")
        for loss in [*LOSS_NAMES, "cross_entropy:2,1", "quantile:0.1,0.5,0.9"]
        for (format, options), name in zip(FORMATS[:-1], IDS, strict=False)
        if loss in OF_EACH_LINK or not {"float32", "int8"} & {*options}
    ],
)
def test_every_activation_with_every_loss_in_every_format(tmp_path, loss, format, options):
    """The mean of a network for each activation, so that none can hide what another does; with dropout between.

    One layer of exp, and none of it before the link that is exp itself, as those multiply what rounding does.
    """
    names = [name for name in ACTIVATIONS if (name, find_loss(loss).link) != ("exp", "exp")]
    networks = [
        Network([3, 4, 3] if name == "exp" else [3, 4, 3, 3], name, loss=loss, rng=seed, dropout=0.3)
        for seed, name in enumerate(names)
    ]
    program = replace(networks[0].program(), **networks_of(networks))
    program = replace(program, answers=lambda x: (np.mean([each.predict(x.T) for each in networks], axis=0).T, None))
    assert len(program.networks) == len(names) >= len(ACTIVATIONS) - 1
    assert proved(program, tmp_path, format, options, steep=False)


# ── networks of any shape ──

ROWS = sorted({*ACTIVATIONS} | {"sigmoid:0,10", "softmax:2,1"})


@st.composite
def perceptrons(draw):
    """Networks as scikit-learn has them: one activation in the hidden layers, none in the last."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=2, max_size=5))
    name = draw(st.sampled_from(["identity", "tanh", "relu", "sigmoid"]))
    return Network(sizes, name, loss="squared_error", rng=draw(st.integers(0, 99)))


@st.composite
def networks(draw):
    """Any number of layers of any widths and kinds, of either dtype, and weights of any usual size."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    layers, dtype = list[Layer](), draw(st.sampled_from(["float64", "float32"]))
    for inputs, neurons in pairwise(sizes):
        name = draw(st.sampled_from([each for each in ROWS if each != "softmax:2,1" or neurons == 3]))
        layers += [Dropout(0.4)] * draw(st.booleans()) if layers else []
        layers.append(Layer(inputs, neurons, name, rng=rng, dtype=dtype))
    loss = draw(st.sampled_from(LOSS_NAMES))
    if draw(st.booleans()):
        layers[-1] = Layer(layers[-1].inputs, layers[-1].neurons, find_loss(loss).link, rng=rng, dtype=dtype)
    network = Network(layers, loss=loss, rng=rng)
    network.theta *= draw(st.sampled_from([1e-3, 0.3, 1]))
    return network


@given(network=perceptrons())
@settings(ALL, max_examples=3)
def test_scikit_learns_own_of_any_shape(tmp_path, network):
    assert proved(network.program(), tmp_path, "sklearn", {})


@pytest.mark.parametrize(("format", "options"), FORMATS[:-1], ids=IDS[:-1])
@pytest.mark.filterwarnings("ignore:.* wants the outputs of")
@given(network=networks())
@ALL
def test_a_network_of_any_shape(tmp_path, format, options, network):
    proved(network.program(), tmp_path, format, options)


# ── tables with any names ──

NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


@st.composite
def tables(draw):
    """A model of columns, levels and classes with any names: a network, or a mixture as tables are learnt by."""
    rng, rows = np.random.default_rng(draw(st.integers(0, 99))), 60
    columns = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        levels = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
        columns[name] = draw(st.sampled_from([
            lambda: rng.normal(size=rows) * 10.0 ** rng.integers(-3, 6),
            lambda: rng.integers(0, 9, rows).astype(float),
            lambda levels=levels: rng.choice(np.array(levels, object), rows),
            lambda: rng.choice(np.array([True, False], object), rows),
            lambda: np.datetime64("2001-02-03", "us") + rng.integers(0, 10**15, rows).astype("timedelta64[us]"),
        ]))()  # fmt: skip
        if draw(st.booleans()):
            gone = rng.random(rows) < 0.2
            kind = columns[name].dtype.kind
            columns[name][gone] = None if kind == "O" else np.datetime64("NaT") if kind == "M" else np.nan
    frame = Frame(columns)
    classes = draw(st.sampled_from([0, 2, 3]))
    if classes:
        names = draw(st.lists(NAMES.filter(bool), min_size=classes, max_size=classes, unique=True))
        y, loss = np.array(names, object)[np.arange(rows) % classes], "logloss" if classes == 2 else "cross_entropy"
    else:
        y, loss = rng.normal(size=rows) * 3 + 10.0 ** rng.integers(-2, 5), "squared_error"
    task = "classification" if classes else "regression"
    target = TargetEncoder.fit(y, draw(NAMES.filter(lambda name: name not in columns)), task=task)
    outputs = classes if classes > 2 else 1
    mixed = draw(st.booleans())
    try:
        encoder = encode(frame, rng.normal(size=(outputs, rows)), None, 4) if mixed else TableEncoder.fit(frame)
    except ValueError as error:
        assume("no column can be learned from" not in str(error))
        raise
    assume(encoder.columns)
    made = [
        Network([len(encoder.feature_names), *hidden, outputs], "mish", loss=loss, rng=seed)
        for seed, hidden in enumerate([(5, 4), (), (3,)] if mixed else [(4,)])
    ]
    exponent = draw(st.sampled_from([0.5, 1.0, 1.7])) if classes else 1.0
    network = Mixture(made, [0.5, 0.2, 0.3], exponent, None if classes else [-2.0, 2.0]) if mixed else made[0]
    return TableModel(network, encoder, target, {"weights": None, "drop": [], "hidden": [4]})


@pytest.mark.parametrize(("format", "options"), FORMATS[:-1], ids=IDS[:-1])
@given(model=tables())
@ALL
def test_a_table_with_any_names(tmp_path, format, options, model):
    proved(model.program(), tmp_path, format, options)
