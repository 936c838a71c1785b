"""The worker as a child: replaced when it dies, gone with its owner, and no server outlives either of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from autotuner.contracts.queue import WorkerRecord
from autotuner.contracts.store import TaskStatus
from autotuner.services.settings import Settings
from autotuner.store import SqlStore, open_store
from autotuner.worker.embedded import embedded_worker
from cli.command_runner import Commands
from faults.leftovers import wait_for_ends, working_with
from worker.queue_world import (
    assert_log_agrees,
    assert_once,
    owner_process,
    predictions,
    queued,
    real_servers,
    server_pids,
    settings_of,
    until,
    until_ended,
    worker_process,
)
from worker.said import Said


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    async with open_store(settings.database) as opened:
        yield opened


async def worker_of(store: SqlStore, other_than: int = 0) -> WorkerRecord:
    """The row of the worker, as soon as there is one with another process number."""
    async with asyncio.timeout(120):
        while True:
            for found in await store.list_workers():
                if found.pid != other_than:
                    return found
            await asyncio.sleep(0.05)


async def first_servers(store: SqlStore, task_id: int) -> set[int]:
    """The processes of the first server, as soon as there is one."""
    async with asyncio.timeout(120):
        while True:
            if found := await server_pids(store, task_id):
                return found
            await asyncio.sleep(0.05)


async def only(store: SqlStore, worker_id: int) -> None:
    """Wait until a worker is the only one that the store knows."""
    async with asyncio.timeout(60):
        while True:
            if [row.id for row in await store.list_workers()] == [worker_id]:
                return
            await asyncio.sleep(0.05)


async def test_a_child_that_dies_is_replaced_and_the_last_one_leaves(store: SqlStore, settings: Settings) -> None:
    said = Said()
    async with embedded_worker(settings, said.log) as embedded:
        first = await worker_of(store)
        assert embedded.pid == first.pid
        os.kill(first.pid, signal.SIGKILL)
        second = await worker_of(store, other_than=first.pid)
        await only(store, second.id)  # the dead one is known to be dead
        assert (await said.until("the worker process has ended; another is started"))["reason"] == "signal SIGKILL"
        task = await queued(store, settings, predictions(1))
        assert (await until_ended(store, task.id)).status is TaskStatus.COMPLETED
    assert await store.list_workers() == []
    await asyncio.to_thread(wait_for_ends, [second.pid])


async def test_a_child_that_cannot_work_says_why(store: SqlStore, settings: Settings) -> None:
    with closing(sqlite3.connect(settings.database)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '0003'")
    said = Said()
    async with embedded_worker(settings, said.log):
        reason = (await said.until("the worker process has ended; another is started"))["reason"]
    assert reason.startswith("exit status 2")
    assert "`autotuner db upgrade`" in reason


def test_a_worker_refuses_an_old_schema_with_a_sentence(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    assert commands("db", "upgrade").exit_code == 0
    with closing(sqlite3.connect(tmp_path / "data" / "autotuner.db")) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '0003'")
    ended = commands.spawn("worker")
    assert ended.returncode == 2
    assert "Error: The store has another schema" in ended.stderr
    assert "autotuner db upgrade" in ended.stderr


async def test_a_worker_that_gets_sigterm_hands_over_and_ends_well(store: SqlStore, settings: Settings) -> None:
    task = await queued(store, settings, predictions(400))
    with worker_process(settings) as worker:
        await until(store, task.id, lambda found: found.next_seq > 12)
        worker.send_signal(signal.SIGHUP)
        seq = (await store.get_task(task.id)).next_seq
        await until(store, task.id, lambda found: found.next_seq > seq + 6)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait) == 0
    left = await store.get_task(task.id)
    assert (left.status, left.worker_id, left.queued_at) == (TaskStatus.PENDING, None, task.queued_at)
    assert await store.list_workers() == []
    await assert_log_agrees(store, task.id)
    log = await asyncio.to_thread((settings.data_dir / "logs" / "worker.log").read_text)
    assert '"event": "stopped"' in log.splitlines()[-1]


@pytest.mark.engine
@pytest.mark.parametrize("victim", ["worker", "owner"])
async def test_no_server_outlives_its_worker_or_the_workers_owner(
    store: SqlStore, settings: Settings, victim: str
) -> None:
    task = await queued(store, settings, real_servers(3))
    with owner_process(settings) as owner:
        worker = await worker_of(store)
        before = await first_servers(store, task.id)
        if victim == "worker":
            os.kill(worker.pid, signal.SIGKILL)
            await until_ended(store, task.id)
            owner.send_signal(signal.SIGTERM)
        else:
            owner.kill()
        await asyncio.to_thread(owner.wait)
        await asyncio.to_thread(wait_for_ends, sorted(before | {worker.pid}))
        assert await asyncio.to_thread(working_with, settings.data_dir) == {}
    if victim == "owner":
        assert (await store.get_task(task.id)).status is TaskStatus.PENDING, "handed over"
        with worker_process(settings) as other:
            await until_ended(store, task.id)
            other.terminate()
            await asyncio.to_thread(other.wait)
    await assert_once(store, settings, task.id, 4)
