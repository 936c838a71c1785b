"""Verdicts on what is stored."""

from __future__ import annotations

from autotuner.contracts.store import ExperimentStatus
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.scoring.verdict import Verdict


def verdicts(ledger: Ledger, scorer: Scorer) -> dict[int, Verdict]:
    """The verdict of each measured experiment by number, on the figures of its own start."""
    found: dict[int, Verdict] = {}
    for number, experiment in ledger.experiments.items():
        if experiment.status is ExperimentStatus.SUCCESS and experiment.metrics is not None:
            verdict = scorer.judge(experiment.metrics)
            if isinstance(verdict, Verdict):
                found[number] = verdict
    return found
