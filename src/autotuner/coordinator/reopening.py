"""Failed experiments of earlier runs: what they failed of, and which of them are opened again."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.attempt import AttemptStatus, FailureClass
from autotuner.contracts.store import AttemptRow, ExperimentRecord, ExperimentStatus, Store
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.retry_policy import FailedStart, condemned


def failed_rounds(ledger: Ledger, experiment: ExperimentRecord, openings: Sequence[int]) -> list[list[FailedStart]]:
    """The failed starts of an experiment, split where it was opened again."""
    rounds: list[list[FailedStart]] = [[] for _ in (*openings, None)]
    for attempt in ledger.own_attempts(experiment):
        if attempt.status is AttemptStatus.FAILED and attempt.failure is not None:
            later = sum(attempt.number > last for last in openings)
            rounds[later].append(
                FailedStart(
                    attempt.failure,
                    before_ready=attempt.base_url is None,
                    after_teardown_s=_since_teardown(ledger, attempt),
                )
            )
    return rounds


async def reopen(store: Store, ledger: Ledger, task_id: int, *, condemned_too: bool) -> None:
    """Make failed experiments pending again: those that are not condemned, or all.

    One that was measured and failed for want of a figure would fail for the same reason without being started.
    """
    failed = [e for e in ledger.experiments.values() if e.status is ExperimentStatus.FAILED]
    openings = await store.list_openings(task_id) if failed else {}
    for experiment in failed:
        hopeless = ledger.scoring_attempt(experiment) is not None or condemned(
            failed_rounds(ledger, experiment, openings.get(experiment.id, ()))
        )
        if condemned_too or not hopeless:
            ledger.put_experiment(await store.reopen_experiment(experiment.id))


def _since_teardown(ledger: Ledger, attempt: AttemptRow) -> float | None:
    """Seconds from the end of the server before it to a start that found no memory.

    An interrupted one's end is not known. Of other failures it is not asked: it means a look at all attempts.
    """
    if attempt.failure is None or attempt.failure.kind is not FailureClass.OOM:
        return None
    ends = [
        other.finished_at
        for other in ledger.attempts.values()
        if other.id < attempt.id
        and other.finished_at is not None
        and other.handle is not None
        and other.status is not AttemptStatus.INTERRUPTED
    ]
    return (attempt.started_at - max(ends)).total_seconds() if ends else None
