"""Servers of runs that were killed. They die with their run; this is the second line, when another one starts."""

from __future__ import annotations

from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Observer
from autotuner.contracts.store import AttemptRow, Store, TaskRecord
from autotuner.services.plugins import InstalledPlugins
from autotuner.services.settings import Settings
from autotuner.services.task_lock import abandoned

UNENDED = frozenset({AttemptStatus.PENDING, AttemptStatus.DEPLOYING, AttemptStatus.BENCHMARKING})


async def end_left_behind(store: Store, settings: Settings, task: TaskRecord, observer: Observer) -> None:
    """End what is left of the servers of this task, which the caller holds, and of every task that nobody runs.

    AutotunerError(CONFLICT) when something of this task's does not end: it would disturb what is measured.
    """
    # Read before the locks are looked at: an attempt without an end, whose lock is free afterwards, has no owner.
    unended = await store.unended_attempts()
    if await end_servers_of(store, task):
        observer.on_message("An earlier run of this task was killed and had left a server: it was ended.")
    for attempt in unended:
        if attempt.task_id == task.id or not await abandoned(settings, attempt.task_id):
            continue
        try:
            if await _clean(attempt):
                observer.on_message(f"A killed run of task {attempt.task_id} had left a server: it was ended.")
        except DeploymentError as error:
            observer.on_message(f"A killed run of task {attempt.task_id} has left a server. {error.failure.diagnosis}.")


async def end_servers_of(store: Store, task: TaskRecord) -> bool:
    """End what is left of the servers of a task that the caller holds; True if there was anything.

    AutotunerError(CONFLICT) when something does not end.
    """
    found = False
    for attempt in await store.list_attempts(task.id, bulk=False):
        if attempt.status in UNENDED:
            try:
                found = await _clean(attempt) or found
            except DeploymentError as error:
                raise AutotunerError(
                    ErrorCode.CONFLICT,
                    f"a killed run of the task {task.name!r} has left a server",
                    why=error.failure.diagnosis,
                    remedy=error.failure.hint,
                    place=task.name,
                ) from error
    return found


async def _clean(attempt: AttemptRow) -> bool:
    if attempt.handle is None:
        return False
    return await InstalledPlugins().deployment(attempt.handle.deployment).clean(attempt.handle)
