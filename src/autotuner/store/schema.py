"""The schema's revision: asking for it, creating the tables, upgrading with a backup first. Blocking functions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import Field
from sqlalchemy import Connection, inspect, text

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.store.copying import copy_sqlite, free_name
from autotuner.store.database import BUSY_TIMEOUT_S, sync_engine, translated
from autotuner.store.location import Location, file_is_sqlite, prepare_file, unavailable
from autotuner.store.migrations import HEAD, REVISIONS

VERSION_TABLE = "alembic_version"
_ADVISORY_LOCK = 0x6175746F74756E65  # "autotune": keeps two upgrades of one PostgreSQL database apart

# Alembic hands revisions their connection through a variable of its module, so one upgrade at a time per process.
_ALEMBIC = threading.Lock()


class SchemaState(Frozen):
    """Where a store's schema stands."""

    current: str | None = Field(description="revision of the database; None: it has no tables of ours")
    head: str = Field(description="revision that this version of the package needs")


def read_state(connection: Connection) -> SchemaState:
    """The schema's state by one open connection."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return SchemaState(current=None, head=HEAD)
    current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()  # names no input
    return SchemaState(current=current, head=HEAD)


def require_head(location: Location, state: SchemaState) -> None:
    """Raise AutotunerError(STORE_SCHEMA) unless the database has the schema that this version needs."""
    if state.current == state.head:
        return
    if state.current is None:
        why, remedy = "it has no tables yet", "Run `autotuner db upgrade`"
    elif state.current in REVISIONS:
        why = f"it has revision {state.current} and this version needs {state.head}"
        remedy = "Run `autotuner db upgrade` (a backup is taken first)"
    else:
        why = f"it has revision {state.current}, made by a newer version; this one knows up to {state.head}"
        remedy = "Install that newer version of autotuner (`autotuner db upgrade` cannot go back)"
    raise AutotunerError(
        ErrorCode.STORE_SCHEMA, "The store has another schema", why=why, remedy=remedy, place=location.shown
    )


def ensure_schema(location: Location, *, create: bool, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
    """Make sure that the database has the newest schema; with ``create`` a SQLite file without tables gets it.

    Raises AutotunerError: STORE_SCHEMA, STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    with translated(location, busy_timeout_s):
        prepare_file(location, create=create)
        state = _state(location, busy_timeout_s)
        if state.current is None and create and location.path is not None:
            _upgrade(location, busy_timeout_s)
        else:
            require_head(location, state)


def state_of(location: Location, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> SchemaState:
    """The schema's state. Raises AutotunerError: STORE_UNAVAILABLE, MISSING_EXTRA."""
    with translated(location, busy_timeout_s):
        prepare_file(location, create=False)
        return _state(location, busy_timeout_s)


Keep = Callable[[Connection, str], Path]
"""Backs a database up whose revision is given, through a connection that keeps writers off it; says where."""


def upgrade_schema(
    location: Location, *, busy_timeout_s: float = BUSY_TIMEOUT_S, keep: Keep | None = None
) -> Path | None:
    """Bring the schema to the newest revision in one transaction; returns the backup's path, if one was taken.

    What has tables of ours is backed up first, under a lock against writing: by ``keep``; without it a SQLite file is
    copied to ``<file>.backup-<revision>``, and of PostgreSQL no backup is taken.
    Raises AutotunerError: STORE_SCHEMA for a newer revision or somebody else's tables; STORE_UNAVAILABLE.
    """
    with translated(location, busy_timeout_s):
        prepare_file(location, create=True)
        return _upgrade(location, busy_timeout_s, keep)


def _state(location: Location, busy_timeout_s: float) -> SchemaState:
    if location.path is None:
        engine = sync_engine(location, busy_timeout_s=busy_timeout_s)
        try:
            with engine.connect() as connection:
                return read_state(connection)
        finally:
            engine.dispose()
    if not file_is_sqlite(location.path):
        raise unavailable(location, "the file is not a SQLite database", "Give the path of another file")
    # Plain, because an engine's transactions take the write lock, and asking must not wait for a writer.
    with closing(sqlite3.connect(location.name, timeout=busy_timeout_s, isolation_level=None, uri=True)) as plain:
        tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        if not plain.execute(tables, (VERSION_TABLE,)).fetchone()[0]:
            return SchemaState(current=None, head=HEAD)
        row = plain.execute("SELECT version_num FROM alembic_version").fetchone()
        return SchemaState(current=row[0] if row else None, head=HEAD)


def _upgrade(location: Location, busy_timeout_s: float, keep: Keep | None = None) -> Path | None:
    if location.path is not None:
        if not file_is_sqlite(location.path):
            raise unavailable(location, "the file is not a SQLite database", "Give the path of another file")
        set_wal(location.path, busy_timeout_s)
    # A revision that rebuilds a table drops the old one, and with references enforced SQLite would then delete the
    # rows that refer to it; they are checked at the end instead.
    engine = sync_engine(location, busy_timeout_s=busy_timeout_s, enforce_references=False)
    try:
        with engine.begin() as connection:
            if location.path is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            return _upgrade_locked(location, connection, keep)
    finally:
        engine.dispose()


def _upgrade_locked(location: Location, connection: Connection, keep: Keep | None) -> Path | None:
    state = read_state(connection)
    if state.current == state.head:
        return None
    if state.current is not None and state.current not in REVISIONS:
        require_head(location, state)
    backup: Path | None = None
    if state.current is None:
        _refuse_foreign(location, inspect(connection).get_table_names())
    elif keep is not None:
        if location.path is None:
            names = inspect(connection).get_table_names()
            quoted = ", ".join(map(connection.dialect.identifier_preparer.quote, names))
            connection.execute(text(f"LOCK TABLE {quoted} IN SHARE ROW EXCLUSIVE MODE"))
        backup = keep(connection, state.current)
    elif location.path is not None:
        backup = free_name(location.path.with_name(f"{location.path.name}.backup-{state.current}"))
        copy_sqlite(location.path, backup)
    run_revisions(connection)
    if location.path is not None and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise AutotunerError(
            ErrorCode.STORE_SCHEMA,
            "The upgrade was undone",
            why=f"a row of {broken[0]} refers to a row of {broken[2]} that is not there",
            remedy="Run `autotuner db check` and restore a sound backup",
            place=location.shown,
        )
    return backup


def require_no_foreign_tables(location: Location, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
    """AutotunerError(STORE_SCHEMA) if a database without our tables has others."""
    with translated(location, busy_timeout_s):
        engine = sync_engine(location, busy_timeout_s=busy_timeout_s, read_only=True)
        try:
            _refuse_foreign(location, inspect(engine).get_table_names())
        finally:
            engine.dispose()


def _refuse_foreign(location: Location, tables: Sequence[str]) -> None:
    foreign = sorted(name for name in tables if not name.startswith("sqlite_"))
    if foreign and foreign != [VERSION_TABLE]:
        raise AutotunerError(
            ErrorCode.STORE_SCHEMA,
            "The database is not a store",
            why=f"it holds tables of something else ({', '.join(foreign[:5])})",
            remedy="Give another file or database; nothing is put beside foreign tables or in their place",
            place=location.shown,
        )


def run_revisions(connection: Connection, revision: str = "head") -> None:
    """Bring the database of an open transaction to a revision, by default to the newest."""
    # Imported here: Alembic is slow to load and only an upgrade needs it.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    # A value of a Config is interpolated like one of an .ini file.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with _ALEMBIC:
        command.upgrade(config, revision)


def set_wal(path: Path, busy_timeout_s: float) -> None:
    """Switch the file to write-ahead logging. SQLite doesn't wait when two try that at once, so this does."""
    deadline = time.monotonic() + busy_timeout_s
    with closing(sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() >= deadline:
                    raise
            time.sleep(0.01)
