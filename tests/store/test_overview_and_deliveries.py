"""Figures over all tasks, and deliveries of webhooks, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, FailureClass, Phase
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, NewEvent, NewTask, TaskStatus
from autotuner.contracts.webhooks import DeliveryState
from autotuner.store import SqlStore, open_store, upgrade

ENDS = [EventType.TASK_COMPLETED.value]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    place = str(tmp_path / "a.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    await upgrade(place)
    async with open_store(place) as opened:
        yield opened


async def test_figures_over_all_tasks(store: SqlStore) -> None:
    await store.probe()
    assert (await store.overview()).events == 0
    task = await store.create_task(NewTask(name="one", document={}, fingerprint="one"))
    found = await store.add_experiment(task.id, origin=ExperimentOrigin.SEARCH, parameters={}, identity="1")
    attempt = await store.start_attempt(found.id, reason=AttemptReason.FIRST, host={})
    (begun,) = await store.start_phases(after=0, also=[], limit=10)
    assert not begun.ended
    failure = Failure(kind=FailureClass.CRASH, diagnosis="it died", hint="look")
    await store.finish_attempt(
        attempt.id, status=AttemptStatus.FAILED, failure=failure, phase_seconds={Phase.LOAD: 2.5}
    )
    event = NewEvent(type=EventType.EXPERIMENT_FAILED)
    await store.finish_experiment(found.id, event, status=ExperimentStatus.FAILED, failure=failure)
    (ended,) = await store.start_phases(after=attempt.id, also=[attempt.id], limit=10)
    assert (ended.ended, ended.phase_seconds) == (True, {"load": 2.5})
    assert await store.newest_attempt() == attempt.id
    counted = await store.overview()
    assert counted.tasks == {TaskStatus.PENDING: 1}
    assert counted.failures == {"crash": 1}
    assert (counted.waiting, counted.claimed, counted.waiting_since) == (0, 0, None)
    await store.enqueue_task(task.id, expected=[TaskStatus.PENDING], status=TaskStatus.PENDING)
    counted = await store.overview()
    assert counted.waiting == 1
    assert counted.waiting_since is not None
    assert counted.waiting_since.tzinfo is not None
    (hour,) = await store.finished_by_hour(datetime.now(UTC) - timedelta(hours=2))
    assert hour.experiments == {ExperimentStatus.FAILED: 1}


async def test_a_delivery_is_made_once_and_given_to_one_at_a_time(store: SqlStore) -> None:
    task = await store.create_task(NewTask(name="one", document={}, fingerprint="one"))
    event = NewEvent(type=EventType.TASK_COMPLETED)
    await store.change_task(task.id, event, expected=[TaskStatus.PENDING], status=TaskStatus.COMPLETED)
    assert await store.add_deliveries("hook", types=ENDS, since=datetime.now(UTC) + timedelta(hours=1)) == 0
    assert await store.add_deliveries("hook", types=ENDS, since=LONG_AGO) == 1
    assert await store.add_deliveries("hook", types=ENDS, since=LONG_AGO) == 0
    assert await store.take_delivery(["other"], lease_s=60) is None
    taken = await store.take_delivery(["hook"], lease_s=60)
    assert taken is not None
    assert (taken.task_id, taken.seq, taken.tries) == (task.id, 2, 1)
    assert await store.take_delivery(["hook"], lease_s=60) is None
    await store.settle_delivery(taken.id, state=DeliveryState.PENDING, error="no")
    again = await store.take_delivery(["hook"], lease_s=60)
    assert again is not None
    assert again.tries == 2
    await store.settle_delivery(taken.id, state=DeliveryState.DELIVERED)
    assert await store.take_delivery(["hook"], lease_s=0) is None
    end = await store.task_end(task.id, 2)
    assert end is not None
    assert (end.event.type, end.task_name) == (EventType.TASK_COMPLETED, "one")
    page = await store.list_deliveries("hook", page=1, size=5)
    assert (page.total, page.items[0].state, page.items[0].error) == (1, DeliveryState.DELIVERED, None)
