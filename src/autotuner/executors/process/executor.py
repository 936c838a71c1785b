"""Attempts run in a process of their own, so that its death is the end of an attempt and not of the task."""

from __future__ import annotations

import asyncio
import inspect
import operator
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from autotuner.contracts.attempt import (
    AttemptJob,
    AttemptRecord,
    AttemptStatus,
    Deployed,
    Ended,
    Failure,
    Handle,
    Measured,
    Phase,
    PhaseChanged,
)
from autotuner.contracts.client import ClientError
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.executor import ExecutorSession, Plugins
from autotuner.executors.process.parent import Child, LostError
from autotuner.executors.process.wire import Cancel, Next, Open, Over, Problem, Report, Run, Sent
from autotuner.runner.attempt import PhaseTimer

PATIENCE_S = 10.0


class SubprocessExecutor:
    """Implements ``contracts.executor.Executor``. The plug-ins are made a second time, in the process.

    ``patience_s``: how much longer than its budgets an attempt may take before its process is killed.
    """

    name = "subprocess"

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s

    @asynccontextmanager
    async def open(
        self, plugins: Plugins, *, client: str, client_cores: tuple[int, ...] | None
    ) -> AsyncIterator[ExecutorSession]:
        """Start the process, which opens the client. TypeError for plug-ins that can't be made again by name."""
        opening = Open(
            plugins=_class_of(plugins), client=client, client_cores=client_cores, path=tuple(map(str, sys.path))
        )
        session = _ProcessSession(plugins, opening, await Child.start(opening), self._patience_s)
        try:
            yield session
        finally:
            await session.close()


class _ProcessSession:
    """An open executor: one process, replaced by the next attempt when it has died. One attempt at a time."""

    def __init__(self, plugins: Plugins, opening: Open, child: Child, patience_s: float) -> None:
        self._plugins = plugins
        self._opening = opening
        self._child = child
        self._patience_s = patience_s
        self._busy = False

    async def run(self, job: AttemptJob) -> AsyncGenerator[AttemptRecord, None]:
        """Run one attempt in the process; its death is a record too. RuntimeError while another attempt runs."""
        if self._busy:
            raise RuntimeError("this executor runs one attempt at a time")
        self._busy = True
        try:
            unopened = await self._replaced()
            if unopened is not None:
                yield Ended(status=AttemptStatus.FAILED, failure=unopened)
                return
            attempt = _Attempt(job, self._child, self._plugins, self._patience_s)
            async with aclosing(attempt.run()) as records:
                async for record in records:
                    yield record
        finally:
            self._busy = False

    async def _replaced(self) -> Failure | None:
        """Start another process if this one is dead; why that could not be done."""
        try:
            if not self._child.alive:
                self._child = await Child.start(self._opening)
        except ClientError as error:
            return error.failure
        return None

    async def close(self) -> None:
        """End the process."""
        await self._child.close(self._patience_s)


class _Attempt:
    """This side of one attempt."""

    def __init__(self, job: AttemptJob, child: Child, plugins: Plugins, patience_s: float) -> None:
        self._job = job
        self._child = child
        self._plugins = plugins
        self._patience_s = patience_s
        budgets = job.budgets
        answers_s = job.quality.budget_s if job.quality is not None else 0.0
        self._limit_s = budgets.start_s + answers_s + budgets.measure_s + budgets.stop_s + patience_s
        self._waited_s = 0.0
        self._handle: Handle | None = None
        self._phases = PhaseTimer(time.monotonic)
        self._ended = False

    async def run(self) -> AsyncGenerator[AttemptRecord, None]:
        """Ask for one record after the other. When the process dies, ``Ended`` follows after the server's end."""
        over = False
        failure: Failure | None = None
        left: DeploymentError | None = None
        try:
            self._child.send(Run(job=self._job))
            while isinstance(report := await self._next(), Sent):
                self._note(report.record)
                yield report.record
                self._child.send(Next())
            over = True
            if isinstance(report, Over) and report.reason is not None:
                if isinstance(report.reason, Problem):
                    raise report.reason.error()
                failure = report.reason
        except LostError as error:
            failure = error.failure
        finally:
            if not over:
                left = await self._end()
        if failure is not None and left is not None:
            failure = failure.model_copy(update={"diagnosis": f"{failure.diagnosis}, and its server was left: {left}"})
        if failure is not None and not self._ended:
            self._phases.stop()
            yield Ended(status=AttemptStatus.FAILED, failure=failure, phase_seconds=self._phases.seconds)

    async def _next(self) -> Report:
        """The next report. A process that is silent for longer than the whole attempt may take is killed.

        The attempt keeps its budgets itself; only a process that hangs does not come to that.
        """
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._limit_s - self._waited_s):
                return await self._child.receive()
        except TimeoutError:
            self._child.kill()
            raise self._child.overdue(self._limit_s) from None
        finally:
            self._waited_s += time.monotonic() - begun

    def _note(self, record: AttemptRecord) -> None:
        """Keep what is needed when the process dies."""
        match record:
            case Deployed(handle=handle):
                self._handle = handle
            case PhaseChanged(phase=phase):
                self._phases.enter(phase)
            case Measured(measurement=measurement):
                self._phases.shift(Phase.WARM_UP, measurement.warmup_s)
            case Ended():
                self._ended = True

    async def _end(self) -> DeploymentError | None:
        """Cancel the attempt and wait until its server is gone. A cancellation meanwhile is handed on as a hurry.

        The process is killed when it takes longer than the server's grace, or hurrying, and some patience. Returns why
        something of a dead process's server could not be ended.
        """
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(self._job.budgets.stop_s + self._patience_s, self._child.kill)]
        cancelled: asyncio.CancelledError | None = None
        ending = asyncio.create_task(self._torn_down())
        self._child.send(Cancel())
        try:
            while not ending.done():
                try:
                    await asyncio.wait({ending})
                except asyncio.CancelledError as error:
                    cancelled = error
                    self._child.send(Cancel())
                    timers.append(loop.call_later(self._patience_s, self._child.kill))
        finally:
            for timer in timers:
                timer.cancel()
        if cancelled is not None:
            raise cancelled
        return ending.result()

    async def _torn_down(self) -> DeploymentError | None:
        """Returns when the process says that the attempt is over; if it dies, when nothing of its server is left."""
        try:
            while not isinstance(await self._child.receive(), Over):
                continue
        except LostError:
            if self._handle is not None:
                try:
                    await self._plugins.deployment(self._job.deployment).clean(self._handle)
                except DeploymentError as error:
                    return error
        return None


def _class_of(plugins: Plugins) -> str:
    """Where another process finds the class of the plug-ins, ``module:qualname``."""
    kind = type(plugins)
    module, qualname = kind.__module__, kind.__qualname__
    try:
        found = operator.attrgetter(qualname)(sys.modules[module])
        inspect.signature(kind).bind()
    except (AttributeError, KeyError, TypeError):
        found = None
    if found is not kind or module == "__main__":
        raise TypeError(
            f"another process cannot make {module}.{qualname}: plug-ins must be an object of a class "
            "that can be imported and takes no arguments"
        )
    return f"{module}:{qualname}"
