"""In a real browser: foreign pages reach nothing, and the service's own page may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, Tab, browser
from fastapi import FastAPI
from served import TOKEN, serving, settings_in

from autotuner.contracts.listing import TaskQuery
from autotuner.server.app import create_app
from autotuner.store.sql_store import SqlStore

DOCUMENT = json.dumps({"content": "task_name: evil\nmodel: {id_or_path: tiny}\nparameters: {n_ubatch: [16, 32]}\n"})

ATTEMPTS = """
(async () => {
  const service = %(service)s, body = %(body)s, done = {};
  const post = (kind, init) => fetch(service + "/api/tasks/import", { method: "POST", credentials: "include", ...init })
    .then((answer) => answer.type === "opaque" ? "sent" : `read ${answer.status}`, () => "failed")
    .then((said) => { done[kind] = said; });
  await post("plain", { mode: "no-cors", headers: { "Content-Type": "text/plain" }, body });
  await post("json", { headers: { "Content-Type": "application/json" }, body });
  await post("blob", { mode: "no-cors", body: new Blob([body]) });
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    await new Promise((loaded) => {
      const frame = document.createElement("iframe"), form = document.createElement("form");
      frame.name = "f" + Math.random();
      document.body.append(frame);
      Object.assign(form, { method: "post", action: service + "/api/tasks/import", enctype, target: frame.name });
      const field = document.createElement("input");
      field.name = "file";
      field.value = body;
      form.append(field);
      document.body.append(form);
      frame.onload = () => { done["form " + enctype] = "sent"; loaded(); };
      form.submit();
    });
  }
  const element = (kind, name, path) => new Promise((ended) => {
    const made = document.createElement(name);
    made.onload = () => { done[kind] = "loaded"; ended(); };
    made.onerror = () => { done[kind] = "failed"; ended(); };
    made.src = service + path;
    document.body.append(made);
  });
  await element("image", "img", "/api/tasks");
  await element("script", "script", "/theme.js");
  await new Promise((ended) => {
    const socket = new WebSocket(service.replace("http", "ws") + "/api/ws");
    socket.onopen = () => { done.socket = "open"; ended(); };
    socket.onerror = () => { done.socket = "failed"; ended(); };
  });
  await fetch(service + "/api/tasks", { credentials: "include" })
    .then(() => { done.read = "read"; }, () => { done.read = "failed"; });
  return done;
})()
"""


@dataclass
class World:
    """A service, a page of somebody else on another port, and a browser that has opened both."""

    app: FastAPI
    service: str
    evil_port: str
    browser: Browser
    answers: list[tuple[str, str, int]]
    """Method, path and status of what came to the service."""

    @property
    def store(self) -> SqlStore:
        store: SqlStore = self.app.state.context.store
        return store

    async def own_page(self) -> Tab:
        tab = await self.browser.tab()
        await tab.open(f"{self.service}/?token={TOKEN}")
        return tab


class Noting:
    """Notes what came to a service and how it was answered."""

    def __init__(self, app: Any, answers: list[tuple[str, str, int]]) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            if message["type"].endswith("response.start"):
                self._answers.append((scope.get("method", "WS"), scope["path"], message["status"]))
            await send(message)

        await self._app(scope, receive, noting)


async def _evil(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    page = b"<!doctype html><title>evil</title><body>hello</body>"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + page)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    app = create_app(settings_in(folder / "data"))
    answers: list[tuple[str, str, int]] = []
    app.add_middleware(Noting, answers=answers)
    async with (
        serving(app) as address,
        await asyncio.start_server(_evil, "127.0.0.1", 0) as evil,
        browser(folder / "profile") as opened,
    ):
        yield World(app, address, str(evil.sockets[0].getsockname()[1]), opened, answers)


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1"])
async def test_a_foreign_page_changes_and_reads_nothing(tmp_path: Path, host: str) -> None:
    """Of another site, and of another port of this host, to which browsers send the cookie of the service."""
    async with world(tmp_path) as all_of_it:
        own = await all_of_it.own_page()
        assert await own.evaluate("fetch('/api/tasks').then(answer => answer.status)") == 200
        assert TOKEN not in await own.evaluate("location.href + document.cookie + document.documentElement.outerHTML")

        await own.send("Page.navigate", url="about:blank")  # it asks for news by itself; its cookie stays
        tab = await all_of_it.browser.tab()
        await tab.open(f"http://{host}:{all_of_it.evil_port}/")
        del all_of_it.answers[:]
        script = ATTEMPTS % {"service": json.dumps(all_of_it.service), "body": json.dumps(DOCUMENT)}
        done = await tab.evaluate(script)

        assert {kind: done[kind] for kind in ("json", "image", "script", "socket", "read")} == {
            "json": "failed",
            "image": "failed",
            "script": "failed",
            "socket": "failed",
            "read": "failed",
        }
        came = [answer for answer in all_of_it.answers if answer[0] in {"POST", "OPTIONS", "WS"}]
        assert len([answer for answer in came if answer[0] == "POST"]) >= 5  # the attempts did arrive
        assert {status for _, _, status in all_of_it.answers} <= {401, 403}
        assert (await all_of_it.store.query_tasks(TaskQuery())).total == 0

        status = "fetch('/api/tasks/import', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %s})"
        await own.open(f"{all_of_it.service}/")
        made = await own.evaluate(f"{status % json.dumps(DOCUMENT)}.then(answer => answer.status)")
        assert made == 201  # the own page may, with the same text
        assert (await all_of_it.store.query_tasks(TaskQuery())).total == 1


async def test_a_name_that_is_made_to_lead_here_reaches_nothing(tmp_path: Path) -> None:
    """DNS rebinding: for the browser the service is a page of evil.test, so scripts may read what it answers."""
    async with world(tmp_path) as all_of_it:
        tab = await all_of_it.browser.tab()
        rebound = all_of_it.service.replace("127.0.0.1", "evil.test")
        await tab.open(f"{rebound}/?token={TOKEN}")
        found = await tab.evaluate("fetch('/api/system/info').then(answer => answer.json())")
        assert found["code"] == "host_not_allowed"
        assert await tab.evaluate("fetch('/api/system/live').then(answer => answer.status)") == 403
        assert {status for _, _, status in all_of_it.answers} == {403}


async def test_the_page_of_the_api_shows_its_calls_and_its_style(tmp_path: Path) -> None:
    async with world(tmp_path) as all_of_it:
        own = await all_of_it.own_page()
        await own.open(f"{all_of_it.service}/docs")
        assert "/api/system/health" in await own.evaluate("document.body.textContent")
        assert await own.evaluate("getComputedStyle(document.querySelector('.prose')).whiteSpaceCollapse") != "collapse"
