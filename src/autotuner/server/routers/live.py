"""Live events: WebSockets, and server-sent events under the same names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.server.context import Context, Ctx
from autotuner.server.live.cursor import MOST_TEXT, read_cursor
from autotuner.server.live.event_stream import EVENT, MEDIA_TYPE, EventStream, sse_of
from autotuner.server.live.sockets import converse, refuse
from autotuner.server.live.streams import Stream, all_stream, task_stream
from autotuner.server.problems import documented, of_error, problem

router = APIRouter(tags=["live events"])

MOST = 2**63 - 1
Id = Annotated[int, Path(ge=1, le=MOST, description="its number", examples=[1])]


class Since(BaseModel):
    """Where a stream of a task begins."""

    model_config = ConfigDict(extra="forbid")

    since: int | None = Field(
        None, ge=0, le=MOST, description="seq of the last event that is known; without it only new events come"
    )


class SinceCursor(BaseModel):
    """Where the stream over all tasks begins."""

    model_config = ConfigDict(extra="forbid")

    since: str | None = Field(
        None,
        max_length=MOST_TEXT,
        description="cursor of the last frame that is known; without it only new events come",
    )


class Subscribers(BaseModel):
    """Who follows a task."""

    task_id: int = Field(description="number of the task")
    subscriber_count: int = Field(description="open streams of this task or of one of its experiments")
    status: Literal["active", "inactive"] = Field(description="active when somebody follows it")


LastId = Annotated[
    str | None,
    Header(description="where the client was cut off; counts more than `since`", max_length=MOST_TEXT),
]


def _streams(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a stream."""
    return {
        200: {"description": "Events", "content": {MEDIA_TYPE: {"schema": EVENT}}},
        **documented(*statuses, 422, 503),
    }


# ---- WebSockets


@router.websocket("/ws/tasks/{task_id}")
async def follow_task(socket: WebSocket, task_id: str, ctx: Ctx) -> None:
    """The events of a task."""
    await _converse(ctx, socket, task_id=task_id)


@router.websocket("/ws/experiments/{experiment_id}")
async def follow_experiment(socket: WebSocket, experiment_id: str, ctx: Ctx) -> None:
    """The events of an experiment."""
    await _converse(ctx, socket, experiment_id=experiment_id)


@router.websocket("/ws")
async def follow_all(socket: WebSocket, ctx: Ctx) -> None:
    """The events of all tasks."""
    await _converse(ctx, socket)


@router.get("/ws/tasks/{task_id}/subscribers", responses=documented(404, 422, 503))
async def get_subscribers(task_id: Id, ctx: Ctx) -> Subscribers:
    """How many streams follow a task."""
    await ctx.store.log_bounds(task_id)
    count = ctx.feed.subscriber_count(task_id)
    return Subscribers(task_id=task_id, subscriber_count=count, status="active" if count else "inactive")


# ---- server-sent events


@router.get("/sse/tasks/{task_id}", status_code=200, response_class=EventStream, responses=_streams(404))
async def stream_task(
    task_id: Id, ctx: Ctx, asked: Annotated[Since, Query()], last_event_id: LastId = None
) -> EventStream:
    """The events of a task as server-sent events: it has no end."""
    since = asked.since if last_event_id is None else _number(last_event_id)
    return _event_stream(ctx, await _task(ctx, task_id, since))


@router.get("/sse/experiments/{experiment_id}", status_code=200, response_class=EventStream, responses=_streams(404))
async def stream_experiment(
    experiment_id: Id, ctx: Ctx, asked: Annotated[Since, Query()], last_event_id: LastId = None
) -> EventStream:
    """The events of an experiment as server-sent events: it has no end."""
    since = asked.since if last_event_id is None else _number(last_event_id)
    return _event_stream(ctx, await _experiment(ctx, experiment_id, since))


@router.get("/sse", status_code=200, response_class=EventStream, responses=_streams())
async def stream_all(ctx: Ctx, asked: Annotated[SinceCursor, Query()], last_event_id: LastId = None) -> EventStream:
    """The events of all tasks as server-sent events: it has no end."""
    return _event_stream(ctx, _everything(ctx, last_event_id or asked.since))


async def _converse(
    ctx: Context, socket: WebSocket, *, task_id: str | None = None, experiment_id: str | None = None
) -> None:
    """Open the stream that is asked for, or refuse the WebSocket before it is opened."""
    asked = dict(socket.query_params)
    try:
        ctx.feed.check_room()
        if task_id is not None:
            stream = await _task(ctx, _id("task", task_id), Since.model_validate(asked).since)
        elif experiment_id is not None:
            stream = await _experiment(ctx, _id("experiment", experiment_id), Since.model_validate(asked).since)
        else:
            stream = _everything(ctx, SinceCursor.model_validate(asked).since)
    except AutotunerError as error:
        await refuse(socket, of_error(error))
        return
    except HTTPException as error:
        full = problem(error.status_code, "http_error", str(error.detail), headers=dict(error.headers or {}))
        await refuse(socket, full)
        return
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        await refuse(socket, problem(422, ErrorCode.INVALID_VALUE.value, "The request is not valid", why=why))
        return
    await converse(ctx.feed, socket, stream)


def _event_stream(ctx: Context, stream: Stream) -> EventStream:
    ctx.feed.check_room()
    return EventStream(ctx.feed, sse_of(ctx.feed, stream))


async def _task(ctx: Context, task_id: int, since: int | None, only: int | None = None) -> Stream:
    return task_stream(ctx.feed, task_id, await ctx.store.log_bounds(task_id), since=since, only=only)


async def _experiment(ctx: Context, experiment_id: int, since: int | None) -> Stream:
    return await _task(ctx, await ctx.store.log_task_of(experiment_id), since, experiment_id)


def _everything(ctx: Context, since: str | None) -> Stream:
    return all_stream(ctx.feed, since=None if since is None else read_cursor(since))


def _id(noun: str, text: str) -> int:
    """A number of a path. AutotunerError(NOT_FOUND) for what is none."""
    if text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MOST and len(text) <= 19:
        return int(text)
    raise AutotunerError(
        ErrorCode.NOT_FOUND,
        f"There is no such {noun}",
        why=f"{noun}s have numbers",
        remedy=f"List the {noun}s that there are",
        place=noun,
    )


def _number(text: str) -> int:
    """A seq of Last-Event-ID. AutotunerError(INVALID_VALUE) for what is none."""
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    raise AutotunerError(
        ErrorCode.INVALID_VALUE,
        "This is no seq",
        why="Last-Event-ID of this stream is a number",
        remedy="Send the id of the last event as it is, or none",
        place="Last-Event-ID",
    )
