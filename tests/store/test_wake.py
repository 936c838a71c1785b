"""Wake-ups between processes, on both databases."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.event_log import LogBounds
from autotuner.contracts.store import EventType, NewEvent, TaskStatus
from autotuner.store import SqlStore, open_store, upgrade
from autotuner.store.location import parse_location
from autotuner.store.wake import Sockets, Wakes, listening, wake_folder
from conformance.store_suite import new_task

WRITER = Path(__file__).with_name("appending_writer.py")
NEVER_S = 3600.0


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url = str(tmp_path / "x.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    await upgrade(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    async with open_store(url) as opened:
        yield opened


async def woken(wakes: Wakes) -> dict[int, int]:
    """What is told next, looks at everything left out."""
    async with asyncio.timeout(30):
        while not (told := await anext(wakes)):
            pass
        return told


async def listens(wakes: Wakes, store: SqlStore) -> None:
    """Wait until a listener hears: PostgreSQL is connected to meanwhile."""
    task = await store.create_task(new_task("hear"))
    while task.id not in await woken_or_not(wakes):
        await touch(store, task.id)


async def woken_or_not(wakes: Wakes) -> dict[int, int]:
    try:
        async with asyncio.timeout(0.2):
            return await anext(wakes)
    except TimeoutError:
        return {}


async def touch(store: SqlStore, task_id: int) -> None:
    pending = TaskStatus.PENDING
    await store.change_task(task_id, NewEvent(type=EventType.TASK_UPDATED), expected=[pending], status=pending)


async def test_a_commit_of_another_process_wakes(url: str, store: SqlStore) -> None:
    task = await store.create_task(new_task())
    async with listening(parse_location(url), poll_s=NEVER_S) as wakes:
        assert await anext(wakes) == {}
        await listens(wakes, store)
        writer = [sys.executable, WRITER, url, "1", "0", str(task.id)]
        await asyncio.to_thread(subprocess.run, writer, input=b"\n", stdout=subprocess.DEVNULL, check=True)
        told = {}
        while task.id not in told:
            told = await woken(wakes)
        assert told[task.id] == 2
    assert await store.log_positions([task.id]) == {task.id: 2}


async def test_a_unit_that_is_rolled_back_wakes_nobody(url: str, store: SqlStore) -> None:
    async with listening(parse_location(url), poll_s=NEVER_S) as wakes:
        assert await anext(wakes) == {}
        await listens(wakes, store)
        with pytest.raises(AutotunerError):
            await store.create_task(new_task("hear"))
        other = await store.create_task(new_task("other"))
        told: dict[int, int] = {}
        while other.id not in told:
            told |= await woken(wakes)
        assert max(told) == other.id


async def test_a_listener_looks_by_itself(url: str) -> None:
    async with listening(parse_location(url), poll_s=0.01) as wakes:
        for _ in range(3):
            assert await anext(wakes) == {}


def test_sockets_lie_in_a_folder_of_the_owner_whatever_the_length_of_its_name(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["a-long-name" * 4] * 4, "x.db")
    path.parent.mkdir(parents=True)

    async def scenario() -> None:
        async with listening(parse_location(str(path)), poll_s=NEVER_S) as wakes:
            assert await anext(wakes) == {}
            folder = wake_folder(path)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            sockets = Sockets(path)
            sockets.wake({3: 4})
            sockets.close()
            assert await woken(wakes) == {3: 4}
        assert list(folder.iterdir()) == []

    asyncio.run(scenario())


async def test_the_socket_of_a_dead_listener_is_removed_and_a_full_one_does_not_hold_up(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    listener = f"""
import asyncio, os, pathlib
from autotuner.store.location import parse_location
from autotuner.store.wake import listening
async def main():
    async with listening(parse_location({str(path)!r})):
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", listener], env=dict(os.environ))
    assert killed.returncode == -9
    assert len(list(wake_folder(path).iterdir())) == 1
    sockets = Sockets(path)
    sockets.wake({1: 1})
    assert list(wake_folder(path).iterdir()) == []
    async with listening(parse_location(str(path)), poll_s=NEVER_S) as wakes:
        assert await anext(wakes) == {}
        for seq in range(5000):
            sockets.wake({1: seq})
        assert 1 in await woken(wakes)
    sockets.close()


async def test_the_log_of_many_tasks_is_read_from_where_each_reader_stands(store: SqlStore) -> None:
    tasks = [await store.create_task(new_task(f"task {number}")) for number in range(3)]
    for task in tasks:
        for _ in range(task.id):
            await touch(store, task.id)
    ends = {task.id: task.id + 1 for task in tasks}
    assert await store.log_positions() == ends
    first, second, third = (task.id for task in tasks)
    found = await store.log_after({first: ends[first], second: 0, third: 2})
    expected = [(second, seq) for seq in range(1, ends[second] + 1)] + [
        (third, seq) for seq in range(3, ends[third] + 1)
    ]
    assert [(event.task_id, event.seq) for event in found] == expected
    assert len(await store.log_after({first: 0, second: 0}, limit=3)) == 3
    assert await store.log_bounds(first) == LogBounds(1, ends[first])
    assert await store.log_starts([first, 99]) == {first: 1}
    await store.delete_task(first)
    with pytest.raises(AutotunerError) as caught:
        await store.log_bounds(first)
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_what_is_known_does_not_wait_for_a_look_at_everything_which_is_not_put_off() -> None:
    wakes = Wakes(0.0)  # always due
    assert await anext(wakes) == {}
    for _ in range(3):
        wakes.tell(b"3:4")
        assert await anext(wakes) == {3: 4}
        wakes.tell(b"3:5")
        assert await anext(wakes) == {}
    wakes.tell(b"*")
    wakes.tell(b"3:6")
    assert await anext(wakes) == {}
