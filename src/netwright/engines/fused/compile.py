"""Compiled code and where it is kept: functions become addresses, and stay on disk for the next process.

Every piece of the engine is a C function of integers (addresses, counts) that Numba compiles. Being addresses, pieces
call each other without knowing each other's types: the epoch loop is compiled once, and a table's row is a piece of
its own that is compiled when it is first used.
"""

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import types
from numba.core import caching, cgutils
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from netwright.engines.cache import SOURCES, cache_directory

# Everything but `nnan` and `ninf`: a NaN must come through, since it is how a divergence is told.
# INNER is what only compiled code calls: it has no wrappers for Python, which take as long to compile as the rest.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz"}}
SUMS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}}
INNER: dict[str, Any] = {**FLAGS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
INNER_SUMS: dict[str, Any] = {**INNER, **SUMS}

log = logging.getLogger("netwright")
WHOLE = types.int64

Made = TypeVar("Made", bound=Callable[..., Any])


def once(make: Made) -> Made:
    """`functools.cache` that keeps the types, and takes types as arguments."""
    return cast("Made", cache(make))


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


@intrinsic
def pointer(typing: Any, address: Any, kind: Any) -> Any:
    """The address as a pointer to numbers of that type (`carray` makes an array of it)."""
    item = kind.dtype if hasattr(kind, "dtype") else kind.instance_type

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(item)(types.int64, kind), build


def _caller(result: Any) -> Any:
    @intrinsic
    def call(typing: Any, address: Any, arguments: Any) -> Any:
        """Call the C function at the address with these integers."""

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            integer = ir.IntType(64)
            given = cgutils.unpack_tuple(builder, values[1], len(signature.args[1]))
            returns = ir.VoidType() if result is types.void else context.get_value_type(result)
            function = builder.inttoptr(values[0], ir.FunctionType(returns, [integer] * len(given)).as_pointer())
            answer = builder.call(function, given)
            return context.get_dummy_value() if result is types.void else answer

        return result(types.int64, arguments), build

    return call


call = _caller(types.void)
call_for_cost = _caller(types.float64)


@intrinsic
def add_at(typing: Any, address: Any, value: Any) -> Any:
    """Atomically add to the int64 at the address; what the others wrote before is seen after."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), build


@intrinsic
def load_at(typing: Any, address: Any) -> Any:
    """Atomically read the int64 at the address."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(types.int64), build


# ── compiled once, kept on disk ──────────────────────────────────────────────────────────────────────────────────────

_compiled: dict[tuple[str, str], Any] = {}  # alive as long as the process: an address must stay good
_lock = threading.RLock()
seconds_compiling = 0.0
_announcing = False


def compiled(function: Callable[..., Any], counts: int, key: str, result: Any = types.void, **flags: Any) -> int:
    """The address of `function` of `counts` integers as machine code, from this process, the disk, or the compiler.

    `key` must tell apart whatever makes the code another: everything that `function` refers to.
    """
    global seconds_compiling
    name = function.__name__
    with _lock:
        if (name, key) not in _compiled:
            started = time.perf_counter()
            piece: Any = CFunc(function, ((WHOLE,) * counts, result), {}, {"nopython": True, **flags})
            with contextlib.suppress(OSError):  # nowhere to keep it: it is compiled for this process alone
                piece._cache = DiskCache(function, key)
            piece.compile()
            if not piece.cache_hits:
                seconds_compiling += time.perf_counter() - started
            _compiled[name, key] = piece
    return int(_compiled[name, key].address)


@contextlib.contextmanager
def announced(what: str) -> Iterator[None]:
    """Say in one line how long compiling took, if there was any; the outermost says it for all within."""
    global _announcing
    outermost, before = not _announcing, seconds_compiling
    _announcing = True
    try:
        yield
    finally:
        _announcing = not outermost
    if outermost and seconds_compiling > before:
        took = seconds_compiling - before
        try:
            kept = f"kept in {cache_directory()}"
        except OSError as error:
            kept = f"for this process alone, {error}"
        log.warning("compiled the fused engine for %s in %.1f s; %s", what, took, kept)


def code_key(*parts: Any) -> str:
    """A hash of functions (their code, and what it refers to) and of plain values."""
    hashed = hashlib.blake2b(digest_size=12)
    seen: set[int] = set()

    def feed(part: Any) -> None:
        code = getattr(part, "__code__", None)
        if code is None:
            hashed.update(f"{type(part).__name__} {part!r}\0".encode() if not callable(part) else str(part).encode())
            return
        if id(part) in seen:
            return
        seen.add(id(part))
        hashed.update(code.co_code)
        for constant in code.co_consts:
            hashed.update(f"{type(constant).__name__} {constant!r}\0".encode())
        for held in [cell.cell_contents for cell in part.__closure__ or ()] + list(part.__defaults__ or ()):
            feed(held)
        for name in code.co_names:
            hashed.update(name.encode())
            value = part.__globals__.get(name)
            if isinstance(value, int | float) or hasattr(value, "__code__"):
                feed(value)

    for part in parts:
        feed(part)
    return hashed.hexdigest()


class _Place(caching.CompileResultCacheImpl):  # type: ignore[misc]
    """Numba's cache, told where and under which name, instead of looking at the function's file."""

    def __init__(self, name: str, stamp: str):
        self._filename_base = name
        self._lineno = 0
        self._locator = self
        self.path, self.stamp = str(cache_directory()), stamp

    def get_cache_path(self) -> str:
        return self.path

    def ensure_cache_path(self) -> None:
        Path(self.path).mkdir(parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        return self.stamp

    def check_cachable(self, result: Any) -> bool:
        return True  # addresses come in as arguments, so there is nothing in the code that another process lacks


class DiskCache(caching.FunctionCache):  # type: ignore[misc]
    """One file for each piece of code; written beside and renamed, so that processes never see half of one."""

    def __init__(self, function: Callable[..., Any], key: str):
        self._name, self._py_func, self.key = repr(function), function, key
        self._impl = _Place(f"{function.__name__}-{key}-{SOURCES}", SOURCES)
        self._cache_path = self._impl.get_cache_path()
        self._cache_file = caching.IndexDataCacheFile(self._cache_path, self._impl.filename_base, SOURCES)
        self.enable()

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        return signature, codegen.magic_tuple(), self.key  # the magic tuple names the CPU and its features
