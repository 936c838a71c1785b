"""Verdicts on what is stored."""

from __future__ import annotations

from autotuner.contracts.store import ExperimentRecord, ExperimentStatus
from autotuner.coordinator.ledger import MEASURED, Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.scoring.verdict import Verdict


def verdicts(ledger: Ledger, scorer: Scorer) -> dict[int, Verdict]:
    """The verdict of each measured experiment by number, on the figures of its own start. Judges all of them."""
    found: dict[int, Verdict] = {}
    for number, experiment in ledger.experiments.items():
        verdict = verdict_on(experiment, scorer)
        if verdict is not None:
            found[number] = verdict
    return found


def verdict_on(experiment: ExperimentRecord, scorer: Scorer) -> Verdict | None:
    """The verdict on the figures of an experiment's own start; None when it has none by which it may be ranked.

    One that was pruned is ranked when it is ruled out by them, or when they are those of all scored load points and
    were measured in full.
    """
    if experiment.status not in MEASURED or experiment.metrics is None:
        return None
    verdict = scorer.judge(experiment.metrics)
    if not isinstance(verdict, Verdict):
        return None
    return verdict if verdict.violated or in_full(experiment, scorer) else None


def scored_everywhere(experiment: ExperimentRecord, scorer: Scorer) -> bool:
    """Whether it has figures of all scored load points, cut short or not."""
    metrics = experiment.metrics
    return metrics is not None and (experiment.status is not ExperimentStatus.PRUNED or scorer.covers(metrics))


def in_full(experiment: ExperimentRecord, scorer: Scorer) -> bool:
    """Whether its figures are those of all scored load points, and none was cut short."""
    cut = bool((experiment.metrics or {}).get("cut"))
    return experiment.status is not ExperimentStatus.PRUNED or (scored_everywhere(experiment, scorer) and not cut)
