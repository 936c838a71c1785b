"""Waiting for a database that can't be used for a while: a full disk, another program's lock, a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from autotuner.contracts.errors import StoreUnavailableError
from autotuner.store.units import Units

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
T = TypeVar("T")


class Patient:
    """Runs units with those of another, and runs one again whenever it is certain that it has changed nothing.

    ``limit_s``: how long after a unit's first failure; then its error is raised. ``tell`` is given a sentence when the
    waiting begins or its reason changes, and when it ends. ``clock`` gives seconds, ``sleep`` waits for some.
    """

    def __init__(
        self,
        units: Units,
        *,
        limit_s: float,
        tell: Callable[[str], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._units = units
        self._limit_s = limit_s
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._told: str | None = None  # the reason, while somebody waits

    async def write(self, unit: Callable[[Session], T]) -> T:
        """See ``Units``; waits."""
        try:
            return await self._patiently(lambda: self._units.write(unit))
        except asyncio.CancelledError:
            if self._told is not None:
                self._tell("If the last step is not stored, running the task again repeats it.")
            raise

    async def read(self, unit: Callable[[Session], T]) -> T:
        """See ``Units``; waits."""
        return await self._patiently(lambda: self._units.read(unit))

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        begun: float | None = None
        pause = FIRST_PAUSE_S
        while True:
            try:
                done = await attempt()
            except StoreUnavailableError as error:
                now = self._clock()
                begun = now if begun is None else begun
                if error.mend is None or self._limit_s <= 0:
                    raise
                if now - begun >= self._limit_s:
                    raise _given_up(error, self._limit_s) from error
                self._explain(error)
            else:
                if begun is not None and self._told is not None:
                    self._told = None
                    self._tell("The database can be used again: the run goes on.")
                return done
            await self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _explain(self, error: StoreUnavailableError) -> None:
        if error.why != self._told:
            self._told = error.why
            self._tell(
                f"The database cannot be used: {error.why} ({error.place}). Waiting for up to {self._limit_s:g} s. "
                f"{error.mend}."
            )


def _given_up(error: StoreUnavailableError, limit_s: float) -> StoreUnavailableError:
    return StoreUnavailableError(
        error.what,
        why=f"{error.why}, and that did not change within {limit_s:g} s",
        remedy=f"{error.mend} and run the task again: it goes on from what is stored",
        place=error.place,
    )
