"""A worker's row in the store: it tells that the worker lives, what it does, and whose its claims are."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from structlog.typing import FilteringBoundLogger

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.queue import NewWorker, QueueStore, WorkerState
from autotuner.worker.patience import Patience

BEAT_S = 5.0
FORGOTTEN_S = 3600.0
"""Rows of workers that have been silent for longer are removed, seconds; until then they can be seen."""
LEAVING_S = 20.0
"""How long a worker that ends tries to say so, seconds; otherwise its silence does."""


def this_process(name: str | None = None) -> NewWorker:
    """This process as a worker; ``name``: default <host>-<pid>."""
    host = socket.gethostname()
    return NewWorker(
        name=name or f"{host}-{os.getpid()}", host=host, pid=os.getpid(), version=version("inference-autotuner")
    )


class Presence:
    """The row of a worker that lives."""

    def __init__(self, store: QueueStore, worker: NewWorker, log: FilteringBoundLogger) -> None:
        self._store = store
        self._worker = worker
        self._log = log
        self._patience = Patience(log)
        self._state = WorkerState.IDLE
        self._changed = asyncio.Event()
        self.id = 0
        """Number of the row, once it is there."""

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """There while the context lasts. AutotunerError other than STORE_UNAVAILABLE, for which it waits."""
        await self._patience(self._come)
        beating = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            with suppress(AutotunerError, TimeoutError):
                async with asyncio.timeout(LEAVING_S):
                    await self._store.remove_worker(self.id)

    def does(self, state: WorkerState) -> None:
        """What it does from now on; one that is stopping does nothing else any more."""
        if state is not self._state and self._state is not WorkerState.STOPPING:
            self._state = state
            self._changed.set()

    async def _come(self) -> None:
        found = await self._store.register_worker(self._worker)
        for other in await self._store.list_workers():
            # Sooner than by its silence: a worker that was killed is mostly replaced on its own host. A row of this
            # process is one of which it was not told that it was stored.
            if other.id == found.id or other.host != found.host:
                continue
            if other.pid == found.pid or not _lives(other.pid):
                await self._store.remove_worker(other.id)
        self.id = found.id

    async def _beat(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._store.beat(self.id, self._state)
                await self._store.drop_workers(silent_s=FORGOTTEN_S)
            except AutotunerError as error:
                # A database that cannot be used is told of by those who wait for it.
                if error.code is ErrorCode.NOT_FOUND:
                    await self._come_again()

    async def _come_again(self) -> None:
        with suppress(AutotunerError):
            self.id = (await self._store.register_worker(self._worker)).id
            self._log.warning("this worker was taken for dead and is back", worker=self.id)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
