"""Stores a task that nobody runs yet."""

from __future__ import annotations

from autotuner.config.document import TaskDocument
from autotuner.config.identity import fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.store import NewTask, Store, TaskRecord
from autotuner.services.export import flat_parameters
from autotuner.services.planning import engine_of


async def create_pending(store: Store, document: TaskDocument) -> TaskRecord:
    """The task of a document, pending. AutotunerError(CONFLICT) if there is one of its name."""
    described = identity(document)
    return await store.create_task(
        NewTask(
            name=document.task_name or "task",
            document=to_data(document),
            parameters=flat_parameters(document, engine_of(document)),
            fingerprint=fingerprint(described),
            identity=described,
        )
    )
