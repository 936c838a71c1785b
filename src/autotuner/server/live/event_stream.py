"""A stream as server-sent events, for networks that let no WebSocket through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Send

from autotuner.server.live.feed import Feed
from autotuner.server.live.streams import Stream

MEDIA_TYPE = "text/event-stream"
EVENT: dict[str, Any] = {
    "type": "object",
    "description": "one server-sent event of a stream without end; the guide to live events has its form",
    "properties": {
        "id": {"type": "string", "description": "where to go on from, as Last-Event-ID"},
        "event": {"type": "string", "description": "kind of event; message if it says nothing"},
        "data": {"type": "string", "description": "JSON of the event, or lines of a log"},
        "retry": {"type": "integer", "description": "how long to wait before connecting again, milliseconds"},
    },
}
"""JSON Schema of one event."""
RETRY = b"retry: 2000\n\n"
"""When the connection is lost the client waits so long, milliseconds, before it asks for what it missed."""
DRAIN_S = 30.0
"""A client that takes nothing for so long is given up."""


class EventStream(StreamingResponse):
    """A response of server-sent events: ``parts`` as they come. It closes the generator."""

    media_type = MEDIA_TYPE

    # FastAPI asks this signature for the usual status.
    def __init__(self, feed: Feed, parts: AsyncGenerator[bytes, None], status_code: int = 200) -> None:
        super().__init__(parts, status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._feed = feed
        self._parts = parts

    async def stream_response(self, send: Send) -> None:
        """Send the parts; a client that takes none is given up."""
        with self._feed.counted("sse"):
            async with aclosing(self._parts) as parts:
                await self._send_all(parts, send)

    async def _send_all(self, parts: AsyncGenerator[bytes, None], send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": RETRY, "more_body": True})
        async for part in parts:
            try:
                async with asyncio.timeout(DRAIN_S):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            except TimeoutError:
                self._feed.metrics.closed.labels("slow_client").inc()
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def sse_of(feed: Feed, stream: Stream) -> AsyncGenerator[bytes, None]:
    """The frames of a stream as server-sent events."""
    sent = feed.metrics.frames.labels("sse")
    async with aclosing(stream.frames) as portions:
        async for frames in portions:
            yield b"".join(frame.sse for frame in frames)
            sent.inc(len(frames))
