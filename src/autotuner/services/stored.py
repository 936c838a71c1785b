"""Opening the store that the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from autotuner.contracts.store import Store
from autotuner.services.settings import Settings
from autotuner.store.sql_store import open_store


@asynccontextmanager
async def open_stored(settings: Settings, *, create: bool = False) -> AsyncIterator[Store]:
    """The store; ``create`` makes it if need be. AutotunerError: STORE_UNAVAILABLE, STORE_SCHEMA, MISSING_EXTRA."""
    async with open_store(settings.database, create=create, busy_timeout_s=settings.database_timeout_s) as store:
        yield store
