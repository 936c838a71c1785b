"""The store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from autotuner.contracts.store import Store
from autotuner.store import open_store, upgrade
from conformance.store_suite import StoreSuite


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    await upgrade(postgres_url)
    async with open_store(postgres_url) as opened:
        yield opened


@pytest.fixture
async def other_store(store: Store, postgres_url: str) -> AsyncIterator[Store]:
    async with open_store(postgres_url) as opened:
        yield opened


class TestPostgresStore(StoreSuite):
    """All of the suite."""
