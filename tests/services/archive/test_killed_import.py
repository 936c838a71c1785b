"""kill -9 of an import: a whole task or none, and nothing is left over after the next import."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from import_process import STEPS

from archived import Source, settings_at, without_numbers
from autotuner.services.archive import import_archive
from autotuner.services.queries import server_logs, task_result
from autotuner.store import check, open_store
from autotuner.store.maintenance import upgrade

PROGRAM = Path(__file__).with_name("import_process.py")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_killed_import(
    kind: str, step: str, source: Source, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = str(tmp_path / "store.db")
    if kind == "postgres":
        database = request.getfixturevalue("postgres_url")
    await upgrade(database)
    settings = settings_at(tmp_path, database)
    archive = tmp_path / "demo.zip"
    archive.write_bytes(source.archive)
    command = [sys.executable, str(PROGRAM), str(tmp_path), database, str(archive), step]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = await asyncio.to_thread(subprocess.run, command, check=False, timeout=120, env=env)
    assert killed.returncode == -signal.SIGKILL
    stored = step == "the task is stored"
    async with open_store(database) as store:
        assert (await store.list_tasks())[1] == stored
    moved = import_archive(io.BytesIO(source.archive), settings)
    assert moved.name == ("demo-2" if stored else "demo")
    assert await check(database) == []
    async with open_store(database) as store:
        tasks, count = await store.list_tasks()
        assert count == stored + 1
        for task in tasks:
            assert without_numbers(await task_result(store, task, settings)) == without_numbers(source.result)
            logs = await server_logs(store, task)
            assert all(log.path.is_file() for log in logs)
    root = settings.task_dir(1).parent
    folders = [path.parent for path in root.rglob("experiment-0000")]
    assert sorted(folders) == sorted(path for path in root.glob("task-*/*"))
    assert len(folders) == count
    assert not list(root.rglob(".import-*"))
    assert not list(root.rglob(".importing"))
