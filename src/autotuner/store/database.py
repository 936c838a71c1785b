"""Connections and units of work. A unit is a plain function of a session, so nothing else can be awaited inside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, FromClause, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError, ErrorCode, StoreUnavailableError
from autotuner.store.columns import decode_json, encode_json
from autotuner.store.location import Location, sqlite_error, unavailable, unavailable_for_now
from autotuner.store.readers import Readers
from autotuner.store.wake import Sockets, appended, notify

BUSY_TIMEOUT_S = 30.0
BUSY_STEP_S = 0.1
"""A wait for SQLite's write lock is made of such pieces, because nothing can cut one short."""
T = TypeVar("T")

DBAPIConnection = Any  # what a driver gives: PEP 249, without a common type


class Database:
    """The engines of one store; ``close`` releases them.

    SQLite has one connection that writes, behind a lock of this object, and some that only read; readers see the
    last commit and wait for nobody. PostgreSQL has a pool for each of the two.
    """

    def __init__(self, location: Location, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.location = location
        self._busy_timeout_s = busy_timeout_s
        self._write_lock = asyncio.Lock() if location.path is not None else None
        self._sockets = Sockets(location.path) if location.path is not None else None
        if location.path is not None:
            step = min(BUSY_STEP_S, busy_timeout_s)
            self._writer = _async_sqlite(location, step)
        else:
            with translated(location, busy_timeout_s):
                self._writer = create_async_engine(
                    location.url,
                    json_serializer=encode_json,
                    json_deserializer=decode_json,
                    pool_pre_ping=True,
                    connect_args={"connect_timeout": 10},
                )
            _configure_postgres(self._writer.sync_engine, busy_timeout_s)
        # One snapshot per unit, so that a page and its total agree.
        self._readers = Readers(sync_engine(location, busy_timeout_s=busy_timeout_s, read_only=True))

    async def write(self, unit: Callable[[Session], T]) -> T:
        """Run ``unit`` and commit, or roll back if it raises.

        Cancelling the caller ends the wait for other writers of a SQLite file; once the unit has begun it goes on to
        its commit, and only then is the caller told. Whoever listens for events is woken by the commit of a unit that
        appended some. Raises StoreUnavailableError, which says whether it is certain that nothing was changed.
        """
        with translated(self.location, self._busy_timeout_s):
            async with AsyncExitStack() as stack:
                if self._write_lock is not None:
                    await stack.enter_async_context(self._write_lock)
                session = await stack.enter_async_context(_session(self._writer))
                if self._write_lock is not None:
                    await self._begin_sqlite(session)
                return await finish_though_cancelled(self._finish(session, unit))

    async def read(self, unit: Callable[[Session], T]) -> T:
        """Run ``unit`` on one snapshot of the database. Raises AutotunerError(STORE_UNAVAILABLE)."""
        with translated(self.location, self._busy_timeout_s):
            return await self._readers.run(unit)

    async def close(self) -> None:
        """Close all connections."""
        if self._sockets is not None:
            self._sockets.close()
        await self._readers.close()
        await self._writer.dispose()

    async def _begin_sqlite(self, session: AsyncSession) -> None:
        """Take the file's write lock; waits for other processes for as long as the store may wait."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._busy_timeout_s
        while True:
            try:
                await finish_though_cancelled(session.connection())
                return
            except OperationalError as error:
                code = getattr(error.orig, "sqlite_errorcode", 0)
                if code & 0xFF != sqlite3.SQLITE_BUSY or loop.time() >= deadline:
                    raise
            await session.rollback()

    async def _finish(self, session: AsyncSession, unit: Callable[[Session], T]) -> T:
        done = await session.run_sync(unit)
        if self._sockets is None:
            await session.run_sync(notify)
        with translated(self.location, self._busy_timeout_s, committing=True):
            await session.commit()
        if self._sockets is not None:
            self._sockets.wake(appended(session.info))
        return done


async def finish_though_cancelled(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end even if the caller is cancelled meanwhile, and only then raise CancelledError."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # seen; the caller asked for the end, not for the outcome
    raise cancelled


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine, expire_on_commit=False, autoflush=False)


@contextmanager
def translated(
    location: Location, busy_timeout_s: float = BUSY_TIMEOUT_S, *, committing: bool = False
) -> Iterator[None]:
    """Turn the errors of drivers into AutotunerError: MISSING_EXTRA, CONFLICT or STORE_UNAVAILABLE.

    ``committing``: the error is one of a commit, and a server that was lost then may have carried it out.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"psycopg", "psycopg_binary"}:
            raise
        raise _missing_postgres(location) from error
    except ImportError as error:  # psycopg without its C library
        if "psycopg" not in str(error) and "libpq" not in str(error):
            raise
        raise _missing_postgres(location) from error
    except IntegrityError as error:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            "The store refused a change",
            why=f"it contradicts another row ({_first_line(error.orig)})",
            remedy="Look at the present state and try again",
            place=location.shown,
        ) from error
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise sqlite_error(location, error.orig, busy_timeout_s) from error
        raise _postgres_error(location, error, busy_timeout_s, committing=committing) from error
    except sqlite3.Error as error:
        raise sqlite_error(location, error, busy_timeout_s) from error
    except PoolTimeoutError as error:
        raise unavailable(
            location, "all its connections are in use", "Try again when fewer requests are running"
        ) from error
    except OSError as error:
        raise unavailable(
            location, f"{error.strerror or error}", "Check the path, its permissions and the disk"
        ) from error


def sync_engine(
    location: Location,
    *,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    enforce_references: bool = True,
    read_only: bool = False,
) -> Engine:
    """An engine for work that blocks (schema, maintenance, transfer of tasks). The caller disposes of it.

    ``enforce_references`` False: SQLite doesn't look after foreign keys (PostgreSQL always does). ``read_only``: its
    transactions are snapshots that write nothing and wait for no writer.
    """
    if location.path is not None:
        engine = create_engine(
            location.url,
            connect_args={"timeout": busy_timeout_s, "isolation_level": None},
            json_serializer=encode_json,
            json_deserializer=decode_json,
        )
        begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
        _configure_sqlite(engine, begin=begin, enforce_references=enforce_references)
        if read_only:
            event.listen(engine, "connect", _forbid_writing)
        return engine
    with translated(location, busy_timeout_s):
        engine = create_engine(
            location.url,
            json_serializer=encode_json,
            json_deserializer=decode_json,
            connect_args={"connect_timeout": 10},
        )
    _configure_postgres(engine, busy_timeout_s)
    if read_only:
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def _async_sqlite(location: Location, busy_timeout_s: float) -> AsyncEngine:
    engine = create_async_engine(
        location.async_url,
        # isolation_level None: the driver begins nothing by itself, our "begin" below does.
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
        json_serializer=encode_json,
        json_deserializer=decode_json,
        pool_size=1,
        max_overflow=0,
    )
    _configure_sqlite(engine.sync_engine, begin="BEGIN IMMEDIATE")
    return engine


def _configure_sqlite(engine: Engine, *, begin: str, enforce_references: bool = True) -> None:
    def pragmas(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        # The journal mode is set where the schema is made (it needs the file for itself) and stays in the file.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if enforce_references else 'OFF'}")
        cursor.close()

    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", pragmas)
    event.listen(engine, "begin", begin_transaction)
    engine.dialect.statement_compiler = _WithIndexes


class _WithIndexes(SQLiteCompiler):
    """Writes the hints of a SELECT behind the names of its tables (``INDEXED BY …``), which SQLAlchemy leaves out."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        return text


def _forbid_writing(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _configure_postgres(engine: Engine, busy_timeout_s: float) -> None:
    def settings(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {round(busy_timeout_s * 1000)}")
        cursor.execute("SET synchronous_commit = on")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", settings)


_PASSING = ("08", "25006", "40", "53", "55P03", "57P", "58")
"""SQLSTATEs, or their first characters, of what may pass: lost connections, a server in recovery, conflicts between
transactions, no room, locks, a shutdown, failures of the system."""


def _postgres_error(
    location: Location, error: DBAPIError, busy_timeout_s: float, *, committing: bool
) -> StoreUnavailableError:
    state: str | None = getattr(error.orig, "sqlstate", None)
    reported = f"the database reports: {_first_line(error.orig)}"
    if committing:
        return unavailable(
            location,
            f"whether the last change was stored is not known; {reported}",
            "Look at the present state and try again",
        )
    if state == "55P03":
        return unavailable_for_now(
            location,
            f"another program has held a lock for longer than {busy_timeout_s:g} s",
            "End the other program",
        )
    # Without a SQLSTATE nobody answered: there was no connection, or it was lost. The server rolls back what was begun.
    lost = state is None and isinstance(error, OperationalError | InterfaceError)
    remedy = "Check that the server runs, that it takes your connection, and the database's name"
    if lost or (state is not None and state.startswith(_PASSING)):
        return unavailable_for_now(location, reported, remedy)
    return unavailable(location, reported, remedy)


def _missing_postgres(location: Location) -> AutotunerError:
    return AutotunerError(
        ErrorCode.MISSING_EXTRA,
        "A store on PostgreSQL needs a driver that is not installed",
        why="the package psycopg is missing or incomplete",
        remedy="Run: pip install 'inference-autotuner[postgres]'",
        place=location.shown,
    )


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
