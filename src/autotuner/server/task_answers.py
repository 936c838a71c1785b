"""What the calls on tasks share: the number in the path, the task that it names, and its answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Response

from autotuner.contracts.store import TaskRecord
from autotuner.server.context import Context
from autotuner.services.task_view import TaskView, view
from autotuner.store.rows import not_found

TaskId = Annotated[int, Path(ge=1, le=2**63 - 1, description="number of the task")]

PLACE: dict[str, Any] = {"Location": {"description": "where the task is", "schema": {"type": "string"}}}
VERSION: dict[str, Any] = {
    "ETag": {
        "description": "number of its next event: another one says that it has changed",
        "schema": {"type": "string"},
    }
}


async def present(ctx: Context, task_id: int) -> TaskRecord:
    """The task, which is not deleted. AutotunerError(NOT_FOUND)."""
    task = await ctx.store.get_task(task_id)
    if task.deleted_at is not None:
        raise not_found("task", task_id)
    return task


async def answer(ctx: Context, response: Response, task: TaskRecord) -> TaskView:
    """The task as it is answered, with its ETag."""
    response.headers["ETag"] = f'"{task.next_seq}"'
    return await view(ctx.store, ctx.settings, task)


async def made(ctx: Context, response: Response, task: TaskRecord) -> TaskView:
    """The same of a task that was just made, with its place."""
    response.headers["Location"] = f"/api/tasks/{task.id}"
    return await answer(ctx, response, task)
