"""The valid, distinct configurations of a task: counted and sampled without being listed.

Known constraints couple some parameters. Parameters that share a rule form a *group*; groups are independent, so the
number of valid combinations is the product of the groups' numbers, and a uniform valid sample is one of each group.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autotuner.contracts.engine import Rule
from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import Configuration, Scalar
from autotuner.planning.coupling import Group, combinations, couple, decode, touched
from autotuner.planning.dimensions import AnyDimension

GROUP_LIMIT = 65_536
"""Groups with at most so many combinations are checked one by one (about a second of work)."""

EXACT_LIMIT = 4_096
"""Spaces with at most so many combinations are resolved one by one, so that equal commands are found exactly."""

COMPARE_LIMIT = 16_384
"""In a larger space, groups with at most so many valid combinations are (one or two seconds of work)."""

TRIES = 100_000
"""Random combinations that are looked at before a valid one is given up (about a second of work)."""

ENOUGH = 1_000
"""Valid ones among random combinations after which their share is known well enough (to 3 %)."""

PROBES = 200
"""Random configurations of a large space whose command is written, to see whether the engine can express them."""

FULL_CHECK = 5
"""Tries that writing a command costs."""

MAX_REASONS = 100
OTHER_REASON = "further combinations that break a rule"
"""More than MAX_REASONS sentences are counted under this one."""

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
class _Valid:
    """The valid combinations of a group."""

    numbers: Sequence[int]
    broken: Mapping[str, int]


@dataclass(frozen=True)
class _GroupCount:
    by_rules: int
    """That break no rule of the group; ``valid``: which the engine can express, too."""
    valid: int
    distinct: int
    exact: bool
    broken: Mapping[str, int]


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
        check: Check,
        identify: Callable[[Configuration], str],
    ) -> None:
        self._dimensions = tuple(dimensions)
        self._check = check
        self._identify = identify
        self._groups = couple(self._dimensions, rules)
        # Each rule is looked at as soon as the last dimension that it needs has a value; -1: needs none.
        self._ending: dict[int, list[Rule]] = {}
        for rule in rules:
            self._ending.setdefault(max(touched(rule, self._dimensions), default=-1), []).append(rule)
        self._valid: dict[int, _Valid | None] = {}

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
        for number, group in enumerate(self._groups):
            valid = self._valid_of(number)
            if valid is not None and not valid.numbers:
                others = 1 if total is None else total // (group.combinations or 1)
                excluded = {sentence: broken * others for sentence, broken in valid.broken.items()}
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
        for number, group in enumerate(self._groups):
            valid = self._valid_of(number)
            if valid is not None:
                if not valid.numbers:
                    return None, 0
                drawn.update(group.decode(valid.numbers[rng.randrange(len(valid.numbers))]))
                continue
            values = group.draw(rng)
            while self._check(group.rules, {**self._first, **values}) is not None:
                tries -= 1
                if tries <= 0:
                    return None, 0
                values = group.draw(rng)
            drawn.update(values)
        return {dimension.name: drawn[dimension.name] for dimension in self._dimensions}, tries

    def _valid_of(self, number: int) -> _Valid | None:
        """The valid combinations of a group; None when it is too large to look at each."""
        if number not in self._valid:
            self._valid[number] = self._look_at(self._groups[number])
        return self._valid[number]

    def _look_at(self, group: Group) -> _Valid | None:
        total = group.combinations
        if total is None:
            return None
        if not group.rules:
            return _Valid(range(total), {})
        if total > GROUP_LIMIT:
            return None
        numbers, broken = array("l"), Counter[str]()
        for number in range(total):
            # The other parameters have any value: the group's rules do not look at them.
            sentence = self._check(group.rules, {**self._first, **group.decode(number)})
            if sentence is None:
                numbers.append(number)
            else:
                broken[sentence] += 1
        return _Valid(numbers, _few(broken))

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
        return Count(total, valid, len(identities), exact=True, excluded=_few(excluded))

    def _count_groups(self, total: int, base: Configuration, rng: RandomSource) -> Count:
        """The product over the groups. ``base`` is valid."""
        excluded: Counter[str] = Counter()
        by_rules = valid = distinct = 1
        exact, rest = True, total
        for number, group in enumerate(self._groups):
            counted = self._count_group(number, base, rng)
            rest //= group.combinations or 1
            for sentence, broken in counted.broken.items():
                excluded[sentence] += broken * valid * rest
            by_rules *= counted.by_rules
            valid, distinct = valid * counted.valid, distinct * counted.distinct
            exact = exact and counted.exact
        share = self._surprising_share(base, rng)
        if share is not None:
            exact = False
            valid, distinct = round(by_rules * share), round(by_rules * share * distinct / valid)
        # The base was found, so an estimate is at least one.
        return Count(total, max(1, valid), max(1, distinct), exact=exact, excluded=_few(excluded))

    def _count_group(self, number: int, base: Configuration, rng: RandomSource) -> _GroupCount:
        """One group, the other parameters as in ``base``."""
        group, looked = self._groups[number], self._valid_of(number)
        if looked is None:
            estimate = max(1, round((group.combinations or 1) * self._valid_share(group, rng)))
            return _GroupCount(estimate, estimate, estimate, exact=False, broken={})
        by_rules = len(looked.numbers)
        if by_rules > COMPARE_LIMIT:
            return _GroupCount(by_rules, by_rules, by_rules, exact=False, broken=looked.broken)
        broken, valid, identities = Counter(looked.broken), 0, set[str]()
        for combination in looked.numbers:
            configuration = {**base, **group.decode(combination)}
            sentence = self.violation(configuration)
            if sentence is None:
                valid += 1
                identities.add(self.identity(configuration))
            else:  # the engine cannot express it
                broken[sentence] += 1
        return _GroupCount(by_rules, valid, len(identities), exact=True, broken=broken)

    def _valid_share(self, group: Group, rng: RandomSource) -> float:
        """Share of random combinations of a group that break none of its rules."""
        kept = drawn = 0
        while drawn < TRIES and kept < ENOUGH:
            drawn += 1
            kept += self._check(group.rules, {**self._first, **group.draw(rng)}) is None
        return kept / drawn

    def _surprising_share(self, base: Configuration, rng: RandomSource) -> float | None:
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
            fine = self.violation(configuration) is None
            valid += fine
            surprised |= fine is any(self.violation(part) is not None for part in self._parts(configuration, base))
        return valid / drawn if surprised else None

    def _parts(self, configuration: Configuration, base: Configuration) -> Iterator[Configuration]:
        """``base`` with one group's values of the configuration."""
        for group in self._groups:
            yield {**base, **{dimension.name: configuration[dimension.name] for dimension in group.dimensions}}

    def _broken_at_random(self, rng: RandomSource) -> dict[str, int]:
        """Sentences that random combinations break."""
        broken: Counter[str] = Counter()
        for _ in range(ENOUGH):
            values = {name: value for group in self._groups for name, value in group.draw(rng).items()}
            sentence = self.violation(values)
            if sentence is not None:
                broken[sentence] += 1
        return _few(broken)


def _few(broken: Counter[str]) -> dict[str, int]:
    """The most frequent sentences, and the number of the others."""
    kept = dict(broken.most_common(MAX_REASONS))
    others = broken.total() - sum(kept.values())
    if others:
        kept[OTHER_REASON] = kept.get(OTHER_REASON, 0) + others
    return kept
