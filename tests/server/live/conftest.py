"""A service on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from live_service import Service, served


@pytest.fixture(params=["sqlite", "postgres"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    """On SQLite, and on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    url = str(tmp_path / "autotuner.db") if on_sqlite else str(request.getfixturevalue("postgres_url"))
    async for one in served(url, tmp_path):
        yield one


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Service]:
    """On SQLite alone: for what does not depend on the database."""
    async for one in served(str(tmp_path / "autotuner.db"), tmp_path):
        yield one
