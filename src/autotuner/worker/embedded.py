"""A worker as a child process: started, started again when it dies, ended with its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from structlog.typing import FilteringBoundLogger

from autotuner.services.settings import Settings, variable

GRACE_S = 60.0
"""How long the child may take to hand its task over when it is told to end, seconds; then it is killed, which ends its
servers too."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Pauses before a child that died is replaced, doubled each time, seconds."""
STEADY_S = 60.0
"""After so long a life of a child the next pause is the first one again, seconds."""
MOST_SAID = 1000
"""Bytes of what a child printed last that are told as the reason of its end."""
LAST_WORDS_S = 1.0


@asynccontextmanager
async def embedded_worker(
    settings: Settings, log: FilteringBoundLogger, *, grace_s: float = GRACE_S
) -> AsyncIterator[EmbeddedWorker]:
    """Keep one worker process of these settings while the context lasts.

    It has a session of its own, so a signal to the terminal's processes is not meant for it, and ends by itself,
    handing its task over, when this process is gone, however that died.
    """
    reading, writing = os.pipe()
    worker = EmbeddedWorker(settings, log, reading, grace_s=grace_s)
    keeping = asyncio.create_task(worker.keep())
    try:
        yield worker
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        os.close(writing)
        os.close(reading)


class EmbeddedWorker:
    """The child process. ``pid``: that of the present one; None between two."""

    def __init__(
        self,
        settings: Settings,
        log: FilteringBoundLogger,
        owner_fd: int,
        *,
        grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._log = log
        self._owner_fd = owner_fd
        self._grace_s = grace_s
        self._clock = clock
        self.pid: int | None = None

    async def keep(self) -> None:
        """Have one child at a time until this is cancelled; then end it."""
        pause = FIRST_PAUSE_S
        while True:
            begun = self._clock()
            reason = await self._one()
            if self._clock() - begun >= STEADY_S:
                pause = FIRST_PAUSE_S
            self._log.warning("the worker process has ended; another is started", reason=reason, pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _one(self) -> str:
        """The life of one child; why it ended."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "autotuner", "worker", "--owner-fd", str(self._owner_fd)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(self._owner_fd,),
                start_new_session=True,
                env=_environment(self._settings),
            )
        except OSError as error:
            return f"it cannot be started: {error}"
        self.pid = process.pid
        self._log.info("worker process started", pid=process.pid)
        said = bytearray()
        reading = asyncio.create_task(_read(process.stderr, said))
        try:
            code = await process.wait()
            await asyncio.wait([reading], timeout=LAST_WORDS_S)  # what it has started may have the pipe, too
        except asyncio.CancelledError:
            await self._end(process)
            raise
        finally:
            reading.cancel()
            self.pid = None
        ended = f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        return " ".join([ended, *said.decode(errors="replace").split()])

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        try:
            async with asyncio.timeout(self._grace_s):
                await process.wait()
        except TimeoutError:
            self._log.warning("the worker process does not end; it is killed", grace_s=self._grace_s)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


@contextmanager
def with_owner(descriptor: int | None) -> Iterator[None]:
    """In the child, within its event loop: ask this process to end, as SIGTERM does, when the owner's end of the pipe
    is closed. None: there is no owner.
    """
    if descriptor is None:
        yield
        return
    loop = asyncio.get_running_loop()
    os.set_inheritable(descriptor, False)

    def gone() -> None:
        loop.remove_reader(descriptor)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(descriptor, gone)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _read(stream: asyncio.StreamReader | None, said: bytearray) -> None:
    """Keep the end of what the child prints: mostly the reason of its own."""
    while stream is not None and (piece := await stream.read(4096)):
        said += piece
        del said[:-MOST_SAID]


def _environment(settings: Settings) -> dict[str, str]:
    """Not on the command line, where every user of the host could read an address with its password."""
    given = {
        "data_dir": str(settings.data_dir),
        "database": settings.database,
        "executor": settings.executor,
    }
    return {**os.environ, **{variable(field): value for field, value in given.items()}}
