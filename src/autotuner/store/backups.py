"""Backups: a store of either kind as one SQLite file of the same schema. Blocking functions."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.store.copying import appearing, copy_sqlite, free_name
from autotuner.store.database import BUSY_TIMEOUT_S, sync_engine, translated
from autotuner.store.location import Location, parse_location, prepare_file
from autotuner.store.schema import read_state, run_revisions, upgrade_schema
from autotuner.store.transfer import TableCopy, Tell, copy_rows, reading, reflected


def back_up(location: Location, target: Path, tell: Tell, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
    """Copy a store of any schema to ``target`` while it is in use; the copy holds one state of it.

    AutotunerError: CONFLICT when ``target`` exists, STORAGE when its folder doesn't or it cannot be written,
    STORE_SCHEMA, STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    if not target.absolute().parent.is_dir():
        raise _no_backup(
            ErrorCode.STORAGE,
            f"there is no folder {target.absolute().parent}",
            "Make the folder, or choose another place",
            target,
        )
    if target.exists():
        raise _exists(target)
    try:
        if location.path is None:
            with reading(location, busy_timeout_s=busy_timeout_s, any_schema=True) as source:
                copy_to_file(source, location, target, tell)
        else:
            with translated(location):
                prepare_file(location, create=False)
                copy_sqlite(location.path, target)
    except AutotunerError as error:
        if not isinstance(error.__cause__, FileExistsError):
            raise
        raise _exists(target) from error


def copy_to_file(source: Connection, place: Location, target: Path, tell: Tell) -> list[TableCopy]:
    """The store at ``place``, which ``source`` reads, as a new SQLite file, made by the revisions up to its own.

    AutotunerError as ``copy_rows``, and CONFLICT by FileExistsError.
    """
    revision = read_state(source).current
    if revision is None:
        raise ValueError("a database without tables has no backup")
    with translated(parse_location(str(target.absolute()))), appearing(target) as part:
        engine = sync_engine(parse_location(str(part.absolute())))
        try:
            with engine.begin() as new:
                run_revisions(new, revision)
                copies = copy_rows(source, place, new, tell, metadata=reflected(new))
        finally:
            engine.dispose()
    return copies


def backup_name(location: Location, folder: Path, state: str) -> Path:
    """A free name for a backup that a command takes by itself: beside a SQLite file, for PostgreSQL in ``folder``.

    ``state``: what is backed up, a revision or a time. OSError when the folder cannot be made.
    """
    if location.path is not None:
        path = location.path.resolve()
        return free_name(path.with_name(f"{path.name}.backup-{state}"))
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", location.url.database or "postgres")
    return free_name(folder / f"{name}.backup-{state}")


def newest_copy(file: Path, target: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
    """Copy a backup to ``target`` and bring that to the newest schema; the backup itself is not changed.

    AutotunerError: MISSING_FILE, STORE_SCHEMA for what is no store or a newer one's, STORE_UNAVAILABLE where it is
    damaged or cannot be copied.
    """
    location = parse_location(str(file.absolute()))
    if not file.is_file():
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            "There is no such backup",
            why="it is no file",
            remedy="Give a file that `autotuner db backup` or an upgrade has written",
            place=str(file),
        )
    with reading(location, any_schema=True, busy_timeout_s=busy_timeout_s):
        pass  # it is a store
    with translated(location, busy_timeout_s):
        copy_sqlite(file, target)
        faults = damage(target, busy_timeout_s)
        if faults:
            raise AutotunerError(
                ErrorCode.STORE_UNAVAILABLE,
                "The backup is damaged",
                why="; ".join(faults[:3]),
                remedy="Take another backup",
                place=str(file),
            )
    upgrade_schema(parse_location(str(target)), busy_timeout_s=busy_timeout_s, keep=lambda _connection, _from: target)


def damage(path: Path, busy_timeout_s: float) -> list[str]:
    """What is wrong with a SQLite file, one line each: broken pages, then dangling references."""
    with closing(sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)) as connection:
        try:
            lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            lines = [str(error)]
        problems = [line for line in lines if line != "ok"]
        if problems:
            return problems  # a damaged file can't be searched for more
        return [
            f"{table} row {row} refers to a row of {parent} that is not there"
            for table, row, parent, _key in connection.execute("PRAGMA foreign_key_check")
        ]


def _exists(target: Path) -> AutotunerError:
    return _no_backup(
        ErrorCode.CONFLICT,
        "the file exists already, and a backup never replaces a file",
        "Choose another name",
        target,
    )


def _no_backup(code: ErrorCode, why: str, remedy: str, target: Path) -> AutotunerError:
    return AutotunerError(code, "No backup was taken", why=why, remedy=remedy, place=str(target))
