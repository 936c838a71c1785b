"""Reading: each unit of work runs in a thread, from its first statement to its last.

A statement of a driver for asyncio is several hand-overs between the loop and a thread or a socket. A page takes four
or five statements, and those hand-overs cost more than the queries: a whole unit is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

T = TypeVar("T")

MOST = 4
"""Units that are read at once; further ones wait for their turn."""


class Readers:
    """Threads that read by an engine of their own. ``close`` releases both."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="store-reader")

    async def run(self, unit: Callable[[Session], T]) -> T:
        """What ``unit`` gives on one snapshot of the database. A caller who is cancelled does not wait for its end.

        It is run once more when the connection turns out to be lost: a server that was restarted meanwhile shows it by
        the first statement only, and to ask it before each unit would be one statement more.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, unit)

    async def close(self) -> None:
        """Wait for what is being read, and close all connections."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.engine.dispose)

    def _run(self, unit: Callable[[Session], T]) -> T:
        try:
            return self._once(unit)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._once(unit)

    def _once(self, unit: Callable[[Session], T]) -> T:
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session, session.begin():
            return unit(session)
