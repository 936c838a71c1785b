"""What a stream does when something is not as it should be."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from typing import Any

import pytest
from live_clients import following, listening_by_sse, opened, said, said_until, seqs
from live_service import Service
from sqlalchemy import delete
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from autotuner.contracts.store import EventType, NewEvent, TaskStatus
from autotuner.server.live import feed as feed_module
from autotuner.server.live import sockets, websocket
from autotuner.server.live import subscriber as subscriber_module
from autotuner.server.live.cursor import Positions, read_cursor
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
from autotuner.store.models import EventEntry
from conformance.store_suite import new_task
from server.served import client

PENDING = TaskStatus.PENDING


async def touch(service: Service, task_id: int, data: dict[str, Any] | None = None) -> int:
    event = NewEvent(type=EventType.TASK_UPDATED, data=data or {})
    task = await service.store.change_task(task_id, event, expected=[PENDING], status=PENDING)
    return task.next_seq - 1


async def task_with_events(service: Service, count: int, name: str = "a task") -> int:
    task = await service.store.create_task(new_task(name))
    for _ in range(count - 1):
        await touch(service, task.id)
    return task.id


def forget(service: Service, task_id: int, below: int) -> None:
    """Move a task's horizon: its first events are no longer there."""
    engine = sync_engine(parse_location(service.url))
    with engine.begin() as connection:
        connection.execute(delete(EventEntry).where(EventEntry.task_id == task_id, EventEntry.seq < below))
    engine.dispose()


async def test_below_the_horizon_a_resync_comes_first(service: Service) -> None:
    task = await task_with_events(service, 5)
    await asyncio.to_thread(forget, service, task, 4)
    async with opened(service.address, f"/api/ws/tasks/{task}?since=1") as ws:
        first = await said(ws)
        assert {key: first[key] for key in ("type", "task_id", "seq", "reason")} == {
            "type": "resync",
            "task_id": task,
            "seq": 5,
            "reason": "below_horizon",
        }
        await touch(service, task)
        assert (await said(ws))["seq"] == 6
    async with following(service.address, f"/api/ws/tasks/{task}?since=3") as ws:
        frames = await said_until(ws, lambda frames: len(frames) == 3)
        assert seqs(frames, task) == [4, 5, 6]
    async with opened(service.address, f"/api/ws/tasks/{task}?since=99") as ws:
        assert (await said(ws))["reason"] == "ahead_of_log"
    async with listening_by_sse(service.address, f"/api/sse/tasks/{task}?since=0") as events:
        place, data = await anext(events)
        assert (place, data["type"]) == ("6", "resync")
    cursor = Positions([(task, 1)]).cursor()
    async with following(service.address, f"/api/ws?since={cursor}") as ws:
        frames = await said_until(ws, lambda frames: len(frames) == 4)
        assert [(frame["type"], frame["seq"]) for frame in frames] == [
            ("resync", 3),
            ("task_updated", 4),
            ("task_updated", 5),
            ("task_updated", 6),
        ]
        assert dict(read_cursor(frames[0]["cursor"]).items()) == {task: 3}


async def test_events_that_go_before_they_are_read_are_told_to_be_missing(on_sqlite: Service) -> None:
    service = on_sqlite
    task = await task_with_events(service, 2)
    async with following(service.address, f"/api/ws/tasks/{task}") as ws:
        service.feed.told[task] = 1  # as if the feed were behind
        await asyncio.to_thread(forget, service, task, 3)
        end = await touch(service, task)
        frames = await said_until(ws, lambda frames: bool(frames) and frames[-1]["seq"] == end)
        assert [(frame["type"], frame["seq"]) for frame in frames] == [("resync", 2), ("task_updated", 3)]


async def test_a_client_that_does_not_read_holds_up_nobody_and_gets_a_resync(
    on_sqlite: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, events = on_sqlite, 40
    monkeypatch.setattr(subscriber_module, "MOST_WAITING", 10)
    task = await task_with_events(service, 1)
    async with following(service.address, f"/api/ws/tasks/{task}") as good, unread(service, task) as slow:
        for number in range(events):
            await touch(service, task, {"blob": secrets.token_hex(250_000)})
            assert (await said(good))["seq"] == number + 2
        frames = await said_until(slow, lambda frames: bool(frames) and frames[-1]["seq"] == events + 1)
        kinds = [frame["type"] for frame in frames]
        assert "resync" in kinds
        after = frames[kinds.index("resync")]["seq"]
        assert seqs(frames, task)[kinds.index("resync") :] == list(range(after, events + 2))
        end = await touch(service, task)
        assert (await said(slow))["seq"] == end


async def test_a_client_that_takes_nothing_is_closed(on_sqlite: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service = on_sqlite
    monkeypatch.setattr(sockets, "DRAIN_S", 0.2)
    monkeypatch.setattr(websocket, "GRACE_S", 60.0)
    task = await task_with_events(service, 1)
    async with unread(service, task) as slow:
        while service.feed.subscriber_count(task):
            await touch(service, task, {"blob": secrets.token_hex(300_000)})
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await said(slow)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1013


def unread(service: Service, task_id: int) -> connect:
    """A client that takes little of what it is not asked for."""
    host, port = service.address.removeprefix("http://").split(":")
    raw = socket.create_connection((host, int(port)))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    return opened(service.address, f"/api/ws/tasks/{task_id}", sock=raw, max_queue=1)


async def test_what_means_nothing_gets_an_error_and_the_connection_stays(on_sqlite: Service) -> None:
    service = on_sqlite
    task = await task_with_events(service, 1)
    async with following(service.address, f"/api/ws/tasks/{task}") as ws:
        for text in ("{", "[1]", '{"type": "sing"}', b"\x00", "[" * 10_000, '"' + "x" * 60_000 + '"'):
            await ws.send(text)
            frame = await said(ws)
            assert (frame["type"], frame["data"]) == ("error", {"code": "malformed"})
        await ws.send('{"type": "ping"}')
        assert (await said(ws))["type"] == "pong"
        await touch(service, task)
        assert (await said(ws))["seq"] == 2
        with pytest.raises(ConnectionClosed) as caught:
            for _ in range(sockets.MOST_ERRORS):
                await ws.send("?")
                await said(ws)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/ws/tasks/99", 404, "not_found"),
        ("/api/ws/tasks/x", 404, "not_found"),
        ("/api/ws/tasks/99999999999999999999", 404, "not_found"),
        ("/api/ws/experiments/99", 404, "not_found"),
        ("/api/ws/tasks/1?since=-1", 422, "invalid_value"),
        ("/api/ws/tasks/1?since=x", 422, "invalid_value"),
        ("/api/ws/tasks/1?sinse=1", 422, "invalid_value"),
        ("/api/ws?since=what", 422, "invalid_value"),
        ("/api/sse/tasks/99", 404, "not_found"),
        ("/api/sse/tasks/1?sinse=1", 422, "invalid_value"),
        ("/api/sse?since=what", 422, "invalid_value"),
        ("/api/ws/tasks/99/subscribers", 404, "not_found"),
    ],
)
async def test_a_wrong_request_is_refused_before_a_stream_begins(
    on_sqlite: Service, path: str, status: int, code: str
) -> None:
    await task_with_events(on_sqlite, 1)
    if path.startswith("/api/ws") and not path.endswith("subscribers"):
        with pytest.raises(InvalidStatus) as caught:
            async with opened(on_sqlite.address, path):
                pass
        got, body = caught.value.response.status_code, json.loads(caught.value.response.body)
    else:
        async with client(on_sqlite.address) as http:
            answer = await http.get(path)
            got, body = answer.status_code, answer.json()
    assert (got, body["code"]) == (status, code)


async def test_there_is_a_limit_of_streams(on_sqlite: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_STREAMS", 1)
    task = await task_with_events(on_sqlite, 1)
    async with following(on_sqlite.address, f"/api/ws/tasks/{task}"):
        with pytest.raises(InvalidStatus) as caught:
            async with opened(on_sqlite.address, "/api/ws"):
                pass
        assert caught.value.response.status_code == 503
        async with client(on_sqlite.address) as http:
            assert (await http.get("/api/sse")).status_code == 503


async def test_heartbeats_say_where_a_stream_stands(on_sqlite: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service = on_sqlite
    monkeypatch.setattr(feed_module, "HEARTBEAT_S", 1)
    monkeypatch.setattr(feed_module, "TICK_S", 0.02)
    task = await task_with_events(service, 3)
    async with (
        following(service.address, f"/api/ws/tasks/{task}") as one,
        following(service.address, "/api/ws") as everything,
    ):
        frame = await said(one, heartbeats=True)
        assert (frame["type"], frame["seq"], frame["task_id"]) == ("heartbeat", 3, task)
        frame = await said(everything, heartbeats=True)
        assert dict(read_cursor(frame["cursor"]).items()) == {task: 3}


async def test_a_service_that_ends_says_so(on_sqlite: Service) -> None:
    task = await task_with_events(on_sqlite, 1)
    async with following(on_sqlite.address, f"/api/ws/tasks/{task}") as ws:
        on_sqlite.feed.end()
        with pytest.raises(ConnectionClosed) as caught:
            await said(ws)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1012
    assert on_sqlite.feed.subscriber_count(task) == 0


async def test_nothing_of_a_stream_stays_when_its_client_goes(on_sqlite: Service) -> None:
    task = await task_with_events(on_sqlite, 1)
    async with following(on_sqlite.address, f"/api/ws/tasks/{task}"), following(on_sqlite.address, "/api/ws"):
        assert on_sqlite.feed.subscriber_count(task) == 1
    async with listening_by_sse(on_sqlite.address, f"/api/sse/tasks/{task}?since=0") as events:
        await anext(events)
    async with asyncio.timeout(30):
        while on_sqlite.feed.subscriber_count(task) or on_sqlite.feed.all_are_followed:
            await on_sqlite.feed.looked()
