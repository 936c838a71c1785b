"""Which searched parameters are coupled by rules. Groups that share no rule are independent of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from autotuner.contracts.engine import Rule
from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import MODEL_IN_RULES, MODEL_KEY, Scalar
from autotuner.planning.dimensions import AnyDimension


@dataclass(frozen=True)
class Group:
    """Dimensions coupled by rules, in document order."""

    dimensions: tuple[AnyDimension, ...]
    rules: tuple[Rule, ...]
    """In the engine's order; none of them looks at a dimension outside."""

    @cached_property
    def combinations(self) -> int | None:
        """Valid or not; None with a continuous dimension."""
        return combinations(self.dimensions)

    def decode(self, number: int) -> dict[str, Scalar]:
        """The combination of that number."""
        return decode(self.dimensions, number)

    def draw(self, rng: RandomSource) -> dict[str, Scalar]:
        """A combination by chance, valid or not."""
        return {dimension.name: _uniform(dimension, rng) for dimension in self.dimensions}


def couple(dimensions: Sequence[AnyDimension], rules: Sequence[Rule]) -> list[Group]:
    """The groups, by their first dimension. Rules that look at no dimension are in none of them."""
    parts: list[tuple[set[int], list[int]]] = [({position}, []) for position in range(len(dimensions))]
    for number, rule in enumerate(rules):
        positions = touched(rule, dimensions)
        if positions:
            joined = [part for part in parts if part[0] & set(positions)]
            parts = [part for part in parts if not part[0] & set(positions)]
            parts.append((set().union(*(p for p, _ in joined)), [number, *(n for _, ns in joined for n in ns)]))
    return [
        Group(tuple(dimensions[p] for p in sorted(positions)), tuple(rules[n] for n in sorted(numbers)))
        for positions, numbers in sorted(parts, key=lambda part: min(part[0]))
    ]


def touched(rule: Rule, dimensions: Sequence[AnyDimension]) -> list[int]:
    """Positions of the dimensions that a rule looks at."""
    return [
        position
        for position, dimension in enumerate(dimensions)
        if (MODEL_IN_RULES if dimension.name == MODEL_KEY else dimension.name) in rule.parameters
    ]


def combinations(dimensions: Sequence[AnyDimension]) -> int | None:
    """Number of combinations; None with a continuous dimension."""
    sizes = [dimension.size for dimension in dimensions]
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def decode(dimensions: Sequence[AnyDimension], number: int) -> dict[str, Scalar]:
    """Mixed radix, last dimension fastest; only where no dimension is continuous."""
    indices: list[int] = []
    for dimension in reversed(dimensions):
        number, index = divmod(number, dimension.size or 1)
        indices.append(index)
    return {d.name: d.value(index) for d, index in zip(dimensions, reversed(indices), strict=True)}


def _uniform(dimension: AnyDimension, rng: RandomSource) -> Scalar:
    size = dimension.size
    return dimension.at(rng.random()) if size is None else dimension.value(rng.randrange(size))
