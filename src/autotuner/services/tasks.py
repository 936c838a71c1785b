"""Run a task: find or create it, take it for this process, let the coordinator run it, write its reports."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autotuner.config.document import TaskDocument
from autotuner.config.identity import changed, fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Observer
from autotuner.contracts.result import TaskResult
from autotuner.contracts.search import SearchSetup, SearchStrategy
from autotuner.contracts.store import NewTask, Store, TaskRecord, TaskStatus
from autotuner.coordinator.loop import Coordinator
from autotuner.planning.plan import Plan
from autotuner.search.registry import make_strategy
from autotuner.services.host import describe_host
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.plugins import EXECUTORS, InstalledPlugins
from autotuner.services.settings import Settings
from autotuner.services.task_lock import taken
from autotuner.store.sql_store import open_store


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
    one not at all (unless its budget grew).

    ``new``: make another task (name-2, …) instead of continuing. AutotunerError before anything is started for wrong
    input; TASK_CHANGED when a stored task of that name measures something else; NO_RESULT when nothing could be
    measured. CancelledError (Ctrl-C) leaves the task ready to be continued.
    """
    plan = await asyncio.to_thread(plan_document, document, settings)
    version = await asyncio.to_thread(check_ready, plan)
    async with open_store(settings.database, busy_timeout_s=settings.database_timeout_s) as store:
        task = await _find_or_create(store, plan, version, new=new)
        folder = settings.task_dir(task.id)
        with taken(settings, task), _beside_server(plan):
            finished = _finished_result(task, plan)
            if finished is not None:
                return RunOutcome(task, finished, fresh=False, folder=folder)
            if task.status is TaskStatus.COMPLETED:
                observer.on_message("The budget of this finished task has grown: it goes on.")
            coordinator = Coordinator(
                store=store,
                plan=plan,
                strategy=_strategy(document),
                observer=observer,
                artefacts=folder,
                host=describe_host(),
                clock=time.monotonic,
                now=lambda: datetime.now(UTC),
            )
            async with EXECUTORS.load(settings.executor)().open(
                InstalledPlugins(), client=plan.client, client_cores=plan.cores.client
            ) as session:
                result = await coordinator.run(task, session)
            return RunOutcome(await store.get_task(task.id), result, fresh=True, folder=folder)


def _strategy(document: TaskDocument) -> Callable[[SearchSetup], SearchStrategy]:
    def make(setup: SearchSetup) -> SearchStrategy:
        return make_strategy(document.optimization.strategy, setup)

    return make


async def _find_or_create(store: Store, plan: Plan, version: str, *, new: bool) -> TaskRecord:
    document = plan.document
    described = {**identity(document), "engine": plan.engine, "engine_version": version}
    name = plan.task_name
    known = await store.find_task(name)
    if known is not None and new:
        name = await _free_name(store, name)
        known = None
    if known is None:
        return await store.create_task(
            NewTask(
                name=name,
                document=to_data(document),
                parameters=to_data(document).get("parameters", {}),
                fingerprint=fingerprint(described),
                identity=described,
            )
        )
    differences = changed(known.identity, described)
    if differences:
        raise AutotunerError(
            ErrorCode.TASK_CHANGED,
            f"the task {name!r} exists and measures something else",
            why="; ".join(differences),
            remedy="Run it with --new to make another task, or give it another task_name",
            place="task_name",
        )
    return known


async def _free_name(store: Store, name: str) -> str:
    number = 2
    while await store.find_task(f"{name}-{number}") is not None:
        number += 1
    return f"{name}-{number}"


def _finished_result(task: TaskRecord, plan: Plan) -> TaskResult | None:
    """The stored result of a finished task whose budget has not grown; None when there is something to do."""
    if task.status is not TaskStatus.COMPLETED or task.result is None:
        return None
    before = task.document.get("optimization", {})
    after = to_data(plan.document)["optimization"]
    grew = [
        key
        for key in ("max_iterations", "confirm", "budget", "patience", "references")
        if before.get(key) != after.get(key)
    ]
    return None if grew else TaskResult.model_validate(task.result)


@contextmanager
def _beside_server(plan: Plan) -> Iterator[None]:
    """Keep this process off the server's cores: what it does must not slow down what it measures."""
    usual = os.sched_getaffinity(0)
    others = usual - set(plan.cores.server or ())
    if others:
        os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)
