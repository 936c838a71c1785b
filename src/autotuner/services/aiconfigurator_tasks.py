"""Stored tasks from files of aiconfigurator, and such files of stored tasks."""

from __future__ import annotations

import asyncio

from pydantic import Field

from autotuner.aiconfigurator.export import Exported, Format
from autotuner.config.load import parse, validate
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.contracts.values import Frozen
from autotuner.planning.forms import STRUCTURED_FORM
from autotuner.planning.plan import Plan
from autotuner.services.aiconfigurator import ImportedTask, export_document
from autotuner.services.assembling import InThread
from autotuner.services.export import converted
from autotuner.services.planning import plan_document
from autotuner.services.settings import Settings
from autotuner.services.task_editing import create_task
from autotuner.services.task_view import TaskView, view
from autotuner.store.sql_store import SqlStore


class StoredImport(Frozen):
    """A task that a file became."""

    imported: ImportedTask = Field(description="the document, and what came over otherwise or not at all")
    task: TaskView | None = Field(description="the stored task, pending; null: nothing was stored")


async def store_imported(
    store: SqlStore, settings: Settings, found: list[ImportedTask], *, in_thread: InThread
) -> list[StoredImport]:
    """Store the tasks of a file, all or none.

    AutotunerError: CONFLICT for a name that another task has, and as of ``plan_document`` for what cannot be planned.
    """

    def planned() -> list[Plan]:
        return [plan_document(parse(one.text, name=one.name), settings) for one in found]

    plans = await in_thread(planned)
    for one in found:
        if await store.find_task(one.name) is not None:
            raise AutotunerError(
                ErrorCode.CONFLICT,
                f"There is already a task named {one.name!r}",
                why="the file was imported before, or another task has its name",
                remedy="Rename or delete that task",
                place="task_name",
            )
    return [
        StoredImport(imported=one, task=await view(store, settings, await create_task(store, plan)))
        for one, plan in zip(found, plans, strict=True)
    ]


async def export_stored(task: TaskRecord, form: Format, settings: Settings) -> Exported:
    """A stored task as a file of aiconfigurator. AutotunerError: UNSUPPORTED for what it cannot hold."""

    def export() -> Exported:
        # Flags that a field of a block says count as that field.
        structured = converted(task.document, settings, STRUCTURED_FORM)
        return export_document(validate(structured.data, name=task.name), form)

    return await asyncio.to_thread(export)
