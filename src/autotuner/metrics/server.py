"""What the server told of itself, over the repeats of a load point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum

from autotuner.contracts.server_metrics import Level, ServerFigures

_LEVELS: dict[str, Callable[[ServerFigures], Level | None]] = {
    "server_running": lambda figures: figures.running,
    "server_waiting": lambda figures: figures.waiting,
    "kv_cache_use": lambda figures: figures.kv_cache_use,
}
_COUNTS: dict[str, Callable[[ServerFigures], int | None]] = {
    "preemptions": lambda figures: figures.preemptions,
    "server_prompt_tokens": lambda figures: figures.prompt_tokens,
    "server_generation_tokens": lambda figures: figures.generation_tokens,
}


def server_metrics(repeats: Sequence[ServerFigures | None]) -> dict[str, float | int]:
    """Aggregated metrics of what was told; nothing of what was not.

    Means are weighted by the pages read, maxima are the maxima. Counts are summed, and only when every repeat has
    them: a part of them would look like less. ``prefix_hit_rate`` is hits / lookups of all repeats.
    """
    told = [figures for figures in repeats if figures is not None]
    found: dict[str, float | int] = {}
    for name, level in _LEVELS.items():
        known = [(value, figures.pages) for figures in told if (value := level(figures)) is not None]
        if known:
            pages = sum(weight for _, weight in known)
            found[f"mean_{name}"] = fsum(value.mean * weight for value, weight in known) / pages
            found[f"max_{name}"] = max(value.max for value, _ in known)
    for name, count in _COUNTS.items():
        counts = [number for figures in told if (number := count(figures)) is not None]
        if counts and len(counts) == len(repeats):
            found[name] = sum(counts)
    looked = [f for f in told if f.prefix_queries and f.prefix_hits is not None]
    if looked:
        hits, queries = sum(f.prefix_hits or 0 for f in looked), sum(f.prefix_queries or 0 for f in looked)
        found["prefix_hit_rate"] = hits / queries
    return found
