"""Which searched parameters are coupled by rules. What shares no rule is independent of each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
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


@dataclass(frozen=True)
class Bundle:
    """Groups with the rules between them: those with ``inputs``, which look at several groups."""

    groups: tuple[Group, ...]
    """At least one."""
    rules: tuple[Rule, ...]
    """Of a single group none: they are the group's own."""

    @cached_property
    def dimensions(self) -> tuple[AnyDimension, ...]:
        """Those of its groups."""
        return tuple(dimension for group in self.groups for dimension in group.dimensions)

    @cached_property
    def combinations(self) -> int | None:
        """Valid or not; None with a continuous dimension."""
        return combinations(self.dimensions)

    def draw(self, rng: RandomSource) -> dict[str, Scalar]:
        """A combination by chance, valid or not."""
        return {name: value for group in self.groups for name, value in group.draw(rng).items()}


def couple(dimensions: Sequence[AnyDimension], rules: Sequence[Rule]) -> list[Bundle]:
    """The bundles, by their first dimension. Rules that look at no dimension are in none of them."""
    close = [rule for rule in rules if rule.inputs is None]
    groups = [
        Group(tuple(dimensions[p] for p in positions), tuple(close[n] for n in numbers))
        for positions, numbers in _joined(len(dimensions), [touched(rule, dimensions) for rule in close])
    ]
    wide = [rule for rule in rules if rule.inputs is not None]
    spans = [[number for number, group in enumerate(groups) if touched(rule, group.dimensions)] for rule in wide]
    return [
        _bundle([groups[p] for p in positions], [wide[n] for n in numbers], rules)
        for positions, numbers in _joined(len(groups), spans)
    ]


def _bundle(groups: Sequence[Group], wide: Sequence[Rule], order: Sequence[Rule]) -> Bundle:
    if len(groups) > 1:
        return Bundle(tuple(groups), tuple(wide))
    own = [rule for rule in order if rule in wide or rule in groups[0].rules]
    return Bundle((Group(groups[0].dimensions, tuple(own)),), ())


def _joined(size: int, links: Iterable[Collection[int]]) -> list[tuple[list[int], list[int]]]:
    """The numbers below ``size`` in parts, two in one part if a link has both; with each part the numbers of its links.

    Ascending, by the first of each part. A link without a number is in none.
    """
    parts: list[tuple[set[int], list[int]]] = [({position}, []) for position in range(size)]
    for number, link in enumerate(links):
        if link:
            joined = [part for part in parts if not part[0].isdisjoint(link)]
            parts = [part for part in parts if part[0].isdisjoint(link)]
            parts.append((set().union(*(p for p, _ in joined)), [number, *(n for _, ns in joined for n in ns)]))
    return sorted((sorted(positions), sorted(numbers)) for positions, numbers in parts)


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
