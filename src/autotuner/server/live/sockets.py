"""A stream over a WebSocket: frames go out, and what the client says is answered."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from autotuner.server.live.feed import Feed
from autotuner.server.live.frames import Frame, reply_frame
from autotuner.server.live.streams import Stream
from autotuner.server.live.subscriber import Subscriber
from autotuner.server.live.websocket import AT_ONCE, FRAMES, WRITE_NOW, WriteNow

DRAIN_S = 30.0
"""A client that takes nothing for so long is closed."""
MOST_ERRORS = 20
"""After so many messages that mean nothing a client is closed."""
POLICY, SERVICE_RESTART, TRY_LATER = 1008, 1012, 1013
"""Codes of RFC 6455 and its registry with which the service closes."""


async def refuse(socket: WebSocket, response: Response) -> None:
    """Answer the request for a WebSocket as one that is none: it is never opened."""
    with suppress(WebSocketDisconnect):
        await socket.send_denial_response(response)


async def converse(feed: Feed, socket: WebSocket, stream: Stream) -> None:
    """Open the WebSocket and send the stream until one of both ends it."""
    with feed.counted("websocket"):
        try:
            await socket.accept()
        except OSError:  # the client went while it was let in
            await stream.frames.aclose()
            return
        stream.subscriber.write_now = _writing_now(feed, socket)
        works = (
            asyncio.create_task(_listen(feed, socket, stream.subscriber)),
            asyncio.create_task(_send_all(feed, socket, stream)),
        )
        try:
            await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for work in works:
                work.cancel()
            ended = await asyncio.gather(*works, return_exceptions=True)
            await stream.frames.aclose()
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
                raise error


async def _send_all(feed: Feed, socket: WebSocket, stream: Stream) -> None:
    finished = FRAMES in socket.scope.get("extensions", {})
    sent = feed.metrics.frames.labels("websocket")
    async for frames in stream.frames:
        try:
            async with asyncio.timeout(DRAIN_S):
                await _send(socket, frames, finished=finished)
        except TimeoutError:
            await _close(feed, socket, TRY_LATER, "slow_client", "it did not take what it was sent")
            return
        sent.inc(len(frames))
    await _close(feed, socket, SERVICE_RESTART, "end", "the service ends")


def _writing_now(feed: Feed, socket: WebSocket) -> WriteNow | None:
    """What writes past this module where the server can; it is called once for each client and event."""
    write: WriteNow | None = socket.scope.get("extensions", {}).get(FRAMES, {}).get(WRITE_NOW)
    if write is None:
        return None
    sent = feed.metrics.frames.labels("websocket")

    def counted(frame: Frame) -> bool:
        written = write(frame)
        if written:
            sent.inc()
        return written

    return counted


async def _send(socket: WebSocket, frames: list[Frame], *, finished: bool) -> None:
    if finished:
        await socket.send({"type": "websocket.send", FRAMES: frames})
        return
    for frame in frames:
        await socket.send_text(frame.text)


async def _close(feed: Feed, socket: WebSocket, code: int, why: str, reason: str) -> None:
    feed.metrics.closed.labels(why).inc()
    with suppress(WebSocketDisconnect):
        await socket.send({"type": "websocket.close", "code": code, "reason": reason, AT_ONCE: True})


async def _listen(feed: Feed, socket: WebSocket, subscriber: Subscriber) -> None:
    """Answer what the client says: ``{"type": "ping"}``, and nothing else."""
    errors = 0
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        wrong = _wrong(message.get("text"))
        if wrong is None:
            subscriber.put_latest("pong", reply_frame("pong"))
            continue
        errors += 1
        if errors >= MOST_ERRORS:
            await _close(feed, socket, POLICY, "malformed", "too many messages that mean nothing")
            return
        subscriber.put_latest("error", reply_frame("error", code="malformed", message=wrong))


def _wrong(text: str | None) -> str | None:
    """Why a message means nothing; None for a ping."""
    if text is None:
        return "binary messages mean nothing here"
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return "this is no JSON"
    if not isinstance(said, dict) or said.get("type") != "ping":
        return 'the only message that means something is {"type": "ping"}'
    return None
