"""From the readings of a start to the figures of one window."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from autotuner.contracts.server_metrics import Level, ServerFigures
from autotuner.telemetry.reading import Reading

EDGE_S = 3.0
"""A page read further from the window's edge than this, seconds, does not count for it."""


def server_figures(
    readings: Sequence[Reading], missed: Sequence[float], opened: float, window_s: float
) -> ServerFigures | None:
    """The figures of the window that opened then (monotonic seconds); None when nothing was read about it.

    ``missed``: when readings failed. A counter that fell (the server was started anew) has no figure; one that only
    the later page has began at 0.
    """
    closed = opened + window_s
    inside = [reading for reading in readings if opened <= reading.at <= closed]
    if not readings:
        return None
    first = min(readings, key=lambda reading: abs(reading.at - opened))
    last = min(readings, key=lambda reading: abs(reading.at - closed))
    counted = last.at > first.at and max(abs(first.at - opened), abs(last.at - closed)) <= EDGE_S
    if not inside and not counted:
        return None

    def level(name: str) -> Level | None:
        values = [reading.told[name] for reading in inside if name in reading.told]
        return Level(mean=fsum(values) / len(values), max=max(values)) if values else None

    def difference(name: str) -> int | None:
        if not counted or name not in last.told:
            return None
        grown = round(last.told[name] - first.told.get(name, 0.0))
        return grown if grown >= 0 else None

    return ServerFigures(
        pages=len(inside),
        missed=sum(opened <= at <= closed for at in missed),
        running=level("running"),
        waiting=level("waiting"),
        kv_cache_use=level("kv_cache_use"),
        counted_from_s=first.at - opened if counted else None,
        counted_to_s=last.at - opened if counted else None,
        preemptions=difference("preemptions"),
        prefix_hits=difference("prefix_hits"),
        prefix_queries=difference("prefix_queries"),
        prompt_tokens=difference("prompt_tokens"),
        generation_tokens=difference("generation_tokens"),
    )
