"""How late the event loop of a worker runs."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import TracebackType
from typing import Self

import numpy as np


class LoopLag:
    """Samples how late the event loop runs its callbacks, inside its context."""

    PERIOD_S = 0.02

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lags: list[float] = []
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._plan()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def p99(self) -> float | None:
        """The 99th percentile of the lag in seconds (the loop's timers count in ms); None without a sample."""
        return float(np.percentile(self._lags, 99)) if self._lags else None

    def _plan(self) -> None:
        self._due = monotonic() + self.PERIOD_S
        self._timer = self._loop.call_later(self.PERIOD_S, self._tick)

    def _tick(self) -> None:
        self._lags.append(max(monotonic() - self._due, 0.0))
        self._plan()
