"""The queue of tasks and the workers that serve it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from autotuner.contracts.store import Store, TaskRecord, TaskStatus
from autotuner.contracts.values import Frozen

SILENT_S = 20.0
"""A worker that has been silent for longer counts as gone, seconds: it has lost its claims, but a task that it does run
keeps its lock."""


class WorkerState(StrEnum):
    """What a worker does."""

    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"


class NewWorker(Frozen):
    """A process that wants to claim tasks."""

    name: str = Field(description="what it is called, usually <host>-<pid>")
    host: str = Field(description="name of its host")
    pid: int = Field(description="its process on that host")
    version: str = Field(description="of this program")


class WorkerRecord(NewWorker):
    """A stored worker. Times are UTC, by the database's clock."""

    id: int = Field(description="its number; never given again")
    state: WorkerState = Field(description="what it does")
    started_at: datetime = Field(description="when it came")
    heartbeat_at: datetime = Field(description="when it was heard of last")
    silent_s: float = Field(description="seconds since its last heartbeat, by the database's clock")


class QueueStore(Protocol):
    """The queue. A claim says who means to run a task, for the display and so that workers do not all try the same
    one; who really runs it is told by the task's lock, which is given back when its holder dies.

    Unknown ids raise AutotunerError(NOT_FOUND). Each writing method is one transaction that ends with its event.
    """

    async def enqueue_task(
        self, task_id: int, *, expected: Sequence[TaskStatus], status: TaskStatus, priority: int | None = None
    ) -> TaskRecord:
        """Put a task that is not queued into the queue and set its status (event task_updated with status, queued and
        priority in data); ``priority`` None: as is.

        StatusConflictError("queued") for one that is queued already, else for one whose status is not ``expected``.
        """

    async def dequeue_task(self, task_id: int) -> TaskRecord:
        """Take a pending, queued task out of the queue (event task_updated). StatusConflictError if no worker may be
        kept from it any more: it runs, is claimed ("claimed"), or is not queued.
        """

    async def claim_task(
        self, worker_id: int, *, silent_s: float, passed: frozenset[int] = frozenset()
    ) -> TaskRecord | None:
        """The first queued task that is not paused, by priority, then time, then number, that nobody has claimed, or
        whose worker is gone, has been silent for more than ``silent_s`` seconds, or is this one; it is the worker's
        now (no event). ``passed``: not these.

        AutotunerError(NOT_FOUND) if the worker was taken for dead.
        """

    async def release_task(self, task_id: int, worker_id: int) -> None:
        """Give a claim back; a task that has not ended stays queued. Nothing if it is another's by now (no event)."""

    async def register_worker(self, worker: NewWorker) -> WorkerRecord:
        """Store a worker, which is idle (no event)."""

    async def beat(self, worker_id: int, state: WorkerState) -> None:
        """Store that a worker lives and what it does (no event). AutotunerError(NOT_FOUND) if it was taken for dead."""

    async def remove_worker(self, worker_id: int) -> None:
        """A worker has ended: its claims are given back. Nothing if it is gone already (no event)."""

    async def list_workers(self) -> list[WorkerRecord]:
        """All workers by number, also silent ones."""

    async def drop_workers(self, *, silent_s: float) -> int:
        """Remove workers that have been silent for so many seconds, with their claims; how many there were."""


class TaskQueue(Store, QueueStore, Protocol):
    """A store whose tasks can be queued."""
