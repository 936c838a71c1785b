"""What every QueueStore must do. A test class inherits the tests and gives the fixtures ``queue`` and ``other_queue``.

``other_queue`` is a second connection to the same data. A worker is made silent by a claim that takes nobody's
heartbeat for fresh (``silent_s`` below zero), so that no test waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.queue import NewWorker, TaskQueue, WorkerState
from autotuner.contracts.store import EventType, NewEvent, StatusConflictError, TaskRecord, TaskStatus
from conformance.store_suite import new_task

FRESH_S = 3600.0
SILENT_S = -3600.0
STARTABLE = (TaskStatus.PENDING, TaskStatus.FAILED, TaskStatus.CANCELLED)
ENDS = {
    TaskStatus.COMPLETED: EventType.TASK_COMPLETED,
    TaskStatus.FAILED: EventType.TASK_FAILED,
    TaskStatus.CANCELLED: EventType.TASK_CANCELLED,
}


def new_worker(name: str = "w", pid: int = 4321) -> NewWorker:
    return NewWorker(name=name, host="h", pid=pid, version="1.2.3")


async def queued(store: TaskQueue, name: str, *, priority: int | None = None) -> TaskRecord:
    task = await store.create_task(new_task(name))
    return await store.enqueue_task(task.id, expected=STARTABLE, status=TaskStatus.PENDING, priority=priority)


async def set_status(store: TaskQueue, task_id: int, status: TaskStatus) -> TaskRecord:
    event = NewEvent(type=ENDS.get(status, EventType.TASK_UPDATED), data={"status": status.value})
    return await store.change_task(task_id, event, expected=tuple(TaskStatus), status=status)


class QueueSuite:
    """The tests."""

    async def test_a_queued_task_says_so_and_tells_it_as_its_last_event(self, queue: TaskQueue) -> None:
        task = await queued(queue, "a", priority=7)
        assert (task.status, task.priority, task.worker_id) == (TaskStatus.PENDING, 7, None)
        assert task.queued_at is not None
        events = await queue.events(task.id)
        assert [event.type for event in events] == [EventType.TASK_CREATED, EventType.TASK_UPDATED]
        assert events[-1].data == {"status": "pending", "queued": True, "priority": 7}
        assert task.next_seq == events[-1].seq + 1

    async def test_a_task_is_queued_once_and_only_from_the_states_that_were_expected(self, queue: TaskQueue) -> None:
        task = await queued(queue, "a")
        with pytest.raises(StatusConflictError) as caught:
            await queue.enqueue_task(task.id, expected=STARTABLE, status=TaskStatus.PENDING)
        assert caught.value.actual == "queued"
        done = await queue.create_task(new_task("done"))
        await set_status(queue, done.id, TaskStatus.COMPLETED)
        with pytest.raises(StatusConflictError) as caught:
            await queue.enqueue_task(done.id, expected=STARTABLE, status=TaskStatus.PENDING)
        assert caught.value.actual == "completed"
        assert (await queue.get_task(done.id)).queued_at is None
        with pytest.raises(AutotunerError) as unknown:
            await queue.enqueue_task(999, expected=STARTABLE, status=TaskStatus.PENDING)
        assert unknown.value.code is ErrorCode.NOT_FOUND

    @pytest.mark.parametrize("status", ENDS)
    async def test_a_task_that_ends_leaves_the_queue_and_its_worker(self, queue: TaskQueue, status: TaskStatus) -> None:
        worker = await queue.register_worker(new_worker())
        task = await queued(queue, "a")
        assert await queue.claim_task(worker.id, silent_s=FRESH_S) is not None
        ended = await set_status(queue, task.id, status)
        assert (ended.queued_at, ended.worker_id) == (None, None)
        assert await queue.claim_task(worker.id, silent_s=FRESH_S) is None

    async def test_greater_priority_first_then_who_has_waited_longest(self, queue: TaskQueue) -> None:
        worker = await queue.register_worker(new_worker())
        names = [("late", 0), ("later", 0), ("urgent", 5), ("never mind", -1)]
        for name, priority in names:
            await queued(queue, name, priority=priority)
        taken = []
        while (task := await queue.claim_task(worker.id, silent_s=FRESH_S, passed=frozenset(taken))) is not None:
            taken.append(task.id)
            assert task.worker_id == worker.id
        assert [(await queue.get_task(task_id)).name for task_id in taken] == [
            "urgent",
            "late",
            "later",
            "never mind",
        ]

    async def test_what_is_no_business_of_a_worker_is_not_claimed(self, queue: TaskQueue) -> None:
        worker = await queue.register_worker(new_worker())
        paused, deleted, passed, plain = [
            (await queued(queue, name)).id for name in ("paused", "deleted", "passed", "plain")
        ]
        await queue.create_task(new_task("not queued"))
        await set_status(queue, paused, TaskStatus.PAUSED)
        await queue.delete_task(deleted)
        await queue.dequeue_task(plain)
        assert await queue.claim_task(worker.id, silent_s=FRESH_S, passed=frozenset({passed})) is None
        await set_status(queue, paused, TaskStatus.RUNNING)
        claimed = await queue.claim_task(worker.id, silent_s=FRESH_S, passed=frozenset({passed}))
        assert claimed is not None
        assert claimed.id == paused
        await set_status(queue, passed, TaskStatus.CANCELLING)
        assert await queue.claim_task(worker.id, silent_s=FRESH_S, passed=frozenset({paused})) is not None

    async def test_only_a_task_that_nobody_has_claimed_is_taken_out(self, queue: TaskQueue) -> None:
        worker = await queue.register_worker(new_worker())
        task = await queued(queue, "a")
        assert await queue.claim_task(worker.id, silent_s=FRESH_S) is not None
        with pytest.raises(StatusConflictError) as caught:
            await queue.dequeue_task(task.id)
        assert caught.value.actual == "claimed"
        await queue.release_task(task.id, worker.id)
        out = await queue.dequeue_task(task.id)
        assert out.queued_at is None
        assert (await queue.events(task.id))[-1].data == {"status": "pending", "queued": False}
        with pytest.raises(StatusConflictError):
            await queue.dequeue_task(task.id)

    async def test_a_claim_holds_until_it_is_given_back_or_its_worker_is_gone_or_silent(
        self, queue: TaskQueue, other_queue: TaskQueue
    ) -> None:
        first = await queue.register_worker(new_worker("first"))
        second = await other_queue.register_worker(new_worker("second"))
        task = await queued(queue, "a")
        assert await queue.claim_task(first.id, silent_s=FRESH_S) is not None
        assert await other_queue.claim_task(second.id, silent_s=FRESH_S) is None
        again = await queue.claim_task(first.id, silent_s=FRESH_S)  # its own: it was cut off and goes on
        assert again is not None
        assert again.id == task.id
        await other_queue.release_task(task.id, second.id)  # not its own
        assert (await queue.get_task(task.id)).worker_id == first.id

        await queue.release_task(task.id, first.id)
        assert await other_queue.claim_task(second.id, silent_s=FRESH_S) is not None
        taken = await queue.claim_task(first.id, silent_s=SILENT_S)
        assert taken is not None
        assert taken.worker_id == first.id

        await queue.remove_worker(first.id)
        await queue.remove_worker(first.id)
        assert (await queue.get_task(task.id)).worker_id is None
        assert await other_queue.claim_task(second.id, silent_s=FRESH_S) is not None
        assert (await queue.events(task.id))[-1].data["queued"] is True, "claims are no events"

    async def test_a_worker_is_listed_with_what_it_does_until_it_is_dropped(self, queue: TaskQueue) -> None:
        assert await queue.list_workers() == []
        worker = await queue.register_worker(new_worker())
        assert (worker.state, worker.name, worker.pid) == (WorkerState.IDLE, "w", 4321)
        assert worker.heartbeat_at == worker.started_at
        task = await queued(queue, "a")
        assert await queue.claim_task(worker.id, silent_s=FRESH_S) is not None
        await queue.beat(worker.id, WorkerState.BUSY)
        (listed,) = await queue.list_workers()
        assert listed.state is WorkerState.BUSY
        assert listed.heartbeat_at >= worker.heartbeat_at
        assert 0 <= listed.silent_s < FRESH_S

        assert await queue.drop_workers(silent_s=FRESH_S) == 0
        assert await queue.drop_workers(silent_s=SILENT_S) == 1
        assert await queue.list_workers() == []
        assert (await queue.get_task(task.id)).worker_id is None
        for call in (queue.beat(worker.id, WorkerState.IDLE), queue.claim_task(worker.id, silent_s=FRESH_S)):
            with pytest.raises(AutotunerError) as caught:
                await call
            assert caught.value.code is ErrorCode.NOT_FOUND

    async def test_workers_that_claim_at_once_never_get_the_same_task(
        self, queue: TaskQueue, other_queue: TaskQueue
    ) -> None:
        wanted = {(await queued(queue, f"t{number}")).id for number in range(12)}
        claims: Counter[int] = Counter()

        async def work(store: TaskQueue, name: str) -> None:
            worker = await store.register_worker(new_worker(name))
            own: set[int] = set()
            while (task := await store.claim_task(worker.id, silent_s=FRESH_S, passed=frozenset(own))) is not None:
                own.add(task.id)
                claims[task.id] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(work(queue if number % 2 else other_queue, f"w{number}"))
        assert claims == dict.fromkeys(wanted, 1)
