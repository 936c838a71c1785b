"""Units of work on the deliveries of webhooks.

A task that was begun anew has its earlier events in the rows of archived runs; a delivery names the task, whose numbers
of events go on, so moving them delivers nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from autotuner.contracts.listing import Page
from autotuner.contracts.store import Event, TaskStatus
from autotuner.contracts.webhooks import Delivery, DeliveryState, TaskEnd
from autotuner.store.models import EventEntry, Task, WebhookDelivery
from autotuner.store.rows import record, records, select_row

_TASK: ColumnElement[int] = func.coalesce(Task.run_of, Task.id)


def add(session: Session, webhook: str, now: datetime, *, types: Sequence[str], since: datetime) -> int:
    """A delivery for each event that has none."""
    found = (
        select(
            literal(webhook), _TASK, EventEntry.seq, literal(DeliveryState.PENDING.value), literal(0),
            literal(now, WebhookDelivery.next_at.type), literal(now, WebhookDelivery.created_at.type),
        )
        .join(Task, Task.id == EventEntry.task_id)
        .where(
            Task.updated_at >= since,  # of an archived run too: it keeps the time of its end
            EventEntry.type.in_(types),
            EventEntry.timestamp >= since,
        )
    )  # fmt: skip
    kind = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgres_insert
    columns = ["webhook", "task_id", "seq", "state", "tries", "next_at", "created_at"]
    done = session.execute(
        kind(WebhookDelivery).from_select(columns, found).on_conflict_do_nothing().returning(WebhookDelivery.id)
    )
    return len(done.all())


def take(session: Session, now: datetime, *, webhooks: Sequence[str], lease_s: float) -> Delivery | None:
    """The delivery that is due first."""
    due = (
        select(WebhookDelivery.id)
        .where(
            WebhookDelivery.state == DeliveryState.PENDING.value,
            WebhookDelivery.next_at <= now,
            WebhookDelivery.webhook.in_(webhooks),
        )
        .order_by(WebhookDelivery.next_at, WebhookDelivery.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    number = session.execute(due).scalar()
    if number is None:
        return None
    taken = {"tries": WebhookDelivery.tries + 1, "next_at": now + timedelta(seconds=lease_s)}
    session.execute(update(WebhookDelivery).where(WebhookDelivery.id == number).values(taken))
    row = session.execute(select_row(WebhookDelivery).where(WebhookDelivery.id == number)).mappings().one()
    return record(Delivery, row)


def settle(
    session: Session, delivery_id: int, now: datetime, *, state: DeliveryState, error: str | None, wait_s: float
) -> None:
    """What became of a try."""
    values = {"state": state.value, "error": error, "next_at": now + timedelta(seconds=wait_s)}
    session.execute(update(WebhookDelivery).where(WebhookDelivery.id == delivery_id).values(values))


def task_end(session: Session, task_id: int, seq: int) -> TaskEnd | None:
    """The event of a delivery, wherever it lies."""
    task = session.execute(select(Task.name, Task.status).where(Task.id == task_id)).one_or_none()
    rows = select_row(EventEntry).join(Task, Task.id == EventEntry.task_id)
    of_it = or_(EventEntry.task_id == task_id, Task.run_of == task_id)
    found = session.execute(rows.where(of_it, EventEntry.seq == seq)).mappings().first()
    if task is None or found is None:
        return None
    event = record(Event, {**found, "task_id": task_id})
    return TaskEnd(event=event, task_name=task.name, task_status=TaskStatus(task.status))


def page(session: Session, webhook: str, *, page: int, size: int) -> Page[Delivery]:
    """Deliveries of a webhook."""
    of_it = WebhookDelivery.webhook == webhook
    total = session.execute(select(func.count()).select_from(WebhookDelivery).where(of_it)).scalar_one()
    rows = session.execute(
        select_row(WebhookDelivery)
        .where(of_it)
        .order_by(WebhookDelivery.id.desc())
        .offset((page - 1) * size)
        .limit(size)
    )
    return Page(items=tuple(records(Delivery, rows.mappings())), total=total, page=page, size=size)
