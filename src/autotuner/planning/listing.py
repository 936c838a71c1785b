"""The valid combinations of a bundle: listed where they are few enough, and drawn in any case. Pure."""

from __future__ import annotations

import itertools
import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from autotuner.config.parameters import same_value
from autotuner.contracts.engine import Rule
from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import Scalar
from autotuner.planning.coupling import Bundle, Group

GROUP_LIMIT = 65_536
"""Groups with at most so many combinations are checked one by one, and so are combinations of classes (a second or two
of work)."""

TRIES = 100_000
"""Random combinations that are looked at before a valid one is given up (about a second of work)."""

ENOUGH = 1_000
"""Valid ones among random combinations after which their share is known well enough (to 3 %)."""

MAX_REASONS = 100
OTHER_REASON = "further combinations that break a rule"
"""More than MAX_REASONS sentences are counted under this one."""

Values = Mapping[str, Scalar]

Check = Callable[[Sequence[Rule], Values], str | None]
"""The sentence of the first of the rules that values of some dimensions break, whatever the others are."""

Inputs = Mapping[str, Scalar]
"""Values of the names that rules between groups look at; None: not given."""


@dataclass(frozen=True)
class Between:
    """How rules between groups are asked. Each name of their inputs is decided by the parameters of one group."""

    inputs: Callable[[Sequence[Rule], Values], Inputs]
    """Their inputs for values of some dimensions, the others having any that does not change."""
    broken: Callable[[Sequence[Rule], Inputs], str | None]
    """The sentence of the first of the rules that these inputs break."""


@dataclass(frozen=True)
class Listed:
    """The combinations of a group that break no rule of it."""

    numbers: Sequence[int]
    broken: Mapping[str, int]
    """The others by the sentence of the first rule that each breaks."""


@dataclass(frozen=True)
class Table:
    """The combinations of a bundle that break no rule, by what the rules between its groups tell apart."""

    classes: tuple[tuple[Sequence[int], ...], ...]
    """Of each group the numbers that break none of its rules; in one class those with the same inputs."""
    kept: Sequence[int]
    """The combinations of one class of each group that break no rule between them (mixed radix, last fastest)."""
    upto: Sequence[int]
    """How many combinations the kept ones hold, each with those before it."""
    broken: Mapping[str, int]
    """The bundle's other combinations by the sentence of the first rule that each breaks."""

    @property
    def valid(self) -> int:
        """Combinations that break no rule."""
        return self.upto[-1] if self.upto else 0

    def at(self, index: int) -> tuple[int, ...]:
        """The number of each group's combination in the valid one of that index."""
        place = bisect_right(self.upto, index)
        member = index - (self.upto[place - 1] if place else 0)
        found = []
        for classes, chosen in zip(reversed(self.classes), reversed(self._chosen(self.kept[place])), strict=True):
            member, position = divmod(member, len(classes[chosen]))
            found.append(classes[chosen][position])
        return tuple(reversed(found))

    def chosen(self) -> Iterator[tuple[int, ...]]:
        """Of each kept combination the class of each group."""
        return map(self._chosen, self.kept)

    def _chosen(self, number: int) -> tuple[int, ...]:
        found = []
        for classes in reversed(self.classes):
            number, chosen = divmod(number, len(classes))
            found.append(chosen)
        return tuple(reversed(found))


class Valid:
    """The combinations of a bundle that break no rule. They are looked at when they are first needed."""

    def __init__(self, bundle: Bundle, check: Check, between: Between | None) -> None:
        """``between``: needed for a bundle with rules between its groups."""
        self.bundle = bundle
        self._check = check
        self._between = between

    @cached_property
    def table(self) -> Table | None:
        """All of them; None when they are too many to look at each."""
        listed = [one for one in self._listed if one is not None]
        if len(listed) < len(self._listed):
            return None
        rules, groups = self.bundle.rules, self.bundle.groups
        # A group without rules was not looked at one by one, and may be of any size.
        if rules and any(len(one.numbers) > GROUP_LIMIT for one in listed):
            return None
        sorts = [self._sorts(group, one) for group, one in zip(groups, listed, strict=True)]
        if math.prod(map(len, sorts)) > GROUP_LIMIT:
            return None
        broken, before, after = Counter[str](), 1, self.bundle.combinations or 1
        for group, one in zip(groups, listed, strict=True):
            after //= group.combinations or 1
            for sentence, number in one.broken.items():
                broken[sentence] += number * before * after
            before *= len(one.numbers)
        kept, upto, reached = list[int](), list[int](), 0
        for number, some in enumerate(itertools.product(*sorts)):
            size = math.prod(len(numbers) for numbers, _ in some)
            fault = self._broken(values for _, values in some)
            if fault is not None:
                broken[fault] += size
                continue
            reached += size
            kept.append(number)
            upto.append(reached)
        classes = tuple(tuple(numbers for numbers, _ in of_group) for of_group in sorts)
        return Table(classes, kept, upto, few(broken))

    @property
    def none(self) -> tuple[Mapping[str, int], int] | None:
        """Why there are certainly none: of how many combinations how many break which rule. None: there may be some."""
        for group, listed in zip(self.bundle.groups, self._listed, strict=True):
            if listed is not None and not listed.numbers:
                return listed.broken, group.combinations or 1
        if self.table is not None and not self.table.valid:
            return self.table.broken, self.bundle.combinations or 1
        return None

    def values(self, numbers: Sequence[int]) -> dict[str, Scalar]:
        """The combination that has those numbers in the groups."""
        parts = (group.decode(number) for group, number in zip(self.bundle.groups, numbers, strict=True))
        return {name: value for part in parts for name, value in part.items()}

    def draw(self, rng: RandomSource, tries: int) -> tuple[dict[str, Scalar] | None, int]:
        """One of them, uniform over all, and how many tries are left; None when none was found."""
        if self.table is not None:
            valid = self.table.valid
            return (self.values(self.table.at(rng.randrange(valid))), tries) if valid else (None, 0)
        while tries > 0:
            values, tries = self._draw_groups(rng, tries)
            if values is None:
                break
            if not self.bundle.rules or self._check(self.bundle.rules, values) is None:
                return values, tries
            tries -= 1
        return None, 0

    def estimate(self, rng: RandomSource) -> int:
        """About how many there are, at least one, when there is no table. Not with a continuous dimension."""
        size = 1.0
        for group, listed in zip(self.bundle.groups, self._listed, strict=True):
            known = (group.combinations or 1) * self._share(group, rng) if listed is None else len(listed.numbers)
            size *= known
        if self.bundle.rules:
            size *= self._share_between(rng)
        return max(1, round(size))

    # ---- parts

    @cached_property
    def _listed(self) -> list[Listed | None]:
        return [self._list(group) for group in self.bundle.groups]

    def _list(self, group: Group) -> Listed | None:
        """The valid ones of a group; None when it is too large to look at each."""
        total = group.combinations
        if total is None:
            return None
        if not group.rules:
            return Listed(range(total), {})
        if total > GROUP_LIMIT:
            return None
        numbers, broken = array("l"), Counter[str]()
        for number in range(total):
            sentence = self._check(group.rules, group.decode(number))
            if sentence is None:
                numbers.append(number)
            else:
                broken[sentence] += 1
        return Listed(numbers, few(broken))

    def _sorts(self, group: Group, listed: Listed) -> list[tuple[Sequence[int], Inputs]]:
        """The numbers of a group with the same inputs of the rules between groups, and where those are not the usual
        ones."""
        if self._between is None or not self.bundle.rules:
            return [(listed.numbers, {})] if listed.numbers else []
        found: dict[Hashable, tuple[array[int], Inputs]] = {}
        for number in listed.numbers:
            inputs = self._between.inputs(self.bundle.rules, group.decode(number))
            own = {name: value for name, value in inputs.items() if not same_value(value, self._usual[name])}
            key = tuple((name, type(value), value) for name, value in own.items())
            found.setdefault(key, (array("l"), own))[0].append(number)
        return list(found.values())

    @cached_property
    def _usual(self) -> Inputs:
        return {} if self._between is None else self._between.inputs(self.bundle.rules, {})

    def _broken(self, parts: Iterable[Inputs]) -> str | None:
        """The sentence of the first rule between groups that is broken by what the groups have of their own."""
        if self._between is None or not self.bundle.rules:
            return None
        inputs = dict(self._usual)
        for own in parts:
            inputs.update(own)
        return self._between.broken(self.bundle.rules, inputs)

    def _draw_groups(self, rng: RandomSource, tries: int) -> tuple[dict[str, Scalar] | None, int]:
        """A combination that breaks no rule within a group, and how many tries are left."""
        drawn: dict[str, Scalar] = {}
        for group, listed in zip(self.bundle.groups, self._listed, strict=True):
            if listed is not None:
                if not listed.numbers:
                    return None, 0
                drawn |= group.decode(listed.numbers[rng.randrange(len(listed.numbers))])
                continue
            values = group.draw(rng)
            while group.rules and self._check(group.rules, values) is not None:
                tries -= 1
                if tries <= 0:
                    return None, 0
                values = group.draw(rng)
            drawn |= values
        return drawn, tries

    def _share(self, group: Group, rng: RandomSource) -> float:
        """Share of random combinations of a group that break none of its rules."""
        kept = drawn = 0
        while drawn < TRIES and kept < ENOUGH:
            drawn += 1
            kept += self._check(group.rules, group.draw(rng)) is None
        return kept / drawn

    def _share_between(self, rng: RandomSource) -> float:
        """Share of random combinations that break no rule between the groups, of those that break none within one."""
        kept = drawn = 0
        tries = TRIES
        while tries > 0 and kept < ENOUGH:
            values, tries = self._draw_groups(rng, tries - 1)
            if values is None:
                break
            drawn += 1
            kept += self._check(self.bundle.rules, values) is None
        return kept / max(1, drawn)


def few(broken: Counter[str]) -> dict[str, int]:
    """The most frequent sentences, and the number of the others."""
    kept = dict(broken.most_common(MAX_REASONS))
    others = broken.total() - sum(kept.values())
    if others:
        kept[OTHER_REASON] = kept.get(OTHER_REASON, 0) + others
    return kept
