"""The builtin client's times beside those that llama.cpp itself reports for the same requests.

``python benchmarks/engine_timings.py [--requests 200] [--tokens 64] [--streams 1 4]``. A real llama.cpp with the tiny
model serves each stream's requests one after the other; every answer ends with the engine's own ``timings``. Compared
request by request: the time from first to last token with ``predicted_ms``, which begins when the prompt is done, and
ttft with ``prompt_ms``, which leaves out what lies before and after the engine (socket, HTTP, queue). Server and client
run on a core each. Target: generation times within 1 % in the median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import numpy as np
from client_accuracy import job
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.prompts import Bodies
from autotuner.benchmark.builtin.sender import Sender, Target
from autotuner.contracts.attempt import CoreSplit, Handle
from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from autotuner.tiny_model.create import create_model

PROMPT = 100
_TIMINGS = re.compile(rb'"timings"\s*:\s*(\{[^}]*\})')


async def ask(sender: Sender, waiting: dict[Exchange, asyncio.Future[None]], request: bytes, tokens: int) -> Exchange:
    """Send one request and wait for the end of its answer, whose body is kept."""
    exchange = Exchange(request, tokens)
    exchange.body = bytearray()
    waiting[exchange] = asyncio.get_running_loop().create_future()
    sender.issue(exchange)
    await waiting[exchange]
    return exchange


async def measure(base_url: str, key: str | None, streams: int, requests: int, tokens: int) -> list[Exchange]:
    """``requests`` answers over so many streams."""
    parts = urlsplit(base_url)
    bodies = Bodies(
        host=parts.netloc,
        path="/v1/completions",
        api_key=key,
        model="tiny",
        extra={"ignore_eos": True},
        salt=f"timings {streams}",
        token_ids=(10, 4000),
    )
    waiting: dict[Exchange, asyncio.Future[None]] = {}
    target = Target(str(parts.hostname), int(parts.port or 80), str(parts.hostname), None)
    sender = Sender(target, 60.0, lambda _: None, lambda exchange: waiting.pop(exchange).set_result(None))
    prompts: Iterator[bytes] = iter([bodies.request(bodies.ids(PROMPT), tokens) for _ in range(requests)])

    async def stream() -> list[Exchange]:
        return [await ask(sender, waiting, prompt, tokens) for prompt in prompts]

    try:
        return [exchange for found in await asyncio.gather(*(stream() for _ in range(streams))) for exchange in found]
    finally:
        await sender.close()


def report(streams: int, exchanges: Sequence[Exchange]) -> bool:
    """Print both sides; whether generation agrees within 1 % in the median."""
    generation, own_generation, before, ttfts = [], [], [], []
    for exchange in exchanges:
        told = _TIMINGS.search(bytes(exchange.body or b""))
        if exchange.error is not None or told is None or exchange.started is None:
            raise RuntimeError(f"no timings: {exchange.error}")
        timings = json.loads(told[1])
        generation.append(timings["predicted_ms"])
        own_generation.append((exchange.arrivals[-1] - exchange.arrivals[0]) * 1e3)
        ttfts.append((exchange.arrivals[0] - exchange.started) * 1e3)
        before.append(ttfts[-1] - timings["prompt_ms"])
    ratios = [own / theirs - 1 for own, theirs in zip(own_generation, generation, strict=True)]
    print(
        f"{streams} streams, {len(exchanges)} requests: first to last token {median(own_generation):.2f} ms, by the"
        f" engine {median(generation):.2f} ms; off {median(ratios):+.2%} in the median,"
        f" {np.percentile(ratios, 5):+.2%} to {np.percentile(ratios, 95):+.2%} (5th to 95th percentile);"
        f" ttft {median(ttfts):.2f} ms, {median(before):.2f} ms more than prompt_ms"
    )
    return abs(median(ratios)) <= 0.01


async def run(given: argparse.Namespace, folder: Path) -> bool:
    """Serve and measure."""
    cores = sorted(os.sched_getaffinity(0))
    engine = LlamaCppEngine()
    model = create_model("tiny", folder).gguf["f16"]
    context = PlanContext(
        model=str(model), longest_request=PROMPT + given.tokens, model_config=engine.read_model(str(model))
    )
    parameters = {"n_parallel": max(given.streams)}
    command = engine.command(LaunchRequest(str(model), "tiny", parameters, Runtime(), context))
    work = job(1, 1.0).model_copy(
        update={
            "command": command,
            "server": engine.server,
            "served_name": "tiny",
            "cores": CoreSplit(server=(cores[0],), client=(cores[-1],)),
            "artefact_dir": str(folder / "server"),
        }
    )
    local = LocalDeployment()

    async def keep(handle: Handle) -> None:
        return None

    handle = await local.start(work, keep)
    try:
        endpoint = await local.wait_ready(handle, 60.0)
        os.sched_setaffinity(0, {cores[-1]})
        met = True
        for streams in given.streams:
            await measure(endpoint.base_url, endpoint.api_key, streams, 2 * streams, given.tokens)
            found = await measure(endpoint.base_url, endpoint.api_key, streams, given.requests, given.tokens)
            met &= report(streams, found)
        return met
    finally:
        await local.stop(handle, 5.0)


def main() -> int:
    """0 when the targets were met, else 1."""
    parser = argparse.ArgumentParser(description="the client's times beside llama.cpp's own")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4])
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "server").mkdir()
        met = asyncio.run(run(given, Path(folder)))
    print("target met" if met else "target missed")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
