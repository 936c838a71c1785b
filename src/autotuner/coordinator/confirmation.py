"""Which configurations are confirmed, and in which order they are started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autotuner.contracts.store import ExperimentStatus
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.scoring.evidence import confirmation_order
from autotuner.scoring.verdict import Verdict, rank


def verdicts(ledger: Ledger, scorer: Scorer) -> dict[int, Verdict]:
    """The verdict of each measured experiment by number, on the figures of its own start."""
    found: dict[int, Verdict] = {}
    for number, experiment in ledger.experiments.items():
        if experiment.status is ExperimentStatus.SUCCESS and experiment.metrics is not None:
            verdict = scorer.judge(experiment.metrics)
            if isinstance(verdict, Verdict):
                found[number] = verdict
    return found


def finalists(ledger: Ledger, scorer: Scorer, top_k: int) -> list[int]:
    """The best eligible configurations that rank before the baseline, at most ``top_k``, best first."""
    judged = verdicts(ledger, scorer)
    baseline = ledger.baseline
    chosen: list[int] = []
    for number in rank(judged):
        if judged[number].violated or (baseline is not None and number == baseline.number):
            break
        chosen.append(number)
    return chosen[:top_k]


def confirm_names(ledger: Ledger, chosen: Sequence[int]) -> list[int]:
    """Baseline and finalists: what each round starts."""
    baseline = ledger.baseline
    return ([] if baseline is None else [baseline.number]) + list(chosen)


def missing_starts(ledger: Ledger, numbers: Sequence[int], rounds: int, seed: int) -> Iterator[tuple[int, int]]:
    """(round, experiment number) of each start that is not there yet, interleaved; failed ones are tried again once."""
    names = [str(number) for number in numbers]
    for block, order in enumerate(confirmation_order(names, rounds, seed)):
        for name in order:
            number = int(name)
            if block not in ledger.confirmations(ledger.experiments[number]):
                yield block, number
