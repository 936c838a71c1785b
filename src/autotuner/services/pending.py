"""Stores a task that nobody runs yet."""

from __future__ import annotations

from autotuner.config.document import TaskDocument
from autotuner.config.identity import identity
from autotuner.contracts.store import Store, TaskRecord
from autotuner.services.planning import engine_of
from autotuner.services.task_identity import new_task


async def create_pending(store: Store, document: TaskDocument) -> TaskRecord:
    """The task of a document, pending. AutotunerError(CONFLICT) if there is one of its name."""
    name = document.task_name or "task"
    return await store.create_task(new_task(document, engine_of(document), identity(document), name=name))
