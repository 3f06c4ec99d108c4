"""The command line as people and scripts meet it. What is wrong with what they give it: test_bad_input.py."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright import engines
from netwright.cli import main
from netwright.cli.progress import Progress, curve, duration
from netwright.files.container import read
from netwright.tabular.learn import ABOUT_ONE
from netwright.training.history import History

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
QUICK = ["--epochs", "6", "--hidden", "8"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty directory to work in, with the penguins."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PENGUINS, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of the penguins' species, trained once."""
    path = tmp_path_factory.mktemp("model") / "penguins.safetensors"
    assert run("train", PENGUINS, "-t", "species", "-o", path, "--quiet", "--seed", 1, "--epochs", 60).exit_code == 0
    return path


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def process(*arguments, **options):
    """A netwright of its own, for signals and pipes."""
    command = [sys.executable, "-m", "netwright", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def rows(csv):
    return [line.split(",") for line in csv.strip().split("\n")]


# ── train ──


def test_train_tells_what_it_does_and_writes_a_model(here):
    result = run("train", "penguins.csv", "--target", "species", "--epochs", 40)
    assert result.exit_code == 0
    for words in (
        "344 rows, 69 of them held out",
        "one of 3 classes (Adelie, Chinstrap, Gentoo): classification, the target is text",
        "5 numbers, 2 categories, as 15 features",
        "network 15-64-32-3, loss cross_entropy, adam, at most 40 epochs in batches of 16",
        "all 40 epochs done",
        "┤",
    ):
        assert words in result.stderr
    assert result.stdout.startswith("scores on the 69 rows held out:\n  accuracy ")
    assert result.stdout.endswith("model written to penguins.safetensors\n")
    model = netwright.load("penguins.safetensors")
    assert model.scores["accuracy"] > 0.95
    assert model.settings["epochs"] == 40


def test_by_default_a_mixture_learns(here):
    result = run("train", "penguins.csv", "--target", "species", "--report", "r.html")
    assert result.exit_code == 0
    for words in (
        "344 rows, 69 of them held out",
        "5 numbers, 2 categories, as 49 features",
        "networks 8 × 49-128-128-3, and linear ones, as far as they help",
        "scouts 4/4  ",
        "networks 8/8  ",
        "epochs a network in ",
        "; all 8 networks done",
        "• cost on rows left out in turn",
    ):
        assert words in result.stderr
    assert result.stdout.startswith("scores on the 69 rows held out:\n  accuracy ")
    assert result.stdout.endswith("model written to penguins.safetensors, report to r.html\n")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "<h2>Learning curve</h2>" in page
    model = netwright.load("penguins.safetensors")
    assert model.scores["accuracy"] > 0.97
    assert f"accuracy           {model.scores['accuracy']:.6g}\n" in result.stdout
    assert run("show", "penguins.safetensors").stdout == model.summary() + "\n"
    _, *table = rows(run("predict", "penguins.safetensors", PENGUINS).stdout)
    np.testing.assert_array_equal(np.array([row[1:] for row in table], float), model.predict_proba(PENGUINS))
    said = json.loads(run("evaluate", "penguins.safetensors", PENGUINS, "--json").stdout)
    assert said == model.evaluate(PENGUINS) | {"rows": 344}


def test_json_of_a_mixture_has_the_same_keys(here):
    one, mixture = (run("train", "penguins.csv", "-t", "species", "--json", *more) for more in (QUICK, ()))
    assert mixture.stderr == ""
    assert json.loads(mixture.stdout).keys() == json.loads(one.stdout).keys()
    said = json.loads(mixture.stdout)
    assert (said["stopped"], said["best_epoch"]) == ("all 8 networks done", None)
    assert said["epochs"] >= 12
    assert said["settings"]["networks"] == 8


def test_every_option_about_one_network_says_so():
    options = {option.name: option for option in main.commands["train"].params}
    marked = [name for name, option in options.items() if (getattr(option, "help", "") or "").startswith("(*) ")]
    assert marked == [name for name in options if name in ABOUT_ONE]
    assert "An option marked (*) asks for one" in run("train", "--help").stdout.replace("\n ", "").replace("  ", " ")


@pytest.mark.slow
def test_quiet_is_quiet_on_the_first_day_too(here):
    """When everything is still to be compiled."""
    environment = os.environ | {"NETWRIGHT_CACHE_DIR": str(here / "cache")}
    for more in (["--quiet"], []):
        training = process("train", "penguins.csv", "-t", "species", *more, env=environment)
        _, err = training.communicate(timeout=120)
        assert training.returncode == 0
        assert (err == "") == bool(more)
        shutil.rmtree(here / "cache", ignore_errors=True)
    assert "compiled the fused engine" in err


def test_progress_in_plain_lines_is_short(here):
    lines = run("train", "penguins.csv", "--target", "species", "--epochs", 100, "--patience", 100).stderr.split("\n")
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert 8 <= len(epochs) <= 25
    assert re.fullmatch(r"epoch 100/100  cost 0\.\d+\s+held out 0\.\d+\s+accuracy \S+\s+\S+ s", epochs[-1])
    assert "\x1b" not in "".join(lines)


def test_quiet_leaves_the_results_only(here):
    result = run("train", "penguins.csv", "-t", "species", "--quiet", *QUICK)
    assert result.stderr == ""
    assert "accuracy" in result.stdout


def test_json_is_one_object_and_nothing_else(here):
    result = run("train", "penguins.csv", "-t", "species", "--json", "-o", "m", *QUICK)
    assert result.stderr == ""
    said = json.loads(result.stdout)
    assert said["model"] == "m"
    assert said["task"] == "classification"
    assert said["epochs"] == 6
    assert said["classes"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert set(said["scores"]) == {"accuracy", "balanced_accuracy", "log_loss"}
    assert said["settings"]["hidden"] == [8]


def test_every_option_arrives(here):
    (here / "t.csv").write_text(
        "id;when;x;code;w;y\n"
        + "\n".join(f"{i};{1 + i % 28:02}.01.2024;{i % 7},5;{i % 3};{i % 2};{2 * (i % 7)},25" for i in range(80))
    )
    result = run(
        "train", "t.csv", "-t", "y", "-o", "m", "--task", "regression", "--hidden", "8,4", "--activation", "tanh",
        "--loss", "huber:1.5", "--epochs", 5, "--batch-size", 10, "--optimizer", "adamw", "--learning-rate", 0.01,
        "--schedule", "cosine", "--dropout", 0.1, "--l2", 0.01, "--seed", 7, "--weights", "w", "--drop", "id",
        "--categorical", "code", "--validation", 0.25, "--patience", 3, "--time-limit", "1m", "--clip-norm", 2,
        "--checkpoint", "c", "--report", "r.svg", "--delimiter", ";", "--decimal", ",", "--encoding", "latin-1",
        "--null", "none", "--date-format", "%d.%m.%Y", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    model = netwright.load("m")
    assert model.settings == {
        "hidden": [8, 4], "optimizer": model.settings["optimizer"], "schedule": model.settings["schedule"],
        "epochs": 5, "batch_size": 10, "patience": 3, "max_seconds": 60.0, "clip_norm": 2.0, "dropout": 0.1,
        "l2": 0.01, "seed": 7, "validation": 0.25, "weights": "w", "drop": ["id"], "categorical": ["code"],
        "rows": 30, "held_out": 10,
    }  # fmt: skip
    assert model.settings["optimizer"]["name"] == "adamw"
    assert model.settings["optimizer"]["learning_rate"] == 0.01
    assert "Cosine" in model.settings["schedule"]
    assert model.network.loss.name == "huber:1.5"
    assert (model.encoder.names("number"), model.encoder.names("category")) == (["x"], ["code"])
    assert model.encoder.names("date") == ["when"]
    assert (here / "r.svg").exists()
    assert (here / "c").exists()
    assert run("predict", "m", "t.csv").exit_code == 0


def test_a_page_on_the_training(here):
    result = run("train", "penguins.csv", "-t", "species", "--report", "r.html", "--quiet", *QUICK)
    assert result.stdout.endswith("model written to penguins.safetensors, report to r.html\n")
    assert "species" in (here / "r.html").read_text(encoding="utf-8")


def test_columns_of_no_use_are_left_out_with_a_note(here):
    lines = (here / "penguins.csv").read_text().splitlines()
    table = [f"{lines[0]},same,nothing,row"] + [f"{line},1,,{i}" for i, line in enumerate(lines[1:])]
    (here / "t.csv").write_text("\n".join(table))
    result = run("train", "t.csv", "-t", "species", *QUICK)
    assert result.exit_code == 0
    for name, why in (("same", "every row has the same value"), ("nothing", "no row has a value")):
        assert f"note: column {name!r} is left out: {why}" in result.stderr
    assert re.search("note: column 'row' is left out", result.stderr)


def test_a_model_that_is_there_is_replaced(here):
    for seed in (1, 2):
        assert run("train", "penguins.csv", "-t", "species", "--quiet", "--seed", seed, *QUICK).exit_code == 0
    assert netwright.load("penguins.safetensors").settings["seed"] == 2
    assert sorted(path.name for path in here.iterdir()) == ["penguins.csv", "penguins.safetensors"]


def test_a_cost_that_explodes_writes_nothing(here):
    result = run("train", "penguins.csv", "-t", "species", "--quiet", "--learning-rate", 1e200, "--hidden", 8)
    assert result.exit_code == 2
    assert "learning rate" in result.stderr
    assert result.stderr.endswith("no model was written\n")
    assert not (here / "penguins.safetensors").exists()


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl", "csv.gz"])
def test_every_kind_of_table(here, model, ending):
    assert run("predict", model, "penguins.csv", "-o", f"out.{ending}").exit_code == 0
    result = run("train", f"out.{ending}", "-t", "species", "--quiet", *QUICK)
    assert result.exit_code == 0
    assert "model written to out.safetensors" in result.stdout


# ── interruptions ──


def learning(path, *more):
    """A training that would go on for long, once its first epochs are done."""
    process_ = process(
        "train", "penguins.csv", "-t", "species", "-o", path, "--epochs", 100_000, "--patience", 100_000, *more
    )
    for line in process_.stderr:
        if line.startswith("epoch "):
            return process_
    raise AssertionError("training did not start")


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_model_so_far(here):
    training = learning("m")
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert training.returncode == 0
    assert "interrupted after" in err
    assert "Traceback" not in err
    assert "model written to m" in out
    assert len(netwright.load("m").history) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("at", "code"), [("scouts 1/4", 130), ("networks 1/8", 0)])
def test_ctrl_c_keeps_the_networks_that_are_done(here, at, code):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 6)).round(3)
    lines = [",".join(map(str, [*row, row[0] * row[1] > row[2]])) for row in X.tolist()]
    (here / "t.csv").write_text("\n".join(["a,b,c,d,e,f,y", *lines]))
    training = process("train", "t.csv", "-t", "y", "-o", "m")
    assert any(line.startswith(at) for line in training.stderr)
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert training.returncode == code
    assert "Traceback" not in err
    if code:
        assert err.endswith("netwright: interrupted before the first network was done; no model was written\n")
        assert not (here / "m").exists()
    else:
        assert "interrupted when " in err
        assert "model written to m" in out
        assert netwright.load("m").evaluate("t.csv")["accuracy"] > 0.8


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_bits(here):
    command = ["train", "penguins.csv", "-t", "species", "--epochs", 600, "--patience", 600, "--dropout", 0.1]
    assert run(*command, "-o", "whole", "--quiet").exit_code == 0
    killed = process(*command, "-o", "part", "--checkpoint", "c", "--quiet")
    done = 0
    while not done and killed.poll() is None:
        time.sleep(0.02)
        done = len(read("c")[2]["history"]["cost"]) if Path("c").exists() else 0
    killed.kill()
    killed.communicate()
    assert 0 < done < 600
    assert not (here / "part").exists()
    assert run(*command, "-o", "part", "--checkpoint", "c", "--resume", "--quiet").exit_code == 0
    assert (netwright.load("part").network.theta == netwright.load("whole").network.theta).all()


def test_a_mixture_is_resumed_and_so_is_one_network_that_nothing_else_asks_for(here):
    (here / "t.csv").write_text("x,y\n" + "\n".join(f"{i % 9},{i % 7}" for i in range(40)))
    command = ["train", "t.csv", "-t", "y", "--task", "regression", "--quiet", "--resume"]
    for model in ("a", "b"):
        assert run(*command, "-o", model, "--checkpoint", "c").exit_code == 0
    assert read("a")[2] == read("b")[2]
    shown = run("show", "c").stdout.split("\n")
    assert re.fullmatch(r"a checkpoint of a mixture of 'y' after .* s: \d+ scouts and 8 networks done", shown[0])
    assert "  seed: 0" in shown
    refused = run(*command, "-o", "a", "--checkpoint", "c", "--seed", 1)
    assert refused.exit_code == 2
    assert "cannot resume from c: seed was 0 there and is 1 now" in refused.stderr
    assert run(*command, "-o", "one", "--checkpoint", "d", "--epochs", 3).exit_code == 0
    assert run(*command, "-o", "one", "--checkpoint", "d", "--time-limit", "0.01s").exit_code == 0
    assert netwright.load("one").settings["hidden"] == [64, 32]
    assert (
        "holds a checkpoint of a mixture, not a checkpoint of one network"
        in run(*command, "-o", "one", "--checkpoint", "c", "--epochs", 3).stderr
    )


def test_a_reader_that_has_enough_is_no_error(here, model):
    big = (PENGUINS.read_text().split("\n", 1)[1]) * 30
    (here / "big.csv").write_text(PENGUINS.read_text().split("\n", 1)[0] + "\n" + big)
    predicting = process("predict", model, "big.csv")
    predicting.stdout.readline()
    predicting.stdout.close()
    assert predicting.stderr.read() == ""
    predicting.stderr.close()
    assert predicting.wait(timeout=60) in (0, 1)


# ── predict, evaluate, show ──


def test_predictions_are_in_the_order_of_the_rows(model):
    result = run("predict", model, PENGUINS)
    assert result.exit_code == 0
    assert result.stderr == ""
    head, *table = rows(result.stdout)
    assert head == ["species", "probability Adelie", "probability Chinstrap", "probability Gentoo"]
    assert len(table) == 344
    loaded = netwright.load(model)
    assert [row[0] for row in table] == loaded.predict(PENGUINS).tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in table], float), loaded.predict_proba(PENGUINS))


def test_bayesian_regularization_says_how_many_parameters_are_determined(here):
    (here / "t.csv").write_text("x,y\n" + "\n".join(f"{i / 2},{2 * i + i % 3}" for i in range(50)))
    options = ("--hidden", "4", "--optimizer", "bayesian_regularization")
    result = run("train", "t.csv", "-t", "y", *options)
    assert result.exit_code == 0
    said = re.search(r"^\d\.\d of 13 parameters are determined by the data$", result.stderr, re.MULTILINE)
    assert said
    assert said[0] in run("show", "t.safetensors").stdout
    assert "l2" not in run("show", "t.safetensors").stdout


@pytest.mark.parametrize("optimizer", ["lbfgs", "levenberg_marquardt"])
def test_predictions_of_a_regression_are_values(here, optimizer):
    (here / "t.csv").write_text("x,y\n" + "\n".join(f"{i / 2},{2 * i + 0.5}" for i in range(50)))
    assert run("train", "t.csv", "-t", "y", "--hidden", "none", "--optimizer", optimizer, "--quiet").exit_code == 0
    result = run("predict", "t.safetensors", "t.csv")
    head, *table = rows(result.stdout)
    assert head == ["y"]
    np.testing.assert_allclose(np.array(table, float)[:, 0], 2 * np.arange(50) + 0.5, atol=2)


def test_predictions_into_a_file(here, model):
    result = run("predict", model, PENGUINS, "-o", "p.parquet")
    assert (result.stdout, result.stderr) == ("", "344 predictions written to p.parquet\n")
    frame = netwright.read_table("p.parquet")
    assert frame.names == ["species", "probability Adelie", "probability Chinstrap", "probability Gentoo"]
    assert run("predict", model, PENGUINS, "-o", "-").stdout == run("predict", model, PENGUINS).stdout


def test_new_columns_and_categories_are_notes(here, model):
    lines = PENGUINS.read_text().replace("Torgersen", "Mars").splitlines()
    (here / "t.csv").write_text("\n".join([f"{lines[0]},colour"] + [f"{line},blue" for line in lines[1:]]))
    result = run("predict", model, "t.csv")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "note: column 'colour' is new, and not used",
        "note: column 'island' has categories that training did not have: 'Mars' (in 52 rows)",
    ]
    assert len(rows(result.stdout)) == 345


def test_evaluate_scores_a_table(model):
    result = run("evaluate", model, PENGUINS)
    assert result.exit_code == 0
    assert result.stdout.startswith("scores of 'species' on 344 rows:\n  accuracy ")
    said = json.loads(run("evaluate", model, PENGUINS, "--json").stdout)
    assert said == netwright.load(model).evaluate(PENGUINS) | {"rows": 344}


def test_show_is_for_models_networks_and_checkpoints(here, model):
    for words in ("'species'", "bill_length_mm", "softmax", "held-out accuracy", "seed 1"):
        assert words in run("show", model).stdout
    network = netwright.Network([2, 3, 1], rng=0)
    network.save("n")
    assert run("show", "n").stdout == network.summary() + "\n"
    run("train", "penguins.csv", "-t", "species", "--checkpoint", "c", "--quiet", *QUICK)
    assert run("show", "c").stdout.startswith("a checkpoint after 6 epochs; its best network so far:\n")


# ── xor ──


def test_xor_tells_the_articles_story():
    result = run("xor")
    assert result.exit_code == 0
    assert "epoch 1500  cost 0.35995741" in result.stderr
    assert result.stdout.count("xor") >= 4
    assert "cost 0.35995741 after 1,500 epochs" in result.stdout
    assert "netwright xor --seed 2" in result.stdout


def test_xor_is_learnt_with_the_seed_that_it_names():
    result = run("xor", "--seed", 2)
    assert result.stdout.count("right") == 4
    assert "Try" not in result.stdout


def test_xor_draws_its_cost_on_request(here):
    assert run("xor", "--epochs", 20, "--plot", "xor.png").exit_code == 0
    assert (here / "xor.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# ── warmup ──


def test_warmup_says_what_it_did_and_what_follows_from_it(here, monkeypatch):
    monkeypatch.setattr(engines, "cache_directory", lambda: here)
    monkeypatch.setattr(engines, "warm_up", lambda: 41.6)
    result = run("warmup")
    assert result.exit_code == 0
    assert result.stdout == f"compiled in 42 s, kept in {here}; training takes it for all but the smallest jobs now\n"
    assert "all but the smallest jobs" in run("warmup", "--help").stdout


def test_warmup_without_a_place_to_keep_anything_is_one_sentence(here, monkeypatch):
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", str(here / "penguins.csv"))
    engines.cache_directory.cache_clear()
    result = run("warmup")
    engines.cache_directory.cache_clear()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no directory of your own to keep compiled code in: tried " in result.stderr
    assert result.stderr.count("\n") == 1


# ── the whole of it ──


def test_version_and_help():
    assert run("--version").stdout == f"netwright {netwright.__version__}\n"
    assert run().stdout == run("--help").stdout
    for command in ("train", "predict", "evaluate", "show", "xor", "warmup"):
        assert run(command, "--help").exit_code == 0
        assert command in run("--help").stdout


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from netwright.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('scipy', 'duckdb', 'matplotlib', 'plotext', 'rich') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.endswith("[]\n")


# ── progress ──


def test_the_curve_fits_the_terminal(monkeypatch):
    for columns in (40, 80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        picture = curve({"cost": [3.0, 2.0, 1.5, 1.4], "held-out cost": [3.1, 2.2, 1.9, float("inf")]})
        assert max(map(len, picture.split("\n"))) <= min(columns, 100)
        assert "• held-out cost" in picture
    assert "1e+03" in curve({"cost": [1000.0, 1.0, 0.1]})
    assert curve({"cost": [1.0]})


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (6.2, "7 s"), (125, "2:05"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_time_left_is_told_from_the_epochs_and_the_limit():
    progress = Progress()
    progress.begin(100, None)
    history = History(cost=[1.0] * 10, seconds=[float(i) for i in range(1, 11)])
    progress.began = (5, 5.0)
    assert progress.left(history) == "≤ 1:30 left"
    progress.begin(100, 30.0)
    assert progress.left(history) == "≤ 20 s left"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
@pytest.mark.parametrize(("more", "words"), [(["--epochs", "400"], "/400  cost"), ([], "networks ")])
def test_in_a_terminal_one_line_moves(here, more, words):
    mine, theirs = os.openpty()
    command = [sys.executable, "-m", "netwright", "train", "penguins.csv", "-t", "species", *more]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
    training = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            piece = os.read(mine, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(mine)
    assert training.wait(timeout=60) == 0
    text = seen.decode(errors="replace")
    assert words in text
    assert "left" in text
    assert "\x1b[" in text


@pytest.mark.filterwarnings("always:cannot write")
def test_a_disk_that_fills_up_under_the_checkpoint_costs_no_model(here, monkeypatch):
    words = ("train", "penguins.csv", "-t", "species", *QUICK, "--quiet")
    assert run(*words, "-o", "whole").exit_code == 0
    writes = []

    def write(*arguments):
        writes.append(arguments)
        if len(writes) > 1:
            raise OSError(28, "cannot write run.ckpt: No space left on device")

    monkeypatch.setattr("netwright.training.run.write_checkpoint", write)
    result = run(*words, "-o", "m", "--checkpoint", "run.ckpt")
    assert result.exit_code == 0
    assert "note: cannot write run.ckpt: No space left on device; training goes on" in result.stderr
    assert "at the end of training too: the checkpoint is an older one" in result.stderr
    assert netwright.load("m").network.theta.tobytes() == netwright.load("whole").network.theta.tobytes()
