"""From what is stored of a task to its result. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Phase
from autotuner.contracts.result import (
    ConfirmationPoint,
    ExperimentSummary,
    GainFigure,
    SloLine,
    TaskResult,
)
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentRecord, ExperimentStatus, TaskRecord
from autotuner.contracts.values import MODEL_KEY, Scalar
from autotuner.coordinator.failure_statistics import failure_counts
from autotuner.coordinator.ledger import Figures, Ledger, duration
from autotuner.coordinator.quality import about_winner, answers_line, quality_summary, quality_warnings
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.verdicts import verdicts
from autotuner.planning.plan import Plan
from autotuner.scoring.conclusion import conclude, conclude_infeasible, conclude_nothing
from autotuner.scoring.evidence import Gain, paired_gain, pooled_noise
from autotuner.scoring.slo import SloResult
from autotuner.scoring.verdict import Verdict, eligible_front, nearest, rank

BULKY = ("raw_results", "scenarios")
"""Parts of the metrics that are stored per measurement already and left out of summaries."""

ALPHA = 0.01
"""A gain is claimed at 1 % after correction for the number of finalists (search.md, Evidence)."""


def summarise(
    experiment: ExperimentRecord,
    ledger: Ledger,
    *,
    start: Figures | None = None,
    scorer: Scorer | None = None,
) -> ExperimentSummary:
    """One experiment for display; with ``start`` and ``scorer`` its figures are those of that start alone."""
    attempts = [a for a in ledger.attempts_of(experiment) if a.reason is not AttemptReason.VERIFY]
    own = ledger.scoring_attempt(experiment)
    metrics: Mapping[str, Any] = experiment.metrics or {}
    score, penalised = experiment.objective_score, experiment.penalised_score
    slo = _stored_slo(experiment)
    violated = bool((experiment.slo or {}).get("slo_violation", False))
    if start is not None and scorer is not None:
        metrics = scorer.metrics(start.measurements, start.inherited, start.answers) if start.measurements else {}
        verdict = scorer.judge(metrics)
        if isinstance(verdict, Verdict):
            score, penalised, slo, violated = (
                verdict.objective_scores[0],
                verdict.penalised[0],
                _lines(verdict.slo),
                verdict.violated,
            )
        else:
            score, penalised, slo = None, None, ()
    shown = own or (attempts[-1] if attempts else None)
    own_starts = ledger.own_attempts(experiment)
    reasons = (experiment.slo or {}).get("reasons") or []
    return ExperimentSummary(
        id=experiment.id,
        number=experiment.number,
        origin=experiment.origin,
        label=experiment.label,
        status=experiment.status,
        parameters=dict(experiment.parameters),
        argv=ledger.command_of(shown) if shown is not None else (),
        score=score,
        penalised_score=penalised,
        eligible=score is not None and not violated,
        slo=slo,
        slo_reason=str(reasons[0]) if reasons else None,
        answers=answers_line(ledger, experiment),
        metrics=without_bulk(metrics),
        failure=experiment.failure,
        phase_seconds=dict(shown.phase_seconds) if shown is not None else {},
        elapsed_s=sum(map(duration, own_starts)) if any(a.phase_seconds for a in own_starts) else None,
        from_other_start=int(metrics.get("from_other_start") or 0),
        attempts=len(attempts),
    )


def without_bulk(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics without what is stored per measurement already."""
    return {name: value for name, value in metrics.items() if name not in BULKY}


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
    starts = _confirmation_starts(ledger, scorer)
    over_starts = {n: v for n, v in ((n, _over(list(s.values()), scorer)) for n, s in starts.items()) if v is not None}
    baseline = ledger.baseline
    base = baseline.number if baseline is not None and baseline.number in judged else None
    gains = _gains(starts, base, scorer, over_starts)
    chosen = _winner(judged, over_starts, gains, base)
    gain = gains.get(chosen) if chosen is not None else None
    objective = scorer.objectives[0]
    attempts = ledger.of_the_task()
    last = next((a for a in reversed(attempts) if a.engine_version), None)
    winner = summaries.get(chosen) if chosen is not None else None
    near = nearest(judged) if chosen is None else None
    front = tuple(eligible_front(judged)) if len(scorer.objectives) > 1 else ()
    predicted = "Predicted: " if plan.predicted else ""
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
        headline=predicted
        + _headline(task, chosen, base, gain, judged, over_starts, summaries, ledger, scorer)
        + _among_several(scorer, chosen, front)
        + about_winner(winner, quality),
        winner=winner,
        baseline=summaries.get(baseline.number) if baseline is not None else None,
        references=tuple(s for s in summaries.values() if s.origin is ExperimentOrigin.REFERENCE),
        nearest=summaries.get(near.number) if near is not None else None,
        gain=None if gain is None or chosen is None else _figure(chosen, gain, over_starts.get(chosen)),
        finalists=tuple(_figure(n, g, over_starts.get(n)) for n, g in gains.items()),
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
        noise=_noise(starts, scorer),
        differences=_differences(summaries.get(base) if base is not None else None, winner),
        experiments=tuple(summaries.values()),
        counts=_counts(ledger),
        stop_reason=task.stop_reason,
        elapsed_s=elapsed_s,
        phase_seconds=_phases(attempts),
        attempts=len(attempts),
        failures=failure_counts(ledger),
        host=dict(host),
        quality=quality,
        warnings=tuple(
            dict.fromkeys(
                (
                    *warnings,
                    *quality_warnings(plan, scorer, ledger),
                    *_failed_confirmations(ledger),
                    *_disturbances(ledger, starts),
                )
            )
        ),
    )


def _confirmation_starts(ledger: Ledger, scorer: Scorer) -> dict[int, dict[int, dict[str, Any]]]:
    """Metrics of each confirmation start: experiment number → round → metrics."""
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for experiment in ledger.confirmed:
        for block, attempt in ledger.confirmations(experiment).items():
            figures = ledger.figures(attempt)
            if figures.measurements:
                metrics = scorer.metrics(figures.measurements, figures.inherited, figures.answers)
                found.setdefault(experiment.number, {})[block] = metrics
    return found


def _over(starts: Sequence[Mapping[str, Any]], scorer: Scorer) -> Verdict | None:
    verdict = scorer.judge_starts(starts) if starts else None
    return verdict if isinstance(verdict, Verdict) else None


def _gains(
    starts: Mapping[int, Mapping[int, Mapping[str, Any]]],
    base: int | None,
    scorer: Scorer,
    over_starts: Mapping[int, Verdict],
) -> dict[int, Gain]:
    """The paired gain of each finalist that has at least one round together with the baseline."""
    objective = scorer.objectives[0]
    if base is None or base not in starts:
        return {}
    finalists = [number for number in starts if number != base and number in over_starts]
    gains: dict[int, Gain] = {}
    for number in finalists:
        pairs = [
            (theirs, ours)
            for block in sorted(starts[base].keys() & starts[number].keys())
            if (theirs := objective.value(starts[base][block])) is not None
            and (ours := objective.value(starts[number][block])) is not None
            and theirs > 0
            and ours > 0
        ]
        if pairs:
            gains[number] = paired_gain(
                [theirs for theirs, _ in pairs],
                [ours for _, ours in pairs],
                direction=objective.direction,
                alpha=ALPHA,
                finalists=len(finalists),
            )
    return gains


def _winner(
    judged: Mapping[int, Verdict], over_starts: Mapping[int, Verdict], gains: Mapping[int, Gain], base: int | None
) -> int | None:
    """The best eligible configuration: among the confirmed ones by all their starts, else by the search alone.

    A finalist that violates a hard SLO in any of its starts is out; what the search measured of the others counts.
    """
    confirmed = {n: over_starts[n] for n in (*gains, *((base,) if base is not None else ())) if n in over_starts}
    eligible = {n: v for n, v in confirmed.items() if not v.violated}
    if gains and eligible:
        return rank(eligible)[0]
    rest = {n: v for n, v in judged.items() if not v.violated and n not in confirmed}
    return rank(rest)[0] if rest else None


def _headline(
    task: TaskRecord,
    chosen: int | None,
    base: int | None,
    gain: Gain | None,
    judged: Mapping[int, Verdict],
    over_starts: Mapping[int, Verdict],
    summaries: Mapping[int, ExperimentSummary],
    ledger: Ledger,
    scorer: Scorer,
) -> str:
    if not judged:
        failures = [e.failure for e in ledger.experiments.values() if e.failure is not None]
        if task.error is not None or failures:
            return conclude_nothing(failures[0].diagnosis if failures else "the task failed").sentence
        return conclude_nothing("nothing was measured yet").sentence
    baseline = summaries.get(base) if base is not None else None
    if chosen is None:
        near = nearest(judged)
        if near is None:
            return conclude_nothing("every finalist missed a hard SLO when it was started again").sentence
        return conclude_infeasible(describe(summaries[near.number], baseline), near).sentence
    verdict = over_starts.get(chosen, judged[chosen])
    if len(judged) == 1 and chosen == base:
        return _measured_alone(summaries[chosen], verdict, scorer)
    name = describe(summaries[chosen], baseline)
    return conclude(
        name, verdict, baseline=None if base is None else name if base == chosen else "baseline", gain=gain
    ).sentence


def _measured_alone(summary: ExperimentSummary, verdict: Verdict, scorer: Scorer) -> str:
    """The headline of a task that had nothing to compare, such as a server that somebody else runs."""
    objective = scorer.objectives[0]
    missed = "" if verdict.met else f"; it misses its SLO: {'; '.join(verdict.reasons)}"
    return f"Measured {objective.label}: {summary.score or 0:.4g} {objective.unit}. Nothing was searched{missed}."


def _disturbances(ledger: Ledger, confirmation: Mapping[int, Mapping[int, Mapping[str, Any]]]) -> Iterator[str]:
    """What makes figures of this task less certain than they look."""
    measured: dict[int, list[Mapping[str, Any]]] = {n: [e.metrics] for n, e in ledger.experiments.items() if e.metrics}
    for number, of_number in confirmation.items():
        measured.setdefault(number, []).extend(of_number.values())
    starts = [metrics for of_number in measured.values() for metrics in of_number]
    disturbed = sum(bool(metrics.get("disturbed")) for metrics in starts)
    if disturbed:
        yield (
            f"{disturbed} of {len(starts)} starts were disturbed by other programs on the cores of server and client: "
            "their figures are worse or less certain than on a quiet machine"
        )
    saturated = sum(bool(metrics.get("client_saturated")) for metrics in starts)
    if saturated:
        yield f"in {saturated} of {len(starts)} starts the client itself was at its limit: latencies may be too high"
    behind = sum(bool(metrics.get("load_not_sustained")) for metrics in starts)
    if behind:
        yield (
            f"in {behind} of {len(starts)} starts requests came faster than the server answered them: latencies at "
            "such a rate grow with the length of the window"
        )
    mixed = sum(any(metrics.get("from_other_start") for metrics in of_number) for of_number in measured.values())
    if mixed:
        many = "experiments have" if mixed > 1 else "experiment has"
        yield f"{mixed} {many} figures of two starts, because a run was cut off between their load points"
    unkept = [metrics["samples_errors"] for metrics in starts if metrics.get("samples_errors")]
    if unkept:
        reasons = ", ".join(sorted({reason for of_start in unkept for reason in of_start}))
        yield (
            f"the request records of {len(unkept)} of {len(starts)} starts could not be written ({reasons}): "
            "their figures are whole, but cannot be looked into"
        )


def _among_several(scorer: Scorer, chosen: int | None, front: Sequence[int]) -> str:
    """What a headline must add when there are several objectives: it speaks of the first one only."""
    if len(scorer.objectives) < 2 or chosen is None:
        return ""
    others = ", ".join(objective.label for objective in scorer.objectives[1:])
    numbers = ", ".join(f"#{number}" for number in front)
    return (
        f" This is by the first objective, {scorer.objectives[0].label}; with {others} considered too, no configuration"
        f" is better in everything than {numbers}."
    )


def _failed_confirmations(ledger: Ledger) -> Iterator[str]:
    for experiment in ledger.confirmed:
        starts = ledger.confirming(experiment)
        failed = [attempt for attempt in starts if attempt.status is AttemptStatus.FAILED]
        if failed:
            why = failed[-1].failure.diagnosis if failed[-1].failure is not None else "no reason is known"
            where = f"starts of experiment {experiment.number} in the confirmation"
            yield f"{len(failed)} of {len(starts)} {where} failed: {why}"


def describe(summary: ExperimentSummary, baseline: ExperimentSummary | None) -> str:
    """A configuration in a few words: what differs from the baseline."""
    changed = {
        name: value
        for name, value in summary.parameters.items()
        if baseline is None or baseline.parameters.get(name) != value
    }
    if not changed:
        return summary.label or f"experiment {summary.number}"
    words = ", ".join(f"{short_name(name)} {shown(value)}" for name, value in changed.items())
    return f"#{summary.number} ({words})"


def short_name(name: str) -> str:
    """A parameter's name for people: without prefixes."""
    return "model" if name == MODEL_KEY else name.removeprefix("__env__").removeprefix("__")


def shown(value: Scalar) -> str:
    """A value for people: the last part of a path, ``default`` for what is left to the engine."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value).rsplit("/", 1)[-1]


def _figure(number: int, gain: Gain, verdict: Verdict | None) -> GainFigure:
    return GainFigure(
        experiment=number,
        gain=gain.gain,
        low=gain.low,
        high=gain.high,
        confidence=gain.confidence if gain.low is not None else None,
        pairs=gain.pairs,
        significant=gain.significant,
        worst_slo=_lines(verdict.slo) if verdict is not None else (),
        eligible=verdict is not None and not verdict.violated,
    )


def _lines(results: Sequence[SloResult]) -> tuple[SloLine, ...]:
    return tuple(
        SloLine(
            name=result.rule.label,
            threshold=result.rule.threshold,
            actual=result.actual,
            unit=result.rule.unit,
            hard=result.rule.hard_fail,
            met=result.met,
            violated=result.violated,
        )
        for result in results
    )


def _stored_slo(experiment: ExperimentRecord) -> tuple[SloLine, ...]:
    stored = (experiment.slo or {}).get("results") or []
    return _lines([SloResult.model_validate(entry) for entry in stored])


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


def _noise(starts: Mapping[int, Mapping[int, Mapping[str, Any]]], scorer: Scorer) -> float | None:
    objective = scorer.objectives[0]
    groups = [
        [score for metrics in of_number.values() if (score := objective.value(metrics)) is not None and score > 0]
        for of_number in starts.values()
    ]
    return pooled_noise([group for group in groups if group])


def _differences(
    baseline: ExperimentSummary | None, winner: ExperimentSummary | None
) -> dict[str, tuple[Scalar, Scalar]]:
    if baseline is None or winner is None:
        return {}
    return {
        name: (baseline.parameters.get(name), value)
        for name, value in winner.parameters.items()
        if baseline.parameters.get(name) != value
    }


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
