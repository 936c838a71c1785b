"""How near the optimum a search came, and how near random search would have come, from a measured grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotuner.contracts.search import Direction
from autotuner.scoring.verdict import better


@dataclass(frozen=True)
class GridPlace:
    """Where a configuration stands in a measured grid.

    Fields: ``score``; ``rank``, 1 for the best, equal scores share it; ``scored`` and ``failed``, counts in the grid;
    ``best``, the optimum; ``fraction`` of the optimum; ``distance`` = 1 − fraction.
    """

    score: float
    rank: int
    scored: int
    failed: int
    best: float
    fraction: float
    distance: float


@dataclass(frozen=True)
class RandomBest:
    """The best score that random search finds, over all its possible draws.

    Fields: ``median``; ``lucky`` and ``unlucky``, the ends of its 5 to 95 % range. None: it finds no scored
    configuration.
    """

    median: float | None
    lucky: float | None
    unlucky: float | None


def fraction_of_optimum(value: float, best: float, direction: Direction) -> float:
    """value / best of a maximised score, best / value of a minimised one: 1 at the optimum. Both must be positive."""
    if not (math.isfinite(value) and math.isfinite(best) and value > 0 and best > 0):
        raise ValueError("fractions need positive scores")
    return value / best if direction == "maximize" else best / value


def place_in_grid(scores: Mapping[str, float | None], name: str, direction: Direction) -> GridPlace | None:
    """The place of a configuration; None when it failed. ``scores``: by name, None for a failed one.

    KeyError for a name that is not in the grid.
    """
    score = scores[name]
    if score is None:
        return None
    found = [s for s in scores.values() if s is not None]
    best = _sorted(found, direction)[0]
    fraction = fraction_of_optimum(score, best, direction)
    return GridPlace(
        score=score,
        rank=1 + sum(better(other, score, direction) for other in found),
        scored=len(found),
        failed=len(scores) - len(found),
        best=best,
        fraction=fraction,
        distance=1 - fraction,
    )


def random_search_best(scores: Sequence[float | None], budget: int, direction: Direction) -> RandomBest:
    """What random search without repeats finds in ``budget`` experiments on a measured grid.

    ``scores``: of every configuration, None for one that failed or violates a hard SLO (it uses up an experiment). The
    quantiles are exact: of n configurations, b draws miss the k best with probability C(n − k, b) / C(n, b).
    """
    n = len(scores)
    if not 1 <= budget <= n:
        raise ValueError(f"a budget of {budget} on a grid of {n}")
    ordered: list[float | None] = [*_sorted([s for s in scores if s is not None], direction)]
    ordered += [None] * (n - len(ordered))
    draws = math.comb(n, budget)

    def quantile(percent: int) -> float | None:
        # Integers throughout: no rounding decides a quantile.
        for k in range(1, n + 1):
            if 100 * (draws - math.comb(n - k, budget)) >= percent * draws:
                return ordered[k - 1]
        return ordered[-1]

    return RandomBest(median=quantile(50), lucky=quantile(5), unlucky=quantile(95))


def experiments_until(history: Sequence[float | None], best: float, within: float, direction: Direction) -> int | None:
    """Number of experiments until a score came within that share of the optimum (0.02: 2 %); None if none did.

    ``history``: scores in the order of the experiments, None for failed or violating ones.
    """
    for number, score in enumerate(history, start=1):
        if score is not None and score > 0 and fraction_of_optimum(score, best, direction) >= 1 - within:
            return number
    return None


def _sorted(scores: Sequence[float], direction: Direction) -> list[float]:
    return sorted(scores, reverse=direction == "maximize")
