"""What runs units of work, and the check that may stand before each that writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

T = TypeVar("T")


class Units(Protocol):
    """Runs units of work: plain functions of a session, which may be run again when they have changed nothing."""

    async def write(self, unit: Callable[[Session], T]) -> T:
        """Run ``unit`` and commit, or roll back if it raises."""

    async def read(self, unit: Callable[[Session], T]) -> T:
        """Run ``unit`` on one snapshot of the database."""


class Guarded:
    """Runs units with those of another; ``check`` comes before each that writes and raises if it must not be."""

    def __init__(self, units: Units, check: Callable[[], Awaitable[None]]) -> None:
        self._units = units
        self._check = check

    async def write(self, unit: Callable[[Session], T]) -> T:
        """Check, then write."""
        await self._check()
        return await self._units.write(unit)

    async def read(self, unit: Callable[[Session], T]) -> T:
        """Read."""
        return await self._units.read(unit)
