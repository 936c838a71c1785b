"""How often the starts of a task failed, of what, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, FailureClass, Phase
from autotuner.contracts.result import FailureCount
from autotuner.contracts.store import AttemptRow, ExperimentRecord, ExperimentStatus
from autotuner.coordinator.ledger import OWN, Ledger


def failure_counts(ledger: Ledger) -> tuple[FailureCount, ...]:
    """All failed starts by class and phase, the most frequent first; of the confirmation too, not of verifications."""
    groups: dict[tuple[FailureClass, Phase], list[_Failed]] = {}
    for experiment in ledger.experiments.values():
        for failed in _failed(ledger, experiment):
            groups.setdefault((failed.failure.kind, failed.phase), []).append(failed)
    counts = [
        FailureCount(
            kind=kind,
            phase=phase,
            starts=len(found),
            experiments=len({failed.experiment for failed in found}),
            recovered=sum(failed.recovered for failed in found),
            example=found[-1].failure.diagnosis,
            hint=found[-1].failure.hint,
        )
        for (kind, phase), found in groups.items()
    ]
    order = list(Phase)
    return tuple(sorted(counts, key=lambda c: (-c.starts, c.kind.value, order.index(c.phase))))


@dataclass(frozen=True)
class _Failed:
    experiment: int
    failure: Failure
    phase: Phase
    recovered: bool


def _failed(ledger: Ledger, experiment: ExperimentRecord) -> Iterator[_Failed]:
    attempts = [a for a in ledger.attempts_of(experiment) if a.reason is not AttemptReason.VERIFY]
    for attempt in attempts:
        if attempt.status is AttemptStatus.FAILED and attempt.failure is not None:
            recovered = any(ledger.measured(other) and _for_the_same(attempt, other) for other in attempts)
            yield _Failed(experiment.number, attempt.failure, _phase(attempt, attempt.failure), recovered)
    if experiment.status is ExperimentStatus.FAILED and experiment.failure is not None:
        own = ledger.scoring_attempt(experiment)
        if own is not None:  # its start went well, but a figure that the objective needs is missing
            yield _Failed(experiment.number, experiment.failure, Phase.MEASURE, recovered=False)


def _for_the_same(failed: AttemptRow, later: AttemptRow) -> bool:
    """Whether a start was a later try at the same figures: the experiment's own, or those of one round."""
    both_own = failed.reason in OWN and later.reason in OWN
    return later.id > failed.id and (both_own or (failed.reason is later.reason and failed.block == later.block))


def _phase(attempt: AttemptRow, failure: Failure) -> Phase:
    """As the runner said; else as far as what is stored shows that the start came."""
    if failure.phase is not None:
        return failure.phase
    if attempt.base_url is not None:
        return Phase.MEASURE
    return Phase.DEPLOY if attempt.handle is None else Phase.LOAD
