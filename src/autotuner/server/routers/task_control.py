"""What is done with a task as a whole: run, end, pause, try again, begin anew, copy, restore, remove for ever."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from autotuner.server.bodies import Body
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.server.task_answers import PLACE, VERSION, TaskId, answer, made, present
from autotuner.services.queue import cancel_task, pause_task, resume_task, retry_task, start_task
from autotuner.services.task_editing import duplicate
from autotuner.services.task_runs import begin_anew, purge_task
from autotuner.services.task_view import TaskView

router = APIRouter(prefix="/tasks", tags=["tasks"])

Priority = Annotated[
    int | None,
    Field(ge=-1000, le=1000, description="place in the queue: a greater number comes first; null: as it was"),
]
Name = Annotated[str | None, Field(min_length=1, max_length=255, description="its name; null: one that is free")]
OF_A_CHANGE = {200: {"headers": VERSION}, **documented(404, 409, 422, 503)}
OF_A_NEW_ONE = {201: {"headers": {**PLACE, **VERSION}}, **documented(404, 409, 422, 503)}


class StartRequest(Body):
    """How a task is queued."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 10}]})

    priority: Priority = None


class RetryRequest(Body):
    """Which experiments are tried again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"experiments": [3, 7]}, {}]})

    experiments: list[Annotated[int, Field(ge=0, le=2**31 - 1)]] = Field(
        [], max_length=10_000, description="numbers of failed experiments within the task; empty: all failed ones"
    )


class RestartRequest(Body):
    """How a task is begun anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"start": True, "priority": 0}]})

    start: bool = Field(True, description="whether it is queued at once")
    priority: Priority = None


class CopyRequest(Body):
    """How a copy is called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "second try"}, {}]})

    name: Name = None


class RestoreRequest(Body):
    """How a restored task is called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "the old one"}, {}]})

    name: Annotated[
        str | None, Field(min_length=1, max_length=255, description="another name; null: the one that it had")
    ] = None


class BegunAnew(BaseModel):
    """A task that was begun anew, and what it had done."""

    task: TaskView = Field(description="the task, in its next run")
    archived_run: int = Field(description="number of the archived run, which is listed with archived=true or run_of")


class Purged(BaseModel):
    """What was removed for ever."""

    removed: tuple[int, ...] = Field(description="numbers of the task and of its archived runs")


@router.post("/{task_id}/start", responses=OF_A_CHANGE, operation_id="start_task", summary="Start a task")
async def start(ctx: Ctx, response: Response, task_id: TaskId, body: StartRequest | None = None) -> TaskView:
    """Put a task into the queue, from where a worker takes it: a new one, one that was cancelled, or one that has
    failed, whose failed experiments are tried again. `waiting` in the answer says why it does not run yet.

    409: it is queued, runs, is paused, is completed or an archived run.
    """
    await present(ctx, task_id)
    priority = body.priority if body is not None else None
    return await answer(ctx, response, await start_task(ctx.store, ctx.settings, task_id, priority=priority))


@router.post("/{task_id}/cancel", responses=OF_A_CHANGE, operation_id="cancel_task", summary="Cancel a task")
async def cancel(ctx: Ctx, response: Response, task_id: TaskId) -> TaskView:
    """End a task. One that nobody runs is cancelled at once; one that runs is cancelling until its worker has ended
    its server. What it has measured stays, and it can be started again.

    409: it has ended.
    """
    await present(ctx, task_id)
    return await answer(ctx, response, await cancel_task(ctx.store, ctx.settings, task_id))


@router.post("/{task_id}/pause", responses=OF_A_CHANGE, operation_id="pause_task", summary="Pause a task")
async def pause(ctx: Ctx, response: Response, task_id: TaskId) -> TaskView:
    """Let a running task start nothing more until it is resumed; the start that is under way is finished first.

    409: it does not run.
    """
    await present(ctx, task_id)
    return await answer(ctx, response, await pause_task(ctx.store, ctx.settings, task_id))


@router.post("/{task_id}/resume", responses=OF_A_CHANGE, operation_id="resume_task", summary="Resume a task")
async def resume(ctx: Ctx, response: Response, task_id: TaskId) -> TaskView:
    """Let a paused task go on.

    409: it is not paused.
    """
    await present(ctx, task_id)
    return await answer(ctx, response, await resume_task(ctx.store, ctx.settings, task_id))


@router.post(
    "/{task_id}/retry", responses=OF_A_CHANGE, operation_id="retry_task", summary="Try failed experiments again"
)
async def retry(ctx: Ctx, response: Response, task_id: TaskId, body: RetryRequest | None = None) -> TaskView:
    """Try failed experiments again, all of them or those that are named. A task that nobody runs is queued.

    404: the task has no experiment of that number. 409: none failed, or one that is named did not.
    """
    await present(ctx, task_id)
    numbers = tuple(body.experiments) if body is not None else ()
    return await answer(ctx, response, await retry_task(ctx.store, ctx.settings, task_id, numbers))


@router.post(
    "/{task_id}/restart",
    responses={200: {"headers": VERSION}, **documented(404, 409, 422, 503)},
    operation_id="restart_task",
    summary="Begin a task anew",
)
async def restart(ctx: Ctx, response: Response, task_id: TaskId, body: RestartRequest | None = None) -> BegunAnew:
    """Begin an ended task from nothing, under the same number, and queue it. What it had done becomes an archived run:
    a task of its own that can be looked at, with its experiments, results, logs and events.

    409: it has not ended, is queued, or is an archived run.
    """
    await present(ctx, task_id)
    asked = body or RestartRequest()
    begun = await begin_anew(ctx.store, ctx.settings, task_id)
    task = begun.task
    if asked.start:
        task = await start_task(ctx.store, ctx.settings, task_id, priority=asked.priority)
    return BegunAnew(task=await answer(ctx, response, task), archived_run=begun.run.id)


@router.post("/{task_id}/clear", responses=OF_A_CHANGE, operation_id="clear_task", summary="Clear a task")
async def clear(ctx: Ctx, response: Response, task_id: TaskId) -> BegunAnew:
    """Delete the experiments of an ended task, which is pending then. For 30 days they can be restored, as an archived
    run: restore its number.

    409: it has not ended, is queued, or is an archived run.
    """
    await present(ctx, task_id)
    begun = await begin_anew(ctx.store, ctx.settings, task_id, drop=True)
    return BegunAnew(task=await answer(ctx, response, begun.task), archived_run=begun.run.id)


@router.post(
    "/{task_id}/duplicate",
    status_code=201,
    responses=OF_A_NEW_ONE,
    operation_id="duplicate_task",
    summary="Copy a task",
)
async def copy(ctx: Ctx, response: Response, task_id: TaskId, body: CopyRequest | None = None) -> TaskView:
    """A new pending task with the document of this one, named "<its name> copy" or as you say.

    409: there is a task of that name.
    """
    task = await present(ctx, task_id)
    return await made(ctx, response, await duplicate(ctx.store, task, name=body.name if body is not None else None))


@router.post("/{task_id}/restore", responses=OF_A_CHANGE, operation_id="restore_task", summary="Restore a task")
async def restore(ctx: Ctx, response: Response, task_id: TaskId, body: RestoreRequest | None = None) -> TaskView:
    """Take back the deletion of a task, or of the experiments that were cleared.

    409: it is not deleted, or another task has its name by now: give it another one.
    """
    name = body.name if body is not None else None
    return await answer(ctx, response, await ctx.store.restore_task(task_id, name=name))


@router.post(
    "/{task_id}/purge",
    responses=documented(404, 409, 422, 503, 507),
    operation_id="purge_task",
    summary="Remove a task for ever",
)
async def purge(ctx: Ctx, task_id: TaskId) -> Purged:
    """Remove a deleted task for ever, with its archived runs, experiments, logs and files.

    409: it is not deleted.
    """
    gone = await purge_task(ctx.store, ctx.settings, task_id)
    return Purged(removed=tuple(one.id for one in gone))
