"""``autotuner task purge`` removes what was deleted, and nothing else."""

from __future__ import annotations

import asyncio
import json

from command_runner import Commands

from autotuner.store import open_store
from conformance.store_suite import new_task


def test_deleted_tasks_are_removed(commands: Commands) -> None:
    async def fill() -> None:
        (commands.folder / "data").mkdir()
        async with open_store(str(commands.folder / "data" / "autotuner.db")) as store:
            gone, _ = [await store.create_task(new_task(name)) for name in ("gone", "kept")]
            await store.delete_task(gone.id)

    asyncio.run(fill())
    recent = commands("task", "purge")
    assert (recent.exit_code, recent.stdout) == (0, "There is nothing to remove.\n")
    removed = commands("task", "purge", "--older-than", "0", "--json")
    assert json.loads(removed.stdout) == {"removed": [{"id": 1, "name": "gone"}]}
    listed = json.loads(commands("task", "list", "--json").stdout)
    assert [task["name"] for task in listed["tasks"]] == ["kept"]


def test_a_database_that_is_not_there(commands: Commands) -> None:
    assert commands("task", "purge").exit_code == 2
