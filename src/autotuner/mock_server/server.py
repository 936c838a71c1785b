"""The server itself: a listening socket, its connections and its log of the truth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from autotuner.mock_server.batching import Batch
from autotuner.mock_server.connection import Connection
from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.truth import Truth

HOST = "127.0.0.1"


class MockServer:
    """``async with MockServer(options) as server: server.base_url``.

    ``truth`` holds every completion request in the order of arrival; with ``log`` each is also written there as a line
    of JSON when its answer has ended.
    """

    def __init__(self, options: MockOptions | None = None, *, port: int = 0, log: Path | None = None) -> None:
        self.options = options or MockOptions()
        self.batch = Batch(self.options.max_batch, self.options.slowdown)
        self.truth: list[Truth] = []
        self._connections: set[Connection] = set()
        self._port = port
        self._log_path = log
        self._log: IO[str] | None = None
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port}"

    @property
    def open_requests(self) -> int:
        """Requests whose answer has not ended."""
        return sum(truth.ended == "open" for truth in self.truth)

    async def __aenter__(self) -> Self:
        if self._log_path is not None:
            self._log = await asyncio.to_thread(self._log_path.open, "a", encoding="utf-8")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), HOST, self._port, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        await self.until(lambda: not self._connections)
        if self._server is not None:
            await self._server.wait_closed()
        if self._log is not None:
            self._log.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after every change of a request or a connection."""
        while not condition():
            await self._changed.wait()

    def joined(self, connection: Connection) -> None:
        """A connection was accepted."""
        self._connections.add(connection)
        self._notify()

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        self._notify()

    def opened(self, truth: Truth) -> None:
        """A request was read."""
        self.truth.append(truth)
        self._notify()

    def ended(self, truth: Truth) -> None:
        """An answer has ended."""
        if self._log is not None:
            self._log.write(json.dumps(truth.as_dict()) + "\n")
            self._log.flush()
        self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
