"""The files of a task that is being imported: beside the other tasks, then in the task's folder, or gone.

An import that is killed leaves files and no task. They are told by their names and by a mark, and the next import
removes them: none is alive then, since each holds a lock that the kernel gives back.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.settings import Settings
from autotuner.services.writing import unwritable
from autotuner.store.task_rows import refers_to_folder

_LOCK = ".imports.lock"
_MARK = ".importing"


class Staging:
    """A folder of files that belong to no task yet; made by ``staging``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = secrets.token_hex(8)
        self._folder = _root(settings) / f".import-{self._token}"
        self._placed: Path | None = None

    def place(self, task_id: int) -> Path:
        """The folder that the files of that task get; no other import has it."""
        return self._settings.task_dir(task_id) / f"imported-{self._token}"

    @contextmanager
    def new_file(self, path: str) -> Iterator[IO[bytes]]:
        """A new file of the folder. AutotunerError(STORAGE) when it cannot be written."""
        place = self._folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                yield file
        except OSError as error:
            raise unwritable(place, (error.strerror or str(error)).lower()) from error

    def move_to(self, task_id: int) -> None:
        """Put the files into the task's folder, if there are any. AutotunerError(STORAGE)."""
        if not self._folder.is_dir():
            return
        target = self.place(task_id)
        try:
            (self._folder / _MARK).touch()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folder.rename(target)
        except OSError as error:
            raise unwritable(target, (error.strerror or str(error)).lower()) from error
        self._placed = target

    def keep(self) -> None:
        """The task is stored: the files are its own."""
        if self._placed is not None:
            with suppress(OSError):
                (self._placed / _MARK).unlink()

    def discard(self) -> None:
        """Remove all files: there will be no task."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._placed is not None:
            _remove(self._placed)


@contextmanager
def staging(settings: Settings) -> Iterator[Staging]:
    """Files for one import. They are removed when the body raises, unless it is not certain that nothing was stored."""
    with _importing(settings):
        files = Staging(settings)
        try:
            yield files
        except AutotunerError as error:
            # Of a commit that was lost on its way nobody knows; the next import looks whether the task is there.
            if error.code is not ErrorCode.STORE_UNAVAILABLE or getattr(error, "mend", None) is not None:
                files.discard()
            raise
        except BaseException:
            files.discard()
            raise
        files.keep()


@contextmanager
def _importing(settings: Settings) -> Iterator[None]:
    """Hold the lock that living imports share. Who gets it for itself alone first removes what dead ones have left."""
    path = _root(settings) / _LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower()) from error
    with file:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_leftovers(settings)
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _remove_leftovers(settings: Settings) -> None:
    root = _root(settings)
    for folder in root.glob(".import-*"):
        shutil.rmtree(folder, ignore_errors=True)
    for mark in root.glob(f"task-*/imported-*/{_MARK}"):
        folder = mark.parent
        if refers_to_folder(settings.database, str(folder), busy_timeout_s=settings.database_timeout_s):
            with suppress(OSError):
                mark.unlink()
        else:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the folder of an import, and that of its task if nothing else is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def _root(settings: Settings) -> Path:
    """The folder with one folder per task of this database."""
    return settings.task_dir(1).parent
