"""What a start need not measure any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.stopping import EarlyStop, SloStake, StopRules
from autotuner.contracts.workload import LoadPoint, Workload
from autotuner.scoring.pruning import ahead
from conformance.fake_parts import load_point, make_job, measurement

P90 = SloStake(metric="ttft", statistic="p90", threshold=0.2, hard_fail=True, fail_ratio=0.5)
ERRORS = SloStake(metric="error_rate", statistic="mean", threshold=0.01, hard_fail=True)
SOFT = SloStake(metric="tpot", statistic="mean", threshold=0.001)


def traffic(name: str, concurrency: int) -> LoadPoint:
    point = load_point(concurrency)
    return point.model_copy(update={"traffic": point.traffic.model_copy(update={"text": name})})


def job(
    folder: Path, points: list[LoadPoint], scored: tuple[str, ...], *, repeats: int = 1, **rules: Any
) -> AttemptJob:
    return make_job(
        folder,
        workload=Workload(load_points=tuple(points), repeats=repeats),
        first=scored,
        stop=StopRules(**{"slo": (P90, ERRORS), "scored": scored, **rules}),
    )


def taken(points: list[LoadPoint], **figures: float) -> list[Measurement]:
    return [measurement(point, **figures) for point in points]  # type: ignore[arg-type]


def test_scored_load_points_come_first_and_the_rest_in_order(tmp_path: Path) -> None:
    points = [load_point(n) for n in (1, 2, 4, 8)]
    work = job(tmp_path, points, ("D(10,10)@4",), repeats=2)
    names = [name for name, _ in ahead(work, []).left]
    assert names == [f"D(10,10)@{n}" for n in (4, 4, 1, 1, 2, 2, 8, 8)]
    assert [(point.name, repeat) for point, repeat in work.remaining()] == list(ahead(work, []).left)


def test_without_rules_everything_is_measured(tmp_path: Path) -> None:
    points = [load_point(n) for n in (1, 2)]
    work = make_job(tmp_path, workload=Workload(load_points=tuple(points)))
    found = ahead(work, taken(points[:1], ttft=9.0))
    assert (found.left, found.pruned, found.skipped) == (((points[1].name, 0),), None, {})


@pytest.mark.parametrize(
    ("ttft", "kept", "pruned"), [(0.1, True, False), (0.25, False, False), (0.25, True, True), (0.4, False, True)]
)
def test_a_miss_at_the_scored_load_ends_it(tmp_path: Path, ttft: float, kept: bool, pruned: bool) -> None:
    points = [load_point(n) for n in (1, 2)]
    work = job(tmp_path, points, (points[1].name,), load_kept=kept)
    found = ahead(work, taken(points[1:], ttft=ttft))
    assert (found.pruned is not None) == pruned
    assert found.left == (() if pruned else ((points[0].name, 0),))
    if found.pruned is not None:
        assert found.pruned.startswith("it misses its SLO at D(10,10)@2 (p90 TTFT is ")


def test_all_repeats_are_waited_for(tmp_path: Path) -> None:
    points = [load_point(n) for n in (1, 2)]
    work = job(tmp_path, points, (points[1].name,), repeats=2)
    assert ahead(work, taken(points[1:], ttft=9.0)).pruned is None
    both = [measurement(points[1], repeat=repeat, ttft=9.0) for repeat in (0, 1)]
    assert ahead(work, both).pruned is not None


def test_a_start_that_was_measured_to_its_end_is_not_pruned(tmp_path: Path) -> None:
    point = load_point(2)
    found = ahead(job(tmp_path, [point], (point.name,)), taken([point], ttft=9.0))
    assert (found.left, found.pruned) == ((), None)


def test_the_worst_scenario_decides_and_a_mere_miss_waits_for_the_others(tmp_path: Path) -> None:
    points = [traffic("A", 1), traffic("A", 2), traffic("B", 1), traffic("B", 2)]
    scored = (points[1].name, points[3].name)
    work = job(tmp_path, points, scored, load_kept=True)
    assert ahead(work, taken([points[1]], ttft=0.4)).pruned is not None
    assert ahead(work, taken([points[1]], ttft=0.25)).pruned is None
    assert ahead(work, [*taken([points[1]], ttft=0.25), *taken([points[3]], ttft=0.1)]).pruned is not None


def test_soft_limits_count_where_no_latency_has_a_hard_one(tmp_path: Path) -> None:
    points = [load_point(n) for n in (1, 2)]
    scored = (points[1].name,)
    assert (
        ahead(job(tmp_path, points, scored, load_kept=True, slo=(SOFT, ERRORS)), taken(points[1:])).pruned is not None
    )
    assert (
        ahead(job(tmp_path, points, scored, load_kept=True, slo=(SOFT, P90, ERRORS)), taken(points[1:])).pruned is None
    )


def test_a_window_that_its_verdict_ended_ends_all_of_it_and_a_precise_one_does_not(tmp_path: Path) -> None:
    points = [load_point(n) for n in (1, 2)]
    work = job(tmp_path, points, (points[1].name,))
    (found,) = taken(points[1:])
    cut = EarlyStop(kind="certainly_worse", why="it is worse", planned_s=5.0)
    precise = cut.model_copy(update={"kind": "precise_enough"})
    assert ahead(work, [found.model_copy(update={"early_stop": cut})]).pruned == "it is worse"
    assert ahead(work, [found.model_copy(update={"early_stop": precise})]).pruned is None


@pytest.mark.parametrize(
    ("throughput", "ttft", "skipped"), [(101.0, 0.2, True), (150.0, 0.2, False), (101.0, 0.11, False)]
)
def test_loads_above_a_saturated_one_are_left_out(
    tmp_path: Path, throughput: float, ttft: float, skipped: bool
) -> None:
    points = [load_point(n) for n in (1, 2, 4, 8)]
    work = job(tmp_path, points, (points[0].name,), slo=(ERRORS,))
    found = ahead(
        work,
        [measurement(points[0], throughput=100.0, ttft=0.1), measurement(points[1], throughput=throughput, ttft=ttft)],
    )
    assert list(found.skipped) == ([points[2].name, points[3].name] if skipped else [])
    assert found.left == (() if skipped else ((points[2].name, 0), (points[3].name, 0)))


def test_rates_above_one_that_is_not_served_are_left_out(tmp_path: Path) -> None:
    points = [load_point(1).model_copy(update={"concurrency": None, "request_rate": rate}) for rate in (1.0, 2.0, 4.0)]
    work = job(tmp_path, points, (points[0].name,), slo=(ERRORS,))
    (first, second) = taken(points[:2])
    behind = second.model_copy(update={"load_not_sustained": True})
    assert ahead(work, [first, second]).left == ((points[2].name, 0),)
    found = ahead(work, [first, behind])
    assert (found.left, list(found.skipped)) == ((), [points[2].name])
