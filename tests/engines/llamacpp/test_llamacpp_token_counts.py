"""What the builtin client counts is what the real engine says in the ``timings`` of each answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.attempt import Command
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from conformance.client_suite import fixed, job, load, measure
from conformance.deployment_suite import START_S, Setup, keep
from conformance.tiny_gguf import make_tiny_gguf

pytestmark = pytest.mark.engine

ENGINE = LlamaCppEngine()


@asynccontextmanager
async def overheard(base_url: str, heard: list[bytearray]) -> AsyncIterator[str]:
    """A way to the server on which all that it says is kept, by connection."""
    host, port = base_url.removeprefix("http://").split(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray) -> None:
        try:
            while data := await reader.read(65536):
                copy += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(host, int(port))
        heard.append(bytearray())
        await asyncio.gather(pump(reader, back_writer, bytearray()), pump(back_reader, writer, heard[-1]))

    front = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with front:
        yield f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"


def launched(model: Path) -> Command:
    context = PlanContext(model=str(model), longest_request=200, model_config=ENGINE.read_model(str(model)))
    return ENGINE.command(LaunchRequest(str(model), "tiny", {"n_parallel": 4}, Runtime(), context))


async def test_every_request_has_the_engines_own_counts(tmp_path: Path) -> None:
    setup = Setup(LocalDeployment, tmp_path, lambda handle: 0)
    started = setup.job("").model_copy(
        update={"command": launched(make_tiny_gguf(tmp_path)), "server": ENGINE.server, "served_name": "tiny"}
    )
    local, heard = LocalDeployment(), list[bytearray]()
    handle = await local.start(started, keep)
    try:
        endpoint = await local.wait_ready(handle, START_S)
        work = job(
            load((0.5, fixed(40, 24)), (0.5, fixed(7, 60)), concurrency=4),
            max_requests=40,
            window_s=60.0,
            request_timeout_s=60.0,
        )
        work = work.model_copy(update={"server": ENGINE.server, "options": {"prompt_token_ids": [300, 500]}})
        body = {**ENGINE.request_body, "cache_prompt": True}
        work = work.model_copy(update={"workload": work.workload.model_copy(update={"request_body": body})})
        async with overheard(endpoint.base_url, heard) as url, BuiltinClient().open(None) as session:
            where = Endpoint(url, endpoint.model, endpoint.api_key)
            (found,) = await measure(session, work, where, tmp_path)
    finally:
        await local.stop(handle, 5.0)
    assert (found.completed_requests, found.error_requests) == (40, 0), found.error_codes
    assert found.samples_path is not None
    _, records = read_samples(tmp_path / found.samples_path)
    timings = [json.loads(text) for said in heard for text in re.findall(rb'"timings":(\{[^{}]*\})', bytes(said))]
    told = Counter((one["predicted_n"], one["prompt_n"] + one.get("cache_n", 0)) for one in timings)
    counted = Counter((one.output_tokens, one.prompt_tokens) for one in records if one.outcome == "ok")
    assert counted <= told
    assert sum(counted.values()) >= 40
    assert {asked for asked, _ in counted} == {24, 60}
