"""Which process runs a task: one at a time, known by a lock that is given back when the process dies, however it dies.

For a SQLite database a locked file beside it, for PostgreSQL a lock that a connection to the server holds, so that all
hosts that use the database meet there.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.contracts.values import digest
from autotuner.services.settings import Settings
from autotuner.services.writing import unwritable
from autotuner.store.location import parse_location
from autotuner.store.session_lock import held_keys, is_locked, session_lock
from autotuner.store.sql_store import SqlStore
from autotuner.store.transfer import task_numbers
from autotuner.store.units import Guard

TRIES, PAUSE_S = 5, 0.1
"""Another's hold may be that of ``is_taken``, or of a process that has just died."""


class Hold(Guard, Protocol):
    """A task that this process holds: a guard that raises StoreUnavailableError when it holds it no longer."""


@asynccontextmanager
async def taken(settings: Settings, task: TaskRecord) -> AsyncIterator[Hold]:
    """Hold the task for this process. AutotunerError: TASK_BUSY when another one has it, STORAGE, STORE_UNAVAILABLE."""
    for left in reversed(range(TRIES)):
        async with _hold(settings, task.id) as hold:
            if hold is not None:
                yield hold
                return
        if left:
            await asyncio.sleep(PAUSE_S)
    raise AutotunerError(
        ErrorCode.TASK_BUSY,
        f"the task {task.name!r} is being run by another process",
        why="a task has one coordinator at a time",
        remedy=f"`autotuner attach {task.name}` shows it, `autotuner task cancel {task.name}` ends it",
        place=task.name,
    )


async def is_taken(settings: Settings, task_id: int, *, store: SqlStore | None = None) -> bool:
    """Whether a process, this one included, holds the task. AutotunerError: STORAGE, STORE_UNAVAILABLE.

    ``store`` spares PostgreSQL a new connection.
    """
    location = parse_location(settings.database)
    if location.path is None:
        return await (is_locked(location, _key(task_id)) if store is None else store.is_locked(_key(task_id)))
    return await asyncio.to_thread(_is_locked, settings.lock_path(task_id))


async def abandoned(settings: Settings, task_id: int) -> bool:
    """Whether no process holds the task; one that has lost its hold can then no longer have it back, nor write.

    Errors as ``is_taken``.
    """
    location = parse_location(settings.database)
    if location.path is not None:
        return not await is_taken(settings, task_id)
    async with session_lock(location, _key(task_id), task_id) as lock:
        return lock is not None


def held_tasks(settings: Settings) -> list[int]:
    """Numbers of the tasks that a process holds, this one included. Blocks; errors as ``is_taken``."""
    location = parse_location(settings.database)
    if location.path is None:
        keys = held_keys(location)
        return [task_id for task_id in task_numbers(location) if _key(task_id) in keys] if keys else []
    name = re.compile(re.escape(location.path.resolve().name) + r"\.task-(\d+)\.lock")
    folder = settings.lock_path(0).parent
    files = [path for path in folder.iterdir() if name.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(int(name.sub(r"\1", path.name)) for path in files if _is_locked(path))


class _File:
    """A locked file, which is given back by nothing but the end of its holder."""

    async def check(self) -> None:
        """It is held."""

    def fence(self, session: Session) -> None:
        """It is held."""


@asynccontextmanager
async def _hold(settings: Settings, task_id: int) -> AsyncIterator[Hold | None]:
    """One try; None when another process has it."""
    location = parse_location(settings.database)
    if location.path is None:
        async with session_lock(location, _key(task_id), task_id) as lock:
            yield lock
    else:
        with _locked(settings.lock_path(task_id)) as got:
            yield _File() if got else None


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Lock a file, which is made; False when another process has."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")  # never emptied: it may be another's
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower()) from error
    with file:
        yield _flock(file, fcntl.LOCK_EX, path)


def _is_locked(path: Path) -> bool:
    """Whether a process has locked the file. It is looked at with a shared lock, for an instant."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower()) from error
    with file:
        return not _flock(file, fcntl.LOCK_SH, path)


def _flock(file: IO[Any], operation: int, path: Path) -> bool:
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unwritable(path, f"it cannot be locked ({error.strerror})") from error
    return True


def _key(task_id: int) -> int:
    """The lock's number, 64 bits with a sign."""
    return int.from_bytes(bytes.fromhex(digest(["task", task_id]))[:8], signed=True)
