"""Where compiled code is kept between processes, and whether all of it is there: known without loading the compiler."""

import contextlib
import hashlib
import os
import platform
import stat
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
COMPILED_FROM = ("core", "engines/fused")  # a test sees that no other part of the package is compiled


def _sources(package: Path = PACKAGE) -> str:
    """A hash of all that code is compiled from, so that a change compiles anew. FileNotFoundError where it is not."""
    hashed = hashlib.blake2b(digest_size=8)
    for folder in COMPILED_FROM:
        files = sorted((package / folder).rglob("*.py"))
        if not files:
            raise FileNotFoundError(f"{package / folder} has no sources, by which compiled code is known")
        for file in files:
            source = file.read_bytes()
            hashed.update(f"{file.relative_to(package).as_posix()} {len(source)}\n".encode() + source)
    return hashed.hexdigest()


SOURCES = _sources()


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _places() -> list[Path]:
    given = os.environ.get("NETWRIGHT_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "netwright"
    return [Path(given)] if given else [home, Path(tempfile.gettempdir()) / f"netwright-{_user()}"]


@cache
def cache_directory() -> Path:
    """$NETWRIGHT_CACHE_DIR, else the user's cache, else a temporary directory of theirs.

    Code is loaded from here, so nobody else may be able to put some. OSError says of each place why it will not do.
    """
    tried = []
    for place in _places():
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            why = doubt(place.lstat()) if place.is_symlink() else ""  # somebody's link may lead anywhere
            why = why or doubt(place.stat())
        except OSError as error:
            why = error.strerror or str(error)
        if not why and os.access(place, os.W_OK):
            return place
        tried.append(f"{place} ({why or 'it cannot be written to'})")
    raise OSError(f"no directory of your own to keep compiled code in: tried {', '.join(tried)}")


def doubt(found: os.stat_result) -> str:
    """Why what was found may have been put there by somebody else; "" if only this user can have."""
    if not hasattr(os, "getuid"):
        return ""
    if found.st_uid != _user():
        return "it is another user's"
    if found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode):
        return f"others may write to it, its mode is {stat.S_IMODE(found.st_mode):o}"
    return ""


def _mark() -> str:
    """The name of an empty file that says all is there: another for other sources, another Python, Numba or CPU."""
    numba = find_spec("numba")  # finds it without loading it
    if numba is None or numba.origin is None:
        raise FileNotFoundError("there is no Numba")
    hashed = hashlib.blake2b(f"{SOURCES} {sys.implementation.cache_tag} {platform.machine()}".encode(), digest_size=8)
    hashed.update(Path(numba.origin).with_name("_version.py").read_bytes())
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open("rb") as lines:  # elsewhere the machine must do
        for line in lines:
            if line.startswith((b"vendor_id", b"cpu family", b"model", b"flags", b"CPU", b"Features")):
                hashed.update(line)
            if not line.strip():  # the first core's are all
                break
    return f"warm-{hashed.hexdigest()}"


@cache
def warmed_up() -> bool:
    """Whether `warm_up` has put all code on disk, for this version and CPU. Looked up once a process, in a few ms."""
    with contextlib.suppress(OSError):
        mark = _mark()
        return any((place / mark).is_file() for place in _places()) and (cache_directory() / mark).is_file()
    return False


def mark_warm() -> None:
    """Say that all code is on disk, if there is a place for it."""
    with contextlib.suppress(OSError):
        (cache_directory() / _mark()).touch()
    warmed_up.cache_clear()
