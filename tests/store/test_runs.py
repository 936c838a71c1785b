"""Tasks begun anew, edited, restored and purged, and requests that are sent twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import TaskQuery
from autotuner.contracts.store import (
    EventType,
    ExperimentStatus,
    NewEvent,
    StatusConflictError,
    TaskRecord,
    TaskStatus,
)
from autotuner.store import SqlStore, check, open_store
from conformance.store_suite import MEASUREMENT, add_experiment, new_task

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
ANEW: dict[str, Any] = {"identity": {"engine": "e"}, "fingerprint": "new"}


async def ended_task(store: SqlStore, name: str = "job") -> TaskRecord:
    """A completed task with one experiment, one start and one measurement."""
    task = await store.create_task(new_task(name))
    experiment = await add_experiment(store, task)
    attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
    await store.add_measurement(attempt.id, MEASUREMENT)
    await store.finish_attempt(attempt.id, status=AttemptStatus.SUCCESS)
    done = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
    await store.finish_experiment(experiment.id, done, status=ExperimentStatus.SUCCESS, objective_score=1.0)
    return await store.change_task(
        task.id,
        NewEvent(type=EventType.TASK_COMPLETED),
        expected=[TaskStatus.PENDING],
        status=TaskStatus.COMPLETED,
        fields={"result": {"task_id": task.id, "winner": {"score": 1.0}}, "elapsed_s": 5.0, "stop_reason": "done"},
    )


async def conflict(call: Any) -> str:
    """What a compare-and-set found."""
    with pytest.raises(StatusConflictError) as caught:
        await call
    return caught.value.actual


async def refused(call: Any) -> ErrorCode:
    with pytest.raises(AutotunerError) as caught:
        await call
    return caught.value.code


class TestArchive:
    """A task is begun anew; what it had done is a run of its own."""

    async def test_all_that_it_did_moves(self, each_store: SqlStore, each_url: str) -> None:
        before = await ended_task(each_store)
        log = await each_store.events(before.id)
        [experiment] = await each_store.list_experiments(before.id)
        made = await each_store.archive_run(before.id, **ANEW, drop=False)
        task, run = made.task, made.run

        assert (task.id, task.name, task.status, task.run) == (before.id, "job", TaskStatus.PENDING, 2)
        assert (task.result, task.elapsed_s, task.stop_reason, task.fingerprint) == (None, 0.0, None, "new")
        assert await each_store.list_experiments(task.id) == []
        assert await each_store.list_attempts(task.id) == []
        assert await each_store.list_measurements(task.id) == []
        [event] = await each_store.events(task.id)
        assert (event.seq, event.type) == (before.next_seq, EventType.TASK_UPDATED)
        assert event.data == {"status": "pending", "run": 2, "archived_run": run.id}

        assert (run.name, run.status, run.run, run.run_of) == ("job (run 1)", TaskStatus.COMPLETED, 1, task.id)
        assert (run.elapsed_s, run.stop_reason, run.fingerprint) == (5.0, "done", before.fingerprint)
        assert run.result == {"task_id": run.id, "winner": {"score": 1.0}}
        assert run.archived_at is not None
        assert [one.model_copy(update={"task_id": before.id}) for one in await each_store.events(run.id)] == log
        assert await each_store.list_experiments(run.id) == [experiment.model_copy(update={"task_id": run.id})]
        assert len(await each_store.list_attempts(run.id)) == len(await each_store.list_measurements(run.id)) == 1
        assert await check(each_url) == []

        assert [one.id for one in (await each_store.query_tasks(TaskQuery())).items] == [task.id]
        assert [one.id for one in (await each_store.query_tasks(TaskQuery(run_of=task.id))).items] == [run.id]
        assert [one.id for one in (await each_store.query_tasks(TaskQuery(archived=True))).items] == [run.id]
        assert (await each_store.list_tasks())[1] == 1

    async def test_its_numbers_go_on_from_zero(self, each_store: SqlStore) -> None:
        task = await ended_task(each_store)
        await each_store.archive_run(task.id, **ANEW, drop=False)
        assert (await add_experiment(each_store, task)).number == 0
        await each_store.create_task(new_task("job (run 2)"))
        ended = NewEvent(type=EventType.TASK_CANCELLED)
        await each_store.change_task(task.id, ended, expected=[TaskStatus.PENDING], status=TaskStatus.CANCELLED)
        again = await each_store.archive_run(task.id, **ANEW, drop=False)
        assert (again.task.run, again.run.run, again.run.name) == (3, 2, "job (run 2)-2")

    async def test_cleared_experiments_are_deleted_and_come_back_on_request(self, each_store: SqlStore) -> None:
        task = await ended_task(each_store)
        made = await each_store.archive_run(task.id, **ANEW, drop=True)
        assert made.run.deleted_at is not None
        assert (await each_store.query_tasks(TaskQuery(run_of=task.id))).items == ()
        assert (await each_store.restore_task(made.run.id)).deleted_at is None
        assert [one.id for one in (await each_store.query_tasks(TaskQuery(run_of=task.id))).items] == [made.run.id]

    async def test_only_what_has_ended(self, each_store: SqlStore) -> None:
        task = await each_store.create_task(new_task("pending"))
        assert await conflict(each_store.archive_run(task.id, **ANEW, drop=False)) == "pending"
        waiting = await each_store.create_task(new_task("waiting"))
        await each_store.enqueue_task(waiting.id, expected=[TaskStatus.PENDING], status=TaskStatus.PENDING)
        assert await conflict(each_store.archive_run(waiting.id, **ANEW, drop=False)) == "queued"
        run = (await each_store.archive_run((await ended_task(each_store)).id, **ANEW, drop=False)).run
        assert await conflict(each_store.archive_run(run.id, **ANEW, drop=False)) == "archived"
        assert await refused(each_store.archive_run(99, **ANEW, drop=False)) is ErrorCode.NOT_FOUND

    async def test_of_many_who_ask_one_succeeds(self, each_store: SqlStore, each_url: str) -> None:
        task = await ended_task(each_store)
        async with open_store(each_url) as other:
            answers = await asyncio.gather(
                *(side.archive_run(task.id, **ANEW, drop=False) for side in (each_store, other) for _ in range(3)),
                return_exceptions=True,
            )
        assert sum(isinstance(answer, StatusConflictError) for answer in answers) == 5
        assert (await each_store.get_task(task.id)).run == 2


class TestEdit:
    """A task that nobody runs is changed."""

    async def test_what_is_set_is_shown_and_logged(self, each_store: SqlStore) -> None:
        task = await each_store.create_task(new_task())
        document = {"model": {"id_or_path": "new"}}
        edited = await each_store.edit_task(
            task.id, {"name": "Öther", "document": document, "priority": 3}, next_seq=task.next_seq
        )
        assert (edited.name, edited.document, edited.priority) == ("Öther", document, 3)
        [shown] = (await each_store.query_tasks(TaskQuery(search="öther"))).items
        assert shown.model == "new"
        event = (await each_store.events(task.id))[-1]
        assert (event.type, event.data) == (EventType.TASK_UPDATED, {"changed": ["document", "name", "priority"]})

    async def test_a_task_that_changed_meanwhile_or_is_at_work_is_left_alone(self, each_store: SqlStore) -> None:
        task = await each_store.create_task(new_task())
        await each_store.create_task(new_task("taken"))
        edit = each_store.edit_task
        assert await conflict(edit(task.id, {"priority": 1}, next_seq=task.next_seq - 1)) == "changed"
        assert await refused(edit(task.id, {"name": "taken"}, next_seq=task.next_seq)) is ErrorCode.CONFLICT
        queued = await each_store.enqueue_task(task.id, expected=[TaskStatus.PENDING], status=TaskStatus.PENDING)
        assert await conflict(edit(task.id, {"priority": 1}, next_seq=queued.next_seq)) == "queued"
        with pytest.raises(ValueError, match="result"):
            await edit(task.id, {"result": {}}, next_seq=queued.next_seq)
        assert await each_store.get_task(task.id) == queued


class TestDeletion:
    """Deleted for a while, or for ever."""

    async def test_a_restored_task_is_as_it_was(self, each_store: SqlStore) -> None:
        task = await ended_task(each_store)
        await each_store.archive_run(task.id, **ANEW, drop=False)
        await each_store.delete_task(task.id)
        assert (await each_store.query_tasks(TaskQuery(archived=True))).items == ()
        assert [one.id for one in (await each_store.query_tasks(TaskQuery(deleted=True))).items] == [task.id]
        restored = await each_store.restore_task(task.id)
        assert (restored.deleted_at, restored.name) == (None, "job")
        assert (await each_store.events(task.id))[-1].data == {"status": "pending", "restored": True}
        assert len((await each_store.query_tasks(TaskQuery(run_of=task.id))).items) == 1
        assert await conflict(each_store.restore_task(task.id)) == "pending"
        assert await refused(each_store.restore_task(99)) is ErrorCode.NOT_FOUND

    async def test_its_name_may_be_taken_by_then(self, each_store: SqlStore) -> None:
        task = await each_store.create_task(new_task())
        await each_store.delete_task(task.id)
        await each_store.create_task(new_task())
        assert await refused(each_store.restore_task(task.id)) is ErrorCode.CONFLICT
        assert (await each_store.get_task(task.id)).deleted_at is not None
        assert (await each_store.restore_task(task.id, name="job of old")).name == "job of old"

    async def test_purged_with_everything(self, each_store: SqlStore, each_url: str) -> None:
        task, kept = await ended_task(each_store), await ended_task(each_store, "kept")
        run = (await each_store.archive_run(task.id, **ANEW, drop=False)).run
        assert await conflict(each_store.purge_task(task.id)) == "pending"
        await each_store.delete_task(task.id)
        later = datetime.now(UTC) + timedelta(days=1)
        assert await each_store.deleted_tasks(before=NEVER) == []
        assert [one.id for one in await each_store.deleted_tasks(before=later)] == [task.id, run.id]
        assert [one.id for one in await each_store.purge_task(task.id)] == [task.id, run.id]
        for gone in (task.id, run.id):
            assert await refused(each_store.get_task(gone)) is ErrorCode.NOT_FOUND
        assert await each_store.unended_attempts() == []
        assert len(await each_store.list_measurements(kept.id)) == 1
        assert await check(each_url) == []


class TestIdempotency:
    """The same request makes one task."""

    async def test_the_same_request_finds_its_task(self, each_store: SqlStore) -> None:
        once: dict[str, Any] = {"key": "k", "request": "r", "since": NEVER}
        assert await each_store.find_created(**once) is None
        made = await each_store.create_task_once(new_task(), **once)
        again = await each_store.create_task_once(new_task(), **once)
        assert (made.replayed, again.replayed, again.task) == (False, True, made.task)
        assert await each_store.find_created(**once) == made.task
        assert await refused(each_store.create_task_once(new_task(), **once | {"request": "x"})) is ErrorCode.CONFLICT
        assert await refused(each_store.find_created(**once | {"request": "x"})) is ErrorCode.CONFLICT

    async def test_an_old_key_is_a_new_one(self, each_store: SqlStore) -> None:
        later = datetime.now(UTC) + timedelta(days=1)
        await each_store.create_task_once(new_task("a"), key="k", request="r", since=NEVER)
        made = await each_store.create_task_once(new_task("b"), key="k", request="other", since=later)
        assert (made.replayed, made.task.name) == (False, "b")
        assert await each_store.drop_keys(before=NEVER) == 0
        assert await each_store.drop_keys(before=later) == 1

    async def test_requests_at_once_make_one_task(self, each_store: SqlStore, each_url: str) -> None:
        async with open_store(each_url) as other:
            answers = await asyncio.gather(
                *(
                    side.create_task_once(new_task(), key="k", request="r", since=NEVER)
                    for side in (each_store, other)
                    for _ in range(4)
                )
            )
        assert len({answer.task.id for answer in answers}) == 1
        assert sum(not answer.replayed for answer in answers) == 1
        assert (await each_store.list_tasks())[1] == 1
