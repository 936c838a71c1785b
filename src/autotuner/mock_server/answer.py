"""One streamed (or whole) answer, written on an absolute schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from autotuner.mock_server import payloads
from autotuner.mock_server.batching import Batch
from autotuner.mock_server.options import Fault, MockOptions
from autotuner.mock_server.payloads import Ask
from autotuner.mock_server.truth import Truth

PLACE = "@words@"
"""Stands for the words in the prepared piece."""


class Answer:
    """Writes one answer. Each token's due time follows from the one before, never from when that was written."""

    def __init__(
        self,
        transport: asyncio.Transport,
        ask: Ask,
        truth: Truth,
        options: MockOptions,
        batch: Batch,
        ended: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._ask = ask
        self._truth = truth
        self._options = options
        self._batch = batch
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._closed = False
        self._head: dict[str, object] = {
            "id": f"cmpl-{truth.number}",
            "object": "chat.completion.chunk" if ask.chat else "text_completion",
            "created": 0,
            "model": options.model,
        }
        # Written for every token of every stream, so made once: a slow server would not keep its own schedule.
        piece = payloads.event(payloads.content(ask, self._head, PLACE, None))
        self._before, _, self._after = piece.partition(PLACE.encode())

    def begin(self) -> None:
        """Start; called once the request has a slot."""
        if self._truth.fault == Fault.HANG_BEFORE:
            return
        self._due = self._loop.time() + self._options.ttft_s * self._batch.factor
        if not self._ask.stream:
            self._due += self._options.token_s * self._batch.factor * (self._ask.max_tokens - 1)
        self._timer = self._loop.call_at(self._due, self._step if self._ask.stream else self._whole)

    def close(self) -> None:
        """The client is gone, or the server stops: write nothing more."""
        self._end("closed")

    def _whole(self) -> None:
        answer = payloads.whole(self._ask, self._head, payloads.text(0, self._ask.max_tokens))
        self._truth.tokens = self._ask.max_tokens
        if self._options.usage:
            answer["usage"] = payloads.usage(self._truth.prompt_tokens, self._truth.tokens)
        self._truth.first = self._truth.last = monotonic()
        self._transport.write(payloads.plain(200, answer))
        self._end("done")

    def _step(self) -> None:
        """Write every chunk that is due."""
        options, truth, asked = self._options, self._truth, self._ask.max_tokens
        out = bytearray()
        if truth.first is None:
            out += payloads.STREAM_HEAD
            if self._ask.chat:
                role = {**self._head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
                out += payloads.http_chunk(payloads.event(role))
        now = self._loop.time()
        while truth.tokens < asked and self._due <= now:
            count = min(options.tokens_per_chunk, asked - truth.tokens)
            out += payloads.http_chunk(self._before + payloads.text(truth.tokens, count).encode() + self._after)
            truth.tokens += count
            self._due += options.token_s * self._batch.factor * min(options.tokens_per_chunk, asked - truth.tokens)
            if truth.fault is not None and truth.tokens * 2 >= asked:
                self._go_wrong(out)
                return
        finished = truth.tokens >= asked
        if finished:
            out += self._closing()
        self._write(out)
        if finished:
            self._end("done")
        else:
            self._timer = self._loop.call_at(self._due, self._step)

    def _closing(self) -> bytes:
        out = payloads.http_chunk(payloads.event(payloads.content(self._ask, self._head, "", "length")))
        if self._options.usage and self._ask.include_usage:
            figure = payloads.usage(self._truth.prompt_tokens, self._truth.tokens)
            out += payloads.http_chunk(payloads.event({**self._head, "choices": [], "usage": figure}))
        return out + payloads.http_chunk(payloads.DONE) + payloads.LAST_CHUNK

    def _go_wrong(self, out: bytearray) -> None:
        fault = self._truth.fault
        if fault == Fault.ERROR_PAYLOAD:
            out += payloads.http_chunk(payloads.event(payloads.error("server_error", "the engine died")))
            out += payloads.http_chunk(payloads.DONE)
        if fault in (Fault.ERROR_PAYLOAD, Fault.EARLY_END):
            out += payloads.LAST_CHUNK
        self._write(out)
        if fault == Fault.HANG_MIDDLE:
            return
        if fault == Fault.CUT:
            self._transport.abort()
        self._end("fault")

    def _write(self, out: bytearray) -> None:
        now = monotonic()
        if self._truth.first is None:
            self._truth.first = now
        self._truth.last = now
        self._transport.write(bytes(out))

    def _end(self, how: str) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._truth.ended = how
        self._batch.leave(self)
        self._ended()
