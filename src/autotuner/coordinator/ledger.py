"""What a task has come to so far, as stored; read once at the start of a run and kept in step by its only writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentRecord, ExperimentStatus, Store

FINISHED = frozenset(
    {ExperimentStatus.SUCCESS, ExperimentStatus.FAILED, ExperimentStatus.PRUNED, ExperimentStatus.CANCELLED}
)


@dataclass
class Ledger:
    """Experiments by number, attempts by id in order of their start, measurements by attempt."""

    experiments: dict[int, ExperimentRecord] = field(default_factory=dict)
    attempts: dict[int, AttemptRow] = field(default_factory=dict)
    measurements: dict[int, list[Measurement]] = field(default_factory=dict)

    @classmethod
    async def read(cls, store: Store, task_id: int) -> Ledger:
        """Everything stored of a task."""
        ledger = cls()
        for experiment in await store.list_experiments(task_id):
            ledger.experiments[experiment.number] = experiment
        for attempt in await store.list_attempts(task_id):
            ledger.attempts[attempt.id] = attempt
        for row in await store.list_measurements(task_id):
            ledger.measurements.setdefault(row.attempt_id, []).append(row.measurement)
        return ledger

    def of_origin(self, origin: ExperimentOrigin) -> list[ExperimentRecord]:
        """Experiments of one origin, by number."""
        return [e for e in self.experiments.values() if e.origin is origin]

    @property
    def baseline(self) -> ExperimentRecord | None:
        """The baseline, if it was asked for."""
        return next(iter(self.of_origin(ExperimentOrigin.BASELINE)), None)

    def by_identity(self, identity: str) -> ExperimentRecord | None:
        """The experiment with that configuration hash."""
        return next((e for e in self.experiments.values() if e.identity == identity), None)

    def attempts_of(self, experiment: ExperimentRecord) -> list[AttemptRow]:
        """Attempts of one experiment in the order of their start."""
        return [a for a in self.attempts.values() if a.experiment_id == experiment.id]

    def scoring_attempt(self, experiment: ExperimentRecord) -> AttemptRow | None:
        """The successful attempt whose figures are the experiment's own (never one of the confirmation)."""
        own = (AttemptReason.FIRST, AttemptReason.RETRY, AttemptReason.RESUME)
        return next(
            (a for a in self.attempts_of(experiment) if a.status is AttemptStatus.SUCCESS and a.reason in own), None
        )

    def confirmations(self, experiment: ExperimentRecord) -> Mapping[int, AttemptRow]:
        """Successful starts of the confirmation by the number of their round."""
        return {
            a.block: a
            for a in self.attempts_of(experiment)
            if a.reason is AttemptReason.CONFIRM and a.status is AttemptStatus.SUCCESS and a.block is not None
        }

    def first_metrics(self) -> dict[str, Any] | None:
        """Metrics of the first success, which settle the task's throughput figure."""
        return next(
            (e.metrics for e in self.experiments.values() if e.status is ExperimentStatus.SUCCESS and e.metrics), None
        )
