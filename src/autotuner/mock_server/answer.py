"""One streamed (or whole) answer, written on an absolute schedule."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from functools import partial
from time import monotonic

from autotuner.mock_server import payloads
from autotuner.mock_server.batching import Batch
from autotuner.mock_server.likelihood import likely, logprobs
from autotuner.mock_server.options import Fault, MockOptions, Words
from autotuner.mock_server.payloads import Ask
from autotuner.mock_server.pieces import Pieces
from autotuner.mock_server.schedule import Schedule
from autotuner.mock_server.spread import Spread
from autotuner.mock_server.truth import Truth

PLACE = "@words@"
"""Stands for the words in the prepared piece."""

BREAKS = frozenset(
    {
        Fault.HANG_MIDDLE,
        Fault.TRICKLE,
        Fault.CUT,
        Fault.RESET,
        Fault.EARLY_END,
        Fault.ERROR_PAYLOAD,
        Fault.ERROR_EVENT,
    }
)
"""Faults that break an answer off in its middle."""

DIED = "the engine died"
_JOINED = 64
"""So many chunks that are due go into one write at most."""


class Answer:
    """Writes one answer. Each token's due time follows from the one before, never from when that was written."""

    __slots__ = (
        "_after",
        "_ask",
        "_batch",
        "_before",
        "_chunks",
        "_closed",
        "_count",
        "_due",
        "_ended",
        "_even_s",
        "_gaps",
        "_head",
        "_options",
        "_pieces",
        "_rng",
        "_round",
        "_schedule",
        "_step_s",
        "_tokens",
        "_transport",
        "_trickling",
        "_truth",
        "_ttft",
        "_words",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        ask: Ask,
        truth: Truth,
        options: MockOptions,
        batch: Batch,
        schedule: Schedule,
        spreads: tuple[Spread | None, Spread | None],
        ended: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._ask = ask
        self._truth = truth
        self._options = options
        self._batch = batch
        self._schedule = schedule
        self._gaps = spreads[1]
        self._ttft = 1.0 if spreads[0] is None else spreads[0].at(truth.number, 0)
        self._ended = ended
        self._due = 0.0
        self._tokens = 0
        """Handed to the connection; ``truth.tokens`` are on the wire."""
        self._closed = False
        self._trickling = False
        self._words = payloads.PLAIN if options.words == Words.PLAIN else payloads.AWKWARD
        draws = options.most_tokens_per_chunk is not None or options.cut_bytes is not None
        rng = random.Random(f"answer {options.seed} {truth.number}") if draws else None
        self._rng = rng if options.most_tokens_per_chunk is not None else None
        self._pieces: Pieces | None = None
        if options.cut_bytes is not None and ask.stream and rng is not None:
            self._pieces = Pieces(transport, options.cut_bytes, options.cut_gap_s, rng)
        self._step_s = None if batch.varies or self._gaps is not None else options.token_s
        self._head: dict[str, object] = {
            "id": f"cmpl-{truth.number}",
            "object": "chat.completion.chunk" if ask.chat else "text_completion",
            "created": 0,
            "model": options.model,
        }
        # Written for every token of every stream, so made once: a slow server would not keep its own schedule.
        piece = payloads.event(payloads.content(ask, self._head, PLACE, None))
        self._before, _, self._after = piece.partition(PLACE.encode())
        self._chunks: dict[tuple[int, int], bytes] = {}
        self._round = 2 * len(self._words)
        """The same bytes come again after so many tokens."""
        even = self._step_s is not None and not draws and truth.fault is None and not self._each_usage
        self._even_s = options.token_s * options.tokens_per_chunk if even else None
        self._count = self._draw()

    def begin(self) -> None:
        """Start; called once the request has a slot."""
        now = asyncio.get_running_loop().time()
        self._truth.began = now
        if self._truth.fault == Fault.HANG_BEFORE:
            return
        ttft, _ = self._batch.means(self._options)
        self._due = now + ttft * self._ttft
        if not self._ask.stream:
            self._due += sum(self._gap(place, 1) for place in range(1, self._ask.max_tokens))
        self._schedule.put(self._due, self)

    def close(self) -> None:
        """The client is gone, or the server stops: write nothing more."""
        if self._pieces is not None:
            self._pieces.cancel()
        self._end("closed")

    def step(self, now: float) -> float | None:
        """Write every chunk that is due; when the next one is."""
        if self._closed:
            return None
        if self._trickling:
            self._write(payloads.http_chunk(b":"))
            return now + self._options.trickle_s
        if not self._ask.stream:
            self._whole()
            return None
        truth, asked = self._truth, self._ask.max_tokens
        if self._even_s is not None and truth.first is not None:
            # The way of almost every token, short: what it costs here is taken from whoever is measured beside.
            place, count, due = self._tokens, self._count, self._due
            following = due + self._even_s
            if following > now and place + 2 * count <= asked:
                out = self._chunks.get((place % self._round, count)) or self._chunk(place, count)
                self._tokens = truth.tokens = place + count
                self._due = following
                truth.last_due = due
                truth.chunks += 1
                truth.last = monotonic()
                self._transport.write(out)
                return following
        out, written = b"", 0
        if truth.first_due is None:
            # Others may have come since: what counts is the load when the first token is due.
            if self._batch.varies and truth.began is not None:
                self._due = truth.began + self._batch.means(self._options)[0] * self._ttft
                if self._due > now:
                    return self._due
            out = self._opening()
            if truth.fault == Fault.EMPTY:
                self._write(out + self._closing())
                self._finish(partial(self._end, "done"))
                return None
            if self._pieces is not None:
                self._pieces.write(out)
        for _ in range(_JOINED):
            place, count, due = self._tokens, self._count, self._due
            self._tokens = place + count
            chunk = self._chunk(place, count)
            if self._pieces is None:
                out += chunk
                written += 1
            else:
                # The line break that ends the HTTP chunk is no part of the event.
                self._pieces.write(chunk[:-2], partial(self._stamp, count, 1, due))
                self._pieces.write(chunk[-2:])
            ends = self._tokens >= asked
            breaks = truth.fault in BREAKS and self._tokens * 2 >= asked
            if not ends:
                self._count = self._draw()
                step_s = self._step_s
                self._due = due + (self._gap(self._tokens, self._count) if step_s is None else step_s * self._count)
            if ends or breaks or self._due > now:
                break
        if self._pieces is None:
            truth.last_due = due
            truth.chunks += written
            truth.tokens = self._tokens
            truth.last = moment = monotonic()
            if truth.first is None:
                truth.first = moment
            if ends and not breaks:
                out += self._closing()
            self._transport.write(out)
        elif ends and not breaks:
            self._pieces.write(self._closing())
        if breaks:
            return self._break_off(now)
        if ends:
            self._finish(partial(self._end, "done"))
            return None
        return self._due

    def _opening(self) -> bytes:
        """What comes before the first token."""
        self._truth.first_due, self._truth.load = self._due, self._batch.in_flight
        if not self._ask.chat:
            return payloads.STREAM_HEAD
        role = {**self._head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
        return payloads.STREAM_HEAD + payloads.http_chunk(payloads.event(role))

    def _draw(self) -> int:
        """Tokens of the next chunk."""
        count, most = self._options.tokens_per_chunk, self._options.most_tokens_per_chunk
        if self._rng is not None and most is not None:
            count = self._rng.randint(count, most)
        return min(count, self._ask.max_tokens - self._tokens)

    def _gap(self, place: int, count: int) -> float:
        """Seconds in which ``count`` tokens come into being, ``place`` of them before."""
        mean = self._batch.means(self._options)[1]
        if self._gaps is None:
            return mean * count
        number = self._truth.number
        return mean * sum(self._gaps.at(number, place + offset) for offset in range(count))

    def _chunk(self, place: int, count: int) -> bytes:
        place %= self._round
        made = self._chunks.get((place, count))
        if made is None:
            after = self._after
            if self._each_usage:
                figure = payloads.compact(self._usage(self._tokens)).encode()
                after = b'%s,"usage":%s}\n\n' % (after[: after.rindex(b"]") + 1], figure)
            made = payloads.http_chunk(self._before + payloads.escaped(self._words, place, count) + after)
            if not self._each_usage:
                self._chunks[place, count] = made
        return made

    def _usage(self, tokens: int) -> dict[str, object]:
        truth = self._truth
        cached = None if self._options.cached_prompt_tokens is None else truth.cached_tokens
        figure = payloads.usage(truth.prompt_tokens, tokens, cached)
        if truth.fault == Fault.WRONG_USAGE:
            return {name: str(value) for name, value in figure.items()}
        return figure

    def _closing(self) -> bytes:
        out = payloads.http_chunk(payloads.event(payloads.content(self._ask, self._head, "", "length")))
        if self._tells_usage and self._ask.include_usage:
            figure = self._usage(self._tokens)
            out += payloads.http_chunk(payloads.event({**self._head, "choices": [], "usage": figure}))
        return out + payloads.http_chunk(payloads.DONE) + payloads.LAST_CHUNK

    @property
    def _tells_usage(self) -> bool:
        return self._options.usage and self._truth.fault != Fault.NO_USAGE

    @property
    def _each_usage(self) -> bool:
        return self._tells_usage and (self._options.continuous_usage or self._ask.continuous_usage)

    def _whole(self) -> None:
        truth, fault = self._truth, self._truth.fault
        tokens = 0 if fault == Fault.EMPTY else self._ask.max_tokens
        answer = self._said(tokens)
        if self._tells_usage:
            answer["usage"] = self._usage(tokens)
        breaks = fault in BREAKS
        if fault in (Fault.ERROR_PAYLOAD, Fault.ERROR_EVENT):
            breaks = False
            answer, tokens = payloads.error("server_error", DIED), 0
        data = payloads.plain(200, answer)
        truth.first_due = truth.last_due = self._due
        truth.load = self._batch.in_flight
        if not breaks:
            truth.tokens, truth.chunks = tokens, 1 if tokens else 0
            truth.first = truth.last = monotonic()
        self._transport.write(data[: len(data) // 2] if breaks else data)
        if not breaks:
            self._end("done" if fault not in BREAKS else "fault")
        elif fault not in (Fault.HANG_MIDDLE, Fault.TRICKLE):
            self._drop(reset=fault == Fault.RESET)

    def _said(self, tokens: int) -> dict[str, object]:
        """The whole answer, with log-probabilities where they are asked for."""
        ask, options = self._ask, self._options
        asked = ask.logprobs if options.logprobs and not ask.chat else None
        if asked is None and not options.degraded and not options.logprob_noise:
            return payloads.whole(ask, self._head, payloads.text(self._words, 0, tokens))
        places = [likely(options, ask, self._words, place, self._truth.number) for place in range(tokens)]
        text = "".join(next(iter(place)) for place in places)
        return payloads.whole(ask, self._head, text, None if asked is None else logprobs(places, asked))

    def _break_off(self, now: float) -> float | None:
        """The fault in the middle of a stream, after what was written last."""
        fault = self._truth.fault
        if fault == Fault.HANG_MIDDLE:
            return None
        if fault == Fault.TRICKLE:
            self._trickling = True
            return now + self._options.trickle_s
        if fault in (Fault.CUT, Fault.RESET):
            self._finish(partial(self._drop, reset=fault == Fault.RESET))
            return None
        out = b""
        if fault != Fault.EARLY_END:
            name = "error" if fault == Fault.ERROR_EVENT else None
            out = payloads.http_chunk(payloads.event(payloads.error("server_error", DIED), name))
            out += payloads.http_chunk(payloads.DONE)
        self._write(out + payloads.LAST_CHUNK)
        self._finish(partial(self._end, "fault"))
        return None

    def _drop(self, *, reset: bool) -> None:
        if reset:
            taken = self._transport.get_extra_info("socket")
            if taken is not None:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        self._end("fault")

    def _write(self, data: bytes) -> None:
        """Write something that is no token."""
        if self._pieces is None:
            self._transport.write(data)
        else:
            self._pieces.write(data)

    def _stamp(self, tokens: int, chunks: int, due: float) -> None:
        """The truth of a chunk that is completed now."""
        truth = self._truth
        truth.last_due = due
        truth.chunks += chunks
        truth.tokens += tokens
        truth.last = monotonic()
        if truth.first is None:
            truth.first = truth.last

    def _finish(self, call: Callable[[], None]) -> None:
        """Call once everything is written."""
        if self._pieces is None:
            call()
        else:
            self._pieces.finish(call)

    def _end(self, how: str) -> None:
        if self._closed:
            return
        self._closed = True
        self._truth.ended = how
        self._batch.leave(self)
        self._ended()
