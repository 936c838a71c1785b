"""Which process runs a task: one at a time, known by a file lock that the kernel releases when the process dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.services.settings import Settings


@contextmanager
def taken(settings: Settings, task: TaskRecord) -> Iterator[None]:
    """Hold the task for this process. AutotunerError(TASK_BUSY) when another one has it."""
    path = settings.lock_path(task.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AutotunerError(
                ErrorCode.TASK_BUSY,
                f"the task {task.name!r} is being run by another process",
                why="a task has one coordinator at a time",
                remedy="Wait for it, or end it with Ctrl-C there",
                place=task.name,
            ) from None
        yield
