"""A task is begun anew, deleted for a while, or for ever."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autotuner.config.identity import fingerprint
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.runs import ArchivedRun
from autotuner.contracts.store import TaskRecord
from autotuner.services.left_behind import end_servers_of
from autotuner.services.settings import Settings
from autotuner.services.task_identity import before_start
from autotuner.services.task_lock import taken
from autotuner.services.writing import unwritable
from autotuner.store.sql_store import SqlStore

RESTORABLE = timedelta(days=30)
"""How long a deleted task can be restored."""


async def begin_anew(store: SqlStore, settings: Settings, task_id: int, *, drop: bool = False) -> ArchivedRun:
    """Make an ended task pending with nothing done; what it had done becomes an archived run. ``drop``: which is
    deleted at once, and can be restored for 30 days.

    AutotunerError: NOT_FOUND, TASK_BUSY while a process runs it; StatusConflictError for one that has not ended, is
    queued, or is an archived run.
    """
    task = await store.get_task(task_id)
    async with taken(settings, task):
        await end_servers_of(store, task)
        task = await store.get_task(task_id)
        identity = before_start(task.identity)
        return await store.archive_run(task_id, identity=identity, fingerprint=fingerprint(identity), drop=drop)


async def purge_task(store: SqlStore, settings: Settings, task_id: int) -> tuple[TaskRecord, ...]:
    """Remove a deleted task for ever, with its archived runs and their files; what was removed.

    AutotunerError: NOT_FOUND, TASK_BUSY, STORAGE when files cannot be removed (then nothing else was); CONFLICT for a
    task that is not deleted.
    """
    task = await store.get_task(task_id)
    if task.deleted_at is None:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"the task {task.name!r} is not deleted",
            why="only deleted tasks are removed for ever",
            remedy="Delete it first",
            place=task.name,
        )
    async with taken(settings, task):
        await asyncio.to_thread(_remove_files, settings, task)
        return tuple(await store.purge_task(task_id))


async def purge_deleted(
    store: SqlStore, settings: Settings, *, older_than: timedelta = RESTORABLE
) -> tuple[TaskRecord, ...]:
    """Remove for ever what was deleted longer ago; a task that cannot be removed now is left for the next time."""
    gone: list[TaskRecord] = []
    for task in await store.deleted_tasks(before=datetime.now(UTC) - older_than):
        if task.id in {one.id for one in gone}:
            continue  # with the task whose run it was
        try:
            gone += await purge_task(store, settings, task.id)
        except AutotunerError as error:
            if error.code not in (ErrorCode.TASK_BUSY, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT):
                raise
    return tuple(gone)


def _remove_files(settings: Settings, task: TaskRecord) -> None:
    """The files of a task with those of its archived runs, or those of one archived run."""
    folder = settings.folder_of(task)
    if task.run_of is None:
        folder = settings.task_dir(task.id)
        kept: Sequence[Path] = ()
    else:
        kept = [path for path in _entries(folder) if path.name.startswith("run-")] if task.run == 1 else ()
    try:
        if not kept:
            if folder.exists():
                shutil.rmtree(folder)
            return
        for path in set(_entries(folder)) - set(kept):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        raise unwritable(folder, (error.strerror or str(error)).lower()) from error


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
