"""A store with something of everything: tasks in every state, experiments, presets; topped up while tests use it up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.progress import Observer
from autotuner.contracts.store import (
    EventType,
    ExperimentOrigin,
    ExperimentStatus,
    NewEvent,
    TaskRecord,
    TaskStatus,
)
from autotuner.engines.registry import ENGINES, system_presets
from autotuner.server.routers.aiconfigurator import EXAMPLE
from autotuner.services.aiconfigurator import Wanted, import_text
from autotuner.services.aiconfigurator_tasks import store_imported
from autotuner.services.documents import demo_document
from autotuner.services.planning import plan_document
from autotuner.services.presets import create_preset
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import Settings
from autotuner.services.task_editing import create_task
from autotuner.services.tasks import run_task
from autotuner.store.sql_store import SqlStore, open_store

LOG = "server.log"
ENOUGH = 12
"""Tasks and presets of one's own that there are always."""


class Quiet(Observer):
    """Sees nothing."""


@dataclass
class Seeded:
    """The store, and what is in it. Not for coroutines."""

    settings: Settings
    portal: BlockingPortal
    store: SqlStore
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def values(self, kind: str) -> list[Any]:
        """What may stand in a path for one of that kind."""
        match kind:
            case "profiles":
                return open_profiles(self.settings).profiles.names()
            case "webhooks":
                return [webhook.name for webhook in self.settings.webhooks]
            case "engines":
                return ENGINES.names()
            case _:
                found: list[Any] = self.portal.call(getattr(self, f"_{kind}"))
                return found

    def refill(self) -> None:
        """Make what has become rare."""
        self.portal.call(self._refill)

    async def _tasks(self) -> list[Any]:
        tasks, _ = await self.store.list_tasks(limit=60)
        return [task.id for task in tasks]

    async def _experiments(self) -> list[Any]:
        tasks, _ = await self.store.list_tasks(limit=60)
        return [one.id for task in tasks for one in await self.store.list_experiments(task.id, bulk=False)]

    async def _completed_tasks(self) -> list[Any]:
        tasks, _ = await self.store.list_tasks(status=TaskStatus.COMPLETED, limit=20)
        return [task.id for task in tasks]

    async def _logged_experiments(self) -> list[Any]:
        tasks, _ = await self.store.list_tasks(status=TaskStatus.COMPLETED, limit=20)
        attempts = [one for task in tasks for one in await self.store.list_attempts(task.id)]
        return [one.experiment_id for one in attempts if one.job and (Path(one.job.artefact_dir) / LOG).is_file()]

    async def _artefacts(self) -> list[Any]:
        return [f"attempt-01/{LOG}"]

    async def _attempts(self) -> list[Any]:
        tasks, _ = await self.store.list_tasks(limit=60)
        return [one.id for task in tasks for one in await self.store.list_attempts(task.id, bulk=False)]

    async def _presets(self) -> list[Any]:
        presets = await self.store.list_presets()
        return [preset.id for preset in presets] + [preset.slug for preset in presets if preset.slug]

    async def _imported_tasks(self) -> list[Any]:
        tasks, _ = await self.store.list_tasks(search="aiconfig-", limit=20)
        return [task.id for task in tasks]

    async def _refill(self) -> None:
        presets = await self.store.list_presets()
        for _ in range(ENOUGH - sum(not preset.is_system for preset in presets)):
            await self._new_preset()
        if not await self._imported_tasks():
            found = import_text(EXAMPLE, Wanted(), self.settings)
            await store_imported(self.store, self.settings, found, in_thread=asyncio.to_thread)
        tasks, _ = await self.store.list_tasks(limit=200)
        there = {status: [task for task in tasks if task.status is status] for status in TaskStatus}
        for status, found in there.items():
            # One that is completed was really run, which takes a second.
            for _ in range((1 if status is TaskStatus.COMPLETED else 2) - len(found)):
                await self._new_task(status)

    async def _new_preset(self) -> None:
        name = f"Seeded {next(self.numbers)}"
        await create_preset(self.store, {"name": name, "parameters": {"tp-size": [1, 2]}})

    async def _new_task(self, status: TaskStatus) -> TaskRecord:
        document = demo_document(
            sets=[
                f"task_name=seeded-{next(self.numbers)}",
                "optimization.max_iterations=2",
                "optimization.confirm.top_k=0",
            ],
            settings=self.settings,
        )
        if status is TaskStatus.COMPLETED:
            return await self._with_logs((await run_task(document, self.settings, Quiet())).task)
        task = await create_task(self.store, plan_document(document, self.settings))
        if status is TaskStatus.PENDING:
            return task
        await self._failed_experiment(task)
        types = {
            TaskStatus.RUNNING: EventType.TASK_STARTED,
            TaskStatus.PAUSED: EventType.TASK_PAUSED,
            TaskStatus.FAILED: EventType.TASK_FAILED,
            TaskStatus.CANCELLED: EventType.TASK_CANCELLED,
            TaskStatus.CANCELLING: EventType.TASK_UPDATED,
        }
        event = NewEvent(type=types[status])
        return await self.store.change_task(task.id, event, expected=(TaskStatus.PENDING,), status=status)

    async def _with_logs(self, task: TaskRecord) -> TaskRecord:
        """Predictions start no server, so there is no log."""
        for attempt in await self.store.list_attempts(task.id):
            if attempt.job is not None:
                folder = Path(attempt.job.artefact_dir)
                await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
                await asyncio.to_thread((folder / LOG).write_text, "ready\n")
        return task

    async def _failed_experiment(self, task: TaskRecord) -> None:
        made = await self.store.add_experiment(
            task.id, origin=ExperimentOrigin.SEARCH, parameters={"tp": 1}, identity=f"seeded-{task.id}"
        )
        failure = Failure(kind=FailureClass.CRASH, diagnosis="seeded", hint="none")
        await self.store.finish_experiment(
            made.id, NewEvent(type=EventType.EXPERIMENT_FAILED), status=ExperimentStatus.FAILED, failure=failure
        )


@contextmanager
def seeded(settings: Settings) -> Iterator[Seeded]:
    """A store with something of everything."""
    with start_blocking_portal() as portal:
        opened = open_store(settings.database, busy_timeout_s=settings.database_timeout_s)
        with portal.wrap_async_context_manager(opened) as store:
            portal.call(store.seed_presets, system_presets())
            made = Seeded(settings, portal, store)
            made.refill()
            yield made
