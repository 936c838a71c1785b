"""The bytes of the OpenAI-compatible answers."""

from __future__ import annotations

import json
from dataclasses import dataclass

WORDS = ("alpha ", "beta ", "gamma ", "delta ", "epsilon ", "zeta ", "eta ", "theta ")

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 500: "Internal Server Error"}

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Ask:
    """A completion request, read."""

    chat: bool
    stream: bool
    include_usage: bool
    prompt: str | tuple[int, ...]
    max_tokens: int


def read_ask(body: bytes, *, chat: bool) -> Ask:
    """Read a request body; ValueError with a sentence for one that is not a completion request."""
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError("the body is not an object")
    prompt: str | tuple[int, ...]
    if chat:
        prompt = " ".join(str(message.get("content", "")) for message in fields.get("messages", ()))
    else:
        given = fields.get("prompt", "")
        prompt = tuple(int(token) for token in given) if isinstance(given, list) else str(given)
    asked = fields.get("max_tokens", fields.get("max_completion_tokens", 16))
    if not isinstance(asked, int) or asked < 1:
        raise ValueError("max_tokens is not a positive integer")
    options = fields.get("stream_options") or {}
    return Ask(
        chat=chat,
        stream=bool(fields.get("stream", False)),
        include_usage=bool(options.get("include_usage", False)),
        prompt=prompt,
        max_tokens=asked,
    )


def text(first: int, count: int) -> str:
    """The words of tokens ``first`` … ``first + count - 1`` of an answer."""
    return "".join(WORDS[(first + offset) % len(WORDS)] for offset in range(count))


def event(payload: dict[str, object]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def content(ask: Ask, head: dict[str, object], words: str, finish: str | None) -> dict[str, object]:
    """A streamed piece of the answer."""
    choice: dict[str, object] = {"index": 0, "finish_reason": finish}
    if ask.chat:
        choice["delta"] = {"content": words} if words else {}
    else:
        choice["text"] = words
    return {**head, "choices": [choice], **({"usage": None} if ask.include_usage else {})}


def whole(ask: Ask, head: dict[str, object], words: str) -> dict[str, object]:
    """The answer without streaming."""
    choice: dict[str, object] = {"index": 0, "finish_reason": "length"}
    if ask.chat:
        choice["message"] = {"role": "assistant", "content": words}
    else:
        choice["text"] = words
    return {**head, "choices": [choice]}


def usage(prompt_tokens: int, tokens: int) -> dict[str, object]:
    """The usage figure."""
    return {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}


def plain(status: int, payload: dict[str, object]) -> bytes:
    """A whole HTTP answer with a JSON body."""
    body = json.dumps(payload).encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def error(kind: str, message: str) -> dict[str, object]:
    """An error payload."""
    return {"error": {"message": message, "type": kind, "code": kind}}
