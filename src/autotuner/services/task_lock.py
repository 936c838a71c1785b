"""Which process runs a task: one at a time, known by a file lock that the kernel releases when the process dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.services.settings import Settings

_TRIES = 5
_BETWEEN_S = 0.02
"""Somebody who only looks has the lock for microseconds; a run has it as long as it lasts."""


@contextmanager
def taken(settings: Settings, task: TaskRecord) -> Iterator[None]:
    """Hold the task for this process. AutotunerError(TASK_BUSY) when another one has it."""
    path = settings.lock_path(task.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(
        "a+"
    ) as lock:  # never "w": the file may be another's, and another look at it is no reason to empty it
        if not _locked(lock):
            raise AutotunerError(
                ErrorCode.TASK_BUSY,
                f"the task {task.name!r} is being run by another process",
                why="a task has one coordinator at a time",
                remedy=f"`autotuner attach {task.name}` shows it, `autotuner task cancel {task.name}` ends it",
                place=task.name,
            )
        yield


def held(settings: Settings, task_id: int) -> bool:
    """Whether a process of this host runs the task."""
    path: Path = settings.lock_path(task_id)
    try:
        with path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _locked(lock: TextIO) -> bool:
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_BETWEEN_S)
        else:
            return True
    return False
