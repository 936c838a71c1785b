"""What one process asks of a task that another one may run: each is one compare-and-set on the status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import (
    EventType,
    ExperimentRecord,
    ExperimentStatus,
    NewEvent,
    StatusConflictError,
    Store,
    TaskRecord,
    TaskStatus,
)
from autotuner.services.left_behind import end_servers_of
from autotuner.services.settings import Settings
from autotuner.services.task_lock import is_taken, taken

FINAL = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
POLL_S = 0.1
"""How often a status is looked at that somebody waits for, seconds."""


async def request_cancel(store: Store, task: TaskRecord) -> TaskRecord:
    """Ask for the end of a pending, running or paused task; one that is being cancelled stays so. Does not wait.

    AutotunerError(CONFLICT) for a task that has ended.
    """
    return await _change(
        store,
        task,
        NewEvent(type=EventType.TASK_UPDATED, data={"status": TaskStatus.CANCELLING.value}),
        expected=(TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING),
        status=TaskStatus.CANCELLING,
        what="cancelled",
    )


async def request_pause(store: Store, task: TaskRecord) -> TaskRecord:
    """Ask a running task to start nothing more. AutotunerError(CONFLICT) for one in another state."""
    event = NewEvent(type=EventType.TASK_PAUSED)
    return await _change(store, task, event, expected=(TaskStatus.RUNNING,), status=TaskStatus.PAUSED, what="paused")


async def request_resume(store: Store, task: TaskRecord) -> TaskRecord:
    """Ask a paused task to go on. AutotunerError(CONFLICT) for one in another state."""
    event = NewEvent(type=EventType.TASK_RESUMED)
    return await _change(store, task, event, expected=(TaskStatus.PAUSED,), status=TaskStatus.RUNNING, what="resumed")


async def wait_cancelled(store: Store, settings: Settings, task: TaskRecord, tell: Callable[[str], None]) -> TaskRecord:
    """Wait until a task that was asked to end has ended; if no process runs it, end it here.

    ``tell`` is told once what is waited for. AutotunerError(CONFLICT) when somebody went on with it meanwhile.
    """
    told = False
    while True:
        state = await store.get_task_state(task.id)
        if state.status in FINAL:
            return await store.get_task(task.id)
        if state.status is not TaskStatus.CANCELLING:
            raise AutotunerError(
                ErrorCode.CONFLICT,
                f"the task {task.name!r} was not cancelled",
                why=f"another process went on with it before it had ended; it is {state.status.value}",
                remedy=f"`autotuner task cancel {task.name}` again, if you still want to",
                place=task.name,
            )
        if not await is_taken(settings, task.id):
            await cancel_left_behind(store, settings, task)
        elif not told:
            tell("Waiting for the process that runs it to end its server.")
            told = True
        await asyncio.sleep(POLL_S)


async def reopen_failed(
    store: Store, settings: Settings, task: TaskRecord, numbers: Sequence[int]
) -> tuple[list[ExperimentRecord], bool]:
    """Open failed experiments again (all of them without ``numbers``); those, and whether a process runs the task.

    That process measures them before it asks for another configuration. A task that had ended is pending afterwards, to
    be started. AutotunerError: NOT_FOUND for a number that is not there, CONFLICT for one that did not fail.
    """
    chosen = _failed(await store.list_experiments(task.id), task, numbers)
    while True:
        try:
            async with taken(settings, task):
                await _back_to_pending(store, task)
                return await _reopen(store, task, chosen), False
        except AutotunerError as error:
            if error.code is not ErrorCode.TASK_BUSY:
                raise
        opened = await _reopen(store, task, chosen)
        # It looks for them before it ends. If it had ended just before, they are opened and its lock is free.
        if (await store.get_task_state(task.id)).status not in FINAL:
            return opened, True
        chosen = opened
        await asyncio.sleep(POLL_S)


def _failed(experiments: list[ExperimentRecord], task: TaskRecord, numbers: Sequence[int]) -> list[ExperimentRecord]:
    known = {experiment.number: experiment for experiment in experiments}
    missing = [number for number in numbers if number not in known]
    if missing:
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            f"the task {task.name!r} has no experiment {missing[0]}",
            why=f"its experiments are {f'0 to {max(known)}' if known else 'none'}",
            remedy=f"`autotuner results {task.name}` lists them",
            place=task.name,
        )
    failed = [e for e in experiments if e.status is ExperimentStatus.FAILED]
    chosen = [known[number] for number in dict.fromkeys(numbers)] or failed
    other = next((e for e in chosen if e.status is not ExperimentStatus.FAILED), None)
    if other is not None:
        raise _not_failed(task, other.number, other.status.value)
    if not chosen:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"the task {task.name!r} has nothing to try again",
            why="none of its experiments failed",
            remedy=f"`autotuner task start {task.name}` goes on with what is left to do, if anything is",
            place=task.name,
        )
    return chosen


async def _reopen(store: Store, task: TaskRecord, chosen: Sequence[ExperimentRecord]) -> list[ExperimentRecord]:
    opened = []
    for experiment in chosen:
        try:
            opened.append(await store.reopen_experiment(experiment.id))
        except StatusConflictError as conflict:
            if conflict.actual != ExperimentStatus.PENDING.value:  # pending: opened already, by us or by another
                raise _not_failed(task, experiment.number, conflict.actual) from conflict
            opened.append(await store.get_experiment(experiment.id))
    return opened


def _not_failed(task: TaskRecord, number: int, status: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"experiment {number} of the task {task.name!r} cannot be tried again",
        why=f"only failed ones can, and it is {status}",
        remedy=f"`autotuner results {task.name}` lists them",
        place=task.name,
    )


async def _back_to_pending(store: Store, task: TaskRecord) -> None:
    """Of a task that has ended; a failed one would try all its failed experiments, not those that were chosen."""
    event = NewEvent(type=EventType.TASK_UPDATED, data={"status": TaskStatus.PENDING.value})
    try:
        await store.change_task(task.id, event, expected=tuple(FINAL), status=TaskStatus.PENDING)
    except StatusConflictError:
        return


async def cancel_left_behind(store: Store, settings: Settings, task: TaskRecord) -> None:
    """End a task that is being cancelled and whose process is gone; nothing if somebody takes it first.

    AutotunerError(CONFLICT) when a server that was left behind does not end.
    """
    try:
        async with taken(settings, task):
            found = await store.get_task(task.id)
            if found.status is TaskStatus.CANCELLING:
                event = NewEvent(type=EventType.TASK_CANCELLED, message="cancelled on request; no process ran it")
                await end_unrun(store, found, event, TaskStatus.CANCELLED)
    except AutotunerError as error:
        if error.code is not ErrorCode.TASK_BUSY:
            raise


async def end_unrun(
    store: Store, task: TaskRecord, event: NewEvent, status: TaskStatus, error: AutotunerError | None = None
) -> None:
    """End a task that nobody runs, and what was left behind of it; the caller holds it and has just read it.

    ``error``: why it has failed. Nothing for a task that has ended; StatusConflictError if its status changed since.
    """
    if task.status in FINAL:
        return
    await end_servers_of(store, task)
    await store.interrupt_attempts(task.id)
    fields: dict[str, object] = {"finished_at": datetime.now(UTC)}
    if error is not None:
        fields |= {"error": error.as_dict(), "stop_reason": error.what}
    await store.change_task(task.id, event, expected=(task.status,), status=status, fields=fields)


async def _change(
    store: Store, task: TaskRecord, event: NewEvent, *, expected: Sequence[TaskStatus], status: TaskStatus, what: str
) -> TaskRecord:
    while True:
        found = (await store.get_task_state(task.id)).status
        if found is status and found in expected:
            return await store.get_task(task.id)  # it was asked for before
        if found not in expected:
            raise AutotunerError(
                ErrorCode.CONFLICT,
                f"the task {task.name!r} cannot be {what}",
                why=f"it is {found.value}",
                remedy=_REMEDIES.get(found, "`autotuner task show {name}` shows it").format(name=task.name),
                place=task.name,
            )
        try:
            return await store.change_task(task.id, event, expected=(found,), status=status)
        except StatusConflictError:
            continue  # it changed in between; what it is now decides


_REMEDIES = {
    TaskStatus.PENDING: "`autotuner task start {name}` runs it",
    TaskStatus.RUNNING: "`autotuner attach {name}` shows it",
    TaskStatus.PAUSED: "`autotuner task resume {name}` goes on with it",
    TaskStatus.CANCELLING: "Wait until it is cancelled; `autotuner task start {name}` goes on with it then",
    TaskStatus.CANCELLED: "`autotuner task start {name}` goes on with it",
    TaskStatus.FAILED: "`autotuner task start {name}` tries it again",
    TaskStatus.COMPLETED: "`autotuner results {name}` shows what it came to",
}
