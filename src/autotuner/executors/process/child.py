"""The process that runs attempts, one after the other. It ends when its orders end.

``python -m autotuner.executors.process.child PARENT_PID``: orders on standard input, reports on standard output. Both
are moved to descriptors of their own before a plug-in is loaded, so that nothing a plug-in prints or reads meets them.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import operator
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from types import FrameType

from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass
from autotuner.contracts.client import ClientError, ClientSession
from autotuner.contracts.deployment import Deployment
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.executor import Plugins
from autotuner.contracts.values import Frozen
from autotuner.executors.process.wire import (
    LINE_LIMIT,
    ORDERS,
    Cancel,
    Next,
    Open,
    Opened,
    Over,
    Problem,
    Refused,
    Run,
    Sent,
    line,
)
from autotuner.runner.attempt import run_attempt

PR_SET_PDEATHSIG = 1
ABANDONED = 1

Send = Callable[[Frozen], None]


def main() -> int:
    """Prepare this process and work."""
    _die_with(int(sys.argv[1]))
    # The parent decides what ends an attempt: signals to all of the tuner's processes are for it. Handled and not
    # ignored, since programs that a plug-in starts would inherit that.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _leave_to_the_parent)
    orders, reports = _own_descriptors()
    asyncio.run(_work(orders, reports))
    return 0


def _leave_to_the_parent(_number: int, _frame: FrameType | None) -> None:
    return


def _die_with(parent: int) -> None:
    """The kernel kills this process when the parent's thread that started it ends, whatever is done here then."""
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os._exit(ABANDONED)


def _own_descriptors() -> tuple[int, int]:
    """Standard input and output as descriptors that no child inherits; in their place nothing, and standard error."""
    orders, reports = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, reports


async def _work(orders: int, reports: int) -> None:
    """Open the client and serve orders until they end."""

    def send(message: Frozen) -> None:
        data = line(message)
        while data:
            data = data[os.write(reports, data) :]

    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(orders, "rb")
    )
    opening = ORDERS.validate_json(await reader.readline())
    if not isinstance(opening, Open):
        raise TypeError(f"the first order is {opening.kind}")
    sys.path[:] = opening.path
    async with AsyncExitStack() as stack:
        try:
            plugins = _plugins(opening.plugins)
            client = await stack.enter_async_context(plugins.client(opening.client).open(opening.client_cores))
        except ClientError as error:
            send(Refused(reason=error.failure))
            return
        except AutotunerError as error:
            send(Refused(reason=Problem.of(error)))
            return
        send(Opened())
        await _Attempts(plugins, client, send).serve(reader)


def _plugins(name: str) -> Plugins:
    module, _, qualname = name.partition(":")
    made: Plugins = operator.attrgetter(qualname)(importlib.import_module(module))()
    return made


class _Attempts:
    """Runs one attempt after the other with the client that is open."""

    def __init__(self, plugins: Plugins, client: ClientSession, send: Send) -> None:
        self._plugins = plugins
        self._client = client
        self._send = send
        self._deployments: dict[str, Deployment] = {}
        self._running: asyncio.Task[None] | None = None
        self._cancelled = False
        self._asked = asyncio.Event()

    async def serve(self, orders: asyncio.StreamReader) -> None:
        """Obey until the orders end. In the middle of an attempt that means that the parent is gone."""
        while (text := await orders.readline()).endswith(b"\n"):
            match ORDERS.validate_json(text):
                case Run(job=job):
                    self._cancelled = False
                    self._running = asyncio.create_task(self._attempt(job))
                    self._running.add_done_callback(self._over)
                case Next():
                    self._asked.set()
                case Cancel() if self._running is not None:  # nothing happens if it is over already
                    self._cancelled = True
                    self._running.cancel()
        if self._running is not None and not self._running.done():
            os._exit(ABANDONED)  # servers die with their owner

    async def _attempt(self, job: AttemptJob) -> None:
        """Hand each record over and go on when the reader asks for the next one."""
        if job.deployment not in self._deployments:
            self._deployments[job.deployment] = self._plugins.deployment(job.deployment)
        async with aclosing(run_attempt(job, self._deployments[job.deployment], self._client)) as records:
            async for record in records:
                self._asked.clear()
                self._send(Sent(record=record))
                await self._asked.wait()

    def _over(self, attempt: asyncio.Task[None]) -> None:
        if attempt.cancelled():
            if self._cancelled:
                self._send(Over())
            return  # else the whole process is being ended, which the parent sees
        match attempt.exception():
            case None:
                self._send(Over())
            case AutotunerError() as error:
                self._send(Over(reason=Problem.of(error)))
            case Exception() as error:
                self._send(Over(reason=_broken_off(error)))


def _broken_off(error: Exception) -> Failure:
    return Failure(
        kind=FailureClass.INFRASTRUCTURE,
        diagnosis=f"the attempt was broken off by an error of the program: {type(error).__name__}: {error}",
        hint="look at the traceback in log_tail; a plug-in or this program is defective",
        log_tail="".join(traceback.format_exception(error))[-4000:],
    )


if __name__ == "__main__":
    sys.exit(main())
