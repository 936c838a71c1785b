"""The pages and their files."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import ExperimentQuery, Page, TaskQuery, TaskSummary
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import ExperimentStatus, TaskRecord
from autotuner.coordinator.stored_result import from_stored
from autotuner.server.context import Context, Ctx
from autotuner.server.page import api, task, tasks
from autotuner.server.page.frame import ASSETS, page
from autotuner.services.report.markup import tag

router = APIRouter(include_in_schema=False)

SHOWN = 100
"""Tasks of the list."""
EXPERIMENTS = 200
"""Experiments of a task."""
FILES = {"style.css": "text/css", "page.js": "text/javascript"}
TaskId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/")
async def list_page(ctx: Ctx) -> HTMLResponse:
    """The list of tasks."""
    found = await _tasks(ctx)
    live = tag("div", tasks.task_list(found), id="live", data_part="/part/tasks", data_events="/api/ws")
    return page("Tasks", tasks.heading(), live, tasks.new_task_form())


@router.get("/part/tasks")
async def list_part(ctx: Ctx) -> HTMLResponse:
    """The list alone, to take the place of an older one."""
    return HTMLResponse(tasks.task_list(await _tasks(ctx)).text)


@router.get("/tasks/{task_id}")
async def task_page(ctx: Ctx, task_id: TaskId) -> HTMLResponse:
    """One task."""
    shown, result = await _task(ctx, task_id)
    found = await ctx.store.query_experiments(ExperimentQuery(task_id=task_id, sort="number", size=EXPERIMENTS))
    live = tag(
        "div",
        task.task_view(shown, result, found),
        id="live",
        data_part=f"/part/tasks/{task_id}",
        data_events=f"/api/ws/tasks/{task_id}",
        data_since=shown.next_seq - 1,
    )
    return page(shown.name, task.heading(shown), live, task.log(shown))


@router.get("/part/tasks/{task_id}")
async def task_part(ctx: Ctx, task_id: TaskId) -> HTMLResponse:
    """What changes of a task, to take the place of an older one."""
    shown, result = await _task(ctx, task_id)
    found = await ctx.store.query_experiments(ExperimentQuery(task_id=task_id, sort="number", size=EXPERIMENTS))
    return HTMLResponse(task.task_view(shown, result, found).text)


@router.get("/docs")
async def api_page(request: Request) -> HTMLResponse:
    """The calls of the API."""
    return page("API", api.api_view(request.app.openapi()))


@router.get(f"{ASSETS}/{{name}}")
async def asset(name: str) -> Response:
    """A file of the pages."""
    if name not in FILES:
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            "There is no such file",
            why="it is none of the page's",
            remedy="Open / in a browser",
            place=name,
        )
    text = (files("autotuner.server.page") / name).read_text(encoding="utf-8")
    return Response(text, media_type=FILES[name])


async def _tasks(ctx: Context) -> Page[TaskSummary]:
    return await ctx.store.query_tasks(TaskQuery(size=SHOWN))


async def _task(ctx: Context, task_id: int) -> tuple[TaskSummary, TaskResult | None]:
    record = await ctx.store.get_task(task_id)
    counts = await ctx.store.count_experiments(task_id)
    return _summary(record, counts), None if record.result is None else await from_stored(record.result, ctx.store)


def _summary(record: TaskRecord, counts: dict[ExperimentStatus, int]) -> TaskSummary:
    document = record.document
    model = document.get("model", {})
    given = {name: getattr(record, name) for name in TaskSummary.model_fields if hasattr(record, name)}
    return TaskSummary(
        **given,
        engine=document.get("base_runtime"),
        model=str(model.get("id_or_path")) if isinstance(model, dict) and "id_or_path" in model else None,
        objective=str(document.get("optimization", {}).get("objective") or "") or None,
        experiments=counts,
    )
