"""The mode endpoint finds out whether somebody else's server can be measured, and says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptJob, FailureClass, Handle
from autotuner.contracts.deployment import DeploymentError, Endpoint
from autotuner.deploy.endpoint import KEY_OPTION, KEY_VARIABLE, EndpointDeployment
from autotuner.deploy.local.deployment import LocalDeployment
from conformance.deployment_suite import START_S, Setup, free_port, keep


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(LocalDeployment, tmp_path, lambda handle: 0)


@pytest.fixture
async def running(setup: Setup) -> AsyncIterator[Endpoint]:
    """A server that somebody else has started."""
    local = LocalDeployment()
    handle = await local.start(setup.job("ok"), keep)
    yield await local.wait_ready(handle, START_S)
    await local.stop(handle, 5.0)


async def ask(job: AttemptJob, url: str | None, **fields: object) -> Endpoint:
    deployment = EndpointDeployment()
    handle = await deployment.start(job.model_copy(update={"endpoint_url": url, "command": None, **fields}), keep)
    try:
        return await deployment.wait_ready(handle, START_S)
    finally:
        await deployment.stop(handle, 1.0)
        await deployment.stop(handle, 1.0)


async def refusal(job: AttemptJob, url: str | None, **fields: object) -> tuple[FailureClass, str]:
    with pytest.raises(DeploymentError) as error:
        await ask(job, url, **fields)
    return error.value.failure.kind, f"{error.value.failure.diagnosis} | {error.value.failure.hint}"


async def test_a_running_server_is_measured_and_left_alone(
    setup: Setup, running: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.api_key
    monkeypatch.setenv(KEY_VARIABLE, running.api_key)
    for url in (running.base_url, f"{running.base_url}/", f"{running.base_url}/v1"):
        found = await ask(setup.job("ok"), url)
        assert found == running
    monkeypatch.delenv(KEY_VARIABLE)
    monkeypatch.setenv("MY_KEY", running.api_key)
    assert await ask(setup.job("ok"), running.base_url, options={KEY_OPTION: "env:MY_KEY"}) == running


async def test_the_handle_holds_no_secret(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "very-secret")
    stored: list[Handle] = []

    async def store(handle: Handle) -> None:
        stored.append(handle)

    job = setup.job("ok").model_copy(update={"endpoint_url": "http://127.0.0.1:1"})
    handle = await EndpointDeployment().start(job, store)
    assert stored == [handle]
    assert "very-secret" not in handle.model_dump_json()


async def test_errors_say_what_to_do(setup: Setup, running: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    job = setup.job("ok")
    kind, said = await refusal(job, running.base_url)
    assert kind is FailureClass.BAD_ARGUMENT
    assert "asks for a key" in said
    assert KEY_VARIABLE in said
    monkeypatch.setenv(KEY_VARIABLE, "wrong")
    assert "refuses the key" in (await refusal(job, running.base_url))[1]
    assert running.api_key
    monkeypatch.setenv(KEY_VARIABLE, running.api_key)
    kind, said = await refusal(job, running.base_url, served_name="huge")
    assert kind is FailureClass.BAD_ARGUMENT
    assert "'huge'" in said
    assert "it serves: tiny" in said
    kind, said = await refusal(job, f"{running.base_url}/api")
    assert "/v1" in said
    kind, said = await refusal(job, f"http://127.0.0.1:{free_port()}")
    assert kind is FailureClass.UNREACHABLE
    assert "nothing listens" in said
    kind, said = await refusal(job, "http://no-such-host.invalid:80")
    assert kind is FailureClass.UNREACHABLE
    assert "no-such-host.invalid" in said
    kind, said = await refusal(job, running.base_url.replace("http:", "https:"))
    assert kind is FailureClass.UNREACHABLE


@pytest.mark.parametrize("url", [None, "", "localhost:8000", "ftp://host", "http://", "http://host:99999"])
async def test_addresses_that_are_none_are_refused(setup: Setup, url: str | None) -> None:
    assert (await refusal(setup.job("ok"), url))[0] is FailureClass.BAD_ARGUMENT


async def test_keys_are_named_not_written(setup: Setup) -> None:
    for reference in ("plain-key", "env:", "env:NOT_SET_ANYWHERE"):
        kind, said = await refusal(setup.job("ok"), "http://127.0.0.1:1", options={KEY_OPTION: reference})
        assert kind is FailureClass.BAD_ARGUMENT
        assert "plain-key" not in said
