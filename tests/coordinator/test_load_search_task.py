"""A task whose configurations are scored at the highest load that meets the SLO of each."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, Failure
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import ExperimentOrigin, ExperimentStatus, Store
from autotuner.contracts.values import digest
from autotuner.contracts.workload import LoadPoint
from conformance.fake_parts import measurement
from coordinator.loop_world import CuttingStore, Killed, World, configuration, document, make_world
from coordinator.test_resume_inherits import Came, came

LIMIT = 0.1


def searching(**optimization: Any) -> dict[str, Any]:
    data = document(max_iterations=3, **optimization)
    data["benchmark"] = {"traffic_scenarios": ["D(10,10)"], "profile": "search", "load_search": {"highest": 128}}
    data["slo"] = {"ttft": {"mean": {"threshold": LIMIT, "hard_fail": True, "fail_ratio": 0.0}}}
    return data


def knee(job: AttemptJob) -> int:
    """The highest load of a configuration: more with a, less with b."""
    a, b = configuration(job)
    return 8 + 6 * a - b


def by_load(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """Latency and throughput rise with the load; what is off hangs on the start, the load and the repeat."""
    load = point.concurrency or 0
    off = random.Random(digest([job.draw_key, point.name, repeat])).gauss(0, 0.03)
    ttft = LIMIT * load / (knee(job) + 0.5) * math.exp(off)
    return measurement(point, repeat=repeat, ttft=ttft, throughput=100.0 * load**0.8)


async def test_the_score_is_that_of_the_highest_load(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.client.figures = by_load
        result = await world.run(searching())
        assert result.scored_at == ("D(10,10)@max_load_meeting_slo",)
        for experiment in await world.experiments():
            assert experiment.status is ExperimentStatus.SUCCESS
            metrics = experiment.metrics or {}
            a, b = (experiment.parameters[name] or 1 for name in ("a", "b"))
            truth = 8 + 6 * int(str(a)) - int(str(b))
            assert abs(metrics["max_load_meeting_slo"] / truth - 1) <= 0.12
            assert metrics["max_load_low"] <= metrics["max_load_meeting_slo"] <= metrics["max_load_high"]
            assert metrics["max_load_limited_by"] == "mean_ttft"
            # The figure that has an SLO is at its limit and keeps it: no coin is tossed for a hard SLO.
            assert 0.9 * LIMIT < metrics["mean_ttft"] <= LIMIT
            assert (experiment.slo or {})["slo_violation"] is False
            load = metrics["max_load_meeting_slo"]
            assert metrics["scored_load_points"] == [f"D(10,10)@{load:g}"]
            assert experiment.objective_score == pytest.approx(100.0 * load**0.8, rel=0.02)
            assert metrics["max_load_probes"] == len(metrics["raw_results"]) <= 25
        assert result.winner is not None
        best = max(await world.experiments(), key=lambda e: (e.metrics or {})["max_load_meeting_slo"])
        assert result.winner.number == best.number


async def test_later_searches_begin_where_an_earlier_one_ended(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.client.figures = by_load
        await world.run(searching())
        searches = {a.id: a.job.workload.load_search for a in await world.attempts() if a.job is not None}
        by_number = {e.id: e for e in await world.experiments()}
        best = 0.0
        for attempt in await world.attempts():
            search = searches[attempt.id]
            assert search is not None
            own = (by_number[attempt.experiment_id].metrics or {})["max_load_meeting_slo"]
            if attempt.reason is AttemptReason.CONFIRM:
                assert (search.start, search.probes) == (own, 12)
            else:
                assert search.start == (best or 4)
                best = max(best, own)
        confirmed = [a for a in await world.attempts() if a.reason is AttemptReason.CONFIRM]
        assert confirmed
        taken = Counter(attempt for attempt, _, _ in world.client.measured)
        assert max(taken[a.id] for a in confirmed) <= 12


async def test_a_configuration_that_meets_the_slo_at_no_load_violates_it(tmp_path: Path) -> None:
    def hopeless(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        slow = configuration(job)[0] > 4
        return measurement(point, repeat=repeat, ttft=2 * LIMIT if slow else LIMIT * (point.concurrency or 0) / 9.5)

    async with make_world(tmp_path) as world:
        world.client.figures = hopeless
        data = searching()
        data["parameters"] = {"a": [1, 8], "b": [1]}
        await world.run(data)
        experiments = {e.parameters["a"] or 1: e for e in await world.experiments()}
        metrics = experiments[8].metrics or {}
        assert metrics["max_load_meeting_slo"] is None
        assert metrics["max_load_limited_by"] == "nothing_meets"
        assert metrics["scored_load_points"] == ["D(10,10)@1"]
        assert metrics["mean_ttft"] == pytest.approx(2 * LIMIT)
        assert (experiments[8].slo or {})["slo_violation"] is True
        assert (experiments[1].metrics or {})["max_load_meeting_slo"] == 9
        assert (experiments[1].slo or {})["slo_violation"] is False


_whole: list[tuple[Came, list[str], Counter[tuple[str, str, int]]]] = []


def measured(world: World) -> Counter[tuple[str, str, int]]:
    return Counter((world.deployment.jobs[a].draw_key, name, repeat) for a, name, repeat in world.client.measured)


async def unbroken(folder: Path) -> tuple[Came, list[str], Counter[tuple[str, str, int]]]:
    if not _whole:
        async with make_world(folder) as world:
            world.client.figures = by_load
            counting = CuttingStore(world.store, None, after=False, kill=False)
            result = await world.run(searching(), store=cast(Store, counting))
            _whole.append((await came(world.store, result), counting.writes, measured(world)))
    return _whole[0]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(4, 150, 7))
async def test_a_search_that_is_cut_off_goes_on(tmp_path: Path, at: int, after: bool) -> None:
    whole, writes, probes = await unbroken(tmp_path / "unbroken")
    if at >= len(writes):
        pytest.skip("the unbroken task has fewer writes")
    async with make_world(tmp_path) as world:
        world.client.figures = by_load
        store: Any = CuttingStore(world.store, at, after=after, kill=True)
        with pytest.raises(Killed):
            await world.run(searching(), store=store)
        lost = store.writes[-1] == "add_measurement" and not after
        result = await world.run(searching())
        assert await came(world.store, result) == whole
        again = measured(world) - probes
        assert again.total() <= lost
        await world.assert_gapless()


async def test_the_baseline_is_the_first_to_search(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.client.figures = by_load
        await world.run(searching())
        first = (await world.experiments())[0]
        assert first.origin is ExperimentOrigin.BASELINE
        first_attempt = (await world.attempts())[0]
        assert first_attempt.job is not None
        assert first_attempt.job.workload.load_search is not None
        assert first_attempt.job.workload.load_search.stride == 2
