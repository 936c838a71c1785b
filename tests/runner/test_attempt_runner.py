"""One attempt: the order of its records, what is stored before what, and the teardown whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from autotuner.contracts.attempt import (
    AttemptJob,
    AttemptRecord,
    AttemptStatus,
    Ended,
    Failure,
    FailureClass,
    Measured,
    Phase,
    PhaseBudgets,
    PhaseChanged,
    Progress,
    Ready,
)
from autotuner.contracts.client import OnProgress
from autotuner.contracts.deployment import DeploymentError, Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.stopping import SloStake, StopRules
from autotuner.contracts.workload import LoadPoint, Workload
from autotuner.runner.attempt import PhaseTimer, run_attempt
from conformance.fake_parts import (
    FakeClient,
    FakeDeployment,
    FakeSession,
    Hook,
    failure,
    load_point,
    make_job,
    measurement,
)

ORDER = ["phase deploy", "deployed", "phase load", "ready", "phase measure", "measured", "measured"]
HELD = [*ORDER, "ended"]
"""Records that the attempt waits for; progress and the teardown's phase are notices."""


def name(record: AttemptRecord) -> str:
    return f"phase {record.phase.value}" if isinstance(record, PhaseChanged) else record.kind


async def all_records(job: AttemptJob, deployment: FakeDeployment, client: FakeClient) -> list[AttemptRecord]:
    return [record async for record in run_attempt(job, deployment, FakeSession(client))]


def ended(records: list[AttemptRecord]) -> Ended:
    last = records[-1]
    assert isinstance(last, Ended)
    assert sum(isinstance(record, Ended) for record in records) == 1
    return last


def in_phase(phase: Phase, expected: Failure) -> Failure:
    return expected.model_copy(update={"phase": phase})


async def wait_forever(job: AttemptJob) -> None:
    await asyncio.Event().wait()


def raises(kind: FailureClass) -> Hook:
    async def hook(job: AttemptJob) -> None:
        raise DeploymentError(failure(kind))

    return hook


async def test_records_come_in_order_and_ended_is_last(tmp_path: Path) -> None:
    deployment = FakeDeployment()
    records = await all_records(make_job(tmp_path), deployment, FakeClient())
    steady = [name(record) for record in records if not isinstance(record, Progress)]
    assert steady == [*ORDER, "phase teardown", "ended"]
    assert sum(isinstance(record, Progress) for record in records) == 2
    assert ended(records).status is AttemptStatus.SUCCESS
    assert ended(records).peak_rss_bytes == 1000
    assert deployment.steps[-2:] == [("stop", 1), ("stopped", 1)]
    assert deployment.grace == [1]
    ready = next(record for record in records if isinstance(record, Ready))
    assert ready.engine_version == "fake-1"


@pytest.mark.parametrize("held", HELD[:-1])
async def test_nothing_happens_before_a_record_is_stored(tmp_path: Path, held: str) -> None:
    """The reader does not come back from storing a record: what comes after it in the attempt has not begun."""
    deployment, client = FakeDeployment(), FakeClient()
    measured: list[str] = []
    usual = client.figures

    def noted(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        measured.append(point.name)
        return usual(job, point, repeat)

    client.figures = noted
    stream = run_attempt(make_job(tmp_path), deployment, FakeSession(client))
    async for record in stream:
        if name(record) == held:
            break
    for _ in range(20):  # whatever could go on does
        await asyncio.sleep(0)
    begun = {step for step, _ in deployment.steps}
    later = {
        "phase deploy": {"start", "handled", "wait_ready", "stop"},
        "deployed": {"handled", "wait_ready", "stop"},
        "phase load": {"wait_ready", "stop"},
        "ready": {"stop"},
        "phase measure": {"stop"},
        "measured": {"stop"},
    }[held]
    assert not begun & later
    assert len(measured) == (1 if held == "measured" else 0)
    await stream.aclose()
    assert deployment.running == set()


@pytest.mark.parametrize("at", ["handled", "wait_ready", "measuring", "stop"])
@pytest.mark.parametrize("times", [1, 2])
async def test_cancelled_in_any_phase_the_server_is_stopped(tmp_path: Path, at: str, times: int) -> None:
    deployment, client = FakeDeployment(), FakeClient()
    reached = asyncio.Event()
    stopping = asyncio.Event()

    async def block(job: AttemptJob) -> None:
        reached.set()
        await wait_forever(job)

    async def slow_stop(job: AttemptJob) -> None:
        stopping.set()
        if at == "stop":
            reached.set()
        await asyncio.sleep(0 if times == 1 and at != "stop" else 3600)

    deployment.hooks["stop"] = slow_stop
    if at == "measuring":
        client.hook = block
    elif at != "stop":
        deployment.hooks[at] = block

    async def read() -> None:
        async with aclosing(run_attempt(make_job(tmp_path), deployment, FakeSession(client))) as records:
            async for _ in records:
                pass

    reader = asyncio.create_task(read())
    await reached.wait()
    reader.cancel()
    await stopping.wait()
    if times == 2:
        await asyncio.sleep(0)
        reader.cancel()  # a second Ctrl-C ends the grace
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert deployment.running == set()
    assert deployment.steps[-1] == ("stopped", 1)
    assert client.ended in ([], [1])


async def test_cancelled_before_there_is_a_server_nothing_is_stopped(tmp_path: Path) -> None:
    deployment = FakeDeployment()
    reached = asyncio.Event()

    async def block(job: AttemptJob) -> None:
        reached.set()
        await wait_forever(job)

    deployment.hooks["start"] = block
    reading = asyncio.create_task(all_records(make_job(tmp_path), deployment, FakeClient()))
    await reached.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert deployment.steps == [("start", 1)]


@pytest.mark.parametrize("at", ["start", "handled", "wait_ready"])
async def test_a_failed_start_is_told_and_torn_down(tmp_path: Path, at: str) -> None:
    deployment = FakeDeployment()
    deployment.hooks[at] = raises(FailureClass.CRASH)
    records = await all_records(make_job(tmp_path), deployment, FakeClient())
    phase, when = {
        "start": (Phase.DEPLOY, "while it was being started"),
        "handled": (Phase.DEPLOY, "while it was being started"),
        "wait_ready": (Phase.LOAD, "before it answered"),
    }[at]
    assert ended(records).failure == in_phase(phase, failure(FailureClass.CRASH, f"{when}: it broke"))
    assert ended(records).status is AttemptStatus.FAILED
    assert deployment.running == set()
    assert (("stopped", 1) in deployment.steps) == (at != "start")
    assert not any(isinstance(record, Measured) for record in records)


async def test_a_client_error_in_the_middle_keeps_what_was_measured(tmp_path: Path) -> None:
    client = FakeClient(
        lambda job, point, repeat: (
            measurement(point) if point.concurrency == 1 else failure(FailureClass.CLIENT, "no worker")
        )
    )
    deployment = FakeDeployment()
    records = await all_records(make_job(tmp_path), deployment, client)
    assert [r.measurement.concurrency for r in records if isinstance(r, Measured)] == [1]
    assert ended(records).failure == in_phase(Phase.MEASURE, failure(FailureClass.CLIENT, "no worker"))
    assert deployment.running == set()


async def test_a_server_that_dies_while_it_is_measured_ends_the_measurement(tmp_path: Path) -> None:
    deployment, client = FakeDeployment(), FakeClient()

    async def die(job: AttemptJob) -> None:
        deployment.dead[1] = failure(FailureClass.OOM, "out of memory")
        await wait_forever(job)

    client.hook = die
    records = await all_records(make_job(tmp_path), deployment, client)
    dead = failure(FailureClass.OOM, "while it was measured: out of memory")
    assert ended(records).failure == in_phase(Phase.MEASURE, dead)
    assert client.ended == [1]
    assert deployment.running == set()


@pytest.mark.parametrize("completed", [0, 5])
async def test_its_death_explains_the_failed_requests(tmp_path: Path, completed: int) -> None:
    """The client is done before the watch looks: the reason is the server's death, not what the client saw."""
    deployment = FakeDeployment()

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        deployment.dead[1] = failure(FailureClass.CRASH, "killed by signal 11")
        return measurement(point, completed=completed, errors=9, error_codes={"connection_reset": 9})

    records = await all_records(make_job(tmp_path), deployment, FakeClient(figures))
    dead = failure(FailureClass.CRASH, "while it was measured: killed by signal 11")
    assert ended(records).failure == in_phase(Phase.MEASURE, dead)


async def test_a_client_error_of_a_dead_server_is_explained_by_its_death(tmp_path: Path) -> None:
    deployment, client = FakeDeployment(), FakeClient(lambda *_: failure(FailureClass.CLIENT, "connection lost"))

    async def die(job: AttemptJob) -> None:
        deployment.dead[1] = failure(FailureClass.CRASH, "killed")

    client.hook = die
    records = await all_records(make_job(tmp_path), deployment, client)
    dead = failure(FailureClass.CRASH, "while it was measured: killed")
    assert ended(records).failure == in_phase(Phase.MEASURE, dead)


async def test_no_successful_request_is_a_failure_with_its_codes(tmp_path: Path) -> None:
    client = FakeClient(
        lambda job, point, repeat: measurement(
            point, completed=0, errors=7, error_codes={"http_500": 4, "timeout": 3}
        ).model_copy(update={"error_texts": {"http_500": "out of blocks"}})
    )
    records = await all_records(make_job(tmp_path), FakeDeployment(), client)
    found = ended(records).failure
    assert found is not None
    assert found.kind is FailureClass.UNREACHABLE
    assert "4 × http_500: out of blocks, 3 × timeout" in found.diagnosis
    assert sum(isinstance(record, Measured) for record in records) == 1  # kept, and no further point is tried


async def test_a_measurement_over_its_budget_is_ended(tmp_path: Path) -> None:
    deployment, client = FakeDeployment(), FakeClient()
    client.hook = wait_forever
    job = make_job(tmp_path, budgets=PhaseBudgets(start_s=60, measure_s=0.05, stop_s=1))
    found = ended(await all_records(job, deployment, client)).failure
    assert found is not None
    assert (found.kind, found.log_tail) == (FailureClass.BENCHMARK_TIMEOUT, "the last line")
    assert "0.05 s" in found.diagnosis
    assert "optimization.phase_budgets.measure" in found.hint
    assert client.ended == [1]
    assert deployment.running == set()


class Warming:
    """A client whose second load point never gets warm; each of its figures says that it has warmed up for so long."""

    def __init__(self, elapsed_s: float) -> None:
        self._elapsed_s = elapsed_s
        self.warm = asyncio.Event()

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        for number, (point, repeat) in enumerate(job.remaining()):
            figures = LiveFigures(
                load_point=point.name,
                repeat=repeat,
                phase="warmup",
                elapsed_s=self._elapsed_s if number else 0.0,
                window_s=1.0,
                completed=0,
                errors=0,
            )
            on_progress(figures)
            if number:
                on_progress(figures.model_copy(update={"elapsed_s": 0.0}))  # the limit runs from the first one
                await self.warm.wait()
            on_progress(figures.model_copy(update={"phase": "measure", "elapsed_s": 3600.0}))
            yield measurement(point)


async def test_a_warm_up_over_its_budget_is_ended(tmp_path: Path) -> None:
    deployment = FakeDeployment()
    job = make_job(tmp_path, budgets=PhaseBudgets(start_s=60, warm_up_s=3000, measure_s=3600, stop_s=1))
    records = [record async for record in run_attempt(job, deployment, Warming(elapsed_s=3000.0))]
    found = ended(records).failure
    assert found is not None
    assert (found.kind, found.phase, found.log_tail) == (
        FailureClass.BENCHMARK_TIMEOUT,
        Phase.WARM_UP,
        "the last line",
    )
    assert "D(10,10)@2" in found.diagnosis
    assert "3000 s" in found.diagnosis
    assert "optimization.phase_budgets.warm_up" in found.hint
    assert sum(isinstance(record, Measured) for record in records) == 1
    assert deployment.running == set()


async def test_measuring_is_no_warm_up(tmp_path: Path) -> None:
    """Only the warm-up counts against its budget, each load point's for itself."""
    client = Warming(elapsed_s=0.0)
    client.warm.set()
    job = make_job(tmp_path, budgets=PhaseBudgets(start_s=60, warm_up_s=3000, measure_s=3600, stop_s=1))
    records = [record async for record in run_attempt(job, FakeDeployment(), client)]
    assert ended(records).failure is None


@pytest.mark.parametrize("at", ["start", "handled"])
async def test_a_deployment_over_its_budget_is_ended(tmp_path: Path, at: str) -> None:
    deployment = FakeDeployment()
    deployment.hooks[at] = wait_forever
    job = make_job(tmp_path, budgets=PhaseBudgets(start_s=0.05, measure_s=60, stop_s=1))
    found = ended(await all_records(job, deployment, FakeClient())).failure
    assert found is not None
    assert found.kind is FailureClass.START_TIMEOUT
    assert deployment.running == set()


@pytest.mark.parametrize("held", ["deployed", "ready", "measured"])
async def test_time_that_the_reader_needs_to_store_is_in_no_budget(
    tmp_path: Path, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop's clock goes on by an hour while a record is being stored: everything due by then happens."""
    loop = asyncio.get_running_loop()
    usual, passed = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: usual() + passed)
    job = make_job(tmp_path, budgets=PhaseBudgets(start_s=600, measure_s=600, stop_s=1))
    records = []
    async for record in run_attempt(job, FakeDeployment(), FakeSession(FakeClient())):
        records.append(record)
        if name(record) == held:
            passed += 3600
            for _ in range(20):
                await asyncio.sleep(0)
    assert ended(records).failure is None
    assert sum(isinstance(record, Measured) for record in records) == 2


async def test_a_host_that_refuses_is_an_infrastructure_failure(tmp_path: Path) -> None:
    (tmp_path / "attempt-1").write_text("in the way")
    deployment = FakeDeployment()
    found = ended(await all_records(make_job(tmp_path), deployment, FakeClient())).failure
    assert found is not None
    assert found.kind is FailureClass.INFRASTRUCTURE
    assert deployment.steps == []


async def test_a_defect_of_a_plugin_reaches_the_reader_after_the_teardown(tmp_path: Path) -> None:
    deployment, client = FakeDeployment(), FakeClient()

    async def defect(job: AttemptJob) -> None:
        raise ZeroDivisionError

    client.hook = defect
    with pytest.raises(ZeroDivisionError):
        await all_records(make_job(tmp_path), deployment, client)
    assert deployment.running == set()


async def test_seconds_of_phases_sum_up_and_warm_up_is_not_measuring(tmp_path: Path) -> None:
    client = FakeClient(lambda job, point, repeat: measurement(point, warmup_s=0.25))
    last = None
    count = 0

    def clock() -> float:
        nonlocal count
        count += 1
        return float(count)

    async for record in run_attempt(make_job(tmp_path), FakeDeployment(), FakeSession(client), clock=clock):
        last = record
    assert isinstance(last, Ended)
    seconds = last.phase_seconds
    assert set(seconds) == {Phase.DEPLOY, Phase.LOAD, Phase.WARM_UP, Phase.MEASURE, Phase.TEARDOWN}
    assert seconds[Phase.WARM_UP] == 0.5
    # The clock ticks once whenever it is read, the last time at the end of the teardown.
    assert sum(seconds.values()) <= count - 1
    assert all(value > 0 for value in seconds.values())


def test_the_timer_loses_nothing_between_phases() -> None:
    times = iter([10.0, 13.0, 13.0, 20.0])
    timer = PhaseTimer(lambda: next(times))
    timer.enter(Phase.LOAD)
    timer.enter(Phase.MEASURE)
    timer.shift(Phase.WARM_UP, 2.0)
    timer.stop()
    timer.stop()
    assert timer.seconds == {Phase.LOAD: 3.0, Phase.WARM_UP: 2.0, Phase.MEASURE: 5.0}


async def test_what_need_not_be_measured_is_not_and_the_attempt_ends_as_pruned(tmp_path: Path) -> None:
    limit = SloStake(metric="ttft", statistic="p90", threshold=0.2, hard_fail=True)
    errors = SloStake(metric="error_rate", statistic="mean", threshold=0.01, hard_fail=True)
    scored = ("D(10,10)@3",)
    rules = StopRules(slo=(limit, errors), scored=scored)
    deployment = FakeDeployment()
    client = FakeClient(lambda job, point, repeat: measurement(point, ttft=0.5))
    work = make_job(tmp_path, points=3, first=scored, stop=rules)
    records = await all_records(work, deployment, client)
    taken = [record.measurement.load_point for record in records if isinstance(record, Measured)]
    assert taken == list(scored)
    assert ended(records).status is AttemptStatus.PRUNED
    assert ended(records).failure is None
    assert deployment.running == set()


async def test_a_load_point_that_tells_nothing_new_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    """Of two scenarios one is saturated: its higher load is left out, the other's are not."""

    def named(text: str, concurrency: int) -> LoadPoint:
        point = load_point(concurrency)
        return point.model_copy(update={"traffic": point.traffic.model_copy(update={"text": text})})

    points = tuple(named(text, load) for text in ("A", "B") for load in (1, 2, 4))
    first = ("A@1", "B@1")

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        load = point.concurrency or 1
        grows = point.traffic.text == "B"
        return measurement(point, throughput=100.0 * (load if grows else 1), ttft=0.1 if grows else 0.1 * load)

    client = FakeClient(figures)
    errors = SloStake(metric="error_rate", statistic="mean", threshold=0.01, hard_fail=True)
    rules = StopRules(slo=(errors,), scored=first)
    work = make_job(tmp_path, workload=Workload(load_points=points), first=first, stop=rules)
    records = await all_records(work, FakeDeployment(), client)
    taken = [record.measurement.load_point for record in records if isinstance(record, Measured)]
    assert taken == ["A@1", "B@1", "A@2", "B@2", "B@4"]
    assert ended(records).status is AttemptStatus.SUCCESS
