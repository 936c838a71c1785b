"""What another process asks of a running task: to end, to wait, to try failed experiments again."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.search import SearchSetup, SearchStrategy, Trial
from autotuner.contracts.store import EventType, ExperimentStatus, NewEvent, StatusConflictError, Store, TaskStatus
from autotuner.contracts.values import Configuration
from autotuner.contracts.workload import LoadPoint
from autotuner.search.registry import make_strategy
from autotuner.store import open_store
from conformance.fake_parts import failure, measurement
from coordinator.loop_world import World, configuration, document, make_world


def steady(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    a, b = configuration(job)
    return measurement(point, throughput=100 + 20 * a - 7 * b)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        made.client.figures = steady
        yield made


@pytest.fixture
async def other(world: World) -> AsyncIterator[Store]:
    """The store as another process has it."""
    async with open_store(str(world.store_folder / "tasks.db")) as store:
        yield store


async def ask(store: Store, status: TaskStatus, kind: EventType = EventType.TASK_UPDATED) -> None:
    expected = {TaskStatus.CANCELLING: (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.PAUSED)}
    before = {TaskStatus.PAUSED: (TaskStatus.RUNNING,), TaskStatus.RUNNING: (TaskStatus.PAUSED,)}
    event = NewEvent(type=kind, data={"status": status.value})
    await store.change_task(1, event, expected=(expected | before)[status], status=status)


class Blocked:
    """Stops the first start of one experiment at a step, until it is cancelled or released."""

    def __init__(self, world: World, step: str, number: int = 2, reason: AttemptReason = AttemptReason.FIRST) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self._number, self._reason = number, reason
        if step == "measure":
            world.client.hook = self._block
        else:
            world.deployment.hooks[step] = self._block

    async def _block(self, job: AttemptJob) -> None:
        if (job.experiment_number, job.reason) == (self._number, self._reason) and not self.go_on.is_set():
            self.reached.set()
            await self.go_on.wait()


async def ends_like_an_unbroken_one(world: World, folder: Path) -> None:
    """Run it again: the same experiments as without any request, none of them measured twice."""
    result = await world.run(document())
    assert result.status is TaskStatus.COMPLETED
    async with make_world(folder) as unbroken:
        unbroken.client.figures = steady
        whole = await unbroken.run(document())
        assert await world.searched() == await unbroken.searched()
        assert result.headline == whole.headline
        assert len(await world.attempts()) <= len(await unbroken.attempts()) + 1
    measured = Counter(row.experiment_id for row in await world.store.list_measurements(1))
    finalists = Counter(p.experiment for p in result.confirmation)
    for experiment in await world.experiments():
        assert measured[experiment.id] == 1 + finalists[experiment.number]
    await world.assert_gapless()


@pytest.mark.parametrize("step", ["start", "handled", "wait_ready", "measure", "stop"])
async def test_a_cancelled_task_ends_in_each_phase_and_goes_on(
    world: World, other: Store, tmp_path: Path, step: str
) -> None:
    blocked = Blocked(world, step)
    running = asyncio.create_task(world.run(document()))
    await blocked.reached.wait()
    await ask(other, TaskStatus.CANCELLING)
    result = await running
    assert result.status is TaskStatus.CANCELLED
    assert world.deployment.running == set()
    assert (world.client.opened, world.client.closed) == (1, 1)
    starts = await world.starts()
    assert [number for number, _, _ in starts] == [0, 1, 2]
    assert (await world.attempts())[-1].status is AttemptStatus.INTERRUPTED
    stored = await world.stored()
    assert stored.status is TaskStatus.CANCELLED
    assert stored.result is not None
    assert [e["number"] for e in stored.result["experiments"]] == [0, 1, 2]
    last = (await world.events())[-1]
    assert (last.type, last.message) == (EventType.TASK_CANCELLED, "cancelled on request; start it to go on")
    blocked.go_on.set()
    await ends_like_an_unbroken_one(world, tmp_path / "unbroken")


async def test_cancelled_in_the_confirmation_it_goes_on(world: World, other: Store, tmp_path: Path) -> None:
    blocked = Blocked(world, "wait_ready", 0, AttemptReason.CONFIRM)
    running = asyncio.create_task(world.run(document()))
    await blocked.reached.wait()
    await ask(other, TaskStatus.CANCELLING)
    assert (await running).status is TaskStatus.CANCELLED
    assert world.deployment.running == set()
    blocked.go_on.set()
    await ends_like_an_unbroken_one(world, tmp_path / "unbroken")


class Slow:
    """A strategy whose first proposal takes until it is released."""

    def __init__(self, inner: SearchStrategy) -> None:
        self.name = inner.name
        self._inner = inner
        self.asked = threading.Event()
        self.answer = threading.Event()

    def tell(self, trial: Trial) -> None:
        self._inner.tell(trial)

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        self.asked.set()
        self.answer.wait(60)
        return self._inner.ask(pending)


async def test_cancelled_while_the_strategy_thinks(world: World, other: Store, tmp_path: Path) -> None:
    made: list[Slow] = []
    exists = asyncio.Event()

    def slow(setup: SearchSetup) -> SearchStrategy:
        made.append(Slow(make_strategy("random", setup)))
        exists.set()
        return made[-1]

    async def cancel() -> None:
        await exists.wait()
        await asyncio.to_thread(made[0].asked.wait, 60)
        await ask(other, TaskStatus.CANCELLING)

    result, _ = await asyncio.gather(world.run(document(), strategy=slow), cancel())
    made[0].answer.set()
    assert result.status is TaskStatus.CANCELLED
    assert len(await world.starts()) == 1
    await ends_like_an_unbroken_one(world, tmp_path / "unbroken")


class Between:
    """Passes everything on; ``before[name]`` is awaited once before the next call of that method."""

    def __init__(self, store: Store, **before: Callable[..., Awaitable[None]]) -> None:
        self._store = store
        self._before = before

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            act = self._before.get(name)
            if act is not None:
                await act(*args, **kwargs)
            return await method(*args, **kwargs)

        return call

    @property
    def store(self) -> Store:
        return cast(Store, self)


def once_for(status: TaskStatus, act: Callable[[], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Act once, when the task is about to get that status."""
    done = False

    async def before(*args: Any, **kwargs: Any) -> None:
        nonlocal done
        if not done and kwargs["status"] is status:
            done = True
            await act()

    return before


async def test_a_cancel_between_taking_the_task_and_its_start_is_heeded(
    world: World, other: Store, tmp_path: Path
) -> None:
    cancel = once_for(TaskStatus.RUNNING, lambda: ask(other, TaskStatus.CANCELLING))
    result = await world.run(document(), store=Between(world.store, change_task=cancel).store)
    assert result.status is TaskStatus.CANCELLED
    assert await world.starts() == []
    assert world.client.opened == 0
    assert (await world.stored()).status is TaskStatus.CANCELLED
    await ends_like_an_unbroken_one(world, tmp_path / "unbroken")


async def test_a_pause_between_taking_the_task_and_its_start_is_heeded(world: World, other: Store) -> None:
    left = NewEvent(type=EventType.TASK_STARTED)  # by a run that was killed
    await world.task(document())
    await world.store.change_task(1, left, expected=(TaskStatus.PENDING,), status=TaskStatus.RUNNING)
    pause = once_for(TaskStatus.RUNNING, lambda: ask(other, TaskStatus.PAUSED, EventType.TASK_PAUSED))
    running = asyncio.create_task(world.run(document(), store=Between(world.store, change_task=pause).store))
    await told(world, "Paused")
    assert await world.starts() == []
    await ask(other, TaskStatus.RUNNING, EventType.TASK_RESUMED)
    assert (await running).status is TaskStatus.COMPLETED


async def test_a_cancel_just_before_the_end_is_heeded(world: World, other: Store) -> None:
    cancel = once_for(TaskStatus.COMPLETED, lambda: ask(other, TaskStatus.CANCELLING))
    result = await world.run(document(), store=Between(world.store, change_task=cancel).store)
    assert result.status is TaskStatus.CANCELLED
    assert (await world.stored()).status is TaskStatus.CANCELLED
    types = [event.type for event in await world.events()]
    assert EventType.TASK_COMPLETED not in types
    with pytest.raises(StatusConflictError):
        await ask(other, TaskStatus.CANCELLING)


async def test_a_pause_just_before_the_end_has_nothing_to_hold_back(world: World, other: Store) -> None:
    pause = once_for(TaskStatus.COMPLETED, lambda: ask(other, TaskStatus.PAUSED, EventType.TASK_PAUSED))
    result = await world.run(document(), store=Between(world.store, change_task=pause).store)
    assert result.status is TaskStatus.COMPLETED


async def test_a_task_that_fails_while_it_is_being_cancelled_is_cancelled(world: World, other: Store) -> None:
    world.client.figures = lambda job, point, repeat: failure(FailureClass.CRASH)
    cancel = once_for(TaskStatus.FAILED, lambda: ask(other, TaskStatus.CANCELLING))
    with pytest.raises(AutotunerError) as caught:
        await world.run(document(fail_fast_k=1), store=Between(world.store, change_task=cancel).store)
    assert caught.value.code is ErrorCode.NO_RESULT
    assert (await world.stored()).status is TaskStatus.CANCELLED


# ---- pause


async def told(world: World, beginning: str) -> None:
    """Wait until the observer was told a sentence that begins so."""
    async with asyncio.timeout(60):
        while not any(message.startswith(beginning) for message in world.watcher.messages):
            world.watcher.said.clear()
            await world.watcher.said.wait()


async def test_a_paused_task_finishes_its_start_and_waits_without_a_server(
    world: World, other: Store, tmp_path: Path
) -> None:
    blocked = Blocked(world, "measure")
    running = asyncio.create_task(world.run(document()))
    await blocked.reached.wait()
    await ask(other, TaskStatus.PAUSED, EventType.TASK_PAUSED)
    blocked.go_on.set()
    await told(world, "Paused")
    assert world.watcher.snapshots[-1].paused
    assert world.deployment.running == set()
    assert [a.status for a in await world.attempts()] == [AttemptStatus.SUCCESS] * 3
    assert (await world.stored()).status is TaskStatus.PAUSED
    await ask(other, TaskStatus.RUNNING, EventType.TASK_RESUMED)
    result = await running
    assert result.status is TaskStatus.COMPLETED
    assert not world.watcher.snapshots[-1].paused
    async with make_world(tmp_path / "unbroken") as unbroken:
        unbroken.client.figures = steady
        whole = await unbroken.run(document())
        assert await world.starts() == await unbroken.starts()
        assert result.headline == whole.headline


async def test_a_paused_task_is_cancelled_without_another_start(world: World, other: Store, tmp_path: Path) -> None:
    blocked = Blocked(world, "measure")
    running = asyncio.create_task(world.run(document()))
    await blocked.reached.wait()
    await ask(other, TaskStatus.PAUSED, EventType.TASK_PAUSED)
    blocked.go_on.set()
    await told(world, "Paused")
    await ask(other, TaskStatus.CANCELLING)
    assert (await running).status is TaskStatus.CANCELLED
    assert len(await world.starts()) == 3
    await ends_like_an_unbroken_one(world, tmp_path / "unbroken")


async def test_ctrl_c_ends_a_paused_task(world: World, other: Store) -> None:
    blocked = Blocked(world, "measure")
    running = asyncio.create_task(world.run(document()))
    await blocked.reached.wait()
    await ask(other, TaskStatus.PAUSED, EventType.TASK_PAUSED)
    blocked.go_on.set()
    await told(world, "Paused")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await world.stored()).status is TaskStatus.CANCELLED


async def test_a_look_at_the_status_that_fails_does_not_end_the_run(world: World, other: Store) -> None:
    blocked = Blocked(world, "measure")
    looks = 0

    async def locked(task_id: int) -> None:
        nonlocal looks
        looks += 1
        if not blocked.go_on.is_set():
            if looks > 3:
                blocked.go_on.set()
            raise AutotunerError(ErrorCode.STORE_UNAVAILABLE, "locked", why="locked", remedy="wait")

    result = await world.run(document(), store=Between(world.store, get_task_state=locked).store)
    assert result.status is TaskStatus.COMPLETED
    assert looks > 3


# ---- retry


def fails_at_first(*numbers: int) -> Callable[[AttemptJob, LoadPoint, int], Measurement | Failure]:
    seen: Counter[int] = Counter()

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        seen[job.experiment_number] += 1
        if job.experiment_number in numbers and seen[job.experiment_number] == 1:
            return failure(FailureClass.BAD_ARGUMENT)
        return steady(job, point, repeat)

    return figures


async def reopen(store: Store, number: int) -> None:
    [experiment] = [e for e in await store.list_experiments(1) if e.number == number]
    await store.reopen_experiment(experiment.id)


async def test_an_experiment_opened_meanwhile_is_measured_before_the_next_one_is_asked_for(
    world: World, other: Store
) -> None:
    world.client.figures = fails_at_first(1)
    blocked = Blocked(world, "measure", 3)
    running = asyncio.create_task(world.run(document()))
    await blocked.reached.wait()
    await reopen(other, 1)
    blocked.go_on.set()
    result = await running
    searching = [(number, reason) for number, reason, block in await world.starts() if block is None]
    first, retry = AttemptReason.FIRST, AttemptReason.RETRY
    assert searching == [(0, first), (1, first), (2, first), (3, first), (1, retry), (4, first), (5, first)]
    assert all(e.status is ExperimentStatus.SUCCESS for e in result.experiments)


async def test_an_experiment_opened_just_before_the_end_is_not_forgotten(world: World, other: Store) -> None:
    world.client.figures = fails_at_first(2)
    retry = once_for(TaskStatus.COMPLETED, lambda: reopen(other, 2))
    result = await world.run(document(), store=Between(world.store, change_task=retry).store)
    assert result.status is TaskStatus.COMPLETED
    assert all(e.status is ExperimentStatus.SUCCESS for e in await world.experiments())
    types = [event.type for event in await world.events()]
    assert types.count(EventType.TASK_COMPLETED) == 1
    await world.assert_gapless()
