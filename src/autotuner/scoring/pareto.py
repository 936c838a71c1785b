"""Which of several points no other point beats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autotuner.contracts.search import Direction


def losses(point: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    """The point with every axis turned so that less is better. ValueError for a NaN or a wrong number of axes."""
    if any(math.isnan(value) for value in point):
        raise ValueError("a point with a missing figure cannot be compared")
    return tuple(v if d == "minimize" else -v for v, d in zip(point, directions, strict=True))


def pareto_front(points: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """Indices, ascending, of the points that no other is at least as good as everywhere and better somewhere.

    Equal points stand or fall together. ValueError for a NaN or a wrong number of axes.
    """
    turned = [losses(point, directions) for point in points]
    # A point can only be beaten by one that sorts before it, and then also by one of the front.
    front: list[int] = []
    for index in sorted(range(len(turned)), key=lambda i: turned[i]):
        if not any(_beats(turned[kept], turned[index]) for kept in front):
            front.append(index)
    return sorted(front)


def _beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))
