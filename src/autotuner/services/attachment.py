"""Looking at a run of another process: its progress until it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Observer
from autotuner.contracts.store import Store, TaskRecord, TaskStatus
from autotuner.services.progress_file import ProgressReader, is_snapshot, replay
from autotuner.services.queries import named_task
from autotuner.services.requests import FINAL
from autotuner.services.settings import Settings
from autotuner.services.task_lock import is_taken

POLL_S = 0.25
"""How often the progress and the task are looked at, seconds."""


async def task_to_watch(store: Store, settings: Settings, name: str | None) -> TaskRecord:
    """The task of that name or number; for None the newest one that runs, else the newest."""
    if name is None:
        for status in (TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING):
            found, _ = await store.list_tasks(status=status)
            for task in found:
                if await is_taken(settings, task.id):
                    return task
    return await named_task(store, name)


async def follow(store: Store, settings: Settings, task: TaskRecord, observer: Observer) -> TaskRecord:
    """Tell ``observer`` how a task stands and what happens, until it has ended; the task as it is then.

    AutotunerError(CONFLICT) when no process runs it (any more) although it has not ended.
    """
    with closing(ProgressReader(settings.folder_of(task))) as reader:
        lines = list(reader.lines())
        # What happened before is not told again; how it stands is.
        shown = [line for line in lines if is_snapshot(line)][-1:]
        while True:
            # Looked at first, so that nothing which was written before the end is missed.
            over = not await is_taken(settings, task.id)
            state = await store.get_task_state(task.id)
            _tell(shown, observer)
            _tell(list(reader.lines()), observer)
            if state.status in FINAL:
                return await store.get_task(task.id)
            if over:
                raise await _nobody_runs(store, task, state.status)
            shown = []
            await asyncio.sleep(POLL_S)


def _tell(lines: Sequence[str], observer: Observer) -> None:
    for line in lines:
        replay(line, observer)


async def _nobody_runs(store: Store, task: TaskRecord, status: TaskStatus) -> AutotunerError:
    counts = Counter(experiment.status.value for experiment in await store.list_experiments(task.id))
    stored = ", ".join(f"{count} {name}" for name, count in counts.items()) or "none yet"
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"no process runs the task {task.name!r}",
        why=f"it is {status.value}, and nobody is at work on it; its experiments: {stored}",
        remedy=f"`autotuner task start {task.name}` goes on, `autotuner results {task.name}` shows what is there",
        place=task.name,
    )


def stored_error(task: TaskRecord) -> AutotunerError:
    """The error with which a failed task ended, as it was raised there."""
    error = task.error or {}
    code = error.get("code")
    return AutotunerError(
        ErrorCode(code) if code in set(ErrorCode) else ErrorCode.NO_RESULT,
        error.get("what") or f"the task {task.name!r} failed",
        why=error.get("why") or "no reason is stored",
        remedy=error.get("remedy") or f"`autotuner logs {task.name}` shows the server's log",
        place=error.get("place"),
    )
