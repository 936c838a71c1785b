"""Draws configurations that nobody has tried yet."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from autotuner.contracts.search import RandomSource, SearchSpace
from autotuner.contracts.values import Configuration

_TRIES = 200
_RESERVOIR = 5000


def draw_unseen(space: SearchSpace, rng: RandomSource, known: AbstractSet[str]) -> Configuration | None:
    """A valid configuration whose identity is not in ``known``, uniform over them; None when there is none.

    Sampling succeeds unless nearly everything is known. Then the space is enumerated and one of the first 5,000
    unseen configurations is drawn: in a space so nearly exhausted there are hardly more.
    """
    for _ in range(_TRIES):
        configuration = space.sample(rng)
        if configuration is None:
            break
        if space.identity(configuration) not in known:
            return configuration
    if space.grid_size is None:
        return None
    unseen: list[Configuration] = []
    for configuration in space.enumerate():
        if space.identity(configuration) not in known:
            unseen.append(configuration)
            if len(unseen) == _RESERVOIR:
                break
    return unseen[rng.randrange(len(unseen))] if unseen else None
