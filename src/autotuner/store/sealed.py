"""Reading a SQLite file that lies on a file system mounted read-only. Blocking functions.

Who reads a file with a write-ahead log shares memory with its writers, as a file beside it, which cannot be made there.
SQLite can do without, if it is told that nothing changes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy import URL

from autotuner.store.location import Location, unavailable

State = tuple[tuple[int, int, int] | None, ...]


def sealed(location: Location) -> Location | None:
    """Where to read such a file; None if it does not lie on a read-only file system, or was left with a log.

    With a log nothing of the kind is needed: its shared memory is there as well.
    """
    path = location.path
    if path is None:
        return None
    with suppress(OSError):
        if os.statvfs(path).f_flag & os.ST_RDONLY and not _log(path).exists():
            query = {"mode": "ro", "immutable": "1", "uri": "true"}
            return replace(location, url=URL.create("sqlite+pysqlite", database=path.as_uri(), query=query))
    return None


def file_state(location: Location) -> State:
    """What differs when somebody has written to the file, who reaches it by another mount."""
    path = location.path
    return () if path is None else (_stat(path), _stat(_log(path)))


def require_unchanged(location: Location, before: State) -> None:
    """StoreUnavailableError if the file has changed: what was read may be a mixture of old and new."""
    if file_state(location) != before:
        raise unavailable(location, "it was written to while it was read through a read-only file system", "Try again")


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
