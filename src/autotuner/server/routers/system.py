"""The service itself: whether it works, what it is, and its figures."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from autotuner.server.context import Ctx
from autotuner.server.exposition import exposition
from autotuner.server.problems import documented
from autotuner.services.health import Health, HealthStatus, health
from autotuner.store.location import parse_location
from autotuner.store.migrations import HEAD

router = APIRouter(prefix="/system", tags=["system"])
metrics_router = APIRouter(tags=["system"], include_in_schema=False)
"""The figures at the path where Prometheus looks without being told."""


class Live(BaseModel):
    """Somebody answers."""

    status: Literal["live"] = Field("live", description="always live")


class Info(BaseModel):
    """What runs here."""

    version: str = Field(description="of this program")
    database: str = Field(description="address of the store, without secrets")
    db_schema: str = Field(description="revision of the store's schema")
    python: str = Field(description="version of Python")
    host: str = Field(description="name of this host")
    started_at: datetime = Field(description="when this process began to serve, UTC")


@router.get("/live", operation_id="get_live", summary="Tell whether anybody answers")
async def live() -> Live:
    """Tell that the process answers: the only call that needs no token. What works is told by /api/system/health."""
    return Live()


@router.get("/info", operation_id="get_info", summary="Show what runs here")
async def info(ctx: Ctx) -> Info:
    """What runs here."""
    return Info(
        version=version("inference-autotuner"),
        database=parse_location(ctx.settings.database).shown,
        db_schema=HEAD,
        python=platform.python_version(),
        host=platform.node(),
        started_at=ctx.started_at,
    )


@router.get(
    "/health",
    operation_id="get_health",
    summary="Check whether everything works",
    response_model=Health,
    responses={503: {"model": Health, "description": "the database cannot be used"}},
)
async def system_health(ctx: Ctx) -> JSONResponse:
    """Check database (by a write), queue and workers, disk and devices. 503 when the database cannot be used."""
    found = await health(ctx.store, ctx.settings)
    down = found.checks["database"].status is HealthStatus.DOWN
    return JSONResponse(found.model_dump(mode="json"), status_code=503 if down else 200)


@metrics_router.get("/metrics")
@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "text format of Prometheus"},
        **documented(503),
    },
)
async def metrics(ctx: Ctx) -> Response:
    """Figures for Prometheus: tasks and experiments by status and reason, queue, workers, events, phases, requests."""
    page = await exposition(ctx.store, ctx.metrics.registry, ctx.metrics.phases)
    return Response(page, media_type=CONTENT_TYPE_LATEST)
