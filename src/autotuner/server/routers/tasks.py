"""Tasks: make, list, show, change, delete, plan, export and import. How they run is in ``task_control``."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import Example
from pydantic import ConfigDict, Field, ValidationError

from autotuner.config.document import TaskDocument
from autotuner.config.load import read_mapping, validate
from autotuner.config.text import MAX_BYTES, write
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import MAX_SIZE, Page, TaskQuery, TaskSummary
from autotuner.contracts.store import StatusConflictError, TaskRecord, TaskStatus
from autotuner.engines.registry import demonstration
from autotuner.planning.forms import Form
from autotuner.planning.plan import Plan
from autotuner.server.bodies import MAX_TEXT_BODY, Asked, file_body, given_file
from autotuner.server.bodies import Body as StrictBody
from autotuner.server.context import Context, Ctx
from autotuner.server.problems import documented
from autotuner.server.routers.engines import EXAMPLE_DOCUMENT, DocumentData
from autotuner.server.task_answers import PLACE, VERSION, TaskId, answer, made, present
from autotuner.services.assembling import document_of
from autotuner.services.deletion import delete_task as delete_stored
from autotuner.services.export import converted
from autotuner.services.plan_summary import PlanSummary, summarise_plan
from autotuner.services.planning import plan_document
from autotuner.services.task_editing import (
    create_once,
    create_task,
    created_before,
    edit_notes,
    notes_only,
    patched,
    replace_document,
    request_hash,
    set_priority,
    whole_document,
)
from autotuner.services.task_view import TaskView

router = APIRouter(prefix="/tasks", tags=["tasks"])

YAML_TYPE = "application/yaml"
DOCUMENTS: dict[str, Example] = {
    "first-look": {"summary": "A first try on this machine", "value": EXAMPLE_DOCUMENT},
    "demonstration": {"summary": "Predicted figures: nothing is started", "value": demonstration()},
}
EXPORTED = {"type": "object", "description": "a task document"}
TEXT = "task_name: from-a-file\nmodel: {id_or_path: tiny}\nparameters: {n_ubatch: [16, 32]}\n"


# ---- what is asked


class TaskFilter(Asked):
    """Which tasks, and which part of their list; all of it must hold."""

    status: list[TaskStatus] = Field([], description="one of these states; given several times for several")
    queued: bool | None = Field(None, description="only tasks that are in the queue, or that are not")
    search: str | None = Field(None, max_length=255, description="part of the name; case is ignored")
    archived: bool = Field(False, description="archived runs instead of present tasks")
    deleted: bool = Field(False, description="deleted tasks, which can be restored, instead of present ones")
    run_of: int | None = Field(None, ge=1, le=2**63 - 1, description="the archived runs of this task")
    sort: Literal["id", "name", "updated_at", "status"] = Field("id", description="order of the list")
    descending: bool = Field(True, description="the greatest first")
    page: int = Field(1, ge=1, le=1_000_000, description="page, from 1; no page lies deeper than item 10000")
    size: int = Field(50, ge=1, le=MAX_SIZE, description="items of a page")


class PlanOptions(Asked):
    """How much of a plan is shown."""

    commands: int = Field(10, ge=0, le=100, description="so many of the server's commands")


class ExportOptions(Asked):
    """As what a task is exported."""

    format: Literal["yaml", "json"] = Field("yaml", description="how it is written")
    form: Form | None = Field(None, description="flags as fields of blocks, or these as flags; default: as it is")


class ImportOptions(Asked):
    """What becomes of a name that there is."""

    on_conflict: Literal["refuse", "rename"] = Field(
        "refuse", description="rename: the next free name (-2, -3, …); refuse: 409"
    )


class TaskChanges(StrictBody):
    """What is to be changed of a task; what is not given stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "nightly", "description": "every night", "priority": 5},
                {"document": {"optimization": {"max_iterations": 40}}},
            ]
        }
    )

    document: dict[str, Any] | None = Field(
        None, description="a JSON merge patch (RFC 7396) of the document: null takes a key away"
    )
    name: str | None = Field(None, min_length=1, max_length=255, description="unique name")
    description: str | None = Field(None, description="free text")
    labels: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, description="free words that are kept with the task"
    )
    priority: int | None = Field(
        None, ge=-1000, le=1000, description="place in the queue: a greater number comes first"
    )


class TextFile(StrictBody):
    """The contents of a file."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": TEXT}]})

    content: str = Field(min_length=1, max_length=MAX_BYTES, description="a task document as YAML or JSON")


IfMatch = Annotated[
    str | None,
    Header(
        pattern=r'^(\*|"?[0-9]{1,18}"?)$',
        description="the ETag that was seen: 409 if the task has changed since; *: whatever it is",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="of your choice, unique for each task that is made: sent again within 24 hours with the same body, "
        "the call answers with the task that was made before",
    ),
]


# ---- calls


@router.post(
    "",
    status_code=201,
    responses={
        200: {
            "model": TaskView,
            "description": "The same request was answered before: the task that it made",
            "headers": {
                **PLACE,
                **VERSION,
                "Idempotent-Replay": {"description": "true", "schema": {"type": "string"}},
            },
        },
        201: {"headers": {**PLACE, **VERSION}},
        **documented(404, 409, 422, 501, 503),
    },
    operation_id="create_task",
    summary="Make a task",
)
async def create(
    ctx: Ctx,
    response: Response,
    body: Annotated[DocumentData, Body(openapi_examples=DOCUMENTS)],
    idempotency_key: IdempotencyKey = None,
) -> TaskView:
    """Make a task of a document. It is checked and planned first; what is wrong with it is answered with 422, all of it
    at once, and nothing is stored. The task is pending: start it when you like.

    Without a `task_name` it is named after its model. 404: there is no such preset. 409: there is a task of that name,
    or the idempotency key was used for another document.
    """
    if idempotency_key is not None:
        request = request_hash(body)
        known = await created_before(ctx.store, key=idempotency_key, request=request)
        if known is None:
            plan = await _planned(ctx, await document_of(body, ctx.store, ctx.settings))
            once = await create_once(ctx.store, plan, key=idempotency_key, request=request)
            if not once.replayed:
                return await made(ctx, response, once.task)
            known = once.task
        response.status_code = 200
        response.headers["Idempotent-Replay"] = "true"
        return await made(ctx, response, known)
    plan = await _planned(ctx, await document_of(body, ctx.store, ctx.settings))
    return await made(ctx, response, await create_task(ctx.store, plan))


@router.get("", responses=documented(422, 503), operation_id="list_tasks", summary="List the tasks")
async def list_tasks(ctx: Ctx, asked: Annotated[TaskFilter, Query()]) -> Page[TaskSummary]:
    """Tasks without their documents and results, the newest first; how many experiments each has of which status."""
    given = asked.model_dump(exclude={"status"})
    return await ctx.store.query_tasks(TaskQuery(**given, status=tuple(asked.status)))


@router.post(
    "/plan",
    responses=documented(404, 409, 422, 501, 503),
    operation_id="plan_task",
    summary="Plan a document",
)
async def plan(
    ctx: Ctx,
    body: Annotated[DocumentData, Body(openapi_examples=DOCUMENTS)],
    asked: Annotated[PlanOptions, Query()],
) -> PlanSummary:
    """What a task would do: configurations, starts, time, commands. It is the plan that a run follows. Nothing is
    stored or started.
    """
    return await _plan_summary(ctx, await document_of(body, ctx.store, ctx.settings), asked)


@router.post(
    "/import",
    status_code=201,
    responses={201: {"headers": {**PLACE, **VERSION}}, **documented(404, 409, 413, 415, 422, 501, 503)},
    openapi_extra=file_body(
        TextFile.model_json_schema(),
        examples={"file": {"summary": "A document", "value": {"content": TEXT}}},
        what="A task document as YAML or JSON, at most 1 MiB",
    ),
    operation_id="import_task",
    summary="Make a task of a file",
)
async def import_file(
    ctx: Ctx, request: Request, response: Response, asked: Annotated[ImportOptions, Query()]
) -> TaskView:
    """Make a task of a YAML or JSON file, such as one that was exported. As `create_task`."""
    text = await _text_of(request)
    document = await document_of(read_mapping(text, name="the file"), ctx.store, ctx.settings)
    task = await create_task(ctx.store, await _planned(ctx, document), rename=asked.on_conflict == "rename")
    return await made(ctx, response, task)


@router.get(
    "/{task_id}",
    responses={200: {"headers": VERSION}, **documented(404, 422, 503)},
    operation_id="get_task",
    summary="Show a task",
)
async def show(ctx: Ctx, response: Response, task_id: TaskId) -> TaskView:
    """The whole task, with its document, its result without the list of experiments, and why it waits if it does."""
    return await answer(ctx, response, await present(ctx, task_id))


@router.put(
    "/{task_id}",
    responses={200: {"headers": VERSION}, **documented(404, 409, 422, 501, 503)},
    operation_id="replace_task",
    summary="Replace a task's document",
)
async def replace(
    ctx: Ctx,
    response: Response,
    task_id: TaskId,
    body: Annotated[DocumentData, Body(openapi_examples=DOCUMENTS)],
    if_match: IfMatch = None,
) -> TaskView:
    """Give a task that nobody runs another document. One that has measured something must go on to measure the same: a
    larger budget, another strategy, more values. A completed one of which more is asked is pending then.

    409: the task is queued, runs, is paused or an archived run, has changed since the ETag, or would measure something
    else.
    """
    task = _unchanged(await present(ctx, task_id), if_match)
    planned = await _planned(ctx, await document_of(body, ctx.store, ctx.settings))
    return await answer(ctx, response, await replace_document(ctx.store, ctx.settings, task, planned))


@router.patch(
    "/{task_id}",
    responses={200: {"headers": VERSION}, **documented(404, 409, 422, 501, 503)},
    operation_id="change_task",
    summary="Change a task",
)
async def change(
    ctx: Ctx, response: Response, task_id: TaskId, body: TaskChanges, if_match: IfMatch = None
) -> TaskView:
    """Change some of a task that nobody runs. As `replace_task`, with a merge patch in place of a whole document."""
    task = _unchanged(await present(ctx, task_id), if_match)
    changes = dict(body.document or {})
    changes |= {key: value for key in ("description", "labels") if (value := getattr(body, key)) is not None}
    changes |= {"task_name": body.name} if body.name is not None else {}
    if changes:
        data = patched(whole_document(task), changes)
        if notes_only(changes):
            document = validate(data, name=task.name)
            task = await edit_notes(ctx.store, ctx.settings, task, document, priority=body.priority)
        else:
            planned = await _planned(ctx, await document_of(data, ctx.store, ctx.settings))
            task = await replace_document(ctx.store, ctx.settings, task, planned, priority=body.priority)
    elif body.priority is not None:
        task = await set_priority(ctx.store, ctx.settings, task, body.priority)
    return await answer(ctx, response, task)


@router.delete(
    "/{task_id}",
    status_code=204,
    responses=documented(404, 409, 422, 503),
    operation_id="delete_task",
    summary="Delete a task",
)
async def delete(ctx: Ctx, task_id: TaskId) -> None:
    """Delete a task with its archived runs. For 30 days it can be restored; then it is removed for ever.

    409: it is being run.
    """
    await delete_stored(ctx.store, ctx.settings, await present(ctx, task_id))


@router.get(
    "/{task_id}/plan",
    responses=documented(404, 409, 422, 501, 503),
    operation_id="get_task_plan",
    summary="Plan a task",
)
async def task_plan(ctx: Ctx, task_id: TaskId, asked: Annotated[PlanOptions, Query()]) -> PlanSummary:
    """What a stored task would do on this host, as `plan_task` says it of a document."""
    task = await present(ctx, task_id)
    document = validate(task.document, name=task.name).model_copy(update={"task_name": task.name})
    return await _plan_summary(ctx, document, asked)


@router.get(
    "/{task_id}/export",
    response_class=Response,
    responses={
        200: {
            "description": "The task document",
            "content": {YAML_TYPE: {"schema": EXPORTED}, "application/json": {"schema": EXPORTED}},
            "headers": {"Content-Disposition": {"description": "attachment", "schema": {"type": "string"}}},
        },
        **documented(404, 422, 503),
    },
    operation_id="export_task",
    summary="Export a task",
)
async def export(ctx: Ctx, task_id: TaskId, asked: Annotated[ExportOptions, Query()]) -> Response:
    """The document of a task as a file, with its profiles and presets carried out; `import_task` takes it again."""
    task = await present(ctx, task_id)
    found = await ctx.long_work.run(lambda: converted(whole_document(task), ctx.settings, asked.form))
    if asked.format == "json":
        text = json.dumps(found.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = write(found.data)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", task.name).strip("-.") or f"task-{task.id}"
    return Response(
        text.encode(),
        media_type="application/json" if asked.format == "json" else YAML_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}.{asked.format}"'},
    )


async def _planned(ctx: Context, document: TaskDocument) -> Plan:
    return await ctx.long_work.run(lambda: plan_document(document, ctx.settings))


async def _plan_summary(ctx: Context, document: TaskDocument, asked: PlanOptions) -> PlanSummary:
    return await ctx.long_work.run(
        lambda: summarise_plan(plan_document(document, ctx.settings), commands=asked.commands)
    )


def _unchanged(task: TaskRecord, if_match: str | None) -> TaskRecord:
    """The task, unless it has changed since it was seen."""
    if if_match is not None and if_match != "*" and int(if_match.strip('"')) != task.next_seq:
        raise StatusConflictError("changed since that ETag")
    return task


async def _text_of(request: Request) -> str:
    """The text of an uploaded document."""
    given = await given_file(request, most=MAX_TEXT_BODY)
    if given.name is None:
        try:
            return TextFile.model_validate_json(given.raw).content
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error
    try:
        return given.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AutotunerError(
            ErrorCode.INVALID_DOCUMENT,
            "the file is not text",
            why=f"byte {error.start} is not UTF-8",
            remedy="Give a YAML or JSON file",
            place="file",
        ) from None
