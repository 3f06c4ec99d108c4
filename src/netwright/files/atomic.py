"""Files that are written whole or not at all, and by nobody else's leave."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LINKS = 40  # in a path at most, as to the system
UNSYNCED = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)  # not every directory can be put on the disk by everybody


def write_atomically(path: Any, data: bytes | bytearray | Callable[[Path], None]) -> None:
    """`data` into the file `path`, or what `data(temporary_path)` writes: all of it or nothing.

    A temporary file beside it takes its place, with its permissions and its owner, once it is on the disk; it is as
    private from the start. What killed processes left of such files is removed. A link stays a link. OSError, with the
    path, when the file can't be written, or when the link is somebody else's.
    """
    try:
        place = _place(path)
        with _temporary(place) as temporary:
            if callable(data):
                data(temporary)
            else:
                temporary.write_bytes(data)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            if place.exists():
                _keep_owner(place, temporary)
                shutil.copymode(place, temporary)
            temporary.replace(place)
            _sync(place.parent)
    except OSError as error:
        raise _named(error, path) from error


def check_writable(path: Any, size: int = 0) -> None:
    """OSError now, before any work, when a file of `size` bytes could not be written to `path` later."""
    try:
        place = _place(path)
        if size > shutil.disk_usage(place.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with _temporary(place) as trial:
            trial.write_bytes(bytes(min(size, 2**24)))  # quotas and limits are seen only by writing
    except OSError as error:
        raise _named(error, path) from error


def _place(path: Any) -> Path:
    """Where a file for `path` belongs: a link stays a link. OSError when no file can be there."""
    place = _followed(path)
    if place.is_dir():
        raise IsADirectoryError("it is a directory")
    if place.exists() and not place.is_file():
        raise OSError("it is not a regular file")
    if not place.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {place.parent}")
    folder = place.parent.stat()
    alone = os.name == "posix" and place.exists() and folder.st_mode & stat.S_ISVTX
    if alone and os.geteuid() not in (0, folder.st_uid, place.stat().st_uid):
        raise PermissionError("it is another user's, and in that directory nobody else can replace it")
    return place


def _followed(path: Any) -> Path:
    """The path without links. OSError for a link by which somebody may want another file to be overwritten.

    That is one which is neither ours nor root's nor of the owner of its folder: Linux has the same rule
    (`protected_symlinks`), but not switched on everywhere, and only for folders such as /tmp.
    """
    parts = list(reversed(Path(path).absolute().parts))
    place, links = Path(parts.pop()), 0
    while parts:
        if (part := parts.pop()) == "..":
            place = place.parent
        elif not (link := place / part).is_symlink():
            place = link
        else:
            if os.name == "posix" and link.lstat().st_uid not in (0, os.geteuid(), place.stat().st_uid):
                raise PermissionError(f"{link} is a link that another user made; name its target")
            if (links := links + 1) > LINKS:
                raise OSError("its links go in a circle")
            target = link.readlink()
            place = Path(target.anchor) if target.is_absolute() else place
            parts += reversed(target.parts[len(Path(target.anchor).parts) :])
    return place


@contextlib.contextmanager
def _temporary(place: Path) -> Iterator[Path]:
    """A file in the same directory that nobody else has, removed in the end if it is still there.

    As long as it is in use it is locked, which ends with the process.
    """
    _remove_leftovers(place)
    mode = 0o600 if place.exists() else 0o666  # of a new file's permissions the umask decides, as usual
    while True:
        temporary = place.with_name(f".{place.name[:50]}.{secrets.token_hex(8)}.tmp")
        file = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)  # follows no link
        try:
            if os.name != "posix":  # where an open file cannot be moved
                os.close(file)
            elif _lock(file) is False or not os.fstat(file).st_nlink:
                continue  # another process just took it for a leftover
            yield temporary
            return
        finally:
            temporary.unlink(missing_ok=True)
            if os.name == "posix":
                os.close(file)


def _lock(file: int) -> bool | None:
    """Lock an open file; False when it is locked already, None where the file system has no locks."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_leftovers(place: Path) -> None:
    """Delete our temporary files of `place` whose processes are gone."""
    names = [re.escape(place.name[:50]) + r"\.[0-9a-f]{16}", re.escape(place.name[:60]) + r"\.[0-9a-f]{8}"]
    ours = re.compile(rf"\.({'|'.join(names)})\.tmp")
    with contextlib.suppress(OSError):
        for each in place.parent.iterdir():
            if ours.fullmatch(each.name):
                with contextlib.suppress(OSError):
                    _remove_if_left(each)


def _remove_if_left(temporary: Path) -> None:
    """Delete it unless a process has it; where locks cannot tell, as for an older netwright's, when it is a day old."""
    there = temporary.lstat()
    if not stat.S_ISREG(there.st_mode) or (os.name == "posix" and there.st_uid != os.geteuid()):
        return
    gone = there.st_mtime < time.time() - 86_400
    if os.name != "posix" or len(temporary.suffixes[-2]) < 16:
        if gone:
            temporary.unlink()
        return
    file = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if (locked := _lock(file)) or (locked is None and gone):
            temporary.unlink()
    finally:
        os.close(file)


def _keep_owner(place: Path, temporary: Path) -> None:
    """Give it the owner and the group of the file that it replaces, as far as that is allowed."""
    there, new = place.stat(), temporary.stat()
    for owner in (there.st_uid, new.st_uid):
        if os.name == "posix" and (owner, there.st_gid) != (new.st_uid, new.st_gid):
            with contextlib.suppress(OSError):
                os.chown(temporary, owner, there.st_gid)
                break


def _sync(directory: Path) -> None:
    """The new name must outlive a power cut too."""
    if os.name == "posix":
        try:
            opened = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        except OSError as error:
            if error.errno not in UNSYNCED:
                raise


def _named(error: OSError, path: Any) -> OSError:
    """The same error, saying which file."""
    what = f"cannot write {path}: {error.strerror or error}"
    return type(error)(what) if error.errno is None else type(error)(error.errno, what)
