"""Cut off anywhere and run again, a task ends as the unbroken one would have."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import EventType, ExperimentStatus, Store, TaskStatus
from autotuner.contracts.workload import LoadPoint
from autotuner.coordinator.confirmation import finalists, missing_starts
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from conformance.fake_parts import failure, measurement
from coordinator.loop_world import CuttingStore, Killed, World, configuration, document, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        made.client.figures = steady
        yield made


def steady(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """The same figures whenever a configuration is started; some never start."""
    a, b = configuration(job)
    if (a, b) in {(3, 2), (7, 4), (2, 1), (8, 3)}:
        return failure(FailureClass.BAD_ARGUMENT)
    return measurement(point, throughput=100 + 20 * a - 7 * b)


@dataclass(frozen=True)
class Unbroken:
    writes: int
    searched: list[dict[str, Any]]
    starts: list[tuple[int, AttemptReason, int | None]]
    headline: str


_unbroken: dict[str, Unbroken] = {}


async def unbroken(folder: Path, strategy: str) -> Unbroken:
    """What the task comes to when nothing happens to it; the same in every test, so it is found out once."""
    if strategy not in _unbroken:
        async with make_world(folder) as world:
            world.client.figures = steady
            counting = CuttingStore(world.store, None, after=False, kill=False)
            result = await world.run(data(strategy), store=cast(Store, counting))
            _unbroken[strategy] = Unbroken(
                len(counting.writes), await world.searched(), await world.starts(), result.headline
            )
    return _unbroken[strategy]


def data(strategy: str) -> dict[str, Any]:
    return document(strategy=strategy, max_iterations=8 if strategy == "bayesian" else 4)


async def cut_off(world: World, strategy: str, at: int, *, after: bool, kill: bool) -> None:
    store: Any = CuttingStore(world.store, at, after=after, kill=kill)
    with pytest.raises(Killed if kill else asyncio.CancelledError):
        await world.run(data(strategy), store=store)
    assert world.deployment.running == set()


# Every 7th write with the one strategy and every 11th with the other come by all kinds of records and all stages.
CUTS = [("random", at) for at in range(1, 70, 7)] + [("bayesian", at) for at in range(4, 100, 11)]


@pytest.mark.parametrize("kill", [False, True], ids=["cancelled", "killed"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("strategy", "at"), CUTS)
async def test_a_task_that_was_cut_off_ends_like_an_unbroken_one(
    world: World, tmp_path: Path, strategy: str, at: int, after: bool, kill: bool
) -> None:
    whole = await unbroken(tmp_path / "unbroken", strategy)
    if at >= whole.writes:
        pytest.skip("the unbroken task has fewer writes")
    await cut_off(world, strategy, at, after=after, kill=kill)
    if not kill:
        assert (await world.stored()).status in (TaskStatus.CANCELLED, TaskStatus.PENDING)
        assert all(a.status is not AttemptStatus.DEPLOYING for a in await world.attempts())
    result = await world.run(data(strategy))
    assert result.status is TaskStatus.COMPLETED
    assert await world.searched() == whole.searched
    assert result.headline == whole.headline
    experiments = await world.experiments()
    assert len({e.identity for e in experiments}) == len(experiments)
    assert all(e.status in (ExperimentStatus.SUCCESS, ExperimentStatus.FAILED) for e in experiments)
    # Only the start that was cut off happened twice, and only if it had not given its figures.
    finished = [
        start
        for start, attempt in zip(await world.starts(), await world.attempts(), strict=True)
        if attempt.status is not AttemptStatus.INTERRUPTED
    ]
    assert len(await world.attempts()) - len(finished) <= 1
    assert Counter((number, block) for number, _, block in await world.starts()) <= Counter(
        [(number, block) for number, _, block in whole.starts] * 2
    )
    assert len(await world.starts()) <= len(whole.starts) + 1
    events = await world.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    ends = Counter(e.experiment_id for e in events if e.type is EventType.EXPERIMENT_COMPLETED)
    assert set(ends.values()) == {1}


async def test_every_write_of_a_task_is_made_before_the_next_step(world: World) -> None:
    """A store that hangs at a write: nothing later happens until it comes back."""
    order: list[str] = []

    class Slow:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            method = getattr(self._store, name)
            if name.startswith(("get_", "find_", "list_", "events")):
                return method

            async def write(*args: Any, **kwargs: Any) -> Any:
                steps = len(world.deployment.steps)
                for _ in range(10):
                    await asyncio.sleep(0)
                assert len(world.deployment.steps) == steps
                order.append(name)
                return await method(*args, **kwargs)

            return write

    slow: Any = Slow(world.store)
    await world.run(document(baseline=False, max_iterations=1), store=slow)
    assert order == [
        "interrupt_attempts",
        "change_task",
        "add_experiment",
        "start_attempt",
        "set_attempt_job",
        "set_attempt_handle",
        "set_attempt_ready",
        "add_measurement",
        "finish_attempt",
        "finish_experiment",
        "change_task",
    ]


@pytest.mark.parametrize("step", ["handled", "wait_ready", "stop"])
async def test_cancelled_in_a_phase_it_goes_on(world: World, step: str) -> None:
    reached = asyncio.Event()
    blocked = True

    async def block(job: AttemptJob) -> None:
        if blocked and job.reason is AttemptReason.FIRST and job.experiment_number == 2:
            reached.set()
            await asyncio.Event().wait()

    world.deployment.hooks[step] = block
    running = asyncio.create_task(world.run(document()))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert world.deployment.running == set()
    stored = await world.stored()
    assert stored.status is TaskStatus.CANCELLED
    assert stored.result is not None
    assert stored.result["status"] == "cancelled"
    assert (await world.events())[-1].type is EventType.TASK_CANCELLED
    blocked = False
    result = await world.run(document())
    assert result.status is TaskStatus.COMPLETED
    own = [reason for number, reason, _ in await world.starts() if number == 2]
    # One that was cut off while its server was stopped has all its figures.
    again = [] if step == "stop" else [AttemptReason.RESUME]
    assert [reason for reason in own if reason is not AttemptReason.CONFIRM] == [AttemptReason.FIRST, *again]


async def test_cancelled_twice_the_end_is_still_stored(world: World) -> None:
    reached, storing = asyncio.Event(), asyncio.Event()

    async def block(job: AttemptJob) -> None:
        reached.set()
        await asyncio.Event().wait()

    class Slow(CuttingStore):
        def __getattr__(self, name: str) -> Any:
            method = super().__getattr__(name)
            if name != "interrupt_attempts" or not reached.is_set():
                return method

            async def write(*args: Any) -> Any:
                storing.set()
                for _ in range(20):
                    await asyncio.sleep(0)
                return await method(*args)

            return write

    world.deployment.hooks["wait_ready"] = block
    slow: Any = Slow(world.store, None, after=False, kill=False)
    running = asyncio.create_task(world.run(document(), store=slow))
    await reached.wait()
    running.cancel()
    await storing.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await world.stored()).status is TaskStatus.CANCELLED
    assert [a.status for a in await world.attempts()] == [AttemptStatus.INTERRUPTED]


async def test_measured_but_not_scored_is_scored_and_not_run_again(world: World) -> None:
    counting = CuttingStore(world.store, None, after=False, kill=False)
    await world.run(document(max_iterations=1, confirm={"starts": 0}), store=cast(Store, counting))
    last = max(i for i, name in enumerate(counting.writes, start=1) if name == "finish_experiment")
    async with make_world(world.store_folder / "other") as other:
        other.client.figures = steady
        await cut_off(other, "random", last, after=False, kill=True)
        before = await other.starts()
        assert ExperimentStatus.BENCHMARKING in [e.status for e in await other.experiments()]
        await other.run(document(max_iterations=1, confirm={"starts": 0}))
        assert await other.starts() == before
        assert all(e.status is ExperimentStatus.SUCCESS for e in await other.experiments())


async def test_finalists_stay_the_same_through_the_confirmation(world: World) -> None:
    plan = world.plan(document())
    seen: list[list[int]] = []

    async def look(job: AttemptJob) -> None:
        if job.reason is AttemptReason.CONFIRM:
            ledger = await Ledger.read(world.store, 1)
            scorer = Scorer(plan.document, scored_at=plan.scored_at, gpu_count=plan.gpu_count, gpus=plan.resolver.gpus)
            scorer.settle_from(ledger)
            seen.append(finalists(ledger, scorer, 2))

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        a, b = configuration(job)
        # When they are started again their order is the other way round.
        throughput = 500 - 20 * a if job.reason is AttemptReason.CONFIRM else 100 + 20 * a + b
        return measurement(point, throughput=throughput)

    world.client.figures = figures
    world.deployment.hooks["start"] = look
    await world.run(document())
    assert len(seen) == 6
    assert all(found == seen[0] for found in seen)
    assert len(seen[0]) == 2


async def test_the_confirmation_goes_on_with_the_missing_starts_only(world: World) -> None:
    reached = asyncio.Event()
    blocked = True
    count = 0

    async def block(job: AttemptJob) -> None:
        nonlocal count
        count += job.reason is AttemptReason.CONFIRM
        if blocked and count == 4:
            reached.set()
            await asyncio.Event().wait()

    world.deployment.hooks["wait_ready"] = block
    running = asyncio.create_task(world.run(document()))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    before = await world.attempts()
    blocked = False
    await world.run(document())
    later = (await world.starts())[len(before) :]
    assert len(later) == 3
    assert {block for _, _, block in later} == {1}


async def test_a_larger_budget_continues_and_new_finalists_get_rounds_of_their_own(world: World) -> None:
    await world.run(document(max_iterations=2))
    first = await world.starts()
    earlier = {number for number, reason, _ in first if reason is AttemptReason.CONFIRM}
    world.client.figures = lambda job, point, repeat: (
        measurement(point, throughput=1000) if job.experiment_number > 2 else steady(job, point, repeat)
    )
    result = await world.run(document(max_iterations=4))
    later = (await world.starts())[len(first) :]
    assert [reason for _, reason, _ in later[:2]] == [AttemptReason.FIRST] * 2
    confirming = later[2:]
    assert {block for _, _, block in confirming} == {2, 3}
    names = {number for number, _, _ in confirming}
    assert names == {0, 3, 4}
    assert names != earlier
    assert Counter(number for number, _, _ in confirming) == {0: 2, 3: 2, 4: 2}
    assert result.winner is not None
    assert result.winner.number in (3, 4)
    assert result.gain is not None
    assert result.gain.pairs == 2
    ledger = await Ledger.read(world.store, 1)
    assert list(missing_starts(ledger, [0, 3, 4], 2, 0, tries=1)) == []


async def test_more_rounds_continue_the_confirmation(world: World) -> None:
    await world.run(document(max_iterations=2))
    before = len(await world.starts())
    await world.run(document(max_iterations=2, confirm={"top_k": 2, "starts": 3}))
    later = (await world.starts())[before:]
    assert later
    assert {block for _, _, block in later} == {2}
    assert {reason for _, reason, _ in later} == {AttemptReason.CONFIRM}


async def test_a_killed_run_counts_its_time(world: World) -> None:
    await cut_off(world, "random", 30, after=True, kill=True)
    assert (await world.stored()).elapsed_s == 0
    ledger = await Ledger.read(world.store, 1)
    assert ledger.seconds() > 0
    result = await world.run(data("random"))
    assert result.elapsed_s > ledger.seconds()
