"""What every Store must do. A test class inherits the tests and gives the fixtures ``store`` and ``other_store``.

``other_store`` is a second connection to the same data (of another process, as far as the store can tell).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autotuner.contracts.attempt import (
    AttemptJob,
    AttemptReason,
    AttemptStatus,
    Command,
    Failure,
    FailureClass,
    Handle,
    Phase,
    ServerFacts,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import Distribution, Measurement
from autotuner.contracts.store import (
    EventType,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    NewEvent,
    NewTask,
    StatusConflictError,
    Store,
    TaskRecord,
    TaskStatus,
)
from autotuner.contracts.values import Scalar
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic, Workload

NUMBERS = {name: 0.1 + 0.2 for name in Distribution.model_fields if name != "count"}
MEASUREMENT = Measurement(
    load_point="D(100,100)@4",
    concurrency=4,
    window_s=10.5,
    ttft=Distribution(count=7, **NUMBERS),
    tpot=None,
    itl=None,
    e2e=None,
    output_throughput=1 / 3,
    input_throughput=float("inf"),
    total_throughput=1e-300,
    requests_per_second=0.0,
    goodput=None,
    total_requests=8,
    completed_requests=7,
    error_requests=1,
    error_codes={"http_500": 1},
)
FAILURE = Failure(kind=FailureClass.OOM, diagnosis="no memory \0 left", hint="use less", log_tail="ünïcode 日本 🚀")


def new_task(name: str = "job", **fields: Any) -> NewTask:
    """A task to store."""
    document = {"model": "m", "parameters": {"z": [1, 2.0, None, True], "a": "日本"}}
    return NewTask(**{"name": name, "document": document, "fingerprint": "f" * 32} | fields)


def job_of(experiment: ExperimentRecord, attempt_id: int) -> AttemptJob:
    """A job with something in each kind of field."""
    length = Length(mean=100)
    traffic = Traffic(text="D(100,100)", parts=((1.0, Scenario(text="D(100,100)", prompt=length, output=length)),))
    return AttemptJob(
        task_id=experiment.task_id,
        task_name="job",
        experiment_id=experiment.id,
        experiment_number=experiment.number,
        attempt_id=attempt_id,
        reason=AttemptReason.FIRST,
        deployment="local",
        client="builtin",
        command=Command(argv=("server", "--port", "{port}"), env={"A": "1"}),
        served_name="m",
        server=ServerFacts(),
        workload=Workload(load_points=(LoadPoint(traffic=traffic, concurrency=4),)),
        artefact_dir="/artefacts/1",
    )


async def add_experiment(
    store: Store, task: TaskRecord, identity: str = "i1", parameters: Mapping[str, Scalar] | None = None
) -> ExperimentRecord:
    """Store an experiment."""
    return await store.add_experiment(
        task.id,
        origin=ExperimentOrigin.SEARCH,
        parameters=parameters if parameters is not None else {"n": 1},
        identity=identity,
    )


async def run_task(store: Store, task: TaskRecord) -> TaskRecord:
    """Take a pending task to running."""
    started = NewEvent(type=EventType.TASK_STARTED, data={"total": 3})
    return await store.change_task(task.id, started, expected=[TaskStatus.PENDING], status=TaskStatus.RUNNING)


async def assert_gapless(store: Store, task_id: int) -> None:
    """The event log has no gap, and the task knows its next number."""
    events = await store.events(task_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (await store.get_task(task_id)).next_seq == len(events) + 1


class StoreSuite:
    """The tests."""

    async def test_a_new_task_is_pending_and_has_its_first_event(self, store: Store) -> None:
        before = datetime.now(UTC)
        task = await store.create_task(new_task(identity={"model": "m"}, parameters={"p": [1]}))
        assert task.status is TaskStatus.PENDING
        assert task.next_seq == 2
        assert before <= task.created_at == task.updated_at <= datetime.now(UTC)
        assert task.created_at.utcoffset() == timedelta(0)
        assert await store.get_task(task.id) == task
        [event] = await store.events(task.id)
        assert (event.seq, event.type, event.task_id) == (1, EventType.TASK_CREATED, task.id)
        assert event.timestamp == task.created_at

    async def test_a_document_comes_back_as_it_was(self, store: Store, other_store: Store) -> None:
        document = {
            "z": 1.0,
            "a": [1, True, None, "1", -0.0, 2**70, 1e-320],
            "limits": {"none": float("inf"), "other": float("-inf")},
            "text": 'ünï "日本" 🚀 \0 \\u0000 \ud800',
            "": {},
        }
        task = await store.create_task(new_task(document=document))
        found = (await other_store.get_task(task.id)).document
        assert found == document
        assert repr(found) == repr(document)  # order of keys, and 1.0 is not 1 or True

    @pytest.mark.parametrize("name", ["日本語 🚀 ñ", "o'brien; DROP TABLE tasks; --", "100%_x", "a" * 300, " "])
    async def test_any_name_can_be_stored_and_found(self, store: Store, name: str) -> None:
        task = await store.create_task(new_task(name))
        assert await store.find_task(name) == task
        assert task.name == name
        assert (await store.list_tasks(search=name))[1] == 1

    async def test_a_name_is_unique_among_undeleted_tasks(self, store: Store, other_store: Store) -> None:
        first = await store.create_task(new_task())
        with pytest.raises(AutotunerError) as caught:
            await other_store.create_task(new_task())
        assert caught.value.code is ErrorCode.CONFLICT
        await store.delete_task(first.id)
        assert await store.find_task("job") is None
        second = await other_store.create_task(new_task())
        assert second.id != first.id
        assert await store.find_task("job") == second

    async def test_of_many_who_create_one_name_one_succeeds(self, store: Store, other_store: Store) -> None:
        outcomes = await asyncio.gather(
            *(side.create_task(new_task("same")) for side in (store, other_store) for _ in range(5)),
            return_exceptions=True,
        )
        created = [outcome for outcome in outcomes if isinstance(outcome, TaskRecord)]
        refused = [outcome.code for outcome in outcomes if isinstance(outcome, AutotunerError)]
        assert len(created) == 1
        assert refused == [ErrorCode.CONFLICT] * 9

    async def test_lists_are_newest_first_and_filtered(self, store: Store) -> None:
        tasks = [await store.create_task(new_task(f"Täsk-{number}")) for number in range(5)]
        await store.delete_task(tasks[0].id)
        await run_task(store, tasks[1])
        page, total = await store.list_tasks(limit=2, offset=1)
        assert ([task.name for task in page], total) == (["Täsk-3", "Täsk-2"], 4)
        page, total = await store.list_tasks(status=TaskStatus.RUNNING)
        assert ([task.id for task in page], total) == ([tasks[1].id], 1)
        assert (await store.list_tasks(search="TÄSK-4"))[1] == 1  # case is ignored, beyond ASCII too
        assert (await store.list_tasks(search="%"))[1] == 0  # no wildcards
        assert await store.list_tasks(offset=9) == ([], 4)

    async def test_change_sets_status_and_fields_and_writes_the_event(self, store: Store) -> None:
        task = await store.create_task(new_task())
        start = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC).astimezone()
        changed = await store.change_task(
            task.id,
            NewEvent(type=EventType.TASK_COMPLETED, message="done ✓", data={"best": {"n": 1}}),
            expected=[TaskStatus.PENDING, TaskStatus.RUNNING],
            status=TaskStatus.COMPLETED,
            fields={
                "document": {"new": 1},
                "parameters": {"x": 2},
                "result": {"score": 0.1},
                "error": {"why": "-"},
                "stop_reason": "budget",
                "elapsed_s": 1.5,
                "started_at": start,
                "finished_at": start + timedelta(seconds=1),
            },
        )
        assert changed == await store.get_task(task.id)
        assert changed.status is TaskStatus.COMPLETED
        assert (changed.document, changed.parameters, changed.result) == ({"new": 1}, {"x": 2}, {"score": 0.1})
        assert (changed.error, changed.stop_reason, changed.elapsed_s) == ({"why": "-"}, "budget", 1.5)
        assert changed.started_at == start
        assert changed.finished_at == start + timedelta(seconds=1)
        assert changed.next_seq == 3
        event = (await store.events(task.id))[-1]
        assert (event.seq, event.type, event.message) == (2, EventType.TASK_COMPLETED, "done ✓")
        assert event.data == {"best": {"n": 1}}

    async def test_change_takes_back_what_it_set(self, store: Store) -> None:
        task = await store.create_task(new_task())
        event = NewEvent(type=EventType.TASK_UPDATED)
        pending = TaskStatus.PENDING
        for value in ({"a": 1}, None):
            changed = await store.change_task(
                task.id, event, expected=[pending], status=pending, fields={"result": value}
            )
            assert changed.result == value

    async def test_a_status_that_is_not_expected_changes_nothing(self, store: Store) -> None:
        task = await store.create_task(new_task())
        with pytest.raises(StatusConflictError) as caught:
            await store.change_task(
                task.id,
                NewEvent(type=EventType.TASK_PAUSED),
                expected=[TaskStatus.RUNNING],
                status=TaskStatus.PAUSED,
                fields={"stop_reason": "x"},
            )
        assert caught.value.actual == "pending"
        assert await store.get_task(task.id) == task
        assert len(await store.events(task.id)) == 1

    async def test_the_state_of_a_task_follows_its_changes(self, store: Store, other_store: Store) -> None:
        task = await run_task(store, await store.create_task(new_task()))
        experiment = await add_experiment(store, task)
        await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
        state = await other_store.get_task_state(task.id)
        assert (state.status, state.next_seq) == (TaskStatus.RUNNING, len(await store.events(task.id)) + 1)

    async def test_a_change_may_depend_on_no_event_having_come_between(self, store: Store, other_store: Store) -> None:
        task = await run_task(store, await store.create_task(new_task()))
        experiment = await add_experiment(store, task)
        seen = await store.get_task_state(task.id)
        await other_store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
        done = NewEvent(type=EventType.TASK_COMPLETED)
        expected, completed = [TaskStatus.RUNNING], TaskStatus.COMPLETED
        with pytest.raises(StatusConflictError) as caught:
            await store.change_task(task.id, done, expected=expected, status=completed, next_seq=seen.next_seq)
        assert caught.value.actual == "running"
        seen = await store.get_task_state(task.id)
        await store.change_task(task.id, done, expected=expected, status=completed, next_seq=seen.next_seq)
        assert (await other_store.get_task_state(task.id)).status is completed
        await assert_gapless(store, task.id)

    async def test_of_many_who_start_a_task_one_succeeds(self, store: Store, other_store: Store) -> None:
        task = await store.create_task(new_task())
        outcomes = await asyncio.gather(
            *(run_task(side, task) for side in (store, other_store) for _ in range(5)), return_exceptions=True
        )
        assert sum(isinstance(outcome, TaskRecord) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, StatusConflictError) for outcome in outcomes) == 9
        assert [event.type for event in await store.events(task.id)] == [
            EventType.TASK_CREATED,
            EventType.TASK_STARTED,
        ]

    async def test_a_field_that_cannot_be_changed_is_refused(self, store: Store) -> None:
        task = await store.create_task(new_task())
        with pytest.raises(ValueError, match="next_seq"):
            await store.change_task(
                task.id,
                NewEvent(type=EventType.TASK_UPDATED),
                expected=[TaskStatus.PENDING],
                status=TaskStatus.PENDING,
                fields={"next_seq": 7},
            )
        assert await store.get_task(task.id) == task

    @pytest.mark.parametrize("status", [TaskStatus.RUNNING, TaskStatus.CANCELLING])
    async def test_a_task_at_work_cannot_be_deleted(self, store: Store, status: TaskStatus) -> None:
        task = await store.create_task(new_task())
        await store.change_task(
            task.id, NewEvent(type=EventType.TASK_STARTED), expected=[TaskStatus.PENDING], status=status
        )
        with pytest.raises(StatusConflictError) as caught:
            await store.delete_task(task.id)
        assert caught.value.actual == status.value
        assert (await store.get_task(task.id)).deleted_at is None

    async def test_a_deleted_task_keeps_its_log_and_cannot_be_changed(self, store: Store) -> None:
        task = await store.create_task(new_task())
        experiment = await add_experiment(store, task)
        await store.delete_task(task.id)
        assert [event.type for event in await store.events(task.id)][-1] is EventType.TASK_DELETED
        assert (await store.get_task(task.id)).deleted_at is not None
        assert await store.list_tasks() == ([], 0)
        for change in (
            store.delete_task(task.id),
            run_task(store, task),
            add_experiment(store, task, "i2"),
            store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={}),
        ):
            with pytest.raises(AutotunerError) as caught:
                await change
            assert caught.value.code is ErrorCode.NOT_FOUND
        await assert_gapless(store, task.id)

    async def test_unknown_ids_are_not_found(self, store: Store) -> None:
        task = await store.create_task(new_task())
        event = NewEvent(type=EventType.TASK_UPDATED)
        calls = [
            store.get_task(99),
            store.get_task_state(99),
            store.delete_task(99),
            store.change_task(99, event, expected=[TaskStatus.PENDING], status=TaskStatus.RUNNING),
            store.events(99),
            store.add_experiment(99, origin=ExperimentOrigin.SEARCH, parameters={}, identity="i"),
            store.get_experiment(99),
            store.list_experiments(99),
            store.count_experiments(99),
            store.list_commands(99),
            store.finish_experiment(99, event, status=ExperimentStatus.FAILED),
            store.start_attempt(99, reason=AttemptReason.FIRST, host={}),
            store.set_attempt_handle(99, Handle(deployment="local", fields={})),
            store.set_attempt_ready(99, base_url="http://x", engine_version=None),
            store.add_measurement(99, MEASUREMENT),
            store.finish_attempt(99, status=AttemptStatus.FAILED),
            store.interrupt_attempts(99),
            store.list_attempts(99),
            store.list_attempts(task.id, experiment_id=99),
            store.list_measurements(99),
        ]
        for call in calls:
            with pytest.raises(AutotunerError) as caught:
                await call
            assert caught.value.code is ErrorCode.NOT_FOUND
        assert await store.find_task("nobody") is None

    async def test_experiments_are_numbered_without_gap_by_many_writers(self, store: Store, other_store: Store) -> None:
        task = await store.create_task(new_task())
        sides = (store, other_store)
        added = await asyncio.gather(*(add_experiment(sides[n % 2], task, f"i{n}") for n in range(20)))
        assert sorted(experiment.number for experiment in added) == list(range(20))
        listed = await store.list_experiments(task.id)
        assert [experiment.number for experiment in listed] == list(range(20))
        assert {e.id: e for e in listed} == {e.id: e for e in added}

    async def test_numbers_and_identities_belong_to_their_task(self, store: Store) -> None:
        tasks = [await store.create_task(new_task(name)) for name in "ab"]
        for task in tasks:
            experiment = await add_experiment(store, task, parameters={"__model__file": "ü", "x": None, "y": 1.0})
            assert experiment.number == 0
            assert experiment.status is ExperimentStatus.PENDING
            assert repr(dict(experiment.parameters)) == "{'__model__file': 'ü', 'x': None, 'y': 1.0}"
            assert await store.get_experiment(experiment.id) == experiment
        with pytest.raises(AutotunerError) as caught:
            await add_experiment(store, tasks[0])
        assert caught.value.code is ErrorCode.CONFLICT
        assert len(await store.list_experiments(tasks[0].id)) == 1

    async def test_an_attempt_goes_from_start_to_end(self, store: Store, other_store: Store) -> None:
        task = await store.create_task(new_task())
        experiment = await add_experiment(store, task, parameters={"n": 4})
        attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={"cores": 2})
        assert (attempt.number, attempt.status, attempt.task_id) == (1, AttemptStatus.DEPLOYING, task.id)
        assert (await other_store.get_experiment(experiment.id)).status is ExperimentStatus.DEPLOYING

        job = job_of(experiment, attempt.id)
        handle = Handle(deployment="local", fields={"pid": 12, "boot": "b", "started": 1.25, "none": None})
        await store.set_attempt_job(attempt.id, job)
        await store.set_attempt_handle(attempt.id, handle)
        await store.set_attempt_ready(attempt.id, base_url="http://127.0.0.1:1", engine_version="1.2")
        assert (await other_store.get_experiment(experiment.id)).status is ExperimentStatus.BENCHMARKING
        stored = await store.add_measurement(attempt.id, MEASUREMENT)
        assert stored.measurement == MEASUREMENT
        assert (stored.attempt_id, stored.experiment_id, stored.task_id) == (attempt.id, experiment.id, task.id)
        ended = await store.finish_attempt(
            attempt.id,
            status=AttemptStatus.FAILED,
            failure=FAILURE,
            phase_seconds={Phase.DEPLOY: 0.5, Phase.MEASURE: 2.0},
            peak_rss_bytes=2**40,
        )
        assert [ended] == await other_store.list_attempts(task.id)
        assert (ended.job, ended.handle, ended.failure) == (job, handle, FAILURE)
        assert (ended.base_url, ended.engine_version, ended.host) == ("http://127.0.0.1:1", "1.2", {"cores": 2})
        assert ended.phase_seconds == {Phase.DEPLOY: 0.5, Phase.MEASURE: 2.0}
        assert ended.peak_rss_bytes == 2**40
        assert ended.finished_at is not None
        assert ended.finished_at >= ended.started_at

        completed = NewEvent(type=EventType.EXPERIMENT_COMPLETED, data={"objective_score": 1.5})
        done = await store.finish_experiment(
            experiment.id,
            completed,
            status=ExperimentStatus.SUCCESS,
            metrics={"mean_ttft": 0.1},
            objective_score=1.5,
            penalised_score=float("inf"),
            slo={"slo_violation": True},
            failure=FAILURE,
        )
        assert done == await other_store.get_experiment(experiment.id)
        assert (done.metrics, done.slo, done.failure) == ({"mean_ttft": 0.1}, {"slo_violation": True}, FAILURE)
        assert (done.objective_score, done.penalised_score) == (1.5, float("inf"))
        assert done.finished_at is not None
        events = (await store.events(task.id))[1:]
        assert [event.type for event in events] == [
            EventType.EXPERIMENT_STARTED,
            EventType.BENCHMARK_STARTED,
            EventType.EXPERIMENT_COMPLETED,
        ]
        assert {event.experiment_id for event in events} == {experiment.id}
        assert events[0].data["parameters"] == {"n": 4}
        assert events[0].data["reason"] == "first"
        await assert_gapless(store, task.id)

    async def test_a_finished_experiment_keeps_its_status_through_a_confirm_attempt(self, store: Store) -> None:
        task = await store.create_task(new_task())
        experiment = await add_experiment(store, task)
        event = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
        await store.finish_experiment(experiment.id, event, status=ExperimentStatus.SUCCESS)
        attempt = await store.start_attempt(experiment.id, reason=AttemptReason.CONFIRM, host={}, block=3)
        assert (attempt.block, attempt.reason) == (3, AttemptReason.CONFIRM)
        await store.set_attempt_ready(attempt.id, base_url="http://x", engine_version=None)
        assert (await store.get_experiment(experiment.id)).status is ExperimentStatus.SUCCESS
        second = await store.start_attempt(experiment.id, reason=AttemptReason.CONFIRM, host={})
        assert second.number == 2
        assert await store.list_attempts(task.id, experiment_id=experiment.id) == await store.list_attempts(task.id)

    async def test_an_outcome_is_not_replaced_by_another_one(self, store: Store) -> None:
        task = await store.create_task(new_task())
        experiment = await add_experiment(store, task)
        cancelled = NewEvent(type=EventType.EXPERIMENT_CANCELLED)
        await store.finish_experiment(experiment.id, cancelled, status=ExperimentStatus.CANCELLED)
        before = await store.get_experiment(experiment.id)
        completed = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
        with pytest.raises(StatusConflictError) as caught:
            await store.finish_experiment(experiment.id, completed, status=ExperimentStatus.SUCCESS)
        assert caught.value.actual == "cancelled"
        assert await store.get_experiment(experiment.id) == before
        with pytest.raises(ValueError, match="pending"):
            await store.finish_experiment(experiment.id, completed, status=ExperimentStatus.PENDING)
        assert len(await store.events(task.id)) == 2

    async def test_a_failed_experiment_can_be_opened_again(self, store: Store, other_store: Store) -> None:
        task = await store.create_task(new_task())
        failed, done = await add_experiment(store, task, "i1"), await add_experiment(store, task, "i2")
        event = NewEvent(type=EventType.EXPERIMENT_FAILED)
        await store.finish_experiment(
            failed.id, event, status=ExperimentStatus.FAILED, metrics={"x": 1}, failure=FAILURE
        )
        await store.finish_experiment(
            done.id, NewEvent(type=EventType.EXPERIMENT_COMPLETED), status=ExperimentStatus.SUCCESS
        )
        opened = await other_store.reopen_experiment(failed.id)
        assert opened == failed
        assert await store.get_experiment(failed.id) == failed
        last = (await store.events(task.id))[-1]
        assert (last.type, last.experiment_id) == (EventType.EXPERIMENT_RETRIED, failed.id)
        await assert_gapless(store, task.id)
        for wrong in (failed, done):
            with pytest.raises(StatusConflictError):
                await store.reopen_experiment(wrong.id)
        with pytest.raises(AutotunerError) as caught:
            await store.reopen_experiment(10**6)
        assert caught.value.code is ErrorCode.NOT_FOUND
        await assert_gapless(store, task.id)
        completed = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
        await store.finish_experiment(failed.id, completed, status=ExperimentStatus.SUCCESS)

    async def test_what_failed_and_when_it_was_opened_again_is_found(self, store: Store) -> None:
        task, other = await store.create_task(new_task()), await store.create_task(new_task("other"))
        failed, good, recovered = [await add_experiment(store, task, f"i{number}") for number in range(3)]
        elsewhere = await add_experiment(store, other)
        assert await store.list_openings(task.id) == {}
        ended = [
            (failed, AttemptStatus.FAILED, ExperimentStatus.FAILED, True),
            (good, AttemptStatus.SUCCESS, ExperimentStatus.SUCCESS, False),
            (recovered, AttemptStatus.FAILED, None, False),
            (failed, AttemptStatus.FAILED, None, False),
            (failed, AttemptStatus.FAILED, ExperimentStatus.FAILED, True),
            (recovered, AttemptStatus.SUCCESS, ExperimentStatus.SUCCESS, False),
            (elsewhere, AttemptStatus.FAILED, ExperimentStatus.FAILED, True),
        ]
        for experiment, status, outcome, again in ended:
            attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
            await store.finish_attempt(attempt.id, status=status)
            if outcome is not None:
                event = NewEvent(type=EventType.EXPERIMENT_FAILED)
                await store.finish_experiment(experiment.id, event, status=outcome)
            if again:
                await store.reopen_experiment(experiment.id)
        assert await store.list_openings(task.id) == {failed.id: [1, 3]}
        experiments = await store.list_experiments(task.id, bulk=False, failed=True)
        assert [e.number for e in experiments] == [failed.number, recovered.number]
        attempts = await store.list_attempts(task.id, bulk=False, failed=True)
        assert attempts == [a for a in await store.list_attempts(task.id, bulk=False) if a.experiment_id != good.id]
        for unknown in (store.list_experiments(10**6, failed=True), store.list_attempts(10**6, failed=True)):
            with pytest.raises(AutotunerError) as caught:
                await unknown
            assert caught.value.code is ErrorCode.NOT_FOUND

    async def test_an_attempt_ends_once(self, store: Store) -> None:
        task = await store.create_task(new_task())
        experiment = await add_experiment(store, task)
        attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
        with pytest.raises(ValueError, match="deploying"):
            await store.finish_attempt(attempt.id, status=AttemptStatus.DEPLOYING)
        await store.finish_attempt(attempt.id, status=AttemptStatus.SUCCESS)
        for change in (
            store.finish_attempt(attempt.id, status=AttemptStatus.FAILED),
            store.set_attempt_ready(attempt.id, base_url="http://x", engine_version=None),
        ):
            with pytest.raises(StatusConflictError) as caught:
                await change
            assert caught.value.actual == "success"
        assert len(await store.events(task.id)) == 2

    async def test_interrupt_marks_what_never_ended(self, store: Store, other_store: Store) -> None:
        task = await store.create_task(new_task())
        done, running, between, waiting = [await add_experiment(store, task, f"i{n}") for n in range(4)]
        first = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
        ended = await store.start_attempt(done.id, reason=AttemptReason.FIRST, host={})
        await store.finish_attempt(ended.id, status=AttemptStatus.SUCCESS)
        await store.finish_experiment(done.id, first, status=ExperimentStatus.SUCCESS)
        confirming = await store.start_attempt(done.id, reason=AttemptReason.CONFIRM, host={})
        open_attempt = await store.start_attempt(running.id, reason=AttemptReason.FIRST, host={})
        handle = Handle(deployment="local", fields={"pid": 7})
        await store.set_attempt_handle(open_attempt.id, handle)
        # The writer died after the end of the attempt and before the outcome of the experiment.
        half = await store.start_attempt(between.id, reason=AttemptReason.FIRST, host={})
        await store.finish_attempt(half.id, status=AttemptStatus.SUCCESS)

        assert await store.unended_attempts() == [], "the task was never started"
        started = NewEvent(type=EventType.TASK_STARTED)
        await store.change_task(task.id, started, expected=[TaskStatus.PENDING], status=TaskStatus.RUNNING)
        unended = await other_store.unended_attempts()
        assert [attempt.id for attempt in unended] == [confirming.id, open_attempt.id]

        interrupted = await other_store.interrupt_attempts(task.id)
        assert await store.unended_attempts() == []
        assert [attempt.id for attempt in interrupted] == [confirming.id, open_attempt.id]
        assert {attempt.status for attempt in interrupted} == {AttemptStatus.INTERRUPTED}
        assert interrupted[1].handle == handle
        assert all(attempt.finished_at is not None for attempt in interrupted)
        statuses = [experiment.status for experiment in await store.list_experiments(task.id)]
        assert statuses == [ExperimentStatus.SUCCESS, *[ExperimentStatus.PENDING] * 3]
        assert waiting.status is ExperimentStatus.PENDING
        assert await store.interrupt_attempts(task.id) == []

    async def test_lists_of_one_experiment(self, store: Store) -> None:
        task = await store.create_task(new_task())
        pairs = []
        for number in range(2):
            experiment = await add_experiment(store, task, f"i{number}")
            attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
            rows = [
                await store.add_measurement(attempt.id, MEASUREMENT.model_copy(update={"repeat": repeat}))
                for repeat in range(2)
            ]
            pairs.append((experiment, attempt, rows))
        assert await store.list_measurements(task.id) == [*pairs[0][2], *pairs[1][2]]
        assert await store.list_attempts(task.id) == [pairs[0][1], pairs[1][1]]
        for experiment, attempt, rows in pairs:
            assert await store.list_measurements(task.id, experiment_id=experiment.id) == rows
            assert await store.list_attempts(task.id, experiment_id=experiment.id) == [attempt]
        stranger = await store.create_task(new_task("stranger"))
        with pytest.raises(AutotunerError) as caught:
            await store.list_attempts(stranger.id, experiment_id=pairs[0][0].id)
        assert caught.value.code is ErrorCode.NOT_FOUND

    async def test_what_is_bulky_can_be_left_out(self, store: Store) -> None:
        task, idle = await store.create_task(new_task()), await store.create_task(new_task("idle"))
        metrics = {"z": 1.5, "raw_results": [{"z": 1}], "a": None, "scenarios": [{"raw_results": 2}]}
        event = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
        done = await add_experiment(store, task, "done")
        done = await store.finish_experiment(done.id, event, status=ExperimentStatus.SUCCESS, metrics=metrics)
        await add_experiment(store, task, "next")
        first = await store.start_attempt(done.id, reason=AttemptReason.FIRST, host={"cores": 2})
        job = job_of(done, first.id)
        await store.set_attempt_job(first.id, job)
        second = await store.start_attempt(done.id, reason=AttemptReason.CONFIRM, host={"cores": 2})
        await store.set_attempt_job(second.id, job.model_copy(update={"command": None}))
        await store.start_attempt(done.id, reason=AttemptReason.CONFIRM, host={})

        kept = {name: value for name, value in metrics.items() if name != "raw_results"}
        lean, other = await store.list_experiments(task.id, bulk=False)
        assert lean == done.model_copy(update={"metrics": kept})
        assert list(lean.metrics or {}) == ["z", "a", "scenarios"]
        assert other.metrics is None
        whole = await store.list_attempts(task.id)
        left_out = [a.model_copy(update={"job": None, "host": {}}) for a in whole]
        assert await store.list_attempts(task.id, bulk=False) == left_out
        assert await store.list_attempts(task.id, experiment_id=done.id, bulk=False) == left_out
        assert job.command is not None
        assert await store.list_commands(task.id) == {first.id: job.command.argv}
        assert await store.count_experiments(task.id) == {ExperimentStatus.SUCCESS: 1, ExperimentStatus.PENDING: 1}
        assert await store.list_commands(idle.id) == {}
        assert await store.count_experiments(idle.id) == {}

    async def test_events_are_gapless_under_many_writers(self, store: Store, other_store: Store) -> None:
        task = await run_task(store, await store.create_task(new_task()))
        experiments = [await add_experiment(store, task, f"i{n}") for n in range(10)]

        async def notice(side: Store, number: int) -> int:
            event = NewEvent(type=EventType.TASK_UPDATED, data={"number": number})
            running = TaskStatus.RUNNING
            return (await side.change_task(task.id, event, expected=[running], status=running)).next_seq

        async def refused(side: Store) -> None:
            with pytest.raises(StatusConflictError):
                await run_task(side, task)

        sides = (store, other_store)
        await asyncio.gather(
            *(notice(sides[n % 2], n) for n in range(20)),
            *(refused(sides[n % 2]) for n in range(4)),
            *(
                sides[n % 2].start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
                for n, experiment in enumerate(experiments)
            ),
        )
        await assert_gapless(store, task.id)
        events = await store.events(task.id)
        assert sorted(event.data["number"] for event in events if "number" in event.data and event.seq > 2) == sorted(
            [*range(20), *(experiment.number for experiment in experiments)]
        )

    async def test_events_are_paged_by_seq(self, store: Store) -> None:
        task = await store.create_task(new_task())
        event = NewEvent(type=EventType.TASK_UPDATED)
        for _ in range(5):
            await store.change_task(task.id, event, expected=[TaskStatus.PENDING], status=TaskStatus.PENDING)
        assert [event.seq for event in await store.events(task.id, since=2, limit=3)] == [3, 4, 5]
        assert await store.events(task.id, since=6) == []

    @pytest.mark.parametrize("turns", range(0, 40, 3))
    async def test_a_cancelled_change_is_whole_or_absent(self, store: Store, other_store: Store, turns: int) -> None:
        task = await store.create_task(new_task())
        change = asyncio.create_task(run_task(store, task))
        for _ in range(turns):
            await asyncio.sleep(0)  # lets the change come further by a step each time
        change.cancel()
        await asyncio.wait([change])
        status = (await other_store.get_task(task.id)).status
        events = [event.type for event in await other_store.events(task.id)]
        expected = [EventType.TASK_CREATED, *([EventType.TASK_STARTED] if status is TaskStatus.RUNNING else [])]
        assert events == expected
        await store.delete_task((await store.create_task(new_task("usable afterwards"))).id)

    async def test_cancelled_reads_leave_the_store_usable(self, store: Store) -> None:
        task = await store.create_task(new_task())
        for turns in range(15):
            read = asyncio.create_task(store.events(task.id))
            for _ in range(turns):
                await asyncio.sleep(0)
            read.cancel()
            await asyncio.wait([read])
        assert len(await store.events(task.id)) == 1
