"""From genai-bench's JSON to a measurement.

Latencies are computed by our own code from what it says of each request, so errors are counted (its ``error_rate`` is
always 0) and a run without a success has no figures. It gives no times of day, so there is no window: rates are over
its whole run, and what was in flight at the end is in none of its figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotuner.benchmark.external import loads
from autotuner.benchmark.samples import try_to_write_samples
from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.measurement import Measurement, RequestRecord
from autotuner.contracts.workload import LoadPoint
from autotuner.metrics.summary import keeps, pool


def measurement(
    result: Mapping[str, Any], *, job: AttemptJob, point: LoadPoint, repeat: int, seconds: float, artefacts: Path
) -> Measurement:
    """The measurement of one of its result files. ``seconds``: of the whole program, for a run that has no length.

    KeyError, TypeError or ValueError for another kind of file.
    """
    if result.get("_time_unit", "s") != "s":
        raise ValueError(f"its unit is {result['_time_unit']}")
    asked = loads.fixed(point.traffic.parts[0][1].output) or 1
    records = [request(found, asked) for found in result["individual_request_metrics"]]
    done = [record for record in records if record.outcome == "ok"]
    length = result["aggregated_metrics"].get("run_duration") or seconds
    latency, limits = pool([records]), job.slo_limits
    output = sum(record.output_tokens or 0 for record in done)
    prompt = sum(record.prompt_tokens or 0 for record in done)
    header: dict[str, object] = {
        "client": "genai-bench",
        "load_point": point.name,
        "repeat": repeat,
        "window_s": length,
        "times": "of each request from its own start",
    }
    path, unwritten = try_to_write_samples(artefacts, header, records)
    limit = job.workload.limits.max_requests
    ended = "max_requests" if limit is not None and len(records) >= limit else None
    return Measurement(
        load_point=point.name,
        repeat=repeat,
        concurrency=point.concurrency,
        request_rate=None,
        window_s=length,
        ttft=latency.ttft,
        tpot=latency.tpot,
        itl=None,
        e2e=latency.e2e,
        output_throughput=output / length,
        input_throughput=prompt / length,
        total_throughput=(output + prompt) / length,
        requests_per_second=len(done) / length,
        goodput=sum(keeps(record, limits) for record in done) / length if limits else None,
        total_requests=len(records),
        completed_requests=len(done),
        error_requests=len(records) - len(done),
        error_codes=dict(sorted(Counter(r.error or "unknown" for r in records if r.outcome == "error").items())),
        output_tokens=output,
        asked_output_tokens=sum(record.asked_tokens for record in done),
        prompt_tokens=prompt,
        stopped=loads.stopped_by_errors(records, job.workload.limits) or ended,
        samples_path=path,
        samples_error=unwritten,
    )


def request(found: Mapping[str, Any], asked: int) -> RequestRecord:
    """One request; its times count from its own start."""
    received, code = found["num_output_tokens"], found["error_code"]
    error = None
    if code is not None:
        error = _code(code, str(found.get("error_message") or ""))
    elif not received or found["ttft"] is None or found["e2e_latency"] is None:
        error = "no_token"
    elif received != asked:
        error = "wrong_length"
    good = error is None
    return RequestRecord(
        started=0.0,
        first_token=found["ttft"],
        last_token=found["e2e_latency"],
        finished=found["e2e_latency"] or 0.0,
        output_tokens=received if good else None,
        prompt_tokens=found["num_input_tokens"] if good else None,
        asked_tokens=asked,
        outcome="ok" if good else "error",
        error=error,
    )


def _code(code: object, message: str) -> str:
    if message.startswith("Connection error"):
        return "truncated" if "broken" in message or "prematurely" in message else "connection_refused"
    if message.startswith("Request timed out"):
        return "timeout"
    return f"http_{code}" if str(code).isdigit() and int(str(code)) >= 400 else "error_payload"
