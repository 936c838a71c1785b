"""How long a window must be: until its own error is small beside the noise from start to start.

What a start measures errs for two reasons. Starts of one configuration differ: a variance b². And the speed wanders
while a window is open, which averages out: a variance of w² / t after t seconds. b and w are shares of the figure. A
window is long enough when both of these hold.

*Cost.* A start costs s seconds beside its window. Many starts together tell most for their time when each window lasts
√(s w²) / b (two-stage sampling; Cochran, Sampling Techniques, third edition 1977, chapter 10). So the dearer a start,
the more is made of it: the window's own error is then b √(t / s).

*Worth.* Starts are few, so a shorter window must tell nearly as much as a whole one of T seconds:
b² + w² / t ≤ (b² + w² / T) / 0.8. In a long T this allows an own error of b / 2.

Both follow from windows before this one. So its length does not hang on what it measures, and cannot bias it.

*w* is taken from pairs of windows that got through the same tokens, so what requests ask for drops out, which is the
same in every start. The ratios of their speeds in the first half of these and in the second differ by chance: the
variance of the difference of their logarithms is w² times the sum of 1 / t over the four halves. Halves are the
longest batches there are; what hangs together over less than a second or so stays within one. No window is made
shorter than half of its length, since nothing is known of shorter ones.

*b* is the pooled spread of the confirmation's starts without what their windows' own errors make of it, together with a
prior that counts as four degrees of freedom.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import fsum, log, sqrt

from autotuner.contracts.stopping import Precision
from autotuner.scoring.evidence import pooled_noise

WORTH = 0.8
"""A start whose window was ended tells at least so much of what a whole one does (ratio of variances)."""

LEAST_SHARE = 0.5
"""No window is made shorter than this share of its length."""

PRIOR_BETWEEN = 0.03
"""Noise from start to start before anything was started twice.

On three recordings of real starts it was 3, 11 and 15 %. The least is taken: the smaller it is, the longer are windows.
"""

PRIOR_FREEDOM = 4

MIN_PAIRS = 4
"""With fewer pairs of windows nothing is said of w."""

MIN_SLICES = 4
"""A half of fewer slices is mostly the error of how tokens are cut into slices."""


@dataclass(frozen=True)
class Course:
    """How a window went: the tokens that came in each of successive slices of ``slice_s`` seconds."""

    configuration: int
    slice_s: float
    tokens: tuple[float, ...]


def time_of(tokens: float, sums: Sequence[float]) -> float:
    """After how many slices so many tokens were through, by the sums before the first and after each."""
    right = min(max(bisect_left(sums, tokens), 1), len(sums) - 1)
    gained = sums[right] - sums[right - 1]
    return right - 1 + ((tokens - sums[right - 1]) / gained if gained > 0 else 1.0)


def within(courses: Iterable[Course]) -> float | None:
    """w², seconds, from successive windows: those of one configuration, or of any where these are too few; else None.

    Pairs of different configurations say a little too much, since these are not slower by the same share all along.
    """
    long = [course for course in courses if len(course.tokens) >= 2 * MIN_SLICES]
    of_each: dict[int, list[Course]] = {}
    for course in long:
        of_each.setdefault(course.configuration, []).append(course)
    same = [pair for own in of_each.values() for pair in pairwise(own)]
    for pairs in (same, list(pairwise(long))):
        found = [value for one, other in pairs if (value := _of_pair(one, other)) is not None]
        if len(found) >= MIN_PAIRS:
            return fsum(found) / len(found)
    return None


def between(starts: Sequence[Sequence[float]], own: float) -> float:
    """b, from the figures of the starts of each configuration; ``own``: mean variance that their windows add."""
    noise, freedom = pooled_noise(starts), sum(len(figures) - 1 for figures in starts if figures)
    squares = 0.0 if noise is None else freedom * (noise**2 - own)
    return sqrt(max((PRIOR_FREEDOM * PRIOR_BETWEEN**2 + squares) / (PRIOR_FREEDOM + freedom), 0.0))


def precision(
    within: float, between: float, *, whole_s: float, repeats: int = 1, start_s: float = 0.0, least_s: float = 0.0
) -> Precision | None:
    """When a window of ``whole_s`` seconds is precise enough; None when all of it is needed.

    ``within`` is w², ``between`` is b, ``start_s`` is s; ``repeats``: windows of each start;
    ``least_s``: no window is shorter than this.
    """
    if between <= 0:
        return None
    own = within / repeats
    by_cost = sqrt(start_s * within) / (between * repeats)
    by_worth = own / (between**2 * (1 / WORTH - 1) + own / (WORTH * whole_s))
    enough = max(LEAST_SHARE * whole_s, by_cost, by_worth, least_s)
    if enough >= whole_s:
        return None
    return Precision(enough_s=enough, error=sqrt(own / enough), between=between)


def _of_pair(one: Course, other: Course) -> float | None:
    """w² as this pair has it; None when they have too little in common."""
    sums = [[0.0, *accumulate(course.tokens)] for course in (one, other)]
    common = min(sums[0][-1], sums[1][-1])
    if common <= 0:
        return None
    halves: list[tuple[float, float]] = []
    for course, own in zip((one, other), sums, strict=True):
        middle, end = time_of(common / 2, own), time_of(common, own)
        if min(middle, end - middle) < MIN_SLICES - 1e-9:
            return None
        halves.append((middle * course.slice_s, (end - middle) * course.slice_s))
    (first, second), (first_other, second_other) = halves
    difference = log(first / first_other) - log(second / second_other)
    return difference**2 / (1 / first + 1 / second + 1 / first_other + 1 / second_other)
