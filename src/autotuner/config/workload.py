"""From the document to what the client is told: load points, limits, and which load points are scored."""

from __future__ import annotations

from typing import Literal

from autotuner.config.document import TaskDocument
from autotuner.config.problems import nearest
from autotuner.config.scenario import parse_traffic
from autotuner.contracts.attempt import PhaseBudgets
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.workload import LoadPoint, MeasureLimits

DEFAULT_MAX_WINDOW_S = 120.0


def load_points(document: TaskDocument) -> tuple[LoadPoint, ...]:
    """Each scenario at each concurrency or request rate: the loads of the first scenario, then of the next."""
    benchmark = document.benchmark
    points: list[LoadPoint] = []
    for text in benchmark.traffic_scenarios:
        traffic = parse_traffic(text)
        points += [LoadPoint(traffic=traffic, concurrency=n) for n in benchmark.num_concurrency]
        points += [LoadPoint(traffic=traffic, request_rate=rate) for rate in benchmark.request_rates]
    return tuple(points)


def limits(document: TaskDocument) -> MeasureLimits:
    """When a measurement of one load point ends."""
    benchmark = document.benchmark
    window = benchmark.max_time_per_iteration
    longest = max(DEFAULT_MAX_WINDOW_S, window) if benchmark.max_window is None else benchmark.max_window
    return MeasureLimits(
        window_s=window,
        max_window_s=longest,
        min_requests=benchmark.min_requests,
        max_requests=benchmark.max_requests_per_iteration,
        warmup_requests=benchmark.warmup_requests,
        request_timeout_s=benchmark.request_timeout,
        max_errors=benchmark.max_errors,
        max_error_rate=benchmark.max_error_rate,
    )


def arrival(document: TaskDocument) -> Literal["closed", "constant", "poisson"]:
    """When requests start, with the default filled in."""
    given = document.benchmark.arrival
    if given is not None:
        return given
    return "poisson" if document.benchmark.request_rates else "closed"


def phase_budgets(document: TaskDocument) -> PhaseBudgets:
    """Limits per phase of one server start."""
    given = document.optimization.phase_budgets
    return PhaseBudgets(start_s=given.start, warm_up_s=given.warm_up, measure_s=given.measure, stop_s=given.stop)


def scored_points(document: TaskDocument) -> tuple[str, ...]:
    """Names of the load points that are scored: one load, in every scenario.

    The load is that of the point named by ``score_at``, else the last entry of num_concurrency or request_rates.
    AutotunerError(UNKNOWN_NAME) for a name that no load point has, UNSUPPORTED for ``max_load_meeting_slo``.
    """
    points = load_points(document)
    wanted = document.optimization.score_at
    scored = points[-1] if wanted is None else _named(wanted, points)
    return tuple(p.name for p in points if _load(p) == _load(scored))


def _load(point: LoadPoint) -> tuple[int | None, float | None]:
    return point.concurrency, point.request_rate


def _named(wanted: str, points: tuple[LoadPoint, ...]) -> LoadPoint:
    if wanted == "max_load_meeting_slo":
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "score_at cannot be max_load_meeting_slo",
            why="the search for the highest load that meets the SLO is not available in this version",
            remedy="Name a load point",
            place="optimization.score_at",
        )
    by_name = {point.name: point for point in points}
    found = by_name.get(_canonical(wanted))
    if found is None:
        meant = nearest(wanted, by_name)
        hint = f", {meant} perhaps" if meant else ""
        raise AutotunerError(
            ErrorCode.UNKNOWN_NAME,
            "score_at names no load point",
            why=f"{wanted!r:.80} is none of {', '.join(by_name)}",
            remedy=f"Write one of these names{hint}",
            place="optimization.score_at",
        )
    return found


def _canonical(name: str) -> str:
    scenario, at, load = "".join(name.split()).rpartition("@")
    try:
        return f"{parse_traffic(scenario).text}{at}{load}"
    except AutotunerError:
        return name
