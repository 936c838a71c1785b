"""Deliveries to the addresses that are told how tasks end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from autotuner.contracts.listing import Page
from autotuner.contracts.store import Event, TaskStatus
from autotuner.contracts.values import Frozen


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(Frozen):
    """One event for one webhook."""

    id: int = Field(description="number of the delivery")
    webhook: str = Field(description="name of the webhook in the settings")
    task_id: int = Field(description="the task that ended")
    seq: int = Field(description="number of the event within its task")
    state: DeliveryState = Field(description="what became of it")
    tries: int = Field(description="how often it was sent")
    next_at: datetime = Field(description="pending: when it is sent next, UTC")
    error: str | None = Field(None, description="why the last try was none")
    created_at: datetime = Field(description="when the end was noticed, UTC")


class TaskEnd(Frozen):
    """The event that ended a task, and what is told of the task."""

    event: Event
    task_name: str
    task_status: TaskStatus = Field(description="at the time of the delivery")


class WebhookStore(Protocol):
    """Deliveries; each writing method is one transaction."""

    async def add_deliveries(self, webhook: str, *, types: Sequence[str], since: datetime) -> int:
        """Store a pending delivery for each event of these types since then that has none; how many those are."""

    async def take_delivery(self, names: Sequence[str], *, lease_s: float) -> Delivery | None:
        """A pending delivery that is due, counted as tried; others do not get it before ``lease_s`` seconds."""

    async def settle_delivery(
        self, delivery_id: int, *, state: DeliveryState, error: str | None = None, wait_s: float = 0.0
    ) -> None:
        """Store what became of a try; a pending one is due again in ``wait_s`` seconds."""

    async def task_end(self, task_id: int, seq: int) -> TaskEnd | None:
        """What a delivery tells; None when the task is not there any more."""

    async def list_deliveries(self, webhook: str, *, page: int, size: int) -> Page[Delivery]:
        """Deliveries of a webhook, newest first."""
