"""The parent's end of the process that runs attempts."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.values import Frozen
from autotuner.executors.process.wire import REPORTS, Open, Refused, Report, line

MODULE = "autotuner.executors.process.child"
START_S = 120.0
TAIL_BYTES = 4096
TAIL_LINES = 50
CHUNK = 1 << 16


class LostError(Exception):
    """The process is no more; ``failure`` says how it ended."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.diagnosis)
        self.failure = failure


class Child:
    """A running process. What it writes is read all the time, so that it never waits for us.

    Start it from a thread that lives as long as it: the kernel kills it when the thread ends.
    """

    def __init__(self, pid: int, orders: asyncio.WriteTransport, reports: int, output: int) -> None:
        self.pid = pid
        self._orders = orders
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._begun_line = b""
        self._tail = b""
        self._exit_code: int | None = None
        self._gone = asyncio.Event()
        self._process = os.pidfd_open(pid)  # nobody has collected it yet, so the pid is its own
        self._reports, self._output = reports, output
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process, self._note_exit)
        loop.add_reader(reports, self._read_reports)
        loop.add_reader(output, self._read_output)

    @classmethod
    async def start(cls, opening: Open, limit_s: float = START_S) -> Child:
        """Start a process and return when its client is open.

        ClientError when the process or the client can't be started, AutotunerError for a name that is not registered.
        """
        try:
            child = await cls._spawned()
        except OSError as error:
            raise ClientError(
                Failure(
                    kind=FailureClass.INFRASTRUCTURE,
                    diagnosis=f"the process for attempts could not be started: {error}",
                    hint="check the memory and the limits of this host",
                )
            ) from error
        try:
            child.send(opening)
            async with asyncio.timeout(limit_s):
                report = await child.receive()
            if isinstance(report, Refused):
                raise report.error()
        except TimeoutError as error:
            await child.close(0.0)
            raise ClientError(child.overdue(limit_s).failure) from error
        except LostError as error:
            raise ClientError(error.failure) from error
        except BaseException:
            await child.close(0.0)
            raise
        return child

    @classmethod
    async def _spawned(cls) -> Child:
        orders_end, orders = os.pipe()
        reports, reports_end = os.pipe()
        output, output_end = os.pipe()
        transport, _ = await asyncio.get_running_loop().connect_write_pipe(
            asyncio.BaseProtocol, os.fdopen(orders, "wb", buffering=0)
        )
        for descriptor in (reports, output):
            os.set_blocking(descriptor, False)
        try:
            return cls(_spawn(orders_end, reports_end, output_end), transport, reports, output)
        except BaseException:
            transport.abort()
            for descriptor in (reports, output):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (orders_end, reports_end, output_end):
                os.close(descriptor)

    @property
    def alive(self) -> bool:
        """Whether it can take orders."""
        return not self._gone.is_set()

    def send(self, order: Frozen) -> None:
        """Give an order; lost when the process is dead, which ``receive`` tells."""
        if not self._orders.is_closing():
            self._orders.write(line(order))

    async def receive(self) -> Report:
        """The next report; LostError when the process has ended and all that it reported was received."""
        text = await self._lines.get()
        if text is None:
            self._lines.put_nowait(None)
            raise self._lost()
        return REPORTS.validate_json(text)

    def kill(self) -> None:
        """End it at once, and with it what it started in its session."""
        if self.alive:
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    async def close(self, limit_s: float) -> None:
        """End its orders and wait until it has released what it holds and is gone; killed after the limit."""
        self._orders.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await self._gone.wait()
        finally:
            self.kill()
            await self._gone.wait()

    def overdue(self, limit_s: float) -> LostError:
        """The error for a process that gave no answer in time."""
        return LostError(
            Failure(
                kind=FailureClass.INFRASTRUCTURE,
                diagnosis=f"the process that ran the attempt gave no answer within {limit_s:g} s and was killed",
                hint="a plug-in seems to hang; the next attempt gets a new process",
                log_tail=self._last_lines(),
            )
        )

    def _lost(self) -> LostError:
        code = self._exit_code or 0
        killed = code == -signal.SIGKILL
        return LostError(
            Failure(
                kind=FailureClass.INFRASTRUCTURE,
                diagnosis=f"the process that ran the attempt ended with {_end_of(code)}",
                hint="somebody killed it, or the kernel for want of memory; the next attempt gets a new process"
                if killed
                else "look at its last lines in log_tail: a plug-in ended it; the next attempt gets a new process",
                log_tail=self._last_lines(),
            )
        )

    def _last_lines(self) -> str:
        return "\n".join(self._tail.decode(errors="replace").splitlines()[-TAIL_LINES:])

    def _note_exit(self) -> None:
        self._read_reports()
        self._read_output()
        # What it left in its session, such as the client. Its pid is its own until it is collected.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if not self._orders.is_closing():
            self._orders.abort()
        loop = asyncio.get_running_loop()
        for descriptor in (self._process, self._reports, self._output):
            loop.remove_reader(descriptor)
            os.close(descriptor)
        self._gone.set()
        self._lines.put_nowait(None)

    def _read_reports(self) -> None:
        *lines, self._begun_line = (self._begun_line + _written(self._reports)).split(b"\n")
        for text in lines:
            self._lines.put_nowait(text)

    def _read_output(self) -> None:
        self._tail = (self._tail + _written(self._output))[-TAIL_BYTES:]


def _spawn(orders: int, reports: int, output: int) -> int:
    """Start the process in a session of its own; its pid."""
    return os.posix_spawn(
        sys.executable,
        # Unbuffered, and with a traceback for a fatal signal: its last words say why it died.
        [sys.executable, "-u", "-X", "faulthandler", "-m", MODULE, str(os.getpid())],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, orders, 0),
            (os.POSIX_SPAWN_DUP2, reports, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=(),
    )


def _written(descriptor: int) -> bytes:
    """All that is there to be read. A closed pipe is not looked at again."""
    found = b""
    with suppress(BlockingIOError):
        while chunk := os.read(descriptor, CHUNK):
            found += chunk
        asyncio.get_running_loop().remove_reader(descriptor)
    return found


def _end_of(code: int) -> str:
    """How a process ended, from its exit code (negative: the signal)."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
