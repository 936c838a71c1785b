"""Whether the service can do its work: real checks, each with its reason."""

from __future__ import annotations

import asyncio
import shutil
import time
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import Field

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.overview import OverviewStore
from autotuner.contracts.queue import SILENT_S, WorkerRecord
from autotuner.contracts.values import Frozen
from autotuner.services.gpu_state import GpuState, gpu_states
from autotuner.services.settings import Settings

PATIENCE_S = 5.0
"""How long a check may take, seconds."""
LITTLE_DISK, NO_DISK = 2 * 1024**3, 128 * 1024**2
"""Free bytes of the data folder below which the disk is short, and full."""


class HealthStatus(StrEnum):
    """How well something works."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class Check(Frozen):
    """One thing that was looked at."""

    status: HealthStatus = Field(description="how well it works")
    reason: str = Field(description="what was found, one sentence")
    took_s: float = Field(description="how long the check took, seconds")


class Health(Frozen):
    """All that was looked at; ``status`` is the worst."""

    status: HealthStatus = Field(description="the worst of the checks")
    checks: dict[str, Check] = Field(description="database, queue, disk, devices")


class HealthStore(OverviewStore, Protocol):
    """What the checks ask."""

    async def list_workers(self) -> list[WorkerRecord]:
        """All workers."""


async def health(store: HealthStore, settings: Settings) -> Health:
    """Look at everything now. Never raises for what is wrong."""
    checks = {"database": await _check_database(store)}
    if checks["database"].status is not HealthStatus.DOWN:
        begun = time.perf_counter()
        checks["queue"] = _since(begun, *(await _queue(store)))
    begun = time.perf_counter()
    checks["disk"] = _since(begun, *(await asyncio.to_thread(_disk, settings.data_dir)))
    begun = time.perf_counter()
    checks["devices"] = _since(begun, *_devices(await asyncio.to_thread(gpu_states)))
    order = list(HealthStatus)
    return Health(status=max((check.status for check in checks.values()), key=order.index), checks=checks)


def is_live(worker: WorkerRecord) -> bool:
    """Whether a worker has been heard of lately."""
    return worker.silent_s <= SILENT_S


def _since(begun: float, status: HealthStatus, reason: str) -> Check:
    return Check(status=status, reason=reason, took_s=time.perf_counter() - begun)


async def _check_database(store: HealthStore) -> Check:
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await store.probe()
    except TimeoutError:
        return _since(begun, HealthStatus.DOWN, f"nothing could be written within {PATIENCE_S:g} s")
    except AutotunerError as error:
        return _since(begun, HealthStatus.DOWN, f"{error.what}: {error.why}")
    return _since(begun, HealthStatus.OK, "a row was written, read and removed")


async def _queue(store: HealthStore) -> tuple[HealthStatus, str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            counted, workers = await store.overview(), await store.list_workers()
    except (TimeoutError, AutotunerError) as error:
        return HealthStatus.DOWN, f"the queue cannot be read ({error or 'it takes too long'})"
    live = sum(is_live(worker) for worker in workers)
    said = f"{live} of {len(workers)} workers are heard of, {counted.waiting} tasks wait"
    waits_in_vain = live == 0 and counted.waiting + counted.claimed > 0
    silent = len(workers) > live
    return (HealthStatus.DEGRADED if waits_in_vain or silent else HealthStatus.OK), said


def _disk(folder: Path) -> tuple[HealthStatus, str]:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return HealthStatus.DOWN, f"the data folder cannot be looked at ({error.strerror})"
    said = f"{free / 1024**3:.1f} GiB are free in the data folder"
    if free < NO_DISK:
        return HealthStatus.DOWN, said
    return (HealthStatus.DEGRADED if free < LITTLE_DISK else HealthStatus.OK), said


def _devices(gpus: list[GpuState] | None) -> tuple[HealthStatus, str]:
    if gpus is None:
        return HealthStatus.OK, "no driver of NVIDIA GPUs is there"
    lost = [gpu.index for gpu in gpus if gpu.memory_used_bytes is None]
    if lost:
        return HealthStatus.DEGRADED, f"GPU {', '.join(map(str, lost))} does not tell its memory"
    return HealthStatus.OK, f"{len(gpus)} GPUs answer"
