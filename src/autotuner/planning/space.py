"""The valid, distinct configurations of a task: counted and sampled without being listed.

Known constraints couple some parameters. Parameters that share a rule form a *group*; groups are independent, so the
number of valid combinations is the product of the groups' numbers, and a uniform valid sample is one of each group.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from autotuner.contracts.engine import Rule
from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import MODEL_IN_RULES, MODEL_KEY, Configuration, Scalar
from autotuner.planning.dimensions import AnyDimension

GROUP_LIMIT = 65_536
"""Groups with at most so many combinations are checked one by one (about a second of work)."""

EXACT_LIMIT = 4_096
"""Spaces with at most so many combinations are resolved one by one, so that equal commands are found exactly."""

SAMPLE_TRIES = 20_000
ESTIMATE_DRAWS = 4_000


@dataclass(frozen=True)
class Count:
    """How many configurations a space holds."""

    combinations: int | None
    """Before constraints and deduplication; None with a continuous parameter."""
    valid: int | None
    """That break no constraint."""
    distinct: int | None
    """That also differ in what is launched."""
    exact: bool
    """Whether ``valid`` and ``distinct`` were counted or estimated."""
    excluded: Mapping[str, int] = field(default_factory=dict)
    """Broken combinations by the sentence of the first rule that each breaks (of exact counts only)."""

    @property
    def empty(self) -> bool:
        """Whether nothing can be launched."""
        return self.valid == 0


@dataclass
class _Group:
    """Dimensions coupled by rules."""

    positions: tuple[int, ...]
    rules: tuple[Rule, ...]
    combinations: int | None
    valid: array[int] | None = None
    """Numbers of the valid combinations; computed on first use, only up to GROUP_LIMIT."""


class ParameterSpace:
    """Implements ``contracts.search.SearchSpace``.

    ``check(rules, configuration)`` gives the sentence of the first broken rule; ``rules`` restricts which are looked
    at (None: all, and whether the engine can express the values at all). ``identify`` hashes what would be launched.
    """

    def __init__(
        self,
        dimensions: Sequence[AnyDimension],
        *,
        rules: Sequence[Rule],
        check: Callable[[Sequence[Rule] | None, Configuration], str | None],
        identify: Callable[[Configuration], str],
    ) -> None:
        self._dimensions = tuple(dimensions)
        self._rules = tuple(rules)
        self._check = check
        self._identify = identify
        self._groups = self._couple()

    @property
    def dimensions(self) -> Sequence[AnyDimension]:
        """Searched parameters in document order."""
        return self._dimensions

    @property
    def grid_size(self) -> int | None:
        """Number of combinations before constraints; None with a continuous dimension."""
        total = 1
        for dimension in self._dimensions:
            if dimension.size is None:
                return None
            total *= dimension.size
        return total

    def identity(self, configuration: Configuration) -> str:
        """Hash of the resolved command and options."""
        return self._identify(configuration)

    def violation(self, configuration: Configuration) -> str | None:
        """The sentence of the first rule that is broken; None for a valid configuration."""
        return self._check(None, configuration)

    def contains(self, configuration: Configuration) -> bool:
        """Whether each searched parameter has one of its listed values."""
        if set(configuration) != {d.name for d in self._dimensions}:
            return False
        try:
            for dimension in self._dimensions:
                dimension.unit(configuration[dimension.name])
        except ValueError:
            return False
        return True

    def decode(self, number: int) -> Configuration:
        """Mixed radix, last dimension fastest; ValueError outside [0, grid_size) or with a continuous dimension."""
        size = self.grid_size
        if size is None or not 0 <= number < size:
            raise ValueError(f"no combination {number} in a grid of {size}")
        return self._decode(range(len(self._dimensions)), number)

    def enumerate(self) -> Iterator[Configuration]:
        """Every valid, distinct configuration in the order of ``decode``."""
        seen: set[str] = set()
        for number in range(self.grid_size or 0):
            configuration = self._decode(range(len(self._dimensions)), number)
            if self.violation(configuration) is not None:
                continue
            identity = self.identity(configuration)
            if identity not in seen:
                seen.add(identity)
                yield configuration

    def sample(self, rng: RandomSource) -> Configuration | None:
        """Uniform over the valid combinations; None when none was found in many tries."""
        for _ in range(SAMPLE_TRIES):
            configuration = self._draw(rng)
            if configuration is None:
                return None
            if self.violation(configuration) is None:
                return configuration
        return None

    def count(self, rng: RandomSource) -> Count:
        """Exact for small spaces; for large ones exact over the coupled factors, else an estimate labelled so."""
        total = self.grid_size
        if total is None:
            valid_share = self._valid_share(rng)
            return Count(None, 0 if valid_share == 0 else None, None, exact=False)
        if total <= EXACT_LIMIT:
            return self._count_all(total)
        exact, valid, excluded = True, 1, dict[str, int]()
        for group in self._groups:
            numbers = self._valid_numbers(group)
            if numbers is None:
                exact = False
                valid *= max(1, round((group.combinations or 1) * self._valid_share(rng, group)))
                continue
            valid *= len(numbers)
            broken = (group.combinations or 0) - len(numbers)
            if broken and group.rules:
                reason = " or ".join(rule.name for rule in group.rules)
                excluded[reason] = excluded.get(reason, 0) + broken * (total // (group.combinations or 1))
        return Count(total, valid, valid, exact=exact, excluded=excluded)

    # ---- groups

    def _couple(self) -> list[_Group]:
        names = {
            MODEL_IN_RULES if dimension.name == MODEL_KEY else dimension.name: position
            for position, dimension in enumerate(self._dimensions)
        }
        parent = list(range(len(self._dimensions)))

        def root(position: int) -> int:
            while parent[position] != position:
                position = parent[position]
            return position

        touching: list[tuple[Rule, list[int]]] = []
        for rule in self._rules:
            positions = [names[name] for name in rule.parameters if name in names]
            if positions:
                touching.append((rule, positions))
                for position in positions[1:]:
                    parent[root(position)] = root(positions[0])
        groups: dict[int, list[int]] = {}
        for position in range(len(self._dimensions)):
            groups.setdefault(root(position), []).append(position)
        made = []
        for key, positions in groups.items():
            sizes = [self._dimensions[p].size for p in positions]
            combinations = None if None in sizes else math.prod(size for size in sizes if size is not None)
            rules = tuple(rule for rule, touched in touching if root(touched[0]) == key)
            made.append(_Group(tuple(positions), rules, combinations))
        return made

    def _valid_numbers(self, group: _Group) -> array[int] | None:
        """Numbers of the group's valid combinations; None when it is too large to look at each."""
        if group.valid is None and group.combinations is not None and group.combinations <= GROUP_LIMIT:
            numbers = range(group.combinations)
            if group.rules:
                kept = (n for n in numbers if self._check(group.rules, self._with_group(group, n)) is None)
                group.valid = array("l", kept)
            else:
                group.valid = array("l", numbers)
        return group.valid

    def _with_group(self, group: _Group, number: int) -> Configuration:
        """The group's combination, the other parameters at their first value (its rules do not look at them)."""
        first = {d.name: d.at(0.0) for d in self._dimensions}
        return {**first, **self._decode(group.positions, number)}

    def _decode(self, positions: Sequence[int], number: int) -> dict[str, Scalar]:
        values: dict[str, Scalar] = {}
        for position in reversed(positions):
            dimension = self._dimensions[position]
            number, index = divmod(number, dimension.size or 1)
            values[dimension.name] = dimension.value(index)
        return {self._dimensions[p].name: values[self._dimensions[p].name] for p in positions}

    def _draw(self, rng: RandomSource) -> Configuration | None:
        drawn: dict[str, Scalar] = {}
        for group in self._groups:
            numbers = self._valid_numbers(group)
            if numbers is not None:
                if not numbers:
                    return None
                drawn.update(self._decode(group.positions, numbers[rng.randrange(len(numbers))]))
            else:
                for position in group.positions:
                    drawn[self._dimensions[position].name] = _uniform(self._dimensions[position], rng)
        return {dimension.name: drawn[dimension.name] for dimension in self._dimensions}

    # ---- counting

    def _count_all(self, total: int) -> Count:
        excluded: dict[str, int] = {}
        identities: set[str] = set()
        valid = 0
        for number in range(total):
            configuration = self._decode(range(len(self._dimensions)), number)
            broken = self.violation(configuration)
            if broken is not None:
                excluded[broken] = excluded.get(broken, 0) + 1
                continue
            valid += 1
            identities.add(self.identity(configuration))
        return Count(total, valid, len(identities), exact=True, excluded=excluded)

    def _valid_share(self, rng: RandomSource, group: _Group | None = None) -> float:
        """Share of random combinations that break no rule (of one group, if given)."""
        kept = 0
        for _ in range(ESTIMATE_DRAWS):
            values = {d.name: _uniform(d, rng) for d in self._dimensions}
            kept += self._check(None if group is None else group.rules, values) is None
        return kept / ESTIMATE_DRAWS


def _uniform(dimension: AnyDimension, rng: RandomSource) -> Scalar:
    size = dimension.size
    return dimension.at(rng.random()) if size is None else dimension.value(rng.randrange(size))
