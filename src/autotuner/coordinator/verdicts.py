"""Verdicts on what is stored."""

from __future__ import annotations

from autotuner.contracts.store import ExperimentRecord, ExperimentStatus
from autotuner.coordinator.ledger import Ledger
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
    """The verdict on the figures of an experiment's own start; None when it has none."""
    if experiment.status is not ExperimentStatus.SUCCESS or experiment.metrics is None:
        return None
    verdict = scorer.judge(experiment.metrics)
    return verdict if isinstance(verdict, Verdict) else None
