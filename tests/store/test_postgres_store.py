"""The store on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import Store
from autotuner.store import open_store, upgrade
from conformance.store_suite import StoreSuite, new_task


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


async def test_a_server_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        async with open_store(f"postgresql://me:hunter2@/nothing?host={tmp_path}"):
            pass
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    assert "server" in caught.value.why
    assert "hunter2" not in str(caught.value)


async def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(AutotunerError) as caught:
        async with open_store("postgresql://me@127.0.0.1/nothing"):
            pass
    assert caught.value.code is ErrorCode.MISSING_EXTRA
    assert "pip install 'inference-autotuner[postgres]'" in caught.value.remedy


async def test_a_lock_that_is_held_too_long_is_said_to_be_held(store: Store, postgres_url: str) -> None:
    import psycopg

    task = await store.create_task(new_task())
    async with open_store(postgres_url, busy_timeout_s=0.05) as hasty:
        async with await psycopg.AsyncConnection.connect(postgres_url) as other:
            await other.execute("SELECT 1 FROM tasks FOR UPDATE")
            with pytest.raises(AutotunerError, match=r"held a lock for longer than 0\.05 s") as caught:
                await hasty.delete_task(task.id)
            assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
            assert await hasty.get_task(task.id) == task  # reading waits for nobody
        await hasty.delete_task(task.id)
