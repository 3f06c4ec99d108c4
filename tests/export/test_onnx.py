"""The ONNX export, run by ONNX Runtime and by ONNX's own reference of its operators."""

import json
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from exported import HOSTILE, everything, one_network, table_model
from netwright import Network
from netwright.export import onnx as written
from netwright.export.export import compared, trial
from netwright.export.expression import OPERATIONS, Expression, made, value
from netwright.export.onnx_graph import LONGER, ONNX
from netwright.export.program import Target, TextColumn

if not os.environ.get("CI"):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

MODELS = dict(everything())
TABLES = [name for name in MODELS if name.startswith("table")]
Z, HALF = Expression("z"), 0.7


def model_of(program):
    return onnx.load_from_string(written.files(program, "model")["model.onnx"])


def answered(program, table):
    """The outputs by name, by ONNX Runtime."""
    session = onnxruntime.InferenceSession(written.files(program, "model")["model.onnx"])
    names = [each.name for each in session.get_inputs()]
    found = session.run(None, written.feed(program, table, names))
    return dict(zip([each.name for each in session.get_outputs()], found, strict=True))


def rows_of(table, rows):
    return {name: column[rows] for name, column in table.items()} if isinstance(table, dict) else table[rows]


def about(program):
    return {each.key: each.value for each in model_of(program).metadata_props}


@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name):
    proof = MODELS[name].export(tmp_path / "model.onnx")
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.test.json"}


@pytest.mark.parametrize("name", ["mish", "cross_entropy:2,3", "float32", "labels", *TABLES])
def test_the_standards_own_reference_finds_the_same(name):
    program = MODELS[name].program()
    table = written.takes(program, trial(program, rows=40))
    model = model_of(program)
    given = written.feed(program, table, [each.name for each in model.graph.input])
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(model).run(None, given)
    for one, other in zip(found, answered(program, table).values(), strict=True):
        assert one.shape == other.shape
        if one.dtype.kind == "f":
            assert one == pytest.approx(other, rel=1e-12 if program.dtype == "float64" else 1e-5, abs=1e-9)
        else:
            assert one.tolist() == other.tolist()


@pytest.mark.parametrize("name", MODELS)
def test_the_checker_knows_every_shape(name):
    program = MODELS[name].program()
    model = model_of(program)
    onnx.checker.check_model(model, full_check=True)
    bare = onnx.ModelProto.FromString(model.SerializeToString())
    for each in bare.graph.output:
        each.type.tensor_type.ClearField("shape")
    found = onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True).graph.output
    for inferred, said in zip(found, model.graph.output, strict=True):
        shapes = [[each.dim_value for each in info.type.tensor_type.shape.dim][1:] for info in (inferred, said)]
        assert shapes[0] == shapes[1]
        assert all(size > 0 for size in shapes[0])


# ── every operation, in both dtypes ──


@pytest.mark.parametrize("name", MODELS)
def test_a_viewer_finds_nothing_loose(name):
    """What is drawn leads somewhere: each node and each constant to an output."""
    graph = model_of(MODELS[name].program()).graph
    used = {each for node in graph.node for each in node.input} | {each.name for each in graph.output}
    assert {each for node in graph.node for each in node.output} <= used
    assert {each.name for each in graph.initializer} <= used


def cases():
    """(operation, expression of z, where it is defined)."""
    for name in OPERATIONS:
        positive = name in ("log", "log1p", "sqrt", "power")
        if name == "where":
            yield name, made(name, made("less", Z, HALF), Z, made("negative", Z)), positive
            yield "where, of a number", made(name, made("floor", Z), Z, 3.0), positive
        elif OPERATIONS[name].nin == 1:
            yield name, made(name, Z), positive
        elif name in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
            yield name, made("where", made(name, Z, 0.5), Z, 9.0), positive
        else:
            yield name, made(name, Z, HALF), positive
            yield f"{name}, a number first", made(name, HALF, Z), positive


CASES = {name: rest for name, *rest in cases()}


def test_no_operation_is_missing():
    assert set(ONNX) | set(LONGER) == set(OPERATIONS)
    assert not set(ONNX) & set(LONGER)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_an_operation_computes_what_numpys_does(name, dtype):
    f, positive = CASES[name]
    z = np.concatenate([np.linspace(-6, 6, 49), [1e-9, -1e-9, 0.5, 1e-3, 20.0, -20.0]])
    z = np.abs(z) + 1e-12 if positive else z[z != 0]
    z = z.astype(dtype)[:, None]
    plain = Network([1, 1], loss="squared_error", dtype=dtype, rng=0).program()
    layer = replace(plain.networks[0][0], W=np.ones((1, 1), dtype), b=np.zeros(1, dtype), f=f)
    found = answered(replace(plain, networks=((layer,),)), z)["Y"]
    assert found.dtype == dtype
    right = value(f, z=z)
    small = 2 * float(np.finfo(dtype).eps) if name == "cos" else 0  # 1 less something: not as exact near zero
    assert found == pytest.approx(right, rel=2e-15 if dtype == "float64" else 1e-6, abs=small)


def test_only_operators_whose_float64_every_onnx_runtime_has():
    """Cos, Erf, Softplus and others it has, or long had, in float32 only: nothing may use them by and by."""
    has = {
        *("Neg", "Abs", "Exp", "Log", "Sqrt", "Tanh", "Sin", "Floor", "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"),
        *("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Not", "Where", "IsNaN", "Clip", "Cast"),
        *("Gemm", "Softmax", "ArgMax", "ReduceSum", "Concat", "Gather", "Slice", "Reshape", "LabelEncoder", "Identity"),
    }
    for model in MODELS.values():
        assert {node.op_type for node in model_of(model.program()).graph.node} <= has


# ── what it says of itself ──


def test_the_file_says_what_it_is():
    model = model_of(MODELS["table, classes"].program())
    assert {each.domain: each.version for each in model.opset_import} == {"": 13, "ai.onnx.ml": 2}
    assert model.ir_version == 7
    assert model.producer_name == "netwright"
    assert "Z = W·A1 + b" in model.graph.doc_string
    said = about(MODELS["table, classes"].program())
    assert set(said) == {"title", "netwright", "inputs", "outputs"}
    assert repr(MODELS["table, classes"]) == said["title"]


def test_names_are_identifiers_and_differ_whatever_the_columns_are_called():
    program = table_model(3).program()
    names = [*HOSTILE, "Z1", "label", "probabilities", "c", "c_2", "gone", "x" * 301]
    numbers = replace(program.columns[0])
    extra = tuple(replace(numbers, name=name) for name in names)
    ends = sum(len(column.missing) for column in extra)
    layers = tuple(
        (replace(layers[0], W=np.hstack([layers[0].W, np.zeros((len(layers[0].W), ends))])), *layers[1:])
        for layers in program.networks
    )
    program = replace(program, columns=(*program.columns, *extra), networks=layers, inputs=program.inputs + ends)
    model = model_of(program)
    made = [name for node in model.graph.node for name in node.output]
    taken = [each.name for each in (*model.graph.input, *model.graph.initializer)]
    assert len({*made, *taken}) == len(made) + len(taken)
    assert all(re.fullmatch("[A-Za-z_][0-9A-Za-z_]*", name) for name in [*made, *taken])
    said = json.loads(about(program)["inputs"])
    assert [each["column"] for each in said] == [column.name for column in program.columns]
    assert [each["input"] for each in said] == [each.name for each in model.graph.input]
    called = {each["column"]: each["input"] for each in said}
    assert (called["number"], called["label"], called["x" * 300]) == ("number", "label", "x" * 300)
    assert (called["x\ty"], called["0"], called[" spaced "]) == ("x_y", "_0", "spaced")


def test_hostile_levels_and_classes_are_data():
    program = table_model(len(HOSTILE) - 1).program()
    model = model_of(program)
    found = answered(program, written.takes(program, trial(program)))
    classes = [each for each in HOSTILE if each]
    assert set(found["label"]) <= set(classes)
    assert json.loads(about(program)["outputs"])[0]["classes"] == list(program.targets[0].classes)
    keys = [set(a.strings) for node in model.graph.node for a in node.attribute if a.name == "keys_strings"]
    assert any({each.encode() for each in classes} <= each for each in keys)
    standard = {"", "ai.onnx.ml"}
    assert all(node.domain in standard for node in model.graph.node)
    assert not model.functions
    assert not any(each.external_data for each in model.graph.initializer)


def test_a_text_that_is_no_unicode_is_refused():
    program = table_model(2).program()
    column = next(each for each in program.columns if isinstance(each, TextColumn))
    worse = replace(column, codes=column.codes | {"\ud800": 0})
    program = replace(program, columns=tuple(worse if each is column else each for each in program.columns))
    with pytest.raises(ValueError, match=r"\\ud800.*no valid Unicode"):
        written.files(program, "model")


# ── rows, gaps, labels ──


@pytest.mark.parametrize("name", ["gelu", "table, classes", "table, one network"])
def test_one_row_and_a_thousand_give_what_each_row_gives(name):
    program = MODELS[name].program()
    table = written.takes(program, trial(program, rows=1000))
    many = answered(program, table)
    for row in (0, 1, 999):
        for key, found in answered(program, rows_of(table, slice(row, row + 1))).items():
            if found.dtype.kind == "f":
                assert found[0] == pytest.approx(many[key][row], rel=1e-12 if found.dtype == np.float64 else 1e-5)
            else:
                assert found[0] == many[key][row]
    right = program.answers(table)
    found = np.hstack([each for each in many.values() if each.ndim == 2])
    assert compared(program, right, (found, right[1]))[0] <= (1e-12 if program.dtype == "float64" else 1e-6)


def test_the_empty_text_is_a_missing_one():
    program = table_model(3).program()
    for column in program.columns:
        if isinstance(column, TextColumn):
            assert written.gap_of(column) == ""
    table = trial(program, rows=30)
    for column in program.columns:
        if isinstance(column, TextColumn):
            table[column.name] = [None] * 30
    empty = {name: ["" if each is None else each for each in column] for name, column in table.items()
             if isinstance(next(c for c in program.columns if c.name == name), TextColumn)}  # fmt: skip
    assert answered(program, table | empty)["probabilities"] == pytest.approx(program.answers(table)[0], rel=1e-12)


def test_where_the_empty_text_is_a_level_a_word_stands_for_a_missing_one():
    column = TextColumn("level", "text", {"a": 0, "": 1, "(missing)": 2}, np.diag(np.arange(1.0, 6)), 3, 4)
    plain = Network([5, 5], loss="squared_error", rng=0).program()
    layer = replace(plain.networks[0][0], W=np.eye(5), b=np.zeros(5))
    program = replace(plain, columns=(column,), networks=((layer,),))
    table = {"level": ["a", "", "(missing)", "new", None]}
    assert np.hstack([*answered(program, table).values()]).tolist() == np.diag(np.arange(1.0, 6)).tolist()
    assert json.loads(about(program)["inputs"])[0]["missing"] == "(missing 0)"


@pytest.mark.parametrize(
    ("classes", "dtype", "labels"),
    [
        (("no", "yes"), object, ["no", "yes"]),
        ((False, True), np.int64, [0, 1]),
        ((3, 70), np.int64, [3, 70]),
        ((1.0, 2.0), np.int64, [1, 2]),
        ((0.5, 2.0), np.float64, [0.5, 2.0]),
        ((0, 1e300), np.float64, [0, 1e300]),
        ((1, "one"), object, ["1", "one"]),
    ],
)
def test_labels_are_of_the_classes_kind(classes, dtype, labels):
    program = replace(table_model(2).program(), targets=(Target("y", 0, 1, classes),))
    table = written.takes(program, trial(program))
    found = answered(program, table)
    assert found["label"].dtype == dtype
    assert found["label"].tolist() == [labels[p > 0.5] for p in found["probabilities"][:, 1].tolist()]
    assert found["probabilities"].shape == (256, 2)


def test_several_targets_are_several_outputs():
    program = MODELS["labels"].program()
    assert list(answered(program, trial(program))) == [
        *("label_label_0", "probabilities_label_0", "label_label_1", "probabilities_label_1"),
    ]
    program = replace(one_network().program(), targets=(Target("a b", 0, 1, (), 2.0, 3.0), Target("a-b", 0, 1)))
    found = answered(program, trial(program))
    assert list(found) == ["prediction_a_b", "prediction_a_b_2"]
    assert found["prediction_a_b"] == pytest.approx(2 + 3 * found["prediction_a_b_2"], rel=1e-6)


# ── what does not go ──


def test_more_than_protobuf_holds_is_refused_with_its_size(monkeypatch, tmp_path):
    network = Network([30, 40, 1], loss="squared_error", rng=0)
    size = 8 * (30 * 40 + 40 + 40 + 1)
    monkeypatch.setattr(written, "LIMIT", size)
    network.export(tmp_path / "model.onnx")
    monkeypatch.setattr(written, "LIMIT", size - 1)
    with pytest.raises(ValueError, match=f"{size:,} bytes.*{size - 1:,}"):
        network.export(tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_without_onnx_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"pip install 'netwright\[onnx\]'"):
        MODELS["tanh"].export(tmp_path / "model.onnx")


def test_without_onnx_runtime_nothing_is_proved(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    proof = MODELS["tanh"].export(tmp_path / "model.onnx")
    assert proof.difference is None
    assert "not proved" in str(proof)


def test_a_wrong_weight_is_noticed(monkeypatch, tmp_path):
    right = MODELS["tanh"].program()
    layers = right.networks[0]
    wrong = replace(right, networks=((replace(layers[0], b=layers[0].b + 1e-9), *layers[1:]),))
    monkeypatch.setattr(type(MODELS["tanh"]), "program", lambda _: wrong)
    with pytest.raises(ValueError, match="not right"):
        MODELS["tanh"].export(tmp_path / "model.onnx")


def test_weights_that_float32_holds_take_half_the_bytes():
    plain = Network([60, 60, 1], loss="squared_error", rng=0).program()
    small = tuple(
        replace(layer, W=layer.W.astype(np.float32).astype(np.float64), b=layer.b.copy()) for layer in plain.networks[0]
    )
    small = replace(plain, networks=(small,))
    sizes = [len(written.files(program, "model")["model.onnx"]) for program in (plain, small)]
    assert sizes[0] - sizes[1] > 60 * 60 * 4 - 200
    x = trial(plain)
    right = x
    for layer in small.networks[0]:
        right = value(layer.f, z=right @ layer.W.T + layer.b)
    assert answered(small, x)["Y"] == pytest.approx(right, rel=1e-12)
