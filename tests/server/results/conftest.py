"""A service with one finished task, on each database."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from finished_task import Service
from served import client, serving, settings_in

from archived import Source, made
from autotuner.server.app import create_app
from autotuner.services.archive import import_archive
from autotuner.store.maintenance import upgrade


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A finished task in a store of its own."""
    return asyncio.run(made(tmp_path_factory.mktemp("source")))


@pytest.fixture(params=["sqlite", "postgres"])
async def service(request: pytest.FixtureRequest, tmp_path: Path, source: Source) -> AsyncIterator[Service]:
    """Serves task 1."""
    given = {}
    if request.param == "postgres":
        given["database"] = request.getfixturevalue("postgres_url")
        await upgrade(given["database"])
    settings = settings_in(tmp_path, **given)
    import_archive(io.BytesIO(source.archive), settings)
    async with serving(create_app(settings)) as address, client(address, timeout=60) as ask:
        yield Service(address, ask, settings)
