"""What the quality guard says of the real llama.cpp: false alarms on an unchanged setting, and what it detects.

``python benchmarks/quality.py [--repeats 20] [--model tiny] [--slots 8]``. Prints a table. No times are taken, so the
machine need not be quiet. Each repeat is a fresh server, asked as a task asks it, eight prompts at a time; three other
clients keep it busy meanwhile, so that it computes other batches each time. The repeats are shared out among
``--baselines`` calibrations, each of a fresh server: whether an unchanged setting alarms hangs on what the baseline
happened to show. Targets: no alarm of the unchanged setting, and one in every repeat with 4-bit weights and with
a 4-bit KV cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
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
from autotuner.contracts.quality import BASELINE_PASSES, PASSES, Answers, JudgedAnswers, QualityProbe
from autotuner.contracts.values import Scalar
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from autotuner.network.http import request
from autotuner.quality.asking import ask_all
from autotuner.quality.prompts import describe_prompts
from autotuner.scoring.answers import answer_metrics, calibrate, greatest, judge_answers
from autotuner.tiny_model import create_model

ENGINE = LlamaCppEngine()
START_S = 60.0
IN_FLIGHT = 3
"""Other requests while a server is asked."""

ALPHA = 0.05
TOLERANCE = 1e-6

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


UNCHANGED = Setting("unchanged", {}, alarm=False)
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


@dataclass(frozen=True)
class Repeat:
    """What the guard said of one fresh server; ``beyond``: beyond the tightest limits that a task could hold."""

    judged: JudgedAnswers
    beyond: bool


def beyond_limits(baseline: JudgedAnswers, judged: JudgedAnswers) -> bool:
    """Whether a task with limits as tight as they can be would rule it out."""
    if baseline.figures is None or judged.figures is None:
        return True
    shown = greatest(baseline.figures)
    return any(value > shown[name] for name, value in answer_metrics(judged.figures).items() if name in shown)


def most(count: int, repeats: int) -> float:
    """Upper end of the one-sided 95 % interval of a rate (Clopper and Pearson, 1934), found by bisection."""
    low, high = count / repeats, 1.0
    while count < repeats and high - low > TOLERANCE:
        rate = (low + high) / 2
        fewer = sum(math.comb(repeats, n) * rate**n * (1 - rate) ** (repeats - n) for n in range(count + 1))
        low, high = (rate, high) if fewer > ALPHA else (low, rate)
    return high


def report(setting: Setting, found: Sequence[Repeat]) -> bool:
    """Print a row; whether the guard said what it should in each repeat."""
    figures = [one.judged.figures for one in found if one.judged.figures is not None]
    if not figures:
        print(f"| {setting.name} | not judged: {found[0].judged.failure} |", flush=True)
        return False
    agreement = sorted(100 * one.agreement for one in figures)
    distance = sorted(one.distance or 0.0 for one in figures)
    alarms = sum(bool(one.judged.differs) for one in found)
    ruled_out = sum(one.beyond for one in found)
    print(
        f"| {setting.name} | {alarms} of {len(found)} | {ruled_out} of {len(found)} | {agreement[0]:.1f} to "
        f"{agreement[-1]:.1f} % | {distance[0]:.4f} to {distance[-1]:.4f} nats |",
        flush=True,
    )
    return setting.alarm is None or (len(figures) == len(found) and alarms == (len(found) if setting.alarm else 0))


async def run(options: argparse.Namespace, folder: Path) -> bool:
    """All rows; whether every target was met."""
    model = await asyncio.to_thread(create_model, options.model, folder, file_types=("f16", "q8_0", "q4_0"))
    own: Parameters = {"n_parallel": options.slots}
    baselines: list[JudgedAnswers] = []
    for number in range(options.baselines):
        baseline = calibrate(await answers_of(model.gguf["f16"], own, BASELINE_PASSES, number, busy=False))
        if baseline.figures is None:
            print(f"the baseline could not be asked: {baseline.failure}")
            return False
        bounds = ", ".join(f"{name} {value:.4f}" for name, value in greatest(baseline.figures).items())
        print(
            f"baseline {number + 1}, {options.slots} slots: own passes differ by "
            f"{100 * baseline.figures.difference:.1f} % of tokens and {baseline.figures.distance or 0.0:.5f} nats; "
            f"beyond chance: {bounds}",
            flush=True,
        )
        baselines.append(baseline)

    async def repeats(setting: Setting, count: int) -> list[Repeat]:
        made: list[Repeat] = []
        for number in range(count):
            parameters = {**own, **setting.parameters}
            (answers,) = await answers_of(model.gguf[setting.weights], parameters, PASSES, 100 * number, busy=True)
            baseline = baselines[number % len(baselines)]
            judged = judge_answers(baseline, answers)
            made.append(Repeat(judged, beyond_limits(baseline, judged)))
        return made

    print("\n| setting | alarms | beyond the tightest limits | agreement | distance |\n|---|---|---|---|---|")
    unchanged = await repeats(UNCHANGED, options.repeats)
    met = report(UNCHANGED, unchanged)
    for setting in SETTINGS:
        met &= report(setting, await repeats(setting, options.others if setting.alarm is None else options.repeats))
    alarms = sum(bool(one.judged.differs) for one in unchanged)
    print(
        f"\nfalse alarms: {alarms} of {options.repeats}, so with 95 % confidence less than "
        f"{100 * most(alarms, options.repeats):.0f} % of unchanged settings"
    )
    return met


def main() -> int:
    """0 when every target was met, else 1."""
    parser = argparse.ArgumentParser(description="what the quality guard says of llama.cpp")
    parser.add_argument("--model", choices=("tiny", "small"), default="tiny")
    parser.add_argument("--repeats", type=int, default=20, help="fresh servers of settings that have a target")
    parser.add_argument("--baselines", type=int, default=4, help="calibrations that the repeats are shared out among")
    parser.add_argument("--others", type=int, default=4, help="fresh servers of each setting that has no target")
    parser.add_argument("--slots", type=int, default=8, help="of the server; answers are asked eight at a time")
    options = parser.parse_args()
    if min(options.repeats, options.baselines, options.others, options.slots) < 1:
        parser.error("all numbers are at least 1")
    with tempfile.TemporaryDirectory() as folder:
        met = asyncio.run(run(options, Path(folder)))
    print("all targets met" if met else "a target was missed")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
