"""Figures over all that is stored: for the dashboard and for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pydantic import Field

from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.contracts.values import Frozen


class Overview(Frozen):
    """How much there is of everything."""

    tasks: dict[TaskStatus, int] = Field(description="present tasks by status; archived and deleted ones are left out")
    experiments: dict[ExperimentStatus, int] = Field(description="all experiments by status")
    failures: dict[str, int] = Field(description="failed experiments by class of failure")
    waiting: int = Field(description="queued tasks that no worker has claimed")
    claimed: int = Field(description="queued tasks that a worker has claimed")
    waiting_since: datetime | None = Field(None, description="when the one that waits longest was queued")
    events: int = Field(description="events that were ever stored of the tasks that there are")


class Hour(Frozen):
    """What ended within one hour."""

    begin: datetime = Field(description="full hour, UTC")
    experiments: dict[ExperimentStatus, int] = Field(
        default_factory=dict, description="experiments that ended in it, by status; those that none has are left out"
    )


class StartPhases(Frozen):
    """How long the phases of one server start took."""

    id: int = Field(description="number of the attempt")
    ended: bool
    phase_seconds: dict[str, float] = Field(description="phase → seconds; known when it has ended")


class OverviewStore(Protocol):
    """Figures over all tasks. None of these reads documents, metrics or jobs."""

    async def overview(self) -> Overview:
        """How much there is of everything."""

    async def finished_by_hour(self, since: datetime) -> list[Hour]:
        """Hours from ``since`` in which experiments of present tasks ended, in order."""

    async def newest_attempt(self) -> int:
        """Number of the newest attempt; 0 without any."""

    async def start_phases(self, *, after: int, also: Sequence[int], limit: int) -> list[StartPhases]:
        """Attempts of greater numbers than ``after`` and those of ``also``, by number; at most ``limit``."""

    async def probe(self) -> None:
        """Write something, read it back and take it away again. AutotunerError when that is not possible."""
