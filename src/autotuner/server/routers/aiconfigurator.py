"""Files of NVIDIA's aiconfigurator: made into tasks, and written from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotuner.aiconfigurator.export import Format
from autotuner.config.text import MAX_BYTES, write
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.server.bodies import MAX_TEXT_BODY, Asked, Body, file_body, given_file
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.server.task_answers import TaskId, present
from autotuner.services.aiconfigurator import Wanted, import_text
from autotuner.services.aiconfigurator_tasks import StoredImport, export_stored, store_imported

router = APIRouter(tags=["aiconfigurator"])


FORMATS: dict[str, Format] = {"aiconfigurator": "A", "exp": "D"}
"""Name of a format → generation of aiconfigurator's files."""

EXAMPLE = """{"model_name": "LLAMA_70B", "serving_mode": "agg", "system_name": "h200_sxm",
 "worker_config": {"tp": 4, "pp": 2, "dp": 1, "gemm_quant_mode": "fp8", "kvcache_quant_mode": "fp8"},
 "predicted_metrics": {"throughput": 1200, "ttft": 150, "tpot": 12}}"""


class ImportRequest(Body):
    """A file of aiconfigurator as text."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": EXAMPLE}]})

    content: str = Field(
        min_length=1, max_length=MAX_BYTES, description="what the file holds: YAML, JSON or CSV, at most 1 MiB"
    )


class ImportOptions(Asked):
    """What of a file is imported, and whether it is stored."""

    dry_run: bool = Field(False, description="only show what would be made")
    engine: str | None = Field(None, min_length=1, description="engine of the task; default: the one of the file")
    experiment: str | None = Field(None, min_length=1, description="this experiment of a file that has several")
    row: int | None = Field(None, ge=1, le=1_000_000, description="this row of a table, from 1")


class ImportAnswer(BaseModel):
    """What a file became."""

    items: tuple[StoredImport, ...] = Field(description="one task; two linked ones of a disaggregated deployment")


class ExportOptions(Asked):
    """Which kind of file."""

    format: Literal["aiconfigurator", "exp"] = Field(
        "aiconfigurator", description="aiconfigurator: one configuration; exp: a search space for its `cli exp`"
    )


class ExportAnswer(BaseModel):
    """A task as a file of aiconfigurator."""

    format: Literal["aiconfigurator", "exp"] = Field(description="kind of file")
    file: dict[str, Any] = Field(description="what the file holds, in aiconfigurator's own keys")
    text: str = Field(description="the file as YAML")
    left_out: tuple[str, ...] = Field(description="what of the task does not stand in it, whole sentences")


@router.post(
    "/aiconfigurator/import",
    status_code=201,
    responses={
        200: {"model": ImportAnswer, "description": "What would be made; nothing was stored (dry_run)"},
        **documented(400, 404, 409, 415, 422, 503),
    },
    openapi_extra=file_body(
        ImportRequest.model_json_schema(),
        examples={"file": {"summary": "One configuration", "value": {"content": EXAMPLE}}},
        what="A file of aiconfigurator, at most 1 MiB",
    ),
    operation_id="import_aiconfigurator",
    summary="Import a file of aiconfigurator",
)
async def import_file(
    ctx: Ctx, request: Request, response: Response, asked: Annotated[ImportOptions, Query()]
) -> ImportAnswer:
    """Make pending tasks of a file. What came over otherwise, or not at all, is in the answer.

    404: no such experiment or row. 409: there is a task of that name. With `dry_run` nothing is stored, and 200 is
    answered.
    """
    text, name = await _text(request)
    wanted = Wanted(asked.engine, asked.experiment, asked.row)
    found = await ctx.long_work.run(lambda: import_text(text, wanted, ctx.settings, name=name))
    if asked.dry_run:
        response.status_code = 200
        return ImportAnswer(items=tuple(StoredImport(imported=one, task=None) for one in found))
    return ImportAnswer(items=tuple(await store_imported(ctx.store, ctx.settings, found, in_thread=ctx.long_work.run)))


@router.get(
    "/tasks/{task_id}/export/aiconfigurator",
    responses=documented(404, 422),
    operation_id="export_aiconfigurator",
    summary="Export a task for aiconfigurator",
)
async def export_file(
    ctx: Ctx,
    task_id: TaskId,
    asked: Annotated[ExportOptions, Query()],
) -> ExportAnswer:
    """The task as a file that aiconfigurator reads. One that was imported and not changed is written as it was read.

    422: the file cannot hold the task, such as one that searches several values.
    """
    task = await present(ctx, task_id)
    made = await export_stored(task, FORMATS[asked.format], ctx.settings)
    return ExportAnswer(format=asked.format, file=made.data, text=write(made.data), left_out=made.left_out)


async def _text(request: Request) -> tuple[str, str]:
    """The file's text and name. AutotunerError(INVALID_VALUE), RequestValidationError."""
    given = await given_file(request, most=MAX_TEXT_BODY)
    if given.name is None:
        try:
            return ImportRequest.model_validate_json(given.raw).content, "content"
        except ValidationError as error:
            raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None
    try:
        text = given.raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"byte {error.start} is not UTF-8", "file") from None
    if len(given.raw) > MAX_BYTES:
        raise _refused(f"it has more than {MAX_BYTES} bytes", "file")
    return text, given.name


def _refused(why: str, place: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        "The file cannot be read",
        why=why,
        remedy="Send YAML, JSON or CSV that aiconfigurator wrote",
        place=place,
    )
