"""What the clients that are programs of their own can and cannot produce, and what asked lengths look like. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autotuner.contracts.measurement import RequestRecord
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import Length, MeasureLimits, Workload

WORKLOAD = frozenset({"load_points", "load_search", "limits", "repeats", "arrival", "seed", "request_body"})
POINT = frozenset({"traffic", "concurrency", "request_rate", "label"})
SCENARIO = frozenset({"text", "prompt", "output"})
LENGTH = frozenset({"kind", "mean", "deviation", "low", "high"})
KINDS = ("fixed", "normal", "uniform")
SAID = {
    "from_dataset": "dataset of ours",
    "api": "messages (benchmark.api: chat)",
    "burstiness": "burstiness",
    "client_processes": "choice of processes (benchmark.client_processes)",
    "dataset": "dataset of ours",
    "prefix": "shared prefixes",
    "replay_speed": "replay",
    "sweep_step": "sweep",
    "turns": "conversations",
}
"""Fields in the words of who writes a task; others are named as they are."""
ERRORS_BEFORE_RATE = 20
"""A share of errors is judged from this many finished requests on, as the builtin client does it."""


def refusal(workload: Workload) -> str | None:
    """Why no such client can produce the load. Whatever is asked for that is not known here is refused."""
    more = _asked(workload) - WORKLOAD
    if more:
        return f"it knows no {_listed(more)}"
    for point in workload.load_points:
        if len(point.traffic.parts) != 1:
            return f"it draws from one scenario, and {point.traffic.text} is a mixture"
        scenario = point.traffic.parts[0][1]
        more = (_asked(point) - POINT) | (_asked(scenario) - SCENARIO)
        for length in (scenario.prompt, scenario.output):
            more |= _asked(length) - LENGTH
            if length.kind not in KINDS:
                more |= {f"length of kind {length.kind}"}
        if more:
            return f"it knows no {_listed(more)} ({point.traffic.text})"
    return None


def fixed(length: Length) -> int | None:
    """The length that every request has; None when it is drawn."""
    if length.kind == "uniform":
        return max(length.low, 1) if length.low == length.high else None
    return max(round(length.mean), 1) if length.kind == "fixed" or length.deviation == 0 else None


def stopped_by_errors(records: Sequence[RequestRecord], limits: MeasureLimits) -> str | None:
    """The limit on errors that these requests are over, if any."""
    outcomes = Counter(record.outcome for record in records)
    errors, done = outcomes["error"], outcomes["error"] + outcomes["ok"]
    if limits.max_errors is not None and errors >= limits.max_errors:
        return "max_errors"
    rate = limits.max_error_rate
    if rate is not None and done >= ERRORS_BEFORE_RATE and errors > rate * done:
        return "max_error_rate"
    return None


def _asked(given: Frozen) -> set[str]:
    return set(given.model_dump(exclude_defaults=True))


def _listed(names: set[str]) -> str:
    return ", no ".join(sorted({SAID.get(name, name.replace("_", " ")) for name in names}))
