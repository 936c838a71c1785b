"""The load-dependent mode: a number of slots, a queue in order of arrival, and steps that lengthen with the load."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Batch:
    """Slots of one server. ``limit`` None: every request has a slot at once."""

    def __init__(self, limit: int | None, slowdown: float) -> None:
        self._limit = limit
        self._slowdown = slowdown
        self._waiting: deque[tuple[object, Callable[[], None]]] = deque()
        self._serving: set[object] = set()

    @property
    def factor(self) -> float:
        """How much longer a step takes now than for a request alone."""
        return 1.0 + self._slowdown * max(len(self._serving) - 1, 0)

    @property
    def serving(self) -> int:
        """Requests being served."""
        return len(self._serving)

    def enter(self, request: object, begin: Callable[[], None]) -> None:
        """Call ``begin`` as soon as the request has a slot."""
        if self._limit is not None and len(self._serving) >= self._limit:
            self._waiting.append((request, begin))
            return
        self._serving.add(request)
        begin()

    def leave(self, request: object) -> None:
        """Give the slot (or the place in the queue) up."""
        if request not in self._serving:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not request)
            return
        self._serving.discard(request)
        if self._waiting:
            follower, begin = self._waiting.popleft()
            self._serving.add(follower)
            begin()
