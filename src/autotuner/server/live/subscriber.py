"""What waits for one client: a bounded queue that never makes anybody else wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from autotuner.server.live.frames import Frame, Notice

MOST_WAITING = 2000
"""Frames; a client that falls farther behind is told so and gets none of them."""
AT_ONCE = 64
"""Frames that are taken together."""
NOTICES_A_SECOND = 20
"""More of them wait for their second, where a later one takes the place of an earlier one."""
SLOW = "slow_client"


class Subscriber:
    """Frames for one client. ``only``: those of one experiment. ``resync`` makes the frame which says that events were
    left out, up to the last one that was told.

    ``write_now``, if it is set, is tried first with a frame before which nothing waits and nothing is on its way; what
    it does not take (False) waits as any other.
    """

    def __init__(self, resync: Callable[[str], Frame], *, only: int | None = None) -> None:
        self.only = only
        self.ended = False
        self.write_now: Callable[[Frame], bool] | None = None
        self._idle = False
        self._resync = resync
        self._waiting: dict[Hashable, Frame] = {}
        self._number = 0
        self._later: dict[Hashable, Notice] = {}
        self._left = NOTICES_A_SECOND
        self._came = asyncio.Event()

    def put(self, frame: Frame) -> bool:
        """Add a frame; False when it and all others were given up for a resync."""
        if self._written(frame):
            return True
        fits = len(self._waiting) < MOST_WAITING
        if not fits:
            self._waiting.clear()
            frame = self._resync(SLOW)
        self._number += 1
        self._waiting[self._number] = frame
        self._came.set()
        return fits

    def put_latest(self, key: Hashable, frame: Frame) -> None:
        """Add a frame in place of one with the same key that still waits."""
        if self._written(frame):
            return
        self._waiting.pop(key, None)
        if len(self._waiting) < MOST_WAITING:
            self._waiting[key] = frame
            self._came.set()

    def put_notice(self, notice: Notice, word: Callable[[Notice], Frame]) -> None:
        """Add a notice now, or when its second has come."""
        if self._left > 0 and notice.key not in self._later:
            self._left -= 1
            self.put_latest(notice.key, word(notice))
        else:
            self._later.pop(notice.key, None)
            self._later[notice.key] = notice

    def next_second(self, word: Callable[[Notice], Frame]) -> None:
        """A second is over: add notices that had to wait."""
        self._left = NOTICES_A_SECOND
        for key in list(self._later)[: self._left]:
            self._left -= 1
            self.put_latest(key, word(self._later.pop(key)))

    async def take(self) -> list[Frame]:
        """Wait for frames and take some, in order. Empty: there will be no more. What was taken before must have been
        sent.
        """
        while not self._waiting and not self.ended:
            self._came.clear()
            self._idle = True
            try:
                await self._came.wait()
            finally:
                self._idle = False
        if len(self._waiting) <= AT_ONCE:
            taken = list(self._waiting.values())
            self._waiting.clear()
            return taken
        keys = list(self._waiting)[:AT_ONCE]
        return [self._waiting.pop(key) for key in keys]

    def _written(self, frame: Frame) -> bool:
        if self.write_now is None or not self._idle or self._waiting or self.ended:
            return False
        return self.write_now(frame)

    def end(self) -> None:
        """What waits is still taken, and then nothing more."""
        self.ended = True
        self._came.set()
