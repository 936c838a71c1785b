"""From the document to what the client is told: load points, limits, and which load points are scored."""

from __future__ import annotations

from autotuner.config.benchmark import Benchmark
from autotuner.config.document import TaskDocument
from autotuner.config.problems import nearest
from autotuner.config.scenario import parse_traffic
from autotuner.contracts.attempt import PhaseBudgets
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.workload import SWEEP_STEPS, Arrival, LoadPoint, MeasureLimits, Traffic

DEFAULT_MAX_WINDOW_S = 120.0
AS_MANY_AS_IT_TAKES = 256
"""Requests in flight of the profiles throughput and sweep, unless max_concurrency says otherwise."""


def load_points(document: TaskDocument) -> tuple[LoadPoint, ...]:
    """The loads of the first scenario, then of the next."""
    points: list[LoadPoint] = []
    for text in document.benchmark.traffic_scenarios:
        points += _points(parse_traffic(text), document.benchmark)
    return tuple(points)


def _points(traffic: Traffic, benchmark: Benchmark) -> list[LoadPoint]:
    alone = LoadPoint(traffic=traffic, concurrency=1)
    crowded = LoadPoint(traffic=traffic, concurrency=benchmark.max_concurrency or AS_MANY_AS_IT_TAKES)
    match benchmark.profile:
        case "synchronous":
            return [alone]
        case "throughput":
            return [crowded]
        case "sweep":
            steps = [LoadPoint(traffic=traffic, sweep_step=step) for step in range(1, SWEEP_STEPS + 1)]
            return [alone, crowded, *steps]
        case "levels":
            speeds = benchmark.dataset.replay_speed if benchmark.dataset is not None else ()
            return [
                *(LoadPoint(traffic=traffic, concurrency=n) for n in benchmark.num_concurrency),
                *(LoadPoint(traffic=traffic, request_rate=rate) for rate in benchmark.request_rates),
                *(LoadPoint(traffic=traffic, replay_speed=speed) for speed in speeds),
            ]


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


def arrival(document: TaskDocument) -> Arrival:
    """When requests start, with the default filled in."""
    given = document.benchmark.arrival
    if given is not None:
        return given
    return "poisson" if document.benchmark.request_rates or document.benchmark.profile == "sweep" else "closed"


def phase_budgets(document: TaskDocument) -> PhaseBudgets:
    """Limits per phase of one server start."""
    given = document.optimization.phase_budgets
    return PhaseBudgets(start_s=given.start, warm_up_s=given.warm_up, measure_s=given.measure, stop_s=given.stop)


def scored_points(document: TaskDocument) -> tuple[str, ...]:
    """Names of the load points that are scored: one load, in every scenario.

    The load is that of the point named by ``score_at``, else the last entry of num_concurrency, request_rates or
    replay_speed; of a sweep the one with as many requests as the server takes. AutotunerError(UNKNOWN_NAME) for a name
    that no load point has, CONTRADICTION for a step of a sweep, UNSUPPORTED for ``max_load_meeting_slo``.
    """
    points = load_points(document)
    wanted = document.optimization.score_at
    # The rates of a sweep follow from what each configuration can do, so no two would be scored at the same load.
    scored = [p for p in points if p.sweep_step is None][-1] if wanted is None else _named(wanted, points)
    if scored.sweep_step is not None:
        same = [p.name for p in points if p.sweep_step is None]
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "score_at names a step of a sweep",
            why=f"the rate of {scored.name} differs between configurations, so their scores could not be compared",
            remedy=f"Score at {' or '.join(same)}",
            place="optimization.score_at",
        )
    return tuple(p.name for p in points if _load(p) == _load(scored))


def _load(point: LoadPoint) -> tuple[int | None, float | None, float | None]:
    return point.concurrency, point.request_rate, point.replay_speed


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
