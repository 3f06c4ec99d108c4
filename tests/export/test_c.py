"""The C export, compiled as strictly as can be and run: right numbers, small tables, no name a command."""

import csv
import io
import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from exported import HOSTILE, always, everything, frame, named, table_model
from netwright import Network
from netwright.export import c
from netwright.export.c_words import DOUBLE, FLOAT, RESERVED, Names, comment, number, quoted, table, tidy
from netwright.export.export import BOUNDS, compared, export, trial
from netwright.export.expression import OPERATIONS, Expression, value
from netwright.export.program import Dense, NumberColumn, Program, Target, TextColumn, run
from netwright.tables.text import NULLS

MODELS = dict(everything())
COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None and "CI" not in os.environ, reason="no C compiler")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OPTIONS = [{}, {"float32": True}, {"int8": True}]


def compiled(folder, *given, flags=STRICT):
    done = subprocess.run([COMPILER, *flags, *given], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def written(folder, model, name="m", **options):
    program = model if isinstance(model, Program) else model.program()
    for each, data in c.files(program, name, **options).items():
        (folder / each).write_bytes(data)
    return program


@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_answers(tmp_path, name):
    proof = MODELS[name].export(tmp_path / "model.c")
    assert proof.difference <= proof.bound <= 4 * BOUNDS[MODELS[name].program().dtype]
    assert (proof.labels, proof.rows) == (0, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"model.c", "model.h", "model.test.json"}


@pytest.mark.parametrize("name", ["elu", "exp", "cross_entropy:2,3", "labels", "table, number", "table, classes"])
def test_float_loses_what_float_loses(tmp_path, name):
    proof = MODELS[name].export(tmp_path / "m.c", float32=True)
    assert 1e-9 < proof.difference <= proof.bound <= 1e-4
    assert proof.labels == 0
    assert not re.search(r"\b(W|b)\d+_\d+\[\d+\] = \{\n.*[0-9],", (tmp_path / "m.c").read_text())  # no double


@pytest.mark.parametrize("name", ["gelu", "float32", "cross_entropy:2,3", "table, number", "table, two classes"])
def test_int8_computes_with_the_rounded_weights(tmp_path, name):
    """Its answers are those of the program with W rounded to 255 steps for each neuron, as nearly as ever: a neuron's
    step is at most an eighth of a power of two larger than it must be, and b has 65,535 of them in a layer."""
    proof = MODELS[name].export(tmp_path / "m.c", int8=True)
    assert BOUNDS["float64"] < proof.difference <= proof.bound
    program = MODELS[name].program()
    for layers in program.networks:
        for layer in layers:
            least = np.abs(layer.W).max(axis=1) / 127
            top = float(np.float32(least.max()))
            scale = top * np.float64(np.float32(0.5 ** (np.floor(8 * np.log2(top / least * (1 + 1e-7))) / 8)))
            layer.W[:] = np.round(layer.W / scale[:, None]) * scale[:, None]
            if unit := float(np.float32(np.abs(layer.b).max() / 32767)):
                layer.b[:] = np.round(layer.b.astype(np.float64) / unit) * unit
    given = trial(program)
    difference, labels = compared(program, run(program, given), c.run(program, tmp_path, "m", given))
    exact = program.dtype == "float64" and not program.columns  # columns' tables are kept in float, too
    assert difference <= (1e-12 if exact else 1e-5)
    assert labels == 0


def test_int8_keeps_a_b_that_is_nothing_beside_another(tmp_path):
    """Two targets of sizes far apart: where 16 bits would lose the smaller one's b, it is kept as float."""
    network = Network([3, 5, 2], "tanh", loss="squared_error", rng=0)
    network.layers[1].b[:, 0] = 1e4, 0.5
    proof = network.export(tmp_path / "m.c", int8=True)
    assert proof.difference < 0.05
    assert "typedef float bias;" in (tmp_path / "m.c").read_text()
    network.layers[1].b[:, 0] = 0.3, 0.5
    assert network.export(tmp_path / "m.c", int8=True).difference < 0.05
    assert "typedef short bias;" in (tmp_path / "m.c").read_text()


def test_int8_and_float_together_may_differ_by_little_more_than_int8_alone(tmp_path):
    proofs = [MODELS["cross_entropy"].export(tmp_path / "m.c", int8=True, float32=each) for each in (False, True)]
    assert proofs[1].bound < proofs[0].bound + 1e-4
    assert str(proofs[1]).startswith("compared on 256 rows: with float32, int8 the largest difference is")


def test_labels_that_int8_changes_are_said_and_are_no_error(tmp_path):
    program = MODELS["classes"].program()
    last = program.networks[0][-1]
    last.W[1:] = last.W[0] + np.random.default_rng(0).normal(size=(2, 5)) * 1e-3  # classes that are hardly told apart
    last.b[:] = last.b[0]
    program = replace(program, answers=lambda given: run(program, given))
    proof = export(program, tmp_path / "m.c", int8=True)
    assert 0 < proof.labels < 256
    assert f"{proof.labels} labels differ" in str(proof)


@pytest.mark.parametrize(("name", "part", "wrong"), [("classes", "BEST", ("P[k] > P", "P[k] < P")),
                                                     ("two", "ACTIVATION", ("= $said", "= 1 - ($said)"))])  # fmt: skip
@pytest.mark.parametrize("options", OPTIONS)
def test_labels_that_are_not_the_likeliest_are_an_error(tmp_path, monkeypatch, name, part, wrong, options):
    monkeypatch.setattr(c.text, part, getattr(c.text, part).replace(*wrong))
    with pytest.raises(ValueError, match=r"[1-9]\d* of 256 labels differ"):
        MODELS[name].export(tmp_path / "m.c", **options)
    assert list(tmp_path.iterdir()) == []


# ── the compiler's word ──


@pytest.mark.parametrize("options", OPTIONS)
def test_the_strictest_compiler_has_nothing_to_say(tmp_path, options):
    """And the sanitizers neither, on the trial's rows; as C++ the header is read too."""
    models = [MODELS[name] for name in ("labels", "table, classes", "table, one network")]
    for place, model in enumerate([*models, *(each for _, each in always())]):
        folder = tmp_path / str(place)
        folder.mkdir()
        program = written(folder, model, main=True, **options)
        compiled(folder, "-c", "m.c", "-o", "strict.o")
        given = trial(program)
        data, room = c.packed(program, given)
        (folder / "driver.c").write_text(c.driver(c.writer_of(program, "m", **options), 256, room))
        compiled(folder, *SANITIZED, "-c", "-Dmain=own", "m.c", flags=STRICT[:-1])
        compiled(folder, *SANITIZED, "driver.c", "m.o", "-lm", "-o", "driver", flags=STRICT[:-1])
        done = subprocess.run([folder / "driver"], input=data, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(done.stdout.splitlines()) == 256
    if cplusplus := shutil.which("c++"):
        folder = tmp_path / "2"
        (folder / "use.cpp").write_text("""#include "m.h"
int main() { m_prediction said; m_predict(&m_missing, &said); return said.y != said.y; }""")
        command = [cplusplus, "-Wall", "-Werror", "use.cpp", "-c"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_every_operation_has_its_words_and_gives_numpys_numbers(tmp_path):
    z = Expression("z")
    for words in (DOUBLE, FLOAT):
        assert {*words.operations} == {*OPERATIONS}
    made = []
    for name, function in OPERATIONS.items():
        if name == "where":
            made.append(Expression(name, (Expression("less", (z, 0.5)), 1.5, z)))
        elif name in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
            made.append(Expression("where", (Expression(name, (z, 0.5)), 2.0, 3.0)))
        else:
            made.append(Expression(name, (z, 0.75)[: function.nin]))
    targets = tuple(Target(f"y{k}", k, 1) for k in range(len(made)))
    one = np.ones((1, 1)), np.zeros(1)
    for k, f in enumerate(made):
        layers = (Dense(*one, f, "own"),)
        program = Program(1, (layers,), (1.0,), (targets[0],), "float64", lambda given: (given, None), names=("x",))
        x = np.array([[0.5], [1e-9], [2.0], [0.25], [7.0]])
        folder = tmp_path / str(k)
        folder.mkdir()
        written(folder, program)
        found, _ = c.run(program, folder, "m", x)
        np.testing.assert_allclose(found, value(f, z=x) * np.ones_like(x), rtol=1e-14)


# ── names ──


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_levels_come_through_as_data(tmp_path, name):
    model = named(name)
    written(tmp_path, model, main=True)
    compiled(tmp_path, "m.c", "-lm", "-o", "m")
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["level", name], [name, "2.0"], ["b", ""], [f" {name}\t", "3.5"]])
    found = as_program(tmp_path, table.getvalue())
    levels = np.array([name, "b", name], object)
    if name == "":
        levels[[0, 2]] = None, " \t"  # an empty cell is missing
    P = model.predict_proba({name: np.array([2.0, np.nan, 3.5]), "level": levels})
    assert found[0] == [name, f"probability of {name}", f"probability of {name}!"]
    np.testing.assert_allclose([[float(p) for p in row[1:]] for row in found[1:]], P, rtol=1e-12)
    assert {row[0] for row in found[1:]} <= {name, name + "!"}
    # Nothing of a name is code: without comments and strings, the text has no call but of what every file has.
    shown = re.sub(r"""/\*.*?\*/|"(\\.|[^"\\])*"|'(\\.|[^'\\])'""", "", (tmp_path / "m.c").read_text(), flags=re.DOTALL)
    assert not {"system", "alert", "DROP"} & {*re.findall(r"\b(\w+)\s*\(", shown)}


def as_program(folder, text, code=0):
    done = subprocess.run([folder / "m"], input=text.encode(), capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    if code:
        return done.stderr.decode()
    return [*csv.reader(io.StringIO(done.stdout.decode(), newline=""))]


def test_identifiers_are_valid_and_each_another():
    names = Names("_P")
    made = [names.name(each) for each in [*HOSTILE, *HOSTILE, "a", "a_P", "A", "a b", "a_b", "NAN", "stdin", "_x", "9"]]
    assert len({*made}) == len(made)
    for each in made:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,69}", each)
        assert each not in RESERVED.split()
    assert made[-9:][0] == "a"
    assert made[-9:][1] != "a_P"


def test_a_comment_ends_where_it_should():
    for name in [*HOSTILE, "*/*/", "/*/", "**/", "?" * 5 + "/", "a\\\nb", "*\\/"]:
        said = comment(name)
        assert "*/" not in said
        assert "/*" not in said
        assert "??" not in said
        assert said.isascii()
        assert said.isprintable()


def test_what_c_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a character 0 ends it"):
        quoted("a\0b")
    with pytest.raises(ValueError, match="no Unicode"):
        quoted("\ud800")
    with pytest.raises(ValueError, match=r"cannot hold the 5,000 bytes of 'xxx"):
        quoted("x" * 5000)
    for stem in ('a"b', "a\\b", "a??b", "a\nb", "a\udcff"):
        with pytest.raises(ValueError, match="#include"):
            c.files(MODELS["tanh"].program(), stem)
    with pytest.raises(ValueError, match=r"'Math' is that of a header of C's own, which Math\.h would hide"):
        c.files(MODELS["tanh"].program(), "Math")
    with pytest.raises(ValueError, match="int8 must be True or False"):
        MODELS["tanh"].export(tmp_path / "m.c", int8=1.5)


def test_what_float_cannot_say_is_refused(tmp_path):
    model = Network([2, 3, 1], "tanh", loss="squared_error", rng=0)
    model.layers[0].W[0, 0] = 1e300
    for options in ({"int8": True}, {"int8": True, "float32": True}):
        with pytest.raises(
            ValueError, match="int8 cannot hold the model's weights: they are beyond what float can say"
        ):
            model.export(tmp_path / "m.c", **options)
    model.layers[0].W[0, 0], model.layers[1].W[0, 0] = 1, 1e300
    with pytest.raises(ValueError, match="beyond what float can say"):
        model.export(tmp_path / "m.c", float32=True)
    assert model.export(tmp_path / "m.c").difference <= 1e-12


@pytest.mark.parametrize("options", [{}, {"float32": True}])
def test_any_constant_and_any_function_compiles(tmp_path, options):
    """Constants that float has not, one that needs no z, and one of a known name that is another."""
    z, one = Expression("z"), np.ones((1, 1))
    fs = [z * 1e-60, z * 1e-310, z * 1e60, z * 1e-42, Expression("add", (1.0, 2.0)), np.maximum(z, 0), np.tanh(z)]
    layers = tuple(Dense(one, np.zeros(1), f, name) for f, name in zip(fs, ["own"] * 5 + ["relu"] * 2, strict=True))
    targets = (Target("math_errhandling", 0, 1, mean=1e-60, std=1e-50),)
    program = Program(1, (layers,), (1.0,), targets, "float64", lambda given: (given, None), names=("x",))
    written(tmp_path, program, "next", main=True, **options)
    compiled(tmp_path, "-c", "next.c")


@pytest.mark.parametrize("stem", ["int", "next", "9 lives", "Ünïcødé", "my-model.v2", "数"])
def test_a_file_may_have_any_other_name(tmp_path, stem):
    assert MODELS["table, number"].export(tmp_path / f"{stem}.c", main=True).difference <= 1e-12


# ── numbers ──


def test_constants_come_back_to_the_bit():
    for x in (0.1, -0.0, 1e-320, 1.7976931348623157e308, 3.0):
        assert np.copysign(1, float(number(x).strip("()"))) == np.copysign(1, x)
        assert float(number(x).strip("()")) == x
    assert [number(np.inf), number(-1e39, True), number(np.nan)] == ["INFINITY", "(-INFINITY)", "NAN"]
    values = np.random.default_rng(0).normal(size=100).astype(np.float32) * np.float32(1e-30)
    said = re.findall(r"(\S+)f[,\n]", table("float", "t", values, "float"))
    np.testing.assert_array_equal(np.array(said, np.float32), values)


def test_parentheses_that_say_nothing_go():
    assert tidy("((a + b))") == "a + b"
    assert tidy("(a) + (b)") == "(a) + (b)"
    assert tidy("f((a + (b)))") == "f(a + (b))"
    assert tidy("((a) + (b))") == "(a) + (b)"


# ── size ──


def size_of(folder):
    """What is loaded: text and data, constants with them."""
    compiled(folder, "-O3", "-c", "m.c", "-o", "m.o")
    done = subprocess.run(["size", "m.o"], cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[1].split()[3])


@pytest.mark.parametrize(
    ("dtype", "options", "each"),
    [
        ("float32", {}, 4),
        ("float64", {}, 8),
        ("float64", {"float32": True}, 4),
        ("float32", {"int8": True}, 1),
        ("float64", {"int8": True}, 1),
    ],
)
def test_it_takes_little_more_than_its_weights(tmp_path, dtype, options, each):
    network = Network([64, 100, 10], loss="cross_entropy", rng=0, dtype=dtype)
    written(tmp_path, network, **options)
    assert size_of(tmp_path) <= 1.05 * each * network.theta.size + 5_000
    mixture = table_model(7, hidden=(128, 128), networks=12).program()
    if dtype == "float64" and not options:  # a mixture's weights may be such that float holds them
        mixture, each = in_float(mixture), 4
    weights = sum(layer.W.size + layer.b.size for layers in mixture.networks for layer in layers)
    written(tmp_path, mixture, **(options or {"float32": dtype == "float32"}))
    assert size_of(tmp_path) <= 1.05 * each * weights + 16_000


def in_float(program):
    def kept(layer):
        return replace(layer, W=layer.W.astype("f4").astype("f8"), b=layer.b.astype("f4").astype("f8"))

    return replace(program, networks=tuple(tuple(map(kept, layers)) for layers in program.networks))


# ── as a program ──


def test_as_a_program_it_reads_what_people_have(tmp_path):
    model = table_model(3)
    written(tmp_path, model, main=True)
    compiled(tmp_path, *SANITIZED, "m.c", "-lm", "-o", "m")
    names = frame().names
    row = dict.fromkeys(names, "") | {"number": "4", "when": "2020-01-01", "level": '"quoted, ""so"""'}
    row = {name: f'"{each}"' if "," in each and each[0] != '"' else each for name, each in row.items()}
    heading = ",".join('"' + name.replace('"', '""') + '"' for name in names)

    def said(end="\n", start="", **other):
        return as_program(tmp_path, f"{start}{heading}{end}{','.join((row | other).values())}{end}")[1]

    usual = said()
    assert usual == said(end="\r\n") == said(start="\ufeff") == said(number=" 4.0 ") == said(number='"4"')
    for when in ("2020-01-01T00:00:00Z", "2020-01-01 01:00:00+01:00", "2019-12-31 22:30-01:30", "1577836800000000"):
        assert said(when=when) == usual
    assert said(when="2020-01-02") != usual
    whole = np.datetime64("2021-03-04T05:06:07.25", "us").astype(int)
    assert said(when="2021-03-04T05:06:07.25") == said(when=str(whole))
    assert said(number="") == said(number="nan") != usual
    for when in ("0001-01-01", "1600-02-29", "1969-12-31T23:59:59.999999", "2000-03-01", "9999-12-31"):
        assert said(when=when) == said(when=str(np.datetime64(when, "us").astype(int)))
    spaced = heading.replace('"number"', " number ").replace('"when"', " when")
    assert as_program(tmp_path, f"{spaced}\n{','.join(row.values())}\n")[1] == usual
    for word in ("x", "inf", "1e999", "0x10", "nan(7)", "1 2"):
        assert "row 2: no number, in the column 'number'" in as_program(tmp_path, f"{heading}\n{word},,,,,,,\n", 1)
    assert "row 2: no date, in the column 'when'" in as_program(tmp_path, f"{heading}\n,,,2020-13-01,,,,\n", 1)
    assert "row 3: it has not as many cells" in as_program(tmp_path, f"{heading}\n,,,,,,,\n1,2\n", 1)
    assert "it is not there, in the column 'number'" in as_program(tmp_path, "a,b\n1,2\n", 1)
    assert "it is not there" in as_program(tmp_path, "", 1)
    assert "room" in as_program(tmp_path, f'{heading}\n"{"x" * (1 << 21)}', 1)
    assert len(as_program(tmp_path, f"{heading}\n")) == 1


def test_as_a_program_it_reads_plain_numbers(tmp_path):
    model = MODELS["classes"]
    written(tmp_path, model, main=True)
    compiled(tmp_path, "m.c", "-lm", "-o", "m")
    x = np.random.default_rng(0).normal(size=(5, 4))
    file = io.StringIO()
    np.savetxt(file, x, delimiter=",", header="x3,x1,x2,x0", comments="")
    header, *found = as_program(tmp_path, file.getvalue())
    assert header[0] == "class"
    assert [row[0] for row in found] == model.predict(x[:, [3, 1, 2, 0]]).tolist()
    np.testing.assert_allclose(np.array([row[1:] for row in found], float), model.predict_proba(x[:, [3, 1, 2, 0]]))
    for gap in ("", "NA"):
        assert "row 2: no number, in the column 'x1'" in as_program(tmp_path, f"x0,x1,x2,x3\n1,{gap},2,3\n", 1)


def test_as_a_program_it_takes_cells_as_a_table_does(tmp_path):
    """Words for nothing, a number as a level, dates that are none, a name that begins as the mark of UTF-8 does."""
    z, x = Expression("z"), Expression("x")
    columns = (
        NumberColumn("Ａ", "number", (x,), (-7.0,), 0.0, 1.0),
        NumberColumn("when", "date", (x,), (-70.0,), 0.0, 1.0),
        TextColumn("n", "number", {"3": 0, "2.5": 1, "0": 2}, np.array([[0.125], [0.25], [0.5], [0.0], [0.75]]), 3, 4),
    )
    layers = (Dense(np.ones((1, 3)), np.zeros(1), z + 0.0, "own"),)
    target = (Target("y", 0, 1),)
    written(tmp_path, Program(3, (layers,), (1.0,), target, "float64", lambda given: given, columns), main=True)
    compiled(tmp_path, *SANITIZED, "m.c", "-lm", "-o", "m")

    def said(A, when, n, mark=""):
        return float(as_program(tmp_path, f"{mark}Ａ,when,n\n{A},{when},{n}\n")[1][0])

    assert said(1, 0, 3) == said(1, 0, 3, "\ufeff") == said(1, 0, 3.0) == said(1, 0, " 3.00 ") == 1.125
    assert [said(0, 0, n) for n in ("2.50", "0.0", "03", "3.0.0", ".", "", "NA", " ")] == [
        *(0.25, 0.5, 0, 0, 0, 0.75, 0.75, 0.75)
    ]
    for null in NULLS:
        assert said(null, null, 3) == said(f" {null} ", null, 3) == -76.875
    for when in ("1970-01-02T01:00:00.000001234+0100", "1970-01-02 00:00:00.000001"):
        assert said(0, when, 3) == 86_400_000_001.125
    for when in ("2020-02-30", "2023-02-29", "1900-02-29", "2020-04-31", "20200131", "1580428800", "2020-01-01T00:60"):
        assert "no date" in as_program(tmp_path, f"Ａ,when,n\n1,{when},3\n", 1)


def test_without_a_compiler_nothing_is_proved(tmp_path, monkeypatch):
    monkeypatch.setattr(c, "runtime", lambda *names: None)
    assert str(MODELS["tanh"].export(tmp_path / "m.c")) == "not proved here: a C compiler, cc or gcc is not there"
