"""The real engine starts with every commonly tuned value, and what the rules refuse is refused by the launcher too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptJob, FailureClass
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.values import Scalar
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.engines.llamacpp.catalogue import CATALOGUE
from autotuner.engines.llamacpp.engine import LAUNCHER, LlamaCppEngine
from autotuner.network.http import request
from conformance.deployment_suite import START_S, Setup, keep
from conformance.tiny_gguf import make_tiny_gguf

pytestmark = pytest.mark.engine

ENGINE = LlamaCppEngine()
TUNED = [
    (parameter.name, value)
    for parameter in CATALOGUE.parameters
    for value in parameter.commonly_tuned
    if value != parameter.default
]
SHARED_ONLY = {"n_batch": "n_ubatch"}
"""A value of the first needs the second to be no larger."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("model"))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(LocalDeployment, tmp_path, lambda handle: 0)


def job(setup: Setup, model: Path, parameters: Mapping[str, Scalar], extra: tuple[str, ...] = ()) -> AttemptJob:
    context = PlanContext(model=str(model), longest_request=100, model_config=ENGINE.read_model(str(model)))
    runtime = Runtime(extra_args=extra)
    command = ENGINE.command(LaunchRequest(str(model), "tiny", parameters, runtime, context))
    return setup.job("").model_copy(update={"command": command, "server": ENGINE.server})


@pytest.mark.parametrize(("name", "value"), TUNED)
async def test_commonly_tuned_values_serve(name: str, value: Scalar, setup: Setup, model: Path) -> None:
    parameters = {name: value}
    if name in SHARED_ONLY and isinstance(value, int):
        parameters[SHARED_ONLY[name]] = min(value, 512)
    local = LocalDeployment()
    handle = await local.start(job(setup, model, parameters), keep)
    try:
        await local.wait_ready(handle, START_S)
    finally:
        await local.stop(handle, 5.0)


async def test_server_facts_are_true(setup: Setup, model: Path) -> None:
    """Health, models, metrics and version are where the engine says; prompts may be token ids; answers keep length."""
    local, facts = LocalDeployment(), ENGINE.server
    handle = await local.start(job(setup, model, {"n_parallel": 2}), keep)
    endpoint = await local.wait_ready(handle, START_S)
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}

    async def get(path: str | None) -> str:
        answer = await request("GET", f"{endpoint.base_url}{path}", headers=headers, timeout_s=START_S)
        assert answer.status == 200
        return answer.body.decode()

    assert '"id":"tiny"' in await get(facts.models_path)
    assert "llamacpp:" in await get(facts.metrics_path)
    assert facts.version_field == "ui_settings.engine_version"
    assert f'"engine_version":"{CATALOGUE.version}"' in await get(facts.version_path)
    ordinary = ENGINE.read_model(str(model))["prompt_token_ids"]
    assert isinstance(ordinary, list)
    low, high = ordinary
    body = f'{{"model":"tiny","prompt":{[low, high - 1] * 30},"max_tokens":40,"ignore_eos":true}}'.encode()
    answer = await request(
        "POST", endpoint.base_url + facts.completions_path, headers=headers, body=body, timeout_s=START_S
    )
    assert '"completion_tokens":40,"prompt_tokens":60' in answer.body.decode()
    await local.stop(handle, 5.0)
    assert "stopped by a signal" in await local.log_tail(handle)


@pytest.mark.parametrize(
    ("extra", "kind", "said"),
    [
        (("--batch-size", "4", "--parallel", "8"), FailureClass.BAD_ARGUMENT, "--batch-size"),
        (("--cache-type-v", "q8_0", "--flash-attn", "off"), FailureClass.BAD_ARGUMENT, "flash"),
        (("--parallel", "257"), FailureClass.BAD_ARGUMENT, "1 to 256"),
        (("--threads", "0"), FailureClass.BAD_ARGUMENT, "--threads"),
        (("--thread", "1"), FailureClass.BAD_ARGUMENT, "unrecognized"),
        (("--poll", "much"), FailureClass.BAD_ARGUMENT, "--poll"),
        (("--model", "/nowhere.gguf"), FailureClass.MISSING_MODEL, "No such file"),
        (("--alias", "other"), FailureClass.MISSING_MODEL, "serves other instead of tiny"),
    ],
)
async def test_refusals_are_classified(
    extra: tuple[str, ...], kind: FailureClass, said: str, setup: Setup, model: Path
) -> None:
    local = LocalDeployment()
    handle = await local.start(job(setup, model, {}, extra), keep)
    try:
        with pytest.raises(DeploymentError) as error:
            await local.wait_ready(handle, START_S)
    finally:
        await local.stop(handle, 5.0)
    assert error.value.failure.kind is kind
    assert said in error.value.failure.diagnosis
    assert "ASSERT" not in error.value.failure.log_tail, "the engine must not be brought to abort"


async def test_want_of_memory_is_told(setup: Setup, model: Path) -> None:
    """The address space is limited; the context asked for needs more."""
    asked = job(setup, model, {"n_ctx": 4_000_000})
    assert asked.command
    limit = ("sh", "-c", 'ulimit -v 3000000 && exec "$@"', "sh")
    command = asked.command.model_copy(update={"argv": (*limit, *asked.command.argv)})
    local = LocalDeployment()
    handle = await local.start(asked.model_copy(update={"command": command}), keep)
    with pytest.raises(DeploymentError) as error:
        await local.wait_ready(handle, START_S)
    await local.stop(handle, 5.0)
    assert error.value.failure.kind is FailureClass.OOM
    assert "n_ctx" in error.value.failure.hint


@pytest.fixture
def cut(tmp_path: Path, model: Path) -> Path:
    """The first part of the model."""
    path = tmp_path / "cut.gguf"
    path.write_bytes(model.read_bytes()[:500_000])
    return path


async def test_a_damaged_model_is_told(setup: Setup, model: Path, cut: Path) -> None:
    local = LocalDeployment()
    handle = await local.start(job(setup, model, {}, ("--model", str(cut))), keep)
    with pytest.raises(DeploymentError) as error:
        await local.wait_ready(handle, START_S)
    await local.stop(handle, 5.0)
    assert error.value.failure.kind is FailureClass.MISSING_MODEL


def test_exit_codes_and_single_line_errors(model: Path) -> None:
    def run(*arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run([sys.executable, LAUNCHER, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr.splitlines()

    assert run("--help")[0] == 0
    code, lines = run("--model", str(model), "--port", "x")
    assert code == 2
    assert lines[-1] == "llamacpp-launcher: error: argument --port: invalid integer value: 'x'"
    code, lines = run("--model", str(model.parent), "--port", "9")
    assert (code, len(lines)) == (3, 1)


async def test_taken_port_is_told_and_threads_follow_the_cores(setup: Setup, model: Path) -> None:
    local = LocalDeployment()
    first = await local.start(job(setup, model, {}), keep)
    await local.wait_ready(first, START_S)
    second_job = job(setup, model, {}, ("--port", str(first.fields["port"])))
    second = await local.start(second_job.model_copy(update={"artefact_dir": str(setup.folder / "2")}), keep)
    with pytest.raises(DeploymentError) as error:
        await local.wait_ready(second, START_S)
    assert error.value.failure.kind is FailureClass.PORT
    for handle in (first, second):
        await local.stop(handle, 5.0)


def test_launcher_counts_the_cores_it_may_use() -> None:
    program = (
        "import os, sys, runpy; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        f"names = runpy.run_path({LAUNCHER!r}); options = names['build_parser']().parse_args(sys.argv[1:])\n"
        "print(sorted(names['settings'](options, names['_usable_cores']()).items()))"
    )

    def settings(*arguments: str) -> str:
        argv = [sys.executable, "-c", program, "--model", "m", "--port", "9", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    if (os.cpu_count() or 1) > 1:
        assert settings() == "[('threads', 1), ('threads_batch', 1)]"
    assert settings("--threads", "2") == "[('threads', 2), ('threads_batch', 2)]"
    assert settings("--threads", "2", "--threads-batch", "3") == "[('threads', 2), ('threads_batch', 3)]"
