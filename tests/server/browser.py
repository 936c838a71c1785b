"""A Chromium without a window, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP evil.test 127.0.0.1",
)
ENDPOINT = "DevTools listening on "


class Tab:
    """An open page."""

    def __init__(self, socket: ClientConnection, session: str, numbers: itertools.count[int]) -> None:
        self._socket = socket
        self._session = session
        self._numbers = numbers

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        return await _ask(self._socket, next(self._numbers), method, parameters, self._session)

    async def open(self, url: str) -> None:
        """Go there, and wait until all of it is loaded."""
        await self.send("Page.navigate", url=url)
        await self.until("location.href !== 'about:blank' && document.readyState === 'complete'")

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; promises are awaited."""
        answer = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true; the page is asked at each frame."""
        async with asyncio.timeout(60):
            while not await self._is_true(condition):
                pass

    async def _is_true(self, condition: str) -> bool:
        wait = f"new Promise(done => setTimeout(() => done(Boolean({condition})), 50))"
        try:
            return bool(await self.evaluate(wait))
        except (AssertionError, RuntimeError):  # it went elsewhere meanwhile
            return False

    async def screenshot(self, file: Path) -> None:
        """The whole page as a picture."""
        answer = await self.send("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def tab(self) -> Tab:
        """A new empty page."""
        target = await _ask(self._socket, next(self._numbers), "Target.createTarget", {"url": "about:blank"})
        attached = await _ask(
            self._socket,
            next(self._numbers),
            "Target.attachToTarget",
            {"targetId": target["targetId"], "flatten": True},
        )
        return Tab(self._socket, attached["sessionId"], self._numbers)


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Browser]:
    """A Chromium; skips the test without one."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed")
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while not (line := (await process.stderr.readline()).decode()).startswith(ENDPOINT):
                assert line, "it has ended"
        draining = asyncio.create_task(process.stderr.read())
        async with connect(line.removeprefix(ENDPOINT).strip(), max_size=None, proxy=None) as socket:
            yield Browser(socket)
        process.terminate()
        await draining
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ask(
    socket: ClientConnection, number: int, method: str, parameters: dict[str, Any], session: str | None = None
) -> dict[str, Any]:
    command: dict[str, Any] = {"id": number, "method": method, "params": parameters}
    if session is not None:
        command["sessionId"] = session
    await socket.send(json.dumps(command))
    async with asyncio.timeout(60):
        while (answer := json.loads(await socket.recv())).get("id") != number:
            continue
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    result: dict[str, Any] = answer["result"]
    return result
