"""One experiment as displays show it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.result import ExperimentSummary, SloLine
from autotuner.contracts.store import ExperimentRecord
from autotuner.contracts.values import MODEL_KEY, Scalar
from autotuner.coordinator.ledger import Figures, Ledger, duration
from autotuner.coordinator.quality import answers_line
from autotuner.coordinator.scorer import Scorer
from autotuner.scoring.slo import SloResult
from autotuner.scoring.verdict import Verdict

BULKY = ("raw_results", "scenarios")
"""Parts of the metrics that are stored per measurement already and left out of summaries."""


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
        metrics = {}
        if start.measurements:
            metrics = scorer.metrics(
                start.measurements, start.inherited, configuration=experiment.parameters, answers=start.answers
            )
        verdict = scorer.judge(metrics)
        if isinstance(verdict, Verdict):
            score, penalised, slo, violated = (
                verdict.objective_scores[0],
                verdict.penalised[0],
                slo_lines(verdict.slo),
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
        eligible=score is not None and not violated and metrics.get("cut") != "slo_out_of_reach",
        slo=slo,
        slo_reason=str(reasons[0]) if reasons else None,
        pruned=metrics.get("pruned"),
        stopped_early=tuple(metrics.get("stopped_early") or ()),
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


def slo_lines(results: Sequence[SloResult]) -> tuple[SloLine, ...]:
    """Judged SLOs as results hold them."""
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
    return slo_lines([SloResult.model_validate(entry) for entry in stored])
