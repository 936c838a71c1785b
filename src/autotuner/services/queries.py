"""Reading what is stored: tasks, results, logs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotuner.config.load import validate
from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.result import ExperimentSummary, FailureCount, TaskResult
from autotuner.contracts.store import AttemptRow, Store, TaskRecord, TaskStatus
from autotuner.coordinator.ending import whole_result
from autotuner.coordinator.failure_statistics import failure_counts
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.stored_result import from_stored
from autotuner.coordinator.summaries import summarise
from autotuner.services.host import describe_host
from autotuner.services.planning import plan_document
from autotuner.services.settings import Settings

ENDED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


async def named_task(store: Store, name: str | None) -> TaskRecord:
    """The task of that name or number; the newest one for None. AutotunerError(NOT_FOUND) with the known names."""
    tasks, total = await store.list_tasks(limit=20)
    if name is None:
        if tasks:
            return tasks[0]
    else:
        found = await store.find_task(name) or (await _by_number(store, int(name)) if name.isdecimal() else None)
        if found is not None:
            return found
    raise AutotunerError(
        ErrorCode.NOT_FOUND,
        "there is no task yet" if not total else f"there is no task {name!r}",
        why="nothing was run with this database" if not total else "tasks: " + ", ".join(task.name for task in tasks),
        remedy="Run one: `autotuner run TASK.yaml`, or `autotuner demo`",
    )


async def _by_number(store: Store, number: int) -> TaskRecord | None:
    try:
        task = await store.get_task(number)
    except AutotunerError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        return None
    return task if task.deleted_at is None else None


async def task_result(store: Store, task: TaskRecord, settings: Settings) -> TaskResult:
    """The result of a task: the stored one of a run that has ended, else what is measured so far."""
    if task.result is not None and task.status in ENDED:
        return await from_stored(task.result, store)
    document = validate(task.document, name=task.name)
    plan = await asyncio.to_thread(plan_document, document, settings)
    ledger = await Ledger.read(store, task.id)
    scorer = Scorer.of(plan)
    warning = scorer.settle_from(ledger)
    return await whole_result(
        task,
        store=store,
        plan=plan,
        scorer=scorer,
        ledger=ledger,
        host=await _last_host(store, ledger) or describe_host(),
        elapsed_s=max(task.elapsed_s, ledger.seconds()),
        warnings=(*plan.warnings, *([warning] if warning is not None else [])),
    )


async def _last_host(store: Store, ledger: Ledger) -> dict[str, Any]:
    """Where the last attempt ran; empty when there was none."""
    if not ledger.attempts:
        return {}
    row = await _whole(store, ledger.attempts[max(ledger.attempts)])
    return {} if row is None else row.host


async def failed_starts(store: Store, task: TaskRecord) -> tuple[FailureCount, ...]:
    """The failed starts of a task by class and phase, also while it runs."""
    return failure_counts(await Ledger.read(store, task.id, failed=True))


async def experiments_by_number(store: Store, task: TaskRecord, numbers: list[int]) -> list[ExperimentSummary]:
    """Summaries of some experiments. AutotunerError(NOT_FOUND) for a number that the task does not have."""
    ledger = await Ledger.read(store, task.id)
    missing = [number for number in numbers if number not in ledger.experiments]
    if missing:
        known = f"0 to {max(ledger.experiments)}" if ledger.experiments else "none"
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            f"the task {task.name!r} has no experiment {missing[0]}",
            why=f"its experiments are {known}",
            remedy="`autotuner results` lists them",
        )
    return [summarise(ledger.experiments[number], ledger) for number in numbers]


@dataclass(frozen=True)
class ServerLog:
    """The log of one server start."""

    attempt: AttemptRow
    experiment: int
    path: Path


async def server_logs(store: Store, task: TaskRecord, *, experiment: int | None = None) -> list[ServerLog]:
    """Logs of a task's server starts in their order; of one experiment if its number is given."""
    chosen: int | None = None
    if experiment is not None:
        chosen = next((e.id for e in await store.list_experiments(task.id, bulk=False) if e.number == experiment), None)
        if chosen is None:
            return []
    return [
        ServerLog(attempt, attempt.job.experiment_number, Path(attempt.job.artefact_dir) / "server.log")
        for attempt in await store.list_attempts(task.id, experiment_id=chosen)
        if attempt.job is not None
    ]


async def winning_job(store: Store, task: TaskRecord, result: TaskResult, *, experiment: int | None) -> AttemptJob:
    """The job that started the winner (or another experiment): what `deploy` writes files from."""
    number = experiment if experiment is not None else (result.winner.number if result.winner is not None else None)
    ledger = await Ledger.read(store, task.id)
    chosen = ledger.experiments.get(number) if number is not None else None
    attempt = ledger.scoring_attempt(chosen) if chosen is not None else None
    whole = None if attempt is None else await _whole(store, attempt)
    job = None if whole is None else whole.job
    if job is None or job.command is None:
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            "there is no configuration to deploy",
            why="the task has no winner"
            if number is None
            else f"experiment {number} never started a server of its own successfully",
            remedy="`autotuner results` shows what was measured; --experiment N chooses one",
        )
    return job


async def _whole(store: Store, attempt: AttemptRow) -> AttemptRow | None:
    """The attempt with its job and host, which a ledger leaves out."""
    rows = await store.list_attempts(attempt.task_id, experiment_id=attempt.experiment_id)
    return next((row for row in rows if row.id == attempt.id), None)
