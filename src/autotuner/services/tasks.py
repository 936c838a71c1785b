"""Run a task: find or create it, take it for this process, let the coordinator run it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from autotuner.config.document import TaskDocument
from autotuner.config.load import to_data, validate
from autotuner.contracts.client import ClientError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import Executor, ExecutorSession
from autotuner.contracts.progress import Observer
from autotuner.contracts.result import TaskResult
from autotuner.contracts.search import Prior, SearchSetup, SearchStrategy
from autotuner.contracts.store import (
    EventType,
    NewEvent,
    StatusConflictError,
    Store,
    TaskRecord,
    TaskStatus,
)
from autotuner.coordinator.loop import Coordinator, unforeseen
from autotuner.coordinator.requests import PausedError
from autotuner.coordinator.stored_result import from_stored
from autotuner.engines.installed import version_warning
from autotuner.planning.plan import Plan
from autotuner.search.registry import make_strategy
from autotuner.services.host import describe_host, off_cores
from autotuner.services.left_behind import end_left_behind
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.plugins import EXECUTORS, InstalledPlugins
from autotuner.services.priors import earlier_priors
from autotuner.services.progress_file import ProgressFile, Tee
from autotuner.services.requests import end_unrun
from autotuner.services.settings import Settings
from autotuner.services.task_identity import check_same, identity_here, new_task, settle
from autotuner.services.task_lock import Hold, is_taken, taken
from autotuner.services.writing import check_folder
from autotuner.store.patience import Patient
from autotuner.store.sql_store import SqlStore, open_store
from autotuner.store.units import Guarded, Units

NOTES = frozenset({"task_name", "description", "labels", "metadata", "profiles", "assembled"})
"""Keys of a document that ask for nothing."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: completed, or cancelled because another process asked for it.

    ``fresh``: False when the task was finished before and nothing was done.
    """

    task: TaskRecord
    result: TaskResult
    fresh: bool
    folder: Path
    """Artefacts of the task."""


async def run_task(document: TaskDocument, settings: Settings, observer: Observer, *, new: bool = False) -> RunOutcome:
    """Run a task from where it stands: a new one from the start, an interrupted one from its stored state, a finished
    one not at all (unless its document grew), a failed one from its failed experiments, one that was left paused or
    being cancelled as if it had been interrupted.

    ``new``: make another task (name-2, …) instead of continuing. AutotunerError before anything is started for wrong
    input; TASK_CHANGED when a stored task of that name measures something else; TASK_BUSY while another process runs
    it; STORAGE or STORE_UNAVAILABLE when a folder or the database can't be written (while it runs: not for longer than
    the settings allow); NO_RESULT when nothing could be measured. CancelledError (Ctrl-C) leaves the task ready to be
    continued.
    """
    executor = EXECUTORS.load(settings.executor)()
    plan, version = await _planned(document, settings, observer)
    async with open_store(settings.database, busy_timeout_s=settings.database_timeout_s) as store:
        task, plan = await _find_or_create(store, plan, version, new=new)
        async with taken(settings, task) as hold:
            task = await store.get_task(task.id)  # it may have ended while its lock was another's
            finished = await _finished_result(store, task, plan)
            if finished is not None:
                return RunOutcome(task, finished, fresh=False, folder=settings.folder_of(task))
            if task.status is TaskStatus.COMPLETED:
                observer.on_message("The document of this finished task has changed: it goes on.")
            task = await settle(store, task, identity_here(plan, version))
            return await _run_held(store, settings, task, plan, executor, hold, observer, queued=False)


async def run_queued(store: SqlStore, settings: Settings, task_id: int, observer: Observer) -> RunOutcome | None:
    """Run a task of the queue from where it stands; None when it is to be claimed anew: it is paused, has left the
    queue, or is not what it was when it was claimed.

    It stays in the queue until it has ended. What keeps it from being run is stored as its failure, and raised:
    AutotunerError as of ``run_task``. It is no failure that another process runs it (TASK_BUSY), that the database
    can't be used any more (STORE_UNAVAILABLE), or that this run is cancelled: it is pending then, or as it was.
    """
    task = await store.get_task(task_id)
    try:
        executor = EXECUTORS.load(settings.executor)()
        document = await document_to_start(store, settings, task)
        plan, version = await _planned(document, settings, observer)
        async with taken(settings, task) as hold:
            found = await store.get_task(task_id)
            if found.queued_at is None or found.deleted_at is not None or not _same_document(found, task):
                return None
            try:
                found = await settle(store, found, identity_here(plan, version))
            except StatusConflictError:
                return None  # it was cancelled or paused just now
            return await _run_held(store, settings, found, plan, executor, hold, observer, queued=True)
    except PausedError:
        return None
    except AutotunerError as error:
        if error.code not in (ErrorCode.TASK_BUSY, ErrorCode.STORE_UNAVAILABLE):
            await _fail(store, settings, task, error)
        raise
    except Exception as error:
        await _fail(store, settings, task, unforeseen(error))
        raise


async def _planned(document: TaskDocument, settings: Settings, observer: Observer) -> tuple[Plan, str]:
    """The plan of a document that can be run here, and the version of its engine."""
    plan = await asyncio.to_thread(plan_document, document, settings)
    for note in document.assembled.notes if document.assembled is not None else ():
        observer.on_message(f"Warning: {note}")
    version = await asyncio.to_thread(check_ready, plan)
    warning = version_warning(plan.resolver.engine.catalogue, version)
    if warning is not None:
        observer.on_message(f"Warning: {warning}")
    return plan, version


async def _run_held(
    store: SqlStore,
    settings: Settings,
    task: TaskRecord,
    plan: Plan,
    executor: Executor,
    hold: Hold,
    observer: Observer,
    *,
    queued: bool,
) -> RunOutcome:
    """Run a task that is held, and that has been read since."""
    folder = settings.folder_of(task)
    host = describe_host()  # before this process leaves the server's cores
    with ExitStack() as stack:
        stack.enter_context(off_cores(plan.cores.server))
        await asyncio.to_thread(check_folder, folder)
        await end_left_behind(store, settings, task, observer)
        earlier = await earlier_priors(store, plan, task)
        told = Tee(observer, stack.enter_context(ProgressFile(folder)))
        guarded = store.through(lambda units: Guarded(units, hold))
        coordinator = Coordinator(
            store=guarded,
            patient=guarded.through(lambda units: patient(units, settings, told)),
            plan=plan,
            strategy=_strategy(plan.document, earlier),
            observer=told,
            artefacts=folder,
            host=host,
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
            queued=queued,
        )
        result = await coordinator.run(task, open_executor(executor, plan))
        return RunOutcome(await store.get_task(task.id), result, fresh=True, folder=folder)


async def _fail(store: SqlStore, settings: Settings, task: TaskRecord, error: AutotunerError) -> None:
    """Store why a task of the queue could not be run; nothing if that is stored, or if it is another's by now."""
    try:
        async with taken(settings, task):
            found = await store.get_task(task.id)
            if found.queued_at is not None and _same_document(found, task):
                event = NewEvent(type=EventType.TASK_FAILED, message=str(error), data=error.as_dict())
                await end_unrun(store, found, event, TaskStatus.FAILED, error)
    except StatusConflictError:
        return  # somebody asked for its end meanwhile
    except AutotunerError as other:
        if other.code is not ErrorCode.TASK_BUSY:
            raise


def _same_document(found: TaskRecord, task: TaskRecord) -> bool:
    return (found.name, found.document) == (task.name, task.document)


def patient(units: Units, settings: Settings, observer: Observer) -> Patient:
    """Units of work that wait for a database that can't be used, as long as the settings say."""
    return Patient(
        units,
        limit_s=settings.store_patience_s,
        tell=observer.on_message,
        clock=time.monotonic,
        sleep=asyncio.sleep,
    )


async def document_to_start(store: Store, settings: Settings, task: TaskRecord) -> TaskDocument:
    """The stored document of a task that nobody runs and that has something left to do.

    AutotunerError: TASK_BUSY while a process runs it, CONFLICT for a finished one.
    """
    if await is_taken(settings, task.id):
        raise AutotunerError(
            ErrorCode.TASK_BUSY,
            f"the task {task.name!r} is being run by another process",
            why=f"a task has one coordinator at a time; it is {task.status.value}",
            remedy=f"`autotuner attach {task.name}` shows it"
            + (f", `autotuner task resume {task.name}` lets it go on" if task.status is TaskStatus.PAUSED else ""),
            place=task.name,
        )
    if task.status is TaskStatus.COMPLETED:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"the task {task.name!r} has nothing left to do",
            why="it is completed",
            remedy=f"`autotuner task retry {task.name}` tries failed experiments again; `autotuner run` with a larger "
            "budget goes on with it",
            place=task.name,
        )
    return validate(task.document, name=task.name).model_copy(update={"task_name": task.name})


@asynccontextmanager
async def open_executor(executor: Executor, plan: Plan) -> AsyncIterator[ExecutorSession]:
    """The executor with the plan's client. AutotunerError(NO_RESULT) when that cannot be started."""
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


def _strategy(document: TaskDocument, earlier: tuple[Prior, ...]) -> Callable[[SearchSetup], SearchStrategy]:
    def make(setup: SearchSetup) -> SearchStrategy:
        return make_strategy(document.optimization.strategy, replace(setup, priors=(*setup.priors, *earlier)))

    return make


async def _find_or_create(store: Store, plan: Plan, version: str, *, new: bool) -> tuple[TaskRecord, Plan]:
    """The stored task of the plan's name, and the plan; with ``new`` a new one and the plan under its new name."""
    name = plan.task_name
    known = await store.find_task(name)
    if known is not None and new:
        name = await _free_name(store, name)
        plan = replace(plan, task_name=name, document=plan.document.model_copy(update={"task_name": name}))
        known = None
    described = identity_here(plan, version)
    if known is None:
        made = new_task(plan.document, plan.resolver.engine, described, name=name)
        return await store.create_task(made), plan
    if known.archived_at is not None:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"{name!r} is an archived run of task {known.run_of}",
            why="it shows what that task had done before it was begun anew",
            remedy="Run that task, or give this one another task_name",
            place="task_name",
        )
    check_same(known, described)
    return known, plan


async def _free_name(store: Store, name: str) -> str:
    number = 2
    while await store.find_task(f"{name}-{number}") is not None:
        number += 1
    return f"{name}-{number}"


async def _finished_result(store: Store, task: TaskRecord, plan: Plan) -> TaskResult | None:
    """The stored result of a finished task whose document asks for nothing else; None when there is something to do."""
    if task.status is not TaskStatus.COMPLETED or task.result is None:
        return None
    before, after = task.document, to_data(plan.document)
    asks = [key for key in before.keys() | after.keys() if key not in NOTES and before.get(key) != after.get(key)]
    return None if asks else await from_stored(task.result, store)
