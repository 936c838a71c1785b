"""From request records to a measurement.

Two populations, on purpose. Latency (ttft, tpot, itl, e2e) and the counts are those of the requests *started* inside
the window, wherever they end. Rates (tokens, requests, goodput) count what *happened* inside the window, also to
requests begun before it: at a steady load that is unbiased, whereas counting whole requests by their start would
credit the window with work done after it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, inf, sqrt

from autotuner.contracts.measurement import Distribution, Measurement, RequestRecord
from autotuner.contracts.workload import LoadPoint
from autotuner.metrics.distribution import distribution

SLICE_S = 0.25
MOST_SLICES = 100

SLO_METRICS = ("ttft", "tpot", "e2e")


@dataclass(frozen=True)
class Pooled:
    """Latency distributions (seconds) over the requests of several repeats; None without any sample."""

    ttft: Distribution | None
    tpot: Distribution | None
    itl: Distribution | None
    e2e: Distribution | None


def ttft(record: RequestRecord) -> float | None:
    """Time to first token: first non-empty content or reasoning token − request start."""
    return None if record.first_token is None else record.first_token - record.started


def tpot(record: RequestRecord) -> float | None:
    """Time per output token: (last − first) / (n − 1), n as the server counts; None for fewer than two tokens."""
    if record.first_token is None or record.last_token is None or (record.output_tokens or 0) < 2:
        return None
    return (record.last_token - record.first_token) / ((record.output_tokens or 0) - 1)


def e2e(record: RequestRecord) -> float | None:
    """Request start to last token."""
    return None if record.last_token is None else record.last_token - record.started


def gaps(record: RequestRecord) -> list[float]:
    """Every gap between two successive chunks that carried content."""
    times = sorted(record.arrivals)
    return [later - earlier for earlier, later in pairwise(times)]


def tokens_between(record: RequestRecord, start: float, end: float) -> float:
    """Output tokens that arrived in [start, end): each content chunk carries an equal share of the n tokens.

    Over windows that tile time the figures add up to n. A request without success has no known n and counts 0.
    """
    if record.outcome != "ok" or not record.arrivals or not record.output_tokens:
        return 0.0
    times = sorted(record.arrivals)
    inside = bisect_left(times, end) - bisect_left(times, start)
    return record.output_tokens * inside / len(times)


def keeps(record: RequestRecord, slo_limits: Mapping[str, float]) -> bool:
    """Whether the request succeeded and its own ttft, tpot and e2e are within the limits (seconds).

    A tpot that does not exist (one token) keeps any limit.
    """
    if record.outcome != "ok":
        return False
    limits = _known(slo_limits)
    own = {"ttft": ttft(record), "tpot": tpot(record), "e2e": e2e(record)}
    return all(value <= limits[metric] for metric, value in own.items() if value is not None and metric in limits)


def pool(repeats: Iterable[Sequence[RequestRecord]]) -> Pooled:
    """Latency distributions over the successful requests of all repeats' windows together."""
    done = [r for records in repeats for r in records if r.in_window and r.outcome == "ok"]
    return Pooled(
        ttft=distribution(_present(map(ttft, done))),
        tpot=distribution(_present(map(tpot, done))),
        itl=distribution([gap for record in done for gap in gaps(record)]),
        e2e=distribution(_present(map(e2e, done))),
    )


def summarise(
    records: Sequence[RequestRecord],
    *,
    load_point: LoadPoint,
    repeat: int,
    window_s: float,
    slo_limits: Mapping[str, float],
    loop_lag_p99_s: float | None = None,
    client_cpu_share: float | None = None,
    client_saturated: bool = False,
    foreign_cpu_share: float | None = None,
    disturbed: bool = False,
    stopped: str | None = None,
    predicted: bool = False,
    samples_path: str | None = None,
) -> Measurement:
    """The measurement that these records make; their times count from the opening of the window.

    ``requests_per_second`` and ``goodput`` count requests whose end fell into the window. Prompt tokens count at the
    first token's arrival. ``goodput`` is None without limits. The flags are passed through. Raises ValueError for a
    window of no length or a limit on an unknown metric.
    """
    if window_s <= 0:
        raise ValueError("a window has a positive length")
    own = [r for r in records if r.in_window]
    done = [r for r in own if r.outcome == "ok"]
    ended = [r for r in records if r.outcome == "ok" and 0 <= r.finished < window_s]
    output = fsum(tokens_between(r, 0.0, window_s) for r in records) / window_s
    prompt = _prompt_tokens_inside(records, window_s) / window_s
    latency = pool([own])
    slice_s, slices = tokens_by_slice(records, window_s)
    limits = _known(slo_limits)
    cached = [r.cached_tokens for r in done if r.cached_tokens is not None]
    connects = [r.connect_s for r in own if r.connect_s > 0]
    return Measurement(
        load_point=load_point.name,
        repeat=repeat,
        concurrency=load_point.concurrency,
        request_rate=load_point.request_rate,
        window_s=window_s,
        ttft=latency.ttft,
        tpot=latency.tpot,
        itl=latency.itl,
        e2e=latency.e2e,
        output_throughput=output,
        input_throughput=prompt,
        total_throughput=output + prompt,
        requests_per_second=len(ended) / window_s,
        goodput=sum(keeps(r, limits) for r in ended) / window_s if limits else None,
        total_requests=len(own),
        completed_requests=len(done),
        error_requests=sum(r.outcome == "error" for r in own),
        incomplete_requests=sum(r.outcome == "incomplete" for r in own),
        error_codes=dict(sorted(Counter(r.error or "unknown" for r in own if r.outcome == "error").items())),
        error_texts=_first_texts(own),
        output_tokens=sum(r.output_tokens or 0 for r in done),
        asked_output_tokens=sum(r.asked_tokens for r in done),
        prompt_tokens=sum(r.prompt_tokens or 0 for r in done),
        asked_prompt_tokens=_sum_of_all(r.asked_prompt_tokens for r in done),
        cached_prompt_tokens=sum(cached) if cached else None,
        mean_connect_s=fsum(connects) / len(connects) if connects else None,
        loop_lag_p99_s=loop_lag_p99_s,
        client_cpu_share=client_cpu_share,
        client_saturated=client_saturated,
        load_not_sustained=load_point.request_rate is not None and backlog_grows(records, window_s),
        foreign_cpu_share=foreign_cpu_share,
        disturbed=disturbed,
        stopped=stopped,
        slice_s=slice_s,
        slice_tokens=slices,
        predicted=predicted,
        samples_path=samples_path,
    )


def tokens_by_slice(records: Iterable[RequestRecord], window_s: float) -> tuple[float | None, tuple[float, ...]]:
    """Length of the slices, and the output and prompt tokens that count in each; the sum is that of the throughput.

    Slices are of equal length: 0.25 s or little more, and at most 100 of them. None for a window without a whole one.
    """
    count = min(int(window_s / SLICE_S), MOST_SLICES)
    if not count:
        return None, ()
    import numpy as np  # late, as above

    good = [r for r in records if r.outcome == "ok"]
    shares = [(r.output_tokens or 0) / max(len(r.arrivals), 1) for r in good]
    times = [
        *(at for r in good for at in r.arrivals),
        *(r.first_token if r.first_token is not None else -1.0 for r in good),
    ]
    weights = [*np.repeat(shares, [len(r.arrivals) for r in good]), *(float(r.prompt_tokens or 0) for r in good)]
    inside = sorted((at, tokens) for at, tokens in zip(times, weights, strict=True) if 0 <= at < window_s)
    ends = np.searchsorted([at for at, _ in inside], np.linspace(0.0, window_s, count + 1)[1:-1])
    parts = np.split(np.array([tokens for _, tokens in inside], dtype=np.float64), ends)
    return window_s / count, tuple(round(float(part.sum()), 3) for part in parts)


def backlog_grows(records: Sequence[RequestRecord], window_s: float) -> bool:
    """Whether an open loop came faster than it was served, all through the window.

    The backlog is the number of requests that were due and had not ended. It grows when its average rises from each
    third of the window to the next, in all by more than a twentieth of the window's requests, by more than 2.5 times
    the square root of what it was (the size of its chance), and by more than 3.
    """
    third = window_s / 3
    first, second, last = (_backlog(records, third * number, third * (number + 1)) for number in range(3))
    due = sum(0 <= r.started < window_s for r in records)
    return first < second < last and last - first > max(3.0, due / 20, 2.5 * sqrt(first))


def _backlog(records: Iterable[RequestRecord], start: float, end: float) -> float:
    """Average number of requests in [start, end) that were due and had not ended."""
    inside = (
        min(end, inf if r.outcome == "incomplete" else r.finished) - max(start, r.started)
        for r in records
        if r.started < end
    )
    return fsum(seconds for seconds in inside if seconds > 0) / (end - start)


def _prompt_tokens_inside(records: Iterable[RequestRecord], window_s: float) -> int:
    return sum(
        r.prompt_tokens or 0
        for r in records
        if r.outcome == "ok" and r.first_token is not None and 0 <= r.first_token < window_s
    )


def _first_texts(records: Sequence[RequestRecord]) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in records:
        if record.outcome == "error" and record.error_text is not None:
            found.setdefault(record.error or "unknown", record.error_text)
    return dict(sorted(found.items()))


def _sum_of_all(values: Iterable[int | None]) -> int | None:
    """Their sum; None when there is none, or one of them is unknown."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if known and len(known) == len(found) else None


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _known(slo_limits: Mapping[str, float]) -> Mapping[str, float]:
    unknown = sorted(set(slo_limits) - set(SLO_METRICS))
    if unknown:
        raise ValueError(f"a request has no {', '.join(unknown)}: limits are on {', '.join(SLO_METRICS)}")
    return slo_limits
