"""Deleting a task."""

from __future__ import annotations

from autotuner.contracts.store import EventType, NewEvent, Store, TaskRecord, TaskStatus
from autotuner.services.left_behind import end_servers_of
from autotuner.services.settings import Settings
from autotuner.services.task_lock import taken


async def delete_task(store: Store, settings: Settings, task: TaskRecord) -> None:
    """Delete a task that nobody runs; its files stay. AutotunerError(TASK_BUSY) for one that is being run."""
    async with taken(settings, task):
        if task.status in (TaskStatus.RUNNING, TaskStatus.CANCELLING):
            # We hold its lock, so the process that set this status is gone.
            await end_servers_of(store, task)
            await store.interrupt_attempts(task.id)
            await store.change_task(
                task.id,
                NewEvent(type=EventType.TASK_CANCELLED, message="its process had ended"),
                expected=(task.status,),
                status=TaskStatus.CANCELLED,
            )
        await store.delete_task(task.id)
