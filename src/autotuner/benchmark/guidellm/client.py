"""The ``BenchmarkClient`` named guidellm."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from autotuner.benchmark.builtin.draws import Draws
from autotuner.benchmark.external import loads
from autotuner.benchmark.external.client import ExternalClient, Invocation, Launch, failed
from autotuner.benchmark.external.probe import Words, word_count
from autotuner.benchmark.external.program import Ended
from autotuner.benchmark.guidellm.report import Asked, measurement
from autotuner.contracts.attempt import FailureClass
from autotuner.contracts.client import ClientPackage
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import Workload

PACKAGE = ClientPackage(
    name="guidellm",
    version="0.8.1",
    requirements=tuple(Path(__file__).with_name(name) for name in ("requirements-torch.txt", "requirements.txt")),
    check="import guidellm.cli.run, guidellm.data.loaders.torch",
    pythons=((3, 11), (3, 14)),
    disk_bytes=3_000_000_000,
)
RESULT, REPORT, SCENARIO, PROMPTS = "guidellm.json", "guidellm.html", "scenario.json", "prompts.jsonl"
PATHS = ("/v1/completions", "/v1/chat/completions")
MOST_PROMPTS = 100_000
MOST_WORDS = 20_000_000
SPARE = 4
"""A server under load may answer so much sooner or later than the few requests that were timed."""
STREAMS_PER_WORKER = 64
"""More in one of its processes, and the process is what is measured."""


class GuidellmClient(ExternalClient):
    """Runs guidellm once per load point and repeat."""

    def __init__(self) -> None:
        super().__init__(GuidellmAdapter())


class GuidellmAdapter:
    """Writes its scenario file and prompts; reads its JSON.

    The prompts are ours, so no tokenizer is needed: words, as many as the server counts for the asked tokens.
    """

    package = PACKAGE
    point_overhead_s = 12.0

    def refusal(self, workload: Workload, completions_path: str) -> str | None:
        """Why it cannot produce this load."""
        if completions_path not in PATHS:
            return f"it sends to {' or '.join(PATHS)}, and this server answers at {completions_path}"
        return loads.refusal(workload)

    def path(self, completions_path: str) -> str:
        """The engine's own."""
        return completions_path

    async def prepare(self, run: Invocation) -> Launch:
        """Write scenario and prompts."""
        load_s = load_seconds(run)
        await asyncio.to_thread(_write_prompts, run, load_s)
        scenario = {"metadata": {}, "spec": specification(run, load_s)}
        (run.folder / SCENARIO).write_text(json.dumps(scenario), encoding="utf-8")
        return Launch(
            arguments=("-m", "guidellm", "run", "--config", SCENARIO, "--disable-console"),
            env=_environment(run),
            load_s=load_s + run.job.workload.limits.request_timeout_s,
        )

    def read(self, run: Invocation, ended: Ended) -> Measurement:
        """The measurement from its JSON, whatever its exit code says."""
        file = run.folder / RESULT
        if not file.is_file():
            raise failed(
                FailureClass.CLIENT,
                f"guidellm left no result (exit code {ended.code})",
                "look at its log among the artefacts",
            )
        scenario = run.point.traffic.parts[0][1]
        return measurement(
            json.loads(file.read_text(encoding="utf-8")),
            job=run.job,
            point=run.point,
            repeat=run.repeat,
            asked=Asked(loads.fixed(scenario.output), round(scenario.output.expected)),
            drain_s=drain_seconds(run),
            artefacts=run.artefacts,
        )

    def kept(self, folder: Path) -> Sequence[Path]:
        """Its result, its report, and what it was told. The prompts follow from the seed."""
        return [folder / name for name in (RESULT, REPORT, SCENARIO)]


def specification(run: Invocation, load_s: float) -> dict[str, object]:
    """guidellm's scenario. The API key is not in it: it is a variable of the process."""
    limits, point = run.job.workload.limits, run.point
    constraints: list[dict[str, object]] = [{"kind": "max_duration", "seconds": round(load_s, 1)}]
    if limits.max_requests is not None:
        count = limits.max_requests + limits.warmup_requests + (point.concurrency or 1)
        constraints.append({"kind": "max_requests", "count": count})
    if limits.max_errors is not None:
        constraints.append({"kind": "max_errors", "count": limits.max_errors + limits.warmup_requests})
    drawn = loads.fixed(point.traffic.parts[0][1].output) is None
    return {
        "backend": {
            "kind": "openai_http",
            "target": run.endpoint.base_url,
            "model": run.endpoint.model,
            "request_format": run.path,
            "http2": False,
            "verify": True,
            "validate_backend": False,
            "timeout": limits.request_timeout_s,
            "extras": {"body": run.body},
        },
        "profile": _profile(run),
        "data": [{"kind": "json_file", "path": PROMPTS}],
        "constraints": constraints,
        # Drawn lengths can only be checked against the requests themselves, which guidellm keeps on demand.
        "metrics": {"kind": "generative", "sample_size": None if drawn else 0},
        "outputs": [{"kind": "json", "path": RESULT}, {"kind": "html", "path": REPORT}],
    }


def load_seconds(run: Invocation) -> float:
    """How long the load lasts: warm-up, window and drain, from the time that one answer takes without load."""
    limits, answer_s = run.job.workload.limits, run.answer_s
    per_second = _requests_per_second(run)
    warm = limits.warmup_requests / per_second * SPARE + answer_s
    window = limits.window_s
    if limits.min_requests:
        window = min(max(window, limits.min_requests / per_second * 1.5), limits.max_window_s)
    if limits.max_requests is not None:
        window = max(window, 1.0)
    return warm + window + drain_seconds(run)


def drain_seconds(run: Invocation) -> float:
    """Time after the window in which its last requests may finish."""
    return min(3 * run.answer_s + 0.5, run.job.workload.limits.drain_s)


def _requests_per_second(run: Invocation) -> float:
    if run.point.request_rate is not None:
        return run.point.request_rate
    return (run.point.concurrency or 1) / run.answer_s


def _profile(run: Invocation) -> dict[str, object]:
    if run.point.concurrency is not None:
        return {"kind": "concurrent", "streams": [run.point.concurrency]}
    kind = "constant" if run.job.workload.arrival == "constant" else "poisson"
    return {"kind": kind, "rate": [run.point.request_rate]}


def _environment(run: Invocation) -> Mapping[str, str]:
    cores = len(run.job.cores.client or ()) or os.cpu_count() or 1
    streams = run.point.concurrency or round((run.point.request_rate or 1.0) * run.answer_s) or 1
    workers = max(1, min(math.ceil(streams / STREAMS_PER_WORKER), cores))
    variables = {
        "GUIDELLM__MAX_WORKER_PROCESSES": str(workers),
        "GUIDELLM__MP_CONTEXT_TYPE": "forkserver",
        "GUIDELLM__SCHEDULER_START_DELAY_NON_DISTRIBUTED": "0.05",
    }
    if run.endpoint.api_key is not None:
        variables["GUIDELLM__SPEC__BACKEND__API_KEY"] = run.endpoint.api_key
    return variables


def _write_prompts(run: Invocation, load_s: float) -> None:
    """As many as the load may use; guidellm ends when they are used up, and so does the window."""
    scenario = run.point.traffic.parts[0][1]
    limits = run.job.workload.limits
    count = round(_requests_per_second(run) * load_s * SPARE) + 1000
    if limits.max_requests is not None:
        count = min(count, limits.max_requests + limits.warmup_requests + 4 * (run.point.concurrency or 16))
    count = min(count, MOST_PROMPTS, max(1000, MOST_WORDS // max(scenario.prompt.longest, 1)))
    draws, words = Draws(run.point, run.job.workload.seed, run.repeat), Words(run.salt)
    with (run.folder / PROMPTS).open("w", encoding="utf-8") as file:
        for _ in range(count):
            prompt, output = draws.next().turns[0]
            text = words.next(word_count(run.probed.calibration, prompt))
            file.write(json.dumps({"prompt": text, "output_tokens_count": output}) + "\n")
