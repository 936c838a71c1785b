"""What is asked of stored tasks that workers run: what is allowed when, and what the store holds afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import (
    EventType,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    NewEvent,
    NewTask,
    TaskRecord,
    TaskStatus,
)
from autotuner.services.queue import cancel_task, pause_task, resume_task, retry_task, start_task
from autotuner.services.settings import Settings
from autotuner.services.task_lock import taken
from autotuner.store import SqlStore, open_store
from worker.queue_world import assert_log_agrees, predictions, settings_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    async with open_store(settings.database) as opened:
        yield opened


async def stored(store: SqlStore, status: TaskStatus = TaskStatus.PENDING) -> TaskRecord:
    """A task that is not queued."""
    task = await store.create_task(NewTask(name="t", document=predictions(1, "task_name=t"), fingerprint="f"))
    event = NewEvent(type=EventType.TASK_UPDATED, data={"status": status.value})
    return await store.change_task(task.id, event, expected=tuple(TaskStatus), status=status)


async def experiment(store: SqlStore, task: TaskRecord, *, failed: bool) -> ExperimentRecord:
    """An experiment that has failed, or one whose attempt has not ended."""
    count = len(await store.list_experiments(task.id))
    made = await store.add_experiment(
        task.id, origin=ExperimentOrigin.SEARCH, parameters={"a": count}, identity=f"i{count}"
    )
    await store.start_attempt(made.id, reason=AttemptReason.FIRST, host={})
    if not failed:
        return made
    failure = Failure(kind=FailureClass.CRASH, diagnosis="d", hint="h")
    event = NewEvent(type=EventType.EXPERIMENT_FAILED, experiment_id=made.id)
    return await store.finish_experiment(made.id, event, status=ExperimentStatus.FAILED, failure=failure)


async def refused(work: Awaitable[object]) -> AutotunerError:
    with pytest.raises(AutotunerError) as caught:
        await work
    return caught.value


async def test_a_task_is_started_once(store: SqlStore, settings: Settings) -> None:
    task = await stored(store)
    started = await start_task(store, settings, task.id, priority=3)
    assert (started.status, started.priority) == (TaskStatus.PENDING, 3)
    assert started.queued_at is not None
    error = await refused(start_task(store, settings, task.id))
    assert (error.code, error.what) == (ErrorCode.CONFLICT, "the task 't' is in the queue already")
    assert "waits for a worker" in error.why
    assert await store.get_task(task.id) == started, "a refusal changes nothing"
    assert (await refused(start_task(store, settings, 99))).code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (TaskStatus.COMPLETED, "nothing left to do"),
        (TaskStatus.PAUSED, "cannot be started"),
        (TaskStatus.CANCELLING, "cannot be started"),
    ],
)
async def test_what_cannot_be_started_is_told_why(
    store: SqlStore, settings: Settings, status: TaskStatus, words: str
) -> None:
    task = await stored(store, status)
    error = await refused(start_task(store, settings, task.id))
    assert error.code is ErrorCode.CONFLICT
    assert words in error.what
    assert await store.get_task(task.id) == task


async def test_a_task_that_a_process_runs_is_not_queued(store: SqlStore, settings: Settings) -> None:
    task = await stored(store, TaskStatus.RUNNING)
    async with taken(settings, task):
        assert (await refused(start_task(store, settings, task.id))).code is ErrorCode.TASK_BUSY
    assert (await store.get_task(task.id)).queued_at is None


async def test_a_task_that_a_dead_process_left_running_can_be_started(store: SqlStore, settings: Settings) -> None:
    task = await stored(store, TaskStatus.RUNNING)
    begun = await experiment(store, task, failed=False)
    started = await start_task(store, settings, task.id)
    assert started.status is TaskStatus.PENDING
    assert started.queued_at is not None
    assert (await store.get_experiment(begun.id)).status is ExperimentStatus.PENDING
    assert [attempt.status for attempt in await store.list_attempts(task.id)] == [AttemptStatus.INTERRUPTED]
    await assert_log_agrees(store, task.id)


async def test_a_failed_task_is_started_with_all_its_failed_experiments(store: SqlStore, settings: Settings) -> None:
    task = await stored(store, TaskStatus.RUNNING)
    for _ in range(2):
        await experiment(store, task, failed=True)
    event = NewEvent(type=EventType.TASK_FAILED)
    await store.change_task(task.id, event, expected=(TaskStatus.RUNNING,), status=TaskStatus.FAILED)
    assert (await start_task(store, settings, task.id)).status is TaskStatus.PENDING
    assert {e.status for e in await store.list_experiments(task.id)} == {ExperimentStatus.PENDING}
    await assert_log_agrees(store, task.id)


async def test_a_task_that_waits_is_cancelled_at_once(store: SqlStore, settings: Settings) -> None:
    task = await stored(store)
    before = (await start_task(store, settings, task.id)).next_seq
    ended = await cancel_task(store, settings, task.id)
    assert (ended.status, ended.queued_at) == (TaskStatus.CANCELLED, None)
    assert [event.type for event in await store.events(task.id, since=before - 1)] == [EventType.TASK_CANCELLED]
    assert (await refused(cancel_task(store, settings, task.id))).code is ErrorCode.CONFLICT
    assert (await start_task(store, settings, task.id)).status is TaskStatus.PENDING


@pytest.mark.parametrize("status", [TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING])
async def test_a_running_task_is_left_to_its_process_and_one_left_behind_is_ended_here(
    store: SqlStore, settings: Settings, status: TaskStatus
) -> None:
    task = await stored(store, status)
    begun = await experiment(store, task, failed=False)
    async with taken(settings, task):
        assert (await cancel_task(store, settings, task.id)).status is TaskStatus.CANCELLING
    assert (await cancel_task(store, settings, task.id)).status is TaskStatus.CANCELLED
    assert (await store.get_experiment(begun.id)).status is ExperimentStatus.PENDING
    await assert_log_agrees(store, task.id)


async def test_pause_and_resume(store: SqlStore, settings: Settings) -> None:
    task = await stored(store)
    assert (await refused(pause_task(store, settings, task.id))).code is ErrorCode.CONFLICT
    assert (await refused(resume_task(store, settings, task.id))).code is ErrorCode.CONFLICT
    event = NewEvent(type=EventType.TASK_STARTED)
    await store.change_task(task.id, event, expected=(TaskStatus.PENDING,), status=TaskStatus.RUNNING)
    async with taken(settings, task):
        assert (await pause_task(store, settings, task.id)).status is TaskStatus.PAUSED
        held = await resume_task(store, settings, task.id)
        assert (held.status, held.queued_at) == (TaskStatus.RUNNING, None)
        await pause_task(store, settings, task.id)
    resumed = await resume_task(store, settings, task.id)
    assert resumed.status is TaskStatus.PENDING
    assert resumed.queued_at is not None
    await assert_log_agrees(store, task.id)


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.RUNNING])
async def test_failed_experiments_are_opened_again_and_the_task_is_queued_unless_it_runs(
    store: SqlStore, settings: Settings, status: TaskStatus
) -> None:
    task = await stored(store, TaskStatus.RUNNING)
    failed = [await experiment(store, task, failed=True) for _ in range(2)]
    event = NewEvent(type=EventType.TASK_UPDATED, data={"status": status.value})
    task = await store.change_task(task.id, event, expected=(TaskStatus.RUNNING,), status=status)
    if status is TaskStatus.RUNNING:
        async with taken(settings, task):
            assert (await retry_task(store, settings, task.id, [failed[0].number])).queued_at is None
    else:
        retried = await retry_task(store, settings, task.id, [failed[0].number])
        assert retried.status is TaskStatus.PENDING
        assert retried.queued_at is not None
    statuses = [(await store.get_experiment(e.id)).status for e in failed]
    assert statuses == [ExperimentStatus.PENDING, ExperimentStatus.FAILED]
    assert (await refused(retry_task(store, settings, task.id, [7]))).code is ErrorCode.NOT_FOUND
    await retry_task(store, settings, task.id)
    assert {e.status for e in await store.list_experiments(task.id)} == {ExperimentStatus.PENDING}
    assert (await refused(retry_task(store, settings, task.id))).code is ErrorCode.CONFLICT
    assert (await store.get_task(task.id)).queued_at is not None
    await assert_log_agrees(store, task.id)
