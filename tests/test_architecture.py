"""The house keeps its order: imports point inward, each third party has its door, importing costs next to nothing."""

import ast
import inspect
import re
import statistics
import subprocess
import sys
import warnings
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright import OPTIMIZERS

SOURCE = Path(netwright.__file__).parent
FILES = {
    "netwright." + ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
    if path != SOURCE / "__init__.py"
}

# Who may import whom, from the inside out. It holds for every import, lazy ones and those for type checkers too.
# docs/design.md draws this table; a new wing needs its place here.
ENGINE = {"core", "files", "engines", "training"}
WINGS = {
    "core": set(),
    "optimizers": {"core"},
    "schedules": {"core"},
    "files": {"core"},
    "tables": {"core", "files"},
    "export": {"core", "files", "tables"},
    "draw": {"core", "files"},
    "engines": {"core"},
    "training": {"core", "files", "draw", "engines"},
    "uncertainty": {"core", "files", "training"},
    "network": {"draw", "export", "uncertainty", *ENGINE},
    "inspection": {"core", "training"},
    "recipes": {"tables", "network", "uncertainty", "inspection", *ENGINE},
    "tabular": {"tables", "export", "network", "uncertainty", "recipes", *ENGINE},
    "estimators": {"tables", "export", "network", "uncertainty", "inspection", "recipes", *ENGINE},
    "loading": {"core", "files", "training", "network", "tabular", "estimators"},
    "cli": {"core", "files", "tables", "export", "draw", "engines", "training", "loading", "tabular", "uncertainty"},
    "__main__": {"cli"},
}

DOORS = {  # the only modules that import them; a package stands for all that is in it
    "scipy": ("training.solvers.lbfgs", "training.solvers.levenberg", "engines.fused", "estimators"),
    "sklearn": ("estimators",),
    "numba": ("engines.fused",),
    "llvmlite": ("engines.fused",),
    "threadpoolctl": ("engines.threads",),
    "safetensors": ("files.container",),
    "duckdb": ("tables.sql",),
    "onnx": ("export.onnx", "export.onnx_graph"),
    "onnxruntime": ("export.onnx",),
    "matplotlib": ("draw",),
    "plotext": ("cli.progress",),
    "rich": ("cli",),
    "click": ("cli",),
}
FREE = {"numpy", *sys.stdlib_module_names}


def imports_of(module):
    """Every module that it imports, at any depth, for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written in full, not relative"
            inner = [f"{node.module}.{name.name}" for name in node.names]
            found.update(name if name in FILES else node.module for name in inner)
    return sorted(found)


IMPORTS = {module: imports_of(module) for module in FILES}


def wing_of(module):
    return module.split(".")[1]


@pytest.mark.parametrize("module", FILES)
def test_imports_point_inward(module):
    wing = wing_of(module)
    assert wing in WINGS, f"{module} has no place in WINGS"
    for other in IMPORTS[module]:
        if other == "netwright":
            assert wing == "cli", f"{module} imports the whole package, which only the outermost wing may"
        elif other.startswith("netwright."):
            assert wing_of(other) in {wing} | WINGS[wing], f"{module} imports {other}, which is not for {wing}"


def test_every_wing_stands_further_out_than_those_it_imports():
    TopologicalSorter(WINGS).prepare()  # CycleError names the circle


def test_every_permission_is_in_use():
    used = {(wing_of(m), wing_of(o)) for m in FILES for o in IMPORTS[m] if o.startswith("netwright.")}
    assert {(wing, other) for wing in WINGS for other in WINGS[wing]} <= used


def test_no_file_imports_itself_in_a_circle():
    TopologicalSorter({m: {o for o in IMPORTS[m] if o in FILES} for m in FILES}).prepare()


def test_the_design_draws_this_table():
    page = (SOURCE.parents[1] / "docs" / "design.md").read_text()
    drawn = dict(re.findall(r"^\| (\w+) \| ([\w, –]+) \|", page, re.MULTILINE))
    order = list(WINGS)
    ours = {wing: ", ".join(sorted(inner, key=order.index)) or "–" for wing, inner in WINGS.items() if wing[0] != "_"}
    assert {wing: drawn.get(wing) for wing in ours} == ours


def test_the_root_has_six_files():
    assert {path.name for path in SOURCE.glob("*.py")} == {
        *("__init__.py", "__main__.py", "network.py", "loading.py", "optimizers.py", "schedules.py")
    }


@pytest.mark.parametrize("module", FILES)
def test_no_module_is_named_like_a_public_function(module):
    functions = {name for name in netwright.__all__ if inspect.isfunction(getattr(netwright, name))}
    assert module.rpartition(".")[2] not in functions


@pytest.mark.parametrize("path", [
    *("netwright.network:Network", "netwright.training:train", "netwright.cli:main"),
    *("netwright.engines:ENGINES", "netwright.engines:Engine", "netwright.engines:Job", "netwright.engines:warm_up"),
    *("netwright.engines:warmed_up", "netwright.engines:cache_directory", "netwright.optimizers:OPTIMIZERS"),
    *("netwright.optimizers:Adam", "netwright.optimizers:LBFGS", "netwright.schedules:SCHEDULES"),
    *("netwright.estimators.mlp:MLPClassifier", "netwright.estimators.tabular:TabularClassifier"),
])  # fmt: skip
def test_every_documented_path_leads_there(path):
    module, _, name = path.partition(":")
    assert hasattr(import_module(module), name)


@pytest.mark.parametrize("module", FILES)
def test_each_third_party_has_its_door(module):
    name = module.removeprefix("netwright.")
    for other in IMPORTS[module]:
        party = other.partition(".")[0]
        if party not in FREE and party != "netwright":
            doors = DOORS.get(party, ())
            assert any(name == door or name.startswith(door + ".") for door in doors), f"{module} imports {other}"


@pytest.mark.parametrize("module", FILES)
def test_no_module_pickles(module):
    unsafe = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert not unsafe & {other.partition(".")[0] for other in IMPORTS[module]}


def test_files_are_written_in_one_place():
    """`files/atomic.py`, which a table's text is handed to as well; what is there to be read or run lies in a scratch
    directory."""
    writes = re.compile(r"""write_(bytes|text)\(|open\([^)\n]*["'][wax]|savefig\((?!buffer)|O_CREAT|copy \(""")
    found = {module.removeprefix("netwright.") for module, path in FILES.items() if writes.search(path.read_text())}
    scratch = {"tables.csv_columns", "tables.packed", *(name for name in found if name.startswith("export."))}
    assert found == {"files.atomic", "tables.write", "engines.fused.compile", *scratch}


@pytest.mark.parametrize("module", FILES)
def test_every_module_says_its_idea_and_has_one(module):
    path = FILES[module]
    assert path.stem not in ("utils", "helpers", "common", "base", "misc")
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path.name} has no docstring"
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{path.name} has {lines} lines: it is looking for its two halves"


@pytest.mark.parametrize("name", netwright.__all__)
def test_every_public_name_is_there_and_explains_itself(name):
    value = getattr(netwright, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "that is what dataclass writes"
    assert name in dir(netwright)


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="module 'netwright' has no attribute 'Netwrok'"):
        netwright.Netwrok  # noqa: B018
    assert len(set(netwright.__all__)) == len(netwright.__all__)


# ── short functions ──────────────────────────────────────────────────────────────────────────────────────────────────

LONG = {  # lines of a body beyond 60, and why; the list may only shrink
    ("engines.fused.kernels.products", "multiply"): "one scope holds the tiles, panels and blocks of a product",
    ("engines.fused.kernels.scalars", "functions"): "one scope holds all compiled functions of a dtype",
    (
        "engines.fused.loops.by_hidden",
        "train_by_hidden",
    ): "a compiled loop, not yet in phases",
    ("engines.fused.loops.by_hidden", "by_hidden"): "the loop itself",
    ("engines.fused.loops.by_neurons", "train_by_neurons"): "a compiled loop, as by_hidden",
    ("engines.fused.loops.by_neurons", "by_neurons"): "the loop itself",
}
MANY = {  # arguments beyond 8 below the faces, and why; the list may only shrink
    ("core.network", "__init__"): "a face: what a user says of a network",
    ("core.optimizers", "_adam"): "a rule takes its vectors and numbers one by one, as compiled code does",
    ("draw.report", "write_report"): "a face: what a run leaves",
    ("engines.fused.kernels.products", "rows_of"): "compiled: addresses and strides",
    ("engines.fused.kernels.products", "panels"): "compiled: addresses and strides",
    ("engines.fused.kernels.products", "product"): "compiled: addresses and strides",
    ("engines.fused.loops.gather", "dropout"): "compiled: addresses and strides",
    ("inspection.diagnosis", "diagnose"): "a face: all that is known of a training",
    ("recipes.auto", "solve"): "a face of the rule, for those without the estimators",
    ("tables.read", "read_table"): "a face: how a file is to be read",
    ("tabular.learn", "train_table"): "a face: all that may be asked",
}


def functions():
    """(module, function) of every one, however deep."""
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module.removeprefix("netwright."), node


def test_functions_are_short():
    """Without the signature and the docstring: those are as long as there is to say."""

    def lines(node):
        first = node.body[ast.get_docstring(node) is not None :] or node.body
        return node.end_lineno - first[0].lineno + 1

    assert {(module, node.name) for module, node in functions() if lines(node) > 60} == set(LONG)


def test_functions_take_few_arguments():
    def count(node):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return sum(argument.arg not in ("self", "cls") for argument in arguments)

    faces = ("estimators", "cli")
    found = {
        (module, node.name) for module, node in functions() if count(node) > 8 and module.split(".")[0] not in faces
    }
    assert found == set(MANY)


def test_an_option_of_a_training_has_its_default_in_one_place():
    """Those whose names mean nothing else. Of the faces, train_table has None for what is not asked, and the estimators
    have defaults that scikit-learn's `clone` reads from their constructors."""
    options = {
        "clip_norm",
        "patience",
        "schedule",
        "shuffle",
        "monitor",
        "resume",
        "keep_best",
        "checkpoint",
    }
    found = set()
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [*node.args.posonlyargs, *node.args.args]
                given = names[len(names) - len(node.args.defaults) :]
                given += [a for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
                found |= {(module.removeprefix("netwright."), argument.arg) for argument in given}
            elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
                found.add((module.removeprefix("netwright."), node.target.id))
    homes = {(module, name) for module, name in found if name in options}
    faces = {
        *(("tabular.learn", name) for name in options),
        *((f"estimators.{face}", name) for face in ("perceptron", "tabular") for name in options),
    }
    assert homes - faces == {("training.options", name) for name in options}


# ── short ways ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Counting(OPTIMIZERS["adam"]):
    """Notes how many of our functions stand between whoever asks for a training and a step."""

    def step(self, *arguments):
        frame, self.frames = inspect.currentframe(), []
        while frame is not None:
            if frame.f_globals["__name__"].startswith("netwright."):
                self.frames.insert(0, frame.f_code.co_qualname)
            frame = frame.f_back
        self.frames.append("step")
        super().step(*arguments)


def test_few_functions_stand_between_train_and_step():
    X, Y = np.ones((2, 4)), np.ones((1, 4))
    counting = Counting()
    netwright.Network([2, 1], rng=0).train(X, Y, epochs=1, optimizer=counting, engine="plain")
    assert len(counting.frames) <= 5, counting.frames


def test_few_functions_stand_between_fit_and_step():
    counting = Counting()
    options = {"hidden_layer_sizes": (2,), "max_iter": 2, "solver": counting, "engine": "plain"}
    model = netwright.MLPRegressor(**options).set_params(solver=counting)
    with warnings.catch_warnings(action="ignore"):
        model.fit(np.ones((4, 2)), np.ones(4))
    assert len(model._optimizer.frames) <= 6, model._optimizer.frames


# ── what `import netwright` costs ────────────────────────────────────────────────────────────────────────────────────


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_loads_numpy_and_nothing_heavy():
    loaded = set(python("import sys, netwright; print(*{name.partition('.')[0] for name in sys.modules})").split())
    assert "numpy" in loaded
    assert not loaded & {*DOORS, "joblib", "pandas", "pyarrow", "torch", "PIL"}
    ours = set(python("import sys, netwright; print(*[n for n in sys.modules if n.startswith('netwright.')])").split())
    assert {wing_of(name) for name in ours} <= {"core", "network", "export"}
    assert not {name for name in ours if name.startswith("netwright.export.")}


def test_importing_takes_little_more_than_numpy():
    """At most 60 ms, or on a slow machine six tenths of NumPy's own. CPU time, which other work on the machine does not
    count into; medians of alternating runs; three chances."""

    def cost(module):
        return float(python(f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"))

    for _ in range(3):
        pairs = [(cost("numpy"), cost("netwright")) for _ in range(5)]
        numpy, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
        if ours - numpy < max(0.06, 0.6 * numpy):
            return
    pytest.fail(f"import netwright takes {1000 * (ours - numpy):.0f} ms more than NumPy's own {1000 * numpy:.0f}")


def test_checking_and_stepping_load_nothing_heavy_either():
    names = ("check_gradient", "load", "OPTIMIZERS", "SCHEDULES", "SCORES", "History")
    code = "import sys, netwright as n; {}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = set(python(code.format("; ".join(f"n.{name}" for name in names))).split())
    assert not loaded & {*DOORS}
