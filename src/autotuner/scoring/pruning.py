"""What a start need not measure any more, from what it has measured so far.

The scored load points are measured first. A configuration that misses its SLO there is not measured at the others, nor
one whose window was ended because it is certainly worse. A load above one at which the server is saturated tells
nothing new.

All of it follows from the rules and the measurements alone, so a start that was cut off is judged like a whole one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum, log

from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.stopping import StopRules
from autotuner.contracts.workload import LoadPoint
from autotuner.metrics.aggregate import aggregate
from autotuner.scoring.early_stop import rule_of
from autotuner.scoring.figures import Missing
from autotuner.scoring.slo import SloResult, SloSet, asked_percentiles, judge_slo, meets_for_load, percent

FLAT = 0.1
"""Saturated: throughput grows by less than this power of the load …"""
RISING = 0.5
"""… and the time to first token by more than this one."""

Place = tuple[str, int]
"""Load point and repeat of a measurement."""


@dataclass(frozen=True)
class Ahead:
    """What is still to be measured, in order, and why other places are not.

    ``pruned``: why the whole start is not measured any further; ``skipped``: load point → why it is left out.
    """

    left: tuple[Place, ...]
    pruned: str | None = None
    skipped: dict[str, str] = field(default_factory=dict)


def ahead(job: AttemptJob, measurements: Sequence[Measurement]) -> Ahead:
    """What is ahead of a start. ``measurements``: all that it has, also those of a start that it replaces."""
    taken = {(m.load_point, m.repeat) for m in measurements}
    places = [(point.name, repeat) for point, repeat in job.places()]
    left = tuple(place for place in places if place not in taken)
    rules = job.stop
    if rules is None or not rules.judged:
        return Ahead(left)
    cut = next((m for m in measurements if m.early_stop is not None and m.early_stop.cuts), None)
    if cut is not None and cut.early_stop is not None:
        return Ahead((), cut.early_stop.why)
    missed = _missed(rules, job.workload.repeats, measurements) if left else None
    if missed is not None:
        return Ahead((), missed)
    skipped = _saturated(job.workload.load_points, measurements)
    skipped = {name: why for name, why in skipped.items() if any(place[0] == name for place in left)}
    return Ahead(tuple(place for place in left if place[0] not in skipped), None, skipped)


def _missed(rules: StopRules, repeats: int, measurements: Sequence[Measurement]) -> str | None:
    """Why the SLO is missed at the scored load points that are measured; None while it may be kept.

    A violation at one of them decides (the worst scenario counts). A miss that is none decides when all of them are
    measured, and only where a configuration is known that keeps its SLOs at this load: else nothing could win.
    """
    served = Counter(m.load_point for m in measurements if m.completed_requests)
    whole = [name for name in rules.scored if served[name] == repeats]
    results = _judged(rules, whole, measurements) if whole else ()
    violated = next((r for r in results if r.violated), None)
    if violated is not None:
        return _sentence(violated, whole)
    if len(whole) == len(rules.scored) and rules.load_kept and results and not meets_for_load(results):
        hard = any(r.rule.hard_fail for r in results if r.rule.metric != "error_rate")
        return _sentence(next(r for r in results if not r.met and (r.rule.hard_fail or not hard)), whole)
    return None


def _judged(rules: StopRules, whole: Sequence[str], measurements: Sequence[Measurement]) -> tuple[SloResult, ...]:
    slo = SloSet(rules=tuple(rule_of(stake) for stake in rules.slo))
    metrics = aggregate(
        [m for m in measurements if m.load_point in whole],
        scored=whole,
        gpu_count=None,
        percentiles=asked_percentiles(slo),
    )
    results = judge_slo([metrics], slo)
    return () if isinstance(results, Missing) else results


def _sentence(result: SloResult, whole: Sequence[str]) -> str:
    return f"it misses its SLO at {', '.join(whole)} ({result.reason})"


def _saturated(points: Sequence[LoadPoint], measurements: Sequence[Measurement]) -> dict[str, str]:
    """Load point → why nothing new is to be learnt there."""
    found: dict[str, str] = {}
    for traffic in dict.fromkeys(point.traffic.text for point in points):
        own = [point for point in points if point.traffic.text == traffic and point.sweep_step is None]
        found |= _above_saturation([p for p in own if p.concurrency is not None], measurements)
        found |= _above_capacity([p for p in own if p.request_rate is not None], measurements)
    return found


def _above_saturation(points: Sequence[LoadPoint], measurements: Sequence[Measurement]) -> dict[str, str]:
    rising = sorted(
        (point.concurrency or 0, throughput, ttft, point.name)
        for point in points
        for own in ([m for m in measurements if m.load_point == point.name and m.ttft is not None],)
        if own
        for throughput in (fsum(m.total_throughput for m in own) / len(own),)
        for ttft in (fsum(m.ttft.mean for m in own if m.ttft is not None) / len(own),)
        if throughput > 0 and ttft > 0
    )
    for position, (load, more, later, name) in enumerate(rising):
        for less_load, less, earlier, than in rising[:position]:
            grown = log(load / less_load)
            if log(more / less) < FLAT * grown and log(later / earlier) > RISING * grown:
                why = (
                    f"the server is saturated at {name}: against {than} the time to first token grows by "
                    f"{percent(later / earlier - 1)} and throughput by {percent(more / less - 1)}"
                )
                return {point.name: why for point in points if (point.concurrency or 0) > load}
    return {}


def _above_capacity(points: Sequence[LoadPoint], measurements: Sequence[Measurement]) -> dict[str, str]:
    behind = {m.load_point for m in measurements if m.load_not_sustained}
    rates = [(point.request_rate or 0.0, point.name) for point in points if point.name in behind]
    if not rates:
        return {}
    rate, name = min(rates)
    why = f"the server is saturated at {name}: requests come faster than they are answered"
    return {point.name: why for point in points if (point.request_rate or 0.0) > rate}
