"""The house keeps its order: imports point inward, each third party has its door, importing costs next to nothing."""

import ast
import inspect
import statistics
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import netwright

SOURCE = Path(netwright.__file__).parent
FILES = {
    "netwright." + ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
    if path != SOURCE / "__init__.py"
}

GROUPS = {  # from the inside out; a new module needs its place here (a package stands for all that is in it)
    "mathematics": "table arguments activations losses initializers optimizers schedules scores",
    "network": "layer layers network gradcheck board explain persistence mixture diagram",
    "engines": "engines",
    "training": "history checkpoint loop training evidence symptoms diagnosis",
    "data": "frame csv_reading text_columns reading columns tables target parts recipe model one_network learning",
    "faces": "page report progress xor options failures telling cli __main__ estimators export playground",
}
ORDER = list(GROUPS)
PLACES = {f"netwright.{module}": group for group, modules in GROUPS.items() for module in modules.split()}

OUTWARD = {  # the doors outward, opened only when something is asked for
    ("netwright.core.network", "netwright.training.options"),  # network.train
    ("netwright.core.network", "netwright.engines"),  # network.predictor
    ("netwright.files.container", "netwright.tabular.model"),  # load, of a file that holds a table's model
    ("netwright.files.container", "netwright.estimators.files"),  # and of one that holds an estimator
    ("netwright.files.container", "netwright.estimators.tabular_files"),  # of either kind
    ("netwright.training.history", "netwright.draw.report"),  # history.plot
}

DOORS = {  # the only modules that import them; a package stands for all that is in it
    "scipy": ("loop", "engines.fused", "estimators"),
    "sklearn": ("estimators",),
    "numba": ("engines.fused",),
    "llvmlite": ("engines.fused",),
    "threadpoolctl": ("engines.threads",),
    "safetensors": ("persistence",),
    "duckdb": ("reading",),
    "matplotlib": ("report",),
    "plotext": ("progress",),
    "rich": ("progress", "cli"),
    "click": ("progress", "options", "failures", "telling", "cli"),
}
FREE = {"numpy", *sys.stdlib_module_names}


def imports_of(module):
    """(imported module, whether at module level) of every import; those for type checkers alone are left out."""
    found = []

    def walk(node, top):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                found.extend((name.name, top) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module}: imports are written in full, not relative"
                inner = [f"{child.module}.{name.name}" for name in child.names]
                found.extend((name if name in FILES else child.module, top) for name in inner)
            walk(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    walk(ast.parse(FILES[module].read_text()), True)
    return found


IMPORTS = {module: imports_of(module) for module in FILES}


def place_of(module):
    """The group of a module, by its own name or its package's."""
    parts = module.split(".")
    assert ".".join(parts[:2]) in PLACES, f"{module} has no place in GROUPS"
    return ORDER.index(PLACES[".".join(parts[:2])])


@pytest.mark.parametrize("module", FILES)
def test_imports_point_inward(module):
    for other, top in IMPORTS[module]:
        if other.startswith("netwright.") and place_of(other) > place_of(module):
            assert not top, f"{module} imports {other} at its head, which is further out"
            assert (module, other) in OUTWARD, f"{module} imports {other}, which is further out"


def test_every_outward_door_is_in_use():
    assert {(module, other) for module in FILES for other, _ in IMPORTS[module]} >= OUTWARD


def test_no_module_imports_itself_in_a_circle():
    heads = {m: {o for o, top in IMPORTS[m] if top and o in FILES} for m in FILES}
    TopologicalSorter(heads).prepare()  # CycleError names the circle


@pytest.mark.parametrize("module", FILES)
def test_each_third_party_has_its_door(module):
    name = module.removeprefix("netwright.")
    for other, _ in IMPORTS[module]:
        party = other.partition(".")[0]
        if party not in FREE and party != "netwright":
            doors = DOORS.get(party, ())
            assert any(name == door or name.startswith(door + ".") for door in doors), f"{module} imports {other}"


@pytest.mark.parametrize("module", FILES)
def test_no_module_pickles(module):
    unsafe = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert not unsafe & {other.partition(".")[0] for other, _ in IMPORTS[module]}


@pytest.mark.parametrize("module", FILES)
def test_every_module_says_its_idea_and_has_one(module):
    path = FILES[module]
    assert path.stem not in ("utils", "helpers", "common", "base", "misc")
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path.name} has no docstring"
    lines = len(path.read_text().splitlines())
    assert lines <= 420, f"{path.name} has {lines} lines: it is looking for its two halves"


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


# ── what `import netwright` costs ────────────────────────────────────────────────────────────────────────────────────


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_loads_numpy_and_nothing_heavy():
    loaded = set(python("import sys, netwright; print(*{name.partition('.')[0] for name in sys.modules})").split())
    assert "numpy" in loaded
    assert not loaded & {*DOORS, "joblib", "pandas", "pyarrow", "torch", "PIL"}
    ours = set(python("import sys, netwright; print(*[n for n in sys.modules if n.startswith('netwright.')])").split())
    inner = {"mathematics", "network"}
    assert {PLACES[name] for name in ours} <= inner


def test_importing_takes_less_than_60_ms_more_than_numpy():
    """CPU time, which other work on the machine does not count into; medians of alternating runs; three chances."""

    def cost(module):
        return float(python(f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"))

    for _ in range(3):
        pairs = [(cost("numpy"), cost("netwright")) for _ in range(5)]
        numpy, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
        if ours - numpy < 0.06:
            return
    pytest.fail(f"import netwright takes {1000 * (ours - numpy):.0f} ms more than NumPy's own {1000 * numpy:.0f}")


def test_checking_and_stepping_load_nothing_heavy_either():
    names = ("check_gradient", "load", "OPTIMIZERS", "SCHEDULES", "SCORES", "History")
    code = "import sys, netwright as n; {}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = set(python(code.format("; ".join(f"n.{name}" for name in names))).split())
    assert not loaded & {*DOORS}
