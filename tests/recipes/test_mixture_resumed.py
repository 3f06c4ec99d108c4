"""A mixture that was killed, and learnt on by the same call, ends in the same file as one that never was."""

import copy
import functools
import os
import subprocess
import sys
from itertools import count

import numpy as np
import pytest

import netwright
from netwright import MLPClassifier, Network, TabularClassifier, TabularRegressor, train_table
from netwright.files.container import read, write
from netwright.recipes import checkpoint as checkpoints
from netwright.recipes.checkpoint import MixtureCheckpoint, Part
from small_tables import one_target, points, without

ROWS, WRITE = 40, MixtureCheckpoint._write
TARGETS = ("tall", "size", "height")  # two classes, three, a number


class Killed(BaseException):
    """What ends a process, as far as it can be seen from inside."""


@pytest.fixture
def always(monkeypatch):
    """Checkpoints whenever something is to be kept, however long they take."""
    monkeypatch.setattr(checkpoints, "RARELY", 0)


@pytest.fixture
def kill_after(monkeypatch):
    """Ends the mixture under way when so many checkpoints are written, of which the last is all that is left."""

    def after(writes):
        left = [writes]

        def written(*arguments):
            left[0] -= 1  # one at a time: whoever writes holds a lock
            if left[0] == 0:
                WRITE(*arguments)
            if left[0] <= 0:
                raise Killed

        monkeypatch.setattr(MixtureCheckpoint, "_write", WRITE if writes is None else written)

    return after


def table_of(target):
    return one_target(target, n=ROWS)


def bytes_of(model, path):
    model.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function: the bytes of the file of a mixture that nobody has killed, by its target."""
    path = tmp_path_factory.mktemp("whole") / "model"
    return functools.cache(lambda target: bytes_of(train_table(table_of(target), target), path))


def estimator(target):
    return TabularRegressor if target == "height" else TabularClassifier


# ── killed ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("target", TARGETS)
def test_killed_again_and_again_it_ends_in_the_same_file(target, whole, tmp_path, always, kill_after):
    table, path = table_of(target), tmp_path / "c"
    whole(target)  # before anything is killed
    kills, model = 0, None
    while model is None:
        kill_after(1 + 5 * kills)
        try:
            model = train_table(table, target, checkpoint=path, resume=True, n_threads=1 + kills % 2)
        except Killed:
            kills += 1
    assert kills > 3
    assert bytes_of(model, tmp_path / "part") == whole(target)


@pytest.mark.parametrize("target", ["size", "height"])
def test_estimators_too(target, tmp_path, always, kill_after):
    table, path = table_of(target), tmp_path / "c"
    X, y = without(table, target), table[target]
    weight = points(ROWS)["weight"]
    whole = estimator(target)(random_state=3).fit(X, y, weight)
    kills, options = 0, {"checkpoint": path, "resume": True, "random_state": 3}
    while True:
        model = estimator(target)(**options)
        kill_after(12)
        try:
            model.fit(X, y, weight)
            break
        except Killed:
            kills += 1
            assert not hasattr(model, "mixture_")
    assert kills > 2
    for name in {"predict", "predict_proba"} & set(dir(model)):
        np.testing.assert_array_equal(getattr(model, name)(X), getattr(whole, name)(X))
    assert bytes_of(model, tmp_path / "part") == bytes_of(whole, tmp_path / "whole")
    with pytest.raises(ValueError, match=r"sample weights was .* there and is None now"):
        estimator(target)(**options).fit(X, y, weight > 0)
    loaded = netwright.load(tmp_path / "part")
    assert (loaded.checkpoint, loaded.resume) == (None, False)


def test_rows_to_validate_on_and_a_seed_that_nobody_gave(tmp_path, always, kill_after):
    table = table_of("tall")
    X, y = without(table, "tall"), table["tall"]
    fresh = points(30, seed=1)
    rows = {"X_val": {name: fresh[name] for name in X}, "y_val": fresh["tall"]}
    model = TabularClassifier(checkpoint=tmp_path / "c", resume=True)
    kill_after(20)
    with pytest.raises(Killed):
        model.fit(X, y, **rows)
    seed = read(tmp_path / "c")[2]["settings"]["seed"]
    kill_after(None)
    model.fit(X, y, **rows)
    assert read(tmp_path / "c")[2]["settings"]["seed"] == seed
    P = model.predict_proba(X)
    again = TabularClassifier(checkpoint=tmp_path / "c", resume=True, random_state=0)
    with pytest.raises(ValueError, match=f"seed was {seed} there and is"):
        again.fit(X, y, **rows)
    np.testing.assert_array_equal(TabularClassifier(**model.get_params()).fit(X, y, **rows).predict_proba(X), P)


def test_ctrl_c_leaves_a_checkpoint_of_what_was_reached(whole, tmp_path):
    table = table_of("size")

    def tell(words, share):
        if words == at:
            raise KeyboardInterrupt

    for at in ("scouts 2/4", "networks 3/8"):
        try:
            stopped = train_table(table, "size", checkpoint=tmp_path / "c", resume=True, n_threads=1, tell=tell)
        except KeyboardInterrupt:
            assert at == "scouts 2/4"
    assert stopped.history.stopped == "interrupted when 3 of 8 networks were done"
    assert sum(name.startswith("network") for name in read(tmp_path / "c")[2]["done"]) == 3
    resumed = train_table(table, "size", checkpoint=tmp_path / "c", resume=True)
    assert bytes_of(resumed, tmp_path / "part") == whole("size")


def test_an_engine_that_was_chosen(tmp_path, monkeypatch, always, kill_after):
    monkeypatch.setattr("netwright.recipes.recipe.LONGER", 1)
    table, options = table_of("tall"), {"engine": "auto", "n_threads": 1}
    whole = bytes_of(train_table(table, "tall", **options), tmp_path / "whole")
    kill_after(30)
    with pytest.raises(Killed):
        train_table(table, "tall", checkpoint=tmp_path / "c", **options)
    kill_after(None)
    resumed = train_table(table, "tall", resume=tmp_path / "c", **options)
    assert bytes_of(resumed, tmp_path / "part") == whole


def test_what_is_done_is_not_done_again(whole, tmp_path, monkeypatch):
    table = table_of("tall")
    model = train_table(table, "tall", checkpoint=tmp_path / "c")
    assert bytes_of(model, tmp_path / "once") == whole("tall")
    monkeypatch.setattr("netwright.recipes.networks.descend", None)
    monkeypatch.setattr(Network, "train", None)
    done = train_table(table, "tall", checkpoint=tmp_path / "c", resume=True)
    assert bytes_of(done, tmp_path / "again") == whole("tall")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
@pytest.mark.parametrize("target", ["size", "height"])
def test_processes_killed_at_any_moment(target, tmp_path):
    """Each is killed some random time after the checkpoint has changed: within a write, perhaps."""
    table = one_target(target, n=150)
    lines = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "t.csv").write_text("\n".join([",".join(table), *lines]))
    command = [sys.executable, "-m", "netwright", "train", "t.csv", "-t", target, "--quiet", "-o"]
    subprocess.run([*command, "whole"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    seed = np.random.SeedSequence().entropy  # other moments each time
    print(f"{seed=}")  # which a failure shows
    rng, path, kills = np.random.default_rng(seed), tmp_path / "c", 0
    while not (tmp_path / "part").exists():
        before = path.stat().st_mtime_ns if path.exists() else 0
        with subprocess.Popen([*command, "part", "--checkpoint", "c", "--resume"], cwd=tmp_path) as process:
            while process.poll() is None and kills < 3:
                if path.exists() and path.stat().st_mtime_ns != before:
                    try:
                        process.wait(rng.uniform(0, 0.3))
                    except subprocess.TimeoutExpired:
                        process.kill()
                        kills += 1
                        break
    assert kills
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()


# ── what does not belong together ────────────────────────────────────────────────────────────────────────────────────

OTHERS = {
    "seed": ({}, {"seed": 1}),
    "target": ({"target": "tall"}, {}),
    "columns": ({"table": lambda table: without(table, "a")}, {}),
    "inputs": ({"table": lambda table: table | {"a": table["a"] + 1e-3 * np.arange(ROWS)}}, {}),
    "targets": ({"table": lambda table: table | {"size": np.roll(table["size"], 1)}}, {}),
    "validation": ({}, {"validation": 0.3}),
    "drop": ({}, {"drop": ["b", "weight"]}),
    "categorical": ({"table": lambda table: table | {"b": np.round(table["b"])}}, {"categorical": ["b"]}),
    "weights": ({}, {"weights": "weight"}),
    "engine": ({}, {"engine": "plain"}),
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A checkpoint of a mixture under way."""
    path = tmp_path_factory.mktemp("begun") / "c"
    left = [12]
    with pytest.MonkeyPatch.context() as patch:

        def written(*arguments):
            left[0] -= 1
            if not left[0]:
                WRITE(*arguments)
            if left[0] <= 0:
                raise Killed

        patch.setattr(checkpoints, "RARELY", 0)
        patch.setattr(MixtureCheckpoint, "_write", written)
        with pytest.raises(Killed):
            train_table(table_of("size") | {"weight": np.ones(ROWS)}, "size", drop=["weight"], checkpoint=path)
    return path


@pytest.mark.parametrize("name", OTHERS)
def test_another_training_is_refused(name, begun):
    change, options = OTHERS[name]
    target = change.get("target", "size")
    table = points(ROWS) if target == "tall" else table_of("size")
    table = {name: table[name] for name in ("a", "b", "colour", target)} | {"weight": 1.0 + np.arange(ROWS)}
    table = change.get("table", lambda table: table)(table)
    options = {"drop": [] if "weights" in options else ["weight"], **options}
    before = begun.read_bytes()
    with pytest.raises(ValueError, match=rf"cannot resume from .*c: {name} was .* there and is "):
        train_table(table, target, checkpoint=begun, resume=True, **options)
    assert begun.read_bytes() == before


def test_another_version_is_refused(begun, monkeypatch):
    monkeypatch.setattr(checkpoints, "_version", lambda: "0.0.1")
    with pytest.raises(ValueError, match=r"version was .* there and is 0\.0\.1 now"):
        train_table(table_of("size"), "size", resume=begun)


def test_what_is_one_networks_and_what_a_mixtures(begun, tmp_path):
    table, one = table_of("size"), tmp_path / "one"
    asked = train_table(table, "size", epochs=3, checkpoint=one)
    X, y = without(table, "size"), table["size"]
    with pytest.raises(ValueError, match="holds a checkpoint of a mixture, not a checkpoint of one network"):
        train_table(table, "size", epochs=3, checkpoint=begun, resume=True)
    with pytest.raises(ValueError, match="holds a checkpoint of a mixture, not a checkpoint of one network"):
        MLPClassifier(max_iter=3, checkpoint=begun, resume=True).fit(np.c_[X["a"], X["b"]], y)
    with pytest.raises(ValueError, match="holds a checkpoint, not a checkpoint of a mixture"):
        TabularClassifier(checkpoint=one, resume=True).fit(X, y)
    goes_on = train_table(table, "size", checkpoint=one, resume=True, max_seconds=0.01)  # nothing asks for one but that
    assert isinstance(goes_on.network, Network)
    assert goes_on.history.cost[:3] == asked.history.cost
    asked.save(tmp_path / "model")
    with pytest.raises(ValueError, match="holds a table, not a checkpoint"):
        train_table(table, "size", resume=tmp_path / "model")
    with pytest.raises(ValueError, match="a checkpoint of a mixture is no model"):
        netwright.load(begun)


def of_arrays(**options):
    X, Y = np.ones((2, 20)), np.ones((1, 20))
    return Network([2, 1], rng=0).train(X, Y, epochs=1, **options)


LEARNERS = {
    "mixture": lambda table, **options: train_table(table, "size", **options),
    "its estimator": lambda table, **options: TabularClassifier(**options).fit(without(table, "size"), table["size"]),
    "one network": lambda table, **options: train_table(table, "size", hidden=[3], epochs=1, **options),
    "MLPClassifier": lambda table, **options: MLPClassifier(max_iter=1, **options).fit(
        np.c_[table["a"], table["b"]], table["size"]
    ),
    "Network.train": lambda table, **options: of_arrays(**options),
}


@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_no_checkpoint_is_not_overwritten(learn, tmp_path):
    table = table_of("size")
    (tmp_path / "notes.txt").write_text("mine")
    Network([2, 1]).save(tmp_path / "model")
    for name in ("notes.txt", "model"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(ValueError, match=rf"{name} is there already and is no checkpoint"):
            learn(table, checkpoint=tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(OSError, match="nowhere"):
        learn(table, checkpoint=tmp_path / "nowhere" / "c")
    with pytest.raises(ValueError, match="`checkpoint`; give that"):
        learn(table, resume=True)
    (tmp_path / "c").touch()  # as tempfile does
    for _ in range(2):
        learn(table, checkpoint=tmp_path / "c")
        assert read(tmp_path / "c")[0].startswith("checkpoint")


# ── files that are not what they were ────────────────────────────────────────────────────────────────────────────────


def of_kind(header, which):
    return next(said for name, said in header["under_way"].items() if name.startswith(which))


HARM = {
    "no settings": lambda header, tensors: header.pop("settings"),
    "no tasks": lambda header, tensors: header.pop("done"),
    "a time that is none": lambda header, tensors: header.update(seconds=-1.0),
    "no random numbers": lambda header, tensors: of_kind(header, "scout").pop("rng"),
    "other random numbers": lambda header, tensors: of_kind(header, "scout").update(rng={"bit_generator": "MT19937"}),
    "steps that are none": lambda header, tensors: of_kind(header, "scout").update(steps="many"),
    "steps that were not": lambda header, tensors: of_kind(header, "scout").update(steps=10**30),
    "a best epoch that nobody saw": lambda header, tensors: of_kind(header, "scout").update(best=10**6),
    "another engine": lambda header, tensors: of_kind(header, "scout").update(engine="plain"),
    "an array of no task": lambda header, tensors: tensors.update({"nobody/theta": np.zeros(3)}),
    "vectors of another size": lambda header, tensors: tensors.update(
        {name: array[:-1] for name, array in tensors.items() if name.endswith(("/m", "/theta"))}
    ),
    "epochs that are missing": lambda header, tensors: tensors.update(
        {name: array[:-1] for name, array in tensors.items() if name.endswith("/costs")}
    ),
    "no best": lambda header, tensors: [tensors.pop(name) for name in list(tensors) if name.endswith("/best")],
}


@pytest.mark.parametrize("harm", HARM)
def test_a_forged_checkpoint_is_refused(harm, begun, tmp_path):
    kind, tensors, header = read(begun)
    tensors, header = dict(tensors), copy.deepcopy(header)
    assert header["under_way"]
    HARM[harm](header, tensors)
    write(tmp_path / "c", kind, tensors, header)
    table = table_of("size") | {"weight": np.ones(ROWS)}
    with pytest.raises(
        ValueError,
        match=r"c: (its header does not describe a checkpoint of a mixture|what it has of scout .* does not fit): ",
    ):
        train_table(table, "size", drop=["weight"], resume=tmp_path / "c")


def test_a_damaged_checkpoint_is_refused(begun, tmp_path):
    damaged = bytearray(begun.read_bytes())
    damaged[-100] ^= 1
    (tmp_path / "c").write_bytes(damaged)
    with pytest.raises(ValueError, match="c is damaged"):
        train_table(table_of("size"), "size", resume=tmp_path / "c")
    (tmp_path / "c").write_bytes(damaged[:1000])
    for options in ({"resume": tmp_path / "c"}, {"checkpoint": tmp_path / "c"}):
        with pytest.raises(ValueError, match="c is"):
            train_table(table_of("size"), "size", **options)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_it_took_before_counts(begun, tmp_path):
    kind, tensors, header = read(begun)
    write(tmp_path / "c", kind, tensors, header | {"seconds": 1000.0})
    table = table_of("size") | {"weight": np.ones(ROWS)}
    hurried = train_table(table, "size", drop=["weight"], resume=tmp_path / "c", max_seconds=900)
    assert hurried.history.stopped == "the time limit is reached"
    assert hurried.history.seconds[-1] > 1000
    patient = train_table(table, "size", drop=["weight"], resume=tmp_path / "c", max_seconds=10**6)
    whole = train_table(table, "size", drop=["weight"])
    for one, other in zip(patient.network.networks, whole.network.networks, strict=True):
        np.testing.assert_array_equal(one.theta, other.theta)


@pytest.mark.parametrize("cost", [0.0, 10.0])
def test_writing_takes_a_fiftieth_of_the_time(cost, tmp_path, monkeypatch):
    now, writes = [0.0], []

    def written(*arguments):
        writes.append(now[0])
        now[0] += cost

    class Clock:
        perf_counter = staticmethod(lambda: now[0])

    monkeypatch.setattr(MixtureCheckpoint, "_write", written)
    monkeypatch.setattr("netwright.training.checkpoint.time", Clock)
    kept = MixtureCheckpoint(tmp_path / "c", None)
    for _ in range(5000):
        now[0] += 1
        kept.note("network 1", Part({}))
    assert len(writes) == (10 if cost else 5000)


@pytest.mark.parametrize(("until", "last"), [(6, "could be written again"), (10**6, "the checkpoint is an older one")])
def test_a_disk_that_is_full_costs_the_checkpoint_not_the_training(until, last, whole, tmp_path, monkeypatch, always):
    table, unharmed, turns = table_of("tall"), whole("tall"), count(1)

    def full(*arguments):
        if 3 < next(turns) < until:
            raise OSError(28, "No space left on device")
        WRITE(*arguments)

    monkeypatch.setattr(MixtureCheckpoint, "_write", full)
    with pytest.warns(RuntimeWarning) as warned:
        model = train_table(table, "tall", checkpoint=tmp_path / "c")
    assert bytes_of(model, tmp_path / "model") == unharmed
    said = [str(each.message) for each in warned]
    assert said[0] == "No space left on device; training goes on, and the checkpoint is tried again"
    assert last in said[1]


def test_a_disk_that_is_full_before_anything_is_learnt(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MixtureCheckpoint, "_write", full)
    monkeypatch.setattr("netwright.recipes.recipe.explore", None)
    with pytest.raises(OSError, match="No space left"):
        train_table(table_of("tall"), "tall", checkpoint=tmp_path / "c")
