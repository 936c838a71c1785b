"""What a server tells of itself while it is measured: under which names, and what becomes of it."""

from __future__ import annotations

from pydantic import Field

from autotuner.contracts.values import Frozen

Sums = tuple[tuple[str, ...], ...]
"""Ways to get one figure, the preferred one first: each names the series to add up, all of which must be there."""


class MetricNames(Frozen):
    """What one engine calls its metrics. An empty entry: it does not tell."""

    running: Sums = Field((), description="gauge: requests being computed")
    waiting: Sums = Field((), description="gauge: requests in the server's queue")
    kv_cache_use: Sums = Field((), description="gauge: share of the KV cache in use, 0 to 1")
    preemptions: Sums = Field((), description="counter: requests put back to make room")
    prefix_hits: Sums = Field((), description="counter: prompt tokens found in the prefix cache")
    prefix_queries: Sums = Field((), description="counter: prompt tokens looked up in it")
    prompt_tokens: Sums = Field((), description="counter: prompt tokens, cached ones included")
    generation_tokens: Sums = Field((), description="counter: output tokens")
    copies: tuple[str, ...] = Field((), description="labels that number series which tell the same thing")


class Level(Frozen):
    """A gauge over the readings inside the window."""

    mean: float = Field(description="mean over the readings inside the window")
    max: float = Field(description="most on any of them")


class ServerFigures(Frozen):
    """What the server's own metrics say about a window.

    Gauges are those of the pages read inside the window, about one a second. Counters are exact differences between
    two pages: the ones read nearest to the window's opening and to its end.
    """

    pages: int = Field(description="pages read inside the window")
    missed: int = Field(0, description="readings inside the window that failed, or whose page told nothing")
    running: Level | None = Field(None, description="requests that the server was computing")
    waiting: Level | None = Field(None, description="requests in the server's own queue")
    kv_cache_use: Level | None = Field(None, description="share of the KV cache in use; of several the fullest")
    counted_from_s: float | None = Field(
        None, description="when the first page of the counters was read, seconds after the opening of the window"
    )
    counted_to_s: float | None = Field(None, description="the same of their last page")
    preemptions: int | None = Field(None, description="requests put back to make room for others")
    prefix_hits: int | None = Field(None, description="prompt tokens found in the prefix cache")
    prefix_queries: int | None = Field(None, description="prompt tokens looked up in it")
    prompt_tokens: int | None = Field(None, description="prompt tokens as the server counts them, cached ones included")
    generation_tokens: int | None = Field(None, description="output tokens as the server counts them")


class GpuFigures(Frozen):
    """One GPU that the server may use and on which something ran, from the readings inside the window."""

    index: int = Field(description="number of the GPU, as the driver counts")
    readings: int = Field(description="readings inside the window")
    utilization: Level | None = Field(None, description="share of the time in which anything ran on it")
    memory_used: Level | None = Field(None, description="memory in use, by anybody, bytes")
    power: Level | None = Field(None, description="power drawn, watts")
    temperature: Level | None = Field(None, description="degrees Celsius")
    sm_clock: Level | None = Field(None, description="clock of the multiprocessors, MHz")
