"""Lists that are short enough to be in memory: sorted and cut into pages like those of the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field

from autotuner.contracts.listing import MAX_SIZE, Page
from autotuner.server.bodies import Asked

Item = TypeVar("Item")


class Paging(Asked):
    """Which part of a list."""

    page: int = Field(1, ge=1, le=1_000_000, description="page, from 1")
    size: int = Field(50, ge=1, le=MAX_SIZE, description="items of a page")


def cut(items: Sequence[Item], asked: Paging) -> Page[Item]:
    """The page that is asked for; beyond the last one it has no items."""
    first = (asked.page - 1) * asked.size
    return Page(
        items=tuple(items[first : first + asked.size]),
        total=len(items),
        page=asked.page,
        size=asked.size,
    )
