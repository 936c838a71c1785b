"""The limit on the warm-up of a load point."""

from __future__ import annotations

import asyncio

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.measurement import LiveFigures

WARMING = "warmup"
"""What live figures call the warm-up."""


class WarmUpLimit:
    """The limit on the warm-up of each load point, from the client's live figures; a client may have no warm-up."""

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self._loop = asyncio.get_running_loop()
        self._late: asyncio.Future[str] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._point: tuple[str, int] | None = None

    def saw(self, figures: LiveFigures) -> None:
        """Take note of live figures."""
        if figures.phase != WARMING:
            self.over()
        elif self._point != (figures.load_point, figures.repeat):
            self.over()
            self._point = (figures.load_point, figures.repeat)
            left = max(0.0, self._budget_s - figures.elapsed_s)
            self._timer = self._loop.call_later(left, self._is_late, figures.load_point)

    def over(self) -> None:
        """No warm-up goes on."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._point = None

    async def overdue(self) -> Failure:
        """Returns when a warm-up takes longer than it may."""
        try:
            point = await self._late
        finally:
            self.over()
        return Failure(
            kind=FailureClass.BENCHMARK_TIMEOUT,
            diagnosis=f"the warm-up at {point} was not finished within its budget of {self._budget_s:g} s",
            hint="raise optimization.phase_budgets.warm_up, or lower benchmark.warmup_requests",
        )

    def _is_late(self, point: str) -> None:
        if not self._late.done():
            self._late.set_result(point)
