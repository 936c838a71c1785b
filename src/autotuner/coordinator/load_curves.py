"""What winner and baseline did over all loads that were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum

from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.findings import LoadCurve, LoadCurvePoint
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import ExperimentRecord, Store
from autotuner.coordinator.ledger import Ledger

MOST = 200
"""A replay or a long sweep may have more load points; a curve shows so many."""


async def load_curves(store: Store, ledger: Ledger, numbers: Sequence[int]) -> tuple[LoadCurve, ...]:
    """The curves of some experiments, read from the store; of those alone that were measured at two loads or more.

    The figures are of the confirmation starts, and without them of the search's start. StoreError of the store.
    """
    curves: list[LoadCurve] = []
    for number in dict.fromkeys(numbers):
        experiment = ledger.experiments.get(number)
        if experiment is not None:
            curve = await _curve(store, ledger, experiment)
            curves += [curve] if curve is not None else []
    return tuple(curves)


async def _curve(store: Store, ledger: Ledger, experiment: ExperimentRecord) -> LoadCurve | None:
    confirmed = list(ledger.confirmations(experiment).values())
    if confirmed:
        starts, measured = len(confirmed), [m for attempt in confirmed for m in ledger.figures(attempt).measurements]
    else:
        own = {a.id for a in ledger.own_attempts(experiment) if a.status is not AttemptStatus.FAILED}
        rows = await store.list_measurements(experiment.task_id, experiment_id=experiment.id)
        # What the last start took stands for what one before it took, which was cut off.
        taken = {(r.measurement.load_point, r.measurement.repeat): r.measurement for r in rows if r.attempt_id in own}
        starts, measured = 1, list(taken.values())
    points: dict[str, list[Measurement]] = {}
    for measurement in measured:
        if measurement.completed_requests:
            points.setdefault(measurement.load_point, []).append(measurement)
    if len(points) < 2:
        return None
    made = [_point(name, windows) for name, windows in points.items()]
    made.sort(key=lambda point: (point.concurrency or 0, point.request_rate or 0.0))
    return LoadCurve(experiment=experiment.number, starts=starts, points=tuple(made[:MOST]))


def _point(name: str, windows: Sequence[Measurement]) -> LoadCurvePoint:
    first = windows[0]
    figures = {key: value for key, values in _figures(windows).items() if (value := _mean(values)) is not None}
    return LoadCurvePoint(
        load_point=name,
        concurrency=first.concurrency,
        request_rate=first.request_rate,
        windows=len(windows),
        figures=figures,
    )


def _figures(windows: Sequence[Measurement]) -> Mapping[str, Sequence[float | None]]:
    return {
        "total_throughput": [m.total_throughput for m in windows],
        "output_throughput": [m.output_throughput for m in windows],
        "requests_per_second": [m.requests_per_second for m in windows],
        "goodput": [m.goodput for m in windows],
        "mean_ttft": [None if m.ttft is None else m.ttft.mean for m in windows],
        "p90_ttft": [None if m.ttft is None else m.ttft.p90 for m in windows],
        "mean_tpot": [None if m.tpot is None else m.tpot.mean for m in windows],
        "mean_e2e_latency": [None if m.e2e is None else m.e2e.mean for m in windows],
        "p90_e2e_latency": [None if m.e2e is None else m.e2e.p90 for m in windows],
        "error_rate": [m.error_rate for m in windows],
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None
