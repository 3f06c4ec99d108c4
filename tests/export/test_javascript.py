"""The JavaScript export, run by Node."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from exported import HOSTILE, everything, frame, table_model
from in_node import needs_node, node, written
from netwright import Network, TableModel
from netwright.export import javascript
from netwright.export.export import compared, trial
from netwright.export.expression import OPERATIONS, Expression
from netwright.export.program import Dense, Program, Target, TextColumn, run
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.target import TargetEncoder

MODELS = dict(everything())
HARD = [
    *HOSTILE,
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
    "length",
    "\u2028\u2029",
    "<!--<script >",
    "</SCRIPT x",
    "`${1}`",
]
pytestmark = needs_node


@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name):
    proof = MODELS[name].export(tmp_path / "model.mjs")
    assert proof.difference <= proof.bound
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.mjs", "model.test.json"}


def test_it_may_be_called_js(tmp_path):
    proof = MODELS["tanh"].export(tmp_path / "model.js")
    assert [path.name for path in proof.files] == ["model.js", "model.test.json"]
    assert all(path.exists() for path in proof.files)


def test_many_weights_go_as_bytes(tmp_path):
    for dtype in ("float64", "float32"):
        network = Network([30, 100, 20, 3], loss="cross_entropy", rng=0, dtype=dtype)
        assert network.export(tmp_path / "m.mjs").labels == 0
        assert "atob(" in (tmp_path / "m.mjs").read_text("utf-8")
        assert (tmp_path / "m.mjs").stat().st_size < 1.4 * network.theta.nbytes + 9_000
    mixture = table_model(3, hidden=(40, 40))
    for dtype, size in (np.float32, 4), (np.float16, 2):  # as a file has them, or a page
        for net in mixture.network.networks:
            net.theta = net.theta.astype(dtype).astype(float)
            net.theta[:9] = dtype([6e-8, -6e-8, 1e-5, 65504, -2, 0.1, -0.0, 6.1e-5, 6.2e-5]).astype(float)
        assert mixture.export(tmp_path / "m.mjs").difference <= 1e-12
        assert "Float32Array" in (tmp_path / "m.mjs").read_text("utf-8")
        weights = sum(net.theta.size for net in mixture.network.networks)
        assert (tmp_path / "m.mjs").stat().st_size < 1.4 * size * weights + 3e4


@pytest.mark.parametrize("name", ["table, classes", "packed"])
def test_nothing_but_the_language_and_atob_is_needed(tmp_path, name):
    """A realm with no Node in it, that makes no code of text, as a page under a strict policy."""
    model = MODELS.get(name) or table_model(3, hidden=(40, 40))
    program = model.program()
    table = trial(program, 5)
    written(program, tmp_path)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "rows.json").write_text(json.dumps(rows), "utf-8")
    found = node(
        tmp_path,
        """
        import vm from "node:vm";
        import { readFileSync } from "node:fs";
        const given = readFileSync("rows.json", "utf8");
        const page = vm.createContext({ atob, given }, { codeGeneration: { strings: false, wasm: false } });
        const module = new vm.SourceTextModule(readFileSync("m.mjs", "utf8"), { context: page });
        await module.link(() => { throw new Error("an import"); });
        await module.evaluate();
        say(vm.runInContext("JSON.parse(given)", page).map(module.namespace.values));
        """,
        "--experimental-vm-modules",
    )
    assert compared(program, program.answers(table), (found, program.answers(table)[1]))[0] <= 1e-12


# ── names, levels and classes ──


class Scripts(HTMLParser):
    """The texts of a page's scripts, and its tags."""

    def __init__(self, page):
        super().__init__()
        self.scripts, self.tags = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        if self.tags[-1] == "script":
            self.scripts.append(data)


def hostile(name):
    """A model with this name of its columns, levels, classes and all."""
    columns = {name: [1.0, 2.0, 3.5] * 4, f"{name} too": [name, "b", f"{name}{name}."] * 4}
    encoder = TableEncoder.fit(Frame.from_arrays(columns, categorical=[f"{name} too"]))
    target = TargetEncoder.fit(np.array([name, name + "!", "?"] * 4, object), name, task="classification")
    network = Network([len(encoder.feature_names), 3], loss="cross_entropy", rng=0)
    return TableModel(network, encoder, target, {"hidden": [], "weights": None, "drop": []})


@pytest.mark.parametrize("name", HARD)
def test_names_and_levels_come_through_as_data(tmp_path, name):
    model = hostile(name)
    program = replace(model.program(), title=f"{name}\n*/ globalThis.pwned = 1; //")
    written(program, tmp_path)
    row = {name: 2.0, f"{name} too": name}
    (tmp_path / "row.json").write_text(json.dumps([*row.items()]), "utf-8")
    names, labels, P, same, values, more = node(
        tmp_path,
        """
        import { readFileSync } from "node:fs";
        const pairs = JSON.parse(readFileSync("row.json", "utf8"));
        const row = new Map(pairs), own = Object.fromEntries(pairs);
        const [label, P] = [m.predict(row), m.predictProba(row)];
        const same = JSON.stringify(m.answers(own)) === JSON.stringify(m.answers(row));
        const more = ["pwned" in globalThis, ...[Object, Array, Map].flatMap((each) => Object.keys(each.prototype))];
        say([m.columns.map((each) => each.name), [label, ...m.targets.flatMap((t) => [t.name, ...t.classes])],
          P, same, m.values(row), more]);
        """,
    )
    right = model.predict_proba({name: [2.0], f"{name} too": np.array([name], object)})[0]
    classes = [*program.targets[0].classes]
    assert names == [*row]
    assert labels == [classes[right.argmax()], name, *classes]
    assert [each["label"] for each in P] == classes
    assert [each["probability"] for each in P] == values == pytest.approx(right, rel=1e-12)
    assert same
    assert more == [False]
    text = (tmp_path / "m.mjs").read_text("utf-8")
    assert text.splitlines() == text.split("\n")[:-1]  # nobody finds another end of a line in it
    assert not re.search("<(!--|/?script)", text, re.IGNORECASE)  # which a page reads even inside of a script
    page = Scripts(f'<script type="module">{text}</script><p>')
    assert page.scripts == [text]
    assert page.tags == ["script", "p"]


def test_a_file_may_have_any_name(tmp_path):
    for name in ("a 'b' \"c\" #?%20", "*／", "driver", "rows", "-x"):
        proof = MODELS["tanh"].export(tmp_path / f"{name}.mjs")
        assert proof.labels == 0
        assert proof.files[0].exists()


def test_only_a_rows_own_values_count(tmp_path):
    written(hostile("constructor").program(), tmp_path)
    said = node(
        tmp_path,
        """
        const tried = (row) => { try { return m.predict(row); } catch (error) { return `${error}`; } };
        say([tried({ "constructor too": "b" }), tried(Object.create({ constructor: 2 })), tried(null),
          tried(Object.assign(Object.create(null), { constructor: 2, "constructor too": "b" }))]);
        """,
    )
    assert said[0] == said[1] == 'TypeError: the row has no column "constructor"'
    assert said[2].startswith("TypeError")
    assert said[3] in hostile("constructor").program().targets[0].classes


# ── what it says of itself ──


def test_a_form_can_be_made_of_the_columns(tmp_path):
    program = table_model().program()
    written(program, tmp_path)
    columns = node(tmp_path, "say(m.columns)")
    assert [each["name"] for each in columns] == [each.name for each in program.columns]
    for said, column in zip(columns, program.columns, strict=True):
        if isinstance(column, TextColumn):
            assert said["kind"] == "text"
            assert [column.codes[level] for level in said["levels"]] == [*range(column.unseen)]
            continue
        assert (said["kind"], said["middle"], said["spread"]) == (column.kind, column.middle, column.spread)
        assert said["low"] < said["middle"] < said["high"]
    numbers = frame().column("number")
    assert (columns[0]["low"], columns[0]["high"]) == (numbers.min(), numbers.max())
    when = frame().column("when").astype("datetime64[us]")
    assert np.nanmin(when) <= np.datetime64(int(columns[3]["middle"]), "us") <= np.nanmax(when)


@pytest.mark.parametrize(
    ("name", "probabilities"), [("labels", True), ("numbers", False), ("number", False), ("two", True)]
)
def test_targets_are_predicted_by_themselves_or_as_a_list(tmp_path, name, probabilities):
    model = MODELS[name]
    written(model.program(), tmp_path)
    x = np.random.default_rng(0).normal(size=(6, 4))
    predicted, P, values = node(
        tmp_path,
        f"const x = {x.tolist()};\nsay([x.map(m.predict), x.map(m.predictProba ?? (() => 0)), x.map(m.values)])",
    )
    right = model.predict(x)
    if name in ("labels", "two"):
        assert predicted == right.tolist()
        second = [[each[1]["probability"] for each in row] for row in P] if name == "labels" else None
        if second is None:
            assert [[each["label"] for each in row] for row in P] == [[False, True]] * 6
            second = [[row[1]["probability"]] for row in P]
        np.testing.assert_allclose(second, model.predict_proba(x)[:, -len(second[0]) :], rtol=1e-12)
    else:
        np.testing.assert_allclose(predicted, right, rtol=1e-12)
        np.testing.assert_allclose(np.reshape(values, right.shape), right, rtol=1e-12)
    assert ("predictProba" in (tmp_path / "m.mjs").read_text("utf-8")) == probabilities


def test_classes_keep_their_kind_and_those_that_are_one_to_javascript_are_refused(tmp_path):
    classes = (np.int64(-3), 2**53, np.float64(0.5), True, np.str_("</script>"), "3")
    network = Network([2, 6], loss="cross_entropy", rng=0)
    program = replace(network.program(), targets=(Target("y", 0, 6, classes),))
    written(program, tmp_path)
    assert node(tmp_path, "say(m.targets[0].classes)") == [-3, 2**53, 0.5, True, "</script>", "3"]
    program = replace(program, targets=(Target("y", 0, 2, (2**53, 2**53 + 1)),))
    with pytest.raises(ValueError, match="cannot hold the classes of 'y': its numbers do not tell integers"):
        javascript.files(program, "m")


# ── operations ──


def test_every_operation_has_its_words_and_gives_numpys_numbers(tmp_path):
    words = javascript.WORDS
    assert {*words.operations} == {*OPERATIONS}
    x = np.array([-40.0, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.3, 1.0, 1.5, 4.0, 40.0])
    lines, rights = [], []
    for operation, function in OPERATIONS.items():
        of = "(Math.abs(x) + 0.25)" if operation in ("log", "sqrt", "power") else "x"
        numbers = np.abs(x) + 0.25 if of != "x" else x
        if operation == "log1p":
            of, numbers = "Math.exp(-Math.abs(x))", np.exp(-np.abs(x))
        if operation == "where":
            given, right = ("x > 0.3", "x", "2.0"), np.where(x > 0.3, x, 2)
        elif function.nin == 1:
            given, right = (of,), function(numbers)
        else:
            given, right = (of, "0.3"), function(numbers, 0.3)
        lines.append(f"x.map((x) => Number({words.operations[operation].format(*given)}))")
        rights.append(right)
    written(MODELS["linear"].program(), tmp_path)
    found = node(tmp_path, f"const x = {x.tolist()};\nsay([{', '.join(lines)}])")
    for operation, mine, right in zip(OPERATIONS, found, rights, strict=True):
        np.testing.assert_allclose(mine, np.asarray(right, float), rtol=4e-15, err_msg=operation)


def test_own_activations_with_much_in_common_and_infinite_constants(tmp_path):
    z = Expression("z")
    shared = np.tanh(z) + 0.5
    twice = shared * shared + np.exp(shared)
    f = np.minimum(twice / (1 + twice) - np.where(twice > 2, twice, shared), np.inf)
    W, b = np.array([[0.3, -1.2], [2.0, 0.1]]), np.array([0.25, -0.5])
    layers = (Dense(W, b, f, "own: </script>"), Dense(W, b, -z, "relu"), Dense(W, b, np.maximum(z, -1), "relu"))
    targets = (Target("y", 0, 1), Target("", 1, 1))
    program = Program(2, (layers,), (1.0,), targets, "float64", print, (), ("a", "b"))
    x = trial(program)
    found = javascript.run(program, written(program, tmp_path), "m", x)
    assert compared(program, run(program, x), found)[0] <= 1e-13
