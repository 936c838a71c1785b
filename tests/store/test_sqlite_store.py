"""The store on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.store import Store
from autotuner.store import open_store
from conformance.store_suite import StoreSuite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "störe 1.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(str(path)) as opened:
        yield opened


@pytest.fixture
async def other_store(store: Store, path: Path) -> AsyncIterator[Store]:
    async with open_store(str(path)) as opened:
        yield opened


class TestSqliteStore(StoreSuite):
    """All of the suite."""
