"""Copying and restoring the store of a data folder: what is refused, what is kept, and death in the middle."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.services.moving import copy_store, restore_store
from autotuner.services.settings import Settings, load_settings
from autotuner.services.task_lock import held_tasks, taken
from autotuner.store import backup, check, open_store, schema_state, upgrade
from conformance.store_suite import new_task
from volume import volume

RESTORER = Path(__file__).with_name("crashing_restorer.py")
KINDS = ("sqlite", "postgres")
Make = Callable[[str], Settings]


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes settings with an empty store of a kind; for SQLite it is the data folder's own."""

    def make(kind: str) -> Settings:
        data = tmp_path / f"data-{kind}"
        url = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
        settings = load_settings(
            {"AUTOTUNER_DATA_DIR": str(data), "AUTOTUNER_DATABASE_URL": url, "AUTOTUNER_DATABASE_TIMEOUT": "0.2"}
        )
        asyncio.run(upgrade(settings.database))
        return settings

    return make


def add(settings: Settings, *names: str) -> list[TaskRecord]:
    async def work() -> list[TaskRecord]:
        async with open_store(settings.database) as store:
            return [await store.create_task(new_task(name)) for name in names]

    return asyncio.run(work())


def task_names(database: str | Path) -> list[str]:
    async def work() -> list[str]:
        async with open_store(str(database), create=False) as store:
            return [task.name for task in (await store.list_tasks())[0]][::-1]

    return asyncio.run(work())


def beat(settings: Settings) -> None:
    """A worker that lives."""
    from sqlalchemy import text

    from autotuner.store.database import sync_engine
    from autotuner.store.location import parse_location

    engine = sync_engine(parse_location(settings.database))
    with engine.begin() as connection:
        now = "datetime('now')" if connection.dialect.name == "sqlite" else "clock_timestamp()"
        columns = "name, host, pid, version, state, started_at, heartbeat_at"
        connection.execute(text(f"INSERT INTO workers ({columns}) SELECT 'w', 'h', 1, '1', 'idle', {now}, {now}"))
    engine.dispose()


def refused(code: ErrorCode, words: str, call: Callable[[], object]) -> None:
    with pytest.raises(AutotunerError, match=words) as caught:
        call()
    assert caught.value.code is code


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_takes_the_reports_along_and_finds_the_logs(made: Make, tmp_path: Path, kind: str) -> None:
    settings = made(kind)
    add(settings, "one", "two")
    folder = settings.task_dir(2)
    (folder / "experiment-0000").mkdir(parents=True)
    (folder / "report.html").write_text("report")
    target = str(tmp_path / "target.db")
    copied = copy_store(settings, target, while_running=False)
    assert {table.table: table.rows for table in copied.tables}["tasks"] == 2
    assert (copied.running, copied.folders, copied.unwritten) == ([], 1, None)
    assert task_names(target) == ["one", "two"]
    there = replace(settings, database=target).task_dir(2)
    assert there != folder
    assert [path.name for path in there.iterdir()] == ["report.html"]

    refused(ErrorCode.CONFLICT, "it holds 2 tasks", lambda: copy_store(settings, target, while_running=False))
    refused(
        ErrorCode.INVALID_VALUE,
        "the same database",
        lambda: copy_store(settings, settings.database, while_running=False),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_use_is_left_alone(made: Make, tmp_path: Path, kind: str) -> None:
    settings = made(kind)
    (task,) = add(settings, "held")
    target, kept = str(tmp_path / "target.db"), tmp_path / "kept.db"
    asyncio.run(backup(settings.database, kept))

    async def while_held() -> None:
        async with taken(settings, task):
            for call in (
                lambda: copy_store(settings, target, while_running=False),
                lambda: restore_store(settings, kept, replace_it=True),
            ):
                assert await asyncio.to_thread(held_tasks, settings) == [task.id]
                with pytest.raises(AutotunerError, match="task 1 is being run") as caught:
                    await asyncio.to_thread(call)
                assert caught.value.code is ErrorCode.TASK_BUSY
            copied = await asyncio.to_thread(lambda: copy_store(settings, target, while_running=True))
            assert copied.running == [1]

    asyncio.run(while_held())
    assert task_names(target) == ["held"]
    assert held_tasks(settings) == []
    add(settings, "later")
    beat(settings)
    refused(ErrorCode.CONFLICT, "the worker w serves it", lambda: restore_store(settings, kept, replace_it=True))
    assert task_names(settings.database) == ["held", "later"]


@pytest.mark.parametrize("backup_kind", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_is_restored_into_either_kind(made: Make, tmp_path: Path, kind: str, backup_kind: str) -> None:
    settings, file = made(kind), tmp_path / "backup.db"
    source = made(backup_kind) if backup_kind != kind else settings
    add(source, "kept")
    asyncio.run(backup(source.database, file))
    if source is settings:
        add(settings, "later")
    else:
        add(settings, "other", "later")
    present = task_names(settings.database)
    refused(ErrorCode.CONFLICT, "--replace", lambda: restore_store(settings, file, replace_it=False))
    restored = restore_store(settings, file, replace_it=True)
    assert restored.tasks == 1
    assert restored.kept is not None
    assert task_names(settings.database) == ["kept"]
    assert task_names(restored.kept) == present
    assert asyncio.run(check(settings.database)) == []
    add(settings, "written afterwards")
    # And back again, from what was backed up by itself.
    restore_store(settings, restored.kept, replace_it=True)
    assert task_names(settings.database) == present
    left = [path.name for path in [*settings.data_dir.iterdir(), *tmp_path.iterdir()] if "restore-" in path.name]
    assert left == []


def test_a_missing_store_is_made(tmp_path: Path) -> None:
    source, file = str(tmp_path / "x.db"), tmp_path / "backup.db"
    asyncio.run(upgrade(source))
    settings = load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data")})
    add(replace(settings, database=source), "kept")
    asyncio.run(backup(source, file))
    restored = restore_store(settings, file, replace_it=False)
    assert (restored.tasks, restored.kept) == (1, None)
    with closing(sqlite3.connect(settings.database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert Path(settings.database).stat().st_mode & 0o777 == 0o600
    assert task_names(settings.database) == ["kept"]


@pytest.mark.parametrize("state", ["damaged", "newer", "foreign", "empty"])
def test_a_store_that_cannot_be_read_is_put_aside(made: Make, tmp_path: Path, state: str) -> None:
    settings, file = made("sqlite"), tmp_path / "backup.db"
    add(settings, "kept")
    asyncio.run(backup(settings.database, file))
    path = Path(settings.database)
    if state == "damaged":
        path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    else:
        with closing(sqlite3.connect(path)) as connection:
            if state == "newer":
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
            if state == "foreign":
                connection.execute("DROP TABLE alembic_version")
            connection.commit()
    if state == "empty":
        path.write_bytes(b"")
    before = path.read_bytes()
    if state == "foreign":
        refused(
            ErrorCode.STORE_SCHEMA, "tables of something else", lambda: restore_store(settings, file, replace_it=True)
        )
        assert path.read_bytes() == before
        return
    if state != "empty":
        refused(ErrorCode.CONFLICT, "cannot be read", lambda: restore_store(settings, file, replace_it=False))
    restored = restore_store(settings, file, replace_it=state != "empty")
    assert task_names(path) == ["kept"]
    assert (restored.kept is None) == (state == "empty")
    if state == "damaged" and restored.kept is not None:
        assert restored.kept.read_bytes() == before
    if state == "newer":
        assert asyncio.run(schema_state(str(restored.kept))).current == "9999"


def test_a_file_that_another_program_has_open_is_not_replaced(made: Make, tmp_path: Path) -> None:
    settings, file = made("sqlite"), tmp_path / "backup.db"
    add(settings, "kept")
    asyncio.run(backup(settings.database, file))
    add(settings, "later")
    with closing(sqlite3.connect(settings.database)) as other:
        other.execute("SELECT count(*) FROM tasks").fetchone()  # and does nothing
        refused(
            ErrorCode.CONFLICT, "another program has it open", lambda: restore_store(settings, file, replace_it=True)
        )
        assert other.execute("SELECT count(*) FROM tasks").fetchone() == (2,)
    with closing(sqlite3.connect(settings.database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert restore_store(settings, file, replace_it=True).tasks == 1


@pytest.mark.parametrize("instant", ["before_link", "before_replace", "after_replace"])
def test_a_restore_that_is_killed_leaves_the_old_store_or_the_new(made: Make, tmp_path: Path, instant: str) -> None:
    settings, file = made("sqlite"), tmp_path / "backup.db"
    add(settings, "kept")
    asyncio.run(backup(settings.database, file))
    add(settings, "later")
    ended = subprocess.run(
        [sys.executable, RESTORER, str(settings.data_dir), str(file), instant],
        check=False,
        env=dict(os.environ),
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL
    assert task_names(settings.database) == (["kept"] if instant == "after_replace" else ["kept", "later"])
    assert asyncio.run(check(settings.database)) == []
    restore_store(settings, file, replace_it=True)
    assert task_names(settings.database) == ["kept"]


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    source = str(tmp_path / "source.db")
    settings = load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data")})
    add(replace(settings, database=source), *(f"task {number}" for number in range(40)))
    asyncio.run(backup(source, tmp_path / "backup.db"))
    with volume(tmp_path / "small", "1m") as small:
        database = str(small.folder / "x.db")

        def autotuner(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "autotuner", "--data-dir", str(tmp_path / "data"), "db", *words]
            return subprocess.run(small.command(*command), capture_output=True, text=True, check=False, timeout=60)

        assert autotuner("upgrade", "--database", database).returncode == 0
        small.fill()
        copied = autotuner("copy", "--from", source, "--to", database)
        assert copied.returncode == 2
        assert re.search(r"Why: the disk (is|may be) full", copied.stderr)
        restored = autotuner("restore", str(tmp_path / "backup.db"), "--database", database)
        assert restored.returncode == 2
        assert "Traceback" not in restored.stderr
        small.free()
        left = {path.name for path in small.outside.iterdir()}
        assert left <= {"x.db", "x.db-wal", "x.db-shm"}
        assert autotuner("copy", "--from", source, "--to", database).returncode == 0
