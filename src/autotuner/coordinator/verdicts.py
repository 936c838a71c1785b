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
    pruned = experiment.status is ExperimentStatus.PRUNED
    if (
        pruned
        and not verdict.violated
        and not (scorer.covers(experiment.metrics) and not experiment.metrics.get("cut"))
    ):
        return None
    return verdict
