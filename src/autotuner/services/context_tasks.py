"""Makes stored tasks from a few facts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from autotuner.config.load import check_part
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.planning.plan import Plan
from autotuner.services.assembling import InThread, chosen_by
from autotuner.services.from_context import ContextRequest, ContextTask, name_stem, read_request, task_from_context
from autotuner.services.planning import plan_document
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import Settings
from autotuner.services.task_editing import create_task
from autotuner.store.sql_store import SqlStore

PAGE = 200
"""Names that are read at once."""

log = logging.getLogger(__name__)


async def create_from_context(
    store: SqlStore, settings: Settings, data: Mapping[str, Any], *, in_thread: InThread
) -> tuple[TaskRecord, ContextTask]:
    """Assemble, plan and store the task of a request; it is pending.

    AutotunerError: as of ``read_request``, ``task_from_context`` and ``plan_document``; NOT_FOUND for a preset;
    CONFLICT for a name that another task has.
    """
    request = await asyncio.to_thread(read_request, dict(data))
    wanted = {"presets": list(request.presets), "merge_strategy": request.merge_strategy}
    chosen = await chosen_by(store, check_part(wanted, name="the request"))
    while True:
        names = set() if request.task_name is not None else await _names(store, request)

        def assembled(taken: frozenset[str] = frozenset(names)) -> tuple[ContextTask, Plan]:
            made = task_from_context(request, open_profiles(settings), settings, presets=chosen, names=taken)
            return made, plan_document(made.document, settings)

        made, plan = await in_thread(assembled)
        try:
            task = await create_task(store, plan)
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
