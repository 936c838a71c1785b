"""Draws configurations that nobody has tried yet."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from autotuner.contracts.search import RandomSource, SearchSpace
from autotuner.contracts.values import Configuration

_TRIES = 200
_RESERVOIR = 5000
_NEAR = 64


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


def draw_near(
    space: SearchSpace, rng: RandomSource, known: AbstractSet[str], wanted: Configuration | None
) -> Configuration | None:
    """Of 64 drawn valid configurations that are not known the one nearest to ``wanted``, which need not be valid.

    Nearness is the sum of the distances along the axes; two plain choices are 1 apart. None when nothing is left.
    """
    first = draw_unseen(space, rng, known)
    if wanted is None or first is None:
        return first
    drawn = [first]
    for _ in range(_NEAR - 1):
        configuration = space.sample(rng)
        if configuration is not None and space.identity(configuration) not in known:
            drawn.append(configuration)
    return min(drawn, key=lambda configuration: _distance(space, configuration, wanted))


def _distance(space: SearchSpace, one: Configuration, other: Configuration) -> float:
    total = 0.0
    for dimension in space.dimensions:
        if dimension.kind == "categorical":
            total += one[dimension.name] != other[dimension.name]
        else:
            total += abs(dimension.unit(one[dimension.name]) - dimension.unit(other[dimension.name]))
    return total
