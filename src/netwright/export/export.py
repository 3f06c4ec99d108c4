"""Write a model for somewhere else, run what was written, and keep it only if it gives the same numbers."""

import json
import math
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core import arguments
from netwright.core.arguments import Array
from netwright.core.registry import did_you_mean
from netwright.export.program import Answers, NumberColumn, Program, run
from netwright.files.atomic import check_writable, write_atomically

ROWS = 256  # on trial
BOUNDS = {"float64": 1e-12, "float32": 1e-6}  # of a difference, relative
ROUNDING, MOVES = 2.0, 8  # what may differ, of what `rounding` finds by so many moves
MOST = float(np.finfo(np.float64).max)
LAST_BITS = 4 * np.finfo(np.float64).eps  # of a number, which an offset may cost it
ENDLESS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}  # texts, since JSON has no such number
OURS = re.compile(  # how an export begins: with its heading, or in ONNX with its producer
    rb'(("""|/\*+|--)[^\n]*(\n[^\n]*){0,3}(\n[ *]*Written|; written) by netwright[.:;\n]'
    rb'|\{"about": "rows and right answers, written by netwright"|\x08.\x12\tnetwright)',
    re.DOTALL,
)
LABELS_BOUND = 1e-9  # labels may differ only where two classes are as probable to that


@dataclass(frozen=True)
class Format:
    """A writer: a module of this package with `files(program, name, **options)`, {file name: its bytes}, and
    `run(program, folder, name, table, **options)`, the answers of what was written, or None where no runtime is here.

    It may have `takes(program, table)`, the trial as far as the format can tell its rows apart, and
    `bound(program, **options)`, what may differ with options that trade exactness, or None.

    writes: the ending of what it writes. runtime: what runs it. endings: those of a path that ask for it. options:
    what `files` takes beside; lossy: those of them that trade exactness.
    """

    name: str
    writes: str
    runtime: str
    endings: tuple[str, ...]
    options: tuple[str, ...] = ()
    lossy: tuple[str, ...] = ()

    @property
    def module(self) -> Any:
        return import_module(f"netwright.export.{self.name}")


FORMATS = {
    each.name: each
    for each in (
        Format("onnx", ".onnx", "ONNX Runtime (pip install 'netwright[onnx]')", (".onnx",)),
        Format("c", ".c", "a C compiler, cc or gcc", (".c", ".h"), ("float32", "int8", "main"), ("float32", "int8")),
        Format("python", ".py", "Python", (".py",), ("numpy",)),
        Format("javascript", ".mjs", "Node", (".mjs", ".js")),
        Format("sql", ".sql", "DuckDB, or SQLite with its math functions", (".sql",), ("dialect", "table")),
        Format("sklearn", ".py", "scikit-learn", ()),
    )
}


@dataclass(frozen=True)
class Proof:
    """What came of the trial: the largest difference, relative, and how many labels differ, of so many rows.

    difference: None where no runtime was here, and nothing is proved. files: what was written. lossy: the options that
    trade exactness for size, and allow the bound that there is.
    """

    format: str
    files: tuple[Path, ...]
    rows: int
    bound: float
    difference: float | None
    labels: int = 0
    lossy: str = ""

    def __str__(self) -> str:
        if self.difference is None:
            return f"not proved here: {FORMATS[self.format].runtime} is not there"
        differ = f"{self.labels} labels differ"
        if self.lossy:
            return (
                f"compared on {self.rows} rows: with {self.lossy} the largest difference is {self.difference:.1e}, as "
                f"the smaller numbers make it by themselves, {differ}"
            )
        return (
            f"proved on {self.rows} rows: the largest difference is {self.difference:.1e} (at most {self.bound:.2g} is "
            f"allowed), {differ}"
        )


def export(program: Program, path: Any, format: str | None = None, **options: Any) -> Proof:
    """Write what the program computes to `path`, in the format of that name or of the path's ending.

    What was written is run on 256 rows, with gaps, unseen categories and extremes, and compared with the model's own
    answers; rows and answers are written beside it, `NAME.test.json`, as a test for the other side. ValueError for an
    unknown format or option, for what a format cannot hold, where a number differs by more than the bound, and for a
    file that is there and is no export; OSError when a file can't be written. Nothing is left of an export that fails.
    """
    path = Path(arguments.path("path", path))
    chosen = _format(path, format)
    for name in options:
        if name not in chosen.options:
            hint = f"; it takes {', '.join(chosen.options)}" if chosen.options else "; it takes no options"
            raise ValueError(f"the format {chosen.name!r} has no option {name!r}{hint}")
    known = path.suffix.lower() in (chosen.writes, *chosen.endings)
    name = path.stem if known else path.name
    texts = chosen.module.files(program, name, **options)
    table = trial(program)
    if hasattr(chosen.module, "takes"):  # a format that cannot tell all apart that a table can
        table = chosen.module.takes(program, table)
    with np.errstate(all="ignore"):  # numbers far away may overflow
        right = program.answers(table)
    texts[f"{name}.test.json"] = _test(program, table, right)
    places = {each: path.parent / each for each in texts}
    if known and path.name not in texts:  # model.js for model.mjs
        places[name + chosen.writes] = path
    for each, place in places.items():
        check_writable(place, len(texts[each]))
        _check_replaceable(place)
    difference, labels, loose = None, 0, None
    if hasattr(chosen.module, "bound"):  # of an option that trades exactness for size
        loose = chosen.module.bound(program, **options)
    lossy = "" if loose is None else ", ".join(option for option in chosen.lossy if options.get(option))
    bound = BOUNDS[program.dtype] if loose is None else loose
    with tempfile.TemporaryDirectory(prefix="netwright-") as folder:
        for each, data in texts.items():
            (Path(folder) / each).write_bytes(data)
        found = chosen.module.run(program, Path(folder), name, table, **options)
    if found is not None:
        difference, labels = compared(program, right, found)
        if loose is None and difference > bound:  # the model itself may be no surer of its numbers
            bound = max(bound, ROUNDING * rounding(program, table, program.dtype))
        wrong = labels if loose is None else compared(program, right, found, 2 * loose)[1]
        if not difference <= bound or wrong:
            how = f" (with {lossy})" if lossy else ""
            raise ValueError(
                f"the {chosen.name} export is not right{how}, and nothing was written: a number differs by "
                f"{difference:.1e}, relative, of at most {bound:.2g} allowed, and {wrong} of {ROWS} labels differ"
            )
    _write({place: texts[each] for each, place in places.items()})
    return Proof(chosen.name, tuple(places.values()), ROWS, bound, difference, labels, lossy)


def _write(texts: dict[Path, bytes]) -> None:
    """All of the files; where one cannot be written, none that was not there before is left."""
    made = [place for place in texts if not place.exists()]
    try:
        for place, data in texts.items():
            write_atomically(place, data)
    except BaseException:
        for place in made:
            place.unlink(missing_ok=True)
        raise


def _format(path: Path, name: str | None) -> Format:
    if name is not None:
        if arguments.text("format", name) not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"unknown format {name!r}; {did_you_mean(name, FORMATS)}choose one of {known}")
        return FORMATS[name]
    for each in FORMATS.values():
        if path.suffix.lower() in each.endings:
            return each
    endings = ", ".join(f"{each.endings[0]} ({each.name})" for each in FORMATS.values() if each.endings)
    raise ValueError(f"path {str(path)!r} must end in one of {endings}; or say the format")


def _check_replaceable(path: Path) -> None:
    """ValueError when a file is there that no export wrote: somebody's own model.h, or the script under way."""
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        beginning = file.read(1 << 16)
    if not OURS.match(beginning):
        raise ValueError(f"{path} is there already and was not written by an export; give another name, or remove it")


def rounding(program: Program, table: Any, dtype: str) -> float:
    """How far the program's answers move when each W and b does by up to a last bit of that dtype.

    To within a few bits, arithmetic in it gives what exact arithmetic gives of weights that are moved so (N. Higham,
    Accuracy and Stability of Numerical Algorithms, 3.5). Of a network such as exp(exp(x)) that may be much.
    """
    rng, eps, found = np.random.default_rng(0), np.finfo(dtype).eps, [0.0]

    def moved(x: Array) -> Array:
        return np.asarray(x * (1 + eps * rng.uniform(-1, 1, x.shape)))

    program = replace(program, dtype="float64")
    with np.errstate(all="ignore"):
        still = run(program, table)
        for _ in range(MOVES):
            networks = tuple(
                tuple(replace(each, W=moved(each.W), b=moved(each.b)) for each in layers) for layers in program.networks
            )
            found.append(compared(program, still, run(replace(program, networks=networks), table))[0])
    return max(filter(math.isfinite, found))


def compared(program: Program, right: Answers, found: Answers, close: float = LABELS_BOUND) -> tuple[float, int]:
    """(the largest difference; how many rows have another label though no other class is as probable, or by `close`
    less). A probability's difference is as it is; that of a number relative to it or to what its column usually is, or
    of a standardised target to how far from the mean it is, but for a last bit or so."""
    values, labels = np.asarray(found[0]), found[1]
    if values.shape != right[0].shape:
        raise ValueError(f"an export gave numbers of the shape {values.shape}, not {right[0].shape}")
    with np.errstate(all="ignore"):
        usual = np.median(np.abs(right[0]), axis=0)
    size = np.maximum(np.abs(right[0]), np.where((usual > 0) & np.isfinite(usual), usual, 1))
    targets = [target for target in program.targets for _ in range(target.values)]
    for place, target in enumerate(targets):
        if target.classes:
            size[:, place] = 1
        elif target.standardised:
            size[:, place] = np.maximum(np.abs(right[0][:, place] - target.mean), target.std)
    bits = [0.0 if target.classes else LAST_BITS for target in targets] * np.abs(right[0])
    with np.errstate(all="ignore"):
        differences = np.maximum(np.abs(values - right[0]) - bits, 0) / size
    same = (values == right[0]) | (np.isnan(values) & np.isnan(right[0]))
    differences = np.where(same, 0, np.nan_to_num(differences, nan=np.inf, posinf=np.inf))
    largest = float(differences.max(initial=0))
    if labels is None or right[1] is None:
        return largest, 0 if labels is right[1] else len(values)
    ends = np.cumsum([target.values for target in program.labelled])[:-1]
    several = zip(np.split(right[0], ends, axis=1), right[1].T, np.asarray(labels).T, strict=True)
    rows, wrong = np.arange(len(values)), np.zeros(len(values), bool)
    for P, own, other in several:
        wrong |= (own != other) & (P[rows, other] < P[rows, own] - close)
    return largest, int(wrong.sum())


def trial(program: Program, rows: int = ROWS, seed: int = 0) -> Any:
    """Rows such as training had, and stranger ones: gaps, categories that it did not have, numbers far away.

    {column: list} as `program.inputs_of` takes it, or without columns x, (rows, inputs).
    """
    rng = np.random.default_rng(seed)
    if not program.columns:
        x = rng.normal(size=(rows, program.inputs))
        x[rng.random(rows) < 0.2] *= 3
        x[rng.random(x.shape) < 0.05] = 0
        return x.astype(program.dtype)
    return {column.name: _values(column, rows, rng) for column in program.columns}


def _values(column: Any, rows: int, rng: np.random.Generator) -> list[Any]:
    if isinstance(column, NumberColumn):
        with np.errstate(over="ignore"):
            x: Array = column.middle + column.spread * rng.standard_t(3, rows)
            far = rng.random(rows) < 0.05
            x[far] = column.middle + column.spread * rng.choice([-1e3, 1e3, 30, -30], rows)[far]
        if column.edges:
            often = rng.random(rows) < 0.3
            x[often] = rng.choice(column.edges, rows)[often]
        if column.kind == "date":
            x = np.round(np.clip(x, -2e15, 2e16))
        x = np.clip(x, -MOST, MOST)
        gone = rng.random(rows) < 0.1
        return [None if gone[i] else float(x[i]) for i in range(rows)]
    texts: list[str | None] = [*column.codes, None, "never seen", "", "a \"quoted' text; --", "Ünïcødé ✓"]
    shown = rng.choice(len(texts), rows, p=_evenly(len(column.codes), len(texts)))
    return [texts[place] for place in shown]


def _evenly(known: int, texts: int) -> Array:
    """Known texts in four rows of five."""
    shares = np.full(texts, 0.2 / (texts - known))
    shares[:known] = 0.8 / max(known, 1)
    return shares / shares.sum()


def _test(program: Program, table: Any, right: Answers) -> bytes:
    """The trial as a file: rows, and what is right for each."""
    given = {"columns": table} if program.columns else {"x": np.asarray(table, np.float64).tolist()}
    values, labels = right
    about = "rows and right answers, written by netwright"
    numbers = [[x if math.isfinite(x) else ENDLESS[str(x)] for x in row] for row in values.tolist()]
    said = {"about": about, "numbers": number_names(program), **given, "values": numbers}
    if labels is not None:
        said["labels"] = [
            [target.classes[place] for target, place in zip(program.labelled, row, strict=True)]
            for row in labels.tolist()
        ]
    return json.dumps(said, ensure_ascii=False, default=str, allow_nan=False).encode()


def number_names(program: Program) -> list[str]:
    """What each number of `Program.answers` is: a target, or the probability of a class."""
    return [
        name
        for target in program.targets
        for name in ([f"probability of {each}" for each in target.classes] if target.classes else [target.name])
    ]


def runtime(*names: str) -> str | None:
    """The first of these programs that is here, on the path or beside this Python."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    return next((found for name in names if (found := shutil.which(name, path=places))), None)
