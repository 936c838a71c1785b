"""The logs of a task's servers: a part of them as text, or all that comes as server-sent events."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncGenerator
from contextlib import closing
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskStatus
from autotuner.server.context import Context, Ctx
from autotuner.server.live.event_stream import EVENT, MEDIA_TYPE, EventStream
from autotuner.server.problems import documented
from autotuner.services.log_reading import LogStream, LogTail, log_streams, read_all, read_stream
from autotuner.services.log_text import harmless

router = APIRouter(tags=["tasks"])

MOST = 2**63 - 1
USUAL_BYTES = 1 << 20
MOST_BYTES = 16 << 20
PORTION_BYTES = 64 << 10
LOOK_S = 0.5
HEARTBEAT_S = 15.0
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)], "?")
"""What terminals obey; ``log_text.harmless`` does the same with bytes."""
ENDED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


class LogQuery(BaseModel):
    """Which part of the logs."""

    model_config = ConfigDict(extra="forbid")

    stream: str | None = Field(
        None,
        max_length=100,
        description="the log of one server start; all of them, in the order of the starts, without it",
        examples=["experiment-0003/attempt-01"],
    )
    offset: int = Field(0, ge=0, le=MOST, description="where to begin, bytes")
    limit: int = Field(USUAL_BYTES, ge=1, le=MOST_BYTES, description="how much at most, bytes; not when following")
    follow: bool = Field(
        False, description="server-sent events with what is there and what comes, until the task has ended"
    )


@router.get(
    "/tasks/{task_id}/logs",
    response_class=Response,
    responses={
        200: {
            "description": "A part of the logs, or with follow=true all that comes",
            "content": {"text/plain": {"schema": {"type": "string"}}, MEDIA_TYPE: {"schema": EVENT}},
            "headers": {
                "X-Log-Next-Offset": {"description": "where the next part begins", "schema": {"type": "integer"}},
                "X-Log-Size": {
                    "description": "bytes that there are; less than an offset of before: the middle was left out",
                    "schema": {"type": "integer"},
                },
            },
        },
        **documented(404, 422, 503),
    },
)
async def get_task_logs(
    task_id: Annotated[int, Path(ge=1, le=MOST, description="number of the task", examples=[1])],
    ctx: Ctx,
    asked: Annotated[LogQuery, Query()],
    last_event_id: Annotated[
        str | None, Header(description="when following: where the client was cut off", max_length=200)
    ] = None,
) -> Response:
    """The logs of the servers that a task started, without the values of secrets. Characters that a terminal
    would obey come as question marks.
    """
    await ctx.store.log_bounds(task_id)
    streams = log_streams(await ctx.store.attempt_folders(task_id))
    name, offset = asked.stream, asked.offset
    if asked.follow and last_event_id is not None:
        name, _, at = last_event_id.rpartition(":")
        offset = int(at) if at.isascii() and at.isdecimal() and len(at) <= 18 else 0
    if name is not None:
        chosen = next((number for number, stream in enumerate(streams) if stream.name == name), None)
        if chosen is None:
            raise _no_such(name, streams)
    else:
        chosen = None
    if asked.follow:
        ctx.feed.check_room()
        first = chosen if chosen is not None else max(0, len(streams) - 1)
        return EventStream(ctx.feed, _follow(ctx, task_id, first, offset))
    if chosen is not None:
        part = await asyncio.to_thread(read_stream, streams[chosen], offset, asked.limit)
    else:
        part = await asyncio.to_thread(read_all, streams, offset, asked.limit)
    return Response(
        harmless(part.data),
        media_type="text/plain; charset=utf-8",
        headers={
            "X-Log-Next-Offset": str(part.next_offset),
            "X-Log-Size": str(part.size),
            "X-Content-Type-Options": "nosniff",
        },
    )


async def _follow(ctx: Context, task_id: int, number: int, offset: int) -> AsyncGenerator[bytes, None]:
    """From one start's log on, through those of later starts, until the task has ended."""
    clock = asyncio.get_running_loop().time
    quiet_since = clock()
    while True:
        over = await _over(ctx, task_id)
        streams = log_streams(await ctx.store.attempt_folders(task_id))
        if number < len(streams):
            # Only a log that has a later one is read to its end without waiting for more.
            with closing(LogTail(streams[number].path, offset)) as tail:
                decode = codecs.getincrementaldecoder("utf-8")("replace")
                while True:
                    data = await asyncio.to_thread(tail.read, PORTION_BYTES)
                    if data:
                        yield _log_event(streams[number], tail.offset, decode.decode(data).translate(_CONTROLS))
                        quiet_since = clock()
                        continue
                    if over or len(streams) > number + 1:
                        break
                    await asyncio.sleep(LOOK_S)
                    if clock() - quiet_since >= HEARTBEAT_S:
                        yield b": heartbeat\n\n"
                        quiet_since = clock()
                    over = await _over(ctx, task_id)
                    streams = log_streams(await ctx.store.attempt_folders(task_id))
            number, offset = number + 1, 0
            continue
        if over:
            yield b"event: end\ndata: {}\n\n"
            return
        await asyncio.sleep(LOOK_S)
        if clock() - quiet_since >= HEARTBEAT_S:
            yield b": heartbeat\n\n"
            quiet_since = clock()


async def _over(ctx: Context, task_id: int) -> bool:
    """Whether nothing more will be written, or the service ends."""
    return ctx.feed.ended or (await ctx.store.get_task_state(task_id)).status in ENDED


def _log_event(stream: LogStream, offset: int, text: str) -> bytes:
    said = json.dumps({"stream": stream.name, "offset": offset, "text": text})
    return f"id: {stream.name}:{offset}\nevent: log\ndata: {said}\n\n".encode()


def _no_such(name: str, streams: list[LogStream]) -> AutotunerError:
    return AutotunerError(
        ErrorCode.NOT_FOUND,
        f"There is no log {name!r}",
        why=f"the last of {len(streams)} is {streams[-1].name}" if streams else "the task has started no server yet",
        remedy="Ask without stream: each log begins with a line that names it",
        place="stream",
    )
