"""The kinds of searched parameters: choices, integers and floats, each lazily indexable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

from autotuner.config.parameters import same_value
from autotuner.contracts.values import Scalar


@dataclass(frozen=True)
class ChoiceDimension:
    """A list of values. ``ordered``: models may use the order in which they stand here."""

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
            if same_value(candidate, value):
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
    """Floats from low to high: low, low + step, … or, without a step, all. ``log``: only without a step."""

    name: str
    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if self.log and self.step is not None:
            raise ValueError(f"{self.name}: log and step exclude each other")

    @property
    def kind(self) -> Literal["float"]:
        """``float``."""
        return "float"

    @cached_property
    def size(self) -> int | None:
        """Number of values; None without a step."""
        if self.step is None:
            return None
        return (_exact(self.high) - _exact(self.low)) // _exact(self.step) + 1

    def at(self, unit: float) -> Scalar:
        """The value at that position of the (log) axis; with a step the one whose equal share holds it."""
        if self.size is not None:
            return self.value(min(int(unit * self.size), self.size - 1))
        if self.log:
            raw = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        else:
            raw = self.low + unit * (self.high - self.low)
        return min(max(raw, self.low), self.high)

    def unit(self, value: Scalar) -> float:
        """The position of a value on the (log) axis; with a step the middle of its share."""
        if self.size is not None:
            return (self.index(value) + 0.5) / self.size
        number = self._number(value)
        place: Callable[[float], float] = math.log if self.log else float
        low, high = place(self.low), place(self.high)
        # Neighbouring floats may have one logarithm.
        return 0.5 if high == low else (place(number) - low) / (high - low)

    def value(self, index: int) -> Scalar:
        """The value of that index, free of rounding errors; ValueError for a continuous one."""
        if self.step is None:
            raise ValueError(f"{self.name} is continuous")
        return float(_exact(self.low) + index * _exact(self.step))

    def index(self, value: Scalar) -> int:
        """The index of a value; ValueError if it is not on the grid."""
        number = self._number(value)
        if self.step is None or self.size is None:
            raise ValueError(f"{self.name} is continuous")
        index = round((_exact(number) - _exact(self.low)) / _exact(self.step))
        here = float(_exact(self.low) + index * _exact(self.step))
        if not 0 <= index < self.size or not math.isclose(here, number, rel_tol=1e-12, abs_tol=self.step * 1e-9):
            raise ValueError(f"{value!r} is not a value of {self.name}")
        return index

    def _number(self, value: Scalar) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is not a value of {self.name}")
        return float(value)


def _exact(number: float) -> Fraction:
    """The decimal number that a person wrote: 0.1 is one tenth."""
    return Fraction(str(number))


AnyDimension = ChoiceDimension | IntDimension | FloatDimension


def choices(
    name: str, values: Sequence[Scalar], *, ordered: bool = False, order: Sequence[Scalar] = ()
) -> ChoiceDimension:
    """A choice dimension. Numbers are sorted, since they have an order; so are the values of an ``ordered`` parameter,
    by their place in ``order`` (its catalogue's list) where they have one. Booleans are ordered as given.
    """
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        return ChoiceDimension(name, tuple(sorted(numbers)), ordered=True)
    if ordered and all(any(same_value(v, o) for o in order) for v in values):
        kept = tuple(o for o in order if any(same_value(v, o) for v in values))
        return ChoiceDimension(name, kept, ordered=True)
    boolean = all(isinstance(v, bool) for v in values)
    return ChoiceDimension(name, tuple(values), ordered=ordered or boolean)
