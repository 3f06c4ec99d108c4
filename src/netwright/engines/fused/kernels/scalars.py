"""NumPy's functions of one number, written so that LLVM can vectorise loops over them.

Numba hands exp, tanh and log to the C library, one number at a time. These are the classic reductions (Cody & Waite
1980) with polynomials (Moshier's Cephes), without branches: what a table row calls `np.exp` becomes the one here. NaN
goes through. Each agrees with NumPy's to a few units in the last place; `tests/engines/test_fused.py` says how few.
"""

import math
from types import ModuleType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from netwright.engines.fused.compile import INNER


@intrinsic
def power_of_two(typing: Any, k: Any) -> Any:
    """2^k for a float k that is a whole number: its bits are put together."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        single = signature.args[0] == types.float32
        width, bias, mantissa = (32, 127, 23) if single else (64, 1023, 52)
        bits = builder.fptosi(arguments[0], ir.IntType(32))
        if not single:
            bits = builder.sext(bits, ir.IntType(64))
        bits = builder.shl(builder.add(bits, ir.Constant(ir.IntType(width), bias)), ir.Constant(bits.type, mantissa))
        return builder.bitcast(bits, ir.FloatType() if single else ir.DoubleType())

    return k(k), build


@intrinsic
def split_exponent(typing: Any, x: Any) -> Any:
    """(m, e) with x = m·2^e and 0.5 <= m < 1, for a normal x > 0; e is a float."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        single = signature.args[0] == types.float32
        width, bias, mantissa = (32, 126, 23) if single else (64, 1022, 52)
        integer, real = ir.IntType(width), ir.FloatType() if single else ir.DoubleType()
        bits = builder.bitcast(arguments[0], integer)
        exponent = builder.sub(builder.lshr(bits, ir.Constant(integer, mantissa)), ir.Constant(integer, bias))
        low = builder.and_(bits, ir.Constant(integer, (1 << mantissa) - 1))
        m = builder.bitcast(builder.or_(low, ir.Constant(integer, bias << mantissa)), real)
        e = builder.sitofp(builder.trunc(exponent, ir.IntType(32)) if not single else exponent, real)
        return context.make_tuple(builder, signature.return_type, (m, e))

    return types.UniTuple(x, 2)(x), build


def functions(F: Any) -> ModuleType:
    """A module to stand for `numpy` in functions of one number of type F (np.float32 or np.float64)."""
    single = F is np.float32
    jit = njit(**INNER, forceinline=True)
    zero, one, two, half = F(0), F(1), F(2), F(0.5)
    infinity = F(np.inf)
    log2_e, ln2_high, ln2_low = F(math.log2(math.e)), F(0.693359375), F(-2.121944400546905827679e-4)
    exp_low, exp_high = (F(-86.6), F(88.72)) if single else (F(-708.0), F(709.78))
    root_half = F(math.sqrt(0.5))

    @jit
    def maximum(a: Any, b: Any) -> Any:
        return a if (a >= b) | (a != a) else b

    @jit
    def minimum(a: Any, b: Any) -> Any:
        return a if (a <= b) | (a != a) else b

    if single:

        @jit
        def exp_series(r: Any) -> Any:
            p = F(1.9875691500e-4) * r + F(1.3981999507e-3)
            p = (((p * r + F(8.3334519073e-3)) * r + F(4.1665795894e-2)) * r + F(1.6666665459e-1)) * r + F(
                5.0000001201e-1
            )
            return p * r * r + r

        @jit
        def log_series(f: Any) -> Any:
            z = f * f
            p = F(7.0376836292e-2) * f + F(-1.1514610310e-1)
            p = ((p * f + F(1.1676998740e-1)) * f + F(-1.2420140846e-1)) * f + F(1.4249322787e-1)
            p = (((p * f + F(-1.6668057665e-1)) * f + F(2.0000714765e-1)) * f + F(-2.4999993993e-1)) * f + F(
                3.3333331174e-1
            )
            return p * f * z

        @jit
        def tanh(x: Any) -> Any:
            """One quotient for all x (as in Eigen's ptanh): to 5 units in the last place, and quicker than exp."""
            inside = maximum(minimum(x, F(7.99881172)), F(-7.99881172))
            z = inside * inside
            p = (F(-2.76076847742355e-16) * z + F(2.00018790482477e-13)) * z + F(-8.60467152213735e-11)
            p = ((p * z + F(5.12229709037114e-08)) * z + F(1.48572235717979e-05)) * z + F(6.37261928875436e-04)
            q = (F(1.19825839466702e-06) * z + F(1.18534705686654e-04)) * z + F(2.26843463243900e-03)
            return inside * (p * z + F(4.89352455891786e-03)) / (q * z + F(4.89352518554385e-03))

    else:

        @jit
        def exp_series(r: Any) -> Any:
            p = r / F(6227020800) + F(1 / 479001600)
            p = ((p * r + F(1 / 39916800)) * r + F(1 / 3628800)) * r + F(1 / 362880)
            p = ((p * r + F(1 / 40320)) * r + F(1 / 5040)) * r + F(1 / 720)
            p = (((p * r + F(1 / 120)) * r + F(1 / 24)) * r + F(1 / 6)) * r + half
            return p * r * r + r

        @jit
        def log_series(f: Any) -> Any:
            z = f * f
            p = (F(1.01875663804580931796e-4) * f + F(4.97494994976747001425e-1)) * f + F(4.70579119878881725854)
            p = ((p * f + F(1.44989225341610930846e1)) * f + F(1.79368678507819816313e1)) * f + F(
                7.70838733755885391666
            )
            q = (f + F(1.12873587189167450590e1)) * f + F(4.52279145837532221105e1)
            q = ((q * f + F(8.29875266912776603211e1)) * f + F(7.11544750618563894466e1)) * f + F(
                2.31251620126765340583e1
            )
            return f * z * p / q

        @jit
        def tanh_series(x: Any) -> Any:
            z = x * x
            p = (F(-9.64399179425052238628e-1) * z + F(-9.92877231001918586564e1)) * z + F(-1.61468768441708447952e3)
            q = ((z + F(1.12811678491632931402e2)) * z + F(2.23548839060100448583e3)) * z + F(4.84406305325125486048e3)
            return p / q * z * x + x

    @jit
    def reduced(x: Any) -> Any:
        inside = x if x > exp_low else exp_low
        inside = inside if inside < exp_high else exp_high
        k = np.floor(inside * log2_e + half)
        return (inside - k * ln2_high) - k * ln2_low, k

    @jit
    def exp(x: Any) -> Any:
        r, k = reduced(x)
        y = (exp_series(r) + one) * power_of_two(F(k - one)) * two
        y = zero if x < exp_low else y
        y = infinity if x > exp_high else y
        return y if x == x else x

    @jit
    def expm1(x: Any) -> Any:
        near = exp_series(x if abs(x) < half else half)
        return near if abs(x) < F(0.34) else exp(x) - one

    @jit
    def log(x: Any) -> Any:
        m, e = split_exponent(x)
        small = m < root_half
        e = e - one if small else e
        f = m + m - one if small else m - one
        y = log_series(f) + e * ln2_low - half * f * f + f + e * ln2_high
        y = -infinity if x == zero else y
        y = infinity if x == infinity else y
        return y if x >= zero else F(np.nan)

    @jit
    def log1p(x: Any) -> Any:
        u = one + x
        y = log(u) - ((u - one) - x) / u
        y = x if u == one else y
        return u if u == infinity else y

    if not single:

        @jit
        def tanh(x: Any) -> Any:
            size = abs(x)
            far = one - two / (exp(size + size) + one)
            far = -far if x < zero else far
            y = tanh_series(x if size < one else one) if size < F(0.625) else far
            return y if x == x else x

    @jit
    def clip(a: Any, low: Any, high: Any) -> Any:
        return minimum(maximum(a, low), high)

    @jit
    def where(condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b

    @jit
    def sign(x: Any) -> Any:
        y = one if x > zero else zero
        y = -one if x < zero else y
        return y if x == x else x

    @jit
    def square(x: Any) -> Any:
        return x * x

    @jit
    def sqrt(x: Any) -> Any:
        return F(math.sqrt(x))

    @jit
    def absolute(x: Any) -> Any:
        return abs(x)

    own = {f.__name__: f for f in (exp, expm1, log, log1p, tanh, maximum, minimum, clip, where, sign, square, sqrt)}
    own |= {"abs": absolute, "absolute": absolute, "fabs": absolute}
    module = ModuleType(f"netwright_{np.dtype(F).name}")
    vars(module).update(own)
    module.__getattr__ = lambda name: getattr(np, name)  # type: ignore[method-assign]
    return module
