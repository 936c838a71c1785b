"""Makes `served` importable in the folders below; a running service on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from served import Service, client, serving, settings_in

from autotuner.server.app import create_app
from autotuner.store import open_store, upgrade


@pytest.fixture(params=["sqlite", "postgres"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    """A running service without a worker, on each database."""
    settings = settings_in(tmp_path)
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        await upgrade(url)
        settings = settings_in(tmp_path, database=url)
    async with (
        serving(create_app(settings)) as address,
        client(address) as http,
        open_store(settings.database) as store,
    ):
        yield Service(http, store, settings, address)
