"""The version that a running server tells of itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from autotuner.contracts.attempt import ServerFacts
from autotuner.contracts.deployment import Endpoint
from autotuner.deploy.probe import with_version
from autotuner.engines.registry import engine


@asynccontextmanager
async def telling(body: bytes) -> AsyncIterator[Endpoint]:
    """A server that answers everything with this body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Endpoint(f"http://127.0.0.1:{port}", "model")


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ({"ui_settings": {"engine_version": "2026.10.1"}, "build_info": "b1-abc"}, "2026.10.1"),
        ({"ui_settings": {}, "build_info": "b9123-abc"}, "b9123-abc"),
        ({"build_info": "b9123-abc"}, "b9123-abc"),
        ({"ui_settings": None}, None),
        ([], None),
    ],
)
async def test_llamacpp_tells_our_version_or_its_build(told: object, version: str | None) -> None:
    async with telling(json.dumps(told).encode()) as endpoint:
        assert (await with_version(endpoint, engine("llamacpp").server)).engine_version == version


async def test_without_a_second_place_there_is_none() -> None:
    async with telling(b'{"version": "1"}') as endpoint:
        facts = ServerFacts(version_path="/version", version_field="engine.version")
        assert (await with_version(endpoint, facts)).engine_version is None
    async with telling(b"no JSON") as endpoint:
        assert (await with_version(endpoint, ServerFacts(version_path="/version"))).engine_version is None
