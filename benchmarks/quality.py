"""What the quality guard says of the real llama.cpp: false alarms on an unchanged setting, and what it detects.

``python benchmarks/quality.py [--model tiny] [--starts 20] [--others 3]``. No times are taken, so the machine need not
be quiet. Every row is of server starts of their own; while a server is asked, other requests are in flight, so that it
computes other batches each time. Targets: no alarm in 20 starts of the baseline's own setting, and one in every start
with 4-bit weights and with a 4-bit KV cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from client_accuracy import job

from autotuner.contracts.attempt import Handle
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.quality import BASELINE_PASSES, Answers, JudgedAnswers, QualityProbe
from autotuner.contracts.values import Scalar
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from autotuner.network.http import request
from autotuner.quality.asking import ask_all
from autotuner.quality.prompts import describe_prompts
from autotuner.scoring.answers import calibrate, greatest, judge_answers
from autotuner.tiny_model import create_model

ENGINE = LlamaCppEngine()
START_S = 60.0
IN_FLIGHT = 3
"""Other requests while a server is asked."""

Parameters = Mapping[str, Scalar]
BASE: Parameters = {"n_parallel": 8, "threads": 1}
"""One thread: two on a busy machine of two cores wait for each other all the time, and no times are taken here."""


@dataclass(frozen=True)
class Setting:
    """A row: what is changed, and whether the guard is to see it (None: shown only)."""

    name: str
    parameters: Parameters
    weights: str = "f16"
    alarm: bool | None = None


SETTINGS = (
    Setting("one slot", {"n_parallel": 1}),
    Setting("sixteen slots", {"n_parallel": 16}),
    Setting("steps of 32 tokens", {"n_ubatch": 32}),
    Setting("no flash attention", {"flash_attn": "off"}),
    Setting("KV cache bf16", {"cache_type": "bf16"}),
    Setting("KV cache q8_0", {"cache_type": "q8_0"}),
    Setting("KV cache q4_0", {"cache_type": "q4_0"}, alarm=True),
    Setting("weights q8_0", {}, weights="q8_0"),
    Setting("weights q4_0", {}, weights="q4_0", alarm=True),
)


async def keep(_handle: Handle) -> None:
    """The handle is the caller's already."""


@asynccontextmanager
async def served(model: Path, parameters: Parameters, folder: Path) -> AsyncIterator[Endpoint]:
    """A real server of that setting."""
    longest = describe_prompts(None).longest_request
    context = PlanContext(model=str(model), longest_request=longest, model_config=ENGINE.read_model(str(model)))
    launch = LaunchRequest(str(model), "tiny", {**BASE, **parameters}, Runtime(), context)
    update = {"command": ENGINE.command(launch), "server": ENGINE.server, "artefact_dir": str(folder)}
    local = LocalDeployment()
    handle = await local.start(job(1, 1.0).model_copy(update={**update, "served_name": "tiny"}), keep)
    try:
        yield await local.wait_ready(handle, START_S)
    finally:
        await local.stop(handle, 5.0)


async def disturb(endpoint: Endpoint, seed: int) -> None:
    """Other requests, one after the other, until cancelled."""
    rng = random.Random(seed)
    while True:
        words = " ".join(rng.choice(("tree", "stone", "river", "cloud")) for _ in range(rng.randint(5, 40)))
        body = {"model": endpoint.model, "prompt": words, "max_tokens": rng.randint(4, 24), "temperature": 0}
        headers = {"Authorization": f"Bearer {endpoint.api_key}"}
        with suppress(OSError):
            await request(
                "POST",
                endpoint.base_url + ENGINE.server.completions_path,
                headers=headers,
                body=json.dumps(body).encode(),
                timeout_s=60,
            )


async def answers_of(
    model: Path, parameters: Parameters, passes: tuple[int, ...], seed: int, *, busy: bool
) -> tuple[Answers, ...]:
    """The answers of one fresh server."""
    with tempfile.TemporaryDirectory() as folder:
        async with served(model, parameters, Path(folder)) as endpoint:
            others = [asyncio.create_task(disturb(endpoint, seed + n)) for n in range(IN_FLIGHT if busy else 0)]
            try:
                probe = QualityProbe(prompts=describe_prompts(None), passes=passes)
                return await ask_all(endpoint, ENGINE.server, probe, request_timeout_s=60)
            finally:
                for other in others:
                    other.cancel()
                await asyncio.gather(*others, return_exceptions=True)


def report(name: str, found: Sequence[JudgedAnswers], alarm: bool | None) -> bool:
    """Print a row; whether the guard said what it should in each start."""
    figures = [one.figures for one in found if one.figures is not None]
    if not figures:
        print(f"{name:22s} not judged: {found[0].failure}", flush=True)
        return False
    agreement = sorted(one.agreement for one in figures)
    distance = sorted(one.distance or 0.0 for one in figures)
    alarms = sum(bool(one.differs) for one in found)
    print(
        f"{name:22s} alarms {alarms} of {len(found)}; {100 * agreement[0]:.1f} to {100 * agreement[-1]:.1f} % of "
        f"tokens agree; {distance[0]:.5f} to {distance[-1]:.5f} nats",
        flush=True,
    )
    return alarm is None or alarms == (len(found) if alarm else 0)


async def run(kind: str, starts: int, others: int, folder: Path) -> bool:
    """All rows; whether every target was met."""
    model = await asyncio.to_thread(create_model, kind, folder, file_types=("f16", "q8_0", "q4_0"))
    met = True
    for slots in (8, 1):
        own: Parameters = {"n_parallel": slots}
        baseline = calibrate(await answers_of(model.gguf["f16"], own, BASELINE_PASSES, 0, busy=False))
        if baseline.figures is None:
            print(f"the baseline could not be asked: {baseline.failure}")
            return False
        bounds = ", ".join(f"{name} {value:.4f}" for name, value in greatest(baseline.figures).items())
        print(
            f"baseline, {slots} slots: own passes differ by {100 * baseline.figures.difference:.1f} % of tokens and "
            f"{baseline.figures.distance or 0.0:.5f} nats; alarm above {bounds}"
        )

        async def rows(
            weights: str,
            parameters: Parameters,
            count: int,
            against: JudgedAnswers = baseline,
            path: Mapping[str, Path] = model.gguf,
        ) -> list[JudgedAnswers]:
            made = [await answers_of(path[weights], parameters, (8,), 100 * n, busy=True) for n in range(count)]
            return [judge_answers(against, passes[0]) for passes in made]

        met &= report("unchanged", await rows("f16", own, starts), alarm=False)
        for setting in SETTINGS:
            found = await rows(setting.weights, {**own, **setting.parameters}, others)
            met &= report(setting.name, found, setting.alarm)
    return met


def main() -> int:
    """0 when every target was met, else 1."""
    parser = argparse.ArgumentParser(description="what the quality guard says of llama.cpp")
    parser.add_argument("--model", choices=("tiny", "small"), default="tiny")
    parser.add_argument("--starts", type=int, default=20, help="of the unchanged setting")
    parser.add_argument("--others", type=int, default=3, help="of each other setting")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        met = asyncio.run(run(given.model, given.starts, given.others, Path(folder)))
    print("all targets met" if met else "a target was missed")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
