"""What a service removes once a day: what was deleted long ago, and keys of old requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog

from autotuner.contracts.errors import AutotunerError
from autotuner.services.settings import Settings
from autotuner.services.task_editing import KEY_LIVES
from autotuner.services.task_runs import purge_deleted
from autotuner.store.sql_store import SqlStore

EVERY_S = 86_400.0


@asynccontextmanager
async def kept_tidy(store: SqlStore, settings: Settings) -> AsyncIterator[None]:
    """Tidy up now and once a day while the context lasts."""
    running = asyncio.create_task(_run(store, settings))
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def tidy(store: SqlStore, settings: Settings) -> None:
    """Remove what was deleted more than 30 days ago, and idempotency keys that count no more. AutotunerError."""
    gone = await purge_deleted(store, settings)
    keys = await store.drop_keys(before=datetime.now(UTC) - KEY_LIVES)
    if gone or keys:
        log = structlog.get_logger("autotuner.housekeeping")
        log.info("removed for ever", tasks=[task.id for task in gone], idempotency_keys=keys)


async def _run(store: SqlStore, settings: Settings) -> None:
    while True:
        try:
            await tidy(store, settings)
        except AutotunerError as error:
            structlog.get_logger("autotuner.housekeeping").warning("tidying up waits", reason=str(error))
        await asyncio.sleep(EVERY_S)
