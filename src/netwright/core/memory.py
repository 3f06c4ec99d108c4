"""How much memory there is, and who has it that was freed."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path


def give_back() -> None:
    """Have the system get back what was freed, as far as C's library can: glibc keeps what lies between other memory.

    Reading a table and compiling leave a lot of that, which threads that are started later would not use.
    """
    with suppress(OSError, AttributeError, TypeError):  # another library
        ctypes.CDLL(None).malloc_trim(0)


def memory() -> int:
    """The bytes of memory that this process may have: the machine's, or fewer where it is held to that."""
    found = [2**63]
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" where there is none
            found.append(int(Path(limit).read_text()))
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        found += [soft] if soft > 0 else []  # -1 is no limit
    return min(found)
