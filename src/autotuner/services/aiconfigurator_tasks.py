"""Stored tasks from files of aiconfigurator, and such files of stored tasks."""

from __future__ import annotations

import asyncio

from pydantic import Field

from autotuner.aiconfigurator.export import Exported, Format
from autotuner.config.load import parse, validate
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import Store, TaskRecord
from autotuner.contracts.values import Frozen
from autotuner.planning.forms import STRUCTURED_FORM
from autotuner.services.aiconfigurator import ImportedTask, export_document
from autotuner.services.export import converted
from autotuner.services.pending import create_pending
from autotuner.services.settings import Settings


class StoredImport(Frozen):
    """A task that a file became."""

    imported: ImportedTask = Field(description="the document, and what came over otherwise or not at all")
    task: TaskRecord | None = Field(description="the stored task, pending; null: nothing was stored")


async def store_imported(store: Store, found: list[ImportedTask]) -> list[StoredImport]:
    """Store the tasks of a file, all or none. AutotunerError(CONFLICT) for a name that another task has."""
    documents = [await asyncio.to_thread(parse, one.text, name=one.name) for one in found]
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
        StoredImport(imported=one, task=await create_pending(store, document))
        for one, document in zip(found, documents, strict=True)
    ]


async def export_stored(store: Store, task: TaskRecord, form: Format, settings: Settings) -> Exported:
    """A stored task as a file of aiconfigurator. AutotunerError: UNSUPPORTED for what it cannot hold."""

    def export() -> Exported:
        # Flags that a field of a block says count as that field.
        structured = converted(task.document, settings, STRUCTURED_FORM)
        return export_document(validate(structured.data, name=task.name), form)

    return await asyncio.to_thread(export)
