"""Death and cancellation in the middle of a write, on both databases."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from autotuner.contracts.store import EventType, NewEvent, Store, TaskStatus
from autotuner.store import check, open_store, upgrade
from conformance.store_suite import assert_gapless, new_task

WRITER = Path(__file__).with_name("crashing_writer.py")


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with its tables, on each database."""
    url = str(tmp_path / "x.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    await upgrade(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with open_store(url) as opened:
        yield opened


def start_writer(url: str, task_id: int, until: str) -> subprocess.Popen[str]:
    """Start a writing process."""
    return subprocess.Popen(
        [sys.executable, WRITER, url, str(task_id), until], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )


async def assert_both_or_neither(store: Store, task_id: int, least: float) -> float:
    """The row and the log agree, and nothing that was reported done is missing; returns the stored figure."""
    task = await store.get_task(task_id)
    events = [entry for entry in await store.events(task_id) if entry.type is EventType.TASK_UPDATED]
    assert [entry.data["elapsed_s"] for entry in events] == [float(n + 1) for n in range(len(events))]
    assert task.elapsed_s == float(len(events)) >= least
    await assert_gapless(store, task_id)
    return task.elapsed_s


@pytest.mark.parametrize(("instant", "stored"), [("before_commit", 0.0), ("after_commit", 1.0)])
async def test_a_writer_that_dies_at_its_commit(url: str, store: Store, instant: str, stored: float) -> None:
    task = await store.create_task(new_task())
    with start_writer(url, task.id, instant) as writer:
        assert await asyncio.to_thread(writer.wait, 60) == -signal.SIGKILL
    assert await assert_both_or_neither(store, task.id, stored) == stored
    assert await check(url) == []
    await store.create_task(new_task("writable afterwards"))


async def test_a_writer_that_is_killed_at_any_instant_loses_nothing_that_it_reported(url: str, store: Store) -> None:
    for lines in (1, 4, 9):
        task = await store.create_task(new_task(f"task {lines}"))
        with start_writer(url, task.id, "loop") as writer:
            assert writer.stdout is not None
            reported = [float(await asyncio.to_thread(writer.stdout.readline)) for _ in range(lines)]
            writer.kill()
            rest = await asyncio.to_thread(writer.stdout.read)
        reported += [float(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        await assert_both_or_neither(store, task.id, reported[-1])
    assert await check(url) == []


async def test_two_processes_write_to_one_task_without_a_gap(url: str, store: Store) -> None:
    task = await store.create_task(new_task())
    writers = [start_writer(url, task.id, "loop") for _ in range(2)]
    update = NewEvent(type=EventType.TASK_UPDATED, data={"from": "here"})
    pending = TaskStatus.PENDING
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert await asyncio.to_thread(writer.stdout.readline) == "1.0\n"
        await asyncio.gather(
            *(store.change_task(task.id, update, expected=[pending], status=pending) for _ in range(20))
        )
        for writer in writers:
            assert writer.stdout is not None
            await asyncio.to_thread(writer.stdout.readline)
    finally:
        for writer in writers:
            writer.kill()
            await asyncio.to_thread(writer.communicate)
    await assert_gapless(store, task.id)
    ours = [entry for entry in await store.events(task.id) if entry.data == {"from": "here"}]
    assert len(ours) == 20


@pytest.mark.parametrize("times", [1, 2])
async def test_cancellation_during_a_commit_does_not_lose_it(url: str, store: Store, times: int) -> None:
    task = await store.create_task(new_task())
    started = NewEvent(type=EventType.TASK_STARTED)
    change = asyncio.create_task(
        store.change_task(task.id, started, expected=[TaskStatus.PENDING], status=TaskStatus.RUNNING)
    )

    def cancel(_session: Session) -> None:
        for _ in range(times):
            asyncio.get_running_loop().call_soon(change.cancel)

    event.listen(Session, "before_commit", cancel)
    try:
        with pytest.raises(asyncio.CancelledError):
            await change
    finally:
        event.remove(Session, "before_commit", cancel)
    # Stored already: the caller was told only after the commit.
    async with open_store(url) as other:
        assert (await other.get_task(task.id)).status is TaskStatus.RUNNING
        await assert_gapless(other, task.id)
