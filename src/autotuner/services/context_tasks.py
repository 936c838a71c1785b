"""Makes stored tasks from a few facts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from autotuner.config.load import check_part
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.services.assembling import chosen_by
from autotuner.services.from_context import ContextRequest, ContextTask, name_stem, read_request, task_from_context
from autotuner.services.pending import create_pending
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import Settings
from autotuner.store.sql_store import SqlStore

PAGE = 200
"""Names that are read at once."""

log = logging.getLogger(__name__)


async def create_from_context(
    store: SqlStore, settings: Settings, data: Mapping[str, Any]
) -> tuple[TaskRecord, ContextTask]:
    """Assemble and store the task of a request; it is pending.

    AutotunerError: as of ``read_request`` and ``task_from_context``; NOT_FOUND for a preset; CONFLICT for a name that
    another task has.
    """
    request = await asyncio.to_thread(read_request, dict(data))
    wanted = {"presets": list(request.presets), "merge_strategy": request.merge_strategy}
    chosen = await chosen_by(store, check_part(wanted, name="the request"))
    while True:
        names = set() if request.task_name is not None else await _names(store, request)

        def assemble(taken: frozenset[str]) -> ContextTask:
            return task_from_context(request, open_profiles(settings), settings, presets=chosen, names=taken)

        made = await asyncio.to_thread(assemble, frozenset(names))
        try:
            task = await create_pending(store, made.document)
        except AutotunerError as error:
            # Another request took the name that was free a moment ago.
            if error.code is ErrorCode.CONFLICT and request.task_name is None:
                continue
            raise
        for warning in made.warnings:
            log.warning("task %s: %s", task.name, warning)
        return task, made


async def _names(store: SqlStore, request: ContextRequest) -> set[str]:
    """Names of the tasks that begin like the one that is made."""
    names: set[str] = set()
    while True:
        tasks, total = await store.list_tasks(search=name_stem(request), offset=len(names), limit=PAGE)
        names.update(task.name for task in tasks)
        if not tasks or len(names) >= total:
            return names
