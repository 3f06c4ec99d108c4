"""What is wrong with an argument is said here: the argument, the value seen, what would be right."""

import inspect
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.core.memory import memory

Array: TypeAlias = NDArray[Any]
PIECE = 1 << 20  # numbers that are looked at together
Rng: TypeAlias = Any  # int | np.random.Generator | np.random.RandomState | None

# Control characters, ends of lines, marks that turn the direction of writing, and what no file name should have held.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def whole(name: str, value: Any, at_least: int = 1, at_most: float = math.inf) -> int:
    """`value` as an int of at least `at_least` and at most `at_most`; ValueError otherwise."""
    if is_whole(value) and at_least <= int(value) <= at_most:
        return int(value)
    limit = f"at most {at_most:,}" if is_whole(value) and value > at_most else f"at least {at_least}"
    raise ValueError(f"{name} must be a whole number of {limit}, got {brief(value)}")


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, of Python's kind or NumPy's; True and False are none."""
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def number(name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> float:
    """`value` as a finite float with low <= value <= high (low < value < high with `above`); ValueError otherwise."""
    with suppress(OverflowError):  # an integer beyond every float
        real = type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))
        ok = real and math.isfinite(value)
        if ok and (low < value < high if above else low <= value <= high):
            return float(value)
    if high == math.inf:
        limits = "" if low == -math.inf else f" {'above' if above else 'of at least'} {low:g}"
    else:
        limits = f" between {low:g} and {high:g}" + (", both excluded" if above else "")
    raise ValueError(f"{name} must be a finite number{limits}, got {brief(value)}")


def flag(name: str, value: Any) -> bool:
    """`value`, True or False, as a bool; ValueError otherwise: "no" would count as yes."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {brief(value)}")


def path(name: str, value: Any) -> Any:
    """`value` as it is, a text or a Path that a file can be called by; ValueError otherwise."""
    spelt = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if isinstance(spelt, str) and spelt and "\0" not in spelt:
        return value
    raise ValueError(f"{name} must be the path of a file, got {brief(value)}")


def text(name: str, value: Any) -> str:
    """`value` as it is, a text; ValueError otherwise."""
    if isinstance(value, str):
        return value
    raise ValueError(f"{name} must be a text, got {brief(value)}")


def several(name: str, values: Any, what: str, *, ordered: bool = True) -> list[Any]:
    """`values` as a list; ValueError for a text, a mapping, what is none at all, and a set where it is `ordered`."""
    single = isinstance(values, str | bytes | bytearray | Mapping) or (ordered and isinstance(values, set | frozenset))
    if isinstance(values, Iterable) and getattr(values, "ndim", True) and not single:
        return list(values)
    raise ValueError(f"{name} must be {what}, got {brief(values)}")


def named_inputs(name: str, values: Any, inputs: int) -> list[Any]:
    """`values` as a list of as many names as there are inputs; ValueError otherwise."""
    what = f"{inputs} words, one for each input"
    found = several(name, values, what)
    if len(found) != inputs:
        raise ValueError(f"{name} must be {what}, got {brief(values)}")
    return found


def function(name: str, value: Any, call: str) -> Callable[..., Any]:
    """`value` as it is, a function that can be called as `call`, such as "f(Z, A)"; ValueError otherwise."""
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"{name} must be a function {call}, got {brief(value)}")
    names = call[call.index("(") + 1 : -1].split(", ")
    try:
        takes = inspect.signature(value)
    except (TypeError, ValueError):  # some of C's tell no signature
        return value
    try:
        takes.bind(*names)
    except TypeError:
        raise ValueError(f"{name} is called as {call}, but {name.rpartition(': ')[2]} takes {takes}") from None
    return value


def as_number(name: str, value: Any) -> float:
    """`value`, which somebody's own function gave, as a float; ValueError when it is no number."""
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(value, str | bytes):
            return float(value)
    raise ValueError(f"{name} must give a number, got {brief(value)}")


def room(first: tuple[str, int], second: tuple[str, int]) -> None:
    """ValueError when W between layers of these (name, size) does not fit into any memory that there is."""
    (one, inputs), (other, neurons) = first, second
    needed = 8 * inputs * neurons
    if needed > 2**30 and needed > (there := memory()):
        raise ValueError(
            f"{one}={inputs} and {other}={neurons} make a W of {needed / 2**30:,.0f} GiB, and there are "
            f"{there / 2**30:,.0f} GiB of memory"
        )


def generator(rng: Rng) -> "np.random.Generator":  # quoted, so that importing does not load numpy.random
    """A NumPy Generator from a seed, from None (a fresh one) or from itself."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or (is_whole(rng) and int(rng) >= 0):
        return np.random.default_rng(None if rng is None else int(rng))
    if isinstance(rng, np.random.RandomState):
        # Shares the bit generator, so that draws here and there come from one stream.
        return np.random.Generator(rng._bit_generator)
    raise ValueError(f"rng must be None, a seed of at least 0 or a numpy.random.Generator, got {brief(rng)}")


def float_type(dtype: Any) -> np.dtype[Any]:
    """float64 or float32; ValueError for any other dtype."""
    try:
        found = np.dtype(dtype)
        if found in (np.dtype(np.float64), np.dtype(np.float32)):
            return found
    except (TypeError, ValueError, SyntaxError):  # no dtype at all
        pass
    raise ValueError(f"dtype must be float64 or float32, got {brief(dtype)}")


def columns(name: str, values: Any, rows: int | None, dtype: Any, *, what: str = "features") -> Array:
    """`values` as a finite (rows, samples) array of `dtype`, not copied when it is one already.

    ValueError for text or objects, for complex numbers, for another number of dimensions or rows, for no samples, and
    for NaN or infinity, naming the first such place.
    """
    return finite(name, shaped(name, values, rows, dtype, what=what))


def finite(name: str, array: Array) -> Array:
    """The array as it is; ValueError for NaN or infinity, naming the first place of one."""
    if not _is_finite(array):
        place, seen = _first(array, ~np.isfinite(array))
        raise ValueError(f"{name} must be finite: {name}{place} is {seen}")
    return array


def _first(array: Array, there: Array) -> tuple[str, Any]:
    """The first place that is meant, as "[1, 2]", and the number there."""
    place = tuple(map(int, np.argwhere(there)[0]))
    return str(list(place)), array[place]


def _is_finite(array: Array) -> bool:
    """Whether all of it is, looked at in pieces: a mask of all would take up to a quarter of its memory."""
    if array.size <= PIECE:
        return bool(np.isfinite(array).all())
    rows = array.T if array.flags.f_contiguous else array
    step = max(1, PIECE // rows[0].size)
    return all(np.isfinite(rows[start : start + step]).all() for start in range(0, len(rows), step))


def shaped(name: str, values: Any, rows: int | None, dtype: Any, *, what: str = "features") -> Array:
    """As `columns`, but not looked at for NaN and infinity."""
    array = numeric(name, values, dtype)
    if array.ndim != 2:
        hint = f"; one sample is a column: {name}.reshape(-1, 1)" if array.ndim == 1 else ""
        raise ValueError(f"{name} must have 2 dimensions ({what}, samples), got shape {array.shape}{hint}")
    if rows is not None and array.shape[0] != rows:
        hint = f"; a column is a sample here: pass {name}.T" if array.shape[1] == rows else ""
        raise ValueError(f"{name} must have {rows} rows ({what}), a column a sample, got shape {array.shape}{hint}")
    if array.shape[1] == 0:
        raise ValueError(f"{name} holds no samples: its shape is {array.shape}")
    return array


def weights(weight: Any, samples: int, dtype: Any) -> Array | None:
    """`weight` as (samples,) of non-negative finite numbers with a sum above 0, or None when it is None."""
    if weight is None:
        return None
    array = numeric("weight", weight, np.float64)
    if array.size != samples or (array.ndim > 1 and samples not in array.shape):  # a row or a column of them will do
        got = f"shape {array.shape}" if array.ndim > 1 else str(array.size)
        raise ValueError(f"weight must have one number a sample ({samples}), got {got}")
    array = array.reshape(-1)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        place, seen = _first(array, bad)
        raise ValueError(f"weight must be finite and not negative: weight{place} is {seen}")
    if not array.any():
        raise ValueError("weight is 0 for every sample: nothing is left to learn from")
    if not 1e-30 < array.max() < 1e30:  # only ratios count, and float32 could not hold the sum or its inverse
        array = array / array.max()
    return array.astype(dtype, copy=False)


def numeric(name: str, values: Any, dtype: Any) -> Array:
    """`values` as an array of `dtype`; ValueError when they are text, objects, complex, ragged or masked."""
    if type(values) is np.ndarray and values.dtype == dtype and values.dtype.kind == "f":
        return values
    values = unmasked(name, values)
    try:
        array = np.asarray(values)
        if array.dtype == object:  # numbers that came as objects are welcome; anything else says so below
            if any(isinstance(value, str | bytes) for value in array.flat):
                raise TypeError  # float("1.5") would be taken for a number
            gone = np.array([type(value).__name__ == "NAType" for value in array.flat], bool).reshape(array.shape)
            array = np.where(gone, np.nan, array).astype(np.float64)  # pandas.NA, as None is one
    except OverflowError:
        raise ValueError(f"{name} has a whole number that is too large for float64") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers, its rows of one length, got {brief(values)}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be real numbers, got dtype {array.dtype}")
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype, copy=False)
    except FloatingPointError:
        dtype = np.dtype(dtype)
        place, seen = _first(array, np.isfinite(array) & (np.abs(array) > np.finfo(dtype).max))
        sign = "-" if seen < 0 else ""
        raise ValueError(f"{name} must be finite: {name}{place} is {sign}inf in {dtype}, made of {seen}") from None


def numbers(name: str, value: Any) -> Any:
    """`value` as it is, a number or an array of some; what is neither as an array; ValueError when it holds others."""
    if value is None:
        raise ValueError(f"{name} must be numbers, got None")
    known = isinstance(value, int | float) or getattr(getattr(value, "dtype", None), "kind", "") in tuple("fiub")
    return value if known else numeric(name, value, np.float64)


def unmasked(name: str, values: Any) -> Any:
    """`values`, of masked arrays without a masked value their data; ValueError where a value is masked, in lists too.

    NumPy's functions would take what is behind a mask for a value.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise ValueError(
                f"{name} has masked (missing) values, {int(np.ma.getmaskarray(values).sum())} of {values.size}; "
                f"fill them, or leave those samples out"
            )
        return values.data
    if isinstance(values, list | tuple):
        kinds = set(map(type, values))
        if any(issubclass(kind, np.ma.MaskedArray | list | tuple) for kind in kinds):
            for each in values:
                unmasked(name, each)
    return values


def brief(value: Any) -> str:
    """`repr(value)`, cut to a length that fits into a sentence."""
    return cut(repr(value).replace("\n", " "), 60)


def visible(text: str) -> str:
    """The text on one line, what would move a cursor or turn letters around written as in Python: \\x1b, \\n."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cut(text: str, most: int, mark: str = "...") -> str:
    """The text, its end replaced by a mark where it is longer than that."""
    return text if len(text) <= most else text[: most - len(mark)] + mark
