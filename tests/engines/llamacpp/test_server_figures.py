"""The client's token counts against the real engine's own counters, and the engine's figures of a measurement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.attempt import AttemptJob, AttemptStatus, Ended, Handle, Measured, Progress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import Length, LoadPoint, MeasureLimits, Scenario, Traffic, Workload
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.deploy.probe import authorization
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from autotuner.network.http import request
from autotuner.runner.attempt import run_attempt
from autotuner.telemetry.reading import Reading, read_page
from conformance.deployment_suite import START_S, Setup, keep
from conformance.tiny_gguf import make_tiny_gguf

pytestmark = pytest.mark.engine

ENGINE = LlamaCppEngine()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("model"))


class Relay:
    """Stands between client and server; completions after the first ``most`` never reach the server.

    None does before ``opened`` is set.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.opened = asyncio.Event()
        self.passed = 0

    @asynccontextmanager
    async def to(self, base_url: str) -> AsyncIterator[str]:
        self._target = urlsplit(base_url)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            lengths = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
            body = await reader.readexactly(sum(lengths))
            if head.startswith(b"POST") and self.passed >= self._most:
                writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                if head.startswith(b"POST"):
                    self.passed += 1
                    await self.opened.wait()
                # One request per connection: then the end of the answer is the end of the connection.
                kept = [line for line in lines[1:-2] if not line.lower().startswith(b"connection:")]
                await self._pass_on(b"\r\n".join([lines[0], b"Connection: close", *kept, b"", b""]) + body, writer)
            await writer.drain()
        writer.close()

    async def _pass_on(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        answers, asking = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            asking.write(message)
            while data := await answers.read(65536):
                writer.write(data)
        finally:
            asking.close()


class Watched(LocalDeployment):
    """Measured through a relay; keeps what the server's counters said before and after the load."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self.before: Reading | None = None
        self.after: Reading | None = None

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        self._endpoint = await super().wait_ready(handle, timeout_s)
        self.before = await counters(self._endpoint)
        self._open = self._relay.to(self._endpoint.base_url)
        return replace(self._endpoint, base_url=await self._open.__aenter__())

    async def stop(self, handle: Handle, grace_s: float) -> None:
        self.after = await counters(self._endpoint)
        await super().stop(handle, grace_s)
        await self._open.__aexit__(None, None, None)


async def counters(endpoint: Endpoint) -> Reading:
    answer = await request("GET", f"{endpoint.base_url}/metrics", headers=authorization(endpoint), timeout_s=START_S)
    reading = read_page(answer.body, 0.0, ENGINE.server.metric_names)
    assert reading is not None
    return reading


def make_job(folder: Path, model: Path, concurrency: int, limits: MeasureLimits) -> AttemptJob:
    context = PlanContext(model=str(model), longest_request=200, model_config=ENGINE.read_model(str(model)))
    command = ENGINE.command(LaunchRequest(str(model), "tiny", {"n_parallel": 2, "n_ctx": 1024}, Runtime(), context))
    scenario = Scenario(
        text="U(20,60)/(10,80)",
        prompt=Length(kind="uniform", low=20, high=60),
        output=Length(kind="uniform", low=10, high=80),
    )
    point = LoadPoint(traffic=Traffic(text=scenario.text, parts=((1.0, scenario),)), concurrency=concurrency)
    workload = Workload(load_points=(point,), limits=limits, request_body=dict(ENGINE.request_body))
    return (
        Setup(LocalDeployment, folder, lambda handle: 0)
        .job("")
        .model_copy(
            update={
                "command": command,
                "server": ENGINE.server,
                "workload": workload,
                "options": {"prompt_token_ids": [100, 250]},
            }
        )
    )


async def measure(
    job: AttemptJob, deployment: LocalDeployment, opened: Callable[[], None] = lambda: None
) -> Measurement:
    """``opened`` is called when the window is open."""
    records = []
    async with BuiltinClient().open(None) as session:
        async for record in run_attempt(job, deployment, session):
            records.append(record)
            if isinstance(record, Progress) and record.figures.phase == "measure":
                opened()
    last = records[-1]
    assert isinstance(last, Ended)
    assert last.status is AttemptStatus.SUCCESS, last.failure
    (measured,) = (record.measurement for record in records if isinstance(record, Measured))
    return measured


async def test_the_clients_tokens_are_the_servers(tmp_path: Path, model: Path) -> None:
    """Every request that the server got was recorded by the client, and both counted the same tokens.

    A record is kept of what ends after the window's opening, so nothing is answered before. What keeps the load up
    after the window is refused by the relay: requests that are cut off count at the server alone.
    """
    limits = MeasureLimits(window_s=60, min_requests=44, max_requests=44, warmup_requests=0, drain_s=60)
    relay = Relay(40)
    deployment = Watched(relay)
    measured = await measure(make_job(tmp_path, model, 4, limits), deployment, relay.opened.set)
    assert measured.samples_path is not None
    _, kept = read_samples(tmp_path / measured.samples_path)
    assert set(measured.error_codes) <= {"http_503"}
    records = [record for record in kept if record.outcome == "ok"]
    assert relay.passed == len(records) == 40
    assert deployment.before is not None
    assert deployment.after is not None

    def grown(name: str) -> float:
        assert deployment.before is not None
        assert deployment.after is not None
        return deployment.after.told[name] - deployment.before.told[name]

    assert sum(record.output_tokens or 0 for record in records) == grown("generation_tokens")
    assert sum(record.prompt_tokens or 0 for record in records) == grown("prompt_tokens")
    assert sum(record.cached_tokens or 0 for record in records) == grown("prefix_hits")


async def test_a_measurement_has_the_engines_figures(tmp_path: Path, model: Path) -> None:
    """Four requests at a time on two slots: two are computed, two wait."""
    limits = MeasureLimits(window_s=2.5, min_requests=8, max_window_s=60, warmup_requests=4, drain_s=60)
    measured = await measure(make_job(tmp_path, model, 4, limits), LocalDeployment())
    told = measured.server
    assert told is not None
    assert told.pages >= 1
    assert told.running is not None
    assert told.waiting is not None
    assert 0 < told.running.mean <= told.running.max <= 2
    assert 0 < told.waiting.max <= 3
    assert told.counted_from_s is not None
    assert told.counted_to_s is not None
    assert (told.generation_tokens or 0) > 0
    assert (told.prompt_tokens or 0) > 0
    assert told.prefix_queries == told.prompt_tokens
    assert told.preemptions is None, "this engine has none"


async def test_tokens_of_a_request_that_is_cut_off_count_at_the_server_alone(tmp_path: Path, model: Path) -> None:
    local = LocalDeployment()
    handle = await local.start(make_job(tmp_path, model, 1, MeasureLimits()), keep)
    try:
        endpoint = await local.wait_ready(handle, START_S)
        before = await counters(endpoint)
        target = urlsplit(endpoint.base_url)
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        body = json.dumps({"prompt": "some words", "max_tokens": 400, "ignore_eos": True, "stream": True}).encode()
        writer.write(
            b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % ((endpoint.api_key or "").encode(), len(body))
            + body
        )
        await reader.readuntil(b'"text":')
        writer.transport.abort()
        async with asyncio.timeout(START_S):
            while (after := await counters(endpoint)).told["running"] > 0:
                pass
    finally:
        await local.stop(handle, 5.0)
    assert 0 < after.told["generation_tokens"] - before.told["generation_tokens"] <= 400
    assert after.told["prompt_tokens"] > before.told["prompt_tokens"]
