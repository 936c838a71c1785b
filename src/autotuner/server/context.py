"""What every request may use; made when the service starts, given back when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from autotuner.server.live.feed import Feed
from autotuner.server.long_work import LongWork
from autotuner.server.metrics import Metrics
from autotuner.services.settings import Settings
from autotuner.store.sql_store import SqlStore


@dataclass(frozen=True)
class Context:
    """``store`` is open as long as the service runs, and ``feed`` reads its events. ``long_work`` runs what takes
    seconds; ``archives`` counts those that are written or read, which may take minutes.
    """

    settings: Settings
    store: SqlStore
    feed: Feed
    metrics: Metrics
    started_at: datetime
    long_work: LongWork = field(default_factory=LongWork)
    archives: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))


def _context(connection: HTTPConnection) -> Context:
    context = connection.app.state.context
    if not isinstance(context, Context):
        raise TypeError("the service has no context")
    return context


Ctx = Annotated[Context, Depends(_context)]
"""Parameter of a route, HTTP or WebSocket: the context."""
