"""A figure that can only rise with the load, from noisy repeated values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

OUTLIER = 4.0
"""Of three values or more at one load, one further from their median than so many standard deviations is left out."""

PRIOR_NOISE = 0.05
PRIOR_WEIGHT = 2.0
"""What noise is taken for before there are repeats: this standard deviation, as if from so many degrees of freedom."""

_TO_DEVIATION = 1.4826
"""Median absolute deviation of normal values × this = their standard deviation."""


def isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence with the least weighted squared distance from the values.

    Pool adjacent violators: neighbours in the wrong order are replaced by their weighted mean until none is left
    (Ayer, Brunk, Ewing, Reid and Silverman, Annals of Mathematical Statistics 26, 1955; Barlow et al., Statistical
    Inference under Order Restrictions, 1972).
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (left, a, m), (right, b, n) = blocks[-2:]
            blocks[-2:] = [((left * a + right * b) / (a + b), a + b, m + n)]
    return [value for value, _, count in blocks for _ in range(count)]


@dataclass(frozen=True)
class Rising:
    """One figure over the loads, ascending. ``fit``: its isotonic regression; ``errors``: standard error at each load
    by the values there alone; ``noise``: standard deviation of one value."""

    fit: tuple[float, ...]
    errors: tuple[float, ...]
    noise: float


def rising(groups: Sequence[Sequence[float]]) -> Rising:
    """Fit the values measured at each load; the order inside a group does not matter.

    The noise is pooled over the loads. What is an outlier at its load counts neither for the fit nor for the noise.
    """
    scale = _robust_scale(groups)
    kept = [_without_outliers(sorted(group), scale) for group in groups]
    centres = [math.fsum(group) / len(group) for group in kept]
    reach = OUTLIER * scale
    squares = math.fsum(
        min(abs(value - centre), reach) ** 2
        for group, centre in zip(kept, centres, strict=True)
        for value in group
        if len(group) > 1
    )
    freedom = sum(len(group) - 1 for group in kept)
    noise = math.sqrt((PRIOR_WEIGHT * PRIOR_NOISE**2 + squares) / (PRIOR_WEIGHT + freedom))
    counts = [float(len(group)) for group in kept]
    return Rising(tuple(isotonic(centres, counts)), tuple(noise / math.sqrt(count) for count in counts), noise)


def at(curves: Mapping[str, Rising], place: int, share: float) -> dict[str, float]:
    """The fits between load number ``place`` (``share`` 0) and the next (``share`` 1), linearly."""
    return {
        name: curve.fit[place] + (share * (curve.fit[place + 1] - curve.fit[place]) if share else 0.0)
        for name, curve in curves.items()
    }


def _robust_scale(groups: Sequence[Sequence[float]]) -> float:
    """Standard deviation of one value as the median of the repeats' deviations tells it; not below the prior."""
    deviations = [
        abs(value - median(group)) * math.sqrt(len(group) / (len(group) - 1))
        for group in groups
        if len(group) > 1
        for value in group
    ]
    return max(PRIOR_NOISE, _TO_DEVIATION * median(deviations)) if deviations else PRIOR_NOISE


def _without_outliers(values: Sequence[float], scale: float) -> Sequence[float]:
    if len(values) < 3:
        return values
    middle = median(values)
    return [value for value in values if abs(value - middle) <= OUTLIER * scale]
