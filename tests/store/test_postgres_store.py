"""The store on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError, ErrorCode, StoreUnavailableError
from autotuner.contracts.store import Store
from autotuner.store import SqlStore, open_store, upgrade
from autotuner.store.database import Database
from autotuner.store.location import parse_location
from autotuner.store.session_lock import is_locked, session_lock
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
            with pytest.raises(StoreUnavailableError, match=r"held a lock for longer than 0\.05 s") as caught:
                await hasty.delete_task(task.id)
            assert caught.value.mend == "End the other program"
            assert await hasty.get_task(task.id) == task  # reading waits for nobody
        await hasty.delete_task(task.id)


@pytest.mark.parametrize(("at", "certain"), [("after_begin", True), ("before_commit", False)])
async def test_a_connection_lost_before_the_commit_changed_nothing_for_certain(
    store: SqlStore, postgres_url: str, at: str, certain: bool
) -> None:
    """The server's process ends; when that is noticed in the commit, it may have been carried out."""
    import psycopg

    def lose(session: Session) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database() AND state = 'idle in transaction'"
            )

    def unit(session: Session) -> None:
        session.execute(text("SELECT 1"))
        if at == "after_begin":
            lose(session)
        else:
            event.listen(session, "before_commit", lose, once=True)
        session.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailableError) as caught:
        await store._database.write(unit)
    assert (caught.value.mend is not None) == certain
    assert ("whether the last change was stored is not known" in caught.value.why) != certain
    assert (await store.create_task(new_task())).id == 1


async def test_reading_goes_on_after_its_connections_were_lost(store: SqlStore) -> None:
    def pid(session: Session) -> int:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())

    first = await store._database.read(pid)
    await store._database.write(
        lambda session: session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    )
    assert await store._database.read(pid) != first


async def test_a_server_that_is_not_there_changed_nothing_for_certain(tmp_path: Path) -> None:
    database = Database(parse_location(f"postgresql://me@/nothing?host={tmp_path}"))
    with pytest.raises(StoreUnavailableError) as caught:
        await database.write(lambda session: session.execute(text("SELECT 1")))
    assert caught.value.mend is not None


async def test_a_lock_is_held_by_its_connection(store: Store, postgres_url: str) -> None:
    import psycopg

    location = parse_location(postgres_url)
    for key in (-5, 2**63 - 1, 7):
        assert not await is_locked(location, key)
        async with session_lock(location, key) as held, session_lock(location, key) as second:
            assert held is not None
            assert second is None
            assert await is_locked(location, key)
            assert not await is_locked(location, key ^ 1)
            await held.check()
        assert not await is_locked(location, key)
    async with session_lock(location, 7) as held:
        assert held is not None
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="the connection that held the task's lock was lost"):
                await held.check()
        assert not await is_locked(location, 7)
