"""Bounds on the mean of values that are correlated in their order: batch means.

Successive values are put into batches; a t-interval over the batches' means, widened by (1 + r) / (1 - r) with r their
own correlation of lag one, where that is positive (Law, Simulation Modeling and Analysis, section 9.5.3; the factor is
that of an autoregressive process of the first order). An estimate of r from n batches is too low by about 1 / n and has
a standard error of 1 / √n; both are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt

MIN_BATCHES = 4
MOST_BATCHES = 16
MOST_CORRELATION = 0.9


@dataclass(frozen=True)
class Interval:
    """A mean and how far its interval reaches to either side."""

    mean: float
    reach: float

    @property
    def low(self) -> float:
        """Lower end."""
        return self.mean - self.reach

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + self.reach


def batched(values: Sequence[float], *, least: int = 1, batches: int = MIN_BATCHES) -> list[float] | None:
    """Means of at most 16 batches of equal size, of ``least`` values or more; None for fewer than so many ``batches``.

    A rest that fills no batch is left out at the beginning.
    """
    size = max(least, -(-len(values) // MOST_BATCHES))
    if len(values) // size < batches:
        return None
    first = len(values) % size
    return [fsum(values[begin : begin + size]) / size for begin in range(first, len(values), size)]


def interval(means: Sequence[float], alpha: float) -> Interval:
    """The interval over the means of batches, two at least; either end of it errs with probability ``alpha``."""
    n = len(means)
    mean = fsum(means) / n
    squares = fsum((value - mean) ** 2 for value in means)
    if squares == 0:
        return Interval(mean, 0.0)
    from scipy.special import stdtrit

    lag_one = fsum((a - mean) * (b - mean) for a, b in pairwise(means)) / squares
    r = min(max(lag_one + 1 / n + 1 / sqrt(n), 0.0), MOST_CORRELATION)
    error = sqrt(squares / (n - 1) / n * (1 + r) / (1 - r))
    return Interval(mean, float(stdtrit(n - 1, 1 - alpha)) * error)
