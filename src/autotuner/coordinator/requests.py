"""What other processes ask of a running task, read from its status: to end, to wait, to try failed experiments again.

They write with compare-and-set; here it is only read. Whoever runs the task is stopped by cancelling its asyncio task,
wherever that is, so a request is heard in every phase.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.store import EventType, ExperimentRecord, Store, TaskState, TaskStatus

POLL_S = 0.25
"""How often the status is looked at, seconds."""

GOING_ON = frozenset({TaskStatus.RUNNING, TaskStatus.PAUSED})
"""Statuses in which a run goes on. Every other one is the wish that it ends."""


class CancelRequestedError(Exception):
    """Another process asked for the end of the task; what was under way has cleaned up."""


class PausedError(Exception):
    """Somebody has paused a task of the queue; whoever ran it has nothing to do until it is resumed."""


class Requests:
    """Hears what is asked of one task. ``since``: number of the first event that it has not seen yet.

    ``patient``: the store, by a way that waits for a database that cannot be used; for what must be known to go on.
    ``clock``: monotonic seconds.
    """

    def __init__(self, store: Store, task_id: int, *, patient: Store, since: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._patient = patient
        self._task_id = task_id
        self._clock = clock
        self._next_seq = since
        self._status = TaskStatus.RUNNING
        self._worker: asyncio.Task[object] | None = None
        self._cancelled = False
        self._not_paused = asyncio.Event()
        self._paused_s = 0.0
        self._paused_since: float | None = None

    @property
    def paused_s(self) -> float:
        """Seconds that this run has waited because it was paused."""
        waiting = 0.0 if self._paused_since is None else self._clock() - self._paused_since
        return self._paused_s + waiting

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """While the block runs, a request to end cancels it and then raises CancelRequestedError."""
        worker = asyncio.current_task()
        if worker is None:
            raise RuntimeError("requests are heard within an asyncio task")
        self._worker, before = worker, worker.cancelling()
        over = asyncio.Event()
        watching = asyncio.create_task(self._watch(over))
        try:
            yield
        except asyncio.CancelledError as error:
            # As asyncio.timeout does it: our own cancellation becomes our own error, anybody else's stays what it is.
            if self._cancelled and worker.uncancel() <= before:
                raise CancelRequestedError from error
            raise
        finally:
            self._worker = None
            over.set()
            while not watching.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({watching})

    async def paused(self) -> bool:
        """Whether no start may begin now, by a fresh look at the status."""
        await self._look()
        if self._status not in GOING_ON:
            self._cancel()
            await asyncio.sleep(0)  # here it is cancelled
        return self._status is TaskStatus.PAUSED

    async def resumed(self) -> None:
        """Wait until the task is not paused any more; within ``heard``, which looks."""
        self._paused_since = self._clock()
        try:
            await self._not_paused.wait()
        finally:
            self._paused_s, self._paused_since = self.paused_s, None

    async def state(self) -> TaskState:
        """The task's state now. AutotunerError when the store cannot be read."""
        return await self._patient.get_task_state(self._task_id)

    async def retried(self) -> list[ExperimentRecord]:
        """Experiments that were opened again since this was last asked, as they are stored now."""
        found: dict[int, ExperimentRecord] = {}
        while events := await self._patient.events(self._task_id, since=self._next_seq - 1):
            self._next_seq = events[-1].seq + 1
            for event in events:
                if event.type is EventType.EXPERIMENT_RETRIED and event.experiment_id is not None:
                    found[event.experiment_id] = await self._patient.get_experiment(event.experiment_id)
        return list(found.values())

    async def _watch(self, over: asyncio.Event) -> None:
        # Ended by an event, not by cancelling it, which could strike in the middle of a query.
        while not over.is_set():
            await self._look()
            if self._status not in GOING_ON:
                self._cancel()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await over.wait()

    async def _look(self) -> None:
        # A database that cannot be read for a moment must not end a run: the status stays what it was.
        with suppress(AutotunerError):
            self._status = (await self._store.get_task_state(self._task_id)).status
        if self._status is TaskStatus.PAUSED:
            self._not_paused.clear()
        else:
            self._not_paused.set()

    def _cancel(self) -> None:
        if self._worker is not None and not self._cancelled:
            self._cancelled = True
            self._worker.cancel()
