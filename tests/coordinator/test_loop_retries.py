"""Retries of a whole task with a real store: waits, condemnation, tasks run again, tasks killed between two tries."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, Failure, FailureClass
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import EventType, ExperimentRecord, ExperimentStatus, Store, TaskStatus
from autotuner.contracts.workload import LoadPoint
from conformance.fake_parts import Figures, failure
from coordinator.loop_world import CuttingStore, Killed, World, by_size, configuration, document, make_world

ODD = 2
"""Number of the experiment that fails in these tests."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


def failing(*kinds: FailureClass | Failure | None, number: int = ODD) -> Figures:
    """The n-th start of one experiment fails of the n-th class; None and what comes after them all is measured."""
    seen = iter(kinds)

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        kind = next(seen, None) if job.experiment_number == number else None
        if kind is None:
            return by_size(job, point, repeat)
        return kind if isinstance(kind, Failure) else failure(kind)

    return figures


def always(kind: FailureClass, number: int = ODD) -> Figures:
    return failing(*[kind] * 50, number=number)


async def own_starts(world: World, number: int = ODD) -> list[AttemptReason]:
    return [reason for n, reason, _ in await world.starts() if n == number and reason is not AttemptReason.CONFIRM]


async def failed(world: World) -> list[ExperimentRecord]:
    return [e for e in await world.experiments() if e.status is ExperimentStatus.FAILED]


SHORT: dict[str, Any] = {"max_iterations": 3, "confirm": {"starts": 0}}


async def test_the_engines_own_cannot_fit_is_not_tried_again(world: World) -> None:
    sure = failure(FailureClass.OOM, "cannot fit").model_copy(update={"certain": True})
    world.client.figures = failing(sure, sure)
    await world.run(document(**SHORT))
    assert await own_starts(world) == [AttemptReason.FIRST]
    assert world.waits == []


async def test_a_port_that_is_free_again_costs_one_wait(world: World) -> None:
    world.client.figures = failing(FailureClass.PORT)
    await world.run(document(**SHORT, retries=0))
    assert await failed(world) == []
    assert world.waits == [1]
    assert any("again in 1 s" in message and "port" in message for message in world.watcher.messages)


async def test_a_crash_between_transient_failures_has_its_own_retry(world: World) -> None:
    world.client.figures = failing(FailureClass.PORT, FailureClass.CRASH, FailureClass.CLIENT)
    await world.run(document(**SHORT))
    assert await failed(world) == []
    assert world.waits == [1, 0, 4]


async def test_the_wait_can_be_cancelled_and_the_task_goes_on(world: World) -> None:
    waiting = asyncio.Event()

    async def wait(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    world.client.figures = failing(FailureClass.PORT)
    world.sleep = wait
    running = asyncio.create_task(world.run(document(**SHORT)))
    await waiting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await world.stored()).status is TaskStatus.CANCELLED
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    world.sleep = note
    await world.run(document(**SHORT))
    assert await failed(world) == []
    assert waits == [1]
    assert await own_starts(world) == [AttemptReason.FIRST, AttemptReason.RETRY]


@pytest.mark.parametrize(
    ("kinds", "opened"),
    [
        ([FailureClass.CRASH, FailureClass.CRASH], False),
        ([FailureClass.BAD_ARGUMENT], False),
        ([FailureClass.CRASH, FailureClass.OOM], True),
        ([FailureClass.INFRASTRUCTURE] * 3, True),
        ([FailureClass.UNREACHABLE] * 3, True),
        ([FailureClass.PORT, FailureClass.CRASH, FailureClass.CRASH], False),
    ],
)
@pytest.mark.parametrize("how", ["grown", "cancelled", "killed"])
async def test_run_again_only_what_is_not_condemned_is_tried_again(
    world: World, kinds: list[FailureClass], opened: bool, how: str
) -> None:
    world.client.figures = failing(*kinds)
    if how == "grown":
        await world.run(document(**SHORT))
    else:
        await cut_at(world, lambda job: job.experiment_number == ODD + 1, kill=how == "killed")
    assert [e.number for e in await failed(world)] == [ODD]
    before = await own_starts(world)
    assert len(before) == len(kinds)
    await world.run(document(**{**SHORT, "max_iterations": 4}))
    assert [e.number for e in await failed(world)] == ([] if opened else [ODD])
    assert await own_starts(world) == [*before, *([AttemptReason.RETRY] if opened else [])]
    retried = [e for e in await world.events() if e.type is EventType.EXPERIMENT_RETRIED]
    assert len(retried) == opened
    identities = [e.identity for e in await world.experiments()]
    assert len(identities) == 5
    assert len(set(identities)) == 5
    await world.assert_gapless()


async def cut_at(world: World, where: Any, *, kill: bool) -> None:
    """Cancel or kill the run as soon as a job is started for which ``where`` holds."""

    async def cut(job: AttemptJob) -> None:
        if where(job):
            world.deployment.hooks.clear()
            if kill:
                raise Killed
            task.cancel()
            await asyncio.Event().wait()

    world.deployment.hooks["start"] = cut
    task = asyncio.ensure_future(world.run(document(**SHORT)))
    with pytest.raises(Killed if kill else asyncio.CancelledError):
        await task


async def test_failures_of_resumed_runs_add_up_to_a_condemnation(world: World) -> None:
    world.client.figures = failing(FailureClass.CRASH, FailureClass.OOM, FailureClass.CRASH)
    await world.run(document(**SHORT))
    await world.run(document(**{**SHORT, "max_iterations": 4}))
    assert len(await own_starts(world)) == 3
    await world.run(document(**{**SHORT, "max_iterations": 5}))
    assert len(await own_starts(world)) == 3
    assert [e.number for e in await failed(world)] == [ODD]


async def test_a_manual_retry_gives_a_condemned_configuration_all_its_starts(world: World) -> None:
    world.client.figures = always(FailureClass.CRASH)
    await world.run(document(**SHORT))
    (experiment,) = await failed(world)
    await world.store.reopen_experiment(experiment.id)
    await world.run(document(**{**SHORT, "max_iterations": 4}))
    assert await own_starts(world) == [AttemptReason.FIRST, *[AttemptReason.RETRY] * 3]
    assert [e.number for e in await failed(world)] == [ODD]
    world.client.figures = by_size
    await world.run(document(**{**SHORT, "max_iterations": 5}))
    assert [e.number for e in await failed(world)] == [ODD]


async def test_a_failed_task_tries_what_it_condemned_with_all_starts_again(world: World) -> None:
    world.client.figures = lambda *_: failure(FailureClass.CRASH)
    with pytest.raises(AutotunerError):
        await world.run(document(**SHORT, fail_fast_k=1))
    with pytest.raises(AutotunerError):
        await world.run(document(**SHORT, fail_fast_k=1))
    assert await own_starts(world, 0) == [AttemptReason.FIRST, *[AttemptReason.RETRY] * 3]


@pytest.mark.parametrize("kind", [FailureClass.BAD_ARGUMENT, FailureClass.CRASH, FailureClass.PORT])
@pytest.mark.parametrize("after", [False, True])
async def test_killed_while_a_failure_is_stored_nothing_is_started_too_often(
    world: World, kind: FailureClass, after: bool
) -> None:
    """Cut at every write that ends a start or an experiment: the starts are those of the unbroken task."""
    world.client.figures = always(kind, number=1)
    counting = CuttingStore(world.store, None, after=False, kill=False)
    await world.run(document(**SHORT), store=cast(Store, counting))
    whole = Counter(await own_starts(world, 1))
    cuts = [n for n, name in enumerate(counting.writes, start=1) if name in ("finish_attempt", "finish_experiment")]
    for at in cuts:
        async with make_world(world.store_folder / f"{kind}{after}{at}") as other:
            other.client.figures = always(kind, number=1)
            with pytest.raises(Killed):
                cutting = CuttingStore(other.store, at, after=after, kill=True)
                await other.run(document(**SHORT), store=cast(Store, cutting))
            cut_off = [a for a in await other.attempts() if a.finished_at is None]
            finished = [e for e in await failed(other) if e.number == 1]
            await other.run(document(**SHORT))
            found = Counter(await own_starts(other, 1))
            if finished and kind is FailureClass.PORT:
                continue  # it was given up already, and may be tried again
            assert sum(found.values()) <= sum(whole.values()) + len(cut_off)


async def test_no_memory_right_after_another_server_is_excused_once(world: World) -> None:
    async def no_memory(job: AttemptJob) -> None:
        if job.experiment_number == ODD:
            raise DeploymentError(failure(FailureClass.OOM, "no memory"))

    world.deployment.hooks["wait_ready"] = no_memory
    await world.run(document(**SHORT))
    assert world.waits == [1, 0]
    assert len(await own_starts(world)) == 3
    (experiment,) = await failed(world)
    assert experiment.failure is not None
    assert experiment.failure.kind is FailureClass.OOM
    assert "may not have been given back" in world.watcher.messages[0]


@pytest.mark.parametrize(("kind", "waits"), [(FailureClass.PORT, [1, 4]), (FailureClass.BAD_ARGUMENT, [])])
async def test_starts_of_the_confirmation_are_retried_by_the_same_policy(
    world: World, kind: FailureClass, waits: list[float]
) -> None:
    """The baseline of the first round fails for good; its other round gives the pairs."""
    seen = iter([kind] * (1 + len(waits)))

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        confirming = job.reason is AttemptReason.CONFIRM and job.experiment_number == 0
        found = next(seen, None) if confirming else None
        return by_size(job, point, repeat) if found is None else failure(found)

    world.client.figures = figures
    result = await world.run(document(max_iterations=2))
    tries = Counter(block for number, reason, block in await world.starts() if number == 0 and block is not None)
    assert tries == {0: 1 + len(waits), 1: 1}
    assert world.waits == waits
    assert result.gain is not None
    assert result.gain.pairs == 1


# ---- fail-fast


async def test_failures_that_a_retry_made_good_stop_nothing(world: World) -> None:
    seen: Counter[tuple[int, int]] = Counter()

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        seen[configuration(job)] += 1
        return by_size(job, point, repeat) if seen[configuration(job)] > 2 else failure(FailureClass.PORT)

    world.client.figures = figures
    await world.run(document(**SHORT, fail_fast_k=1))
    assert await failed(world) == []


async def test_the_first_configurations_count_in_the_order_of_their_numbers(world: World) -> None:
    """What an earlier run has measured before them stays the first; different classes are not the same way."""
    kinds = {0: FailureClass.BAD_ARGUMENT, 1: FailureClass.UNSUPPORTED}
    world.client.figures = lambda job, point, repeat: (
        by_size(job, point, repeat)
        if job.experiment_number > 4
        else failure(kinds.get(job.experiment_number, FailureClass.BAD_ARGUMENT))
    )
    await world.run(document(**{**SHORT, "max_iterations": 6}, fail_fast_k=2))
    assert len(await failed(world)) == 5


async def test_after_a_resume_the_first_configurations_are_still_the_first(world: World) -> None:
    world.client.figures = lambda *_: failure(FailureClass.CRASH)
    await cut_at(world, lambda job: job.experiment_number == 2, kill=True)
    assert len(await failed(world)) == 2
    with pytest.raises(AutotunerError) as caught:
        await world.run(document(**SHORT, fail_fast_k=3))
    assert caught.value.what == "the first 3 configurations all failed the same way: crash"
    assert await own_starts(world, 0) == [AttemptReason.FIRST, AttemptReason.RETRY]
    assert len(await world.experiments()) == 3
