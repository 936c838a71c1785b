"""Run a task: find or create it, take it for this process, let the coordinator run it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.identity import changed, fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.client import ClientError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.progress import Observer
from autotuner.contracts.result import TaskResult
from autotuner.contracts.search import SearchSetup, SearchStrategy
from autotuner.contracts.store import NewTask, Store, TaskRecord, TaskStatus
from autotuner.coordinator.loop import Coordinator
from autotuner.deploy.local.deployment import LocalDeployment, reap
from autotuner.planning.plan import Plan
from autotuner.search.registry import make_strategy
from autotuner.services.host import describe_host, off_cores
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.plugins import EXECUTORS, InstalledPlugins
from autotuner.services.settings import Settings
from autotuner.services.task_lock import taken
from autotuner.services.writing import check_folder
from autotuner.store.patience import Patient
from autotuner.store.sql_store import open_store
from autotuner.store.units import Guarded, Units

RUNNING = frozenset({AttemptStatus.PENDING, AttemptStatus.DEPLOYING, AttemptStatus.BENCHMARKING})
NOTES = frozenset({"task_name", "description", "labels", "metadata"})
"""Keys of a document that ask for nothing."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. ``fresh``: False when the task was finished before and nothing was done."""

    task: TaskRecord
    result: TaskResult
    fresh: bool
    folder: Path
    """Artefacts of the task."""


async def run_task(document: TaskDocument, settings: Settings, observer: Observer, *, new: bool = False) -> RunOutcome:
    """Run a task from where it stands: a new one from the start, an interrupted one from its stored state, a finished
    one not at all (unless its document grew), a failed one from its failed experiments.

    ``new``: make another task (name-2, …) instead of continuing. AutotunerError before anything is started for wrong
    input; TASK_CHANGED when a stored task of that name measures something else; TASK_BUSY while another process runs
    it; STORAGE or STORE_UNAVAILABLE when a folder or the database can't be written (while it runs: not for longer than
    the settings allow); NO_RESULT when nothing could be measured. CancelledError (Ctrl-C) leaves the task ready to be
    continued.
    """
    plan = await asyncio.to_thread(plan_document, document, settings)
    version = await asyncio.to_thread(check_ready, plan)
    async with open_store(settings.database, busy_timeout_s=settings.database_timeout_s) as store:
        task, plan = await _find_or_create(store, plan, version, new=new)
        folder = settings.task_dir(task.id)
        host = describe_host()  # before this process leaves the server's cores
        async with taken(settings, task) as hold, AsyncExitStack() as stack:
            stack.enter_context(off_cores(plan.cores.server))
            task = await store.get_task(task.id)  # it may have ended while its lock was another's
            finished = _finished_result(task, plan)
            if finished is not None:
                return RunOutcome(task, finished, fresh=False, folder=folder)
            if task.status is TaskStatus.COMPLETED:
                observer.on_message("The document of this finished task has changed: it goes on.")
            await asyncio.to_thread(check_folder, folder)
            guarded = store.through(lambda units: Guarded(units, hold.check))
            coordinator = Coordinator(
                store=guarded,
                patient=guarded.through(lambda units: _patient(units, settings, observer)),
                plan=plan,
                strategy=_strategy(document),
                observer=observer,
                artefacts=folder,
                host=host,
                clock=time.monotonic,
                now=lambda: datetime.now(UTC),
            )
            await _end_left_behind(store, task)
            async with _open_executor(settings, plan) as session:
                result = await coordinator.run(task, session)
            return RunOutcome(await store.get_task(task.id), result, fresh=True, folder=folder)


def _patient(units: Units, settings: Settings, observer: Observer) -> Patient:
    return Patient(
        units,
        limit_s=settings.store_patience_s,
        tell=observer.on_message,
        clock=time.monotonic,
        sleep=asyncio.sleep,
    )


@asynccontextmanager
async def _open_executor(settings: Settings, plan: Plan) -> AsyncIterator[ExecutorSession]:
    executor = EXECUTORS.load(settings.executor)()
    async with AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(
                executor.open(InstalledPlugins(), client=plan.client, client_cores=plan.cores.client)
            )
        except ClientError as error:
            raise AutotunerError(
                ErrorCode.NO_RESULT,
                f"the benchmark client {plan.client} cannot be started",
                why=error.failure.diagnosis,
                remedy=error.failure.hint,
                place="benchmark.engine",
            ) from error
        yield session


async def _end_left_behind(store: Store, task: TaskRecord) -> None:
    """End servers of a run that was killed. They die with it; this is for what they may have started themselves."""
    for attempt in await store.list_attempts(task.id):
        handle = attempt.handle
        if attempt.status in RUNNING and handle is not None and handle.deployment == LocalDeployment.name:
            await reap(handle)


def _strategy(document: TaskDocument) -> Callable[[SearchSetup], SearchStrategy]:
    def make(setup: SearchSetup) -> SearchStrategy:
        return make_strategy(document.optimization.strategy, setup)

    return make


async def _find_or_create(store: Store, plan: Plan, version: str, *, new: bool) -> tuple[TaskRecord, Plan]:
    """The stored task of the plan's name, and the plan; with ``new`` a new one and the plan under its new name."""
    name = plan.task_name
    known = await store.find_task(name)
    if known is not None and new:
        name = await _free_name(store, name)
        plan = replace(plan, task_name=name, document=plan.document.model_copy(update={"task_name": name}))
        known = None
    described = _identity(plan, version)
    if known is None:
        document = to_data(plan.document)
        made = NewTask(
            name=name,
            document=document,
            parameters=document.get("parameters", {}),
            fingerprint=fingerprint(described),
            identity=described,
        )
        return await store.create_task(made), plan
    differences = changed(known.identity, described)
    if differences:
        raise AutotunerError(
            ErrorCode.TASK_CHANGED,
            f"the task {name!r} exists and measures something else",
            why="; ".join(differences),
            remedy="Run it with --new to make another task, or give it another task_name",
            place="task_name",
        )
    return known, plan


def _identity(plan: Plan, version: str) -> dict[str, Any]:
    """What must not change between two runs: the document's part, the engine, and the hardware it runs on here."""
    described = {**identity(plan.document), "engine": plan.engine, "engine_version": version}
    if not plan.predicted and plan.endpoint_url is None:
        host = describe_host()
        described["hardware"] = {key: host[key] for key in ("cpu_model", "cores")}
    return described


async def _free_name(store: Store, name: str) -> str:
    number = 2
    while await store.find_task(f"{name}-{number}") is not None:
        number += 1
    return f"{name}-{number}"


def _finished_result(task: TaskRecord, plan: Plan) -> TaskResult | None:
    """The stored result of a finished task whose document asks for nothing else; None when there is something to do."""
    if task.status is not TaskStatus.COMPLETED or task.result is None:
        return None
    before, after = task.document, to_data(plan.document)
    asks = [key for key in before.keys() | after.keys() if key not in NOTES and before.get(key) != after.get(key)]
    return None if asks else TaskResult.model_validate(task.result)
