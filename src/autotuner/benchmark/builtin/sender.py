"""Connections: sends requests, reuses what the server keeps open, and reports how each exchange ended."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import cast

import httptools

from autotuner.benchmark.builtin.exchange import Exchange


@dataclass(frozen=True)
class Target:
    """Where requests go, resolved once so that no request waits for a name."""

    address: str
    port: int
    host: str
    tls: ssl.SSLContext | None


class Connection(asyncio.Protocol):
    """One connection; carries one exchange at a time."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._parser = httptools.HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._now = 0.0
        self._silent = True
        self._answers = 0
        self._dropped = False

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        """Hand the request to the socket; its clock starts with the first byte (sent again: anew)."""
        self.expect(exchange)
        transport = cast(asyncio.Transport, self._transport)
        exchange.started = monotonic() if exchange.scheduled is None else exchange.scheduled
        transport.write(exchange.request)

    def expect(self, exchange: Exchange) -> None:
        """What arrives next is the answer to that."""
        self._exchange = exchange
        self._silent = True

    def abort(self) -> None:
        """Close at once; the exchange on it, if any, is forgotten."""
        self._exchange = None
        self._dropped = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._dropped:
            self._transport.abort()
        else:
            self._sender.joined(self)

    def data_received(self, data: bytes) -> None:
        self._now = monotonic()
        self._silent = False
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._end("malformed")
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sender.left(self)
        exchange = self._exchange
        if exchange is None:
            return
        self._now = monotonic()
        if self._silent and self._answers > 0 and not exchange.retried:
            # The server closed a kept-open connection just as it was used again: no fault of this request.
            self._exchange = None
            self._sender.again(exchange)
        elif self._silent:
            self._end("connection_closed" if exc is None else "connection_reset")
        else:
            # A body without a length ends with the connection; without its [DONE] it counts as truncated.
            self._end(None)

    # Called by the parser.

    def on_headers_complete(self) -> None:
        if self._exchange is not None:
            self._exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.status == 200:
            exchange.feed(body, self._now)
        else:
            exchange.refuse(body)

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            return
        self._answers += 1
        reusable = self._parser.should_keep_alive()
        if not reusable and self._transport is not None:
            self._transport.close()
        self._end(None, reusable=reusable)

    def _end(self, error: str | None, *, reusable: bool = False) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.finished = self._now
        if error is not None and exchange.error is None:
            exchange.error = error
        self._sender.ended(exchange, self if reusable else None)


class Sender:
    """Sends exchanges to one server. ``on_started`` and ``on_ended`` are called for each of them, once, in this order.

    A request that takes longer than ``timeout_s`` from ``issue`` on (connecting included) ends as a timeout.
    """

    def __init__(
        self,
        target: Target,
        timeout_s: float,
        on_started: Callable[[Exchange], None],
        on_ended: Callable[[Exchange], None],
    ) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._on_started = on_started
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._carrying: dict[Exchange, Connection | asyncio.Task[None]] = {}
        self._closed = False
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    def issue(self, exchange: Exchange) -> None:
        """Send the request on a kept-open connection, or on a new one."""
        exchange.timer = self._loop.call_later(self._timeout_s, self._expire, exchange)
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                self._send(connection, exchange)
                return
        self._connect(exchange)

    async def close(self) -> None:
        """Drop every request and connection; nothing is reported of them. Returns when all sockets are closed."""
        self._closed = True
        connecting = [carrier for carrier in self._carrying.values() if isinstance(carrier, asyncio.Task)]
        for exchange in self._carrying:
            if exchange.timer is not None:
                exchange.timer.cancel()
        self._carrying.clear()
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()
        await self._all_gone.wait()

    def joined(self, connection: Connection) -> None:
        """A connection is open."""
        self._open.add(connection)
        self._all_gone.clear()

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        if not self._open:
            self._all_gone.set()

    def again(self, exchange: Exchange) -> None:
        """Send the request once more, on a new connection."""
        if self._closed:
            return
        exchange.retried = True
        self._connect(exchange)

    def ended(self, exchange: Exchange, connection: Connection | None) -> None:
        """An exchange is over; ``connection`` may carry another one."""
        if self._carrying.pop(exchange, None) is None:
            return
        if exchange.timer is not None:
            exchange.timer.cancel()
            exchange.timer = None
        if connection is not None:
            self._idle.append(connection)
        exchange.settle()
        self._on_ended(exchange)

    def _send(self, connection: Connection, exchange: Exchange) -> None:
        self._carrying[exchange] = connection
        connection.send(exchange)
        if not exchange.retried:
            self._on_started(exchange)

    def _connect(self, exchange: Exchange) -> None:
        self._carrying[exchange] = self._loop.create_task(self._connect_and_send(exchange))

    async def _connect_and_send(self, exchange: Exchange) -> None:
        began = monotonic()
        target = self._target
        connection = Connection(self)
        try:
            await self._loop.create_connection(
                lambda: connection,
                target.address,
                target.port,
                ssl=target.tls,
                server_hostname=target.host if target.tls is not None else None,
            )
        except asyncio.CancelledError:
            # As good as made, perhaps; then the loop closes it without telling its protocol.
            connection.abort()
            self.left(connection)
            raise
        except ConnectionRefusedError:
            self._fail(exchange, began, "connection_refused")
        except ConnectionResetError:
            self._fail(exchange, began, "connection_reset")
        except ssl.SSLCertVerificationError:
            self._fail(exchange, began, "tls_certificate")
        except ssl.SSLError:
            self._fail(exchange, began, "tls")
        except OSError:
            self._fail(exchange, began, "connection_failed")
        else:
            exchange.connect_s = monotonic() - began
            self._send(connection, exchange)

    def _fail(self, exchange: Exchange, began: float, error: str) -> None:
        """The request never reached the server; it counts as started when connecting began."""
        if exchange.started is None:
            exchange.started = began if exchange.scheduled is None else exchange.scheduled
        if not exchange.retried:
            self._on_started(exchange)
        exchange.finished = monotonic()
        exchange.error = error
        self.ended(exchange, None)

    def _expire(self, exchange: Exchange) -> None:
        carrier = self._carrying.get(exchange)
        if isinstance(carrier, Connection):
            carrier.abort()
            exchange.finished = monotonic()
            exchange.error = "timeout"
            self.ended(exchange, None)
        elif carrier is not None:
            carrier.cancel()
            self._fail(exchange, monotonic() - self._timeout_s, "timeout")
