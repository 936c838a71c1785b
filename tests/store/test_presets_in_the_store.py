"""Presets on SQLite and PostgreSQL, and the upgrade of a store that has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from autotuner.contracts.presets import PresetStore
from autotuner.contracts.store import Store
from autotuner.store import SqlStore, migrations, open_store, upgrade
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
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


def downgrade(path: Path, revision: str) -> None:
    engine = sync_engine(parse_location(str(path)), enforce_references=False)
    try:
        with engine.begin() as connection:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(Path(migrations.__file__).parent))
            command.downgrade(config, revision)
    finally:
        engine.dispose()


async def test_a_store_without_presets_is_upgraded_with_its_tasks(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_store(str(path)) as store:
        task = await store.create_task(new_task())
    downgrade(path, "0002")
    kept = await upgrade(str(path))
    assert kept is not None
    assert kept.exists()
    async with open_store(str(path)) as opened:
        both: Store = opened
        assert await both.get_task(task.id) == task
        made = await opened.create_preset(new_preset())
        assert isinstance(opened, SqlStore)
        assert made.revision == 1
