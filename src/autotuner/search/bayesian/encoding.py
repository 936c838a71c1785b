"""Where configurations lie: one axis per parameter, on which distances mean what an engineer means by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from autotuner.contracts.search import Dimension
from autotuner.contracts.values import Configuration, Scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_RATIO = 3.0
"""Positive numbers whose ends are at least so far apart are compared by their ratio, others by their difference."""

_OCTAVES = 4.0
"""Doublings that are as far apart as the two ends of an axis without a ratio."""

_FOREIGN = -1.0
"""Place of a value that is none of the searched ones, among categories."""


@dataclass(frozen=True)
class Axis:
    """One parameter. ``categories``: places are numbers of categories, any two of them equally far apart."""

    name: str
    categories: bool
    place: Callable[[Scalar], float | None]
    """None for a value that has no place on the axis, or of another type."""
    middle: float = 0.0
    """Between the ends of the searched values."""
    size: int = 0
    """Number of categories."""

    def distances(self, a: Matrix, b: Matrix) -> Matrix:
        """Between all pairs of places."""
        apart: Matrix = np.abs(a[:, None] - b[None, :])
        return (apart > 0).astype(np.float64) if self.categories else apart


class Encoding:
    """The axes of a space's dimensions."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self._dimensions = tuple(dimensions)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """In the order of the dimensions; without those that have one value only."""
        return tuple(_axis(dimension) for dimension in self._dimensions if dimension.size != 1)

    def rows(self, configurations: Sequence[Configuration]) -> Matrix:
        """Places, one row per configuration."""
        return np.array([self.row(c) for c in configurations], dtype=float).reshape(len(configurations), len(self.axes))

    def row(self, configuration: Mapping[str, Scalar]) -> list[float]:
        """Places of a configuration. What has none is a category of its own, or in the middle of its axis."""
        return [_place(axis, configuration) for axis in self.axes]


def _place(axis: Axis, configuration: Mapping[str, Scalar]) -> float:
    place = axis.place(configuration[axis.name]) if axis.name in configuration else None
    if place is None:
        return _FOREIGN if axis.categories else axis.middle
    return place


def _axis(dimension: Dimension) -> Axis:
    if dimension.kind in {"int", "float"}:
        low, high = dimension.at(0.0), dimension.at(math.nextafter(1.0, 0.0))
        return Axis(dimension.name, False, *_numeric(_number(low), _number(high)))
    values = [dimension.value(i) for i in range(dimension.size or 0)]
    if dimension.kind == "categorical":
        return Axis(dimension.name, True, _ranked(dimension, 1.0), size=len(values))
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        return Axis(dimension.name, False, _ranked(dimension, len(values) - 1.0), 0.5)
    return Axis(dimension.name, False, *_numeric(min(numbers), max(numbers)))


def _number(value: Scalar) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _numeric(low: float, high: float) -> tuple[Callable[[Scalar], float | None], float]:
    """Places of numbers, those outside of the list too; and the middle."""
    ratio = low > 0 and high / low >= _RATIO

    def place(value: Scalar) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if ratio:
            return math.log2(value / low) / _OCTAVES if value > 0 else None
        return (value - low) / (high - low)

    return place, math.log2(high / low) / _OCTAVES / 2 if ratio else 0.5


def _ranked(dimension: Dimension, length: float) -> Callable[[Scalar], float | None]:
    def place(value: Scalar) -> float | None:
        try:
            return dimension.index(value) / length
        except (TypeError, ValueError):
            return None

    return place
