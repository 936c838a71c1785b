"""Events that another process commits reach each client in order, once, without a gap."""

from __future__ import annotations

import asyncio
import random

import pytest
from live_clients import Said, Writer, following, listening_by_sse, said, said_until, seqs, writing
from live_service import Service

from autotuner.contracts.store import EventType, ExperimentOrigin, NewEvent, TaskStatus
from autotuner.server.live.frames import heartbeat_frame
from conformance.store_suite import new_task
from server.served import client

PENDING = TaskStatus.PENDING


async def touch(service: Service, task_id: int, experiment_id: int | None = None) -> int:
    event = NewEvent(type=EventType.TASK_UPDATED, experiment_id=experiment_id, data={"some": "thing"})
    task = await service.store.change_task(task_id, event, expected=[PENDING], status=PENDING)
    return task.next_seq - 1


async def test_a_frame_has_the_shape_of_the_documentation(service: Service) -> None:
    task = await service.store.create_task(new_task())
    async with following(service.address, f"/api/ws/tasks/{task.id}") as socket:
        assert socket.protocol.extensions, "permessage-deflate is on"
        assert await touch(service, task.id) == 2
        frame = await said(socket)
        stored = (await service.store.events(task.id, since=1))[0]
        assert frame == {
            "seq": 2,
            "type": "task_updated",
            "task_id": task.id,
            "timestamp": stored.timestamp.isoformat().replace("+00:00", "Z"),
            "data": {"some": "thing"},
        }


@pytest.mark.parametrize("burst", [200, pytest.param(1000, marks=pytest.mark.slow)])
async def test_a_burst_of_several_writers_on_one_task_and_on_several(service: Service, burst: int) -> None:
    tasks = [(await service.store.create_task(new_task(f"task {number}"))).id for number in range(2)]
    counts = [(burst // 2, [tasks[0]]), (burst // 2, tasks)]
    last = {tasks[0]: 1 + burst * 3 // 4, tasks[1]: 1 + burst // 4}

    async def read(path: str, of: list[int]) -> list[Said]:
        async with following(service.address, path) as socket:
            up.release()
            return await said_until(
                socket, lambda frames: all((seqs(frames, task) or [0])[-1] == last[task] for task in of)
            )

    up = asyncio.Semaphore(0)
    asked = [
        (f"/api/ws/tasks/{tasks[0]}", tasks[:1]),
        (f"/api/ws/tasks/{tasks[0]}?since=0", tasks[:1]),
        ("/api/ws", tasks),
    ]
    async with writing(service.url, counts) as writers:
        readers = [asyncio.create_task(read(path, of)) for path, of in asked]
        for _ in readers:
            await up.acquire()
        for writer in writers:
            writer.go()
        live, replayed, everything = await asyncio.gather(*readers)
    assert seqs(live, tasks[0]) == list(range(2, last[tasks[0]] + 1))
    assert seqs(replayed, tasks[0]) == list(range(1, last[tasks[0]] + 1))
    for task in tasks:
        assert seqs(everything, task) == list(range(2, last[task] + 1))


async def test_clients_that_come_again_at_random_miss_nothing_and_get_nothing_twice(service: Service) -> None:
    tasks = [(await service.store.create_task(new_task(f"task {number}"))).id for number in range(2)]
    chance = random.Random(1)
    last = {tasks[0]: 1 + 100, tasks[1]: 1 + 100}

    async def of_task(seed: random.Random) -> list[Said]:
        got: list[Said] = []
        while seqs(got, tasks[0])[-1:] != [last[tasks[0]]]:
            since = got[-1]["seq"] if got else 0
            async with following(service.address, f"/api/ws/tasks/{tasks[0]}?since={since}") as socket:
                for _ in range(seed.randint(1, 30)):
                    frame = await said(socket)
                    got.append(frame)
                    if frame["seq"] == last[tasks[0]]:
                        break
        return got

    async def of_all(seed: random.Random) -> list[Said]:
        got: list[Said] = []
        async with following(service.address, "/api/ws") as socket:
            up.set()
            got.append(await said(socket))
        while {task: max(seqs(got, task), default=0) for task in tasks} != last:
            async with following(service.address, f"/api/ws?since={got[-1]['cursor']}") as socket:
                for _ in range(seed.randint(1, 30)):
                    if {task: max(seqs(got, task), default=0) for task in tasks} == last:
                        break
                    frame = await said(socket)
                    got.append(frame)
        return got

    up = asyncio.Event()
    async with writing(service.url, [(100, tasks), (100, tasks)]) as writers:
        everything = asyncio.create_task(of_all(chance))
        some = [asyncio.create_task(of_task(random.Random(number))) for number in range(3)]
        await up.wait()
        for writer in writers:
            writer.go()
        for got in await asyncio.gather(*some):
            assert seqs(got, tasks[0]) == list(range(1, last[tasks[0]] + 1))
        got = await everything
        for task in tasks:
            assert seqs(got, task) == list(range(2, last[task] + 1))


async def test_a_writer_that_is_killed_leaves_no_gap(service: Service) -> None:
    task = (await service.store.create_task(new_task())).id
    async with following(service.address, f"/api/ws/tasks/{task}") as socket:
        for _ in range(2):
            writer = Writer(service.url, 100_000, [task])
            await writer.ready()
            writer.go()
            for _ in range(20):
                await writer.line()
            writer.kill()
            await writer.end()
        end = await touch(service, task)
        frames = await said_until(socket, lambda frames: bool(frames) and frames[-1]["seq"] == end)
        assert seqs(frames, task) == list(range(2, end + 1))


async def test_only_an_experiments_own_events_come_on_its_stream(on_sqlite: Service) -> None:
    service = on_sqlite
    task = await service.store.create_task(new_task())
    first, second = [
        await service.store.add_experiment(
            task.id, origin=ExperimentOrigin.SEARCH, parameters={"a": n}, identity=str(n)
        )
        for n in range(2)
    ]
    async with following(service.address, f"/api/ws/experiments/{first.id}?since=0") as socket:
        await touch(service, task.id, second.id)
        end = await touch(service, task.id, first.id)
        frame = await said(socket)
        assert (frame["seq"], frame["experiment_id"]) == (end, first.id)
        async with client(service.address) as http:
            path = f"/api/ws/tasks/{task.id}/subscribers"
            assert (await http.get(path)).json() == {"task_id": task.id, "subscriber_count": 1, "status": "active"}
    async with listening_by_sse(service.address, f"/api/sse/experiments/{first.id}?since=1") as events:
        assert (await anext(events))[1]["seq"] == end


async def test_server_sent_events_go_on_after_the_last_id(service: Service) -> None:
    tasks = [(await service.store.create_task(new_task(f"task {number}"))).id for number in range(2)]
    assert heartbeat_frame(task_id=1, seq=4).sse.endswith(b"}\nid: 4\n\n")
    async with listening_by_sse(service.address, f"/api/sse/tasks/{tasks[0]}?since=0") as events:
        assert (await anext(events))[0] == "1"
        await touch(service, tasks[0])
        place, data = await anext(events)
        assert (place, data["seq"]) == ("2", 2)
    await touch(service, tasks[0])
    async with listening_by_sse(service.address, f"/api/sse/tasks/{tasks[0]}?since=0", last_id=place) as events:
        assert (await anext(events))[0] == "3"
    async with listening_by_sse(service.address, "/api/sse") as events:
        # The stream is open before its first event: the answer has begun.
        while not service.feed.all_are_followed:
            await service.feed.looked()
        await touch(service, tasks[1])
        cursor, data = await anext(events)
        assert (data["task_id"], data["seq"], data["cursor"]) == (tasks[1], 2, cursor)
    await touch(service, tasks[0])
    third = (await service.store.create_task(new_task("third"))).id
    async with listening_by_sse(service.address, "/api/sse", last_id=cursor) as events:
        got = [(await anext(events))[1] for _ in range(2)]
        assert [(frame["task_id"], frame["seq"]) for frame in got] == [(tasks[0], 4), (third, 1)]
