"""One connection to the mock server."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Protocol, cast

import httptools

from autotuner.mock_server import payloads
from autotuner.mock_server.answer import Answer
from autotuner.mock_server.batching import Batch
from autotuner.mock_server.options import Fault, MockOptions
from autotuner.mock_server.truth import Truth

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"


class Shared(Protocol):
    """What the connections of one server have in common."""

    options: MockOptions
    batch: Batch
    truth: list[Truth]

    def joined(self, connection: Connection) -> None:
        """A connection was accepted."""

    def left(self, connection: Connection) -> None:
        """A connection is gone."""

    def opened(self, truth: Truth) -> None:
        """A request was read."""

    def ended(self, truth: Truth) -> None:
        """Its answer has ended."""


class Connection(asyncio.Protocol):
    """Reads requests one after the other and answers them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._target = b""
        self._authorisation = b""
        self._body: list[bytes] = []
        self._received = 0.0
        self._answers = 0
        self._answer: Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._shared.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.close()
        self._shared.left(self)

    def data_received(self, data: bytes) -> None:
        self._received = monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._target, self._authorisation, self._body = b"", b"", []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._authorisation = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        options = self._shared.options
        path = self._target.decode("latin-1").split("?", 1)[0]
        method = self._parser.get_method()
        if path == "/health":
            self._plain(200, {"status": "ok"})
        elif options.api_key is not None and self._authorisation != b"Bearer " + options.api_key.encode():
            self._plain(401, payloads.error("unauthorized", "the API key is missing or wrong"))
        elif path == "/v1/models":
            self._plain(200, {"object": "list", "data": [{"id": options.model, "object": "model"}]})
        elif path in (COMPLETIONS, CHAT) and method == b"POST":
            self._complete(chat=path == CHAT)
        else:
            self._plain(404, payloads.error("not_found", f"there is no {path}"))

    def _complete(self, *, chat: bool) -> None:
        options = self._shared.options
        try:
            ask = payloads.read_ask(b"".join(self._body), chat=chat)
        except ValueError as problem:
            self._plain(400, payloads.error("bad_request", str(problem)))
            return
        number = len(self._shared.truth) + 1
        words = len(ask.prompt) if isinstance(ask.prompt, tuple) else len(ask.prompt.split()) / options.words_per_token
        truth = Truth(
            number=number,
            received=self._received,
            prompt=ask.prompt[:64],
            prompt_tokens=round(words),
            asked_tokens=ask.max_tokens,
            reused_connection=self._answers > 0,
            fault=options.fault if options.fault is not None and number % options.fault_every == 0 else None,
        )
        self._shared.opened(truth)
        if truth.fault == Fault.ERROR_500:
            truth.status = 500
            truth.ended = "fault"
            self._shared.ended(truth)
            self._plain(500, payloads.error("server_error", "this answer fails on purpose"))
        elif truth.fault == Fault.NO_ANSWER_CLOSE:
            truth.ended = "fault"
            self._shared.ended(truth)
            self._close()
        elif self._transport is not None:
            self._answer = Answer(
                self._transport, ask, truth, options, self._shared.batch, lambda: self._finished(truth)
            )
            self._shared.batch.enter(self._answer, self._answer.begin)

    def _finished(self, truth: Truth) -> None:
        self._answer = None
        self._shared.ended(truth)
        self._count_answer()

    def _plain(self, status: int, payload: dict[str, object]) -> None:
        if self._transport is not None:
            self._transport.write(payloads.plain(status, payload))
        self._count_answer()

    def _count_answer(self) -> None:
        self._answers += 1
        limit = self._shared.options.answers_per_connection
        if limit is not None and self._answers >= limit:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
