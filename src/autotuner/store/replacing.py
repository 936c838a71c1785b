"""Putting another file in the place of a SQLite store: the old one or the new one is there, whenever it is cut off.

Blocking functions.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.store.copying import sync

LONGEST_WAIT_S = 5.0
"""For programs that have the file open. They may have it open for days."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def replace_file(
    path: Path, new: Path, *, kept: Path | None, refuse: Callable[[], None], busy_timeout_s: float
) -> None:
    """Put ``new``, a store of one file in the same folder, in the place of ``path``.

    ``kept``: what was there gets this name. ``refuse`` is called while nobody else can use the file, and raises if it
    must stay. AutotunerError(CONFLICT) while another program has it open; OSError, sqlite3.Error.
    """
    sync(new)
    if not path.exists():
        refuse()
        new.rename(path)
    else:
        with _to_ourselves(path, busy_timeout_s) as sound:
            refuse()
            if not sound:
                # The log would be replayed into the new file. No program can use the two as they are.
                for beside in ("-wal", "-shm"):
                    _move(path.with_name(path.name + beside), kept and kept.with_name(kept.name + beside))
            if kept is not None:
                _give_second_name(path, kept)
            new.replace(path)
    sync(path.parent)


@contextmanager
def _to_ourselves(path: Path, busy_timeout_s: float) -> Iterator[bool]:
    """The file without a log beside it, and nobody else in it; False when it is damaged."""
    with closing(sqlite3.connect(path, timeout=min(busy_timeout_s, LONGEST_WAIT_S), isolation_level=None)) as old:
        try:
            # Works only when no other connection is open. Those that come from now on wait, find that their file has
            # moved, and are refused by SQLite.
            old.execute("PRAGMA journal_mode = DELETE").fetchone()
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in _DAMAGED:
                old.close()  # now, because it may remove a log, and later that would be the new file's
                yield False
                return
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise AutotunerError(
                ErrorCode.CONFLICT,
                "The database was not replaced",
                why="another program has it open",
                remedy="Stop what uses it (such as `autotuner serve`, or an open database browser) and try again",
                place=str(path),
            ) from error
        try:
            yield True
        except BaseException:
            old.execute("ROLLBACK")
            old.execute("PRAGMA journal_mode = WAL").fetchone()
            raise


def _give_second_name(path: Path, kept: Path) -> None:
    """``path`` is never without a file, but where a file system has no hard links."""
    try:
        os.link(path, kept)
    except FileExistsError:
        raise
    except OSError:
        path.rename(kept)


def _move(path: Path, target: Path | None) -> None:
    if not path.exists():
        return
    if target is None:
        path.unlink()
    else:
        path.rename(target)
