"""One HTTP request on its own connection: enough to ask a server whether it answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

MAX_BODY = 1 << 20


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, in one line, at most 300 characters."""
        return " ".join(self.body.decode(errors="replace").split())[:300]


async def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request. OSError (refused, unknown host, TLS, TimeoutError) or ConnectionError if no answer comes.

    ``tls`` spares whoever asks often the time that loading the certificates takes.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    message = "\r\n".join([*lines, "", ""]).encode() + body
    async with asyncio.timeout(timeout_s):
        context = (tls or ssl.create_default_context()) if secure else None
        reader, writer = await asyncio.open_connection(host, parts.port or (443 if secure else 80), ssl=context)
        try:
            writer.write(message)
            await writer.drain()
            return await _read(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Answer:
    received = _Received()
    parser = httptools.HttpResponseParser(received)
    while not received.complete:
        data = await reader.read(65536)
        if not data:
            break
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(f"the answer is not HTTP ({error})") from error
        if len(received.body) > MAX_BODY:
            raise ConnectionError(f"the answer is longer than {MAX_BODY} bytes")
    # Without a length the body ends with the connection.
    if not received.headers_complete or (not received.complete and received.framed):
        raise ConnectionError("the connection was closed before the answer was complete")
    return Answer(parser.get_status_code(), bytes(received.body))


class _Received:
    """Collects what the parser reports."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.headers_complete = False
        self.complete = False
        self.framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.framed = self.framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self.headers_complete = True

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True
