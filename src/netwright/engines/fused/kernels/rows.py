"""Table rows as machine code: an activation's f and df, a loss's value and dZ, an optimizer's rule, each in its loop.

A row is written once, in NumPy, for arrays. Here its functions are read as functions of one number: `np` becomes the
functions of `scalars`, every constant gets the network's dtype, and Numba puts them into a loop over a batch.
"""

import dis
import math
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import carray, njit, types

from netwright.core.activations import ACTIVATIONS, Activation, Softmax
from netwright.core.links import LINKS, smallest_step
from netwright.core.losses import InTurn, Loss, cross_entropy
from netwright.core.optimizers import Optimizer
from netwright.engines.fused.compile import INNER, SUMS, code_key, compiled, once, pointer
from netwright.engines.fused.kernels.scalars import functions

TYPES = {np.float32: types.float32, np.float64: types.float64}
FUNCTIONS = once(functions)


class NotCompilable(Exception):
    """Why a row cannot be compiled, in words that end a sentence."""


def scalar(function: Any, F: Any) -> Any:
    """The row's function, compiled for one number of type F; NotCompilable when that cannot be."""
    return _scalar(function, F, {})


def _scalar(function: Any, F: Any, done: dict[int, Any]) -> Any:
    if isinstance(function, np.ufunc):
        return getattr(FUNCTIONS(F), function.__name__)
    if not isinstance(function, FunctionType):
        raise NotCompilable(f"{function!r} is not a plain Python function")
    if id(function) not in done:
        code = function.__code__.replace(co_consts=tuple(_constant(c, F) for c in function.__code__.co_consts))
        used = {
            name: _value(function.__globals__[name], F, done) for name in _names(code) if name in function.__globals__
        }
        cells = tuple(CellType(_value(cell.cell_contents, F, done)) for cell in function.__closure__ or ())
        defaults = tuple(_value(value, F, done) for value in function.__defaults__ or ())
        twin = FunctionType(code, {**used, "__builtins__": __builtins__}, function.__name__, defaults or None, cells)
        done[id(function)] = njit(**INNER, forceinline=True)(twin)
    return done[id(function)]


def _names(code: CodeType) -> set[str]:
    return {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


def _constant(value: Any, F: Any) -> Any:
    return F(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _value(value: Any, F: Any, done: dict[int, Any]) -> Any:
    """What a name of the row's function stands for in its twin."""
    if value is np or value is math:
        return FUNCTIONS(F)
    if value is smallest_step:
        step = F(np.finfo(F).eps)
        return njit(**INNER, forceinline=True)(lambda number: step)
    if isinstance(value, FunctionType | np.ufunc):
        return _scalar(value, F, done)
    if isinstance(value, np.generic):
        return F(value)
    if isinstance(value, ModuleType | BuiltinFunctionType | type):
        return value
    if isinstance(value, int | float | bool):
        return _constant(value, F)
    raise NotCompilable(f"it refers to {type(value).__name__} {value!r:.40}")


@once
def uses_Z(activation: Activation) -> bool:
    """Whether df reads Z, which must then be kept beside A."""
    code = getattr(activation.df, "__code__", None)
    if code is None:
        return True
    first = code.co_varnames[0]
    return any(i.opname.startswith("LOAD_FAST") and first in str(i.argval) for i in dis.get_instructions(code)) or (
        first in code.co_cellvars
    )


def _compile(make: Callable[[], Any], counts: int, what: str, key: str, result: Any = types.void) -> int:
    """The address of the loop that `make` builds; whatever Numba objects to becomes NotCompilable."""
    try:
        return compiled(make(), counts, key, result, **SUMS)
    except NotCompilable:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = [line for line in lines if not line.startswith("Failed in")] or [type(error).__name__]
        raise NotCompilable(f"{what} does not compile: {said[0]}") from error


@once
def forward(activation: Activation, F: Any) -> int:
    """(Z, b, A, rows, columns, -, -): Z += b and A = f(Z), both (rows, columns). Where df has no use for Z, A is Z."""
    if isinstance(activation, Softmax):
        return softmax_kernel(F)
    item = TYPES[F]

    def make() -> Any:
        f = scalar(activation.f, F)

        def separate(pZ: int, pb: int, pA: int, rows: int, columns: int, scratch: int, kept: int) -> None:
            Z, A = carray(pointer(pZ, item), rows * columns), carray(pointer(pA, item), rows * columns)
            b = carray(pointer(pb, item), rows)
            for i in range(rows):
                bias, z, a = b[i], Z[i * columns : (i + 1) * columns], A[i * columns : (i + 1) * columns]
                for j in range(columns):
                    z[j] += bias
                    a[j] = f(z[j])

        def in_place(pZ: int, pb: int, pA: int, rows: int, columns: int, scratch: int, kept: int) -> None:
            Z, b = carray(pointer(pZ, item), rows * columns), carray(pointer(pb, item), rows)
            for i in range(rows):
                bias, z = b[i], Z[i * columns : (i + 1) * columns]
                for j in range(columns):
                    z[j] = f(z[j] + bias)

        return separate if uses_Z(activation) else in_place

    return _compile(
        make, 7, f"activation {activation.name!r}", code_key("f", activation.f, activation.df, np.dtype(F).name)
    )


@once
def backward(activation: Activation, F: Any) -> int:
    """(Z, A, dA, rows, columns, -, -): dA becomes dZ = dA · df(Z, A)."""
    if isinstance(activation, Softmax):
        return softmax_back(F)
    item = TYPES[F]

    def make() -> Any:
        df = scalar(activation.df, F)

        def chain(pZ: int, pA: int, pd: int, rows: int, columns: int, scratch: int, kept: int) -> None:
            count = rows * columns
            Z, A = carray(pointer(pZ, item), count), carray(pointer(pA, item), count)
            d = carray(pointer(pd, item), count)
            for i in range(count):
                d[i] *= df(Z[i], A[i])

        return chain

    return _compile(make, 7, f"activation {activation.name!r}", code_key("df", activation.df, np.dtype(F).name))


@once
def link_back(link: str, F: Any) -> tuple[int, int]:
    """(A, Z, count): Z with link(Z) = A; and (A, dZ, count): dZ becomes dA = dZ · dZ/dA. See `losses.Link`."""
    item, function = TYPES[F], LINKS[link].back

    def make(which: int) -> Any:
        back = scalar(function, F)

        def level(pA: int, pZ: int, count: int) -> None:
            A, Z = carray(pointer(pA, item), count), carray(pointer(pZ, item), count)
            for i in range(count):
                Z[i] = back(A[i])[0]

        def slope(pA: int, pd: int, count: int) -> None:
            A, d = carray(pointer(pA, item), count), carray(pointer(pd, item), count)
            for i in range(count):
                d[i] *= F(back(A[i])[1])

        return (level, slope)[which]

    level, slope = (
        _compile(partial(make, which), 3, f"link {link!r}", code_key("link", function, np.dtype(F).name))
        for which in range(2)
    )
    return level, slope


def blocks_of(activation: Activation, neurons: int) -> Any:
    """The sizes of a softmax's blocks, for its loops; of others nothing."""
    return np.array((activation.blocks or (neurons,)) if isinstance(activation, Softmax) else (), np.int64)


def loss_constants(loss: Loss, outputs: int, F: Any) -> Any:
    """What the loss's loop reads beside Z: the sizes of its link's blocks, or a number a row."""
    if isinstance(ACTIVATIONS[loss.link], Softmax):
        return blocks_of(ACTIVATIONS[loss.link], outputs)
    return loss.value.column(outputs, F) if isinstance(loss.value, InTurn) else np.zeros(outputs, F)


@once
def loss_kernel(loss: Loss, F: Any) -> int:
    """(Z, b, Y, w, scratch, kept, outputs, columns) → Σ w·loss; Z, without b, becomes w·dZ. scratch: 3·columns."""
    if loss is cross_entropy(*loss.blocks):
        key = code_key("cross_entropy", np.dtype(F).name)
        return _compile(lambda: _cross_entropy(F), 8, loss.name, key, types.float64)
    if isinstance(ACTIVATIONS[loss.link], Softmax):
        raise NotCompilable(f"loss {loss.name!r} is not elementwise: softmax ties a sample's outputs together")
    item = TYPES[F]
    parts = [part.function if isinstance(part, InTurn) else part for part in (loss.value, loss.dZ)]

    def make() -> Any:
        link = scalar(ACTIVATIONS[loss.link].f, F)
        value, dZ = (scalar(part, F) for part in parts)
        if parts[0] is loss.value:
            value, dZ = _ignoring_the_last(value), _ignoring_the_last(dZ)

        def elementwise(
            pZ: int, pb: int, pY: int, pw: int, scratch: int, kept: int, outputs: int, columns: int
        ) -> float:
            Z, Y = carray(pointer(pZ, item), outputs * columns), carray(pointer(pY, item), outputs * columns)
            b, w = carray(pointer(pb, item), outputs), carray(pointer(pw, item), columns)
            numbers = carray(pointer(kept, item), outputs)
            total = 0.0
            for i in range(outputs):
                row = slice(i * columns, (i + 1) * columns)
                bias, zs, ys, sum_, number = b[i], Z[row], Y[row], F(0), numbers[i]
                for j in range(columns):
                    z = zs[j] + bias
                    sum_ += w[j] * F(value(z, ys[j], number))
                    zs[j] = w[j] * F(dZ(z, link(z), ys[j], number))
                total += sum_
            return total

        return elementwise

    key = code_key("loss", *parts, loss.link, np.dtype(F).name)
    return _compile(make, 8, f"loss {loss.name!r}", key, types.float64)


def _ignoring_the_last(function: Any) -> Any:
    """The compiled function with one more argument, which makes no difference."""

    def ignoring(*arguments: Any) -> Any:
        return function(*arguments[:-1])

    return njit(**INNER, forceinline=True)(ignoring)


def _cross_entropy(F: Any) -> Any:
    """Softmax and its cross-entropy, block by block: the innermost loops run over samples side by side."""
    item = TYPES[F]
    exp, log = FUNCTIONS(F).exp, FUNCTIONS(F).log
    zero, one, lowest = F(0), F(1), F(-np.inf)

    def cross_entropy(pZ: int, pb: int, pY: int, pw: int, scratch: int, kept: int, outputs: int, columns: int) -> float:
        Z, Y = carray(pointer(pZ, item), outputs * columns), carray(pointer(pY, item), outputs * columns)
        b, w = carray(pointer(pb, item), outputs), carray(pointer(pw, item), columns)
        work, blocks = carray(pointer(scratch, item), 3 * columns), carray(pointer(kept, types.int64), outputs)
        highest, total, costs = work[:columns], work[columns : 2 * columns], work[2 * columns :]
        cost, end, block = zero, 0, 0
        while end < outputs:
            start, end, block = end, end + blocks[block], block + 1
            for j in range(columns):
                highest[j] = lowest
                total[j] = zero
                costs[j] = zero
            for i in range(start, end):
                bias, z = b[i], Z[i * columns : (i + 1) * columns]
                for j in range(columns):
                    z[j] += bias
                    highest[j] = z[j] if z[j] > highest[j] else highest[j]
            for i in range(start, end):
                z, y = Z[i * columns : (i + 1) * columns], Y[i * columns : (i + 1) * columns]
                for j in range(columns):
                    low = z[j] - highest[j]
                    costs[j] -= y[j] * low
                    e = exp(low)
                    z[j] = e
                    total[j] += e
            for j in range(columns):  # Σ Y = 1, so its share of log Σ exp is the whole
                costs[j] = w[j] * (costs[j] + log(total[j]))
                total[j] = one / total[j]
            for i in range(start, end):
                z, y = Z[i * columns : (i + 1) * columns], Y[i * columns : (i + 1) * columns]
                for j in range(columns):
                    z[j] = w[j] * (z[j] * total[j] - y[j])
            for j in range(columns):
                cost += costs[j]
        return float(cost)

    return cross_entropy


@once
def softmax_kernel(F: Any) -> int:
    """(Z, b, -, outputs, columns, scratch, kept): A = softmax(Z + b) by blocks, in place of Z."""
    item = TYPES[F]

    def make() -> Any:
        exp = FUNCTIONS(F).exp
        zero, one, lowest = F(0), F(1), F(-np.inf)

        def softmax(pZ: int, pb: int, pA: int, outputs: int, columns: int, scratch: int, kept: int) -> None:
            Z = carray(pointer(pZ, item), outputs * columns)
            b, work = carray(pointer(pb, item), outputs), carray(pointer(scratch, item), 2 * columns)
            highest, total = work[:columns], work[columns:]
            blocks, end, block = carray(pointer(kept, types.int64), outputs), 0, 0
            while end < outputs:
                start, end, block = end, end + blocks[block], block + 1
                for j in range(columns):
                    highest[j] = lowest
                    total[j] = zero
                for i in range(start, end):
                    z, bias = Z[i * columns : (i + 1) * columns], b[i]
                    for j in range(columns):
                        z[j] += bias
                        highest[j] = z[j] if z[j] > highest[j] else highest[j]
                for i in range(start, end):
                    z = Z[i * columns : (i + 1) * columns]
                    for j in range(columns):
                        z[j] = exp(z[j] - highest[j])
                        total[j] += z[j]
                for j in range(columns):
                    total[j] = one / total[j]
                for i in range(start, end):
                    z = Z[i * columns : (i + 1) * columns]
                    for j in range(columns):
                        z[j] *= total[j]

        return softmax

    return _compile(make, 7, "softmax", code_key("softmax", np.dtype(F).name))


@once
def softmax_back(F: Any) -> int:
    """(-, A, dA, outputs, columns, scratch, kept): dA becomes dZ = A · (dA - Σ dA·A), the sum by blocks."""
    item = TYPES[F]
    zero = F(0)

    def make() -> Any:
        def softmax_chain(pZ: int, pA: int, pd: int, outputs: int, columns: int, scratch: int, kept: int) -> None:
            A, d = carray(pointer(pA, item), outputs * columns), carray(pointer(pd, item), outputs * columns)
            total, blocks = carray(pointer(scratch, item), columns), carray(pointer(kept, types.int64), outputs)
            end, block = 0, 0
            while end < outputs:
                start, end, block = end, end + blocks[block], block + 1
                for j in range(columns):
                    total[j] = zero
                for i in range(start, end):
                    a, da = A[i * columns : (i + 1) * columns], d[i * columns : (i + 1) * columns]
                    for j in range(columns):
                        total[j] += a[j] * da[j]
                for i in range(start, end):
                    a, da = A[i * columns : (i + 1) * columns], d[i * columns : (i + 1) * columns]
                    for j in range(columns):
                        da[j] = a[j] * (da[j] - total[j])

        return softmax_chain

    return _compile(make, 7, "softmax", code_key("softmax_back", np.dtype(F).name))


@once
def update(optimizer: type[Optimizer], coefficients: int, F: Any) -> int:
    """(theta, g, slot, slot, coefficients, count): the rule over count numbers; unused slots are never read."""
    item, slots = TYPES[F], len(optimizer.names)
    if slots > 2:
        raise NotCompilable(f"optimizer {optimizer.__name__} has {slots} slots, more than 2")
    function = optimizer.rule

    def make() -> Any:
        from numba.np.unsafe.ndarray import to_fixed_tuple

        rule = scalar(function, F)

        def none(theta: int, g: int, s: int, t: int, c: int, count: int) -> None:
            T, G = carray(pointer(theta, item), count), carray(pointer(g, item), count)
            numbers = to_fixed_tuple(carray(pointer(c, item), coefficients), coefficients)
            for i in range(count):
                T[i] = rule(T[i], G[i], *numbers)[0]

        def single(theta: int, g: int, s: int, t: int, c: int, count: int) -> None:
            T, G = carray(pointer(theta, item), count), carray(pointer(g, item), count)
            S = carray(pointer(s, item), count)
            numbers = to_fixed_tuple(carray(pointer(c, item), coefficients), coefficients)
            for i in range(count):
                T[i], S[i] = rule(T[i], G[i], S[i], *numbers)

        def double(theta: int, g: int, s: int, t: int, c: int, count: int) -> None:
            T, G = carray(pointer(theta, item), count), carray(pointer(g, item), count)
            S, U = carray(pointer(s, item), count), carray(pointer(t, item), count)
            numbers = to_fixed_tuple(carray(pointer(c, item), coefficients), coefficients)
            for i in range(count):
                T[i], S[i], U[i] = rule(T[i], G[i], S[i], U[i], *numbers)

        return (none, single, double)[slots]

    what = f"optimizer {optimizer.__name__}"
    return _compile(make, 6, what, code_key("rule", function, slots, coefficients, np.dtype(F).name))
