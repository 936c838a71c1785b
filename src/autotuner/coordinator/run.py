"""What the stages of one run of a task share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from autotuner.contracts.progress import Observer
from autotuner.contracts.store import Store
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.standing import Standing
from autotuner.coordinator.starts import Starter
from autotuner.coordinator.watch import Watch
from autotuner.planning.plan import Plan


@dataclass(frozen=True)
class Run:
    """One run of a task. ``elapsed`` gives the task's running time over all its runs, ``sleep`` waits; seconds."""

    task_id: int
    task_name: str
    plan: Plan
    store: Store
    ledger: Ledger
    scorer: Scorer
    standing: Standing
    starter: Starter
    watch: Watch
    observer: Observer
    elapsed: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    warnings: list[str] = field(default_factory=list)
    """Sentences for the result."""

    def time_for_another(self, limit_s: float) -> bool:
        """Whether another start is likely to end within a limit of the running time, seconds."""
        return self.elapsed() + self.watch.seconds_per_start() <= limit_s
