"""The confirmation: how long it goes on, who is left out, who takes their place, and that it goes on when cut off."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import Store, TaskStatus
from autotuner.contracts.values import digest
from autotuner.contracts.workload import LoadPoint
from autotuner.coordinator.confirmation import DISTURBED_TRIES
from conformance.fake_parts import failure, measurement
from coordinator.loop_world import CuttingStore, Killed, World, document, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


def task(top_k: int = 2, starts: int = 3, max_starts: int = 6, **optimization: Any) -> dict[str, Any]:
    """All eight configurations of ``a`` are measured; the baseline has a = 1."""
    confirm = {"top_k": top_k, "starts": starts, "max_starts": max_starts}
    return {
        **document(max_iterations=20, confirm=confirm, **optimization),
        "parameters": {"a": [1, 2, 3, 4, 5, 6, 7, 8]},
    }


def hard(threshold: float) -> dict[str, Any]:
    return {"ttft": {"threshold": threshold, "hard_fail": True, "fail_ratio": 0.0}}


def confirming(job: AttemptJob) -> bool:
    return job.reason is AttemptReason.CONFIRM


def noise_of(job: AttemptJob, size: float) -> float:
    """The same for a start and for the one that replaces it."""
    return 1 + random.Random(digest(job.draw_key)).gauss(0, size)


def faster_with_a(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    return measurement(point, repeat=repeat, throughput=100 + 10 * job_a(job))


def job_a(job: AttemptJob) -> int:
    return configuration_a(job.options)


def configuration_a(values: Any) -> int:
    assert isinstance(values["a"], int)
    return values["a"]


async def rounds(world: World) -> list[list[int]]:
    """The value of ``a`` of each start of the confirmation, by round."""
    value = {e.number: configuration_a(e.parameters) for e in await world.experiments()}
    found: dict[int, list[int]] = {}
    for number, reason, block in await world.starts():
        if reason is AttemptReason.CONFIRM and block is not None:
            found.setdefault(block, []).append(value[number])
    assert list(found) == sorted(found)
    return list(found.values())


async def test_clear_verdicts_need_the_least_starts(world: World) -> None:
    world.client.figures = faster_with_a
    result = await world.run(task())
    assert [sorted(one) for one in await rounds(world)] == [[1, 7, 8]] * 3
    assert result.verdict == "gain"
    assert [(f.pairs, f.standing) for f in result.finalists] == [(3, "gain")] * 2
    assert result.stop_reason == "every valid configuration was measured"
    last = world.watcher.snapshots[-1]
    assert (last.starts_done, last.starts_total) == (8 + 9, 8 + 9)


async def test_unclear_ones_go_on_to_the_most_and_nobody_has_won(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, throughput=100 * noise_of(job, 0.05) + (job_a(job) if not confirming(job) or job_a(job) == 1 else 6)
    )
    result = await world.run(task(max_starts=5))
    assert [len(one) for one in await rounds(world)] == [3] * 5
    assert result.verdict == "no_significant_gain"
    assert "the best candidate" in result.headline
    assert {f.standing for f in result.finalists} == {"open"}
    assert result.stop_reason == (
        "every valid configuration was measured; not every verdict is clear within the reserve of 15 starts"
    )
    assert result.status is TaskStatus.COMPLETED
    assert (await world.stored()).error is None


async def test_where_a_gain_is_out_of_reach_it_ends_before_the_most(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, throughput=100 * noise_of(job, 0.05) + (job_a(job) if not confirming(job) else 0)
    )
    result = await world.run(task())
    assert 3 <= len(await rounds(world)) < 6
    assert result.verdict == "no_significant_gain"
    assert "out_of_reach" in {f.standing for f in result.finalists} <= {"out_of_reach", "worse", "no_useful_gain"}
    assert result.stop_reason == "every valid configuration was measured"


async def test_a_finalist_that_is_clearly_worse_is_left_out_of_further_rounds(world: World) -> None:
    """The one that looked best in the search is worse in truth; the second one differs by less than its noise."""

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        if not confirming(job):
            return measurement(point, throughput=100 + 10 * job_a(job))
        truth = {1: 100.0, 7: 104.0, 8: 50.0}[job_a(job)]
        return measurement(point, throughput=truth * noise_of(job, 0.03 if job_a(job) == 7 else 1e-4))

    world.client.figures = figures
    result = await world.run(task(max_starts=5))
    made = await rounds(world)
    assert [sorted(one) for one in made[:3]] == [[1, 7, 8]] * 3
    assert [sorted(one) for one in made[3:]] == [[1, 7]] * 2
    assert {f.standing for f in result.finalists} == {"open", "worse"}


async def test_one_that_cannot_reach_a_shown_gain_is_left_out(world: World) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        truth = {1: 100.0, 8: 300.0}.get(job_a(job), 90.0 + 2 * job_a(job))
        return measurement(
            point, throughput=truth * noise_of(job, 0.01 if confirming(job) and job_a(job) == 7 else 1e-4)
        )

    world.client.figures = figures
    result = await world.run(task())
    assert len(await rounds(world)) == 3
    assert {f.standing for f in result.finalists} == {"gain", "beaten"}
    assert result.verdict == "gain"


async def test_the_next_best_take_the_place_of_those_that_break_a_hard_slo(world: World) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        late = confirming(job) and job_a(job) >= 7
        return measurement(point, throughput=100 + 10 * job_a(job), ttft=0.9 if late else 0.1)

    world.client.figures = figures
    result = await world.run({**task(), "slo": hard(0.5)})
    made = await rounds(world)
    # The round ends with the second of them: the baseline's start is of no use any more.
    assert sorted(made[0]) in ([7, 8], [1, 7, 8])
    assert [sorted(one) for one in made[1:]] == [[1, 5, 6]] * 3
    assert [out.starts for out in result.ruled_out] == [1, 1]
    assert all("mean TTFT is 0.9 s" in out.reason for out in result.ruled_out)
    assert result.winner is not None
    assert result.winner.parameters["a"] == 6
    assert result.verdict == "gain"
    assert {f.experiment for f in result.finalists if f.eligible} == {
        e.number for e in await world.experiments() if e.parameters["a"] in (5, 6)
    }


async def test_one_survivor_is_enough(world: World) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        late = confirming(job) and job_a(job) == 8
        return measurement(point, throughput=100 + 10 * job_a(job), ttft=0.9 if late else 0.1)

    world.client.figures = figures
    result = await world.run({**task(), "slo": hard(0.5)})
    assert {a for one in await rounds(world) for a in one} == {1, 7, 8}
    assert sum(one.count(8) for one in await rounds(world)) == 1
    assert result.winner is not None
    assert result.winner.parameters["a"] == 7
    assert len(result.ruled_out) == 1


async def test_where_nobody_survives_the_baseline_stays(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, throughput=100 + 10 * job_a(job), ttft=0.9 if confirming(job) and job_a(job) > 1 else 0.1
    )
    result = await world.run({**task(), "slo": hard(0.5)})
    assert len(result.ruled_out) == 7
    assert result.verdict == "no_significant_gain"
    assert "nothing better than the baseline was found that could be confirmed" in result.headline
    assert result.winner is not None
    assert result.winner.number == 0
    assert sum(map(len, await rounds(world))) <= 18


async def test_where_nothing_keeps_the_slo_when_started_again_the_nearest_is_named(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point,
        throughput=100 + 10 * job_a(job),
        ttft=0.6 + 0.1 * job_a(job) if confirming(job) else 0.1 + (job_a(job) == 1),
    )
    result = await world.run({**task(), "slo": hard(0.5)})
    assert result.verdict == "infeasible"
    assert result.nearest is not None
    assert result.winner is None
    assert result.status is TaskStatus.COMPLETED


async def test_the_only_one_that_keeps_the_slo_wins_without_a_gain(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, throughput=100 * noise_of(job, 0.02), ttft=0.9 if job_a(job) != 8 else 0.1
    )
    result = await world.run({**task(), "slo": hard(0.5)})
    assert result.verdict == "only_eligible"
    assert result.winner is not None
    assert result.winner.parameters["a"] == 8
    assert "keeps the hard SLOs in all" in result.headline
    assert "the baseline does not: mean TTFT is 0.9 s" in result.headline


async def test_a_finalist_whose_server_fails_for_good_is_ruled_out(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        failure(FailureClass.CRASH, "lost its way")
        if confirming(job) and job_a(job) == 8
        else faster_with_a(job, point, repeat)
    )
    result = await world.run(task())
    (out,) = result.ruled_out
    assert out.reason == "its server failed: lost its way"
    assert sum(one.count(8) for one in await rounds(world)) == 2  # the policy's two tries, in one round
    assert result.winner is not None
    assert result.winner.parameters["a"] == 7


async def test_a_host_that_fails_rules_nobody_out(world: World) -> None:
    """The baseline's starts of the first round are lost: that round has no pairs, and others take its place."""
    seen: Counter[str] = Counter()

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        seen[job.draw_key] += 1
        if confirming(job) and job_a(job) == 1 and "confirm-0" in job.draw_key:
            return failure(FailureClass.INFRASTRUCTURE, "no ports")
        return faster_with_a(job, point, repeat)

    world.client.figures = figures
    result = await world.run(task())
    assert result.ruled_out == ()
    assert [f.pairs for f in result.finalists] == [3, 3]
    assert result.verdict == "gain"


def disturbing(*keys: str) -> Callable[[AttemptJob, LoadPoint, int], Measurement | Failure]:
    """Starts with these names, or all of the confirmation without a name, are slow because of another program."""

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        made = faster_with_a(job, point, repeat)
        hit = confirming(job) and (not keys or any(key in job.draw_key for key in keys))
        if not hit or isinstance(made, Failure):
            return made
        return made.model_copy(update={"disturbed": True, "total_throughput": 1.0})

    return figures


async def test_a_disturbed_start_is_repeated_and_makes_no_pair(world: World) -> None:
    world.client.figures = disturbing("0/confirm-1/0", "0/confirm-1/1")
    result = await world.run(task(top_k=1))
    made = await rounds(world)
    assert [one.count(1) for one in made] == [1, 3, 1]
    assert [one.count(8) for one in made] == [1, 1, 1]
    assert result.verdict == "gain"
    assert result.gain is not None
    assert result.gain.pairs == 3
    assert not any(point.metrics["disturbed"] for point in result.confirmation)


async def test_on_a_machine_that_is_always_disturbed_the_least_pairs_are_had(world: World) -> None:
    world.client.figures = disturbing()
    result = await world.run(task())
    made = await rounds(world)
    assert sum(map(len, made)) <= 18
    assert len(made) >= 3
    assert max(one.count(a) for one in made for a in one) <= DISTURBED_TRIES
    assert [f.pairs for f in result.finalists] == [3, 3]
    assert any("were disturbed" in warning for warning in result.warnings)


async def test_with_little_time_nothing_is_confirmed_and_the_plan_says_so(world: World) -> None:
    data = {
        **task(budget={"wall_clock_s": 30.0}),
        "benchmark": {**document()["benchmark"], "max_time_per_iteration": 1},
    }
    plan = world.plan(data)
    assert plan.confirm_starts == 0
    assert any("will not be confirmed" in warning for warning in plan.warnings)
    result = await world.run(data)
    assert result.confirmation == ()
    assert result.verdict == "unconfirmed"
    assert any("will not be confirmed" in warning for warning in result.warnings)


async def test_the_noise_within_a_start_is_that_of_its_repeats(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, repeat=repeat, throughput=(100 + 100 * job_a(job)) * (1.02 if repeat else 1.0)
    )
    result = await world.run({**task(), "benchmark": {**document()["benchmark"], "repeats": 2}})
    assert result.noise == pytest.approx(0.0, abs=1e-9)
    assert result.noise_within == pytest.approx(0.0198 / 2**0.5, rel=0.01)


# ---- cut off anywhere


def eventful(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """The two best are ruled out, one that follows fails now and then, and the noise asks for further rounds."""
    a = job_a(job)
    if not confirming(job):
        return faster_with_a(job, point, repeat)
    made = measurement(point, throughput=(100 + a) * noise_of(job, 0.02), ttft=0.9 if a >= 7 else 0.1)
    if "confirm-2/0" in job.draw_key and a == 6:
        return failure(FailureClass.CRASH, "once")
    return made.model_copy(update={"disturbed": job.draw_key.endswith("confirm-1/0")})


def eventful_task() -> dict[str, Any]:
    return {**task(starts=2, max_starts=4), "slo": hard(0.5)}


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 6))])
async def test_cut_off_at_any_write_it_goes_on_exactly(tmp_path: Path, part: int) -> None:
    async with make_world(tmp_path / "whole") as whole:
        whole.client.figures = eventful
        counting = CuttingStore(whole.store, None, after=False, kill=False)
        expected = await whole.run(eventful_task(), store=cast(Store, counting))
        starts = await whole.starts()
    first = next(i for i, start in enumerate(starts) if start[1] is AttemptReason.CONFIRM)
    begun = [i for i, name in enumerate(counting.writes, start=1) if name == "start_attempt"][first]
    cuts = range(begun, len(counting.writes) + 1)
    assert len(expected.ruled_out) == 2
    assert len(cuts) > 60
    for at in list(cuts)[part::30]:
        async with make_world(tmp_path / f"cut-{at}") as cut:
            cut.client.figures = eventful
            cutting: Any = CuttingStore(cut.store, at, after=bool(at % 2), kill=True)
            with pytest.raises(Killed):
                await cut.run(eventful_task(), store=cutting)
            result = await cut.run(eventful_task())
            kept = [
                start
                for start, attempt in zip(await cut.starts(), await cut.attempts(), strict=True)
                if attempt.status is not AttemptStatus.INTERRUPTED
            ]
            interrupted = [a for a in await cut.attempts() if a.status is AttemptStatus.INTERRUPTED]
            assert len(interrupted) <= 1
            assert Counter(kept) <= Counter(starts)
            assert sum(Counter(starts).values()) - len(kept) <= len(interrupted)
            assert result.headline == expected.headline
            assert result.finalists == expected.finalists
            assert result.ruled_out == expected.ruled_out
            assert result.stop_reason == expected.stop_reason
