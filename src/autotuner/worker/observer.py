"""What a running task tells, into the log."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary


class LoggingObserver:
    """Logs messages and the ends of starts; snapshots go to the task's own progress file."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """A line with the experiment's number."""
        fields = {} if summary.failure is None else {"failure": summary.failure.kind.value}
        self._log.info(
            "start finished",
            experiment=summary.number,
            experiment_id=summary.id,
            attempt=summary.attempts,
            reason=reason.value,
            status=summary.status.value,
            score=summary.score,
            **fields,
        )

    def on_message(self, message: str) -> None:
        """A line."""
        self._log.info(message)
