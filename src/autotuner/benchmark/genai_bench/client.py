"""The ``BenchmarkClient`` named genai-bench."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path

from autotuner.benchmark.external import loads
from autotuner.benchmark.external.client import ExternalClient, Invocation, Launch, failed
from autotuner.benchmark.external.probe import Words, ask, word_count
from autotuner.benchmark.external.program import Ended
from autotuner.benchmark.genai_bench.report import measurement
from autotuner.benchmark.genai_bench.tokenizer import write_tokenizer
from autotuner.contracts.attempt import FailureClass
from autotuner.contracts.client import ClientPackage
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import Length, Scenario, Workload

PACKAGE = ClientPackage(
    name="genai-bench",
    version="0.0.5",
    requirements=(Path(__file__).with_name("requirements.txt"),),
    check="import genai_bench.cli.cli",
    pythons=((3, 11), (3, 13)),
    disk_bytes=2_000_000_000,
)
PATH = "/v1/chat/completions"
NAME, TOKENIZER, PROMPTS = "run", "tokenizer", "prompts.json"
LINES, LINE_WORDS = 500, 16
"""A prompt is lines in random order: as many beginnings, and hardly ever the same two lines."""
START = "from genai_bench.cli.cli import cli; cli()"


class GenaiBenchClient(ExternalClient):
    """Runs genai-bench once per load point and repeat."""

    def __init__(self) -> None:
        super().__init__(GenaiBenchAdapter())


class GenaiBenchAdapter:
    """Gives it prompts and a tokenizer of ours, which counts words; reads its JSON.

    It has no warm-up that does not distort its throughput, so the requests that warm the server up are our own.
    """

    package = PACKAGE
    point_overhead_s = 20.0

    def refusal(self, workload: Workload, completions_path: str) -> str | None:
        """Why it cannot produce this load."""
        limits = workload.limits
        if any(point.concurrency is None for point in workload.load_points):
            return "it has no request rate, only a number of requests in flight"
        if limits.max_requests is None and limits.window_s % 60:
            return (
                f"its windows are whole minutes, and this one is {limits.window_s:g} s: "
                "set benchmark.max_time_per_iteration to 60, or benchmark.max_requests_per_iteration"
            )
        if limits.min_requests:
            return "its window cannot wait for benchmark.min_requests"
        refused = loads.refusal(workload)
        if refused is not None:
            return refused
        for point in workload.load_points:
            if loads.fixed(point.traffic.parts[0][1].output) is None:
                return (
                    "it does not say which answer length it drew, so an answer that broke off would count as a whole "
                    f"one ({point.traffic.text}): give every answer the same length"
                )
        return None

    def path(self, completions_path: str) -> str:
        """It knows chat alone."""
        return PATH

    async def prepare(self, run: Invocation) -> Launch:
        """Write prompts and tokenizer, warm the server up."""
        await asyncio.to_thread(_write_inputs, run)
        await _warm_up(run)
        minutes = max(math.ceil(run.job.workload.limits.window_s / 60), 1)
        env = {"ENABLE_UI": "false", "COLUMNS": "200"}
        if run.endpoint.api_key is not None:
            env["MODEL_API_KEY"] = run.endpoint.api_key
        return Launch(arguments=("-c", START, *arguments(run, minutes)), env=env, load_s=60.0 * minutes)

    def read(self, run: Invocation, ended: Ended) -> Measurement:
        """The measurement from its JSON; from what it leaves for debugging when every request failed."""
        found = _results(run.folder)
        if not found:
            raise failed(
                FailureClass.CLIENT,
                f"genai-bench left no result (exit code {ended.code})",
                "look at its log among the artefacts; a server that hangs is told by the builtin client",
            )
        return measurement(
            json.loads(found[0].read_text(encoding="utf-8")),
            job=run.job,
            point=run.point,
            repeat=run.repeat,
            seconds=ended.seconds,
            artefacts=run.artefacts,
        )

    def kept(self, folder: Path) -> Sequence[Path]:
        """Its results and its table."""
        return [*sorted((folder / NAME).glob("*.json")), *sorted((folder / NAME).glob("*.xlsx"))]


def arguments(run: Invocation, minutes: int) -> tuple[str, ...]:
    """Its command line. The API key is not in it: it is a variable of the process."""
    limits = run.job.workload.limits
    given = {
        "--api-backend": run.job.server.dialect,
        "--api-base": run.endpoint.base_url.rstrip("/"),
        "--api-key": "none",
        "--api-model-name": run.endpoint.model,
        "--model-tokenizer": TOKENIZER,
        "--task": "text-to-text",
        "--dataset-path": PROMPTS,
        "--traffic-scenario": notation(run),
        "--num-concurrency": str(run.point.concurrency),
        "--max-time-per-run": str(minutes),
        "--max-requests-per-run": str(limits.max_requests or 1_000_000_000),
        "--additional-request-params": json.dumps(run.body),
        "--experiment-base-dir": ".",
        "--experiment-folder-name": NAME,
        "--log-dir": ".",
    }
    return ("benchmark", *(word for pair in given.items() for word in pair))


def notation(run: Invocation) -> str:
    """The scenario in its own notation; prompts are in words, which is what the tokenizer counts."""
    scenario = run.point.traffic.parts[0][1]
    prompt, output = _in_words(run, scenario), loads.fixed(scenario.output) or 1
    if prompt.kind == "fixed":
        return f"D({round(prompt.mean)},{output})"
    if prompt.kind == "normal":
        return f"N({round(prompt.mean)},{round(prompt.deviation)})/({output},0)"
    # It draws real numbers and cuts them, so the highest is one more.
    return f"U({prompt.low},{prompt.high + 1})/({output},{output + 1})"


def _in_words(run: Invocation, scenario: Scenario) -> Length:
    calibration, length = run.probed.calibration, scenario.prompt
    if length.kind == "uniform":
        return length.model_copy(
            update={"low": word_count(calibration, length.low), "high": word_count(calibration, length.high)}
        )
    update = {
        "mean": float(word_count(calibration, round(length.mean))),
        "deviation": length.deviation / calibration.per_word,
    }
    return length.model_copy(update=update)


def _write_inputs(run: Invocation) -> None:
    words = Words(run.salt)
    lines = [words.next(LINE_WORDS) + " " for _ in range(LINES)]
    (run.folder / PROMPTS).write_text(json.dumps(lines), encoding="utf-8")
    write_tokenizer(run.folder / TOKENIZER)


async def _warm_up(run: Invocation) -> None:
    limits, scenario = run.job.workload.limits, run.point.traffic.parts[0][1]
    words, left = Words(f"{run.salt}/warm"), limits.warmup_requests
    count = word_count(run.probed.calibration, max(round(scenario.prompt.expected), 1))
    output = max(round(scenario.output.expected), 1)
    while left > 0:
        together = min(left, run.point.concurrency or 1)
        left -= together
        prompts = [words.next(count) for _ in range(together)]
        timeout_s = limits.request_timeout_s
        await asyncio.gather(*(ask(run.endpoint, run.path, run.body, text, output, timeout_s) for text in prompts))


def _results(folder: Path) -> list[Path]:
    results = sorted((folder / NAME).glob("*_num_concurrency_*.json"))
    return results or sorted((folder / NAME).glob("debug_for_run_*.json"))
