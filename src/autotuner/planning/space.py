"""The valid, distinct configurations of a task: counted and sampled without being listed.

Known constraints couple some parameters. Parameters that share a rule form a *group*, and groups with a rule between
them a *bundle*; bundles are independent, so the number of valid combinations is the product of the bundles' numbers,
and a uniform valid sample is one of each bundle.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from autotuner.contracts.engine import Rule
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import Configuration, Scalar
from autotuner.planning.coupling import Group, combinations, couple, decode, touched
from autotuner.planning.dimensions import AnyDimension
from autotuner.planning.listing import ENOUGH, TRIES, Between, Valid, few

EXACT_LIMIT = 4_096
"""Spaces with at most so many combinations are resolved one by one, so that equal commands are found exactly."""

COMPARE_LIMIT = 16_384
"""In a larger space, groups with at most so many valid combinations are (one or two seconds of work)."""

PROBES = 200
"""Random configurations of a large space whose command is written, to see whether the engine can express them."""

FULL_CHECK = 5
"""Tries that writing a command costs."""

Check = Callable[[Sequence[Rule] | None, Configuration], str | None]


@dataclass(frozen=True)
class Count:
    """How many configurations a space holds."""

    combinations: int | None
    """Before constraints and deduplication; None with a continuous parameter."""
    valid: int | None
    """That break no constraint; None with a continuous parameter, unless there is none."""
    distinct: int | None
    """That also differ in what is launched."""
    exact: bool
    """Whether ``valid`` and ``distinct`` were counted; otherwise they are estimated.

    Up to EXACT_LIMIT combinations each command was compared with each. Beyond, those of each group were (up to
    COMPARE_LIMIT), the other parameters held: a count as long as the engine joins no parameters into one flag which no
    rule couples.
    """
    excluded: Mapping[str, int] = field(default_factory=dict)
    """Broken combinations by the sentence of the first rule that each breaks; of an exact count they add up to
    ``combinations`` − ``valid``. Of an estimate they only show what the reasons are."""

    @property
    def empty(self) -> bool:
        """Whether nothing can be launched: certain of an exact count, else nothing was found in many tries."""
        return self.valid == 0


@dataclass(frozen=True)
class _ClassCount:
    """Combinations of a group that are all the same to the rules between groups."""

    size: int
    valid: int
    """That the engine can express, too."""
    distinct: int
    broken: Mapping[str, int]
    """The others, by why it cannot."""


@dataclass(frozen=True)
class _BundleCount:
    by_rules: int
    """That break no rule; ``valid``: which the engine can express, too."""
    valid: int
    distinct: int
    exact: bool
    broken: Mapping[str, int]


class _Beside:
    """What is launched with a group's values, beside those that a valid configuration has for the others."""

    def __init__(self, base: Configuration, launched: Callable[[Configuration], tuple[str | None, str]]) -> None:
        self._base = base
        self._launched = launched
        self._known: dict[tuple[tuple[str, type, Scalar], ...], tuple[str | None, str]] = {}

    def launched(self, values: Mapping[str, Scalar]) -> tuple[str | None, str]:
        """The identity; or None, and why the engine cannot express it."""
        key = tuple((name, type(value), value) for name, value in values.items())  # True and 1 are two values
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._launched({**self._base, **values})
        return found


class ParameterSpace:
    """Implements ``contracts.search.SearchSpace``.

    ``check(rules, configuration)`` gives the sentence of the first broken rule; ``rules`` restricts which are looked
    at (None: all, and whether the engine can express the values at all). ``identify`` hashes what would be launched;
    AutotunerError for what the engine cannot express. ``between``: how rules with ``inputs`` are asked, for whole
    configurations; without it they couple parameters like all others.
    """

    def __init__(
        self,
        dimensions: Sequence[AnyDimension],
        *,
        rules: Sequence[Rule],
        check: Check,
        identify: Callable[[Configuration], str],
        between: Between | None = None,
    ) -> None:
        self._dimensions = tuple(dimensions)
        self._check = check
        self._identify = identify
        parts: Between | None = None
        if between is None:
            rules = [replace(rule, inputs=None) for rule in rules]
        else:
            whole = between.inputs
            parts = replace(between, inputs=lambda some, values: whole(some, {**self._first, **values}))
        self._valid = [Valid(bundle, self._check_part, parts) for bundle in couple(self._dimensions, rules)]
        # Each rule is looked at as soon as the last dimension that it needs has a value; -1: needs none.
        self._ending: dict[int, list[Rule]] = {}
        for rule in rules:
            self._ending.setdefault(max(touched(rule, self._dimensions), default=-1), []).append(rule)

    @property
    def dimensions(self) -> Sequence[AnyDimension]:
        """Searched parameters in document order."""
        return self._dimensions

    @property
    def grid_size(self) -> int | None:
        """Number of combinations before constraints; None with a continuous dimension."""
        return combinations(self._dimensions)

    def identity(self, configuration: Configuration) -> str:
        """Hash of the resolved command and options."""
        return self._identify(configuration)

    def violation(self, configuration: Configuration) -> str | None:
        """The sentence of the first rule that is broken; None for a valid configuration."""
        return self._check(None, configuration)

    def contains(self, configuration: Configuration) -> bool:
        """Whether it gives each searched parameter, and nothing else, one of its values (rules are not looked at)."""
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
        return decode(self._dimensions, number)

    def enumerate(self) -> Iterator[Configuration]:
        """Every valid, distinct configuration in the order of ``decode``; ValueError with a continuous dimension.

        What breaks a rule by its first values is passed over with all that follows them.
        """
        if self.grid_size is None:
            raise ValueError("a space with a continuous dimension cannot be listed")
        if self._hopeless is not None:
            return
        seen: set[str] = set()
        for configuration in self._walk({}):
            if self.violation(configuration) is not None:
                continue
            identity = self.identity(configuration)
            if identity not in seen:
                seen.add(identity)
                yield configuration

    def sample(self, rng: RandomSource) -> Configuration | None:
        """Uniform over the valid combinations; None when none was found in many tries."""
        tries = TRIES if self._hopeless is None else 0
        while tries > 0:
            configuration, tries = self._draw(rng, tries)
            if configuration is None:
                break
            if self.violation(configuration) is None:
                return configuration
            tries -= FULL_CHECK
        return None

    def count(self, rng: RandomSource) -> Count:
        """Exact for small spaces and over groups that are not too large, else an estimate labelled so."""
        total = self.grid_size
        if total is not None and total <= EXACT_LIMIT:
            return self._count_all(total)
        if self._hopeless is not None:
            return Count(total, 0, 0, exact=True, excluded={self._hopeless: total or ENOUGH})
        for valid in self._valid:
            if valid.none is not None:
                reasons, of = valid.none
                others = 1 if total is None else total // of
                excluded = {sentence: broken * others for sentence, broken in reasons.items()}
                return Count(total, 0, 0, exact=True, excluded=excluded)
        base = self.sample(rng)
        if base is None:
            return Count(total, 0, 0, exact=False, excluded=self._broken_at_random(rng))
        if total is None:
            return Count(None, None, None, exact=False, excluded=self._broken_at_random(rng))
        return self._count_groups(total, base, rng)

    # ---- parts

    @cached_property
    def _first(self) -> Configuration:
        return {dimension.name: dimension.at(0.0) for dimension in self._dimensions}

    @cached_property
    def _hopeless(self) -> str | None:
        """The sentence of a broken rule that looks at no searched parameter, so that no value can mend it."""
        return self._check(self._ending.get(-1, ()), self._first)

    def _walk(self, chosen: dict[str, Scalar]) -> Iterator[Configuration]:
        """Every combination that breaks no rule and begins with the chosen values."""
        position = len(chosen)
        if position == len(self._dimensions):
            yield chosen
            return
        dimension, rules = self._dimensions[position], self._ending.get(position)
        for index in range(dimension.size or 0):
            longer = {**chosen, dimension.name: dimension.value(index)}
            if not rules or self._check(rules, {**self._first, **longer}) is None:
                yield from self._walk(longer)

    def _draw(self, rng: RandomSource, tries: int) -> tuple[Configuration | None, int]:
        """A combination that breaks no rule (the engine may still refuse it), and how many tries are left."""
        drawn: dict[str, Scalar] = {}
        for valid in self._valid:
            values, tries = valid.draw(rng, tries)
            if values is None:
                return None, 0
            drawn |= values
        return {dimension.name: drawn[dimension.name] for dimension in self._dimensions}, tries

    def _check_part(self, rules: Sequence[Rule], values: Mapping[str, Scalar]) -> str | None:
        """Rules look at no dimension outside what they couple, so the others have any value."""
        return self._check(rules, {**self._first, **values})

    def _launched(self, configuration: Configuration) -> tuple[str | None, str]:
        """The identity; or None, and why the engine cannot express it."""
        try:
            return self._identify(configuration), ""
        except AutotunerError as error:
            return None, f"{error.what}: {error.why}"

    # ---- counting

    def _count_all(self, total: int) -> Count:
        excluded: Counter[str] = Counter()
        identities: set[str] = set()
        valid = 0
        for number in range(total):
            configuration = decode(self._dimensions, number)
            broken = self.violation(configuration)
            if broken is not None:
                excluded[broken] += 1
                continue
            valid += 1
            identities.add(self.identity(configuration))
        return Count(total, valid, len(identities), exact=True, excluded=few(excluded))

    def _count_groups(self, total: int, base: Configuration, rng: RandomSource) -> Count:
        """The product over the bundles. ``base`` is valid."""
        beside = _Beside(base, self._launched)
        excluded: Counter[str] = Counter()
        by_rules = valid = distinct = 1
        exact, rest = True, total
        for part in self._valid:
            counted = _count_bundle(part, beside, rng)
            rest //= part.bundle.combinations or 1
            for sentence, broken in counted.broken.items():
                excluded[sentence] += broken * valid * rest
            by_rules *= counted.by_rules
            valid, distinct = valid * counted.valid, distinct * counted.distinct
            exact = exact and counted.exact
        share = self._surprising_share(beside, rng)
        if share is not None:
            exact = False
            valid, distinct = round(by_rules * share), round(by_rules * share * distinct / valid)
        # The base was found, so an estimate is at least one.
        return Count(total, max(1, valid), max(1, distinct), exact=exact, excluded=few(excluded))

    def _surprising_share(self, beside: _Beside, rng: RandomSource) -> float | None:
        """What the engine cannot express should be one group's values, whatever the others are: None if it is.

        Otherwise the share that it can express of random configurations which break no rule.
        """
        drawn = valid = 0
        surprised, tries = False, TRIES
        for _ in range(PROBES):
            configuration, tries = self._draw(rng, tries)
            if configuration is None:
                break
            drawn += 1
            fine = self._launched(configuration)[0] is not None
            valid += fine
            surprised |= fine is any(beside.launched(part)[0] is None for part in self._parts(configuration))
        return valid / drawn if surprised else None

    def _parts(self, configuration: Configuration) -> Iterator[Configuration]:
        """Each group's values of the configuration."""
        for valid in self._valid:
            for group in valid.bundle.groups:
                yield {dimension.name: configuration[dimension.name] for dimension in group.dimensions}

    def _broken_at_random(self, rng: RandomSource) -> dict[str, int]:
        """Sentences that random combinations break."""
        broken: Counter[str] = Counter()
        for _ in range(ENOUGH):
            values = {name: value for valid in self._valid for name, value in valid.bundle.draw(rng).items()}
            sentence = self.violation(values)
            if sentence is not None:
                broken[sentence] += 1
        return few(broken)


def _count_bundle(valid: Valid, beside: _Beside, rng: RandomSource) -> _BundleCount:
    """A bundle: its table, with what the engine cannot express and what is launched alike found group by group.

    What is launched alike is all the same to the rules between groups, so it is in one class.
    """
    table = valid.table
    if table is None:
        estimate = valid.estimate(rng)
        return _BundleCount(estimate, estimate, estimate, exact=False, broken={})
    if any(sum(map(len, classes)) > COMPARE_LIMIT for classes in table.classes):
        return _BundleCount(table.valid, table.valid, table.valid, exact=False, broken=table.broken)
    counted = [
        [_count_class(group, numbers, beside) for numbers in classes]
        for group, classes in zip(valid.bundle.groups, table.classes, strict=True)
    ]
    if all(one.size == one.distinct for classes in counted for one in classes):
        return _BundleCount(table.valid, table.valid, table.valid, exact=True, broken=table.broken)
    broken, fine, distinct = Counter(table.broken), 0, 0
    for chosen in table.chosen():
        some = [classes[number] for classes, number in zip(counted, chosen, strict=True)]
        fine += math.prod(one.valid for one in some)
        distinct += math.prod(one.distinct for one in some)
        for position, one in enumerate(some):
            # What it cannot, beside what it can of the groups before and all of those behind.
            others = [other.valid for other in some[:position]] + [other.size for other in some[position + 1 :]]
            for sentence, number in one.broken.items():
                broken[sentence] += number * math.prod(others)
    return _BundleCount(table.valid, fine, distinct, exact=True, broken=broken)


def _count_class(group: Group, numbers: Sequence[int], beside: _Beside) -> _ClassCount:
    broken, valid, identities = Counter[str](), 0, set[str]()
    for number in numbers:
        identity, why = beside.launched(group.decode(number))
        if identity is None:
            broken[why] += 1
        else:
            valid += 1
            identities.add(identity)
    return _ClassCount(len(numbers), valid, len(identities), broken)
