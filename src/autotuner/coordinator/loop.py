"""Runs one task from where its stored state says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from autotuner.config.load import to_data
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.progress import Observer
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import (
    EventType,
    NewEvent,
    StatusConflictError,
    Store,
    TaskRecord,
    TaskState,
    TaskStatus,
)
from autotuner.coordinator.confirmation import confirm
from autotuner.coordinator.ending import whole_result
from autotuner.coordinator.experiments import add, measure, nothing_measured
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.reopening import reopen
from autotuner.coordinator.requests import GOING_ON, CancelRequestedError, PausedError, Requests
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.searching import MakeStrategy, search
from autotuner.coordinator.standing import Standing
from autotuner.coordinator.starts import Starter
from autotuner.coordinator.stored_result import to_stored
from autotuner.coordinator.watch import Watch
from autotuner.coordinator.window_noise import WindowNoise
from autotuner.planning.plan import Plan

T = TypeVar("T")

_CANCELLED_ON_REQUEST = NewEvent(type=EventType.TASK_CANCELLED, message="cancelled on request; start it to go on")
_INTERRUPTED = NewEvent(type=EventType.TASK_CANCELLED, message="interrupted; run it again to go on")


class Coordinator:
    """The only writer of one task while it runs.

    ``clock``: monotonic seconds; ``now``: UTC; ``sleep`` waits, seconds. ``strategy``: makes the search strategy. The
    stores are the caller's, two ways to the same: what a run learns is stored with ``patient``, which may wait for a
    database that can't be used (default: as ``store``); how it begins, and how it is broken off, with ``store``, which
    doesn't. AutotunerError(CONTRADICTION) for objectives that this plan can never score.

    ``queued``: another process takes the task up when this one leaves it, so a run that is interrupted or cannot use
    the database any more leaves it pending, and one that is paused does not wait.
    """

    def __init__(
        self,
        *,
        store: Store,
        plan: Plan,
        strategy: MakeStrategy,
        observer: Observer,
        artefacts: Path,
        host: Mapping[str, Any],
        clock: Callable[[], float],
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patient: Store | None = None,
        queued: bool = False,
    ) -> None:
        self._store = store
        self._patient = store if patient is None else patient
        self._plan = plan
        self._observer = observer
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._host = dict(host)
        self._make_strategy = strategy
        self._artefacts = artefacts
        self._queued = queued
        self._scorer = Scorer.of(plan)
        self._warnings = list(plan.warnings)

    async def run(self, task: TaskRecord, opening: AbstractAsyncContextManager[ExecutorSession]) -> TaskResult:
        """Run the task to its end and return its result. ``opening`` opens the session in which its attempts run.

        ``task`` was read while the caller held it, so a status that says that it runs was left behind. From the moment
        at which the task is running, requests of other processes are heard: while it is paused no start begins; when
        it is cancelled, the server is ended, what was under way is marked as interrupted, and the result of what there
        is has the status cancelled.

        What an earlier run has measured is kept. Experiments that failed of something that passes are tried again.
        Condemned ones are so only in a task that failed as a whole: its cause may have been mended meanwhile.

        Cancelling (Ctrl-C) ends the server, marks what was under way as interrupted, sets the task to cancelled and
        raises CancelledError; a later run goes on from there. AutotunerError(NO_RESULT) when nothing could be measured;
        the task has failed then, as with every other error.

        A ``queued`` one is pending after a cancellation and after STORE_UNAVAILABLE. PausedError when it is paused: it
        stays so, and nothing of it is under way.
        """
        begun = self._clock()
        before = task.elapsed_s
        requests = Requests(self._store, task.id, patient=self._patient, since=task.next_seq, clock=self._clock)

        def elapsed() -> float:
            return before + self._clock() - begun - requests.paused_s

        try:
            await self._store.interrupt_attempts(task.id)
            ledger = await Ledger.read(self._store, task.id)
            # A run that was killed could not store its time.
            before = max(before, ledger.seconds())
            # Before the task's status changes: if this is interrupted, the next run finds it failed and does the rest.
            await reopen(self._store, ledger, task.id, condemned_too=task.status is TaskStatus.FAILED)
            await self._started(task)
            async with requests.heard(), opening as session:
                run = self._run(task, session, ledger, elapsed, requests)
                return await self._to_the_end(run)
        except CancelRequestedError:
            return await _undisturbed(self._broken_off(task, _CANCELLED_ON_REQUEST, TaskStatus.CANCELLED, elapsed))
        except PausedError:
            await _undisturbed(self._handed_over(task, "left to the queue while it is paused", elapsed))
            raise
        except asyncio.CancelledError:
            with suppress(AutotunerError):
                await _undisturbed(self._interrupted(task, elapsed))
            raise
        except AutotunerError as error:
            if self._queued and error.code is ErrorCode.STORE_UNAVAILABLE:
                with suppress(AutotunerError):  # its error is on its way already
                    await _undisturbed(self._handed_over(task, f"handed over: {error.why}", elapsed))
            else:
                await self._failed(task, error, elapsed)
            raise
        except Exception as error:
            # Not foreseen: a defect of a plug-in or of this program. The task must not look as if it were running.
            await self._failed(task, unforeseen(error), elapsed)
            raise

    def _run(
        self,
        task: TaskRecord,
        session: ExecutorSession,
        ledger: Ledger,
        elapsed: Callable[[], float],
        requests: Requests,
    ) -> Run:
        warning = self._scorer.settle_from(ledger)
        self._warnings += [warning] if warning is not None else []
        standing = Standing(ledger, self._scorer)
        return Run(
            task_id=task.id,
            task_name=task.name,
            plan=self._plan,
            store=self._patient,
            ledger=ledger,
            scorer=self._scorer,
            standing=standing,
            noise=WindowNoise(self._patient, self._plan, ledger),
            starter=Starter(
                store=self._patient,
                session=session,
                plan=self._plan,
                ledger=ledger,
                artefacts=self._artefacts,
                host=self._host,
                slo_limits=self._scorer.request_limits,
                load_limits=self._scorer.load_limits,
                clock=self._clock,
            ),
            watch=Watch(self._plan, self._scorer, standing, self._observer, elapsed, task.id, self._clock),
            observer=self._observer,
            elapsed=elapsed,
            sleep=self._sleep,
            requests=requests,
            waits_paused=not self._queued,
            warnings=self._warnings,
        )

    async def _to_the_end(self, run: Run) -> TaskResult:
        """Go through the stages, again for experiments that are opened meanwhile, until the end is stored."""
        while True:
            stop_reason = await self._stages(run)
            result = None if stop_reason is None else await self._completed(run, stop_reason)
            if result is not None:
                return result

    async def _stages(self, run: Run) -> str | None:
        """All stages in order; returns why the task ended, None when there are experiments to be tried again."""
        plan, ledger = self._plan, run.ledger
        if plan.baseline is not None:
            run.watch.stage = "baseline"
            await measure(run, await add(run, plan.baseline.origin, plan.baseline.configuration, plan.baseline.label))
            if self._scorer.needs_baseline and ledger.baseline_metrics is None:
                raise nothing_measured(run, "the baseline could not be measured, with which the objective compares")
        run.watch.stage = "references"
        for reference in plan.references:
            experiment = await add(run, reference.origin, reference.configuration, reference.label)
            if experiment.label != reference.label:
                run.warnings.append(f"the reference {reference.label!r} is the same as experiment {experiment.number}")
            await measure(run, experiment)
        run.watch.stage = "search"
        reason = await search(run, self._make_strategy)
        if reason is None:
            return None
        if plan.searched:
            self._observer.on_message(f"Search ended: {reason}.")
        if ledger.first_metrics() is None:
            raise nothing_measured(run, f"no configuration could be measured ({len(ledger.experiments)} tried)")
        run.watch.stage = "confirm"
        cut = await confirm(run)
        if cut is not None:
            self._observer.on_message(f"Confirmation ended: {cut}.")
        return reason if cut is None else f"{reason}; {cut}"

    async def _started(self, task: TaskRecord) -> None:
        """Make the task a running one. What was asked since the caller read it is heeded: the end, or a pause.

        Of a queued one also what was asked before: no killed run has left it so, but it waits for this one.
        """
        document = to_data(self._plan.document)
        fields = {
            "document": document,
            "parameters": document.get("parameters", {}),
            "started_at": task.started_at or self._now(),
            "finished_at": None,
            "result": None,
            "error": None,
            "stop_reason": None,
        }
        found, heeded = task.status, self._queued
        while True:
            if heeded and found in (TaskStatus.CANCELLING, TaskStatus.CANCELLED):
                raise CancelRequestedError
            paused = heeded and found is TaskStatus.PAUSED
            if paused and self._queued:
                raise PausedError
            status = TaskStatus.PAUSED if paused else TaskStatus.RUNNING
            event = NewEvent(
                type=EventType.TASK_STARTED,
                data={
                    "task_name": task.name,
                    "base_runtime": self._plan.engine,
                    "total": self._plan.planned_starts,
                    "status": status.value,
                },
            )
            try:
                await self._store.change_task(task.id, event, expected=(found,), status=status, fields=fields)
                return
            except StatusConflictError as conflict:
                found, heeded = TaskStatus(conflict.actual), True

    # ---- the end

    async def _completed(self, run: Run, stop_reason: str) -> TaskResult | None:
        """Store the end; None when there are experiments to be tried again. A pause has nothing left to hold back."""
        while True:
            state = await run.requests.state()
            if state.status not in GOING_ON:
                raise CancelRequestedError
            if await run.take_retried():
                return None
            with suppress(StatusConflictError):  # something was asked between the look and the end: look again
                return await self._store_completed(run, stop_reason, state)

    async def _store_completed(self, run: Run, stop_reason: str, state: TaskState) -> TaskResult:
        task, elapsed_s = await self._patient.get_task(run.task_id), run.elapsed()
        ended = task.model_copy(
            update={"status": TaskStatus.COMPLETED, "stop_reason": stop_reason, "error": None, "result": None}
        )
        result = await self._result(ended, run.ledger, elapsed_s)
        event = NewEvent(
            type=EventType.TASK_COMPLETED,
            message=result.headline,
            data={
                "best": None if result.winner is None else result.winner.number,
                "counts": result.counts,
                "elapsed_s": elapsed_s,
            },
        )
        await self._end(self._patient, ended, event, result, elapsed_s, expected=state.status, next_seq=state.next_seq)
        return result

    async def _interrupted(self, task: TaskRecord, elapsed: Callable[[], float]) -> None:
        if self._queued:
            await self._handed_over(task, "handed over", elapsed)
        else:
            await self._broken_off(task, _INTERRUPTED, TaskStatus.CANCELLED, elapsed)

    async def _handed_over(self, task: TaskRecord, message: str, elapsed: Callable[[], float]) -> None:
        """Leave a running task to the next process, a paused one until it is resumed; nothing if it had not begun."""
        await self._store.interrupt_attempts(task.id)
        while True:
            found = (await self._store.get_task_state(task.id)).status
            if found is TaskStatus.CANCELLING:
                await self._broken_off(task, _CANCELLED_ON_REQUEST, TaskStatus.CANCELLED, elapsed)
                return
            if found not in GOING_ON:
                return
            status = TaskStatus.PAUSED if found is TaskStatus.PAUSED else TaskStatus.PENDING
            event = NewEvent(type=EventType.TASK_UPDATED, message=message, data={"status": status.value})
            with suppress(StatusConflictError):  # something was asked meanwhile
                await self._store.change_task(
                    task.id, event, expected=(found,), status=status, fields={"elapsed_s": elapsed()}
                )
                return

    async def _failed(self, task: TaskRecord, error: AutotunerError, elapsed: Callable[[], float]) -> None:
        event = NewEvent(type=EventType.TASK_FAILED, message=str(error), data=error.as_dict())
        # If the store is what failed, its error is on its way already.
        with suppress(AutotunerError):
            await _undisturbed(self._broken_off(task, event, TaskStatus.FAILED, elapsed, error))

    async def _broken_off(
        self,
        task: TaskRecord,
        event: NewEvent,
        status: TaskStatus,
        elapsed: Callable[[], float],
        error: AutotunerError | None = None,
    ) -> TaskResult:
        """Store the end of a run that did not come to its own; no end if it had not begun or was over.

        A task that somebody asked to be cancelled ends as cancelled, whatever else happened to it.
        """
        await self._store.interrupt_attempts(task.id)
        ledger = await Ledger.read(self._store, task.id)
        with suppress(AutotunerError):  # what cannot be scored is shown without scores
            self._scorer.settle_from(ledger)
        reason = None if error is None else error.what
        while True:
            stored = await self._store.get_task(task.id)
            if stored.status not in (*GOING_ON, TaskStatus.CANCELLING):
                return await self._result(stored, ledger, elapsed())
            if stored.status is TaskStatus.CANCELLING and status is not TaskStatus.CANCELLED:
                event, status = _CANCELLED_ON_REQUEST, TaskStatus.CANCELLED
            ended = stored.model_copy(
                update={"status": status, "stop_reason": reason, "error": None if error is None else error.as_dict()}
            )
            result = await self._result(ended, ledger, elapsed())
            with suppress(StatusConflictError):  # something was asked meanwhile
                await self._end(self._store, ended, event, result, elapsed(), expected=stored.status)
                return result

    async def _result(self, task: TaskRecord, ledger: Ledger, elapsed_s: float) -> TaskResult:
        return await whole_result(
            task,
            store=self._store,
            plan=self._plan,
            scorer=self._scorer,
            ledger=ledger,
            host=self._host,
            elapsed_s=elapsed_s,
            warnings=self._warnings,
        )

    async def _end(
        self,
        store: Store,
        ended: TaskRecord,
        event: NewEvent,
        result: TaskResult,
        elapsed_s: float,
        *,
        expected: TaskStatus,
        next_seq: int | None = None,
    ) -> None:
        await store.change_task(
            ended.id,
            event,
            expected=(expected,),
            next_seq=next_seq,
            status=ended.status,
            fields={
                "result": to_stored(result),
                "error": ended.error,
                "stop_reason": ended.stop_reason,
                "elapsed_s": elapsed_s,
                "finished_at": self._now(),
            },
        )


def unforeseen(error: Exception) -> AutotunerError:
    """What an error that nobody expected means for a task."""
    return AutotunerError(
        ErrorCode.NO_RESULT,
        "the task was broken off by an error of the program",
        why=f"{type(error).__name__}: {error}",
        remedy="Run it again; what was measured is kept. If it happens again, report it",
    )


async def _undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end, whatever is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    return task.result()
