"""What runs units of work, and the guard that may stand before each that writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

T = TypeVar("T")


class Units(Protocol):
    """Runs units of work: plain functions of a session, which may be run again when they have changed nothing."""

    async def write(self, unit: Callable[[Session], T]) -> T:
        """Run ``unit`` and commit, or roll back if it raises."""

    async def read(self, unit: Callable[[Session], T]) -> T:
        """Run ``unit`` on one snapshot of the database."""


class Guard(Protocol):
    """What must hold whenever something is written."""

    async def check(self) -> None:
        """Raise if nothing must be written now."""

    def fence(self, session: Session) -> None:
        """Raise in a unit if it must not be committed; what it finds holds until the commit."""


class Guarded:
    """Runs units with those of another, those that write behind a guard."""

    def __init__(self, units: Units, guard: Guard) -> None:
        self._units = units
        self._guard = guard

    async def write(self, unit: Callable[[Session], T]) -> T:
        """Check, then write behind the fence."""

        def fenced(session: Session) -> T:
            self._guard.fence(session)
            return unit(session)

        await self._guard.check()
        return await self._units.write(fenced)

    async def read(self, unit: Callable[[Session], T]) -> T:
        """Read."""
        return await self._units.read(unit)
