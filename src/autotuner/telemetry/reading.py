"""From a page of metrics to what it says in our terms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autotuner.contracts.server_metrics import MetricNames, Sums
from autotuner.telemetry.exposition import Series, parse

GAUGES = ("running", "waiting", "kv_cache_use")
COUNTERS = ("preemptions", "prefix_hits", "prefix_queries", "prompt_tokens", "generation_tokens")
_FULLEST = frozenset({"kv_cache_use"})
"""Of several series the largest counts: shares cannot be added."""


@dataclass(frozen=True)
class Reading:
    """What one page said at one moment, under the names of ``MetricNames``; what it does not tell is missing."""

    at: float
    """On the monotonic clock, seconds."""
    told: Mapping[str, float]


def read_page(page: bytes, at: float, engines: Sequence[MetricNames]) -> Reading | None:
    """What the page says, in the names of the first of the engines that it knows a name of; None if it knows none."""
    known = [(names, wanted) for names in engines if (wanted := _wanted(names))]
    by_name: dict[str, list[Series]] = {}
    for series in parse(page, frozenset().union(*(wanted for _, wanted in known))):
        if math.isfinite(series.value):
            by_name.setdefault(series.name, []).append(series)
    for names, wanted in known:
        if not wanted.isdisjoint(by_name):
            told = {
                field: value
                for field in (*GAUGES, *COUNTERS)
                if (value := _figure(_ways(names, field), by_name, names.copies, field)) is not None
            }
            return Reading(at, told)
    return None


def _ways(names: MetricNames, field: str) -> Sums:
    ways: Sums = getattr(names, field)
    return ways


def _wanted(names: MetricNames) -> frozenset[str]:
    return frozenset(name for field in (*GAUGES, *COUNTERS) for way in _ways(names, field) for name in way)


def _figure(ways: Sums, by_name: Mapping[str, Sequence[Series]], copies: Sequence[str], field: str) -> float | None:
    for way in ways:
        if way and all(name in by_name for name in way):
            return math.fsum(_together(by_name[name], copies, field) for name in way)
    return None


def _together(found: Iterable[Series], copies: Sequence[str], field: str) -> float:
    """The series of one name as one value: copies count once, parts are added (shares: the largest)."""
    parts: dict[tuple[tuple[str, str], ...], float] = {}
    for series in found:
        part = tuple(sorted((key, value) for key, value in series.labels.items() if key not in copies))
        parts[part] = max(parts.get(part, -math.inf), series.value)
    return max(parts.values()) if field in _FULLEST else math.fsum(parts.values())
