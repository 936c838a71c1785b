"""One connection to the mock server."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

import httptools

from autotuner.mock_server import payloads
from autotuner.mock_server.answer import Answer
from autotuner.mock_server.batching import Batch
from autotuner.mock_server.inbox import Inbox
from autotuner.mock_server.options import Fault, MockOptions
from autotuner.mock_server.schedule import Schedule
from autotuner.mock_server.spread import Spread
from autotuner.mock_server.truth import Truth

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"

MOST_BYTES = 64 * 2**20
"""Of one request: its head and body."""


class Shared(Protocol):
    """What the connections of one server have in common."""

    options: MockOptions
    inbox: Inbox
    batch: Batch
    truth: list[Truth]
    schedule: Schedule
    spreads: tuple[Spread | None, Spread | None]

    def exposition(self) -> bytes | None:
        """The body of /metrics; None: there is none."""

    def joined(self, connection: Connection) -> None:
        """A connection was accepted."""

    def left(self, connection: Connection) -> None:
        """A connection is gone."""

    def opened(self, truth: Truth) -> None:
        """A request was read."""

    def ended(self, truth: Truth) -> None:
        """Its answer has ended."""


class Request:
    """What was read of one request."""

    __slots__ = ("authorisation", "body", "keep_alive", "method", "received", "size", "target", "version")

    def __init__(self) -> None:
        self.target = b""
        self.authorisation = b""
        self.body: list[bytes] = []
        self.size = 0
        self.method = b""
        self.version = "1.1"
        self.keep_alive = True
        self.received = 0.0


class Connection(asyncio.Protocol):
    """Reads requests one after the other and answers them in turn, also when they come before their turn."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._request = Request()
        self._turn: deque[Request] = deque()
        self._received = 0.0
        self._answers = 0
        self._answer: Answer | None = None
        self._deaf = False
        """Nothing more is read: what came was no HTTP, or the connection is being closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._shared.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deaf = True
        self._turn.clear()
        if self._answer is not None:
            self._answer.close()
        self._shared.left(self)

    def data_received(self, data: bytes) -> None:
        self._shared.inbox.put(self._read, data)

    def _read(self, data: bytes, came: float) -> None:
        if self._deaf:
            return
        self._received = came
        self._request.size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "there is nothing to upgrade to")
        except httptools.HttpParserError as problem:
            self._refuse(400, f"this is no HTTP request: {problem}")
        else:
            if self._request.size > MOST_BYTES:
                self._refuse(413, f"a request has at most {MOST_BYTES} bytes")

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # Called by the parser.

    def on_message_begin(self) -> None:
        size = self._request.size
        self._request = Request()
        self._request.size = size

    def on_url(self, url: bytes) -> None:
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"authorization":
            self._request.authorisation = value
        elif lowered == b"expect" and self._transport is not None and not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._request.body.append(body)

    def on_message_complete(self) -> None:
        request = self._request
        request.method = self._parser.get_method()
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        request.received = self._received
        self._request = Request()
        self._turn.append(request)
        if not self._busy:
            self._next()

    @property
    def _busy(self) -> bool:
        return self._answer is not None

    def _next(self) -> None:
        """Answer what waits, until an answer takes time."""
        while self._turn and self._answer is None and not self._closing:
            self._dispatch(self._turn.popleft())

    @property
    def _closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _dispatch(self, request: Request) -> None:
        options = self._shared.options
        path = request.target.decode("latin-1").split("?", 1)[0]
        metrics = self._shared.exposition() if path == "/metrics" else None
        if path == "/health":
            self._plain(request, 200, {"status": "ok"})
        elif metrics is not None:
            self._send(request, payloads.answer(200, metrics, "text/plain; version=0.0.4; charset=utf-8"))
        elif options.api_key is not None and request.authorisation != b"Bearer " + options.api_key.encode():
            self._plain(request, 401, payloads.error("unauthorized", "the API key is missing or wrong"))
        elif path == "/v1/models":
            self._plain(request, 200, {"object": "list", "data": [{"id": options.model, "object": "model"}]})
        elif path in (COMPLETIONS, CHAT) and request.method == b"POST":
            self._complete(request, chat=path == CHAT)
        else:
            self._plain(request, 404, payloads.error("not_found", f"there is no {path}"))

    def _complete(self, request: Request, *, chat: bool) -> None:
        options = self._shared.options
        try:
            ask = payloads.read_ask(b"".join(request.body), chat=chat)
        except ValueError as problem:
            self._plain(request, 400, payloads.error("bad_request", str(problem)))
            return
        if ask.stream and request.version != "1.1":
            self._plain(request, 400, payloads.error("bad_request", "a stream needs HTTP/1.1"))
            return
        number = len(self._shared.truth) + 1
        words = len(ask.prompt) if isinstance(ask.prompt, tuple) else len(ask.prompt.split()) / options.words_per_token
        truth = Truth(
            number=number,
            received=request.received,
            prompt=ask.prompt[:64],
            prompt_tokens=round(words),
            asked_tokens=ask.max_tokens,
            reused_connection=self._answers > 0,
            fault=options.fault_of(number),
            cached_tokens=min(options.cached_prompt_tokens or 0, round(words)),
        )
        self._shared.opened(truth)
        if truth.fault in (Fault.ERROR_500, Fault.ERROR_429):
            truth.status = 500 if truth.fault == Fault.ERROR_500 else 429
            truth.ended = "fault"
            self._shared.ended(truth)
            headers = () if truth.status == 500 else (f"Retry-After: {options.retry_after_s}",)
            kind = "server_error" if truth.status == 500 else "rate_limit"
            failed = payloads.error(kind, "this answer fails on purpose")
            self._send(request, payloads.plain(truth.status, failed, *headers))
        elif truth.fault == Fault.NO_ANSWER_CLOSE:
            truth.ended = "fault"
            self._shared.ended(truth)
            self._close()
        elif self._transport is not None:
            self._answer = Answer(
                self._transport,
                ask,
                truth,
                options,
                self._shared.batch,
                self._shared.schedule,
                self._shared.spreads,
                lambda: self._finished(request, truth),
            )
            self._shared.batch.enter(self._answer, self._answer.begin)

    def _finished(self, request: Request, truth: Truth) -> None:
        self._answer = None
        self._shared.ended(truth)
        self._count_answer(request)
        self._next()

    def _plain(self, request: Request, status: int, payload: dict[str, object]) -> None:
        self._send(request, payloads.plain(status, payload))

    def _send(self, request: Request, answer: bytes) -> None:
        if self._transport is not None:
            head, _, _ = answer.partition(b"\r\n\r\n")
            self._transport.write(head + b"\r\n\r\n" if request.method == b"HEAD" else answer)
        self._count_answer(request)

    def _refuse(self, status: int, why: str) -> None:
        """Answer what cannot be read, unless another answer is under way, and close."""
        self._deaf = True
        if self._transport is None or self._busy:
            self.abort()
            return
        self._transport.write(payloads.plain(status, payloads.error("bad_request", why), "Connection: close"))
        self._close()

    def _count_answer(self, request: Request) -> None:
        self._answers += 1
        limit = self._shared.options.answers_per_connection
        if not request.keep_alive or (limit is not None and self._answers >= limit):
            self._close()

    def _close(self) -> None:
        self._deaf = True
        if self._transport is not None:
            self._transport.close()
