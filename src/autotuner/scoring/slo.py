"""Service level objectives: rules, how far a figure misses them, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.scoring.figures import Missing, figure, scenarios_of

LoadMetric = Literal["ttft", "tpot", "latency", "error_rate"]
SloMetric = Literal["ttft", "tpot", "latency", "error_rate", "answer_difference", "logprob_distance"]
Statistic = Literal["mean", "p001", "p01", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p999"]
Severity = Literal["minor", "severe"]

MAX_EXPONENT = 20.0
"""r / steepness beyond this costs no more: exp(20) ≈ 5·10⁸ orders anything, and nothing overflows."""
MAX_EXCESS = 1e6
"""Largest r; also that of any figure above a threshold of zero, so that verdicts stay finite (and JSON)."""
SEVERE = 0.2
"""r from which a violation is severe."""
_TOLERANCE = 1e-9
"""(1.2 − 1) / 1 is 0.19999999999999996: "exactly at the ratio" needs room for rounding."""
_SUFFIX: dict[SloMetric, str] = {"ttft": "ttft", "tpot": "tpot", "latency": "e2e_latency"}
_LABELS: dict[SloMetric, str] = {
    "ttft": "TTFT",
    "tpot": "TPOT",
    "latency": "latency",
    "error_rate": "error rate",
    "answer_difference": "share of answers unlike the baseline's",
    "logprob_distance": "distance of log-probabilities to the baseline's",
}
_UNITS: dict[SloMetric, str] = {"error_rate": "share", "answer_difference": "share", "logprob_distance": "nats"}
"""Of what is no time."""


class SloRule(Frozen):
    """One limit. Thresholds in seconds; of error_rate and answer_difference shares, of logprob_distance nats.

    The last two are never of a document's block: the quality guard adds them.
    """

    metric: SloMetric
    statistic: Statistic = Field("mean", description="what is no time has one figure only, called mean")
    threshold: float = Field(ge=0, allow_inf_nan=False)
    weight: float = Field(1.0, ge=0, allow_inf_nan=False, description="of its penalty")
    hard_fail: bool = Field(False, description="a miss of at least fail_ratio makes a configuration ineligible")
    fail_ratio: float = Field(0.5, ge=0, le=MAX_EXCESS, description="of (actual - threshold) / threshold")

    @model_validator(mode="after")
    def _one_error_rate(self) -> Self:
        if self.metric in _UNITS and self.statistic != "mean":
            raise ValueError("it has no percentiles")
        return self

    @property
    def figure(self) -> str:
        """Name of the aggregated metric it limits, such as p90_ttft; identifies the rule in its set."""
        return self.metric if self.metric in _UNITS else f"{self.statistic}_{_SUFFIX[self.metric]}"

    @property
    def label(self) -> str:
        """For people: ``p90 TTFT``."""
        return _LABELS[self.metric] if self.metric in _UNITS else f"{self.statistic} {_LABELS[self.metric]}"

    @property
    def unit(self) -> str:
        """Of its thresholds: s, share or nats."""
        return _UNITS.get(self.metric, "s")

    @property
    def load_metric(self) -> LoadMetric | None:
        """The metric, of a load; None: it limits what is answered, which no load changes."""
        return None if self.metric == "answer_difference" or self.metric == "logprob_distance" else self.metric

    @property
    def of_answers(self) -> bool:
        """Whether it limits what is answered; else how fast and how surely."""
        return self.load_metric is None

    def text(self, value: float) -> str:
        """A value of its metric with its unit."""
        return percent(value) if self.unit == "share" else f"{value:.4g} {self.unit}"


DEFAULT_ERROR_RATE = SloRule(metric="error_rate", threshold=0.01, hard_fail=True, fail_ratio=0.0)


class SloSet(Frozen):
    """All limits of a task; the error rate always has one."""

    rules: tuple[SloRule, ...] = (DEFAULT_ERROR_RATE,)
    steepness: float = Field(0.1, gt=0, allow_inf_nan=False, description="r that multiplies a penalty by e")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        figures = [rule.figure for rule in self.rules]
        if len(set(figures)) < len(figures):
            raise ValueError("a figure has two limits")
        if "error_rate" not in figures:
            raise ValueError("the error rate has no limit")
        return self


class SloResult(Frozen):
    """A rule held against the worst figure over scenarios and starts."""

    rule: SloRule
    actual: float
    scenario: int = Field(0, description="index of the scenario with the worst figure")
    start: int = Field(0, description="index of the start with the worst figure")
    excess: float = Field(description="r = (actual - threshold) / threshold; 0 when met, at most 10⁶")
    penalty: float = Field(description="weight × (exp(min(r / steepness, 20)) - 1); 0 when met")
    met: bool = Field(description="actual ≤ threshold")
    violated: bool = Field(description="hard_fail and r ≥ fail_ratio: ineligible to win")
    severity: Severity | None = Field(None, description="of a miss: minor below 20 %, else severe")
    reason: str | None = Field(None, description="the miss in words")

    @property
    def margin(self) -> float:
        """(actual - limit) / limit with limit = threshold × (1 + fail_ratio): > 0 exactly when violated.

        Where the limit is zero, no ratio exists: the margin is the figure itself.
        """
        limit = self.rule.threshold * (1 + self.rule.fail_ratio)
        margin = min((self.actual - limit) / limit, MAX_EXCESS) if limit > 0 else self.actual
        return max(margin, _TOLERANCE) if self.violated else min(margin, 0.0)


def excess(actual: float, threshold: float) -> float:
    """r = (actual − threshold) / threshold when exceeded, else 0; at most 10⁶, which a zero threshold gives at once."""
    if actual <= threshold:
        return 0.0
    return min((actual - threshold) / threshold, MAX_EXCESS) if threshold > 0 else MAX_EXCESS


def penalty(r: float, weight: float, steepness: float) -> float:
    """weight × (exp(min(r / steepness, 20)) − 1): 0 at the threshold and continuous there."""
    return weight * math.expm1(min(r / steepness, MAX_EXPONENT))


def percent(share: float) -> str:
    """A share in words: ``12 %``, ``1.5 %``."""
    digits = 0 if abs(share) >= 0.0995 else 1 if abs(share) >= 0.00095 or not share else 3
    rounded = round(100 * share, digits) + 0.0  # no negative zero
    return f"{rounded:.{digits}f}".replace("-", "−").removesuffix(".0") + " %"


def judge_rule(rule: SloRule, actual: float, steepness: float, *, scenario: int = 0, start: int = 0) -> SloResult:
    """One rule held against one figure."""
    r = excess(actual, rule.threshold)
    met = actual <= rule.threshold
    return SloResult(
        rule=rule,
        actual=actual,
        scenario=scenario,
        start=start,
        excess=r,
        penalty=penalty(r, rule.weight, steepness),
        met=met,
        violated=rule.hard_fail and not met and _reaches(r, rule.fail_ratio),
        severity=None if met else "severe" if _reaches(r, SEVERE) else "minor",
        reason=None if met else _reason(rule, actual, r),
    )


def judge_slo(starts: Sequence[Mapping[str, Any]], slo: SloSet) -> tuple[SloResult, ...] | Missing:
    """Every rule held against the worst case over all starts and their scenarios.

    ``starts``: aggregated metrics of each start of one configuration, at least one. ``Missing`` when any of them lacks
    a figure that has a limit. Of the figures of answers those that are there are judged: who adds such a limit says
    what becomes of a configuration without them.
    """
    flats = [(s, c, flat) for s, metrics in enumerate(starts) for c, flat in enumerate(scenarios_of(metrics))]
    if not flats:
        raise ValueError("no start to judge")
    results: list[SloResult] = []
    missing: list[str] = []
    for rule in slo.rules:
        found = [(value, s, c) for s, c, flat in flats if (value := figure(flat, rule.figure)) is not None]
        if len(found) < len(flats) and not (rule.of_answers and found):
            missing += [] if rule.of_answers else [rule.figure]
            continue
        worst = max(value for value, _, _ in found)
        actual, start, scenario = next(entry for entry in found if entry[0] == worst)
        results.append(judge_rule(rule, actual, slo.steepness, scenario=scenario, start=start))
    return Missing(tuple(missing)) if missing else tuple(results)


def counts_for_load(rule: SloRule, rules: Sequence[SloRule]) -> bool:
    """Whether a load must meet this one of a task's rules to count as low enough.

    Every rule with hard_fail counts; where no latency rule has it, every rule. (The error rate has a hard limit in
    every task; that alone does not make soft latency limits irrelevant. Those on answers have nothing to do with load.)
    """
    if rule.of_answers:
        return False
    return rule.hard_fail or not any(other.hard_fail for other in rules if other.unit == "s")


def meets_for_load(results: Sequence[SloResult]) -> bool:
    """Is the load low enough: load search, max_load_meeting_slo and the incumbent probe ask this.

    Every rule that ``counts_for_load`` must be met.
    """
    rules = [result.rule for result in results]
    return all(result.met for result in results if counts_for_load(result.rule, rules))


def asked_percentiles(slo: SloSet) -> dict[str, set[str]]:
    """The percentiles that limits are on: field of ``Measurement`` → names such as p90."""
    asked: dict[str, set[str]] = {}
    for rule in slo.rules:
        if rule.unit == "s" and rule.statistic != "mean":
            asked.setdefault("e2e" if rule.metric == "latency" else rule.metric, set()).add(rule.statistic)
    return asked


def request_limits(slo: SloSet) -> dict[str, float]:
    """Limits (ttft, tpot, e2e; seconds) that make one request good, for goodput.

    Per metric the threshold of the highest percentile given, else that of the mean.
    """
    limits: dict[str, float] = {}
    ranks: dict[str, float] = {}
    for rule in slo.rules:
        if rule.unit != "s":
            continue
        rank = -1.0 if rule.statistic == "mean" else float(f"0.{rule.statistic[1:]}")
        name = "e2e" if rule.metric == "latency" else rule.metric
        if name not in ranks or rank > ranks[name]:
            limits[name], ranks[name] = rule.threshold, rank
    return limits


def slo_set(block: Mapping[str, Any] | None) -> SloSet:
    """The limits that a task document's ``slo`` block sets; None fields are not given.

    ttft, tpot, latency: ``{threshold, weight, hard_fail, fail_ratio}`` of the mean, or ``{mean: {…}, p90: {…}}``;
    error_rate: one such rule, 1 %, hard, fail_ratio 0 unless said otherwise; steepness. AutotunerError for anything
    that it cannot read.
    """
    given = _given(block or {}, "slo")
    rules: list[SloRule] = []
    metrics: tuple[SloMetric, ...] = ("ttft", "tpot", "latency")
    unknown = sorted(set(given) - {*metrics, "error_rate", "steepness"})
    if unknown:
        raise _unknown(unknown[0], f"slo.{unknown[0]}", (*metrics, "error_rate", "steepness"))
    for metric in metrics:
        if metric not in given:
            continue
        entry = _given(given[metric], f"slo.{metric}")
        if "threshold" in entry:
            rules.append(_rule({"metric": metric, **entry}, f"slo.{metric}"))
            continue
        for statistic, fields in entry.items():
            place = f"slo.{metric}.{statistic}"
            if statistic not in get_args(Statistic):
                raise _unknown(statistic, place, ("threshold", *get_args(Statistic)))
            rules.append(_rule({"metric": metric, "statistic": statistic, **_given(fields, place)}, place))
    error_rate = _given(given.get("error_rate", {}), "slo.error_rate")
    rules.append(_rule({**DEFAULT_ERROR_RATE.model_dump(), **error_rate}, "slo.error_rate"))
    try:
        return SloSet.model_validate({"rules": rules, "steepness": given.get("steepness", 0.1)})
    except ValidationError as error:
        raise _invalid(error, "slo.steepness") from error


def _reaches(r: float, ratio: float) -> bool:
    return r >= ratio or math.isclose(r, ratio, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _reason(rule: SloRule, actual: float, r: float) -> str:
    if rule.threshold == 0:
        return f"{rule.label} is {rule.text(actual)}, but the limit is zero"
    return f"{rule.label} is {rule.text(actual)}, {percent(r)} above the limit of {rule.text(rule.threshold)}"


def _given(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{place} is not a mapping",
            why=f"got {value!r}",
            remedy="write it as {threshold: …}",
            place=place,
        )
    return {str(key): entry for key, entry in value.items() if entry is not None}


def _rule(fields: Mapping[str, Any], place: str) -> SloRule:
    try:
        return SloRule.model_validate(dict(fields))
    except ValidationError as error:
        raise _invalid(error, place) from error


def _unknown(key: str, place: str, known: Sequence[str]) -> AutotunerError:
    return AutotunerError(
        ErrorCode.UNKNOWN_KEY,
        f"unknown key {key!r}",
        why=f"known here are {', '.join(known)}",
        remedy="correct its spelling",
        place=place,
    )


def _invalid(error: ValidationError, place: str) -> AutotunerError:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        f"{place} is not usable",
        why=f"{path}: {first['msg']}" if path else first["msg"],
        remedy="a rule has threshold ≥ 0, weight ≥ 0, hard_fail and fail_ratio ≥ 0; steepness is above 0",
        place=place,
    )
