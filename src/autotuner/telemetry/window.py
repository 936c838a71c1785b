"""From the readings of a start to the figures of one window."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from autotuner.contracts.server_metrics import GpuFigures, Level, ServerFigures
from autotuner.telemetry.nvml import GpuReading
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
        return _level([reading.told[name] for reading in inside if name in reading.told])

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


def gpu_figures(
    readings: Sequence[tuple[float, Sequence[GpuReading]]], opened: float, window_s: float
) -> tuple[GpuFigures, ...]:
    """The figures of each GPU from the readings (moment, all GPUs) inside the window.

    None of a GPU that told nothing, nor of one on which nothing ran in the whole window: the server does not use it.
    """
    inside: dict[int, list[GpuReading]] = {}
    for at, gpus in readings:
        if opened <= at <= opened + window_s:
            for gpu in gpus:
                inside.setdefault(gpu.index, []).append(gpu)

    def level(values: Sequence[float | None]) -> Level | None:
        return _level([value for value in values if value is not None])

    found = [
        GpuFigures(
            index=index,
            readings=len(gpus),
            utilization=level([gpu.utilization for gpu in gpus]),
            memory_used=level([gpu.memory_used for gpu in gpus]),
            power=level([gpu.power for gpu in gpus]),
            temperature=level([gpu.temperature for gpu in gpus]),
            sm_clock=level([gpu.sm_clock for gpu in gpus]),
        )
        for index, gpus in sorted(inside.items())
    ]
    silent = [GpuFigures(index=gpu.index, readings=gpu.readings) for gpu in found]
    idle = [gpu.utilization is not None and gpu.utilization.max <= 0 for gpu in found]
    return tuple(gpu for gpu, nothing, out in zip(found, silent, idle, strict=True) if gpu != nothing and not out)


def energy_per_token(gpus: Sequence[GpuFigures], output_throughput: float) -> float | None:
    """Joules per output token, from the mean power of all GPUs; None when one does not tell, or nothing was made."""
    powers = [gpu.power.mean for gpu in gpus if gpu.power is not None]
    if not powers or len(powers) < len(gpus) or output_throughput <= 0:
        return None
    return fsum(powers) / output_throughput


def _level(values: Sequence[float]) -> Level | None:
    return Level(mean=fsum(values) / len(values), max=max(values)) if values else None
