"""Every kind of file with junk in every place of its header: refused when it is loaded, in one sentence, or it works.

The files are the frozen ones. Where junk is a value that the place may have, what is loaded does as it says.
"""

import json
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import netwright
from forgery import changed, first_places, forge
from netwright.files.container import read
from netwright.files.schema import FileKind, check, fraction, natural, one_of, plain, tagged

FROZEN = Path(__file__).parents[1] / "frozen"
TABLE = {name: np.array(values, object if name == "shop" else None) for name, values in {
    "size": [0.5, np.nan, -1.0], "shop": ["shop 0", None, "new"], "day": np.array(["2024-03-01"] * 3, "M8[us]"),
}.items()}  # fmt: skip
X = np.linspace(-1, 1, 12).reshape(4, 3)


def use_network(network):
    network.predict(X)
    network.summary()


def use_estimator(estimator):
    estimator.predict(X.T)
    estimator.summary()
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        y = X[: estimator.n_outputs_].T if estimator.n_outputs_ > 1 else X[0]
    else:
        y = np.stack([each[[0, 1, 0]] for each in classes], 1) if isinstance(classes, list) else classes[[0, 1, 0]]
    estimator.partial_fit(X.T, y)


def use_tabular(estimator):
    estimator.predict(TABLE)
    estimator.describe()
    estimator.summary()


def use_table(model):
    model.outputs(TABLE, notes=[])
    model.predict(TABLE)
    model.summary()
    repr(model)


USES = {
    "network-float64": use_network,
    "classifier-outputs-float32": use_estimator,
    "regressor-outputs-float64": use_estimator,
    "TabularClassifier": use_tabular,
    "table-one-dear": use_table,
    "table-mixture-price": use_table,
    "checkpoint-adam-float64": use_network,
}
GONE = object()
JUNK = [GONE, None, True, -1, 1e300, "x", [[]], {"$tensor": "x"}]


def loaded_or_why(path):
    """(what is loaded, ""), or (None, the sentence with which it is refused)."""
    try:
        return netwright.load(path), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", USES)
def test_junk_in_any_place_is_refused_when_it_is_loaded_or_works(name, tmp_path):
    kind, tensors, said = read(FROZEN / f"{name}.safetensors")
    path, refused = tmp_path / "model", 0
    forge(path, said, tensors, kind=kind)
    USES[name](netwright.load(path))
    for way in first_places(said):
        for junk in JUNK:
            forge(path, changed(said, way, junk, gone=junk is GONE), tensors, kind=kind)
            loaded, sentence = loaded_or_why(path)
            if sentence:
                refused += 1
                assert sentence.startswith(f"{path}: ")
                assert "\n" not in sentence
                assert len(sentence) < 550
                continue
            with suppress(ValueError, FloatingPointError):  # of numbers that it makes too large, say
                USES[name](loaded)
                loaded.save(tmp_path / "again")
                netwright.load(tmp_path / "again")
    assert refused > 0.5 * len(list(first_places(said)))


NUMBERS = {
    "a long number": "1" * 5000,
    "a longer one": "1" * 50_000,
    "nested": "[" * 100_000,
    "a long key": '{"' + "k" * 10**6,
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("where", ["header", "version", "kind"])
def test_what_is_long_or_deep_is_refused_at_once_and_in_short(name, where, tmp_path):
    forge(tmp_path / "m", {}, {"theta": np.ones(1)}, **{where: NUMBERS[name]})
    begun = time.perf_counter()
    with pytest.raises(ValueError, match="m") as caught:
        netwright.load(tmp_path / "m")
    assert time.perf_counter() - begun < 1
    assert str(caught.value).startswith(str(tmp_path / "m"))
    assert len(str(caught.value)) < 500


LONG = ["cross_entropy:" + "1," * 100_000, "quantile:" + "0.5," * 100_000, "softmax:" + "1," * 100_000, "x" * 500_000]


@pytest.mark.parametrize("name", LONG, ids=[name[:9] for name in LONG])
def test_a_long_name_is_refused_at_once(name, tmp_path):
    """A loss spells a number for each output, and to make sense of a megabyte of them takes a minute."""
    kind, tensors, said = read(FROZEN / "classifier-float64.safetensors")
    netwright.load(FROZEN / "classifier-float64.safetensors")  # imports what it needs
    first = ("networks", 0, "network")
    for way in (
        (*first, "loss"), (*first, "layers", 0, "activation"), (*first, "layers", 0, "initializer"),
        *(("parameters", each) for each in ("loss", "activation", "output_activation", "schedule", "solver")),
    ):  # fmt: skip
        forge(tmp_path / "m", changed(said, way, name), tensors, kind=kind)
        begun = time.process_time()
        loaded, sentence = loaded_or_why(tmp_path / "m")
        assert time.process_time() - begun < 0.5
        assert loaded is None
        assert len(sentence) < 550


@pytest.mark.parametrize("name", ["classifier-float64", "regressor-float64", "TabularClassifier", "TabularRegressor"])
def test_engine_and_threads_are_for_whoever_loads_it_to_say(name, tmp_path):
    kind, tensors, said = read(FROZEN / f"{name}.safetensors")
    said["parameters"] |= {"engine": "fused", "n_threads": 2000}
    forge(tmp_path / "m", said, tensors, kind=kind)
    loaded = netwright.load(tmp_path / "m")
    assert (loaded.engine, loaded.n_threads) == (type(loaded)().engine, None)
    assert loaded.set_params(engine="plain", n_threads=1).engine == "plain"


def test_a_key_of_a_newer_netwright_is_refused(tmp_path):
    for name in USES:
        kind, tensors, said = read(FROZEN / f"{name}.safetensors")
        forge(tmp_path / "m", said | {"new": 1}, tensors, kind=kind)
        with pytest.raises(ValueError, match="it has 'new', which this netwright does not know; upgrade netwright"):
            netwright.load(tmp_path / "m")


def test_the_writer_checks_by_the_same_shape(tmp_path):
    model = netwright.load(FROZEN / "table-one-dear.safetensors")
    model.settings["rows"] = "many"
    with pytest.raises(ValueError, match=r"does not describe a table: settings\.rows must be a whole number"):
        model.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


# ── the language of shapes ───────────────────────────────────────────────────────────────────────────────────────────

SHAPE = {
    "name": str,
    "rate?": fraction,
    "sizes": [natural],
    "limit": (None, natural),
    "way": tagged("kind", {"up": {"by": natural}, "down": {}}, "way"),
    "mode?": one_of("a", 1),
    "rest?": {"...": plain},
}
GOOD = {"name": "x", "sizes": [1, 2], "limit": None, "way": {"kind": "up", "by": 3}}
SAID = {
    "as it must be": ({}, None),
    "with what may be missing": ({"rate": 0.5, "mode": 1, "rest": {"any": [{"thing": None}]}}, None),
    "an integer for a number": ({"rate": 1}, None),
    "another type": ({"name": 1}, "name must be a text, got 1"),
    "an integer that no float holds": ({"rate": -(10**30)}, r"rate must be at most 2\^53, got -1000"),
    "true for a number": ({"rate": True}, "rate must be a finite number between 0 and 1, got True"),
    "a list of something else": ({"sizes": [1, "2"]}, r"sizes\[1\] must be a whole number of at least 0, got '2'"),
    "no list": ({"sizes": {"0": 1}}, "sizes must be a list, got"),
    "neither": ({"limit": -1}, "limit must be a whole number of at least 0, got -1"),
    "an unknown tag": ({"way": {"kind": "left"}}, "way is of an unknown way 'left'; choose one of up, down"),
    "no tag": ({"way": {"by": 3}}, "way has no 'kind'"),
    "what the tag does not have": ({"way": {"kind": "down", "by": 3}}, "way has 'by', which this netwright does not"),
    "an unknown key": ({"nmae": "x"}, "it has 'nmae', which this netwright does not know"),
    "none of them": ({"mode": True}, "mode must be 'a' or 1, got True"),
    "deep": ({"rest": {"x": json.loads("[" * 50 + "]" * 50)}}, "rest.x is nested more than 40 times"),
    "no JSON": ({"rest": {"x": object()}}, "rest.x must be what JSON can say, got <object"),
}


@pytest.mark.parametrize("name", SAID)
def test_a_shape_says_what_is_wrong_and_where(name):
    change, match = SAID[name]
    if match is None:
        check(SHAPE, GOOD | change)
        return
    with pytest.raises(ValueError, match=match):
        check(SHAPE, GOOD | change)


def test_a_kind_of_file_is_written_and_read_by_its_shape(tmp_path):
    kind, other = FileKind("thing", SHAPE), FileKind("animal", SHAPE)
    kind.write(tmp_path / "m", {"a": np.arange(3.0)}, GOOD)
    tensors, header = kind.read(tmp_path / "m")
    assert (tensors["a"].tolist(), header) == ([0, 1, 2], GOOD)
    with pytest.raises(ValueError, match="m holds a thing, not a animal"):
        other.read(tmp_path / "m")
    with pytest.raises(ValueError, match="its header does not describe a thing: name must be a text"):
        kind.write(tmp_path / "other", {}, GOOD | {"name": None})
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="holds a 'thing', which this netwright does not know"):
        netwright.load(tmp_path / "m")
