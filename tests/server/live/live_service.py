"""A service for tests of live events, with what they look at in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from autotuner.server.app import create_app
from autotuner.server.live.feed import Feed
from autotuner.services.settings import Settings
from autotuner.store import SqlStore, upgrade
from server.served import serving, settings_in


@dataclass(frozen=True)
class Service:
    """A service that runs in this process."""

    address: str
    url: str
    settings: Settings
    app: FastAPI

    @property
    def store(self) -> SqlStore:
        """Its store."""
        store = self.app.state.context.store
        assert isinstance(store, SqlStore)
        return store

    @property
    def feed(self) -> Feed:
        """Its feed."""
        feed = self.app.state.context.feed
        assert isinstance(feed, Feed)
        return feed


async def served(url: str, folder: Path) -> AsyncIterator[Service]:
    settings = settings_in(folder, database=url)
    await upgrade(url)
    app = create_app(settings)
    async with serving(app) as address:
        yield Service(address, url, settings, app)
