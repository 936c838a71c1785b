"""The queue on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from autotuner.contracts.queue import TaskQueue
from autotuner.store import open_store, upgrade, utc_now
from conformance.queue_suite import FRESH_S, QueueSuite, new_worker, queued


@pytest.fixture
async def queue(postgres_url: str) -> AsyncIterator[TaskQueue]:
    await upgrade(postgres_url)
    async with open_store(postgres_url) as opened:
        yield opened


@pytest.fixture
async def other_queue(queue: TaskQueue, postgres_url: str) -> AsyncIterator[TaskQueue]:
    async with open_store(postgres_url) as opened:
        yield opened


class TestPostgresQueue(QueueSuite):
    """All of the suite."""


async def test_silence_is_told_by_the_clock_of_the_server(queue: TaskQueue, postgres_url: str) -> None:
    """A worker whose host's clock is a day behind is not silent for the others."""
    async with open_store(postgres_url, clock=lambda: utc_now() - timedelta(days=1)) as behind:
        slow = await behind.register_worker(new_worker("slow"))
        task = await queued(queue, "a")
        assert await behind.claim_task(slow.id, silent_s=FRESH_S) is not None
    other = await queue.register_worker(new_worker("other"))
    assert await queue.claim_task(other.id, silent_s=FRESH_S) is None
    assert (await queue.get_task(task.id)).worker_id == slow.id


async def test_a_task_that_another_one_is_just_claiming_is_skipped(queue: TaskQueue, postgres_url: str) -> None:
    import psycopg

    worker = await queue.register_worker(new_worker())
    first, second = await queued(queue, "a"), await queued(queue, "b")
    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        await other.execute("SELECT 1 FROM tasks WHERE id = %s FOR UPDATE", (first.id,))
        claimed = await queue.claim_task(worker.id, silent_s=FRESH_S)
    assert claimed is not None
    assert claimed.id == second.id
