"""Running tasks as a user of the library does: on predictions, on an endpoint, in two processes, after kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Phase
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentStatus, TaskStatus
from autotuner.mock_server import Fault, MockOptions, MockServer
from autotuner.services.documents import demo_document
from autotuner.services.queries import server_logs, task_result
from autotuner.services.settings import Settings, load_settings
from autotuner.services.task_lock import taken
from autotuner.services.tasks import run_task
from autotuner.store import open_store


class Silent:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def on_snapshot(self, snapshot: Snapshot) -> None:
        assert snapshot.starts_done <= snapshot.starts_total

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)})


def demo(*sets: str) -> TaskDocument:
    return demo_document(sets=["optimization.max_iterations=4", "optimization.confirm.starts=2", *sets])


async def stored_attempts(settings: Settings) -> list[AttemptRow]:
    async with open_store(settings.database) as store:
        return await store.list_attempts(1)


async def events(settings: Settings) -> int:
    async with open_store(settings.database) as store:
        return len(await store.events(1))


async def test_a_task_on_predictions_runs_to_its_end(settings: Settings) -> None:
    outcome = await run_task(demo(), settings, Silent())
    assert outcome.fresh
    assert outcome.task.status is TaskStatus.COMPLETED
    assert outcome.result.predicted
    assert outcome.result.headline.startswith("Predicted: ")
    assert len(outcome.result.experiments) == 5
    assert outcome.folder.parent == settings.artefacts_dir


async def test_a_finished_task_is_not_run_again(settings: Settings) -> None:
    first = await run_task(demo(), settings, Silent())
    before = await events(settings)
    again = await run_task(demo("description=other words"), settings, Silent())
    assert not again.fresh
    assert again.result == first.result
    assert await events(settings) == before


async def test_a_larger_budget_continues_a_finished_task(settings: Settings) -> None:
    await run_task(demo(), settings, Silent())
    observer = Silent()
    again = await run_task(demo("optimization.max_iterations=6"), settings, observer)
    assert again.fresh
    assert len(again.result.experiments) == 7
    assert any("it goes on" in message for message in observer.messages)
    starts = Counter(a.experiment_id for a in await stored_attempts(settings) if a.reason is AttemptReason.FIRST)
    assert set(starts.values()) == {1}


async def test_added_values_continue_a_finished_task(settings: Settings) -> None:
    sets = ["parameters.pp=1", "parameters.kv_quant=bfloat16", "parameters.gemm_quant=bfloat16"]
    few = ["parameters.max_num_seqs=[64,128]", "parameters.tp=[2,4]", "parameters.max_num_batched_tokens=8192"]
    first = await run_task(demo(*sets, *few), settings, Silent())
    assert (first.result.stop_reason or "").startswith("the budget of 4 configurations is used")
    more = ["parameters.max_num_seqs=[64,128,256]", "optimization.max_iterations=9", *few[1:]]
    again = await run_task(demo(*sets, *more), settings, Silent())
    assert len(again.result.experiments) > len(first.result.experiments)
    assert again.task.parameters["max_num_seqs"] == [64, 128, 256]


async def test_a_changed_document_is_refused_with_the_difference(settings: Settings) -> None:
    await run_task(demo(), settings, Silent())
    before = await events(settings)
    changed = demo("benchmark.num_concurrency=[64]")
    with pytest.raises(AutotunerError) as caught:
        await run_task(changed, settings, Silent())
    assert caught.value.code is ErrorCode.TASK_CHANGED
    assert "benchmark.num_concurrency was [256] and is now [64]" in caught.value.why
    assert "--new" in caught.value.remedy
    assert await events(settings) == before
    new = await run_task(changed, settings, Silent(), new=True)
    assert new.task.name == "demo-2"
    assert new.result.task_name == "demo-2"
    assert new.task.document["task_name"] == "demo-2"
    third = await run_task(changed, settings, Silent(), new=True)
    assert third.task.name == "demo-3"


async def test_a_task_held_by_another_process_is_refused(settings: Settings) -> None:
    finished = await run_task(demo(), settings, Silent())
    before = await events(settings)
    async with taken(settings, finished.task):
        with pytest.raises(AutotunerError) as caught:
            await run_task(demo("optimization.max_iterations=9"), settings, Silent())
        assert caught.value.code is ErrorCode.TASK_BUSY
    assert await events(settings) == before
    await run_task(demo("optimization.max_iterations=9"), settings, Silent())


async def test_noise_alone_gives_no_significant_gain(settings: Settings) -> None:
    """A/A on predictions: the searched limit has no effect at this load, the starts differ by noise."""
    fixed = [f"parameters.{name}={value}" for name, value in (("tp", 2), ("pp", 1), ("gemm_quant", "fp8"))]
    fixed += ["parameters.kv_quant=fp8", "parameters.max_num_batched_tokens=8192"]
    document = demo(
        *fixed,
        "parameters.max_num_seqs=[256,512]",
        "benchmark.num_concurrency=[16]",
        "optimization.confirm.starts=5",
        "simulation.noise=0.03",
    )
    outcome = await run_task(document, settings, Silent())
    assert not any(gain.significant for gain in outcome.result.finalists)
    assert "No significant gain" in outcome.result.headline


async def test_a_cancelled_task_shows_what_it_has_and_goes_on(settings: Settings) -> None:
    document = demo("optimization.max_iterations=30")

    class Interrupter(Silent):
        def __init__(self) -> None:
            super().__init__()
            self.task = asyncio.current_task()

        def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
            if summary.number == 3 and self.task is not None:
                self.task.cancel()

    async def run() -> None:
        await run_task(document, settings, Interrupter())

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(run())
    async with open_store(settings.database) as store:
        task = await store.get_task(1)
        assert task.status is TaskStatus.CANCELLED
        result = await task_result(store, task, settings)
    assert result.status is TaskStatus.CANCELLED
    assert sum(e.status is ExperimentStatus.SUCCESS for e in result.experiments) >= 3
    again = await run_task(document, settings, Silent())
    assert again.result.status is TaskStatus.COMPLETED
    assert len(again.result.experiments) == 31


# ---- an endpoint


def endpoint(server: MockServer, **benchmark: Any) -> TaskDocument:
    return validate(
        {
            "task_name": "endpoint",
            "deployment_mode": "endpoint",
            "deployment": {"endpoint_url": server.base_url},
            "model": {"served_name": "mock"},
            "optimization": {"objective": "maximize_throughput"},
            "benchmark": {
                "traffic_scenarios": ["D(20,8)"],
                "num_concurrency": [1, 4],
                "max_time_per_iteration": 0.5,
                "warmup_requests": 2,
                **benchmark,
            },
        }
    )


async def test_an_endpoint_is_measured_at_every_load_and_claims_no_gain(settings: Settings) -> None:
    async with MockServer(MockOptions(ttft_s=0.01, token_s=0.001)) as server:
        outcome = await run_task(endpoint(server), settings, Silent())
    (experiment,) = outcome.result.experiments
    assert experiment.metrics["concurrency_levels"] == [1, 4]
    assert experiment.score is not None
    assert experiment.score > 0
    assert outcome.result.scored_at == ("D(20,8)@4",)
    assert outcome.result.gain is None
    assert outcome.result.stop_reason == "nothing is searched"
    async with open_store(settings.database) as store:
        rows = await store.list_measurements(1)
        # The scored load, which is the last one, is measured first.
        assert [row.measurement.load_point for row in rows] == ["D(20,8)@4", "D(20,8)@1"]


async def test_an_endpoint_that_only_fails_gives_no_result_but_the_error_codes(settings: Settings) -> None:
    """The server answers the probe and fails from the first measured request on."""
    async with MockServer(MockOptions(ttft_s=0.01, token_s=0.001)) as server:

        class Breaking(Silent):
            def on_snapshot(self, snapshot: Snapshot) -> None:
                fault = Fault.ERROR_500 if snapshot.phase is Phase.MEASURE else None
                server.options = server.options.model_copy(update={"fault": fault})

        with pytest.raises(AutotunerError) as caught:
            await run_task(endpoint(server), settings, Breaking())
    assert caught.value.code is ErrorCode.NO_RESULT
    assert "no request succeeded" in caught.value.why
    assert "× http_500" in caught.value.why
    async with open_store(settings.database) as store:
        task = await store.get_task(1)
    assert task.status is TaskStatus.FAILED
    assert task.error == caught.value.as_dict()


# ---- processes


@contextmanager
def process(document: Path, data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    program = Path(__file__).with_name("task_process.py")
    with subprocess.Popen(
        [sys.executable, str(program), str(document), str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "AUTOTUNER_DATA_DIR": str(data_dir)},
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def wait_for(running: subprocess.Popen[str], beginning: str) -> str:
    assert running.stdout is not None
    seen: list[str] = []
    for line in running.stdout:
        seen.append(line)
        if line.startswith(beginning):
            return line
    raise AssertionError(f"ended without {beginning!r}: {''.join(seen)}")


@pytest.mark.engine
def test_after_kill_9_a_real_task_goes_on_and_no_server_is_left(settings: Settings, tmp_path: Path) -> None:
    document = tmp_path / "real.json"
    document.write_text(
        json.dumps(
            {
                "task_name": "real",
                "model": {"id_or_path": "tiny"},
                "parameters": {"n_batch": [256, 512], "n_parallel": [1, 2]},
                "optimization": {
                    "objective": "maximize_throughput",
                    "strategy": "random",
                    "max_iterations": 3,
                    "confirm": {"starts": 0},
                },
                "benchmark": {
                    "traffic_scenarios": ["D(16,8)"],
                    "num_concurrency": [2],
                    "max_time_per_iteration": 1,
                    "warmup_requests": 2,
                },
            }
        )
    )
    with process(document, tmp_path) as running:
        wait_for(running, "finished 0")
        wait_for(running, "phase measure 1")
        running.send_signal(signal.SIGSTOP)  # so that it is killed in this start, however long the next lines take
        # Meanwhile nobody else may run it, and the attempt does not disturb it.
        with process(document, tmp_path) as second:
            assert "task_busy" in wait_for(second, "error")
        assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
    handles = [a.handle for a in asyncio.run(stored_attempts(settings))]
    pids = [handle.fields["pid"] for handle in handles if handle is not None]
    assert len(pids) >= 2
    with process(document, tmp_path) as running:
        assert wait_for(running, "result") == "result completed True\n"
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists()
    asyncio.run(_assert_whole(settings))


async def _assert_whole(settings: Settings) -> None:
    async with open_store(settings.database) as store:
        experiments = await store.list_experiments(1)
        attempts = await store.list_attempts(1)
        task = await store.get_task(1)
        logs = await server_logs(store, task)
    assert [e.origin for e in experiments].count(ExperimentOrigin.BASELINE) == 1
    assert len({e.identity for e in experiments}) == len(experiments)
    assert all(e.status is ExperimentStatus.SUCCESS for e in experiments)
    successes = Counter(a.experiment_id for a in attempts if a.status is AttemptStatus.SUCCESS)
    assert sum(a.status is AttemptStatus.INTERRUPTED for a in attempts) == 1
    assert set(successes.values()) == {1}
    assert all(log.path.exists() for log in logs)
