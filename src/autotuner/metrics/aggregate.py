"""From the measurements of an attempt to the aggregated metrics, under the names that every display and score uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import fsum
from typing import Any

from autotuner.contracts.measurement import Distribution, Measurement, RequestRecord
from autotuner.metrics.at_load import AtLoad, interpolated
from autotuner.metrics.distribution import PERCENTILES
from autotuner.metrics.gpus import gpu_metrics
from autotuner.metrics.server import server_metrics
from autotuner.metrics.summary import Pooled, pool

LATENCY_NAMES = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2e": "e2e_latency"}
"""Field of ``Measurement`` → its name in aggregated metrics."""

_E2E_ALWAYS = ("p50", "p90", "p99")
_RATES = ("output_throughput", "input_throughput", "total_throughput", "requests_per_second", "goodput")
_THROUGHPUTS = ("mean_output_throughput", "mean_total_throughput", "max_output_throughput", "max_total_throughput")


def aggregate(
    measurements: Sequence[Measurement],
    *,
    scored: Sequence[str],
    gpu_count: int | None,
    percentiles: Mapping[str, AbstractSet[str]] | None = None,
    records: Mapping[str, Sequence[Sequence[RequestRecord]]] | None = None,
    other_start: AbstractSet[tuple[str, int]] = frozenset(),
    at_load: AtLoad | None = None,
) -> dict[str, Any]:
    """Aggregated metrics of an attempt (seconds, tokens per second, requests per second).

    The flat figures describe the first of the ``scored`` load points (names, one per scenario) alone; ``max_*`` cover
    all load points. ``scenarios`` holds the same flat figures for each scored load point. Repeats of a
    point are put together like this: means weighted by the number of samples; extremes are the extremes; rates are
    weighted by the length of their windows (the plain average for equal windows); counts are summed; percentiles come
    from the pooled samples when ``records`` (load point → the records of each repeat) has them, else the worst repeat
    is taken, since percentiles cannot be averaged; ``percentile_source`` says which: ``single``, ``pooled`` or
    ``worst_repeat``. ``percentiles`` asks for more of them, such as ``{"ttft": {"p90"}}`` for ``p90_ttft``.

    ``other_start`` names the measurements (load point, repeat) that a start before this one took, which was cut off:
    they count like the others, bear ``other_start`` in ``raw_results``, and ``from_other_start`` is their number.

    ``at_load`` takes the place of ``scored`` after a search for a load: the flat figures are those at the load that it
    found, interpolated between two measured ones where need be (``interpolated`` says so).

    ``stopped_early`` says of which windows a verdict was certain before their end; ``cut``: the kind of the
    one that put the configuration out of the running, so that its figures are of less than was planned.

    What the server (``server_metrics``) and its GPUs (``gpu_metrics``) told is among the flat figures where they told
    anything.

    Where no request succeeded there are no rates either: None, which no display takes for a measured zero.

    Throughputs (and goodput) are also given as ``<name>_per_gpu`` when ``gpu_count`` is at least 1. A figure without
    any sample is None. Raises ValueError for an unknown metric or percentile and when nothing is scored.
    """
    if not scored and at_load is None:
        raise ValueError("at least one load point is scored")
    wanted = _wanted(percentiles or {})

    def of_point(name: str) -> dict[str, Any]:
        repeats = [m for m in measurements if m.load_point == name]
        return _flat(repeats, wanted, (records or {}).get(name, ()))

    points = {name: of_point(name) for name in scored}
    if at_load is not None:
        points = {at_load.name: _at_load(at_load, of_point)}
    scored = tuple(points)
    figures: dict[str, Any] = dict(points[scored[0]])
    served = [m for m in measurements if m.completed_requests]
    figures["max_output_throughput"] = max((m.output_throughput for m in served), default=None)
    figures["max_total_throughput"] = max((m.total_throughput for m in served), default=None)
    figures["scored_load_points"] = list(scored)
    figures["concurrency_levels"] = _distinct(m.concurrency for m in measurements if m.concurrency is not None)
    figures["request_rates"] = _distinct(m.request_rate for m in measurements if m.request_rate is not None)
    figures["client_saturated"] = any(m.client_saturated for m in measurements)
    figures["load_not_sustained"] = any(m.load_not_sustained for m in measurements)
    figures["disturbed"] = any(m.disturbed for m in measurements)
    figures["samples_errors"] = sorted({m.samples_error for m in measurements if m.samples_error is not None})
    figures["predicted"] = any(m.predicted for m in measurements)
    figures["measured_s"] = fsum(m.window_s for m in measurements)
    figures["saved_s"] = fsum(max(m.early_stop.planned_s - m.window_s, 0.0) for m in measurements if m.early_stop)
    figures["stopped_early"] = [stopped_early(m) for m in measurements if m.early_stop]
    figures["cut"] = next((m.early_stop.kind for m in measurements if m.early_stop and m.early_stop.cuts), None)
    # Set by whoever knows what was planned.
    figures["pruned"] = None
    figures["not_measured"] = {}
    figures["from_other_start"] = sum((m.load_point, m.repeat) in other_start for m in measurements)
    if gpu_count is not None and gpu_count >= 1:
        for flat in (figures, *points.values()):
            flat.update(_per_gpu(flat, gpu_count))
    figures["scenarios"] = [{"load_point": name, **flat} for name, flat in points.items()]
    figures["raw_results"] = [
        _raw(m, gpu_count) | ({"other_start": True} if (m.load_point, m.repeat) in other_start else {})
        for m in measurements
    ]
    return figures


def stopped_early(measurement: Measurement) -> str:
    """When and why a window ended early, as a sentence without a full stop; empty for one that did not."""
    early = measurement.early_stop
    if early is None:
        return ""
    after = f"stopped after {measurement.window_s:.1f} s of {early.planned_s:.1f} s"
    return f"{measurement.load_point} {after}: {early.why}"


def _wanted(percentiles: Mapping[str, AbstractSet[str]]) -> list[tuple[str, str]]:
    asked = {("e2e", name) for name in _E2E_ALWAYS}
    for metric, names in percentiles.items():
        if metric not in LATENCY_NAMES:
            raise ValueError(f"{metric!r} is none of {', '.join(LATENCY_NAMES)}")
        for name in names:
            if name not in PERCENTILES:
                raise ValueError(f"{name!r} is none of {', '.join(PERCENTILES)}")
            asked.add((metric, name))
    return sorted(asked)


def _flat(
    repeats: Sequence[Measurement],
    wanted: Sequence[tuple[str, str]],
    records: Sequence[Sequence[RequestRecord]],
) -> dict[str, Any]:
    pooled = pool(records) if records and len(repeats) > 1 else None
    source = "single" if len(repeats) <= 1 else "pooled" if pooled is not None else "worst_repeat"
    total = sum(m.total_requests for m in repeats)
    completed = sum(m.completed_requests for m in repeats)
    goodputs = [m for m in repeats if m.goodput is not None]
    figures: dict[str, Any] = {"percentile_source": source, "repeats": len(repeats)}
    for metric, name in LATENCY_NAMES.items():
        figures[f"mean_{name}"] = _mean(_distributions(repeats, metric))
    e2e = _distributions(repeats, "e2e")
    figures["min_e2e_latency"] = min((d.min for d in e2e), default=None)
    figures["max_e2e_latency"] = max((d.max for d in e2e), default=None)
    for metric, percentile in wanted:
        figures[f"{percentile}_{LATENCY_NAMES[metric]}"] = _percentile(repeats, pooled, metric, percentile)
    figures["mean_output_throughput"] = _rate(repeats, lambda m: m.output_throughput)
    figures["mean_total_throughput"] = _rate(repeats, lambda m: m.total_throughput)
    figures["mean_input_throughput"] = _rate(repeats, lambda m: m.input_throughput)
    figures["requests_per_second"] = _rate(repeats, lambda m: m.requests_per_second)
    figures["goodput"] = _rate(goodputs, lambda m: m.goodput or 0.0)
    figures["total_requests"] = total
    figures["total_completed_requests"] = completed
    figures["total_error_requests"] = sum(m.error_requests for m in repeats)
    figures["total_incomplete_requests"] = sum(m.incomplete_requests for m in repeats)
    figures["success_rate"] = completed / total if total else None
    figures["error_rate"] = (total - completed) / total if total else None
    figures.update(server_metrics([m.server for m in repeats]))
    figures.update(gpu_metrics(repeats))
    return figures


def _at_load(load: AtLoad, flat: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    figures = flat(load.below)
    if load.above is not None:
        figures = interpolated(figures, flat(load.above), load.share)
    known = {name: value for name, value in load.fitted.items() if figures.get(name) is not None}
    return {**figures, **known, "interpolated": load.name != load.below}


def _distributions(repeats: Sequence[Measurement], metric: str) -> list[Distribution]:
    own = {
        "ttft": [m.ttft for m in repeats],
        "tpot": [m.tpot for m in repeats],
        "itl": [m.itl for m in repeats],
        "e2e": [m.e2e for m in repeats],
    }
    return [d for d in own[metric] if d is not None]


def _mean(distributions: Sequence[Distribution]) -> float | None:
    count = sum(d.count for d in distributions)
    return fsum(d.mean * d.count for d in distributions) / count if count else None


def _percentile(repeats: Sequence[Measurement], pooled: Pooled | None, metric: str, percentile: str) -> float | None:
    if pooled is None:
        chosen = _distributions(repeats, metric)
    else:
        together = {"ttft": pooled.ttft, "tpot": pooled.tpot, "itl": pooled.itl, "e2e": pooled.e2e}[metric]
        chosen = [] if together is None else [together]
    return max((float(d.model_dump()[percentile]) for d in chosen), default=None)


def _rate(repeats: Sequence[Measurement], figure: Callable[[Measurement], float]) -> float | None:
    if not any(m.completed_requests for m in repeats):
        return None
    seconds = fsum(m.window_s for m in repeats)
    return fsum(figure(m) * m.window_s for m in repeats) / seconds if seconds else None


def _per_gpu(flat: Mapping[str, Any], gpu_count: int) -> dict[str, float | None]:
    return {
        f"{name}_per_gpu": None if flat[name] is None else flat[name] / gpu_count
        for name in (*_THROUGHPUTS, "goodput")
        if name in flat
    }


def _raw(measurement: Measurement, gpu_count: int | None) -> dict[str, Any]:
    figures = measurement.model_dump(mode="json")
    if not measurement.completed_requests:
        figures |= dict.fromkeys(_RATES)
    output, total = figures["output_throughput"], figures["total_throughput"]
    figures["mean_output_throughput_tokens_per_s"] = output
    figures["mean_total_tokens_throughput_tokens_per_s"] = total
    if gpu_count is not None and gpu_count >= 1:
        figures["mean_output_throughput_per_gpu"] = None if output is None else output / gpu_count
        figures["mean_total_throughput_per_gpu"] = None if total is None else total / gpu_count
    return figures


def _distinct(values: Iterable[int | float]) -> list[int | float]:
    return list(dict.fromkeys(values))
