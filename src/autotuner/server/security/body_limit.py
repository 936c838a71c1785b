"""How much a request may send."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autotuner.server.problems import problem


class BodyLimit:
    """Refuses a body that is too large: by its announced length at once, or when it has grown too long.

    ``special``: bytes by (method, path) for the calls that take more than ``usual``.
    """

    def __init__(self, app: ASGIApp, *, usual: int, special: Mapping[tuple[str, str], int]) -> None:
        self._app = app
        self._usual = usual
        self._special = special

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._special.get((scope["method"], scope["path"].rstrip("/")), self._usual)
        announced = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
        if not announced.isdigit() or int(announced) > most:
            await problem(413, "body_too_large", _too_large(most))(scope, receive, send)
            return
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise HTTPException(413, _too_large(most))
            return message

        await self._app(scope, counted, send)


def _too_large(most: int) -> str:
    return f"The body has more than {most} bytes"
