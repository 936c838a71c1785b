"""A whole task without interruption: stages, events, failures, stopping, confirmation, conclusions."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, FailureClass, Phase
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.search import OutcomeKind, SearchSetup, Trial
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, MeasurementRow, TaskStatus
from autotuner.contracts.values import Configuration
from autotuner.contracts.workload import LoadPoint
from autotuner.search.random_search import RandomSearch
from conformance.fake_parts import failure, measurement
from coordinator.loop_world import World, by_size, configuration, document, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


def odd(job: AttemptJob) -> bool:
    """About half of the configurations, never the baseline."""
    return sum(configuration(job)) % 2 == 1


class Spy(RandomSearch):
    """Random search that keeps what it was told."""

    def __init__(self, setup: SearchSetup) -> None:
        super().__init__(setup)
        self.told: list[Trial] = []

    def tell(self, trial: Trial) -> None:
        self.told.append(trial)
        super().tell(trial)


async def test_baseline_references_search_and_interleaved_confirmation(world: World) -> None:
    data = document(references=[{"label": "expert", "parameters": {"a": 7}}])
    result = await world.run(data)
    experiments = await world.experiments()
    assert [e.number for e in experiments] == list(range(7))
    assert [e.origin.value for e in experiments] == ["baseline", "reference", *["search"] * 5]
    assert len({e.identity for e in experiments}) == 7
    assert all(e.status is ExperimentStatus.SUCCESS for e in experiments)
    starts = await world.starts()
    assert [start[:2] for start in starts[:7]] == [(n, AttemptReason.FIRST) for n in range(7)]
    confirming = starts[7:]
    finalists = sorted({number for number, _, _ in confirming})
    assert finalists[0] == 0
    assert len(finalists) == 3
    assert all(reason is AttemptReason.CONFIRM for _, reason, _ in confirming)
    rounds = [[number for number, _, block in confirming if block == wanted] for wanted in (0, 1)]
    assert [sorted(names) for names in rounds] == [finalists, finalists]
    assert [block for _, _, block in confirming] == [0, 0, 0, 1, 1, 1]
    assert rounds[0] != rounds[1]
    assert world.deployment.running == set()
    assert result.winner is not None
    assert result.gain is not None
    assert result.gain.pairs == 2
    assert result.attempts == 13
    assert result.references[0].label == "expert"
    assert "expert" in result.reference_gains
    stored = await world.stored()
    assert stored.status is TaskStatus.COMPLETED
    assert stored.stop_reason is not None
    assert stored.stop_reason.startswith("the budget of 5 configurations is used")
    assert stored.result is not None
    assert stored.elapsed_s == 13
    assert list(dict.fromkeys(s.stage for s in world.watcher.snapshots)) == [
        "baseline",
        "references",
        "search",
        "confirm",
    ]
    last = world.watcher.snapshots[-1]
    assert (last.starts_done, last.starts_total, last.eta_s) == (13, 13, 0)


async def test_events_are_gapless_and_as_the_service_describes_them(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        failure(FailureClass.UNSUPPORTED) if odd(job) else by_size(job, point, repeat)
    )
    await world.run(document(max_iterations=8))
    await world.assert_gapless()
    events = await world.events()
    experiments = {e.id: e for e in await world.experiments()}
    assert [e.type for e in events[:2]] == [EventType.TASK_CREATED, EventType.TASK_STARTED]
    assert events[1].data == {"task_name": "t", "base_runtime": "fake", "total": 1 + 8 + 6, "status": "running"}
    assert events[-1].type is EventType.TASK_COMPLETED
    assert set(events[-1].data) == {"best", "counts", "elapsed_s"}
    for event in events:
        experiment = experiments.get(event.experiment_id or 0)
        if event.type is EventType.EXPERIMENT_STARTED:
            assert experiment is not None
            assert event.data["parameters"] == experiment.parameters
        if event.type is EventType.EXPERIMENT_COMPLETED:
            assert experiment is not None
            assert event.data["objective_score"] == experiment.objective_score
            assert event.data["metrics"]["mean_total_throughput"] == experiment.objective_score
            assert "raw_results" not in event.data["metrics"]
            assert event.data["elapsed_s"] >= 0
        if event.type is EventType.EXPERIMENT_FAILED:
            assert experiment is not None
            assert experiment.failure is not None
            assert event.data["failure"]["kind"] == "unsupported"
    counts = Counter(event.type for event in events)
    failed = sum(e.status is ExperimentStatus.FAILED for e in experiments.values())
    assert failed > 0
    assert counts[EventType.EXPERIMENT_FAILED] == failed
    assert counts[EventType.EXPERIMENT_COMPLETED] == len(experiments) - failed
    # The event is the last write of its change: whoever reads it finds the state that it tells of.
    assert (await world.stored()).next_seq == len(events) + 1


@pytest.mark.parametrize(
    ("kind", "waits", "told"),
    [
        (FailureClass.CRASH, [0], OutcomeKind.INFEASIBLE),
        (FailureClass.OOM, [0], OutcomeKind.INFEASIBLE),
        (FailureClass.START_TIMEOUT, [0], OutcomeKind.INFEASIBLE),
        (FailureClass.BENCHMARK_TIMEOUT, [0], OutcomeKind.INFEASIBLE),
        (FailureClass.BAD_ARGUMENT, [], OutcomeKind.INFEASIBLE),
        (FailureClass.UNSUPPORTED, [], OutcomeKind.INFEASIBLE),
        (FailureClass.MISSING_MODEL, [], OutcomeKind.INFEASIBLE),
        (FailureClass.UNREACHABLE, [1, 4], OutcomeKind.INFEASIBLE),
        (FailureClass.PORT, [1, 4], OutcomeKind.VOID),
        (FailureClass.DOWNLOAD, [1, 4], OutcomeKind.VOID),
        (FailureClass.CLIENT, [1, 4], OutcomeKind.VOID),
        (FailureClass.INFRASTRUCTURE, [1, 4], OutcomeKind.VOID),
    ],
)
async def test_each_class_of_failure_is_retried_and_told_in_its_own_way(
    world: World, kind: FailureClass, waits: list[float], told: OutcomeKind
) -> None:
    world.client.figures = lambda job, point, repeat: failure(kind) if odd(job) else by_size(job, point, repeat)
    spies: list[Spy] = []

    def strategy(setup: SearchSetup) -> Spy:
        spies.append(Spy(setup))
        return spies[-1]

    await world.run(document(), strategy=strategy)
    failed = [e for e in await world.experiments() if e.status is ExperimentStatus.FAILED]
    assert failed
    for experiment in failed:
        own = [a for a in await world.attempts() if a.experiment_id == experiment.id]
        assert [a.reason for a in own] == [AttemptReason.FIRST, *[AttemptReason.RETRY] * len(waits)]
        assert experiment.failure == failure(kind).model_copy(update={"phase": Phase.MEASURE})
        # No score is invented.
        assert (experiment.objective_score, experiment.penalised_score, experiment.metrics) == (None, None, None)
    assert world.waits == waits * len(failed)
    (spy,) = spies
    outcomes = {tuple(t.configuration.items()): t.outcome for t in spy.told}
    assert len(outcomes) == 6
    for experiment in await world.experiments():
        outcome = outcomes[tuple(experiment.parameters.items())]
        if experiment in failed:
            assert outcome.kind is told
            assert outcome.objectives == ()
        else:
            assert (outcome.kind, outcome.objectives) == (OutcomeKind.MEASURED, (experiment.penalised_score,))


async def test_a_start_that_fails_by_chance_is_made_good_by_the_retry(world: World) -> None:
    seen: Counter[tuple[int, int]] = Counter()

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        seen[configuration(job)] += 1
        return failure(FailureClass.CRASH) if seen[configuration(job)] == 1 else by_size(job, point, repeat)

    world.client.figures = figures
    result = await world.run(document())
    assert all(e.status is ExperimentStatus.SUCCESS for e in await world.experiments())
    assert Counter(reason for _, reason, _ in await world.starts()) == {
        AttemptReason.FIRST: 6,
        AttemptReason.RETRY: 6,
        AttemptReason.CONFIRM: 6,
    }
    assert result.counts["success"] == 6


async def test_missing_figures_are_a_failure_and_no_score(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        measurement(point).model_copy(update={"e2e": None}) if odd(job) else measurement(point)
    )
    await world.run(document(objective="minimize_latency"))
    failed = [e for e in await world.experiments() if e.status is ExperimentStatus.FAILED]
    assert failed
    for experiment in failed:
        assert experiment.objective_score is None
        assert experiment.failure is not None
        assert "mean_e2e_latency" in experiment.failure.diagnosis


async def test_a_task_whose_first_configurations_all_fail_alike_stops(world: World) -> None:
    world.client.figures = lambda *_: failure(FailureClass.CRASH, "no such device")
    with pytest.raises(AutotunerError) as caught:
        await world.run(document(fail_fast_k=3))
    assert caught.value.code is ErrorCode.NO_RESULT
    assert caught.value.what == "the first 3 configurations all failed the same way: crash"
    assert caught.value.why == "no such device"
    assert "mend it" in caught.value.remedy
    assert "`autotuner logs t`" in caught.value.remedy
    stored = await world.stored()
    assert stored.status is TaskStatus.FAILED
    assert stored.error == caught.value.as_dict()
    assert stored.stop_reason == caught.value.what
    assert len(await world.experiments()) == 3
    events = await world.events()
    assert events[-1].type is EventType.TASK_FAILED
    assert stored.result is not None
    assert "no such device" in stored.result["headline"]
    assert stored.result["winner"] is None
    await world.assert_gapless()


async def test_a_failed_task_is_run_again_from_what_failed(world: World) -> None:
    world.client.figures = lambda *_: failure(FailureClass.BAD_ARGUMENT)
    with pytest.raises(AutotunerError):
        await world.run(document())
    world.client.figures = by_size
    result = await world.run(document())
    assert result.status is TaskStatus.COMPLETED
    experiments = await world.experiments()
    assert [e.number for e in experiments] == list(range(6))
    assert all(e.status is ExperimentStatus.SUCCESS and e.failure is None for e in experiments)
    stored = await world.stored()
    assert (stored.error, stored.status) == (None, TaskStatus.COMPLETED)
    reasons = [reason for _, reason, _ in await world.starts()]
    assert reasons[:3] == [AttemptReason.FIRST] * 3
    assert reasons[3:6] == [AttemptReason.RETRY] * 3
    assert Counter(e.type for e in await world.events())[EventType.EXPERIMENT_RETRIED] == 3
    await world.assert_gapless()


async def test_condemned_configurations_of_a_finished_task_stay_condemned(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        failure(FailureClass.CRASH) if odd(job) else by_size(job, point, repeat)
    )
    await world.run(document())
    condemned = [e for e in await world.experiments() if e.status is ExperimentStatus.FAILED]
    world.client.figures = by_size
    await world.run(document(max_iterations=8))
    experiments = await world.experiments()
    assert len(experiments) == 9
    assert [e for e in experiments if e.status is ExperimentStatus.FAILED] == condemned


async def test_infrastructure_failures_stop_a_task_too(world: World) -> None:
    world.client.figures = lambda *_: failure(FailureClass.INFRASTRUCTURE, "disk full")
    with pytest.raises(AutotunerError, match="disk full"):
        await world.run(document())


async def test_a_defect_of_a_plugin_fails_the_task(world: World) -> None:
    async def defect(job: AttemptJob) -> None:
        raise ZeroDivisionError("deep inside")

    world.deployment.hooks["wait_ready"] = defect
    with pytest.raises(ZeroDivisionError):
        await world.run(document())
    stored = await world.stored()
    assert stored.status is TaskStatus.FAILED
    assert stored.error is not None
    assert "ZeroDivisionError: deep inside" in str(stored.error["why"])
    assert [a.status for a in await world.attempts()] == [AttemptStatus.INTERRUPTED]
    assert world.deployment.running == set()


async def test_a_start_over_its_time_fails(world: World) -> None:
    async def hang(job: AttemptJob) -> None:
        if odd(job):
            await asyncio.Event().wait()

    world.client.hook = hang
    await world.run(document(timeout_per_iteration=0.1, retries=0))
    failed = [e for e in await world.experiments() if e.status is ExperimentStatus.FAILED]
    assert failed
    assert failed[0].failure is not None
    assert failed[0].failure.kind is FailureClass.BENCHMARK_TIMEOUT
    assert world.deployment.running == set()


async def test_time_that_storing_takes_is_not_that_of_a_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a measurement is being stored an hour goes by on the loop's clock."""
    loop = asyncio.get_running_loop()
    usual, passed = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: usual() + passed)
    add_measurement = world.store.add_measurement

    async def slow(attempt_id: int, measurement: Measurement) -> MeasurementRow:
        nonlocal passed
        passed += 3600
        for _ in range(20):
            await asyncio.sleep(0)
        return await add_measurement(attempt_id, measurement)

    monkeypatch.setattr(world.store, "add_measurement", slow)
    await world.run(document(timeout_per_iteration=600, retries=0, max_iterations=2))
    assert all(e.status is ExperimentStatus.SUCCESS for e in await world.experiments())
    assert passed > 3600


# ---- stopping


async def test_patience_counts_from_the_best_so_far_the_baseline_included(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(point, throughput=100 - sum(configuration(job)))
    result = await world.run(document(max_iterations=20, patience=3))
    assert len(await world.searched()) == 3
    assert result.stop_reason == "3 configurations in a row were no better"
    assert "nothing better than the baseline was found" in result.headline
    assert result.confirmation == ()


async def test_an_exhausted_space_ends_the_search(world: World) -> None:
    data = {**document(max_iterations=50, confirm={"starts": 0}), "parameters": {"a": [1, 2, 3]}}
    result = await world.run(data)
    assert result.stop_reason == "every valid configuration was measured"
    assert len(await world.experiments()) == 3


async def test_nothing_to_search_is_said(world: World) -> None:
    data = {**document(), "parameters": {"a": 3}}
    result = await world.run(data)
    assert result.stop_reason == "nothing is searched"
    assert len(await world.experiments()) == 1


async def test_a_quarter_of_the_time_is_kept_for_the_confirmation(tmp_path: Path) -> None:
    async with make_world(tmp_path, seconds_per_start=10) as world:
        result = await world.run(document(max_iterations=30, budget={"wall_clock_s": 200}, confirm={"starts": 5}))
        starts = await world.starts()
        # 15 starts before the reserve, 5 in it: they take longer than the plan thought.
        assert sum(reason is AttemptReason.FIRST for _, reason, _ in starts) == 15
        assert sum(reason is AttemptReason.CONFIRM for _, reason, _ in starts) == 5
        assert result.stop_reason == (
            "the time for searching (150 s of 200 s) is used; "
            "the confirmation was cut short by the time budget of 200 s"
        )
        assert (await world.stored()).stop_reason == result.stop_reason
        assert result.elapsed_s == 200


async def test_without_confirmation_nothing_is_kept(world: World) -> None:
    data = document(max_iterations=30, budget={"wall_clock_s": 12}, confirm={"starts": 0})
    result = await world.run(data)
    assert len(await world.starts()) == 12
    assert "was not confirmed" in result.headline
    assert result.gain is None


async def test_a_strategy_that_repeats_itself_ends_the_search(world: World) -> None:
    class Stubborn(RandomSearch):
        def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
            return {"a": 5, "b": 2}

    result = await world.run(document(), strategy=Stubborn)
    assert len(await world.searched()) == 1
    assert result.stop_reason is not None
    assert "nothing new to propose" in result.stop_reason


# ---- conclusions


def slo(threshold: float, *, hard: bool) -> dict[str, Any]:
    return {"ttft": {"threshold": threshold, "hard_fail": hard, "fail_ratio": 0.0, "weight": 0.001}}


async def test_nothing_feasible_names_the_nearest(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(point, ttft=1.0 + 0.1 * configuration(job)[0])
    result = await world.run({**document(), "slo": slo(0.5, hard=True)})
    assert result.winner is None
    assert result.gain is None
    assert result.nearest is not None
    lowest = min(int(str(e.parameters["a"])) for e in await world.experiments())
    assert result.nearest.parameters["a"] == lowest
    assert result.headline.startswith("No configuration meets the SLO, the nearest is")
    assert result.status is TaskStatus.COMPLETED
    assert result.confirmation == ()


async def test_a_finalist_that_breaks_the_slo_when_started_again_cannot_win(world: World) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        a, b = configuration(job)
        late = job.reason is AttemptReason.CONFIRM and a != 1
        return measurement(point, throughput=100 + 20 * a + b, ttft=0.9 if late else 0.1)

    world.client.figures = figures
    result = await world.run(
        {**document(confirm={"top_k": 1, "starts": 2, "max_starts": 2}), "slo": slo(0.5, hard=True)}
    )
    (out,) = result.ruled_out
    assert (out.starts, "mean TTFT is 0.9 s" in out.reason) == (1, True)
    assert not any(finalist.eligible for finalist in result.finalists)
    assert result.winner is not None
    assert result.winner.number == 0
    assert result.stop_reason is not None
    assert "1 finalist was ruled out; the reserve cannot pay 2 pairs of the next" in result.stop_reason


async def test_a_soft_slo_missed_by_the_winner_is_labelled(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, throughput=100 * configuration(job)[0], ttft=0.5 + 0.01 * configuration(job)[0]
    )
    result = await world.run({**document(), "slo": slo(0.5, hard=False)})
    assert result.winner is not None
    assert result.winner.eligible
    assert "misses its SLO" in result.headline
    assert "mean TTFT is" in result.headline


async def test_without_a_baseline_no_gain_is_claimed(world: World) -> None:
    result = await world.run(document(baseline=False))
    assert result.baseline is None
    assert result.gain is None
    assert "no gain is claimed" in result.headline
    assert all(reason is AttemptReason.FIRST for _, reason, _ in await world.starts())


async def test_a_baseline_that_fails_leaves_no_gain(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        failure(FailureClass.CRASH) if configuration(job) == (1, 1) else by_size(job, point, repeat)
    )
    result = await world.run(document())
    assert result.baseline is not None
    assert result.baseline.failure is not None
    assert result.winner is not None
    assert result.gain is None
    assert "no gain is claimed" in result.headline


async def test_balanced_stops_when_its_baseline_fails_and_goes_on_when_that_is_mended(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        failure(FailureClass.CRASH) if configuration(job) == (1, 1) else by_size(job, point, repeat)
    )
    with pytest.raises(AutotunerError, match="baseline could not be measured"):
        await world.run(document(objective="balanced"))
    assert len(await world.experiments()) == 1
    world.client.figures = by_size
    result = await world.run(document(objective="balanced"))
    assert result.status is TaskStatus.COMPLETED
    assert result.baseline is not None
    assert result.baseline.score == pytest.approx(1.0)


async def test_an_objective_that_can_never_be_scored_is_refused_at_once(world: World) -> None:
    with pytest.raises(AutotunerError) as caught:
        await world.run(document(objective="minimize_cost", price_per_gpu_hour=1.0))
    assert caught.value.code is ErrorCode.CONTRADICTION
    assert await world.starts() == []


async def test_several_objectives_say_what_the_winner_is_best_in(world: World) -> None:
    world.client.figures = lambda job, point, repeat: measurement(
        point, throughput=100 + 10 * configuration(job)[0], ttft=0.1 * configuration(job)[0]
    )
    result = await world.run(document(objective=["maximize_throughput", "minimize_ttft"], max_iterations=6, patience=9))
    # Each value of a is a trade-off of its own, so the best by the first objective has the largest.
    largest = max(int(str(e.parameters["a"])) for e in await world.experiments())
    assert result.winner is not None
    assert result.winner.parameters["a"] == largest
    assert result.objective == "maximize_throughput, minimize_ttft"
    assert "by the first objective, total throughput" in result.headline
    assert result.winner.number in result.front
    assert 0 in result.front
    values = {e.number: e.parameters["a"] for e in await world.experiments()}
    assert {values[number] for number in result.front} == set(values.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_equal_configurations_give_no_significant_gain(world: World, seed: int) -> None:
    """A/A: the parameters have no effect, the starts differ by noise, and the baseline was unlucky at first."""

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        noise = random.Random(f"{seed} {job.attempt_id}").gauss(0.0, 0.02)
        return measurement(point, throughput=100 * (1 + (-0.1 if job.attempt_id == 1 else noise)))

    world.client.figures = figures
    result = await world.run(document(max_iterations=6, confirm={"top_k": 2, "starts": 5}))
    assert "No significant gain" in result.headline
    assert not any(gain.significant for gain in result.finalists)
    assert result.noise is not None
    assert result.noise > 0.005


async def test_a_confirmation_start_that_fails_is_tried_again_and_reported(world: World) -> None:
    seen: Counter[tuple[object, ...]] = Counter()

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        seen[job.reason, configuration(job)] += 1
        if job.reason is AttemptReason.CONFIRM and seen[job.reason, configuration(job)] == 1:
            return failure(FailureClass.CRASH, "lost its way")
        return by_size(job, point, repeat)

    world.client.figures = figures
    result = await world.run(document())
    assert result.gain is not None
    assert result.gain.pairs == 2
    assert sum("lost its way" in warning for warning in result.warnings) == 3
    assert all(e.status is ExperimentStatus.SUCCESS for e in await world.experiments())


async def test_a_reference_that_is_the_baseline_is_measured_once_and_named(world: World) -> None:
    result = await world.run(document(references=[{"label": "mine", "parameters": {"a": 1}}]))
    assert sum(e.origin is ExperimentOrigin.REFERENCE for e in await world.experiments()) == 0
    assert "the reference 'mine' is the same as experiment 0" in result.warnings
