"""SLO rules: the penalty, the boundary between soft and hard, reading the document's block."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.scoring.figures import Missing
from autotuner.scoring.slo import (
    DEFAULT_ERROR_RATE,
    MAX_EXCESS,
    SloResult,
    SloRule,
    SloSet,
    judge_rule,
    judge_slo,
    meets_for_load,
    penalty,
    percent,
    request_limits,
    slo_set,
)

seconds = st.floats(1e-3, 1e3)
weights = st.floats(0.0, 10.0)
steepnesses = st.floats(0.01, 2.0)


def rule(threshold: float = 1.0, **fields: Any) -> SloRule:
    return SloRule.model_validate({"metric": "ttft", "threshold": threshold, **fields})


def results(metrics: dict[str, Any], slo: SloSet) -> dict[str, SloResult]:
    judged = judge_slo([metrics], slo)
    assert not isinstance(judged, Missing)
    return {result.rule.figure: result for result in judged}


def test_the_penalty_is_the_formula() -> None:
    result = judge_rule(rule(weight=2.0), 1.1, 0.1)
    assert result.excess == pytest.approx(0.1)
    assert result.penalty == pytest.approx(2.0 * (math.e - 1))
    assert judge_rule(rule(), 1e9, 0.1).penalty == pytest.approx(math.exp(20) - 1)


@given(threshold=seconds, weight=weights, steepness=steepnesses)
def test_the_penalty_is_continuous_at_the_threshold(threshold: float, weight: float, steepness: float) -> None:
    assert judge_rule(rule(threshold, weight=weight), threshold, steepness).penalty == 0
    just_above = judge_rule(rule(threshold, weight=weight), threshold * (1 + 1e-9), steepness)
    assert 0 <= just_above.penalty <= weight * 1e-6


@given(threshold=seconds, weight=weights, steepness=steepnesses, a=seconds, b=seconds, hard=st.booleans())
def test_the_penalty_grows_with_the_violation(
    threshold: float, weight: float, steepness: float, a: float, b: float, hard: bool
) -> None:
    limit = rule(threshold, weight=weight, hard_fail=hard)
    less, more = (judge_rule(limit, value, steepness) for value in sorted((a, b)))
    assert 0 <= less.penalty <= more.penalty
    assert less.margin <= more.margin
    assert less.violated <= more.violated


@given(threshold=st.integers(1, 5000), percents=st.integers(1, 300))
def test_exactly_at_the_fail_ratio_is_a_violation(threshold: int, percents: int) -> None:
    limit, ratio = threshold / 1000, percents / 100
    hard = rule(limit, hard_fail=True, fail_ratio=ratio)
    assert judge_rule(hard, limit * (1 + ratio), 0.1).violated
    assert not judge_rule(hard, limit * (1 + ratio - 1e-6), 0.1).violated
    assert not judge_rule(rule(limit, fail_ratio=ratio), limit * (1 + ratio), 0.1).violated


@given(threshold=st.one_of(st.just(0.0), seconds), actual=st.one_of(st.just(0.0), seconds), ratio=st.floats(0, 2))
def test_the_margin_is_positive_exactly_when_violated(threshold: float, actual: float, ratio: float) -> None:
    result = judge_rule(rule(threshold, hard_fail=True, fail_ratio=ratio), actual, 0.1)
    assert (result.margin > 0) == result.violated
    assert math.isfinite(result.margin)
    assert result.met == (actual <= threshold)
    assert (result.reason is None) == result.met


@given(threshold=seconds, actual=seconds, ratio=st.floats(0, 2), scale=st.sampled_from([1e-6, 1e-3, 60.0, 1e3]))
def test_the_unit_does_not_matter(threshold: float, actual: float, ratio: float, scale: float) -> None:
    r = (actual - threshold) / threshold
    assume(all(abs(r - edge) > 1e-6 for edge in (0.0, ratio, 0.2)))
    plain = judge_rule(rule(threshold, hard_fail=True, fail_ratio=ratio), actual, 0.1)
    scaled = judge_rule(rule(threshold * scale, hard_fail=True, fail_ratio=ratio), actual * scale, 0.1)
    assert (plain.met, plain.violated, plain.severity) == (scaled.met, scaled.violated, scaled.severity)
    assert scaled.penalty == pytest.approx(plain.penalty, rel=1e-6)
    assert scaled.margin == pytest.approx(plain.margin, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("actual", "severity"), [(1.0, None), (1.01, "minor"), (1.19, "minor"), (1.2, "severe"), (9.0, "severe")]
)
def test_severity(actual: float, severity: str | None) -> None:
    assert judge_rule(rule(), actual, 0.1).severity == severity


def test_a_threshold_of_zero_allows_nothing() -> None:
    none_allowed = slo_set({"error_rate": {"threshold": 0}})
    assert results({"error_rate": 0.0}, none_allowed)["error_rate"].met
    result = results({"error_rate": 0.001}, none_allowed)["error_rate"]
    assert result.violated
    assert result.severity == "severe"
    assert result.excess == MAX_EXCESS
    assert result.penalty == penalty(math.inf, 1.0, 0.1)
    assert result.margin == 0.001
    assert result.reason == "error rate is 0.1 %, but the limit is zero"


@pytest.mark.parametrize(
    ("metrics", "rate"),
    [
        ({"error_rate": 0.25}, 0.25),
        ({"success_rate": 0.99}, 0.01),
        ({"total_requests": 200, "total_completed_requests": 198}, 0.01),
        ({"error_rate": None, "success_rate": 1.0}, 0.0),
    ],
)
def test_the_error_rate_is_found(metrics: dict[str, Any], rate: float) -> None:
    assert results(metrics, SloSet())["error_rate"].actual == rate


def test_one_percent_of_errors_is_allowed_and_more_is_a_violation() -> None:
    assert results({"success_rate": 99 / 100}, SloSet())["error_rate"].met
    over = results({"success_rate": 0.989}, SloSet())["error_rate"]
    assert over.violated
    assert over.severity == "minor"
    assert over.reason == "error rate is 1.1 %, 10 % above the limit of 1 %"


@given(bad=st.sampled_from([None, math.nan, math.inf, -0.1, "absent"]), second=st.booleans())
def test_missing_figures_are_named(bad: object, second: bool) -> None:
    slo = slo_set({"ttft": {"p90": {"threshold": 1.0}}, "tpot": {"threshold": 0.1}})
    good = {"p90_ttft": 0.5, "mean_tpot": 0.05, "error_rate": 0.0}
    broken: dict[str, object] = {key: value for key, value in good.items() if key != "p90_ttft"}
    if bad != "absent":
        broken["p90_ttft"] = bad
    metrics: dict[str, Any] = {**good, "scenarios": [good, broken]} if second else broken
    assert judge_slo([metrics], slo) == Missing(("p90_ttft",))
    assert judge_slo([good, broken], slo) == Missing(("p90_ttft",))
    assert judge_slo([{}], slo) == Missing(("p90_ttft", "mean_tpot", "error_rate"))
    assert judge_slo([{**good, "scenarios": [good, "nonsense"]}], slo) != judge_slo([good], slo)


def test_the_worst_scenario_and_start_decide() -> None:
    slo = slo_set({"ttft": {"threshold": 1.0}})
    first = {
        "mean_ttft": 0.1,
        "error_rate": 0.0,
        "scenarios": [{"mean_ttft": v, "error_rate": 0.0} for v in (0.1, 2.0)],
    }
    second = {"mean_ttft": 0.1, "error_rate": 0.5}
    judged = judge_slo([second, first], slo)
    assert not isinstance(judged, Missing)
    ttft, errors = judged
    assert (ttft.actual, ttft.start, ttft.scenario) == (2.0, 1, 1)
    assert (errors.actual, errors.start, errors.scenario) == (0.5, 0, 0)


def test_the_block_is_read() -> None:
    slo = slo_set(
        {
            "ttft": {"threshold": 1.0, "weight": 2.0, "hard_fail": None, "mean": None},
            "tpot": {"mean": {"threshold": 0.05}, "p90": {"threshold": 0.1, "hard_fail": True}, "p99": None},
            "latency": {"p90": {"threshold": 5.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.2}},
            "error_rate": None,
            "steepness": 0.2,
        }
    )
    assert slo.steepness == 0.2
    assert [r.figure for r in slo.rules] == ["mean_ttft", "mean_tpot", "p90_tpot", "p90_e2e_latency", "error_rate"]
    assert slo.rules[0] == rule(1.0, weight=2.0)
    assert (slo.rules[0].hard_fail, slo.rules[0].fail_ratio) == (False, 0.5)
    assert slo.rules[3].fail_ratio == 0.2
    assert slo.rules[4] == DEFAULT_ERROR_RATE
    assert request_limits(slo) == {"ttft": 1.0, "tpot": 0.1, "e2e": 5.0}


def test_the_highest_percentile_makes_a_request_good() -> None:
    slo = slo_set({"latency": {s: {"threshold": t} for s, t in (("p999", 9), ("p99", 7), ("mean", 1), ("p50", 2))}})
    assert request_limits(slo) == {"e2e": 9.0}


@pytest.mark.parametrize("block", [None, {}, {"error_rate": {}}])
def test_errors_are_limited_without_a_block(block: dict[str, Any] | None) -> None:
    assert slo_set(block) == SloSet()
    assert SloSet().rules == (DEFAULT_ERROR_RATE,)


@pytest.mark.parametrize(
    ("block", "place", "code"),
    [
        ({"tttf": {"threshold": 1}}, "slo.tttf", ErrorCode.UNKNOWN_KEY),
        ({"ttft": {"p42": {"threshold": 1}}}, "slo.ttft.p42", ErrorCode.UNKNOWN_KEY),
        ({"ttft": {"p90": {"weight": 1}}}, "slo.ttft.p90", ErrorCode.INVALID_VALUE),
        ({"ttft": {"threshold": -1}}, "slo.ttft", ErrorCode.INVALID_VALUE),
        ({"ttft": {"threshold": math.nan}}, "slo.ttft", ErrorCode.INVALID_VALUE),
        ({"ttft": {"threshold": 1, "p90": {"threshold": 2}}}, "slo.ttft", ErrorCode.INVALID_VALUE),
        ({"ttft": 1.0}, "slo.ttft", ErrorCode.INVALID_VALUE),
        ({"error_rate": {"statistic": "p90"}}, "slo.error_rate", ErrorCode.INVALID_VALUE),
        ({"steepness": 0}, "slo.steepness", ErrorCode.INVALID_VALUE),
    ],
)
def test_an_unreadable_block_is_refused_with_its_place(block: dict[str, Any], place: str, code: ErrorCode) -> None:
    with pytest.raises(AutotunerError) as caught:
        slo_set(block)
    assert (caught.value.place, caught.value.code) == (place, code)


def test_two_limits_on_a_figure_are_refused() -> None:
    with pytest.raises(ValueError, match="two limits"):
        SloSet(rules=(rule(), rule(2.0), DEFAULT_ERROR_RATE))
    with pytest.raises(ValueError, match="no limit"):
        SloSet(rules=(rule(),))


def test_what_a_load_must_meet() -> None:
    soft = {"ttft": {"threshold": 1.0}}
    mixed = {**soft, "tpot": {"threshold": 0.1, "hard_fail": True, "fail_ratio": 0.5}}

    def ok(block: dict[str, Any], **metrics: float) -> bool:
        figures = {"mean_ttft": 0.5, "mean_tpot": 0.05, "error_rate": 0.0, **metrics}
        return meets_for_load(tuple(results(figures, slo_set(block)).values()))

    assert ok(soft)
    assert not ok(soft, mean_ttft=1.01)
    assert ok(mixed, mean_ttft=1.01)
    assert not ok(mixed, mean_tpot=0.101)
    assert not ok(mixed, error_rate=0.02)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.12, "12 %"),
        (1.5, "150 %"),
        (0.015, "1.5 %"),
        (0.01, "1 %"),
        (0.0, "0 %"),
        (-0.034, "−3.4 %"),
        (4e-4, "0.040 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text
