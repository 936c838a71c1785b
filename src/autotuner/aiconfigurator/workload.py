"""The load and the limits of an imported task: what is sent, how long is measured, what must be kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autotuner.aiconfigurator.content import Content, Placement, Role, Server

LIMITED: Mapping[Role, tuple[str, ...]] = {
    "agg": ("ttft", "tpot", "request_latency"),
    "prefill": ("ttft",),
    "decode": ("tpot",),
}
"""Role → the figures that its servers decide."""

SLO = {"ttft": "ttft", "tpot": "tpot", "request_latency": "latency"}

USUAL_WINDOW_S, USUAL_TIMEOUT_S, USUAL_MEASURE_S = 20, 60, 1800
PROBE_WINDOW_S, PROBE_MAX_WINDOW_S, PROBES = 4, 30, 25
"""Defaults of the document that are too short for long requests."""

LONGEST_S = 3600
"""A predicted request that takes longer says nothing of how long to measure."""

HIGHEST_LOAD = 512
"""Requests in flight, the most that aiconfigurator's own search looks at for one rank."""

MOST_IN_FLIGHT = 100_000
"""A load may not be more."""


def slo(content: Content, role: Role) -> dict[str, Any]:
    """The block slo: the limits on what servers of a role decide, seconds."""
    return {
        SLO[name]: {"threshold": rounded(content.targets[name] / 1000)}
        for name in LIMITED[role]
        if name in content.targets
    }


def rounded(value: float) -> float:
    """Without what the change of units adds in the last digits."""
    return float(f"{value:.12g}")


def fill_in(
    content: Content, server: Server, placement: Placement, document: dict[str, Any], remarks: list[str]
) -> None:
    """Fill in ``benchmark`` and the time for measuring of a document that has its SLO already."""
    benchmark: dict[str, Any] = document["benchmark"]
    traffic = _traffic(content, server.role)
    if traffic is None:
        remarks.append("the file names no lengths of prompts and answers; set benchmark.traffic_scenarios")
    else:
        benchmark["traffic_scenarios"] = [traffic]
    request_s = _request_s(content, server.role)
    if content.searches and document["slo"]:
        benchmark |= {"profile": "search", "load_search": {"highest": HIGHEST_LOAD}}
        window = _at_least(PROBE_WINDOW_S, request_s)
        benchmark |= _above(max_time_per_iteration=(window, PROBE_WINDOW_S))
        benchmark |= _above(max_window=(max(PROBE_MAX_WINDOW_S, 4 * window), PROBE_MAX_WINDOW_S))
        measure = 2 * PROBES * window
    else:
        _levels(server, placement, benchmark, remarks)
        window = _at_least(USUAL_WINDOW_S, 3 * request_s)
        benchmark |= _above(max_time_per_iteration=(window, USUAL_WINDOW_S))
        measure = 2 * window * max(1, len(benchmark.get("num_concurrency", (1, 4))))
    benchmark |= _above(request_timeout=(_at_least(USUAL_TIMEOUT_S, 5 * request_s), USUAL_TIMEOUT_S))
    if measure > USUAL_MEASURE_S:
        document["optimization"]["phase_budgets"] = {"measure": float(measure)}


def _traffic(content: Content, role: Role) -> str | None:
    if content.isl is None or content.osl is None:
        return None
    answer = 1 if role == "prefill" else content.osl
    if content.prefix and content.prefix < content.isl:
        return f"P({content.prefix},{content.isl - content.prefix})/{answer}"
    return f"D({content.isl},{answer})"


def _request_s(content: Content, role: Role) -> float:
    """How long one request takes, by the predictions, else by the limits; 0 where nothing tells."""
    for figures in (content.predicted, content.targets):
        if role != "prefill" and "request_latency" in figures:
            seconds = figures["request_latency"] / 1000
        elif "ttft" in figures and "tpot" in figures:
            answer = 0 if role == "prefill" else (content.osl or 1) - 1
            seconds = (figures["ttft"] + figures["tpot"] * answer) / 1000
        else:
            continue
        return seconds if seconds <= LONGEST_S else 0.0
    return 0.0


def _levels(server: Server, placement: Placement, benchmark: dict[str, Any], remarks: list[str]) -> None:
    """The load for which the figures are predicted."""
    if server.batch is None:
        remarks.append("the file names no load; set benchmark.num_concurrency")
        return
    load = min(server.batch * placement.dp * placement.pp, MOST_IN_FLIGHT)
    even = load % placement.gpus == 0
    benchmark["num_concurrency"] = [load // placement.gpus if even else load]
    # Configurations of other sizes, such as the baseline, get as much on each GPU.
    benchmark["load_per"] = "gpu" if even else "server"


def _at_least(usual: int, seconds: float) -> int:
    return max(usual, math.ceil(seconds))


def _above(**wanted: tuple[int, int]) -> dict[str, float]:
    """What is above its default."""
    return {key: float(value) for key, (value, usual) in wanted.items() if value > usual}
