"""Real vLLM on this machine's CPU: started by a task as by any user, measured, and ended; and how its refusals end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.load import validate
from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import AttemptRow
from autotuner.deploy.local import processes
from autotuner.deploy.local.supervisor import PR_SET_CHILD_SUBREAPER
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store
from real_vllm import vllm_environment

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.vllm]

VERSION = "0.32.0"
QUIET = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
TWO_WORKERS = {**QUIET, "VLLM_CPU_OMP_THREADS_BIND": "0|1"}


class Heard:
    """Keeps what an observer is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        self.messages.append(message)


@dataclass(frozen=True)
class Ran:
    """What a task with one server start has left."""

    attempt: AttemptRow
    measurements: list[Measurement]
    messages: list[str]
    error: AutotunerError | None

    @property
    def failure(self) -> Failure:
        assert self.attempt.failure is not None
        return self.attempt.failure


@pytest.fixture(scope="module")
def environment() -> Path:
    return vllm_environment()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})


@pytest.fixture(autouse=True)
def nothing_is_left(environment: Path) -> Iterator[None]:
    """Whatever a start was, all its processes are gone when the task has ended.

    This process is given what loses its parent, so what a start leaves is below it, whatever it has erased of itself.
    vLLM that somebody else starts in the same environment is not.
    """
    system = ctypes.CDLL(None, use_errno=True)
    assert system.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
        assert processes_of(environment) == set()
    finally:
        system.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def processes_of(environment: Path) -> set[int]:
    """Processes below this one that have a library of the environment in memory."""
    found = set()
    this = processes.find(os.getpid())
    assert this is not None
    for process in processes.descendants(this):
        try:
            maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(environment.resolve()) in maps:
            found.add(process.pid)
    return found


def test_what_is_left_is_found_though_its_parent_is_gone(environment: Path) -> None:
    """The check itself: an orphan of another session with a library of the environment in memory."""
    library = next((environment / "lib").glob("python*/site-packages/torch/lib/libc10.so"))
    sleeper = "import mmap, os, sys, time; os.setsid(); f = open(sys.argv[1], 'rb'); "
    sleeper += "kept = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(os.getpid(), flush=True); time.sleep(600)"
    starter = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', *sys.argv[1:]])"
    with subprocess.Popen(
        [sys.executable, "-c", starter, sleeper, str(library)], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        orphan = int(started.stdout.readline())
        assert started.wait() == 0
        try:
            assert processes_of(environment) == {orphan}
        finally:
            os.kill(orphan, signal.SIGKILL)
            os.waitpid(orphan, 0)
    assert processes_of(environment) == set()


async def run_one(
    settings: Settings, environment: Path, parameters: dict[str, Any], env: dict[str, str], **benchmark: Any
) -> Ran:
    """A task that starts one configuration once."""
    document = validate(
        {
            "task_name": "real-vllm",
            "base_runtime": "vllm",
            "model": {"id_or_path": "tiny"},
            "runtime": {"python": str(environment), "env": env},
            "parameters": {"max-model-len": 1024, "enforce-eager": True, **parameters},
            "optimization": {
                "strategy": "grid",
                "objective": "maximize_throughput",
                "max_iterations": 1,
                "baseline": False,
                "confirm": {"top_k": 0},
                "retries": 0,
            },
            "benchmark": {
                "traffic_scenarios": ["D(64,16)"],
                "num_concurrency": [4],
                "max_time_per_iteration": 3,
                "min_requests": 20,
                "warmup_requests": 8,
                "additional_params": {"temperature": 0.0},
                **benchmark,
            },
        }
    )
    heard, error = Heard(), None
    try:
        await run_task(document, settings, heard)
    except AutotunerError as raised:
        assert raised.code is ErrorCode.NO_RESULT
        error = raised
    async with open_store(settings.database) as store:
        task = await store.find_task("real-vllm")
        assert task is not None
        (attempt,) = await store.list_attempts(task.id)
        rows = await store.list_measurements(task.id)
    return Ran(attempt, [row.measurement for row in rows], heard.messages, error)


async def test_it_is_started_measured_and_read(settings: Settings, environment: Path) -> None:
    asked = {
        "max-num-seqs": 4,
        "max-num-batched-tokens": 512,
        "dtype": "float32",
        # vLLM has kernels for an 8-bit cache on a CPU with AVX-512 only; our own rule leaves it out elsewhere.
        "kv-cache-dtype": ["auto", "fp8_e5m2"],
        "enable-prefix-caching": True,
    }
    # Its cache can be emptied between measurements only in this mode.
    env = {**QUIET, "VLLM_SERVER_DEV_MODE": "1"}
    ran = await run_one(settings, environment, asked, env, traffic_scenarios=["D(64,16)", "P(288,32)/16"])
    assert ran.error is None
    assert ran.attempt.status is AttemptStatus.SUCCESS
    assert ran.attempt.engine_version == VERSION
    # The catalogue is that of the installed version.
    assert not [message for message in ran.messages if "Warning" in message]
    plain, shared = ran.measurements
    for measured in (plain, shared):
        assert measured.completed_requests >= 20
        assert measured.error_requests == 0
        assert measured.output_tokens == measured.asked_output_tokens == 16 * measured.completed_requests
        assert measured.prompt_tokens == measured.asked_prompt_tokens
        assert measured.ttft is not None
        assert measured.tpot is not None
        assert 0 < measured.tpot.mean < measured.ttft.mean
        assert measured.cache_emptied is True
        told = measured.server
        assert told is not None
        assert told.running is not None
        assert 0 < told.running.max <= 4
        assert told.generation_tokens is not None
        assert told.generation_tokens > 0
    assert plain.prompt_tokens == 64 * plain.completed_requests
    assert shared.prompt_tokens == 320 * shared.completed_requests
    assert plain.server is not None
    assert shared.server is not None
    # Its blocks are of 128 tokens on a CPU: two of the common beginning are found, and nothing of new prompts is.
    assert shared.server.prefix_hits
    assert not plain.server.prefix_hits


REFUSALS = {
    "a block size that its attention does not take": (
        {"block-size": [16]},
        QUIET,
        FailureClass.BAD_ARGUMENT,
        "the attention back end does not take this block size",
    ),
    "pipeline parallelism, which dies with the first request": (
        {"pipeline-parallel-size": [2]},
        TWO_WORKERS,
        FailureClass.CRASH,
        "the engine's core died",
    ),
    "two workers on one NUMA node": (
        {"tensor-parallel-size": [2]},
        QUIET,
        FailureClass.BAD_ARGUMENT,
        "each worker takes a NUMA node",
    ),
    "fewer tokens in a step than sequences": (
        {"max-num-seqs": [64], "max-num-batched-tokens": 32},
        QUIET,
        FailureClass.BAD_ARGUMENT,
        "the engine refused this combination of parameters",
    ),
}


@pytest.mark.parametrize(("parameters", "env", "kind", "sentence"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_a_failure_with_its_reason(
    settings: Settings,
    environment: Path,
    parameters: dict[str, Any],
    env: dict[str, str],
    kind: FailureClass,
    sentence: str,
) -> None:
    ran = await run_one(settings, environment, parameters, env)
    assert ran.error is not None
    assert ran.attempt.status is AttemptStatus.FAILED
    assert ran.measurements == []
    assert (ran.failure.kind, sentence in ran.failure.diagnosis) == (kind, True), ran.failure
    assert ran.failure.hint
    assert ran.failure.log_tail
