"""Trade-offs, importance, differences and load curves of a task that was run."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.server_metrics import GpuFigures, Level
from autotuner.contracts.stopping import EarlyStop
from autotuner.contracts.store import TaskStatus
from autotuner.contracts.workload import LoadPoint
from autotuner.coordinator.comparisons import argument_difference
from autotuner.coordinator.finalists import Evidence
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.pareto import pareto_set
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.verdicts import verdicts
from autotuner.services.report import render_html
from autotuner.services.report.findings_text import place_text
from autotuner.telemetry import watch
from conformance.fake_parts import measurement
from coordinator.loop_world import World, configuration, document, make_world

SEVERAL = ["maximize_throughput", "minimize_ttft"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


def traded(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
    """The larger a is, the more throughput and the longer TTFT; b only costs. Each start is off by about 2 %."""
    a, b = configuration(job)
    rng = random.Random(f"{job.attempt_id} {point.name}")
    return measurement(
        point,
        repeat=repeat,
        throughput=(100 + 30 * a - 8 * b) * rng.gauss(1, 0.02),
        ttft=(0.05 * a**1.5 + 0.03 * b) * rng.gauss(1, 0.02),
    )


async def test_the_front_of_a_task_with_its_certainty(world: World) -> None:
    world.client.figures = traded
    result = await world.run(
        document(objective=SEVERAL, max_iterations=20, confirm={"top_k": 3, "starts": 4, "max_starts": 4})
    )
    found = result.pareto
    assert found is not None
    assert [o.name for o in found.objectives] == SEVERAL
    assert [o.unit for o in found.objectives] == ["tokens/s", "s"]
    assert all(o.noise is not None and 0.005 < o.noise < 0.06 for o in found.objectives)
    assert len(found.points) == len(result.experiments)
    assert [p.experiment for p in found.points if p.on_front] == sorted(
        (p.experiment for p in found.points if p.on_front), key=[p.experiment for p in found.points].index
    )
    assert tuple(sorted(p.experiment for p in found.points if p.on_front)) == result.front
    parameters = {s.number: s.parameters for s in result.experiments}
    for point in found.points:
        assert point.probability is not None
        assert point.low is not None
        assert point.high is not None
        assert all(low <= value <= high for low, value, high in zip(point.low, point.values, point.high, strict=True))
        # With the same a, a larger b is worse in everything, and far more than the noise when it is 3 more.
        better = [n for n, p in parameters.items() if p["a"] == parameters[point.experiment]["a"]]
        if any(int(str(parameters[point.experiment]["b"])) - int(str(parameters[n]["b"])) >= 3 for n in better):
            assert point.place == "behind"
    assert found.points[0].place in ("front", "unclear")
    confirmed = {p.experiment for p in found.points if p.starts == 4}
    assert result.baseline is not None
    assert len(confirmed) == 4
    assert result.baseline.number in confirmed
    assert "the front is #" in result.headline
    assert "Trade-offs" in render_html(result)


async def test_knee_and_extremes_are_started_again(world: World) -> None:
    world.client.figures = traded
    await world.run(document(objective=SEVERAL, max_iterations=24, confirm={"top_k": 3, "starts": 2, "max_starts": 2}))
    started = {number for number, reason, _ in await world.starts() if reason is AttemptReason.CONFIRM}
    experiments = {e.number: e for e in await world.experiments()}
    own: dict[int, tuple[float, float]] = {}
    for number, e in experiments.items():
        assert e.metrics is not None
        own[number] = (e.metrics["mean_total_throughput"], e.metrics["mean_ttft"])
    assert max(own, key=lambda n: own[n][0]) in started
    assert min(own, key=lambda n: own[n][1]) in started
    assert len(started) in (3, 4)  # the baseline may be one of the extremes


async def test_without_a_confirmation_nothing_is_known_of_the_front(world: World) -> None:
    world.client.figures = traded
    result = await world.run(document(objective=SEVERAL, confirm={"starts": 0}))
    assert result.pareto is not None
    assert result.pareto.note is not None
    assert all(p.probability is None and p.place is None and p.low is None for p in result.pareto.points)
    assert "not known" in render_html(result)


async def test_one_objective_has_no_front(world: World) -> None:
    result = await world.run(document())
    assert result.pareto is None
    assert result.front == ()


# ---- importance, slices, differences


async def test_the_parameter_that_matters_is_found(world: World) -> None:
    result = await world.run(document(max_iterations=24, patience=None))
    found = result.importance
    assert found is not None
    assert found.note is None
    assert [p.parameter for p in found.parameters] == ["a", "b"]
    assert {s.parameter for s in result.slices} == {"a", "b"}
    assert result.winner is not None
    a = next(s for s in result.slices if s.parameter == "a")
    assert a.best == result.winner.parameters["a"]
    assert any(p.experiment == result.winner.number for p in a.points)


async def test_a_short_task_says_that_there_are_not_enough_data(world: World) -> None:
    result = await world.run(document())
    assert result.importance is not None
    assert result.importance.note is not None
    assert "not enough data: 6 experiments" in result.importance.note
    stored = await world.stored()
    assert stored.result is not None
    assert stored.result["importance"]["note"] == result.importance.note


async def test_winner_and_baseline_are_compared_over_their_pairs(world: World) -> None:
    world.client.figures = traded
    result = await world.run(document(confirm={"top_k": 2, "starts": 4, "max_starts": 4}, max_iterations=12))
    assert result.winner is not None
    assert result.baseline is not None
    compared = result.comparisons[0]
    assert (compared.experiment, compared.other) == (result.winner.number, result.baseline.number)
    assert compared.parameters == result.differences
    metrics = {d.metric: d for d in compared.metrics}
    throughput = metrics["mean_total_throughput"]
    assert throughput.pairs == 4
    assert throughput.noise is not None
    assert throughput.low is not None
    assert throughput.high is not None
    assert throughput.change is not None
    assert throughput.low < throughput.change < throughput.high
    assert throughput.clear is True
    # The gain is that of the same pairs.
    assert result.gain is not None
    assert throughput.change == pytest.approx(result.gain.gain)
    assert "mean_ttft" in metrics
    assert "mean_tpot" in metrics


async def test_without_pairs_the_noise_is_not_known(world: World) -> None:
    result = await world.run(document(confirm={"starts": 0}))
    (compared, *_) = result.comparisons
    assert all(d.pairs == 0 and d.noise is None and d.clear is None and d.low is None for d in compared.metrics)


async def test_a_start_without_goodput_leaves_no_ratio(world: World) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        good = 0.0 if configuration(job)[0] == 1 and job.attempt_id % 2 else 5.0
        return traded(job, point, repeat).model_copy(update={"goodput": good})

    world.client.figures = figures
    result = await world.run(document(confirm={"top_k": 1, "starts": 4, "max_starts": 4}, max_iterations=6))
    assert result.baseline is not None
    assert result.baseline.parameters["a"] == 1
    goodput = next(d for d in result.comparisons[0].metrics if d.metric == "goodput")
    assert (goodput.own, goodput.change, goodput.low, goodput.clear) == (5.0, None, None, None)
    assert 0 < goodput.other < 5
    assert goodput.pairs == 4
    assert "no ratio to 0" in render_html(result)


async def test_a_finalist_whose_server_fails_again_is_off_the_front(world: World) -> None:
    world.client.figures = traded
    searched = await world.run(document(objective=SEVERAL, max_iterations=12, confirm={"starts": 0}))
    assert searched.winner is not None
    assert searched.pareto is not None
    assert searched.winner.number in searched.front
    experiments = {e.number: e for e in await world.experiments()}
    ledger = Ledger()
    for experiment in experiments.values():
        ledger.put_experiment(experiment)
    plan = world.plan(document(objective=SEVERAL))
    scorer = Scorer.of(plan)
    scorer.settle_from(ledger)
    evidence = Evidence(out={searched.winner.number: "its server failed: killed"})
    found = pareto_set(verdicts(ledger, scorer), evidence, scorer, seed=0)
    assert found is not None
    (point,) = [p for p in found.points if p.experiment == searched.winner.number]
    assert (point.failed, point.eligible, point.on_front) == (True, False, False)
    assert place_text(point) == "failed when started again"


async def test_figures_that_were_cut_short_are_no_trade_off(world: World) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        taken = traded(job, point, repeat)
        if job.stop is None or configuration(job)[1] < 3:
            return taken
        early = EarlyStop(kind="slo_out_of_reach", why="the SLO is out of reach", planned_s=9.0)
        return taken.model_copy(update={"early_stop": early})

    world.client.figures = figures
    data = document(objective=SEVERAL, max_iterations=16, confirm={"top_k": 1, "starts": 2, "max_starts": 2})
    result = await world.run(data)
    cut = {s.number for s in result.experiments if s.metrics.get("cut")}
    assert cut
    assert result.pareto is not None
    assert {p.experiment for p in result.pareto.points} == {s.number for s in result.experiments} - cut
    # The model of the scores takes them for what they are.
    assert result.importance is not None
    assert result.importance.experiments == len(result.experiments)


async def test_the_load_curve_is_of_the_confirmation(world: World) -> None:
    data = document()
    data["benchmark"]["num_concurrency"] = [1, 2, 4]
    result = await world.run(data)
    assert result.winner is not None
    assert result.baseline is not None
    assert [c.experiment for c in result.load_curves] == [result.winner.number, result.baseline.number]
    for curve in result.load_curves:
        assert curve.starts == 2
        assert [p.concurrency for p in curve.points] == [1, 2, 4]
        assert all(p.windows == 2 and p.figures["total_throughput"] > 0 for p in curve.points)
    assert "Load curve" in render_html(result)


async def test_one_load_has_no_curve(world: World) -> None:
    assert (await world.run(document())).load_curves == ()


async def test_where_values_come_from(world: World) -> None:
    result = await world.run(document(seed=7))
    origins = {origin.parameter: origin for origin in result.provenance}
    assert origins["a"].searched
    assert origins["a"].origin == "document"
    assert result.settings["seed"] == 7
    assert result.settings["strategy"] == "random"


@pytest.mark.parametrize(
    ("old", "new", "added", "removed"),
    [
        (("s", "--a", "1", "--b"), ("s", "--a", "2", "--b"), ("--a 2",), ("--a 1",)),
        (("s", "--a", "1", "--b", "2"), ("s", "--b", "2", "--a", "1"), (), ()),
        (("s", "--n", "-1"), ("s", "--n", "-2", "--c"), ("--n -2", "--c"), ("--n -1",)),
        ((), ("s", "x"), ("s", "x"), ()),
        (("s", "-f", "a", "-f", "b"), ("s", "-f", "a"), (), ("-f b",)),
    ],
)
def test_options_that_differ(
    old: tuple[str, ...], new: tuple[str, ...], added: tuple[str, ...], removed: tuple[str, ...]
) -> None:
    assert argument_difference(old, new) == (added, removed)


# ---- objectives from the document to the report


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 100 W: no machine that runs the tests need have one."""
    power = Level(mean=100.0, max=120.0)
    monkeypatch.setattr(watch, "gpu_figures", lambda *_: (GpuFigures(index=0, readings=5, power=power),))


@pytest.mark.usefixtures("gpu")
async def test_energy_from_the_document_to_the_report(world: World) -> None:
    result = await world.run(document(objective="minimize_energy", max_iterations=10))
    assert (result.unit, result.direction) == ("J/token", "minimize")
    assert result.winner is not None
    assert result.winner.score == pytest.approx(100 / result.winner.metrics["mean_output_throughput"])
    text = render_html(result)
    assert "energy per output token" in text
    assert " J/token" in text


async def test_without_measured_energy_it_is_refused_after_one_start(world: World) -> None:
    with pytest.raises(AutotunerError) as caught:
        await world.run(document(objective=["maximize_throughput", "minimize_energy"]))
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert "minimize_energy needs the energy of GPUs, which was not measured" in caught.value.what
    assert len(await world.starts()) == 1
    assert (await world.stored()).status is TaskStatus.FAILED


async def test_cost_from_the_document_to_the_report(world: World) -> None:
    data = document(objective="minimize_cost", price_per_gpu_hour=3.6, max_iterations=10)
    data["system_config"] = {"total_gpus": 2}
    result = await world.run(data)
    assert (result.unit, result.direction) == ("$/M tokens", "minimize")
    assert result.winner is not None
    tokens = result.winner.metrics["mean_total_throughput_per_gpu"]
    assert result.winner.score == pytest.approx(3.6 / 3600 / tokens * 1e6)
    assert "$/M tokens" in render_html(result)
    assert result.settings["price per GPU-hour"] == 3.6


@pytest.mark.usefixtures("gpu")
async def test_cost_and_energy_need_no_baseline(world: World) -> None:
    data = document(objective=["minimize_cost", "minimize_energy"], price_per_gpu_hour=1.0, baseline=False)
    data["system_config"] = {"total_gpus": 1}
    result = await world.run(data)
    assert result.status is TaskStatus.COMPLETED
    assert result.baseline is None
    assert result.pareto is not None
    assert result.comparisons == ()
    assert "Best candidate" in render_html(result)


async def test_balanced_has_the_unit_of_its_baseline(world: World) -> None:
    result = await world.run(document(objective="balanced", max_iterations=8))
    assert result.unit == "× baseline"
    assert "× baseline" in render_html(result)
