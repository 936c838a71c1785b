"""The queue on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.queue import TaskQueue
from autotuner.store import open_store
from conformance.queue_suite import QueueSuite


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[TaskQueue]:
    async with open_store(str(tmp_path / "tasks.db")) as opened:
        yield opened


@pytest.fixture
async def other_queue(queue: TaskQueue, tmp_path: Path) -> AsyncIterator[TaskQueue]:
    async with open_store(str(tmp_path / "tasks.db")) as opened:
        yield opened


class TestSqliteQueue(QueueSuite):
    """All of the suite."""
