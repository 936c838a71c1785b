"""What a task came to: its result, reports, the files that start the winner, and the task as one file."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import IO, Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import TaskRecord
from autotuner.server.bodies import FORM_TYPE, Asked
from autotuner.server.context import Context, Ctx
from autotuner.server.problems import documented
from autotuner.server.security.headers import SANDBOX
from autotuner.server.task_answers import present
from autotuner.services.archive import TaskOfArchive, archive_name, export_archive, import_archive
from autotuner.services.deploy_bundle import DeployFiles, deploy_files
from autotuner.services.queries import ENDED, task_result, winning_job
from autotuner.services.report.json_export import render_json
from autotuner.services.result_files import NAMES, RENDERERS
from autotuner.services.result_words import ResultWords, result_words
from autotuner.services.writing import check_folder
from autotuner.store.sql_store import SqlStore, open_store

router = APIRouter(prefix="/tasks", tags=["results"])

CHUNK = 256 * 1024
REPORT_TYPES = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
Made = TypeVar("Made")

TaskId = Annotated[int, Path(ge=1, le=2**63 - 1, description="number of the task", examples=[1])]


class TaskResultShown(TaskResult):
    """The result of a task, also of one that still runs."""

    so_far: bool = Field(description="the task has not ended: this is what it has measured until now")
    words: ResultWords = Field(description="what displays say about it beside the figures")


class ReportAsked(Asked):
    """Which report."""

    format: Literal["html", "csv", "json"] = Field(
        "html", description="html: a page that needs no network; csv: a row per experiment; json: everything"
    )
    download: bool = Field(False, description="to be saved as a file instead of shown")


class DeployAsked(Asked):
    """Which configuration, and where it listens."""

    experiment: int | None = Field(
        None, ge=0, le=2**31 - 1, description="number of an experiment within the task; else the winner"
    )
    file: str | None = Field(None, min_length=1, max_length=255, description="name of one file: only that, as text")
    host: str = Field("127.0.0.1", min_length=1, max_length=253, pattern=r"^[0-9A-Za-z.:_-]+$", description="address")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")


class ImportAsked(Asked):
    """What happens to a name that is taken."""

    on_conflict: Literal["rename", "refuse"] = Field(
        "rename", description="rename: NAME-2, NAME-3, …; refuse: answer 409"
    )


@router.get(
    "/{task_id}/results",
    response_model=TaskResultShown,
    responses=documented(404, 409, 422, 501, 503),
    operation_id="get_task_results",
    summary="Look at a task's result",
)
async def get_results(ctx: Ctx, task_id: TaskId) -> Response:
    """The verdict, the winner beside the baseline, evidence, Pareto front, importance, slices, all experiments.

    Of a task that has not ended: what is measured so far (`so_far`), without a verdict. 422: its document cannot be
    planned on this host, and nothing is stored of what it came to.
    """

    async def made(_store: SqlStore, task: TaskRecord, result: TaskResult) -> str:
        values = {name: getattr(result, name) for name in TaskResult.model_fields}
        so_far = task.status not in ENDED
        words = result_words(result, ended=not so_far)
        return render_json(TaskResultShown.model_construct(**values, so_far=so_far, words=words))

    return Response(await _computed(ctx, task_id, made), media_type="application/json")


@router.get(
    "/{task_id}/report",
    responses={
        200: {
            "description": "The report. HTML runs in an origin of its own, whatever stands in it.",
            "content": {
                "text/html": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            },
        },
        **documented(404, 409, 422, 501, 503),
    },
    response_class=Response,
    operation_id="get_task_report",
    summary="Get a task's report",
)
async def get_report(ctx: Ctx, task_id: TaskId, asked: Annotated[ReportAsked, Query()]) -> Response:
    """The report as `autotuner report` writes it: HTML (its print style makes a PDF), CSV or JSON.

    In the CSV, text that a spreadsheet would run as a formula has an apostrophe in front.
    """

    async def made(_store: SqlStore, task: TaskRecord, result: TaskResult) -> tuple[str, str]:
        return task.name, RENDERERS[asked.format](result)

    name, text = await _computed(ctx, task_id, made)
    headers = dict(SANDBOX) if asked.format == "html" else {}
    if asked.download or asked.format != "html":
        file = f"{archive_name(name).removesuffix('.zip')}-{NAMES[asked.format]}"
        headers["Content-Disposition"] = f'{"attachment" if asked.download else "inline"}; filename="{file}"'
    return Response(text, media_type=REPORT_TYPES[asked.format], headers=headers)


@router.get(
    "/{task_id}/deploy",
    response_model=DeployFiles,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(404, 409, 422, 501, 503),
    },
    operation_id="get_deploy_files",
    summary="Get the files that start the winner",
)
async def get_deploy_files(ctx: Ctx, task_id: TaskId, asked: Annotated[DeployAsked, Query()]) -> Any:
    """The files that start the winner, or another experiment, exactly as it was measured: a shell script, a systemd
    unit, the engine's own configuration files. Kinds that cannot be had are named with the reason.

    With `file` one of them as plain text. 404: there is no winner, no such file, or nothing that could be started.
    """

    async def made(store: SqlStore, task: TaskRecord, result: TaskResult) -> DeployFiles:
        job = await winning_job(store, task, result, experiment=asked.experiment)
        return deploy_files(job, task.id, predicted=result.predicted, host=asked.host, port=asked.port)

    found = await _computed(ctx, task_id, made)
    if asked.file is None:
        return found
    chosen = next((file for file in found.files if file.name == asked.file), None)
    if chosen is None:
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            "There is no such file",
            why=f"the files are {', '.join(file.name for file in found.files)}",
            remedy="Leave `file` out to get all of them",
            place="file",
        )
    headers = {"Content-Disposition": f'attachment; filename="{chosen.name}"'}
    return Response(chosen.text, media_type="text/plain", headers=headers)


@router.get(
    "/{task_id}/archive",
    responses={
        200: {
            "description": "A ZIP file, to be saved",
            "content": {"application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}}},
        },
        **documented(404, 409, 422, 503, 507),
    },
    response_class=StreamingResponse,
    operation_id="export_task_archive",
    summary="Export a task as one file",
)
async def get_archive(ctx: Ctx, task_id: TaskId) -> StreamingResponse:
    """The task with its experiments, server starts, measurements, events and files, to be imported elsewhere.

    409: a process runs it. 422: it is too large for an archive.
    """
    task = await present(ctx, task_id)
    async with ctx.archives:
        file = await asyncio.to_thread(_temporary, ctx)
        try:
            await export_archive(ctx.settings, task, file)
        except BaseException:
            file.close()
            raise
    size = file.seek(0, os.SEEK_END)
    return StreamingResponse(
        _content(file),
        media_type="application/zip",
        headers={
            "Content-Length": str(size),
            "Content-Disposition": f'attachment; filename="{archive_name(task.name)}"',
        },
    )


@router.post(
    "/import-archive",
    status_code=201,
    responses=documented(400, 409, 413, 415, 422, 503, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "An archive that an export wrote, as the field file of a form",
            "content": {
                FORM_TYPE: {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {
                                "type": "string",
                                "contentMediaType": "application/zip",
                                "description": "the archive",
                            }
                        },
                        "additionalProperties": False,
                    }
                }
            },
        }
    },
    operation_id="import_task_archive",
    summary="Import a task from one file",
)
async def post_archive(
    ctx: Ctx, request: Request, response: Response, asked: Annotated[ImportAsked, Query()]
) -> TaskOfArchive:
    """Make a task of an archive, with all that it holds, under new numbers. It is checked as a whole, and stored at
    once or not at all. Only the token in the header lets this call through, never a page's cookie.

    An archive says what its maker wants, and a task that goes on runs the commands it names: import what you trust.
    409: the name is taken (`on_conflict=refuse`). 422: it is no sound archive, or one of a later release.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(415, f"Send the archive as {FORM_TYPE} in the field file")
    async with request.form(max_files=1, max_fields=1) as form:
        given = form.get("file")
        if not isinstance(given, UploadFile) or len(form) != 1:
            raise HTTPException(422, "The form has no field named file with a file in it")
        async with ctx.archives:
            store = partial(import_archive, given.file, ctx.settings, on_conflict=asked.on_conflict)
            made = await asyncio.to_thread(store)
    response.headers["Location"] = f"/api/tasks/{made.task_id}"
    return made


async def _computed(
    ctx: Context, task_id: int, make: Callable[[SqlStore, TaskRecord, TaskResult], Awaitable[Made]]
) -> Made:
    """What ``make`` makes of the task's result, all of it in a thread: models are fitted, and a result can be long.

    The thread has a store of its own, because a store belongs to the loop that opened it.
    """
    await present(ctx, task_id)

    async def work() -> Made:
        settings = ctx.settings
        opened = open_store(settings.database, create=False, busy_timeout_s=settings.database_timeout_s)
        async with opened as store:
            task = await store.get_task(task_id)
            return await make(store, task, await task_result(store, task, settings))

    return await ctx.long_work.run(lambda: asyncio.run(work()))


def _temporary(ctx: Context) -> IO[bytes]:
    """A file without a name: gone when it is closed, also by a kill."""
    check_folder(ctx.settings.data_dir)
    return tempfile.TemporaryFile(dir=ctx.settings.data_dir, prefix=".archive-")


def _content(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk
