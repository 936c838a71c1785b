"""The parent's end of one worker process."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import deque
from dataclasses import dataclass

from autotuner.benchmark.builtin.wire import LINE_LIMIT, REPORTS, Report, line
from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.values import Frozen

START_S = 60.0
STOP_S = 2.0

PART = b'{"kind":"part"'


@dataclass(frozen=True)
class RawPart:
    """A report that is only handed on, so it is not read."""

    number: int
    text: bytes


def _read(text: bytes) -> Report | RawPart:
    if text.startswith(PART) and (number := re.match(rb'"number":(\d+)', text[len(PART) + 1 :])) is not None:
        return RawPart(int(number[1]), text)
    return REPORTS.validate_json(text)


class WorkerProcess:
    """A running worker. Its reports are read all the time, so that it never waits for us."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._reports: asyncio.Queue[Report | RawPart | None] = asyncio.Queue()
        self._errors: deque[bytes] = deque(maxlen=50)
        self._tasks = (asyncio.create_task(self._read_reports()), asyncio.create_task(self._read_errors()))
        self._ended = False

    @classmethod
    async def start(cls, cores: tuple[int, ...] | None) -> WorkerProcess:
        """Start a worker and return when it is ready. ClientError when it does not get there."""
        arguments = ["--cores", ",".join(map(str, cores))] if cores else []
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "autotuner.benchmark.builtin.worker",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            # Its sums are small: threads of the numerical library would only take cores from the server.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(START_S):
                await worker.receive()
        except BaseException as error:
            await worker.close()
            if isinstance(error, TimeoutError):
                raise worker.dead("did not start in time") from error
            raise
        return worker

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take orders."""
        return not self._ended and self._process.returncode is None

    async def send(self, order: Frozen) -> None:
        """Give an order; ClientError when the worker is dead."""
        await self._write(line(order))

    async def pass_on(self, part: RawPart) -> None:
        """Hand on what another worker has reported; ClientError when this one is dead."""
        await self._write(part.text)

    async def _write(self, text: bytes) -> None:
        stdin = self._process.stdin
        try:
            if stdin is None or stdin.is_closing():
                raise ConnectionResetError
            stdin.write(text)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self.dead("is gone") from error

    async def receive(self) -> Report | RawPart:
        """The next report; ClientError when the worker has died."""
        report = await self._reports.get()
        if report is None:
            self._ended = True
            self._reports.put_nowait(None)
            self._kill()  # it may be alive still if what it wrote made no sense
            await self._process.wait()
            await asyncio.wait(self._tasks, timeout=STOP_S)  # what it said last
            raise self.dead("died")
        return report

    async def close(self) -> None:
        """End it: closing its input suffices, unless it hangs. Returns when it is gone."""
        self._ended = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._kill()
        except BaseException:
            self._kill()
            raise
        finally:
            await self._process.wait()
            await asyncio.wait(self._tasks)

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    def dead(self, how: str) -> ClientError:
        """The error that says that the worker is no more."""
        last = next((text for text in reversed(self._errors) if text.strip()), b"").decode(errors="replace").strip()
        status = f"exit status {self._process.returncode}" + (f"; its last words: {last:.200}" if last else "")
        return ClientError(
            Failure(
                kind=FailureClass.CLIENT,
                diagnosis=f"the builtin client's process {how} ({status})",
                hint="it is started again for the next measurement; if it dies again, look for a lack of memory",
                log_tail=b"".join(self._errors).decode(errors="replace")[-4000:],
            )
        )

    async def _read_reports(self) -> None:
        try:
            if self._process.stdout is not None:
                while (text := await self._process.stdout.readline()).endswith(b"\n"):  # else cut off by its death
                    self._reports.put_nowait(_read(text))
        finally:
            self._reports.put_nowait(None)

    async def _read_errors(self) -> None:
        if self._process.stderr is not None:
            while text := await self._process.stderr.readline():
                self._errors.append(text)
