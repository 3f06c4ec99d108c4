"""Where compiled code is kept between processes: known without loading the compiler."""

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path


def _sources() -> str:
    """A hash of the fused engine's own source, so that an upgrade compiles anew."""
    hashed = hashlib.blake2b(digest_size=8)
    for file in sorted((Path(__file__).parent / "fused").glob("*.py")):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


SOURCES = _sources()


@cache
def cache_directory() -> Path:
    """$NETWRIGHT_CACHE_DIR, else the user's cache, else a temporary directory of theirs; OSError if none will do."""
    given = os.environ.get("NETWRIGHT_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "netwright"
    user = os.getuid() if hasattr(os, "getuid") else 0
    fallback = Path(tempfile.gettempdir()) / f"netwright-{user}"
    for place in [Path(given)] if given else [home, fallback]:
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Code is loaded from here: nobody else may be able to put some.
            if os.access(place, os.W_OK) and (not hasattr(os, "getuid") or place.stat().st_uid == user):
                return place
    raise OSError(f"no directory of your own to keep compiled code in: tried {given or f'{home}, {fallback}'}")
