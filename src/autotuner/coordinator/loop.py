"""Runs one task from where its stored state says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
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
    ExperimentStatus,
    NewEvent,
    Store,
    TaskRecord,
    TaskStatus,
)
from autotuner.coordinator.confirmation import confirm
from autotuner.coordinator.experiments import add, measure, nothing_measured
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.result import build_result
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.searching import MakeStrategy, search
from autotuner.coordinator.starts import Starter
from autotuner.coordinator.watch import Watch
from autotuner.planning.plan import Plan

T = TypeVar("T")


class Coordinator:
    """The only writer of one task while it runs.

    ``clock``: monotonic seconds; ``now``: UTC. ``strategy``: makes the search strategy. The stores are the caller's,
    two ways to the same: what a run learns is stored with ``patient``, which may wait for a database that can't be
    used (default: as ``store``); how it begins, and how it is broken off, with ``store``, which doesn't.
    AutotunerError(CONTRADICTION) for objectives that this plan can never score.
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
        patient: Store | None = None,
    ) -> None:
        self._store = store
        self._patient = store if patient is None else patient
        self._plan = plan
        self._observer = observer
        self._clock = clock
        self._now = now
        self._host = dict(host)
        self._make_strategy = strategy
        self._artefacts = artefacts
        self._scorer = Scorer(plan.document, scored_at=plan.scored_at, gpu_count=plan.gpu_count)
        self._warnings = list(plan.warnings)

    async def run(self, task: TaskRecord, session: ExecutorSession) -> TaskResult:
        """Run the task to its end, its attempts in ``session``, and return its result.

        What an earlier run has measured is kept. A task that failed as a whole is one whose cause may have been mended
        meanwhile: its failed experiments are tried again, once each. In any other task they stay condemned.

        Cancelling (Ctrl-C) ends the server, marks what was under way as interrupted, sets the task to cancelled and
        raises CancelledError; a later run goes on from there. AutotunerError(NO_RESULT) when nothing could be measured;
        the task has failed then, as with every other error.
        """
        begun = self._clock()
        before = task.elapsed_s

        def elapsed() -> float:
            return before + self._clock() - begun

        try:
            await self._store.interrupt_attempts(task.id)
            ledger = await Ledger.read(self._store, task.id)
            # A run that was killed could not store its time.
            before = max(before, ledger.seconds())
            if task.status is TaskStatus.FAILED:
                await self._reopen(ledger)
            await self._started(task)
            run = self._run(task, session, ledger, elapsed)
            stop_reason = await self._stages(run)
            return await self._completed(task, ledger, elapsed(), stop_reason)
        except asyncio.CancelledError:
            event = NewEvent(type=EventType.TASK_CANCELLED, message="interrupted; run it again to go on")
            with suppress(AutotunerError):
                await _undisturbed(self._broken_off(task, event, TaskStatus.CANCELLED, elapsed))
            raise
        except AutotunerError as error:
            await self._failed(task, error, elapsed)
            raise
        except Exception as error:
            # Not foreseen: a defect of a plug-in or of this program. The task must not look as if it were running.
            await self._failed(task, _unforeseen(error), elapsed)
            raise

    def _run(self, task: TaskRecord, session: ExecutorSession, ledger: Ledger, elapsed: Callable[[], float]) -> Run:
        warning = self._scorer.settle_from(ledger)
        self._warnings += [warning] if warning is not None else []
        return Run(
            task_id=task.id,
            task_name=task.name,
            plan=self._plan,
            store=self._patient,
            ledger=ledger,
            scorer=self._scorer,
            starter=Starter(
                store=self._patient,
                session=session,
                plan=self._plan,
                ledger=ledger,
                artefacts=self._artefacts,
                host=self._host,
                slo_limits=self._scorer.request_limits,
            ),
            watch=Watch(self._plan, self._scorer, ledger, self._observer, elapsed, task.id, self._clock),
            observer=self._observer,
            elapsed=elapsed,
            warnings=self._warnings,
        )

    async def _stages(self, run: Run) -> str:
        """All stages in order; returns why the task ended."""
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
        if plan.searched:
            self._observer.on_message(f"Search ended: {reason}.")
        if not any(e.status is ExperimentStatus.SUCCESS for e in ledger.experiments.values()):
            raise nothing_measured(run, f"no configuration could be measured ({len(ledger.experiments)} tried)")
        run.watch.stage = "confirm"
        cut = await confirm(run)
        if cut is not None:
            self._observer.on_message(f"Confirmation ended: {cut}.")
        return reason if cut is None else f"{reason}; {cut}"

    async def _reopen(self, ledger: Ledger) -> None:
        # Before the task's status changes: if this is interrupted, the next run finds it failed and does the rest.
        for number, experiment in ledger.experiments.items():
            if experiment.status is ExperimentStatus.FAILED:
                ledger.experiments[number] = await self._store.reopen_experiment(experiment.id)

    async def _started(self, task: TaskRecord) -> None:
        document = to_data(self._plan.document)
        await self._store.change_task(
            task.id,
            NewEvent(
                type=EventType.TASK_STARTED,
                data={"task_name": task.name, "base_runtime": self._plan.engine, "total": self._plan.planned_starts},
            ),
            expected=tuple(TaskStatus),  # the caller holds the task, so one that seems to run was left behind
            status=TaskStatus.RUNNING,
            fields={
                "document": document,
                "parameters": document.get("parameters", {}),
                "started_at": task.started_at or self._now(),
                "finished_at": None,
                "result": None,
                "error": None,
                "stop_reason": None,
            },
        )

    # ---- the end

    async def _completed(self, task: TaskRecord, ledger: Ledger, elapsed_s: float, stop_reason: str) -> TaskResult:
        ended = task.model_copy(
            update={"status": TaskStatus.COMPLETED, "stop_reason": stop_reason, "error": None, "result": None}
        )
        result = self._result(ended, ledger, elapsed_s)
        event = NewEvent(
            type=EventType.TASK_COMPLETED,
            message=result.headline,
            data={
                "best": None if result.winner is None else result.winner.number,
                "counts": result.counts,
                "elapsed_s": elapsed_s,
            },
        )
        await self._end(self._patient, ended, event, result, elapsed_s)
        return result

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
    ) -> None:
        """Store the end of a run that did not come to its own; nothing if it had not begun or was over."""
        stored = await self._store.get_task(task.id)
        if stored.status not in (TaskStatus.RUNNING, TaskStatus.CANCELLING):
            return
        await self._store.interrupt_attempts(task.id)
        ledger = await Ledger.read(self._store, task.id)
        reason = None if error is None else error.what
        ended = stored.model_copy(
            update={"status": status, "stop_reason": reason, "error": None if error is None else error.as_dict()}
        )
        await self._end(self._store, ended, event, self._result(ended, ledger, elapsed()), elapsed())

    def _result(self, task: TaskRecord, ledger: Ledger, elapsed_s: float) -> TaskResult:
        return build_result(
            task,
            plan=self._plan,
            scorer=self._scorer,
            ledger=ledger,
            host=self._host,
            elapsed_s=elapsed_s,
            warnings=self._warnings,
        )

    async def _end(
        self, store: Store, ended: TaskRecord, event: NewEvent, result: TaskResult, elapsed_s: float
    ) -> None:
        await store.change_task(
            ended.id,
            event,
            expected=(TaskStatus.RUNNING, TaskStatus.CANCELLING),
            status=ended.status,
            fields={
                "result": result.model_dump(mode="json"),
                "error": ended.error,
                "stop_reason": ended.stop_reason,
                "elapsed_s": elapsed_s,
                "finished_at": self._now(),
            },
        )


def _unforeseen(error: Exception) -> AutotunerError:
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
