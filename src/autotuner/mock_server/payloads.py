"""The bytes of the OpenAI-compatible answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

PLAIN = ("alpha ", "beta ", "gamma ", "delta ", "epsilon ", "zeta ", "eta ", "theta ")
AWKWARD = (
    'say "usage" ',
    "na\u00efve ",
    '{"error":{"message":"no"}} ',
    "\u6771\u4eac ",
    "data: [DONE]\n\n",
    "\U0001f600\U0001f680 ",
    '"usage":{"completion_tokens":1} ',
    "back\\slash\t\u2028 ",
)
"""One token each, like the plain ones, though not one word."""

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
}

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


MOST_TOKENS = 10**6
MOST_LOGPROBS = 5


@dataclass(frozen=True)
class Ask:
    """A completion request, read."""

    chat: bool
    stream: bool
    include_usage: bool
    continuous_usage: bool
    prompt: str | tuple[int, ...]
    max_tokens: int
    logprobs: int | None = None


def read_ask(body: bytes, *, chat: bool) -> Ask:
    """Read a request body; ValueError with a sentence for one that is not a completion request."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError("the body is not an object")
    asked = fields.get("max_tokens", fields.get("max_completion_tokens", 16))
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= MOST_TOKENS:
        raise ValueError(f"max_tokens is not an integer from 1 to {MOST_TOKENS}")
    options = fields.get("stream_options")
    if not isinstance(options, dict):
        options = {}
    return Ask(
        chat=chat,
        stream=bool(fields.get("stream", False)),
        include_usage=bool(options.get("include_usage", False)),
        continuous_usage=bool(options.get("continuous_usage_stats", False)),
        prompt=_messages(fields.get("messages")) if chat else _prompt(fields.get("prompt", "")),
        max_tokens=asked,
        logprobs=_logprobs(fields.get("logprobs")),
    )


def _logprobs(given: object) -> int | None:
    """How many are asked for at each place; of a completion, since those of a chat are not served."""
    if given is None or isinstance(given, bool):
        return None
    if not isinstance(given, int) or not 0 <= given <= MOST_LOGPROBS:
        raise ValueError(f"logprobs is not an integer from 0 to {MOST_LOGPROBS}")
    return given


def _messages(given: object) -> str:
    if not isinstance(given, list) or not all(isinstance(message, dict) for message in given):
        raise ValueError("messages is not a list of objects")
    return " ".join(str(message.get("content", "")) for message in given)


def _prompt(given: object) -> str | tuple[int, ...]:
    if isinstance(given, str):
        return given
    if not isinstance(given, list) or not all(type(token) is int for token in given):
        raise ValueError("prompt is neither a text nor a list of token ids")
    return tuple(given)


def text(words: tuple[str, ...], first: int, count: int) -> str:
    """The words of tokens ``first`` … ``first + count - 1`` of an answer."""
    return "".join(words[(first + offset) % len(words)] for offset in range(count))


def compact(payload: object) -> str:
    """JSON without white space."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=4096)
def escaped(words: tuple[str, ...], first: int, count: int) -> bytes:
    """``text`` as it stands between the quotes of a JSON string.

    Non-ASCII characters are raw in the first round of the words, escaped in the second, and so on.
    """
    parts = (words[(first + offset) % len(words)] for offset in range(count))
    return "".join(
        json.dumps(part, ensure_ascii=(first + offset) // len(words) % 2 == 1)[1:-1]
        for offset, part in enumerate(parts)
    ).encode()


def event(payload: dict[str, object], name: str | None = None) -> bytes:
    """One server-sent event."""
    head = b"" if name is None else b"event: %s\n" % name.encode()
    return head + b"data: " + compact(payload).encode() + b"\n\n"


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def content(
    ask: Ask, head: dict[str, object], words: str, finish: str | None, figure: object = None
) -> dict[str, object]:
    """A streamed piece of the answer."""
    choice: dict[str, object] = {"index": 0, "finish_reason": finish}
    if ask.chat:
        choice["delta"] = {"content": words} if words else {}
    else:
        choice["text"] = words
    return {**head, "choices": [choice], **({"usage": figure} if ask.include_usage else {})}


def whole(ask: Ask, head: dict[str, object], words: str, likelihood: object = None) -> dict[str, object]:
    """The answer without streaming; ``likelihood``: its log-probabilities."""
    choice: dict[str, object] = {"index": 0, "finish_reason": "length"}
    if ask.chat:
        choice["message"] = {"role": "assistant", "content": words}
    else:
        choice["text"] = words
        if likelihood is not None:
            choice["logprobs"] = likelihood
    return {**head, "choices": [choice]}


def usage(prompt_tokens: int, tokens: int, cached: int | None = None) -> dict[str, object]:
    """The usage figure; ``cached`` None: nothing is said of it."""
    figure: dict[str, object] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": prompt_tokens + tokens,
    }
    return figure if cached is None else {**figure, "prompt_tokens_details": {"cached_tokens": cached}}


def plain(status: int, payload: dict[str, object], *headers: str) -> bytes:
    """A whole HTTP answer with a JSON body."""
    return answer(status, json.dumps(payload).encode(), "application/json", *headers)


def answer(status: int, body: bytes, kind: str, *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = (f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


def error(kind: str, message: str) -> dict[str, object]:
    """An error payload."""
    return {"error": {"message": message, "type": kind, "code": kind}}
