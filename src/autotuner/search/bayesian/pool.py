"""Which configurations are weighed at an ask: all valid ones where they can be listed, else a sample and neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import islice

from autotuner.contracts.search import Dimension, RandomSource, SearchSetup
from autotuner.contracts.values import Configuration, Scalar, digest
from autotuner.search.bayesian.candidates import Candidates, candidates
from autotuner.search.bayesian.encoding import Encoding
from autotuner.search.history import Stream

LISTED = 20_000
"""Spaces of at most so many valid configurations are listed, and each of them is weighed at each ask."""
GRID = 200_000
"""Larger grids are not looked through to see how many of their combinations are valid."""
SAMPLED = 1_500
"""Random configurations that are weighed where they are not listed."""
STEPS = 12
"""Values of one parameter to which a step is tried."""


class Pool:
    """The valid configurations of a space, as candidates."""

    def __init__(self, setup: SearchSetup, encoding: Encoding) -> None:
        self._space = setup.space
        self._encoding = encoding
        self._seed = int(digest([setup.seed, "pool"]), 16)

    @cached_property
    def all(self) -> Candidates | None:
        """All of them; None where there are too many."""
        if self._space.grid_size is None or self._space.grid_size > GRID:
            return None
        found = list(islice(self._space.enumerate(), LISTED + 1))
        return None if len(found) > LISTED else self.of(found)

    @cached_property
    def some(self) -> Candidates:
        """Some at random, the same for the same seed of the task."""
        rng = Stream(self._seed)
        drawn = (self._space.sample(rng) for _ in range(SAMPLED))
        return self._unseen((c for c in drawn if c is not None), frozenset())

    def around(self, centres: Sequence[Configuration], rng: RandomSource, known: AbstractSet[str]) -> Candidates:
        """What differs from one of the centres in one parameter, unless it is known or breaks a constraint."""
        steps = (step for centre in centres for step in self._steps(centre, rng))
        return self._unseen((c for c in steps if self._space.violation(c) is None), known)

    def of(self, configurations: Sequence[Configuration]) -> Candidates:
        """These as candidates."""
        identities = [self._space.identity(c) for c in configurations]
        return candidates(configurations, identities, self._encoding.rows(configurations))

    def _steps(self, centre: Configuration, rng: RandomSource) -> Iterator[Configuration]:
        for dimension in self._space.dimensions:
            if dimension.name not in centre:
                continue
            for value in _values(dimension, rng):
                if value != centre[dimension.name]:
                    yield {d.name: value if d is dimension else centre[d.name] for d in self._space.dimensions}

    def _unseen(self, configurations: Iterable[Configuration], known: AbstractSet[str]) -> Candidates:
        found: dict[str, Configuration] = {}
        for configuration in configurations:
            identity = self._space.identity(configuration)
            if identity not in known:
                found.setdefault(identity, configuration)
        kept = list(found.values())
        return candidates(kept, list(found), self._encoding.rows(kept))


def _values(dimension: Dimension, rng: RandomSource) -> list[Scalar]:
    """All values of a small dimension, else some of them."""
    if dimension.size is not None and dimension.size <= STEPS:
        return [dimension.value(i) for i in range(dimension.size)]
    return [dimension.at(rng.random()) for _ in range(STEPS)]
