"""One call for the first look: counts, queue, workers, GPUs, the last day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel, Field

from autotuner.contracts.overview import Hour, Overview
from autotuner.contracts.queue import WorkerRecord
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.services.gpu_state import GpuState, gpu_states
from autotuner.services.health import is_live

router = APIRouter(prefix="/dashboard", tags=["dashboard"])
HOURS = 24


class LiveWorker(WorkerRecord):
    """A worker, and whether it counts as there."""

    live: bool = Field(description="False: it has been silent for too long")


class Dashboard(BaseModel):
    """The state of the service at one moment."""

    counts: Overview = Field(description="how much there is of everything")
    workers: list[LiveWorker] = Field(description="all workers, also silent ones")
    gpus: list[GpuState] | None = Field(description="GPUs of the service's host; null: no driver that could tell")
    timeline: list[Hour] = Field(description="the last 24 hours and the present one, oldest first")


@router.get("", operation_id="get_dashboard", summary="Show everything at a glance", responses=documented(503))
async def dashboard(ctx: Ctx) -> Dashboard:
    """Counts, queue, workers with their heartbeats, GPUs, and what ended in each of the last 24 hours."""
    now = datetime.now(UTC)
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS)
    ended = {hour.begin: hour for hour in await ctx.store.finished_by_hour(first)}
    begins = [first + timedelta(hours=number) for number in range(HOURS + 1)]
    workers = await ctx.store.list_workers()
    return Dashboard(
        counts=await ctx.store.overview(),
        workers=[LiveWorker(**worker.model_dump(), live=is_live(worker)) for worker in workers],
        gpus=await asyncio.to_thread(gpu_states),
        timeline=[ended.get(begin, Hour(begin=begin)) for begin in begins],
    )
