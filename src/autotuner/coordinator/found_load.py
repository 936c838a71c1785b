"""The load that a start's search came to, as figures; and where the next search begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autotuner.contracts.attempt import AttemptJob, AttemptReason
from autotuner.contracts.load_search import MAX_LOAD, LoadLimit, LoadSearch, Probe
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import ExperimentRecord, ExperimentStatus
from autotuner.contracts.workload import Workload
from autotuner.metrics.at_load import AtLoad
from autotuner.planning.fair_load import AS_GIVEN
from autotuner.planning.plan import Plan
from autotuner.scoring.load_search import Ask, Found, ask, fitted_figures, found, probe, probe_limits

NEAR = 1.15
"""Largest factor of the first step away from the load that the same configuration had in another start."""

FAIRLY_NEAR = 1.5
"""The same, from the load that another configuration had."""


@dataclass(frozen=True)
class FoundLoad:
    """What the search of one start came to, and which measurements tell of that load."""

    found: Found
    at: AtLoad

    def into(self, figures: dict[str, Any], gpus: int | None) -> dict[str, Any]:
        """The figures with those of the search, also for the one scenario."""
        told = {
            MAX_LOAD: self.found.load,
            "max_load_low": self.found.low,
            "max_load_high": self.found.high,
            "max_load_limited_by": self.found.limited_by,
            "max_load_cliff": self.found.cliff,
            "max_load_precise": self.found.precise,
            "max_load_probes": self.found.probes,
        }
        if gpus:
            told[f"{MAX_LOAD}_per_gpu"] = None if self.found.load is None else self.found.load / gpus
        scenarios = [{**scenario, **told} for scenario in figures["scenarios"]]
        return {**figures, **told, "scenarios": scenarios}


def found_load(
    measurements: Sequence[Measurement], workload: Workload, limits: Sequence[LoadLimit]
) -> FoundLoad | None:
    """What a start's measurements say of the highest load; None when its workload searches none, or nothing was taken.

    The figures at that load lie between the two measured loads next to it. Those that an SLO limits come from the fit
    over all loads, which decided that the load meets it: a figure of few requests would be on the other side of its
    limit every second time.
    """
    search = workload.load_search
    if search is None or not measurements:
        return None
    came = found(search, probes(measurements, search, limits))
    fits = came.load is not None
    return FoundLoad(
        came,
        AtLoad(
            name=workload.searched_point(came.below if came.load is None else came.load).name,
            below=workload.searched_point(came.below).name,
            above=None if came.above is None else workload.searched_point(came.above).name,
            share=came.share,
            fitted=fitted_figures(came, limits) if fits else {},
        ),
    )


def probes(measurements: Iterable[Measurement], search: LoadSearch, limits: Sequence[LoadLimit]) -> tuple[Probe, ...]:
    """The measurements as the search sees them."""
    return tuple(probe(measurement, search, limits) for measurement in measurements)


def is_over(job: AttemptJob, measurements: Sequence[Measurement]) -> bool:
    """Whether a start that searches took all the measurements that it needed, and the lowest load was served."""
    search = job.workload.load_search
    if search is None:
        raise ValueError("the job searches no load")
    taken = probes(measurements, search, job.load_limits)
    served = all(m.completed_requests or p.load > search.lowest for m, p in zip(measurements, taken, strict=True))
    return served and not isinstance(ask(search, taken), Ask)


def beginning(
    search: LoadSearch,
    reason: AttemptReason,
    experiment: ExperimentRecord,
    others: Iterable[ExperimentRecord],
    gpus: int | None,
) -> LoadSearch:
    """The search with the load at which it begins.

    A start that measures a configuration again begins at the load that was found for it, with few probes. Others begin
    at the highest load per GPU that any configuration had so far: whether a candidate does better is known first.
    """
    if reason in (AttemptReason.CONFIRM, AttemptReason.VERIFY, AttemptReason.REPRODUCE):
        few = search.model_copy(update={"probes": min(search.probes, search.confirm_probes)})
        own = _load(experiment.metrics, MAX_LOAD)
        return few if own is None else _at(few, own, NEAR)
    name = f"{MAX_LOAD}_per_gpu" if gpus else MAX_LOAD
    known = [
        load
        for other in others
        if other.status is ExperimentStatus.SUCCESS and (load := _load(other.metrics, name)) is not None
    ]
    return _at(search, max(known) * (gpus or 1), FAIRLY_NEAR) if known else search


def _at(search: LoadSearch, load: float, stride: float) -> LoadSearch:
    start = min(max(load, search.lowest), search.highest)
    return search.model_copy(update={"start": start, "stride": stride})


def _load(metrics: Mapping[str, Any] | None, name: str) -> float | None:
    value = (metrics or {}).get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def at_found_load(plan: Plan, metrics: Mapping[str, Any]) -> Plan:
    """A plan that searches, for one configuration at the load that was found for it; else at the lowest load."""
    search = plan.workload.load_search
    if search is None:
        raise ValueError("the plan searches no load")
    load = _load(metrics, MAX_LOAD)
    point = plan.workload.searched_point(search.lowest if load is None else load)
    limits = probe_limits(plan.workload.limits, point)
    workload = plan.workload.model_copy(update={"load_points": (point,), "load_search": None, "limits": limits})
    return replace(plan, workload=workload, scored_at=(point.name,), fair_load=AS_GIVEN)
