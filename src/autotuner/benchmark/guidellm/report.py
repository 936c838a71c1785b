"""From guidellm's JSON to a measurement.

Its own figures are not used: of what it says of each request the same records are made as of the builtin client's, and
the same code computes the same figures of them. So its known faults do no harm: a run without a success has no figures
(it writes 0.0), a stream that ends early is an error (it counts the tokens asked for), and the window is ours.

It tells the first and the last token of a request, not those between. For the throughput they are taken as evenly
spread; ``itl`` stays None. Its clock is the wall clock.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any

from autotuner.benchmark.external.loads import stopped_by_errors
from autotuner.benchmark.samples import try_to_write_samples
from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.measurement import Measurement, RequestRecord
from autotuner.contracts.workload import LoadPoint, MeasureLimits
from autotuner.metrics import summarise

LATE_GENERATION = "generation_delay_ttft"
SATURATED_SHARE = 0.1
"""guidellm's own delay before requests, as a share of the time to first token, from which it counts as saturated."""

CODES = {
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "PoolTimeout": "timeout",
    "ConnectTimeout": "timeout",
    "TimeoutError": "timeout",
    "ConnectError": "connection_refused",
    "RemoteProtocolError": "truncated",
    "ReadError": "truncated",
}
"""Its exceptions, by what the builtin client calls the same."""

_PAYLOAD = "Streaming response returned an error"
_STATUS = re.compile(r"error '(\d{3}) ")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True)
class Asked:
    """Output tokens that were asked for: of every request, or (None: drawn) about so many."""

    every: int | None
    about: int


@dataclass(frozen=True)
class _Window:
    opened: float
    seconds: float
    warm_s: float
    stopped: str | None


def measurement(
    report: Mapping[str, Any],
    *,
    job: AttemptJob,
    point: LoadPoint,
    repeat: int,
    asked: Asked,
    drain_s: float,
    artefacts: Path,
) -> Measurement:
    """The measurement of the only benchmark of a report. KeyError, TypeError or ValueError for another kind of file."""
    benchmark = report["benchmarks"][0]
    scheduled = point.request_rate is not None
    records = requests(benchmark, asked, scheduled=scheduled)
    window = _window(records, benchmark, point, job.workload.limits, drain_s)
    own = [_relative(record, window) for record in records]
    inside = [record for record in own if record.in_window]
    header: dict[str, object] = {
        "client": "guidellm",
        "load_point": point.name,
        "repeat": repeat,
        "window_s": window.seconds,
        "opened_unix": window.opened,
    }
    # The arrivals between are made up, so they are not kept.
    kept = [record.model_copy(update={"arrivals": ()}) for record in own]
    path, unwritten = try_to_write_samples(artefacts, header, kept)
    found = summarise(
        own,
        load_point=point,
        repeat=repeat,
        window_s=window.seconds,
        slo_limits=job.slo_limits,
        client_saturated=_saturated(benchmark),
        stopped=stopped_by_errors(inside, job.workload.limits) or window.stopped,
        samples_path=path,
    )
    opened = window.opened + monotonic() - time()
    return found.model_copy(
        update={"itl": None, "warmup_s": window.warm_s, "samples_error": unwritten, "opened_monotonic": opened}
    )


def requests(benchmark: Mapping[str, Any], asked: Asked, *, scheduled: bool) -> list[RequestRecord]:
    """Records of all requests that began, by their start; times are those of guidellm's clock.

    ``scheduled``: requests have a time at which they should begin (open loop), from which they count.
    """
    records = [
        record
        for status in ("successful", "errored", "incomplete")
        for request in benchmark["requests"].get(status) or ()
        if (record := _record(request, status, asked, scheduled=scheduled)) is not None
    ]
    return sorted(records, key=lambda record: record.started)


def _record(request: Mapping[str, Any], status: str, asked: Asked, *, scheduled: bool) -> RequestRecord | None:
    times = request["info"]["timings"]
    began = times["request_start"]
    if began is None:
        return None  # cancelled before it was sent
    started = min(times["targeted_start"], began) if scheduled else began
    first, last = times["first_token_iteration"], times["last_token_iteration"]
    finished = times["request_end"] or times["resolve_end"] or last or began
    wanted = asked.every or _asked_of(request) or asked.about
    received = request["output_tokens"]
    outcome, error = "ok", None
    if status == "incomplete":
        outcome = "incomplete"
    elif status == "errored":
        outcome, error = "error", _code(request["info"]["error"])
    elif first is None or last is None:
        outcome, error = "error", "no_token"
    elif times["last_request_iteration"] <= last:
        # Nothing came after the last token: neither a reason for its end, nor usage, nor [DONE].
        outcome, error = "error", "truncated"
    elif received != wanted:
        outcome, error = "error", "wrong_length"
    good = outcome == "ok"
    return RequestRecord(
        started=started,
        first_token=first,
        last_token=last,
        finished=finished,
        arrivals=_spread(first, last, received) if good else (),
        output_tokens=received if good else None,
        prompt_tokens=request["prompt_tokens"] if good else None,
        cached_tokens=request["cached_tokens"] if good else None,
        asked_tokens=wanted,
        outcome=outcome,
        error=error,
    )


def _asked_of(request: Mapping[str, Any]) -> int | None:
    """From the request's own body, where guidellm kept it."""
    kept = request.get("request_args")
    if not kept:
        return None
    body = json.loads(kept)["body"]
    found = body.get("max_tokens", body.get("max_completion_tokens"))
    return None if found is None else int(found)


def _spread(first: float, last: float, count: int) -> tuple[float, ...]:
    steps = max(count - 1, 1)
    return tuple(first + (last - first) * index / steps for index in range(count))


def _code(error: str | None) -> str:
    text = error or ""
    status = _STATUS.search(text)
    if status is not None:
        return f"http_{status[1]}"
    if _PAYLOAD in text:
        return "error_payload"
    name = _NAME.match(text)
    return "unknown" if name is None else CODES.get(name[0], f"guidellm_{name[0].rpartition('.')[2]}")


def _window(
    records: Sequence[RequestRecord],
    benchmark: Mapping[str, Any],
    point: LoadPoint,
    limits: MeasureLimits,
    drain_s: float,
) -> _Window:
    """It opens when as many requests have finished as warm up, and ends while the load is still up."""
    began, ended = float(benchmark["start_time"]), float(benchmark["end_time"])
    finished = sorted(record.finished for record in records if record.outcome != "incomplete")
    warm = limits.warmup_requests
    opened = began if warm == 0 or len(finished) <= warm else finished[warm - 1]
    inside = [record for record in records if record.started >= opened]
    cut_off = any(record.outcome == "incomplete" for record in records)
    last_start = max((record.started for record in inside), default=ended)
    until, stopped = opened + limits.window_s, None
    if limits.min_requests:
        done = sorted(record.finished for record in inside if record.outcome == "ok")
        enough = done[limits.min_requests - 1] if len(done) >= limits.min_requests else float("inf")
        until = max(until, enough)
    load_end = max(ended - drain_s, opened) if cut_off else math.nextafter(last_start, math.inf)
    if until > load_end and len(finished) > warm:
        until, stopped = load_end, _early(limits, load_end - opened)
    if limits.max_requests is not None and len(inside) > limits.max_requests:
        at = inside[limits.max_requests].started
        if at <= until:
            until, stopped = at, "max_requests"
    seconds = until - opened
    if seconds <= 0:
        seconds = max(ended - opened, 1e-3)
    return _Window(opened, seconds, max(opened - began, 0.0), stopped)


def _early(limits: MeasureLimits, seconds: float) -> str | None:
    """Why the window was shorter than asked for; a hair's breadth is no reason."""
    if limits.min_requests and seconds >= limits.window_s:
        return "max_window_s"
    return None if seconds >= 0.9 * limits.window_s else "load_ended"


def _relative(record: RequestRecord, window: _Window) -> RequestRecord:
    def since(time: float | None) -> float | None:
        return None if time is None else time - window.opened

    started = record.started - window.opened
    return record.model_copy(
        update={
            "started": started,
            "first_token": since(record.first_token),
            "last_token": since(record.last_token),
            "finished": record.finished - window.opened,
            "arrivals": tuple(time - window.opened for time in record.arrivals),
            "in_window": 0 <= started < window.seconds,
        }
    )


def _saturated(benchmark: Mapping[str, Any]) -> bool:
    return any(
        warning["code"] == LATE_GENERATION and warning["observed"] > SATURATED_SHARE
        for warning in benchmark.get("warnings") or ()
    )
