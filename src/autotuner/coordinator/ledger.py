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

OWN = frozenset({AttemptReason.FIRST, AttemptReason.RETRY, AttemptReason.RESUME})
"""Reasons of the starts that give an experiment its figures."""


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

    def own_attempts(self, experiment: ExperimentRecord) -> list[AttemptRow]:
        """Attempts whose figures may become the experiment's own (never those of the confirmation)."""
        return [a for a in self.attempts_of(experiment) if a.reason in OWN]

    def scoring_attempt(self, experiment: ExperimentRecord) -> AttemptRow | None:
        """The attempt whose figures are the experiment's own."""
        return next((a for a in self.own_attempts(experiment) if self.measured(a)), None)

    def confirmations(self, experiment: ExperimentRecord) -> Mapping[int, AttemptRow]:
        """Measured starts of the confirmation by the number of their round."""
        return {a.block: a for a in self.confirming(experiment) if a.block is not None and self.measured(a)}

    def confirming(self, experiment: ExperimentRecord) -> list[AttemptRow]:
        """All starts of the confirmation, however they ended."""
        return [a for a in self.attempts_of(experiment) if a.reason is AttemptReason.CONFIRM]

    def measured(self, attempt: AttemptRow) -> bool:
        """Whether an attempt gave all its figures: it ended well, or was interrupted after the last of them."""
        if attempt.status is not AttemptStatus.INTERRUPTED or attempt.job is None:
            return attempt.status is AttemptStatus.SUCCESS
        workload = attempt.job.workload
        found = self.measurements.get(attempt.id, [])
        complete = len(found) == len(workload.load_points) * workload.repeats
        return complete and all(measurement.completed_requests for measurement in found)

    def seconds(self) -> float:
        """Time that the ended attempts took. Interrupted ones do not count: when they ended is not known."""
        return sum(
            (a.finished_at - a.started_at).total_seconds()
            for a in self.attempts.values()
            if a.finished_at is not None and a.status is not AttemptStatus.INTERRUPTED
        )

    @property
    def baseline_metrics(self) -> dict[str, Any] | None:
        """Metrics of the baseline, if it could be measured."""
        baseline = self.baseline
        return baseline.metrics if baseline is not None and baseline.status is ExperimentStatus.SUCCESS else None

    def first_metrics(self) -> dict[str, Any] | None:
        """Metrics of the first success, which settle the task's throughput figure."""
        return next(
            (e.metrics for e in self.experiments.values() if e.status is ExperimentStatus.SUCCESS and e.metrics), None
        )
