"""A store on each of the databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.store import SqlStore, open_store, upgrade


@pytest.fixture(params=["sqlite", "postgres"])
async def each_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store with its tables lies, on each database."""
    if request.param == "sqlite":
        return str(tmp_path / "x.db")
    postgres: str = request.getfixturevalue("postgres_url")
    await upgrade(postgres)
    return postgres


@pytest.fixture
async def each_store(each_url: str) -> AsyncIterator[SqlStore]:
    """A store on each database."""
    async with open_store(each_url) as opened:
        yield opened
