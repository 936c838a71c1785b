"""Windows of any start end once they are precise enough, by what the task has told of its noise until then."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, Failure
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.result import TaskResult
from autotuner.contracts.stopping import EarlyStop, Precision
from autotuner.contracts.store import ExperimentOrigin, ExperimentStatus, Store
from autotuner.contracts.values import digest
from autotuner.contracts.workload import LoadPoint
from autotuner.scoring.window_length import PRIOR_BETWEEN
from conformance.fake_parts import measurement
from coordinator.loop_world import CuttingStore, Killed, World, configuration, document, make_world

SCORED = "D(10,10)@8"
SLICES = 20


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        made.client.figures = figures
        yield made


def task(**optimization: Any) -> dict[str, Any]:
    confirm = {"top_k": 1, "starts": 3, "max_starts": 5}
    data = document(**{"max_iterations": 6, "confirm": confirm, **optimization})
    data["benchmark"]["num_concurrency"] = [2, 8]
    return data


def speed(job: AttemptJob, between: float = 0.0) -> float:
    """Of a start: that of its configuration, off by a share of its own."""
    a, b = configuration(job)
    return (100.0 + 20 * a + 5 * b) * (1 + random.Random(digest([job.draw_key])).gauss(0, between))


def with_course(found: Measurement, job: AttemptJob, wander: float = 0.02) -> Measurement:
    """With the tokens of each slice, which wander; ended as the client would where it is precise enough."""
    rng = random.Random(digest([job.draw_key, "course"]))
    tokens = tuple(found.total_throughput / SLICES * (1 + rng.gauss(0, wander)) for _ in range(SLICES))
    found = found.model_copy(update={"slice_s": 1 / SLICES, "slice_tokens": tokens})
    precision = None if job.stop is None else job.stop.precision
    if precision is None or found.load_point != SCORED:
        return found
    count = round(precision.enough_s * SLICES)
    early = EarlyStop(kind="precise_enough", why="it is precise enough (made up)", planned_s=1.0)
    return found.model_copy(
        update={
            "window_s": count / SLICES,
            "slice_tokens": tokens[:count],
            "stopped": early.kind,
            "early_stop": early,
        }
    )


def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    return with_course(measurement(point, repeat=repeat, throughput=speed(job)), job)


def nearly_alike_in_the_end(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """In the confirmation the best is some 40 % better, which three pairs do not show."""
    spread = 1 + random.Random(digest([job.draw_key])).gauss(0, 0.08)
    own = speed(job) if job.reason is not AttemptReason.CONFIRM else speed(job) / 2 + 60
    return with_course(measurement(point, repeat=repeat, throughput=own * spread), job)


def jobs(world: World) -> list[AttemptJob]:
    return list(world.deployment.jobs.values())


def confirming(world: World) -> list[AttemptJob]:
    return [job for job in jobs(world) if job.reason is AttemptReason.CONFIRM]


def precision_of(job: AttemptJob) -> Precision | None:
    return None if job.stop is None else job.stop.precision


async def test_once_the_noise_is_known_windows_of_all_starts_end(world: World) -> None:
    result = await world.run(task())
    own = [job for job in jobs(world) if job.reason is AttemptReason.FIRST]
    told = [precision_of(job) for job in own]
    # Four pairs of windows come of five experiments.
    assert all(found is None for found in told[:5])
    assert all(found is not None and found.between == PRIOR_BETWEEN for found in told[5:])
    assert len(told) == 7
    assert confirming(world)
    for job in confirming(world):
        assert job.stop is not None
        assert job.stop.precision is not None
        assert (job.stop.judged, job.stop.to_beat, job.stop.figures) == (False, None, ())
        assert job.stop.scored == (SCORED,)
        assert [stake.metric for stake in job.stop.slo] == ["error_rate"]
    ended = [row for row in await world.store.list_measurements(1) if row.measurement.early_stop is not None]
    assert {row.measurement.stopped for row in ended} == {"precise_enough"}
    assert len(ended) == 2 + len(confirming(world))
    assert result.measuring.shortened == len(ended)
    assert result.measuring.saved_s == pytest.approx(sum(1.0 - row.measurement.window_s for row in ended))
    everything = sum(row.measurement.window_s for row in await world.store.list_measurements(1))
    assert result.measuring.windows_s == pytest.approx(everything)
    assert {e.status for e in await world.experiments()} == {ExperimentStatus.SUCCESS}
    assert result.winner is not None
    assert all(point.metrics["stopped_early"] for point in result.confirmation)


async def test_starts_of_one_round_are_alike_and_each_goes_by_the_rounds_before(world: World) -> None:
    world.client.figures = lambda job, point, repeat: with_course(
        measurement(point, repeat=repeat, throughput=speed(job, 0.1)), job
    )
    await world.run(task())
    by_round: dict[str, list[Precision | None]] = {}
    for job in confirming(world):
        by_round.setdefault(job.draw_key.split("/")[1], []).append(precision_of(job))
    first, *later = [by_round[name] for name in sorted(by_round)][:3]
    for found in (first, *later):
        assert len({repr(one) for one in found}) == 1
    assert first[0] is not None
    assert first[0].between == PRIOR_BETWEEN
    noises = [found[0].between for found in later if found[0] is not None]
    assert noises[-1] > PRIOR_BETWEEN


async def test_where_the_first_look_tells_nothing_further_rounds_are_measured_whole(world: World) -> None:
    world.client.figures = nearly_alike_in_the_end
    await world.run(task(confirm={"top_k": 1, "starts": 3, "max_starts": 9}))
    by_round: dict[int, list[Precision | None]] = {}
    for job in confirming(world):
        by_round.setdefault(int(job.draw_key.split("/")[1].removeprefix("confirm-")), []).append(precision_of(job))
    assert len(by_round) >= 5
    assert all(found is not None for block in (0, 1, 2) for found in by_round[block])
    assert all(found is None for block in by_round if block > 2 for found in by_round[block])


async def test_references_are_ended_too_and_never_cut_off(world: World) -> None:
    """A second run of a task finds the noise that the first one has told."""
    await world.run(task(confirm={"top_k": 0}))
    data = task(confirm={"top_k": 0}, references=[{"label": "expert", "parameters": {"a": 8}}])
    await world.run(data)
    numbers = {e.number for e in await world.experiments() if e.origin is ExperimentOrigin.REFERENCE}
    for job in jobs(world):
        if job.experiment_number in numbers:
            assert job.stop is not None
            assert not job.stop.judged
            assert job.stop.precision is not None


@pytest.mark.parametrize(
    ("change", "optimization"),
    [
        ({}, {"early_stop": False}),
        ({}, {"objective": "minimize_ttft"}),
        ({}, {"objective": ["maximize_throughput", "minimize_ttft"]}),
        ({"traffic_scenarios": ["D(10,10)", "D(20,20)"]}, {}),
    ],
    ids=["switched-off", "latency", "several-objectives", "several-scenarios"],
)
async def test_where_nothing_is_known_of_the_noise_all_is_measured(
    world: World, change: dict[str, Any], optimization: dict[str, Any]
) -> None:
    data = task(**optimization)
    data["benchmark"] |= change
    await world.run(data)
    assert all(precision_of(job) is None for job in jobs(world))
    assert all(job.stop is None for job in confirming(world))


async def test_disturbed_windows_tell_nothing(world: World) -> None:
    def disturbed(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        found = figures(job, point, repeat)
        assert isinstance(found, Measurement)
        return found.model_copy(update={"disturbed": True})

    world.client.figures = disturbed
    await world.run(task())
    assert all(precision_of(job) is None for job in jobs(world))


async def test_once_a_start_waited_for_an_slo_further_rounds_are_as_long(world: World) -> None:
    """Else pairs would be compared over different requests."""

    def near_its_limit(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        found = figures(job, point, repeat)
        assert isinstance(found, Measurement)
        waits = job.reason is AttemptReason.CONFIRM and job.draw_key.split("/")[1] == "confirm-1" and speed(job) > 200
        if not waits:
            return found
        return found.model_copy(update={"window_s": 0.95, "requests_per_second": 100.0})

    world.client.figures = near_its_limit
    data = task()
    data["benchmark"]["min_requests"] = 0
    await world.run(data)
    by_round: dict[str, list[float]] = {}
    for job in confirming(world):
        found = precision_of(job)
        assert found is not None
        by_round.setdefault(job.draw_key.split("/")[1], []).append(found.enough_s)
    assert by_round == {"confirm-0": [0.5, 0.5], "confirm-1": [0.5, 0.5], "confirm-2": [0.95, 0.95]}


# ---- cut off and run again


async def lengths(world: World) -> dict[str, float]:
    """Length of the scored window of each start that counts."""
    keys = {attempt: job.draw_key for attempt, job in world.deployment.jobs.items()}
    rows = await world.store.list_measurements(1)
    return {keys[r.attempt_id]: r.measurement.window_s for r in rows if r.measurement.load_point == SCORED}


_unbroken: list[tuple[dict[str, float], TaskResult, int]] = []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(20, 160, 17))
async def test_cut_off_anywhere_it_ends_the_same_windows(tmp_path: Path, at: int, after: bool) -> None:
    if not _unbroken:
        async with make_world(tmp_path / "unbroken") as whole:
            whole.client.figures = figures
            counting = CuttingStore(whole.store, None, after=False, kill=False)
            result = await whole.run(task(), store=cast(Store, counting))
            _unbroken.append((await lengths(whole), result, len(counting.writes)))
    expected, unbroken, writes = _unbroken[0]
    if at >= writes:
        pytest.skip("the unbroken task has fewer writes")
    async with make_world(tmp_path) as world:
        world.client.figures = figures
        cutting = CuttingStore(world.store, at, after=after, kill=True)
        with pytest.raises(Killed):
            await world.run(task(), store=cast(Store, cutting))
        result = await world.run(task())
        assert await lengths(world) == expected
        assert result.measuring == unbroken.measuring
        assert result.headline == unbroken.headline
