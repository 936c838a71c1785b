"""Copies of a SQLite file while it is in use. Blocking functions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database through SQLite's online backup; ``target`` appears whole, on disk, or not at all.

    Readers and writers of ``source`` go on; the copy holds its last commit. Raises FileExistsError, OSError and
    sqlite3.Error.
    """
    # mode=rw: a missing source is an error, not an empty database
    with (
        appearing(target) as part,
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as old,
        closing(sqlite3.connect(part)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """An empty file for its owner alone, which is ``target``, on disk, if the context ends well, and else is gone.

    Raises FileExistsError if there is a ``target`` by then, and OSError.
    """
    part = free_name(target.with_name(f"{target.name}.part"))
    try:
        part.touch(mode=0o600, exist_ok=False)
        yield part
        sync(part)
        _give_name(part, target)
        sync(target.parent)
    finally:
        for beside in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + beside).unlink(missing_ok=True)


def _give_name(part: Path, target: Path) -> None:
    try:
        os.link(part, target)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(target) from None
        part.rename(target)


def free_name(path: Path) -> Path:
    """``path``, or with -2, -3 … appended the first name that isn't taken."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
