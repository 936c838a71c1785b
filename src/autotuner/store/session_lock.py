"""Locks of a PostgreSQL database that a connection of their own holds: given back when it ends, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from secrets import randbits

from sqlalchemy import Connection, NullPool, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import Session

from autotuner.contracts.errors import StoreUnavailableError
from autotuner.store.database import finish_though_cancelled, sync_engine, translated
from autotuner.store.location import Location, unavailable, unavailable_for_now
from autotuner.store.models import Task

CHECK_S = 10.0
"""A connection that does not answer for so long is lost."""
WATCH_S = 1.0
"""How often a connection that holds a lock is looked at."""

# The server looks after its side of an idle connection too, so that the lock of a host that went dark is given back
# within a minute; and it must not end the connection for being idle (a setting that older servers do not have).
_KEPT_ALIVE = """
SELECT set_config(name, value, false)
FROM (VALUES ('tcp_keepalives_idle', '20'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'),
             ('idle_session_timeout', '0')) AS wanted(name, value)
WHERE name IN (SELECT s.name FROM pg_settings AS s)
"""
_HELD = """
SELECT EXISTS (
    SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objsubid = 1
      AND classid::bigint = :high AND objid::bigint = :low
)
"""

_SESSION = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_STILL_THERE = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = :pid AND backend_start = :start)"
_ALL_HELD = """
SELECT classid::bigint, objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objsubid = 1
"""


class SessionLock:
    """A lock that is held.

    When its connection is lost, it is taken anew. It is the old hold, as if it had never been lost, only if nobody
    has taken the lock meanwhile: whoever takes it for a task draws a number, which stands in the task's row.
    """

    def __init__(self, location: Location, engine: AsyncEngine, key: int, task_id: int | None) -> None:
        self._location = location
        self._engine = engine
        self._key = key
        self._task_id = task_id
        self._drawn = randbits(62)
        self._connection: AsyncConnection | None = None
        self._session: tuple[int, datetime] | None = None
        """Process and beginning of the connection that has, or had, the lock."""
        self._one_at_a_time = asyncio.Lock()
        self._lost: str | None = None
        self._gone = False
        """Somebody else has, or had, it."""

    async def take(self) -> bool:
        """Take it; False when another one holds it. Raises AutotunerError: STORE_UNAVAILABLE."""
        with translated(self._location):
            self._connection = await self._connect()
            if not await self._try(self._connection):
                return False
            self._session = await self._session_of(self._connection)
            if self._task_id is not None:
                draw = update(Task).where(Task.id == self._task_id).values(held_by=self._drawn)
                await self._connection.execute(draw)
        return True

    async def check(self) -> None:
        """StoreUnavailableError while the connection, and with it the lock, is lost.

        With ``mend`` if it may be the old hold again, and for good once another one has, or had, the lock.
        """
        await finish_though_cancelled(self._look())
        if self._gone:
            raise self._taken()
        if self._lost is not None:
            raise unavailable_for_now(
                self._location,
                f"the connection that held the task's lock was lost ({self._lost})",
                "Check that the server runs, and that it takes your connection",
            )

    def fence(self, session: Session) -> None:
        """StoreUnavailableError if another one has taken the task; until the commit none can."""
        query = select(Task.held_by).where(Task.id == self._task_id).with_for_update(key_share=True)
        if self._task_id is not None and session.execute(query).scalar() != self._drawn:
            self._gone = True
            raise self._taken()

    async def release(self) -> None:
        """Give it back. Closing the connection does that too, but not before the server has noticed."""
        if self._connection is None:
            return
        if self._lost is None and self._session is not None:
            with suppress(DBAPIError):
                await self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._key})
        await self._connection.close()

    async def _look(self) -> None:
        async with self._one_at_a_time:
            if self._gone:
                return
            if self._lost is None and self._connection is not None:
                try:
                    async with asyncio.timeout(CHECK_S):
                        await self._connection.execute(text("SELECT 1"))
                except TimeoutError:
                    self._lost = f"no answer within {CHECK_S:g} s"
                except DBAPIError as error:
                    self._lost = str(error.orig).strip().partition("\n")[0].rstrip(".")
            if self._lost is not None:
                with suppress(DBAPIError, TimeoutError, OSError):
                    async with asyncio.timeout(CHECK_S):
                        await self._regain()

    async def _regain(self) -> None:
        """Take the lock anew, if it is as if it had been held all the time."""
        if self._task_id is None:
            self._gone = True
            return
        if self._connection is not None:
            with suppress(DBAPIError):
                await self._connection.invalidate()
            self._connection = None
        connection = await self._connect()
        try:
            if not await self._try(connection):
                # Unless the server has not noticed yet that our own connection has ended, it is another's.
                self._gone = not await self._has_other_session(connection)
                return
            drawn = (await connection.execute(select(Task.held_by).where(Task.id == self._task_id))).scalar()
            if drawn != self._drawn:
                self._gone = True
                return
            self._session = await self._session_of(connection)
            self._connection, self._lost = connection, None
        finally:
            if self._connection is not connection:
                await connection.close()

    async def _connect(self) -> AsyncConnection:
        connection = await self._engine.connect()
        await connection.execute(text(_KEPT_ALIVE))
        return connection

    async def _try(self, connection: AsyncConnection) -> bool:
        got = await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key})
        return bool(got.scalar_one())

    async def _session_of(self, connection: AsyncConnection) -> tuple[int, datetime]:
        row = (await connection.execute(text(_SESSION))).one()
        return row[0], row[1]

    async def _has_other_session(self, connection: AsyncConnection) -> bool:
        """Whether the server still has our lost connection."""
        if self._session is None:
            return False
        known = {"pid": self._session[0], "start": self._session[1]}
        return bool((await connection.execute(text(_STILL_THERE), known)).scalar_one())

    def _taken(self) -> StoreUnavailableError:
        lost = f" ({self._lost})" if self._lost is not None else ""
        return unavailable(
            self._location,
            f"the connection that held the task's lock was lost{lost}, and another process has taken the task since",
            "Run the task again: it goes on from what is stored",
        )


@asynccontextmanager
async def session_lock(location: Location, key: int, task_id: int | None = None) -> AsyncIterator[SessionLock | None]:
    """Take the lock (a signed number of 64 bits) for as long as the context lasts; None when another one holds it.

    ``task_id``: it is that of a task, so it is taken anew when its connection is lost. Raises AutotunerError:
    STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    async with _engine(location) as engine:
        lock = SessionLock(location, engine, key, task_id)
        try:
            if await lock.take():
                async with _watched(lock):
                    yield lock
            else:
                yield None
        finally:
            await lock.release()


@asynccontextmanager
async def _watched(lock: SessionLock) -> AsyncIterator[None]:
    """Looks after the lock all the time, so that a lost one is taken anew before others find the task free."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            with suppress(StoreUnavailableError):  # whoever writes next is told
                await lock.check()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def is_locked(location: Location, key: int) -> bool:
    """Whether a connection of the database holds the lock. Raises as ``session_lock``."""
    async with _engine(location) as engine:
        with translated(location):
            async with engine.connect() as connection:
                return await connection.run_sync(holds, key)


def holds(connection: Connection, key: int) -> bool:
    """Whether a connection of the database, this one or another, holds the lock."""
    halves = {"high": key >> 32 & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
    return bool(connection.execute(text(_HELD), halves).scalar_one())


def held_keys(location: Location) -> set[int]:
    """All such locks of the database that are held. Blocks. Raises as ``session_lock``."""
    with translated(location):
        engine = sync_engine(location)
        try:
            with engine.connect() as connection:
                halves = [tuple(row) for row in connection.execute(text(_ALL_HELD))]
        finally:
            engine.dispose()
    return {int.from_bytes((high << 32 | low).to_bytes(8), signed=True) for high, low in halves}


@asynccontextmanager
async def _engine(location: Location) -> AsyncIterator[AsyncEngine]:
    with translated(location):
        engine = create_async_engine(
            location.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10},
        )
    try:
        yield engine
    finally:
        await engine.dispose()
