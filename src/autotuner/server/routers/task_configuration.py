"""The document of a task by sections, with where each value comes from."""

from __future__ import annotations

from fastapi import APIRouter

from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.server.task_answers import TaskId, present
from autotuner.services.task_configuration import TaskConfiguration, task_configuration

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.get(
    "/{task_id}/configuration",
    responses=documented(404, 422, 503),
    operation_id="get_task_configuration",
    summary="Show where a task's values come from",
)
async def configuration(ctx: Ctx, task_id: TaskId) -> TaskConfiguration:
    """Every value of the task's document, by section, with the profile, preset or default that gave it. What follows
    from them, and the engine's own defaults, stand in the plan.
    """
    return task_configuration(await present(ctx, task_id))
