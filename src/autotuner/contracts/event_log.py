"""Reading the event log for delivery: many tasks at once, from where each reader stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from autotuner.contracts.store import Event, ExperimentStatus, TaskState


class LogBounds(NamedTuple):
    """What is stored of a task's log: ``last`` is ``first - 1`` when nothing is."""

    first: int
    last: int


class AttemptFolder(NamedTuple):
    """Where a server start keeps its files. ``folder``: absolute; None as long as it is not known."""

    experiment: int
    attempt: int
    reason: str
    folder: str | None


class EventLog(Protocol):
    """A store, as those see it who deliver events. Archived runs have no part in what concerns all tasks: their events
    were told when they were the task's own.

    Raises AutotunerError: NOT_FOUND for unknown and deleted ids, STORE_UNAVAILABLE.
    """

    async def log_bounds(self, task_id: int) -> LogBounds:
        """Number of the first and last stored event of a task that is not deleted."""

    async def log_positions(self, tasks: Collection[int] | None = None) -> dict[int, int]:
        """Number of the last stored event of all tasks, deleted ones too, or of some; 0 for one without any."""

    async def log_starts(self, tasks: Collection[int]) -> dict[int, int]:
        """Number of the first stored event of some tasks; those without any are left out."""

    async def log_after(self, positions: Mapping[int, int], *, limit: int = 200) -> list[Event]:
        """Events of tasks after the given numbers, at most ``limit`` in all: task by task, in order."""

    async def log_task_of(self, experiment_id: int) -> int:
        """The task of an experiment."""

    async def log_experiment(self, task_id: int, number: int) -> int | None:
        """The id of a task's experiment of that number."""

    async def running_tasks(self, limit: int = 100) -> list[int]:
        """Ids of tasks that run, or wait paused, newest first."""

    async def get_task_state(self, task_id: int) -> TaskState:
        """Status and number of the next event of a task."""

    async def attempt_folders(self, task_id: int, *, last: int | None = None) -> list[AttemptFolder]:
        """Of a task's server starts in their order, or of the ``last`` few."""

    async def count_experiments(self, task_id: int) -> dict[ExperimentStatus, int]:
        """How many experiments of a task have each status."""
