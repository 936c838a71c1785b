"""The kinds of searched parameters: choices, integers and floats, each lazily indexable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autotuner.contracts.values import Scalar


def _same(left: Scalar, right: Scalar) -> bool:
    """Equal value and equal type: ``True`` is not 1, but 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


@dataclass(frozen=True)
class ChoiceDimension:
    """A list of values. ``ordered`` ones are sorted by the caller and keep their order in models."""

    name: str
    values: tuple[Scalar, ...]
    ordered: bool = False

    @property
    def kind(self) -> Literal["categorical", "ordered"]:
        """``ordered`` or ``categorical``."""
        return "ordered" if self.ordered else "categorical"

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.values)

    def at(self, unit: float) -> Scalar:
        """The value whose equal share of [0, 1) holds ``unit``."""
        return self.values[min(int(unit * self.size), self.size - 1)]

    def unit(self, value: Scalar) -> float:
        """The middle of the value's share."""
        return (self.index(value) + 0.5) / self.size

    def value(self, index: int) -> Scalar:
        """The value of that index."""
        return self.values[index]

    def index(self, value: Scalar) -> int:
        """The index of a value; ValueError if it is none of them."""
        for i, candidate in enumerate(self.values):
            if _same(candidate, value):
                return i
        raise ValueError(f"{value!r} is not a value of {self.name}")


@dataclass(frozen=True)
class IntDimension:
    """Integers low, low + step, … up to high. ``log``: positions are spread over the logarithm."""

    name: str
    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def kind(self) -> Literal["int"]:
        """``int``."""
        return "int"

    @property
    def size(self) -> int:
        """Number of values."""
        return (self.high - self.low) // self.step + 1

    def at(self, unit: float) -> Scalar:
        """The nearest value at that position of the axis."""
        if not self.log:
            return self.value(min(int(unit * self.size), self.size - 1))
        low, high = math.log(self.low), math.log(self.high + self.step)
        raw = math.exp(low + unit * (high - low))
        return self.value(max(0, min(int((raw - self.low) / self.step), self.size - 1)))

    def unit(self, value: Scalar) -> float:
        """The middle of the value's share of the axis."""
        index = self.index(value)
        if not self.log:
            return (index + 0.5) / self.size
        here = self.low + index * self.step
        low, high = math.log(self.low), math.log(self.high + self.step)
        return (math.log(here + self.step / 2) - low) / (high - low)

    def value(self, index: int) -> Scalar:
        """The value of that index."""
        return self.low + index * self.step

    def index(self, value: Scalar) -> int:
        """The index of a value; ValueError if it is not on the grid."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{value!r} is not an integer ({self.name})")
        index, rest = divmod(value - self.low, self.step)
        if rest or not 0 <= index < self.size:
            raise ValueError(f"{value!r} is not a value of {self.name}")
        return index


@dataclass(frozen=True)
class FloatDimension:
    """Floats from low to high; continuous without a step."""

    name: str
    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def kind(self) -> Literal["float"]:
        """``float``."""
        return "float"

    @property
    def size(self) -> int | None:
        """Number of values; None without a step."""
        if self.step is None:
            return None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def at(self, unit: float) -> Scalar:
        """The value at that position of the (log) axis, snapped to the step."""
        if self.log:
            raw = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        else:
            raw = self.low + unit * (self.high - self.low)
        if self.step is None:
            return min(max(raw, self.low), self.high)
        return self.value(max(0, min(round((raw - self.low) / self.step), (self.size or 1) - 1)))

    def unit(self, value: Scalar) -> float:
        """The position of a value on the (log) axis."""
        number = self._number(value)
        if self.high == self.low:
            return 0.5
        if self.log:
            return (math.log(number) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (number - self.low) / (self.high - self.low)

    def value(self, index: int) -> Scalar:
        """The value of that index; ValueError for a continuous one."""
        if self.step is None:
            raise ValueError(f"{self.name} is continuous")
        return round(self.low + index * self.step, 12)

    def index(self, value: Scalar) -> int:
        """The index of a value; ValueError if it is not on the grid."""
        number = self._number(value)
        if self.step is None:
            raise ValueError(f"{self.name} is continuous")
        index = round((number - self.low) / self.step)
        size = self.size or 0
        if not 0 <= index < size or not math.isclose(self.low + index * self.step, number, abs_tol=self.step * 1e-6):
            raise ValueError(f"{value!r} is not a value of {self.name}")
        return index

    def _number(self, value: Scalar) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is not a value of {self.name}")
        return float(value)


AnyDimension = ChoiceDimension | IntDimension | FloatDimension


def choices(name: str, values: Sequence[Scalar], *, ordered: bool) -> ChoiceDimension:
    """A choice dimension; numbers are sorted (they have an order), other ordered values keep the given order."""
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    boolean = all(isinstance(v, bool) for v in values)
    kept = tuple(sorted(values, key=_number_key)) if numeric else tuple(values)
    return ChoiceDimension(name, kept, ordered=ordered or numeric or boolean)


def _number_key(value: Scalar) -> float:
    return float(value) if isinstance(value, int | float) else math.inf
