"""The load-dependent modes: slots with a queue and steps that lengthen with the load, or a curve by the load."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from autotuner.mock_server.options import MockOptions


class Batch:
    """The requests in flight of one server, and the mean times that follow from their number."""

    def __init__(self, options: MockOptions) -> None:
        self._limit = options.max_batch
        self._slowdown = options.slowdown
        self._curve = options.curve
        self._waiting: deque[tuple[object, Callable[[], None]]] = deque()
        self._serving: set[object] = set()

    @property
    def in_flight(self) -> int:
        """Requests read and not answered, waiting ones included."""
        return len(self._serving) + len(self._waiting)

    @property
    def running(self) -> int:
        """Requests being served."""
        if self._curve is not None:
            return min(len(self._serving), self._curve.capacity)
        return len(self._serving)

    @property
    def waiting(self) -> int:
        """Requests in the queue; under a curve those that it holds back."""
        return self.in_flight - self.running

    @property
    def varies(self) -> bool:
        """Whether the means hang on the load."""
        return self._curve is not None or self._slowdown > 0

    def means(self, options: MockOptions) -> tuple[float, float]:
        """ttft and time between tokens at the present load, in seconds."""
        if self._curve is not None:
            return self._curve.at(len(self._serving))
        factor = 1.0 + self._slowdown * max(len(self._serving) - 1, 0)
        return options.ttft_s * factor, options.token_s * factor

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
