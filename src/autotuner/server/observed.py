"""Every request gets an id, a line in the log and a place in the figures; a fault of ours becomes a problem."""

from __future__ import annotations

import secrets
import time
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autotuner.server.metrics import Metrics
from autotuner.server.problems import problem

HEADER = "x-request-id"
IDS = {"task_id": "task", "experiment_id": "experiment", "attempt_id": "attempt"}
"""Parameter of a path → how logs call it."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others, which anybody can make up, are one in the figures."""
ROUTINE = ("/api/system/live", "/api/system/health", "/metrics", "/api/system/metrics")
"""Asked every few seconds by programs: logged when something is wrong."""


class Observed:
    """Logs and measures HTTP requests; WebSockets are logged when they end."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = structlog.get_logger("autotuner.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and tell what became of it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                status = message["status"]
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (HEADER.encode(), request_id.encode())]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        begun = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, receive, noting)
            except Exception:
                self._log.exception("a request has failed", path=scope["path"], method=scope.get("method", "WS"))
                if status != 0 or scope["type"] != "http":
                    raise
                await _fault(request_id)(scope, receive, noting)
            finally:
                self._tell(scope, status, time.perf_counter() - begun)

    def _tell(self, scope: Scope, status: int, took_s: float) -> None:
        method = scope.get("method", "WS")
        if scope["type"] == "http":
            known = method if method in METHODS else "other"
            self._metrics.requests.labels(known, route_of(scope), str(status)).observe(took_s)
        ids: dict[str, Any] = {
            IDS[name]: value for name, value in (scope.get("path_params") or {}).items() if name in IDS
        }
        routine = status < 400 and scope["path"].rstrip("/") in ROUTINE
        tell = self._log.debug if routine else self._log.info
        tell("request", method=method, path=scope["path"], status=status, duration_s=round(took_s, 6), **ids)


def route_of(scope: Scope) -> str:
    """The pattern of the path, so that figures have few names; "none" where nothing matched."""
    # The route itself does not know the prefix of the router that it was included with.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(whole or scope.get("route"), "path", None)
    return path if isinstance(path, str) else "none"


def _fault(request_id: str) -> Response:
    return problem(
        500,
        "internal_error",
        "A fault of this program",
        why=f"the log has it under request {request_id}",
        remedy="Report it with the lines of the log",
    )
