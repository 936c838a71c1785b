"""The server's cache is emptied before each measurement whose requests could find something in it, and at no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptJob, ServerFacts
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.load_search import LoadLimit, LoadSearch
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic, Workload
from autotuner.runner import cache_reset
from autotuner.runner.probing import measurements
from conformance.fake_parts import FakeClient, FakeSession, load_point, make_job, measurement

PATH = "/empty"


class Server:
    """Answers POST with the given answers, the last of them for ever, and keeps what it was asked."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.keys: set[str | None] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Endpoint]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "m", "secret")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(" ".join(head.split()[:2]))
        keys = [line.partition(": ")[2] for line in head.splitlines() if line.startswith("Authorization")]
        self.keys.add(keys[0] if keys else None)
        status, text = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_reset, "PAUSE_S", 0.0)


def shared(concurrency: int) -> LoadPoint:
    """Requests with a common beginning."""
    length = Length(mean=10)
    scenario = Scenario(text="P(100,10)/10", prompt=length, output=length, prefix=100)
    return LoadPoint(traffic=Traffic(text="P(100,10)/10", parts=((1.0, scenario),)), concurrency=concurrency)


def job(folder: Path, *points: LoadPoint, repeats: int = 1, path: str | None = PATH) -> AttemptJob:
    workload = Workload(load_points=points, repeats=repeats)
    return make_job(folder, workload=workload, server=ServerFacts(cache_reset_path=path))


async def taken(asked: AttemptJob, endpoint: Endpoint) -> list[Measurement]:
    session = FakeSession(FakeClient())
    return [m async for m in measurements(session, asked, endpoint, Path(asked.artefact_dir), lambda _: None)]


async def test_before_each_measurement_with_the_servers_key(tmp_path: Path) -> None:
    server = Server((200, ""))
    async with server.listening() as endpoint:
        found = await taken(job(tmp_path, shared(1), shared(2), repeats=2), endpoint)
    assert [(m.load_point, m.repeat, m.cache_emptied) for m in found] == [
        ("P(100,10)/10@1", 0, True),
        ("P(100,10)/10@1", 1, True),
        ("P(100,10)/10@2", 0, True),
        ("P(100,10)/10@2", 1, True),
    ]
    assert server.asked == [f"POST {PATH}"] * 4
    assert server.keys == {"Bearer secret"}


async def test_what_a_cut_off_start_has_measured_is_not_taken_again(tmp_path: Path) -> None:
    server = Server((200, ""))
    asked = job(tmp_path, shared(1), shared(2)).model_copy(update={"done": (("P(100,10)/10@1", 0),)})
    async with server.listening() as endpoint:
        found = await taken(asked, endpoint)
    assert [m.load_point for m in found] == ["P(100,10)/10@2"]
    assert len(server.asked) == 1


async def test_somebody_elses_cache_is_never_emptied(tmp_path: Path) -> None:
    server = Server((200, ""))
    async with server.listening() as endpoint:
        asked = job(tmp_path, shared(1)).model_copy(update={"command": None, "endpoint_url": endpoint.base_url})
        (found,) = await taken(asked, endpoint)
    assert found.cache_emptied is None
    assert server.asked == []


async def test_requests_with_nothing_in_common_leave_the_server_alone(tmp_path: Path) -> None:
    server = Server((200, ""))
    async with server.listening() as endpoint:
        plain = await taken(job(tmp_path, load_point(1), load_point(2)), endpoint)
        no_call = await taken(job(tmp_path, shared(1), path=None), endpoint)
    assert [m.cache_emptied for m in (*plain, *no_call)] == [None, None, None]
    assert server.asked == []


@pytest.mark.parametrize(
    ("answers", "emptied", "asked"),
    [
        (((404, ""),), False, 1),
        (((200, '{"success": false}'),), False, cache_reset.TRIES),
        (((400, "busy"), (200, '{"success": true}')), True, 2),
        (((200, '{"success": false}'), (200, "ok")), True, 2),
    ],
)
async def test_what_was_not_emptied_is_said(
    tmp_path: Path, answers: tuple[tuple[int, str], ...], emptied: bool, asked: int
) -> None:
    server = Server(*answers)
    async with server.listening() as endpoint:
        (found,) = await taken(job(tmp_path, shared(1)), endpoint)
    assert found.cache_emptied is emptied
    assert len(server.asked) == asked


async def test_a_server_that_is_gone_costs_the_reset_alone(tmp_path: Path) -> None:
    async with Server((200, "")).listening() as endpoint:
        pass
    (found,) = await taken(job(tmp_path, shared(1)), endpoint)
    assert found.cache_emptied is False


async def test_before_each_probe_of_a_search(tmp_path: Path) -> None:
    search = LoadSearch(by="concurrency", lowest=1, highest=4, start=4)
    limits = (LoadLimit(figure="mean_ttft", metric="ttft", threshold=0.1),)
    workload = Workload(load_points=(shared(1), shared(4)), load_search=search)
    asked = job(tmp_path, shared(1)).model_copy(update={"workload": workload, "load_limits": limits})
    server = Server((200, ""))
    client = FakeClient(lambda job, point, repeat: measurement(point, repeat=repeat, ttft=0.01))
    async with server.listening() as endpoint:
        session = FakeSession(client)
        found = [m async for m in measurements(session, asked, endpoint, tmp_path, lambda _: None)]
    assert len(found) == len(server.asked) > 0
    assert all(m.cache_emptied for m in found)
