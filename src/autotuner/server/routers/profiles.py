"""Profiles: named stacks of configuration for a purpose."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from autotuner.profiles.profile import ProfileDetails, ProfileSummary
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.services.profiles import open_profiles

router = APIRouter(prefix="/profiles", tags=["profiles"])


@router.get("", operation_id="list_profiles", summary="List the profiles")
async def list_profiles(ctx: Ctx) -> list[ProfileSummary]:
    """All profiles: built-in ones, those of plug-ins, and those of files in the configuration folder."""
    book = await asyncio.to_thread(open_profiles, ctx.settings)
    return book.profiles.summaries()


@router.get("/{name}", responses=documented(404, 422), operation_id="get_profile", summary="Look at a profile")
async def get_profile(
    ctx: Ctx,
    name: Annotated[str, Path(min_length=1, max_length=100, description="name of the profile", examples=["balanced"])],
) -> ProfileDetails:
    """One profile with the names of its layers."""
    book = await asyncio.to_thread(open_profiles, ctx.settings)
    return book.profiles.details(name)
