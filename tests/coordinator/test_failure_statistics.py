"""What a task's result says of its failed starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, Failure, FailureClass, Phase
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.result import FailureCount
from autotuner.contracts.workload import LoadPoint
from autotuner.coordinator.failure_statistics import failure_counts
from autotuner.coordinator.ledger import Ledger
from conformance.fake_parts import failure, measurement
from coordinator.loop_world import World, by_size, document, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


def count(kind: FailureClass, phase: Phase, starts: int, experiments: int, recovered: int, said: str) -> FailureCount:
    return FailureCount(
        kind=kind,
        phase=phase,
        starts=starts,
        experiments=experiments,
        recovered=recovered,
        example=said,
        hint="mend it",
    )


async def test_failed_starts_are_counted_by_class_and_phase(world: World) -> None:
    """Experiment 1 never loads, 2 crashes once, 3 loses its port before it has a server; a confirmation fails once."""
    seen: Counter[tuple[str, int]] = Counter()

    def first(what: str, job: AttemptJob) -> bool:
        seen[what, job.experiment_number] += 1
        return seen[what, job.experiment_number] == 1

    async def start(job: AttemptJob) -> None:
        if job.experiment_number == 3 and first("start", job):
            raise DeploymentError(failure(FailureClass.PORT, "taken"))

    async def ready(job: AttemptJob) -> None:
        if job.experiment_number == 1:
            raise DeploymentError(failure(FailureClass.START_TIMEOUT, f"slow {job.attempt_id}"))

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        confirming = job.reason is AttemptReason.CONFIRM and job.experiment_number == 0
        if (job.experiment_number == 2 or confirming) and first("measure", job):
            return failure(FailureClass.CRASH, "bang")
        return by_size(job, point, repeat)

    world.deployment.hooks |= {"start": start, "wait_ready": ready}
    world.client.figures = figures
    result = await world.run(document(max_iterations=3))
    last = [a.id for a in await world.attempts() if a.failure and a.failure.kind is FailureClass.START_TIMEOUT][-1]
    assert result.failures == (
        count(FailureClass.CRASH, Phase.MEASURE, 2, 2, 2, "bang"),
        count(FailureClass.START_TIMEOUT, Phase.LOAD, 2, 1, 0, f"slow {last}"),
        count(FailureClass.PORT, Phase.DEPLOY, 1, 1, 1, "taken"),
    )
    stored = (await world.stored()).result
    assert stored is not None
    assert [FailureCount.model_validate(entry) for entry in stored["failures"]] == list(result.failures)


async def test_a_missing_figure_is_counted_though_its_start_went_well(world: World) -> None:
    world.client.figures = lambda job, point, repeat: (
        measurement(point).model_copy(update={"e2e": None}) if job.experiment_number == 1 else measurement(point)
    )
    result = await world.run(document(objective="minimize_latency", max_iterations=1, confirm={"starts": 0}))
    (found,) = result.failures
    assert (found.kind, found.phase, found.starts, found.recovered) == (FailureClass.CLIENT, Phase.MEASURE, 1, 0)
    assert "mean_e2e_latency" in found.example


async def test_starts_of_older_versions_without_a_phase_are_placed_by_how_far_they_came(world: World) -> None:
    async def ready(job: AttemptJob) -> None:
        if job.experiment_number == 1:
            raise DeploymentError(failure(FailureClass.CRASH))

    world.deployment.hooks["wait_ready"] = ready
    await world.run(document(max_iterations=1, confirm={"starts": 0}))
    ledger = await Ledger.read(world.store, 1)
    for number, attempt in ledger.attempts.items():
        if attempt.failure is not None:
            unknown = attempt.failure.model_copy(update={"phase": None})
            ledger.attempts[number] = attempt.model_copy(update={"failure": unknown})
    assert [(c.phase, c.starts) for c in failure_counts(ledger)] == [(Phase.LOAD, 2)]
