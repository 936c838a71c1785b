"""Searched configurations are measured no longer than their verdict needs, and nothing else changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.config.identity import changed, identity
from autotuner.config.load import validate
from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.result import TaskResult
from autotuner.contracts.search import OutcomeKind, SearchSetup, Trial
from autotuner.contracts.stopping import EarlyStop
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, Store
from autotuner.contracts.workload import LoadPoint
from autotuner.search.random_search import RandomSearch
from conformance.fake_parts import measurement
from coordinator.loop_world import CuttingStore, Killed, World, configuration, document, make_world

SCORED = "D(10,10)@8"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        made.client.figures = figures
        yield made


def throughput(job: AttemptJob) -> float:
    a, b = configuration(job)
    return 100.0 + 20 * a + 5 * b


def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """Large a misses the SLO; a window of one that is far worse than the best is cut by the client."""
    a, _ = configuration(job)
    found = measurement(point, repeat=repeat, throughput=throughput(job), ttft=0.5 if a >= 6 else 0.1)
    best = None if job.stop is None else job.stop.to_beat
    if best is not None and point.name == SCORED and throughput(job) < 0.8 * best.value:
        return cut(found)
    return found


def cut(found: Measurement) -> Measurement:
    why = "it is certainly worse than experiment 0 (made up)"
    early = EarlyStop(kind="certainly_worse", why=why, planned_s=1.0)
    return found.model_copy(update={"window_s": 0.25, "stopped": early.kind, "early_stop": early})


def task(**optimization: Any) -> dict[str, Any]:
    data = document(**{"max_iterations": 6, "confirm": {"top_k": 1, "starts": 2}, **optimization})
    data["benchmark"]["num_concurrency"] = [2, 4, 8]
    data["slo"] = {"ttft": {"p90": {"threshold": 0.2, "hard_fail": True, "fail_ratio": 0.0}}}
    return data


class Spy(RandomSearch):
    """Random search that keeps what it was told."""

    def __init__(self, setup: SearchSetup) -> None:
        super().__init__(setup)
        self.told: list[Trial] = []

    def tell(self, trial: Trial) -> None:
        self.told.append(trial)
        super().tell(trial)


async def jobs(world: World) -> list[AttemptJob]:
    return list(world.deployment.jobs.values())


async def test_only_searched_configurations_have_something_at_stake(world: World) -> None:
    await world.run(task(references=[{"label": "expert", "parameters": {"a": 2}}]))
    origins = {e.number: e.origin for e in await world.experiments()}
    for job in await jobs(world):
        searched = origins[job.experiment_number] is ExperimentOrigin.SEARCH and job.reason is AttemptReason.FIRST
        assert (job.stop is not None) == searched
        assert job.first == (SCORED,)
        if job.stop is not None:
            assert [(s.metric, s.statistic, s.hard_fail) for s in job.stop.slo] == [
                ("ttft", "p90", True),
                ("error_rate", "mean", True),
            ]
            assert (job.stop.scored, job.stop.figures, job.stop.load_kept) == ((SCORED,), ("total_throughput",), True)


async def test_what_is_to_be_beaten_is_the_best_that_keeps_its_slos(world: World) -> None:
    await world.run(task())
    best = 0.0
    for job in await jobs(world):
        if job.stop is not None:
            assert job.stop.to_beat is not None
            assert (job.stop.to_beat.figure, job.stop.to_beat.value) == ("total_throughput", best)
        a, _ = configuration(job)
        if a < 6 and job.reason is AttemptReason.FIRST:
            best = max(best, throughput(job))


async def test_one_that_misses_its_slo_is_measured_at_the_scored_load_only(world: World) -> None:
    spy: list[Spy] = []

    def strategy(setup: SearchSetup) -> Spy:
        spy.append(Spy(setup))
        return spy[0]

    result = await world.run(task(), strategy=strategy)
    experiments = await world.experiments()
    missing = [e for e in experiments if e.parameters["a"] >= 6]  # type: ignore[operator]
    kept = [e for e in experiments if e not in missing]
    assert missing
    for experiment in missing:
        assert experiment.status is ExperimentStatus.PRUNED
        assert experiment.metrics is not None
        assert experiment.slo is not None
        assert experiment.slo["slo_violation"]
        assert [entry["load_point"] for entry in experiment.metrics["raw_results"]] == [SCORED]
        assert list(experiment.metrics["not_measured"]) == ["D(10,10)@2", "D(10,10)@4"]
        assert experiment.metrics["pruned"].startswith(f"it misses its SLO at {SCORED} (p90 TTFT is 0.5 s")
    by_configuration = {tuple(sorted(t.configuration.items())): t.outcome for t in spy[0].told}
    for experiment in missing:
        told = by_configuration[tuple(sorted(experiment.parameters.items()))]
        assert told.kind is OutcomeKind.MEASURED
        assert told.constraints["p90_ttft"] > 0
    assert {e.status for e in kept} <= {ExperimentStatus.SUCCESS, ExperimentStatus.PRUNED}
    pruned = [event for event in await world.events() if event.type is EventType.EXPERIMENT_PRUNED]
    assert {event.experiment_id for event in pruned} >= {e.id for e in missing}
    assert all(event.message for event in pruned)
    statuses = Counter(a.status for a in await world.attempts())
    assert statuses[AttemptStatus.PRUNED] == len(pruned)
    assert result.winner is not None
    assert result.winner.eligible
    assert result.counts["pruned"] == len(pruned)
    assert result.counts["slo_violation"] == len(missing)
    shown = {s.number: s for s in result.experiments}
    assert all(shown[e.number].pruned for e in missing)
    assert result.measuring.pruned == len(pruned)
    assert result.measuring.saved_s > 0


async def test_one_that_was_cut_off_never_wins_on_its_figures(world: World) -> None:
    """Its figures are the best by far, but it was cut off as certainly worse."""

    def deceiving(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        if job.stop is not None and configuration(job)[0] == 3:
            return cut(measurement(point, repeat=repeat, throughput=10_000.0))
        return measurement(point, repeat=repeat, throughput=throughput(job))

    world.client.figures = deceiving
    data = task(strategy="grid")
    data["parameters"] = {"a": [1, 2, 3, 4], "b": [1]}
    data["optimization"]["max_iterations"] = 4
    result = await world.run(data)
    experiments = {e.number: e for e in await world.experiments()}
    cut_off = [e for e in experiments.values() if e.metrics is not None and e.metrics["cut"]]
    assert [e.parameters["a"] for e in cut_off] == [3]
    assert cut_off[0].status is ExperimentStatus.PRUNED
    assert cut_off[0].objective_score == 10_000.0
    assert cut_off[0].number not in {gain.experiment for gain in result.finalists}
    assert result.winner is not None
    assert result.winner.parameters["a"] == 4
    later = [job for job in await jobs(world) if job.experiment_number > cut_off[0].number and job.stop is not None]
    assert all(job.stop is not None and job.stop.to_beat is not None and job.stop.to_beat.value < 1000 for job in later)


async def test_a_task_in_which_all_are_pruned_names_the_nearest(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, repeat=repeat, ttft=0.3 + 0.01 * configuration(job)[0]
    )
    result = await world.run(task(baseline=False))
    statuses = {e.status for e in await world.experiments()}
    assert statuses == {ExperimentStatus.PRUNED}
    assert result.winner is None
    assert result.nearest is not None
    assert result.headline.startswith("No configuration meets the SLO, the nearest is")


async def test_a_miss_that_rules_nothing_out_prunes_only_beside_one_that_keeps_its_slos(world: World) -> None:
    data = task()
    data["slo"]["ttft"]["p90"]["fail_ratio"] = 10.0
    await world.run(data)
    by_a = {e.parameters["a"]: e for e in await world.experiments()}
    missing = [e for a, e in by_a.items() if a >= 6]  # type: ignore[operator]
    assert missing
    assert {e.status for e in missing} == {ExperimentStatus.PRUNED}
    assert not any((e.slo or {})["slo_violation"] for e in missing)


async def test_where_nothing_keeps_its_slos_a_miss_prunes_nothing(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, repeat=repeat, ttft=0.3, throughput=throughput(job)
    )
    data = task()
    data["slo"]["ttft"]["p90"]["fail_ratio"] = 10.0
    result = await world.run(data)
    assert {e.status for e in await world.experiments()} == {ExperimentStatus.SUCCESS}
    assert result.winner is not None


async def test_loads_above_saturation_are_left_out(world: World) -> None:
    def saturating(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        load = point.concurrency or 0
        return measurement(point, repeat=repeat, throughput=throughput(job), ttft=0.01 * load)

    world.client.figures = saturating
    await world.run(task(score_at="D(10,10)@2"))
    searched = [e for e in await world.experiments() if e.origin is ExperimentOrigin.SEARCH]
    for experiment in searched:
        assert experiment.status is ExperimentStatus.SUCCESS
        assert experiment.metrics is not None
        assert [entry["load_point"] for entry in experiment.metrics["raw_results"]] == ["D(10,10)@2", "D(10,10)@4"]
        (why,) = experiment.metrics["not_measured"].values()
        assert "saturated at D(10,10)@4" in why
    confirmed = [job for job in await jobs(world) if job.reason is AttemptReason.CONFIRM]
    measured = Counter(attempt for attempt, _, _ in world.client.measured)
    assert all(measured[job.attempt_id] == 3 for job in confirmed)


async def test_switched_off_everything_is_measured(world: World) -> None:
    data = task(early_stop=False)
    result = await world.run(data)
    assert all(job.stop is None and job.first == () for job in await jobs(world))
    assert {e.status for e in await world.experiments()} == {ExperimentStatus.SUCCESS}
    assert result.measuring.saved_s == 0
    measured = Counter(attempt for attempt, _, _ in world.client.measured)
    assert set(measured.values()) == {3}


def test_switching_it_makes_no_other_task() -> None:
    on, off = (identity(validate(task(early_stop=value))) for value in (True, False))
    assert changed(on, off) == []


# ---- cut off and run again


async def state(world: World) -> list[tuple[Any, ...]]:
    return [
        (e.number, e.status, e.objective_score, (e.metrics or {}).get("pruned"), (e.metrics or {}).get("not_measured"))
        for e in await world.experiments()
    ]


@dataclass(frozen=True)
class Unbroken:
    state: list[tuple[Any, ...]]
    result: TaskResult
    writes: int


_unbroken: list[Unbroken] = []


async def unbroken(folder: Path) -> Unbroken:
    """The same in every test, so it is found out once."""
    if not _unbroken:
        async with make_world(folder) as world:
            world.client.figures = figures
            counting = CuttingStore(world.store, None, after=False, kill=False)
            result = await world.run(task(), store=cast(Store, counting))
            _unbroken.append(Unbroken(await state(world), result, len(counting.writes)))
    return _unbroken[0]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(9, 120, 11))
async def test_cut_off_anywhere_it_ends_the_same(tmp_path: Path, at: int, after: bool) -> None:
    whole = await unbroken(tmp_path / "unbroken")
    if at >= whole.writes:
        pytest.skip("the unbroken task has fewer writes")
    async with make_world(tmp_path) as world:
        world.client.figures = figures
        cutting = CuttingStore(world.store, at, after=after, kill=True)
        with pytest.raises(Killed):
            await world.run(task(), store=cast(Store, cutting))
        result = await world.run(task())
        assert await state(world) == whole.state
        assert result.headline == whole.result.headline
        assert result.measuring == whole.result.measuring
        lost = cutting.writes[-1] == "add_measurement" and not after
        taken = Counter(
            (job.experiment_number, job.draw_key, place[1:])
            for place in world.client.measured
            for job in [world.deployment.jobs[place[0]]]
        )
        assert sum(count - 1 for count in taken.values()) <= lost
        await world.assert_gapless()
