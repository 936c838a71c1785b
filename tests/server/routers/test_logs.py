"""The logs of a task's servers over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.store import EventType, NewEvent, TaskRecord, TaskStatus
from autotuner.server.app import create_app
from autotuner.server.routers import logs
from autotuner.store import SqlStore
from conformance.store_suite import add_experiment, job_of, new_task, run_task
from server.served import client, serving, settings_in


class Site:
    """A service with one task that runs, and its client."""

    def __init__(self, store: SqlStore, client: httpx.AsyncClient, task: TaskRecord, folder: Path) -> None:
        self.store = store
        self.client = client
        self.task = task
        self.path = f"/api/tasks/{task.id}/logs"
        self._folder = folder
        self._starts = 0

    async def start(self, text: bytes = b"") -> Path:
        """A start of a server, with its log."""
        self._starts += 1
        experiment = await add_experiment(self.store, self.task, f"i{self._starts}", {"n": self._starts})
        attempt = await self.store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
        folder = self._folder / str(self._starts)
        job = job_of(experiment, attempt.id).model_copy(update={"artefact_dir": str(folder)})
        await self.store.set_attempt_job(attempt.id, job)
        folder.mkdir()
        (folder / "server.log").write_bytes(text)
        return folder / "server.log"

    async def end(self) -> None:
        """The task has ended."""
        await self.store.change_task(
            self.task.id,
            NewEvent(type=EventType.TASK_COMPLETED),
            expected=[TaskStatus.RUNNING],
            status=TaskStatus.COMPLETED,
        )


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(logs, "LOOK_S", 0.02)
    app = create_app(settings_in(tmp_path))
    async with serving(app) as address, client(address, timeout=60) as http:
        store = app.state.context.store
        task = await run_task(store, await store.create_task(new_task()))
        yield Site(store, http, task, tmp_path)


async def test_all_logs_come_in_the_order_of_the_starts_each_below_a_line_that_names_it(site: Site) -> None:
    await site.start(b"fir\x1bst\n")
    await site.start(b"second \xff\n")
    answer = await site.client.get(site.path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.content == (
        b"== experiment 0, start 1 (first): experiment-0000/attempt-01 ==\nfir?st\n"
        b"\n== experiment 1, start 1 (first): experiment-0001/attempt-01 ==\nsecond \xff\n"
    )
    assert int(answer.headers["x-log-size"]) == len(answer.content) == int(answer.headers["x-log-next-offset"])
    parts, offset = b"", 0
    while part := (await site.client.get(site.path, params={"offset": offset, "limit": 7})).content:
        parts, offset = parts + part, offset + len(part)
    assert parts == answer.content


async def test_one_log_is_read_by_offset(site: Site) -> None:
    await site.start(b"0123456789")
    asked = {"stream": "experiment-0000/attempt-01", "offset": 4, "limit": 3}
    answer = await site.client.get(site.path, params=asked)
    assert (answer.content, answer.headers["x-log-next-offset"], answer.headers["x-log-size"]) == (b"456", "7", "10")
    assert (await site.client.get(site.path, params=asked | {"offset": 10})).content == b""


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"stream": "../../etc/passwd"}, 404), ({"offset": -1}, 422), ({"limit": 1 << 30}, 422), ({"streem": "x"}, 422)],
)
async def test_a_wrong_request_is_a_problem(site: Site, asked: dict[str, str], status: int) -> None:
    answer = await site.client.get(site.path, params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (await site.client.get("/api/tasks/99/logs")).status_code == 404


async def test_a_task_without_a_server_has_no_text(site: Site) -> None:
    assert (await site.client.get(site.path)).content == b""


async def test_who_follows_gets_what_is_there_what_comes_later_starts_and_the_end(site: Site) -> None:
    log = await site.start(b"gr\xc3")
    got: list[tuple[str, dict[str, str]]] = []
    async with site.client.stream("GET", site.path, params={"follow": "true"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        got.append(await event(lines))
        with log.open("ab") as more:
            more.write(b"\xbcn and more\n")
        while not got[-1][1]["text"].endswith("more\n"):
            got.append(await event(lines))
        await site.start(b"an\xc2\x9bother\n")
        got.append(await event(lines))
        await site.end()
        assert (await event(lines))[0] == "end"
    assert "".join(said["text"] for _, said in got) == "grün and more\nan?other\n"
    assert got[-1][1]["stream"] == "experiment-0001/attempt-01"
    async with site.client.stream(
        "GET", site.path, params={"follow": "true"}, headers={"Last-Event-ID": "experiment-0000/attempt-01:5"}
    ) as answer:
        lines = answer.aiter_lines()
        assert (await event(lines))[1]["text"] == " and more\n"


async def event(lines: AsyncIterator[str]) -> tuple[str, dict[str, str]]:
    """The next event: its name and data."""
    name = ""
    async with asyncio.timeout(60):
        async for line in lines:
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                return name, json.loads(line[6:])
    raise AssertionError("the stream ended")
