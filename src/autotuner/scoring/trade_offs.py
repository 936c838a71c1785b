"""Which points of a Pareto front stand for it: the best in each objective, and the knee."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotuner.contracts.search import Direction
from autotuner.scoring.pareto import losses, pareto_front


@dataclass(frozen=True)
class TradeOffs:
    """What stands for a front.

    Fields: ``front``, all its points, ascending; ``extremes``, the best point of each objective; ``knee``, the point
    nearest to having the best of everything, None where one point is the best of everything; ``order``, all points,
    the most telling ones first.
    """

    front: tuple[int, ...]
    extremes: tuple[int, ...]
    knee: int | None
    order: tuple[int, ...]


def trade_offs(points: Mapping[int, Sequence[float]], directions: Sequence[Direction]) -> TradeOffs:
    """The trade-offs among points by number.

    The knee is the point of the front with the least Euclidean distance from the ideal point, every objective scaled
    to 0 (best of the front) … 1 (worst of the front): compromise programming (Zeleny 1973). Ties go to the lower
    number. ``order``: the best of the first objective, the knee, the best of each other objective, then by distance.
    """
    numbers = sorted(points)
    chosen = [numbers[i] for i in pareto_front([points[n] for n in numbers], directions)]
    if not chosen:
        return TradeOffs((), (), None, ())
    turned = {n: losses(points[n], directions) for n in chosen}
    extremes = tuple(_best(turned, axis) for axis in range(len(directions)))
    distance = _distances(turned)
    nearest = min(chosen, key=lambda n: (distance[n], n))
    knee = nearest if len(set(extremes)) > 1 else None
    by_distance = sorted(chosen, key=lambda n: (distance[n], n))
    telling = [extremes[0], *([knee] if knee is not None else []), *extremes[1:], *by_distance]
    return TradeOffs(tuple(chosen), extremes, knee, tuple(dict.fromkeys(telling)))


def _distances(turned: Mapping[int, tuple[float, ...]]) -> dict[int, float]:
    axes = range(len(next(iter(turned.values()))))
    low = [min(point[k] for point in turned.values()) for k in axes]
    span = [max(point[k] for point in turned.values()) - low[k] for k in axes]
    return {
        number: math.hypot(*((point[k] - low[k]) / span[k] if span[k] > 0 else 0.0 for k in axes))
        for number, point in turned.items()
    }


def _best(turned: Mapping[int, tuple[float, ...]], axis: int) -> int:
    return min(turned, key=lambda n: (turned[n][axis], turned[n], n))
