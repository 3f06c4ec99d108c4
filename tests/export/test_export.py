"""What every export has in common: it proves itself or leaves nothing, says what it cannot do, and takes any model."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import neural_network
from sklearn.exceptions import NotFittedError

import netwright
from exported import always, everything, frame, table_model
from netwright import (
    Activation,
    MLPClassifier,
    MLPRegressor,
    Network,
    TabularClassifier,
    TabularRegressor,
    train_table,
)
from netwright.export import python
from netwright.export.export import export
from netwright.export.expression import OPERATIONS, Untold, told, value
from netwright.files import atomic
from netwright.tables.target import TargetEncoder

MODELS = dict(everything())
Z = np.linspace(-30, 30, 241)


@pytest.mark.parametrize("name", netwright.ACTIVATIONS)
def test_an_activation_tells_what_it_does(name):
    f = netwright.ACTIVATIONS[name].f
    if name == "softmax":
        with pytest.raises(Untold, match="max"):
            told(f, "z")
        return
    np.testing.assert_array_equal(value(told(f, "z"), z=Z), f(Z))


@pytest.mark.parametrize(
    "f",
    [
        lambda z: z**3 - np.square(z) / 2,
        lambda z: np.where(z > 1, np.sqrt(abs(z)), -z) + 2**z,
        lambda z: np.sign(z) * np.log1p(np.abs(z)) - np.reciprocal(1 + z * z),
        lambda z: np.clip(z, -1, 2) ** 2.5 if isinstance(z, str) else np.power(np.clip(z, 0, 2), 2.5),
        lambda z: (z > 0) * z + (z <= 0) * np.expm1(z),
        lambda z: np.float64(2) * z - np.float32(0.5),
    ],
)
def test_an_own_function_tells_what_it_does(f):
    np.testing.assert_allclose(value(told(f, "z"), z=Z), f(Z), rtol=1e-15)


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda z: np.arctan(z), "arctan"),
        (lambda z: z if z > 0 else 0 * z, "numpy.where"),
        (lambda z: z * np.arange(3), "ndarray"),
        (lambda z: np.add.reduce(z), "add.reduce"),
        (lambda z: z.clip(0, 1), "clip"),
        (lambda z: 3.0, "float"),
        (lambda z: np.cumsum(z), "cumsum"),
    ],
)
def test_what_nobody_can_tell_is_said(f, why):
    with pytest.raises(Untold, match=why):
        told(f, "z")


def test_an_own_activation_is_in_every_format_or_refused_in_all(tmp_path):
    cube = Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2)
    assert Network([2, 3, 1], cube, rng=0).export(tmp_path / "own.py").labels == 0
    bend = Activation("bend", np.arctan, lambda Z, A: 1 / (1 + Z**2))
    with pytest.raises(ValueError, match=r"the activation 'bend' cannot be exported, in any format: it calls .*arctan"):
        Network([2, 3, 1], bend, rng=0).export(tmp_path / "bend.py")
    assert {path.name for path in tmp_path.iterdir()} == {"own.py", "own.test.json"}


def test_an_export_that_is_not_right_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    model, files = MODELS["tanh"], python.files

    def wrong(program, name, **options):
        return {
            path: data.replace(b"math.tanh", b"1.0000001 * math.tanh") for path, data in files(program, name).items()
        }

    monkeypatch.setattr(python, "files", wrong)
    with pytest.raises(ValueError, match="python export is not right, and nothing was written: a number differs by"):
        model.export(tmp_path / "m.py")
    assert list(tmp_path.iterdir()) == []


def offset_model():
    """Numbers about 10⁹, some units apart."""
    model = table_model()
    model.target = TargetEncoder("y", "regression", "", [], 1e9, 3.0)
    return model


@pytest.mark.parametrize(("format", "options"), [("python", {}), ("python", {"numpy": True}), ("sql", {}), ("onnx", {}),
                                                 ("javascript", {}), ("c", {}), ("c", {"float32": True})])  # fmt: skip
def test_numbers_with_an_offset_are_right_to_their_spread(tmp_path, format, options):
    model = offset_model()
    assert model.export(tmp_path / "m", format, **options).difference < (1e-4 if options.get("float32") else 1e-12)
    program = model.program()
    nothing = [tuple(replace(layer, W=0 * layer.W, b=0 * layer.b) for layer in layers) for layers in program.networks]
    with pytest.raises(ValueError, match="is not right"):
        export(replace(program, networks=tuple(nothing)), tmp_path / "z", format, **options)


def test_another_label_is_an_error(tmp_path, monkeypatch):
    run = python.run

    def other(program, folder, name, table, **options):
        values, labels = run(program, folder, name, table)
        return values, np.where(np.arange(len(labels))[:, None] == 3, (labels + 1) % 3, labels)

    monkeypatch.setattr(python, "run", other)
    with pytest.raises(ValueError, match="1 of 256 labels differ"):
        MODELS["classes"].export(tmp_path / "m.py")


def test_without_a_runtime_nothing_is_proved_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "run", lambda *given, **options: None)
    proof = MODELS["tanh"].export(tmp_path / "m.py")
    assert proof.difference is None
    assert str(proof) == "not proved here: Python is not there"
    assert (tmp_path / "m.py").exists()


@pytest.mark.parametrize("name", ["table, classes", "table, number", "two", "numbers", "cross_entropy"])
def test_rows_and_answers_go_along(tmp_path, name):
    model = MODELS[name]
    proof = model.export(tmp_path / "m.py")
    assert [path.name for path in proof.files] == ["m.py", "m.test.json"]
    said = json.loads((tmp_path / "m.test.json").read_text())
    values = np.array(said["values"])
    assert values.shape == (256, len(said["numbers"]))
    if "x" in said:
        x = np.array(said["x"])
        if isinstance(model, Network):
            np.testing.assert_allclose(values, model.predict(x.T).T)
        else:
            predicted = model.predict(x)
            np.testing.assert_array_equal(np.reshape(said.get("labels", said["values"]), predicted.shape), predicted)
        return
    rows = dict(said["columns"])
    rows["when"] = [None if t is None else np.datetime64(int(t), "us") for t in rows["when"]]
    assert {None} < {*rows["level"]}
    with pytest.warns(UserWarning, match="categories that training did not have"):
        predicted = model.predict({name: np.array([*column, None], object)[:-1] for name, column in rows.items()})
    if "labels" in said:
        assert [label for (label,) in said["labels"]] == predicted.tolist()
    else:
        np.testing.assert_allclose(values[:, 0], predicted)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("m.txt",), "must end in one of .onnx"),
        (("m",), "or say the format"),
        (("m.py", "pyton"), "unknown format 'pyton'; did you mean 'python'"),
        (("m.py", 3), "format must be"),
        ((3,), "path must be"),
    ],
)
def test_a_format_that_is_not_there_is_named(tmp_path, monkeypatch, given, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        MODELS["tanh"].export(*given)
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_a_format_has_not_is_named(tmp_path):
    with pytest.raises(ValueError, match="the format 'python' has no option 'int8'; it takes numpy"):
        MODELS["tanh"].export(tmp_path / "m.py", int8=True)
    with pytest.raises(ValueError, match="numpy must be True or False, got 'yes'"):
        MODELS["tanh"].export(tmp_path / "m.py", numpy="yes")


def test_a_place_that_cannot_be_written_is_named_before(tmp_path):
    with pytest.raises(OSError, match="gone"):
        MODELS["tanh"].export(tmp_path / "gone" / "m.py")


def test_what_was_not_fitted_has_nothing_to_export(tmp_path):
    for model in (MLPClassifier(), TabularClassifier()):
        with pytest.raises(NotFittedError):
            model.export(tmp_path / "m.py")


def test_an_estimator_of_named_columns_takes_them_by_name(tmp_path):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b c"])
    model = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", random_state=0, max_iter=500).fit(X, X["a"] ** 2)
    model.export(tmp_path / "m.py")
    space = {"__name__": "exported"}
    exec((tmp_path / "m.py").read_text(), space)
    rows = [{"b c": b, "a": a} for a, b in X.to_numpy().tolist()]
    np.testing.assert_allclose([space["predict"](row) for row in rows], model.predict(X), rtol=1e-12)


def test_every_operation_is_numpys():
    assert all(function is getattr(np, name) for name, function in OPERATIONS.items())


# ── scikit-learn's own ──


def data(targets=1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    return X, (X @ rng.normal(size=(3, targets))).squeeze()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", ["two", "three", "labels", "number", "numbers"])
def test_scikit_learns_own_perceptrons_come_and_go(tmp_path, case):
    X, y = data(2 if case in ("labels", "numbers") else 1)
    y = {"two": lambda: y > 0, "three": lambda: np.array(["c", "a", "b"])[np.digitize(y, [-1, 1])],
         "labels": lambda: (y > 0).astype(int)}.get(case, lambda: y)()  # fmt: skip
    options = {"hidden_layer_sizes": (6, 4), "activation": "logistic", "max_iter": 20, "random_state": 1}
    kind = neural_network.MLPRegressor if case.startswith("number") else neural_network.MLPClassifier
    theirs = kind(**options).fit(X, y)
    ours = netwright.from_sklearn(theirs)
    assert type(ours).__module__.startswith("netwright")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-12) if y.dtype.kind == "f" else (
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    )
    ours.save(tmp_path / "m.safetensors")
    proof = netwright.load(tmp_path / "m.safetensors").export(tmp_path / "back.py", "sklearn")
    assert proof.difference <= 1e-12
    space = {}
    exec((tmp_path / "back.py").read_text(), space)
    assert type(space["model"]) is kind
    np.testing.assert_array_equal(space["model"].predict(X), theirs.predict(X))
    ours.partial_fit(X, y)  # goes on


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gelu", "hidden layers' 'gelu'"),
        ("table, number", "a table's columns"),
        ("cross_entropy:2,3", "softmax of 2 and 3 classes"),
        ("poisson", "last layer's exp"),
    ],
)
def test_what_scikit_learn_cannot_hold_is_refused(tmp_path, name, words):
    with pytest.raises(ValueError, match=f"the format 'sklearn' cannot hold .*{words}"):
        MODELS[name].export(tmp_path / "m.py", "sklearn")
    assert list(tmp_path.iterdir()) == []


def test_from_sklearn_takes_nothing_else():
    with pytest.raises(ValueError, match="estimator must be scikit-learn's MLPClassifier or MLPRegressor"):
        netwright.from_sklearn(object())
    with pytest.raises(NotFittedError):
        netwright.from_sklearn(neural_network.MLPRegressor())


# ── others' weights ──


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_network_is_made_of_others_weights(dtype):
    rng = np.random.default_rng(0)
    W = [rng.normal(size=size).astype(dtype) for size in ((5, 3), (2, 5))]
    b = [rng.normal(size=size).astype(dtype) for size in (5, 2)]
    x = rng.normal(size=(3, 7)).astype(dtype)
    right = W[1] @ np.maximum(W[0] @ x + b[0][:, None], 0) + b[1][:, None]
    torch = Network.from_weights(W, b)
    keras = Network.from_weights([each.T for each in W], b, transposed=True)
    assert torch.dtype == dtype
    for network in (torch, keras):
        np.testing.assert_allclose(network.predict(x), right, rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize(
    ("W", "b", "words"),
    [
        ([np.ones((5, 3)), np.ones((5, 2))], [np.ones(5), np.ones(2)], "say transposed=True"),
        ([np.ones((5, 3))], [], "must be as many"),
        ([np.ones(3)], [np.ones(1)], r"weights\[0\] must have two axes"),
        ([np.ones((2, 3))], [np.ones(3)], "b must have shape"),
        ([[["x"]]], [[1]], r"weights\[0\]"),
    ],
)
def test_weights_that_do_not_fit_are_named(W, b, words):
    with pytest.raises(ValueError, match=words):
        Network.from_weights(W, b)


def test_the_trial_has_what_training_had_and_more():
    model = table_model()
    program = model.program()
    from netwright.export.export import trial

    table = trial(program)
    assert {*table} == {*frame().names}
    for column in table.values():
        assert len(column) == 256
        assert None in column
    known = {each for each in frame().column("level") if each is not None}
    assert known & {*table["level"]}
    assert {*table["level"]} - known - {None}
    far = np.array([x for x in table["number"] if x is not None])
    assert np.abs(far).max() > 1000


# ── files that are there ──


@pytest.mark.parametrize("format", ["onnx", "c", "python", "javascript", "sql", "sklearn"])
def test_an_export_replaces_exports_and_nothing_else(tmp_path, format):
    """It may be done again; somebody's own file, which it would take the place of, stays, and nothing is written."""
    model = MODELS["two" if format == "sklearn" else "table, classes"]
    files = model.export(tmp_path / "m", format).files
    assert model.export(tmp_path / "m", format).files == files
    for own in files:
        for path in files:
            path.unlink(missing_ok=True)
        own.write_text("import netwright  # mine")
        with pytest.raises(ValueError, match=f"{own.name} is there already and was not written by an export"):
            model.export(tmp_path / "m", format)
        assert {path.name for path in tmp_path.iterdir()} == {own.name}
        assert own.read_text() == "import netwright  # mine"


def test_a_name_of_ones_own_is_tried_before(tmp_path):
    (tmp_path / "m.js").mkdir()
    with pytest.raises(OSError, match=r"m\.js"):
        MODELS["tanh"].export(tmp_path / "m.js")
    assert [path.name for path in tmp_path.iterdir()] == ["m.js"]


# ── models that say the same of every row ──


@pytest.mark.parametrize("format", ["onnx", "c", "python", "javascript", "sql"])
def test_a_model_that_says_the_same_of_every_row_is_exported_too(tmp_path, format):
    for name, model in always():
        proof = model.export(tmp_path / name, format)
        assert (proof.difference, proof.labels) == (0, 0)
        said = json.loads((tmp_path / f"{name}.test.json").read_text())
        assert len(np.unique(said["values"], axis=0)) == 1
    with pytest.raises(ValueError, match="the format 'sklearn' cannot hold a single class"):
        next(always())[1].export(tmp_path / "m", "sklearn")


def test_numbers_without_end_are_told_too(tmp_path):
    """JSON has no infinity, and another language's reader takes nothing that is no JSON."""
    network = Network([1, 1, 1], "identity", loss="squared_error", rng=0)
    network.layers[0].W[:] = network.layers[1].W[:] = 1.3e154
    assert network.export(tmp_path / "m.py").difference <= 1e-12

    def refuse(name):
        raise AssertionError(name)

    said = json.loads((tmp_path / "m.test.json").read_text(), parse_constant=refuse)
    found = np.array(said["values"], float)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found, network.predict(np.array(said["x"]).T).T)
    assert np.isinf(found).any()


@pytest.mark.parametrize("format", ["onnx", "c", "python", "javascript", "sql"])
def test_one_of_several_targets_may_have_a_single_class(tmp_path, format):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.array([["a", k] for k in "xyz" * 20])
    model = MLPClassifier((4,), max_iter=500, solver="lbfgs", alpha=1.0, random_state=0).fit(X, y)
    assert model.export(tmp_path / "m", format).labels == 0
    said = json.loads((tmp_path / "m.test.json").read_text())
    assert [row[0] for row in said["values"]] == [1.0] * 256
    assert len({tuple(row) for row in said["labels"]}) > 1


def test_of_an_export_that_cannot_be_written_nothing_is_left(tmp_path, monkeypatch):
    write, model = atomic.write_atomically, MODELS["tanh"]

    def full(path, data):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device", str(path))
        write(path, data)

    monkeypatch.setattr("netwright.export.export.write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        model.export(tmp_path / "m.c")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", ["# this runs what was written by netwright\n", '"""Mine.\n\nIt was written by netwright."""\n']
)
def test_who_speaks_of_exports_is_no_export(tmp_path, words):
    (tmp_path / "own.py").write_text(words)
    with pytest.raises(ValueError, match=r"own\.py is there already"):
        MODELS["tanh"].export(tmp_path / "own.py")
    assert (tmp_path / "own.py").read_text() == words


@pytest.mark.parametrize("format", ["python", "c", "javascript", "onnx", "sql"])
def test_a_steep_model_may_be_as_unsure_as_it_is_and_no_more(tmp_path, format):
    """exp(exp(z)) multiplies what rounding does by a hundred or so; a weight that is wrong by a millionth is none."""
    network = Network([3, 4, 4, 3], ["exp", "exp", "exp"], loss="poisson", rng=1)
    for layer in network.layers[1:]:
        layer.W[:] = np.abs(layer.W) * 0.7
    program = network.program()
    proof = export(program, tmp_path / "m", format)
    assert proof.difference <= proof.bound <= 1e-9
    *before, last = program.networks[0]
    W = last.W.copy()
    W[0, 0] *= 1 + 1e-6
    wrong = replace(program, networks=((*before, replace(last, W=W)),))
    with pytest.raises(ValueError, match="is not right"):
        export(wrong, tmp_path / "z", format)


def test_numbers_near_the_end_of_what_a_double_holds_are_tried_within_it(tmp_path):
    table = pd.DataFrame({"x": np.linspace(-1, 1, 40) * 1e306})
    model = TabularRegressor(max_time=1, random_state=0).fit(table, np.linspace(-1, 1, 40))
    assert model.export(tmp_path / "m.py").difference <= 1e-12


@pytest.mark.parametrize("options", [{}, {"numpy": True}])
def test_the_python_program_reads_a_header_as_training_does_and_no_endless_number(tmp_path, options):
    (tmp_path / "t.csv").write_text("a, b, y\n" + "".join(f"{i % 7}, {i % 5}, {'pq'[i % 2]}\n" for i in range(60)))
    model = train_table(tmp_path / "t.csv", "y", hidden=[3], epochs=2, validation=0)
    model.export(tmp_path / "m.py", **options)

    def program(text):
        (tmp_path / "rows.csv").write_text(text)
        command = [sys.executable, "-I", "m.py", "rows.csv"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert program("a, b\n1, 2\n").stdout.split() == ["y", *model.predict({"a": [1], "b": [2]})]
    for word in ("inf", "1e999", "1_0"):
        assert f"not a finite number: '{word}'" in program(f"a,b\n1,{word}\n").stderr
