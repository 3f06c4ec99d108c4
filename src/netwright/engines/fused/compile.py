"""Compiled code and where it is kept: functions become addresses, and stay on disk for the next process.

Every piece of the engine is a C function of integers (addresses, counts) that Numba compiles. Being addresses, pieces
call each other without knowing each other's types: the epoch loop is compiled once, and a table's row is a piece of
its own that is compiled when it is first used.
"""

import contextlib
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from netwright.core.memory import give_back
from netwright.engines.cache import SOURCES, cache_directory, doubt
from netwright.engines.threads import Lock, interrupts_wait

# Everything but `nnan` and `ninf`: a NaN must come through, since it is how a divergence is told.
# INNER is what only compiled code calls: it has no wrappers for Python, which take as long to compile as the rest.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz"}}
SUMS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}}
INNER: dict[str, Any] = {**FLAGS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
INNER_SUMS: dict[str, Any] = {**INNER, **SUMS}

log = logging.getLogger("netwright")
WHOLE = types.int64

# Of the system's own functions, those that workers wait with: Windows has none of them. LLVM finds any only once there
# is an engine.
cpu_target.target_context.codegen()
SYSTEM_CALLS = all(llvm.address_of_symbol(name) for name in ("sched_yield", "usleep", "clock_gettime"))

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

_compiled: dict[tuple[str, str], tuple[int, bytes]] = {}  # with the code: an address must stay good
_lock = Lock()
seconds_compiling = 0.0
_announcing = False


def compiled(function: Callable[..., Any], counts: int, key: str, result: Any = types.void, **flags: Any) -> int:
    """The address of `function` of `counts` integers as machine code, from this process, the disk, or the compiler.

    `key` must tell apart whatever makes the code another: everything that `function` refers to.
    """
    global seconds_compiling
    name = function.__name__
    with _lock, global_compiler_lock:
        if (name, key) not in _compiled:
            cpu_target.target_context.refresh()  # the compiler's own symbols are known from here on
            symbol, file = f"netwright-{name}-{key}", _file(name, key)
            code = None if file is None else _kept(file)
            if code is None:
                started = time.perf_counter()
                with interrupts_wait():
                    code, lasts = _machine_code(function, result(*[WHOLE] * counts), symbol, flags)
                give_back()  # the compiler leaves more than a MiB for each piece, which nothing else would use
                seconds_compiling += time.perf_counter() - started
                if file is not None and lasts:
                    _keep(file, code)
            _compiled[name, key] = _loaded(code, symbol), code
    return _compiled[name, key][0]


def _machine_code(function: Callable[..., Any], signature: Any, symbol: str, flags: Any) -> tuple[bytes, bool]:
    """The object file of a piece, and whether another process may load it. Nothing of it is loaded here.

    All its functions but the one named `symbol` are its own. Numba would leave them to be found by name, and its names
    are counted from 1 in each process: of two pieces, the second would call the functions of the first.
    """
    piece: Any = CFunc(function, (signature.args, signature.return_type), {}, {"nopython": True, **flags})
    result = piece._compile_uncached()
    library = result.library
    library._finalize_final_module = library._finalize_dynamic_globals  # instead of loading it
    library.finalize()
    module = library._final_module
    module.get_function(result.fndesc.llvm_cfunc_wrapper_name).name = symbol
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != symbol:
            value.linkage = "internal"
    return library.codegen._tm.emit_object(module), not (library._dynamic_globals or library._reload_init)


def _loaded(code: bytes, symbol: str) -> int:
    """The address of the function of that name in an object file: what was just compiled is loaded as any other."""
    engine = cpu_target.target_context.codegen()._engine
    engine._ee.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(symbol))


def _file(name: str, key: str) -> Path | None:
    """Where a piece is kept: another file for other sources, another compiler or CPU. None: there is no place."""
    target = cpu_target.target_context.codegen().magic_tuple()  # names the CPU and its features
    made_by = (SOURCES, sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, target, SYSTEM_CALLS)
    stamp = hashlib.blake2b(repr(made_by).encode(), digest_size=8).hexdigest()
    with contextlib.suppress(OSError):
        return cache_directory() / f"{name}-{key}-{stamp}.code"
    return None


def _checksum(code: bytes) -> bytes:
    return hashlib.blake2b(code, digest_size=16).digest()


def _kept(file: Path) -> bytes | None:
    """The code in a file; None if there is no such file, or it is damaged or another's: that is said, and it goes."""
    foreign = ""
    try:
        if foreign := doubt(file.lstat()):
            raise PermissionError(foreign)
        data = file.read_bytes()
        checksum, code = data[:16], data[16:]
        if code and checksum == _checksum(code):
            return code
        why = "its checksum is wrong"
    except FileNotFoundError:
        return None
    except OSError as error:
        why = str(error)
    what = "may be somebody else's" if foreign else "is damaged"
    log.warning("compiled code on disk %s, and is compiled anew: %s (%s)", what, file, why)
    with contextlib.suppress(OSError):
        file.rmdir() if file.is_dir() else file.unlink()
    return None


def _keep(file: Path, code: bytes) -> None:
    """Write beside and rename, so that no process sees half a file. Where that fails it is compiled again next time."""
    beside = file.with_name(f"{file.name}.tmp{os.getpid()}")
    try:
        beside.write_bytes(_checksum(code) + code)
        beside.chmod(0o600)  # with a umask of 002 it would not be trusted the next time
        beside.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()


class Announced:
    """Inside it: says in one line how long compiling took, if there was any; the outermost says it for all within."""

    def __init__(self, what: Any):
        self.what = what

    def __enter__(self) -> None:
        global _announcing
        self.outermost, self.before, _announcing = not _announcing, seconds_compiling, True

    def __exit__(self, *error: object) -> None:
        global _announcing
        _announcing = not self.outermost
        if self.outermost and seconds_compiling > self.before:
            took = seconds_compiling - self.before
            try:
                kept = f"kept in {cache_directory()}"
            except OSError as problem:
                kept = f"for this process alone, {problem}"
            log.warning("compiled the fused engine for %s in %.1f s; %s", self.what, took, kept)


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
