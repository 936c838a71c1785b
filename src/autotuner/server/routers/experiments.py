"""Experiments: lists, one in full, its server starts, logs and files, and how to start it again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from autotuner.contracts.listing import ExperimentQuery, Page
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentStatus
from autotuner.server.bodies import Asked
from autotuner.server.context import Ctx
from autotuner.server.paging import Paging, cut
from autotuner.server.problems import documented
from autotuner.server.security.headers import SANDBOX
from autotuner.services.artefacts import Artefact, OpenFile, list_artefacts, open_artefact
from autotuner.services.experiment_view import (
    AttemptShown,
    ExperimentComparison,
    ExperimentDetails,
    ExperimentShown,
    attempt_shown,
    compared,
    details,
    list_json,
)
from autotuner.services.log_text import log_part
from autotuner.services.queue import retry_task
from autotuner.services.reproduction import Reproduction, reproduction
from autotuner.services.result_words import MetricName, metric_names

router = APIRouter(prefix="/experiments", tags=["experiments"])

CHUNK = 256 * 1024
TEXT = "text/plain; charset=utf-8"
_MEDIA_TYPES = {".log": TEXT, ".txt": TEXT, ".html": TEXT, ".htm": TEXT, ".csv": TEXT, ".json": "application/json"}
"""By the end of a name; HTML of others is text, and all else is bytes."""

ExperimentId = Annotated[
    int, Path(ge=1, le=2**63 - 1, description="number of the experiment in the store", examples=[1])
]


class TaskExperimentsAsked(Paging):
    """Which experiments of a task, in which order."""

    status: list[ExperimentStatus] = Field([], max_length=7, description="only these states; all if left out")
    origin: ExperimentOrigin | None = Field(None, description="only those that this asked for")
    slo_violation: bool | None = Field(None, description="only those that break a hard SLO, or keep them")
    sort: Literal["id", "number", "objective_score"] = Field(
        "number", description="by what they are in order; those without a score come last"
    )
    descending: bool = Field(False, description="the greatest first")


class ExperimentsAsked(TaskExperimentsAsked):
    """Which experiments, in which order."""

    task_id: int | None = Field(None, ge=1, le=2**63 - 1, description="of this task; else of all that are not deleted")
    sort: Literal["id", "number", "objective_score"] = Field(
        "id", description="by what they are in order; number and objective_score with task_id only"
    )


class LogAsked(Asked):
    """Which part of a log."""

    attempt: int | None = Field(
        None, ge=1, le=2**31 - 1, description="number of the start; else the last one that has a log"
    )
    offset: int = Field(
        0, ge=-(2**53), le=2**53, description="byte at which it begins; below 0: so many before the end"
    )
    limit: int = Field(65_536, ge=1, le=1_048_576, description="at most so many bytes")


class ArtefactAsked(Asked):
    """What becomes of the file."""

    show: bool = Field(
        False, description="HTML is shown, in an origin of its own and without the network; any other file is saved"
    )


class ComparisonAsked(Asked):
    """Which experiments are compared."""

    ids: str = Field(
        pattern=r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17}){0,19}$",
        description="numbers of the experiments in the store, with commas between them; at most 20",
        examples=["1,2"],
    )


@router.get(
    "",
    response_model=Page[ExperimentShown],
    responses=documented(404, 422, 503),
    operation_id="list_experiments",
    summary="List experiments",
)
async def list_experiments(ctx: Ctx, asked: Annotated[ExperimentsAsked, Query()]) -> Response:
    """Experiments of one task, or of all tasks that are not deleted.

    Over all tasks they are in order of their number in the store, and only `status` filters them (422 otherwise).
    """
    return await _page(ctx, ExperimentQuery(**asked.model_dump()))


@router.get(
    "/compare",
    responses=documented(404, 422, 503),
    operation_id="compare_experiments",
    summary="Compare experiments",
)
async def compare_experiments(ctx: Ctx, asked: Annotated[ComparisonAsked, Query()]) -> ExperimentComparison:
    """Experiments side by side: what differs, the scores, the figures."""
    ids = [int(number) for number in asked.ids.split(",")]
    return await compared(ctx.store, list(dict.fromkeys(ids)))


@router.get(
    "/metric-names",
    responses=documented(422),
    operation_id="list_metric_names",
    summary="List the names of metrics",
)
async def list_metric_names() -> list[MetricName]:
    """What the metrics of experiments are called, in the order in which they are shown, and their units."""
    return metric_names()


@router.get(
    "/task/{task_id}",
    response_model=Page[ExperimentShown],
    responses=documented(404, 422, 503),
    operation_id="list_task_experiments",
    summary="List a task's experiments",
)
async def list_task_experiments(
    ctx: Ctx,
    task_id: Annotated[int, Path(ge=1, le=2**63 - 1, description="number of the task", examples=[1])],
    asked: Annotated[TaskExperimentsAsked, Query()],
) -> Response:
    """The experiments of one task; the same as the list of all with `task_id`, by their number in the task."""
    return await _page(ctx, ExperimentQuery(task_id=task_id, **asked.model_dump()))


@router.get(
    "/{experiment_id}",
    responses=documented(404, 422, 503),
    operation_id="get_experiment",
    summary="Look at an experiment",
)
async def get_experiment(ctx: Ctx, experiment_id: ExperimentId) -> ExperimentDetails:
    """One experiment with its figures, its score and its server starts."""
    return await details(ctx.store, experiment_id)


@router.get(
    "/{experiment_id}/attempts",
    responses=documented(404, 422, 503),
    operation_id="list_attempts",
    summary="List an experiment's server starts",
)
async def list_attempts(ctx: Ctx, experiment_id: ExperimentId, asked: Annotated[Paging, Query()]) -> Page[AttemptShown]:
    """Each server that was started for the experiment, in order: why, how long each phase took, how it ended."""
    return cut([attempt_shown(attempt) for attempt in await _attempts(ctx, experiment_id)], asked)


@router.get(
    "/{experiment_id}/logs",
    responses={
        200: {
            "description": "The part as text. Control characters other than tab and line ends are question marks.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "headers": {
                "X-Log-Attempt": {"description": "number of the start", "schema": {"type": "integer"}},
                "X-Log-Offset": {"description": "byte at which the part begins", "schema": {"type": "integer"}},
                "X-Log-Size": {"description": "bytes of the whole log now", "schema": {"type": "integer"}},
            },
        },
        **documented(404, 422, 503),
    },
    response_class=Response,
    operation_id="get_experiment_logs",
    summary="Read the log of a server start",
)
async def get_logs(ctx: Ctx, experiment_id: ExperimentId, asked: Annotated[LogAsked, Query()]) -> Response:
    """A part of the log that a server wrote. To follow it, ask again from X-Log-Offset + the length of what came.

    404: there is no such start, or it wrote no log.
    """
    attempts = await _attempts(ctx, experiment_id)
    part = await asyncio.to_thread(log_part, attempts, attempt=asked.attempt, offset=asked.offset, limit=asked.limit)
    headers = {"X-Log-Attempt": str(part.attempt), "X-Log-Offset": str(part.offset), "X-Log-Size": str(part.size)}
    return Response(part.text, media_type=TEXT, headers=headers)


@router.get(
    "/{experiment_id}/artefacts",
    responses=documented(404, 422, 503),
    operation_id="list_artefacts",
    summary="List an experiment's files",
)
async def get_artefacts(ctx: Ctx, experiment_id: ExperimentId, asked: Annotated[Paging, Query()]) -> Page[Artefact]:
    """The files that the server starts have left: logs, records of requests, raw output of clients."""
    attempts = await _attempts(ctx, experiment_id)
    return cut(await asyncio.to_thread(list_artefacts, attempts), asked)


@router.get(
    "/{experiment_id}/artefacts/{path:path}",
    responses={
        200: {
            "description": "The file, to be saved. HTML comes as text, or as a page that is shut in with `show`.",
            "content": {
                "text/html": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {"type": "string", "contentMediaType": "*/*"}},
                "application/json": {"schema": {"description": "any JSON"}},
                "text/plain": {"schema": {"type": "string"}},
            },
        },
        **documented(404, 422, 503),
    },
    response_class=StreamingResponse,
    operation_id="get_artefact",
    summary="Download a file",
)
async def get_artefact(
    ctx: Ctx,
    experiment_id: ExperimentId,
    path: Annotated[
        str, Path(min_length=1, max_length=4096, description="as listed", examples=["attempt-01/server.log"])
    ],
    asked: Annotated[ArtefactAsked, Query()],
) -> StreamingResponse:
    """One file of the list, byte for byte. No other path leads anywhere (404): no link is followed."""
    attempts = await _attempts(ctx, experiment_id)
    opened = await asyncio.to_thread(open_artefact, attempts, path)
    suffix = opened.name[opened.name.rfind(".") :].lower() if "." in opened.name else ""
    if asked.show and suffix in {".html", ".htm"}:
        headers = {"Content-Length": str(opened.size), "Content-Disposition": "inline", **SANDBOX}
        return StreamingResponse(_chunks(opened), media_type="text/html; charset=utf-8", headers=headers)
    return StreamingResponse(
        _chunks(opened),
        media_type=_MEDIA_TYPES.get(suffix, "application/octet-stream"),
        headers={
            "Content-Length": str(opened.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(opened.name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


@router.post(
    "/{experiment_id}/retry",
    responses=documented(404, 409, 422, 503),
    operation_id="retry_experiment",
    summary="Try a failed experiment again",
)
async def retry_experiment(ctx: Ctx, experiment_id: ExperimentId) -> ExperimentDetails:
    """Open a failed experiment again. The process that runs its task measures it next; a task that nobody runs is
    queued.

    409: it did not fail.
    """
    (item,) = await ctx.store.get_experiments([experiment_id])
    await retry_task(ctx.store, ctx.settings, item.task_id, [item.number])
    return await details(ctx.store, experiment_id)


@router.post(
    "/{experiment_id}/reproduce",
    responses=documented(404, 409, 422, 503),
    operation_id="reproduce_experiment",
    summary="Show how to start an experiment's server again",
)
async def reproduce_experiment(ctx: Ctx, experiment_id: ExperimentId) -> Reproduction:
    """The exact command, variables and files of the start that gave the experiment its figures, and where and with what
    it was measured. Nothing is started.

    409: it never started a server of its own, so there is nothing to repeat.
    """
    (item,) = await ctx.store.get_experiments([experiment_id])
    return reproduction(item, await _attempts(ctx, experiment_id))


async def _page(ctx: Ctx, query: ExperimentQuery) -> Response:
    return Response(await list_json(ctx.store, query), media_type="application/json")


async def _attempts(ctx: Ctx, experiment_id: int) -> list[AttemptRow]:
    (item,) = await ctx.store.get_experiments([experiment_id])
    return await ctx.store.list_attempts(item.task_id, experiment_id=item.id)


def _chunks(opened: OpenFile) -> Iterator[bytes]:
    """As many bytes as were announced; the file may grow meanwhile."""
    left = opened.size
    with opened.file as file:
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
