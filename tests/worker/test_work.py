"""A worker on real stores and whole tasks of predictions: order, failures, pauses, hand-over, a database in use."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.queue import WorkerState
from autotuner.contracts.store import EventType, NewEvent, TaskStatus
from autotuner.services.queue import cancel_task, pause_task, resume_task, start_task
from autotuner.services.settings import Settings
from autotuner.services.task_lock import taken
from autotuner.store import SqlStore, open_store
from autotuner.worker.presence import this_process
from autotuner.worker.work import Worker
from worker.queue_world import (
    assert_log_agrees,
    assert_once,
    predictions,
    queued,
    real_servers,
    settings_of,
    until,
    until_ended,
)
from worker.said import Said

LONG = 400
"""Searched configurations of a task that is still under way when it is asked something."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    async with open_store(settings.database, busy_timeout_s=0.2) as opened:
        yield opened


@asynccontextmanager
async def working(store: SqlStore, settings: Settings, name: str = "w") -> AsyncIterator[Said]:
    """A worker in this process; cancelled at the end, as a signal does."""
    said = Said()
    worker = Worker(store, settings, this_process(name), said.log)
    running = asyncio.create_task(worker.run())
    try:
        yield said
    finally:
        worker.stopping()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def under_way(store: SqlStore, task_id: int, events: int = 12) -> None:
    """Wait until so much has happened of a task."""
    found = await until(store, task_id, lambda task: task.next_seq > events)
    assert found.status is TaskStatus.RUNNING


async def test_tasks_are_run_by_priority_and_one_that_cannot_be_run_has_failed(
    store: SqlStore, settings: Settings
) -> None:
    document = {**real_servers(1), "model": {"id_or_path": "/no/such/model.gguf"}}
    plain = await queued(store, settings, predictions(1), "plain")
    wrong = await queued(store, settings, document, "wrong", priority=1)
    first = await queued(store, settings, predictions(1), "first", priority=2)
    async with working(store, settings) as said:
        ends = [await until_ended(store, task.id) for task in (plain, wrong, first)]
        (row,) = await store.list_workers()
    assert [task.status for task in ends] == [TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.COMPLETED]
    taken_up = [entry["task"] for entry in said.entries if entry["event"] == "task taken up"]
    assert taken_up == ["first", "wrong", "plain"]
    assert ends[1].error is not None
    assert (await said.until("task failed"))["why"] == ends[1].error["why"]
    assert (ends[1].queued_at, ends[1].worker_id) == (None, None)
    assert ends[0].identity["engine"] == "simulated", "what it measures on was not known when it was stored"
    assert row.state in (WorkerState.BUSY, WorkerState.IDLE)
    assert (settings.task_dir(first.id) / "report.html").is_file()
    for task in ends:
        await assert_log_agrees(store, task.id)
    assert await store.list_workers() == []


async def test_a_worker_that_is_stopped_hands_its_task_over(store: SqlStore, settings: Settings) -> None:
    task = await queued(store, settings, predictions(25))
    async with working(store, settings):
        await under_way(store, task.id)
    left = await store.get_task(task.id)
    assert (left.status, left.worker_id, left.finished_at) == (TaskStatus.PENDING, None, None)
    assert left.queued_at == task.queued_at, "it keeps its place"
    assert left.elapsed_s > 0
    last = (await store.events(task.id, limit=10_000))[-1]
    assert (last.type, last.message) == (EventType.TASK_UPDATED, "handed over")
    await assert_log_agrees(store, task.id)
    async with working(store, settings, "second"):
        await until_ended(store, task.id)
    await assert_once(store, settings, task.id, 26)


async def test_a_paused_task_leaves_the_worker_to_others_until_it_is_resumed(
    store: SqlStore, settings: Settings
) -> None:
    task = await queued(store, settings, predictions(25))
    async with working(store, settings) as said:
        await under_way(store, task.id)
        assert (await pause_task(store, settings, task.id)).status is TaskStatus.PAUSED
        await said.until("task left: it was paused, changed or taken out of the queue")
        other = await queued(store, settings, predictions(1), "other")
        assert (await until_ended(store, other.id)).status is TaskStatus.COMPLETED
        paused = await store.get_task(task.id)
        assert paused.status is TaskStatus.PAUSED
        assert paused.queued_at == task.queued_at
        await assert_log_agrees(store, task.id)
        with pytest.raises(AutotunerError, match="cannot be started"):
            await start_task(store, settings, task.id)
        assert (await resume_task(store, settings, task.id)).status is TaskStatus.PENDING
        await until_ended(store, task.id)
    await assert_once(store, settings, task.id, 26)


async def test_a_running_task_is_cancelled_and_goes_on_when_it_is_started_again(
    store: SqlStore, settings: Settings
) -> None:
    task = await queued(store, settings, predictions(LONG))
    async with working(store, settings):
        await under_way(store, task.id)
        for again in range(2):
            with pytest.raises(AutotunerError) as caught:
                await start_task(store, settings, task.id)
            assert caught.value.code in (ErrorCode.TASK_BUSY, ErrorCode.CONFLICT), again
        assert (await cancel_task(store, settings, task.id)).status in (TaskStatus.CANCELLING, TaskStatus.CANCELLED)
        ended = await until_ended(store, task.id)
        assert (ended.status, ended.queued_at) == (TaskStatus.CANCELLED, None)
        await assert_log_agrees(store, task.id)
        kept = len(await store.list_experiments(task.id))
        await start_task(store, settings, task.id)
        await until(store, task.id, lambda found: found.next_seq > ended.next_seq + 12)
    assert len(await store.list_experiments(task.id)) > kept
    await assert_log_agrees(store, task.id)


async def test_what_a_killed_process_left_is_ended_or_gone_on_with(store: SqlStore, settings: Settings) -> None:
    ids = {}
    for status in (TaskStatus.RUNNING, TaskStatus.CANCELLING, TaskStatus.PAUSED):
        task = await queued(store, settings, predictions(1), status.value)
        event = NewEvent(type=EventType.TASK_UPDATED, data={"status": status.value})
        await store.change_task(task.id, event, expected=(TaskStatus.PENDING,), status=status)
        ids[status] = task.id
    async with working(store, settings):
        assert (await until_ended(store, ids[TaskStatus.RUNNING])).status is TaskStatus.COMPLETED
        assert (await until_ended(store, ids[TaskStatus.CANCELLING])).status is TaskStatus.CANCELLED
    assert (await store.get_task(ids[TaskStatus.PAUSED])).status is TaskStatus.PAUSED
    for task_id in ids.values():
        await assert_log_agrees(store, task_id)


async def test_a_task_that_another_process_runs_is_left_to_it(store: SqlStore, settings: Settings) -> None:
    held = await queued(store, settings, predictions(1), "held", priority=9)
    other = await queued(store, settings, predictions(1), "other")
    async with working(store, settings) as said:
        async with taken(settings, held):
            assert (await until_ended(store, other.id)).status is TaskStatus.COMPLETED
            assert (await store.get_task(held.id)).status is TaskStatus.PENDING
            assert (await said.until("task cannot be run now"))["code"] == "task_busy"
        assert (await until_ended(store, held.id)).status is TaskStatus.COMPLETED


async def test_a_database_that_cannot_be_written_is_waited_for(store: SqlStore, settings: Settings) -> None:
    task = await queued(store, settings, predictions(1))
    with ExitStack() as stack:
        stack.enter_context(locked(settings))
        async with working(store, settings) as said:
            waiting = await said.until("the database cannot be used; waiting for it")
            assert "write lock" in waiting["why"]
            stack.close()
            assert (await until_ended(store, task.id)).status is TaskStatus.COMPLETED
    events = [entry["event"] for entry in said.entries]
    assert events.count("the database cannot be used; waiting for it") == 1
    assert events.index("the database can be used again") < events.index("task taken up")


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    with closing(sqlite3.connect(settings.database, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
