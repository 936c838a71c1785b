"""A service for tests: the real application behind real HTTP, in this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from autotuner.server.live.websocket import WEBSOCKETS
from autotuner.services.settings import Settings
from autotuner.store import SqlStore

TOKEN = "token-of-the-tests-0123456789"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def settings_in(folder: Path, **given: Any) -> Settings:
    """Settings of a service with a data folder of its own and the tests' token."""
    usual: dict[str, Any] = {"data_dir": folder, "database": str(folder / "autotuner.db"), "token": TOKEN}
    return Settings(**{**usual, **given})


def client(address: str, **given: Any) -> httpx.AsyncClient:
    """A client that has the token."""
    return httpx.AsyncClient(base_url=address, headers=HEADERS, **given)


@dataclass(frozen=True)
class Service:
    """A service that is asked by real HTTP. ``store``: another opening of its store."""

    http: httpx.AsyncClient
    store: SqlStore
    settings: Settings
    address: str


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve the application on a free port of the loopback; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(app, log_level="warning", lifespan="on", **WEBSOCKETS), app)
        running = asyncio.create_task(server.serve([listening]))
        up = asyncio.create_task(server.up.wait())
        try:
            await asyncio.wait([running, up], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
                raise RuntimeError("the application did not start")
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            up.cancel()
            server.should_exit = True
            await running


class _Server(uvicorn.Server):
    """Tells when it serves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.context.feed.end()  # streams have no end of their own, and uvicorn waits for that
        await super().shutdown(sockets)
