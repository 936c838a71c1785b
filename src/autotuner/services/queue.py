"""What is asked of a stored task where workers run tasks: to start, end, pause, go on, or try again.

Each call does its part and returns; a worker does the rest. What another process asks of a running task is in
``requests``, which the command line uses too.
"""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.queue import TaskQueue
from autotuner.contracts.store import (
    EventType,
    ExperimentStatus,
    NewEvent,
    StatusConflictError,
    TaskRecord,
    TaskStatus,
)
from autotuner.services.left_behind import end_servers_of
from autotuner.services.requests import (
    FINAL,
    cancel_left_behind,
    reopen_failed,
    request_cancel,
    request_pause,
    request_resume,
)
from autotuner.services.settings import Settings
from autotuner.services.task_lock import is_taken, taken
from autotuner.services.tasks import document_to_start

_RESTING = (TaskStatus.PENDING, TaskStatus.CANCELLED)


async def start_task(store: TaskQueue, settings: Settings, task_id: int, *, priority: int | None = None) -> TaskRecord:
    """Put a task into the queue: a new one, one that was cancelled, one that has failed (all its failed experiments are
    tried again), or one that a killed process has left running. ``priority``: its place; None: as it was.

    AutotunerError: NOT_FOUND, TASK_BUSY while a process runs it, CONFLICT for one that is queued, paused, being
    cancelled or completed; else as ``config.load.validate`` for a document that cannot be run.
    """
    task = await store.get_task(task_id)
    if task.queued_at is not None and task.status is TaskStatus.PENDING:
        raise _queued(task)
    await document_to_start(store, settings, task)
    if task.status in _RESTING:
        return await _enqueue(store, task, priority=priority)
    if task.status in (TaskStatus.PAUSED, TaskStatus.CANCELLING) or task.queued_at is not None:
        raise _not_startable(task, task.status.value)
    async with taken(settings, task):
        return await _start_held(store, task, priority)


async def cancel_task(store: TaskQueue, settings: Settings, task_id: int) -> TaskRecord:
    """End a task. One that nobody runs is cancelled when this returns, with the servers that were left behind; one
    that runs is cancelling, and the process that runs it ends it.

    AutotunerError: NOT_FOUND, CONFLICT for one that has ended.
    """
    task = await store.get_task(task_id)
    if task.status is TaskStatus.PENDING:
        event = NewEvent(type=EventType.TASK_CANCELLED, message="cancelled before it ran")
        try:
            return await store.change_task(task.id, event, expected=(TaskStatus.PENDING,), status=TaskStatus.CANCELLED)
        except StatusConflictError:
            pass  # it was begun meanwhile
    asked = await request_cancel(store, task)
    if asked.status not in FINAL and not await is_taken(settings, task.id):
        await cancel_left_behind(store, settings, task)
        return await store.get_task(task.id)
    return asked


async def pause_task(store: TaskQueue, settings: Settings, task_id: int) -> TaskRecord:
    """Let a running task start nothing more until it is resumed; the start that is under way is finished first.

    AutotunerError: NOT_FOUND, CONFLICT for one that does not run.
    """
    return await request_pause(store, await store.get_task(task_id))


async def resume_task(store: TaskQueue, settings: Settings, task_id: int) -> TaskRecord:
    """Let a paused task go on: in the process that holds it, or pending, with the next worker that is free.

    AutotunerError: NOT_FOUND, CONFLICT for one that is not paused.
    """
    task = await store.get_task(task_id)
    if task.status is not TaskStatus.PAUSED or await is_taken(settings, task.id):
        return await request_resume(store, task)
    if task.queued_at is None:
        # First: as long as it is paused no worker takes it, and afterwards it is never without a place in the queue.
        await _enqueue_unless_queued(store, task)
    event = NewEvent(type=EventType.TASK_RESUMED, data={"status": TaskStatus.PENDING.value})
    try:
        return await store.change_task(task.id, event, expected=(TaskStatus.PAUSED,), status=TaskStatus.PENDING)
    except StatusConflictError:
        return await request_resume(store, task)  # tells what it is now


async def retry_task(store: TaskQueue, settings: Settings, task_id: int, numbers: Sequence[int] = ()) -> TaskRecord:
    """Try failed experiments again (all of them without ``numbers``). The process that runs the task measures them
    before it asks for another configuration; a task that nobody runs is queued.

    AutotunerError: NOT_FOUND for a task or number that is not there, CONFLICT when none of them failed.
    """
    task = await store.get_task(task_id)
    _, attended = await reopen_failed(store, settings, task, numbers)
    task = await store.get_task(task_id)
    if not attended and task.queued_at is None:
        await _enqueue_unless_queued(store, task)
    return await store.get_task(task_id)


async def _start_held(store: TaskQueue, task: TaskRecord, priority: int | None) -> TaskRecord:
    """Queue a task that has failed or was left running, whose lock the caller holds."""
    task = await store.get_task(task.id)
    if task.status is TaskStatus.FAILED:
        # First these, then the status: if this is interrupted, it is a failed task still, and a second try does all.
        for experiment in await store.list_experiments(task.id, bulk=False):
            if experiment.status is ExperimentStatus.FAILED:
                await store.reopen_experiment(experiment.id)
    elif task.status is TaskStatus.RUNNING:
        await end_servers_of(store, task)
        await store.interrupt_attempts(task.id)
    return await _enqueue(store, task, expected=(*_RESTING, TaskStatus.FAILED, TaskStatus.RUNNING), priority=priority)


async def _enqueue(
    store: TaskQueue, task: TaskRecord, *, expected: Sequence[TaskStatus] = _RESTING, priority: int | None = None
) -> TaskRecord:
    try:
        return await store.enqueue_task(task.id, expected=expected, status=TaskStatus.PENDING, priority=priority)
    except StatusConflictError as conflict:
        found = await store.get_task(task.id)
        raise _queued(found) if found.queued_at is not None else _not_startable(found, conflict.actual) from conflict


async def _enqueue_unless_queued(store: TaskQueue, task: TaskRecord) -> None:
    """Queue a task as it is; nothing for one that somebody queued or began meanwhile."""
    try:
        await store.enqueue_task(task.id, expected=(task.status,), status=task.status)
    except StatusConflictError:
        return


def _queued(task: TaskRecord) -> AutotunerError:
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"the task {task.name!r} is in the queue already",
        why=f"it was queued at {task.queued_at:%Y-%m-%d %H:%M:%S} UTC and waits for a worker"
        if task.worker_id is None
        else f"worker {task.worker_id} is about to run it",
        remedy="Wait for it, or cancel it",
        place=task.name,
    )


def _not_startable(task: TaskRecord, status: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"the task {task.name!r} cannot be started",
        why=f"it is {status}",
        remedy=_REMEDIES.get(task.status, "Look at the present state and try again"),
        place=task.name,
    )


_REMEDIES = {
    TaskStatus.RUNNING: "Nothing is to be done: a worker takes it over",
    TaskStatus.PAUSED: "Resume it: it goes on where it stands",
    TaskStatus.CANCELLING: "Cancel it again, which ends what was left behind; then start it",
    TaskStatus.COMPLETED: "Try failed experiments again, or give it a larger budget",
}
