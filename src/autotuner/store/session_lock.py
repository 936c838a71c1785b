"""Locks of a PostgreSQL database that a connection of their own holds: given back when it ends, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from autotuner.store.database import finish_though_cancelled, sync_engine, translated
from autotuner.store.location import Location, unavailable

CHECK_S = 10.0
"""A connection that does not answer for so long is lost."""

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

_ALL_HELD = """
SELECT classid::bigint, objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objsubid = 1
"""


class SessionLock:
    """A lock that is held."""

    def __init__(self, location: Location, connection: AsyncConnection) -> None:
        self._location = location
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._lost: str | None = None

    async def check(self) -> None:
        """StoreUnavailableError from the moment on when the connection, and with it the lock, is found to be lost."""
        await finish_though_cancelled(self._look())
        if self._lost is not None:
            raise unavailable(
                self._location,
                f"the connection that held the task's lock was lost ({self._lost}), so another process may run the "
                "task now",
                "Run the task again: it goes on from what is stored",
            )

    async def release(self, key: int) -> None:
        """Give it back. Closing the connection does that too, but not before the server has noticed."""
        if self._lost is None:
            with suppress(DBAPIError):
                await self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})

    async def _look(self) -> None:
        async with self._one_at_a_time:
            if self._lost is not None:
                return  # SQLAlchemy would connect anew, without the lock
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._connection.execute(text("SELECT 1"))
            except TimeoutError:
                self._lost = f"no answer within {CHECK_S:g} s"
            except DBAPIError as error:
                self._lost = str(error.orig).strip().partition("\n")[0].rstrip(".")


@asynccontextmanager
async def session_lock(location: Location, key: int) -> AsyncIterator[SessionLock | None]:
    """Take the lock (a signed number of 64 bits) for as long as the context lasts; None when another one holds it.

    Raises AutotunerError: STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    async with _connected(location) as connection:
        with translated(location):
            got = (await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key})).scalar_one()
        if not got:
            yield None
            return
        lock = SessionLock(location, connection)
        try:
            yield lock
        finally:
            await lock.release(key)


async def is_locked(location: Location, key: int) -> bool:
    """Whether a connection of the database holds the lock. Raises as ``session_lock``."""
    halves = {"high": key >> 32 & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
    async with _connected(location) as connection:
        with translated(location):
            return bool((await connection.execute(text(_HELD), halves)).scalar_one())


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
async def _connected(location: Location) -> AsyncIterator[AsyncConnection]:
    with translated(location):
        engine = create_async_engine(
            location.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10},
        )
        connection = await engine.connect()
    try:
        with translated(location):
            await connection.execute(text(_KEPT_ALIVE))
        yield connection
    finally:
        await connection.close()
        await engine.dispose()
