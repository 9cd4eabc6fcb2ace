"""Sixteen float32 numbers at once, as a vector of LLVM: for loops whose innermost step is always 16 wide.

Compiled loops over arrays are turned into vector instructions only where the compiler can prove that arrays do
not overlap, or checks it anew at every step. Here the vectors are written down, so there is nothing to prove;
processors with shorter registers get two or four instructions for one.

    2^x:     x = k + f, k whole, |f| <= 1/2;   2^f by its series to f^6, 2^k by its bits       (error 1.5e-7)
    log2 s:  2 / ln 2 atanh(u),  u = (s - c) / (s + c),  c = sqrt 3;   series to u^11, 1 <= s <= 3  (error 1e-8)

Numba knows no vectors: a kernel takes them from arrays and puts them back within one `built_in`, made of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log2, sqrt
from typing import Any

from llvmlite import ir  # numba's own, always the one that fits
from numba.extending import intrinsic

built_in: Any = intrinsic
"""Decorator of a function of numba's typing and the arguments' types that gives a signature and a builder of code; its
callers leave the first argument out."""
LANES = 16
FLOATS = ir.VectorType(ir.FloatType(), LANES)
INTS = ir.VectorType(ir.IntType(32), LANES)
LOWEST_POWER = -60.0
"""2^x of anything below is 2^-60: nothing beside 1, and squared still no denormal number, which would be slow."""
EXP2_SERIES = (1.0, 0.6931471805, 0.2402265070, 0.0555041087, 0.0096181291, 0.0013333558, 0.000154035)
LOG2_CENTRE = sqrt(3.0)
LOG2_SERIES = tuple(2 / log(2) / (2 * power + 1) for power in range(6))


@dataclass(frozen=True)
class Lanes:
    """A vector of the program that is being built; arithmetic adds instructions to it."""

    builder: Any
    value: Any

    @classmethod
    def all_of(cls, builder: Any, number: Any) -> Lanes:
        """The same float32 of the program in every lane."""
        empty = ir.Constant(FLOATS, ir.Undefined)
        first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
        return cls(builder, builder.shuffle_vector(first, empty, _ints(0)))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._of(self.builder.fadd(self.value, self._put(other), flags=("contract",)))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._of(self.builder.fsub(self.value, self._put(other), flags=("contract",)))

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._of(self.builder.fmul(self.value, self._put(other), flags=("contract",)))

    def __rtruediv__(self, other: float) -> Lanes:
        return self._of(self.builder.fdiv(self._put(other), self.value))

    def below(self, other: Lanes | float) -> Any:
        """Mask of the lanes that are less."""
        return self.builder.fcmp_ordered("<", self.value, self._put(other))

    def least(self, other: Lanes | float) -> Lanes:
        """The smaller one, lane by lane."""
        return self.choose(self.below(other), self, other)

    def most(self, other: Lanes | float) -> Lanes:
        """The larger one, lane by lane."""
        return self.choose(self.below(other), other, self)

    def choose(self, mask: Any, one: Lanes | float, other: Lanes | float) -> Lanes:
        """`one` where the mask says so, else `other`."""
        return self._of(self.builder.select(mask, self._put(one), self._put(other)))

    def exp2(self) -> Lanes:
        """2^x for x <= 0."""
        x, builder = self.most(LOWEST_POWER), self.builder
        whole = builder.fptosi((x - 0.5).value, INTS)  # towards 0, so this rounds
        f = x - self._of(builder.sitofp(whole, FLOATS))
        shifted = builder.shl(builder.add(whole, _ints(127)), _ints(23))
        return f._series(EXP2_SERIES) * self._of(builder.bitcast(shifted, FLOATS))

    def inverse_and_log2(self) -> tuple[Lanes, Lanes]:
        """1 / s and log2 s for 1 <= s <= 3, with one division for both."""
        above = self + LOG2_CENTRE
        both = 1.0 / (self * above)
        u = (self - LOG2_CENTRE) * both * self
        return above * both, u * (u * u)._series(LOG2_SERIES) + log2(LOG2_CENTRE)

    def _mixed(self, other: Lanes, lanes: list[int]) -> Lanes:
        """A lane of either in each place; those of `other` are numbered from 16 on."""
        mask = ir.Constant(INTS, lanes)
        return self._of(self.builder.shuffle_vector(self.value, other.value, mask))

    def _series(self, coefficients: tuple[float, ...]) -> Lanes:
        """Horner's rule."""
        total = self._of(self._put(coefficients[-1]))
        for coefficient in reversed(coefficients[:-1]):
            total = total * self + coefficient
        return total

    def _of(self, value: Any) -> Lanes:
        return Lanes(self.builder, value)

    def _put(self, number: Lanes | float) -> Any:
        return number.value if isinstance(number, Lanes) else ir.Constant(FLOATS, [number] * LANES)


@dataclass(frozen=True)
class LaneArray:
    """Vectors one after the other in a flat float32 array, from an element on."""

    builder: Any
    pointer: Any

    @classmethod
    def at(cls, context: Any, builder: Any, array_type: Any, array: Any, element: Any) -> LaneArray:
        """Where `element` (int64) of a numba array begins."""
        data = context.make_array(array_type)(context, builder, array).data
        return cls(builder, builder.bitcast(builder.gep(data, [element]), FLOATS.as_pointer()))

    def __getitem__(self, vector: int) -> Lanes:
        instruction = self.builder.load(self._to(vector))
        instruction.align = 4  # numba's arrays promise no more
        return Lanes(self.builder, instruction)

    def __setitem__(self, vector: int, lanes: Lanes | float) -> None:
        value = lanes.value if isinstance(lanes, Lanes) else ir.Constant(FLOATS, [lanes] * LANES)
        self.builder.store(value, self._to(vector)).align = 4

    def _to(self, vector: int) -> Any:
        return self.builder.gep(self.pointer, [ir.Constant(ir.IntType(64), vector)])


def transposed(rows: list[Lanes]) -> list[Lanes]:
    """Sixteen vectors as a square: out[i] lane j is rows[j] lane i. Squares of 8, 4, 2, 1 change places in turn."""
    rows = list(rows)
    size = LANES // 2
    while size:
        for i in (i for i in range(LANES) if not i & size):
            upper, lower = rows[i], rows[i + size]
            kept = [lane if not lane & size else LANES + lane - size for lane in range(LANES)]
            rows[i] = upper._mixed(lower, kept)
            rows[i + size] = upper._mixed(lower, [x + size for x in kept])
        size //= 2
    return rows


def _ints(number: int) -> Any:
    return ir.Constant(INTS, [number] * LANES)
