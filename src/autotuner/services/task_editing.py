"""Tasks that are made and changed without being run: from documents, by patches, as copies."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.identity import changed, fingerprint
from autotuner.config.load import to_data
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.runs import CreatedTask
from autotuner.contracts.store import NewTask, Store, TaskRecord, TaskStatus
from autotuner.contracts.values import digest
from autotuner.planning.plan import Plan
from autotuner.services.settings import Settings
from autotuner.services.task_identity import OF_THE_START, before_start, new_task, planned_identity
from autotuner.services.task_lock import taken
from autotuner.services.tasks import NOTES
from autotuner.store.sql_store import SqlStore

KEY_LIVES = timedelta(hours=24)
"""How long a repeated request is known again."""
MAX_NAME = 255
"""Characters of a task's name."""
LAYERS = ("profiles", "presets", "merge_strategy", "assembled")
"""Keys of a document that ask for what is merged below it, and the record of that."""


async def create_task(store: SqlStore, plan: Plan, *, rename: bool = False) -> TaskRecord:
    """Store the task of a plan, pending. One without a name is named after its model.

    ``rename``: if another task has the name, it gets the next free one (-2, …), as one without a name does.
    AutotunerError(CONFLICT) otherwise.
    """
    named = plan.document.task_name
    if named is not None and not rename:
        return await store.create_task(_planned(plan, named))
    return await _under_a_free_name(store, named or default_name(plan.document), lambda name: _planned(plan, name))


async def create_once(store: SqlStore, plan: Plan, *, key: str, request: str) -> CreatedTask:
    """The same for a request with an idempotency key: its task, if it was made within the last 24 hours.

    ``request``: as ``request_hash``. AutotunerError(CONFLICT) for a key of another request, or a name that is taken.
    """
    made = _planned(plan, plan.document.task_name or await free_name(store, default_name(plan.document)))
    return await store.create_task_once(made, key=key, request=request, since=datetime.now(UTC) - KEY_LIVES)


async def created_before(store: SqlStore, *, key: str, request: str) -> TaskRecord | None:
    """The task that the key has made within the last 24 hours. AutotunerError(CONFLICT) if it was another request."""
    return await store.find_created(key=key, request=request, since=datetime.now(UTC) - KEY_LIVES)


def request_hash(data: Mapping[str, Any]) -> str:
    """What makes a request the same: its contents, however they are written."""
    return digest(dict(data))


async def replace_document(
    store: SqlStore, settings: Settings, task: TaskRecord, plan: Plan, *, priority: int | None = None
) -> TaskRecord:
    """Give a task another document. One that has measured something must go on to measure the same.

    A completed task of which more is asked is pending afterwards, to be started. AutotunerError: TASK_CHANGED for
    another measurement, TASK_BUSY while a process runs it, CONFLICT for a name that is taken; StatusConflictError for a
    task that is queued or at work, is an archived run, or was changed since it was read.
    """
    async with taken(settings, task):
        name = plan.document.task_name or task.name
        made = _planned(plan, name)
        identity = await _identity_of_edit(store, task, made)
        values: dict[str, Any] = {
            "name": name,
            "document": made.document,
            "parameters": made.parameters,
            "identity": identity,
            "fingerprint": fingerprint(identity),
        }
        if priority is not None:
            values["priority"] = priority
        if task.status is TaskStatus.COMPLETED and _asks_for_more(task.document, made.document):
            values["status"] = TaskStatus.PENDING.value
        before = task.model_dump()
        values = {key: value for key, value in values.items() if before[key] != value}
        return await store.edit_task(task.id, values, next_seq=task.next_seq) if values else task


def notes_only(patch: Mapping[str, Any]) -> bool:
    """Whether a patch of a document changes nothing that is asked of the task."""
    return set(patch) <= {"task_name", "description", "labels", "metadata"}


async def edit_notes(
    store: SqlStore, settings: Settings, task: TaskRecord, document: TaskDocument, *, priority: int | None = None
) -> TaskRecord:
    """Store a document of which only notes have changed. Errors as of ``replace_document``."""
    async with taken(settings, task):
        values: dict[str, Any] = {"name": document.task_name or task.name, "document": to_data(document)}
        if priority is not None:
            values["priority"] = priority
        return await store.edit_task(task.id, values, next_seq=task.next_seq)


async def set_priority(store: SqlStore, settings: Settings, task: TaskRecord, priority: int) -> TaskRecord:
    """The same for its priority alone."""
    async with taken(settings, task):
        return await store.edit_task(task.id, {"priority": priority}, next_seq=task.next_seq)


async def duplicate(store: SqlStore, task: TaskRecord, *, name: str | None = None) -> TaskRecord:
    """A new pending task with the document of another one. ``name``: None: "<its name> copy", or the next free one.

    AutotunerError(CONFLICT) if another task has the name.
    """

    def made(chosen: str) -> NewTask:
        identity = before_start(task.identity)
        return NewTask(
            name=chosen,
            document={**task.document, "task_name": chosen},
            parameters=task.parameters,
            fingerprint=fingerprint(identity),
            identity=identity,
        )

    if name is not None:
        return await store.create_task(made(name))
    return await _under_a_free_name(store, f"{task.name[: MAX_NAME - 10]} copy", made)


def patched(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A document with a JSON merge patch (RFC 7396): what is null there is left out.

    AutotunerError(INVALID_VALUE) for a patch of what is merged below a document, which a stored one no longer shows.
    """
    wrong = next((key for key in LAYERS if key in patch), None)
    if wrong is not None:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{wrong} cannot be patched",
            why="a stored document has the values of its profiles and presets, which it would keep",
            remedy="Replace the whole document instead",
            place=wrong,
        )
    merged = _merge(document, patch)
    if not isinstance(merged, dict):
        raise TypeError("a mapping was merged")
    return merged


def default_name(document: TaskDocument) -> str:
    """Name of a task without one: its model without folders."""
    model = document.model.files[0] if document.model.files else "task"
    return PurePosixPath(model.rstrip("/")).name.removesuffix(".gguf").replace(":", "-")[: MAX_NAME - 10] or "task"


async def free_name(store: Store, name: str) -> str:
    """``name``, or with -2, -3, … appended the first one that no task has."""
    chosen, number = name, 1
    while await store.find_task(chosen) is not None:
        number += 1
        chosen = f"{name}-{number}"
    return chosen


async def _under_a_free_name(store: Store, name: str, made: Callable[[str], NewTask]) -> TaskRecord:
    while True:
        chosen = await free_name(store, name)
        try:
            return await store.create_task(made(chosen))
        except AutotunerError as error:
            # Another request took the name that was free a moment ago; a plain refusal would come again.
            if error.code is not ErrorCode.CONFLICT or await store.find_task(chosen) is None:
                raise


def _planned(plan: Plan, name: str) -> NewTask:
    document = plan.document.model_copy(update={"task_name": name})
    return new_task(document, plan.resolver.engine, planned_identity(plan), name=name)


async def _identity_of_edit(store: Store, task: TaskRecord, made: NewTask) -> dict[str, Any]:
    """The identity of a task with another document; what has been measured keeps what the first start added."""
    if not await store.count_experiments(task.id):
        return made.identity
    kept = {key: task.identity[key] for key in OF_THE_START if key in task.identity and key not in made.identity}
    identity = {**made.identity, **kept}
    differences = changed(task.identity, identity)
    if differences:
        raise AutotunerError(
            ErrorCode.TASK_CHANGED,
            f"the task {task.name!r} would measure something else",
            why="; ".join(differences),
            remedy="Duplicate it and change the copy, or clear its experiments first",
            place=task.name,
        )
    return identity


def _asks_for_more(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return any(before.get(key) != after.get(key) for key in before.keys() | after.keys() if key not in NOTES)


def _merge(value: object, patch: object) -> object:
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(value) if isinstance(value, Mapping) else {}
    for key, change in patch.items():
        if change is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), change)
    return merged


def whole_document(task: TaskRecord) -> dict[str, Any]:
    """The document of a task as it is exported: with its name, and nothing that only this store knows."""
    return {**task.document, "task_name": task.name}
