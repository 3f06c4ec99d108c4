"""The two innermost loops, written for LLVM as vectors: a tile of a product, and a square of a transpose.

A tile of C is a few rows by one or two vectors that stay in registers over the whole of K (the micro-kernel of Goto &
van de Geijn, "Anatomy of high-performance matrix multiplication", 2008). Compilers do not find this form in a loop, so
it is said here, in LLVM's own words; everything around it is Python that Numba compiles.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from netwright.engines.fused.compile import once

WHOLE, INDEX = ir.IntType(64), ir.IntType(32)
FUSED = ("contract",)  # with the flag, a product and its sum are one instruction wherever the CPU has it


@once
def lanes(F: Any) -> int:
    """How many numbers a vector of this CPU holds."""
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    bits = 512 if "+avx512f" in features else 256 if "+avx" in features else 128
    return bits // 8 // np.dtype(F).itemsize


@once
def heights() -> tuple[int, int, int, int]:
    """The rows that a tile may have: of two vectors each, the highest fills half of the registers with sums or more."""
    sixteen_registers = lanes(np.float32) == 8
    return (6, 4, 2, 1) if sixteen_registers else (8, 4, 2, 1)


def real(F: Any) -> Any:
    return ir.FloatType() if F is np.float32 else ir.DoubleType()


def _function(name: str, arguments: int, write: Callable[[Any], None]) -> Any:
    """An intrinsic that calls the LLVM function of so many integers, written into a module where it is first used."""

    def declared(module: Any) -> Any:
        if name not in module.globals:
            function = ir.Function(module, ir.FunctionType(ir.VoidType(), [WHOLE] * arguments), name)
            function.linkage = "internal"
            function.attributes.add("noinline")
            # Some CPUs are said to prefer short vectors, for lack of long loops. llvmlite knows no such word.
            set.add(function.attributes, '"min-legal-vector-width"="512"')
            write(function)
        return module.globals[name]

    @intrinsic
    def call(typing: Any, given: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            builder.call(declared(builder.module), cgutils.unpack_tuple(builder, values[0], arguments))
            return context.get_dummy_value()

        return types.void(given), build

    return call


class _Vectors:
    """Vectors of F in a function: their loads, stores and constants."""

    def __init__(self, function: Any, F: Any):
        self.module, self.F, self.width, self.lanes = function.module, F, np.dtype(F).itemsize, lanes(F)
        self.vector = ir.VectorType(real(F), self.lanes)
        self.bits = ir.VectorType(ir.IntType(1), self.lanes)
        self.kind = f"v{self.lanes}f{8 * self.width}"

    def at(self, b: Any, address: Any, vectors: int = 0) -> Any:
        if vectors:
            address = b.add(address, WHOLE(vectors * self.lanes * self.width))
        return b.inttoptr(address, self.vector.as_pointer())

    def load(self, b: Any, address: Any, vectors: int = 0) -> Any:
        value = b.load(self.at(b, address, vectors))
        value.align = self.width
        return value

    def store(self, b: Any, value: Any, address: Any, vectors: int = 0) -> None:
        b.store(value, self.at(b, address, vectors)).align = self.width

    def all_of(self, b: Any, number: Any) -> Any:
        """The number in every lane."""
        vector = ir.VectorType(number.type, self.lanes)
        first = b.insert_element(vector(ir.Undefined), number, INDEX(0))
        return b.shuffle_vector(first, vector(ir.Undefined), ir.VectorType(INDEX, self.lanes)([0] * self.lanes))

    def called(self, b: Any, name: str, result: Any, *values: Any) -> Any:
        kind = ir.FunctionType(result, [value.type for value in values])
        return b.call(cgutils.get_or_insert_function(self.module, kind, f"llvm.{name}"), values)


@once
def tile(rows: int, vectors: int, F: Any) -> Any:
    """((K, A, si, sk, B, sb, C, sc, more, columns),): C = A·B, or C += A·B where `more`; all strides in bytes.

    A's number (i, k) stands at i·si + k·sk, so A may be a transpose; the rows of B and C are contiguous, sb and sc
    apart. Of C's last vector only so many `columns` are written, though B's rows are read as whole vectors.
    """

    def write(function: Any) -> None:
        V = _Vectors(function, F)
        K, A, si, sk, B, sb, C, sc, more, columns = function.args
        entry, loop, end = (function.append_basic_block(name) for name in ("entry", "loop", "end"))
        b = ir.IRBuilder(entry)
        starts = [b.mul(si, WHOLE(i)) for i in range(rows)]
        b.branch(loop)

        b = ir.IRBuilder(loop)
        k, a, other = (b.phi(WHOLE) for _ in range(3))
        sums = [[b.phi(V.vector) for _ in range(vectors)] for _ in range(rows)]
        numbers = [V.load(b, other, v) for v in range(vectors)]
        added: list[list[Any]] = []
        for i in range(rows):
            factor = V.all_of(b, b.load(b.inttoptr(b.add(a, starts[i]), real(F).as_pointer())))
            terms = zip(numbers, sums[i], strict=True)
            added.append([b.fadd(b.fmul(factor, number, FUSED), before, FUSED) for number, before in terms])
        following = b.add(k, WHOLE(1)), b.add(a, sk), b.add(other, sb)
        for phi, first, next_ in zip((k, a, other), (WHOLE(0), A, B), following, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(next_, loop)
        for before, after in zip(chain(*sums), chain(*added), strict=True):
            before.add_incoming(V.vector([0.0] * V.lanes), entry)
            before.add_incoming(after, loop)
        b.cbranch(b.icmp_signed("<", following[0], K), loop, end)

        b = ir.IRBuilder(end)
        inside = ir.VectorType(WHOLE, V.lanes)(list(range(V.lanes)))
        mask = b.icmp_signed("<", inside, V.all_of(b, columns))
        cases = {(whole, adds): function.append_basic_block() for whole in (True, False) for adds in (True, False)}
        whole, edge = (function.append_basic_block() for _ in range(2))
        b.cbranch(b.icmp_signed("==", columns, WHOLE(V.lanes)), whole, edge)
        for block, is_whole in ((whole, True), (edge, False)):
            b = ir.IRBuilder(block)
            b.cbranch(b.icmp_signed("!=", more, WHOLE(0)), cases[is_whole, True], cases[is_whole, False])
        for (is_whole, adds), block in cases.items():
            b, row = ir.IRBuilder(block), C
            for i in range(rows):
                for v in range(vectors):
                    value, masked = added[i][v], not is_whole and v == vectors - 1
                    place = V.at(b, row, v), INDEX(V.width), mask
                    if adds:
                        nothing = V.vector([0.0] * V.lanes)
                        old = (
                            V.called(b, f"masked.load.{V.kind}.p0", V.vector, *place, nothing)
                            if masked
                            else V.load(b, row, v)
                        )
                        value = b.fadd(value, old)
                    if masked:
                        V.called(b, f"masked.store.{V.kind}.p0", ir.VoidType(), value, *place)
                    else:
                        V.store(b, value, row, v)
                row = b.add(row, sc)
            b.ret_void()

    return _function(f"tile_{rows}_{vectors}", 10, write)


@once
def square(F: Any) -> Any:
    """((source, its stride, target, its stride),): the transpose of a square of `lanes` rows; strides in bytes."""

    def write(function: Any) -> None:
        V = _Vectors(function, F)
        source, source_stride, target, target_stride = function.args
        b = ir.IRBuilder(function.append_basic_block())
        rows = []
        for _ in range(V.lanes):
            rows.append(V.load(b, source))
            source = b.add(source, source_stride)
        # Squares of half the size change places off the diagonal, then those within each, …: log2(lanes) times.
        distance = V.lanes // 2
        while distance:
            for i in range(V.lanes):
                if i & distance == 0:
                    j, here = i + distance, range(V.lanes)
                    upper = [V.lanes + p - distance if p & distance else p for p in here]
                    lower = [V.lanes + p if p & distance else p + distance for p in here]
                    choices = [ir.VectorType(INDEX, V.lanes)(choice) for choice in (upper, lower)]
                    rows[i], rows[j] = (b.shuffle_vector(rows[i], rows[j], choice) for choice in choices)
            distance //= 2
        for row in rows:
            V.store(b, row, target)
            target = b.add(target, target_stride)
        b.ret_void()

    return _function("square", 4, write)
