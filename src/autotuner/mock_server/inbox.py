"""What arrived and is to be read, in the order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

Take = Callable[[bytes, float], None]


class Inbox:
    """Hands bytes on with the time at which they came, one piece in each round of the loop.

    Reading a request takes some ten times as long as noticing it. Between two of them the loop looks at the sockets, so
    a request that comes while others are read gets its own time of arrival.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[tuple[Take, bytes, float]] = deque()

    def put(self, take: Take, data: bytes) -> None:
        """Call ``take`` with the data and the present time, after all that came before."""
        if not self._pieces:
            self._loop.call_soon(self._hand_on)
        self._pieces.append((take, data, monotonic()))

    def _hand_on(self) -> None:
        take, data, came = self._pieces.popleft()
        if self._pieces:
            self._loop.call_soon(self._hand_on)
        take(data, came)
