"""From the document to what the client is told: load points, limits, and which load points are scored."""

from __future__ import annotations

from autotuner.config.benchmark import Benchmark, LoadSearchBlock
from autotuner.config.document import TaskDocument
from autotuner.config.problems import nearest
from autotuner.config.scenario import parse_traffic
from autotuner.contracts.attempt import PhaseBudgets
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.load_search import MAX_LOAD, LoadKind, LoadSearch
from autotuner.contracts.workload import SWEEP_STEPS, Arrival, LoadPoint, MeasureLimits, Traffic, point_at

DEFAULT_MAX_WINDOW_S = 120.0
PROBE_MAX_WINDOW_S = 30.0
"""The longest window of a probe for a load, unless the document says otherwise."""

LEAST_REQUESTS = 10
"""Requests of a probe, at least. A percentile takes as many as make one request lie beyond it."""

LOWEST = {"concurrency": 1.0, "request_rate": 0.1}
HIGHEST = {"concurrency": 256.0, "request_rate": 1000.0}
FIRST = {"concurrency": 4.0, "request_rate": 1.0}
"""Where a search for a load looks, and where it begins, unless the document says otherwise."""

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
        case "search":
            search = _search(benchmark)
            return [point_at(traffic, search.by, load) for load in (search.lowest, search.highest)]
        case "levels":
            speeds = benchmark.dataset.replay_speed if benchmark.dataset is not None else ()
            return [
                *(LoadPoint(traffic=traffic, concurrency=n) for n in benchmark.num_concurrency),
                *(LoadPoint(traffic=traffic, request_rate=rate) for rate in benchmark.request_rates),
                *(LoadPoint(traffic=traffic, replay_speed=speed) for speed in speeds),
            ]


def load_search(document: TaskDocument) -> LoadSearch | None:
    """Where the profile search looks for the highest load; None for another profile."""
    return _search(document.benchmark) if document.benchmark.profile == "search" else None


def _search(benchmark: Benchmark) -> LoadSearch:
    given = benchmark.load_search or LoadSearchBlock()
    by: LoadKind = "concurrency" if benchmark.arrival in (None, "closed") else "request_rate"
    lowest = LOWEST[by] if given.lowest is None else given.lowest
    highest = max(HIGHEST[by], 2 * lowest) if given.highest is None else given.highest
    start = min(max(FIRST[by], lowest), highest) if given.start is None else given.start
    return LoadSearch(
        by=by,
        lowest=lowest,
        highest=highest,
        start=start,
        probes=given.probes,
        confirm_probes=given.confirm_probes,
        tolerance=given.tolerance,
    )


def _least_requests(document: TaskDocument) -> int:
    benchmark = document.benchmark
    if benchmark.profile != "search":
        return benchmark.min_requests
    targets = (document.slo.ttft, document.slo.tpot, document.slo.latency)
    named = [name for target in targets if target is not None for name in target.given() if name != "mean"]
    needed = [round(1 / (1 - float(f"0.{name[1:]}"))) for name in named]
    least = max([LEAST_REQUESTS, benchmark.min_requests, *needed])
    return min(least, benchmark.max_requests_per_iteration or least)


def limits(document: TaskDocument) -> MeasureLimits:
    """When a measurement of one load point ends."""
    benchmark = document.benchmark
    window = benchmark.max_time_per_iteration
    usual = PROBE_MAX_WINDOW_S if benchmark.profile == "search" else DEFAULT_MAX_WINDOW_S
    longest = max(usual, window) if benchmark.max_window is None else benchmark.max_window
    return MeasureLimits(
        window_s=window,
        max_window_s=longest,
        min_requests=_least_requests(document),
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
    replay_speed; of a sweep the one with as many requests as the server takes; of a search the one that it finds, named
    ``…@max_load_meeting_slo``. AutotunerError(UNKNOWN_NAME) for a name
    that no load point has, CONTRADICTION for a step of a sweep, and where only one of search and
    ``max_load_meeting_slo`` is asked for.
    """
    points = load_points(document)
    wanted = document.optimization.score_at
    if document.benchmark.profile == "search":
        return (_of_the_search(points, wanted),)
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


def _of_the_search(points: tuple[LoadPoint, ...], wanted: str | None) -> str:
    if wanted not in (None, MAX_LOAD):
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "score_at names a load and the profile is search",
            why="a search measures other loads for each configuration",
            remedy=f"Leave score_at out, which means {MAX_LOAD}, or set benchmark.profile: levels",
            place="optimization.score_at",
        )
    return f"{points[0].traffic.text}@{MAX_LOAD}"


def _load(point: LoadPoint) -> tuple[int | None, float | None, float | None]:
    return point.concurrency, point.request_rate, point.replay_speed


def _named(wanted: str, points: tuple[LoadPoint, ...]) -> LoadPoint:
    if wanted == MAX_LOAD:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            f"score_at is {MAX_LOAD} and the profile is not search",
            why="only a search finds the highest load that meets the SLO",
            remedy="Set benchmark.profile: search, or name a load point",
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
