"""From what is stored of a task to its result. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autotuner.contracts.attempt import Phase
from autotuner.contracts.findings import Comparison
from autotuner.contracts.result import ConfirmationPoint, ExperimentSummary, TaskResult, ValueOrigin
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentStatus, TaskRecord
from autotuner.contracts.values import canonical_json
from autotuner.coordinator.analysis import explained
from autotuner.coordinator.comparisons import Starts, compare, parameter_differences
from autotuner.coordinator.disturbances import disturbances, failed_confirmations
from autotuner.coordinator.failure_statistics import failure_counts
from autotuner.coordinator.gains import choose, confirmation_starts, gain_figure, gains_of, noise_of, over_all
from autotuner.coordinator.headline import among_several, headline
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.pareto import pareto_set
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import summarise, without_bulk
from autotuner.coordinator.verdicts import verdicts
from autotuner.planning.plan import Plan
from autotuner.scoring.verdict import Verdict, nearest, rank


def build_result(
    task: TaskRecord,
    *,
    plan: Plan,
    scorer: Scorer,
    ledger: Ledger,
    host: Mapping[str, Any],
    elapsed_s: float,
    warnings: Sequence[str],
) -> TaskResult:
    """The result of a task as it stands; the scorer must be settled if anything succeeded."""
    judged = verdicts(ledger, scorer)
    summaries = {number: summarise(e, ledger) for number, e in ledger.experiments.items()}
    starts = confirmation_starts(ledger, scorer)
    over_starts = {
        n: v for n, v in ((n, over_all(list(s.values()), scorer)) for n, s in starts.items()) if v is not None
    }
    baseline = ledger.baseline
    base = baseline.number if baseline is not None and baseline.number in judged else None
    gains = gains_of(starts, base, scorer, over_starts)
    chosen = choose(judged, over_starts, gains, base)
    gain = gains.get(chosen) if chosen is not None else None
    objective = scorer.objectives[0]
    attempts = ledger.of_the_task()
    last = next((a for a in reversed(attempts) if a.engine_version), None)
    winner = summaries.get(chosen) if chosen is not None else None
    near = nearest(judged) if chosen is None else None
    best = winner or (summaries[near.number] if near is not None else None)
    pareto = pareto_set(judged, starts, over_starts, scorer, plan.document.optimization.seed)
    front = tuple(sorted(p.experiment for p in pareto.points if p.on_front)) if pareto is not None else ()
    analysis = explained(plan, ledger, judged, best.parameters if best is not None else None)
    predicted = "Predicted: " if plan.predicted else ""
    return TaskResult(
        task_id=task.id,
        task_name=task.name,
        status=task.status,
        engine=plan.engine,
        engine_version=last.engine_version if last is not None else None,
        model=", ".join(model.name for model in plan.resolver.models),
        deployment_mode=plan.deployment,
        predicted=plan.predicted,
        objective=", ".join(plan.document.optimization.objectives),
        objective_label=objective.label,
        unit=objective.unit,
        direction=objective.direction,
        scored_at=plan.scored_at,
        slo_sentences=tuple(
            f"{rule.label} ≤ {rule.text(rule.threshold)}" + (" (hard)" if rule.hard_fail else "")
            for rule in scorer.slo.rules
        ),
        headline=predicted
        + headline(task, chosen, base, gain, judged, over_starts, summaries, ledger, scorer)
        + among_several(scorer, chosen, pareto),
        winner=winner,
        baseline=summaries.get(baseline.number) if baseline is not None else None,
        references=tuple(s for s in summaries.values() if s.origin is ExperimentOrigin.REFERENCE),
        nearest=summaries.get(near.number) if near is not None else None,
        gain=None if gain is None or chosen is None else gain_figure(chosen, gain, over_starts.get(chosen)),
        finalists=tuple(gain_figure(n, g, over_starts.get(n)) for n, g in gains.items()),
        front=front,
        reference_gains=_reference_gains(winner, summaries.values(), scorer),
        confirmation=tuple(
            ConfirmationPoint(
                block=block,
                experiment=number,
                score=objective.value(metrics),
                metrics=without_bulk(metrics),
            )
            for number, of_number in starts.items()
            for block, metrics in sorted(of_number.items())
        ),
        noise=noise_of(starts, scorer),
        differences=parameter_differences(summaries[base], winner) if base is not None and winner is not None else {},
        pareto=pareto,
        importance=analysis.importance if analysis is not None else None,
        slices=analysis.slices if analysis is not None else (),
        comparisons=_comparisons(best, base, judged, summaries, starts),
        provenance=_provenance(plan),
        settings=_settings(plan),
        experiments=tuple(summaries.values()),
        counts=_counts(ledger),
        stop_reason=task.stop_reason,
        elapsed_s=elapsed_s,
        phase_seconds=_phases(attempts),
        attempts=len(attempts),
        failures=failure_counts(ledger),
        host=dict(host),
        warnings=tuple(dict.fromkeys((*warnings, *failed_confirmations(ledger), *disturbances(ledger, starts)))),
    )


def _reference_gains(
    winner: ExperimentSummary | None, summaries: Iterable[ExperimentSummary], scorer: Scorer
) -> dict[str, float]:
    if winner is None or winner.score is None:
        return {}
    minimise = scorer.objectives[0].direction == "minimize"
    return {
        summary.label or f"#{summary.number}": 1 - winner.score / summary.score
        if minimise
        else winner.score / summary.score - 1
        for summary in summaries
        if summary.origin is ExperimentOrigin.REFERENCE and summary.score
    }


def _comparisons(
    best: ExperimentSummary | None,
    base: int | None,
    judged: Mapping[int, Verdict],
    summaries: Mapping[int, ExperimentSummary],
    starts: Starts,
) -> tuple[Comparison, ...]:
    """The winner, or the nearest, against the baseline and against what the search alone would have chosen."""
    if best is None:
        return ()
    found: list[Comparison] = []
    if base is not None and base != best.number:
        found.append(compare(best, summaries[base], "baseline", starts))
    first = next((number for number in rank(judged) if not judged[number].violated), None)
    if first is not None and first not in (best.number, base):
        found.append(compare(best, summaries[first], "best of the search", starts))
    return tuple(found)


def _provenance(plan: Plan) -> tuple[ValueOrigin, ...]:
    return tuple(
        ValueOrigin(parameter=name, value=_plain(found.value), origin=found.layer, searched=found.searched)
        for name, found in plan.provenance.items()
    )


def _settings(plan: Plan) -> dict[str, Any]:
    """What else decided the figures, in the words of displays."""
    optimization, workload = plan.document.optimization, plan.workload
    found: dict[str, Any] = {
        "strategy": optimization.strategy,
        "seed": optimization.seed,
        "benchmark client": plan.client,
        "load points": [point.name for point in workload.load_points],
        "windows per load point": workload.repeats,
        "longest window, s": workload.limits.window_s,
    }
    if optimization.price_per_gpu_hour is not None:
        found["price per GPU-hour"] = optimization.price_per_gpu_hour
    if plan.gpu_count is not None:
        found["GPUs"] = plan.gpu_count
    return found


def _plain(value: object) -> Any:
    """As it comes back from JSON."""
    return json.loads(canonical_json(value))


def _counts(ledger: Ledger) -> dict[str, int]:
    counts: dict[str, int] = {}
    for experiment in ledger.experiments.values():
        counts[experiment.status.value] = counts.get(experiment.status.value, 0) + 1
    violating = sum(
        bool((e.slo or {}).get("slo_violation"))
        for e in ledger.experiments.values()
        if e.status is ExperimentStatus.SUCCESS
    )
    return {**counts, "slo_violation": violating}


def _phases(attempts: Sequence[AttemptRow]) -> dict[Phase, float]:
    total: dict[Phase, float] = {}
    for attempt in attempts:
        for phase, seconds in attempt.phase_seconds.items():
            total[phase] = total.get(phase, 0.0) + seconds
    return total
