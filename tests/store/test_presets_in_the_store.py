"""Presets on SQLite and PostgreSQL, and the upgrade of a store that has none."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from autotuner.contracts.presets import PresetStore
from autotuner.contracts.store import Store
from autotuner.store import SqlStore, open_store, upgrade
from conformance.preset_store_suite import PresetStoreSuite, new_preset
from conformance.store_suite import new_task


class TestPresetsOnSqlite(PresetStoreSuite):
    """Both connections to one file."""

    @pytest.fixture
    async def presets(self, tmp_path: Path) -> AsyncIterator[PresetStore]:
        async with open_store(str(tmp_path / "x.db")) as opened:
            yield opened

    @pytest.fixture
    async def others(self, presets: PresetStore, tmp_path: Path) -> AsyncIterator[PresetStore]:
        async with open_store(str(tmp_path / "x.db")) as opened:
            yield opened


class TestPresetsOnPostgres(PresetStoreSuite):
    """Both connections to one database."""

    @pytest.fixture
    async def presets(self, postgres_url: str) -> AsyncIterator[PresetStore]:
        await upgrade(postgres_url)
        async with open_store(postgres_url) as opened:
            yield opened

    @pytest.fixture
    async def others(self, presets: PresetStore, postgres_url: str) -> AsyncIterator[PresetStore]:
        async with open_store(postgres_url) as opened:
            yield opened


async def test_a_store_without_presets_is_upgraded_with_its_tasks(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_store(str(path)) as store:
        task = await store.create_task(new_task())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE preset_revisions")
        connection.execute("DROP TABLE parameter_presets")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.commit()
    kept = await upgrade(str(path))
    assert kept is not None
    assert kept.exists()
    async with open_store(str(path)) as opened:
        both: Store = opened
        assert await both.get_task(task.id) == task
        made = await opened.create_preset(new_preset())
        assert isinstance(opened, SqlStore)
        assert made.revision == 1
