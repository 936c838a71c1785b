"""The server itself: a listening socket, its connections and its log of the truth."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from time import process_time
from types import TracebackType
from typing import IO, Self

from autotuner.mock_server.batching import Batch
from autotuner.mock_server.connection import Connection
from autotuner.mock_server.figures import Figures, exposition
from autotuner.mock_server.inbox import Inbox
from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.schedule import Schedule
from autotuner.mock_server.spread import read_spread
from autotuner.mock_server.truth import Truth

HOST = "127.0.0.1"
LOG_S = 0.05
"""The log is so far behind at most, seconds: where answers end and begin, writing would delay them."""


class MockServer:
    """``async with MockServer(options) as server: server.base_url``.

    ``truth`` holds every completion request in the order of arrival; with ``log`` each is also written there as a line
    of JSON soon after its answer has ended. ``shared_port``: other processes may listen on the same port.
    """

    def __init__(
        self,
        options: MockOptions | None = None,
        *,
        port: int = 0,
        log: Path | None = None,
        shared_port: bool = False,
    ) -> None:
        self.options = options or MockOptions()
        self.batch = Batch(self.options)
        self.truth: list[Truth] = []
        seed = self.options.seed
        self.spreads = (
            read_spread(self.options.ttft_spread, 2 * seed),
            read_spread(self.options.token_spread, 2 * seed + 1),
        )
        self.figures = Figures()
        self.inbox: Inbox
        self.schedule: Schedule
        self._connections: set[Connection] = set()
        self._port = port
        self._shared_port = shared_port
        self._log_path = log
        self._log: IO[str] | None = None
        self._unlogged: list[Truth] = []
        self._server: asyncio.Server | None = None
        self._changed: asyncio.Event | None = None
        self._cpu_s = 0.0

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.options.tls_cert else ''}://{HOST}:{self._port}"

    @property
    def open_requests(self) -> int:
        """Requests whose answer has not ended."""
        return len(self.figures.open)

    def exposition(self) -> bytes | None:
        """The body of /metrics; None without names for it."""
        if not self.options.metrics:
            return None
        figures = self.figures.now(self.batch, self.options)
        return exposition(figures, self.options.metrics, self.options.model)

    def summary(self) -> dict[str, float]:
        """What it has done since it listens, and how far it slipped. Times in seconds; CPU of the whole process."""
        late = self.schedule.lateness
        return {
            "requests": len(self.truth),
            "tokens": sum(truth.tokens for truth in self.truth),
            "late_p50_s": late.quantile(0.5),
            "late_p99_s": late.quantile(0.99),
            "late_max_s": late.most,
            "cpu_s": process_time() - self._cpu_s,
        }

    async def __aenter__(self) -> Self:
        if self._log_path is not None:
            self._log = await asyncio.to_thread(self._log_path.open, "a", encoding="utf-8")
        loop = asyncio.get_running_loop()
        listening = socket.create_server((HOST, self._port), backlog=1024, reuse_port=self._shared_port)
        # Connections inherit it: Nagle's algorithm would hold small chunks back for 40 ms, and asyncio leaves it on for
        # sockets whose protocol is not named.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = listening.getsockname()[1]
        tls = _tls(self.options)
        self.inbox = Inbox()
        self.schedule = Schedule(self.options.tick_s)
        self._cpu_s = process_time()
        self._server = await loop.create_server(lambda: Connection(self), sock=listening, backlog=1024, ssl=tls)
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
        self.schedule.close()
        if self._log is not None:
            self._write_log()
            self._log.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after every change of a request or a connection."""
        while not condition():
            if self._changed is None:
                self._changed = asyncio.Event()
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
        self.figures.open[truth.number] = truth
        if self.options.refuse_after == truth.number and self._server is not None:
            self._server.close()
        self._notify()

    def ended(self, truth: Truth) -> None:
        """An answer has ended."""
        self.figures.ended(truth)
        if self._log is not None:
            if not self._unlogged:
                asyncio.get_running_loop().call_later(LOG_S, self._write_log)
            self._unlogged.append(truth)
        self._notify()

    def _write_log(self) -> None:
        if self._log is not None and self._unlogged:
            self._log.writelines(json.dumps(truth.as_dict()) + "\n" for truth in self._unlogged)
            self._log.flush()
            self._unlogged.clear()

    def _notify(self) -> None:
        """Wake whoever waits; without one it costs nothing."""
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()


def _tls(options: MockOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None or options.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    return context
