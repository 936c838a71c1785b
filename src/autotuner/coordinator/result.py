"""From what is stored of a task to its result. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autotuner.contracts.attempt import Phase
from autotuner.contracts.result import ConfirmationPoint, ExperimentSummary, RuledOut, TaskResult
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, TaskRecord
from autotuner.coordinator.analysis import explained
from autotuner.coordinator.comparisons import comparisons, parameter_differences
from autotuner.coordinator.disturbances import disturbances, failed_confirmations
from autotuner.coordinator.failure_statistics import failure_counts
from autotuner.coordinator.finalists import Assessor
from autotuner.coordinator.gains import choose, gain_figure, noise_of, noise_within
from autotuner.coordinator.headline import among_several, conclusion_of
from autotuner.coordinator.ledger import MEASURED, Ledger
from autotuner.coordinator.measuring_time import measuring_time
from autotuner.coordinator.origins import settings_of, value_origins
from autotuner.coordinator.pareto import pareto_set
from autotuner.coordinator.quality import about_winner, quality_summary, quality_warnings
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import summarise, without_bulk
from autotuner.coordinator.verdicts import in_full, verdicts
from autotuner.planning.plan import Plan
from autotuner.scoring.verdict import nearest


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
    evidence = Assessor(ledger, scorer, plan.document.optimization).evidence()
    baseline = ledger.baseline
    base = baseline.number if baseline is not None and baseline.number in judged else None
    chosen = choose(judged, evidence, base)
    gain = evidence.gains.get(chosen) if chosen is not None else None
    objective = scorer.objectives[0]
    attempts = ledger.of_the_task()
    last = next((a for a in reversed(attempts) if a.engine_version), None)
    winner = summaries.get(chosen) if chosen is not None else None
    near = nearest({**judged, **evidence.verdicts}) if chosen is None else None
    best = winner or (summaries[near.number] if near is not None else None)
    whole = {n: v for n, v in judged.items() if n in evidence.verdicts or in_full(ledger.experiments[n], scorer)}
    pareto = pareto_set(whole, evidence, scorer, plan.document.optimization.seed)
    analysis = explained(plan, ledger, scorer, best.parameters if best is not None else None)
    predicted = "Predicted: " if plan.predicted else ""
    conclusion = conclusion_of(task, chosen, base, near, judged, evidence, summaries, ledger, scorer)
    quality = quality_summary(plan, scorer, ledger)
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
        verdict=conclusion.kind,
        headline=predicted
        + conclusion.sentence
        + among_several(scorer, chosen, pareto)
        + about_winner(winner, quality),
        winner=winner,
        baseline=summaries.get(baseline.number) if baseline is not None else None,
        references=tuple(s for s in summaries.values() if s.origin is ExperimentOrigin.REFERENCE),
        nearest=summaries.get(near.number) if near is not None else None,
        gain=None if gain is None or chosen is None else gain_figure(chosen, gain, evidence),
        finalists=tuple(gain_figure(n, g, evidence) for n, g in evidence.gains.items()),
        ruled_out=tuple(
            RuledOut(experiment=number, starts=len(evidence.starts.get(number, {})), reason=why)
            for number, why in evidence.out.items()
        ),
        front=() if pareto is None else tuple(sorted(p.experiment for p in pareto.points if p.on_front)),
        reference_gains=_reference_gains(winner, summaries.values(), scorer),
        confirmation=tuple(
            ConfirmationPoint(
                block=block,
                experiment=number,
                score=objective.value(metrics),
                metrics=without_bulk(metrics),
            )
            for number, of_number in evidence.starts.items()
            for block, metrics in sorted(of_number.items())
        ),
        noise=noise_of(evidence, scorer),
        noise_within=noise_within(ledger, scorer),
        differences=parameter_differences(summaries[base], winner) if base is not None and winner is not None else {},
        pareto=pareto,
        importance=None if analysis is None else analysis.importance,
        slices=() if analysis is None else analysis.slices,
        comparisons=comparisons(best, base, judged, summaries, evidence.starts),
        provenance=value_origins(plan),
        settings=settings_of(plan),
        experiments=tuple(summaries.values()),
        counts=_counts(ledger),
        stop_reason=task.stop_reason,
        elapsed_s=elapsed_s,
        phase_seconds=_phases(attempts),
        attempts=len(attempts),
        measuring=measuring_time(ledger, (m for of_number in evidence.starts.values() for m in of_number.values())),
        failures=failure_counts(ledger),
        host=dict(host),
        quality=quality,
        warnings=tuple(
            dict.fromkeys(
                (
                    *warnings,
                    *quality_warnings(plan, scorer, ledger),
                    *failed_confirmations(ledger),
                    *disturbances(ledger, evidence.starts),
                )
            )
        ),
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


def _counts(ledger: Ledger) -> dict[str, int]:
    counts: dict[str, int] = {}
    for experiment in ledger.experiments.values():
        counts[experiment.status.value] = counts.get(experiment.status.value, 0) + 1
    violating = sum(
        bool((e.slo or {}).get("slo_violation")) for e in ledger.experiments.values() if e.status in MEASURED
    )
    return {**counts, "slo_violation": violating}


def _phases(attempts: Sequence[AttemptRow]) -> dict[Phase, float]:
    total: dict[Phase, float] = {}
    for attempt in attempts:
        for phase, seconds in attempt.phase_seconds.items():
            total[phase] = total.get(phase, 0.0) + seconds
    return total
