"""Is the gain real: paired starts, a t-interval on log ratios, the noise of the set-up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import Direction
from autotuner.contracts.values import digest

_NEGLIGIBLE = 1e-9
"""A gain within rounding of nothing is not claimed, however small the noise."""


@dataclass(frozen=True)
class Gain:
    """A candidate compared with the baseline over paired starts.

    Fields: ``ratio``, candidate / baseline (geometric mean of pairs); ``gain``, the same as improvement relative to the
    baseline (0.1: 10 % better; of a minimised score the reduction); ``low`` and ``high``, its confidence interval (None
    with fewer than two pairs); ``confidence`` of all finalists' intervals together; ``pairs``; ``significant``: the
    whole interval is above zero; ``noise``, as of ``pooled_noise``.
    """

    ratio: float
    gain: float
    low: float | None
    high: float | None
    confidence: float
    pairs: int
    significant: bool
    noise: float | None

    @property
    def vague(self) -> bool:
        """Whether there are too few starts to tell: no interval, or one wider than 100 % that holds no gain."""
        return self.low is None or self.high is None or (not self.significant and self.high - self.low > 1)


def paired_gain(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    direction: Direction,
    alpha: float = 0.01,
    finalists: int = 1,
) -> Gain:
    """Compare the i-th start of the candidate with the i-th of the baseline.

    Two-sided t-interval on the log ratios at 1 − alpha / finalists (Bonferroni). The pairs must not be those that chose
    the candidate. AutotunerError(NO_RESULT) for a value that is not a positive number; ValueError for no pairs, unequal
    lengths, or alpha or finalists out of range.
    """
    if len(baseline) != len(candidate) or not baseline:
        raise ValueError(f"{len(baseline)} starts of the baseline and {len(candidate)} of the candidate are no pairs")
    if not 0 < alpha < 1 or finalists < 1:
        raise ValueError("alpha is in (0, 1) and there is at least one finalist")
    base_logs, logs = _logs(baseline), _logs(candidate)
    ratios = [c - b for b, c in zip(base_logs, logs, strict=True)]
    n, mean = len(ratios), math.fsum(ratios) / len(ratios)
    low: float | None = None
    high: float | None = None
    if n >= 2:
        from scipy.special import stdtrit

        error = math.sqrt(_squares(ratios) / (n - 1) / n)
        reach = float(stdtrit(n - 1, 1 - alpha / (2 * finalists))) * error
        low, high = sorted((_gain(mean - reach, direction), _gain(mean + reach, direction)))
    return Gain(
        ratio=math.exp(mean),
        gain=_gain(mean, direction),
        low=low,
        high=high,
        confidence=1 - alpha,
        pairs=n,
        significant=low is not None and low > _NEGLIGIBLE,
        noise=pooled_noise([baseline, candidate]),
    )


def pooled_noise(groups: Sequence[Sequence[float]]) -> float | None:
    """Noise of the set-up: standard deviation of the log score over starts of one configuration, pooled over groups.

    ``groups``: positive scores of the starts of each configuration. 0.02 reads as "starts of the same configuration
    differ by about 2 %". None when no configuration was started twice.
    """
    freedom = sum(len(group) - 1 for group in groups if group)
    if freedom < 1:
        return None
    return math.sqrt(math.fsum(_squares(_logs(group)) for group in groups if group) / freedom)


def confirmation_order(names: Sequence[str], rounds: int, seed: int) -> list[list[str]]:
    """In which order to start the finalists and the baseline in each round of paired starts.

    Each round has every name once. Rounds rotate through an order drawn from the seed, so that over as many rounds as
    there are names each has every position once; then a new order is drawn. Drift of the machine thus falls on all of
    them alike. The first rounds do not change when there are more.
    """
    if len(set(names)) < len(names):
        raise ValueError("a name is given twice")
    order: list[list[str]] = []
    for number in range(rounds):
        block, turn = divmod(number, max(1, len(names)))
        drawn = sorted(names, key=lambda name: digest([seed, block, name]))
        order.append(drawn[turn:] + drawn[:turn])
    return order


def _logs(values: Sequence[float]) -> list[float]:
    for value in values:
        if not (math.isfinite(value) and value > 0):
            raise AutotunerError(
                ErrorCode.NO_RESULT,
                f"a score of {value} cannot be compared",
                why="gains are ratios of positive scores",
                remedy="leave that start out, together with the one it is paired with, or measure both again",
            )
    return [math.log(value) for value in values]


def _squares(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _gain(log_ratio: float, direction: Direction) -> float:
    # The interval of two very noisy pairs may be too wide for a float.
    if direction == "minimize":
        return -math.expm1(min(log_ratio, 700.0))
    return math.expm1(min(log_ratio, 700.0))
