"""When a confirmation has seen enough: looks at growing numbers of pairs, and the share of α that each may spend.

The intervals are repeated confidence intervals (Jennison and Turnbull, "Interim analyses: the repeated confidence
interval approach", Journal of the Royal Statistical Society B 51, 1989): all of them together hold with confidence
1 − α, so a confirmation may stop at any look for any reason. α is divided among the looks in advance (Bonferroni, which
needs nothing known of how the looks hang together), as a spending function does (Lan and DeMets, Biometrika 70, 1983).
The first three looks spend 15, 25 and 35 % of α, each later one half of what is left, however many may follow. So a
larger reserve, also one that is granted later, changes no earlier level, and the sum stays below α. The first look has
least because few pairs gain least by it: a t-quantile with four degrees of freedom hardly falls when its level rises.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from autotuner.contracts.result import Standing
from autotuner.contracts.search import Direction
from autotuner.scoring.evidence import Gain, paired_gain

ALPHA = 0.01
"""A gain is claimed at 1 % over all looks and finalists."""

FIRST_SHARES = (0.15, 0.25, 0.35)
"""Shares of α that the first looks spend; each later one spends half of what is left."""

HOPELESS = 0.01
"""A gain is out of reach when the chance that further pairs would still show it is less than this …"""
HOPE = 2.0
"""… if the true gain is so many standard errors above the measured one …"""
CALM = 0.05
"""… and the noise at the lower end of its interval, which errs with this probability."""


def next_look(pairs: int) -> int:
    """The number of pairs at the look after one at ``pairs``: two fifths more, one at least."""
    return max(pairs + 1, -(-7 * pairs // 5))


def look_of(pairs: int, least: int) -> int | None:
    """The number (from 0) of the look at which so many pairs are judged; None before the first one.

    Between two looks it is the later one, brought forward by the end of the reserve.
    """
    if pairs < least:
        return None
    number, at = 0, least
    while at < pairs:
        number, at = number + 1, next_look(at)
    return number


def last_look(pairs: int, least: int) -> int | None:
    """How many of the pairs there were at the last whole look; None before the first one."""
    if pairs < least:
        return None
    at = least
    while next_look(at) <= pairs:
        at = next_look(at)
    return at


def spent_at(look: int, alpha: float = ALPHA) -> float:
    """What a look (from 0) spends: its share, or half of what those before it have left."""
    if look < len(FIRST_SHARES):
        return alpha * FIRST_SHARES[look]
    return alpha * (1.0 - math.fsum(FIRST_SHARES)) / 2.0 ** (look - len(FIRST_SHARES) + 1)


def repeated_gain(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    direction: Direction,
    least: int,
    finalists: int = 1,
    alpha: float = ALPHA,
) -> Gain:
    """As ``paired_gain``, with an interval that holds at every look together with those of all finalists.

    With fewer pairs than ``least`` there is no look, so there is no interval.
    """
    look = look_of(len(baseline), least)
    gain = paired_gain(
        baseline,
        candidate,
        direction=direction,
        alpha=alpha if look is None else spent_at(look, alpha),
        finalists=finalists,
    )
    if look is None:
        return replace(gain, low=None, high=None, significant=False, confidence=1 - alpha)
    return replace(gain, confidence=1 - alpha)


def out_of_reach(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    direction: Direction,
    least: int,
    most: int,
    finalists: int = 1,
    alpha: float = ALPHA,
) -> bool:
    """Whether further pairs, up to ``most``, would hardly show a gain, from those at a look.

    That is the chance that any look that is left shows one (at most the sum over these looks), under kind assumptions.
    Going on for less is stochastic curtailment (Lan, Simon and Halperin, Sequential Analysis 1, 1982). Ending claims
    nothing, so it spends no α.
    """
    n = len(baseline)
    if n < max(least, 2) or n >= most:
        return False
    from scipy.special import chdtri, ndtr, stdtrit

    sign = -1.0 if direction == "minimize" else 1.0
    ratios = [sign * math.log(own / theirs) for theirs, own in zip(baseline, candidate, strict=True)]
    mean = math.fsum(ratios) / n
    spread = math.sqrt(math.fsum((ratio - mean) ** 2 for ratio in ratios) / (n - 1))
    if spread == 0:
        return mean <= 0
    hopeful = mean + HOPE * spread / math.sqrt(n)
    calm = spread * math.sqrt((n - 1) / float(chdtri(n - 1, CALM)))
    chance, at = 0.0, n
    while at < most:
        at = min(next_look(at), most)
        level = spent_at(look_of(at, least) or 0, alpha) / (2 * finalists)
        needed = float(stdtrit(at - 1, 1 - level)) * calm / math.sqrt(at)
        expected = (n * mean + (at - n) * hopeful) / at
        chance += float(ndtr((expected - needed) * at / (calm * math.sqrt(at - n))))
    return chance < HOPELESS


def standings(
    gains: Mapping[int, Gain | None], *, useful: float, hopeless: Collection[int] = ()
) -> dict[int, Standing]:
    """The standing of each finalist by number, from its gain at its last look (None: before its first).

    ``useful``: the least gain that would matter, relative. Once a gain is shown there is a winner, and a finalist that
    measured less need not show one of its own. ``hopeless``: those whose gain is out of reach. No claim hangs on them,
    so they spend no α.
    """
    best = max((gain.gain for gain in gains.values() if gain is not None and gain.significant), default=None)
    found: dict[int, Standing] = {}
    for number, gain in gains.items():
        if gain is None or gain.low is None or gain.high is None:
            found[number] = "open"
        elif gain.significant:
            found[number] = "gain"
        elif gain.high < 0:
            found[number] = "worse"
        elif gain.high < useful:
            found[number] = "no_useful_gain"
        elif best is not None and gain.gain < best:
            found[number] = "beaten"
        elif number in hopeless:
            found[number] = "out_of_reach"
        else:
            found[number] = "open"
    return found
