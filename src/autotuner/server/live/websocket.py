"""uvicorn's WebSocket protocol, able to send frames that were made once for all clients.

Compressing the same text anew for each of 100 clients would take most of the time that a delivery may take. The ASGI
extension ``FRAMES`` carries finished frames past it: each is compressed by itself, so it is right for every client.

A frame for a client that waits for one is written at once, by the reader of the log. Waking a task for each of 100
clients would take several times as long as the writing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypedDict, cast

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from autotuner.server.live.frames import WINDOW_BITS, Frame

FRAMES = "autotuner.frames"
"""In a scope's ``extensions``: ``websocket.send`` may have this key instead of a text: frames, sent together."""
WRITE_NOW = "write_now"
"""Key of that extension, with a ``WriteNow``."""
AT_ONCE = "autotuner.at_once"
"""In ``websocket.close``: do not wait until the client has taken what it was sent before."""
GRACE_S = 5.0
"""So long a client that is closed at once may take for that."""


WriteNow = Callable[[Frame], bool]
"""Sends a frame after all that was sent before, without waiting. False: it cannot, and nothing was sent."""


class WebSocketOptions(TypedDict):
    """Those of uvicorn's ``Config`` that streams of events need."""

    ws: type[asyncio.Protocol]
    ws_ping_interval: float
    ws_ping_timeout: float
    ws_per_message_deflate: bool
    ws_max_size: int


class FramesProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection. Frames given as finished must be all that is sent on it, but for control frames."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        deflate = ServerPerMessageDeflateFactory(
            server_no_context_takeover=True,  # each frame by itself, and no memory for each connection
            server_max_window_bits=WINDOW_BITS,
            client_max_window_bits=WINDOW_BITS,
            compress_settings={"memLevel": 5},
        )
        self.conn = ServerProtocol(
            extensions=[deflate] if config.ws_per_message_deflate else [],
            max_size=config.ws_max_size,
            logger=logging.getLogger("uvicorn.error"),
        )

    async def run_asgi(self) -> None:
        """Tell the application what it may send."""
        self.scope["extensions"] = {**(self.scope["extensions"] or {}), FRAMES: {WRITE_NOW: self._write_now}}
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """What the application sends."""
        given = cast("dict[str, Any]", message)
        if FRAMES in given:
            await self._send_frames(given[FRAMES])
        elif AT_ONCE in given and self.handshake_complete:
            self._close_at_once(given["code"], given["reason"])
        else:
            await super().send(message)

    async def _send_frames(self, frames: list[Frame]) -> None:
        await self.writable.wait()
        if self._is_closed():
            raise ClientDisconnected
        made = [frame.deflated for frame in frames] if self._deflates else [frame.plain for frame in frames]
        self.transport.write(b"".join(made))

    def _write_now(self, frame: Frame) -> bool:
        if not self.writable.is_set() or self._is_closed() or not self.handshake_complete:
            return False
        self.transport.write(frame.deflated if self._deflates else frame.plain)
        return True

    def _is_closed(self) -> bool:
        return self.disconnected or self.close_sent or self.transport.is_closing()

    @cached_property
    def _deflates(self) -> bool:
        """Whether it was agreed on, which is settled before anything is sent."""
        return any(
            isinstance(one, PerMessageDeflate) and one.local_max_window_bits >= WINDOW_BITS
            for one in self.conn.extensions
        )

    def _close_at_once(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(GRACE_S, self.transport.abort)


WEBSOCKETS = WebSocketOptions(
    ws=FramesProtocol,
    # A client that has not answered for 60 s is gone.
    ws_ping_interval=20.0,
    ws_ping_timeout=40.0,
    ws_per_message_deflate=True,
    ws_max_size=64 * 1024,
)
"""For ``uvicorn.Config``."""
