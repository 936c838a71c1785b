"""A raw reader of HTTP/1.1 answers: bytes from a socket, parsed strictly."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from autotuner.mock_server import MockServer

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Answer:
    """What came. ``how``: whole, truncated (the connection ended first) or reset."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    how: str = "whole"

    @property
    def events(self) -> list[tuple[str | None, str]]:
        """Name and data of each event of a stream."""
        found = []
        for block in self.body.decode().split("\n\n")[:-1]:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            found.append((lines.get("event"), lines["data"]))
        return found

    @property
    def pieces(self) -> list[Any]:
        """The JSON of each event but the last, [DONE]."""
        assert self.events[-1] == (None, "[DONE]")
        return [json.loads(data) for _, data in self.events[:-1]]

    @property
    def text(self) -> str:
        return "".join(choice["text"] for piece in self.pieces for choice in piece["choices"])

    @property
    def usage(self) -> Any:
        return self.pieces[-1]["usage"]


async def connect(server: MockServer, **more: Any) -> Connection:
    where = urlsplit(server.base_url)
    return await asyncio.open_connection(where.hostname, where.port, **more)


def request(path: str = "/v1/completions", **fields: object) -> bytes:
    body = json.dumps({"prompt": [1, 2, 3], "stream_options": {"include_usage": True}, **fields}).encode()
    return b"POST %s HTTP/1.1\r\nHost: mock\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    answer = Answer()
    try:
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        answer.status = int(status.split()[1])
        answer.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if answer.headers.get("transfer-encoding") != "chunked":
            answer.body = await reader.readexactly(int(answer.headers["content-length"]))
            return answer
        while size := int(await reader.readuntil(b"\r\n"), 16):
            answer.body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
    except asyncio.IncompleteReadError as error:
        answer.body += error.partial
        answer.how = "truncated"
    except ConnectionResetError:
        answer.how = "reset"
    return answer


async def ask(server: MockServer, connection: Connection | None = None, **fields: Any) -> Answer:
    """One request (a stream of 8 tokens unless told otherwise) and its answer; without a connection on a new one."""
    reader, writer = connection or await connect(server)
    writer.write(request(**{"stream": True, "max_tokens": 8, **fields}))
    answer = await read_answer(reader)
    if connection is None:
        writer.close()
    return answer
