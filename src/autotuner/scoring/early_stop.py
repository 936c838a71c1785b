"""When a running window may end: its verdict is certain, or its figures are known well enough.

A window is looked at again and again, and each look is a chance to err. Looks come ever less often, each when a fifth
more time has gone by than at the one before. The n-th look may err with a probability of ε / (n (n + 1)), split evenly
over what is tested; over any number of looks that adds up to ε at most (``StopRules.error``), by Bonferroni.

*Which requests count.* Those that have ended first are the short ones, so a figure of them alone would be too good. A
threshold is held against the requests that were begun at least that long ago: each of them has kept it or has not. A
mean is taken over the requests in the order of their start, up to the first whose figure is not known yet.

*A percentile* p is above a limit when more than 1 - p of the requests are. Two bounds must agree: the binomial tail
(Clopper and Pearson 1934; the order statistic that it leaves is the value in the sentence), which is exact however few
requests there are, and the interval over batches, which heeds that requests in flight together share their fate.

*A mean*, or a throughput, is bounded by batch means: successive batches, a t-interval over their means, widened by
(1 + r) / (1 - r) with r the batches' own correlation of lag one, where that is positive (Law, Simulation Modeling and
Analysis, section 9.5.3; the factor is that of an autoregressive process of the first order). An estimate of r from n
batches is too low by about 1 / n and has a standard error of 1 / √n; the first and half of the second are added. The
stated error then holds for throughputs whose slices of 0.25 s are correlated by up to 0.6, that is, whose speed wanders
within half a second or less.

*Precise enough* follows Chow and Robbins (1965): the half-width of the 95 % interval has come down to a given share of
the figure. Nothing is claimed by that, so it spends no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt
from typing import Literal

from autotuner.contracts.stopping import EarlyStop, SloStake, StopFigure, StopKind, StopRules
from autotuner.scoring.slo import SloRule

GROWTH = 1.2
"""Time from one look to the next, as a factor."""

MIN_BATCHES = 4
PRECISE_BATCHES = 8
"""The fewer the batches, the worse is what they say about their own spread."""
MOST_BATCHES = 16
MIN_BATCH_REQUESTS = 4
PRECISE_ALPHA = 0.025

_THROUGHPUTS: tuple[StopFigure, ...] = ("total_throughput", "output_throughput", "goodput")
_UNITS: dict[StopFigure, tuple[str, str]] = {
    "total_throughput": ("total throughput", "tokens/s"),
    "output_throughput": ("output throughput", "tokens/s"),
    "goodput": ("goodput", "requests/s"),
    "ttft": ("mean TTFT", "s"),
    "tpot": ("mean TPOT", "s"),
    "e2e": ("mean latency", "s"),
}


@dataclass(frozen=True)
class RequestSoFar:
    """A request that was started inside the window, as far as it has come. Seconds; ``started`` from the opening."""

    started: float
    ttft: float | None = None
    tpot: float | None = None
    e2e: float | None = None
    outcome: Literal["running", "ok", "error"] = "running"


@dataclass(frozen=True)
class SoFar:
    """A running window. ``slices``: by throughput, its value in successive slices of equal length from the opening."""

    elapsed_s: float
    requests: Sequence[RequestSoFar]
    slices: Mapping[StopFigure, Sequence[float]]

    @property
    def ended(self) -> int:
        """Requests of the window that have ended."""
        return sum(request.outcome != "running" for request in self.requests)


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


class Looks:
    """The looks at one window, in order. ``planned_s``: its full length; ``min_requests``: of the document."""

    def __init__(self, rules: StopRules, *, planned_s: float, min_requests: int, scored: bool) -> None:
        self._rules = rules
        self._planned_s = planned_s
        self._min_requests = min_requests
        self._scored = scored
        self._due = rules.min_s
        self._taken = 0

    def due(self, elapsed_s: float) -> bool:
        """Whether it is time for another look."""
        return elapsed_s >= self._due

    def look(self, so_far: SoFar) -> EarlyStop | None:
        """The reason to stop now; None to go on. Without effect before a look is due, or with too few requests.

        Only a scored load point is held against the SLO and the best: the others decide nothing.
        """
        if not self.due(so_far.elapsed_s) or len(so_far.requests) < self._rules.min_requests:
            return None
        self._taken += 1
        self._due = so_far.elapsed_s * GROWTH
        found = _certain(self._rules, so_far, self._taken) if self._scored else None
        if found is None and so_far.ended >= max(self._min_requests, self._rules.min_requests):
            found = _precise(self._rules, so_far, scored=self._scored)
        if found is None:
            return None
        kind, why = found
        return EarlyStop(kind=kind, why=why, planned_s=self._full_length(so_far))

    def _full_length(self, so_far: SoFar) -> float:
        """As planned, or as long as the requests asked for would have taken."""
        if not so_far.ended:
            return self._planned_s
        return max(self._planned_s, so_far.elapsed_s * self._min_requests / so_far.ended)


def _certain(rules: StopRules, so_far: SoFar, number: int) -> tuple[StopKind, str] | None:
    hard = [stake for stake in rules.slo if stake.hard_fail]
    tests = len(hard) + (rules.to_beat is not None)
    if not tests:
        return None
    alpha = rules.error / tests / (number * (number + 1))
    for stake in hard:
        least = _above(stake, so_far, alpha, rules.min_requests)
        if least is not None:
            rule = rule_of(stake)
            limit = stake.threshold * (1 + stake.fail_ratio)
            allowed = f", ruled out from {rule.text(limit)}" if stake.fail_ratio else ""
            figures = f"{rule.label} at least {rule.text(least)}, limit {rule.text(stake.threshold)}{allowed}"
            return "slo_out_of_reach", f"the SLO is out of reach ({figures})"
    return _worse(rules, so_far, alpha)


def _worse(rules: StopRules, so_far: SoFar, alpha: float) -> tuple[StopKind, str] | None:
    best = rules.to_beat
    if best is None or so_far.ended < rules.min_requests:
        return None
    found = _interval(best.figure, so_far, alpha)
    if found is None:
        return None
    name, unit = _UNITS[best.figure]
    if best.figure in _THROUGHPUTS:
        worse, bound = found.high < best.value * (1 - rules.margin), f"at most {found.high:.4g}"
    else:
        worse, bound = found.low > best.value * (1 + rules.margin), f"at least {found.low:.4g}"
    if not worse:
        return None
    return "certainly_worse", f"it is certainly worse than {best.who} ({name} {bound} {unit} against {best.value:.4g})"


def _precise(rules: StopRules, so_far: SoFar, *, scored: bool) -> tuple[StopKind, str] | None:
    """All figures of the score known well enough, and no SLO about to be decided."""
    if not rules.figures:
        return None
    shares: list[float] = []
    for figure in rules.figures:
        found = _interval(figure, so_far, PRECISE_ALPHA, PRECISE_BATCHES)
        if found is None or found.mean <= 0 or found.reach > rules.tolerance * found.mean:
            return None
        shares.append(found.reach / found.mean)
    if scored and not all(_kept(stake, so_far, rules) for stake in rules.slo):
        return None
    names = ", ".join(
        f"{_UNITS[figure][0]} to ± {100 * share:.1f} %" for figure, share in zip(rules.figures, shares, strict=True)
    )
    return "precise_enough", f"its figures are known well enough ({names})"


def _above(stake: SloStake, so_far: SoFar, alpha: float, min_requests: int) -> float | None:
    """A value that the figure reaches for certain and that violates the limit; None when there is none."""
    limit = stake.threshold * (1 + stake.fail_ratio)
    if stake.metric == "error_rate":
        ends = [float(r.outcome == "error") for r in _by_start(so_far) if r.outcome != "running"]
        if len(ends) < min_requests or not _share_above(ends, limit, alpha):
            return None
        return _least_share(len(ends), round(fsum(ends)), alpha)
    if stake.statistic == "mean":
        found = mean_interval(_known(stake.metric, so_far), alpha, min_values=min_requests)
        return found.low if found is not None and found.low > limit else None
    values = _lower_bounds(stake.metric, so_far, limit)
    share = 1 - _rank(stake.statistic)
    if len(values) < min_requests or not _share_above([float(value > limit) for value in values], share, alpha):
        return None
    from scipy.special import bdtrc

    ordered = sorted(values, reverse=True)
    fewest = next(k for k in range(1, len(values) + 1) if bdtrc(k - 1, len(values), share) <= alpha)
    return ordered[fewest - 1]


def _kept(stake: SloStake, so_far: SoFar, rules: StopRules) -> bool:
    """Whether an SLO will be met, as far as a 95 % interval can tell; a mean may instead be known well enough."""
    limit = stake.threshold
    if stake.metric == "error_rate":
        return not any(r.outcome == "error" for r in so_far.requests)
    if stake.statistic == "mean":
        found = mean_interval(_known(stake.metric, so_far), PRECISE_ALPHA)
        if found is None:
            return False
        return found.high <= limit or (stake.hard_fail and found.reach <= rules.tolerance * found.mean)
    values = _lower_bounds(stake.metric, so_far, limit)
    return bool(values) and _share_below(
        [float(value > limit) for value in values], 1 - _rank(stake.statistic), PRECISE_ALPHA
    )


def mean_interval(
    values: Sequence[float], alpha: float, *, min_batches: int = MIN_BATCHES, min_values: int = 0
) -> Interval | None:
    """The mean of correlated values in their order, and a bound on it to either side that errs with probability alpha.

    None for too few values. The values are put into at most 16 batches of equal size, at least 4 values each; a rest
    that fills no batch is left out at the beginning.
    """
    size = max(MIN_BATCH_REQUESTS, -(-len(values) // MOST_BATCHES))
    if len(values) < min_values or len(values) // size < min_batches:
        return None
    return batch_interval(_batches(values, size), alpha)


def batch_interval(means: Sequence[float], alpha: float) -> Interval:
    """The interval over batch means, two at least (see the module)."""
    from scipy.special import stdtrit

    n = len(means)
    mean = fsum(means) / n
    squares = fsum((value - mean) ** 2 for value in means)
    if squares == 0:
        return Interval(mean, 0.0)
    lag_one = fsum((a - mean) * (b - mean) for a, b in pairwise(means)) / squares
    r = min(max(lag_one + 1 / n + 0.5 / sqrt(n), 0.0), 0.9)
    error = sqrt(squares / (n - 1) / n * (1 + r) / (1 - r))
    return Interval(mean, float(stdtrit(n - 1, 1 - alpha)) * error)


def rule_of(stake: SloStake) -> SloRule:
    """The rule that a stake stands for."""
    return SloRule.model_validate(stake.model_dump())


def _interval(figure: StopFigure, so_far: SoFar, alpha: float, min_batches: int = MIN_BATCHES) -> Interval | None:
    if figure in _THROUGHPUTS:
        rates = so_far.slices.get(figure, ())
        size = max(1, -(-len(rates) // MOST_BATCHES))
        return batch_interval(_batches(rates, size), alpha) if len(rates) // size >= min_batches else None
    metric = "latency" if figure == "e2e" else figure
    return mean_interval(_known(metric, so_far), alpha, min_batches=min_batches)


def _batches(values: Sequence[float], size: int) -> list[float]:
    first = len(values) % size
    return [fsum(values[begin : begin + size]) / size for begin in range(first, len(values), size)]


def _by_start(so_far: SoFar) -> list[RequestSoFar]:
    return sorted(so_far.requests, key=lambda request: request.started)


def _value(metric: str, request: RequestSoFar) -> float | None:
    return request.ttft if metric == "ttft" else request.tpot if metric == "tpot" else request.e2e


def _known(metric: str, so_far: SoFar) -> list[float]:
    """The values of successful requests in the order of their start, up to the first that is not known yet."""
    values: list[float] = []
    for request in _by_start(so_far):
        value = _value(metric, request)
        if request.outcome == "running" and value is None:
            break
        if request.outcome != "error" and value is not None:
            values.append(value)
    return values


def _lower_bounds(metric: str, so_far: SoFar, limit: float) -> list[float]:
    """What each request's value is at least, in the order of their start, where it is known whether it keeps a limit.

    Of a request that still waits, that is its age. TPOT is known at the end only, so it is treated like a mean's.
    """
    if metric == "tpot":
        return _known(metric, so_far)
    values: list[float] = []
    for request in _by_start(so_far):
        age = so_far.elapsed_s - request.started
        if age <= limit:
            break
        value = _value(metric, request)
        if request.outcome == "error" or (request.outcome == "ok" and value is None):
            continue
        values.append(age if value is None else value)
    return values


def _rank(statistic: str) -> float:
    return float(f"0.{statistic[1:]}")


def _share_above(indicators: Sequence[float], share: float, alpha: float) -> bool:
    """Whether more than a share of all requests is like those marked with 1, by both bounds."""
    from scipy.special import bdtrc

    n, k = len(indicators), round(fsum(indicators))
    if not k or float(bdtrc(k - 1, n, share)) > alpha:
        return False
    found = mean_interval(indicators, alpha)
    return found is not None and found.low > share


def _share_below(indicators: Sequence[float], share: float, alpha: float) -> bool:
    from scipy.special import bdtr

    n, k = len(indicators), round(fsum(indicators))
    if float(bdtr(k, n, share)) > alpha:
        return False
    found = mean_interval(indicators, alpha)
    return found is not None and found.high < share


def _least_share(n: int, k: int, alpha: float) -> float:
    """The lower Clopper-Pearson bound of k in n."""
    from scipy.special import betaincinv

    return float(betaincinv(k, n - k + 1, alpha)) if k else 0.0
