"""Files that are written whole or not at all."""

import contextlib
import errno
import glob
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(path: Any, data: bytes | bytearray | Callable[[Path], None]) -> None:
    """`data` into the file `path`, or what `data(temporary_path)` writes: all of it or nothing.

    A temporary file beside it takes its place, and its permissions, once it is on the disk. OSError, with the path,
    when that fails.
    """
    place = _place(path)
    temporary = _beside(place)
    try:
        if callable(data):
            data(temporary)
        else:
            temporary.write_bytes(data)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if place.exists():
            shutil.copymode(place, temporary)
        temporary.replace(place)
        if os.name == "posix":  # the new name must outlive a power cut too
            directory = os.open(place.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except OSError as error:
        raise _named(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Any, size: int = 0) -> None:
    """OSError now, before any work, when a file of `size` bytes could not be written to `path` later."""
    place = _place(path)
    for left in place.parent.glob(glob.escape(f".{place.name[:60]}.") + "*.tmp"):  # by processes killed while writing
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < time.time() - 86_400:
                left.unlink()
    trial = _beside(place)
    try:
        if size > shutil.disk_usage(place.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        trial.write_bytes(bytes(min(size, 2**24)))  # quotas and limits are seen only by writing
    except OSError as error:
        raise _named(error, path) from error
    finally:
        trial.unlink(missing_ok=True)


def _place(path: Any) -> Path:
    """Where a file for `path` belongs: a link stays a link. OSError when no file can be there."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a directory")
    if Path(path).exists() and not Path(path).is_file():
        raise OSError(f"cannot write {path}: it is not a regular file")
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no directory {place.parent}")
    return place


def _beside(place: Path) -> Path:
    """A name for a temporary file in the same directory that nobody else uses."""
    return place.with_name(f".{place.name[:60]}.{secrets.token_hex(4)}.tmp")


def _named(error: OSError, path: Any) -> OSError:
    """The same error, saying which file."""
    return type(error)(error.errno, f"cannot write {path}: {error.strerror or error}")
