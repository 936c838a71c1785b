"""Claims tasks of the queue and runs them, one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

import structlog
from structlog.typing import FilteringBoundLogger

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.queue import SILENT_S, NewWorker, WorkerState
from autotuner.contracts.store import TaskRecord, TaskStatus
from autotuner.services.requests import cancel_left_behind
from autotuner.services.result_files import write_result_files
from autotuner.services.settings import Settings
from autotuner.services.tasks import RunOutcome, run_queued
from autotuner.store.sql_store import SqlStore
from autotuner.worker.observer import LoggingObserver
from autotuner.worker.patience import Patience
from autotuner.worker.presence import Presence

POLL_S = 1.0
"""How often an idle worker looks at the queue if nothing wakes it, seconds."""
LONGEST_PASS_S = 8.0
"""A task that could not be run now (another process holds it, the database was lost) is tried again after 1, 2, 4 …
seconds, at most these."""
UNFINISHED = frozenset({ErrorCode.TASK_BUSY, ErrorCode.STORE_UNAVAILABLE})
"""Errors with which a run of a task ends and the task does not."""

WOKEN_S = 0.1
"""A burst of wake-ups is one look at the queue, seconds."""

Wake = Callable[[], Awaitable[object]]


class Worker:
    """One worker. ``wake`` returns when there may be something new in the queue; it only saves time."""

    def __init__(
        self,
        store: SqlStore,
        settings: Settings,
        worker: NewWorker,
        log: FilteringBoundLogger,
        *,
        wake: Wake | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._log = log.bind(worker=worker.name)
        self._wake = wake
        self._clock = clock
        self._patience = Patience(self._log)
        self._presence = Presence(store, worker, self._log)
        self._tries: dict[int, int] = {}
        self._passed: dict[int, float] = {}

    async def run(self) -> NoReturn:
        """Serve the queue until this is cancelled, which hands a running task over: it is pending, and queued.

        A task that fails does not end it, nor does a database that cannot be used.
        """
        async with self._presence.kept():
            self._log.info("the worker is ready", data=str(self._settings.data_dir))
            while True:
                task = await self._patience(self._claim)
                if task is None:
                    await self._rest()
                else:
                    await self._serve(task)

    def stopping(self) -> None:
        """It is going to be cancelled: show it."""
        self._presence.does(WorkerState.STOPPING)
        self._log.info("stopping: a running task is handed over to the queue")

    async def _claim(self) -> TaskRecord | None:
        now = self._clock()
        passed = frozenset(task_id for task_id, until in self._passed.items() if until > now)
        try:
            return await self._store.claim_task(self._presence.id, silent_s=SILENT_S, passed=passed)
        except AutotunerError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return None  # taken for dead; its heart notices, too

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                if self._wake is None:
                    await asyncio.sleep(POLL_S)
                else:
                    await self._wake()
                    await asyncio.sleep(WOKEN_S)

    async def _serve(self, task: TaskRecord) -> None:
        claimed_by = self._presence.id
        self._presence.does(WorkerState.BUSY)
        with structlog.contextvars.bound_contextvars(task=task.name, task_id=task.id):
            done = await self._run(task, self._log.bind(task=task.name, task_id=task.id))
        if done:
            self._tries.pop(task.id, None)
            self._passed.pop(task.id, None)
        else:
            tries = self._tries[task.id] = self._tries.get(task.id, 0) + 1
            self._passed[task.id] = self._clock() + min(2.0 ** (tries - 1), LONGEST_PASS_S)
        await self._patience(lambda: self._store.release_task(task.id, claimed_by))
        self._presence.does(WorkerState.IDLE)

    async def _run(self, task: TaskRecord, log: FilteringBoundLogger) -> bool:
        """Run it as far as it goes; False when it is to be tried again, though not at once."""
        try:
            if task.status is TaskStatus.CANCELLING:
                await cancel_left_behind(self._store, self._settings, task)
                return (await self._store.get_task_state(task.id)).status is not TaskStatus.CANCELLING
            log.info("task taken up", found=task.status.value)
            outcome = await run_queued(self._store, self._settings, task.id, LoggingObserver(log))
            if outcome is None:
                log.info("task left: it was paused, changed or taken out of the queue")
                return True
            log.info("task ended", status=outcome.task.status.value, headline=outcome.result.headline)
            await _write_files(outcome, log)
            return True
        except AutotunerError as error:
            if error.code in UNFINISHED:
                if task.id not in self._tries:
                    log.warning("task cannot be run now", why=f"{error.what}: {error.why}", code=error.code.value)
                return False
            log.error("task failed", code=error.code.value, what=error.what, why=error.why, remedy=error.remedy)
            return True
        except Exception:
            log.exception("task failed of an error of the program")
            return False


async def _write_files(outcome: RunOutcome, log: FilteringBoundLogger) -> None:
    """The result's files, as a run of the command line leaves them."""
    try:
        _, unwritten = await asyncio.to_thread(write_result_files, outcome.result, outcome.folder)
    except Exception:
        log.exception("the files of the result cannot be written; the result is stored")
        return
    if unwritten is not None:
        log.warning("a file of the result cannot be written; the result is stored", why=unwritten.why)
