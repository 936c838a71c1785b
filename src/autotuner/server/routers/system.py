"""The service itself: whether it works, and what it is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from autotuner.server.context import Ctx
from autotuner.store.location import parse_location

router = APIRouter(prefix="/system", tags=["system"])


class Info(BaseModel):
    """What runs here."""

    version: str = Field(description="of this program")
    database: str = Field(description="address of the store, without secrets")


class Live(BaseModel):
    """Somebody answers."""

    status: Literal["live"] = Field("live", description="always live")


@router.get("/live")
async def live() -> Live:
    """Tell that the process answers: the only call that needs no token. What works is told by /api/system/health."""
    return Live()


@router.get("/info")
async def info(ctx: Ctx) -> Info:
    """What runs here."""
    return Info(version=version("inference-autotuner"), database=parse_location(ctx.settings.database).shown)
