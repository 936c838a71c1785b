"""What somebody who watches a running task is told."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from autotuner.contracts.attempt import AttemptReason, Phase
from autotuner.contracts.measurement import LiveFigures
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import Frozen, Scalar

Stage = Literal["baseline", "references", "search", "confirm"]


class Snapshot(Frozen):
    """The state of a running task at one instant."""

    task_id: int
    task_name: str
    stage: Stage
    paused: bool = False
    starts_done: int
    starts_total: int = Field(description="server starts planned: baseline, references, search and confirmation")
    elapsed_s: float
    eta_s: float | None = None
    experiment: int | None = None
    origin: ExperimentOrigin | None = None
    label: str | None = None
    reason: AttemptReason | None = None
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    phase: Phase | None = None
    live: LiveFigures | None = None
    baseline_score: float | None = None
    best: ExperimentSummary | None = None
    objective_label: str
    unit: str
    direction: Literal["minimize", "maximize"]
    predicted: bool = False


class Observer(Protocol):
    """Is told of a running task; its methods return at once and never raise."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Something moved: a phase, live figures, an experiment."""

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """A server start ended; ``summary`` is its experiment as stored (score of this start for a confirmation)."""

    def on_message(self, message: str) -> None:
        """A sentence for the user: a retry, a stop reason, a warning."""
