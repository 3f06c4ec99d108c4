"""The catalogue of bad input: each row is a mistake, and the words that the one sentence about it must have.

Exit code 2, one line on stderr that begins with "netwright: ", no traceback, and every file is as it was.
"""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright import Layer, Network, train_table
from netwright.cli import main
from netwright.files.container import read, write

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
CSV = PENGUINS.read_text()


def lines(*numbers_and_texts):
    """The penguins' table with other text in some lines."""
    table = CSV.splitlines()
    for number, text in numbers_and_texts:
        table[number - 1] = text
    return "\n".join(table)


def numbers(n, **columns):
    """A table of n rows; each column is a function of the row's number."""
    head = ",".join(columns)
    return "\n".join([head, *(",".join(str(make(i)) for make in columns.values()) for i in range(n))])


def small(**columns):
    return numbers(40, x=lambda i: i % 7, y=lambda i: "ab"[i % 2], **columns)


TRAIN = ("train", "t.csv", "-t", "species", "-o", "old.safetensors")
SMALL = ("train", "t.csv", "-t", "y", "-o", "old.safetensors")

# name: (the text of t.csv, the command, words of the sentence)
MISTAKES = {
    # the table
    "no such file": (None, ("train", "nope.csv", "-t", "y"), ["there is no file nope.csv"]),
    "a directory": (None, ("train", ".", "-t", "y"), ["directory"]),
    "an empty file": ("", SMALL, ["t.csv", "empty"]),
    "white space only": ("\n\n", SMALL, ["t.csv"]),
    "a header only": ("x,y\n", SMALL, ["t.csv", "no rows"]),
    "a format that is not known": (None, ("train", "t.xlsx", "-t", "y"), ["t.xlsx"]),
    "ragged rows": (lines((30, "Adelie,Torgersen,39,18,181,3750,male,2007,9")), TRAIN, ["line 30", "9 fields", "8"]),
    "a row too short": (lines((30, "Adelie,Torgersen")), TRAIN, ["line 30", "2 fields"]),
    "latin-1": (CSV.replace("Adelie", "Adélie").encode("latin-1"), TRAIN, ["line 2", "UTF-8", "--encoding latin-1"]),
    "utf-16": (CSV.encode("utf-16"), TRAIN, ["--encoding utf-16"]),
    "binary garbage": (bytes(range(256)) * 20, TRAIN, ["t.csv"]),
    "a quote never closed": (lines((30, 'Adelie,"Torgersen,39,18,181,3750,male,2007')), TRAIN, ["quote", "on line 30"]),
    "not gzip": (CSV, ("train", "t.csv.gz", "-t", "species"), ["t.csv.gz"]),
    "not Parquet": (CSV, ("train", "t.parquet", "-t", "species"), ["t.parquet"]),
    "an unknown encoding": (CSV, (*TRAIN, "--encoding", "utf-9"), ["unknown encoding 'utf-9'"]),
    "a delimiter of two characters": (CSV, (*TRAIN, "--delimiter", ";;"), ["--delimiter", "one character"]),
    # the target
    "no target named": (CSV, ("train", "t.csv"), ["--target", "'species'", "'sex'"]),
    "no such target": (CSV, ("train", "t.csv", "-t", "speces"), ["no column 'speces'", "did you mean 'species'?"]),
    "two columns of the target's name": (CSV.replace("island", "species", 1), TRAIN, ["more than one", "'species'"]),
    "one class": (small().replace(",b", ",a"), SMALL, ["'y'", "one class", "'a'"]),
    "one number": (small(z=lambda i: 3.5), ("train", "t.csv", "-t", "z"), ["'z'", "constant", "3.5"]),
    "missing in the target": (CSV, ("train", "t.csv", "-t", "sex"), ["'sex'", "11 of 344", "line 5"]),
    "a class for every row": (small(z=lambda i: f"c{i}"), ("train", "t.csv", "-t", "z"), ["'z'", "40 classes"]),
    "text to regress on": (CSV, (*TRAIN, "--task", "regression"), ["'species'", "text", "numbers"]),
    "infinity in the target": (
        small(z=lambda i: "inf" if i == 3 else i / 3), ("train", "t.csv", "-t", "z"), ["'z'", "line 5", "inf"]),
    "a date as the target": (
        small(z=lambda i: f"2024-01-{1 + i % 28:02}"), ("train", "t.csv", "-t", "z"), ["'z'", "date"]),
    "counts below zero": (
        small(z=lambda i: i - 1.5), ("train", "t.csv", "-t", "z", "--loss", "poisson"), ["poisson", "-1.5", "line 2"]),
    # the columns
    "an infinite value": (small(z=lambda i: "inf" if i == 7 else i / 3), SMALL, ["'z'", "line 9", "inf"]),
    "mixed types": (
        small(z=lambda i: "many" if i == 7 else i / 3), SMALL, ["'z'", "'many'", "line 9", "--categorical"]),
    "nothing to learn from": (numbers(40, y=lambda i: "ab"[i % 2]), SMALL, ["no column is left"]),
    "nothing left of use": (
        numbers(40, i=lambda i: i, c=lambda i: 1, m=lambda i: "", y=lambda i: "ab"[i % 2]), SMALL,
        ["no column can be learned from", "'i'", "'c'", "'m'"]),
    "all dropped": (small(), (*SMALL, "--drop", "x"), ["no column is left"]),
    "an unknown column to drop": (small(), (*SMALL, "--drop", "xs"), ["no column 'xs'", "did you mean 'x'?"]),
    "the target dropped": (small(), (*SMALL, "--drop", "y"), ["'y'", "target", "dropped"]),
    "an unknown category": (small(), (*SMALL, "--categorical", "xs"), ["no column 'xs'"]),
    # rows
    "1 row": (numbers(1, x=lambda i: i, y=lambda i: i / 2), SMALL, ["'y'", "constant", "0"]),
    "2 rows": (numbers(2, x=lambda i: i, y=lambda i: i / 2), SMALL, ["2 rows are too few"]),
    "3 rows": (numbers(3, x=lambda i: i, y=lambda i: i / 2), SMALL, ["3 rows are too few"]),
    # weights
    "unknown weights": (small(), (*SMALL, "--weights", "w"), ["no column 'w'"]),
    "negative weights": (
        small(w=lambda i: i % 5 - 1), (*SMALL, "--weights", "w"), ["'w'", "line 2", "-1", "at least 0"]),
    "text as weights": (small(w=lambda i: "kg"), (*SMALL, "--weights", "w"), ["'w'", "'kg'", "not a number"]),
    "missing weights": (
        small(w=lambda i: "" if i == 6 else 1 + i % 3), (*SMALL, "--weights", "w"), ["'w'", "line 8", "missing"]),
    "infinite weights": (small(w=lambda i: "inf" if i == 6 else i % 3), (*SMALL, "--weights", "w"), ["'w'", "line 8"]),
    "weights all zero": (small(w=lambda i: 0), (*SMALL, "--weights", "w"), ["'w'", "0 in every row"]),
    "the target as weights": (small(), (*SMALL, "--weights", "y"), ["'y'", "both the target and the weights"]),
    "the weights dropped": (
        small(w=lambda i: 1 + i % 3), (*SMALL, "--weights", "w", "--drop", "w"), ["'w'", "weights"]),
    # options
    "no such option": (small(), (*SMALL, "--epoch", "3"), ["--epoch"]),
    "no such command": (small(), ("trian", "t.csv"), ["'trian'", "'train'"]),
    "no table": (small(), ("train",), ["TABLE"]),
    "one argument too many": (small(), (*SMALL, "more"), ["more"]),
    "a size of 0": (small(), (*SMALL, "--hidden", "8,0"), ["hidden", "at least 1", "0"]),
    "a negative size": (small(), (*SMALL, "--hidden", "-8"), ["hidden", "-8"]),
    "sizes in other words": (small(), (*SMALL, "--hidden", "8x8"), ["'8x8'", "64,32"]),
    "sizes beyond any memory": (small(), (*SMALL, "--hidden", "9999999,9999999"), ["memory", "GiB"]),
    "no epochs": (small(), (*SMALL, "--epochs", "0"), ["epochs", "at least 1", "0"]),
    "half an epoch": (small(), (*SMALL, "--epochs", "1.5"), ["--epochs", "'1.5'"]),
    "an empty batch": (small(), (*SMALL, "--batch-size", "0"), ["batch_size", "at least 1"]),
    "no patience": (small(), (*SMALL, "--patience", "0"), ["patience", "at least 1"]),
    "a learning rate of 0": (small(), (*SMALL, "--learning-rate", "0"), ["learning_rate", "above 0"]),
    "a learning rate of NaN": (small(), (*SMALL, "--learning-rate", "nan"), ["learning_rate", "nan"]),
    "dropout of everything": (small(), (*SMALL, "--dropout", "1.5"), ["dropout", "1.5"]),
    "a negative penalty": (small(), (*SMALL, "--l2", "-1"), ["l2", "-1"]),
    "a negative seed": (small(), (*SMALL, "--seed", "-1"), ["seed", "-1"]),
    "everything held out": (small(), (*SMALL, "--validation", "1"), ["validation", "below 1"]),
    "less than nothing held out": (small(), (*SMALL, "--validation", "-0.1"), ["validation", "-0.1"]),
    "a time that is none": (small(), (*SMALL, "--time-limit", "soon"), ["--time-limit", "'soon'", "5m"]),
    "no time": (small(), (*SMALL, "--time-limit", "0"), ["--time-limit", "'0'"]),
    "an unknown activation": (small(), (*SMALL, "--activation", "rellu"), ["'rellu'", "did you mean 'relu'?"]),
    "an unknown loss": (small(), (*SMALL, "--loss", "loglos"), ["'loglos'", "did you mean 'logloss'?"]),
    "an unknown optimizer": (small(), (*SMALL, "--optimizer", "adma"), ["'adma'", "did you mean 'adam'?"]),
    "an unknown schedule": (small(), (*SMALL, "--schedule", "cosin"), ["'cosin'", "did you mean 'cosine'?"]),
    "an unknown task": (small(), (*SMALL, "--task", "classify"), ["'classify'", "classification"]),
    "a loss for another task": (small(), (*SMALL, "--loss", "huber"), ["'huber'", "classification", "logloss"]),
    "a loss for two of three classes": (CSV, (*TRAIN, "--loss", "logloss"), ["two classes", "3", "cross_entropy"]),
    "L-BFGS in batches": (small(), (*SMALL, "--optimizer", "lbfgs", "--batch-size", "4"), ["lbfgs", "batch_size"]),
    "Levenberg-Marquardt with dropout": (
        small(),
        (*SMALL, "--optimizer", "levenberg_marquardt", "--dropout", "0.1"),
        ["levenberg_marquardt", "dropout"],
    ),
    "a penalty beside the one that is found": (
        small(),
        (*SMALL, "--optimizer", "bayesian_regularization", "--l2", "0.1"),
        ["bayesian_regularization", "leave out l2=0.1"],
    ),
    "a loss without an evidence": (
        small(),
        (*SMALL, "--optimizer", "bayesian_regularization", "--loss", "huber"),
        ["bayesian_regularization", "'huber'", "squared_error"],
    ),
    "resume from nowhere": (small(), (*SMALL, "--resume"), ["--resume", "--checkpoint"]),
    # outputs
    "a model without a name": (small(), (*SMALL[:-1], ""), ["--model", "''"]),
    "a model in no directory": (small(), (*SMALL[:-1], "nodir/m"), ["nodir/m", "no directory"]),
    "a model that is a directory": (small(), (*SMALL[:-1], "dir"), ["dir", "directory"]),
    "a model over the table": (small(), (*SMALL[:-1], "t.csv"), ["t.csv", "the table"]),
    "a model over something else": (small(), (*SMALL[:-1], "notes.txt"), ["notes.txt", "no model"]),
    "a checkpoint over the model": (small(), (*SMALL, "--checkpoint", "old.safetensors"), ["--checkpoint", "--model"]),
    "a checkpoint over something else": (small(), (*SMALL, "--checkpoint", "notes.txt"), ["no checkpoint"]),
    "a checkpoint in no directory": (small(), (*SMALL, "--checkpoint", "nodir/c"), ["nodir/c", "no directory"]),
    "resume from a model": (small(), (*SMALL, "--checkpoint", "net.safetensors", "--resume"), ["no checkpoint"]),
    "a report of no kind": (small(), (*SMALL, "--report", "r.doc"), ["r.doc", ".html"]),
    "a report on nothing": (small(), (*SMALL, "--report", "r.html", "--validation", "0"), ["--report", "held out"]),
    "a report in no directory": (small(), (*SMALL, "--report", "nodir/r.html"), ["nodir/r.html", "no directory"]),
    "a report over the table": (small(), (*SMALL, "--report", "t.csv"), ["the table"]),
    # predict, evaluate, show
    "no such model": (CSV, ("predict", "nope.safetensors", "t.csv"), ["no file nope.safetensors"]),
    "a text as the model": (CSV, ("predict", "notes.txt", "t.csv"), ["notes.txt", "not a model file"]),
    "the table as the model": (CSV, ("predict", "t.csv", "t.csv"), ["t.csv", "not a model file"]),
    "a model cut short": (CSV, ("predict", "short.safetensors", "t.csv"), ["short.safetensors", "damaged"]),
    "a model with a bit flipped": (CSV, ("predict", "flipped.safetensors", "t.csv"), ["flipped", "damaged"]),
    "an empty model": (CSV, ("show", "empty.safetensors"), ["empty.safetensors", "damaged"]),
    "a newer model": (CSV, ("predict", "newer.safetensors", "t.csv"), ["newer", "version '9'", "upgrade"]),
    "somebody else's tensors": (CSV, ("show", "foreign.safetensors"), ["foreign", "not one that netwright wrote"]),
    "a model without its encoder": (CSV, ("predict", "bare.safetensors", "t.csv"), ["bare", "encoder"]),
    "a model without its settings": (CSV, ("predict", "unset.safetensors", "t.csv"), ["settings"]),
    "a bare network": (CSV, ("predict", "net.safetensors", "t.csv"), ["net.safetensors", "bare network"]),
    "a bare network to evaluate": (CSV, ("evaluate", "net.safetensors", "t.csv"), ["bare network"]),
    "a column missing": (
        CSV.replace("island", "islnd", 1), ("predict", "old.safetensors", "t.csv"), ["'island'", "'islnd'"]),
    "columns missing": (
        "island,sex\nDream,male\n", ("predict", "old.safetensors", "t.csv"), ["'year'", "'body_mass_g'"]),
    "text in a number": (
        lines((20, "Adelie,Dream,many,18,181,3750,male,2007")), ("predict", "old.safetensors", "t.csv"),
        ["'bill_length_mm'", "'many'", "line 20"]),
    "infinity at predict": (
        lines((20, "Adelie,Dream,inf,18,181,3750,male,2007")), ("predict", "old.safetensors", "t.csv"),
        ["'bill_length_mm'", "inf", "line 20"]),
    "no rows to predict": (CSV.splitlines()[0] + "\n", ("predict", "old.safetensors", "t.csv"), ["no rows"]),
    "predictions of no format": (CSV, ("predict", "old.safetensors", "t.csv", "-o", "p.doc"), ["p.doc", ".csv"]),
    "predictions in no directory": (
        CSV, ("predict", "old.safetensors", "t.csv", "-o", "nodir/p.csv"), ["no directory"]),
    "predictions over the table": (CSV, ("predict", "old.safetensors", "t.csv", "-o", "t.csv"), ["the table"]),
    "predictions over the model": (
        CSV, ("predict", "old.safetensors", "t.csv", "-o", "old.safetensors"), ["the model"]),
    "no target to evaluate": (
        CSV.replace("species", "kind", 1), ("evaluate", "old.safetensors", "t.csv"), ["'species'"]),
    "a class never seen": (
        CSV.replace("Gentoo", "Emperor"), ("evaluate", "old.safetensors", "t.csv"), ["'Emperor'", "'Gentoo'"]),
    "a target missing": (
        lines((2, ",Dream,39,18,181,3750,male,2007")),
        ("evaluate", "old.safetensors", "t.csv"), ["'species'", "missing"]),
    # xor
    "xor for no epochs": (None, ("xor", "--epochs", "0"), ["--epochs", "0"]),
    "xor with half a seed": (None, ("xor", "--seed", "a"), ["--seed", "'a'"]),
    "xor drawn as text": (None, ("xor", "--plot", "x.txt"), ["x.txt", ".png"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Files that are there before the mistake is made: models, good and bad, and things that are none."""
    place = tmp_path_factory.mktemp("shelf")
    model = train_table(PENGUINS, "species", epochs=3, hidden=(4,))
    good = place / "old.safetensors"
    model.save(good)
    kind, tensors, header = read(good)
    (place / "short.safetensors").write_bytes(good.read_bytes()[:900])
    flipped = bytearray(good.read_bytes())
    flipped[-9] ^= 1
    (place / "flipped.safetensors").write_bytes(flipped)
    (place / "empty.safetensors").write_bytes(b"")
    (place / "notes.txt").write_text("not a model, but dear to somebody")
    (place / "dir").mkdir()
    Network([2, 3, 1], rng=0).save(place / "net.safetensors")
    write(place / "bare.safetensors", kind, tensors, {name: header[name] for name in header if name != "encoder"})
    write(place / "unset.safetensors", kind, tensors, header | {"settings": {}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netwright.files.container.VERSION", 9)
        write(place / "newer.safetensors", kind, tensors, header)
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, place / "foreign.safetensors")
    return place


@pytest.fixture
def here(shelf, tmp_path, monkeypatch):
    place = tmp_path / "here"
    shutil.copytree(shelf, place)
    monkeypatch.chdir(place)
    return place


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def contents(place):
    return {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def is_one_sentence(result, words):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert line.startswith("netwright: ")
    assert "Traceback" not in line
    for word in words:
        assert word in line


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_and_loses_nothing(here, name):
    table, command, words = MISTAKES[name]
    if table is not None:
        file = next((each for each in command if each.startswith("t.")), "t.csv")
        (here / file).write_bytes(table if isinstance(table, bytes) else table.encode())
    before = contents(here)
    is_one_sentence(run(*command), words)
    assert contents(here) == before


# ── files that cannot be written ──


def test_an_output_that_may_not_be_written_is_told_before_training(here, monkeypatch):
    (here / "t.csv").write_text(small())
    monkeypatch.setattr("netwright.network.Network.train", lambda *_, **__: pytest.fail("training was started"))
    real = Path.write_bytes

    def full(path, data):
        if "old.safetensors" in path.name and len(data) > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    before = (here / "old.safetensors").read_bytes()
    result = run(*SMALL, "--quiet")
    is_one_sentence(result, ["old.safetensors", "No space left on device"])
    assert (here / "old.safetensors").read_bytes() == before


def test_a_disk_that_fills_while_training_does_not_cost_the_model(here, monkeypatch):
    (here / "t.csv").write_text(small())
    real = netwright.TableModel.save

    def full(model, path):
        if Path(path).name == path:
            raise OSError(errno.ENOSPC, f"cannot write {path}: No space left on device")
        real(model, path)

    monkeypatch.setattr("netwright.TableModel.save", full)
    result = run(*SMALL, "--quiet", "--epochs", 3)
    is_one_sentence(result, ["No space left on device", "the model is in "])
    netwright.load(result.stderr.split("the model is in ")[1].split(" instead")[0])


@pytest.mark.slow
def test_a_full_disk_in_earnest(here):
    """A limit on the size of files stands for the disk."""
    (here / "t.csv").write_text(small())
    before = (here / "old.safetensors").read_bytes()
    result = subprocess.run(
        [sys.executable, "-m", "netwright", *SMALL, "--hidden", "300"], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("netwright: cannot write old.safetensors: ")
    assert "epoch" not in result.stderr.replace("epochs", "")
    assert (here / "old.safetensors").read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(here):
    (here / "t.csv").write_text(small())
    (here / "dir").chmod(0o500)
    is_one_sentence(run(*SMALL[:-1], "dir/m"), ["dir/m", "denied"])


def test_a_checkpoint_of_another_training(here):
    (here / "t.csv").write_text(small())
    assert run(*SMALL, "--quiet", "--epochs", 3, "--checkpoint", "c").exit_code == 0
    before = contents(here)
    for change in (["--seed", 5], ["--batch-size", 3], ["--hidden", "5"], ["--learning-rate", 0.5]):
        is_one_sentence(
            run(*SMALL, "--quiet", "--epochs", 3, "--checkpoint", "c", "--resume", *change), ["cannot resume"]
        )
    assert contents(here) == before


# ── what is not a mistake ──


def test_columns_in_another_order_are_none(here):
    frame = netwright.read_table(PENGUINS)
    names = list(reversed(frame.names))
    table = [line.split(",") for line in CSV.splitlines()]
    (here / "t.csv").write_text("\n".join(",".join(reversed(row)) for row in table))
    assert netwright.read_table("t.csv").names == names
    assert run("predict", "old.safetensors", "t.csv").stdout == run("predict", "old.safetensors", PENGUINS).stdout


def test_a_dropped_column_need_not_be_in_order(here):
    (here / "t.csv").write_text(small(z=lambda i: "many" if i == 7 else i / 3))
    assert run(*SMALL, "--quiet", "--epochs", 2, "--drop", "z").exit_code == 0


def test_few_rows_learn_when_none_are_held_out(here):
    (here / "t.csv").write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    result = run(
        "train", "t.csv", "-t", "y", "--task", "classification", "--validation", 0, "--epochs", 1000, "-o", "m"
    )
    assert result.exit_code == 0
    assert "note: no row is held out" in result.stderr
    assert netwright.load("m").predict("t.csv").tolist() == [0, 1, 1, 0]


def test_ctrl_c_before_training_is_130(here, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("netwright.tables.read.read_table", interrupted)
    monkeypatch.setattr("netwright.tabular.reading.read_table", interrupted)
    (here / "t.csv").write_text(small())
    before = contents(here)
    result = run(*SMALL)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "netwright: interrupted"
    assert contents(here) == before


# ── the same from Python: arrays ──

X, Y = np.zeros((2, 5)), np.zeros((1, 5))


def network():
    return Network([2, 3, 1], rng=0)


def with_(value, array=X):
    array = array.astype(float).copy()
    array[1 if len(array) > 1 else 0, 3] = value
    return array


# name: (what is called, words of the ValueError)
ARRAYS = {
    "X with rows for samples": (lambda: network().predict(np.zeros((5, 2))), ["X", "2 rows", "X.T"]),
    "X of one dimension": (lambda: network().predict(np.zeros(2)), ["X", "2 dimensions", "reshape"]),
    "X of three": (lambda: network().predict(np.zeros((2, 5, 1))), ["X", "2 dimensions"]),
    "X of none": (lambda: network().predict(3.0), ["X", "2 dimensions"]),
    "no samples": (lambda: network().predict(np.zeros((2, 0))), ["no samples"]),
    "NaN": (lambda: network().predict(with_(np.nan)), ["X[1, 3]", "nan"]),
    "infinity": (lambda: network().gradient(with_(-np.inf), Y), ["X[1, 3]", "-inf"]),
    "NaN in Y": (lambda: network().gradient(X, with_(np.nan, Y)), ["Y[0, 3]", "nan"]),
    "texts": (lambda: network().predict(np.full((2, 5), "a")), ["X", "numbers"]),
    "objects": (lambda: network().predict(np.full((2, 5), object())), ["X", "numbers"]),
    "None": (lambda: network().predict(None), ["X"]),
    "complex numbers": (lambda: network().predict(X + 1j), ["X", "real", "complex128"]),
    "dates": (lambda: network().predict(X.astype("datetime64[s]")), ["X", "datetime64"]),
    "ragged lists": (lambda: network().predict([[1, 2], [3]]), ["X", "one length"]),
    "masked values": (lambda: network().predict(np.ma.masked_equal(with_(7), 7)), ["X", "masked"]),
    "Y of other samples": (lambda: network().gradient(X, np.zeros((1, 4))), ["X has 5", "Y has 4"]),
    "Y of other outputs": (lambda: network().gradient(X, np.zeros((2, 5))), ["Y", "1 rows"]),
    "Y out of range": (lambda: network().gradient(X, with_(7, Y)), ["logloss", "between 0 and 1", "7"]),
    "weights too few": (lambda: network().gradient(X, Y, np.ones(4)), ["weight", "5", "4"]),
    "weights negative": (lambda: network().gradient(X, Y, -np.ones(5)), ["weight[0]", "-1"]),
    "weights all zero": (lambda: network().gradient(X, Y, np.zeros(5)), ["weight is 0"]),
    "weights in training": (lambda: network().train(X, Y, weight=np.ones(6)), ["weight", "5", "6"]),
    "weights of text": (lambda: network().train(X, Y, weight=["a"] * 5), ["weight", "numbers"]),
    "validation of another shape": (lambda: network().train(X, Y, validation=(X.T, Y)), ["validation", "X"]),
    "epochs in training": (lambda: network().train(X, Y, epochs=0), ["epochs", "at least 1"]),
    "an unknown engine": (lambda: network().train(X, Y, engine="jet"), ["engine", "'jet'", "plain"]),
    "float16": (lambda: Network([2, 1], dtype=np.float16), ["float16", "float32"]),
    "an integer dtype": (lambda: Layer(2, 3, dtype=int), ["int", "float64"]),
    "a layer of no inputs": (lambda: Layer(0, 3), ["inputs", "0"]),
    "a layer of half a neuron": (lambda: Layer(2, 1.5), ["neurons", "1.5"]),
    "a layer fed with rows": (lambda: Layer(2, 3).feedforward(np.zeros((5, 2))), ["A1", "(2, samples)", "(5, 2)"]),
    "a layer fed with one dimension": (lambda: Layer(2, 3)(np.zeros(2)), ["A1", "(2,)"]),
    "gradient before feedforward": (lambda: Layer(2, 3).gradient(np.zeros((3, 5))), ["feedforward first"]),
    "W of another shape": (lambda: setattr(Layer(2, 3), "W", np.zeros((2, 3))), ["W", "(3, 2)", "(2, 3)"]),
    "theta of another size": (lambda: setattr(network(), "theta", np.zeros(3)), ["theta", "13", "3"]),
    "an unknown activation": (lambda: Layer(2, 3, "tahn"), ["'tahn'", "did you mean 'tanh'?"]),
    "one size": (lambda: Network([2]), ["two sizes"]),
    "a size of 0": (lambda: Network([2, 0, 1]), ["layers[1]", "0"]),
    "a table of one dimension": (lambda: train_table(np.zeros(5), "x0"), ["two dimensions", "(5,)"]),
    "a table of unequal columns": (lambda: train_table({"a": [1, 2], "y": [1]}, "y"), ["length"]),
    "a table with objects": (lambda: train_table({"a": [{}] * 20, "y": [0, 1] * 10}, "y"), ["'a'", "dict"]),
    "an unknown target": (lambda: train_table({"a": [1, 2], "why": [1, 2]}, "wy"), ["'wy'", "did you mean 'why'?"]),
    "hidden as a text": (lambda: train_table({"a": [1], "y": [1]}, "y", hidden="64"), ["hidden", "'64'"]),
    "drop as a text": (lambda: train_table({"a": [1], "y": [1]}, "y", drop="a"), ["drop", "list", "'a'"]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_do_not_fit_are_one_sentence(name):
    call, words = ARRAYS[name]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence
