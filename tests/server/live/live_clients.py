"""Clients of live events for tests, and writers in processes of their own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from server.served import HEADERS

WRITER = Path(__file__).resolve().parents[2] / "store" / "appending_writer.py"
WAIT_S = 60.0

Said = dict[str, Any]


@asynccontextmanager
async def following(address: str, path: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket that is open and whose first frame, where the stream stands, was read."""
    async with opened(address, path, max_queue=None) as socket:
        await said(socket, heartbeats=True)
        yield socket


def opened(address: str, path: str, **options: Any) -> connect:
    """A WebSocket with the tests' token."""
    given = {"additional_headers": HEADERS, "ping_interval": None, "max_size": None, **options}
    return connect(address.replace("http://", "ws://") + path, **given)


async def said(socket: ClientConnection, *, heartbeats: bool = False) -> Said:
    """The next frame, heartbeats left out unless they are wanted."""
    async with asyncio.timeout(WAIT_S):
        while True:
            frame = json.loads(await socket.recv())
            assert isinstance(frame, dict)
            if heartbeats or frame["type"] != "heartbeat":
                return frame


async def said_until(socket: ClientConnection, enough: Callable[[list[Said]], bool]) -> list[Said]:
    """Frames until there are enough."""
    frames: list[Said] = []
    while not enough(frames):
        frames.append(await said(socket))
    return frames


def seqs(frames: list[Said], task_id: int) -> list[int]:
    """Numbers of a task's frames."""
    return [frame["seq"] for frame in frames if frame.get("task_id") == task_id]


class Writer:
    """A process that appends events when it is told to."""

    def __init__(self, url: str, count: int, tasks: list[int], *, pause_s: float = 0.0) -> None:
        words = [sys.executable, str(WRITER), url, str(count), str(pause_s), *map(str, tasks)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    async def ready(self) -> None:
        """Wait until it has opened the store."""
        assert await self.line() == "ready\n"

    async def line(self) -> str:
        """What it prints next: each event that was committed; empty at its end."""
        assert self.process.stdout is not None
        return await asyncio.to_thread(self.process.stdout.readline)

    def go(self) -> None:
        """Let it append."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    async def end(self) -> list[str]:
        """Wait for its end; the rest of what it printed."""
        out, _ = await asyncio.to_thread(self.process.communicate)
        return list(out.splitlines())

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()


@asynccontextmanager
async def writing(url: str, counts: list[tuple[int, list[int]]]) -> AsyncIterator[list[Writer]]:
    """Writers that are ready, one for each count and tasks; killed at the end."""
    writers = [Writer(url, count, tasks) for count, tasks in counts]
    try:
        for writer in writers:
            await writer.ready()
        yield writers
    finally:
        for writer in writers:
            writer.kill()
            await writer.end()


@asynccontextmanager
async def listening_by_sse(
    address: str, path: str, *, last_id: str | None = None
) -> AsyncIterator[AsyncIterator[tuple[str, Said]]]:
    """Server-sent events of a stream: id and data of each, comments left out."""
    headers = HEADERS if last_id is None else {**HEADERS, "Last-Event-ID": last_id}
    async with (
        httpx.AsyncClient(base_url=address, timeout=WAIT_S) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def events() -> AsyncIterator[tuple[str, Said]]:
            place, data = "", ""
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    place = line[4:]
                elif line.startswith("data: "):
                    data = line[6:]
                elif not line and data:
                    yield place, json.loads(data)
                    data = ""

        yield events()
