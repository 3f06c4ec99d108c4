"""Model files: what was saved comes back, anything else is refused in words, and a crash destroys nothing."""

import json
import os
import pickle
import re
import stat
import struct
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from forgery import forge, with_junk
from netwright import ACTIVATIONS, LOSSES, Activation, Dropout, Layer, Loss, Network, load
from netwright.files.atomic import check_writable, write_atomically
from netwright.files.container import VERSION, read, write

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def small(**options):
    return Network([2, 3, 1], rng=0, **options)


def same(loaded, network):
    np.testing.assert_array_equal(loaded.theta, network.theta)
    assert loaded.theta.dtype == network.theta.dtype
    assert loaded.settings() == network.settings()
    assert repr(loaded) == repr(network)


def names(directory):
    return [path.name for path in directory.iterdir()]


# ── there and back ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", [*LOSSES, "huber:1.5", "quantile:0.9"])
def test_networks_come_back_with_every_activation_and_loss(loss, dtype, tmp_path):
    X = np.random.default_rng(0).normal(size=(4, 9))
    for name in ACTIVATIONS:
        network = Network([4, 3, 5, 2], [name, "tanh"], loss=loss, rng=1, dtype=dtype, dropout=0.25, l2=1e-3, l1=1e-4)
        network.save(tmp_path / "model")
        loaded = load(tmp_path / "model")
        same(loaded, network)
        np.testing.assert_array_equal(loaded.predict(X), network.predict(X))


def test_a_list_of_layers_and_label_smoothing_come_back(tmp_path):
    layers = [Layer(2, 5, "relu", initializer="orthogonal"), Dropout(0.1), Layer(5, 3, "hard_sigmoid")]
    network = Network(layers, loss="logloss", label_smoothing=0.1)
    network.save(str(tmp_path / "model"))
    same(load(str(tmp_path / "model")), network)


def test_penalty_per_batch_comes_back_and_is_off_in_files_from_before_it(tmp_path):
    X, Y = np.random.default_rng(0).normal(size=(2, 20)), np.ones((1, 20))
    network = small(l2=0.5, penalty_per_batch=True)
    network.save(tmp_path / "model")
    same(load(tmp_path / "model"), network)
    for kind, path in (("network", tmp_path / "model"), ("checkpoint", tmp_path / "checkpoint")):
        small(l2=0.5).train(X, Y, epochs=3, checkpoint=tmp_path / "checkpoint")
        _, tensors, header = read(path)
        del header["network"]["penalty_per_batch"]
        write(path, kind, tensors, header)
        assert load(path).penalty_per_batch is False
    assert len(small(l2=0.5).train(X, Y, epochs=5, resume=tmp_path / "checkpoint")) == 5
    with pytest.raises(ValueError, match="penalty_per_batch was False there and is True now"):
        network.train(X, Y, epochs=5, resume=tmp_path / "checkpoint")


def test_a_loaded_network_learns_on_as_the_saved_one_does(tmp_path):
    X, Y = np.random.default_rng(0).normal(size=(2, 20)), np.ones((1, 20))
    network = small(l2=0.01)
    network.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    for one in (network, loaded):
        one.train(X, Y, epochs=5, batch_size=6, rng=3)
    np.testing.assert_array_equal(loaded.theta, network.theta)


def test_activations_and_losses_of_ones_own_are_given_again(tmp_path):
    cube = Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2)
    cubic = Loss("cubic", lambda Z, Y: abs(Z - Y) ** 3 / 3, lambda Z, A, Y: (Z - Y) * abs(Z - Y))
    network = Network([2, 3, 1], cube, loss=cubic, rng=0)
    path = tmp_path / "model"
    network.save(path)
    with pytest.raises(ValueError, match="activation of its maker's own, 'cube'; pass it"):
        load(path)
    with pytest.raises(ValueError, match="loss of its maker's own, 'cubic'; pass it"):
        load(path, own=[cube])
    with pytest.raises(ValueError, match="own must be a list of Activations and Losses, got 'cube'"):
        load(path, own=["cube"])
    loaded = load(path, own=[cubic, cube])
    same(loaded, network)
    assert loaded.loss is cubic
    assert loaded.layers[0].activation is cube


def test_the_file_is_a_safetensors_file_with_a_readable_header(tmp_path):
    network = small(l2=0.5)
    network.save(tmp_path / "model")
    with safe_open(tmp_path / "model", "numpy") as file:
        meta = file.metadata()
    assert (meta["format"], meta["version"], meta["kind"]) == ("netwright", str(VERSION), "network")
    header = json.loads(meta["header"])["network"]
    assert header["layers"][0] == {
        "kind": "dense", "inputs": 2, "neurons": 3, "activation": "tanh", "initializer": "glorot_uniform",
    }  # fmt: skip
    assert (header["loss"], header["dtype"], header["l2"]) == ("logloss", "float64", 0.5)
    np.testing.assert_array_equal(load_file(tmp_path / "model")["theta"], network.theta)


# ── damaged ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a model file."""
    path = tmp_path_factory.mktemp("whole") / "model"
    Network([1, 1], rng=0, dtype="float32").save(path)
    return path.read_bytes()


def refused(path, data, network=None):
    """Whether load refuses these bytes with a ValueError that names the file, or gives just the network saved."""
    path.write_bytes(data)
    try:
        loaded = load(path)
    except ValueError as error:
        return str(path) in str(error)
    same(loaded, network)
    return False


def test_every_truncation_is_refused(whole, tmp_path):
    for length in range(len(whole)):
        assert refused(tmp_path / "model", whole[:length])
    assert not refused(tmp_path / "model", whole, Network([1, 1], rng=0, dtype="float32"))


def test_every_flipped_bit_is_refused_or_harmless(whole, tmp_path):
    network = Network([1, 1], rng=0, dtype="float32")
    harmless = 0
    for i in range(len(whole)):
        for bit in range(i % 2, 8, 2):
            flipped = bytearray(whole)
            flipped[i] ^= 1 << bit
            harmless += not refused(tmp_path / "model", bytes(flipped), network)
    assert harmless < 10


def test_bytes_appended_or_exchanged_are_refused(whole, tmp_path):
    rng = np.random.default_rng(0)
    assert refused(tmp_path / "model", whole + b"\0")
    assert refused(tmp_path / "model", whole + whole)
    for _ in range(300):
        low, high = sorted(rng.integers(0, len(whole), 2))
        changed = whole[:low] + rng.bytes(high - low + 1) + whole[high + 1 :]
        assert refused(tmp_path / "model", changed)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_random_bytes_are_refused(data, tmp_path):
    assert refused(tmp_path / "model", data)


HUGE = [2**63 - 1, 2**63, 2**64 - 1, 2**32, 100_000_000, 10**8 + 1]
FOREIGN = {
    "empty": b"",
    "text": b"weights,biases\n1,2\n" * 50,
    "pickle": pickle.dumps({"theta": np.ones(4)}),
    "npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
    "zip": b"PK\x03\x04" + bytes(100),
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    **{f"header of {length} bytes": struct.pack("<Q", length) + b'{"__metadata__":{}}' for length in HUGE},
    "header of nothing": struct.pack("<Q", 2) + b"{}",
    "header that is a list": struct.pack("<Q", 2) + b"[]",
    "header that nests": struct.pack("<Q", 60_000) + b"[" * 60_000,
    "header in no encoding": struct.pack("<Q", 4) + b'{"\xff}',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_refused(name, tmp_path):
    assert refused(tmp_path / "model", FOREIGN[name])


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"format": "netwrong", "version": "1"}])
def test_a_foreign_safetensors_file_is_called_one(metadata, tmp_path):
    save_file({"theta": np.ones(3)}, tmp_path / "model", metadata)
    with pytest.raises(ValueError, match="is a safetensors file, but not one that netwright wrote"):
        load(tmp_path / "model")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "F16", "I64", "BOOL"])
def test_tensors_of_a_dtype_that_numpy_may_lack_are_refused(dtype, tmp_path):
    size = {"BF16": 2, "F16": 2, "I64": 8}.get(dtype, 1)
    meta = {"format": "netwright", "version": "1", "kind": "network", "header": "{}"}
    header = {"theta": {"dtype": dtype, "shape": [4], "data_offsets": [0, 4 * size]}, "__metadata__": meta}
    packed = json.dumps(header).encode()
    assert refused(tmp_path / "model", struct.pack("<Q", len(packed)) + packed + bytes(4 * size))


@pytest.mark.parametrize("there", ["directory", "nothing", "pipe"])
def test_what_is_no_file(there, tmp_path):
    path = tmp_path / "model"
    if there == "directory":
        path.mkdir()
    elif there == "pipe":
        if os.name != "posix":
            pytest.skip("needs named pipes")
        os.mkfifo(path)
    error = {"directory": IsADirectoryError, "nothing": FileNotFoundError, "pipe": ValueError}[there]
    with pytest.raises(error, match=re.escape(str(path))):
        load(path)


# ── forged: the digest is right, the contents are not ────────────────────────────────────────────────────────────────


def header(**changes):
    return {"network": small().settings() | changes}


def layer(**changes):
    first, second = small().settings()["layers"]
    return header(layers=[first | changes, second])


THETA = {"theta": small().theta}


def test_a_forged_file_of_truth_loads(tmp_path):
    """So that the refusals below are about what was changed."""
    forge(tmp_path / "model", header(), THETA)
    same(load(tmp_path / "model"), small())


FORGED = {
    "newer version": ({}, {"version": str(VERSION + 1)}, "format version '2', this netwright reads up to 1; upgrade"),
    "no version": ({}, {"version": None}, "format version ''"),
    "version in superscript": ({}, {"version": "¹"}, "format version"),
    "negative version": ({}, {"version": "-1"}, "format version"),
    "unknown kind": ({}, {"kind": "forest"}, "holds a 'forest', which this netwright does not know; upgrade"),
    "no kind": ({}, {"kind": None}, "not readable JSON .KeyError"),
    "no header": ({}, {"header": None}, "not readable JSON .KeyError"),
    "no JSON": ("{'network': 1}", {}, "not readable JSON"),
    "deep JSON": ("[" * 200_000, {}, "not readable JSON .RecursionError"),
    "long number": ("[" + "9" * 5000 + "]", {}, "not readable JSON"),
    "a list": ([], {}, "does not describe a network"),
    "null": (None, {}, "does not describe a network"),
    "empty": ({}, {}, "does not describe a network: it has no 'network'"),
    "network a text": ({"network": "x"}, {}, "does not describe a network"),
    "no layers": (header(layers=[]), {}, "which its layers do not fill"),
    "layers null": (header(layers=None), {}, "does not describe"),
    "layers text": (header(layers="dense"), {}, "does not describe"),
    "layers numbers": (header(layers=[1, 2]), {}, "does not describe"),
    "layer nested": (header(layers=[[header()]]), {}, "does not describe"),
    "unknown layer kind": (layer(kind="convolution"), {}, "unknown layer kind 'convolution'"),
    "layer kind a list": (layer(kind=["dense"]), {}, r"layers\[0\].kind must be a text, got \['dense'\]"),
    "layer kind dunder": (layer(kind="__class__"), {}, "unknown layer kind"),
    "no layer kind": (header(layers=[{"neurons": 1, "inputs": 12}]), {}, "does not describe .*'kind'"),
    "strange argument": (layer(out="/etc/passwd"), {}, "does not describe"),
    "unknown activation": (layer(activation="os.system"), {}, "activation of its maker's own, 'os.system'"),
    "activation null": (layer(activation=None), {}, r"layers\[0\].activation must be a text, got None"),
    "activation a list": (layer(activation=[]), {}, "does not describe"),
    "unknown initializer": (layer(initializer="eval"), {}, "unknown initializer 'eval'"),
    "neurons text": (layer(neurons="3"), {}, "neurons must be a whole number"),
    "neurons negative": (layer(neurons=-3), {}, "neurons must be a whole number"),
    "neurons zero": (layer(neurons=0), {}, "neurons must be a whole number"),
    "neurons float": (layer(neurons=3.0), {}, "neurons must be a whole number"),
    "neurons true": (layer(neurons=True), {}, "neurons must be a whole number"),
    "neurons huge": (layer(neurons=10**12), {}, "theta is float64 .13,., which its layers do not fill"),
    "neurons endless": (layer(neurons=10**3000), {}, "not readable JSON .*a whole number of 3,001 digits"),
    "inputs negative": (layer(inputs=-1), {}, "inputs must be a whole number"),
    "inputs missing": (header(layers=[{"kind": "dense", "neurons": 3}]), {}, "does not describe"),
    "sizes that cancel out": (
        header(layers=[{"kind": "dense", "inputs": 10**7, "neurons": 10**7, "activation": "tanh"},
                       {"kind": "dense", "inputs": 0, "neurons": 13 - 10**7 * (10**7 + 1), "activation": "tanh"}]),
        {}, r"layers\[1\].inputs must be a whole number of at least 1, got 0",
    ),
    "layers that do not fit": (
        header(layers=[{"kind": "dense", "inputs": 2, "neurons": 3, "activation": "tanh"},
                       {"kind": "dense", "inputs": 1, "neurons": 2, "activation": "sigmoid"}]),
        {}, "takes 1 inputs but gets 3",
    ),
    "dropout last": (
        header(layers=[{"kind": "dense", "inputs": 12, "neurons": 1, "activation": "tanh"},
                       {"kind": "dropout", "rate": 0.5}]),
        {}, "the last layer must be a Layer",
    ),
    "dropout rate": (header(layers=[*small().settings()["layers"], {"kind": "dropout", "rate": 7}]), {}, "rate"),
    "unknown loss": (header(loss="__import__('os').system('true')"), {}, "loss of its maker's own"),
    "loss a number": (header(loss=3), {}, "does not describe"),
    "loss parameter": (header(loss="huber:-1"), {}, "huber"),
    "loss parameter text": (header(loss="huber:x"), {}, "huber"),
    "loss without parameter": (header(loss="logloss:3"), {}, "takes no parameter"),
    "dtype": (header(dtype="float16"), {}, "dtype must be 'float64' or 'float32', got 'float16'"),
    "dtype object": (header(dtype="object"), {}, "dtype must be 'float64' or 'float32', got 'object'"),
    "dtype null": (header(dtype=None), {}, "dtype must be 'float64' or 'float32', got None"),
    "l2 negative": (header(l2=-1), {}, "l2 must be"),
    "l2 text": (header(l2="0"), {}, "l2 must be"),
    "l2 infinite": (json.dumps(header(l2=np.inf)), {}, "l2 must be"),
    "l1 missing": ({"network": {k: v for k, v in small().settings().items() if k != "l1"}}, {}, "'l1'"),
    "smoothing": (header(label_smoothing=2), {}, "label_smoothing must be"),
    "per batch": (header(penalty_per_batch="no"), {}, "penalty_per_batch must be true or false, got 'no'"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_header_is_refused(name, tmp_path):
    said, meta, match = FORGED[name]
    forge(tmp_path / "model", said, THETA, **meta)
    with pytest.raises(ValueError, match=match) as caught:
        load(tmp_path / "model")
    assert str(caught.value).startswith(str(tmp_path / "model"))
    assert len(str(caught.value)) < 500


THETAS = [np.ones(12), np.ones(14), np.ones((13, 1)), np.ones(13, np.float32), np.ones(13, np.int64), np.ones(())]


@pytest.mark.parametrize("theta", [*THETAS, None], ids=lambda theta: "none" if theta is None else repr(theta.shape))
def test_a_theta_that_does_not_fit_is_refused(theta, tmp_path):
    forge(tmp_path / "model", header(), {"other": np.ones(13)} if theta is None else {"theta": theta})
    with pytest.raises(ValueError, match=r"which its layers do not fill|does not describe a network"):
        load(tmp_path / "model")


def test_half_precision_is_refused_even_where_header_and_theta_agree(tmp_path):
    forge(tmp_path / "model", header(dtype="float16"), {"theta": np.ones(13, np.float16)})
    with pytest.raises(ValueError, match="dtype must be 'float64' or 'float32'"):
        load(tmp_path / "model")


quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.filterwarnings("ignore:logloss wants the outputs of 'sigmoid'")  # where "tanh" takes its place
@quick
@given(data=st.data())
def test_any_junk_in_the_header_is_refused_or_gives_a_network_of_that_theta(data, tmp_path):
    said = with_junk({"network": small(dropout=0.5).settings()}, data.draw)
    forge(tmp_path / "model", said, THETA)
    try:
        loaded = load(tmp_path / "model")
    except ValueError:
        return
    np.testing.assert_array_equal(loaded.theta, small().theta)
    assert np.isfinite(loaded.predict(np.ones((2, 3)))).all()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """(header, tensors, training) of a checkpoint."""
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint"
    X, Y = np.linspace(-1, 1, 12).reshape(2, 6), np.ones((1, 6))
    options = {"validation": (X, Y), "epochs": 4, "rng": 1, "patience": 9}
    small(dropout=0.5).train(X, Y, checkpoint=path, **options)
    with safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["header"]), load_file(path), (X, Y, options)


@quick
@given(data=st.data())
def test_any_junk_in_a_checkpoint_is_refused_or_resumes(data, checkpoint, tmp_path):
    said, tensors, (X, Y, options) = checkpoint
    forge(tmp_path / "model", with_junk(said, data.draw), tensors, kind="checkpoint")
    network = small(dropout=0.5)
    before = network.theta.copy()
    try:
        history = network.train(X, Y, resume=tmp_path / "model", **options)
    except ValueError:
        np.testing.assert_array_equal(network.theta, before)
    else:
        assert len(history) == 4
        assert np.isfinite(network.theta).all()


@pytest.mark.parametrize("name", ["theta", "best_theta", "optimizer.m", "optimizer.v"])
@pytest.mark.parametrize("vector", [None, np.ones(12), np.ones(13, np.float32)], ids=["none", "short", "float32"])
def test_a_checkpoint_with_vectors_that_do_not_fit_is_refused(name, vector, checkpoint, tmp_path):
    said, tensors, (X, Y, options) = checkpoint
    forged = {n: v for n, v in tensors.items() if n != name} | ({} if vector is None else {name: vector})
    forge(tmp_path / "model", said, forged, kind="checkpoint")
    with pytest.raises(ValueError, match=r"does not describe a checkpoint|has not the vectors"):
        small(dropout=0.5).train(X, Y, resume=tmp_path / "model", **options)


@pytest.mark.slow
def test_loading_runs_nothing(tmp_path):
    """Python's own audit of a process that loads a good file, a forged one and a pickle."""
    small().save(tmp_path / "good")
    forge(tmp_path / "forged", header(loss="__import__('os').system('true')"), THETA)
    (tmp_path / "pickle").write_bytes(pickle.dumps(small()))
    script = """
        import os, sys, netwright
        os.chdir(sys.argv[1])
        def attempt():
            for name in ("good", "forged", "pickle"):
                try:
                    netwright.load(name)
                except ValueError:
                    pass
        attempt()  # imports what it needs
        seen = []
        sys.addaudithook(lambda event, arguments: seen.append(event))
        attempt()
        print(*sorted(set(seen)))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not [event for event in seen if re.match("exec|compile|pickle|marshal|os.(system|exec|fork)|subproc", event)]


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.write_bytes", "shutil.copymode"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("odd"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_file_that_was_there_and_nothing_else(what, error, tmp_path, monkeypatch):
    path = tmp_path / "model"
    small().save(path)
    kept = path.read_bytes()

    def fail(*arguments, **options):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(what, fail)
        with pytest.raises(type(error)) as caught:
            Network([5, 1]).save(path)
    if isinstance(error, OSError):
        assert f"cannot write {path}: {error.strerror or 'odd'}" in str(caught.value)
        assert caught.value.errno == error.errno
    assert path.read_bytes() == kept
    assert names(tmp_path) == ["model"]


def test_it_is_on_the_disk_before_it_takes_the_others_place(tmp_path, monkeypatch):
    done = []
    for module, name in ((os, "fsync"), (Path, "replace")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, o=original, n=name: (done.append(n), o(*a))[1])
    small().save(tmp_path / "model")
    assert done == ["fsync", "replace", "fsync"]  # the directory too, or the new name is lost with the power


def test_a_writer_of_ones_own_is_atomic_too(tmp_path):
    path = tmp_path / "model"
    write_atomically(path, b"old")

    def half(temporary):
        temporary.write_bytes(b"ne")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(path, half)
    assert path.read_bytes() == b"old"
    write_atomically(path, lambda temporary: temporary.write_bytes(b"new"))
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["model"]


@posix
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "model", tmp_path / "link"
    link.symlink_to("there/model")
    for network in (small(), Network([5, 1])):  # the target made, then replaced
        network.save(link)
        assert link.is_symlink()
        same(load(target), network)
    assert names(target.parent) == ["model"]


@posix
def test_permissions_are_those_of_the_file_that_was_there_else_the_usual(tmp_path):
    path = tmp_path / "model"
    before = os.umask(0o027)
    try:
        small().save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        small().save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", ["m" * 250, "ü" * 120, "a b.c", ".hidden"])
def test_any_file_name_will_do(name, tmp_path):
    small().save(tmp_path / name)
    check_writable(tmp_path / name, 100)
    same(load(tmp_path / name), small())
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("action", [lambda path: small().save(path), lambda path: check_writable(path, 10)])
def test_where_no_file_can_be_written(action, tmp_path):
    (tmp_path / "file").touch()
    cases = {
        tmp_path: "is a directory",
        tmp_path / "no" / "model": "no directory",
        tmp_path / "file" / "model": "no dir",
    }
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        cases |= {Path("/dev/null"): "not a regular file", tmp_path / "pipe": "not a regular file"}
    for path, match in cases.items():
        with pytest.raises(OSError, match=f"cannot write {re.escape(str(path))}: .*{match}"):
            action(path)
    assert not list(tmp_path.glob(".*"))


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        for action in (small().save, check_writable):
            with pytest.raises(PermissionError, match="cannot write"):
                action(tmp_path / "model")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.slow
@posix
def test_a_full_disk_destroys_nothing_and_is_found_out_before_training(tmp_path):
    """A limit on the size of files stands for the disk."""
    script = """
        import os, resource, sys
        import numpy as np
        from netwright import Network
        os.chdir(sys.argv[1])
        Network([1, 1], rng=0).save("model")
        Network([1, 1], rng=0).train(np.ones((1, 2)), np.ones((1, 2)), epochs=1, checkpoint="checkpoint")
        kept = [open(name, "rb").read() for name in ("model", "checkpoint")]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        large = Network([100, 100, 1], rng=0)
        for action in (
            lambda: large.save("model"),
            lambda: large.train(np.ones((100, 2)), np.ones((1, 2)), checkpoint="checkpoint", callbacks=[print]),
        ):
            try:
                action()
            except OSError as error:
                print(error)
            assert [open(name, "rb").read() for name in ("model", "checkpoint")] == kept
        assert sorted(os.listdir()) == ["checkpoint", "model"]
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    named = [line.partition("cannot write ")[2] for line in said]
    assert named == ["model: File too large", "checkpoint: File too large"]


@pytest.mark.slow
@posix
def test_a_process_killed_in_a_loop_of_saves_leaves_a_whole_file(tmp_path):
    path = tmp_path / "model"
    script = f"""
        import itertools
        from netwright import Network
        networks = [Network([100, width, 1], rng=0) for width in (50, 300)]
        for i in itertools.count():
            networks[i % 2].save({str(path)!r})
    """
    for delay in (0.0, 0.004, 0.01, 0.02, 0.03):
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)]) as process:
            while not path.exists():
                assert process.poll() is None
                time.sleep(0.001)
            time.sleep(delay)
            process.kill()
        width = load(path).layers[0].neurons
        same(load(path), Network([100, width, 1], rng=0))
        path.unlink()


def test_threads_that_save_to_one_path_at_once_leave_a_whole_file(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    networks = [Network([width, 1], rng=0) for width in (3, 300)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: networks[i % 2].save(tmp_path / "model"), range(40)))
    assert load(tmp_path / "model").inputs in (3, 300)
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("name", ["cross_entropy:20000000", "cross_entropy:1000000000"])
def test_a_loss_of_many_outputs_is_refused_before_memory_is_asked_for(name, tmp_path):
    forge(tmp_path / "model", header(loss=name), THETA)
    for make in (lambda: load(tmp_path / "model"), lambda: Network([2, 3, 1], loss=name)):
        tracemalloc.start()
        with pytest.raises(ValueError, match="neurons, got 1"):
            make()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_refused(bad, tmp_path):
    theta = np.ones(13)
    theta[5] = bad
    forge(tmp_path / "model", header(), {"theta": theta})
    with pytest.raises(ValueError, match="theta has 1 numbers that are not finite"):
        load(tmp_path / "model")


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5, "l2": 0.1}, {"dtype": "float32"}])
def test_the_same_model_makes_the_same_file_in_any_process(options, tmp_path):
    script = f"import sys; from netwright import Network; Network([2, 3, 1], rng=0, **{options!r}).save(sys.argv[1])"
    for i, seed in enumerate(("0", "1")):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, str(tmp_path / f"other {i}")], check=True, env=environment)
    for i in range(8):
        small(**options).save(tmp_path / f"here {i}")
    load(tmp_path / "here 0").save(tmp_path / "again")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert len(names(tmp_path)) == 11


@pytest.mark.parametrize("name", ["ü", "𝔘", '"\\\n', "\x1f\x7f\u2028"])
def test_a_file_of_any_names_is_a_safetensors_file(name, tmp_path):
    path, tensors = tmp_path / "m", {name: np.arange(3.0), "b": np.ones((2, 2), np.float32), "c": np.ones(0)}
    write(path, name, tensors, {name: name})
    kind, loaded, said = read(path)
    assert (kind, said) == (name, {name: name})
    assert {each: array.tolist() for each, array in loaded.items()} == {n: a.tolist() for n, a in tensors.items()}
