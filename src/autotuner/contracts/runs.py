"""A task's life beside its running: edited, begun anew, copied, deleted for a while, and for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from autotuner.contracts.store import NewTask, TaskRecord
from autotuner.contracts.values import Frozen


class ArchivedRun(Frozen):
    """What a task had done before it was begun anew."""

    task: TaskRecord = Field(description="the task, with nothing done")
    run: TaskRecord = Field(description="what it had done, as an archived run")


class CreatedTask(Frozen):
    """The answer to a request to make a task."""

    task: TaskRecord
    replayed: bool = Field(description="the same request was answered before: this is the task that it made")


class RunStore(Protocol):
    """What happens to tasks beside their running.

    Unknown ids raise AutotunerError(NOT_FOUND). Each writing method is one transaction, which ends with its event.
    """

    async def archive_run(
        self, task_id: int, *, identity: Mapping[str, Any], fingerprint: str, drop: bool
    ) -> ArchivedRun:
        """Move all that an ended task has done (experiments, starts, measurements, events, result) to a task of its
        own, the archived run, and make the task pending with nothing done, as its next run. ``identity`` and
        ``fingerprint`` are that run's. ``drop``: the archived run is deleted at once, and may be restored.

        Event task_updated with the run and the archived run's number in data; its seq goes on from the last one, so
        that the task's log begins with it. StatusConflictError for a task that has not ended, is queued, or is an
        archived run itself ("archived").
        """

    async def edit_task(self, task_id: int, values: Mapping[str, Any], *, next_seq: int) -> TaskRecord:
        """Set some of name, document, parameters, identity, fingerprint, status and priority (event task_updated, with
        the names of what was set in data).

        StatusConflictError for a task that is queued, runs, is paused or being cancelled, is an archived run
        ("archived"), or has had an event since ``next_seq`` ("changed"); AutotunerError(CONFLICT) if the name is taken.
        """

    async def create_task_once(self, task: NewTask, *, key: str, request: str, since: datetime) -> CreatedTask:
        """Store a task, unless ``key`` has made one after ``since``: then that one, if ``request`` (a hash of what is
        asked) is the same, else AutotunerError(CONFLICT).
        """

    async def find_created(self, *, key: str, request: str, since: datetime) -> TaskRecord | None:
        """The task that the key has made after ``since``; AutotunerError(CONFLICT) if it was another request."""

    async def drop_keys(self, *, before: datetime) -> int:
        """Forget keys that were used before then; how many there were (no event)."""

    async def restore_task(self, task_id: int, *, name: str | None = None) -> TaskRecord:
        """Take back a deletion (event task_updated, restored in data), with its archived runs that were deleted with
        it. AutotunerError(CONFLICT) if its name is taken by now and no other is given; StatusConflictError for one
        that is not deleted.
        """

    async def deleted_tasks(self, *, before: datetime) -> list[TaskRecord]:
        """Tasks and archived runs that were deleted before then, by number."""

    async def purge_task(self, task_id: int) -> list[TaskRecord]:
        """Remove a deleted task for ever, with its archived runs and all that they have done (no event: there is
        nothing left that could have one); what was removed. StatusConflictError for one that is not deleted.
        """
