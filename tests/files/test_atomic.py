"""Every file that is written: whole or not at all, as private as it was, and nowhere else. Saving models in particular
is in test_persistence.py."""

import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from netwright import Network
from netwright.files.atomic import check_writable, write_atomically
from netwright.tables.frame import Frame
from netwright.tables.read import write_table
from netwright.training.history import History

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")

NOBODY = 65534
FRAME = Frame.from_arrays({"x": [1.0, 2.0], "s": ["a", "b"]})
HISTORY = History(cost=[2.0, 1.0], seconds=[0.1, 0.2])


def checkpoint(path):
    Network([1, 2, 1], rng=0).train(np.ones((1, 4)), np.ones((1, 4)), epochs=2, engine="plain", checkpoint=path)


WRITERS = {
    "model": lambda path: Network([2, 1], rng=0).save(path),
    "checkpoint": checkpoint,
    "table.csv": lambda path: write_table(path, FRAME),
    "table.tsv.gz": lambda path: write_table(path, FRAME),
    "table.jsonl": lambda path: write_table(path, FRAME),
    "table.parquet": lambda path: write_table(path, FRAME),
    "curve.svg": lambda path: HISTORY.plot(path),
}


@pytest.fixture(params=WRITERS)
def writer(request, tmp_path):
    """(a function that writes a file, the file in an empty directory)."""
    (tmp_path / "here").mkdir()
    return WRITERS[request.param], tmp_path / "here" / request.param


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


# ── whose it is ──


def test_a_new_file_has_the_usual_permissions_and_one_that_was_there_keeps_its_own(writer):
    write, path = writer
    before = os.umask(0o027)
    try:
        write(path)
        assert mode(path) == 0o640
        path.chmod(0o600)
        write(path)
        assert mode(path) == 0o600
    finally:
        os.umask(before)
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("kept", [0o600, 0o664, 0o400])
def test_another_name_of_the_old_file_goes_on_having_its_contents(kept, tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "old").chmod(kept)
    os.link(tmp_path / "old", tmp_path / "new")
    write_atomically(tmp_path / "new", b"new")
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [b"new", b"old"]
    assert mode(tmp_path / "new") == kept


def test_what_takes_a_private_files_place_is_private_from_the_start(tmp_path):
    path, seen = tmp_path / "f", []
    before = os.umask(0o000)
    try:
        for made in (None, 0o600, 0o644):
            if made is not None:
                path.touch()
                path.chmod(made)
            write_atomically(path, lambda temporary: seen.append((mode(temporary), temporary.write_bytes(b"x"))[0]))
            path.unlink()
    finally:
        os.umask(before)
    assert seen == [0o666, 0o600, 0o600]


@as_root
def test_the_owner_stays_too(writer):
    write, path = writer
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


# ── links ──


def test_a_link_of_ones_own_is_followed_and_stays(writer, tmp_path):
    write, path = writer
    (tmp_path / "there").mkdir()
    for number, target in enumerate(["../there", tmp_path / "there", "../there/../here/link0"]):
        (path.parent / f"link{number}").symlink_to(target)
    path.symlink_to(f"link1/../there/{path.name}")  # what follows a link's .. is where the link leads to
    direct, folder = path, path.parent / "link2" / path.name
    for each in (direct, folder):
        write(each)
        assert names(tmp_path / "there") == [path.name]
        assert each.is_symlink() == (each is direct)
        (tmp_path / "there" / path.name).unlink()


def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"cannot write .*a: its links go in a circle"):
        write_atomically(tmp_path / "a", b"")


@as_root
@pytest.mark.parametrize(("part", "folder"), [("the file", 0o1777), ("its folder", 0o775)])
def test_another_users_link_in_a_shared_folder_is_not_followed(part, folder, writer, tmp_path):
    write, path = writer
    (tmp_path / "mine").mkdir()
    victim = tmp_path / "mine" / path.name
    victim.write_bytes(b"precious")
    path.parent.chmod(folder)
    link = path if part == "the file" else path.parent / "runs"
    link.symlink_to(victim if part == "the file" else victim.parent)
    os.lchown(link, NOBODY, NOBODY)
    for action in (write, check_writable):
        with pytest.raises(PermissionError, match="a link that another user made; name its target"):
            action(path if part == "the file" else link / path.name)
    assert victim.read_bytes() == b"precious"
    os.chown(path.parent, NOBODY, NOBODY)  # in a folder of its maker's own it is as good as any other file there
    victim.unlink()
    write(path if part == "the file" else link / path.name)
    assert victim.exists()


@as_root
def test_another_users_file_in_a_folder_such_as_tmp_is_found_out_before_work(tmp_path, monkeypatch):
    tmp_path.chmod(0o1777)
    path = tmp_path / "model"
    path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    for action in (check_writable, lambda path: write_atomically(path, b"")):
        with pytest.raises(PermissionError, match=r"cannot write .*model: it is another user's"):
            action(path)
    os.chown(path, NOBODY, NOBODY)
    check_writable(path)


# ── kills ──


def killed_while_writing(path):
    """A process that was killed in the middle of writing the file."""
    process = busy(path)
    process.kill()
    process.communicate()


def busy(path):
    """A process that is in the middle of writing the file."""
    script = f"""
        import time
        from netwright.files.atomic import write_atomically
        def half(temporary):
            temporary.write_bytes(b"half")
            print("half", flush=True)
            time.sleep(60)
        write_atomically({str(path)!r}, half)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"half\n"
    return process


@pytest.mark.parametrize("name", ["model", "m" * 250, "\N{GRINNING FACE}" * 60, "[a]*.csv", ".hidden"])
def test_what_a_killed_process_left_is_gone_with_the_next_write_of_that_file(name, tmp_path):
    path, other = tmp_path / name, tmp_path / "other"
    for each in (path, other):
        killed_while_writing(each)
    assert len(names(tmp_path)) == 2
    write_atomically(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert [left.startswith(".other.") for left in names(tmp_path)].count(True) == 1
    assert len(names(tmp_path)) == 2
    check_writable(other)
    assert names(tmp_path) == [name]


def test_what_another_process_is_just_writing_is_left_alone(tmp_path):
    process = busy(tmp_path / "model")
    try:
        for _ in range(3):
            write_atomically(tmp_path / "model", b"whole")
            check_writable(tmp_path / "model")
        assert len(names(tmp_path)) == 2
    finally:
        process.kill()
        process.communicate()


def test_only_our_own_files_are_taken_for_leftovers(tmp_path):
    token = "0123456789abcdef"
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / f".model.{token}.tmp").symlink_to("precious")
    os.mkfifo(tmp_path / f".model.{token[::-1]}.tmp")
    (tmp_path / f".model.{'0' * 16}.tmp").mkdir()
    for name in (f".model.{token}.bak", f"model.{token}.tmp", f".model2.{token}.tmp", ".model.backup.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".model.01234567.tmp").touch()  # of a netwright that had no locks, perhaps just writing
    before = names(tmp_path)
    write_atomically(tmp_path / "model", b"whole")
    assert names(tmp_path) == sorted([*before, "model"])
    os.utime(tmp_path / ".model.01234567.tmp", (time.time() - 1e5,) * 2)
    write_atomically(tmp_path / "model", b"whole")
    assert ".model.01234567.tmp" not in names(tmp_path)


@as_root
def test_another_users_leftovers_stay(tmp_path):
    left = tmp_path / f".model.{'0' * 16}.tmp"
    left.touch()
    os.chown(left, NOBODY, NOBODY)
    write_atomically(tmp_path / "model", b"whole")
    assert left.exists()


# ── no room ──


def test_a_full_disk_leaves_the_old_files_and_nothing_else(tmp_path):
    """A limit on the size of files stands for the disk."""
    for name in WRITERS:
        WRITERS[name](tmp_path / name)
    kept = {name: (tmp_path / name).read_bytes() for name in WRITERS}
    script = """
        import resource
        from test_atomic import WRITERS
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        for name in WRITERS:
            try:
                WRITERS[name](name)
            except OSError as error:
                print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert done.stdout.splitlines() == [f"[Errno 27] cannot write {name}: File too large" for name in WRITERS]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
