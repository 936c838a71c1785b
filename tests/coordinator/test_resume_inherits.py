"""A run that is cut off anywhere, between the measurements of a start too, ends with the figures of an unbroken one."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.config.identity import fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.result import TaskResult
from autotuner.contracts.search import SearchSetup
from autotuner.contracts.store import EventType, NewTask, Store
from autotuner.contracts.values import digest
from autotuner.contracts.workload import LoadPoint
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.loop import Coordinator
from autotuner.executors.inline import InlineExecutor
from autotuner.search.registry import make_strategy
from autotuner.services.documents import demo_document
from autotuner.services.planning import plan_document
from autotuner.services.plugins import InstalledPlugins
from autotuner.services.settings import load_settings
from autotuner.store import open_store
from conformance.fake_parts import failure, measurement
from coordinator.loop_world import CuttingStore, Killed, Watcher, World, configuration, document, make_world

MARKS = ("from_other_start", "other_start")
PLACES = [(f"D(10,10)@{load}", repeat) for load in (1, 2, 4) for repeat in (0, 1)]


def drawn(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """Noise from the start's key. Some starts fail at the second load point, a few configurations in every start."""
    a, b = configuration(job)
    noise = random.Random(digest([job.draw_key, point.name, repeat])).gauss(0, 0.05)
    if (a, b) in {(3, 2), (7, 4), (2, 1), (8, 3)}:
        return failure(FailureClass.BAD_ARGUMENT)
    if point.concurrency == 2 and random.Random(job.draw_key).random() < 0.2:
        return failure(FailureClass.CLIENT)
    return measurement(point, repeat=repeat, throughput=(100 + 20 * a - 7 * b) * (1 + noise))


def several_points() -> dict[str, Any]:
    data = document(max_iterations=4, retries=3, early_stop=False)  # so that places are taken in the document's order
    data["benchmark"] |= {"num_concurrency": [1, 2, 4], "repeats": 2}
    return data


def without_marks(value: Any) -> Any:
    """The value without what says that a measurement is from another start."""
    if isinstance(value, Mapping):
        return {name: without_marks(item) for name, item in value.items() if name not in MARKS}
    if isinstance(value, list | tuple):
        return [without_marks(item) for item in value]
    return value


@dataclass(frozen=True)
class Came:
    """What a task came to, as far as it must not hang on how often it was cut off."""

    experiments: list[dict[str, Any]]
    headline: str
    finalists: list[dict[str, Any]]
    confirmation: list[dict[str, Any]]
    winner: int | None


async def came(store: Store, result: TaskResult) -> Came:
    experiments = [
        e.model_dump(mode="json", exclude={"created_at", "finished_at"}) for e in await store.list_experiments(1)
    ]
    return Came(
        without_marks(experiments),
        result.headline,
        [gain.model_dump(mode="json") for gain in result.finalists],
        without_marks([point.model_dump(mode="json") for point in result.confirmation]),
        None if result.winner is None else result.winner.number,
    )


# ---- several load points and repeats, on fakes that say what was measured


@dataclass(frozen=True)
class Unbroken:
    came: Came
    writes: list[str]


_unbroken: dict[str, Unbroken] = {}


async def unbroken(folder: Path) -> Unbroken:
    """The same in every test, so it is found out once."""
    if "fakes" not in _unbroken:
        async with make_world(folder) as world:
            world.client.figures = drawn
            counting = CuttingStore(world.store, None, after=False, kill=False)
            result = await world.run(several_points(), store=cast(Store, counting))
            _unbroken["fakes"] = Unbroken(await came(world.store, result), counting.writes)
            retried = [a for a in await world.attempts() if a.reason is AttemptReason.RETRY]
            assert retried  # or the test is easier than it looks
            assert any(a.status is AttemptStatus.SUCCESS for a in retried)
    return _unbroken["fakes"]


def measured(world: World) -> Counter[tuple[str, str, int]]:
    """How often each measurement was taken, whichever attempts did it."""
    return Counter((world.deployment.jobs[a].draw_key, name, repeat) for a, name, repeat in world.client.measured)


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(3, 144, 9))
async def test_no_finished_measurement_is_taken_again(tmp_path: Path, at: int, after: bool, twice: bool) -> None:
    whole = await unbroken(tmp_path / "unbroken")
    if at + 10 * twice >= len(whole.writes):
        pytest.skip("the unbroken task has fewer writes")
    async with make_world(tmp_path) as world:
        world.client.figures = drawn
        lost = 0
        for cut in [at, 10][: 1 + twice]:
            store: Any = CuttingStore(world.store, cut, after=after, kill=True)
            with pytest.raises(Killed):
                await world.run(several_points(), store=store)
            lost += store.writes[-1] == "add_measurement" and not after
        result = await world.run(several_points())
        assert await came(world.store, result) == whole.came
        again = [place for place, count in measured(world).items() if count > 1]
        assert len(again) <= lost
        await world.assert_gapless()


async def test_a_mixed_experiment_says_so(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        data = several_points()
        data["optimization"] |= {"max_iterations": 1, "confirm": {"starts": 0}}
        counting: Any = CuttingStore(world.store, None, after=False, kill=False)
        data["task_name"] = "unbroken"
        await world.run(data, store=counting)
        third = [i for i, name in enumerate(counting.writes, start=1) if name == "add_measurement"][2]
    async with make_world(tmp_path / "cut") as world:
        cutting: Any = CuttingStore(world.store, third, after=True, kill=True)
        with pytest.raises(Killed):
            await world.run(data, store=cutting)
        result = await world.run(data)
        first, second, *_ = await world.attempts()
        (baseline, *_) = await world.experiments()
        rows = [row for row in await world.store.list_measurements(1) if row.experiment_id == baseline.id]
        shown = [e.from_other_start for e in result.experiments]
    assert (first.status, second.status) == (AttemptStatus.INTERRUPTED, AttemptStatus.SUCCESS)
    assert second.job is not None
    assert list(second.job.done) == PLACES[:3]
    left = [(row.measurement.load_point, row.measurement.requests_per_second) for row in rows[:3]]
    assert list(second.job.done_rates) == left
    assert [row.attempt_id for row in rows] == [first.id] * 3 + [second.id] * 3
    assert baseline.metrics is not None
    raw = baseline.metrics["raw_results"]
    assert [(entry["load_point"], entry["repeat"]) for entry in raw] == PLACES
    assert [entry.get("other_start") for entry in raw] == [True] * 3 + [None] * 3
    assert baseline.metrics["from_other_start"] == 3
    assert shown == [3, 0]
    assert result.warnings[-1] == (
        "1 experiment has figures of two starts, because a run was cut off between their load points"
    )


async def test_what_a_failed_start_measured_is_not_trusted(tmp_path: Path) -> None:
    """The second start is cut off, the third fails after the rest of it: the fourth measures everything."""
    async with make_world(tmp_path) as world:
        failing = True

        def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
            if failing and point.concurrency == 4:
                return failure(FailureClass.CLIENT)  # of a kind that passes: it is tried twice more
            return measurement(point, repeat=repeat)

        world.client.figures = figures
        data = several_points()
        data["optimization"] |= {"max_iterations": 1, "confirm": {"starts": 0}}
        # 7 writes until the server is ready, 4 measurements, the end of the start; 4 until ready, 3 measurements.
        cutting: Any = CuttingStore(world.store, 19, after=True, kill=True)
        with pytest.raises(Killed):
            await world.run(data, store=cutting)
        assert cutting.writes[-1] == "add_measurement"
        failing_jobs: list[AttemptJob] = []

        async def heal(job: AttemptJob) -> None:
            nonlocal failing
            failing_jobs.append(job)
            failing = len(failing_jobs) < 2

        world.deployment.hooks["start"] = heal
        await world.run(data)
        statuses = [a.status for a in await world.attempts()][:4]
    assert statuses == [
        AttemptStatus.FAILED,
        AttemptStatus.INTERRUPTED,
        AttemptStatus.FAILED,
        AttemptStatus.SUCCESS,
    ]
    assert list(failing_jobs[0].done) == PLACES[:3]
    assert failing_jobs[1].done == ()
    assert [job.draw_key for job in failing_jobs[:2]] == ["0/own/1", "0/own/2"]


# ---- the real engine for predictions, with noise


def predictions() -> Any:
    sets = ["optimization.max_iterations=4", "optimization.confirm.starts=2", "optimization.strategy=random"]
    sets += ["benchmark.num_concurrency=[64,256]", "benchmark.repeats=2", "simulation.noise=0.03"]
    sets += ["slo.tpot.threshold=0.2", "slo.ttft.threshold=20"]
    return demo_document(sets=[*sets, "simulation.crash_share=0.4"])


async def run_predictions(store: Store, folder: Path) -> TaskResult:
    checked = predictions()
    plan = plan_document(checked, load_settings({"AUTOTUNER_DATA_DIR": str(folder), "HOME": str(folder)}))
    described = identity(checked)
    task = await store.find_task(plan.task_name) or await store.create_task(
        NewTask(name=plan.task_name, document=to_data(checked), fingerprint=fingerprint(described), identity=described)
    )

    def strategy(setup: SearchSetup) -> Any:
        return make_strategy(checked.optimization.strategy, setup)

    coordinator = Coordinator(
        store=store,
        plan=plan,
        strategy=strategy,
        observer=Watcher(),
        artefacts=folder,
        host={},
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
    )
    opening = InlineExecutor().open(InstalledPlugins(), client=plan.client, client_cores=None)
    return await coordinator.run(task, opening)


async def whole_prediction(folder: Path) -> Unbroken:
    if "predictions" not in _unbroken:
        async with open_store(str(folder / "tasks.db")) as store:
            counting: Any = CuttingStore(store, None, after=False, kill=False)
            result = await run_predictions(counting, folder)
            _unbroken["predictions"] = Unbroken(await came(store, result), counting.writes)
    return _unbroken["predictions"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(5, 94, 4))
async def test_predictions_with_noise_come_to_the_same_figures(tmp_path: Path, at: int, after: bool) -> None:
    (tmp_path / "unbroken").mkdir()
    whole = await whole_prediction(tmp_path / "unbroken")
    if at >= len(whole.writes):
        pytest.skip("the unbroken task has fewer writes")
    async with open_store(str(tmp_path / "tasks.db")) as store:
        cutting: Any = CuttingStore(store, at, after=after, kill=True)
        with pytest.raises(Killed):
            await run_predictions(cutting, tmp_path)
        result = await run_predictions(store, tmp_path)
        assert await came(store, result) == whole.came
        events = await store.events(1)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        ends = Counter(e.experiment_id for e in events if e.type is EventType.EXPERIMENT_COMPLETED)
        assert set(ends.values()) == {1}
        ledger = await Ledger.read(store, 1)
        assert all(e.metrics is None or "raw_results" not in e.metrics for e in ledger.experiments.values())
