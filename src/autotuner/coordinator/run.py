"""What the stages of one run of a task share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from autotuner.contracts.progress import Observer
from autotuner.contracts.store import ExperimentStatus, Store
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.requests import PausedError, Requests
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.standing import Standing
from autotuner.coordinator.starts import Starter
from autotuner.coordinator.watch import Watch
from autotuner.coordinator.window_noise import WindowNoise
from autotuner.planning.plan import Plan


@dataclass(frozen=True)
class Run:
    """One run of a task. ``elapsed`` gives the task's running time over all its runs, ``sleep`` waits; seconds.

    ``waits_paused``: it waits while the task is paused; else that is the end of this run.
    """

    task_id: int
    task_name: str
    plan: Plan
    store: Store
    ledger: Ledger
    scorer: Scorer
    standing: Standing
    noise: WindowNoise
    starter: Starter
    watch: Watch
    observer: Observer
    elapsed: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    requests: Requests
    waits_paused: bool = True
    warnings: list[str] = field(default_factory=list)
    """Sentences for the result."""

    async def may_start(self) -> None:
        """Called before each start: returns at once, or when a paused task was resumed; or PausedError."""
        while await self.requests.paused():
            if not self.waits_paused:
                raise PausedError
            self.watch.paused = True
            self.watch.show()
            self.observer.on_message(f"Paused: nothing is started until `autotuner task resume {self.task_name}`.")
            try:
                await self.requests.resumed()
            finally:
                self.watch.paused = False
            self.watch.show()
            self.observer.on_message("Resumed.")

    async def take_retried(self) -> bool:
        """Take note of failed experiments that somebody has opened again; whether there are any to be measured."""
        opened = [e for e in await self.requests.retried() if e.status is ExperimentStatus.PENDING]
        for experiment in opened:
            self.ledger.put_experiment(experiment)
        return bool(opened)

    def time_for_another(self, limit_s: float) -> bool:
        """Whether another start is likely to end within a limit of the running time, seconds."""
        return self.elapsed() + self.watch.seconds_per_start() <= limit_s
