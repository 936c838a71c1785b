"""The loop that finds what has ended and tells it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.webhooks import Delivery, DeliveryState, WebhookStore
from autotuner.services.secret_values import read_secret
from autotuner.services.settings import Settings, Webhook
from autotuner.services.webhooks.sending import Sent, send

LOOK_S = 2.0
"""How often is looked for ends and due deliveries, seconds."""
LEASE_S = 60.0
"""A delivery that is being sent is left alone by others for so long, seconds; then its sender counts as dead."""
WAITS_S = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0, 24 * 3600.0)
"""Waits after each try that failed, seconds; after the last one it is given up."""
OVERLAP = timedelta(minutes=10)
"""What ended so long before the last look is looked at again: clocks differ, and a commit takes its time."""
SEEN = "webhooks.json"
"""File in the data folder: up to when each webhook has been served."""
TEST = "test"


@asynccontextmanager
async def delivering(store: WebhookStore, settings: Settings) -> AsyncIterator[None]:
    """Deliver while the context lasts; nothing without webhooks."""
    if not settings.webhooks:
        yield
        return
    running = asyncio.create_task(Deliveries(store, settings).run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


class Deliveries:
    """Finds and sends; what is pending is in the store, so a restart loses nothing."""

    def __init__(self, store: WebhookStore, settings: Settings) -> None:
        self._store = store
        self._webhooks = {webhook.name: webhook for webhook in settings.webhooks}
        self._seen = Seen(settings.data_dir / SEEN)
        self._log = structlog.get_logger("autotuner.webhooks")

    async def run(self) -> None:
        """Look and send, for ever."""
        while True:
            try:
                await self.look()
                while await self.deliver_one():
                    pass
            except (AutotunerError, OSError) as error:
                self._log.warning("webhooks wait", reason=str(error))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Store deliveries for what has ended since the last look. A webhook that is new begins now."""
        now = datetime.now(UTC)
        seen = await asyncio.to_thread(self._seen.read)
        for name in self._webhooks.keys() & seen.keys():
            await self._store.add_deliveries(name, types=self._webhooks[name].events, since=seen[name] - OVERLAP)
        if seen.keys() != self._webhooks.keys() or any(now - at > OVERLAP / 2 for at in seen.values()):
            # A new one is served from now on, without the overlap.
            reached = {name: max(now, seen.get(name, now + OVERLAP)) for name in self._webhooks}
            await asyncio.to_thread(self._seen.write, reached)

    async def deliver_one(self) -> bool:
        """Send one that is due; False when there is none."""
        taken = await self._store.take_delivery(list(self._webhooks), lease_s=LEASE_S)
        if taken is None:
            return False
        end = await self._store.task_end(taken.task_id, taken.seq)
        if end is None:
            await self._store.settle_delivery(taken.id, state=DeliveryState.FAILED, error="the task is gone")
            return True
        content = {
            "webhook": taken.webhook,
            "event": end.event.model_dump(mode="json"),
            "task": {"id": taken.task_id, "name": end.task_name, "status": end.task_status.value},
        }
        label = f"{taken.webhook}:{taken.task_id}:{taken.seq}"
        sent = await post(self._webhooks[taken.webhook], kind=end.event.type.value, delivery=label, content=content)
        await self._settle(taken, sent)
        return True

    async def _settle(self, taken: Delivery, sent: Sent) -> None:
        if sent.error is None:
            await self._store.settle_delivery(taken.id, state=DeliveryState.DELIVERED)
        elif taken.tries > len(WAITS_S):
            await self._store.settle_delivery(taken.id, state=DeliveryState.FAILED, error=sent.error)
        else:
            await self._store.settle_delivery(
                taken.id, state=DeliveryState.PENDING, error=sent.error, wait_s=WAITS_S[taken.tries - 1]
            )
        tell = self._log.info if sent.error is None else self._log.warning
        tell("webhook", webhook=taken.webhook, task=taken.task_id, seq=taken.seq, tries=taken.tries, error=sent.error)


async def post(webhook: Webhook, *, kind: str, delivery: str, content: Mapping[str, Any]) -> Sent:
    """Sign and send; a secret that is not there is a try that failed."""
    secret = None
    if webhook.secret is not None:
        try:
            secret = await asyncio.to_thread(read_secret, webhook.secret, os.environ)
        except AutotunerError as error:
            return Sent(None, f"{error.what}: {error.why}")
    return await send(webhook, secret, kind=kind, delivery=delivery, content=content, timestamp=int(time.time()))


async def send_test(webhooks: Sequence[Webhook], name: str) -> Sent:
    """Send a test to a webhook now. AutotunerError(NOT_FOUND)."""
    webhook = find(webhooks, name)
    content = {"webhook": name, "event": {"type": TEST, "timestamp": datetime.now(UTC).isoformat()}, "task": None}
    return await post(webhook, kind=TEST, delivery=f"{name}:{TEST}", content=content)


def find(webhooks: Sequence[Webhook], name: str) -> Webhook:
    """The webhook of that name. AutotunerError(NOT_FOUND)."""
    for webhook in webhooks:
        if webhook.name == name:
            return webhook
    raise AutotunerError(
        ErrorCode.NOT_FOUND,
        f"There is no webhook {name!r}",
        why="the settings have none of that name",
        remedy="GET /api/webhooks lists them",
        place=name,
    )


class Seen:
    """The file that says up to when each webhook has been served. Its methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, datetime]:
        """Name → time; none for a file that is not there or cannot be understood."""
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(name): datetime.fromisoformat(at) for name, at in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def write(self, seen: Mapping[str, datetime]) -> None:
        """Replace the file. OSError."""
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text(json.dumps({name: at.isoformat() for name, at in seen.items()}), encoding="utf-8")
        new.replace(self._path)
