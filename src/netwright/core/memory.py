"""Memory that was freed, and who has it then."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Have the system get back what was freed, as far as C's library can: glibc keeps what lies between other memory.

    Reading a table and compiling leave a lot of that, which threads that are started later would not use.
    """
    with suppress(OSError, AttributeError, TypeError):  # another library
        ctypes.CDLL(None).malloc_trim(0)
