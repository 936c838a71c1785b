"""What contradicts a search for the highest load that meets the SLO."""

from __future__ import annotations

from collections.abc import Iterator

from autotuner.config.document import TaskDocument
from autotuner.config.problems import Problem
from autotuner.config.workload import load_search
from autotuner.contracts.errors import ErrorCode

AT_THE_LIMIT = frozenset({"minimize_latency", "minimize_ttft", "minimize_tpot", "balanced"})
"""Objectives made of latencies, which are at their limit wherever the load is the highest that meets it."""


def search_contradictions(document: TaskDocument) -> Iterator[Problem]:
    """Everything that keeps a task from searching the load; nothing for a task that does not want to."""
    benchmark = document.benchmark
    if benchmark.profile != "search":
        if benchmark.load_search is not None:
            yield _problem(
                "benchmark.load_search",
                f"it is for the profile search, and the profile is {benchmark.profile}",
                "Set profile: search, or leave it out",
            )
        return
    if len(benchmark.traffic_scenarios) > 1:
        yield _problem(
            "benchmark.traffic_scenarios",
            f"the profile search looks for one load, and there are {len(benchmark.traffic_scenarios)} scenarios",
            "Write them as one load, such as 0.5*D(64,64)+0.5*D(600,16), or make a task of each",
        )
    if benchmark.repeats > 1:
        yield _problem(
            "benchmark.repeats",
            "the profile search repeats a measurement where that tells it something",
            "Leave repeats out; benchmark.load_search.probes limits them all",
        )
    latencies = (document.slo.ttft, document.slo.tpot, document.slo.latency)
    if not any(targets is not None and targets.given() for targets in latencies):
        yield _problem(
            "slo",
            "the profile search looks for the highest load that meets the SLO, and there is no limit on a latency",
            "Set one, such as slo.ttft.threshold: 1.0",
        )
    wrong = [name for name in document.optimization.objectives if name in AT_THE_LIMIT]
    if wrong:
        yield _problem(
            "optimization.objective",
            f"at the highest load that meets the SLO latencies are at their limit, so {wrong[0]} tells nothing apart",
            "Use maximize_goodput or maximize_throughput, or set benchmark.profile: levels",
        )
    yield from _limits(document)


def goodput_warnings(document: TaskDocument) -> list[str]:
    """What can be done, and is not what was meant: goodput where the load is limited by a mean."""
    if document.benchmark.profile != "search" or "maximize_goodput" not in document.optimization.objectives:
        return []
    slo = {"ttft": document.slo.ttft, "tpot": document.slo.tpot, "latency": document.slo.latency}
    means = [name for name, targets in slo.items() if targets is not None and set(targets.given()) == {"mean"}]
    if not means:
        return []
    sentence = (
        f"at the highest load that keeps the mean of {' and '.join(means)} within its limit about half of the requests "
        "are beyond it, and goodput counts the other half: it is low there and differs from start to start; limit a "
        f"percentile instead, such as slo.{means[0]}.p90"
    )
    return [sentence]


def _limits(document: TaskDocument) -> Iterator[Problem]:
    search = load_search(document)
    given = document.benchmark.load_search
    if search is None:
        return
    if search.lowest >= search.highest:
        yield _problem(
            "benchmark.load_search.highest",
            f"the highest load {search.highest:g} is not above the lowest, {search.lowest:g}",
            "Raise the one or lower the other",
        )
    elif not search.lowest <= search.start <= search.highest:
        yield _problem(
            "benchmark.load_search.start",
            f"{search.start:g} is not between the lowest load {search.lowest:g} and the highest, {search.highest:g}",
            "Give a load between them, or leave it out",
        )
    if search.by == "concurrency" and given is not None:
        for name in ("lowest", "highest", "start"):
            value = getattr(given, name)
            if value is not None and (value != int(value) or value < 1):
                yield _problem(
                    f"benchmark.load_search.{name}",
                    f"{value:g} is no number of requests in flight",
                    "Give a whole number, or search a request rate with arrival: poisson",
                )


def _problem(place: str, why: str, remedy: str) -> Problem:
    return Problem(ErrorCode.CONTRADICTION, place, why, remedy)
