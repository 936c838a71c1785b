"""One request and its streamed answer: what arrived when, and whether it is a success."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re

from autotuner.contracts.measurement import RequestRecord

# Quotes inside JSON strings are escaped, so neither pattern can match text that the model wrote.
_CONTENT = re.compile(rb'"(?:text|content|reasoning_content|reasoning)"\s*:\s*"(?!")')
_RARE = re.compile(rb'"usage"\s*:\s*\{|"error"\s*:')

_UNLIKE = b"\n\n\n"
"""Begins no event."""

_KEY = re.compile(rb"^authorization:[ \t]*bearer[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_KEPT_BYTES, _KEPT_CHARACTERS = 4096, 300
"""Of what a server says of an error."""

_CONTENT_KEYS = ("text", "content", "reasoning_content", "reasoning")


class Exchange:
    """A request from its first byte to the end of its answer. Times are seconds of the monotonic clock."""

    __slots__ = (
        "_after",
        "_before",
        "_last",
        "_pending",
        "_refusal",
        "arrivals",
        "asked_prompt",
        "asked_tokens",
        "body",
        "cached_tokens",
        "connect_s",
        "done",
        "error",
        "error_text",
        "finished",
        "in_window",
        "output_tokens",
        "prompt_tokens",
        "request",
        "retried",
        "scheduled",
        "started",
        "status",
        "timer",
    )

    def __init__(self, request: bytes, asked_tokens: int, scheduled: float | None = None) -> None:
        self.request = request
        self.asked_tokens = asked_tokens
        self.asked_prompt: int | None = None
        self.body: bytearray | None = None  # the whole answer, if somebody wants it
        self.scheduled = scheduled
        self.started: float | None = None
        self.connect_s = 0.0
        self.status = 0
        self.arrivals: list[float] = []
        self.output_tokens: int | None = None
        self.prompt_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.done = False
        self.error: str | None = None
        self.error_text: str | None = None
        self.finished: float | None = None
        self.in_window = False
        self.retried = False
        self.timer: asyncio.TimerHandle | None = None
        self._pending = b""
        self._refusal = b""
        self._before = _UNLIKE
        self._after = b""
        self._last = b""

    def feed(self, data: bytes, now: float) -> None:
        """A piece of the body of a 200 answer that arrived at ``now``: an event arrives with the line that ends it."""
        if self.body is not None:
            self.body += data
        if self._pending:
            data = self._pending + data
        elif (
            # Most events differ from the one before in the text of the model alone.
            data.startswith(self._before)
            and data.endswith(self._last)
            and len(self._before) < data.find(b'"', len(self._before)) == len(data) - len(self._last)
        ):
            self.arrivals.append(now)
            return
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        events = data.split(b"\n\n")
        self._pending = events.pop()
        for event in events:
            if (
                event.startswith(self._before)
                and event.endswith(self._after)
                and len(self._before) < event.find(b'"', len(self._before)) == len(event) - len(self._after)
            ):
                self.arrivals.append(now)
            elif (
                event.startswith(b"data:")
                and b"\n" not in event
                and (content := _CONTENT.search(event)) is not None
                and not _RARE.search(event)
            ):
                self.arrivals.append(now)
                self._before, self._after = event[: content.end()], event[event.find(b'"', content.end()) :]
                self._last = self._after + b"\n\n"
            else:
                self._rare(event, now)

    def refuse(self, data: bytes) -> None:
        """A piece of the body of an answer with another status: its beginning tells why."""
        self._refusal += data[: _KEPT_BYTES - len(self._refusal)]

    def settle(self) -> None:
        """The answer has ended: decide what it was, unless that is known already."""
        if self._pending:
            rest, self._pending = self._pending, b""
            if self.status == 200:
                self._rare(rest, self.finished or 0.0)
        if self.error is not None:
            return
        if self.status == 0:
            self.error = "truncated"
        elif self.status != 200:
            self.error = f"http_{self.status}"
            self.error_text = self._words(self._refusal)
        elif not self.done:
            self.error = "truncated"
        elif self.output_tokens is None:
            self.error = "missing_usage"
        elif not self.arrivals:
            self.error = "no_content"

    def record(self, origin: float) -> RequestRecord:
        """The record, with times from ``origin``; an exchange without an end is incomplete, up to now unknown."""
        started = self.started if self.started is not None else origin
        finished = self.finished
        outcome = "incomplete" if finished is None else "error" if self.error is not None else "ok"
        last = self.arrivals[-1] if self.arrivals else started
        return RequestRecord(
            started=started - origin,
            first_token=self.arrivals[0] - origin if self.arrivals else None,
            last_token=self.arrivals[-1] - origin if self.arrivals else None,
            finished=(last if finished is None else finished) - origin,
            arrivals=tuple(arrival - origin for arrival in self.arrivals),
            output_tokens=self.output_tokens,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            asked_tokens=self.asked_tokens,
            asked_prompt_tokens=self.asked_prompt,
            connect_s=self.connect_s,
            outcome=outcome,
            error=self.error,
            error_text=self.error_text,
            in_window=self.in_window,
        )

    def _rare(self, event: bytes, now: float) -> None:
        """Everything but a plain piece of content: role, finish reason, usage, end, error, data of several lines."""
        event = event.strip()
        payload = event if event.startswith(b"{") else self._data(event)
        if payload == b"[DONE]":
            self.done = True
            return
        if not payload.startswith(b"{"):
            return  # comments, other fields, and what no model wrote
        try:
            message = json.loads(payload)
        except ValueError:
            self.error = self.error or "malformed"
            return
        if message.get("error"):
            self.error = self.error or "error_payload"
            self.error_text = self.error_text or self._words(payload)
            return
        self._usage(message.get("usage"))
        choices = message.get("choices")
        if isinstance(choices, list) and any(map(_has_content, choices)):
            self.arrivals.append(now)

    def _data(self, event: bytes) -> bytes:
        """The data of a server-sent event, its lines joined; an event of the type error is one."""
        lines = []
        for line in event.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"data":
                lines.append(value.removeprefix(b" "))
            elif name == b"error" or (name == b"event" and value.strip() == b"error"):
                self.error = self.error or "error_payload"
        return b"\n".join(lines).strip()

    def _words(self, told: bytes) -> str | None:
        """What an answer says of an error, on one line and without the key of the request."""
        if (key := _KEY.search(self.request.partition(b"\r\n\r\n")[0])) is not None:
            told = told.replace(key[1].strip(), b"***")
        text = told.decode("utf-8", "replace")
        with contextlib.suppress(ValueError, RecursionError):  # no JSON, or cut off: as it is
            text = _message(json.loads(text)) or text
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return (line if len(line) <= _KEPT_CHARACTERS else f"{line[: _KEPT_CHARACTERS - 1]}…") or None

    def _usage(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)
        self.prompt_tokens = _count(usage.get("prompt_tokens"), self.prompt_tokens)
        details = usage.get("prompt_tokens_details")
        if isinstance(details, dict):
            self.cached_tokens = _count(details.get("cached_tokens"), self.cached_tokens)


def _message(told: object) -> str | None:
    """The sentence inside an error: ``{"error": {"message": …}}`` and what others make of it."""
    for key in ("error", "message", "detail"):
        if isinstance(told, dict) and key in told:
            return _message(told[key])
    return told if isinstance(told, str) else None


def _count(value: object, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _has_content(choice: object) -> bool:
    if not isinstance(choice, dict):
        return False
    pieces = (choice, choice.get("delta"), choice.get("message"))
    return any(piece.get(key) for piece in pieces if isinstance(piece, dict) for key in _CONTENT_KEYS)
