"""When a running window may end: its verdict is certain, or its figures are known well enough.

A window is looked at again and again, and each look is a chance to err. Looks come ever less often, each when a fifth
more time has gone by than at the one before. ``StopRules.error`` is split: half for the hard SLOs, evenly, half for the
comparison with the best; where there is only one kind, it has all. The n-th look of a test may err with a probability
of its share / (n (n + 1)), which adds up to its share over any number of looks (Bonferroni). A look at which a test has
too little to go by spends nothing.

*Which requests count.* Those that have ended first are the short ones, so a figure of them alone would be too good. A
threshold is held against the requests that were begun at least that long ago: each of them has kept it or has not. A
mean is taken over the requests in the order of their start, up to the first whose figure is not known yet.

*A percentile* p is above a limit when more than 1 - p of the requests are. Two bounds must agree: the binomial tail
(Clopper and Pearson 1934; the order statistic that it leaves is the value in the sentence), which is exact however few
requests there are, and batch means (``scoring.batch_means``), which heed that requests in flight together share their
fate. *A mean* is bounded by batch means.

*Worse than the best* is, for the total throughput, a comparison over the same tokens: requests come in the same order
in every start, so what they ask for drops out, which else is most of the difference between slices. The stated error
holds for slices of 0.25 s that are correlated by up to a half, that is, for a speed that wanders within 0.4 s.

*Precise enough* follows Chow and Robbins (1965): the half-width of the 95 % interval has come down to a given share of
the figure. Or the window is so long that its own error is small beside the noise from start to start, which is settled
before it begins (``scoring.window_length``), and each SLO is decided. Neither claims anything, so they spend no error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import fsum, sqrt
from typing import Literal

from autotuner.contracts.stopping import (
    EarlyStop,
    Pace,
    Precision,
    SloStake,
    StopFigure,
    StopKind,
    StopRules,
    ToBeat,
)
from autotuner.scoring.batch_means import Interval, batched, interval
from autotuner.scoring.slo import SloRule, percent
from autotuner.scoring.window_length import time_of

GROWTH = 1.2
"""Time from one look to the next, as a factor."""
FINE_GROWTH = 1.05
"""The same where nothing can err by looking: at whether a window that is long enough may end."""

MIN_BATCH_REQUESTS = 4
MIN_SLICES = 5
PRECISE_BATCHES = 8
"""The fewer the batches, the worse is what they say about their own spread."""
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

    def by_start(self) -> list[RequestSoFar]:
        """The requests in the order in which they were started."""
        return sorted(self.requests, key=lambda request: request.started)


class Looks:
    """The looks at one window, in order. ``planned_s``: its full length; ``min_requests``: of the document.

    Only a ``scored`` load point is held against the SLO and the best: the others decide nothing.
    """

    def __init__(self, rules: StopRules, *, planned_s: float, min_requests: int, scored: bool) -> None:
        self._rules = rules
        self._planned_s = planned_s
        self._min_requests = min_requests
        self._scored = scored
        self._due = rules.min_s
        self._precision = rules.precision if scored else None
        self._long_enough = max(rules.min_s, 0.0 if self._precision is None else self._precision.enough_s)
        self._allowance = _Allowance(rules)

    def due(self, elapsed_s: float) -> bool:
        """Whether it is time for another look."""
        return elapsed_s >= self._due or (self._precision is not None and elapsed_s >= self._long_enough)

    def look(self, so_far: SoFar) -> EarlyStop | None:
        """The reason to stop now; None to go on. Without effect before a look is due, or with too few requests."""
        if not self.due(so_far.elapsed_s) or len(so_far.requests) < self._rules.min_requests:
            return None
        found = self._by_itself(so_far) or self._beside_starts(so_far)
        if found is None:
            return None
        kind, why = found
        return EarlyStop(kind=kind, why=why, planned_s=self._full_length(so_far))

    def _by_itself(self, so_far: SoFar) -> tuple[StopKind, str] | None:
        """By what the window has shown, at the looks that come ever less often."""
        if so_far.elapsed_s < self._due:
            return None
        self._due = so_far.elapsed_s * GROWTH
        found = _certain(self._rules, so_far, self._allowance) if self._scored and self._rules.judged else None
        if found is None and self._has_its_requests(so_far):
            found = _precise(self._rules, so_far, scored=self._scored)
        return found

    def _beside_starts(self, so_far: SoFar) -> tuple[StopKind, str] | None:
        """By its length, which the noise of the task has settled before."""
        if self._precision is None or so_far.elapsed_s < self._long_enough or not self._has_its_requests(so_far):
            return None
        self._long_enough = so_far.elapsed_s * FINE_GROWTH
        return _beside_starts(self._rules, self._precision, so_far)

    def _has_its_requests(self, so_far: SoFar) -> bool:
        return so_far.ended >= max(self._min_requests, self._rules.min_requests)

    def _full_length(self, so_far: SoFar) -> float:
        """As planned, or as long as the requests asked for would have taken."""
        if not so_far.ended:
            return self._planned_s
        return max(self._planned_s, so_far.elapsed_s * self._min_requests / so_far.ended)


class _Allowance:
    """How much each test may still err."""

    def __init__(self, rules: StopRules) -> None:
        hard = sum(stake.hard_fail for stake in rules.slo)
        half = rules.error / 2 if hard and rules.to_beat is not None else rules.error
        self._of_slo, self._of_best = half / max(hard, 1), half
        self._looks: Counter[str] = Counter()

    def slo(self, stake: SloStake) -> float:
        """For the next look at a limit."""
        return self._of_slo / self._next(f"{stake.statistic} {stake.metric}")

    def best(self) -> float:
        """For the next comparison with the best."""
        return self._of_best / self._next("best")

    def _next(self, test: str) -> int:
        self._looks[test] += 1
        return self._looks[test] * (self._looks[test] + 1)


def rule_of(stake: SloStake) -> SloRule:
    """The rule that a stake stands for."""
    return SloRule.model_validate(stake.model_dump())


def _certain(rules: StopRules, so_far: SoFar, allowance: _Allowance) -> tuple[StopKind, str] | None:
    for stake in rules.slo:
        least = _above(stake, so_far, rules, allowance) if stake.hard_fail else None
        if least is not None:
            rule = rule_of(stake)
            ruled_out = f", ruled out from {rule.text(_limit(stake))}" if stake.fail_ratio else ""
            figures = f"{rule.label} at least {rule.text(least)}, limit {rule.text(stake.threshold)}{ruled_out}"
            return "slo_out_of_reach", f"the SLO is out of reach ({figures})"
    if rules.to_beat is None or so_far.ended < rules.min_requests:
        return None
    why = _worse(rules.to_beat, so_far, rules.margin, allowance)
    return None if why is None else ("certainly_worse", f"it is certainly worse than {rules.to_beat.who} ({why})")


# ---- a hard SLO out of reach


def _above(stake: SloStake, so_far: SoFar, rules: StopRules, allowance: _Allowance) -> float | None:
    """A value that the figure reaches for certain and that violates the limit; None when there is none."""
    if stake.metric != "error_rate" and stake.statistic == "mean":
        values = _known(stake.metric, so_far)
        means = batched(values, least=MIN_BATCH_REQUESTS) if len(values) >= rules.min_requests else None
        if means is None:
            return None
        low = interval(means, allowance.slo(stake)).low
        return low if low > _limit(stake) else None
    values, limit, share = _held_against(stake, so_far, _limit(stake))
    above = [float(value > limit) for value in values]
    means = batched(above, least=MIN_BATCH_REQUESTS) if len(values) >= rules.min_requests else None
    if means is None:
        return None
    from scipy.special import bdtrc, betaincinv

    n, k, alpha = len(above), round(fsum(above)), allowance.slo(stake)
    if not k or bdtrc(k - 1, n, share) > alpha or interval(means, alpha).low <= share:
        return None
    if stake.metric == "error_rate":
        return float(betaincinv(k, n - k + 1, alpha))
    fewest = next(number for number in range(1, k + 1) if bdtrc(number - 1, n, share) <= alpha)
    return sorted(values, reverse=True)[fewest - 1]


def _limit(stake: SloStake) -> float:
    return stake.threshold * (1 + stake.fail_ratio)


def _held_against(stake: SloStake, so_far: SoFar, limit: float) -> tuple[list[float], float, float]:
    """Values in the order of start, the limit of each, and the share of requests that may be above it."""
    if stake.metric == "error_rate":
        ends = [float(request.outcome == "error") for request in so_far.by_start() if request.outcome != "running"]
        return ends, 0.5, limit
    return _lower_bounds(stake.metric, so_far, limit), limit, 1 - float(f"0.{stake.statistic[1:]}")


def _value(metric: str, request: RequestSoFar) -> float | None:
    return request.ttft if metric == "ttft" else request.tpot if metric == "tpot" else request.e2e


def _known(metric: str, so_far: SoFar) -> list[float]:
    """The values of successful requests in the order of their start, up to the first that is not known yet."""
    values: list[float] = []
    for request in so_far.by_start():
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
    for request in so_far.by_start():
        age = so_far.elapsed_s - request.started
        if age <= limit:
            break
        value = _value(metric, request)
        if request.outcome == "running" or (request.outcome == "ok" and value is not None):
            values.append(age if value is None else value)
    return values


# ---- worse than the best


def _worse(best: ToBeat, so_far: SoFar, margin: float, allowance: _Allowance) -> str | None:
    """By how much, when it is so for certain."""
    if best.pace is not None and best.figure == "total_throughput":
        means = batched(_speeds(best.pace, so_far), batches=MIN_SLICES)
        most = None if means is None else interval(means, allowance.best()).high
        if most is None or most >= best.pace.share * (1 - margin):
            return None
        return f"at most {percent(most)} of its speed over the same tokens"
    means = _batches_of(best.figure, so_far, MIN_SLICES)
    if means is None:
        return None
    found, (name, unit) = interval(means, allowance.best()), _UNITS[best.figure]
    if best.figure in _THROUGHPUTS and found.high < best.value * (1 - margin):
        return f"{name} at most {found.high:.4g} {unit} against {best.value:.4g}"
    if best.figure not in _THROUGHPUTS and found.low > best.value * (1 + margin):
        return f"{name} at least {found.low:.4g} {unit} against {best.value:.4g}"
    return None


def _batches_of(figure: StopFigure, so_far: SoFar, batches: int) -> list[float] | None:
    if figure in _THROUGHPUTS:
        return batched(so_far.slices.get(figure, ()), batches=batches)
    return batched(_known(figure, so_far), least=MIN_BATCH_REQUESTS, batches=batches)


def _speeds(pace: Pace, so_far: SoFar) -> list[float]:
    """For each slice the time that the best took for the same tokens, as a share of the slice; as far as it is known.

    The mean of them is the time that it took for all of them, so it does not hang on how they are cut.
    """
    slices = so_far.slices.get("total_throughput", ())
    length = so_far.elapsed_s / len(slices) if slices else 0.0
    known = [0.0, *accumulate(pace.tokens)]
    done = [0.0, *accumulate(rate * length for rate in slices)]
    times = [time_of(tokens, known) * pace.slice_s for tokens in done if tokens <= known[-1]]
    return [(later - earlier) / length for earlier, later in pairwise(times)]


# ---- precise enough


def _precise(rules: StopRules, so_far: SoFar, *, scored: bool) -> tuple[StopKind, str] | None:
    """All figures of the score known well enough, and no SLO about to be decided."""
    words: list[str] = []
    for figure in rules.figures:
        means = _batches_of(figure, so_far, PRECISE_BATCHES)
        found = None if means is None else interval(means, PRECISE_ALPHA)
        if found is None or found.mean <= 0 or found.reach > rules.tolerance * found.mean:
            return None
        words.append(f"{_UNITS[figure][0]} to ± {100 * found.reach / found.mean:.1f} %")
    if not words or (scored and not all(_kept(stake, so_far, rules.tolerance) for stake in rules.slo)):
        return None
    return "precise_enough", f"its figures are known well enough ({', '.join(words)})"


def _kept(stake: SloStake, so_far: SoFar, tolerance: float) -> bool:
    """Whether an SLO will be met, as far as a 95 % interval can tell; a hard one's mean may be known well enough."""
    if stake.metric == "error_rate":
        return not _errors(so_far)  # at a limit of 1 % no window has requests enough for more
    if stake.statistic != "mean":
        return _side(stake, so_far, stake.threshold) == "below"
    found = _mean(stake, so_far)
    if found is None:
        return False
    return found.high <= stake.threshold or (stake.hard_fail and found.reach <= tolerance * found.mean)


def _beside_starts(rules: StopRules, precision: Precision, so_far: SoFar) -> tuple[StopKind, str] | None:
    """Long enough by the noise of the task, and each SLO decided."""
    if not all(_decided(stake, so_far, precision.error) for stake in rules.slo):
        return None
    error = precision.error * sqrt(precision.enough_s / so_far.elapsed_s)
    noise = f"its own error of {percent(error)} is small beside the {percent(precision.between)} from start to start"
    return "precise_enough", f"it is precise enough ({noise})"


def _decided(stake: SloStake, so_far: SoFar, error: float) -> bool:
    """Whether a 95 % interval tells on which side of its limits a figure is; a mean may have as small an error."""
    limits = (stake.threshold, _limit(stake)) if stake.hard_fail else (stake.threshold,)
    if stake.metric == "error_rate":
        return not _errors(so_far) or _side(stake, so_far, limits[-1]) == "above"
    if stake.statistic != "mean":
        return all(_side(stake, so_far, limit) is not None for limit in limits)
    found = _mean(stake, so_far)
    if found is None:
        return False
    return found.reach <= 2 * error * found.mean or all(found.high <= limit or found.low > limit for limit in limits)


def _mean(stake: SloStake, so_far: SoFar) -> Interval | None:
    means = batched(_known(stake.metric, so_far), least=MIN_BATCH_REQUESTS)
    return None if means is None else interval(means, PRECISE_ALPHA)


def _errors(so_far: SoFar) -> int:
    return sum(request.outcome == "error" for request in so_far.requests)


def _side(stake: SloStake, so_far: SoFar, limit: float) -> Literal["below", "above"] | None:
    """On which side of a limit a percentile or the error rate is, as far as a 95 % interval can tell."""
    values, bound, share = _held_against(stake, so_far, limit)
    above = [float(value > bound) for value in values]
    means = batched(above, least=MIN_BATCH_REQUESTS)
    if means is None:
        return None
    from scipy.special import bdtr, bdtrc

    k, n, found = round(fsum(above)), len(above), interval(means, PRECISE_ALPHA)
    if bdtr(k, n, share) <= PRECISE_ALPHA and found.high < share:
        return "below"
    return "above" if k and bdtrc(k - 1, n, share) <= PRECISE_ALPHA and found.low > share else None
