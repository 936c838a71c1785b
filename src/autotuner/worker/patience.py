"""Waiting for a database that cannot be used, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from autotuner.contracts.errors import StoreUnavailableError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
T = TypeVar("T")


class Patience:
    """Does a piece of work on the store again until the store can be used; says so once, and when that is over.

    Only for work that may be done twice: whether the first time it was is not always known.
    """

    def __init__(self, log: FilteringBoundLogger, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._log = log
        self._sleep = sleep

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work gives. Every other error than STORE_UNAVAILABLE is raised."""
        pause, told = FIRST_PAUSE_S, ""
        while True:
            try:
                done = await work()
            except StoreUnavailableError as error:
                if error.why != told:
                    told = error.why
                    self._log.warning("the database cannot be used; waiting for it", why=error.why, remedy=error.remedy)
                await self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                if told:
                    self._log.info("the database can be used again")
                return done
