"""Whatever is sent: an answer or a closed connection, never a traceback, and the server goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.mock_server import MockOptions, MockServer
from mock_server.raw import Connection, ask, connect, read_answer, request

INSTANT = MockOptions(ttft_s=0.0, token_s=0.0)


@asynccontextmanager
async def watched() -> AsyncIterator[MockServer]:
    """A server; what the loop would have logged as a traceback is an error of the test."""
    wrong: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: wrong.append(context))
    async with MockServer(INSTANT) as server:
        yield server
        assert (await ask(server)).status == 200
    assert wrong == []


async def everything(connection: Connection, sent: list[bytes]) -> bytes:
    """All that comes back until the server closes, after the client has sent its last."""
    reader, writer = connection
    try:
        for piece in sent:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def pieces(data: bytes, ends: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(end % (len(data) + 1) for end in ends)})
    return [data[a:b] for a, b in pairwise(places)]


HEAD = st.sampled_from(
    [
        b"POST /v1/completions HTTP/1.1\r\n",
        b"GET /health HTTP/1.1\r\n",
        b"HEAD /v1/models HTTP/1.1\r\n",
        b"POST /v1/chat/completions HTTP/1.0\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 18446744073709551616\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"5\r\n",
        b"0\r\n\r\n",
        b'{"prompt":"a","max_tokens":1,"stream":true}',
        b"{",
        b"\xff\x00",
    ]
)


@given(st.lists(st.one_of(HEAD, st.binary(max_size=40)), max_size=8), st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_bytes_get_an_answer_or_a_closed_connection(parts: list[bytes], ends: list[int]) -> None:
    async def scene() -> None:
        async with watched() as server:
            answer = await everything(await connect(server), pieces(b"".join(parts), ends))
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")

    asyncio.run(scene())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "prompt": JSON,
        "messages": JSON,
        "max_tokens": JSON | st.integers(1, 3),
        "stream": JSON,
        "stream_options": JSON,
    },
)


@given(JSON | FIELDS, st.sampled_from(["/v1/completions", "/v1/chat/completions"]))
@settings(max_examples=150, deadline=None)
def test_any_json_gets_an_answer(fields: object, path: str) -> None:
    async def scene() -> None:
        async with watched() as server:
            reader, writer = await connect(server)
            body = json.dumps(fields).encode()
            head = f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            writer.write(head + body)
            answer = await read_answer(reader)
            writer.close()
            assert (answer.status, answer.how) in ((200, "whole"), (400, "whole"))

    asyncio.run(scene())


BODIES = (
    b"[" * 100_000,
    b"\xff\xfe{}",
    b'{"prompt": "\\ud800", "max_tokens": 2}',
    b'{"prompt": [1, true], "max_tokens": 2}',
    b'{"prompt": "x", "max_tokens": ' + b"9" * 5000 + b"}",
    b'{"max_tokens": NaN}',
)


@pytest.mark.parametrize("body", BODIES, ids=range(6))
async def test_bodies_that_break_readers(body: bytes) -> None:
    async with watched() as server:
        reader, writer = await connect(server)
        writer.write(b"POST /v1/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert (await read_answer(reader)).status == (200 if b"ud800" in body else 400)
        writer.close()


async def test_a_request_in_single_bytes_and_in_chunks_is_read() -> None:
    async with watched() as server:
        reader, writer = await connect(server)
        for byte in request(stream=True, max_tokens=2):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await read_answer(reader)).usage["completion_tokens"] == 2
        body = b'{"prompt":"a b","max_tokens":3}'
        writer.write(b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:]))
        assert json.loads((await read_answer(reader)).body)["usage"]["prompt_tokens"] == 2
        writer.close()


async def test_a_connection_ends_when_the_client_says_so() -> None:
    async with watched() as server:
        answer = await everything(await connect(server), [b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"])
        old = await everything(await connect(server), [b"GET /health HTTP/1.0\r\n\r\n"])
        bare = await everything(await connect(server), [b"HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n"])
    assert answer.endswith(b'{"status": "ok"}')
    assert old.endswith(b'{"status": "ok"}')
    assert bare.endswith(b"\r\n\r\n")
