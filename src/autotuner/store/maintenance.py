"""What `autotuner db` does: upgrade, the schema's state, backup, check."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from sqlalchemy import inspect

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.store.copying import copy_sqlite
from autotuner.store.database import BUSY_TIMEOUT_S, sync_engine, translated
from autotuner.store.location import Location, parse_location, prepare_file
from autotuner.store.models import Base
from autotuner.store.schema import SchemaState, require_head, state_of, upgrade_schema


async def upgrade(url_or_path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Path | None:
    """Bring a store to the newest schema, or make its tables.

    An existing SQLite file is copied to ``<file>.backup-<revision>`` first; returns that path, None if none was taken.
    Raises AutotunerError: STORE_SCHEMA for a newer store or another program's database, STORE_UNAVAILABLE,
    MISSING_EXTRA.
    """
    location = parse_location(url_or_path)
    return await asyncio.to_thread(partial(upgrade_schema, location, busy_timeout_s=busy_timeout_s))


async def schema_state(url_or_path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> SchemaState:
    """The revision of a store and the newest one. Raises AutotunerError: STORE_UNAVAILABLE, MISSING_EXTRA."""
    location = parse_location(url_or_path)
    return await asyncio.to_thread(partial(state_of, location, busy_timeout_s=busy_timeout_s))


async def backup(url_or_path: str, target: Path) -> None:
    """Copy a SQLite store to ``target`` while it is in use; the copy holds the last commit.

    Raises AutotunerError: CONFLICT when ``target`` exists, STORAGE when its folder doesn't,
    UNSUPPORTED for PostgreSQL, STORE_UNAVAILABLE.
    """
    location = parse_location(url_or_path)
    if location.path is None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "No backup was taken",
            why="a PostgreSQL store is backed up by PostgreSQL's own tools",
            remedy="Run: pg_dump --format=custom --file=BACKUP DATABASE",
            place=location.shown,
        )
    await asyncio.to_thread(_backup, location, location.path, target)


async def check(url_or_path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> list[str]:
    """What is wrong with a store, one line each; empty when it is sound.

    SQLite: its own integrity check and dangling references. PostgreSQL (which keeps both itself): missing tables.
    Raises AutotunerError: STORE_SCHEMA, STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    location = parse_location(url_or_path)
    return await asyncio.to_thread(_check, location, busy_timeout_s)


def _backup(location: Location, source: Path, target: Path) -> None:
    if not target.absolute().parent.is_dir():
        raise AutotunerError(
            ErrorCode.STORAGE,
            "No backup was taken",
            why=f"there is no folder {target.absolute().parent}",
            remedy="Make the folder, or choose another place",
            place=str(target),
        )
    try:
        with translated(location):
            prepare_file(location, create=False)
            copy_sqlite(source, target)
    except AutotunerError as error:
        if not isinstance(error.__cause__, FileExistsError):
            raise
        raise AutotunerError(
            ErrorCode.CONFLICT,
            "No backup was taken",
            why="the file exists already, and a backup never replaces a file",
            remedy="Choose another name",
            place=str(target),
        ) from error


def _check(location: Location, busy_timeout_s: float) -> list[str]:
    require_head(location, state_of(location, busy_timeout_s=busy_timeout_s))
    with translated(location, busy_timeout_s):
        if location.path is not None:
            return _check_sqlite(location.path, busy_timeout_s)
        engine = sync_engine(location, busy_timeout_s=busy_timeout_s)
        try:
            present = set(inspect(engine).get_table_names())
        finally:
            engine.dispose()
        return [f"table {name} is missing" for name in sorted(set(Base.metadata.tables) - present)]


def _check_sqlite(path: Path, busy_timeout_s: float) -> list[str]:
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
