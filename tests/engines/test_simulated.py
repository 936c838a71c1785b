"""The simulated engine, its deployment and its client, from the table to a measurement."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptReason, FailureClass, Handle
from autotuner.contracts.client import ClientError
from autotuner.contracts.deployment import DeploymentError, Endpoint
from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.values import Scalar
from autotuner.contracts.workload import Length, LoadPoint, MeasureLimits, Scenario, Traffic, Workload
from autotuner.engines.simulated.client import SimulatedClient
from autotuner.engines.simulated.deployment import SimulatedDeployment
from autotuner.engines.simulated.engine import SimulatedEngine
from autotuner.engines.simulated.options import SimulationOptions
from autotuner.engines.simulated.prediction import Prediction
from autotuner.engines.simulated.tables import Tables, packaged_surfaces

BEST: Mapping[str, Scalar] = {
    "tp": 2,
    "gemm_quant": "fp8",
    "kv_quant": "fp8",
    "max_num_batched_tokens": 8192,
    "max_num_seqs": 64,
}
"""The packaged table's best output_tok_s_node with TTFT ≤ 2 s and TPOT ≤ 50 ms: its figures are in the tests below."""


def launch(parameters: Mapping[str, Scalar], longest: int = 4500, **simulation: object) -> LaunchRequest:
    context = PlanContext("Qwen/Qwen3-32B", longest_request=longest, total_gpus=8, options=simulation)
    return LaunchRequest("Qwen/Qwen3-32B", "qwen", parameters, Runtime(), context)


def prediction(parameters: Mapping[str, Scalar], **simulation: object) -> Prediction:
    return Prediction.model_validate(SimulatedEngine().options(launch(parameters, 4500, **simulation)))


def points(*loads: int, prompt: int = 4000, output: int = 500) -> tuple[LoadPoint, ...]:
    text = f"D({prompt},{output})"
    scenario = Scenario(text=text, prompt=Length(mean=prompt), output=Length(mean=output))
    return tuple(LoadPoint(traffic=Traffic(text=text, parts=((1.0, scenario),)), concurrency=n) for n in loads)


def job(
    parameters: Mapping[str, Scalar],
    load_points: tuple[LoadPoint, ...],
    *,
    attempt_id: int = 1,
    repeats: int = 1,
    slo_limits: Mapping[str, float] | None = None,
    limits: MeasureLimits | None = None,
    **simulation: object,
) -> AttemptJob:
    engine, request = SimulatedEngine(), launch(parameters, 4500, **simulation)
    return AttemptJob(
        task_id=1,
        task_name="t",
        experiment_id=1,
        experiment_number=1,
        attempt_id=attempt_id,
        reason=AttemptReason.FIRST,
        deployment=engine.own_deployment,
        client=engine.own_client,
        command=engine.command(request),
        served_name="qwen",
        server=engine.server,
        workload=Workload(load_points=load_points, repeats=repeats, limits=limits or MeasureLimits()),
        slo_limits=dict(slo_limits or {}),
        artefact_dir="/nowhere",
        options=dict(engine.options(request)),
    )


async def measure(attempt: AttemptJob) -> list[Measurement]:
    # Through JSON: an executor may run the attempt in another process.
    attempt = AttemptJob.model_validate_json(attempt.model_dump_json())
    endpoint = Endpoint("simulated:", attempt.served_name)
    notices: list[LiveFigures] = []
    async with SimulatedClient().open(None) as session:
        measured = [m async for m in session.measure(attempt, endpoint, Path("/nowhere"), notices.append)]
    assert len(notices) == len(measured)
    return measured


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    base: dict[str, object] = {
        "model": "m", "system": "s", "backend": "e", "backend_version": "1", "isl": 100, "osl": 11, "tp": 1, "pp": 1,
        "dp": 1, "moe_tp": 1, "moe_ep": 1, "gemm_quant": "bfloat16", "kv_quant": "bfloat16",
        "max_num_batched_tokens": 8192, "bs": 4, "replicas": 1, "status": "ok", "error": "", "ttft_ms": 100.0,
        "tpot_ms": 10.0, "output_tok_s_node": 200.0, "kv_capacity_seqs": 100,
    }  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(base))
        writer.writeheader()
        writer.writerows([base | row for row in rows])
    return path


def test_the_packaged_table_is_whole() -> None:
    assert packaged_surfaces() == ["qwen3_32b_h200"]
    surface = Tables().surface(SimulationOptions(), 0)
    assert (surface.model, surface.system, surface.version) == ("Qwen/Qwen3-32B", "h200_sxm", "0.24.0")
    assert (surface.workload.backend, surface.workload.isl, surface.workload.osl) == ("vllm", 4000, 500)
    assert len(surface.rows) == 1260
    assert sum(row.status == "ok" for row in surface.rows) == 1092
    feasible = [r for r in surface.rows if r.status == "ok" and r.ttft_s <= 2 and r.tpot_s <= 0.05]
    best = max(feasible, key=lambda row: row.throughput)
    assert best.values == {"pp": 1, "dp": 1, "moe_tp": 1, "moe_ep": 1, **BEST}
    assert best.throughput == pytest.approx(7007.717)


def test_the_default_configuration_starts() -> None:
    default = prediction({})
    assert default.failure is None
    assert default.max_num_seqs == 256
    assert default.gpus == 8
    assert default.kv_capacity == 55


def test_command_names_what_differs_from_the_defaults() -> None:
    engine = SimulatedEngine()
    common = ("simulate", "--surface", "qwen3_32b_h200", "--backend", "vllm", "--isl", "4000", "--osl", "500")
    assert engine.command(launch({})).argv == common
    assert engine.command(launch({"tp": 2, "kv_quant": "fp8", "max_num_seqs": 64})).argv == (
        *common, "--tp", "2", "--kv-quant", "fp8", "--max-num-seqs", "64",
    )  # fmt: skip


def test_configurations_of_one_row_have_one_command() -> None:
    engine = SimulatedEngine()
    commands = {engine.command(launch({"max_num_seqs": n})).argv for n in (100, 128, 150)}
    assert len(commands) == 1
    assert commands.pop()[-1] == "128"
    assert engine.command(launch({"max_num_batched_tokens": 4096})).argv[-1] == "2048"  # ties go to the smaller one


def test_figures_at_a_load() -> None:
    """From the table's row tp 2, fp8, fp8, 8192, bs 64 (4 replicas): 669.06 ms, 35.190 ms, 7007.7 tok/s at 256."""
    best = prediction(BEST)
    assert best.saturating == 256
    full = best.at(256)
    assert (full.ttft_s, full.tpot_s, full.throughput) == pytest.approx((0.669057, 0.0351904, 7007.718), rel=1e-5)
    assert full.queued == 0
    half = best.at(128)
    assert half.throughput < full.throughput
    assert half.tpot_s < full.tpot_s
    between = best.at(180)
    assert half.throughput < between.throughput < full.throughput
    idle = best.at(1)
    assert idle.throughput == pytest.approx(best.at(4).throughput / 4)


def test_requests_beyond_max_num_seqs_queue() -> None:
    best = prediction(BEST)
    full, double = best.at(256), best.at(512)
    latency = full.ttft_s + full.tpot_s * 499
    assert double.ttft_s == pytest.approx(full.ttft_s + latency)
    assert (double.tpot_s, double.throughput, double.queued) == (full.tpot_s, full.throughput, 256)


def test_requests_beyond_the_kv_cache_queue() -> None:
    """The default row (bs 256) holds 55 sequences per GPU: it runs as one of 55 would, and the rest waits."""
    default = prediction({})
    at_capacity, overloaded = default.at(55 * 8), default.at(256 * 8)
    assert overloaded.throughput == at_capacity.throughput
    assert 4455 < at_capacity.throughput < 5528  # between the rows of 32 and of 64
    assert overloaded.ttft_s > 3 * (at_capacity.ttft_s + at_capacity.tpot_s * 499)


def check(parameters: Mapping[str, Scalar], request: LaunchRequest) -> str | None:
    (rule,) = SimulatedEngine().rules
    return rule.check(parameters, request.context)


def test_rules_say_what_is_wrong() -> None:
    assert check({}, launch({})) is None
    assert check({"tp": 8, "pp": 2}, launch({})) == "there is no prediction for tp 8, pp 2"
    assert check({}, launch({}, longest=200)) == (
        "the predictions are for 4000 prompt and 500 answer tokens, the longest request has 200 in all"
    )
    few = PlanContext("m", total_gpus=4)
    (rule,) = SimulatedEngine().rules
    assert rule.check({}, few) == "the predictions are for 8 GPUs, there are 4"
    with pytest.raises(AutotunerError) as caught:
        SimulatedEngine().command(launch({"tp": 8, "pp": 2}))
    assert caught.value.code is ErrorCode.UNSUPPORTED


def test_status_of_a_row_decides(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "table.csv",
        [
            {},
            {"tp": 2, "status": "unsupported", "error": "can't split", "ttft_ms": "", "tpot_ms": "",
             "output_tok_s_node": "", "kv_capacity_seqs": ""},
            {"tp": 4, "status": "oom", "kv_capacity_seqs": 0},
        ],
    )  # fmt: skip
    simulation = {"surface": str(table)}
    assert check({"tp": 2}, launch({}, longest=111, **simulation)) == "e can't run tp 2: can't split"
    assert check({"tp": 4}, launch({}, longest=111, **simulation)) is None  # found out by the launch only
    engine = SimulatedEngine()
    out_of_memory = Prediction.model_validate(engine.options(launch({"tp": 4}, longest=111, **simulation)))
    assert out_of_memory.failure is not None
    assert out_of_memory.failure.kind is FailureClass.OOM
    fine = Prediction.model_validate(engine.options(launch({}, longest=111, **simulation)))
    assert fine.failure is None
    assert fine.at(4).throughput == 200


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.parquet"
    table.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(AutotunerError) as caught:
        prediction({}, surface=str(table))
    assert caught.value.code is ErrorCode.MISSING_EXTRA
    assert "pyarrow" in caught.value.remedy


def test_parquet_is_read_through_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow is an extra; in its place a reader that gives what it would: typed values and None."""
    table = tmp_path / "table.parquet"
    table.write_bytes(b"")
    with write_table(tmp_path / "table.csv", [{}]).open() as file:
        record: dict[str, object] = dict(next(csv.DictReader(file)))
    record |= {"tp": 1, "ttft_ms": 100.0, "error": None, "kv_capacity_seqs": None}

    class Table:
        def to_pylist(self) -> list[dict[str, object]]:
            return [record]

    module = ModuleType("pyarrow.parquet")
    module.__dict__["read_table"] = lambda path, columns: Table() if "kv_capacity_seqs" in columns else None
    monkeypatch.setitem(sys.modules, "pyarrow", ModuleType("pyarrow"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", module)
    request = launch({}, longest=111, surface=str(table))
    assert Prediction.model_validate(SimulatedEngine().options(request)).at(4).throughput == 200


@pytest.mark.parametrize(
    ("simulation", "code", "place"),
    [
        ({"surface": "nowhere"}, ErrorCode.MISSING_FILE, "simulation.surface"),
        ({"backend": "sglang"}, ErrorCode.INVALID_VALUE, "simulation"),
        ({"noise": -1}, ErrorCode.INVALID_VALUE, "simulation.noise"),
        ({"nois": 0}, ErrorCode.UNKNOWN_KEY, "simulation.nois"),
    ],
)
def test_faults_in_the_simulation_block(simulation: dict[str, object], code: ErrorCode, place: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        prediction({}, **simulation)
    assert (caught.value.code, caught.value.place) == (code, place)


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(AutotunerError) as caught:
        prediction({}, surface=str(path))
    assert caught.value.code is ErrorCode.INVALID_DOCUMENT


def test_the_workload_chooses_the_part_of_a_table(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv", [{}, {"isl": 200, "osl": 20, "output_tok_s_node": 99.0}])
    request = launch({}, longest=220, surface=str(table))
    assert Prediction.model_validate(SimulatedEngine().options(request)).at(4).throughput == 99
    with pytest.raises(AutotunerError, match="More than one part"):
        SimulatedEngine().options(launch({}, longest=0, surface=str(table)))


def test_the_crash_share_is_kept_and_always_the_same() -> None:
    surface = Tables().surface(SimulationOptions(), 0)
    sample = surface.rows[::6]
    engine, other = SimulatedEngine(), SimulatedEngine()
    crashed = []
    for row in sample:
        found = Prediction.model_validate(engine.options(launch(row.values, crash_share=0.2)))
        again = Prediction.model_validate(other.options(launch(row.values, crash_share=0.2)))
        assert found.failure == again.failure
        crashed.append(found.failure is not None and found.failure.kind is FailureClass.CRASH)
    assert 0.12 < sum(crashed) / len(sample) < 0.28  # 210 rows, standard error 0.028


async def test_deployment_starts_and_stops() -> None:
    deployment = SimulatedDeployment()
    stored: list[Handle] = []

    async def store(handle: Handle) -> None:
        await asyncio.sleep(0)
        stored.append(handle)

    handle = await deployment.start(job(BEST, points(256), startup_s=45.0), store)
    assert stored == [handle]
    handle = Handle.model_validate_json(handle.model_dump_json())
    assert handle.fields["startup_s"] == 45
    endpoint = await deployment.wait_ready(handle, 300)
    assert endpoint.model == "qwen"
    assert await deployment.failure(handle) is None
    assert await deployment.log_tail(handle) == ""
    await deployment.stop(handle, 1)
    await deployment.stop(handle, 1)
    with pytest.raises(DeploymentError) as caught:
        await deployment.wait_ready(handle, 30)
    assert caught.value.failure.kind is FailureClass.START_TIMEOUT


async def ignore(handle: Handle) -> None:
    """Stores nothing."""


async def test_a_crashing_configuration_fails_after_its_handle_is_stored() -> None:
    deployment = SimulatedDeployment()
    handle = await deployment.start(job({}, points(8), crash_share=1.0), ignore)
    with pytest.raises(DeploymentError) as caught:
        await deployment.wait_ready(handle, 300)
    assert caught.value.failure.kind is FailureClass.CRASH
    assert await deployment.failure(handle) == caught.value.failure


async def test_a_job_of_another_engine_is_refused() -> None:
    foreign = job({}, points(8)).model_copy(update={"options": {}})
    with pytest.raises(DeploymentError) as refused:
        await SimulatedDeployment().start(foreign, ignore)
    assert refused.value.failure.kind is FailureClass.BAD_ARGUMENT
    with pytest.raises(ClientError):
        await measure(foreign)


async def test_measurements_without_noise_are_the_prediction() -> None:
    first, second = await measure(job(BEST, points(256, 512), slo_limits={"ttft": 2.0, "tpot": 0.05}))
    assert (first.load_point, first.concurrency) == ("D(4000,500)@256", 256)
    assert first.predicted
    assert first.ttft is not None
    assert first.tpot is not None
    assert first.e2e is not None
    assert first.itl is not None
    assert first.ttft.p001 == first.ttft.mode == first.ttft.max == pytest.approx(0.669057)
    assert first.tpot.mean == pytest.approx(0.03519036)
    assert first.tpot.stddev == pytest.approx(0)
    assert first.e2e.p50 == pytest.approx(0.669057 + 499 * 0.03519036)
    assert first.itl.count == first.completed_requests * 499
    assert first.output_throughput == pytest.approx(7007.718)
    assert first.input_throughput == pytest.approx(7007.718 * 8)
    assert first.total_throughput == pytest.approx(7007.718 * 9)
    assert first.requests_per_second == first.goodput == pytest.approx(7007.718 / 500)
    assert first.total_requests == round(20 * 7007.718 / 500)
    assert second.goodput == 0  # twice the load waits for a whole request: TTFT breaks its limit
    assert second.output_throughput == pytest.approx(first.output_throughput)


async def test_noise_differs_between_attempts_and_repeats_but_not_between_runs() -> None:
    async def figures(attempt_id: int = 1) -> list[float]:
        measured = await measure(job(BEST, points(256), noise=0.02, repeats=2, attempt_id=attempt_id))
        return [m.ttft.mean for m in measured if m.ttft] + [m.output_throughput for m in measured]

    one, again, other = await figures(), await figures(), await figures(2)
    assert one == again
    assert len({*one, *other}) == 8


async def test_a_start_that_replaces_one_draws_what_that_one_would_have() -> None:
    whole = job(BEST, points(64, 256), noise=0.02, repeats=2).model_copy(update={"draw_key": "3/own/0"})
    (first, *rest) = await measure(whole)
    replaced = whole.model_copy(update={"attempt_id": 2, "done": ((first.load_point, first.repeat),)})
    assert await measure(replaced) == rest
    assert await measure(replaced.model_copy(update={"draw_key": "3/own/1"})) != rest


async def test_size_of_the_noise() -> None:
    """Over 300 attempts: log tpot varies by the given deviation, log ttft by three times it."""
    import numpy as np

    ttft, tpot = [], []
    base = job(BEST, points(256), noise=0.02)
    for attempt_id in range(300):
        (measured,) = await measure(base.model_copy(update={"attempt_id": attempt_id}))
        assert measured.ttft is not None
        assert measured.tpot is not None
        ttft.append(np.log(measured.ttft.mean))
        tpot.append(np.log(measured.tpot.mean))
        assert measured.tpot.p10 < measured.tpot.p50 < measured.tpot.p90
    assert np.std(tpot) == pytest.approx(0.02, rel=0.2)
    assert np.std(ttft) == pytest.approx(0.06, rel=0.2)


async def test_limits_of_the_window_hold_in_virtual_time() -> None:
    longer = MeasureLimits(window_s=1, min_requests=100)
    (measured,) = await measure(job(BEST, points(256), limits=longer))
    assert measured.total_requests == 100
    assert measured.window_s == pytest.approx(100 * 500 / 7007.718)
    (measured,) = await measure(job(BEST, points(256), limits=MeasureLimits(max_requests=30)))
    assert measured.total_requests == 30


@pytest.mark.parametrize(
    "load_points", [points(8, prompt=100), points(8, output=100)], ids=["other prompts", "other answers"]
)
async def test_no_prediction_for_other_traffic(load_points: tuple[LoadPoint, ...]) -> None:
    with pytest.raises(ClientError) as caught:
        await measure(job(BEST, load_points))
    assert caught.value.failure.kind is FailureClass.CLIENT
    assert "D(4000,500)" in caught.value.failure.hint


async def test_no_prediction_for_a_request_rate() -> None:
    (closed,) = points(8)
    rate = LoadPoint(traffic=closed.traffic, request_rate=2.0)
    with pytest.raises(ClientError, match="a request rate"):
        await measure(job(BEST, (rate,)))


def test_other_facts() -> None:
    engine = SimulatedEngine()
    info = engine.check_runtime(Runtime())
    assert info.version == "0.12.0"
    assert engine.read_model("Qwen/Qwen3-32B") == {}
    suggestion = engine.suggest({}, None, 256)
    assert suggestion.parameters["tp"] == (1, 2, 4, 8)
    assert engine.catalogue.find("tensor-parallel-size") is engine.catalogue.find("--tp")
    assert engine.catalogue.find("kvcache_dtype") is not None
