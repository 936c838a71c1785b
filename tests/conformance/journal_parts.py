"""A deployment and a client that write what happens to them into a pipe, whatever process they are in.

Their registered name is the path of the pipe. The option ``at`` of a job says what they do at a step, such as
``stop:wait``; ``dead`` holds the failure of its server.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass, Handle
from autotuner.contracts.client import BenchmarkClient, ClientError, ClientSession, OnProgress
from autotuner.contracts.deployment import Deployment, DeploymentError, DeploymentStats, Endpoint, OnHandle
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import LiveFigures, Measurement
from conformance.fake_parts import failure, make_job, measurement

TURNS = 20
UNKNOWN, BROKEN = "unknown", "broken"
"""Names of plug-ins that there are not, and of a client that can't be opened."""


class Journal:
    """The test's end of the pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "journal")
        os.mkfifo(self.path)
        # For writing too, so that it never ends.
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        self._text = ""

    def close(self) -> None:
        os.close(self._pipe)

    def job(self, attempt_id: int = 1, **changes: object) -> AttemptJob:
        return make_job(self.folder, attempt_id=attempt_id, deployment=self.path, client=self.path, **changes)

    @property
    def steps(self) -> list[tuple[str, int]]:
        """All that was written until now: what happened, and to which attempt (or another number)."""
        with suppress(BlockingIOError):
            while True:
                self._text += os.read(self._pipe, 1 << 16).decode()
        return [(step, int(number)) for step, _, number in (line.partition(" ") for line in self._text.splitlines())]

    def numbers(self, step: str) -> list[int]:
        """The numbers with which a step was written."""
        return [number for found, number in self.steps if found == step]

    @property
    def running(self) -> set[int]:
        """Attempts whose server runs."""
        ended = {*self.numbers("stopped"), *self.numbers("cleaned")}
        return set(self.numbers("running")) - ended

    async def reached(self, step: str) -> None:
        """Wait until a step is written."""
        loop = asyncio.get_running_loop()
        while not self.numbers(step):
            readable = asyncio.Event()
            loop.add_reader(self._pipe, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(self._pipe)

    async def turns(self) -> None:
        """Return when the event loop in which the attempts run has turned some more times."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.numbers("port")[-1])
        assert await reader.read() == b"turned"
        writer.close()
        await writer.wait_closed()


class _Writer:
    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, step: str, number: int = 0) -> None:
        descriptor = os.open(self._path, os.O_WRONLY)
        os.write(descriptor, f"{step} {number}\n".encode())
        os.close(descriptor)

    async def step(self, step: str, number: int, at: object) -> None:
        """Write it down, then do what the job says."""
        self.write(step, number)
        if isinstance(at, str) and at.startswith(f"{step}:"):
            await self._act(at.removeprefix(f"{step}:"), number)

    async def _act(self, what: str, number: int) -> None:
        match what:
            case "wait":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.write("hurried", number)
                    raise
            case "sleep":
                _hang()
            case "print":
                sys.stdout.write("a line on standard output\n")
                assert sys.stdin.read() == ""
            case "break":
                raise ZeroDivisionError("it broke")
            case "leave":
                sys.exit(4)
            case "exit":
                sys.stderr.write("a last word\n")
                os._exit(3)
            case "abort" | "abort_stuck":
                os.abort()
            case "orphan":
                pid = os.fork()
                if pid == 0:
                    os.setsid()
                    signal.pause()
                self.write("orphan", pid)
                os._exit(3)
            case _:
                raise AssertionError(what)


def _hang() -> None:
    time.sleep(3600)


class JournalDeployment:
    name = "journal"

    def __init__(self, path: str) -> None:
        self._journal = _Writer(path)

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        at, dead = job.options.get("at"), job.options.get("dead")
        await self._journal.step("start", job.attempt_id, at)
        self._journal.write("running", job.attempt_id)
        handle = Handle(
            deployment=self.name,
            fields={
                "attempt": job.attempt_id,
                "at": at if isinstance(at, str) else None,
                "dead": dead if isinstance(dead, str) else None,
            },
        )
        await on_handle(handle)
        await self._journal.step("handled", job.attempt_id, at)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        await self._step("wait_ready", handle)
        if (dead := await self.failure(handle)) is not None:
            raise DeploymentError(dead)
        return Endpoint("http://127.0.0.1:1", "m", engine_version="journal-1")

    async def failure(self, handle: Handle) -> Failure | None:
        dead = handle.fields["dead"]
        return Failure.model_validate_json(dead) if isinstance(dead, str) else None

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        return "the last line"

    async def stats(self, handle: Handle) -> DeploymentStats:
        return DeploymentStats(rss_bytes=1000)

    async def stop(self, handle: Handle, grace_s: float) -> None:
        try:
            await self._step("stop", handle)
        finally:
            self._journal.write("stopped", _attempt(handle))

    async def clean(self, handle: Handle) -> bool:
        if handle.fields["at"] == "wait_ready:abort_stuck":
            raise DeploymentError(failure(FailureClass.INFRASTRUCTURE, "process 7 does not end"))
        self._journal.write("cleaned", _attempt(handle))
        return True

    async def _step(self, step: str, handle: Handle) -> None:
        await self._journal.step(step, _attempt(handle), handle.fields["at"])


def _attempt(handle: Handle) -> int:
    value = handle.fields["attempt"]
    assert isinstance(value, int)
    return value


class JournalClient:
    name = "journal"

    def __init__(self, path: str) -> None:
        self._journal = _Writer(path)

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncIterator[ClientSession]:
        async def turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            writer.write(b"turned")
            writer.close()

        server = await asyncio.start_server(turn, "127.0.0.1", 0)
        self._journal.write("port", server.sockets[0].getsockname()[1])
        self._journal.write("process", os.getpid())
        self._journal.write("opened")
        try:
            yield JournalSession(self._journal)
        finally:
            server.close()
            self._journal.write("closed")


class JournalSession:
    def __init__(self, journal: _Writer) -> None:
        self._journal = journal

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        for point in job.workload.load_points:
            await self._journal.step("measure", job.attempt_id, job.options.get("at"))
            on_progress(
                LiveFigures(
                    load_point=point.name,
                    repeat=0,
                    phase="measure",
                    elapsed_s=0.5,
                    window_s=1.0,
                    completed=5,
                    errors=0,
                )
            )
            yield measurement(point)


class _Broken:
    name = BROKEN

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncIterator[ClientSession]:
        raise ClientError(failure(FailureClass.CLIENT, "it does not open"))
        yield


class JournalPlugins:
    """Makes parts that write into the pipe that is their name."""

    def deployment(self, name: str) -> Deployment:
        if name == UNKNOWN:
            raise _unknown()
        return JournalDeployment(name)

    def client(self, name: str) -> BenchmarkClient:
        if name == UNKNOWN:
            raise _unknown()
        return _Broken() if name == BROKEN else JournalClient(name)


def _unknown() -> AutotunerError:
    return AutotunerError(ErrorCode.UNKNOWN_NAME, "there is none", why="it is not known", remedy="Do not", place="x")
