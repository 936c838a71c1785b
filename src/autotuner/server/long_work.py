"""Work of seconds, such as planning a large space: in threads, few at once, and not for longer than a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.exceptions import HTTPException

AT_ONCE = 2
LIMIT_S = 30.0
"""The planner counts huge spaces by estimates, so seconds are usual and this is not."""

Result = TypeVar("Result")


class LongWork:
    """Runs functions in threads. One that is over its limit goes on, and keeps its place until it ends, but nobody
    waits for it.
    """

    def __init__(self, *, at_once: int = AT_ONCE, limit_s: float = LIMIT_S) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._limit_s = limit_s

    async def run(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns or raises. HTTPException(503) when it, or the wait for a place, takes too long."""
        try:
            async with asyncio.timeout(self._limit_s):
                await self._places.acquire()
        except TimeoutError:
            raise _too_long("Others are being planned", "Try it again later") from None
        running = asyncio.get_running_loop().run_in_executor(None, work)
        running.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._limit_s):
                return await asyncio.shield(running)
        except TimeoutError:
            if running.done():
                return running.result()
            raise _too_long(f"It takes longer than {self._limit_s:g} s", "Ask for less") from None

    def _ended(self, running: asyncio.Future[Result]) -> None:
        self._places.release()
        if not running.cancelled():
            running.exception()  # whoever asked may be gone


def _too_long(what: str, remedy: str) -> HTTPException:
    return HTTPException(503, f"{what}. {remedy}", headers={"Retry-After": "10"})
